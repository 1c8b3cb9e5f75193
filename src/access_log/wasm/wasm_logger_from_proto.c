/* SPDX-License-Identifier: Apache-2.0 */
/* A logger whose configuration is a plug-in, which runs where what it logs does. */
#include "access_log/wasm/wasm_logger.h"
#include "wasm/logger.h"
#include "wasm/plugin.h"

#include "envoy/extensions/access_loggers/wasm/v3/wasm.pb-c.h"

struct wasm_logger {
    struct nu_access_logger base;
    const struct nu_wasm_plugin *plugin;
};

static const struct nu_access_logger *create(const struct nu_access_log_factory *factory,
                                             const ProtobufCMessage *message)
{
    const Envoy__Extensions__AccessLoggers__Wasm__V3__WasmAccessLog *proto = (const void *)message;
    struct wasm_logger *logger = nu_arena_calloc(factory->arena, sizeof(*logger));
    logger->base.logger_class = &nu_wasm_access_logger;
    logger->base.needs = NU_FORMAT_NEEDS_LOCAL_ADDRESS;
    logger->plugin = nu_wasm_plugin_from_proto(factory->outer, proto, proto->config,
                                               factory->is_on_main_thread ? NU_THREADS_MAIN
                                                                          : NU_THREADS_WORKERS);
    return logger->plugin ? &logger->base : NULL;
}

static void write_log(const struct nu_access_logger *base, const struct nu_format_context *context)
{
    nu_wasm_log_stream(nu_container_of(base, const struct wasm_logger, base)->plugin, context);
}

const struct nu_access_logger_class nu_wasm_access_logger = {
    .name = "envoy.access_loggers.wasm",
    .config_type = &envoy__extensions__access_loggers__wasm__v3__wasm_access_log__descriptor,
    .create = create,
    .log = write_log,
};
