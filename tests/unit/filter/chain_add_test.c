/* SPDX-License-Identifier: Apache-2.0 */
/* What filters add to a message, and what they inject. */
#include "harness/filter_probes.h"

static void add_to_request(struct nu_filter *self)
{
    struct nu_buf *more = nu_filter_buffer(self);
    nu_buf_append(more, nu_str_from(script_of(self)->name));
    nu_filter_add_decoded_data(self, more);
}

static void add_behind_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    (void)data;
    if (end)
        add_to_request(self);
}

TEST(data_added_to_headers_becomes_the_body)
{
    open_both();
    a.on_headers[NU_DECODE] = add_to_request;
    request((struct driver_message)ENDS_WITH_HEADERS);
    assert_seen("a.rq$ b.rq b.(a$)");
    assert_upstream(&d, "headers :method=GET; data a; end");
    close_both();
}

TEST(data_added_by_two_filters_ends_once)
{
    open_both();
    a.on_headers[NU_DECODE] = add_to_request;
    b.on_headers[NU_DECODE] = add_to_request;
    request((struct driver_message)ENDS_WITH_HEADERS);
    assert_seen("a.rq$ b.rq b.(a$)");
    assert_upstream(&d, "headers :method=GET; data ba; end");
    close_both();
}

TEST(data_added_to_headers_reaches_a_filter_that_stops_them)
{
    open_both();
    a.on_headers[NU_DECODE] = add_to_request;
    b.headers[NU_DECODE] = NU_HEADERS_STOP;
    request((struct driver_message)ENDS_WITH_HEADERS);
    assert_seen("a.rq$ b.rq b.(a$)");
    assert_upstream(&d, "headers :method=GET; data a; end");
    close_both();
}

TEST(data_added_to_data_follows_it)
{
    open_both();
    a.on_data[NU_DECODE] = add_behind_data;
    request((struct driver_message)HAS_BODY);
    assert_upstream(&d, "headers :method=GET; data xya; end");
    close_both();
}

TEST(data_added_to_trailers_precedes_them)
{
    open_both();
    a.on_trailers[NU_DECODE] = add_to_request;
    request((struct driver_message)HAS_TRAILERS);
    assert_seen("a.rq b.rq a.(x) b.(x) a.(y) b.(y) a.trailers b.(a) b.trailers");
    assert_upstream(&d, "headers :method=GET; trailers x-trailer=t; data xya; end");
    close_both();
}

TEST(data_added_to_trailers_of_stopped_headers_waits_for_them)
{
    open_both();
    a.headers[NU_DECODE] = NU_HEADERS_STOP;
    a.trailers[NU_DECODE] = NU_TRAILERS_STOP;
    a.on_trailers[NU_DECODE] = add_to_request;
    request((struct driver_message){.headers = get, .trailers = true});
    assert_seen("a.rq a.trailers");
    nu_filter_continue_decoding(a.instance);
    assert_seen("a.rq a.trailers b.rq b.(a) b.trailers");
    close_both();
}

TEST(data_added_while_stopped_goes_with_continue_and_carries_the_end)
{
    open_both();
    a.headers[NU_DECODE] = NU_HEADERS_STOP;
    request((struct driver_message)ENDS_WITH_HEADERS);
    add_to_request(a.instance);
    nu_filter_continue_decoding(a.instance);
    assert_seen("a.rq$ b.rq b.(a$)");
    close_both();
}

static void add_trailers(struct nu_filter *self, struct nu_buf *data, bool end)
{
    (void)data;
    struct nu_headers *trailers = nu_filter_add_decoded_trailers(self);
    assert_true((trailers != NULL) == end);
    if (trailers)
        nu_headers_add(trailers, NU_STR("x-made"), NU_STR("1"));
}

TEST(trailers_added_at_the_end_of_data_reach_the_next_filters)
{
    open_both();
    a.on_data[NU_DECODE] = add_trailers;
    request((struct driver_message)HAS_BODY);
    assert_seen("a.rq b.rq a.(x) b.(x) a.(y$) b.(y) b.trailers");
    assert_upstream(&d, "headers :method=GET; trailers x-made=1; data xy; end");
    close_both();
}

TEST(added_trailers_wait_where_their_data_waits)
{
    open_both();
    a.on_data[NU_DECODE] = add_trailers;
    a.data[NU_DECODE] = NU_DATA_STOP_AND_BUFFER;
    request((struct driver_message)HAS_BODY);
    assert_seen("a.rq b.rq a.(x) a.(y$)");
    nu_filter_continue_decoding(a.instance);
    assert_seen("a.rq b.rq a.(x) a.(y$) b.(xy) b.trailers");
    close_both();
}

static void inject_copy(struct nu_filter *self, struct nu_buf *data, bool end)
{
    struct nu_buf *copy = nu_filter_buffer(self);
    nu_buf_move_all(copy, data);
    nu_buf_append(copy, NU_STR("!"));
    nu_filter_inject_decoded_data(self, copy, end);
}

TEST(injected_data_passes_at_once_with_the_headers_before_it)
{
    open_both();
    a.headers[NU_DECODE] = NU_HEADERS_STOP;
    a.data[NU_DECODE] = NU_DATA_STOP_NO_BUFFER;
    a.on_data[NU_DECODE] = inject_copy;
    request((struct driver_message)HAS_BODY);
    assert_seen("a.rq a.(x) b.rq b.(x!) a.(y$) b.(y!$)");
    forget();
    nu_filter_continue_decoding(a.instance); /* too late: the end has passed */
    assert_seen("");
    assert_upstream(&d, "headers :method=GET; data x!y!; end");
    close_both();
}

static void inject_from_headers(struct nu_filter *self)
{
    struct nu_buf *made = nu_filter_buffer(self);
    nu_buf_append(made, NU_STR("made"));
    nu_filter_inject_decoded_data(self, made, true);
}

TEST(data_injected_from_headers_sends_them_once_whatever_is_returned)
{
    static const enum nu_headers_status all[] = {NU_HEADERS_STOP, NU_HEADERS_CONTINUE,
                                                 NU_HEADERS_STOP_ALL_AND_BUFFER};
    for (size_t i = 0; i < NU_ARRAY_LEN(all); i++) {
        open_both();
        a.headers[NU_DECODE] = all[i];
        a.on_headers[NU_DECODE] = inject_from_headers;
        request((struct driver_message)ENDS_WITH_HEADERS);
        nu_filter_continue_decoding(a.instance);
        assert_seen("a.rq$ b.rq b.(made$)");
        close_both();
    }
}

static void continue_self(struct nu_filter *self, struct nu_buf *data, bool end)
{
    (void)data;
    (void)end;
    nu_filter_continue_decoding(self);
}

TEST(continue_from_inside_the_own_callback_is_refused)
{
    open_both();
    a.headers[NU_DECODE] = NU_HEADERS_STOP;
    a.on_data[NU_DECODE] = continue_self;
    request((struct driver_message)HAS_BODY);
    assert_upstream(&d, "headers :method=GET; data xy; end");
    close_both();
}

TEST_MAIN()
