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

/* Component names as Envoy's --component-log-level and /logging know them. */
#define NU_LOG_COMPONENTS(X) \
    X(ADMIN, "admin") \
    X(ASSERT, "assert") \
    X(CLIENT, "client") \
    X(CONFIG, "config") \
    X(CONN_HANDLER, "conn_handler") \
    X(CONNECTION, "connection") \
    X(DNS, "dns") \
    X(FILE, "file") \
    X(FILTER, "filter") \
    X(FORWARD_PROXY, "forward_proxy") \
    X(GRPC, "grpc") \
    X(HC, "hc") \
    X(HEALTH_CHECKER, "health_checker") \
    X(HTTP, "http") \
    X(HTTP2, "http2") \
    X(INIT, "init") \
    X(IO, "io") \
    X(JWT, "jwt") \
    X(LUA, "lua") \
    X(MAIN, "main") \
    X(MATCHER, "matcher") \
    X(MISC, "misc") \
    X(POOL, "pool") \
    X(RBAC, "rbac") \
    X(ROUTER, "router") \
    X(RUNTIME, "runtime") \
    X(SECRET, "secret") \
    X(STATS, "stats") \
    X(TRACING, "tracing") \
    X(UPSTREAM, "upstream") \
    X(WASM, "wasm")

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
            nu_log_write(component, level, __FILE__, __LINE__, __VA_ARGS__); \
    } while (0)

void nu_log_write(enum nu_log_component component, enum nu_log_level level, const char *file,
                  int line, const char *fmt, ...) NU_PRINTF(5, 6);

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
 * Sets the line pattern, spdlog's flags: %Y %m %d %H %M %S %T %e %f %F %t %l %L %n %v %_ %j %g %s
 * %# %P %z %%. Times are local, as in Envoy. The pattern is copied. Main thread, before others log.
 * NULL gives Envoy's default, "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v".
 */
void nu_log_set_pattern(const char *pattern);
/*
 * From now on lines are queued for `file`; NULL goes back to direct writes on stderr. Main thread.
 */
void nu_log_set_file(struct nu_log_file *file);

#endif
