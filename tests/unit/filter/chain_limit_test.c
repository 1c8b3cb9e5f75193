/* SPDX-License-Identifier: Apache-2.0 */
/* How much the chain keeps, and how it holds the peers back. */
#include "harness/filter_probes.h"

TEST(a_request_over_the_limit_gets_413)
{
    open_limited(3);
    a.headers[NU_DECODE] = NU_HEADERS_STOP_ALL_AND_BUFFER;
    request((struct driver_message){.headers = get, .body = "1234", .cuts = 7});
    assert_client(&d, "headers :status=413; data Payload Too Large; end");
    assert_str(d.info.response_code_details, "request_payload_too_large");
    assert_int_equal(d.too_large[NU_DECODE], 1);
    assert_seen("a.rq b.rs a.rs b.(Payload Too Large$) a.(Payload Too Large$) "
                "a.log b.log a.close b.close");
    close_both();
}

/* The upstream answers before it has the body. */
static void begin_response(struct driver *driver)
{
    static const struct driver_header ok[] = {{":status", "200"}, {NULL, NULL}};
    driver->between = NULL;
    driver_fill(driver, &driver->response_headers, ok);
    nu_chain_encode_headers(&driver->terminal->base, &driver->response_headers, false);
}

TEST(a_request_over_the_limit_behind_the_response_is_reset)
{
    open_limited(3);
    d.between = begin_response;
    a.data[NU_DECODE] = NU_DATA_STOP_AND_BUFFER;
    request((struct driver_message){.headers = get, .body = "1234", .cuts = 7});
    assert_true(d.reset);
    assert_client(&d, "headers :status=200; data ;");
    close_both();
}

TEST(a_request_at_the_limit_passes)
{
    open_limited(4);
    a.data[NU_DECODE] = NU_DATA_STOP_AND_BUFFER;
    request((struct driver_message){.headers = get, .body = "1234"});
    nu_filter_continue_decoding(a.instance);
    assert_upstream(&d, "headers :method=GET; data 1234; end");
    close_both();
}

TEST(a_response_over_the_limit_is_replaced_behind_the_filters)
{
    open_limited(3);
    request((struct driver_message)ENDS_WITH_HEADERS);
    forget();
    b.headers[NU_ENCODE] = NU_HEADERS_STOP;
    b.data[NU_ENCODE] = NU_DATA_STOP_AND_BUFFER;
    respond((struct driver_message){.body = "1234", .cuts = 7});
    assert_client(&d, "headers :status=500; data Internal Server Error; end");
    assert_seen("b.rs b.(1) b.(2) b.(3) b.(4$) a.log b.log a.close b.close");
    assert_int_equal(d.too_large[NU_ENCODE], 1);
    close_both();
}

TEST(a_response_that_began_is_reset_over_the_limit)
{
    open_limited(3);
    request((struct driver_message)ENDS_WITH_HEADERS);
    b.data[NU_ENCODE] = NU_DATA_STOP_AND_BUFFER;
    respond((struct driver_message){.body = "1234"});
    assert_true(d.reset);
    assert_client(&d, "headers :status=200; data ;");
    close_both();
}

static void let_a_go(struct driver *driver)
{
    (void)driver;
    nu_filter_continue_decoding(a.instance);
}

TEST(watermark_mode_holds_the_client_back_and_lets_it_go)
{
    open_limited(3);
    a.headers[NU_DECODE] = NU_HEADERS_STOP_ALL_AND_WATERMARK;
    d.on_stuck = let_a_go;
    a.data[NU_DECODE] = NU_DATA_CONTINUE;
    request((struct driver_message){.headers = get, .body = "12345678", .cuts = 1 << 3});
    assert_seen("a.rq b.rq a.(1234) b.(1234) a.(5678$) b.(5678$)");
    assert_int_equal(d.request_held, 0);
    close_both();
}

TEST(a_drained_buffer_lets_the_client_go)
{
    open_limited(4);
    a.data[NU_DECODE] = NU_DATA_STOP_AND_WATERMARK;
    driver_fill(&d, &d.request_headers, get);
    nu_chain_decode_headers(&d.chain, &d.request_headers, false);
    struct nu_buf piece = {0};
    nu_buf_append(&piece, NU_STR("12345"));
    nu_chain_decode_data(&d.chain, &piece, false);
    assert_int_equal(d.request_held, 1);
    struct nu_buf *part = nu_filter_buffer(a.instance);
    nu_buf_append(part, NU_STR("123"));
    nu_buf_drain(nu_filter_decoding_buffer(a.instance), 3);
    nu_filter_inject_decoded_data(a.instance, part, false);
    assert_int_equal(d.request_held, 0);
    assert_upstream(&d, "headers :method=GET; data 123;");
    close_both();
}

TEST(watermark_mode_holds_the_upstream_back_and_tells_the_filters)
{
    open_limited(3);
    request((struct driver_message)ENDS_WITH_HEADERS);
    b.data[NU_ENCODE] = NU_DATA_STOP_AND_WATERMARK;
    forget();
    driver_fill(&d, &d.response_headers,
                (struct driver_header[]){{":status", "200"}, {NULL, NULL}});
    nu_chain_encode_headers(&d.terminal->base, &d.response_headers, false);
    struct nu_buf piece = {0};
    nu_buf_append(&piece, NU_STR("1234"));
    nu_chain_encode_data(&d.terminal->base, &piece, false);
    assert_int_equal(d.response_held, 1);
    nu_filter_continue_encoding(b.instance);
    assert_int_equal(d.response_held, 0);
    assert_seen("b.rs a.rs b.(1234) a.high b.high a.low b.low a.(1234)");
    close_both();
}

TEST(holds_of_a_filter_end_with_the_stream)
{
    open_both();
    request((struct driver_message)ENDS_WITH_HEADERS);
    nu_filter_hold_request(a.instance);
    nu_filter_hold_request(b.instance);
    assert_int_equal(d.request_held, 2);
    respond((struct driver_message){0});
    assert_int_equal(d.request_held, 0);
    nu_filter_release_request(a.instance);
    close_both();
}

TEST_MAIN()
