/* SPDX-License-Identifier: Apache-2.0 */
/* The three ways in which Envoy prints floating-point numbers on its stats pages. */
#ifndef NU_STATS_NUMBER_INTERNAL_H
#define NU_STATS_NUMBER_INTERNAL_H

#include "base/str.h"

/* Text: the fewest digits that read back as the same number, without an exponent; from 1e16 on 16
 * digits with one. The value is not negative. */
void nu_stat_add_plain(struct nu_strbuf *out, double value);
/* JSON: the same digits, with an exponent where that is shorter; not-a-number becomes null. */
void nu_stat_add_json(struct nu_strbuf *out, double value);
/* printf's %g with that many digits. */
void nu_stat_add_digits(struct nu_strbuf *out, double value, int digits);

#endif
