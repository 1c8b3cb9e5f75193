/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time formats of %START_TIME(...)% and its kin: strftime's conversions, Envoy's fractions of a
 * second (%f, %1f to %9f) and epoch seconds (%s), and the %E forms of the library that Envoy uses
 * (%E3S, %E*S, %E3f, %Ez, %:z, %E4Y).
 *
 * All but the fraction changes once a second. What a thread formatted last is kept, so that a log
 * line mostly costs a copy and a few digits.
 */
#ifndef NU_FORMAT_TIME_FORMAT_H
#define NU_FORMAT_TIME_FORMAT_H

#include "base/arena.h"

struct nu_time_format;

/* Compiles a format for UTC or for the local time zone. Never fails: what is no conversion is
 * printed as it stands. Main thread. */
const struct nu_time_format *nu_time_format_compile(struct nu_arena *arena, struct nu_str text,
                                                    bool is_local);
/* Room that the output of any time may need. */
size_t nu_time_format_room(const struct nu_time_format *format);
/* Writes the time, microseconds since 1970, to `out`; returns the length. Any thread. */
size_t nu_time_format_write(const struct nu_time_format *format, uint64_t realtime_us, char *out);
/* Whether the format asks for a line break, which Envoy refuses. */
bool nu_time_format_has_newline(struct nu_str text);

#endif
