/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every unit test includes: cmocka, and a way to write a test as one block.
 *
 *     TEST(behaviour_in_words) { ... }
 *     TEST_MAIN()
 *
 * Tests run in the order of the file; each has one reason to fail. They may not sleep, use a fixed
 * port or a shared file.
 */
#ifndef NU_TESTS_HARNESS_TEST_H
#define NU_TESTS_HARNESS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

enum { NU_TESTS_MAX = 400 };
static struct CMUnitTest nu_tests_[NU_TESTS_MAX];
static size_t nu_test_count_;

__attribute__((unused)) static void nu_test_add_(const char *name, void (*fn)(void **))
{
    assert_true(nu_test_count_ < NU_TESTS_MAX);
    nu_tests_[nu_test_count_].name = name;
    nu_tests_[nu_test_count_].test_func = fn;
    nu_test_count_++;
}

#define TEST(name) \
    static void name(void); \
    static void name##_run_(void **state) \
    { \
        (void)state; \
        name(); \
    } \
    __attribute__((constructor)) static void name##_add_(void) \
    { \
        nu_test_add_(#name, name##_run_); \
    } \
    static void name(void)

#define TEST_MAIN() \
    int main(void) \
    { \
        return _cmocka_run_group_tests(__FILE__, nu_tests_, nu_test_count_, NULL, NULL); \
    }

/* Fails with both texts when `actual` is not exactly `expected`. */
static inline void nu_assert_str_(struct nu_str actual, struct nu_str expected, const char *file,
                                  int line)
{
    if (nu_str_eq(actual, expected))
        return;
    print_error("got  \"%.*s\"\nwant \"%.*s\"\n", (int)actual.len, actual.ptr ? actual.ptr : "",
                (int)expected.len, expected.ptr ? expected.ptr : "");
    _fail(file, line);
}
#define assert_str(actual, literal) nu_assert_str_(actual, nu_str_from(literal), __FILE__, __LINE__)

#endif
