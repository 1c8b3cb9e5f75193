/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operator, as text and as a JSON value. The expectations are what Envoy 1.36.4 wrote for the
 * request of format_fixture.h, or for the request that a test describes; only times and ports were
 * replaced by the fixture's, which are those of one of the runs.
 */
#include "harness/format_fixture.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/filter_state.h"

static struct fixture f;

static const struct nu_format_options log_options;
static const struct nu_format_options omit_options = {.omit_empty = true};
static const struct nu_format_options header_options = {.is_header = true};

static const struct operator_case proxied[] = {
    {"ACCESS_LOG_TYPE", "DownstreamEnd", "\"DownstreamEnd\""},
    {"BYTES_RECEIVED", "5", "5"},
    {"BYTES_RETRANSMITTED", "0", "0"},
    {"BYTES_SENT", "6", "6"},
    {"CONNECTION_ID", "2", "2"},
    {"CONNECTION_TERMINATION_DETAILS", "-", "null"},
    {"CUSTOM_FLAGS", "", "\"\""},
    {"DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", "112", "112"},
    {"DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", "191", "191"},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS", "127.0.0.1:43811", "\"127.0.0.1:43811\""},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT", "127.0.0.1", "\"127.0.0.1\""},
    {"DOWNSTREAM_DIRECT_LOCAL_PORT", "43811", "43811"},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", "127.0.0.1:42014", "\"127.0.0.1:42014\""},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", "127.0.0.1", "\"127.0.0.1\""},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT", "42014", "42014"},
    {"DOWNSTREAM_HANDSHAKE_DURATION", "-", "null"},
    {"DOWNSTREAM_HEADER_BYTES_RECEIVED", "112", "112"},
    {"DOWNSTREAM_HEADER_BYTES_SENT", "191", "191"},
    {"DOWNSTREAM_LOCAL_ADDRESS", "127.0.0.1:43811", "\"127.0.0.1:43811\""},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "127.0.0.1", "\"127.0.0.1\""},
    {"DOWNSTREAM_LOCAL_DNS_SAN", "-", "null"},
    {"DOWNSTREAM_LOCAL_EMAIL_SAN", "-", "null"},
    {"DOWNSTREAM_LOCAL_IP_SAN", "-", "null"},
    {"DOWNSTREAM_LOCAL_OTHERNAME_SAN", "-", "null"},
    {"DOWNSTREAM_LOCAL_PORT", "43811", "43811"},
    {"DOWNSTREAM_LOCAL_SUBJECT", "-", "null"},
    {"DOWNSTREAM_LOCAL_URI_SAN", "-", "null"},
    {"DOWNSTREAM_PEER_CERT", "-", "null"},
    {"DOWNSTREAM_PEER_CERT_V_END", "-", "null"},
    {"DOWNSTREAM_PEER_CERT_V_START", "-", "null"},
    {"DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1", "-", "null"},
    {"DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256", "-", "null"},
    {"DOWNSTREAM_PEER_CHAIN_SERIALS", "-", "null"},
    {"DOWNSTREAM_PEER_DNS_SAN", "-", "null"},
    {"DOWNSTREAM_PEER_EMAIL_SAN", "-", "null"},
    {"DOWNSTREAM_PEER_FINGERPRINT_1", "-", "null"},
    {"DOWNSTREAM_PEER_FINGERPRINT_256", "-", "null"},
    {"DOWNSTREAM_PEER_IP_SAN", "-", "null"},
    {"DOWNSTREAM_PEER_ISSUER", "-", "null"},
    {"DOWNSTREAM_PEER_OTHERNAME_SAN", "-", "null"},
    {"DOWNSTREAM_PEER_SERIAL", "-", "null"},
    {"DOWNSTREAM_PEER_SUBJECT", "-", "null"},
    {"DOWNSTREAM_PEER_URI_SAN", "-", "null"},
    {"DOWNSTREAM_REMOTE_ADDRESS", "127.0.0.1:42014", "\"127.0.0.1:42014\""},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "127.0.0.1", "\"127.0.0.1\""},
    {"DOWNSTREAM_REMOTE_PORT", "42014", "42014"},
    {"DOWNSTREAM_TLS_CIPHER", "-", "null"},
    {"DOWNSTREAM_TLS_SESSION_ID", "-", "null"},
    {"DOWNSTREAM_TLS_VERSION", "-", "null"},
    {"DOWNSTREAM_TRANSPORT_FAILURE_REASON", "-", "null"},
    {"DOWNSTREAM_WIRE_BYTES_RECEIVED", "169", "169"},
    {"DOWNSTREAM_WIRE_BYTES_SENT", "216", "216"},
    {"DURATION", "2", "2"},
    {"FILTER_CHAIN_NAME", "fc0", "\"fc0\""},
    {"GRPC_STATUS", "-", "null"},
    {"GRPC_STATUS_NUMBER", "-", "null"},
    {"LOCAL_REPLY_BODY", "", "\"\""},
    {"PACKETS_RETRANSMITTED", "0", "0"},
    {"PATH", "/a/b?x=1&y=2&e=&enc=%41%20b", "\"/a/b?x=1&y=2&e=&enc=%41%20b\""},
    {"PROTOCOL", "HTTP/1.1", "\"HTTP/1.1\""},
    {"REQUESTED_SERVER_NAME", "-", "null"},
    {"REQUEST_DURATION", "0", "0"},
    {"REQUEST_HEADERS_BYTES", "237", "237"},
    {"REQUEST_TX_DURATION", "0", "0"},
    {"RESPONSE_CODE", "200", "200"},
    {"RESPONSE_CODE_DETAILS", "via_upstream", "\"via_upstream\""},
    {"RESPONSE_DURATION", "1", "1"},
    {"RESPONSE_FLAGS", "-", "\"-\""},
    {"RESPONSE_FLAGS_LONG", "-", "\"-\""},
    {"RESPONSE_HEADERS_BYTES", "165", "165"},
    {"RESPONSE_TRAILERS_BYTES", "0", "0"},
    {"RESPONSE_TX_DURATION", "0", "0"},
    {"ROUNDTRIP_DURATION", "-", "null"},
    {"ROUTE_NAME", "theroute", "\"theroute\""},
    {"START_TIME", "2026-11-23T06:11:27.948Z", "\"2026-11-23T06:11:27.948Z\""},
    {"START_TIME_LOCAL", "2026-11-23T06:11:27.948+0000", "\"2026-11-23T06:11:27.948+0000\""},
    {"STREAM_ID", "18fa58fb-1f53-49e9-a53e-a965dfdfb2bb",
     "\"18fa58fb-1f53-49e9-a53e-a965dfdfb2bb\""},
    {"TLS_JA3_FINGERPRINT", "-", "null"},
    {"TLS_JA4_FINGERPRINT", "-", "null"},
    {"TRACE_ID", "-", "null"},
    {"UPSTREAM_CLUSTER", "altup", "\"altup\""},
    {"UPSTREAM_CLUSTER_RAW", "up", "\"up\""},
    {"UPSTREAM_CONNECTION_ID", "3", "3"},
    {"UPSTREAM_CONNECTION_POOL_READY_DURATION", "0", "0"},
    {"UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", "152", "152"},
    {"UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", "217", "217"},
    {"UPSTREAM_HEADER_BYTES_RECEIVED", "152", "152"},
    {"UPSTREAM_HEADER_BYTES_SENT", "217", "217"},
    {"UPSTREAM_HOST", "127.0.0.1:46791", "\"127.0.0.1:46791\""},
    {"UPSTREAM_HOST_NAME", "127.0.0.1:46791", "\"127.0.0.1:46791\""},
    {"UPSTREAM_HOST_NAME_WITHOUT_PORT", "127.0.0.1", "\"127.0.0.1\""},
    {"UPSTREAM_LOCAL_ADDRESS", "127.0.0.1:39934", "\"127.0.0.1:39934\""},
    {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "127.0.0.1", "\"127.0.0.1\""},
    {"UPSTREAM_LOCAL_DNS_SAN", "-", "null"},
    {"UPSTREAM_LOCAL_IP_SAN", "-", "null"},
    {"UPSTREAM_LOCAL_PORT", "39934", "39934"},
    {"UPSTREAM_LOCAL_URI_SAN", "-", "null"},
    {"UPSTREAM_PEER_CERT", "-", "null"},
    {"UPSTREAM_PEER_CERT_V_END", "-", "null"},
    {"UPSTREAM_PEER_CERT_V_START", "-", "null"},
    {"UPSTREAM_PEER_DNS_SAN", "-", "null"},
    {"UPSTREAM_PEER_IP_SAN", "-", "null"},
    {"UPSTREAM_PEER_ISSUER", "-", "null"},
    {"UPSTREAM_PEER_SUBJECT", "-", "null"},
    {"UPSTREAM_PEER_URI_SAN", "-", "null"},
    {"UPSTREAM_PROTOCOL", "HTTP/1.1", "\"HTTP/1.1\""},
    {"UPSTREAM_REMOTE_ADDRESS", "127.0.0.1:46791", "\"127.0.0.1:46791\""},
    {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "127.0.0.1", "\"127.0.0.1\""},
    {"UPSTREAM_REMOTE_PORT", "46791", "46791"},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", "1", "1"},
    {"UPSTREAM_TLS_CIPHER", "-", "null"},
    {"UPSTREAM_TLS_SESSION_ID", "-", "null"},
    {"UPSTREAM_TLS_VERSION", "-", "null"},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", "-", "null"},
    {"UPSTREAM_WIRE_BYTES_RECEIVED", "184", "184"},
    {"UPSTREAM_WIRE_BYTES_SENT", "267", "267"},
    {"VIRTUAL_CLUSTER_NAME", "-", "null"},
    {"REQ(X-A)", "aval", "\"aval\""},
    {"REQ(x-none)", "-", "null"},
    {"REQ(x-none?X-A)", "aval", "\"aval\""},
    {"REQ(x-a?host)", "aval", "\"aval\""},
    {"REQ(host)", "example.com", "\"example.com\""},
    {"REQ(:AUTHORITY)", "example.com", "\"example.com\""},
    {"REQ(:path):4", "/a/b", "\"/a/b\""},
    {"REQ(:path):0", "", "\"\""},
    {"REQ(x-empty)", "", "\"\""},
    {"REQ(x-empty?x-a)", "", "\"\""},
    {"REQ(x-dup)", "1", "\"1\""},
    {"RESP(x-multi)", "a", "\"a\""},
    {"RESP(:status)", "200", "\"200\""},
    {"RESP(x-nope?x-resp)", "respval", "\"respval\""},
    {"TRAILER(x-t)", "-", "null"},
    {"STREAM_INFO_REQ(x-a)", "aval", "\"aval\""},
    {"DYNAMIC_METADATA(a)", "-", "null"},
    {"DYNAMIC_METADATA(a:b:c)", "-", "null"},
    {"CLUSTER_METADATA(ns)",
     "{\"b\":true,\"big\":1e+20,\"f\":0.1,\"k\":\"v1\",\"l\":[1,\"a\",null],\"n\":5,\"nul\":null,"
     "\"s\":{\"in\":\"x\",\"z\":1.5}}",
     "{\"b\":true,\"big\":1e+20,\"f\":0.1,\"k\":\"v1\",\"l\":[1,\"a\",null],\"n\":5,\"nul\":null,"
     "\"s\":{\"in\":\"x\",\"z\":1.5}}"},
    {"CLUSTER_METADATA(ns:k)", "v1", "\"v1\""},
    {"CLUSTER_METADATA(ns:n)", "5", "5"},
    {"CLUSTER_METADATA(ns:b)", "true", "true"},
    {"CLUSTER_METADATA(ns:l)", "[1,\"a\",null]", "[1,\"a\",null]"},
    {"CLUSTER_METADATA(ns:s)", "{\"in\":\"x\",\"z\":1.5}", "{\"in\":\"x\",\"z\":1.5}"},
    {"CLUSTER_METADATA(ns:s:in)", "x", "\"x\""},
    {"CLUSTER_METADATA(ns:nul)", "-", "null"},
    {"CLUSTER_METADATA(ns:big)", "1e+20", "1e+20"},
    {"CLUSTER_METADATA(nope)", "-", "null"},
    {"CLUSTER_METADATA(ns:nope)", "-", "null"},
    {"CLUSTER_METADATA(ns:f)", "0.1", "0.1"},
    {"UPSTREAM_METADATA(ns:k)", "-", "null"},
    {"ENVIRONMENT(NOPE)", "-", "\"-\""},
    {"FILTER_STATE(x)", "-", "null"},
    {"FILTER_STATE(x:PLAIN)", "-", "null"},
    {"FILTER_STATE(x:FIELD:y)", "-", "null"},
    {"UPSTREAM_FILTER_STATE(x)", "-", "null"},
    {"QUERY_PARAM(x)", "1", "\"1\""},
    {"QUERY_PARAM(z)", "-", "null"},
    {"QUERY_PARAM(x):1", "1", "\"1\""},
    {"QUERY_PARAM(e)", "", "\"\""},
    {"QUERY_PARAM(enc)", "A b", "\"A b\""},
    {"QUERY_PARAM(X)", "-", "null"},
    {"PATH(NQ)", "/a/b", "\"/a/b\""},
    {"PATH(WQ)", "/a/b?x=1&y=2&e=&enc=%41%20b", "\"/a/b?x=1&y=2&e=&enc=%41%20b\""},
    {"PATH(NQ:ORIG)", "-", "null"},
    {"PATH(NQ:PATH)", "/a/b", "\"/a/b\""},
    {"PATH(NQ:ORIG_OR_PATH)", "/a/b", "\"/a/b\""},
    {"PATH:4", "/a/b", "\"/a/b\""},
    {"PATH(NQ):4", "/a/b", "\"/a/b\""},
    {"GRPC_STATUS(NUMBER)", "-", "null"},
    {"GRPC_STATUS(SNAKE_STRING)", "-", "null"},
    {"METADATA(CLUSTER:ns:k)", "v1", "\"v1\""},
    {"METADATA(DYNAMIC:ns:k)", "-", "null"},
    {"METADATA(ROUTE:ns:k)", "v1", "\"v1\""},
    {"METADATA(UPSTREAM_HOST:ns:k)", "-", "null"},
    {"METADATA(VIRTUAL_HOST:ns:k)", "-", "null"},
    {"METADATA(ROUTE:ns)",
     "{\"b\":true,\"big\":1e+20,\"f\":0.1,\"k\":\"v1\",\"l\":[1,\"a\",null],\"n\":5,\"nul\":null,"
     "\"s\":{\"in\":\"x\",\"z\":1.5}}",
     "{\"b\":true,\"big\":1e+20,\"f\":0.1,\"k\":\"v1\",\"l\":[1,\"a\",null],\"n\":5,\"nul\":null,"
     "\"s\":{\"in\":\"x\",\"z\":1.5}}"},
    {"METADATA(ROUTE:ns:k):1", "v", "\"v1\""},
    {"METADATA(ROUTE:ns:nope)", "-", "null"},
    {"COMMON_DURATION(DS_RX_BEG:DS_TX_END)", "2", "2"},
    {"COMMON_DURATION(DS_RX_BEG:DS_RX_END:us)", "456", "456"},
    {"COMMON_DURATION(DS_RX_BEG:US_CX_BEG:ns)", "425000", "425000"},
    {"COMMON_DURATION(DS_RX_BEG:US_CX_END:us)", "467", "467"},
    {"COMMON_DURATION(US_CX_BEG:US_CX_END:us)", "42", "42"},
    {"COMMON_DURATION(DS_RX_BEG:US_HS_END:us)", "-", "null"},
    {"COMMON_DURATION(DS_RX_BEG:US_TX_BEG:us)", "580", "580"},
    {"COMMON_DURATION(DS_RX_BEG:US_TX_END:us)", "586", "586"},
    {"COMMON_DURATION(DS_RX_BEG:US_RX_BEG:us)", "1912", "1912"},
    {"COMMON_DURATION(DS_RX_BEG:US_RX_BODY_BEG:us)", "-", "null"},
    {"COMMON_DURATION(DS_RX_BEG:US_RX_END:us)", "2243", "2243"},
    {"COMMON_DURATION(DS_RX_BEG:DS_TX_BEG:us)", "2023", "2023"},
    {"COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)", "2314", "2314"},
    {"COMMON_DURATION(DS_TX_END:DS_RX_BEG:us)", "-", "null"},
    {"COMMON_DURATION(DS_RX_BEG:DS_RX_BEG:us)", "0", "0"},
    {"COMMON_DURATION(FOO:DS_RX_BEG)", "-", "null"},
    {"COMMON_DURATION(DS_RX_BEG:)", "-", "null"},
    {"COMMON_DURATION(DS_RX_BEG:FOO:us)", "-", "null"},
    {"RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)", "via_upstream", "\"via_upstream\""},
    {"XFCC_VALUE(uri)", "-", "null"},
};

TEST(a_proxied_request_prints_as_envoy_prints_it)
{
    setenv("TZ", "UTC", 1);
    tzset();
    fixture_init(&f);
    fixture_check(&f, proxied, NU_ARRAY_LEN(proxied));
    fixture_finish(&f);
}

/* A request that matched no route: 404, nothing upstream. */
TEST(a_request_without_an_upstream_has_no_upstream_values)
{
    static const struct operator_case cases[] = {
        {"RESPONSE_FLAGS", "NR", "\"NR\""},
        {"RESPONSE_FLAGS_LONG", "NoRouteFound", "\"NoRouteFound\""},
        {"UPSTREAM_HOST", "-", "null"},
        {"UPSTREAM_HOST_NAME", "-", "null"},
        {"UPSTREAM_HOST_NAME_WITHOUT_PORT", "-", "null"},
        {"UPSTREAM_CLUSTER", "-", "null"},
        {"UPSTREAM_CLUSTER_RAW", "-", "null"},
        {"UPSTREAM_LOCAL_ADDRESS", "-", "null"},
        {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "-", "null"},
        {"UPSTREAM_LOCAL_PORT", "-", "null"},
        {"UPSTREAM_REMOTE_ADDRESS", "-", "null"},
        {"UPSTREAM_REMOTE_PORT", "-", "null"},
        {"UPSTREAM_PROTOCOL", "-", "null"},
        {"UPSTREAM_CONNECTION_ID", "0", "0"},
        {"UPSTREAM_REQUEST_ATTEMPT_COUNT", "0", "0"},
        {"UPSTREAM_WIRE_BYTES_SENT", "0", "0"},
        {"UPSTREAM_CONNECTION_POOL_READY_DURATION", "-", "null"},
        {"UPSTREAM_TRANSPORT_FAILURE_REASON", "-", "null"},
        {"REQUEST_DURATION", "-", "null"},
        {"REQUEST_TX_DURATION", "-", "null"},
        {"RESPONSE_DURATION", "-", "null"},
        {"RESPONSE_TX_DURATION", "-", "null"},
        {"COMMON_DURATION(DS_RX_BEG:US_TX_BEG)", "-", "null"},
        {"COMMON_DURATION(DS_RX_BEG:DS_RX_END)", "-", "null"},
        {"ROUTE_NAME", "-", "null"},
        {"FILTER_CHAIN_NAME", "-", "null"},
        {"STREAM_ID", "-", "null"},
        {"RESPONSE_CODE_DETAILS", "-", "null"},
        {"RESPONSE_CODE", "0", "0"},
        {"CLUSTER_METADATA(a)", "-", "null"},
        {"METADATA(UPSTREAM_HOST:a)", "-", "null"},
    };
    fixture_init(&f);
    f.info.upstream = (struct nu_upstream_info){0};
    f.info.rx_end_us = 0;
    f.info.response_code = 0;
    nu_stream_info_set_flag(&f.info, NU_FLAG_NO_ROUTE_FOUND);
    f.info.route_name = nu_str_make(NULL, 0);
    f.info.request_id = nu_str_make(NULL, 0);
    f.info.response_code_details = nu_str_make(NULL, 0);
    f.connection.filter_chain_name = nu_str_make(NULL, 0);
    fixture_check(&f, cases, NU_ARRAY_LEN(cases));
    fixture_finish(&f);
}

/* A connection that was refused. */
TEST(white_space_in_reasons_becomes_underscores)
{
    static const struct operator_case cases[] = {
        {"UPSTREAM_TRANSPORT_FAILURE_REASON", "delayed_connect_error:_Connection_refused",
         "\"delayed_connect_error:_Connection_refused\""},
        {"RESPONSE_CODE_DETAILS", "a_b_c", "\"a_b_c\""},
        {"RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)", "a b\tc", "\"a b\\tc\""},
        {"DOWNSTREAM_TRANSPORT_FAILURE_REASON", "x_y", "\"x_y\""},
        {"CONNECTION_TERMINATION_DETAILS", "x y", "\"x y\""},
    };
    fixture_init(&f);
    f.info.upstream.transport_failure_reason = NU_STR("delayed connect error: Connection refused");
    f.info.response_code_details = NU_STR("a b\tc");
    f.connection.transport_failure_reason = NU_STR("x y");
    f.connection.termination_details = NU_STR("x y");
    fixture_check(&f, cases, NU_ARRAY_LEN(cases));
    fixture_finish(&f);
}

/* A retried connect failure, as Envoy printed it. */
TEST(flags_are_printed_in_the_order_of_setting)
{
    fixture_init(&f);
    nu_stream_info_set_flag(&f.info, NU_FLAG_UPSTREAM_RETRY_LIMIT_EXCEEDED);
    nu_stream_info_set_flag(&f.info, NU_FLAG_UPSTREAM_CONNECTION_FAILURE);
    nu_stream_info_set_flag(&f.info, NU_FLAG_UPSTREAM_RETRY_LIMIT_EXCEEDED);
    assert_str(fixture_format(&f, "%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%", &log_options),
               "URX,UF UpstreamRetryLimitExceeded,UpstreamConnectionFailure");
    f.info.flags |= NU_FLAG_BIT(UPSTREAM_OVERFLOW) | NU_FLAG_BIT(NO_HEALTHY_UPSTREAM);
    assert_str(fixture_format(&f, "%RESPONSE_FLAGS%", &log_options), "URX,UF,UH,UO");
    fixture_finish(&f);
}

TEST(all_flags_at_once_fit)
{
    fixture_init(&f);
    for (int flag = NU_FLAG_COUNT - 1; flag >= 0; flag--)
        nu_stream_info_set_flag(&f.info, (enum nu_response_flag)flag);
    struct nu_str all = fixture_format(&f, "%RESPONSE_FLAGS_LONG%", &log_options);
    assert_true(nu_str_starts_with(all, NU_STR("UnconditionalDropOverload,")));
    size_t commas = 0;
    for (size_t i = 0; i < all.len; i++)
        commas += all.ptr[i] == ',';
    assert_int_equal(commas, NU_FLAG_COUNT - 1);
    fixture_finish(&f);
}

TEST(ipv6_addresses_have_brackets_only_with_a_port)
{
    static const struct operator_case cases[] = {
        {"UPSTREAM_HOST", "[::1]:36693", "\"[::1]:36693\""},
        {"UPSTREAM_HOST_NAME", "[::1]:36693", "\"[::1]:36693\""},
        {"UPSTREAM_HOST_NAME_WITHOUT_PORT", "[::1]", "\"[::1]\""},
        {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "::1", "\"::1\""},
        {"UPSTREAM_REMOTE_PORT", "36693", "36693"},
        {"DOWNSTREAM_REMOTE_ADDRESS", "[2001:db8::1]:0", "\"[2001:db8::1]:0\""},
        {"DOWNSTREAM_REMOTE_PORT", "0", "0"},
    };
    fixture_init(&f);
    f.info.upstream.host = fixture_address("[::1]:36693");
    f.info.upstream.remote = f.info.upstream.host;
    f.info.remote = fixture_address("[2001:DB8::1]:0");
    fixture_check(&f, cases, NU_ARRAY_LEN(cases));
    fixture_finish(&f);
}

TEST(unix_sockets_have_no_port)
{
    static const struct operator_case cases[] = {
        {"UPSTREAM_HOST", "/tmp/up.sock", "\"/tmp/up.sock\""},
        {"UPSTREAM_REMOTE_ADDRESS", "/tmp/up.sock", "\"/tmp/up.sock\""},
        {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "/tmp/up.sock", "\"/tmp/up.sock\""},
        {"UPSTREAM_REMOTE_PORT", "", "null"},
        {"UPSTREAM_HOST_NAME", "[::1]", "\"[::1]\""},
        {"UPSTREAM_HOST_NAME_WITHOUT_PORT", "[::1]", "\"[::1]\""},
    };
    fixture_init(&f);
    f.info.upstream.host = nu_address_unix("/tmp/up.sock");
    f.info.upstream.remote = f.info.upstream.host;
    f.info.upstream.host_name = NU_STR("[::1]");
    fixture_check(&f, cases, NU_ARRAY_LEN(cases));
    f.info.upstream.host_name = NU_STR("Hn.example:99");
    assert_str(
        fixture_format(&f, "%UPSTREAM_HOST_NAME% %UPSTREAM_HOST_NAME_WITHOUT_PORT%", &log_options),
        "Hn.example:99 Hn.example");
    fixture_finish(&f);
}

TEST(a_restored_local_address_hides_the_sockets_own)
{
    fixture_init(&f);
    f.connection.restored_local = fixture_address("9.9.9.9:99");
    assert_str(fixture_format(&f, "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_DIRECT_LOCAL_ADDRESS%",
                              &log_options),
               "9.9.9.9:99 127.0.0.1:43811");
    fixture_finish(&f);
}

static void learn(struct nu_connection_info *info)
{
    info->local = fixture_address("5.6.7.8:9");
    info->local_known = true;
}

TEST(the_local_address_is_asked_for_when_it_is_printed)
{
    fixture_init(&f);
    f.connection.local_known = false;
    f.connection.learn_local = learn;
    fixture_format(&f, "%DOWNSTREAM_REMOTE_ADDRESS%", &log_options);
    assert_false(f.connection.local_known);
    assert_str(fixture_format(&f, "%DOWNSTREAM_LOCAL_ADDRESS%", &log_options), "5.6.7.8:9");
    fixture_finish(&f);
}

/* As left behind by Envoy's Lua, set_metadata and set_filter_state filters. */
TEST(dynamic_metadata_and_filter_state_have_types)
{
    static const struct operator_case cases[] = {
        {"DYNAMIC_METADATA(ns)",
         "{\"es\":\"\",\"list\":[\"b\"],\"n\":12345678,\"str\":\"hel\\\"lo\"}",
         "{\"es\":\"\",\"list\":[\"b\"],\"n\":12345678,\"str\":\"hel\\\"lo\"}"},
        {"DYNAMIC_METADATA(ns:str)", "hel\"lo", "\"hel\\\"lo\""},
        {"DYNAMIC_METADATA(ns:n)", "12345678", "12345678"},
        {"DYNAMIC_METADATA(ns:list)", "[\"b\"]", "[\"b\"]"},
        {"DYNAMIC_METADATA(ns:list:0)", "-", "null"},
        {"DYNAMIC_METADATA(ns:es)", "", "\"\""},
        {"DYNAMIC_METADATA(bin:k)",
         "\xff\xfe"
         "a",
         "\"\\u00ff\\u00fea\""},
        {"DYNAMIC_METADATA(:)", "-", "null"},
        {"DYNAMIC_METADATA(ns:)", "-", "null"},
        {"METADATA(DYNAMIC:ns:str):3", "hel", "\"hel\\\"lo\""},
        {"METADATA(DYNAMIC:ns:list):3", "[\"b", "[\"b\"]"},
        {"METADATA(DYNAMIC)", "-", "null"},
        {"FILTER_STATE(my.key)", "\"xav\\\"q\"", "\"xav\\\"q\""},
        {"FILTER_STATE(my.key:TYPED)", "\"xav\\\"q\"", "\"xav\\\"q\""},
        {"FILTER_STATE(my.key):3", "\"xa", "\"xav\\\"q\""},
        {"FILTER_STATE(my.key:PLAIN)", "xav\"q", "\"xav\\\"q\""},
        {"FILTER_STATE(my.key:PLAIN):2", "xa", "\"xa\""},
        {"FILTER_STATE(my.key:FIELD:x)", "-", "null"},
        {"UPSTREAM_FILTER_STATE(my.key)", "-", "null"},
    };
    static const struct nu_str state_text = NU_STR_INIT("xav\"q");
    fixture_init(&f);
    struct nu_metadata *metadata = nu_stream_info_metadata(&f.info);
    struct nu_value list = nu_value_list();
    nu_value_add(&list, &f.arena, nu_value_string(NU_STR("b")));
    nu_metadata_set(metadata, NU_STR("ns"), NU_STR("str"), nu_value_string(NU_STR("hel\"lo")));
    nu_metadata_set(metadata, NU_STR("ns"), NU_STR("n"), nu_value_number(12345678));
    nu_metadata_set(metadata, NU_STR("ns"), NU_STR("list"), list);
    nu_metadata_set(metadata, NU_STR("ns"), NU_STR("es"), nu_value_string(NU_STR("")));
    nu_metadata_set(metadata, NU_STR("bin"), NU_STR("k"),
                    nu_value_string(NU_STR("\xff\xfe"
                                           "a")));
    struct nu_filter_state_object object = {.name = NU_STR_INIT("my.key"),
                                            .object_class = &nu_filter_state_string,
                                            .object = &state_text};
    assert_int_equal(nu_stream_info_set_state(&f.info, &object), NU_OK);
    fixture_check(&f, cases, NU_ARRAY_LEN(cases));
    fixture_finish(&f);
}

TEST(a_server_name_that_is_no_host_name_is_marked)
{
    fixture_init(&f);
    f.connection.requested_server_name = NU_STR("we_ird.com");
    assert_str(fixture_format(&f, "%REQUESTED_SERVER_NAME%", &log_options), "we_ird.com");
    f.connection.requested_server_name = NU_STR("x*y");
    assert_str(fixture_format(&f, "%REQUESTED_SERVER_NAME%", &log_options), "invalid:x_y");
    fixture_finish(&f);
}

TEST(environment_and_hostname_are_read_once)
{
    char host[256] = "";
    setenv("NU_FORMAT_TEST", "/root", 1);
    setenv("NU_FORMAT_EMPTY", "", 1);
    gethostname(host, sizeof(host) - 1);
    fixture_init(&f);
    assert_str(fixture_format(&f,
                              "%ENVIRONMENT(NU_FORMAT_TEST)% %ENVIRONMENT(NU_FORMAT_TEST):2% "
                              "%ENVIRONMENT(NU_FORMAT_EMPTY)% %ENVIRONMENT(NU_FORMAT_NONE)%",
                              &omit_options),
               "/root /r  -");
    assert_str(fixture_format(&f, "%HOSTNAME%", &log_options), host);
    fixture_finish(&f);
}

TEST(emit_time_and_a_duration_that_goes_on_are_now)
{
    fixture_init(&f);
    nu_clock_fake_install(f.info.start_us + 42999, 1795414287956000);
    f.info.end_us = 0;
    assert_str(fixture_format(&f, "%EMIT_TIME% %EMIT_TIME(%s)% %DURATION%", &log_options),
               "2026-11-23T06:11:27.956Z 1795414287 42");
    nu_clock_fake_remove();
    fixture_finish(&f);
}

TEST(unique_id_is_a_new_uuid_each_time)
{
    fixture_init(&f);
    struct nu_str out = fixture_format(&f, "%UNIQUE_ID%%UNIQUE_ID%", &log_options);
    assert_int_equal(out.len, 72);
    assert_false(nu_str_eq(nu_str_first(out, 36), nu_str_skip(out, 36)));
    assert_int_equal(out.ptr[14], '4');
    assert_non_null(strchr("89ab", out.ptr[19]));
    fixture_finish(&f);
}

/* A context of a TCP proxy: no headers at all. */
TEST(without_headers_http_operators_have_no_value)
{
    static const struct operator_case cases[] = {
        {"REQ(a)", "-", "null"},
        {"RESP(a)", "-", "null"},
        {"PATH", "-", "null"},
        {"QUERY_PARAM(a)", "-", "null"},
        {"XFCC_VALUE(uri)", "-", "null"},
        {"GRPC_STATUS", "-", "null"},
        {"REQUEST_HEADERS_BYTES", "0", "0"},
        {"PROTOCOL", "-", "null"},
        {"RESPONSE_CODE", "0", "0"},
        {"ACCESS_LOG_TYPE", "TcpConnectionEnd", "\"TcpConnectionEnd\""},
        {"DOWNSTREAM_LOCAL_ADDRESS", "-", "null"},
        {"CONNECTION_ID", "0", "0"},
        {"FILTER_CHAIN_NAME", "-", "null"},
        {"METADATA(LISTENER:a)", "-", "null"},
    };
    fixture_init(&f);
    struct nu_stream_info empty = {.arena = &f.arena};
    f.context =
        (struct nu_format_context){.info = &empty, .log_type = NU_LOG_TYPE_TCP_CONNECTION_END};
    fixture_check(&f, cases, NU_ARRAY_LEN(cases));
    fixture_finish(&f);
}

TEST(what_is_missing_prints_nothing_where_empty_values_are_omitted)
{
    fixture_init(&f);
    assert_str(fixture_format(&f,
                              "%REQ(x-none)%|%RESPONSE_FLAGS%|%UPSTREAM_HOST%|%DURATION%|"
                              "%CUSTOM_FLAGS%",
                              &omit_options),
               "|-|127.0.0.1:46791|2|");
    fixture_finish(&f);
}

/* response_headers_to_add of a route, with the metadata on the host. */
TEST(header_values_take_obsolete_spellings)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"a%REQ(none)%b", "ab"},
        {"%RESPONSE_FLAGS%", "-"},
        {"%RESPONSE_CODE%", "200"},
        {"%DYNAMIC_METADATA([\"ns\",\"k\"])%", ""},
        {"%UPSTREAM_METADATA([\"ns\",\"k\"])%", "v1"},
        {"%UPSTREAM_METADATA( [\"ns\",\"k\"] )%", "v1"},
        {"%UPSTREAM_METADATA([\"ns\", \"s\", \"in\"])%", "x"},
        {"%UPSTREAM_METADATA(ns:k)%", "v1"},
        {"%UPSTREAM_METADATA(ns:n)%", "5"},
        {"%UPSTREAM_METADATA(ns:s)%", "{\"in\":\"x\",\"z\":1.5}"},
        {"%UPSTREAM_METADATA([\"ns\",\"n\"])% and %UPSTREAM_METADATA([\"ns\",\"k\"])%", "5 and v1"},
        {"%PER_REQUEST_STATE(my.key)%", ""},
        {"100%%", "100%"},
        {"%ENVIRONMENT(NU_FORMAT_NONE)%", "-"},
        {"%ACCESS_LOG_TYPE%", "NotSet"},
        {"plain", "plain"},
    };
    fixture_init(&f);
    f.context.log_type = NU_LOG_TYPE_NOT_SET;
    struct nu_metadata_slot slot = {f.info.upstream.cluster_metadata};
    f.info.upstream.host_metadata = &slot;
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++)
        assert_str(fixture_format(&f, cases[i].text, &header_options), cases[i].expected);
    fixture_finish(&f);
}

TEST(the_default_line)
{
    fixture_init(&f);
    static struct nu_strbuf expected;
    const struct nu_formatter *formatter =
        nu_formatter_compile(&f.arena, nu_format_default_text(), &log_options, &expected);
    assert_str(fixture_run(&f, formatter),
               "[2026-11-23T06:11:27.948Z] \"POST /a/b?x=1&y=2&e=&enc=%41%20b HTTP/1.1\" 200 - 5 6 "
               "2 1 \"-\" \"probe/1\" \"18fa58fb-1f53-49e9-a53e-a965dfdfb2bb\" \"example.com\" "
               "\"127.0.0.1:46791\"\n");
    fixture_finish(&f);
}

TEST_MAIN()
