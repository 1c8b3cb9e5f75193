/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance suite over filters that ship, the sample plug-in, and one filter for each way to
 * use the contract. */
#include <stdlib.h>

#include "harness/config.h"
#include "harness/filter_conformance.h"

#include "filters/http/health_check/health_check.h"
#include "filters/http/plugin/plugin.h"
#include "filters/http/prime_authz/prime_authz.h"
#include "stats/stats.h"

/* --- Filters that are configured -------------------------------------------------------------- */

struct configured {
    struct config_fixture config;
    struct nu_factory factory;
    struct nu_stats *stats;
    struct nu_filter_entry entry;
};

static void configure(struct configured *c, const struct nu_filter_factory *kind, const char *yaml)
{
    config_open(&c->config);
    c->stats = nu_stats_create();
    c->factory = (struct nu_factory){
        .ctx = &c->config.ctx,
        .arena = &c->config.arena,
        .stats = c->stats,
        .http_stat_prefix = NU_STR("http.test"),
    };
    const ProtobufCMessage *message = config_yaml(&c->config, kind->type, yaml);
    c->entry = (struct nu_filter_entry){.name = NU_STR("subject")};
    bool ok = kind->create(&c->factory, message, &c->entry.cls, &c->entry.config);
    assert_config_errors(&c->config, "");
    assert_true(ok);
}

static void drop(struct configured *c)
{
    config_close(&c->config);
    nu_stats_destroy(&c->stats);
}

static void run_configured(const struct nu_filter_factory *kind, const char *yaml,
                           const struct driver_header *request)
{
    struct configured c;
    configure(&c, kind, yaml);
    struct conformance_subject subject = {.entry = c.entry, .request = request};
    conformance_run(&subject);
    drop(&c);
}

static const struct driver_header prime[] = {{":path", "/"}, {"token", "7"}, {NULL, NULL}};
static const struct driver_header composite[] = {{":path", "/"}, {"token", "8"}, {NULL, NULL}};

TEST(prime_authz_conforms_where_it_allows)
{
    run_configured(&nu_prime_authz_factory, "remove_token: true", prime);
}

TEST(prime_authz_conforms_where_it_denies)
{
    run_configured(&nu_prime_authz_factory, "{}", composite);
}

static const char answering[] =
    "{pass_through_mode: false, headers: [{name: ':path', string_match: {exact: /}}]}";

TEST(health_check_conforms_where_it_answers)
{
    run_configured(&nu_health_check_factory, answering, prime);
}

TEST(health_check_conforms_where_checks_pass_through)
{
    run_configured(&nu_health_check_factory, "pass_through_mode: true", prime);
}

static const char sample[] = "path: " TOKEN_GATE "\nconfig: {header: token, token: '7'}";

TEST(the_sample_plugin_conforms_where_it_allows)
{
    run_configured(&nu_plugin_factory, sample, prime);
}

TEST(the_sample_plugin_conforms_where_it_denies)
{
    run_configured(&nu_plugin_factory, sample, composite);
}

/* --- A filter for each way to use the contract ------------------------------------------------ */

/* Everything that the probes below need of an instance. */
struct probe {
    struct nu_filter base;
    struct nu_filter_timer timer;
    struct nu_buf *kept;
    bool kept_end;
    bool encoding;
};

static struct probe *probe_of(struct nu_filter *self)
{
    return nu_container_of(self, struct probe, base);
}

static void run_probe(struct nu_filter_class cls, unsigned wait_ms)
{
    cls.abi = NUNCIO_FILTER_ABI;
    cls.name = "test.probe";
    cls.instance_size = sizeof(struct probe);
    struct conformance_subject subject = {
        .entry = {.cls = &cls, .name = NU_STR("probe")},
        .request = prime,
        .wait_ms = wait_ms,
    };
    conformance_run(&subject);
}

TEST(a_filter_without_callbacks_conforms)
{
    run_probe((struct nu_filter_class){0}, 0);
}

/* Stops everything at the headers and goes on after a while. */
static void on_decode_timer(struct nu_filter *self)
{
    nu_filter_continue_decoding(self);
}

static void on_encode_timer(struct nu_filter *self)
{
    nu_filter_continue_encoding(self);
}

static enum nu_headers_status pause_request(struct nu_filter *self, struct nu_headers *h, bool end)
{
    (void)h;
    (void)end;
    probe_of(self)->timer.on_timer = on_decode_timer;
    nu_filter_timer_arm(self, &probe_of(self)->timer, 3);
    return NU_HEADERS_STOP_ALL_AND_WATERMARK;
}

static enum nu_headers_status pause_response(struct nu_filter *self, struct nu_headers *h, bool end)
{
    (void)h;
    (void)end;
    probe_of(self)->timer.on_timer = on_encode_timer;
    nu_filter_timer_arm(self, &probe_of(self)->timer, 3);
    return NU_HEADERS_STOP_ALL_AND_BUFFER;
}

TEST(a_filter_that_pauses_conforms)
{
    run_probe(
        (struct nu_filter_class){.decode_headers = pause_request, .encode_headers = pause_response},
        5);
}

/* Collects the whole body and adds to it, as a checksum would be. */
static enum nu_headers_status stop_unless_end(struct nu_filter *self, struct nu_headers *h,
                                              bool end)
{
    (void)self;
    (void)h;
    return end ? NU_HEADERS_CONTINUE : NU_HEADERS_STOP;
}

static enum nu_data_status collect(struct nu_filter *self, struct nu_buf *data, bool end)
{
    (void)self;
    if (!end)
        return NU_DATA_STOP_AND_BUFFER;
    nu_buf_append(data, NU_STR("+"));
    return NU_DATA_CONTINUE;
}

static enum nu_trailers_status add_before_trailers(struct nu_filter *self, struct nu_headers *h)
{
    (void)h;
    struct nu_buf *more = nu_filter_buffer(self);
    nu_buf_append(more, NU_STR("+"));
    nu_filter_add_decoded_data(self, more);
    return NU_TRAILERS_CONTINUE;
}

static enum nu_trailers_status add_before_response_trailers(struct nu_filter *self,
                                                            struct nu_headers *h)
{
    (void)h;
    struct nu_buf *more = nu_filter_buffer(self);
    nu_buf_append(more, NU_STR("+"));
    nu_filter_add_encoded_data(self, more);
    return NU_TRAILERS_CONTINUE;
}

TEST(a_filter_that_collects_bodies_conforms)
{
    run_probe((struct nu_filter_class){.decode_headers = stop_unless_end,
                                       .decode_data = collect,
                                       .decode_trailers = add_before_trailers,
                                       .encode_headers = stop_unless_end,
                                       .encode_data = collect,
                                       .encode_trailers = add_before_response_trailers},
              0);
}

/* Takes data away and streams it on its own, doubled. */
static void double_bytes(struct nu_buf *to, struct nu_buf *from)
{
    char byte;
    while (nu_buf_copy_out(from, 0, &byte, 1)) {
        nu_buf_append(to, nu_str_make(&byte, 1));
        nu_buf_append(to, nu_str_make(&byte, 1));
        nu_buf_drain(from, 1);
    }
}

static enum nu_data_status stream_request(struct nu_filter *self, struct nu_buf *data, bool end)
{
    struct nu_buf *doubled = nu_filter_buffer(self);
    double_bytes(doubled, data);
    nu_filter_inject_decoded_data(self, doubled, end);
    return NU_DATA_STOP_NO_BUFFER;
}

static enum nu_data_status stream_response(struct nu_filter *self, struct nu_buf *data, bool end)
{
    struct nu_buf *doubled = nu_filter_buffer(self);
    double_bytes(doubled, data);
    nu_filter_inject_encoded_data(self, doubled, end);
    return NU_DATA_STOP_NO_BUFFER;
}

TEST(a_filter_that_streams_on_its_own_conforms)
{
    run_probe(
        (struct nu_filter_class){.decode_data = stream_request, .encode_data = stream_response}, 0);
}

/* Keeps data itself, holds the sender back, and passes it on later: a bandwidth limit. */
static void pass_later(struct nu_filter *self)
{
    struct probe *probe = probe_of(self);
    bool end = probe->kept_end;
    if (probe->encoding) {
        nu_filter_inject_encoded_data(self, probe->kept, end);
        nu_filter_release_response(self);
    } else {
        nu_filter_inject_decoded_data(self, probe->kept, end);
        nu_filter_release_request(self);
    }
}

static enum nu_data_status keep_for_later(struct nu_filter *self, struct nu_buf *data, bool end,
                                          bool encoding)
{
    struct probe *probe = probe_of(self);
    if (!probe->kept)
        probe->kept = nu_filter_buffer(self);
    nu_buf_move_all(probe->kept, data);
    probe->kept_end = end;
    probe->encoding = encoding;
    probe->timer.on_timer = pass_later;
    nu_filter_timer_arm(self, &probe->timer, 2);
    return NU_DATA_STOP_NO_BUFFER;
}

static enum nu_data_status limit_request(struct nu_filter *self, struct nu_buf *data, bool end)
{
    nu_filter_hold_request(self);
    return keep_for_later(self, data, end, false);
}

static enum nu_data_status limit_response(struct nu_filter *self, struct nu_buf *data, bool end)
{
    nu_filter_hold_response(self);
    return keep_for_later(self, data, end, true);
}

/* Trailers do not overtake what is kept. */
static enum nu_trailers_status limit_trailers(struct nu_filter *self, struct nu_headers *h)
{
    (void)h;
    struct probe *probe = probe_of(self);
    nu_filter_timer_cancel(&probe->timer);
    if (probe->kept && nu_buf_length(probe->kept))
        pass_later(self);
    return NU_TRAILERS_CONTINUE;
}

TEST(a_filter_that_keeps_data_and_holds_the_sender_conforms)
{
    run_probe((struct nu_filter_class){.decode_data = limit_request,
                                       .decode_trailers = limit_trailers,
                                       .encode_data = limit_response,
                                       .encode_trailers = limit_trailers},
              5);
}

/* Adds a body to requests that have none, and trailers to responses. */
static enum nu_headers_status add_body(struct nu_filter *self, struct nu_headers *h, bool end)
{
    (void)h;
    if (end) {
        struct nu_buf *body = nu_filter_buffer(self);
        nu_buf_append(body, NU_STR("made"));
        nu_filter_add_decoded_data(self, body);
    }
    return NU_HEADERS_CONTINUE;
}

static enum nu_headers_status inject_body(struct nu_filter *self, struct nu_headers *h, bool end)
{
    (void)h;
    if (!end)
        return NU_HEADERS_CONTINUE;
    probe_of(self)->kept = nu_filter_buffer(self);
    nu_buf_append(probe_of(self)->kept, NU_STR("made"));
    probe_of(self)->kept_end = true;
    probe_of(self)->encoding = true;
    probe_of(self)->timer.on_timer = pass_later;
    nu_filter_timer_arm(self, &probe_of(self)->timer, 1);
    return NU_HEADERS_CONTINUE_AND_DONT_END;
}

static enum nu_data_status add_trailers(struct nu_filter *self, struct nu_buf *data, bool end)
{
    (void)data;
    if (end)
        nu_headers_add(nu_filter_add_encoded_trailers(self), NU_STR("x-made"), NU_STR("1"));
    return NU_DATA_CONTINUE;
}

TEST(a_filter_that_adds_a_body_and_trailers_conforms)
{
    run_probe((struct nu_filter_class){.decode_headers = add_body,
                                       .encode_headers = inject_body,
                                       .encode_data = add_trailers},
              5);
}

/* Stops each part for itself and goes on later. */
static enum nu_data_status pause_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    (void)data;
    (void)end;
    probe_of(self)->timer.on_timer = on_decode_timer;
    nu_filter_timer_arm(self, &probe_of(self)->timer, 2);
    return NU_DATA_STOP_AND_WATERMARK;
}

static enum nu_trailers_status pause_trailers(struct nu_filter *self, struct nu_headers *h)
{
    (void)h;
    probe_of(self)->timer.on_timer = on_decode_timer;
    nu_filter_timer_arm(self, &probe_of(self)->timer, 2);
    return NU_TRAILERS_STOP;
}

TEST(a_filter_that_pauses_every_part_conforms)
{
    run_probe(
        (struct nu_filter_class){.decode_data = pause_data, .decode_trailers = pause_trailers}, 5);
}

/* Answers at the end of the request's body. */
static enum nu_data_status answer_at_end(struct nu_filter *self, struct nu_buf *data, bool end)
{
    (void)data;
    if (!end)
        return NU_DATA_STOP_NO_BUFFER;
    nu_filter_reply(self, 200, NU_STR("done"), NU_STR("done"));
    return NU_DATA_STOP_NO_BUFFER;
}

static enum nu_headers_status answer_now(struct nu_filter *self, struct nu_headers *h, bool end)
{
    (void)h;
    if (!end)
        return NU_HEADERS_STOP;
    nu_filter_reply(self, 200, NU_STR("done"), NU_STR("done"));
    return NU_HEADERS_STOP;
}

static enum nu_trailers_status answer_trailers(struct nu_filter *self, struct nu_headers *h)
{
    (void)h;
    nu_filter_reply(self, 200, NU_STR("done"), NU_STR("done"));
    return NU_TRAILERS_STOP;
}

TEST(a_filter_that_answers_at_the_end_conforms)
{
    run_probe((struct nu_filter_class){.decode_headers = answer_now,
                                       .decode_data = answer_at_end,
                                       .decode_trailers = answer_trailers},
              0);
}

TEST_MAIN()
