/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that requests name: what their lists say, and who is chosen by them. */
#include "harness/cluster.h"

#include "http/headers.h"
#include "http/stream_info.h"
#include "upstream/lb/named_hosts.h"

/* --- Lists ------------------------------------------------------------------------------------ */

struct list_case {
    const char *one; /* of the header x-one; NULL: it is not there */
    const char *two;
    const char *named; /* by blanks */
};

static const struct list_case list_cases[] = {
    {NULL, NULL, ""},
    {"", NULL, ""},
    {"1.1.1.1:1", NULL, "1.1.1.1:1"},
    {"a,b", NULL, "a b"},
    {" a ,\tb\t, ,,c,", NULL, "a b c"},
    {",,,", " , ", ""},
    {NULL, "b", "b"},
    {"a", "b,c", "a b c"},
};

TEST(lists_of_all_sources_are_one)
{
    static const struct nu_named_host_source sources[] = {{.header = NU_STR_INIT("x-one")},
                                                          {.header = NU_STR_INIT("x-two")}};
    static const struct nu_named_host_settings settings = {sources, 2};
    for (size_t i = 0; i < NU_ARRAY_LEN(list_cases); i++) {
        struct nu_arena arena;
        struct nu_headers headers;
        struct nu_strbuf text = {0};
        nu_arena_init(&arena);
        nu_headers_init(&headers, &arena, 4);
        struct nu_stream_info info = {.arena = &arena};
        if (list_cases[i].two)
            nu_headers_add(&headers, NU_STR("x-two"), nu_str_from(list_cases[i].two));
        if (list_cases[i].one)
            nu_headers_add(&headers, NU_STR("x-one"), nu_str_from(list_cases[i].one));
        struct nu_lb_named_hosts *named = nu_named_hosts_find(&settings, &headers, &info);
        for (uint32_t n = 0; n < named->count; n++)
            nu_strbuf_addf(&text, "%s%.*s", n ? " " : "", NU_STR_ARG(named->addresses[n]));
        assert_true(nu_str_eq(nu_strbuf_str(&text), nu_str_from(list_cases[i].named)));
        nu_strbuf_finish(&text);
        nu_arena_finish(&arena);
    }
}

/* --- Choices ---------------------------------------------------------------------------------- */

enum { MAX_HOSTS = 40 };

struct fixture {
    struct cluster_fixture base;
    struct nu_host *hosts[MAX_HOSTS];
    uint32_t count;
};

/* 1.0.0.1:80 and so on. */
static void fixture_init(struct fixture *f, uint32_t count)
{
    cluster_fixture_init(&f->base);
    f->count = count;
    for (uint32_t i = 0; i < count; i++) {
        char address[32];
        snprintf(address, sizeof(address), "1.0.0.%u:80", i + 1);
        f->hosts[i] = cluster_host(&f->base, address, 1);
    }
    cluster_fixture_start(&f->base, nu_host_set_create(f->hosts, count));
}

static void fixture_finish(struct fixture *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        nu_host_unref(f->hosts[i]);
    cluster_fixture_finish(&f->base);
}

static int32_t choose(struct fixture *f, const struct nu_lb_context *context)
{
    return nu_lb_choose(cluster_local(&f->base)->lb, context);
}

static bool accepts_nobody(const struct nu_lb_context *context, const struct nu_host *host)
{
    (void)context;
    (void)host;
    return false;
}

TEST(each_choice_takes_the_next_host_that_is_there)
{
    static const struct nu_str addresses[] = {NU_STR_INIT("9.9.9.9:80"), NU_STR_INIT("1.0.0.3:80"),
                                              NU_STR_INIT("1.0.0.3:80"), NU_STR_INIT("nobody"),
                                              NU_STR_INIT("1.0.0.1:80")};
    static const uint32_t counts[] = {3, MAX_HOSTS}; /* few are looked through, many are indexed */
    for (size_t i = 0; i < NU_ARRAY_LEN(counts); i++) {
        struct fixture f;
        struct nu_lb_named_hosts named = {.addresses = addresses, .count = 5};
        struct nu_lb_context context = {
            .named = &named, .accepts = accepts_nobody, .max_attempts = 2};
        fixture_init(&f, counts[i]);
        nu_host_set_flag(f.hosts[2], NU_HOST_FAILED_ACTIVE_HC); /* says nothing */
        assert_int_equal(choose(&f, &context), 2);
        assert_int_equal(choose(&f, &context), 2);
        assert_int_equal(choose(&f, &context), 0);
        assert_true(choose(&f, &context) >= 0); /* the policy's own */
        assert_int_equal(named.next, 5);
        fixture_finish(&f);
    }
}

TEST(filters_host_goes_before_those_that_are_named)
{
    static const struct nu_str addresses[] = {NU_STR_INIT("1.0.0.1:80")};
    struct fixture f;
    struct nu_lb_named_hosts named = {.addresses = addresses, .count = 1};
    struct nu_lb_context context = {.named = &named, .override_host = NU_STR_INIT("1.0.0.30:80")};
    fixture_init(&f, MAX_HOSTS);
    assert_int_equal(choose(&f, &context), 29);
    context.override_host = NU_STR("1.0.0.99:80");
    assert_int_equal(choose(&f, &context), 0);
    fixture_finish(&f);
}

TEST_MAIN()
