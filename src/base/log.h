/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The application log: what the proxy says about itself. Lines have a component and a level, both
 * with Envoy's names; levels can be changed at run time, also per component. Lines go to stderr (or
 * --log-path) through the log thread once that runs, directly before.
 */
#ifndef NU_BASE_LOG_H
#define NU_BASE_LOG_H

#include <stdatomic.h>

#include "base/log_writer.h"
#include "base/str.h"

enum nu_log_level {
    NU_LOG_TRACE,
    NU_LOG_DEBUG,
    NU_LOG_INFO,
    NU_LOG_WARN,
    NU_LOG_ERROR,
    NU_LOG_CRITICAL,
    NU_LOG_OFF,
    NU_LOG_LEVEL_COUNT,
};

/*
 * Component names as Envoy's --component-log-level and /logging know them: all of them, in Envoy's
 * order, so that its settings are accepted even where nothing is logged under a name here.
 */
#define NU_LOG_COMPONENTS(X) \
    X(ADMIN, "admin") \
    X(ALTERNATE_PROTOCOLS_CACHE, "alternate_protocols_cache") \
    X(AWS, "aws") \
    X(ASSERT, "assert") \
    X(BACKTRACE, "backtrace") \
    X(BASIC_AUTH, "basic_auth") \
    X(CACHE_FILTER, "cache_filter") \
    X(CLIENT, "client") \
    X(CONFIG, "config") \
    X(CONNECTION, "connection") \
    X(CONN_HANDLER, "conn_handler") \
    X(COMPRESSION, "compression") \
    X(CREDENTIAL_INJECTOR, "credential_injector") \
    X(DECOMPRESSION, "decompression") \
    X(DNS, "dns") \
    X(DUBBO, "dubbo") \
    X(ENVOY_BUG, "envoy_bug") \
    X(EXT_AUTHZ, "ext_authz") \
    X(EXT_PROC, "ext_proc") \
    X(ROCKETMQ, "rocketmq") \
    X(FILE, "file") \
    X(FILTER, "filter") \
    X(FORWARD_PROXY, "forward_proxy") \
    X(GEOLOCATION, "geolocation") \
    X(GRPC, "grpc") \
    X(HAPPY_EYEBALLS, "happy_eyeballs") \
    X(HC, "hc") \
    X(HEALTH_CHECKER, "health_checker") \
    X(HTTP, "http") \
    X(HTTP2, "http2") \
    X(HYSTRIX, "hystrix") \
    X(INIT, "init") \
    X(IO, "io") \
    X(JWT, "jwt") \
    X(KAFKA, "kafka") \
    X(KEY_VALUE_STORE, "key_value_store") \
    X(LUA, "lua") \
    X(LOCAL_RATE_LIMIT, "local_rate_limit") \
    X(MAIN, "main") \
    X(MATCHER, "matcher") \
    X(MCP, "mcp") \
    X(MISC, "misc") \
    X(MONGO, "mongo") \
    X(MULTI_CONNECTION, "multi_connection") \
    X(NOTIFICATION, "notification") \
    X(OAUTH2, "oauth2") \
    X(QUIC, "quic") \
    X(QUIC_STREAM, "quic_stream") \
    X(POOL, "pool") \
    X(RATE_LIMIT_QUOTA, "rate_limit_quota") \
    X(RBAC, "rbac") \
    X(RDS, "rds") \
    X(REDIS, "redis") \
    X(ROUTER, "router") \
    X(RUNTIME, "runtime") \
    X(STATS, "stats") \
    X(SECRET, "secret") \
    X(TAP, "tap") \
    X(TESTING, "testing") \
    X(THRIFT, "thrift") \
    X(TRACING, "tracing") \
    X(UPSTREAM, "upstream") \
    X(UDP, "udp") \
    X(WASM, "wasm") \
    X(WEBSOCKET, "websocket") \
    X(GOLANG, "golang") \
    X(STATS_SINKS, "stats_sinks") \
    X(DYNAMIC_MODULES, "dynamic_modules")

enum nu_log_component {
#define X(id, name) NU_LOG_##id,
    NU_LOG_COMPONENTS(X)
#undef X
        NU_LOG_COMPONENT_COUNT
};

extern _Atomic unsigned char nu_log_levels_[NU_LOG_COMPONENT_COUNT];

/* Whether a line of this component and level would be written. */
static inline bool nu_log_is_enabled(enum nu_log_component component, enum nu_log_level level)
{
    return (unsigned char)level >=
           atomic_load_explicit(&nu_log_levels_[component], memory_order_relaxed);
}

/* Writes one line. Arguments are not evaluated below the component's level. Any numbered thread. */
#define nu_log(component, level, ...) \
    do { \
        if (nu_unlikely(nu_log_is_enabled(component, level))) \
            nu_log_write(component, level, \
                         &(const struct nu_log_place){__FILE__, __func__, __LINE__}, __VA_ARGS__); \
    } while (0)

/* The same for a message that is not ours: any bytes. */
#define nu_log_bytes(component, level, message) \
    do { \
        if (nu_unlikely(nu_log_is_enabled(component, level))) \
            nu_log_write_bytes(component, level, \
                               &(const struct nu_log_place){__FILE__, __func__, __LINE__}, \
                               message); \
    } while (0)

/* Where in the sources a line is written. */
struct nu_log_place {
    const char *file;
    const char *function;
    int line;
};

void nu_log_write(enum nu_log_component component, enum nu_log_level level,
                  const struct nu_log_place *place, const char *fmt, ...) NU_PRINTF(4, 5);
void nu_log_write_bytes(enum nu_log_component component, enum nu_log_level level,
                        const struct nu_log_place *place, struct nu_str message);

/* Sets all components, or one. Any thread. */
void nu_log_set_level(enum nu_log_level level);
void nu_log_set_component_level(enum nu_log_component component, enum nu_log_level level);
enum nu_log_level nu_log_component_level(enum nu_log_component component);

/* "trace", "debug", "info", "warning" or "warn", "error", "critical", "off". */
NU_MUST_USE bool nu_log_level_parse(struct nu_str name, enum nu_log_level *out);
const char *nu_log_level_name(enum nu_log_level level);
NU_MUST_USE bool nu_log_component_parse(struct nu_str name, enum nu_log_component *out);
const char *nu_log_component_name(enum nu_log_component component);

/*
 * Sets the line pattern (base/log_pattern.h). The pattern is copied. Main thread, before others
 * log. NULL gives Envoy's default.
 */
void nu_log_set_pattern(const char *pattern);
/* Whether lines are escaped as --log-format-escaped says. Main thread, before others log. */
void nu_log_set_escaped(bool on);
/*
 * From now on lines are queued for `file`; NULL goes back to direct writes on stderr. Main thread.
 */
void nu_log_set_file(struct nu_log_file *file);

#endif
