/* SPDX-License-Identifier: Apache-2.0 */
/* The c-ares resolver against a scripted server: answers, families, failures, cancelling. */
#include "harness/dns_server.h"
#include "harness/loop.h"

#include <stdlib.h>

#include "net/dns_cares.h"
#include "stats/stats.h"

struct fixture {
    struct nu_loop *loop;
    struct nu_stats *stats;
    struct dns_server server;
    struct nu_dns_options options;
    char servers[64];
    struct nu_dns_resolver *resolver;
};

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){.loop = nu_loop_create(), .stats = nu_stats_create()};
    dns_server_init(&f->server, f->loop);
    snprintf(f->servers, sizeof(f->servers), "127.0.0.1:%u", f->server.port);
    f->options = (struct nu_dns_options){
        .servers = nu_str_from(f->servers),
        .no_search = true,
        .query_timeout_ms = 5000,
        .query_tries = 1,
    };
    f->resolver = nu_dns_cares_create(f->loop, f->stats, &f->options);
}

static void fixture_finish(struct fixture *f)
{
    nu_dns_resolver_destroy(&f->resolver);
    dns_server_finish(&f->server);
    nu_stats_destroy(&f->stats);
    nu_loop_destroy(&f->loop);
}

/* What an answer said: "1.2.3.4/30 ::1/20" (address and TTL), "none", or "failed". */
struct asked {
    struct nu_dns_query query;
    struct nu_strbuf text;
    bool done;
    unsigned answers;
};

static void on_answer(struct nu_dns_query *query, const struct nu_dns_answer *answer)
{
    struct asked *asked = nu_container_of(query, struct asked, query);
    asked->done = true;
    asked->answers++;
    nu_strbuf_clear(&asked->text);
    /* The reason's words depend on the library's version. */
    assert_true(answer->ok || answer->error[0]);
    if (!answer->ok)
        nu_strbuf_add_cstr(&asked->text, "failed");
    else if (!answer->count)
        nu_strbuf_add_cstr(&asked->text, "none");
    for (size_t i = 0; i < answer->count; i++) {
        char text[NU_ADDRESS_TEXT_MAX];
        size_t len = nu_address_format_ip(&answer->addresses[i].address, text);
        assert_int_equal(answer->addresses[i].address.port, 0);
        nu_strbuf_addf(&asked->text, "%s%.*s/%u", i ? " " : "", (int)len, text,
                       answer->addresses[i].ttl_s);
    }
}

static void ask(struct fixture *f, struct asked *asked, const char *name, enum nu_dns_family family)
{
    asked->query.on_answer = on_answer;
    asked->done = false;
    nu_dns_resolve(f->resolver, &asked->query, nu_str_from(name), family);
}

static void assert_answer(struct fixture *f, const char *name, enum nu_dns_family family,
                          const char *expected)
{
    struct asked asked = {0};
    ask(f, &asked, name, family);
    assert_true(harness_wait_flag(f->loop, &asked.done));
    assert_str(nu_strbuf_str(&asked.text), expected);
    assert_int_equal(asked.answers, 1);
    assert_null(asked.query.pending);
    nu_strbuf_finish(&asked.text);
}

static uint64_t stat(const struct fixture *f, const char *name)
{
    uint64_t value = 0;
    char full[64];
    snprintf(full, sizeof(full), "dns.cares.%s", name);
    nu_stats_value(f->stats, nu_str_from(full), &value);
    return value;
}

/* What is known of a.test, which family is asked for, what comes back, and what the server saw. */
struct family_case {
    struct dns_rule rules[2];
    enum nu_dns_family family;
    const char *expected;
    const char *asked;
};

#define V4 \
    { \
        .name = "a.test", .type = DNS_A, .addresses = "1.2.3.4 1.2.3.5", .ttl = 30 \
    }
#define V6 \
    { \
        .name = "a.test", .type = DNS_AAAA, .addresses = "2001:db8::1", .ttl = 40 \
    }
#define NO_V4 \
    { \
        .name = "a.test", .type = DNS_A \
    }
#define NO_V6 \
    { \
        .name = "a.test", .type = DNS_AAAA \
    }
#define BAD_V4 \
    { \
        .name = "a.test", .type = DNS_A, .reply = DNS_REPLY_SERVFAIL \
    }
#define BAD_V6 \
    { \
        .name = "a.test", .type = DNS_AAAA, .reply = DNS_REPLY_SERVFAIL \
    }

static const struct family_case family_cases[] = {
    {{V4, V6}, NU_DNS_V4_ONLY, "1.2.3.4/30 1.2.3.5/30", "A a.test"},
    {{V4, V6}, NU_DNS_V6_ONLY, "2001:db8::1/40", "AAAA a.test"},
    {{V4, V6}, NU_DNS_AUTO, "2001:db8::1/40", "AAAA a.test"},
    {{V4, NO_V6}, NU_DNS_AUTO, "1.2.3.4/30 1.2.3.5/30", "AAAA a.test, A a.test"},
    {{V4, BAD_V6}, NU_DNS_AUTO, "1.2.3.4/30 1.2.3.5/30", "AAAA a.test, A a.test"},
    {{V4, V6}, NU_DNS_V4_PREFERRED, "1.2.3.4/30 1.2.3.5/30", "A a.test"},
    {{NO_V4, V6}, NU_DNS_V4_PREFERRED, "2001:db8::1/40", "A a.test, AAAA a.test"},
    {{NO_V4, NO_V6}, NU_DNS_AUTO, "none", "AAAA a.test, A a.test"},
    {{NO_V4, NO_V6}, NU_DNS_V4_ONLY, "none", "A a.test"},
    {{BAD_V4, NO_V6}, NU_DNS_AUTO, "failed", "AAAA a.test, A a.test"},
    {{BAD_V4, V6}, NU_DNS_V4_ONLY, "failed", "A a.test"},
};

TEST(families_are_asked_in_turn)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(family_cases); i++) {
        const struct family_case *c = &family_cases[i];
        struct fixture f;
        fixture_init(&f);
        dns_server_set(&f.server, c->rules[0]);
        dns_server_set(&f.server, c->rules[1]);
        assert_answer(&f, "a.test", c->family, c->expected);
        assert_str(nu_str_from(f.server.log), c->asked);
        fixture_finish(&f);
    }
}

TEST(all_gives_both_families)
{
    struct fixture f;
    fixture_init(&f);
    dns_server_set(&f.server, (struct dns_rule)V4);
    dns_server_set(&f.server, (struct dns_rule)V6);
    struct asked asked = {0};
    ask(&f, &asked, "a.test", NU_DNS_ALL);
    assert_true(harness_wait_flag(f.loop, &asked.done));
    struct nu_str text = nu_strbuf_str(&asked.text);
    assert_true(nu_str_find(text, NU_STR("1.2.3.4/30")) != NU_NPOS);
    assert_true(nu_str_find(text, NU_STR("1.2.3.5/30")) != NU_NPOS);
    assert_true(nu_str_find(text, NU_STR("2001:db8::1/40")) != NU_NPOS);
    nu_strbuf_finish(&asked.text);
    fixture_finish(&f);
}

TEST(alias_bounds_ttl)
{
    struct fixture f;
    fixture_init(&f);
    struct dns_rule rule = V4;
    rule.alias = "b.test";
    rule.alias_ttl = 7;
    dns_server_set(&f.server, rule);
    assert_answer(&f, "a.test", NU_DNS_V4_ONLY, "1.2.3.4/7 1.2.3.5/7");
    fixture_finish(&f);
}

/* One name whose A record behaves so, what comes back, and the counters that moved. */
struct reply_case {
    enum dns_reply reply;
    const char *expected;
    unsigned tcp_queries;
    uint64_t not_found, get_addr_failure, reinits;
};

static const struct reply_case reply_cases[] = {
    {DNS_REPLY_ANSWER, "1.2.3.4/30", 0, 0, 0, 0},    {DNS_REPLY_NXDOMAIN, "none", 0, 1, 0, 0},
    {DNS_REPLY_SERVFAIL, "failed", 0, 0, 1, 1},      {DNS_REPLY_REFUSED, "failed", 0, 0, 1, 1},
    {DNS_REPLY_TRUNCATED, "1.2.3.4/30", 1, 0, 0, 0}, {DNS_REPLY_WRONG_ID, "1.2.3.4/30", 0, 0, 0, 0},
};

TEST(replies_are_understood)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(reply_cases); i++) {
        const struct reply_case *c = &reply_cases[i];
        struct fixture f;
        fixture_init(&f);
        dns_server_set(&f.server, (struct dns_rule){.name = "a.test",
                                                    .type = DNS_A,
                                                    .reply = c->reply,
                                                    .addresses = "1.2.3.4",
                                                    .ttl = 30});
        assert_answer(&f, "a.test", NU_DNS_V4_ONLY, c->expected);
        assert_int_equal(f.server.tcp_queries, c->tcp_queries);
        assert_int_equal(stat(&f, "resolve_total"), 1);
        assert_int_equal(stat(&f, "pending_resolutions"), 0);
        assert_int_equal(stat(&f, "not_found"), c->not_found);
        assert_int_equal(stat(&f, "get_addr_failure"), c->get_addr_failure);
        assert_int_equal(stat(&f, "reinits"), c->reinits);
        fixture_finish(&f);
    }
}

TEST(garbage_is_a_failure)
{
    struct fixture f;
    fixture_init(&f);
    f.options.query_timeout_ms = 50;
    dns_server_set(&f.server,
                   (struct dns_rule){.name = "a.test", .type = DNS_A, .reply = DNS_REPLY_GARBAGE});
    struct asked asked = {0};
    ask(&f, &asked, "a.test", NU_DNS_V4_ONLY);
    assert_true(harness_wait_flag(f.loop, &asked.done));
    assert_str(nu_strbuf_str(&asked.text), "failed");
    nu_strbuf_finish(&asked.text);
    fixture_finish(&f);
}

static bool was_asked_twice(void *arg)
{
    const struct dns_server *server = arg;
    return server->udp_queries == 2;
}

TEST(silence_times_out_after_all_tries)
{
    struct fixture f;
    fixture_init(&f);
    f.options.query_timeout_ms = 20;
    f.options.query_tries = 2;
    dns_server_set(&f.server,
                   (struct dns_rule){.name = "a.test", .type = DNS_A, .reply = DNS_REPLY_NOTHING});
    assert_answer(&f, "a.test", NU_DNS_V4_ONLY, "failed");
    assert_true(harness_wait(f.loop, was_asked_twice, &f.server));
    assert_int_equal(stat(&f, "timeouts"), 2);
    assert_int_equal(stat(&f, "get_addr_failure"), 0);
    fixture_finish(&f);
}

/* The library looks at the real clock: the time is one in which this process surely gets to read the
 * second server's answer. */
TEST(second_server_is_asked_when_the_first_is_silent)
{
    struct fixture f;
    struct dns_server second;
    char servers[128];
    fixture_init(&f);
    dns_server_init(&second, f.loop);
    snprintf(servers, sizeof(servers), "%s,127.0.0.1:%u", f.servers, second.port);
    f.options.servers = nu_str_from(servers);
    f.options.query_timeout_ms = 1000;
    dns_server_set(&f.server,
                   (struct dns_rule){.name = "a.test", .type = DNS_A, .reply = DNS_REPLY_NOTHING});
    dns_server_set(&second, (struct dns_rule)V4);
    assert_answer(&f, "a.test", NU_DNS_V4_ONLY, "1.2.3.4/30 1.2.3.5/30");
    assert_int_equal(f.server.udp_queries, 1);
    dns_server_finish(&second);
    fixture_finish(&f);
}

TEST(tcp_only_uses_no_udp)
{
    struct fixture f;
    fixture_init(&f);
    f.options.use_tcp = true;
    dns_server_set(&f.server, (struct dns_rule)V4);
    assert_answer(&f, "a.test", NU_DNS_V4_ONLY, "1.2.3.4/30 1.2.3.5/30");
    assert_int_equal(f.server.udp_queries, 0);
    assert_int_equal(f.server.tcp_queries, 1);
    fixture_finish(&f);
}

TEST(every_question_is_asked_anew)
{
    struct fixture f;
    fixture_init(&f);
    dns_server_set(&f.server, (struct dns_rule)V4);
    assert_answer(&f, "a.test", NU_DNS_V4_ONLY, "1.2.3.4/30 1.2.3.5/30");
    dns_server_set(
        &f.server,
        (struct dns_rule){.name = "a.test", .type = DNS_A, .addresses = "9.9.9.9", .ttl = 1});
    assert_answer(&f, "a.test", NU_DNS_V4_ONLY, "9.9.9.9/1");
    fixture_finish(&f);
}

TEST(works_again_after_a_server_failed)
{
    struct fixture f;
    fixture_init(&f);
    dns_server_set(&f.server, (struct dns_rule)BAD_V4);
    assert_answer(&f, "a.test", NU_DNS_V4_ONLY, "failed");
    dns_server_set(&f.server, (struct dns_rule)V4);
    assert_answer(&f, "a.test", NU_DNS_V4_ONLY, "1.2.3.4/30 1.2.3.5/30");
    fixture_finish(&f);
}

/* A file of the test's own; the caller removes it. */
static void write_resolv_conf(char *path, const char *content)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

TEST(fallback_servers_are_asked_when_the_system_names_none)
{
    char path[] = "/tmp/nuncio-dns-test-XXXXXX";
    struct fixture f;
    fixture_init(&f);
    write_resolv_conf(path, "options ndots:1\n");
    f.options.resolv_conf = path;
    f.options.servers_are_fallback = true;
    dns_server_set(&f.server, (struct dns_rule)V4);
    assert_answer(&f, "a.test", NU_DNS_V4_ONLY, "1.2.3.4/30 1.2.3.5/30");
    unlink(path);
    fixture_finish(&f);
}

TEST(fallback_servers_are_not_asked_when_the_system_names_one)
{
    char path[] = "/tmp/nuncio-dns-test-XXXXXX";
    struct fixture f;
    fixture_init(&f);
    /* Nobody is there. */
    write_resolv_conf(path, "nameserver 127.0.0.77\n");
    f.options.resolv_conf = path;
    f.options.servers_are_fallback = true;
    f.options.query_timeout_ms = 20;
    dns_server_set(&f.server, (struct dns_rule)V4);
    assert_answer(&f, "a.test", NU_DNS_V4_ONLY, "failed");
    assert_int_equal(f.server.udp_queries, 0);
    unlink(path);
    fixture_finish(&f);
}

/* The library is set up anew, and so sees a resolv.conf that changed: here the settings change,
 * since its older versions read no ports from the file. */
TEST(servers_are_read_again_after_a_refusal)
{
    char servers[32];
    struct fixture f;
    struct dns_server old;
    fixture_init(&f);
    dns_server_init(&old, f.loop);
    dns_server_set(&old,
                   (struct dns_rule){.name = "a.test", .type = DNS_A, .reply = DNS_REPLY_REFUSED});
    dns_server_set(&f.server, (struct dns_rule)V4);
    snprintf(servers, sizeof(servers), "127.0.0.1:%u", old.port);
    f.options.servers = nu_str_from(servers);
    assert_answer(&f, "a.test", NU_DNS_V4_ONLY, "failed");
    f.options.servers = nu_str_from(f.servers);
    assert_answer(&f, "a.test", NU_DNS_V4_ONLY, "1.2.3.4/30 1.2.3.5/30");
    assert_int_equal(old.udp_queries, 1);
    dns_server_finish(&old);
    fixture_finish(&f);
}

TEST(addresses_and_localhost_need_no_server)
{
    struct fixture f;
    fixture_init(&f);
    assert_answer(&f, "127.0.0.9", NU_DNS_V4_ONLY, "127.0.0.9/0");
    assert_answer(&f, "127.0.0.9", NU_DNS_AUTO, "127.0.0.9/0");
    assert_answer(&f, "127.0.0.9", NU_DNS_V6_ONLY, "127.0.0.9/0");
    assert_answer(&f, "::1", NU_DNS_AUTO, "::1/0");
    assert_answer(&f, "::1", NU_DNS_V4_PREFERRED, "::1/0");
    assert_answer(&f, "::1", NU_DNS_V4_ONLY, "failed");
    /* It was no name for the first family of V4_PREFERRED either. */
    assert_int_equal(stat(&f, "get_addr_failure"), 2);
    struct asked asked = {0};
    ask(&f, &asked, "localhost", NU_DNS_V4_ONLY);
    assert_true(asked.done);
    assert_true(nu_str_starts_with(nu_strbuf_str(&asked.text), NU_STR("127.0.0.1/")));
    assert_str(nu_str_from(f.server.log), "");
    nu_strbuf_finish(&asked.text);
    fixture_finish(&f);
}

TEST(what_no_name_may_hold_is_not_asked_for)
{
    struct fixture f;
    fixture_init(&f);
    assert_answer(&f, "a.test:80", NU_DNS_V4_ONLY, "failed");
    assert_answer(&f, "[::1", NU_DNS_V4_ONLY, "failed");
    assert_answer(&f, "u@a.test", NU_DNS_ALL, "failed");
    assert_int_equal(stat(&f, "get_addr_failure"), 3);
    assert_answer(&f, "a b", NU_DNS_AUTO, "failed");
    assert_int_equal(stat(&f, "get_addr_failure"), 5); /* of each family */
    assert_int_equal(stat(&f, "resolve_total"), 5);
    assert_str(nu_str_from(f.server.log), "");
    fixture_finish(&f);
}

TEST(cancelled_question_is_not_answered)
{
    struct fixture f;
    fixture_init(&f);
    dns_server_set(&f.server, (struct dns_rule)V4);
    struct asked cancelled = {0};
    ask(&f, &cancelled, "a.test", NU_DNS_AUTO);
    nu_dns_cancel(f.resolver, &cancelled.query);
    /* A later question is answered after the answer to the first came. */
    assert_answer(&f, "a.test", NU_DNS_V4_ONLY, "1.2.3.4/30 1.2.3.5/30");
    assert_false(cancelled.done);
    assert_int_equal(stat(&f, "pending_resolutions"), 0);
    nu_dns_cancel(f.resolver, &cancelled.query);
    fixture_finish(&f);
}

TEST(resolver_goes_with_a_cancelled_question_on_its_way)
{
    struct fixture f;
    fixture_init(&f);
    dns_server_set(&f.server,
                   (struct dns_rule){.name = "a.test", .type = DNS_A, .reply = DNS_REPLY_NOTHING});
    struct asked cancelled = {0};
    ask(&f, &cancelled, "a.test", NU_DNS_V4_ONLY);
    nu_dns_cancel(f.resolver, &cancelled.query);
    fixture_finish(&f);
    assert_false(cancelled.done);
}

/* Asks again from inside its answer. */
static void ask_again(struct nu_dns_query *query, const struct nu_dns_answer *answer);
static struct fixture *again_fixture;

static void ask_again(struct nu_dns_query *query, const struct nu_dns_answer *answer)
{
    struct asked *asked = nu_container_of(query, struct asked, query);
    on_answer(query, answer);
    asked->done = asked->answers == 2;
    if (!asked->done)
        nu_dns_resolve(again_fixture->resolver, query, NU_STR("a.test"), NU_DNS_V4_ONLY);
}

TEST(query_may_ask_again_from_its_answer)
{
    struct fixture f;
    fixture_init(&f);
    again_fixture = &f;
    dns_server_set(&f.server, (struct dns_rule)V4);
    struct asked asked = {.query = {.on_answer = ask_again}};
    nu_dns_resolve(f.resolver, &asked.query, NU_STR("a.test"), NU_DNS_V4_ONLY);
    assert_true(harness_wait_flag(f.loop, &asked.done));
    assert_int_equal(f.server.udp_queries, 2);
    nu_strbuf_finish(&asked.text);
    fixture_finish(&f);
}

TEST(hundred_questions_at_once_are_all_answered)
{
    enum { COUNT = 100 };
    struct fixture f;
    struct asked asked[COUNT] = {0};
    fixture_init(&f);
    dns_server_set(&f.server, (struct dns_rule)V4);
    for (int i = 0; i < COUNT; i++)
        ask(&f, &asked[i], "a.test", NU_DNS_V4_ONLY);
    assert_int_equal(stat(&f, "pending_resolutions"), COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_true(harness_wait_flag(f.loop, &asked[i].done));
        assert_str(nu_strbuf_str(&asked[i].text), "1.2.3.4/30 1.2.3.5/30");
        nu_strbuf_finish(&asked[i].text);
        memset(f.server.log, 0, sizeof(f.server.log));
    }
    fixture_finish(&f);
}

TEST(no_statistics_before_the_first_question)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t value;
    assert_false(nu_stats_value(f.stats, NU_STR("dns.cares.resolve_total"), &value));
    fixture_finish(&f);
}

TEST_MAIN()
