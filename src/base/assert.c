/* SPDX-License-Identifier: Apache-2.0 */
/* Assertion failure: one line on stderr, then abort, so that a supervisor sees the signal. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void nu_assert_fail(const char *expr, const char *file, int line)
{
    fprintf(stderr, "nuncio: bug: %s:%d: assertion failed: %s\n", file, line, expr);
    abort();
}
