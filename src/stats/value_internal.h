/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the registry does with values: reading the members of a family of response codes, and
 * freeing what values own. Members of a family are numbered in the order of their names: 100 ..
 * 199, 1xx, 200 .. and "unknown" last.
 */
#ifndef NU_STATS_VALUE_INTERNAL_H
#define NU_STATS_VALUE_INTERNAL_H

#include "stats/histogram.h"
#include "stats/value.h"

enum {
    NU_CODE_CLASS_TOTAL = 100, /* within a class */
    NU_CODE_INDEXES_PER_CLASS = 101,
    NU_CODE_UNKNOWN = NU_CODE_CLASSES * NU_CODE_INDEXES_PER_CLASS,
    NU_CODE_INDEXES
};

/* One thread's count of the member. Any thread may read. */
uint64_t nu_codes_read(const struct nu_codes *codes, unsigned index);
/* The first member from `index` on that this thread may have counted: goes over what has no
 * memory. */
unsigned nu_codes_next(const struct nu_codes *codes, unsigned index);
/* The counters themselves, made if need be: of a status within 100 to 599, and of class
 * `hundred` + 1. Only the thread that owns the family. */
struct nu_counter *nu_codes_counter(struct nu_codes *codes, unsigned status);
struct nu_counter *nu_codes_class_counter(struct nu_codes *codes, unsigned hundred);

/* Free what a value owns, when nobody uses it any more. */
void nu_codes_finish(struct nu_codes *codes);
void nu_text_finish(struct nu_text *text);
void nu_histogram_finish(struct nu_histogram *histogram);

#endif
