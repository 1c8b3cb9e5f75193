/* SPDX-License-Identifier: Apache-2.0 */
/* Floating-point numbers as text. */
#ifndef NU_BASE_NUMBER_H
#define NU_BASE_NUMBER_H

#include "base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NU_DOUBLE_TEXT_MAX = 32 };

/*
 * Writes the shortest decimal text that reads back as `value` to `out` (NU_DOUBLE_TEXT_MAX bytes),
 * no NUL, and returns its length. Of the fixed and the scientific form it takes the shorter, the
 * fixed one when both are as long: "200", "0.5", "100500", "1e+05". This is how Envoy prints
 * numbers in JSON logs and metadata. Not-a-number and infinities print as "nan", "inf", "-inf". Any
 * thread.
 */
size_t nu_double_to_chars(double value, char *out);

#ifdef __cplusplus
}
#endif

#endif
