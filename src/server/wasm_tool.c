/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a file and shows what the module in it is. No engine is loaded, no configuration read. */
#include "server/wasm_tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "wasm/inspect.h"

enum { PIECE = 64 * 1024 };

static bool read_file(const char *path, struct nu_strbuf *out)
{
    FILE *file = fopen(path, "rb");
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

int nu_wasm_tool_main(int argc, char **argv)
{
    struct nu_strbuf bytes = {0};
    struct nu_strbuf text = {0};
    if (argc != 4 || strcmp(argv[2], "inspect") != 0) {
        fprintf(stderr, "usage: %s wasm inspect FILE\n", argv[0]);
        return 1;
    }
    bool ok = read_file(argv[3], &bytes);
    if (ok) {
        ok = nu_wasm_inspect(nu_strbuf_str(&bytes), &text);
        fwrite(text.data, 1, text.len, stdout);
    }
    nu_strbuf_finish(&bytes);
    nu_strbuf_finish(&text);
    return ok ? 0 : 1;
}
