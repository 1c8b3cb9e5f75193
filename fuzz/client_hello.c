/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ClientHellos: a verdict on the whole must agree with the verdicts on its beginnings. What is
 * complete is partial before, until the length is there, and stays what it is whatever follows.
 */
#include "base/assert.h"
#include "fuzz/target.h"
#include "tls/client_hello.h"

enum { MAX_HELLO = 16384 };

static enum nu_client_hello_result read(struct nu_str bytes, struct nu_client_hello *hello,
                                        struct nu_arena *arena)
{
    enum nu_client_hello_result result = nu_client_hello_read(bytes, MAX_HELLO, arena, hello);
    nu_assert(result != NU_CLIENT_HELLO_COMPLETE || hello->server_name.len <= UINT16_MAX);
    for (size_t i = 0; result == NU_CLIENT_HELLO_COMPLETE && i < hello->protocol_count; i++)
        nu_assert(hello->protocols[i].len > 0 && hello->protocols[i].len <= UINT8_MAX);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nu_arena arena;
    struct nu_client_hello whole;
    struct nu_client_hello part;
    struct nu_str bytes = nu_str_make((const char *)data, size);
    nu_arena_init(&arena);
    enum nu_client_hello_result result = read(bytes, &whole, &arena);
    bool decided = false;
    for (size_t len = 0; len <= size && len < 600; len++) {
        enum nu_client_hello_result early = read(nu_str_first(bytes, len), &part, &arena);
        nu_assert(!decided || early == result);
        decided = early != NU_CLIENT_HELLO_PARTIAL;
        nu_assert(!decided || early == result);
    }
    if (decided && result == NU_CLIENT_HELLO_COMPLETE)
        nu_assert(nu_str_eq(part.server_name, whole.server_name) &&
                  part.protocol_count == whole.protocol_count);
    nu_arena_finish(&arena);
    return 0;
}
