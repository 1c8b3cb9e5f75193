/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages from foreign bytes, as a control plane might send them. The first byte chooses the type.
 * What is read without errors packs to bytes that are read without errors.
 */
#include "base/assert.h"
#include "config/config.h"
#include "config/print.h"
#include "fuzz/target.h"

static const char *const types[] = {
    "envoy.config.bootstrap.v3.Bootstrap",
    "envoy.config.cluster.v3.Cluster",
    "envoy.config.listener.v3.Listener",
    "envoy.config.route.v3.RouteConfiguration",
    "envoy.config.core.v3.TypedExtensionConfig",
    "google.protobuf.Struct",
    "google.protobuf.Any",
};

/* Reads, checks and prints; the message packed again is in `bytes` if there were no errors. */
static bool read_and_pack(struct nu_str input, const ProtobufCMessageDescriptor *type,
                          struct nu_strbuf *bytes)
{
    struct nu_arena arena;
    struct nu_config_ctx ctx;
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    const ProtobufCMessage *message = nu_config_read(&ctx, "input", input, NU_CONFIG_BINARY, type);
    bool was_read = message && nu_config_is_ok(&ctx);
    if (message) {
        struct nu_strbuf json = {0};
        struct nu_json writer;
        nu_config_validate(&ctx, message);
        nu_json_init(&writer, &json, false);
        nu_config_print(&writer, message);
        nu_strbuf_finish(&json);
    }
    if (was_read) {
        char *out = nu_strbuf_reserve(bytes, protobuf_c_message_get_packed_size(message));
        nu_strbuf_commit(bytes, protobuf_c_message_pack(message, (uint8_t *)out));
    }
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
    return was_read;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const ProtobufCMessageDescriptor *type =
        nu_config_find_type(nu_str_from(types[data[0] % NU_ARRAY_LEN(types)]));
    struct nu_strbuf first = {0};
    struct nu_strbuf second = {0};
    if (read_and_pack(nu_str_make((const char *)data + 1, size - 1), type, &first))
        nu_assert(read_and_pack(nu_strbuf_str(&first), type, &second));
    nu_strbuf_finish(&first);
    nu_strbuf_finish(&second);
    return 0;
}
