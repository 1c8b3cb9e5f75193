/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gate for prime tokens as a proxy-wasm filter in plain C: a request passes if its header `token` is
 * a prime number, else it is answered with 403. README.md beside this folder says how it is built.
 */
#include "proxy_wasm.h"

/* Digits of a number of 64 bits, and nothing else. */
static bool parse(struct text text, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint64_t digit = (uint64_t)(text.ptr[i] - '0');
        if (digit > 9 || *number > (UINT64_MAX - digit) / 10)
            return false;
        *number = 10 * *number + digit;
    }
    return text.size > 0;
}

static bool is_prime(uint64_t n)
{
    if (n < 4)
        return n > 1;
    if (n % 2 == 0)
        return false;
    for (uint64_t d = 3; d <= n / d; d += 2) {
        if (n % d == 0)
            return false;
    }
    return true;
}

PROXY_EXPORT(proxy_on_request_headers)
int on_request_headers(uint32_t context, uint32_t count, int end)
{
    static const char powered_by[] = "\1\0\0\0\12\0\0\0\12\0\0\0powered-by\0proxy-wasm\0";
    uint64_t number;
    (void)context, (void)count, (void)end;
    if (parse(header(REQUEST_HEADERS, "token"), &number) && is_prime(number))
        return CONTINUE;
    proxy_send_local_response(403, LITERAL("not_a_prime"), LITERAL("Access forbidden.\n"),
                              powered_by, sizeof(powered_by) - 1, -1);
    return PAUSE;
}
