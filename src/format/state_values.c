/* SPDX-License-Identifier: Apache-2.0 */
/* Each value is formatted, made an object in the memory of who keeps it, and set. */
#include "format/state_values.h"

#include "config/config.h"
#include "format/format_from_proto.h"
#include "http/filter_state_kind.h"

#include "envoy/extensions/filters/common/set_filter_state/v3/value.pb-c.h"

typedef Envoy__Extensions__Filters__Common__SetFilterState__V3__FilterStateValue value_proto;

struct nu_state_value {
    struct nu_str name;
    const struct nu_filter_state_kind *kind;
    const struct nu_formatter *formatter;
    bool is_read_only;
    bool skips_empty;
};

/* --- The configuration ------------------------------------------------------------------------ */

/* What stands under the name that Envoy knows such objects by. */
static const struct nu_filter_state_kind *find_kind(struct nu_config_ctx *ctx,
                                                    const value_proto *proto)
{
    bool has_own = *proto->factory_key != '\0';
    const char *field = has_own ? "factory_key" : "object_key";
    const char *name = has_own ? proto->factory_key : proto->object_key;
    const struct nu_filter_state_kind *kind = nu_filter_state_kind_find(nu_str_from(name));
    if (!kind) {
        nu_config_error(ctx, proto, field, "'%s' does not have an object factory",
                        proto->object_key);
        return NULL;
    }
    if (kind->content == NU_FILTER_STATE_ABSENT) {
        nu_config_error(ctx, proto, field, "%s: known to Envoy, not implemented by nuncio", name);
        return NULL;
    }
    return kind;
}

static bool read_value(struct nu_config_ctx *ctx, const value_proto *proto, struct nu_arena *arena,
                       struct nu_state_value *out)
{
    struct nu_format_string format;
    out->kind = find_kind(ctx, proto);
    if (!out->kind || !nu_format_string_from_proto(ctx, proto->format_string, arena, &format))
        return false;
    out->formatter = format.formatter;
    out->name = nu_arena_dup(arena, nu_str_from(proto->object_key));
    out->is_read_only = proto->read_only;
    out->skips_empty = proto->skip_if_empty;
    return true;
}

bool nu_state_values_from_proto(struct nu_config_ctx *ctx, value_proto *const *protos, size_t count,
                                struct nu_arena *arena, struct nu_state_values *out)
{
    struct nu_state_value *items = nu_arena_calloc(arena, (count + 1) * sizeof(*items));
    bool ok = true;
    for (size_t i = 0; i < count; i++)
        ok = read_value(ctx, protos[i], arena, &items[i]) && ok;
    *out = (struct nu_state_values){.items = items, .count = count};
    return ok;
}

/* --- Setting ---------------------------------------------------------------------------------- */

static void set(const struct nu_state_value *value, struct nu_str text,
                enum nu_filter_state_life life, struct nu_stream_info *info)
{
    char digits[20];
    struct nu_filter_state_object object = {
        .name = value->name,
        .object_class = value->kind->content == NU_FILTER_STATE_NUMBER ? &nu_filter_state_number
                                                                       : &nu_filter_state_string,
        .life = (uint8_t)life,
        .is_read_only = value->is_read_only,
    };
    if ((text.len == 0 && value->skips_empty) ||
        !nu_filter_state_kind_read(value->kind, &text, digits) ||
        !nu_stream_info_may_set_state(info, &object))
        return;
    struct nu_arena *arena = nu_stream_info_state_keeper(info, object.life)->arena;
    struct nu_str *copy = nu_arena_alloc(arena, sizeof(*copy));
    *copy = nu_arena_dup(arena, text);
    object.object = copy;
    enum nu_result result = nu_stream_info_set_state(info, &object);
    (void)result; /* it may be set */
}

void nu_state_values_set(const struct nu_state_values *values, enum nu_filter_state_life life,
                         const struct nu_format_context *context, struct nu_stream_info *info)
{
    struct nu_strbuf text = {0};
    for (size_t i = 0; i < values->count; i++) {
        nu_strbuf_clear(&text);
        nu_formatter_format(values->items[i].formatter, context, &text);
        set(&values->items[i], nu_strbuf_str(&text), life, info);
    }
    nu_strbuf_finish(&text);
}
