/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An access logger for answers from 500 on: each is a line of nuncio's log, and all of them are counted
 * as wasmcustom.failures. README.md beside this folder says how it is built.
 */
#include "proxy_wasm.h"

static uint32_t failures;

PROXY_EXPORT(proxy_on_configure) int on_configure(uint32_t root, uint32_t size)
{
    (void)root, (void)size;
    return proxy_define_metric(COUNTER, LITERAL("failures"), &failures) == 0;
}

PROXY_EXPORT(proxy_on_log) void on_log(uint32_t root)
{
    struct text status = header(RESPONSE_HEADERS, ":status");
    (void)root;
    if (!begins(status, "5"))
        return;
    proxy_increment_metric(failures, 1);
    log_("failed: ", header(REQUEST_HEADERS, ":path"));
}
