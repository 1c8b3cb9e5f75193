/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime overrules of outlier detection, and what its event log says. */
#include "harness/outlier.h"

/* --- Runtime ---------------------------------------------------------------------------------- */

TEST(runtime_overrules_limits_and_chances)
{
    struct fixture f;
    setup(&f, 2);
    set_runtime(&f, "outlier_detection.consecutive_5xx: 2, "
                    "outlier_detection.enforcing_consecutive_5xx: 0, "
                    "outlier_detection.consecutive_gateway_failure: 3, "
                    "outlier_detection.enforcing_consecutive_gateway_failure: 100");
    start(&f);
    answer(&f, 0, 2, 503);
    assert_int_equal(stat(&f, "detected_consecutive_5xx"), 1);
    assert_int_equal(stat(&f, "enforced_consecutive_5xx"), 0);
    answer(&f, 0, 1, 503);
    assert_true(is_aside(&f, 0));
    finish(&f);
}

TEST(runtime_overrules_times)
{
    struct fixture f;
    setup(&f, 2);
    set_runtime(&f, "outlier_detection.interval_ms: 100, outlier_detection.base_ejection_time_ms: "
                    "250, outlier_detection.max_ejection_time_ms: 270");
    start(&f);
    answer(&f, 0, 5, 500);
    pass(&f, 100);
    pass(&f, 100);
    assert_true(is_aside(&f, 0));
    pass(&f, 100);
    assert_false(is_aside(&f, 0));
    answer(&f, 0, 5, 500);
    pass(&f, 200);
    assert_true(is_aside(&f, 0));
    pass(&f, 100); /* 270 ms, not 500 */
    assert_false(is_aside(&f, 0));
    finish(&f);
}

TEST(runtime_overrules_the_share_of_hosts)
{
    struct fixture f;
    setup(&f, 4);
    set_runtime(&f, "outlier_detection.max_ejection_percent: 25");
    start(&f);
    answer(&f, 0, 5, 500);
    answer(&f, 1, 5, 500);
    assert_int_equal(stat(&f, "active"), 1);
    assert_int_equal(stat(&f, "overflow"), 1);
    finish(&f);
}

/* --- The event log ---------------------------------------------------------------------------- */

static void expect_ejection(struct fixture *f, enum nu_outlier_kind kind, bool enforced,
                            const char *line)
{
    struct nu_strbuf out = {0};
    nu_outlier_print_ejection(&out, f->hosts[0]->outlier, kind, enforced);
    assert_str(nu_strbuf_str(&out), line);
    nu_strbuf_finish(&out);
}

#define PLACE "\"cluster_name\":\"c\",\"upstream_url\":\"10.0.0.1:80\","
#define TIME "\"timestamp\":\"2023-11-14T22:13:20Z\","

TEST(events_are_lines_of_json)
{
    struct fixture f;
    setup_and_start(&f, 2);
    f.hosts[0]->outlier->ejections = 2;
    expect_ejection(&f, NU_OUTLIER_BY_CONSECUTIVE_GATEWAY, false,
                    "{\"type\":\"CONSECUTIVE_GATEWAY_FAILURE\"," TIME PLACE
                    "\"action\":\"EJECT\",\"num_ejections\":2,\"enforced\":false,"
                    "\"eject_consecutive_event\":{}}\n");
    f.base.cluster->outlier->rates[NU_OUTLIER_EXTERNAL] = (struct nu_outlier_rates){90.9, 52.3};
    f.hosts[0]->outlier->tally[NU_OUTLIER_EXTERNAL].success_rate = 50.99;
    expect_ejection(&f, NU_OUTLIER_BY_SUCCESS_RATE, true,
                    "{\"type\":\"SUCCESS_RATE\"," TIME PLACE
                    "\"action\":\"EJECT\",\"num_ejections\":2,\"enforced\":true,"
                    "\"eject_success_rate_event\":{\"host_success_rate\":50,"
                    "\"cluster_average_success_rate\":90,"
                    "\"cluster_success_rate_ejection_threshold\":52}}\n");
    f.hosts[0]->outlier->tally[NU_OUTLIER_LOCAL].success_rate = 7;
    expect_ejection(&f, NU_OUTLIER_BY_FAILURE_PERCENTAGE_LOCAL, true,
                    "{\"type\":\"FAILURE_PERCENTAGE_LOCAL_ORIGIN\"," TIME PLACE
                    "\"action\":\"EJECT\",\"num_ejections\":2,\"enforced\":true,"
                    "\"eject_failure_percentage_event\":{\"host_success_rate\":7}}\n");
    finish(&f);
}

TEST(return_is_an_event_and_tells_how_long_it_took)
{
    struct fixture f;
    struct nu_strbuf out = {0};
    setup_and_start(&f, 2);
    answer(&f, 0, 5, 500);
    nu_clock_fake_advance(61999000);
    nu_loop_run_once(f.base.loop); /* an old turn has the old time */
    nu_outlier_print_unejection(&out, f.hosts[0]->outlier);
    assert_str(nu_strbuf_str(&out),
               "{\"type\":\"CONSECUTIVE_5XX\",\"timestamp\":\"2023-11-14T22:14:"
               "21.999Z\",\"secs_since_last_action\":\"61\"," PLACE
               "\"action\":\"UNEJECT\",\"num_ejections\":1,"
               "\"enforced\":false}\n");
    nu_strbuf_finish(&out);
    finish(&f);
}

TEST_MAIN()
