/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxy-wasm contract as tables: what a guest may import, what it exports, the numbers that
 * both sides use. All versions' imports are always there; what differs is keyed on the version that
 * the guest names.
 */
#ifndef NU_WASM_ABI_H
#define NU_WASM_ABI_H

#include "wasm/binary.h"
#include "wasm/engine.h"

/* In the order of their age. */
enum nu_wasm_abi {
    NU_WASM_ABI_0_1_0,
    NU_WASM_ABI_0_2_0,
    NU_WASM_ABI_0_2_1,
    NU_WASM_ABI_COUNT,
};

/* The names of its marker, such as "0.2.1". */
const char *nu_wasm_abi_name(enum nu_wasm_abi abi);

enum nu_wasm_status {
    NU_WASM_OK,
    NU_WASM_NOT_FOUND,
    NU_WASM_BAD_ARGUMENT,
    NU_WASM_SERIALIZATION_FAILURE,
    NU_WASM_PARSE_FAILURE,
    NU_WASM_BAD_EXPRESSION,
    NU_WASM_INVALID_MEMORY_ACCESS,
    NU_WASM_EMPTY,
    NU_WASM_CAS_MISMATCH,
    NU_WASM_RESULT_MISMATCH,
    NU_WASM_INTERNAL_FAILURE,
    NU_WASM_BROKEN_CONNECTION,
    NU_WASM_UNIMPLEMENTED,
};

enum nu_wasm_buffer {
    NU_WASM_REQUEST_BODY,
    NU_WASM_RESPONSE_BODY,
    NU_WASM_DOWNSTREAM_DATA,
    NU_WASM_UPSTREAM_DATA,
    NU_WASM_CALL_RESPONSE_BODY,
    NU_WASM_GRPC_RECEIVE,
    NU_WASM_VM_CONFIGURATION,
    NU_WASM_PLUGIN_CONFIGURATION,
    NU_WASM_CALL_DATA,
    NU_WASM_BUFFER_COUNT,
};

enum nu_wasm_map {
    NU_WASM_REQUEST_HEADERS,
    NU_WASM_REQUEST_TRAILERS,
    NU_WASM_RESPONSE_HEADERS,
    NU_WASM_RESPONSE_TRAILERS,
    NU_WASM_GRPC_INITIAL_METADATA,
    NU_WASM_GRPC_TRAILING_METADATA,
    NU_WASM_CALL_RESPONSE_HEADERS,
    NU_WASM_CALL_RESPONSE_TRAILERS,
    NU_WASM_MAP_COUNT,
};

/* What a guest exports: id, name, type in 0.1.0, type in 0.2.x. */
#define NU_WASM_CALLBACKS(X) \
    X(CONTEXT_CREATE, "proxy_on_context_create", "ii=", "ii=") \
    X(VM_START, "proxy_on_vm_start", "ii=i", "ii=i") \
    X(CONFIGURE, "proxy_on_configure", "ii=i", "ii=i") \
    X(TICK, "proxy_on_tick", "i=", "i=") \
    X(REQUEST_HEADERS, "proxy_on_request_headers", "ii=i", "iii=i") \
    X(REQUEST_BODY, "proxy_on_request_body", "iii=i", "iii=i") \
    X(REQUEST_TRAILERS, "proxy_on_request_trailers", "ii=i", "ii=i") \
    X(RESPONSE_HEADERS, "proxy_on_response_headers", "ii=i", "iii=i") \
    X(RESPONSE_BODY, "proxy_on_response_body", "iii=i", "iii=i") \
    X(RESPONSE_TRAILERS, "proxy_on_response_trailers", "ii=i", "ii=i") \
    X(DONE, "proxy_on_done", "i=i", "i=i") \
    X(LOG, "proxy_on_log", "i=", "i=") \
    X(DELETE, "proxy_on_delete", "i=", "i=") \
    X(VALIDATE_CONFIGURATION, "proxy_validate_configuration", "ii=i", "ii=i") \
    X(NEW_CONNECTION, "proxy_on_new_connection", "i=i", "i=i") \
    X(DOWNSTREAM_DATA, "proxy_on_downstream_data", "iii=i", "iii=i") \
    X(UPSTREAM_DATA, "proxy_on_upstream_data", "iii=i", "iii=i") \
    X(DOWNSTREAM_CLOSE, "proxy_on_downstream_connection_close", "ii=", "ii=") \
    X(UPSTREAM_CLOSE, "proxy_on_upstream_connection_close", "ii=", "ii=") \
    X(REQUEST_METADATA, "proxy_on_request_metadata", "ii=i", "ii=i") \
    X(RESPONSE_METADATA, "proxy_on_response_metadata", "ii=i", "ii=i") \
    X(HTTP_CALL_RESPONSE, "proxy_on_http_call_response", "iiiii=", "iiiii=") \
    X(QUEUE_READY, "proxy_on_queue_ready", "ii=", "ii=") \
    X(GRPC_INITIAL_METADATA, "proxy_on_grpc_receive_initial_metadata", "iii=", "iii=") \
    X(GRPC_RECEIVE, "proxy_on_grpc_receive", "iii=", "iii=") \
    X(GRPC_TRAILING_METADATA, "proxy_on_grpc_receive_trailing_metadata", "iii=", "iii=") \
    X(GRPC_CLOSE, "proxy_on_grpc_close", "iii=", "iii=") \
    X(FOREIGN_FUNCTION, "proxy_on_foreign_function", "iii=", "iii=") \
    X(RESOLVE_DNS, "envoy_on_resolve_dns", "iii=", "iii=")

enum nu_wasm_callback {
#define X(id, name, type_0_1, type_0_2) NU_WASM_ON_##id,
    NU_WASM_CALLBACKS(X)
#undef X
        NU_WASM_CALLBACK_COUNT
};

const char *nu_wasm_callback_name(enum nu_wasm_callback callback);
const char *nu_wasm_callback_type(enum nu_wasm_callback callback, enum nu_wasm_abi abi);

/* The host functions, a table for each file that has some; each ends with a NULL module. */
extern const struct nu_wasm_import nu_wasm_host_core[];
extern const struct nu_wasm_import nu_wasm_host_maps[];
extern const struct nu_wasm_import nu_wasm_host_buffers[];
extern const struct nu_wasm_import nu_wasm_host_property[];
extern const struct nu_wasm_import nu_wasm_host_shared[];
extern const struct nu_wasm_import nu_wasm_host_foreign[];
extern const struct nu_wasm_import nu_wasm_host_metrics[];
extern const struct nu_wasm_import nu_wasm_host_callouts[];
extern const struct nu_wasm_import nu_wasm_host_dns[];
extern const struct nu_wasm_import nu_wasm_host_grpc[];
extern const struct nu_wasm_import nu_wasm_host_wasi[];

/* The host function of this name; those of WASI have one for both of its modules. NULL if there is
 * none. */
const struct nu_wasm_import *nu_wasm_host_function(struct nu_str module, struct nu_str name);

/* A module that is started as a command: with _start, which runs its main, and no _initialize. */
bool nu_wasm_abi_is_command(const struct nu_wasm_module *module);

/* What is said of one that is none of a filter's, or ends itself. */
#define NU_WASM_IS_COMMAND \
    "a command, which ends with its main: build a reactor (crate-type cdylib, " \
    "-mexec-model=reactor, -buildmode=c-shared)"

/*
 * Judges what a module imports and exports: everything that is missing or of the wrong type is told
 * at once, a line each, with the likely cause. The version it names goes to `abi`, its host
 * functions, one for each import, to `imports`, in `arena`.
 */
NU_MUST_USE bool nu_wasm_abi_check(const struct nu_wasm_module *module, struct nu_arena *arena,
                                   enum nu_wasm_abi *abi,
                                   const struct nu_wasm_import *const **imports,
                                   struct nu_strbuf *error);

#endif
