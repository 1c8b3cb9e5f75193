/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the event log, as Envoy 1.36.4 writes them. */
#include "upstream/health/event_log.h"

#include "harness/test.h"
#include "http/metadata.h"

static struct nu_host host;

static const struct nu_health_event_info info = {
    .type = "HTTP",
    .cluster = NU_STR_INIT("c"),
    .host = &host,
    .realtime_us = 1795686204871000, /* 2026-11-26 09:43:24.871 */
    .failure = NU_HEALTH_NETWORK_TIMEOUT,
    .is_first = true,
};

#define HEAD \
    "{\"health_checker_type\":\"HTTP\",\"host\":{\"socket_address\":{\"protocol\":\"TCP\"," \
    "\"address\":\"127.0.0.1\",\"port_value\":80,\"resolver_name\":\"\",\"ipv4_compat\":false," \
    "\"network_namespace_filepath\":\"\"}},\"cluster_name\":\"c\","
#define TIME "\"timestamp\":\"2026-11-26T09:43:24.871Z\","
#define PLACE "\"locality\":{\"region\":\"r\",\"zone\":\"\",\"sub_zone\":\"\"}"

static void expect_line(enum nu_health_event event, const struct nu_health_event_info *what,
                        const char *line)
{
    struct nu_strbuf out = {0};
    nu_health_event_format(&out, event, what);
    assert_str(nu_strbuf_str(&out), line);
    nu_strbuf_finish(&out);
}

static void set_host(const char *address)
{
    memset(&host, 0, sizeof(host));
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(address), &host.address), NU_OK);
    host.locality.region = NU_STR("r");
}

TEST(members_come_by_their_numbers)
{
    set_host("127.0.0.1:80");
    expect_line(NU_HEALTH_EVENT_EJECTED, &info,
                HEAD "\"eject_unhealthy_event\":{\"failure_type\":\"NETWORK_TIMEOUT\"}," TIME PLACE
                     "}\n");
    expect_line(NU_HEALTH_EVENT_ADDED, &info,
                HEAD "\"add_healthy_event\":{\"first_check\":true}," TIME PLACE "}\n");
    expect_line(NU_HEALTH_EVENT_FAILED, &info,
                HEAD TIME "\"health_check_failure_event\":{\"failure_type\":\"NETWORK_TIMEOUT\","
                          "\"first_check\":true}," PLACE "}\n");
    expect_line(NU_HEALTH_EVENT_DEGRADED, &info,
                HEAD TIME "\"degraded_healthy_host\":{}," PLACE "}\n");
    expect_line(NU_HEALTH_EVENT_UNDEGRADED, &info,
                HEAD TIME "\"no_longer_degraded_host\":{}," PLACE "}\n");
    expect_line(NU_HEALTH_EVENT_PASSED, &info,
                HEAD TIME PLACE ",\"successful_health_check_event\":{}}\n");
}

TEST(whole_seconds_have_no_fraction)
{
    struct nu_health_event_info whole = info;
    set_host("127.0.0.1:80");
    whole.realtime_us = 1795686204000999;
    expect_line(NU_HEALTH_EVENT_PASSED, &whole,
                HEAD "\"timestamp\":\"2026-11-26T09:43:24Z\"," PLACE
                     ",\"successful_health_check_event\":{}}\n");
}

TEST(host_on_a_unix_socket_is_a_pipe)
{
    memset(&host, 0, sizeof(host));
    host.address = nu_address_unix("/run/a.sock");
    expect_line(NU_HEALTH_EVENT_PASSED, &info,
                "{\"health_checker_type\":\"HTTP\",\"host\":{\"pipe\":{\"path\":\"/run/a.sock\","
                "\"mode\":0}},\"cluster_name\":\"c\"," TIME
                "\"locality\":{\"region\":\"\",\"zone\":\"\",\"sub_zone\":\"\"},"
                "\"successful_health_check_event\":{}}\n");
}

TEST(metadata_stands_before_the_locality)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_metadata *metadata = nu_metadata_create(&arena);
    nu_metadata_set(metadata, NU_STR("envoy.lb"), NU_STR("canary"), nu_value_bool(true));
    set_host("127.0.0.1:80");
    atomic_init(&host.metadata.now, metadata);
    expect_line(NU_HEALTH_EVENT_PASSED, &info,
                HEAD TIME "\"metadata\":{\"filter_metadata\":{\"envoy.lb\":{\"canary\":true}},"
                          "\"typed_filter_metadata\":{}}," PLACE
                          ",\"successful_health_check_event\":{}}\n");
    nu_arena_finish(&arena);
}

TEST_MAIN()
