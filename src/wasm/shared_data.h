/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the VMs of one vm_id share: values by key, each with a number that changes when it is set,
 * so that a guest can set it only if nobody else has. A space lives as long as somebody holds it.
 * Any thread.
 */
#ifndef NU_WASM_SHARED_DATA_H
#define NU_WASM_SHARED_DATA_H

#include "base/str.h"
#include "wasm/abi.h"

struct nu_wasm_shared_data;

enum { NU_WASM_SHARED_BYTES_MAX = 256 * 1024 * 1024 }; /* of a space, with its keys */

/* The space of a vm_id, made if there is none; a reference for the caller. */
struct nu_wasm_shared_data *nu_wasm_shared_data_get(struct nu_str vm_id);
/* Gives a reference back and clears the pointer; NULL inside is allowed. */
void nu_wasm_shared_data_unref(struct nu_wasm_shared_data **space);

/* Appends a copy of the value to `value`, and its number to `cas`; NU_WASM_NOT_FOUND if there is
 * none. */
enum nu_wasm_status nu_wasm_shared_data_read(struct nu_wasm_shared_data *space, struct nu_str key,
                                             struct nu_strbuf *value, uint32_t *cas);
/* Sets it if its number is `cas`, or 0 is given, or it is new; else NU_WASM_CAS_MISMATCH.
 * NU_WASM_INTERNAL_FAILURE if the space would have more than NU_WASM_SHARED_BYTES_MAX. */
enum nu_wasm_status nu_wasm_shared_data_write(struct nu_wasm_shared_data *space, struct nu_str key,
                                              struct nu_str value, uint32_t cas);

#endif
