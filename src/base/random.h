/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers. nu_random_fill is cryptographic and buffered per thread, so an identifier costs a
 * system call only every few hundred times; nu_random_u64 is a fast generator for load balancing,
 * sampling and jitter.
 */
#ifndef NU_BASE_RANDOM_H
#define NU_BASE_RANDOM_H

#include "base/compiler.h"

/* Unpredictable bytes from the kernel, through a per-thread buffer. Any thread. */
void nu_random_fill(void *out, size_t len);
/* The same for sixteen of them. */
void nu_random_fill_16(unsigned char out[16]);
/* Fast, statistically good, not secret. Any thread; each has a state of its own. */
uint64_t nu_random_u64(void);
/* Uniform in [0, bound); bound must not be 0. */
uint64_t nu_random_below(uint64_t bound);
/* Makes the calling thread's nu_random_u64 sequence repeatable, for tests. */
void nu_random_seed(uint64_t seed);

#endif
