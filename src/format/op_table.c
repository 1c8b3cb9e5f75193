/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operator by name: what may stand behind it, what finds its value. An operator that Envoy
 * knows and that has no value here is nu_op_missing; a name that is not here is an error.
 */
#include "format/format_internal.h"
#include "http/ssl_info.h"
#include "http/stream_info.h"

enum op_syntax {
    SYNTAX_BARE = 0, /* neither arguments nor a length */
    SYNTAX_ARGS = 1 << 0,
    SYNTAX_MAYBE_ARGS = 1 << 1,
    SYNTAX_LENGTH = 1 << 2,
    SYNTAX_ANY = SYNTAX_MAYBE_ARGS | SYNTAX_LENGTH,
};

struct op_entry {
    struct nu_str name;
    unsigned syntax;
    nu_op_fn fn;
    nu_op_args_fn *args;
    unsigned variant;
    unsigned detail;
    size_t offset;
    size_t second;
    unsigned needs;
};

#define INFO(member) offsetof(struct nu_stream_info, member)
#define UPSTREAM(member) offsetof(struct nu_stream_info, upstream.member)
#define CONNECTION(member) offsetof(struct nu_connection_info, member)

#define OP(text, function, ...) \
    { \
        .name = NU_STR_INIT(text), .fn = (function), __VA_ARGS__ \
    }
#define MEMBER(text, function, member) OP(text, function, .offset = (member))
#define NUMBER(text, member) MEMBER(text, nu_op_u64, member)
#define MISSING(text) OP(text, nu_op_missing, .syntax = SYNTAX_BARE)
#define ELAPSED(text, to, from) OP(text, nu_op_elapsed, .offset = (to), .second = (from))
#define TIME(text, function, is_local) \
    OP(text, function, .syntax = SYNTAX_MAYBE_ARGS, .args = nu_args_time, .variant = (is_local))
#define HEADER(text, arguments, map) \
    OP(text, nu_op_header, .syntax = SYNTAX_ARGS | SYNTAX_LENGTH, .args = (arguments), \
       .variant = (map))
#define SSL_TEXT(text, which, side) OP(text, nu_op_ssl_text, .variant = (which), .detail = (side))
#define SSL_LIST(text, which, side) OP(text, nu_op_ssl_list, .variant = (which), .detail = (side))
#define SSL_TIME(text, function, side) \
    OP(text, function, .syntax = SYNTAX_MAYBE_ARGS, .args = nu_args_time, .detail = (side))
#define METADATA(text, source) \
    OP(text, nu_op_metadata, .syntax = SYNTAX_ARGS, .args = nu_args_metadata, .variant = (source))
#define ADDRESS(text, source, needed) \
    OP(text "_ADDRESS", nu_op_address, .variant = (source), .detail = NU_ADDR_WITH_PORT, \
       .needs = (needed)), \
        OP(text "_ADDRESS_WITHOUT_PORT", nu_op_address, .variant = (source), \
           .detail = NU_ADDR_WITHOUT_PORT, .needs = (needed)), \
        OP(text "_PORT", nu_op_address, .variant = (source), .detail = NU_ADDR_PORT, \
           .needs = (needed))
#define HEADER_BYTES(side, direction, member_of, suffix) \
    NUMBER(side "_WIRE_BYTES_" direction, member_of(wire_bytes_##suffix)), \
        NUMBER(side "_HEADER_BYTES_" direction, member_of(header_bytes_##suffix)), \
        OP(side "_DECOMPRESSED_HEADER_BYTES_" direction, nu_op_u64_or, \
           .offset = member_of(decompressed_header_bytes_##suffix), \
           .second = member_of(header_bytes_##suffix))

static const struct op_entry operators[] = {
    /* The request, the response */
    HEADER("REQ", nu_args_request_header, NU_MAP_REQUEST),
    HEADER("RESP", nu_args_header, NU_MAP_RESPONSE),
    HEADER("TRAILER", nu_args_header, NU_MAP_TRAILER),
    HEADER("STREAM_INFO_REQ", nu_args_request_header, NU_MAP_REQUEST),
    OP("REQ_WITHOUT_QUERY", nu_op_header, .syntax = SYNTAX_ANY, .args = nu_args_header_extension,
       .variant = NU_MAP_REQUEST, .detail = NU_QUERY_WITHOUT),
    OP("PATH", nu_op_path, .syntax = SYNTAX_MAYBE_ARGS | SYNTAX_LENGTH, .args = nu_args_path),
    OP("QUERY_PARAM", nu_op_query_param, .syntax = SYNTAX_ARGS | SYNTAX_LENGTH,
       .args = nu_args_query),
    OP("XFCC_VALUE", nu_op_xfcc, .syntax = SYNTAX_ANY, .args = nu_args_xfcc),
    OP("REQUEST_HEADERS_BYTES", nu_op_header_bytes, .variant = NU_MAP_REQUEST),
    OP("RESPONSE_HEADERS_BYTES", nu_op_header_bytes, .variant = NU_MAP_RESPONSE),
    OP("RESPONSE_TRAILERS_BYTES", nu_op_header_bytes, .variant = NU_MAP_TRAILER),
    MEMBER("PROTOCOL", nu_op_protocol, INFO(protocol)),
    MEMBER("RESPONSE_CODE", nu_op_u32, INFO(response_code)),
    OP("RESPONSE_CODE_DETAILS", nu_op_response_code_details, .syntax = SYNTAX_MAYBE_ARGS,
       .args = nu_args_details),
    OP("RESPONSE_FLAGS", nu_op_response_flags, .variant = 0),
    OP("RESPONSE_FLAGS_LONG", nu_op_response_flags, .variant = 1),
    MEMBER("CUSTOM_FLAGS", nu_op_text_even_empty, INFO(custom_flags)),
    OP("GRPC_STATUS", nu_op_grpc_status, .syntax = SYNTAX_MAYBE_ARGS, .args = nu_args_grpc),
    OP("GRPC_STATUS_NUMBER", nu_op_grpc_status, .variant = NU_GRPC_NUMBER),
    OP("LOCAL_REPLY_BODY", nu_op_local_reply_body, .syntax = SYNTAX_BARE),
    OP("ACCESS_LOG_TYPE", nu_op_log_type, .syntax = SYNTAX_BARE),

    /* Times */
    TIME("START_TIME", nu_op_start_time, 0),
    TIME("START_TIME_LOCAL", nu_op_start_time, 1),
    TIME("EMIT_TIME", nu_op_emit_time, 0),
    TIME("EMIT_TIME_LOCAL", nu_op_emit_time, 1),
    OP("DURATION", nu_op_duration, .syntax = SYNTAX_BARE),
    OP("COMMON_DURATION", nu_op_elapsed, .syntax = SYNTAX_ARGS, .args = nu_args_duration),
    ELAPSED("REQUEST_DURATION", INFO(rx_end_us), INFO(start_us)),
    ELAPSED("REQUEST_TX_DURATION", UPSTREAM(last_tx_us), INFO(start_us)),
    ELAPSED("RESPONSE_DURATION", UPSTREAM(first_rx_us), INFO(start_us)),
    ELAPSED("RESPONSE_TX_DURATION", INFO(tx_last_us), UPSTREAM(first_rx_us)),
    ELAPSED("UPSTREAM_CONNECTION_POOL_READY_DURATION", UPSTREAM(pool_ready_us),
            UPSTREAM(pool_start_us)),
    MISSING("DOWNSTREAM_HANDSHAKE_DURATION"),
    MISSING("ROUNDTRIP_DURATION"),

    /* Bytes */
    NUMBER("BYTES_RECEIVED", INFO(bytes_received)),
    NUMBER("BYTES_SENT", INFO(bytes_sent)),
    NUMBER("BYTES_RETRANSMITTED", INFO(retransmitted_bytes)),
    NUMBER("PACKETS_RETRANSMITTED", INFO(retransmitted_packets)),
    HEADER_BYTES("DOWNSTREAM", "RECEIVED", INFO, received),
    HEADER_BYTES("DOWNSTREAM", "SENT", INFO, sent),
    HEADER_BYTES("UPSTREAM", "RECEIVED", UPSTREAM, received),
    HEADER_BYTES("UPSTREAM", "SENT", UPSTREAM, sent),

    /* Names and numbers */
    MEMBER("STREAM_ID", nu_op_text, INFO(request_id)),
    MEMBER("TRACE_ID", nu_op_text, INFO(trace_id)),
    OP("UNIQUE_ID", nu_op_unique_id, .syntax = SYNTAX_BARE),
    MEMBER("ROUTE_NAME", nu_op_text, INFO(route_name)),
    MEMBER("VIRTUAL_CLUSTER_NAME", nu_op_text, INFO(virtual_cluster_name)),
    MEMBER("FILTER_CHAIN_NAME", nu_op_connection_text, CONNECTION(filter_chain_name)),
    OP("CONNECTION_ID", nu_op_connection_id, .syntax = SYNTAX_BARE),
    MEMBER("CONNECTION_TERMINATION_DETAILS", nu_op_connection_text,
           CONNECTION(termination_details)),
    MEMBER("REQUESTED_SERVER_NAME", nu_op_server_name, CONNECTION(requested_server_name)),
    OP("HOSTNAME", NULL, .args = nu_args_hostname),
    OP("ENVIRONMENT", NULL, .syntax = SYNTAX_ARGS | SYNTAX_LENGTH, .args = nu_args_environment),

    /* Addresses */
    ADDRESS("DOWNSTREAM_REMOTE", NU_ADDR_REMOTE, 0),
    ADDRESS("DOWNSTREAM_DIRECT_REMOTE", NU_ADDR_DIRECT_REMOTE, 0),
    ADDRESS("DOWNSTREAM_LOCAL", NU_ADDR_LOCAL, NU_FORMAT_NEEDS_LOCAL_ADDRESS),
    ADDRESS("DOWNSTREAM_DIRECT_LOCAL", NU_ADDR_DIRECT_LOCAL, NU_FORMAT_NEEDS_LOCAL_ADDRESS),
    ADDRESS("UPSTREAM_LOCAL", NU_ADDR_UPSTREAM_LOCAL, 0),
    ADDRESS("UPSTREAM_REMOTE", NU_ADDR_UPSTREAM_REMOTE, 0),

    /* The upstream */
    OP("UPSTREAM_HOST", nu_op_address, .variant = NU_ADDR_UPSTREAM_HOST,
       .detail = NU_ADDR_WITH_PORT),
    OP("UPSTREAM_HOST_NAME", nu_op_host_name, .detail = NU_ADDR_WITH_PORT),
    OP("UPSTREAM_HOST_NAME_WITHOUT_PORT", nu_op_host_name, .detail = NU_ADDR_WITHOUT_PORT),
    MEMBER("UPSTREAM_CLUSTER", nu_op_text, UPSTREAM(cluster_observability)),
    MEMBER("UPSTREAM_CLUSTER_RAW", nu_op_text, UPSTREAM(cluster)),
    NUMBER("UPSTREAM_CONNECTION_ID", UPSTREAM(connection_id)),
    MEMBER("UPSTREAM_PROTOCOL", nu_op_protocol, UPSTREAM(protocol)),
    MEMBER("UPSTREAM_REQUEST_ATTEMPT_COUNT", nu_op_u32, UPSTREAM(attempt_count)),
    MEMBER("UPSTREAM_TRANSPORT_FAILURE_REASON", nu_op_text_no_space,
           UPSTREAM(transport_failure_reason)),
    MEMBER("DOWNSTREAM_TRANSPORT_FAILURE_REASON", nu_op_connection_text_no_space,
           CONNECTION(transport_failure_reason)),

    /* Metadata and filter state */
    METADATA("DYNAMIC_METADATA", NU_METADATA_DYNAMIC),
    METADATA("CLUSTER_METADATA", NU_METADATA_CLUSTER),
    METADATA("UPSTREAM_METADATA", NU_METADATA_UPSTREAM_HOST),
    OP("METADATA", nu_op_metadata, .syntax = SYNTAX_ANY, .args = nu_args_typed_metadata),
    OP("FILTER_STATE", nu_op_filter_state, .syntax = SYNTAX_ANY, .args = nu_args_filter_state,
       .detail = NU_STATE_DOWNSTREAM),
    OP("UPSTREAM_FILTER_STATE", nu_op_filter_state, .syntax = SYNTAX_ANY,
       .args = nu_args_filter_state, .detail = NU_STATE_UPSTREAM),
    OP("CEL", NULL, .syntax = SYNTAX_ANY, .args = nu_args_cel),

    /* TLS */
    SSL_TEXT("DOWNSTREAM_TLS_CIPHER", NU_SSL_CIPHER, NU_SSL_DOWNSTREAM),
    SSL_TEXT("DOWNSTREAM_TLS_SESSION_ID", NU_SSL_SESSION_ID, NU_SSL_DOWNSTREAM),
    SSL_TEXT("DOWNSTREAM_TLS_VERSION", NU_SSL_VERSION, NU_SSL_DOWNSTREAM),
    SSL_LIST("DOWNSTREAM_LOCAL_DNS_SAN", NU_SSL_LOCAL_DNS, NU_SSL_DOWNSTREAM),
    SSL_LIST("DOWNSTREAM_LOCAL_EMAIL_SAN", NU_SSL_LOCAL_EMAIL, NU_SSL_DOWNSTREAM),
    SSL_LIST("DOWNSTREAM_LOCAL_IP_SAN", NU_SSL_LOCAL_IP, NU_SSL_DOWNSTREAM),
    SSL_LIST("DOWNSTREAM_LOCAL_OTHERNAME_SAN", NU_SSL_LOCAL_OTHER_NAME, NU_SSL_DOWNSTREAM),
    SSL_TEXT("DOWNSTREAM_LOCAL_SUBJECT", NU_SSL_LOCAL_SUBJECT, NU_SSL_DOWNSTREAM),
    SSL_LIST("DOWNSTREAM_LOCAL_URI_SAN", NU_SSL_LOCAL_URI, NU_SSL_DOWNSTREAM),
    SSL_TEXT("DOWNSTREAM_PEER_CERT", NU_SSL_PEER_CERT, NU_SSL_DOWNSTREAM),
    SSL_TIME("DOWNSTREAM_PEER_CERT_V_START", nu_op_ssl_valid_from, NU_SSL_DOWNSTREAM),
    SSL_TIME("DOWNSTREAM_PEER_CERT_V_END", nu_op_ssl_valid_until, NU_SSL_DOWNSTREAM),
    SSL_LIST("DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1", NU_SSL_PEER_CHAIN_SHA1, NU_SSL_DOWNSTREAM),
    SSL_LIST("DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256", NU_SSL_PEER_CHAIN_SHA256, NU_SSL_DOWNSTREAM),
    SSL_LIST("DOWNSTREAM_PEER_CHAIN_SERIALS", NU_SSL_PEER_CHAIN_SERIALS, NU_SSL_DOWNSTREAM),
    SSL_LIST("DOWNSTREAM_PEER_DNS_SAN", NU_SSL_PEER_DNS, NU_SSL_DOWNSTREAM),
    SSL_LIST("DOWNSTREAM_PEER_EMAIL_SAN", NU_SSL_PEER_EMAIL, NU_SSL_DOWNSTREAM),
    SSL_TEXT("DOWNSTREAM_PEER_FINGERPRINT_1", NU_SSL_PEER_SHA1, NU_SSL_DOWNSTREAM),
    SSL_TEXT("DOWNSTREAM_PEER_FINGERPRINT_256", NU_SSL_PEER_SHA256, NU_SSL_DOWNSTREAM),
    SSL_LIST("DOWNSTREAM_PEER_IP_SAN", NU_SSL_PEER_IP, NU_SSL_DOWNSTREAM),
    SSL_TEXT("DOWNSTREAM_PEER_ISSUER", NU_SSL_PEER_ISSUER, NU_SSL_DOWNSTREAM),
    SSL_LIST("DOWNSTREAM_PEER_OTHERNAME_SAN", NU_SSL_PEER_OTHER_NAME, NU_SSL_DOWNSTREAM),
    SSL_TEXT("DOWNSTREAM_PEER_SERIAL", NU_SSL_PEER_SERIAL, NU_SSL_DOWNSTREAM),
    SSL_TEXT("DOWNSTREAM_PEER_SUBJECT", NU_SSL_PEER_SUBJECT, NU_SSL_DOWNSTREAM),
    SSL_LIST("DOWNSTREAM_PEER_URI_SAN", NU_SSL_PEER_URI, NU_SSL_DOWNSTREAM),
    MISSING("TLS_JA3_FINGERPRINT"),
    MISSING("TLS_JA4_FINGERPRINT"),
    SSL_TEXT("UPSTREAM_TLS_CIPHER", NU_SSL_CIPHER, NU_SSL_UPSTREAM),
    SSL_TEXT("UPSTREAM_TLS_SESSION_ID", NU_SSL_SESSION_ID, NU_SSL_UPSTREAM),
    SSL_TEXT("UPSTREAM_TLS_VERSION", NU_SSL_VERSION, NU_SSL_UPSTREAM),
    SSL_LIST("UPSTREAM_LOCAL_DNS_SAN", NU_SSL_LOCAL_DNS, NU_SSL_UPSTREAM),
    SSL_LIST("UPSTREAM_LOCAL_IP_SAN", NU_SSL_LOCAL_IP, NU_SSL_UPSTREAM),
    SSL_LIST("UPSTREAM_LOCAL_URI_SAN", NU_SSL_LOCAL_URI, NU_SSL_UPSTREAM),
    SSL_TEXT("UPSTREAM_PEER_CERT", NU_SSL_PEER_CERT, NU_SSL_UPSTREAM),
    SSL_TIME("UPSTREAM_PEER_CERT_V_START", nu_op_ssl_valid_from, NU_SSL_UPSTREAM),
    SSL_TIME("UPSTREAM_PEER_CERT_V_END", nu_op_ssl_valid_until, NU_SSL_UPSTREAM),
    SSL_LIST("UPSTREAM_PEER_DNS_SAN", NU_SSL_PEER_DNS, NU_SSL_UPSTREAM),
    SSL_LIST("UPSTREAM_PEER_IP_SAN", NU_SSL_PEER_IP, NU_SSL_UPSTREAM),
    SSL_TEXT("UPSTREAM_PEER_ISSUER", NU_SSL_PEER_ISSUER, NU_SSL_UPSTREAM),
    SSL_TEXT("UPSTREAM_PEER_SUBJECT", NU_SSL_PEER_SUBJECT, NU_SSL_UPSTREAM),
    SSL_LIST("UPSTREAM_PEER_URI_SAN", NU_SSL_PEER_URI, NU_SSL_UPSTREAM),
};

static const struct op_entry *find_entry(struct nu_str name)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(operators); i++) {
        if (nu_str_eq(operators[i].name, name))
            return &operators[i];
    }
    return NULL;
}

static bool fail(const struct nu_op_source *source, const char *before, const char *after)
{
    nu_strbuf_addf(source->error, "%s%.*s%s", before, NU_STR_ARG(source->name), after);
    return false;
}

static bool check_syntax(const struct nu_op_source *source, const struct op_entry *entry)
{
    bool has_args = source->args.len != 0;
    if (entry->syntax == SYNTAX_BARE && (has_args || source->has_length))
        return fail(source, "", " does not take any parameters or length");
    if ((entry->syntax & SYNTAX_ARGS) && !has_args)
        return fail(source, "", " requires parameters");
    if (!(entry->syntax & SYNTAX_LENGTH) && source->has_length)
        return fail(source, "", " does not allow length to be specified.");
    return true;
}

static bool fail_unknown(const struct nu_op_source *source)
{
    enum { LETTERS_PER_EDIT = 4, MAX_EDITS = 3 };
    size_t edits = nu_min_size(source->name.len / LETTERS_PER_EDIT, MAX_EDITS);
    unsigned nearest = (unsigned)edits + 1;
    const struct op_entry *best = NULL;
    for (size_t i = 0; i < NU_ARRAY_LEN(operators) && nearest > 1; i++) {
        unsigned distance = nu_str_distance(source->name, operators[i].name, nearest - 1);
        if (distance < nearest) {
            nearest = distance;
            best = &operators[i];
        }
    }
    fail(source, "Not supported field in StreamInfo: ", "");
    if (best)
        nu_strbuf_addf(source->error, " (did you mean %.*s?)", NU_STR_ARG(best->name));
    return false;
}

bool nu_op_make(const struct nu_op_source *source, struct nu_format_part *part)
{
    const struct op_entry *entry = find_entry(source->name);
    if (!entry)
        return fail_unknown(source);
    if (!check_syntax(source, entry))
        return false;
    *part = (struct nu_format_part){
        .fn = entry->fn,
        .max_len = source->has_length ? source->length : SIZE_MAX,
        .variant = entry->variant,
        .detail = entry->detail,
        .member = {.offset = entry->offset, .second = entry->second},
    };
    *source->needs |= entry->needs;
    return !entry->args || entry->args(source, part);
}
