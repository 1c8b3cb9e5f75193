/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guests set: filter state "wasm.NAME" of the stream, or of its connection if the guest has
 * declared it so (declare_property).
 */
#include "base/alloc.h"
#include "base/base64.h"
#include "http/stream_info.h"
#include "wasm/foreign.h"
#include "wasm/property.h"
#include "wasm/state_text.h"

enum {
    DECLARED_MAX = 1024,      /* properties of one root */
    DECLARED_NAME_MAX = 1024, /* bytes */
};

enum type { BYTES, STRING }; /* others are bytes for us */

struct nu_wasm_declared {
    struct nu_wasm_declared *next;
    uint8_t type;
    uint8_t life; /* enum nu_filter_state_life */
    bool is_read_only;
    size_t name_length;
    char name[];
};

/* --- As filter state -------------------------------------------------------------------------- */

/* As Envoy has it in logs: bytes, in an envelope. */
static struct nu_value to_value(const void *object, struct nu_arena *arena)
{
    const struct nu_wasm_state_text *state = object;
    struct nu_value value = nu_value_struct();
    nu_value_set(&value, arena, NU_STR("@type"),
                 nu_value_string(NU_STR("type.googleapis.com/google.protobuf.BytesValue")));
    struct nu_strbuf text = {0};
    nu_base64_add(&text, state->value);
    nu_value_set(&value, arena, NU_STR("value"),
                 nu_value_string(nu_arena_dup(arena, nu_strbuf_str(&text))));
    nu_strbuf_finish(&text);
    return value;
}

static const struct nu_filter_state_class bytes_class = {
    .name = "bytes of a wasm plug-in",
    .to_text = nu_wasm_state_text_write,
    .to_value = to_value,
};

static const struct nu_filter_state_class string_class = {
    .name = "string of a wasm plug-in",
    .to_text = nu_wasm_state_text_write,
    .to_value = to_value,
    .is_string = true,
};

static bool is_ours(const struct nu_filter_state_object *object)
{
    return object->object_class == &bytes_class || object->object_class == &string_class;
}

/* --- Declaring -------------------------------------------------------------------------------- */

static struct nu_wasm_declared *find_declared(const struct nu_wasm_context *context,
                                              struct nu_str name, size_t *count)
{
    struct nu_wasm_declared *declared = context->declared;
    for (*count = 0; declared; declared = declared->next, ++*count) {
        if (nu_str_eq(nu_str_make(declared->name, declared->name_length), name))
            return declared;
    }
    return NULL;
}

/* Zeroed memory for what the context whose callback runs declares: a root's own; else the stream's,
 * with which it goes, and in Envoy it serves for nothing either. NULL if the stream has had its
 * share. */
static void *make_room(struct nu_wasm_vm *vm, size_t size)
{
    if (vm->current->root == vm->current)
        return nu_calloc(1, size);
    struct nu_wasm_context *effective = vm->effective;
    vm->effective = vm->current;
    struct nu_stream_info *info = nu_wasm_vm_info(vm);
    bool fits = info && nu_wasm_vm_take(vm, size, 1);
    vm->effective = effective;
    return fits ? nu_arena_calloc(info->arena, size) : NULL;
}

static struct nu_wasm_declared *add_declared(struct nu_wasm_vm *vm, struct nu_str name)
{
    struct nu_wasm_declared *declared = make_room(vm, sizeof(*declared) + name.len);
    if (!declared)
        return NULL;
    if (name.len)
        memcpy(declared->name, name.ptr, name.len);
    declared->name_length = name.len;
    declared->next = vm->current->declared;
    vm->current->declared = declared;
    return declared;
}

enum nu_wasm_status nu_wasm_foreign_declare_property(struct nu_wasm_vm *vm, struct nu_str arguments,
                                                     struct nu_strbuf *result)
{
    enum { NAME, READ_ONLY, TYPE, SPAN, COUNT };
    struct nu_wasm_member in[COUNT] = {
        [NAME] = {.number = 1, .kind = NU_WASM_MEMBER_STRING},
        [READ_ONLY] = {.number = 2, .kind = NU_WASM_MEMBER_NUMBER},
        [TYPE] = {.number = 3, .kind = NU_WASM_MEMBER_NUMBER},
        [SPAN] = {.number = 5, .kind = NU_WASM_MEMBER_NUMBER},
    };
    size_t count;
    (void)result;
    if (!nu_wasm_message_read(arguments, in, COUNT) ||
        find_declared(vm->current, in[NAME].bytes, &count))
        return NU_WASM_BAD_ARGUMENT;
    if (count == DECLARED_MAX || in[NAME].bytes.len > DECLARED_NAME_MAX)
        return NU_WASM_INTERNAL_FAILURE;
    struct nu_wasm_declared *declared = add_declared(vm, in[NAME].bytes);
    if (!declared)
        return NU_WASM_INTERNAL_FAILURE;
    declared->is_read_only = in[READ_ONLY].value != 0;
    declared->type = in[TYPE].value == STRING ? STRING : BYTES;
    declared->life = in[SPAN].value <= NU_FILTER_STATE_CONNECTION
                         ? (uint8_t)in[SPAN].value
                         : (uint8_t)NU_FILTER_STATE_FILTER_CHAIN;
    return NU_WASM_OK;
}

void nu_wasm_property_forget(struct nu_wasm_context *root)
{
    while (root->declared) {
        struct nu_wasm_declared *next = root->declared->next;
        nu_free(root->declared);
        root->declared = next;
    }
}

/* --- Setting ---------------------------------------------------------------------------------- */

/* One that is there already. */
static enum nu_wasm_status change(struct nu_stream_info *info,
                                  const struct nu_filter_state_object *object, struct nu_str value)
{
    if (!is_ours(object) || object->is_read_only)
        return NU_WASM_BAD_ARGUMENT;
    bool is_own = nu_filter_state_find(info->filter_state, object->name) != NULL;
    struct nu_filter_state *keeper =
        is_own ? info->filter_state : nu_stream_info_state_keeper(info, NU_FILTER_STATE_CONNECTION);
    return nu_wasm_state_text_change(keeper, nu_unconst(object->object), value)
               ? NU_WASM_OK
               : NU_WASM_INTERNAL_FAILURE;
}

static enum nu_wasm_status add(struct nu_stream_info *info, const struct nu_wasm_declared *declared,
                               struct nu_str name, struct nu_str value)
{
    uint8_t life = declared ? declared->life : (uint8_t)NU_FILTER_STATE_FILTER_CHAIN;
    struct nu_filter_state *keeper = nu_stream_info_state_keeper(info, life);
    struct nu_wasm_state_text *text = nu_wasm_state_text_create(keeper, name, value);
    if (!text)
        return NU_WASM_INTERNAL_FAILURE;
    const struct nu_filter_state_object object = {
        .name = nu_arena_dup(keeper->arena, name),
        .object_class = declared && declared->type == STRING ? &string_class : &bytes_class,
        .object = text,
        .life = life,
        .is_read_only = declared && declared->is_read_only,
    };
    return nu_stream_info_set_state(info, &object) == NU_OK ? NU_WASM_OK : NU_WASM_BAD_ARGUMENT;
}

enum nu_wasm_status nu_wasm_property_set(struct nu_wasm_vm *vm, struct nu_str path,
                                         struct nu_str value)
{
    struct nu_stream_info *info = nu_wasm_vm_info(vm);
    if (!info)
        return NU_WASM_NOT_FOUND;
    if (!nu_wasm_vm_take(vm, path.len + value.len, 1))
        return NU_WASM_INTERNAL_FAILURE;
    struct nu_str name = nu_arena_concat(info->arena, NU_STR("wasm."), path);
    const struct nu_filter_state_object *seen = nu_stream_info_find_state(info, name);
    if (seen)
        return change(info, seen, value);
    size_t count;
    return add(info, find_declared(vm->effective->root, path, &count), name, value);
}
