/* SPDX-License-Identifier: Apache-2.0 */
/* /logging: what is changed, and that a wrong request changes nothing. */
#include "fixture.h"

#include "base/log.h"

static void check(const char *target, uint32_t status, const char *beginning)
{
    struct admin_fixture f;
    struct nu_strbuf body = {0};
    admin_open(&f);
    if (admin_ask(&f, "POST", target, 4096, &body) != status ||
        strncmp(body.data, beginning, strlen(beginning)) != 0)
        fail_msg("%s: %s", target, body.data);
    nu_strbuf_finish(&body);
    admin_close(&f);
}

#define ACTIVE "active loggers:\n  admin: "

TEST(levels_are_set_for_all_some_and_one)
{
    check("/logging?level=warning", 200, ACTIVE "warning\n");
    assert_int_equal(nu_log_component_level(NU_LOG_HTTP), NU_LOG_WARN);
    check("/logging?paths=admin:debug,%20http:off,", 200, ACTIVE "debug\n");
    assert_int_equal(nu_log_component_level(NU_LOG_HTTP), NU_LOG_OFF);
    check("/logging?admin=trace", 200, ACTIVE "trace\n");
    check("/logging?level=&paths=&admin=error", 200, ACTIVE "error\n");
    check("/logging", 200, ACTIVE "error\n");
    assert_int_equal(nu_log_component_level(NU_LOG_ROUTER), NU_LOG_WARN);
    nu_log_set_level(NU_LOG_INFO);
}

TEST(a_wrong_request_changes_nothing)
{
    nu_log_set_level(NU_LOG_INFO);
    check("/logging?level=loud", 400, "error: unknown logger level\n\nusage: ");
    check("/logging?nosuch=debug", 400, "error: unknown logger name\n");
    check("/logging?paths=http:debug,nosuch:debug", 400, "error: unknown logger name\n");
    check("/logging?paths=http:debug,router:loud", 400, "error: unknown logger level\n");
    check("/logging?paths=http", 400, "error: empty logger name or empty logger level\n");
    check("/logging?paths=:debug", 400, "error: empty logger name or empty logger level\n");
    check("/logging?http=debug&router=debug", 400, "error: invalid number of parameters\n");
    check("/logging?level=debug&paths=http:debug", 400, "error: invalid number of parameters\n");
    for (int i = 0; i < NU_LOG_COMPONENT_COUNT; i++)
        assert_int_equal(nu_log_component_level((enum nu_log_component)i), NU_LOG_INFO);
}

TEST_MAIN()
