/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties: what a guest reads by a path ("request\0path") and what it sets. Read are, in this
 * order, the attributes of the stream (attribute/attribute.h), what the plug-in is called, and what
 * guests have set, which is filter state "wasm.NAME" of the stream.
 */
#ifndef NU_WASM_PROPERTY_H
#define NU_WASM_PROPERTY_H

#include "attribute/attribute.h"
#include "wasm/vm.h"

/* What may be asked of the context that host functions act for: its stream, and the process.
 * Answers are made in `arena`. Valid until the guest returns. */
struct nu_attribute_source nu_wasm_attribute_source(struct nu_wasm_vm *vm, struct nu_arena *arena);

/*
 * What the path leads to, typed; NONE if there is no such thing. A NUL at the path's end counts for
 * nothing; the empty path leads to null.
 */
struct nu_attribute nu_wasm_property_find(struct nu_wasm_vm *vm,
                                          const struct nu_attribute_source *source,
                                          struct nu_str path);

/*
 * Appends the value as guests get it: texts raw, numbers as 8 bytes and bools as one, times in
 * nanoseconds, messages in protobuf's wire format, maps and lists as pairs. False, as for null and
 * for maps that cannot be told whole, if it has no such form; `out` is left with a part then.
 */
NU_MUST_USE bool nu_wasm_property_write(const struct nu_attribute_source *source,
                                        const struct nu_attribute *value, struct nu_strbuf *out);

/*
 * Sets what the path names, all of it, to these bytes, which are copied. NotFound outside of
 * streams, BadArgument for what is read-only or somebody else's, InternalFailure if that took too
 * much memory.
 */
enum nu_wasm_status nu_wasm_property_set(struct nu_wasm_vm *vm, struct nu_str path,
                                         struct nu_str value);
/* Frees what a root has declared. */
void nu_wasm_property_forget(struct nu_wasm_context *root);

#endif
