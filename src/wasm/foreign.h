/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of the host that guests call by name (proxy_call_foreign_function), and what they read
 * their arguments with, which are mostly messages in protobuf's wire form.
 */
#ifndef NU_WASM_FOREIGN_H
#define NU_WASM_FOREIGN_H

#include "wasm/vm.h"

/* Of arguments, and of what is made of them. */
enum { NU_WASM_FOREIGN_BYTES_MAX = 16 * 1024 * 1024 };

/* `arguments` lie in the guest's memory, and are valid throughout; what is added to `result` is
 * given to the guest if the status is NU_WASM_OK. Nothing that calls the guest may be done. */
typedef enum nu_wasm_status nu_wasm_foreign_fn(struct nu_wasm_vm *vm, struct nu_str arguments,
                                               struct nu_strbuf *result);

/* foreign_crypto.c */
nu_wasm_foreign_fn nu_wasm_foreign_verify_signature;
nu_wasm_foreign_fn nu_wasm_foreign_sign;

/* foreign_state.c */
nu_wasm_foreign_fn nu_wasm_foreign_set_filter_state;

/* property_state.c */
nu_wasm_foreign_fn nu_wasm_foreign_declare_property;

/* --- Messages --------------------------------------------------------------------------------- */

/* One field of a message, to be read or to be written. */
struct nu_wasm_member {
    uint32_t number;
    enum { NU_WASM_MEMBER_BYTES, NU_WASM_MEMBER_STRING, NU_WASM_MEMBER_NUMBER } kind;
    struct nu_str bytes;
    uint64_t value;
};

/* Reads a message into its members; others are skipped. False if it is none, or if a string is not
 * UTF-8. */
NU_MUST_USE bool nu_wasm_message_read(struct nu_str message, struct nu_wasm_member *members,
                                      size_t count);
/* Appends a message; members that are empty or 0 are left out. */
void nu_wasm_message_write(const struct nu_wasm_member *members, size_t count,
                           struct nu_strbuf *out);

#endif
