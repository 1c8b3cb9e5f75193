/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of shared queues, for tests/e2e/test_wasm_shared.py. The plug-in's configuration is a name:
 * one that begins with "take" registers the queue "q", logs what it gets, and counts that as the metric
 * "got"; requests to any of them put things into the queue "q" of the vm_id "takers", or of their own.
 */
#include "proxy_wasm.h"

static char name_bytes[64];
static struct text name; /* what the plug-in is called, which was configured last in this VM */
static uint32_t taken_root;
static uint32_t got;

static struct text path_;

PROXY_EXPORT(proxy_on_configure) int on_configure(uint32_t root, size_t size)
{
    uint32_t token = 0;
    struct text bytes = {0};
    proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, &bytes.ptr, &bytes.size);
    name.ptr = name_bytes;
    name.size = bytes.size < sizeof(name_bytes) ? bytes.size : sizeof(name_bytes);
    memcpy(name_bytes, bytes.ptr, name.size);
    if (begins(name, "take")) {
        taken_root = root;
        proxy_define_metric(0, LITERAL("got"), &got);
        if (proxy_register_shared_queue(LITERAL("q"), &token) != 0 || token == 0)
            return 0;
    }
    return 1;
}

PROXY_EXPORT(proxy_on_queue_ready) void on_queue_ready(uint32_t root, uint32_t token)
{
    struct text bytes = {0};
    if (root != taken_root)
        proxy_log(LOG_INFO, LITERAL("another root"));
    int status = proxy_dequeue_shared_queue(token, &bytes.ptr, &bytes.size);
    if (status != 0)
        bytes = number((uint64_t)status);
    log_("got ", bytes);
    proxy_increment_metric(got, 1);
    if (is(bytes, "trap"))
        __builtin_trap();
}

static uint32_t queue_of(const char *vm_id)
{
    uint32_t token = 0;
    return proxy_resolve_shared_queue(vm_id, length_(vm_id), LITERAL("q"), &token) == 0 ? token : 0;
}

/* What there is is put away in this order, whoever gets it. */
static int put(const char *vm_id, struct text things)
{
    uint32_t token = queue_of(vm_id);
    size_t from = 0;
    int status = token ? 0 : 1;
    for (size_t i = 0; token && i <= things.size; i++) {
        if (i < things.size && things.ptr[i] != ',')
            continue;
        status |= proxy_enqueue_shared_queue(token, things.ptr + from, i - from);
        from = i + 1;
    }
    proxy_log(LOG_INFO, LITERAL("have put"));
    return status;
}

static bool statuses_are_right(void)
{
    uint32_t token = 0;
    uint32_t again = 0;
    char *bytes = name_bytes;
    size_t size = 1;
    return proxy_resolve_shared_queue(LITERAL(""), LITERAL("new"), &token) == 1 &&
           proxy_resolve_shared_queue(LITERAL("nobody"), LITERAL("q"), &token) == 1 &&
           proxy_dequeue_shared_queue(0, &bytes, &size) == 1 &&
           proxy_dequeue_shared_queue(123456, &bytes, &size) == 1 &&
           proxy_enqueue_shared_queue(123456, LITERAL("x")) == 1 &&
           proxy_register_shared_queue(LITERAL("new"), &token) == 0 && token != 0 &&
           proxy_register_shared_queue(LITERAL("new"), &again) == 0 && token == again &&
           proxy_resolve_shared_queue(LITERAL(""), LITERAL("new"), &again) == 0 && token == again &&
           proxy_dequeue_shared_queue(token, &bytes, &size) == 7 &&
           proxy_enqueue_shared_queue(token, LITERAL("")) == 0 &&
           proxy_dequeue_shared_queue(token, &bytes, &size) == 0 && bytes == NULL && size == 0 &&
           proxy_enqueue_shared_queue(token, LITERAL("x")) == 0 &&
           proxy_dequeue_shared_queue(token, (char **)0xfffffffe, &size) == 6 &&
           proxy_dequeue_shared_queue(token, &bytes, &size) == 7 &&
           proxy_enqueue_shared_queue(token, (char *)0xfffffff0, 0x20) == 6 &&
           proxy_register_shared_queue((char *)0xfffffff0, 0x20, &token) == 6 &&
           proxy_register_shared_queue(LITERAL("new"), (uint32_t *)0xfffffffe) == 6 &&
           proxy_resolve_shared_queue(LITERAL(""), (char *)0xfffffff0, 0x20, &token) == 6;
}

static void say(struct text text)
{
    proxy_send_local_response(200, LITERAL("said"), text.ptr, text.size, NULL, 0, -1);
}

PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, uint32_t n, int end)
{
    static char block[65536];
    (void)id, (void)n, (void)end;
    path_ = header(REQUEST_HEADERS, ":path");
    struct text rest = {path_.ptr + 5, path_.size - 5};
    if (begins(path_, "/own/") && begins(name, "take"))
        say(number((uint64_t)put("", rest)));
    else if (begins(path_, "/put/") && begins(name, "put"))
        say(number((uint64_t)put("takers", rest)));
    else if (is(path_, "/statuses"))
        say(number(statuses_are_right()));
    else if (is(path_, "/trap") && begins(name, "take"))
        __builtin_trap();
    else if (is(path_, "/fill") && begins(name, "put")) {
        int status = 0;
        uint32_t token = queue_of("takers");
        while (status == 0)
            status = proxy_enqueue_shared_queue(token, block, sizeof(block));
        say(number((uint64_t)status));
    }
    return CONTINUE;
}
