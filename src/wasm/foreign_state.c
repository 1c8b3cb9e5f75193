/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The foreign function set_envoy_filter_state: a guest leaves an object that other filters, the
 * router or a cluster look for, by the name that Envoy knows it by. What such an object may be is
 * its name's matter.
 */
#include <stdatomic.h>

#include "base/log.h"
#include "wasm/foreign.h"
#include "wasm/http_stream.h"
#include "wasm/state_text.h"

enum kind {
    ANY_TEXT,
    NUMBER, /* of 32 bits */
    ABSENT, /* Envoy has it, and what would look for it is not here */
};

static const struct {
    struct nu_str name;
    enum kind kind;
} objects[] = {
    {NU_STR_INIT("envoy.string"), ANY_TEXT},
    {NU_STR_INIT("envoy.tcp_proxy.cluster"), ANY_TEXT},
    {NU_STR_INIT("envoy.upstream.dynamic_host"), ANY_TEXT},
    {NU_STR_INIT("envoy.upstream.dynamic_port"), NUMBER},
    {NU_STR_INIT("envoy.tcp_proxy.disable_tunneling"), ABSENT},
    {NU_STR_INIT("envoy.tcp_proxy.per_connection_idle_timeout_ms"), ABSENT},
    {NU_STR_INIT("envoy.network.upstream_server_name"), ABSENT},
    {NU_STR_INIT("envoy.network.upstream_subject_alt_names"), ABSENT},
    {NU_STR_INIT("envoy.network.application_protocols"), ABSENT},
    {NU_STR_INIT("envoy.network.ip"), ABSENT},
    {NU_STR_INIT("envoy.network.transport_socket.original_dst_address"), ABSENT},
    {NU_STR_INIT("envoy.ratelimit.hits_addend"), ABSENT},
    {NU_STR_INIT("envoy.filters.listener.original_dst.local_ip"), ABSENT},
    {NU_STR_INIT("envoy.filters.listener.original_dst.remote_ip"), ABSENT},
};

static struct nu_value text_to_value(const void *object, struct nu_arena *arena)
{
    const struct nu_wasm_state_text *text = object;
    return nu_value_string(nu_arena_dup(arena, text->value));
}

/* A number shows as one, and is a text for those who look for it. */
static struct nu_value number_to_value(const void *object, struct nu_arena *arena)
{
    const struct nu_wasm_state_text *text = object;
    uint64_t number = 0;
    enum nu_result result = nu_str_to_u64(text->value, &number);
    (void)arena;
    (void)result; /* it was made of a number */
    return nu_value_number((double)number);
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
static void tell_absent(size_t index)
{
    static atomic_bool told[NU_ARRAY_LEN(objects)];
    if (!atomic_exchange(&told[index], true))
        nu_log(NU_LOG_WASM, NU_LOG_WARN,
               "set_envoy_filter_state %s: known to Envoy, not implemented by nuncio",
               objects[index].name.ptr);
}

static size_t find_object(struct nu_str name)
{
    size_t i = 0;
    while (i < NU_ARRAY_LEN(objects) && !nu_str_eq(objects[i].name, name))
        i++;
    return i;
}

/* The number in decimal; false if it is none, or none of 32 bits. */
static bool normalise_number(struct nu_str *text, char digits[20])
{
    uint64_t number;
    if (nu_str_to_u64(*text, &number) != NU_OK || number > UINT32_MAX)
        return false;
    *text = nu_str_make(digits, nu_u64_to_chars(number, digits));
    return true;
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
    size_t index = find_object(in[PATH].bytes);
    if (index == NU_ARRAY_LEN(objects))
        return NU_WASM_NOT_FOUND;
    if (objects[index].kind == ABSENT) {
        tell_absent(index);
        return NU_WASM_NOT_FOUND;
    }
    bool is_number = objects[index].kind == NUMBER;
    if (is_number && !normalise_number(&in[VALUE].bytes, digits))
        return NU_WASM_BAD_ARGUMENT;
    if (!info)
        return NU_WASM_NOT_FOUND;
    if (!nu_wasm_vm_take(vm, in[VALUE].bytes.len, 1))
        return NU_WASM_INTERNAL_FAILURE;
    struct nu_filter_state_object object = {
        .name = objects[index].name,
        .object_class = is_number ? &number_class : &text_class,
        .life = life_of(in[SPAN].value),
    };
    return set(info, &object, in[VALUE].bytes) ? NU_WASM_OK : NU_WASM_INTERNAL_FAILURE;
}
