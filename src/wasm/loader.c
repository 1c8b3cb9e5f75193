/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module is loaded with RTLD_LOCAL: what V8's library brings along (an llhttp of its own, for
 * one) gets in nobody's way. Before that it is made sure that the process may have executable
 * memory at all, without which V8 ends it.
 */
#include "wasm/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_NAME "nuncio-wasm-v8.so"

static const struct nu_wasm_engine *loaded;

static bool can_make_code(struct nu_strbuf *error)
{
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        nu_strbuf_add_cstr(error, "this process may not make memory executable, as the wasm engine "
                                  "must: MemoryDenyWriteExecute of its systemd unit, or a policy "
                                  "like it, forbids it");
        return false;
    }
    munmap(page, 4096);
    return true;
}

/* The file beside the program, or where an installation has it: `out` has PATH_MAX bytes. */
static bool find_file(char *out, struct nu_strbuf *error)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program));
    struct nu_str path = {program, length > 0 ? (size_t)length : 0};
    size_t slash = nu_str_rfind_char(path, '/');
    struct nu_str folder = nu_str_first(path, slash == NU_NPOS ? 0 : slash);
    static const char *const places[] = {"/" FILE_NAME, "/../lib/nuncio/" FILE_NAME};
    for (size_t i = 0; i < NU_ARRAY_LEN(places); i++) {
        int n = snprintf(out, PATH_MAX, "%.*s%s", NU_STR_ARG(folder), places[i]);
        if (n < PATH_MAX && access(out, R_OK) == 0)
            return true;
    }
    nu_strbuf_addf(error,
                   "this nuncio has no wasm engine: there is no " FILE_NAME
                   " in %.*s or %.*s/../lib/nuncio; the package nuncio-wasm has it, a build makes "
                   "it where libnode-dev is installed",
                   NU_STR_ARG(folder), NU_STR_ARG(folder));
    return false;
}

/* V8's threads get no signals: they are the main thread's. */
static bool start(const struct nu_wasm_engine *engine, struct nu_strbuf *error)
{
    char text[256] = "";
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = engine->start(1, text, sizeof(text));
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!ok)
        nu_strbuf_addf(error, "the wasm engine does not start: %s", text);
    return ok;
}

static const struct nu_wasm_engine *load(const char *path, struct nu_strbuf *error)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        nu_strbuf_addf(error, "cannot load the wasm engine: %s", dlerror());
        return NULL;
    }
    const struct nu_wasm_engine *engine = dlsym(handle, NU_WASM_ENGINE_SYMBOL);
    if (!engine || engine->abi != NU_WASM_ENGINE_ABI) {
        nu_strbuf_addf(error,
                       "'%s' is not the wasm engine of this nuncio: install both from one "
                       "build",
                       path);
        dlclose(handle);
        return NULL;
    }
    return start(engine, error) ? engine : NULL;
}

const struct nu_wasm_engine *nu_wasm_engine_load(const char *path, struct nu_strbuf *error)
{
    char found[PATH_MAX];
    if (loaded || !can_make_code(error))
        return loaded;
    if (!path && !find_file(found, error))
        return NULL;
    loaded = load(path ? path : found, error);
    return loaded;
}
