/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target has: the function that libFuzzer, or standalone.c, calls with each
 * input. */
#ifndef NU_FUZZ_TARGET_H
#define NU_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Takes one input; returns 0. Crashes, or nu_assert ends the process, when a promise is broken. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
