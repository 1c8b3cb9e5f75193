/* SPDX-License-Identifier: Apache-2.0 */
/* The application log: levels, the spdlog-style line pattern, output. */
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"

#define DEFAULT_PATTERN "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v"

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

void nu_log_set_file(struct nu_log_file *file)
{
    atomic_store(&output, file);
}

struct line {
    enum nu_log_component component;
    enum nu_log_level level;
    const char *file;
    int line;
    struct nu_str message;
    struct tm time;
    uint64_t us;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void add_time(struct nu_strbuf *out, const char *fmt, const struct line *line)
{
    char text[64];
    size_t len = strftime(text, sizeof(text), fmt, &line->time);
    nu_strbuf_add(out, nu_str_make(text, len));
}

/* "+09:30", where strftime would leave the colon out. */
static void add_zone(struct nu_strbuf *out, const struct line *line)
{
    long minutes = line->time.tm_gmtoff / 60;
    nu_strbuf_addf(out, "%c%02ld:%02ld", minutes < 0 ? '-' : '+', labs(minutes) / 60,
                   labs(minutes) % 60);
}

/* The message with newlines written as \n, as Envoy's %_ has it. */
static void add_one_line(struct nu_strbuf *out, struct nu_str message)
{
    for (size_t i = 0; i < message.len; i++) {
        if (message.ptr[i] == '\n')
            nu_strbuf_add_cstr(out, "\\n");
        else
            nu_strbuf_add_char(out, message.ptr[i]);
    }
}

static void add_flag(struct nu_strbuf *out, char flag, const struct line *line)
{
    char time_flag[3] = {'%', flag, '\0'};
    switch (flag) {
    case 'Y':
    case 'm':
    case 'd':
    case 'H':
    case 'M':
    case 'S':
    case 'T':
        add_time(out, time_flag, line);
        break;
    case 'z':
        add_zone(out, line);
        break;
    case 'e':
        nu_strbuf_addf(out, "%03u", (unsigned)(line->us / 1000 % 1000));
        break;
    case 'f':
        nu_strbuf_addf(out, "%06u", (unsigned)(line->us % 1000000));
        break;
    case 'F':
        nu_strbuf_addf(out, "%09u", (unsigned)(line->us % 1000000) * 1000);
        break;
    case 't':
        nu_strbuf_addf(out, "%d", (int)gettid());
        break;
    case 'P':
        nu_strbuf_addf(out, "%d", (int)getpid());
        break;
    case 'l':
        nu_strbuf_add_cstr(out, level_names[line->level]);
        break;
    case 'L':
        nu_strbuf_add_char(out, nu_ascii_upper(level_names[line->level][0]));
        break;
    case 'n':
        nu_strbuf_add_cstr(out, component_names[line->component]);
        break;
    case 'g':
        nu_strbuf_add_cstr(out, line->file);
        break;
    case 's':
        nu_strbuf_add_cstr(out, base_name(line->file));
        break;
    case '#':
        nu_strbuf_addf(out, "%d", line->line);
        break;
    case 'v':
        nu_strbuf_add(out, line->message);
        break;
    case '_':
        add_one_line(out, line->message);
        break;
    case 'j':
        nu_json_escape_body(out, line->message);
        break;
    case '%':
        nu_strbuf_add_char(out, '%');
        break;
    default:
        nu_strbuf_add_char(out, '%');
        nu_strbuf_add_char(out, flag);
    }
}

static void format_line(struct nu_strbuf *out, const struct line *line)
{
    for (const char *p = pattern ? pattern : DEFAULT_PATTERN; *p; p++) {
        if (*p == '%' && p[1])
            add_flag(out, *++p, line);
        else
            nu_strbuf_add_char(out, *p);
    }
    nu_strbuf_add_char(out, '\n');
}

void nu_log_write(enum nu_log_component component, enum nu_log_level level, const char *file,
                  int line_number, const char *fmt, ...)
{
    struct nu_strbuf message = {0};
    va_list args;
    va_start(args, fmt);
    nu_strbuf_addv(&message, fmt, args);
    va_end(args);

    struct line line = {.component = component,
                        .level = level,
                        .file = file,
                        .line = line_number,
                        .message = nu_strbuf_str(&message),
                        .us = nu_clock_realtime_us()};
    time_t seconds = (time_t)(line.us / 1000000);
    localtime_r(&seconds, &line.time);
    struct nu_strbuf out = {0};
    format_line(&out, &line);
    nu_strbuf_finish(&message);

    struct nu_log_file *to = atomic_load(&output);
    if (to) {
        nu_log_file_write(to, nu_strbuf_str(&out));
    } else {
        ssize_t n = write(STDERR_FILENO, out.data, out.len);
        (void)n;
    }
    nu_strbuf_finish(&out);
}
