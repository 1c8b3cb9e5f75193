/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's own address, where there is one and where there is none. */
#include "harness/test.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/local_info.h"

enum { NO_LEAVE = 77 };

static struct nu_address own_address(bool ipv6)
{
    const struct nu_options options = {.local_address_ipv6 = ipv6};
    return nu_local_info_make(NULL, &options).address;
}

static bool is(bool ipv6, const char *expected)
{
    char text[NU_ADDRESS_TEXT_MAX];
    struct nu_address address = own_address(ipv6);
    size_t len = nu_address_format_ip(&address, text);
    return nu_str_eq(nu_str_make(text, len), nu_str_from(expected));
}

/* In a network of its own, which has nothing but a loopback that is down. */
static int look_alone(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return NO_LEAVE;
    return is(false, "127.0.0.1") && is(true, "::1") ? 0 : 1;
}

TEST(machine_without_a_network_has_the_address_of_its_loopback)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(look_alone());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_LEAVE)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

TEST(address_is_of_the_kind_that_was_asked_for)
{
    struct nu_address v4 = own_address(false);
    struct nu_address v6 = own_address(true);
    char text[NU_ADDRESS_TEXT_MAX];
    size_t len = nu_address_format_ip(&v4, text);
    assert_true(nu_str_find(nu_str_make(text, len), NU_STR(".")) != NU_NPOS);
    len = nu_address_format_ip(&v6, text);
    assert_true(nu_str_find(nu_str_make(text, len), NU_STR(":")) != NU_NPOS);
}

TEST_MAIN()
