/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of operators. Every text and every message below went through Envoy 1.36.4 as the
 * format of an access log; only CEL's errors are ours.
 */
#include "harness/test.h"

#include "format/format.h"

static struct nu_arena arena;

/* The error of a text, or "OK". */
static struct nu_str compile_error(const char *text, const struct nu_format_options *options)
{
    static struct nu_strbuf error;
    nu_strbuf_clear(&error);
    const struct nu_formatter *formatter =
        nu_formatter_compile(&arena, nu_str_from(text), options, &error);
    assert_int_equal(formatter == NULL, error.len != 0);
    if (formatter)
        nu_strbuf_add_cstr(&error, "OK");
    return nu_strbuf_str(&error);
}

static const struct nu_format_options log_options;

struct error_case {
    const char *text;
    const char *error;
};

static const struct error_case refused[] = {
    {"%", "Incorrect configuration: %. Couldn't find valid command at position 0"},
    {"a%", "Incorrect configuration: a%. Couldn't find valid command at position 1"},
    {"%%%", "Incorrect configuration: %%%. Couldn't find valid command at position 2"},
    {"%a%", "Incorrect configuration: %a%. Couldn't find valid command at position 0"},
    {"%REQ%", "REQ requires parameters"},
    {"%REQ(%", "Incorrect configuration: %REQ(%. Couldn't find valid command at position 0"},
    {"%REQ(a%", "Incorrect configuration: %REQ(a%. Couldn't find valid command at position 0"},
    {"%REQ(a)", "Incorrect configuration: %REQ(a). Couldn't find valid command at position 0"},
    {"%REQ(a):%", "Incorrect configuration: %REQ(a):%. Couldn't find valid command at position 0"},
    {"%REQ(a):x%",
     "Incorrect configuration: %REQ(a):x%. Couldn't find valid command at position 0"},
    {"%REQ(a):99999999999999999999%", "Incorrect configuration: %REQ(a):99999999999999999999%. "
                                      "Couldn't find valid command at position 0"},
    {"%REQ(a):5", "Incorrect configuration: %REQ(a):5. Couldn't find valid command at position 0"},
    {"%REQ()%", "REQ requires parameters"},
    {"%REQ():3%", "REQ requires parameters"},
    {"%PROTOCOL():3%", "PROTOCOL does not take any parameters or length"},
    {"%PROTOCOL:3%", "PROTOCOL does not take any parameters or length"},
    {"%req(a)%", "Incorrect configuration: %req(a)%. Couldn't find valid command at position 0"},
    {"%Protocol%",
     "Incorrect configuration: %Protocol%. Couldn't find valid command at position 0"},
    {"100% %PROTOCOL%",
     "Incorrect configuration: 100% %PROTOCOL%. Couldn't find valid command at position 3"},
    {"%REQ(a?b?c)%", "More than 1 alternative header specified in token: a?b?c"},
    {"%REQ(a b)%", "Invalid header configuration. Format string contains invalid characters."},
    {"%REQ(a\nb)%",
     "Incorrect configuration: %REQ(a\nb)%. Couldn't find valid command at position 0"},
    {"%REQ(a)b)%", "Invalid header configuration. Format string contains invalid characters."},
    {"%REQ(a) and %RESP(b)%",
     "Invalid header configuration. Format string contains invalid characters."},
    {"%REQ(\xc3"
     "\xa4"
     ")%",
     "Invalid header configuration. Format string contains invalid characters."},
    {"%REQ(a:b)%", "Invalid header configuration. Format string contains invalid characters."},
    {"%REQ(:)%", "Invalid header configuration. Format string contains invalid characters."},
    {"%RESP(a?b?c)%", "More than 1 alternative header specified in token: a?b?c"},
    {"%TRAILER(a?b?c)%", "More than 1 alternative header specified in token: a?b?c"},
    {"%START_TIME(%n)%", "Invalid header configuration. Format string contains newline."},
    {"%START_TIME(%En)%", "Invalid header configuration. Format string contains newline."},
    {"%START_TIME(%3n)%", "Invalid header configuration. Format string contains newline."},
    {"%START_TIME(%-3n)%", "Invalid header configuration. Format string contains newline."},
    {"%START_TIME():3%", "START_TIME does not allow length to be specified."},
    {"%DYNAMIC_METADATA()%", "DYNAMIC_METADATA requires parameters"},
    {"%FILTER_STATE()%", "Invalid filter state configuration, key cannot be empty."},
    {"%FILTER_STATE(:PLAIN)%", "Invalid filter state configuration, key cannot be empty."},
    {"%FILTER_STATE(a:FIELD)%",
     "Invalid filter state serialize type, FIELD should be used with the field name."},
    {"%FILTER_STATE(a:PLAIN:x)%",
     "Invalid filter state serialize type, FIELD should be used with the field name."},
    {"%FILTER_STATE(a:FIELD:)%",
     "Invalid filter state serialize type, FIELD should be used with the field name."},
    {"%FILTER_STATE(a:plain)%",
     "Invalid filter state serialize type, only support PLAIN/TYPED/FIELD."},
    {"%FILTER_STATE%", "Invalid filter state configuration, key cannot be empty."},
    {"%FILTER_STATE:3%", "Invalid filter state configuration, key cannot be empty."},
    {"%COMMON_DURATION(a)%", "Invalid common duration configuration: a."},
    {"%COMMON_DURATION(a:b:c)%", "Invalid common duration precision: c."},
    {"%COMMON_DURATION(a:b:ms:d)%", "Invalid common duration configuration: a:b:ms:d."},
    {"%COMMON_DURATION(a:b:s)%", "Invalid common duration precision: s."},
    {"%ENVIRONMENT()%", "ENVIRONMENT requires parameters"},
    {"%QUERY_PARAM()%", "QUERY_PARAM requires parameters"},
    {"%PATH(NQ:FOO)%", "Invalid PATH option: 'FOO', only 'ORIG'/'PATH'/'ORIG_OR_PATH' are allowed"},
    {"%PATH(wq)%", "Invalid PATH option: 'wq', only 'WQ'/'NQ' are allowed"},
    {"%GRPC_STATUS(number)%",
     "GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER."},
    {"%METADATA()%", " is not supported type of metadata"},
    {"%METADATA(FOO)%", "FOO is not supported type of metadata"},
    {"%METADATA(FOO:a)%", "FOO is not supported type of metadata"},
    {"%METADATA(dynamic:a)%", "dynamic is not supported type of metadata"},
    {"%METADATA(DYNAMIC:a):x%",
     "Incorrect configuration: %METADATA(DYNAMIC:a):x%. Couldn't find valid command at position 0"},
    {"%METADATA(UPSTREAM:a)%", "UPSTREAM is not supported type of metadata"},
    {"%METADATA(LISTENER_FILTER_CHAIN:a)%",
     "LISTENER_FILTER_CHAIN is not supported type of metadata"},
    {"%METADATA%", " is not supported type of metadata"},
    {"%METADATA:3%", " is not supported type of metadata"},
    {"%RESPONSE_CODE_DETAILS:3%", "RESPONSE_CODE_DETAILS does not allow length to be specified."},
    {"%FOO_BAR9(x):3%", "Not supported field in StreamInfo: FOO_BAR9"},
    {"%_%", "Not supported field in StreamInfo: _"},
    {"%9%", "Not supported field in StreamInfo: 9"},
    {"%FOO", "Incorrect configuration: %FOO. Couldn't find valid command at position 0"},
    {"%REQ(a)%%", "Incorrect configuration: %REQ(a)%%. Couldn't find valid command at position 8"},
    {"%DURATION%DURATION%",
     "Incorrect configuration: %DURATION%DURATION%. Couldn't find valid command at position 18"},
    {"%REQ(x)%:3%",
     "Incorrect configuration: %REQ(x)%:3%. Couldn't find valid command at position 10"},
    {"%REQ(a))%", "Invalid header configuration. Format string contains invalid characters."},
    {"%REQ(()%", "Invalid header configuration. Format string contains invalid characters."},
    {"%REQ((a))%", "Invalid header configuration. Format string contains invalid characters."},
    {"%ENVIRONMENT(a):b%",
     "Incorrect configuration: %ENVIRONMENT(a):b%. Couldn't find valid command at position 0"},
    {"%XFCC_VALUE()%", "XFCC_VALUE command requires a subcommand"},
    {"%XFCC_VALUE(foo)%", "XFCC_VALUE command does not support subcommand: foo"},
    {"%TRACE_ID:3%", "TRACE_ID does not take any parameters or length"},
    {"%UPSTREAM_PEER_CERT_V_START(%n)%",
     "Invalid header configuration. Format string contains newline."},
    {"%EMIT_TIME(%n)%", "Invalid header configuration. Format string contains newline."},
    {"%START_TIME(\n)%",
     "Incorrect configuration: %START_TIME(\n)%. Couldn't find valid command at position 0"},
    {"%REQ_WITHOUT_QUERY(a)%", "Not supported field in StreamInfo: REQ_WITHOUT_QUERY"},
};

static const char *const taken[] = {
    "%REQ(a):18446744073709551615%",
    "%PROTOCOL()%",
    "%REQ(?b)%",
    "%REQ(a?)%",
    "%REQ(:foo)%",
    "%REQ(FOO?:PATH)%",
    "%REQ(a?b):3%",
    "%REQ(?)%",
    "%START_TIME()%",
    "%DYNAMIC_METADATA(:)%",
    "%DYNAMIC_METADATA(a:)%",
    "%DYNAMIC_METADATA(a::b)%",
    "%FILTER_STATE(a:TYPED)%",
    "%FILTER_STATE(a:PLAIN:)%",
    "%FILTER_STATE(a:FIELD:b:c)%",
    "%FILTER_STATE(a:):4%",
    "%COMMON_DURATION(:)%",
    "%ENVIRONMENT(:)%",
    "%QUERY_PARAM( )%",
    "%PATH()%",
    "%PATH(:)%",
    "%PATH(WQ:)%",
    "%PATH(NQ:ORIG:x)%",
    "%PATH(:ORIG)%",
    "%PATH():3%",
    "%GRPC_STATUS()%",
    "%METADATA(DYNAMIC)%",
    "%METADATA(DYNAMIC:)%",
    "%METADATA(CLUSTER)%",
    "%RESPONSE_CODE_DETAILS(foo)%",
    "%RESPONSE_CODE_DETAILS()%",
    "%HOSTNAME()%",
    "%%REQ(a)%%",
    "%%%REQ(a)%",
    "%REQ(a)%%REQ(b)%",
    "%XFCC_VALUE(uri)%",
    "",
};

TEST(an_unknown_operator_is_answered_with_a_near_one)
{
    assert_str(compile_error("%DURATON%", &log_options),
               "Not supported field in StreamInfo: DURATON (did you mean DURATION?)");
    assert_str(compile_error("%QUERY_PARAMS%", &log_options),
               "Not supported field in StreamInfo: QUERY_PARAMS (did you mean QUERY_PARAM?)");
    nu_arena_finish(&arena);
}

TEST(what_envoy_refuses_is_refused_with_its_words)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(refused); i++)
        assert_str(compile_error(refused[i].text, &log_options), refused[i].error);
    nu_arena_finish(&arena);
}

TEST(what_envoy_takes_is_taken)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(taken); i++)
        assert_str(compile_error(taken[i], &log_options), "OK");
    nu_arena_finish(&arena);
}

/* The operators that are complete with their name. */
static const char *const bare[] = {
    "ACCESS_LOG_TYPE",
    "BYTES_RECEIVED",
    "BYTES_RETRANSMITTED",
    "BYTES_SENT",
    "CONNECTION_ID",
    "CONNECTION_TERMINATION_DETAILS",
    "CUSTOM_FLAGS",
    "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
    "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_LOCAL_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_PORT",
    "DOWNSTREAM_HANDSHAKE_DURATION",
    "DOWNSTREAM_HEADER_BYTES_RECEIVED",
    "DOWNSTREAM_HEADER_BYTES_SENT",
    "DOWNSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_DNS_SAN",
    "DOWNSTREAM_LOCAL_EMAIL_SAN",
    "DOWNSTREAM_LOCAL_IP_SAN",
    "DOWNSTREAM_LOCAL_OTHERNAME_SAN",
    "DOWNSTREAM_LOCAL_PORT",
    "DOWNSTREAM_LOCAL_SUBJECT",
    "DOWNSTREAM_LOCAL_URI_SAN",
    "DOWNSTREAM_PEER_CERT",
    "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1",
    "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256",
    "DOWNSTREAM_PEER_CHAIN_SERIALS",
    "DOWNSTREAM_PEER_DNS_SAN",
    "DOWNSTREAM_PEER_EMAIL_SAN",
    "DOWNSTREAM_PEER_FINGERPRINT_1",
    "DOWNSTREAM_PEER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_IP_SAN",
    "DOWNSTREAM_PEER_ISSUER",
    "DOWNSTREAM_PEER_OTHERNAME_SAN",
    "DOWNSTREAM_PEER_SERIAL",
    "DOWNSTREAM_PEER_SUBJECT",
    "DOWNSTREAM_PEER_URI_SAN",
    "DOWNSTREAM_REMOTE_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_REMOTE_PORT",
    "DOWNSTREAM_TLS_CIPHER",
    "DOWNSTREAM_TLS_SESSION_ID",
    "DOWNSTREAM_TLS_VERSION",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "DOWNSTREAM_WIRE_BYTES_RECEIVED",
    "DOWNSTREAM_WIRE_BYTES_SENT",
    "DURATION",
    "FILTER_CHAIN_NAME",
    "GRPC_STATUS_NUMBER",
    "HOSTNAME",
    "LOCAL_REPLY_BODY",
    "PACKETS_RETRANSMITTED",
    "PROTOCOL",
    "REQUESTED_SERVER_NAME",
    "REQUEST_DURATION",
    "REQUEST_HEADERS_BYTES",
    "REQUEST_TX_DURATION",
    "RESPONSE_CODE",
    "RESPONSE_DURATION",
    "RESPONSE_FLAGS",
    "RESPONSE_FLAGS_LONG",
    "RESPONSE_HEADERS_BYTES",
    "RESPONSE_TRAILERS_BYTES",
    "RESPONSE_TX_DURATION",
    "ROUNDTRIP_DURATION",
    "ROUTE_NAME",
    "STREAM_ID",
    "TLS_JA3_FINGERPRINT",
    "TLS_JA4_FINGERPRINT",
    "TRACE_ID",
    "UNIQUE_ID",
    "UPSTREAM_CLUSTER",
    "UPSTREAM_CLUSTER_RAW",
    "UPSTREAM_CONNECTION_ID",
    "UPSTREAM_CONNECTION_POOL_READY_DURATION",
    "UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
    "UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT",
    "UPSTREAM_HEADER_BYTES_RECEIVED",
    "UPSTREAM_HEADER_BYTES_SENT",
    "UPSTREAM_HOST",
    "UPSTREAM_HOST_NAME",
    "UPSTREAM_HOST_NAME_WITHOUT_PORT",
    "UPSTREAM_LOCAL_ADDRESS",
    "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_LOCAL_DNS_SAN",
    "UPSTREAM_LOCAL_IP_SAN",
    "UPSTREAM_LOCAL_PORT",
    "UPSTREAM_LOCAL_URI_SAN",
    "UPSTREAM_PEER_CERT",
    "UPSTREAM_PEER_DNS_SAN",
    "UPSTREAM_PEER_IP_SAN",
    "UPSTREAM_PEER_ISSUER",
    "UPSTREAM_PEER_SUBJECT",
    "UPSTREAM_PEER_URI_SAN",
    "UPSTREAM_PROTOCOL",
    "UPSTREAM_REMOTE_ADDRESS",
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_REMOTE_PORT",
    "UPSTREAM_REQUEST_ATTEMPT_COUNT",
    "UPSTREAM_TLS_CIPHER",
    "UPSTREAM_TLS_SESSION_ID",
    "UPSTREAM_TLS_VERSION",
    "UPSTREAM_TRANSPORT_FAILURE_REASON",
    "UPSTREAM_WIRE_BYTES_RECEIVED",
    "UPSTREAM_WIRE_BYTES_SENT",
    "VIRTUAL_CLUSTER_NAME",
};

TEST(bare_operators_take_neither_arguments_nor_a_length)
{
    char text[128];
    char error[128];
    for (size_t i = 0; i < NU_ARRAY_LEN(bare); i++) {
        snprintf(text, sizeof(text), "%%%s%%", bare[i]);
        assert_str(compile_error(text, &log_options), "OK");
        snprintf(error, sizeof(error), "%s does not take any parameters or length", bare[i]);
        snprintf(text, sizeof(text), "%%%s(a:b)%%", bare[i]);
        assert_str(compile_error(text, &log_options), error);
        snprintf(text, sizeof(text), "%%%s:5%%", bare[i]);
        assert_str(compile_error(text, &log_options), error);
    }
    nu_arena_finish(&arena);
}

TEST(operators_with_arguments_say_whether_a_length_may_follow)
{
    static const struct error_case cases[] = {
        {"%CLUSTER_METADATA(a:b):5%", "CLUSTER_METADATA does not allow length to be specified."},
        {"%UPSTREAM_METADATA(a:b):5%", "UPSTREAM_METADATA does not allow length to be specified."},
        {"%DYNAMIC_METADATA(a:b):5%", "DYNAMIC_METADATA does not allow length to be specified."},
        {"%COMMON_DURATION(a:b):5%", "COMMON_DURATION does not allow length to be specified."},
        {"%EMIT_TIME(a):5%", "EMIT_TIME does not allow length to be specified."},
        {"%START_TIME_LOCAL(a):5%", "START_TIME_LOCAL does not allow length to be specified."},
        {"%GRPC_STATUS(NUMBER):5%", "GRPC_STATUS does not allow length to be specified."},
        {"%UPSTREAM_PEER_CERT_V_END(a):5%",
         "UPSTREAM_PEER_CERT_V_END does not allow length to be specified."},
        {"%ENVIRONMENT(a:b):5%", "OK"},
        {"%QUERY_PARAM(a:b):5%", "OK"},
        {"%METADATA(ROUTE:a:b):5%", "OK"},
        {"%XFCC_VALUE(uri):5%", "OK"},
        {"%STREAM_INFO_REQ(a):5%", "OK"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++)
        assert_str(compile_error(cases[i].text, &log_options), cases[i].error);
    nu_arena_finish(&arena);
}

TEST(req_without_query_exists_where_its_extension_is_configured)
{
    static const struct nu_format_options extended = {.has_req_without_query = true};
    assert_str(compile_error("%REQ_WITHOUT_QUERY(a)%", &extended), "OK");
    assert_str(compile_error("%REQ_WITHOUT_QUERY%", &extended), "OK");
    assert_str(compile_error("%REQ_WITHOUT_QUERY(a?b?c)%", &extended),
               "More than 1 alternative header specified in token: a?b?c");
    assert_str(compile_error("%REQ_WITHOUT_QUERY(a b)%", &extended),
               "Invalid header configuration. Format string contains invalid characters.");
    nu_arena_finish(&arena);
}

TEST(cel_is_known_but_not_implemented)
{
    assert_str(compile_error("%CEL(request.path)%", &log_options),
               "CEL: known to Envoy, not implemented by nuncio");
    nu_arena_finish(&arena);
}

TEST(obsolete_spellings_are_for_header_values_only)
{
    static const struct nu_format_options header = {.is_header = true};
    static const struct error_case cases[] = {
        {"%PER_REQUEST_STATE(my.key)%", "OK"},
        {"%PER_REQUEST_STATE%", "Not supported field in StreamInfo: PER_REQUEST_STATE"},
        {"%PER_REQUEST_STATE()%", "Not supported field in StreamInfo: PER_REQUEST_STATE"},
        {"%PER_REQUEST_STATE(a:b)%",
         "Invalid filter state serialize type, only support PLAIN/TYPED/FIELD."},
        {"%DYNAMIC_METADATA([])%", "OK"},
        {"%DYNAMIC_METADATA([\"a)%", "OK"},
        {"%DYNAMIC_METADATA([\"a\",5])%", "OK"},
        {"%DYNAMIC_METADATA([\"ns\"] )%", "OK"},
        {"%UPSTREAM_METADATA([\"a:b\",\"c\"])%", "OK"},
        {"%UPSTREAM_METADATA([\"ns\",\"k\"]):2%",
         "UPSTREAM_METADATA does not allow length to be specified."},
        {"%UPSTREAM_METADATA([\"a)%\"])%",
         "Incorrect configuration: %UPSTREAM_METADATA(a)%)%. Couldn't find valid command at "
         "position 23"},
        {"%UPSTREAM_METADATA([\"a\",\"b\"])%%UPSTREAM_METADATA([\"c\",\"d\"])%", "OK"},
        {"100%", "Incorrect configuration: 100%. Couldn't find valid command at position 3"},
        {"%REQ(a", "Incorrect configuration: %REQ(a. Couldn't find valid command at position 0"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++)
        assert_str(compile_error(cases[i].text, &header), cases[i].error);
    assert_str(compile_error("%PER_REQUEST_STATE(my.key)%", &log_options),
               "Not supported field in StreamInfo: PER_REQUEST_STATE");
    nu_arena_finish(&arena);
}

TEST(text_without_operators_is_plain)
{
    static const struct {
        const char *text;
        const char *plain; /* NULL: it is not */
    } cases[] = {
        {"", ""}, {"abc", "abc"}, {"100%%", "100%"}, {"%REQ(a)%", NULL}, {"a%DURATION%", NULL}};
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        const struct nu_formatter *formatter = nu_formatter_compile(
            &arena, nu_str_from(cases[i].text), &log_options, &(struct nu_strbuf){0});
        struct nu_str plain;
        assert_int_equal(nu_formatter_is_plain(formatter, &plain), cases[i].plain != NULL);
        if (cases[i].plain)
            assert_str(plain, cases[i].plain);
    }
    nu_arena_finish(&arena);
}

TEST(only_local_addresses_need_to_be_asked_for)
{
    static const struct {
        const char *text;
        unsigned needs;
    } cases[] = {
        {"%DURATION% %DOWNSTREAM_REMOTE_ADDRESS% %UPSTREAM_HOST%", 0},
        {"%DOWNSTREAM_LOCAL_PORT%", NU_FORMAT_NEEDS_LOCAL_ADDRESS},
        {"a%DOWNSTREAM_DIRECT_LOCAL_ADDRESS%", NU_FORMAT_NEEDS_LOCAL_ADDRESS},
        {"%DOWNSTREAM_REMOTE_ADDRESS%%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
         NU_FORMAT_NEEDS_LOCAL_ADDRESS},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        const struct nu_formatter *formatter = nu_formatter_compile(
            &arena, nu_str_from(cases[i].text), &log_options, &(struct nu_strbuf){0});
        assert_int_equal(nu_formatter_needs(formatter), cases[i].needs);
    }
    nu_arena_finish(&arena);
}

TEST_MAIN()
