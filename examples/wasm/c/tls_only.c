/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network filter that lets TLS pass and closes all other connections: the first bytes of a client must
 * be the head of a handshake record. README.md beside this folder says how it is built.
 */
#include "proxy_wasm.h"

enum { HEAD = 2, HANDSHAKE = 22, VERSION = 3 };

/* What is known of a connection is kept with it, as a property. */
static bool has_passed(void)
{
    char *value;
    size_t size;
    return proxy_get_property(LITERAL("tls_only.passed"), &value, &size) == 0;
}

PROXY_EXPORT(proxy_on_downstream_data)
int on_downstream_data(uint32_t context, uint32_t size, int end)
{
    struct text head = {0};
    (void)context;
    if (has_passed())
        return CONTINUE;
    if (size < HEAD && !end)
        return PAUSE; /* it comes again with what follows */
    proxy_get_buffer_bytes(DOWNSTREAM_DATA, 0, HEAD, &head.ptr, &head.size);
    if (head.size == HEAD && head.ptr[0] == HANDSHAKE && head.ptr[1] == VERSION) {
        proxy_set_property(LITERAL("tls_only.passed"), LITERAL("1"));
        return CONTINUE;
    }
    proxy_log(LOG_WARN, LITERAL("a client does not speak TLS"));
    proxy_close_stream(DOWNSTREAM);
    return PAUSE;
}
