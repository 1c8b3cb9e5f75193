/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Format strings. An input is a byte of options, a text with operators, and behind a NUL the bytes
 * that stand in headers, metadata and names when the text is formatted. Checked: a text is compiled
 * or refused with a reason, formatting twice gives the same, plain texts say what they print, JSON
 * is one line of UTF-8.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/value.h"
#include "format/format.h"
#include "http/filter_state.h"
#include "http/headers.h"
#include "http/metadata.h"
#include "http/stream_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    OPTION_OMIT_EMPTY = 1,
    OPTION_HEADER = 2,
    OPTION_REQ_WITHOUT_QUERY = 4,
    OPTION_JSON = 8,
    OPTION_NO_HEADERS = 16,
    OPTION_NO_UPSTREAM = 32,
};

struct world {
    struct nu_arena arena;
    struct nu_headers headers;
    struct nu_connection_info connection;
    struct nu_stream_info info;
    struct nu_format_context context;
};

static void fill_headers(struct world *w, struct nu_str foreign)
{
    static const char *const names[] = {":path",       ":authority",
                                        "x-a",         "x-forwarded-client-cert",
                                        "grpc-status", "x-envoy-original-path",
                                        "user-agent"};
    nu_headers_init(&w->headers, &w->arena, 16);
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++)
        nu_headers_add(&w->headers, nu_str_from(names[i]), foreign);
    nu_headers_add(&w->headers, NU_STR("content-type"), NU_STR("application/grpc"));
}

static void fill_metadata(struct world *w, const struct nu_str *foreign)
{
    struct nu_metadata *metadata = nu_stream_info_metadata(&w->info);
    struct nu_value inner = nu_value_struct();
    nu_value_set(&inner, &w->arena, NU_STR("k"), nu_value_string(*foreign));
    nu_value_set(&inner, &w->arena, *foreign, nu_value_number((double)foreign->len * 1e5));
    nu_metadata_merge(metadata, NU_STR("a"), &inner);
    nu_metadata_set(metadata, NU_STR("a"), NU_STR("s"), inner);
    w->info.route_metadata = metadata;
    struct nu_filter_state_object object = {
        .name = NU_STR_INIT("a"), .object_class = &nu_filter_state_string, .object = foreign};
    nu_assert(nu_stream_info_set_state(&w->info, &object) == NU_OK);
}

static void fill_info(struct world *w, struct nu_str foreign)
{
    const struct nu_address address = nu_address_unix("/run/fuzz.sock");
    w->connection = (struct nu_connection_info){.direct_remote = address,
                                                .local = address,
                                                .local_known = true,
                                                .requested_server_name = foreign,
                                                .transport_failure_reason = foreign,
                                                .filter_chain_name = foreign};
    w->info = (struct nu_stream_info){.arena = &w->arena,
                                      .connection = &w->connection,
                                      .protocol = NU_PROTOCOL_HTTP11,
                                      .start_realtime_us = foreign.len * 86400000000u * 400,
                                      .start_us = 1000,
                                      .end_us = 1000 + foreign.len,
                                      .bytes_sent = foreign.len * 100000,
                                      .remote = address,
                                      .flags = foreign.len % 3 ? 0 : foreign.len * 0x1234567,
                                      .response_code = (uint32_t)foreign.len,
                                      .response_code_details = foreign};
    w->info.flags &= ((nu_response_flags)1 << NU_FLAG_COUNT) - 1;
}

static void fill_upstream(struct world *w, struct nu_str foreign)
{
    struct nu_upstream_info *upstream = &w->info.upstream;
    nu_assert(nu_address_parse_ip(NU_STR("::1"), 80, &upstream->host) == NU_OK);
    upstream->remote = upstream->host;
    upstream->host_name = foreign;
    upstream->cluster = foreign;
    upstream->first_rx_us = 1500;
    upstream->last_rx_us = 900;
}

static const struct nu_formatter *compile(struct world *w, struct nu_str text, unsigned flags,
                                          struct nu_strbuf *error)
{
    const struct nu_format_options options = {
        .omit_empty = flags & OPTION_OMIT_EMPTY,
        .is_header = flags & OPTION_HEADER,
        .has_req_without_query = flags & OPTION_REQ_WITHOUT_QUERY,
    };
    if (!(flags & OPTION_JSON))
        return nu_formatter_compile(&w->arena, text, &options, error);
    struct nu_value list = nu_value_list();
    nu_value_add(&list, &w->arena, nu_value_string(nu_arena_concat(&w->arena, NU_STR("x"), text)));
    struct nu_value json = nu_value_struct();
    nu_value_set(&json, &w->arena, text, nu_value_string(text));
    nu_value_set(&json, &w->arena, NU_STR("l"), list);
    return nu_formatter_compile_json(&w->arena, &json, &options, error);
}

static void check_json(struct nu_str out)
{
    nu_assert(out.len && out.ptr[out.len - 1] == '\n');
    nu_assert(nu_str_is_utf8(out));
    for (size_t i = 0; i + 1 < out.len; i++)
        nu_assert((unsigned char)out.ptr[i] >= 0x20);
}

static void check_output(struct world *w, const struct nu_formatter *formatter, bool is_random)
{
    struct nu_strbuf once = {0};
    struct nu_strbuf twice = {0};
    struct nu_str plain;
    nu_formatter_format(formatter, &w->context, &once);
    nu_strbuf_add_cstr(&twice, "before");
    nu_formatter_format(formatter, &w->context, &twice);
    nu_assert(once.len + 6 == twice.len && twice.data[twice.len] == '\0');
    if (!is_random)
        nu_assert(nu_str_eq(nu_strbuf_str(&once), nu_str_skip(nu_strbuf_str(&twice), 6)));
    if (nu_formatter_is_plain(formatter, &plain))
        nu_assert(nu_str_eq(plain, nu_strbuf_str(&once)));
    if (nu_formatter_is_json(formatter))
        check_json(nu_strbuf_str(&once));
    nu_strbuf_finish(&once);
    nu_strbuf_finish(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    nu_clock_fake_install(1, 1795414287948111);
    struct nu_str rest = nu_str_make((const char *)data + 1, size - 1);
    struct nu_str text = nu_str_split(&rest, '\0');
    struct nu_str foreign = rest.ptr ? rest : NU_STR("");
    struct world w = {0};
    nu_arena_init(&w.arena);
    fill_info(&w, foreign);
    fill_headers(&w, foreign);
    fill_metadata(&w, &foreign);
    if (!(data[0] & OPTION_NO_UPSTREAM))
        fill_upstream(&w, foreign);
    w.context = (struct nu_format_context){.info = &w.info, .local_reply_body = foreign};
    if (!(data[0] & OPTION_NO_HEADERS))
        w.context.request_headers = w.context.response_headers = w.context.response_trailers =
            &w.headers;
    struct nu_strbuf error = {0};
    const struct nu_formatter *formatter = compile(&w, text, data[0], &error);
    nu_assert(!formatter == (error.len != 0));
    if (formatter)
        check_output(&w, formatter, nu_str_find(text, NU_STR("UNIQUE_ID")) != NU_NPOS);
    nu_strbuf_finish(&error);
    nu_arena_finish(&w.arena);
    return 0;
}
