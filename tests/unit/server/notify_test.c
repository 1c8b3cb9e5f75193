/* SPDX-License-Identifier: Apache-2.0 */
/* What a service manager is told, and what its variables mean. */
#include "harness/test.h"

#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "server/notify.h"

/* A manager's socket with an abstract name of the kernel's choice, which goes to `name`. */
static int open_manager(char *name, size_t size)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(sa_family_t)), 0);
    socklen_t len = sizeof(own);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &len), 0);
    snprintf(name, size, "@%.*s", (int)(len - sizeof(sa_family_t) - 1), own.sun_path + 1);
    return fd;
}

TEST(lines_go_to_the_socket_as_one_datagram)
{
    char name[64];
    char got[64];
    int manager = open_manager(name, sizeof(name));
    struct nu_notify notify;
    nu_notify_init(&notify, name);
    nu_notify_send(&notify, "READY=1\nMAINPID=%d", 42);
    ssize_t n = recv(manager, got, sizeof(got), MSG_DONTWAIT);
    assert_str(nu_str_make(got, (size_t)n), "READY=1\nMAINPID=42");
    nu_notify_finish(&notify);
    close(manager);
}

TEST(without_a_socket_nothing_happens)
{
    static const char *const names[] = {NULL, "", "vsock:2:1", "relative/path"};
    nu_log_set_level(NU_LOG_OFF);
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++) {
        struct nu_notify notify;
        nu_notify_init(&notify, names[i]);
        assert_int_equal(notify.fd, -1);
        nu_notify_send(&notify, "READY=1");
        nu_notify_finish(&notify);
    }
    nu_log_set_level(NU_LOG_INFO);
}

TEST(a_manager_that_is_gone_is_no_harm)
{
    char name[64];
    close(open_manager(name, sizeof(name)));
    struct nu_notify notify;
    nu_log_set_level(NU_LOG_OFF);
    nu_notify_init(&notify, name);
    nu_notify_send(&notify, "READY=1");
    nu_notify_finish(&notify);
    nu_log_set_level(NU_LOG_INFO);
}

TEST(the_watchdog_interval_is_for_one_process)
{
    assert_int_equal(nu_notify_watchdog_us("30000000", NULL, 7), 30000000);
    assert_int_equal(nu_notify_watchdog_us("30000000", "7", 7), 30000000);
    assert_int_equal(nu_notify_watchdog_us("30000000", "8", 7), 0);
    assert_int_equal(nu_notify_watchdog_us("30000000", "x", 7), 0);
    assert_int_equal(nu_notify_watchdog_us("soon", "7", 7), 0);
    assert_int_equal(nu_notify_watchdog_us(NULL, "7", 7), 0);
}

TEST_MAIN()
