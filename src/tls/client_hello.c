/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader. A ClientHello may be cut into several records, whose contents are joined first; then
 * everything is read through a cursor that cannot leave its bytes.
 */
#include "tls/client_hello.h"

enum {
    RECORD_HEAD = 5,
    RECORD_MAX = 16384 + 256,
    HANDSHAKE_HEAD = 4,
    CONTENT_HANDSHAKE = 22,
    MESSAGE_CLIENT_HELLO = 1,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_PROTOCOLS = 16,
    NAME_HOST = 0,
};

/* A cursor: `failed` once something did not fit. */
struct reader {
    struct nu_str rest;
    bool failed;
};

static uint32_t read_number(struct reader *reader, size_t bytes)
{
    uint32_t value = 0;
    if (reader->rest.len < bytes)
        reader->failed = true;
    if (reader->failed)
        return 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | (uint8_t)reader->rest.ptr[i];
    reader->rest = nu_str_skip(reader->rest, bytes);
    return value;
}

static struct nu_str read_bytes(struct reader *reader, size_t count)
{
    if (reader->rest.len < count)
        reader->failed = true;
    if (reader->failed)
        return nu_str_make(NULL, 0);
    struct nu_str bytes = nu_str_first(reader->rest, count);
    reader->rest = nu_str_skip(reader->rest, count);
    return bytes;
}

/* A vector with its length in front. */
static struct nu_str read_vector(struct reader *reader, size_t length_bytes)
{
    return read_bytes(reader, read_number(reader, length_bytes));
}

/* --- Records ---------------------------------------------------------------------------------- */

static uint8_t byte_at(struct nu_str bytes, size_t i)
{
    return (uint8_t)bytes.ptr[i];
}

/* Whether the bytes can be the beginning of a handshake record of TLS 1.x. */
static bool looks_like_tls(struct nu_str bytes)
{
    return (bytes.len < 1 || byte_at(bytes, 0) == CONTENT_HANDSHAKE) &&
           (bytes.len < 2 || byte_at(bytes, 1) == 3) && (bytes.len < 3 || byte_at(bytes, 2) <= 4);
}

/*
 * Joins the contents of the records until the handshake message is whole; it is then in `message`.
 */
static enum nu_client_hello_result join_records(struct nu_str bytes, size_t max_bytes,
                                                struct nu_strbuf *message)
{
    for (;;) {
        if (message->len >= 1 && message->data[0] != MESSAGE_CLIENT_HELLO)
            return NU_CLIENT_HELLO_MALFORMED;
        if (message->len >= HANDSHAKE_HEAD) {
            struct reader head = {.rest = nu_str_skip(nu_strbuf_str(message), 1)};
            size_t size = HANDSHAKE_HEAD + read_number(&head, 3);
            if (size > max_bytes)
                return NU_CLIENT_HELLO_TOO_LARGE;
            if (message->len >= size)
                return NU_CLIENT_HELLO_COMPLETE;
        }
        if (!looks_like_tls(bytes))
            return message->len ? NU_CLIENT_HELLO_MALFORMED : NU_CLIENT_HELLO_NOT_TLS;
        if (bytes.len < RECORD_HEAD)
            return NU_CLIENT_HELLO_PARTIAL;
        struct reader record = {.rest = nu_str_skip(bytes, 3)};
        size_t size = read_number(&record, 2);
        if (size == 0 || size > RECORD_MAX)
            return NU_CLIENT_HELLO_MALFORMED;
        nu_strbuf_add(message, nu_str_first(record.rest, size));
        if (record.rest.len < size) {
            /* What came of it may already say that the message is too large, or none. */
            bool foreign = message->len && message->data[0] != MESSAGE_CLIENT_HELLO;
            return foreign ? NU_CLIENT_HELLO_MALFORMED : NU_CLIENT_HELLO_PARTIAL;
        }
        bytes = nu_str_skip(record.rest, size);
    }
}

/* --- Extensions ------------------------------------------------------------------------------- */

static bool read_server_name(struct nu_str body, struct nu_arena *arena,
                             struct nu_client_hello *out)
{
    struct reader outer = {.rest = body};
    struct reader list = {.rest = read_vector(&outer, 2)};
    while (!outer.failed && !list.failed && list.rest.len) {
        uint32_t kind = read_number(&list, 1);
        struct nu_str name = read_vector(&list, 2);
        if (list.failed)
            return false;
        /* A NUL would make two programs see two names. */
        if (kind == NAME_HOST && name.len && nu_str_find_char(name, '\0') == NU_NPOS &&
            !out->server_name.len)
            out->server_name = nu_arena_dup(arena, name);
    }
    return !outer.failed && !list.failed;
}

static bool read_protocols(struct nu_str body, struct nu_arena *arena, struct nu_client_hello *out)
{
    enum { SHORTEST = 2 };
    struct reader outer = {.rest = body};
    struct reader list = {.rest = read_vector(&outer, 2)};
    out->protocols =
        nu_arena_alloc(arena, (list.rest.len / SHORTEST + 1) * sizeof(*out->protocols));
    out->protocol_count = 0;
    while (!outer.failed && !list.failed && list.rest.len) {
        struct nu_str name = read_vector(&list, 1);
        if (list.failed || name.len == 0)
            return false;
        out->protocols[out->protocol_count++] = nu_arena_dup(arena, name);
    }
    return !outer.failed && !list.failed;
}

static bool read_extensions(struct nu_str extensions, struct nu_arena *arena,
                            struct nu_client_hello *out)
{
    struct reader reader = {.rest = extensions};
    while (!reader.failed && reader.rest.len) {
        uint32_t kind = read_number(&reader, 2);
        struct nu_str body = read_vector(&reader, 2);
        if (reader.failed)
            return false;
        if (kind == EXTENSION_SERVER_NAME && !read_server_name(body, arena, out))
            return false;
        if (kind == EXTENSION_PROTOCOLS && !read_protocols(body, arena, out))
            return false;
    }
    return !reader.failed;
}

/* version, random, session id, cipher suites, compression methods, extensions */
static bool read_message(struct nu_str message, struct nu_arena *arena, struct nu_client_hello *out)
{
    struct reader reader = {.rest = nu_str_skip(message, 1)};
    struct reader body = {.rest = read_vector(&reader, 3)};
    read_bytes(&body, 2 + 32);
    read_vector(&body, 1);
    read_vector(&body, 2);
    read_vector(&body, 1);
    if (reader.failed || body.failed)
        return false;
    if (body.rest.len == 0)
        return true; /* TLS 1.2 without extensions */
    struct nu_str extensions = read_vector(&body, 2);
    return !body.failed && read_extensions(extensions, arena, out);
}

enum nu_client_hello_result nu_client_hello_read(struct nu_str bytes, size_t max_bytes,
                                                 struct nu_arena *arena,
                                                 struct nu_client_hello *out)
{
    struct nu_strbuf message = {0};
    memset(out, 0, sizeof(*out));
    enum nu_client_hello_result result = join_records(bytes, max_bytes, &message);
    if (result == NU_CLIENT_HELLO_COMPLETE && !read_message(nu_strbuf_str(&message), arena, out))
        result = NU_CLIENT_HELLO_MALFORMED;
    nu_strbuf_finish(&message);
    return result;
}
