/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two filters in front of the driver's upstream, each of which does as its script says, and what
 * they are shown, in one line.
 *
 *     open_both();
 *     a.headers[NU_DECODE] = NU_HEADERS_STOP;
 *     request((struct driver_message)HAS_BODY);
 *     assert_seen("a.rq a.(xy$)");
 *     close_both();
 */
#ifndef NU_TESTS_HARNESS_FILTER_PROBES_H
#define NU_TESTS_HARNESS_FILTER_PROBES_H

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

static inline const struct script *script_of(struct nu_filter *self)
{
    return self->config;
}

static inline void note(struct nu_filter *self, const char *what)
{
    nu_strbuf_addf(&seen, "%s%s.%s", seen.len ? " " : "", script_of(self)->name, what);
}

static inline enum nu_headers_status probe_headers(struct nu_filter *self, enum nu_direction dir,
                                                   bool end)
{
    const struct script *script = script_of(self);
    note(self, dir == NU_DECODE ? "rq" : "rs");
    if (end)
        nu_strbuf_add(&seen, NU_STR("$"));
    if (script->on_headers[dir])
        script->on_headers[dir](self);
    return script->headers[dir];
}

static inline enum nu_data_status probe_data(struct nu_filter *self, enum nu_direction dir,
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

static inline enum nu_trailers_status probe_trailers(struct nu_filter *self, enum nu_direction dir)
{
    const struct script *script = script_of(self);
    note(self, "trailers");
    if (script->on_trailers[dir])
        script->on_trailers[dir](self);
    return script->trailers[dir];
}

static inline enum nu_headers_status rq_headers(struct nu_filter *self, struct nu_headers *h,
                                                bool end)
{
    (void)h;
    return probe_headers(self, NU_DECODE, end);
}

static inline enum nu_headers_status rs_headers(struct nu_filter *self, struct nu_headers *h,
                                                bool end)
{
    (void)h;
    return probe_headers(self, NU_ENCODE, end);
}

static inline enum nu_data_status rq_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    return probe_data(self, NU_DECODE, data, end);
}

static inline enum nu_data_status rs_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    return probe_data(self, NU_ENCODE, data, end);
}

static inline enum nu_trailers_status rq_trailers(struct nu_filter *self, struct nu_headers *h)
{
    (void)h;
    return probe_trailers(self, NU_DECODE);
}

static inline enum nu_trailers_status rs_trailers(struct nu_filter *self, struct nu_headers *h)
{
    (void)h;
    return probe_trailers(self, NU_ENCODE);
}

static inline void rs_1xx(struct nu_filter *self, struct nu_headers *h)
{
    (void)h;
    note(self, "1xx");
    if (script_of(self)->on_headers[NU_ENCODE])
        script_of(self)->on_headers[NU_ENCODE](self);
}

static inline void probe_open(struct nu_filter *self)
{
    ((struct script *)nu_unconst(self->config))->instance = self;
}

static inline void probe_log(struct nu_filter *self)
{
    note(self, "log");
    if (script_of(self)->on_end)
        script_of(self)->on_end(self);
}

static inline void probe_close(struct nu_filter *self)
{
    note(self, "close");
}

static inline void probe_high(struct nu_filter *self)
{
    note(self, "high");
}

static inline void probe_low(struct nu_filter *self)
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

static inline void open_limited(uint32_t limit)
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

static inline void open_both(void)
{
    open_limited(1000);
}

static inline void close_both(void)
{
    driver_close(&d);
    nu_strbuf_finish(&seen);
}

static inline void forget(void)
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

static inline void request(const struct driver_message message)
{
    driver_request(&d, &message);
}

static inline void respond(const struct driver_message message)
{
    driver_respond(&d, &message);
}

#endif
