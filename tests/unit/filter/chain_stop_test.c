/* SPDX-License-Identifier: Apache-2.0 */
/* What each return value of a filter's callback does. */
#include "harness/filter_probes.h"

/* --- Continue --------------------------------------------------------------------------------- */

TEST(continue_passes_every_part_in_order)
{
    open_both();
    request((struct driver_message)HAS_TRAILERS);
    assert_seen("a.rq b.rq a.(x) b.(x) a.(y) b.(y) a.trailers b.trailers");
    assert_upstream(&d, "headers :method=GET; trailers x-trailer=t; data xy; end");
    forget();
    respond((struct driver_message){.body = "r", .trailers = true});
    assert_seen("b.rs a.rs b.(r) a.(r) b.trailers a.trailers a.log b.log a.close b.close");
    assert_client(&d, "headers :status=200; trailers x-trailer=t; data r; end");
    close_both();
}

TEST(headers_tell_the_end_of_a_message_without_a_body)
{
    open_both();
    request((struct driver_message)ENDS_WITH_HEADERS);
    respond((struct driver_message){0});
    assert_seen("a.rq$ b.rq$ b.rs$ a.rs$ a.log b.log a.close b.close");
    close_both();
}

TEST(an_end_without_bytes_is_told_by_empty_data)
{
    open_both();
    request((struct driver_message){.headers = get, .body = "x", .empty_end = true});
    assert_seen("a.rq b.rq a.(x) b.(x) a.($) b.($)");
    assert_upstream(&d, "headers :method=GET; data x; end");
    close_both();
}

/* --- Stopping headers ------------------------------------------------------------------------- */

TEST(stopped_headers_wait_and_keep_their_end)
{
    open_both();
    a.headers[NU_DECODE] = NU_HEADERS_STOP;
    request((struct driver_message)ENDS_WITH_HEADERS);
    assert_upstream(&d, "nothing");
    nu_filter_continue_decoding(a.instance);
    assert_seen("a.rq$ b.rq$");
    assert_upstream(&d, "headers :method=GET; data ; end");
    close_both();
}

TEST(data_comes_to_a_filter_that_stopped_headers_and_its_continue_sends_both)
{
    open_both();
    a.headers[NU_DECODE] = NU_HEADERS_STOP;
    request((struct driver_message)HAS_BODY);
    assert_seen("a.rq a.(x) b.rq b.(x) a.(y$) b.(y$)");
    assert_upstream(&d, "headers :method=GET; data xy; end");
    close_both();
}

TEST(an_empty_end_sends_stopped_headers_on_before_it)
{
    open_both();
    a.headers[NU_DECODE] = NU_HEADERS_STOP;
    request((struct driver_message){.headers = get, .body = ""});
    assert_seen("a.rq a.($) b.rq b.($)");
    assert_upstream(&d, "headers :method=GET; data ; end");
    close_both();
}

TEST(trailers_send_stopped_headers_on)
{
    open_both();
    a.headers[NU_DECODE] = NU_HEADERS_STOP;
    request((struct driver_message){.headers = get, .trailers = true});
    assert_seen("a.rq a.trailers b.rq b.trailers");
    assert_upstream(&d, "headers :method=GET; trailers x-trailer=t; data ; end");
    close_both();
}

TEST(stop_all_keeps_data_and_trailers_from_its_own_filter)
{
    open_both();
    b.headers[NU_DECODE] = NU_HEADERS_STOP_ALL_AND_BUFFER;
    request((struct driver_message)HAS_TRAILERS);
    assert_seen("a.rq b.rq a.(x) a.(y) a.trailers");
    forget();
    nu_filter_continue_decoding(b.instance);
    assert_seen("b.(xy) b.trailers");
    assert_upstream(&d, "headers :method=GET; trailers x-trailer=t; data xy; end");
    close_both();
}

TEST(stop_all_keeps_an_end_without_bytes)
{
    open_both();
    b.headers[NU_DECODE] = NU_HEADERS_STOP_ALL_AND_BUFFER;
    request((struct driver_message){.headers = get, .body = ""});
    nu_filter_continue_decoding(b.instance);
    assert_seen("a.rq b.rq a.($) b.($)");
    assert_upstream(&d, "headers :method=GET; data ; end");
    close_both();
}

TEST(encode_headers_stop_the_same_way)
{
    open_both();
    b.headers[NU_ENCODE] = NU_HEADERS_STOP_ALL_AND_WATERMARK;
    request((struct driver_message)ENDS_WITH_HEADERS);
    forget();
    respond((struct driver_message){.body = "rs", .cuts = 1, .trailers = true});
    assert_seen("b.rs");
    assert_client(&d, "nothing");
    nu_filter_continue_encoding(b.instance);
    assert_seen("b.rs a.rs b.(rs) a.(rs) b.trailers a.trailers a.log b.log a.close b.close");
    close_both();
}

TEST(continue_and_dont_end_leaves_room_for_an_injected_body)
{
    open_both();
    a.headers[NU_DECODE] = NU_HEADERS_CONTINUE_AND_DONT_END;
    request((struct driver_message)ENDS_WITH_HEADERS);
    assert_seen("a.rq$ b.rq");
    struct nu_buf *body = nu_filter_buffer(a.instance);
    nu_buf_append(body, NU_STR("made"));
    nu_filter_inject_decoded_data(a.instance, body, true);
    assert_seen("a.rq$ b.rq b.(made$)");
    assert_upstream(&d, "headers :method=GET; data made; end");
    close_both();
}

/* --- Stopping data ---------------------------------------------------------------------------- */

TEST(stop_and_buffer_collects_what_continue_sends)
{
    open_both();
    a.data[NU_DECODE] = NU_DATA_STOP_AND_BUFFER;
    request((struct driver_message)HAS_BODY);
    assert_seen("a.rq b.rq a.(x) a.(y$)");
    assert_int_equal(nu_buf_length(nu_filter_decoding_buffer(a.instance)), 2);
    nu_filter_continue_decoding(a.instance);
    assert_null(nu_filter_decoding_buffer(a.instance));
    assert_seen("a.rq b.rq a.(x) a.(y$) b.(xy$)");
    close_both();
}

static void buffer_until_end(struct nu_filter *self, struct nu_buf *data, bool end)
{
    (void)data;
    ((struct script *)nu_unconst(self->config))->data[NU_DECODE] =
        end ? NU_DATA_CONTINUE : NU_DATA_STOP_AND_BUFFER;
}

TEST(continue_from_data_sends_what_was_kept_first)
{
    open_both();
    a.headers[NU_DECODE] = NU_HEADERS_STOP;
    a.on_data[NU_DECODE] = buffer_until_end;
    request((struct driver_message)HAS_BODY);
    assert_seen("a.rq a.(x) a.(y$) b.rq b.(xy$)");
    close_both();
}

TEST(stop_without_buffer_drops_what_the_filter_left_but_not_the_end)
{
    open_both();
    a.data[NU_DECODE] = NU_DATA_STOP_NO_BUFFER;
    request((struct driver_message)HAS_BODY);
    nu_filter_continue_decoding(a.instance);
    assert_seen("a.rq b.rq a.(x) a.(y$) b.($)");
    assert_upstream(&d, "headers :method=GET; data ; end");
    close_both();
}

TEST(kept_bytes_can_be_changed_in_place)
{
    open_both();
    a.data[NU_DECODE] = NU_DATA_STOP_AND_BUFFER;
    request((struct driver_message)HAS_BODY);
    nu_buf_drain(nu_filter_decoding_buffer(a.instance), 1);
    nu_buf_append(nu_filter_decoding_buffer(a.instance), NU_STR("z"));
    nu_filter_continue_decoding(a.instance);
    assert_upstream(&d, "headers :method=GET; data yz; end");
    close_both();
}

TEST(two_filters_that_stop_at_once_see_every_byte_once)
{
    open_both();
    b.data[NU_DECODE] = NU_DATA_STOP_AND_BUFFER;
    driver_fill(&d, &d.request_headers, get);
    nu_chain_decode_headers(&d.chain, &d.request_headers, false);
    struct nu_buf piece = {0};
    nu_buf_append(&piece, NU_STR("1"));
    nu_chain_decode_data(&d.chain, &piece, false);
    a.data[NU_DECODE] = NU_DATA_STOP_AND_BUFFER;
    nu_buf_append(&piece, NU_STR("2"));
    nu_chain_decode_data(&d.chain, &piece, true);
    forget();
    nu_filter_continue_decoding(b.instance); /* passes 1, of which a knows nothing more */
    assert_upstream(&d, "headers :method=GET; data 1;");
    b.data[NU_DECODE] = NU_DATA_CONTINUE;
    nu_filter_continue_decoding(a.instance);
    assert_seen("b.(2$)");
    assert_upstream(&d, "headers :method=GET; data 12; end");
    close_both();
}

TEST(data_injected_behind_passed_trailers_is_dropped)
{
    open_both();
    a.data[NU_DECODE] = NU_DATA_STOP_NO_BUFFER;
    request((struct driver_message)HAS_TRAILERS);
    struct nu_buf *late = nu_filter_buffer(a.instance);
    nu_buf_append(late, NU_STR("late"));
    nu_filter_inject_decoded_data(a.instance, late, false);
    assert_upstream(&d, "headers :method=GET; trailers x-trailer=t; data ; end");
    close_both();
}

/* --- Stopping trailers ------------------------------------------------------------------------ */

TEST(stopped_trailers_wait_for_continue)
{
    open_both();
    a.trailers[NU_DECODE] = NU_TRAILERS_STOP;
    request((struct driver_message)HAS_TRAILERS);
    assert_upstream(&d, "headers :method=GET; data xy;");
    nu_filter_continue_decoding(a.instance);
    assert_upstream(&d, "headers :method=GET; trailers x-trailer=t; data xy; end");
    assert_seen("a.rq b.rq a.(x) b.(x) a.(y) b.(y) a.trailers b.trailers");
    close_both();
}

TEST(trailers_pass_a_later_filter_only_when_the_earlier_one_lets_them)
{
    open_both();
    a.trailers[NU_DECODE] = NU_TRAILERS_STOP;
    b.data[NU_DECODE] = NU_DATA_STOP_AND_BUFFER;
    request((struct driver_message)HAS_TRAILERS);
    nu_filter_continue_decoding(b.instance);
    assert_upstream(&d, "headers :method=GET; data xy;");
    nu_filter_continue_decoding(a.instance);
    assert_upstream(&d, "headers :method=GET; trailers x-trailer=t; data xy; end");
    close_both();
}

TEST_MAIN()
