/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of filters, resets, and requests that start over. */
#include "harness/filter_probes.h"

/* --- Local replies and resets ----------------------------------------------------------------- */

static void refuse(struct nu_filter *self)
{
    nu_filter_reply(self, 403, NU_STR("no"), NU_STR("refused"));
}

static void refuse_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    (void)data;
    (void)end;
    refuse(self);
}

static void reset_it(struct nu_filter *self)
{
    nu_filter_reset(self);
}

TEST(a_reply_to_headers_runs_through_all_encode_filters)
{
    open_both();
    a.on_headers[NU_DECODE] = refuse;
    a.headers[NU_DECODE] = NU_HEADERS_STOP;
    request((struct driver_message)HAS_BODY);
    assert_seen("a.rq b.rs a.rs b.(no$) a.(no$) a.log b.log a.close b.close");
    assert_client(&d, "headers :status=403; data no; end");
    assert_upstream(&d, "nothing");
    close_both();
}

TEST(a_filter_that_answers_and_continues_does_not_forward)
{
    open_both();
    a.on_headers[NU_DECODE] = refuse;
    request((struct driver_message)HAS_BODY);
    assert_upstream(&d, "nothing");
    close_both();
}

TEST(a_reply_to_data_and_to_trailers_ends_the_request)
{
    open_both();
    b.on_data[NU_DECODE] = refuse_data;
    request((struct driver_message)HAS_BODY);
    assert_client(&d, "headers :status=403; data no; end");
    close_both();
    open_both();
    b.on_trailers[NU_DECODE] = refuse;
    request((struct driver_message)HAS_TRAILERS);
    assert_client(&d, "headers :status=403; data no; end");
    close_both();
}

TEST(a_reply_from_encode_headers_replaces_the_response_behind_the_filters)
{
    open_both();
    b.on_headers[NU_ENCODE] = refuse;
    request((struct driver_message)ENDS_WITH_HEADERS);
    forget();
    respond((struct driver_message){.body = "r"});
    assert_seen("b.rs a.log b.log a.close b.close");
    assert_client(&d, "headers :status=403; data no; end");
    close_both();
}

TEST(a_reply_after_the_headers_were_sent_resets)
{
    open_both();
    b.on_data[NU_ENCODE] = refuse_data;
    request((struct driver_message)ENDS_WITH_HEADERS);
    respond((struct driver_message){.body = "r"});
    assert_true(d.reset);
    close_both();
}

TEST(a_reply_may_be_stopped_and_continued)
{
    open_both();
    a.on_headers[NU_DECODE] = refuse;
    a.headers[NU_DECODE] = NU_HEADERS_STOP;
    b.headers[NU_ENCODE] = NU_HEADERS_STOP_ALL_AND_BUFFER;
    request((struct driver_message)HAS_BODY);
    assert_client(&d, "nothing");
    nu_filter_continue_encoding(b.instance);
    assert_client(&d, "headers :status=403; data no; end");
    close_both();
}

TEST(a_response_that_comes_behind_a_stopped_reply_is_dropped)
{
    open_both();
    request((struct driver_message)ENDS_WITH_HEADERS);
    b.headers[NU_ENCODE] = NU_HEADERS_STOP_ALL_AND_BUFFER;
    refuse(a.instance);
    respond((struct driver_message){.body = "r"});
    forget();
    nu_filter_continue_encoding(b.instance);
    assert_seen("a.rs b.(no$) a.(no$) a.log b.log a.close b.close");
    assert_client(&d, "headers :status=403; data no; end");
    close_both();
}

TEST(a_reset_ends_the_stream_at_every_phase)
{
    for (int at = 0; at < 4; at++) {
        open_both();
        if (at == 0)
            a.on_headers[NU_DECODE] = reset_it;
        if (at == 1)
            a.on_trailers[NU_DECODE] = reset_it;
        if (at == 2)
            b.on_headers[NU_ENCODE] = reset_it;
        if (at == 3)
            b.on_trailers[NU_ENCODE] = reset_it;
        request((struct driver_message)HAS_TRAILERS);
        respond((struct driver_message){.body = "r", .trailers = true});
        assert_true(d.reset);
        close_both();
    }
}

TEST(what_a_filter_asks_from_log_of_an_ended_stream_is_not_done)
{
    open_both();
    a.on_end = refuse;
    b.on_end = reset_it;
    request((struct driver_message)ENDS_WITH_HEADERS);
    respond((struct driver_message){0});
    assert_false(d.reset);
    assert_client(&d, "headers :status=200; data ; end");
    close_both();
}

static void refuse_from_open(struct nu_filter *self)
{
    refuse(self);
}

static const struct nu_filter_class hasty = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "test.hasty",
    .instance_size = sizeof(struct nu_filter),
    .open = refuse_from_open,
};

TEST(an_answer_from_open_is_refused)
{
    const struct nu_filter_entry entry = {.cls = &hasty, .name = NU_STR("hasty")};
    driver_open(&d, &entry, 1, 100);
    request((struct driver_message)ENDS_WITH_HEADERS);
    assert_upstream(&d, "headers :method=GET; data ; end");
    driver_close(&d);
}

TEST(an_interim_response_visits_the_filters_until_one_ends_the_stream)
{
    open_both();
    request((struct driver_message)ENDS_WITH_HEADERS);
    forget();
    driver_fill(&d, &d.response_headers,
                (struct driver_header[]){{":status", "103"}, {NULL, NULL}});
    nu_chain_encode_1xx(&d.terminal->base, &d.response_headers);
    assert_seen("b.1xx a.1xx");
    assert_int_equal(d.interim, 1);
    b.on_headers[NU_ENCODE] = reset_it;
    nu_chain_encode_1xx(&d.terminal->base, &d.response_headers);
    assert_seen("b.1xx a.1xx b.1xx a.log b.log a.close b.close");
    assert_int_equal(d.interim, 1);
    close_both();
}

/* --- Starting over ---------------------------------------------------------------------------- */

static bool recreated;

static void start_over(struct nu_filter *self, struct nu_buf *data, bool end)
{
    (void)data;
    if (end)
        recreated = nu_filter_recreate_stream(self);
}

TEST(a_request_starts_over_with_the_body_that_is_kept)
{
    open_both();
    a.data[NU_DECODE] = NU_DATA_STOP_AND_BUFFER;
    a.on_data[NU_DECODE] = start_over;
    request((struct driver_message)HAS_BODY);
    assert_true(recreated);
    assert_int_equal(nu_buf_length(&d.recreated_body), 2);
    assert_seen("a.rq b.rq a.(x) a.(y$)");
    assert_false(nu_filter_recreate_stream(a.instance));
    close_both();
}

TEST(a_request_whose_body_went_on_does_not_start_over)
{
    open_both();
    a.on_data[NU_DECODE] = start_over;
    request((struct driver_message)HAS_BODY);
    assert_false(recreated);
    assert_upstream(&d, "headers :method=GET; data xy; end");
    close_both();
}

TEST(a_request_with_a_response_does_not_start_over)
{
    open_both();
    request((struct driver_message)ENDS_WITH_HEADERS);
    b.headers[NU_ENCODE] = NU_HEADERS_STOP;
    respond((struct driver_message){0});
    assert_false(nu_filter_recreate_stream(a.instance));
    close_both();
}

TEST_MAIN()
