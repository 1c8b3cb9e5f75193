/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pattern is interpreted anew for each line: lines of the application log are few. Flags whose
 * text strftime makes are passed on to it; an unknown flag stands for itself, as in spdlog.
 */
#include "base/log_pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"

struct padding {
    size_t width;
    char side; /* where the blanks go: 0 left, '-' right, '=' both */
    bool cut;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void add_time(struct nu_strbuf *out, const char *fmt, const struct nu_log_line *line)
{
    char text[64];
    size_t len = strftime(text, sizeof(text), fmt, &line->time);
    nu_strbuf_add(out, nu_str_make(text, len));
}

/* "+09:30", where strftime would leave the colon out. */
static void add_zone(struct nu_strbuf *out, const struct nu_log_line *line)
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

/* Flags about the date; false if `flag` is none. */
static bool add_date_flag(struct nu_strbuf *out, char flag, const struct nu_log_line *line)
{
    switch (flag) {
    case 'C':
        add_time(out, "%y", line);
        return true;
    case 'D':
    case 'x':
        add_time(out, "%m/%d/%y", line);
        return true;
    case 'c':
        add_time(out, "%a %b %e %H:%M:%S %Y", line);
        return true;
    case 'r':
        add_time(out, "%I:%M:%S %p", line);
        return true;
    case 'X':
        add_time(out, "%T", line);
        return true;
    case 'z':
        add_zone(out, line);
        return true;
    default:
        break;
    }
    if (!strchr("aAbBhYmdHIMSpRT", flag))
        return false;
    add_time(out, (char[]){'%', flag, '\0'}, line);
    return true;
}

/* Flags that count; false if `flag` is none. */
static bool add_number_flag(struct nu_strbuf *out, char flag, const struct nu_log_line *line)
{
    switch (flag) {
    case 'e':
        nu_strbuf_addf(out, "%03u", (unsigned)(line->us / 1000 % 1000));
        return true;
    case 'f':
        nu_strbuf_addf(out, "%06u", (unsigned)(line->us % 1000000));
        return true;
    case 'F':
        nu_strbuf_addf(out, "%09u", (unsigned)(line->us % 1000000) * 1000);
        return true;
    case 'E':
        nu_strbuf_add_u64(out, line->us / 1000000);
        return true;
    case 'o':
        nu_strbuf_add_u64(out, line->since_us / 1000);
        return true;
    case 'i':
        nu_strbuf_add_u64(out, line->since_us);
        return true;
    case 'u':
        nu_strbuf_add_u64(out, line->since_us * 1000);
        return true;
    case 'O':
        nu_strbuf_add_u64(out, line->since_us / 1000000);
        return true;
    case 't':
        nu_strbuf_addf(out, "%d", (int)gettid());
        return true;
    case 'P':
        nu_strbuf_addf(out, "%d", (int)getpid());
        return true;
    case '#':
        nu_strbuf_addf(out, "%d", line->line);
        return true;
    default:
        return false;
    }
}

/* Flags of the line itself. */
static void add_line_flag(struct nu_strbuf *out, char flag, const struct nu_log_line *line)
{
    switch (flag) {
    case 'l':
        nu_strbuf_add_cstr(out, nu_log_level_name(line->level));
        break;
    case 'L':
        nu_strbuf_add_char(out, nu_ascii_upper(nu_log_level_name(line->level)[0]));
        break;
    case 'n':
        nu_strbuf_add_cstr(out, nu_log_component_name(line->component));
        break;
    case 'g':
        nu_strbuf_add_cstr(out, line->file);
        break;
    case 's':
        nu_strbuf_add_cstr(out, base_name(line->file));
        break;
    case '@':
        nu_strbuf_addf(out, "%s:%d", line->file, line->line);
        break;
    case '!':
        nu_strbuf_add_cstr(out, line->function);
        break;
    case 'v':
    case '+':
        nu_strbuf_add(out, line->message);
        break;
    case '_':
        add_one_line(out, line->message);
        break;
    case 'j':
        nu_json_escape_body(out, line->message);
        break;
    case '*': /* Envoy's tags of a line; ours have none */
    case '^': /* colours begin and end: not in a log */
    case '$':
        break;
    case '%':
        nu_strbuf_add_char(out, '%');
        break;
    default:
        nu_strbuf_addf(out, "%%%c", flag);
    }
}

/* Pads or cuts what stands from `start` on. */
static void apply_padding(struct nu_strbuf *out, size_t start, const struct padding *padding)
{
    size_t len = out->len - start;
    if (len > padding->width && padding->cut)
        out->data[out->len = start + padding->width] = '\0';
    if (len >= padding->width)
        return;
    size_t blanks = padding->width - len;
    size_t left = padding->side == '-' ? 0 : padding->side == '=' ? blanks / 2 : blanks;
    nu_strbuf_addf(out, "%*s", (int)blanks, "");
    memmove(out->data + start + left, out->data + start, len);
    memset(out->data + start, ' ', left);
    memset(out->data + start + left + len, ' ', blanks - left);
}

/* Reads "-8!" in front of a flag; returns where the flag stands. */
static const char *read_padding(const char *p, struct padding *padding)
{
    enum { WIDTH_MAX = 64 };
    *padding = (struct padding){0};
    if (*p == '-' || *p == '=')
        padding->side = *p++;
    if (*p < '0' || *p > '9')
        return p;
    for (; *p >= '0' && *p <= '9'; p++)
        padding->width = nu_min_size(padding->width * 10 + (size_t)(*p - '0'), WIDTH_MAX);
    if (*p == '!') {
        padding->cut = true;
        p++;
    }
    return p;
}

void nu_log_pattern_format(struct nu_strbuf *out, const char *pattern,
                           const struct nu_log_line *line)
{
    for (const char *p = pattern; *p; p++) {
        if (*p != '%') {
            nu_strbuf_add_char(out, *p);
            continue;
        }
        struct padding padding;
        p = read_padding(p + 1, &padding);
        if (!*p)
            return;
        size_t start = out->len;
        if (!add_date_flag(out, *p, line) && !add_number_flag(out, *p, line))
            add_line_flag(out, *p, line);
        apply_padding(out, start, &padding);
    }
}

void nu_log_escape(struct nu_strbuf *out, struct nu_str text)
{
    static const char escapes[] = "\nn\rr\tt\"\"''\\\\";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        const char *found = NULL;
        for (const char *e = escapes; *e && !found; e += 2)
            found = (unsigned char)*e == c ? e + 1 : NULL;
        if (found)
            nu_strbuf_addf(out, "\\%c", *found);
        else if (c < 0x20 || c >= 0x7f)
            nu_strbuf_addf(out, "\\%03o", c);
        else
            nu_strbuf_add_char(out, (char)c);
    }
}
