/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's text as an object of filter state. That of a stream lies in the stream's memory, which
 * the guest's share bounds; that of a connection in memory of its own, so that setting it again and
 * again takes no more, and all of them together have a bound. The stream's thread.
 */
#ifndef NU_WASM_STATE_TEXT_H
#define NU_WASM_STATE_TEXT_H

#include "http/filter_state.h"

struct nu_wasm_state_text {
    struct nu_str value;
    struct nu_strbuf own; /* the value's memory, of one that stays with the connection */
};

/* A text for an object of this name that the keeper is about to have; it lives as long. NULL if the
 * connection has all that it may. */
struct nu_wasm_state_text *nu_wasm_state_text_create(struct nu_filter_state *keeper,
                                                     struct nu_str name, struct nu_str value);
/* Gives it another value. False, and nothing is changed, if the connection has all that it may. */
NU_MUST_USE bool nu_wasm_state_text_change(struct nu_filter_state *keeper,
                                           struct nu_wasm_state_text *text, struct nu_str value);
/* For classes: appends the value of such an object. */
bool nu_wasm_state_text_write(const void *object, struct nu_strbuf *out);

/* Whether an object is such a text: its class says so. */
static inline bool nu_wasm_state_text_is(const struct nu_filter_state_object *object)
{
    return object->object_class->to_text == nu_wasm_state_text_write;
}

#endif
