/* SPDX-License-Identifier: Apache-2.0 */
/* Operators on metadata and filter state. */
#include "format/format_internal.h"
#include "http/filter_state.h"
#include "http/metadata.h"
#include "http/stream_info.h"

static const struct nu_metadata *find_metadata(const struct nu_stream_info *info,
                                               enum nu_metadata_source source)
{
    switch (source) {
    case NU_METADATA_DYNAMIC:
        return info->dynamic_metadata;
    case NU_METADATA_CLUSTER:
        return info->upstream.cluster_metadata;
    case NU_METADATA_ROUTE:
        return info->route_metadata;
    case NU_METADATA_UPSTREAM_HOST:
        return nu_metadata_slot_get(info->upstream.host_metadata);
    case NU_METADATA_LISTENER:
        return info->connection ? info->connection->listener_metadata : NULL;
    case NU_METADATA_VIRTUAL_HOST:
        return info->virtual_host_metadata;
    }
    return NULL;
}

/* NULL is no value. */
static void give_value(struct nu_op_result *result, enum nu_op_result_kind kind,
                       const struct nu_value *value)
{
    if (!value || value->type == NU_VALUE_NULL) {
        result->kind = NU_OP_NONE;
        return;
    }
    result->kind = kind;
    result->value = *value;
}

/* Variant: enum nu_metadata_source. */
void nu_op_metadata(const struct nu_format_part *part, const struct nu_format_context *context,
                    struct nu_op_result *result)
{
    const struct nu_metadata *metadata =
        find_metadata(context->info, (enum nu_metadata_source)part->variant);
    const struct nu_metadata_ref *ref = &part->metadata;
    give_value(result, NU_OP_VALUE, nu_metadata_find(metadata, ref->space, ref->path, ref->count));
}

/* The object's own text, in the stream's arena. */
static void give_plain_state(const struct nu_filter_state_object *object, struct nu_arena *arena,
                             struct nu_op_result *result)
{
    struct nu_strbuf text = {0};
    if (object->object_class->to_text && object->object_class->to_text(object->object, &text))
        nu_op_give_text(result, nu_arena_dup(arena, nu_strbuf_str(&text)));
    nu_strbuf_finish(&text);
}

/* One field as text, whatever its type. */
static void give_state_field(const struct nu_filter_state_object *object, struct nu_str field,
                             struct nu_arena *arena, struct nu_op_result *result)
{
    if (!object->object_class->field)
        return;
    struct nu_value value = object->object_class->field(object->object, field, arena);
    if (value.type == NU_VALUE_NULL)
        return;
    if (value.type == NU_VALUE_STRING) {
        nu_op_give_text(result, nu_value_text(&value));
        return;
    }
    struct nu_strbuf text = {0};
    nu_value_to_json(&value, &text);
    nu_op_give_text(result, nu_arena_dup(arena, nu_strbuf_str(&text)));
    nu_strbuf_finish(&text);
}

/* Variant: enum nu_filter_state_form. Detail: enum nu_filter_state_side. */
void nu_op_filter_state(const struct nu_format_part *part, const struct nu_format_context *context,
                        struct nu_op_result *result)
{
    const struct nu_stream_info *info = context->info;
    const struct nu_filter_state_object *object =
        part->detail == NU_STATE_UPSTREAM
            ? nu_filter_state_find(info->upstream.filter_state, part->state.name)
            : nu_stream_info_find_state(info, part->state.name);
    result->kind = NU_OP_NONE;
    if (!object)
        return;
    switch ((enum nu_filter_state_form)part->variant) {
    case NU_STATE_PLAIN:
        give_plain_state(object, info->arena, result);
        break;
    case NU_STATE_FIELD:
        give_state_field(object, part->state.field, info->arena, result);
        break;
    case NU_STATE_TYPED:
        if (object->object_class->to_value) {
            struct nu_value value = object->object_class->to_value(object->object, info->arena);
            give_value(result, NU_OP_JSON, &value);
        }
        break;
    }
}
