/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conformance suite: holds any filter, built in or plug-in, against the contract of
 * nuncio/filter.h.
 *
 *     const struct conformance_subject subject = {
 *         .entry = {.cls = cls, .name = NU_STR("mine"), .config = config},
 *         .request = (struct driver_header[]){{":path", "/"}, {"token", "7"}, {NULL, NULL}},
 *     };
 *     conformance_run(&subject);
 *
 * The filter runs between two saboteurs. What reaches client and upstream must not depend on how
 * bodies are cut into pieces, nor on who stops the message for a while at which part of it, nor on
 * slow readers; and a reset, an answer or a client that leaves at any point must leave nothing
 * behind (the sanitizers see to the memory). A filter for which one of these rightly makes a
 * difference is not for this suite; run it once for each kind of request that it treats
 * differently.
 */
#ifndef NU_TESTS_HARNESS_FILTER_CONFORMANCE_H
#define NU_TESTS_HARNESS_FILTER_CONFORMANCE_H

#include "harness/filter_driver.h"

struct conformance_subject {
    struct nu_filter_entry entry;
    const struct driver_header *request;  /* as in struct driver_message */
    const struct driver_header *response; /* NULL: a plain 200 */
    unsigned wait_ms; /* how long the filter may take before it goes on with a part */
};

/* --- Saboteurs -------------------------------------------------------------------------------- */

enum sabotage_kind {
    SABOTAGE_NONE,
    SABOTAGE_STOP,           /* a STOP of the part; for data, buffered */
    SABOTAGE_STOP_ALL,       /* headers: everything, buffered */
    SABOTAGE_STOP_WATERMARK, /* headers: everything; data; with a limit of one byte */
    SABOTAGE_TAKE,           /* data: kept by the saboteur, injected later */
    SABOTAGE_STOPS,          /* the last one that stops */
    SABOTAGE_REPLY,
    SABOTAGE_RESET,
};

struct sabotage {
    enum sabotage_kind kind;
    enum nu_direction dir;
    enum nu_filter_phase phase;
    unsigned nth; /* data: which piece, from 0 */
    bool soon;    /* goes on before the next piece, not at the end of the message */
};

struct saboteur_config {
    struct sabotage sabotage;
    struct saboteur *instance; /* set by open */
    bool hit;                  /* the point was reached */
};

/* What a saboteur saw of one direction: it checks the order. */
struct saboteur_half {
    bool headers;
    bool ended;
    unsigned pieces;
};

struct saboteur {
    struct nu_filter base;
    struct saboteur_half half[2];
    struct nu_buf *taken;
    uint32_t limit;
    bool taken_end;
    bool taking;
    bool stopped;
    bool logged;
    bool closed;
};

static inline struct saboteur *saboteur_of(struct nu_filter *self)
{
    return nu_container_of(self, struct saboteur, base);
}

static inline struct saboteur_config *saboteur_config(struct nu_filter *self)
{
    return nu_unconst(self->config);
}

static inline bool is_point(struct nu_filter *self, enum nu_direction dir,
                            enum nu_filter_phase phase)
{
    struct saboteur_config *config = saboteur_config(self);
    const struct sabotage *sabotage = &config->sabotage;
    bool now = sabotage->kind != SABOTAGE_NONE && !config->hit && sabotage->dir == dir &&
               sabotage->phase == phase &&
               (phase != NU_PHASE_DATA || saboteur_of(self)->half[dir].pieces > sabotage->nth);
    config->hit |= now;
    return now;
}

static inline void set_limit(struct nu_filter *self, enum nu_direction dir, uint32_t limit)
{
    struct saboteur *s = saboteur_of(self);
    if (dir == NU_DECODE) {
        s->limit = nu_filter_decoder_buffer_limit(self);
        nu_filter_set_decoder_buffer_limit(self, limit);
    } else {
        s->limit = nu_filter_encoder_buffer_limit(self);
        nu_filter_set_encoder_buffer_limit(self, limit);
    }
}

/* Ends the stream if that is the plan; true if it is over. */
static inline bool sabotage_ends(struct nu_filter *self)
{
    enum sabotage_kind kind = saboteur_config(self)->sabotage.kind;
    if (kind == SABOTAGE_REPLY)
        nu_filter_reply(self, 418, NU_STR("sabotage"), NU_STR("sabotage"));
    else if (kind == SABOTAGE_RESET)
        nu_filter_reset(self);
    return kind >= SABOTAGE_STOPS;
}

static inline enum nu_headers_status saboteur_headers(struct nu_filter *self, enum nu_direction dir,
                                                      bool end)
{
    struct saboteur *s = saboteur_of(self);
    assert_false(s->closed || s->half[dir].headers);
    s->half[dir] = (struct saboteur_half){.headers = true, .ended = end};
    if (!is_point(self, dir, NU_PHASE_HEADERS))
        return NU_HEADERS_CONTINUE;
    if (sabotage_ends(self))
        return NU_HEADERS_STOP;
    s->stopped = true;
    switch (saboteur_config(self)->sabotage.kind) {
    case SABOTAGE_STOP_ALL:
        return NU_HEADERS_STOP_ALL_AND_BUFFER;
    case SABOTAGE_STOP_WATERMARK:
        set_limit(self, dir, 1);
        return NU_HEADERS_STOP_ALL_AND_WATERMARK;
    default:
        return NU_HEADERS_STOP;
    }
}

static inline enum nu_data_status take(struct saboteur *s, struct nu_buf *data, bool end)
{
    if (!s->taken)
        s->taken = nu_filter_buffer(&s->base);
    nu_buf_move_all(s->taken, data);
    s->taken_end = end;
    return NU_DATA_STOP_NO_BUFFER;
}

static inline enum nu_data_status saboteur_data(struct nu_filter *self, enum nu_direction dir,
                                                struct nu_buf *data, bool end)
{
    struct saboteur *s = saboteur_of(self);
    enum sabotage_kind kind = saboteur_config(self)->sabotage.kind;
    assert_false(s->closed || s->half[dir].ended);
    assert_true(s->half[dir].headers);
    s->half[dir].ended = end;
    s->half[dir].pieces++;
    bool here = saboteur_config(self)->sabotage.dir == dir;
    if (is_point(self, dir, NU_PHASE_DATA)) {
        if (sabotage_ends(self))
            return NU_DATA_STOP_NO_BUFFER;
        s->stopped = true;
        s->taking = kind == SABOTAGE_TAKE;
        if (kind == SABOTAGE_STOP_WATERMARK)
            set_limit(self, dir, 1);
    }
    if (!here || !s->stopped)
        return NU_DATA_CONTINUE;
    if (s->taking)
        return take(s, data, end);
    return kind == SABOTAGE_STOP_WATERMARK ? NU_DATA_STOP_AND_WATERMARK : NU_DATA_STOP_AND_BUFFER;
}

static inline enum nu_trailers_status saboteur_trailers(struct nu_filter *self,
                                                        enum nu_direction dir)
{
    struct saboteur *s = saboteur_of(self);
    assert_false(s->closed || s->half[dir].ended);
    s->half[dir].ended = true;
    if (is_point(self, dir, NU_PHASE_TRAILERS)) {
        if (sabotage_ends(self))
            return NU_TRAILERS_STOP;
        s->stopped = true;
    }
    return s->stopped && saboteur_config(self)->sabotage.dir == dir ? NU_TRAILERS_STOP
                                                                    : NU_TRAILERS_CONTINUE;
}

static inline enum nu_headers_status saboteur_rq(struct nu_filter *self, struct nu_headers *h,
                                                 bool end)
{
    (void)h;
    return saboteur_headers(self, NU_DECODE, end);
}

static inline enum nu_headers_status saboteur_rs(struct nu_filter *self, struct nu_headers *h,
                                                 bool end)
{
    (void)h;
    return saboteur_headers(self, NU_ENCODE, end);
}

static inline enum nu_data_status saboteur_rq_data(struct nu_filter *self, struct nu_buf *data,
                                                   bool end)
{
    return saboteur_data(self, NU_DECODE, data, end);
}

static inline enum nu_data_status saboteur_rs_data(struct nu_filter *self, struct nu_buf *data,
                                                   bool end)
{
    return saboteur_data(self, NU_ENCODE, data, end);
}

static inline enum nu_trailers_status saboteur_rq_trailers(struct nu_filter *self,
                                                           struct nu_headers *h)
{
    (void)h;
    return saboteur_trailers(self, NU_DECODE);
}

static inline enum nu_trailers_status saboteur_rs_trailers(struct nu_filter *self,
                                                           struct nu_headers *h)
{
    (void)h;
    return saboteur_trailers(self, NU_ENCODE);
}

static inline void saboteur_open(struct nu_filter *self)
{
    saboteur_config(self)->instance = saboteur_of(self);
}

static inline void saboteur_log(struct nu_filter *self)
{
    assert_false(saboteur_of(self)->logged || saboteur_of(self)->closed);
    saboteur_of(self)->logged = true;
}

static inline void saboteur_close(struct nu_filter *self)
{
    assert_true(saboteur_of(self)->logged);
    assert_false(saboteur_of(self)->closed);
    saboteur_of(self)->closed = true;
}

static const struct nu_filter_class saboteur_class = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "test.saboteur",
    .instance_size = sizeof(struct saboteur),
    .open = saboteur_open,
    .close = saboteur_close,
    .decode_headers = saboteur_rq,
    .decode_data = saboteur_rq_data,
    .decode_trailers = saboteur_rq_trailers,
    .encode_headers = saboteur_rs,
    .encode_data = saboteur_rs_data,
    .encode_trailers = saboteur_rs_trailers,
    .log = saboteur_log,
};

/* Lets go what the saboteur stopped. */
static inline void saboteur_go_on(struct saboteur *s)
{
    if (s->closed || !s->stopped)
        return;
    const struct sabotage *sabotage = &saboteur_config(&s->base)->sabotage;
    bool decode = sabotage->dir == NU_DECODE;
    s->stopped = false;
    if (sabotage->kind == SABOTAGE_STOP_WATERMARK)
        set_limit(&s->base, sabotage->dir, s->limit);
    if (s->taken && decode)
        nu_filter_inject_decoded_data(&s->base, s->taken, s->taken_end);
    else if (s->taken)
        nu_filter_inject_encoded_data(&s->base, s->taken, s->taken_end);
    if (s->closed)
        return;
    if (decode)
        nu_filter_continue_decoding(&s->base);
    else
        nu_filter_continue_encoding(&s->base);
}

/* --- One run ---------------------------------------------------------------------------------- */

/* How one run goes. */
struct conformance_run {
    struct driver_message request;
    struct driver_message response;
    struct saboteur_config saboteurs[2]; /* before and behind the filter, as a request sees them */
    bool storm;                          /* the client's side is full and empty all the time */
    unsigned leave_before; /* the client goes away before this piece, counted from 1; 0: never */
    unsigned pieces;
    char outcome[1024]; /* of the run */
    bool over;
    bool reset;
    bool answered;
};

static inline void conformance_go_on(struct conformance_run *run, bool soon_only)
{
    for (int i = 0; i < 2; i++) {
        if (!soon_only || run->saboteurs[i].sabotage.soon)
            saboteur_go_on(run->saboteurs[i].instance);
    }
}

static inline void conformance_between(struct driver *d)
{
    struct conformance_run *run = d->user;
    run->pieces++;
    if (run->leave_before == run->pieces) {
        driver_end(d);
        return;
    }
    for (int i = 0; run->storm && i < 3; i++) {
        nu_chain_downstream_high(&d->chain);
        nu_chain_downstream_high(&d->chain);
        nu_chain_downstream_low(&d->chain);
        nu_chain_downstream_low(&d->chain);
    }
    conformance_go_on(run, true);
}

static inline void conformance_on_stuck(struct driver *d)
{
    conformance_go_on(d->user, false);
}

/* After a message: everything that waits goes on. */
static inline void conformance_settle(struct driver *d, struct conformance_run *run,
                                      unsigned wait_ms)
{
    driver_wait(d, wait_ms + 1);
    conformance_go_on(run, false);
    driver_wait(d, wait_ms + 1);
}

static inline void conformance_note(struct driver *d, struct conformance_run *run)
{
    struct nu_strbuf text = {0};
    nu_strbuf_add(&text, NU_STR("upstream: "));
    driver_describe(&d->upstream, &text);
    nu_strbuf_add(&text, NU_STR(" client: "));
    driver_describe(&d->client, &text);
    nu_strbuf_add(&text, d->reset ? NU_STR(" reset") : NU_STR(""));
    snprintf(run->outcome, sizeof(run->outcome), "%.*s", NU_STR_ARG(nu_strbuf_str(&text)));
    nu_strbuf_finish(&text);
    run->over = d->over;
    run->reset = d->reset;
    run->answered = d->client.ended;
}

static inline void conformance_run_once(const struct conformance_subject *subject,
                                        struct conformance_run *run)
{
    enum { LIMIT = 100000 };
    struct driver *d = calloc(1, sizeof(*d));
    const struct nu_filter_entry entries[] = {
        {.cls = &saboteur_class, .name = NU_STR("before"), .config = &run->saboteurs[0]},
        subject->entry,
        {.cls = &saboteur_class, .name = NU_STR("behind"), .config = &run->saboteurs[1]},
    };
    run->request.headers = subject->request;
    run->response.headers = subject->response;
    driver_open(d, entries, NU_ARRAY_LEN(entries), LIMIT);
    d->user = run;
    d->between = conformance_between;
    d->on_stuck = conformance_on_stuck;
    driver_request(d, &run->request);
    conformance_settle(d, run, subject->wait_ms);
    if (d->upstream.has_headers && !d->client.has_headers)
        driver_respond(d, &run->response);
    conformance_settle(d, run, subject->wait_ms);
    conformance_note(d, run);
    driver_close(d);
    for (int i = 0; i < 2; i++)
        assert_true(run->saboteurs[i].instance != NULL);
    free(d);
}

/* --- The suite -------------------------------------------------------------------------------- */

/* Messages that differ in where they end. */
static const struct driver_message conformance_shapes[] = {
    {0}, {.body = "abcd"}, {.body = "abcd", .trailers = true}, {.trailers = true}, {.body = ""},
};
enum { CONFORMANCE_SHAPES = 5 };

static inline void assert_same_outcome(const struct conformance_run *run, const char *baseline,
                                       const char *what)
{
    if (strcmp(run->outcome, baseline) == 0)
        return;
    print_error("%s: got\n  %s\nwant\n  %s\n", what, run->outcome, baseline);
    fail();
}

static inline void conformance_baseline(const struct conformance_subject *subject, int request,
                                        int response, char *outcome, size_t size)
{
    struct conformance_run run = {.request = conformance_shapes[request],
                                  .response = conformance_shapes[response]};
    conformance_run_once(subject, &run);
    if (!run.over || !(run.answered || run.reset)) {
        print_error("the request was not answered: %s\n", run.outcome);
        fail();
    }
    snprintf(outcome, size, "%s", run.outcome);
}

/* Every way to cut the body, and the end alone behind it; both directions. */
static inline void conformance_cuts(const struct conformance_subject *subject, int shape,
                                    enum nu_direction dir, const char *baseline)
{
    for (uint32_t cuts = 0; cuts < 16; cuts++) {
        struct conformance_run run = {.request = conformance_shapes[dir == NU_DECODE ? shape : 1],
                                      .response = conformance_shapes[dir == NU_ENCODE ? shape : 1]};
        struct driver_message *message = dir == NU_DECODE ? &run.request : &run.response;
        if (!message->body)
            return;
        message->cuts = cuts & 7;
        message->empty_end = cuts & 8;
        conformance_run_once(subject, &run);
        assert_same_outcome(&run, baseline, "another cut of the body");
        run = (struct conformance_run){
            .request = run.request, .response = run.response, .storm = true};
        conformance_run_once(subject, &run);
        assert_same_outcome(&run, baseline, "a storm of watermarks");
    }
}

/* One plan at one place, cut into single bytes. Returns whether the point was reached. */
static inline bool conformance_sabotage(const struct conformance_subject *subject, int shape,
                                        int place, const struct sabotage *sabotage,
                                        struct conformance_run *run)
{
    *run = (struct conformance_run){
        .request = conformance_shapes[sabotage->dir == NU_DECODE ? shape : 1],
        .response = conformance_shapes[sabotage->dir == NU_ENCODE ? shape : 1]};
    run->request.cuts = 7;
    run->response.cuts = 7;
    run->saboteurs[place].sabotage = *sabotage;
    conformance_run_once(subject, run);
    return run->saboteurs[place].hit;
}

static inline void conformance_stops(const struct conformance_subject *subject, int shape,
                                     int place, struct sabotage sabotage, const char *baseline)
{
    for (int kind = SABOTAGE_STOP; kind < SABOTAGE_STOPS; kind++) {
        for (int soon = 0; soon < 2; soon++) {
            struct conformance_run run;
            sabotage.kind = (enum sabotage_kind)kind;
            sabotage.soon = soon;
            conformance_sabotage(subject, shape, place, &sabotage, &run);
            assert_same_outcome(&run, baseline, "stopped and continued");
        }
    }
}

static inline void conformance_ends(const struct conformance_subject *subject, int shape, int place,
                                    struct sabotage sabotage)
{
    struct conformance_run run;
    sabotage.kind = SABOTAGE_RESET;
    if (conformance_sabotage(subject, shape, place, &sabotage, &run))
        assert_true(run.over && (run.reset || run.answered));
    sabotage.kind = SABOTAGE_REPLY;
    if (conformance_sabotage(subject, shape, place, &sabotage, &run))
        assert_true(run.over && (run.reset || run.answered));
}

static inline void conformance_points(const struct conformance_subject *subject, int shape,
                                      enum nu_direction dir, const char *baseline)
{
    static const enum nu_filter_phase phases[] = {NU_PHASE_HEADERS, NU_PHASE_DATA, NU_PHASE_DATA,
                                                  NU_PHASE_TRAILERS};
    for (size_t i = 0; i < NU_ARRAY_LEN(phases); i++) {
        for (int place = 0; place < 2; place++) {
            struct sabotage sabotage = {.dir = dir, .phase = phases[i], .nth = i == 2 ? 2 : 0};
            conformance_stops(subject, shape, place, sabotage, baseline);
            conformance_ends(subject, shape, place, sabotage);
        }
    }
}

static inline void conformance_leave(const struct conformance_subject *subject)
{
    for (unsigned piece = 1; piece <= 12; piece++) {
        struct conformance_run run = {
            .request = {.body = "abcd", .cuts = 7, .trailers = true},
            .response = {.body = "abcd", .cuts = 7, .trailers = true},
            .leave_before = piece,
        };
        conformance_run_once(subject, &run);
        assert_true(run.over);
    }
}

static inline void conformance_run(const struct conformance_subject *subject)
{
    char baseline[1024];
    for (int shape = 0; shape < CONFORMANCE_SHAPES; shape++) {
        conformance_baseline(subject, shape, 1, baseline, sizeof(baseline));
        conformance_cuts(subject, shape, NU_DECODE, baseline);
        conformance_points(subject, shape, NU_DECODE, baseline);
        conformance_baseline(subject, 1, shape, baseline, sizeof(baseline));
        conformance_cuts(subject, shape, NU_ENCODE, baseline);
        conformance_points(subject, shape, NU_ENCODE, baseline);
    }
    conformance_leave(subject);
}

#endif
