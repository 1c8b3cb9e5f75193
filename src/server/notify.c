/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol of sd_notify(3) without libsystemd: a datagram socket and text. */
#include "server/notify.h"

#include <errno.h>
#include <unistd.h>

#include "base/address.h"
#include "base/log.h"

void nu_notify_init(struct nu_notify *notify, const char *socket_name)
{
    *notify = (struct nu_notify){.fd = -1};
    if (!socket_name || !*socket_name)
        return;
    struct nu_address address = nu_address_unix(socket_name);
    bool is_known =
        (*socket_name == '/' || *socket_name == '@') &&
        nu_address_to_sockaddr(&address, &notify->address, &notify->address_len) == NU_OK;
    if (is_known)
        notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify->fd < 0)
        nu_log(NU_LOG_MAIN, NU_LOG_WARN, "cannot notify the service manager at '%s': %s",
               socket_name, is_known ? strerror(errno) : "no unix socket");
}

void nu_notify_finish(struct nu_notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

void nu_notify_send(const struct nu_notify *notify, const char *fmt, ...)
{
    if (notify->fd < 0)
        return;
    struct nu_strbuf text = {0};
    va_list args;
    va_start(args, fmt);
    nu_strbuf_addv(&text, fmt, args);
    va_end(args);
    ssize_t sent = sendto(notify->fd, text.data, text.len, MSG_NOSIGNAL,
                          (const struct sockaddr *)&notify->address, notify->address_len);
    if (sent < 0)
        nu_log(NU_LOG_MAIN, NU_LOG_WARN, "cannot notify the service manager: %s", strerror(errno));
    nu_strbuf_finish(&text);
}

uint64_t nu_notify_watchdog_us(const char *usec, const char *watchdog_pid, int pid)
{
    uint64_t interval;
    uint64_t owner;
    if (!usec || nu_str_to_u64(nu_str_from(usec), &interval) != NU_OK)
        return 0;
    if (watchdog_pid &&
        (nu_str_to_u64(nu_str_from(watchdog_pid), &owner) != NU_OK || owner != (uint64_t)pid))
        return 0;
    return interval;
}
