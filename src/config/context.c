/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context of a load: places of messages, and errors built from them. A place is found by the
 * message's address; what it says about a field is looked up in the document's node only when
 * somebody complains about the field.
 */
#include "config/message_internal.h"

#include "base/alloc.h"

void nu_config_ctx_init(struct nu_config_ctx *ctx, struct nu_arena *arena)
{
    *ctx = (struct nu_config_ctx){.arena = arena};
    nu_arena_init(&ctx->scratch);
}

void nu_config_ctx_init_view(struct nu_config_ctx *ctx, const struct nu_config_ctx *base,
                             struct nu_arena *arena)
{
    nu_config_ctx_init(ctx, arena);
    ctx->base = base;
    ctx->allow_unknown = base->allow_unknown;
    ctx->skip_deprecated = base->skip_deprecated;
}

void nu_config_ctx_finish(struct nu_config_ctx *ctx)
{
    nu_error_list_finish(&ctx->errors);
    nu_error_list_finish(&ctx->warnings);
    nu_map_finish(&ctx->places);
    nu_map_finish(&ctx->warned);
    nu_arena_finish(&ctx->scratch);
}

struct nu_config_place *nu_place_add(struct nu_config_ctx *ctx, const ProtobufCMessage *message,
                                     struct nu_config_place *parent,
                                     const ProtobufCFieldDescriptor *field, size_t index)
{
    struct nu_config_place *place = nu_arena_calloc(&ctx->scratch, sizeof(*place));
    place->message = message;
    place->parent = parent;
    place->field = field;
    place->index = index;
    nu_map_put(&ctx->places, nu_str_make((const char *)&place->message, sizeof(message)), place);
    return place;
}

struct nu_config_place *nu_place_find(const struct nu_config_ctx *ctx, const void *message)
{
    struct nu_str key = nu_str_make((const char *)&message, sizeof(message));
    struct nu_config_place *place = nu_map_get(&ctx->places, key);
    return !place && ctx->base ? nu_place_find(ctx->base, message) : place;
}

static uint64_t bit_of(const struct nu_config_place *place, const ProtobufCFieldDescriptor *field)
{
    return (uint64_t)1 << ((field - place->message->descriptor->fields) % 64);
}

void nu_place_fail(struct nu_config_place *place, const ProtobufCFieldDescriptor *field)
{
    place->has_errors = true;
    if (field)
        place->unread |= bit_of(place, field);
}

bool nu_place_has_failed(const struct nu_config_place *place, const ProtobufCFieldDescriptor *field)
{
    return place && (place->unread & bit_of(place, field)) != 0;
}

/* --- Paths ------------------------------------------------------------------------------------ */

static bool is_map_entry(const ProtobufCMessage *message)
{
    return nu_schema_meta(message->descriptor)->is_map_entry;
}

/* ["key"] of a map's entry, or [3] of an item. */
static void add_index(const struct nu_config_place *place, struct nu_strbuf *out)
{
    const ProtobufCMessage *message = place->message;
    const ProtobufCFieldDescriptor *key = &message->descriptor->fields[0];
    if (is_map_entry(message))
        nu_strbuf_addf(out, "[\"%s\"]", *(const char **)nu_message_member(message, key));
    else
        nu_strbuf_addf(out, "[%zu]", place->index);
}

static void add_field(struct nu_strbuf *out, const char *field)
{
    if (out->len)
        nu_strbuf_add_char(out, '.');
    nu_strbuf_add_cstr(out, field);
}

static void add_path(const struct nu_config_place *place, struct nu_strbuf *out)
{
    const struct nu_config_place *chain[4 * NU_DOC_MAX_DEPTH];
    size_t depth = 0;
    for (; place->parent && depth < NU_ARRAY_LEN(chain); place = place->parent)
        chain[depth++] = place;
    while (depth > 0) {
        place = chain[--depth];
        bool is_any_content = !place->field;
        if (is_any_content || is_map_entry(place->parent->message))
            continue;
        add_field(out, place->field->name);
        if (nu_field_is_repeated(place->field))
            add_index(place, out);
    }
}

/* --- Positions -------------------------------------------------------------------------------- */

/* Item `index` of a list with its inner lists flattened; lowers `*index` by the items it passes. */
static const struct nu_doc_node *find_item(const struct nu_doc_node *node, ptrdiff_t *index)
{
    if (node->kind != NU_DOC_LIST)
        return (*index)-- == 0 ? node : NULL;
    for (const struct nu_doc_node *item = node->first; item; item = item->next) {
        const struct nu_doc_node *found = find_item(item, index);
        if (found)
            return found;
    }
    return NULL;
}

static const struct nu_doc_node *find_member(const struct nu_doc_node *map, const char *field)
{
    const struct nu_doc_node *found = NULL;
    if (map->kind != NU_DOC_MAP)
        return NULL;
    for (const struct nu_doc_node *child = map->first; child; child = child->next)
        if (nu_field_name_eq(child->key, field))
            found = child;
    return found;
}

/* The node of a field, or of one of its items, among the two documents of a place. */
static const struct nu_doc_node *find_field(const struct nu_config_place *place, const char *field,
                                            ptrdiff_t index)
{
    const struct nu_doc_node *base = place->node ? find_member(place->node, field) : NULL;
    const struct nu_doc_node *over = place->over ? find_member(place->over, field) : NULL;
    if (index == NU_NO_INDEX)
        return over ? over : base;
    const struct nu_doc_node *found = base ? find_item(base, &index) : NULL;
    return !found && over ? find_item(over, &index) : found;
}

static struct nu_position find_position(const struct nu_config_place *place, const char *field,
                                        ptrdiff_t index)
{
    const struct nu_doc_node *node = field ? find_field(place, field, index) : NULL;
    if (node)
        return node->at;
    if (place->node)
        return place->node->at;
    while (place->parent)
        place = place->parent;
    return (struct nu_position){.source = place->source};
}

/* --- Errors ----------------------------------------------------------------------------------- */

void nu_place_addv(struct nu_error_list *list, const struct nu_config_place *place,
                   struct nu_position at, const char *field, ptrdiff_t index, const char *fmt,
                   va_list args)
{
    struct nu_strbuf path = {0};
    if (place)
        add_path(place, &path);
    if (field && !(place && is_map_entry(place->message)))
        add_field(&path, field);
    if (index != NU_NO_INDEX)
        nu_strbuf_addf(&path, "[%td]", index);
    nu_error_addv(list, at, path.data, fmt, args);
    nu_strbuf_finish(&path);
}

void nu_place_error(struct nu_config_ctx *ctx, const struct nu_config_place *place,
                    struct nu_position at, const char *field, ptrdiff_t index, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    nu_place_addv(&ctx->errors, place, at, field, index, fmt, args);
    va_end(args);
}

void nu_unknown_field(struct nu_config_ctx *ctx, struct nu_config_place *place,
                      struct nu_position at, struct nu_str name, const char *text)
{
    struct nu_strbuf path = {0};
    add_path(place, &path);
    char *field = nu_strndup(name.ptr, nu_min_size(name.len, 100));
    add_field(&path, field);
    ctx->unknown_fields++;
    if (!ctx->allow_unknown)
        nu_place_fail(place, NULL);
    nu_error_add(ctx->allow_unknown ? &ctx->warnings : &ctx->errors, at, path.data, "%s", text);
    nu_free(field);
    nu_strbuf_finish(&path);
}

static void add(struct nu_config_ctx *ctx, struct nu_error_list *list, const void *message,
                const char *field, ptrdiff_t index, const char *fmt, va_list args)
{
    const struct nu_config_place *place = nu_place_find(ctx, message);
    struct nu_position at = place ? find_position(place, field, index) : (struct nu_position){0};
    nu_place_addv(list, place, at, field, index, fmt, args);
}

void nu_config_error(struct nu_config_ctx *ctx, const void *message, const char *field,
                     const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(ctx, &ctx->errors, message, field, NU_NO_INDEX, fmt, args);
    va_end(args);
}

void nu_config_error_at(struct nu_config_ctx *ctx, const void *message, const char *field,
                        size_t index, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(ctx, &ctx->errors, message, field, (ptrdiff_t)index, fmt, args);
    va_end(args);
}

void nu_config_warn(struct nu_config_ctx *ctx, const void *message, const char *field,
                    const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(ctx, &ctx->warnings, message, field, NU_NO_INDEX, fmt, args);
    va_end(args);
}
