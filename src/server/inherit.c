/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol of sd_listen_fds(3) without libsystemd. */
#include "server/inherit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

unsigned nu_inherit_count(const char *listen_pid, const char *listen_fds, int pid)
{
    enum { MANY = 4096 };
    uint64_t owner;
    uint64_t count;
    if (!listen_pid || !listen_fds || nu_str_to_u64(nu_str_from(listen_pid), &owner) != NU_OK ||
        owner != (uint64_t)pid || nu_str_to_u64(nu_str_from(listen_fds), &count) != NU_OK ||
        count > MANY)
        return 0;
    return (unsigned)count;
}

struct nu_str nu_inherit_name(const char *names, unsigned index)
{
    if (!names)
        return nu_str_make("", 0);
    for (; index > 0; index--) {
        names += strcspn(names, ":");
        if (!*names++)
            return nu_str_make("", 0);
    }
    return nu_str_make(names, strcspn(names, ":"));
}

static bool is_listening_stream(int fd)
{
    int type = 0;
    int listening = 0;
    socklen_t len = sizeof(int);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

/* The path of a unix socket's address, '@' first for an abstract one; owned by the caller. */
static char *read_path(const struct sockaddr_storage *sa, socklen_t len)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)sa;
    size_t size = len - offsetof(struct sockaddr_un, sun_path);
    if (un->sun_path[0])
        return nu_strndup(un->sun_path, strnlen(un->sun_path, size));
    char *path = nu_strndup(un->sun_path, size);
    if (size > 0)
        path[0] = '@';
    return path;
}

static void read_address(struct nu_inherited_socket *socket)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    if (getsockname(socket->fd, (struct sockaddr *)&sa, &len) != 0)
        return;
    socket->address = nu_address_from_sockaddr((struct sockaddr *)&sa, len);
    if (socket->address.family != NU_ADDRESS_UNIX)
        return;
    socket->path = read_path(&sa, len);
    socket->address = nu_address_unix(socket->path);
}

void nu_inherited_init(struct nu_inherited *inherited)
{
    const char *names = getenv("LISTEN_FDNAMES");
    unsigned count = nu_inherit_count(getenv("LISTEN_PID"), getenv("LISTEN_FDS"), getpid());
    inherited->sockets = nu_calloc(count + 1, sizeof(*inherited->sockets));
    inherited->count = count;
    for (unsigned i = 0; i < count; i++) {
        struct nu_inherited_socket *socket = &inherited->sockets[i];
        struct nu_str name = nu_inherit_name(names, i);
        socket->fd = NU_INHERIT_FIRST_FD + (int)i;
        socket->name = nu_strndup(name.ptr, name.len);
        fcntl(socket->fd, F_SETFD, FD_CLOEXEC);
        fcntl(socket->fd, F_SETFL, fcntl(socket->fd, F_GETFL) | O_NONBLOCK);
        if (is_listening_stream(socket->fd))
            read_address(socket);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

int nu_inherited_take(struct nu_inherited *inherited, const struct nu_address *address)
{
    for (size_t i = 0; i < inherited->count; i++) {
        struct nu_inherited_socket *socket = &inherited->sockets[i];
        if (socket->fd < 0 || !nu_address_eq(&socket->address, address))
            continue;
        int fd = socket->fd;
        socket->fd = -1;
        return fd;
    }
    return -1;
}

static void warn_of_unused(const struct nu_inherited_socket *socket)
{
    char text[NU_ADDRESS_TEXT_MAX] = "no listening stream socket";
    size_t len = socket->address.family == NU_ADDRESS_NONE
                     ? strlen(text)
                     : nu_address_format(&socket->address, text);
    nu_log(NU_LOG_MAIN, NU_LOG_WARN,
           "the service manager's socket %d '%s' (%.*s) is the address of no listener: closing it",
           socket->fd, socket->name, (int)len, text);
}

void nu_inherited_finish(struct nu_inherited *inherited)
{
    for (size_t i = 0; i < inherited->count; i++) {
        struct nu_inherited_socket *socket = &inherited->sockets[i];
        if (socket->fd >= 0) {
            warn_of_unused(socket);
            close(socket->fd);
        }
        nu_free(socket->name);
        nu_free(socket->path);
    }
    nu_free(inherited->sockets);
    *inherited = (struct nu_inherited){0};
}
