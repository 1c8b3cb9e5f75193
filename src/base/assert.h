/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assertions and object magic words, for bugs of ours only: nothing that the network, a
 * configuration or a plug-in can cause may reach an assertion.
 */
#ifndef NU_BASE_ASSERT_H
#define NU_BASE_ASSERT_H

#include "base/compiler.h"

/* Prints the failed expression with its place to stderr and aborts. Any thread. */
NU_NORETURN NU_COLD void nu_assert_fail(const char *expr, const char *file, int line);

/* Always on: cheap checks of invariants whose break would corrupt memory or mix up streams. */
#define nu_assert(expr) (nu_likely(expr) ? (void)0 : nu_assert_fail(#expr, __FILE__, __LINE__))

/*
 * One magic word per long-lived object, the first member, checked where a `void *` becomes a type
 * again. On in debug and sanitizer builds (NU_DEBUG), free of cost in a release.
 */
#ifdef NU_DEBUG
#define NU_MAGIC(name) uint32_t name;
#define nu_magic_set(obj, value) ((obj)->magic = (value))
#define nu_check(obj, value) nu_assert((obj) != NULL && (obj)->magic == (value))
#define nu_debug_assert(expr) nu_assert(expr)
#else
#define NU_MAGIC(name)
#define nu_magic_set(obj, value) ((void)0)
#define nu_check(obj, value) ((void)0)
#define nu_debug_assert(expr) ((void)0)
#endif

#endif
