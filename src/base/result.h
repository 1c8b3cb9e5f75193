/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a function on the data path returns when failure is expected: 0 is success, every failure is
 * negative. Configuration errors do not use this: they go to a list (base/error.h).
 */
#ifndef NU_BASE_RESULT_H
#define NU_BASE_RESULT_H

#include "base/compiler.h"

/* name, value, text: the one table. */
#define NU_RESULTS(X) \
    X(NU_OK, 0, "ok") \
    X(NU_AGAIN, -1, "not now, ask again when told") \
    X(NU_CLOSED, -2, "closed by the peer") \
    X(NU_RESET, -3, "reset") \
    X(NU_IO_ERROR, -4, "input/output error") \
    X(NU_TIMEOUT, -5, "timeout") \
    X(NU_INVALID, -6, "invalid input") \
    X(NU_TOO_LARGE, -7, "over a limit") \
    X(NU_NOT_FOUND, -8, "not found") \
    X(NU_OVERFLOW, -9, "overflow") \
    X(NU_UNSUPPORTED, -10, "not supported")

enum nu_result {
#define X(name, value, text) name = value,
    NU_RESULTS(X)
#undef X
};

/* The text of `result`, a constant; never NULL. */
const char *nu_result_text(enum nu_result result);

#endif
