/* SPDX-License-Identifier: Apache-2.0 */
/*
 * google.protobuf.Any from text: an object that says its type in "@type" and holds that message's
 * fields, or under "value" a well-known type. The message is kept beside the Any, for factories and
 * for the positions of its parts, and packed into it, so that the Any is complete without a
 * context.
 *
 * A TypedStruct is replaced by the message that it stands for, or by its value alone where that is
 * somebody else's who knows the type.
 */
#include "config/convert_internal.h"

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/struct.pb-c.h"

/* The part behind the last '/', when there is a host before it and no NUL; else an empty view. */
static struct nu_str name_in_url(struct nu_str url)
{
    size_t slash = nu_str_rfind_char(url, '/');
    if (slash == NU_NPOS || slash == 0 || nu_str_find_char(url, '\0') != NU_NPOS)
        return (struct nu_str){0};
    return nu_str_skip(url, slash + 1);
}

static bool refuse_type(const struct nu_target *t, struct nu_str name)
{
    struct nu_strbuf text = {0};
    nu_hint_missing_type(name, &text);
    nu_target_fail(t, "%s", text.data);
    nu_strbuf_finish(&text);
    return false;
}

/* A well-known type stands under "value", and beside it nothing but "@type". */
static void convert_known_content(struct nu_target *t, ProtobufCMessage *content)
{
    const struct nu_doc_node *object = t->node;
    for (const struct nu_doc_node *member = object->first; member; member = member->next) {
        t->node = member;
        if (nu_str_eq(member->key, NU_STR("value"))) {
            if (member->kind != NU_DOC_NULL)
                nu_convert_into(t, content);
        } else if (!nu_str_eq(member->key, NU_STR("@type"))) {
            nu_target_fail(t, "beside the \"@type\" of a well-known type only \"value\" may stand");
        }
    }
}

/* Packs the content into the Any's bytes, so that it is whole without this context. */
static void pack(struct nu_config_ctx *ctx, Google__Protobuf__Any *any,
                 const ProtobufCMessage *content)
{
    size_t size = protobuf_c_message_get_packed_size(content);
    any->value.data = nu_arena_alloc(ctx->arena, size);
    any->value.len = protobuf_c_message_pack(content, any->value.data);
}

/* Makes the content of the Any at `place` from an object with the fields of `descriptor`. */
static void convert_content(struct nu_config_ctx *ctx, struct nu_config_place *place,
                            struct nu_str url, const ProtobufCMessageDescriptor *descriptor,
                            const struct nu_doc_node *object)
{
    Google__Protobuf__Any *any = nu_unconst(place->message);
    ProtobufCMessage *content = nu_message_create(ctx->arena, descriptor);
    size_t errors = ctx->errors.count;
    any->type_url = nu_unconst(nu_arena_dup(ctx->arena, url).ptr);
    place->content = content;
    if (nu_convert_known(descriptor)) {
        struct nu_target t = {ctx, place, NULL, NULL, NU_NO_INDEX, object};
        convert_known_content(&t, content);
    } else {
        struct nu_config_place *inner = nu_place_add(ctx, content, place, NULL, 0);
        inner->node = object;
        nu_convert_members(ctx, inner, object, NU_STR("@type"));
    }
    if (ctx->errors.count == errors)
        pack(ctx, any, content);
}

bool nu_is_typed_struct(struct nu_str name)
{
    return nu_str_eq(name, NU_STR("xds.type.v3.TypedStruct")) ||
           nu_str_eq(name, NU_STR("udpa.type.v1.TypedStruct"));
}

/* Where guests of wasm have what they are given, of types of their own. */
static bool is_for_guests(const struct nu_config_place *place)
{
    const struct nu_config_place *parent = place->parent;
    if (!parent || !place->field || strcmp(place->field->name, "configuration") != 0)
        return false;
    const char *owner = parent->message->descriptor->name;
    return strcmp(owner, "envoy.extensions.wasm.v3.PluginConfig") == 0 ||
           strcmp(owner, "envoy.extensions.wasm.v3.VmConfig") == 0;
}

/* A TypedStruct of a type that is not known here, as the Struct that it has. */
static bool convert_value_alone(struct nu_config_ctx *ctx, struct nu_config_place *place,
                                const struct nu_doc_node *value)
{
    Google__Protobuf__Any *any = nu_unconst(place->message);
    ProtobufCMessage *content =
        nu_message_create(ctx->arena, &google__protobuf__struct__descriptor);
    struct nu_target t = {ctx, place, NULL, NULL, NU_NO_INDEX, value};
    size_t errors = ctx->errors.count;
    any->type_url = nu_unconst("type.googleapis.com/google.protobuf.Struct");
    place->content = content;
    if (!nu_convert_into(&t, content) || ctx->errors.count != errors)
        return false;
    pack(ctx, any, content);
    return true;
}

bool nu_convert_typed_struct(struct nu_config_ctx *ctx, struct nu_config_place *place,
                             const struct nu_doc_node *url, const struct nu_doc_node *value)
{
    static const struct nu_doc_node nothing = {.kind = NU_DOC_MAP};
    struct nu_target t = {ctx, place, NULL, NULL, NU_NO_INDEX, url ? url : place->node};
    bool is_text = url && url->kind == NU_DOC_STRING;
    if (is_for_guests(place) && (!url || is_text) &&
        !(is_text && nu_config_find_type(nu_config_type_name(url->text))))
        return convert_value_alone(ctx, place,
                                   value && value->kind != NU_DOC_NULL ? value : &nothing);
    if (!url || url->kind != NU_DOC_STRING || !url->text.len)
        return nu_target_fail(&t, "a TypedStruct needs its type in \"type_url\"");
    struct nu_str name = nu_config_type_name(url->text);
    const ProtobufCMessageDescriptor *descriptor = nu_config_find_type(name);
    if (!descriptor || nu_is_typed_struct(name))
        return refuse_type(&t, name);
    if (!value || value->kind == NU_DOC_NULL)
        value = &nothing;
    t.node = value;
    if (value->kind != NU_DOC_MAP)
        return nu_target_fail(&t, "the value of a TypedStruct must be an object, not %s",
                              nu_doc_kind_name(value));
    struct nu_str full = url->text;
    if (!name_in_url(full).len)
        full = nu_arena_concat(&ctx->scratch, NU_STR("type.googleapis.com/"), name);
    convert_content(ctx, place, full, descriptor, value);
    return true;
}

static bool convert_typed(struct nu_config_ctx *ctx, struct nu_config_place *place,
                          const struct nu_doc_node *type)
{
    struct nu_target t = {ctx, place, NULL, NULL, NU_NO_INDEX, type};
    struct nu_str name = type->kind == NU_DOC_STRING ? name_in_url(type->text) : NU_STR("");
    if (!name.len)
        return nu_target_fail(&t, "\"@type\" must be a URL, such as "
                                  "type.googleapis.com/google.protobuf.StringValue");
    if (nu_is_typed_struct(name)) {
        const struct nu_doc_node *url = nu_doc_member(place->node, NU_STR("type_url"));
        if (!url)
            url = nu_doc_member(place->node, NU_STR("typeUrl"));
        return nu_convert_typed_struct(ctx, place, url,
                                       nu_doc_member(place->node, NU_STR("value")));
    }
    const ProtobufCMessageDescriptor *descriptor = nu_config_find_type(name);
    if (!descriptor)
        return refuse_type(&t, name);
    convert_content(ctx, place, type->text, descriptor, place->node);
    return true;
}

bool nu_convert_any(const struct nu_target *t, ProtobufCMessage *message)
{
    if (t->node->kind != NU_DOC_MAP)
        return nu_target_fail(t, "expected an object with an \"@type\", not %s",
                              nu_doc_kind_name(t->node));
    struct nu_config_place *place = nu_target_place(t, message);
    if (!t->node->first)
        return true;
    const struct nu_doc_node *type = nu_doc_member(t->node, NU_STR("@type"));
    if (!type) {
        nu_place_fail(place, NULL);
        return nu_target_fail(t, "\"@type\" is missing: it says which message this is");
    }
    return convert_typed(t->ctx, place, type);
}

const ProtobufCMessage *nu_config_any(const struct nu_config_ctx *ctx,
                                      const struct Google__Protobuf__Any *any)
{
    const struct nu_config_place *place = any ? nu_place_find(ctx, any) : NULL;
    return place ? place->content : NULL;
}

const ProtobufCMessage *nu_config_any_of(struct nu_config_ctx *ctx, const void *owner,
                                         const char *field, const struct Google__Protobuf__Any *any,
                                         const ProtobufCMessageDescriptor *expected)
{
    const ProtobufCMessage *content = nu_config_any(ctx, any);
    if (content && content->descriptor == expected)
        return content;
    if (content)
        nu_config_error(ctx, owner, field, "expected a %s, not a %s", expected->name,
                        content->descriptor->name);
    else
        nu_config_error(ctx, owner, field, "expected an object with the \"@type\" %s",
                        expected->name);
    return NULL;
}
