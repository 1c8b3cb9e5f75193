/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiler attributes and the few macros that every module uses. Nothing here allocates or runs.
 */
#ifndef NU_BASE_COMPILER_H
#define NU_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

/* The caller must look at the returned value. */
#define NU_MUST_USE __attribute__((warn_unused_result))
/* printf-style checking: `fmt` and `args` are 1-based argument positions. */
#define NU_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NU_NORETURN __attribute__((noreturn))
#define NU_COLD __attribute__((cold, noinline))
#define NU_NOINLINE __attribute__((noinline))
#define NU_ALIGNED(n) __attribute__((aligned(n)))

#define nu_likely(x) __builtin_expect(!!(x), 1)
#define nu_unlikely(x) __builtin_expect(!!(x), 0)

/* The compiler may not know what this variable holds: for sizes, with which it would write code that
 * is longer than the library's. */
#define nu_hide(x) __asm__("" : "+r"(x))

#define NU_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The object of `type` whose `member` is at `ptr`. */
#define nu_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Drops a const that a third-party signature lacks; the pointee must not be written. */
static inline void *nu_unconst(const void *ptr)
{
    return (void *)(uintptr_t)ptr;
}

/*
 * Memory that a pool holds and nobody owns: AddressSanitizer reports whoever touches it between
 * nu_poison and nu_unpoison, as it would for freed memory. Nothing at all without it.
 */
#if defined(__SANITIZE_ADDRESS__)
#define NU_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NU_ASAN 1
#endif
#endif
#ifdef NU_ASAN
void __asan_poison_memory_region(const volatile void *ptr, size_t size);
void __asan_unpoison_memory_region(const volatile void *ptr, size_t size);
#define nu_poison(ptr, size) __asan_poison_memory_region(ptr, size)
#define nu_unpoison(ptr, size) __asan_unpoison_memory_region(ptr, size)
#else
#define nu_poison(ptr, size) ((void)0)
#define nu_unpoison(ptr, size) ((void)0)
#endif

/* 128-bit products, which GCC and Clang have on every 64-bit target. */
__extension__ typedef unsigned __int128 nu_u128;

static inline size_t nu_min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline uint32_t nu_min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline size_t nu_max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* `n` rounded up to a multiple of `align`, a power of two. */
static inline size_t nu_align_up(size_t n, size_t align)
{
    return (n + align - 1) & ~(align - 1);
}

#endif
