/* SPDX-License-Identifier: Apache-2.0 */
/* What each return value of a filter's callback does, and what filters may ask of the chain. */
#include "harness/filter_driver.h"

/* A filter that does as its script says and writes down what it is shown. */
struct script {
    const char *name;
    enum nu_headers_status headers[2]; /* decode, encode */
    enum nu_data_status data[2];
    enum nu_trailers_status trailers[2];
    void (*on_headers[2])(struct nu_filter *self);
    void (*on_data[2])(struct nu_filter *self, struct nu_buf *data, bool end);
    void (*on_trailers[2])(struct nu_filter *self);
    void (*on_end)(struct nu_filter *self); /* from log */
    struct nu_filter *instance;             /* set by open */
};

static struct nu_strbuf seen;

static const struct script *script_of(struct nu_filter *self)
{
    return self->config;
}

static void note(struct nu_filter *self, const char *what)
{
    nu_strbuf_addf(&seen, "%s%s.%s", seen.len ? " " : "", script_of(self)->name, what);
}

static enum nu_headers_status probe_headers(struct nu_filter *self, enum nu_direction dir, bool end)
{
    const struct script *script = script_of(self);
    note(self, dir == NU_DECODE ? "rq" : "rs");
    if (end)
        nu_strbuf_add(&seen, NU_STR("$"));
    if (script->on_headers[dir])
        script->on_headers[dir](self);
    return script->headers[dir];
}

static enum nu_data_status probe_data(struct nu_filter *self, enum nu_direction dir,
                                      struct nu_buf *data, bool end)
{
    const struct script *script = script_of(self);
    char bytes[64];
    size_t len = nu_buf_copy_out(data, 0, bytes, sizeof(bytes));
    note(self, "");
    nu_strbuf_addf(&seen, "(%.*s%s)", (int)len, bytes, end ? "$" : "");
    if (script->on_data[dir])
        script->on_data[dir](self, data, end);
    return script->data[dir];
}

static enum nu_trailers_status probe_trailers(struct nu_filter *self, enum nu_direction dir)
{
    const struct script *script = script_of(self);
    note(self, "trailers");
    if (script->on_trailers[dir])
        script->on_trailers[dir](self);
    return script->trailers[dir];
}

static enum nu_headers_status rq_headers(struct nu_filter *self, struct nu_headers *h, bool end)
{
    (void)h;
    return probe_headers(self, NU_DECODE, end);
}

static enum nu_headers_status rs_headers(struct nu_filter *self, struct nu_headers *h, bool end)
{
    (void)h;
    return probe_headers(self, NU_ENCODE, end);
}

static enum nu_data_status rq_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    return probe_data(self, NU_DECODE, data, end);
}

static enum nu_data_status rs_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    return probe_data(self, NU_ENCODE, data, end);
}

static enum nu_trailers_status rq_trailers(struct nu_filter *self, struct nu_headers *h)
{
    (void)h;
    return probe_trailers(self, NU_DECODE);
}

static enum nu_trailers_status rs_trailers(struct nu_filter *self, struct nu_headers *h)
{
    (void)h;
    return probe_trailers(self, NU_ENCODE);
}

static void rs_1xx(struct nu_filter *self, struct nu_headers *h)
{
    (void)h;
    note(self, "1xx");
    if (script_of(self)->on_headers[NU_ENCODE])
        script_of(self)->on_headers[NU_ENCODE](self);
}

static void probe_open(struct nu_filter *self)
{
    ((struct script *)nu_unconst(self->config))->instance = self;
}

static void probe_log(struct nu_filter *self)
{
    note(self, "log");
    if (script_of(self)->on_end)
        script_of(self)->on_end(self);
}

static void probe_close(struct nu_filter *self)
{
    note(self, "close");
}

static void probe_high(struct nu_filter *self)
{
    note(self, "high");
}

static void probe_low(struct nu_filter *self)
{
    note(self, "low");
}

static const struct nu_filter_class probe = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "test.probe",
    .instance_size = sizeof(struct nu_filter),
    .open = probe_open,
    .close = probe_close,
    .decode_headers = rq_headers,
    .decode_data = rq_data,
    .decode_trailers = rq_trailers,
    .encode_1xx = rs_1xx,
    .encode_headers = rs_headers,
    .encode_data = rs_data,
    .encode_trailers = rs_trailers,
    .log = probe_log,
    .on_downstream_high = probe_high,
    .on_downstream_low = probe_low,
};

/* --- Fixture: probes a and b before the driver's upstream ------------------------------------- */

static struct driver d;
static struct script a, b;

static void open_limited(uint32_t limit)
{
    nu_strbuf_finish(&seen);
    a = (struct script){.name = "a"};
    b = (struct script){.name = "b"};
    const struct nu_filter_entry entries[] = {
        {.cls = &probe, .name = NU_STR("a"), .config = &a},
        {.cls = &probe, .name = NU_STR("b"), .config = &b},
    };
    driver_open(&d, entries, 2, limit);
}

static void open_both(void)
{
    open_limited(1000);
}

static void close_both(void)
{
    driver_close(&d);
    nu_strbuf_finish(&seen);
}

static void forget(void)
{
    seen.len = 0;
}

#define assert_seen(text) assert_str(nu_strbuf_str(&seen), text)

static const struct driver_header get[] = {{":method", "GET"}, {NULL, NULL}};
#define ENDS_WITH_HEADERS \
    { \
        .headers = get \
    }
#define HAS_BODY \
    { \
        .headers = get, .body = "xy", .cuts = 1 \
    }
#define HAS_TRAILERS \
    { \
        .headers = get, .body = "xy", .cuts = 1, .trailers = true \
    }

static void request(const struct driver_message message)
{
    driver_request(&d, &message);
}

static void respond(const struct driver_message message)
{
    driver_respond(&d, &message);
}

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

/* --- Adding ----------------------------------------------------------------------------------- */

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

/* --- Limits ----------------------------------------------------------------------------------- */

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

/* --- Routes ----------------------------------------------------------------------------------- */

TEST(a_disabled_filter_sees_nothing)
{
    open_both();
    driver_close(&d);
    const struct nu_filter_entry entries[] = {
        {.cls = &probe, .name = NU_STR("a"), .config = &a, .disabled = true},
        {.cls = &probe, .name = NU_STR("b"), .config = &b},
    };
    driver_open(&d, entries, 2, 100);
    forget();
    request((struct driver_message)HAS_TRAILERS);
    respond((struct driver_message){.body = "r"});
    assert_seen("b.rq b.(x) b.(y) b.trailers b.rs b.(r$) b.log b.close");
    close_both();
}

TEST(route_configurations_are_for_filters_of_their_class)
{
    open_both();
    int settings = 1;
    struct nu_filter_route_config config = {.cls = &probe, .config = &settings};
    d.route_filter = "b";
    d.route_config = &config;
    nu_filter_clear_route_cache(a.instance);
    assert_int_equal(d.routed, 1);
    assert_null(a.instance->route_config);
    assert_ptr_equal(b.instance->route_config, &settings);
    config.cls = &hasty;
    nu_filter_clear_route_cache(a.instance);
    assert_null(b.instance->route_config);
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

/* --- Timers, calls, workers ------------------------------------------------------------------- */

struct timed {
    struct nu_filter base;
    struct nu_filter_timer timer;
};

static int fired;

static void on_timed(struct nu_filter *self)
{
    fired++;
    nu_filter_continue_decoding(self);
}

static enum nu_headers_status wait_a_while(struct nu_filter *self, struct nu_headers *h, bool end)
{
    (void)h;
    (void)end;
    struct timed *timed = nu_container_of(self, struct timed, base);
    timed->timer.on_timer = on_timed;
    nu_filter_timer_arm(self, &timed->timer, 20);
    return NU_HEADERS_STOP_ALL_AND_BUFFER;
}

static int workers_open;

static void open_worker(void *worker, const void *config)
{
    assert_int_equal(*(int *)worker, 0);
    assert_str(nu_str_from(config), "settings");
    *(int *)worker = 7;
    workers_open++;
}

static void close_worker(void *worker, const void *config)
{
    (void)config;
    assert_int_equal(*(int *)worker, 7);
    workers_open--;
}

static const struct nu_filter_class timed_class = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "test.timed",
    .instance_size = sizeof(struct timed),
    .worker_size = sizeof(int),
    .worker_open = open_worker,
    .worker_close = close_worker,
    .decode_headers = wait_a_while,
};

static const struct nu_filter_entry timed_entry = {
    .cls = &timed_class, .name = NU_STR_INIT("timed"), .config = "settings"};

TEST(a_timer_comes_once_and_may_continue)
{
    fired = 0;
    driver_open(&d, &timed_entry, 1, 100);
    request((struct driver_message)HAS_BODY);
    driver_wait(&d, 19);
    assert_upstream(&d, "nothing");
    driver_wait(&d, 60);
    assert_int_equal(fired, 1);
    assert_upstream(&d, "headers :method=GET; data xy; end");
    driver_close(&d);
}

TEST(a_timer_that_a_filter_forgot_goes_with_the_stream)
{
    fired = 0;
    driver_open(&d, &timed_entry, 1, 100);
    request((struct driver_message)HAS_BODY);
    driver_end(&d);
    driver_wait(&d, 60);
    assert_int_equal(fired, 0);
    driver_close(&d);
}

TEST(a_thread_has_one_state_for_all_its_streams_until_the_configuration_goes)
{
    driver_open(&d, &timed_entry, 1, 100);
    assert_int_equal(workers_open, 1);
    assert_int_equal(*(int *)d.chain.filters[0]->worker, 7);
    void *worker = d.chain.filters[0]->worker;
    driver_end(&d);
    driver_start_chain(&d, 100);
    assert_ptr_equal(d.chain.filters[0]->worker, worker);
    assert_int_equal(workers_open, 1);
    d.over = false;
    driver_close(&d);
    assert_int_equal(workers_open, 0);
}

static struct nu_filter_call fake_call;
static int cancelled;

static struct nu_filter_call *fake_start(const struct nu_filter_client *client,
                                         struct nu_loop *loop,
                                         const struct nu_call_request *request)
{
    (void)client;
    (void)loop;
    return nu_str_eq(request->cluster, NU_STR("known")) ? &fake_call : NULL;
}

static void fake_cancel(struct nu_filter_call *call)
{
    assert_ptr_equal(call, &fake_call);
    cancelled++;
}

static const struct nu_filter_client fake_client = {.start = fake_start, .cancel = fake_cancel};

static uint32_t call_status;

static void on_called(struct nu_filter *self, const struct nu_call_result *result)
{
    assert_ptr_equal(self, a.instance);
    call_status = result->status;
}

static struct nu_filter_call *call(const char *cluster)
{
    const struct nu_call_request wanted = {.cluster = nu_str_from(cluster)};
    return nu_filter_http_call(a.instance, &wanted, on_called);
}

TEST(calls_end_with_their_result_or_with_the_stream)
{
    open_both();
    assert_null(call("known")); /* no client, no call */
    d.loop->client = &fake_client;
    cancelled = 0;
    assert_null(call("unknown"));
    assert_ptr_equal(call("known"), &fake_call);
    nu_filter_call_done(&fake_call, &(struct nu_call_result){.ok = true, .status = 204});
    assert_int_equal(call_status, 204);
    nu_filter_call_cancel(call("known"));
    assert_int_equal(cancelled, 1);
    assert_non_null(call("known"));
    driver_end(&d);
    assert_int_equal(cancelled, 2);
    assert_null(call("known"));
    close_both();
}

/* --- Values ----------------------------------------------------------------------------------- */

TEST(metadata_and_state_are_there_for_later_filters)
{
    open_both();
    nu_filter_set_metadata_string(a.instance, NU_STR("ns"), NU_STR("k"), NU_STR("v"));
    nu_filter_set_metadata_number(a.instance, NU_STR("ns"), NU_STR("n"), 2);
    nu_filter_set_metadata_bool(a.instance, NU_STR("ns"), NU_STR("b"), true);
    nu_filter_set_state(a.instance, NU_STR("s"), NU_STR("1"));
    nu_filter_set_state(a.instance, NU_STR("s"), NU_STR("2"));
    assert_str(nu_filter_metadata_string(b.instance, NU_STR("ns"), NU_STR("k")), "v");
    assert_null(nu_filter_metadata_string(b.instance, NU_STR("ns"), NU_STR("n")).ptr);
    assert_null(nu_filter_metadata_string(b.instance, NU_STR("other"), NU_STR("k")).ptr);
    assert_str(nu_filter_state(b.instance, NU_STR("s")), "2");
    assert_null(nu_filter_state(b.instance, NU_STR("t")).ptr);
    close_both();
}

TEST(the_buffer_limits_are_each_directions_own)
{
    open_both();
    nu_filter_set_decoder_buffer_limit(a.instance, 10);
    nu_filter_set_encoder_buffer_limit(a.instance, 20);
    assert_int_equal(nu_filter_decoder_buffer_limit(b.instance), 10);
    assert_int_equal(nu_filter_encoder_buffer_limit(b.instance), 20);
    close_both();
}

TEST_MAIN()
