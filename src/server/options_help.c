/* SPDX-License-Identifier: Apache-2.0 */
/* Describing the options: --help, from which docs/nuncio.8 is made. */
#include <stdio.h>

#include "server/options_internal.h"

enum { TEXT_COLUMN = 38, LINE_WIDTH = 96 };

/* "-c, --config-path FILE" */
static int format_left(const struct nu_option *option, char *out, size_t size)
{
    char letter[5] = "    ";
    if (option->letter)
        snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    return snprintf(out, size, "  %s--%s%s%s", letter, option->name, option->value_name ? " " : "",
                    option->value_name ? option->value_name : "");
}

/* Adds words, broken at LINE_WIDTH, continued at TEXT_COLUMN; the line stands at `column`. */
static void add_wrapped(struct nu_strbuf *out, const char *text, size_t column)
{
    while (*text) {
        size_t len = strcspn(text, " ");
        if (column > TEXT_COLUMN && column + 1 + len > LINE_WIDTH) {
            nu_strbuf_addf(out, "\n%*s", TEXT_COLUMN, "");
            column = TEXT_COLUMN;
        } else if (column > TEXT_COLUMN) {
            nu_strbuf_add_char(out, ' ');
            column++;
        }
        nu_strbuf_add(out, nu_str_make(text, len));
        column += len;
        text += len;
        text += strspn(text, " ");
    }
    nu_strbuf_add_char(out, '\n');
}

void nu_option_add_help(struct nu_strbuf *out, const struct nu_option *option)
{
    char left[96];
    int width = format_left(option, left, sizeof(left));
    nu_strbuf_add_cstr(out, left);
    if (width >= TEXT_COLUMN) {
        nu_strbuf_add_char(out, '\n');
        width = 0;
    }
    nu_strbuf_addf(out, "%*s", TEXT_COLUMN - width, "");
    add_wrapped(out, option->help, TEXT_COLUMN);
}

void nu_options_print_help(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *program = slash ? slash + 1 : path;
    struct nu_strbuf out = {0};
    nu_strbuf_addf(
        &out,
        "nuncio " NU_VERSION ", an Envoy-compatible reverse proxy\n\n"
        "usage: %s -c FILE [options]                  run\n"
        "       %s --mode validate -c FILE            check a configuration\n"
        "       %s health [-c FILE | --url URL]       ask a running nuncio whether it "
        "is ready\n"
        "       %s wasm inspect FILE                  show what a proxy-wasm module is\n"
        "       %s wasm run FILE [PATH] [options]     try a proxy-wasm filter with one request\n",
        program, program, program, program, program);
    for (size_t i = 0; i < nu_option_count; i++) {
        const struct nu_option *option = &nu_option_table[i];
        if (option->kind == NU_OPTION_HEADING)
            nu_strbuf_addf(&out, "\n%s\n", option->name);
        else
            nu_option_add_help(&out, option);
    }
    nu_strbuf_addf(&out,
                   "\nSignals: TERM drains and ends, INT ends at once, USR1 opens log files "
                   "again.\n"
                   "Try: %s -c conf/nuncio.yaml\n",
                   program);
    fwrite(out.data, 1, out.len, stdout);
    nu_strbuf_finish(&out);
}
