/* SPDX-License-Identifier: Apache-2.0 */
/* Hashing requests. What Envoy hashes, and how hashes are put together, is in each function. */
#include <stdlib.h>

#include "base/xxhash.h"
#include "http/filter_state.h"
#include "http/headers.h"
#include "http/query.h"
#include "http/stream_info.h"
#include "match/hash_policy_internal.h"

/* What a method may look at, and where cookies go. */
struct input {
    const struct nu_headers *headers;
    struct nu_stream_info *info;
    struct nu_made_cookie **cookies;
};

/* --- Headers ---------------------------------------------------------------------------------- */

static bool is_named(const struct nu_header *header, const struct nu_hash_method *method)
{
    if (method->header && header->id)
        return header->id == method->header;
    return nu_str_eq(header->name, method->name);
}

static struct nu_str rewritten(const struct nu_hash_method *method, struct nu_str value,
                               struct nu_arena *arena)
{
    if (nu_likely(!method->regex.regex))
        return value;
    struct nu_strbuf out = {0};
    nu_regex_replace_all(method->regex.regex, value, method->regex.substitution, &out);
    struct nu_str copy = nu_arena_dup(arena, nu_strbuf_str(&out));
    nu_strbuf_finish(&out);
    return copy;
}

static int by_bytes(const void *a, const void *b)
{
    return nu_str_cmp(*(const struct nu_str *)a, *(const struct nu_str *)b);
}

static size_t count_named(const struct input *input, const struct nu_hash_method *method)
{
    size_t count = 0;
    nu_headers_for_each(header, input->headers)
    {
        count += is_named(header, method);
    }
    return count;
}

/* Every value, sorted, each with the hash of those before it as the seed. */
static bool hash_header(const struct nu_hash_method *method, struct input *input, uint64_t *hash)
{
    size_t count = count_named(input, method);
    if (count == 0)
        return false;
    struct nu_arena *arena = input->info->arena;
    struct nu_str *values = nu_arena_alloc(arena, count * sizeof(*values));
    size_t at = 0;
    nu_headers_for_each(header, input->headers)
    {
        if (is_named(header, method))
            values[at++] = rewritten(method, header->value, arena);
    }
    qsort(values, count, sizeof(*values), by_bytes);
    *hash = 0;
    for (size_t i = 0; i < count; i++)
        *hash = nu_xxhash64_seeded(values[i], *hash);
    return true;
}

/* --- Cookies ---------------------------------------------------------------------------------- */

/* The same for all requests of a connection: several that are under way at once get one cookie. */
static struct nu_str make_value(struct nu_stream_info *info)
{
    char text[2 * NU_ADDRESS_TEXT_MAX];
    struct nu_connection_info *connection = info->connection;
    size_t len = nu_address_format(&connection->remote, text);
    len += nu_address_format(nu_connection_info_local(connection), text + len);
    uint64_t hash = nu_xxhash64(nu_str_make(text, len));
    return nu_str_from(nu_arena_printf(info->arena, "%016llx", (unsigned long long)hash));
}

static void add_cookie(struct input *input, const struct nu_set_cookie *cookie)
{
    struct nu_made_cookie *made = nu_arena_alloc(input->info->arena, sizeof(*made));
    *made = (struct nu_made_cookie){.header = nu_set_cookie_format(cookie, input->info->arena)};
    struct nu_made_cookie **end = input->cookies;
    while (*end)
        end = &(*end)->next;
    *end = made;
}

/* An empty one is none. */
static bool hash_cookie(const struct nu_hash_method *method, struct input *input, uint64_t *hash)
{
    struct nu_str value = nu_cookie_find(input->headers, method->name);
    if (value.len == 0) {
        if (!method->makes_cookie || !input->info->connection)
            return false;
        struct nu_set_cookie cookie = method->cookie;
        value = cookie.value = make_value(input->info);
        add_cookie(input, &cookie);
    }
    *hash = nu_xxhash64(value);
    return true;
}

/* --- The rest --------------------------------------------------------------------------------- */

static bool hash_source_ip(struct input *input, uint64_t *hash)
{
    const struct nu_address *remote = &input->info->remote;
    if (!nu_address_is_ip(remote))
        return false;
    char text[NU_ADDRESS_TEXT_MAX];
    *hash = nu_xxhash64(nu_str_make(text, nu_address_format_ip(remote, text)));
    return true;
}

static bool hash_query_parameter(const struct nu_hash_method *method, struct input *input,
                                 uint64_t *hash)
{
    struct nu_str path = nu_headers_get_id(input->headers, NU_HEADER_PATH);
    struct nu_str value = nu_query_get(path, method->name);
    if (!value.ptr)
        return false;
    *hash = nu_xxhash64(value);
    return true;
}

static bool eval(const struct nu_hash_method *method, struct input *input, uint64_t *hash)
{
    switch (method->kind) {
    case NU_HASH_METHOD_HEADER:
        return hash_header(method, input, hash);
    case NU_HASH_METHOD_COOKIE:
        return hash_cookie(method, input, hash);
    case NU_HASH_METHOD_SOURCE_IP:
        return hash_source_ip(input, hash);
    case NU_HASH_METHOD_QUERY_PARAMETER:
        return hash_query_parameter(method, input, hash);
    case NU_HASH_METHOD_FILTER_STATE:
        return nu_stream_info_hash_state(input->info, method->name, hash);
    }
    return false;
}

/* The hash so far is rotated before the next one is joined to it, so that equal ones do not cancel
 * each other out. */
bool nu_hash_policy_eval(const struct nu_hash_policy *policy, const struct nu_headers *headers,
                         struct nu_stream_info *info, struct nu_made_cookie **cookies,
                         uint64_t *hash)
{
    struct input input = {headers, info, cookies};
    bool found = false;
    *hash = 0;
    for (size_t i = 0; i < policy->count; i++) {
        const struct nu_hash_method *method = &policy->methods[i];
        uint64_t part;
        if (eval(method, &input, &part)) {
            *hash = (*hash << 1 | *hash >> 63) ^ part;
            found = true;
        }
        if (found && method->is_terminal)
            break;
    }
    return found;
}
