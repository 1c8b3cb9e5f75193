/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's content types, statuses, messages and timeouts. */
#include "http/grpc.h"

#include "http/headers.h"

enum { TIMEOUT_VALUE_MAX = 99999999 };

bool nu_grpc_is_content_type(struct nu_str content_type)
{
    struct nu_str base = NU_STR("application/grpc");
    return nu_str_starts_with(content_type, base) &&
           (content_type.len == base.len || content_type.ptr[base.len] == '+');
}

enum nu_grpc_status nu_grpc_status_from_http(unsigned status)
{
    switch (status) {
    case 400:
        return NU_GRPC_INTERNAL;
    case 401:
        return NU_GRPC_UNAUTHENTICATED;
    case 403:
        return NU_GRPC_PERMISSION_DENIED;
    case 404:
        return NU_GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return NU_GRPC_UNAVAILABLE;
    default:
        return NU_GRPC_UNKNOWN;
    }
}

unsigned nu_grpc_status_to_http(enum nu_grpc_status status)
{
    static const uint16_t codes[NU_GRPC_STATUS_COUNT] = {
        [NU_GRPC_OK] = 200,
        [NU_GRPC_CANCELED] = 499,
        [NU_GRPC_UNKNOWN] = 500,
        [NU_GRPC_INVALID_ARGUMENT] = 400,
        [NU_GRPC_DEADLINE_EXCEEDED] = 504,
        [NU_GRPC_NOT_FOUND] = 404,
        [NU_GRPC_ALREADY_EXISTS] = 409,
        [NU_GRPC_PERMISSION_DENIED] = 403,
        [NU_GRPC_RESOURCE_EXHAUSTED] = 429,
        [NU_GRPC_FAILED_PRECONDITION] = 400,
        [NU_GRPC_ABORTED] = 409,
        [NU_GRPC_OUT_OF_RANGE] = 400,
        [NU_GRPC_UNIMPLEMENTED] = 501,
        [NU_GRPC_INTERNAL] = 500,
        [NU_GRPC_UNAVAILABLE] = 503,
        [NU_GRPC_DATA_LOSS] = 500,
        [NU_GRPC_UNAUTHENTICATED] = 401,
    };
    return (unsigned)status < NU_GRPC_STATUS_COUNT ? codes[status] : 500;
}

/* False if there is no grpc-status, or an empty one. */
static bool status_of_map(const struct nu_headers *headers, int64_t *out)
{
    if (!headers)
        return false;
    struct nu_str text = nu_headers_get_id(headers, NU_HEADER_GRPC_STATUS);
    if (text.len == 0)
        return false;
    uint64_t number;
    bool is_number = nu_str_to_u64(text, &number) == NU_OK && number <= INT64_MAX;
    *out = is_number ? (int64_t)number : -1;
    return true;
}

bool nu_grpc_response_status(const struct nu_headers *trailers, const struct nu_headers *headers,
                             unsigned http_status, int64_t *out)
{
    if (status_of_map(trailers, out) || status_of_map(headers, out))
        return true;
    *out = (int64_t)nu_grpc_status_from_http(http_status);
    return http_status != 0;
}

static bool needs_escape(char c)
{
    return c < ' ' || c > '}' || c == '%';
}

struct nu_str nu_grpc_message_encode(struct nu_arena *arena, struct nu_str message)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t escapes = 0;
    for (size_t i = 0; i < message.len; i++)
        escapes += needs_escape(message.ptr[i]);
    if (escapes == 0)
        return message;
    char *out = nu_arena_alloc(arena, message.len + escapes * 2);
    size_t len = 0;
    for (size_t i = 0; i < message.len; i++) {
        char c = message.ptr[i];
        if (!needs_escape(c)) {
            out[len++] = c;
            continue;
        }
        out[len++] = '%';
        out[len++] = digits[(unsigned char)c >> 4];
        out[len++] = digits[(unsigned char)c & 15];
    }
    return nu_str_make(out, len);
}

/* `value` times or divided by what makes milliseconds of the unit, rounded up; false: no unit. */
static bool scale(uint64_t value, char unit, uint64_t *timeout_ms)
{
    switch (unit) {
    case 'H':
        *timeout_ms = value * 60 * 60 * 1000;
        return true;
    case 'M':
        *timeout_ms = value * 60 * 1000;
        return true;
    case 'S':
        *timeout_ms = value * 1000;
        return true;
    case 'm':
        *timeout_ms = value;
        return true;
    case 'u':
        *timeout_ms = (value + 999) / 1000;
        return true;
    case 'n':
        *timeout_ms = (value + 999999) / 1000000;
        return true;
    default:
        return false;
    }
}

bool nu_grpc_timeout_parse(struct nu_str value, uint64_t *timeout_ms)
{
    if (value.len == 0)
        return false;
    char unit = value.ptr[value.len - 1];
    int64_t number;
    if (nu_str_to_i64(nu_str_trim(nu_str_first(value, value.len - 1)), &number) != NU_OK ||
        number < 0 || number > TIMEOUT_VALUE_MAX)
        return false;
    return scale((uint64_t)number, unit, timeout_ms);
}

size_t nu_grpc_timeout_format(uint64_t timeout_ms, char out[NU_GRPC_TIMEOUT_LEN_MAX])
{
    static const struct {
        char unit;
        uint16_t next; /* how many of it make the next unit; 0 for the last */
    } units[] = {{'m', 1000}, {'S', 60}, {'M', 60}, {'H', 0}};
    uint64_t value = timeout_ms;
    size_t i = 0;
    for (; value > TIMEOUT_VALUE_MAX && units[i].next; i++)
        value /= units[i].next;
    size_t len = nu_u64_to_chars(value > TIMEOUT_VALUE_MAX ? TIMEOUT_VALUE_MAX : value, out);
    out[len++] = units[i].unit;
    return len;
}
