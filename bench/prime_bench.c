/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a token costs: nanoseconds to parse it and to say whether it is a prime, for the worst cases
 * of each kind, beside plain trial division. Each figure is the best of several runs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "prime/decimal.h"
#include "prime/prime.h"
#include "prime/token.h"

enum { RUNS = 5 };

static const struct {
    const char *what;
    const char *token;
} cases[] = {
    {"zero", "0"},
    {"small prime", "7919"},
    {"32323", "32323"},
    {"largest prime below 2^16", "65521"},
    {"largest prime below 2^32", "4294967291"},
    {"strong pseudoprime to 2, 32 bits", "4187360341"},
    {"even, 64 bits", "18446744073709551614"},
    {"two 32-bit primes", "18446743979220271189"},
    {"strong pseudoprime to 2, 64 bits", "18446743208455367653"},
    {"strong pseudoprime to 2 .. 31", "3825123056546413051"},
    {"largest prime below 2^64", "18446744073709551557"},
};

static bool is_prime(struct nu_str text)
{
    struct nu_prime_token token;
    bool answer = false;
    switch (nu_prime_parse_token(text, NU_PRIME_DIGITS_MAX, &token)) {
    case NU_OK:
        return nu_prime_is_prime_u64(token.value);
    case NU_OVERFLOW:
        return nu_prime_is_prime_decimal(token.digits, NU_PRIME_DIGITS_MAX, &answer) == NU_OK &&
               answer;
    default:
        return false;
    }
}

static bool is_prime_by_division(struct nu_str text)
{
    uint64_t n;
    if (nu_str_to_u64(text, &n) != NU_OK || n < 2)
        return false;
    for (uint64_t d = 2; d <= n / d; d++) {
        if (n % d == 0)
            return false;
    }
    return true;
}

/* The best of RUNS runs, each of as many calls as fill `run_us`, at least one. */
static double measure(bool (*fn)(struct nu_str), struct nu_str text, uint64_t run_us, bool *answer)
{
    double best = 0;
    for (int run = 0; run < RUNS; run++) {
        uint64_t calls = 0;
        uint64_t start = nu_clock_monotonic_us();
        uint64_t spent = 0;
        for (uint64_t batch = 1; spent < run_us; batch *= 2) {
            for (uint64_t i = 0; i < batch; i++)
                *answer = fn(text);
            calls += batch;
            spent = nu_clock_monotonic_us() - start;
        }
        double ns = (double)spent * 1000 / (double)calls;
        if (run == 0 || ns < best)
            best = ns;
        if (spent > 1000000)
            break;
    }
    return best;
}

static void print_case(const char *what, struct nu_str text, bool divide)
{
    bool answer = false;
    double ns = measure(is_prime, text, 20000, &answer);
    printf("%-34s %-9s %14.1f ns", what, answer ? "prime" : "not prime", ns);
    if (divide) {
        bool same = false;
        double naive = measure(is_prime_by_division, text, 20000, &same);
        printf(" %16.1f ns%s", naive, same == answer ? "" : "  DIFFERENT ANSWER");
    }
    printf("\n");
    fflush(stdout);
}

/* 10^(digits - 1) + tail, as text. */
static struct nu_str make_number(char *text, size_t digits, const char *tail)
{
    memset(text, '0', digits);
    text[0] = '1';
    memcpy(text + digits - strlen(tail), tail, strlen(tail));
    return nu_str_make(text, digits);
}

int main(void)
{
    char text[1000];
    printf("%-34s %-9s %17s %19s\n", "token", "answer", "nuncio", "trial division");
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        struct nu_str token = nu_str_from(cases[i].token);
        uint64_t value;
        print_case(cases[i].what, token, nu_str_to_u64(token, &value) == NU_OK);
    }
    print_case("100 digits, prime", make_number(text, 100, "289"), false);
    print_case("100 digits, two 50-digit primes",
               make_number(text, 100, "2410000000000000000000000000000000000000000000001359"),
               false);
    print_case("300 digits, prime", make_number(text, 300, "669"), false);
    print_case("1000 digits, prime", make_number(text, 1000, "7"), false);
    print_case("1000 digits, composite", make_number(text, 1000, "13"), false);
    return 0;
}
