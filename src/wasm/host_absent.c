/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host functions that nuncio does not have yet. SDKs import all of them whether a filter uses them
 * or not, so they are there; calling one ends the guest with a message that names it.
 */
#include "wasm/abi.h"

#define ABSENT(X) \
    X(proxy_grpc_call, "iiiiiiiiiiii=i") \
    X(proxy_grpc_stream, "iiiiiiiii=i") \
    X(proxy_grpc_send, "iiii=i") \
    X(proxy_grpc_close, "i=i") \
    X(proxy_grpc_cancel, "i=i")

#define X(name, type) \
    static const char *call_##name(void *host, const union nu_wasm_value *args, \
                                   union nu_wasm_value *result) \
    { \
        (void)host, (void)args, (void)result; \
        return #name ": known to Envoy, not implemented by nuncio"; \
    }
ABSENT(X)
#undef X

const struct nu_wasm_import nu_wasm_host_absent[] = {
#define X(name, type) {"env", #name, type, call_##name},
    ABSENT(X)
#undef X
        {NULL, NULL, NULL, NULL},
};
