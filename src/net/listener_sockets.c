/* SPDX-License-Identifier: Apache-2.0 */
/* The main thread's part of a listener: opening its sockets, and closing them. */
#include "net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

static int *fd_slot(const struct nu_listener *listener, unsigned address, unsigned socket)
{
    return &listener->fds[address * listener->socket_count + socket];
}

/* An inherited socket is bound and listens; what we need besides is set here. */
static void take_inherited(struct nu_listener *listener, unsigned address, int fd)
{
    const struct nu_address *wanted = &listener->config->addresses[address].address;
    int one = 1;
    bool is_unix = wanted->family == NU_ADDRESS_UNIX;
    if (!is_unix)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    *fd_slot(listener, address, 0) = fd;
    listener->inherited[address] = true;
    listener->bound[address] = is_unix ? *wanted : nu_socket_local_address(fd);
}

/* Sockets that share a port say nothing when somebody else has it too: it may be meant. */
static void warn_of_sharing(const struct nu_listener *listener, const struct nu_address *address)
{
    char text[NU_ADDRESS_TEXT_MAX];
    size_t len = nu_address_format(address, text);
    nu_log(NU_LOG_CONFIG, NU_LOG_WARN,
           "listener %.*s: another process listens on %.*s as well and gets a share of the "
           "connections (enable_reuse_port: false would refuse to start)",
           NU_STR_ARG(listener->config->name), (int)len, text);
}

static struct nu_socket_file read_socket_file(const struct nu_address *address)
{
    struct stat st;
    bool has_file = address->family == NU_ADDRESS_UNIX && address->path[0] != '@';
    if (!has_file || lstat(address->path, &st) != 0)
        return (struct nu_socket_file){0};
    return (struct nu_socket_file){.device = st.st_dev, .inode = st.st_ino};
}

static bool open_address(struct nu_listener *listener, unsigned address, struct nu_strbuf *error)
{
    struct nu_listen_params params = listener->config->addresses[address];
    bool is_in_use = params.reuse_port && nu_socket_is_in_use(&params.address);
    for (unsigned i = 0; i < listener->socket_count; i++) {
        int fd = nu_socket_bind(&params, error);
        if (fd < 0)
            return false;
        *fd_slot(listener, address, i) = fd;
        if (i == 0)
            listener->bound[address] = nu_socket_local_address(fd);
        if (i == 0 && params.address.family == NU_ADDRESS_UNIX) {
            listener->bound[address] = params.address;
            listener->files[address] = read_socket_file(&params.address);
        }
        /* The other sockets share the port that the kernel chose for the first. */
        params.address.port = listener->bound[address].port;
    }
    if (is_in_use)
        warn_of_sharing(listener, &params.address);
    return true;
}

/* Whether every address can have a socket per worker. */
static bool can_reuse_port(const struct nu_listener_config *config, const int *inherited)
{
    for (unsigned i = 0; i < config->address_count; i++) {
        const struct nu_listen_params *params = &config->addresses[i];
        if (!params->reuse_port || params->address.family == NU_ADDRESS_UNIX ||
            (inherited && inherited[i] >= 0))
            return false;
    }
    return true;
}

struct nu_listener *nu_listener_create(const struct nu_listener_config *config, unsigned workers,
                                       struct nu_stats *stats, const struct nu_drain *process_drain,
                                       const int *inherited, struct nu_strbuf *error)
{
    struct nu_listener *listener = nu_calloc(1, sizeof(*listener));
    listener->config = config;
    listener->process_drain = process_drain;
    listener->socket_count = can_reuse_port(config, inherited) ? workers : 1;
    size_t count = (size_t)config->address_count * listener->socket_count;
    listener->fds = nu_alloc(count * sizeof(int));
    for (size_t i = 0; i < count; i++)
        listener->fds[i] = -1;
    listener->bound = nu_calloc(config->address_count, sizeof(*listener->bound));
    listener->files = nu_calloc(config->address_count, sizeof(*listener->files));
    listener->inherited = nu_calloc(config->address_count, sizeof(*listener->inherited));
    for (unsigned i = 0; i < config->address_count; i++) {
        if (inherited && inherited[i] >= 0) {
            take_inherited(listener, i, inherited[i]);
        } else if (!open_address(listener, i, error)) {
            nu_listener_destroy(&listener);
            return NULL;
        }
    }
    struct nu_strbuf prefix = {0};
    nu_strbuf_addf(&prefix, "listener.%.*s", NU_STR_ARG(config->stat_name));
    listener->stats = nu_stat_set_create(stats, &nu_listener_stats_table, nu_strbuf_str(&prefix));
    nu_strbuf_finish(&prefix);
    return listener;
}

static void remove_socket_file(struct nu_listener *listener, unsigned address)
{
    struct nu_socket_file *ours = &listener->files[address];
    struct nu_socket_file now = read_socket_file(&listener->bound[address]);
    if (ours->inode && ours->inode == now.inode && ours->device == now.device)
        unlink(listener->bound[address].path);
    ours->inode = 0;
}

bool nu_listener_open(struct nu_listener *listener, struct nu_strbuf *error)
{
    for (unsigned i = 0; i < listener->config->address_count; i++) {
        for (unsigned s = 0; s < listener->socket_count && !listener->inherited[i]; s++) {
            if (!nu_socket_listen(*fd_slot(listener, i, s), &listener->config->addresses[i], error))
                return false;
        }
    }
    return true;
}

void nu_listener_refuse_new(struct nu_listener *listener)
{
    for (unsigned i = 0; i < listener->config->address_count; i++) {
        if (listener->inherited[i])
            continue;
        remove_socket_file(listener, i);
        for (unsigned s = 0; s < listener->socket_count; s++)
            nu_socket_refuse_new(*fd_slot(listener, i, s));
    }
}

void nu_listener_close(struct nu_listener *listener)
{
    for (unsigned i = 0; i < listener->config->address_count; i++) {
        bool open = false;
        for (unsigned s = 0; s < listener->socket_count; s++) {
            int *fd = fd_slot(listener, i, s);
            open |= *fd >= 0;
            if (*fd >= 0)
                close(*fd);
            *fd = -1;
        }
        if (open)
            remove_socket_file(listener, i);
    }
}

void nu_listener_destroy(struct nu_listener **listener_ptr)
{
    struct nu_listener *listener = *listener_ptr;
    if (!listener)
        return;
    *listener_ptr = NULL;
    nu_listener_close(listener);
    nu_stat_set_destroy(&listener->stats);
    nu_free(listener->inherited);
    nu_free(listener->files);
    nu_free(listener->bound);
    nu_free(listener->fds);
    nu_free(listener);
}

int nu_listener_fd(const struct nu_listener *listener, unsigned address, unsigned worker)
{
    return *fd_slot(listener, address, listener->socket_count > 1 ? worker : 0);
}
