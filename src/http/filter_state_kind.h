/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of filter state that a configuration or a guest makes of a text: which names Envoy knows,
 * and what may be under them. Of what Envoy has, those are absent for which nothing here would
 * look.
 */
#ifndef NU_HTTP_FILTER_STATE_KIND_H
#define NU_HTTP_FILTER_STATE_KIND_H

#include "http/filter_state.h"

enum nu_filter_state_content {
    NU_FILTER_STATE_TEXT,
    NU_FILTER_STATE_NUMBER, /* in decimal, of 32 bits */
    NU_FILTER_STATE_ABSENT,
};

struct nu_filter_state_kind {
    struct nu_str name;
    enum nu_filter_state_content content;
};

enum { NU_FILTER_STATE_KINDS = 15 };
extern const struct nu_filter_state_kind nu_filter_state_kinds[NU_FILTER_STATE_KINDS];

/* NULL: Envoy knows of none either. */
const struct nu_filter_state_kind *nu_filter_state_kind_find(struct nu_str name);

/* The text as such an object has it, which may be written to `digits`. False if it can be none. */
NU_MUST_USE bool nu_filter_state_kind_read(const struct nu_filter_state_kind *kind,
                                           struct nu_str *text, char digits[20]);

#endif
