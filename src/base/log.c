/* SPDX-License-Identifier: Apache-2.0 */
/* The application log: levels and output; what a line looks like is log_pattern.c's. */
#include "base/log.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log_pattern.h"

#define X(id, name) [NU_LOG_##id] = NU_LOG_INFO,
_Atomic unsigned char nu_log_levels_[NU_LOG_COMPONENT_COUNT] = {NU_LOG_COMPONENTS(X)};
#undef X

static const char *const component_names[NU_LOG_COMPONENT_COUNT] = {
#define X(id, name) [NU_LOG_##id] = name,
    NU_LOG_COMPONENTS(X)
#undef X
};

static const char *const level_names[NU_LOG_LEVEL_COUNT] = {"trace", "debug",    "info", "warning",
                                                            "error", "critical", "off"};

static char *pattern; /* owned; NULL means the default */
static bool escaped;
static _Atomic(struct nu_log_file *) output;

void nu_log_set_level(enum nu_log_level level)
{
    for (int i = 0; i < NU_LOG_COMPONENT_COUNT; i++)
        nu_log_set_component_level((enum nu_log_component)i, level);
}

void nu_log_set_component_level(enum nu_log_component component, enum nu_log_level level)
{
    atomic_store_explicit(&nu_log_levels_[component], (unsigned char)level, memory_order_relaxed);
}

enum nu_log_level nu_log_component_level(enum nu_log_component component)
{
    return (enum nu_log_level)atomic_load_explicit(&nu_log_levels_[component],
                                                   memory_order_relaxed);
}

bool nu_log_level_parse(struct nu_str name, enum nu_log_level *out)
{
    if (nu_str_eq(name, NU_STR("warn"))) {
        *out = NU_LOG_WARN;
        return true;
    }
    for (int i = 0; i < NU_LOG_LEVEL_COUNT; i++) {
        if (nu_str_eq(name, nu_str_from(level_names[i]))) {
            *out = (enum nu_log_level)i;
            return true;
        }
    }
    return false;
}

const char *nu_log_level_name(enum nu_log_level level)
{
    return level_names[level];
}

bool nu_log_component_parse(struct nu_str name, enum nu_log_component *out)
{
    for (int i = 0; i < NU_LOG_COMPONENT_COUNT; i++) {
        if (nu_str_eq(name, nu_str_from(component_names[i]))) {
            *out = (enum nu_log_component)i;
            return true;
        }
    }
    return false;
}

const char *nu_log_component_name(enum nu_log_component component)
{
    return component_names[component];
}

void nu_log_set_pattern(const char *text)
{
    nu_free(pattern);
    pattern = text ? nu_strdup(text) : NULL;
}

void nu_log_set_escaped(bool on)
{
    escaped = on;
}

void nu_log_set_file(struct nu_log_file *file)
{
    atomic_store(&output, file);
}

/* Microseconds since the line before, of whichever thread. */
static uint64_t since_last(uint64_t now_us)
{
    static _Atomic uint64_t last;
    uint64_t before = atomic_exchange_explicit(&last, now_us, memory_order_relaxed);
    return before && before < now_us ? now_us - before : 0;
}

static void format_line(struct nu_strbuf *out, const struct nu_log_line *line)
{
    const char *used = pattern ? pattern : NU_LOG_DEFAULT_PATTERN;
    if (!escaped) {
        nu_log_pattern_format(out, used, line);
    } else {
        struct nu_strbuf plain = {0};
        nu_log_pattern_format(&plain, used, line);
        nu_log_escape(out, nu_strbuf_str(&plain));
        nu_strbuf_finish(&plain);
    }
    nu_strbuf_add_char(out, '\n');
}

/* Lines are few, and read by people: none waits for the flush interval. */
static void put(struct nu_str text)
{
    struct nu_log_file *to = atomic_load(&output);
    if (to) {
        nu_log_file_write(to, text);
        nu_log_file_flush(to);
    } else {
        ssize_t n = write(STDERR_FILENO, text.ptr, text.len);
        (void)n;
    }
}

void nu_log_write_bytes(enum nu_log_component component, enum nu_log_level level,
                        const struct nu_log_place *place, struct nu_str message)
{
    struct nu_log_line line = {.component = component,
                               .level = level,
                               .file = place->file,
                               .function = place->function,
                               .line = place->line,
                               .message = message,
                               .us = nu_clock_realtime_us()};
    line.since_us = since_last(line.us);
    time_t seconds = (time_t)(line.us / 1000000);
    localtime_r(&seconds, &line.time);
    struct nu_strbuf out = {0};
    format_line(&out, &line);
    put(nu_strbuf_str(&out));
    nu_strbuf_finish(&out);
}

void nu_log_write(enum nu_log_component component, enum nu_log_level level,
                  const struct nu_log_place *place, const char *fmt, ...)
{
    struct nu_strbuf message = {0};
    va_list args;
    va_start(args, fmt);
    nu_strbuf_addv(&message, fmt, args);
    va_end(args);
    nu_log_write_bytes(component, level, place, nu_strbuf_str(&message));
    nu_strbuf_finish(&message);
}
