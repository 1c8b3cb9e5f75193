/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The foreign function set_envoy_filter_state: a guest leaves an object that other filters, the
 * router or a cluster look for, by the name that Envoy knows it by. What such an object may be is
 * its name's matter.
 */
#include <stdatomic.h>

#include "base/log.h"
#include "http/filter_state.h"
#include "wasm/foreign.h"
#include "wasm/http_stream.h"

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

/* A number shows as one, and is a text for those who look for it. */
static bool number_to_text(const void *object, struct nu_strbuf *out)
{
    nu_strbuf_add_u64(out, *(const uint32_t *)object);
    return true;
}

static struct nu_value number_to_value(const void *object, struct nu_arena *arena)
{
    (void)arena;
    return nu_value_number(*(const uint32_t *)object);
}

static const struct nu_filter_state_class number_class = {
    .name = "number",
    .to_text = number_to_text,
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

static bool read_number(struct nu_str text, uint32_t *number)
{
    uint64_t value;
    bool ok = nu_str_to_u64(text, &value) == NU_OK && value <= UINT32_MAX;
    *number = ok ? (uint32_t)value : 0;
    return ok;
}

/* Envoy's numbers of life spans are ours; it takes others for the shortest. A request's filter state
 * is all there is, so that what is to live as long as the connection lives as long as that. */
static enum nu_filter_state_life life_of(uint64_t span)
{
    if (span == NU_FILTER_STATE_REQUEST || span == NU_FILTER_STATE_CONNECTION)
        return NU_FILTER_STATE_REQUEST;
    return NU_FILTER_STATE_FILTER_CHAIN;
}

/* The object in the stream's arena. */
static const void *make_object(struct nu_arena *arena, enum kind kind, struct nu_str value,
                               uint32_t number)
{
    if (kind == NUMBER) {
        uint32_t *copy = nu_arena_alloc(arena, sizeof(*copy));
        *copy = number;
        return copy;
    }
    struct nu_str *copy = nu_arena_alloc(arena, sizeof(*copy));
    *copy = nu_arena_dup(arena, value);
    return copy;
}

static void set(struct nu_stream_info *info, const struct nu_filter_state_object *object)
{
    if (!info->filter_state)
        info->filter_state = nu_filter_state_create(info->arena, NULL);
    enum nu_result result = nu_filter_state_set(info->filter_state, object);
    (void)result; /* one that is there already and lives otherwise stays, and Envoy says nothing */
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
    uint32_t number = 0;
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
    enum kind kind = objects[index].kind;
    if (kind == NUMBER && !read_number(in[VALUE].bytes, &number))
        return NU_WASM_BAD_ARGUMENT;
    if (!info)
        return NU_WASM_NOT_FOUND;
    if (!nu_wasm_vm_take(vm, in[VALUE].bytes.len, 1))
        return NU_WASM_INTERNAL_FAILURE;
    const struct nu_filter_state_object object = {
        .name = objects[index].name,
        .object_class = kind == NUMBER ? &number_class : &nu_filter_state_string,
        .object = make_object(info->arena, kind, in[VALUE].bytes, number),
        .life = (uint8_t)life_of(in[SPAN].value),
    };
    set(info, &object);
    return NU_WASM_OK;
}
