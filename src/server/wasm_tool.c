/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the commands it is; and `inspect`, which reads a file and shows what the module in it
 * is. For that no engine is loaded, and no configuration read. */
#include "server/wasm_tool.h"

#include <errno.h>
#include <stdio.h>

#include "server/wasm_run/run.h"
#include "wasm/inspect.h"

enum { PIECE = 64 * 1024 };

bool nu_wasm_tool_read_file(const char *path, struct nu_strbuf *out)
{
    FILE *file = fopen(path, "rbe");
    size_t n = 0;
    if (!file) {
        fprintf(stderr, "nuncio wasm: cannot open '%s': %s\n", path, strerror(errno));
        return false;
    }
    do {
        n = fread(nu_strbuf_reserve(out, PIECE), 1, PIECE, file);
        nu_strbuf_commit(out, n);
    } while (n);
    bool ok = !ferror(file);
    fclose(file);
    if (!ok)
        fprintf(stderr, "nuncio wasm: cannot read '%s'\n", path);
    return ok;
}

static int inspect(int argc, char **argv)
{
    struct nu_strbuf bytes = {0};
    struct nu_strbuf text = {0};
    if (argc != 4) {
        fprintf(stderr, "usage: %s wasm inspect FILE\n", argv[0]);
        return 1;
    }
    bool ok = nu_wasm_tool_read_file(argv[3], &bytes);
    if (ok) {
        ok = nu_wasm_inspect(nu_strbuf_str(&bytes), &text);
        fwrite(text.data, 1, text.len, stdout);
    }
    nu_strbuf_finish(&bytes);
    nu_strbuf_finish(&text);
    return ok ? 0 : 1;
}

/* --- The commands ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*fn)(int argc, char **argv);
} commands[] = {
    {"inspect", inspect},
    {"run", nu_wasm_run_main},
};

static void print_help(FILE *out)
{
    fprintf(out, "usage: nuncio wasm inspect FILE                show what a proxy-wasm module is, "
                 "and what is in its way\n"
                 "       nuncio wasm run FILE [PATH] [options]   try the filter in it with one "
                 "request (--help tells more)\n");
}

static int fail_unknown(const char *name)
{
    enum { NEAR = 3 };
    struct nu_nearest nearest = {.name = nu_str_from(name), .distance = NEAR + 1};
    for (size_t i = 0; i < NU_ARRAY_LEN(commands); i++)
        nu_nearest_consider(&nearest, commands[i].name);
    fprintf(stderr, "nuncio wasm: no such command: '%s'", name);
    if (nearest.best)
        fprintf(stderr, " (did you mean %s?)", nearest.best);
    fprintf(stderr, "\n");
    print_help(stderr);
    return 1;
}

int nu_wasm_tool_main(int argc, char **argv)
{
    if (argc < 3) {
        print_help(stderr);
        return 1;
    }
    if (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0) {
        print_help(stdout);
        return 0;
    }
    for (size_t i = 0; i < NU_ARRAY_LEN(commands); i++) {
        if (strcmp(argv[2], commands[i].name) == 0)
            return commands[i].fn(argc, argv);
    }
    return fail_unknown(argv[2]);
}
