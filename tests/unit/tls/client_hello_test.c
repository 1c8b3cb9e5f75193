/* SPDX-License-Identifier: Apache-2.0 */
/* ClientHellos that OpenSSL makes, whole, cut, broken up into records, and damaged. */
#include "tls/client_hello.h"

#include <openssl/ssl.h>

#include "harness/test.h"

enum { MAX = 16384 };

/* The first bytes that a client of OpenSSL sends. */
static struct nu_str make_hello(struct nu_arena *arena, const char *name, const char *alpn)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
    if (name)
        SSL_set_tlsext_host_name(ssl, name);
    if (alpn)
        SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    SSL_connect(ssl);
    char *data;
    long len = BIO_get_mem_data(out, &data);
    struct nu_str copy = nu_arena_dup(arena, nu_str_make(data, (size_t)len));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return copy;
}

/* The same message in records of `size` bytes. */
static struct nu_str cut_into_records(struct nu_arena *arena, struct nu_str hello, size_t size)
{
    struct nu_str message = nu_str_skip(hello, 5);
    char *out = nu_arena_alloc(arena, message.len * 6 + 5);
    size_t len = 0;
    while (message.len) {
        struct nu_str piece = nu_str_first(message, size);
        memcpy(out + len, hello.ptr, 3);
        out[len + 3] = (char)(piece.len >> 8);
        out[len + 4] = (char)piece.len;
        memcpy(out + len + 5, piece.ptr, piece.len);
        len += 5 + piece.len;
        message = nu_str_skip(message, size);
    }
    return nu_str_make(out, len);
}

static enum nu_client_hello_result read(struct nu_str bytes, struct nu_arena *arena,
                                        struct nu_client_hello *hello)
{
    return nu_client_hello_read(bytes, MAX, arena, hello);
}

TEST(names_are_read_at_every_cut)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_client_hello hello;
    struct nu_str bytes = make_hello(&arena, "a.test", "\x02h2\x08http/1.1");
    for (size_t i = 0; i < bytes.len; i++)
        assert_int_equal(read(nu_str_first(bytes, i), &arena, &hello), NU_CLIENT_HELLO_PARTIAL);
    assert_int_equal(read(bytes, &arena, &hello), NU_CLIENT_HELLO_COMPLETE);
    assert_str(hello.server_name, "a.test");
    assert_int_equal(hello.protocol_count, 2);
    assert_str(hello.protocols[0], "h2");
    assert_str(hello.protocols[1], "http/1.1");
    nu_arena_finish(&arena);
}

TEST(a_hello_without_names)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_client_hello hello;
    assert_int_equal(read(make_hello(&arena, NULL, NULL), &arena, &hello),
                     NU_CLIENT_HELLO_COMPLETE);
    assert_int_equal(hello.server_name.len, 0);
    assert_int_equal(hello.protocol_count, 0);
    nu_arena_finish(&arena);
}

TEST(records_of_any_size_are_joined)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_client_hello hello;
    struct nu_str bytes = make_hello(&arena, "b.test", NULL);
    for (size_t size = 1; size < 40; size += 3) {
        struct nu_str cut = cut_into_records(&arena, bytes, size);
        assert_int_equal(read(cut, &arena, &hello), NU_CLIENT_HELLO_COMPLETE);
        assert_str(hello.server_name, "b.test");
        assert_int_equal(read(nu_str_first(cut, cut.len - 1), &arena, &hello),
                         NU_CLIENT_HELLO_PARTIAL);
    }
    nu_arena_finish(&arena);
}

TEST(other_bytes_are_no_tls)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_client_hello hello;
    assert_int_equal(read(NU_STR("GET / HTTP/1.1\r\n"), &arena, &hello), NU_CLIENT_HELLO_NOT_TLS);
    assert_int_equal(read(NU_STR("\x16\x02"), &arena, &hello), NU_CLIENT_HELLO_NOT_TLS);
    assert_int_equal(read(NU_STR("\x16\x03\x01\x00\x04\x02\x00\x00\x00"), &arena, &hello),
                     NU_CLIENT_HELLO_MALFORMED);
    assert_int_equal(read(NU_STR("\x16\x03\x01\x00\x00"), &arena, &hello),
                     NU_CLIENT_HELLO_MALFORMED);
    nu_arena_finish(&arena);
}

TEST(a_hello_over_the_limit_is_told_from_its_length)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_client_hello hello;
    assert_int_equal(
        nu_client_hello_read(NU_STR("\x16\x03\x01\x10\x00\x01\x00\x40\x00"), 256, &arena, &hello),
        NU_CLIENT_HELLO_PARTIAL);
    struct nu_str bytes = make_hello(&arena, "a.test", NULL);
    assert_int_equal(nu_client_hello_read(bytes, 100, &arena, &hello), NU_CLIENT_HELLO_TOO_LARGE);
    nu_arena_finish(&arena);
}

TEST(every_damaged_byte_gives_some_verdict)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_client_hello hello;
    struct nu_str bytes = make_hello(&arena, "a.test", "\x02h2");
    for (size_t i = 0; i < bytes.len; i++) {
        char *p = nu_unconst(bytes.ptr);
        for (int bit = 0; bit < 8; bit++) {
            p[i] ^= (char)(1 << bit);
            enum nu_client_hello_result result = read(bytes, &arena, &hello);
            assert_in_range(result, NU_CLIENT_HELLO_COMPLETE, NU_CLIENT_HELLO_TOO_LARGE);
            p[i] ^= (char)(1 << bit);
        }
    }
    nu_arena_finish(&arena);
}

TEST_MAIN()
