/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions about retries: what is tried again, and the pauses. */
#include "client/retry.h"

#include "base/clock.h"
#include "base/random.h"
#include "harness/test.h"

static struct nu_arena arena;
static struct nu_headers headers;
static struct nu_retry_policy policy;
static struct nu_retry_rules rules;

static void begin(unsigned conditions)
{
    nu_arena_init(&arena);
    nu_headers_init(&headers, &arena, 8);
    policy = nu_retry_policy_none;
    rules = (struct nu_retry_rules){.policy = &policy, .conditions = conditions, .max_retries = 1};
}

static void end(void)
{
    nu_arena_finish(&arena);
}

/* --- Answers ---------------------------------------------------------------------------------- */

struct status_case {
    unsigned condition;
    uint32_t retried[6];
    uint32_t kept[6];
};

static const struct status_case status_cases[] = {
    {NU_RETRY_ON_5XX, {500, 503, 599}, {200, 404, 499, 600}},
    {NU_RETRY_ON_GATEWAY_ERROR, {502, 503, 504}, {500, 501, 505}},
    {NU_RETRY_ON_RETRIABLE_4XX, {409}, {400, 404, 408, 410, 429}},
    {NU_RETRY_ON_RETRIABLE_STATUS_CODES, {418, 200}, {500, 417}},
    {NU_RETRY_ON_RESET | NU_RETRY_ON_CONNECT_FAILURE | NU_RETRY_ON_REFUSED_STREAM, {0}, {500, 503}},
};

TEST(statuses_are_tried_again_by_their_conditions)
{
    static const uint32_t listed[] = {418, 200};
    begin(0);
    policy.status_codes = listed;
    policy.status_code_count = NU_ARRAY_LEN(listed);
    for (size_t i = 0; i < NU_ARRAY_LEN(status_cases); i++) {
        const struct status_case *c = &status_cases[i];
        rules.conditions = c->condition;
        for (int n = 0; n < 6; n++) {
            if (c->retried[n])
                assert_true(nu_retry_wants_response(&rules, c->retried[n], &headers));
            if (c->kept[n])
                assert_false(nu_retry_wants_response(&rules, c->kept[n], &headers));
        }
    }
    end();
}

TEST(a_request_adds_statuses_and_header_names)
{
    static const uint32_t codes[] = {404};
    static const struct nu_str names[] = {NU_STR_INIT("x-again")};
    begin(NU_RETRY_ON_RETRIABLE_STATUS_CODES | NU_RETRY_ON_RETRIABLE_HEADERS);
    assert_false(nu_retry_wants_response(&rules, 404, &headers));
    rules.status_codes = codes;
    rules.status_code_count = 1;
    assert_true(nu_retry_wants_response(&rules, 404, &headers));
    rules.header_names = names;
    rules.header_name_count = 1;
    assert_false(nu_retry_wants_response(&rules, 200, &headers));
    nu_headers_add(&headers, NU_STR("x-again"), NU_STR(""));
    assert_true(nu_retry_wants_response(&rules, 200, &headers));
    end();
}

TEST(a_rate_limited_answer_has_a_condition_of_its_own)
{
    begin(~0U & ~(unsigned)NU_RETRY_ON_ENVOY_RATELIMITED);
    nu_headers_add(&headers, NU_STR("x-envoy-ratelimited"), NU_STR("true"));
    assert_false(nu_retry_wants_response(&rules, 503, &headers));
    rules.conditions = NU_RETRY_ON_ENVOY_RATELIMITED;
    assert_true(nu_retry_wants_response(&rules, 200, &headers));
    end();
}

struct grpc_case {
    const char *status;
    unsigned condition;
};

TEST(each_grpc_condition_knows_its_status)
{
    static const struct grpc_case cases[] = {
        {"1", NU_RETRY_ON_CANCELLED},
        {"4", NU_RETRY_ON_DEADLINE_EXCEEDED},
        {"8", NU_RETRY_ON_RESOURCE_EXHAUSTED},
        {"13", NU_RETRY_ON_INTERNAL},
        {"14", NU_RETRY_ON_UNAVAILABLE},
        {"0", 0},
        {"2", 0},
        {"x", 0},
        {"", 0},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        begin(NU_RETRY_ON_GRPC & ~cases[i].condition);
        nu_headers_add(&headers, NU_STR("grpc-status"), nu_str_from(cases[i].status));
        assert_false(nu_retry_wants_response(&rules, 200, &headers));
        rules.conditions = cases[i].condition;
        assert_int_equal(nu_retry_wants_response(&rules, 200, &headers), cases[i].condition != 0);
        end();
    }
}

/* --- Resets ----------------------------------------------------------------------------------- */

TEST(resets_are_tried_again_by_their_conditions)
{
    begin(NU_RETRY_ON_CONNECT_FAILURE);
    assert_true(nu_retry_wants_reset(&rules, NU_RESET_REMOTE_CONNECTION_FAILURE, false));
    assert_true(nu_retry_wants_reset(&rules, NU_RESET_LOCAL_CONNECTION_FAILURE, true));
    assert_true(nu_retry_wants_reset(&rules, NU_RESET_CONNECTION_TIMEOUT, false));
    assert_false(nu_retry_wants_reset(&rules, NU_RESET_CONNECTION_TERMINATION, false));
    rules.conditions = NU_RETRY_ON_REFUSED_STREAM;
    assert_true(nu_retry_wants_reset(&rules, NU_RESET_REMOTE_REFUSED, true));
    assert_false(nu_retry_wants_reset(&rules, NU_RESET_LOCAL_REFUSED, true));
    assert_false(nu_retry_wants_reset(&rules, NU_RESET_REMOTE, true));
    rules.conditions = NU_RETRY_ON_RESET_BEFORE_REQUEST;
    assert_true(nu_retry_wants_reset(&rules, NU_RESET_REMOTE, false));
    assert_false(nu_retry_wants_reset(&rules, NU_RESET_REMOTE, true));
    static const unsigned all[] = {NU_RETRY_ON_RESET, NU_RETRY_ON_5XX, NU_RETRY_ON_GATEWAY_ERROR};
    for (size_t i = 0; i < NU_ARRAY_LEN(all); i++) {
        rules.conditions = all[i];
        assert_true(nu_retry_wants_reset(&rules, NU_RESET_LOCAL, true));
        assert_true(nu_retry_wants_reset(&rules, NU_RESET_PROTOCOL_ERROR, true));
        assert_true(nu_retry_wants_reset(&rules, NU_RESET_REMOTE_CONNECTION_FAILURE, false));
    }
    rules.conditions = ~0U;
    assert_false(nu_retry_wants_reset(&rules, NU_RESET_OVERFLOW, false));
    end();
}

/* --- Pauses ----------------------------------------------------------------------------------- */

/* Over many sequences each pause is spread over all of [0, bound), and no further. */
static void assert_bounds(const uint64_t *bounds, size_t count)
{
    enum { ROUNDS = 4000 };
    uint64_t least[8], most[8] = {0}, sum[8] = {0};
    memset(least, 0xff, sizeof(least));
    nu_random_seed(1);
    for (int round = 0; round < ROUNDS; round++) {
        struct nu_retry_state retry;
        nu_retry_init(&retry, &rules, NULL);
        for (size_t i = 0; i < count; i++) {
            uint64_t pause = nu_retry_next_pause_ms(&retry);
            least[i] = pause < least[i] ? pause : least[i];
            most[i] = pause > most[i] ? pause : most[i];
            sum[i] += pause;
        }
    }
    for (size_t i = 0; i < count; i++) {
        assert_true(most[i] < bounds[i]);
        assert_true(most[i] >= bounds[i] - bounds[i] / 50 - 1);
        assert_true(least[i] <= bounds[i] / 50);
        double mean = (double)sum[i] / ROUNDS;
        double wanted = (double)(bounds[i] - 1) / 2;
        assert_true(mean >= wanted * 0.95 && mean <= wanted * 1.05); /* 5 deviations and more */
    }
}

TEST(pauses_double_up_to_ten_times_the_first)
{
    static const uint64_t bounds[] = {25, 50, 100, 200, 250, 250, 250};
    begin(NU_RETRY_ON_5XX);
    assert_bounds(bounds, NU_ARRAY_LEN(bounds));
    end();
}

TEST(pauses_double_up_to_the_maximum_of_the_policy)
{
    static const uint64_t bounds[] = {100, 200, 300, 300};
    static const uint64_t same[] = {100, 100, 100};
    begin(NU_RETRY_ON_5XX);
    policy.base_interval_ms = 100;
    policy.max_interval_ms = 300;
    assert_bounds(bounds, NU_ARRAY_LEN(bounds));
    policy.max_interval_ms = 100;
    assert_bounds(same, NU_ARRAY_LEN(same));
    end();
}

TEST(longest_pauses_do_not_overflow)
{
    struct nu_retry_state retry;
    begin(NU_RETRY_ON_5XX);
    policy.base_interval_ms = policy.max_interval_ms = UINT64_MAX;
    nu_retry_init(&retry, &rules, NULL);
    nu_retry_next_pause_ms(&retry);
    assert_true(retry.next_interval_ms == UINT64_MAX);
    end();
}

enum { NOW_S = 1700000000 };

struct asked_case {
    const char *seconds; /* of the header, or NULL */
    const char *stamp;
    uint64_t least; /* milliseconds; 0: nothing is asked for */
};

static const struct asked_case asked_cases[] = {
    {NULL, NULL, 0},
    {"3", NULL, 3000},
    {"0", NULL, 0},
    {"soon", NULL, 0},
    {"-1", NULL, 0},
    {"1.5", NULL, 0},
    {"60", NULL, 60000},
    {"61", NULL, 0},
    {"18446744073709551616", NULL, 0},
    {NULL, "1700000002", 2000},
    {NULL, "1699999999", 0},
    {NULL, "1700000000", 0},
    {NULL, "1700000061", 0},
    {"61", "1700000005", 5000},
    {"18446744073709551615", NULL, 0},
    {"2", "1700000005", 2000},
};

TEST(an_answer_names_its_pause)
{
    static const struct nu_retry_reset_header reset_headers[] = {
        {.name = NU_STR_INIT("retry-after")},
        {.name = NU_STR_INIT("x-ratelimit-reset"), .is_unix_timestamp = true},
    };
    nu_clock_fake_install(1000000, NOW_S * UINT64_C(1000000));
    for (size_t i = 0; i < NU_ARRAY_LEN(asked_cases); i++) {
        const struct asked_case *c = &asked_cases[i];
        begin(NU_RETRY_ON_5XX);
        policy.reset_headers = reset_headers;
        policy.reset_header_count = NU_ARRAY_LEN(reset_headers);
        policy.max_reset_interval_ms = 60000;
        if (c->seconds)
            nu_headers_add(&headers, NU_STR("retry-after"), nu_str_from(c->seconds));
        if (c->stamp)
            nu_headers_add(&headers, NU_STR("x-ratelimit-reset"), nu_str_from(c->stamp));
        for (int round = 0; round < 100; round++) {
            uint64_t ms = nu_retry_asked_pause_ms(&rules, &headers);
            assert_true(c->least ? ms >= c->least && ms < c->least + c->least / 2 : ms == 0);
        }
        end();
    }
    nu_clock_fake_remove();
}

TEST_MAIN()
