/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prime authorizer. A token is judged once, when the headers come: it must be there, once, a
 * number as Rust's u64 parser reads it, and a prime. Everything else is refused, or in shadow mode
 * only counted; what was found stands in the dynamic metadata for logs.
 */
#include "filters/http/prime_authz/prime_authz.h"

#include "config/values.h"
#include "format/format_from_proto.h"
#include "prime/decimal.h"
#include "prime/prime.h"
#include "prime/token.h"
#include "stats/http_stats.h"
#include "stats/stats.h"

#include "nuncio/filters/http/prime_authz/v1/prime_authz.pb-c.h"

typedef Nuncio__Filters__Http__PrimeAuthz__V1__PrimeAuthz prime_proto;
typedef Nuncio__Filters__Http__PrimeAuthz__V1__PrimeAuthzPerRoute route_proto;
typedef Envoy__Config__Core__V3__HeaderValueOption option_proto;
typedef Envoy__Config__Core__V3__HeaderValue header_proto;

enum { U64_DIGITS = 20 };

struct prime_config {
    struct nu_str header;
    enum nu_header_id header_id; /* NU_HEADER_OTHER for a name without a number */
    uint32_t status;
    struct nu_str body;
    const struct nu_reply_header *reply_headers;
    size_t reply_header_count;
    uint32_t max_digits; /* U64_DIGITS: 64-bit numbers only */
    bool remove_token;
    bool shadow;
    bool disabled;             /* per route */
    struct nu_stat_set *stats; /* http.PREFIX.prime_authz. */
};

/* What a token turned out to be; the names are what logs print. */
enum verdict {
    PRIME,
    NOT_PRIME,
    MISSING,
    REPEATED,
    MALFORMED,
    TOO_LARGE,
};

static const struct nu_str verdict_names[] = {
    [PRIME] = NU_STR_INIT("prime"),         [NOT_PRIME] = NU_STR_INIT("not_prime"),
    [MISSING] = NU_STR_INIT("missing"),     [REPEATED] = NU_STR_INIT("repeated"),
    [MALFORMED] = NU_STR_INIT("malformed"), [TOO_LARGE] = NU_STR_INIT("too_large"),
};

static const struct prime_config *config_of(const struct nu_filter *self)
{
    return self->route_config ? self->route_config : self->config;
}

static struct nu_str find_token(const struct prime_config *config, const struct nu_headers *headers)
{
    if (config->header_id)
        return nu_headers_get_id(headers, config->header_id);
    return nu_headers_get(headers, config->header);
}

static bool is_repeated(const struct prime_config *config, const struct nu_headers *headers)
{
    return nu_headers_count_of(headers, config->header) > 1;
}

static enum verdict judge_number(const struct prime_config *config, struct nu_str token)
{
    struct nu_prime_token number;
    bool is_prime = false;
    switch (nu_prime_parse_token(token, config->max_digits, &number)) {
    case NU_OK:
        return nu_prime_is_prime_u64(number.value) ? PRIME : NOT_PRIME;
    case NU_INVALID:
        return MALFORMED;
    case NU_OVERFLOW:
        if (config->max_digits <= U64_DIGITS)
            return TOO_LARGE;
        if (nu_prime_is_prime_decimal(number.digits, config->max_digits, &is_prime) != NU_OK)
            return TOO_LARGE;
        return is_prime ? PRIME : NOT_PRIME;
    default:
        return TOO_LARGE;
    }
}

static enum verdict judge(const struct prime_config *config, const struct nu_headers *headers)
{
    struct nu_str token = find_token(config, headers);
    if (!token.ptr)
        return MISSING;
    if (is_repeated(config, headers))
        return REPEATED;
    return judge_number(config, token);
}

static void count(const struct prime_config *config, enum verdict verdict)
{
    struct nu_prime_authz_stats *stats = nu_stat_set_block(config->stats);
    nu_counter_inc(verdict == PRIME ? &stats->allowed : &stats->denied);
    if (verdict == MISSING)
        nu_counter_inc(&stats->missing);
    else if (verdict == MALFORMED || verdict == REPEATED || verdict == TOO_LARGE)
        nu_counter_inc(&stats->malformed);
}

static void deny(struct nu_filter *self, const struct prime_config *config)
{
    struct nu_reply reply = {
        .status = config->status,
        .body = config->body,
        .details = NU_STR("prime_authz_denied"),
        .headers = config->reply_headers,
        .header_count = config->reply_header_count,
        .grpc_status = -1,
    };
    nu_filter_reply_with(self, &reply);
}

static enum nu_headers_status decode_headers(struct nu_filter *self, struct nu_headers *headers,
                                             bool end)
{
    (void)end;
    const struct prime_config *config = config_of(self);
    if (config->disabled)
        return NU_HEADERS_CONTINUE;
    enum verdict verdict = judge(config, headers);
    count(config, verdict);
    nu_filter_set_metadata_string(self, NU_STR("nuncio.filters.http.prime_authz"),
                                  NU_STR("verdict"), verdict_names[verdict]);
    if (verdict != PRIME && !config->shadow) {
        deny(self, config);
        return NU_HEADERS_STOP;
    }
    if (config->remove_token)
        nu_headers_remove(headers, config->header);
    return NU_HEADERS_CONTINUE;
}

static const struct nu_filter_class prime_authz_class = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "nuncio.filters.http.prime_authz",
    .instance_size = sizeof(struct nu_filter),
    .decode_headers = decode_headers,
};

/* --- Configuration ---------------------------------------------------------------------------- */

static const struct nu_reply_header powered_by = {NU_STR_INIT("powered-by"), NU_STR_INIT("nuncio")};

#define ONLY_IF(action) ENVOY__CONFIG__CORE__V3__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__##action

/* A reply is made of its headers: there is nothing before it to append to, or to overwrite. */
static void check_action(struct nu_factory *factory, const option_proto *proto)
{
    if (proto->append_action == ONLY_IF(ADD_IF_ABSENT) ||
        proto->append_action == ONLY_IF(OVERWRITE_IF_EXISTS))
        nu_config_error(factory->ctx, proto, "append_action",
                        "has no meaning here: the headers of a refusal are set as they stand");
    if (proto->header->raw_value.len)
        nu_config_error(factory->ctx, proto->header, "raw_value",
                        "is not supported here; use value");
}

/* TE is for requests only, and none but "trailers" may be in it (RFC 9113 8.2.2). */
#define PROTECTED(X) \
    NU_FRAMING_HEADERS(X) \
    X(CONTENT_LENGTH) \
    X(HOST) \
    X(TE)

static bool is_protected(struct nu_str name)
{
    static const struct nu_header_set protected = NU_HEADER_SET_OF(PROTECTED);
    return name.ptr[0] == ':' || nu_header_set_has(&protected, nu_header_id_of(name));
}

/* Values may have %% for %, as everywhere; operators are for logs and routes. */
static struct nu_str read_value(struct nu_factory *factory, const header_proto *header)
{
    static const struct nu_format_options options = {.is_header = true};
    struct nu_str text = {0};
    const struct nu_formatter *formatter = nu_formatter_from_text(
        factory->ctx, header, "value", nu_str_from(header->value), &options, factory->arena);
    if (formatter && !nu_formatter_is_plain(formatter, &text))
        nu_config_error(
            factory->ctx, header, "value",
            "operators are not evaluated here; response_headers_to_add of the route are");
    return text;
}

/* False for a header that is not there: an empty one that is not kept. */
static bool read_reply_header(struct nu_factory *factory, const option_proto *proto,
                              struct nu_reply_header *out)
{
    struct nu_str name = nu_arena_dup(factory->arena, nu_str_from(proto->header->key));
    nu_header_name_lower(nu_unconst(name.ptr), name.len);
    if (is_protected(name))
        nu_config_error(factory->ctx, proto->header, "key",
                        ":-prefixed, host and framing headers may not be modified: '%s'",
                        proto->header->key);
    check_action(factory, proto);
    out->name = name;
    out->value = read_value(factory, proto->header);
    return out->value.len || proto->keep_empty_value;
}

static void read_reply_headers(struct nu_factory *factory, const prime_proto *proto,
                               struct prime_config *config)
{
    size_t count = proto->n_response_headers_to_add;
    config->reply_headers = &powered_by;
    config->reply_header_count = 1;
    if (count == 0)
        return;
    struct nu_reply_header *headers = nu_arena_alloc(factory->arena, count * sizeof(*headers));
    config->reply_headers = headers;
    config->reply_header_count = 0;
    for (size_t i = 0; i < count; i++) {
        const option_proto *option = proto->response_headers_to_add[i];
        if (option->header &&
            read_reply_header(factory, option, &headers[config->reply_header_count]))
            config->reply_header_count++;
    }
}

static void read_header(struct nu_factory *factory, const prime_proto *proto,
                        struct prime_config *config)
{
    config->header =
        nu_arena_dup(factory->arena, nu_str_from(proto->header[0] ? proto->header : "token"));
    nu_header_name_lower(nu_unconst(config->header.ptr), config->header.len);
    config->header_id = nu_header_id_of(config->header);
    if (is_protected(config->header))
        nu_config_error(factory->ctx, proto, "header",
                        "a token is not looked for in :-prefixed, host and framing headers");
}

/* Measured: 10 ms for a prime of 300 digits, and the cube of the digits from there on. */
static void warn_of_long_tokens(struct nu_factory *factory, const prime_proto *proto)
{
    enum { HARMLESS = 300, HARMLESS_MS = 10 };
    uint64_t digits = proto->max_digits;
    if (digits <= HARMLESS)
        return;
    uint64_t ms = HARMLESS_MS * digits * digits * digits / HARMLESS / HARMLESS / HARMLESS;
    nu_config_warn(
        factory->ctx, proto, "max_digits",
        "a prime of %u digits keeps its worker busy for about %u ms, and whoever else it "
        "serves waits",
        (unsigned)digits, (unsigned)ms);
}

static struct prime_config *read_config(struct nu_factory *factory, const prime_proto *proto)
{
    struct nu_arena *arena = factory->arena;
    struct prime_config *config = nu_arena_calloc(arena, sizeof(*config));
    read_header(factory, proto, config);
    config->status = proto->status ? proto->status : 403;
    config->body = nu_arena_dup(arena, nu_string_or(proto->body, NU_STR("Access forbidden.\n")));
    config->max_digits = proto->max_digits > U64_DIGITS ? proto->max_digits : U64_DIGITS;
    warn_of_long_tokens(factory, proto);
    config->remove_token = proto->remove_token;
    config->shadow = proto->shadow;
    read_reply_headers(factory, proto, config);
    const char *prefix =
        nu_arena_printf(arena, "%.*s.prime_authz", NU_STR_ARG(factory->http_stat_prefix));
    config->stats =
        nu_stat_set_create(factory->stats, &nu_prime_authz_stats_table, nu_str_from(prefix));
    return config;
}

static bool create(struct nu_factory *factory, const ProtobufCMessage *message,
                   const struct nu_filter_class **cls, const void **out)
{
    *cls = &prime_authz_class;
    *out = read_config(factory, (const void *)message);
    return true;
}

#define PER_ROUTE(name) \
    NUNCIO__FILTERS__HTTP__PRIME_AUTHZ__V1__PRIME_AUTHZ_PER_ROUTE__OVERRIDE_##name

static bool create_route(struct nu_factory *factory, const ProtobufCMessage *message,
                         const struct nu_filter_class **cls, const void **out)
{
    const route_proto *proto = (const void *)message;
    if (proto->override_case == PER_ROUTE(OVERRIDES))
        return create(factory, &proto->overrides->base, cls, out);
    struct prime_config *config = nu_arena_calloc(factory->arena, sizeof(*config));
    config->disabled = true;
    *cls = &prime_authz_class;
    *out = config;
    return true;
}

const struct nu_filter_factory nu_prime_authz_factory = {
    .name = "nuncio.filters.http.prime_authz",
    .type = "nuncio.filters.http.prime_authz.v1.PrimeAuthz",
    .route_type = "nuncio.filters.http.prime_authz.v1.PrimeAuthzPerRoute",
    .create = create,
    .create_route = create_route,
};
