/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The foreign function set_envoy_filter_state: a guest leaves an object that other filters, the
 * router or a cluster look for, by the name that Envoy knows it by. What such an object may be is
 * its name's matter.
 */
#include <stdatomic.h>

#include "base/log.h"
#include "http/filter_state_kind.h"
#include "wasm/foreign.h"
#include "wasm/http_stream.h"
#include "wasm/state_text.h"

static struct nu_value text_to_value(const void *object, struct nu_arena *arena)
{
    const struct nu_wasm_state_text *text = object;
    return nu_value_string(nu_arena_dup(arena, text->value));
}

static struct nu_value number_to_value(const void *object, struct nu_arena *arena)
{
    return nu_filter_state_number.to_value(&((const struct nu_wasm_state_text *)object)->value,
                                           arena);
}

static const struct nu_filter_state_class text_class = {
    .name = "text of a wasm plug-in",
    .to_text = nu_wasm_state_text_write,
    .to_value = text_to_value,
};

static const struct nu_filter_state_class number_class = {
    .name = "number of a wasm plug-in",
    .to_text = nu_wasm_state_text_write,
    .to_value = number_to_value,
};

/* Once for each of them. */
static void tell_absent(const struct nu_filter_state_kind *kind)
{
    static atomic_bool told[NU_FILTER_STATE_KINDS];
    if (!atomic_exchange(&told[kind - nu_filter_state_kinds], true))
        nu_log(NU_LOG_WASM, NU_LOG_WARN,
               "set_envoy_filter_state %s: known to Envoy, not implemented by nuncio",
               kind->name.ptr);
}

/* Envoy's numbers of life spans are ours; it takes others for the shortest. */
static uint8_t life_of(uint64_t span)
{
    return span <= NU_FILTER_STATE_CONNECTION ? (uint8_t)span
                                              : (uint8_t)NU_FILTER_STATE_FILTER_CHAIN;
}

/* One that is there already and lives otherwise stays, and Envoy says nothing. False if the
 * connection has all that it may. */
static bool set(struct nu_stream_info *info, struct nu_filter_state_object *object,
                struct nu_str value)
{
    if (!nu_stream_info_may_set_state(info, object))
        return true;
    struct nu_filter_state *keeper = nu_stream_info_state_keeper(info, object->life);
    const struct nu_filter_state_object *seen = nu_filter_state_find(keeper, object->name);
    if (seen && nu_wasm_state_text_is(seen))
        return nu_wasm_state_text_change(keeper, nu_unconst(seen->object), value);
    object->object = nu_wasm_state_text_create(keeper, object->name, value);
    return object->object && nu_stream_info_set_state(info, object) == NU_OK;
}

enum nu_wasm_status nu_wasm_foreign_set_filter_state(struct nu_wasm_vm *vm, struct nu_str arguments,
                                                     struct nu_strbuf *result)
{
    enum { PATH, VALUE, SPAN, COUNT };
    struct nu_wasm_member in[COUNT] = {
        [PATH] = {.number = 1, .kind = NU_WASM_MEMBER_STRING},
        [VALUE] = {.number = 2, .kind = NU_WASM_MEMBER_STRING},
        [SPAN] = {.number = 3, .kind = NU_WASM_MEMBER_NUMBER},
    };
    struct nu_stream_info *info = nu_wasm_vm_info(vm);
    char digits[20];
    (void)result;
    if (!nu_wasm_message_read(arguments, in, COUNT))
        return NU_WASM_BAD_ARGUMENT;
    const struct nu_filter_state_kind *kind = nu_filter_state_kind_find(in[PATH].bytes);
    if (!kind)
        return NU_WASM_NOT_FOUND;
    if (kind->content == NU_FILTER_STATE_ABSENT) {
        tell_absent(kind);
        return NU_WASM_NOT_FOUND;
    }
    if (!nu_filter_state_kind_read(kind, &in[VALUE].bytes, digits))
        return NU_WASM_BAD_ARGUMENT;
    if (!info)
        return NU_WASM_NOT_FOUND;
    if (!nu_wasm_vm_take(vm, in[VALUE].bytes.len, 1))
        return NU_WASM_INTERNAL_FAILURE;
    struct nu_filter_state_object object = {
        .name = kind->name,
        .object_class = kind->content == NU_FILTER_STATE_NUMBER ? &number_class : &text_class,
        .life = life_of(in[SPAN].value),
    };
    return set(info, &object, in[VALUE].bytes) ? NU_WASM_OK : NU_WASM_INTERNAL_FAILURE;
}
