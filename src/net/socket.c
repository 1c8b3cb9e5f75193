/* SPDX-License-Identifier: Apache-2.0 */
/* Making listen sockets. */
#include "net/socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

static bool set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* The first option of a moment that the system refuses, or NULL. */
static const struct nu_socket_option *find_refused(int fd, const struct nu_socket_option *options,
                                                   size_t count, enum nu_socket_option_when when)
{
    for (size_t i = 0; i < count; i++) {
        const struct nu_socket_option *option = &options[i];
        if (option->when == when && setsockopt(fd, option->level, option->name, option->value.ptr,
                                               (socklen_t)option->value.len) != 0)
            return option;
    }
    return NULL;
}

bool nu_socket_apply_options(int fd, const struct nu_socket_option *options, size_t count,
                             enum nu_socket_option_when when)
{
    return !find_refused(fd, options, count, when);
}

/* What could not be done to a listen socket. */
struct failure {
    const char *step;
    const struct nu_socket_option *option; /* the configured one that was refused, else NULL */
};

static bool apply_options(int fd, const struct nu_listen_params *params,
                          enum nu_socket_option_when when, struct failure *failure)
{
    failure->option = find_refused(fd, params->options, params->option_count, when);
    return !failure->option;
}

static int family_of(const struct nu_address *address)
{
    return address->family == NU_ADDRESS_UNIX   ? AF_UNIX
           : address->family == NU_ADDRESS_IPV6 ? AF_INET6
                                                : AF_INET;
}

static bool set_ip_options(int fd, const struct nu_listen_params *params)
{
    bool v6 = params->address.family == NU_ADDRESS_IPV6;
    if (!set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) || !set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1))
        return false;
    if (params->reuse_port && !set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1))
        return false;
    if (v6 && !set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, params->ipv4_compat ? 0 : 1))
        return false;
    if (params->transparent &&
        !set_int(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1))
        return false;
    if (params->freebind &&
        !set_int(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, 1))
        return false;
    return true;
}

/* Removes the file of a unix socket that refuses connections: its owner is gone. */
static void remove_stale_unix_socket(const struct nu_address *address, const struct sockaddr *sa,
                                     socklen_t len)
{
    struct stat st;
    if (!address->path || address->path[0] == '@' || stat(address->path, &st) != 0 ||
        !S_ISSOCK(st.st_mode))
        return;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return;
    if (connect(probe, sa, len) != 0 && errno == ECONNREFUSED)
        unlink(address->path);
    close(probe);
}

static bool bind_socket(int fd, const struct nu_listen_params *params, struct failure *failure)
{
    struct sockaddr_storage sa;
    socklen_t len;
    failure->step = "use the address";
    if (nu_address_to_sockaddr(&params->address, &sa, &len) != NU_OK) {
        errno = ENAMETOOLONG;
        return false;
    }
    bool is_unix = params->address.family == NU_ADDRESS_UNIX;
    failure->step = "set a socket option on";
    if ((!is_unix && !set_ip_options(fd, params)) ||
        !apply_options(fd, params, NU_SOCKET_PREBIND, failure))
        return false;
    if (is_unix)
        remove_stale_unix_socket(&params->address, (struct sockaddr *)&sa, len);
    failure->step = "bind";
    if (bind(fd, (struct sockaddr *)&sa, len) != 0)
        return false;
    failure->step = "set the mode of";
    bool has_file = is_unix && params->address.path[0] != '@';
    if (has_file && params->unix_mode && chmod(params->address.path, params->unix_mode) != 0)
        return false;
    failure->step = "set a socket option on";
    if (!apply_options(fd, params, NU_SOCKET_BOUND, failure))
        return false;
    failure->step = "set tcp_fast_open_queue_length on";
    if (params->fast_open_queue && !set_int(fd, IPPROTO_TCP, TCP_FASTOPEN, params->fast_open_queue))
        return false;
    return true;
}

/* What the system's word for it does not say. */
static const char *explain(int number, const struct nu_address *address, const char *text)
{
    struct stat found;
    if (number == EADDRINUSE && address->family == NU_ADDRESS_UNIX && stat(text, &found) == 0 &&
        !S_ISSOCK(found.st_mode))
        return " by a file that is no socket; it is left alone";
    if (number == EACCES && nu_address_is_ip(address) && address->port < 1024)
        return " (a port below 1024 needs CAP_NET_BIND_SERVICE)";
    return "";
}

static void name_option(struct nu_strbuf *error, const struct nu_socket_option *option)
{
    if (!option)
        return;
    nu_strbuf_addf(error, " (socket_options: level %d, name %d", option->level, option->name);
    if (option->description && *option->description)
        nu_strbuf_addf(error, ", \"%s\"", option->description);
    nu_strbuf_add_char(error, ')');
}

static void add_error(struct nu_strbuf *error, const struct failure *failure,
                      const struct nu_listen_params *params)
{
    int number = errno;
    char text[NU_ADDRESS_TEXT_MAX + 1];
    size_t len = nu_address_format(&params->address, text);
    text[len] = '\0';
    nu_strbuf_addf(error, "cannot %s '%s': %s%s", failure->step, text, strerror(number),
                   explain(number, &params->address, text));
    name_option(error, failure->option);
}

int nu_socket_bind(const struct nu_listen_params *params, struct nu_strbuf *error)
{
    struct failure failure = {.step = "open a socket for"};
    int fd = socket(family_of(&params->address), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind_socket(fd, params, &failure))
        return fd;
    add_error(error, &failure, params);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* A bind without SO_REUSEPORT fails exactly then; what is only bound elsewhere has SO_REUSEADDR. */
bool nu_socket_is_in_use(const struct nu_address *address)
{
    struct sockaddr_storage sa;
    socklen_t len;
    if (!nu_address_is_ip(address) || address->port == 0 ||
        nu_address_to_sockaddr(address, &sa, &len) != NU_OK)
        return false;
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool in_use = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
                  bind(fd, (struct sockaddr *)&sa, len) != 0 && errno == EADDRINUSE;
    close(fd);
    return in_use;
}

bool nu_socket_listen(int fd, const struct nu_listen_params *params, struct nu_strbuf *error)
{
    if (listen(fd, params->backlog ? params->backlog : SOMAXCONN) != 0) {
        add_error(error, &(struct failure){.step = "listen on"}, params);
        return false;
    }
    struct failure failure = {.step = "set a socket option on"};
    if (apply_options(fd, params, NU_SOCKET_LISTENING, &failure))
        return true;
    add_error(error, &failure, params);
    return false;
}

void nu_socket_refuse_new(int fd)
{
    enum { FLAGS_OFFSET = 13, SYN = 0x02, SYN_ACK = 0x12 };
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_OFFSET),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN_ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {NU_ARRAY_LEN(code), code};
    int ignored = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
    (void)ignored;
}

void nu_socket_reset_on_close(int fd)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

struct nu_address nu_socket_local_address(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        return (struct nu_address){0};
    return nu_address_from_sockaddr((struct sockaddr *)&sa, len);
}
