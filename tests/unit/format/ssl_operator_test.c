/* SPDX-License-Identifier: Apache-2.0 */
/* The operators of TLS, over an info that answers each question with its number. */
#include "harness/format_fixture.h"

#include "http/ssl_info.h"

static struct fixture f;
static const struct nu_format_options log_options;

struct fake_info {
    struct nu_ssl_info base;
    unsigned questions;
};

static struct fake_info *fake_of(struct nu_ssl_info *base)
{
    return nu_container_of(base, struct fake_info, base);
}

static struct nu_str fake_text(struct nu_ssl_info *base, enum nu_ssl_text which)
{
    static char texts[NU_SSL_TEXT_COUNT][8];
    fake_of(base)->questions++;
    if (which == NU_SSL_SESSION_ID)
        return nu_str_make("", 0);
    snprintf(texts[which], sizeof(texts[which]), "t%d", (int)which);
    return nu_str_from(texts[which]);
}

static struct nu_ssl_list_value fake_list(struct nu_ssl_info *base, enum nu_ssl_list which)
{
    static const struct nu_str items[] = {NU_STR_INIT("one"), NU_STR_INIT(""),
                                          NU_STR_INIT("three")};
    static const struct nu_str empty[] = {NU_STR_INIT("")};
    fake_of(base)->questions++;
    switch (which) {
    case NU_SSL_PEER_DNS:
        return (struct nu_ssl_list_value){items, 3};
    case NU_SSL_PEER_URI:
        return (struct nu_ssl_list_value){items, 1};
    case NU_SSL_PEER_EMAIL:
        return (struct nu_ssl_list_value){empty, 1};
    default:
        return (struct nu_ssl_list_value){0};
    }
}

static bool fake_time(struct nu_ssl_info *base, enum nu_ssl_time which, int64_t *seconds)
{
    fake_of(base)->questions++;
    *seconds = which == NU_SSL_PEER_VALID_FROM ? 0 : 1795674594;
    return true;
}

static const struct nu_ssl_info_class fake_class = {
    .text = fake_text,
    .list = fake_list,
    .time = fake_time,
};

static struct fake_info downstream = {.base = {.cls = &fake_class, .refs = 1}};
static struct fake_info upstream = {.base = {.cls = &fake_class, .refs = 1}};

static void setup(void)
{
    fixture_init(&f);
    f.connection.ssl = &downstream.base;
    f.info.upstream.ssl = &upstream.base;
    downstream.questions = upstream.questions = 0;
}

TEST(each_operator_asks_its_own_connection)
{
    setup();
    assert_str(fixture_format(&f, "%DOWNSTREAM_TLS_VERSION%", &log_options), "t0");
    assert_int_equal(downstream.questions, 1);
    assert_int_equal(upstream.questions, 0);
    assert_str(fixture_format(&f, "%UPSTREAM_TLS_CIPHER%", &log_options), "t1");
    assert_int_equal(upstream.questions, 1);
    fixture_finish(&f);
}

TEST(lists_are_joined_and_empty_ones_missing)
{
    static const struct operator_case cases[] = {
        {"DOWNSTREAM_PEER_DNS_SAN", "one,,three", "\"one,,three\""},
        {"UPSTREAM_PEER_URI_SAN", "one", "\"one\""},
        {"DOWNSTREAM_PEER_EMAIL_SAN", "-", "null"},
        {"DOWNSTREAM_PEER_IP_SAN", "-", "null"},
        {"DOWNSTREAM_TLS_SESSION_ID", "-", "null"},
    };
    setup();
    fixture_check(&f, cases, NU_ARRAY_LEN(cases));
    fixture_finish(&f);
}

TEST(times_of_certificates_take_formats)
{
    static const struct operator_case cases[] = {
        {"DOWNSTREAM_PEER_CERT_V_START", "1970-01-01T00:00:00.000Z",
         "\"1970-01-01T00:00:00.000Z\""},
        {"UPSTREAM_PEER_CERT_V_END", "2026-11-26T06:29:54.000Z", "\"2026-11-26T06:29:54.000Z\""},
        {"DOWNSTREAM_PEER_CERT_V_END(%Y %s %f)", "2026 1795674594 000000000",
         "\"2026 1795674594 000000000\""},
    };
    setup();
    fixture_check(&f, cases, NU_ARRAY_LEN(cases));
    fixture_finish(&f);
}

static unsigned destroyed;

static void fake_destroy(struct nu_ssl_info *base)
{
    (void)base;
    destroyed++;
}

TEST(an_info_lives_as_long_as_the_last_arena_that_holds_it)
{
    static const struct nu_ssl_info_class cls = {.destroy = fake_destroy};
    struct nu_ssl_info info = {.cls = &cls, .refs = 1};
    struct nu_arena *arena = nu_arena_create();
    assert_ptr_equal(nu_ssl_info_hold(&info, arena), &info);
    nu_ssl_info_unref(&info);
    assert_int_equal(destroyed, 0);
    nu_arena_destroy(&arena);
    assert_int_equal(destroyed, 1);
}

TEST_MAIN()
