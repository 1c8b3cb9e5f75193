/* SPDX-License-Identifier: Apache-2.0 */
/* Linked to another test program: loads the engine, and with it V8, before that begins. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <llhttp.h>

#include "harness/guests.h"

/* The parser that is tested is ours, and where it is meant to be. */
static void check_llhttp(void)
{
    Dl_info info = {0};
    bool is_found = dladdr((void *)(uintptr_t)llhttp_execute, &info) && info.dli_fname;
    bool is_shared = is_found && strstr(info.dli_fname, "llhttp_shared");
    if (!is_found || strstr(info.dli_fname, "libnode"))
        abort();
#ifdef NU_LLHTTP_IS_SHARED
    if (!is_shared)
        abort();
#else
    if (is_shared)
        abort();
#endif
}

__attribute__((constructor)) static void load(void)
{
    nu_test_engine();
    check_llhttp();
}
