/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How names are spelt where their spelling is kept. One that comes again goes on as it was spelt
 * first, as Envoy has it. In a section of a few fields the first is looked for among them; where there
 * are more, which takes a raised limit or a client with many, a table of the names is made, so that
 * each field costs the same however many there are.
 */
#include "base/hash.h"
#include "codec/h1_internal.h"

enum { FEW = 32 };

static void finish_map(void *map)
{
    nu_map_finish(map);
}

/* Names move when more bytes of the section come: the table has its own. */
static void add(struct nu_h1_message *msg, struct nu_str name, const char *spelling)
{
    nu_map_put(msg->spellings, nu_arena_dup(msg->arena, name), nu_unconst(spelling));
}

static void make_table(struct nu_h1_message *msg)
{
    msg->spellings = nu_arena_calloc(msg->arena, sizeof(*msg->spellings));
    nu_arena_on_free(msg->arena, finish_map, msg->spellings);
    nu_headers_for_each(header, msg->target)
    {
        if (header->original_name && !nu_map_get(msg->spellings, header->name))
            add(msg, header->name, header->original_name);
    }
}

static const char *look_up(struct nu_h1_message *msg, struct nu_str name, const char *present)
{
    if (!msg->spellings)
        make_table(msg);
    const char *first = nu_map_get(msg->spellings, name);
    if (!first)
        add(msg, name, present);
    return first ? first : present;
}

NU_NOINLINE const char *nu_h1_first_spelling(struct nu_h1_message *msg, struct nu_str name,
                                             const char *present)
{
    if (msg->target->used > FEW)
        return look_up(msg, name, present);
    nu_headers_for_each(header, msg->target)
    {
        if (header->original_name && nu_str_eq(header->name, name))
            return header->original_name;
    }
    return present;
}
