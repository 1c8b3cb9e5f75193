/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor under every proxy: a relay of bytes with one upstream connection for each downstream
 * connection, kept for another one when the downstream goes. No HTTP, no timers, no limits: one
 * read and one write for what comes, on level-triggered epoll. A client must have its whole answer
 * before it leaves, or the rest of it waits on a spare connection.
 *
 *     relay LISTEN_PORT UPSTREAM_PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FD_MAX = 65536, PIECE = 65536, EVENTS = 256 };

/* One end of a relayed connection, found by its descriptor. */
struct end {
    bool is_open;
    bool is_upstream;
    int peer;      /* descriptor, or -1 while an upstream is spare */
    char *pending; /* what the peer sent and this end could not take yet */
    size_t pending_len;
};

static struct end ends[FD_MAX];
static int spare[FD_MAX];
static int spare_count;
static int poll_fd;
static int upstream_port;
static char piece[PIECE];

static void watch(int fd, int op, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    epoll_ctl(poll_fd, op, fd, &event);
}

static void open_end(int fd, bool is_upstream)
{
    ends[fd] = (struct end){.is_open = true, .is_upstream = is_upstream, .peer = -1};
    watch(fd, EPOLL_CTL_ADD, EPOLLIN);
}

static void close_end(int fd)
{
    if (!ends[fd].is_open)
        return;
    free(ends[fd].pending);
    ends[fd] = (struct end){0};
    close(fd);
}

static void forget_spare(int fd)
{
    for (int i = 0; i < spare_count; i++) {
        if (spare[i] == fd)
            spare[i] = spare[--spare_count];
    }
}

/* A peer went away: its other end goes too, but for an upstream at rest, which is kept. */
static void end_pair(int fd)
{
    int peer = ends[fd].peer;
    bool at_rest = peer >= 0 && !ends[fd].pending && !ends[peer].pending;
    if (peer < 0) {
        forget_spare(fd);
    } else if (ends[fd].is_upstream || !at_rest) {
        close_end(peer);
    } else {
        ends[peer].peer = -1;
        spare[spare_count++] = peer;
    }
    close_end(fd);
}

static int connect_upstream(void)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)upstream_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    open_end(fd, true);
    return fd;
}

static void accept_one(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0)
        return;
    int peer = spare_count ? spare[--spare_count] : connect_upstream();
    if (peer < 0) {
        close(fd);
        return;
    }
    open_end(fd, false);
    ends[fd].peer = peer;
    ends[peer].peer = fd;
}

/* Keeps what `to` did not take; nothing more is read from the other end meanwhile. */
static void keep(int to, const char *bytes, size_t len)
{
    ends[to].pending = malloc(len);
    memcpy(ends[to].pending, bytes, len);
    ends[to].pending_len = len;
    watch(to, EPOLL_CTL_MOD, EPOLLOUT);
    watch(ends[to].peer, EPOLL_CTL_MOD, 0);
}

static void pass_on(int fd)
{
    ssize_t n = recv(fd, piece, sizeof(piece), 0);
    if (n < 0 && errno == EAGAIN)
        return;
    int to = ends[fd].peer;
    if (n <= 0 || to < 0) {
        end_pair(fd);
        return;
    }
    ssize_t sent = send(to, piece, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        end_pair(fd);
    else if (sent < n)
        keep(to, piece + (sent > 0 ? sent : 0), (size_t)(n - (sent > 0 ? sent : 0)));
}

static void send_pending(int fd)
{
    struct end *end = &ends[fd];
    ssize_t sent = send(fd, end->pending, end->pending_len, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN)
            end_pair(fd);
        return;
    }
    end->pending_len -= (size_t)sent;
    memmove(end->pending, end->pending + sent, end->pending_len);
    if (end->pending_len)
        return;
    free(end->pending);
    end->pending = NULL;
    watch(fd, EPOLL_CTL_MOD, EPOLLIN);
    watch(end->peer, EPOLL_CTL_MOD, EPOLLIN);
}

static void on_event(int fd)
{
    if (!ends[fd].is_open)
        return;
    if (ends[fd].pending)
        send_pending(fd);
    else
        pass_on(fd);
}

static int open_listener(const char *port)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* inherited by what is accepted */
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 4096) != 0) {
        perror("relay");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: relay LISTEN_PORT UPSTREAM_PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int listener = open_listener(argv[1]);
    upstream_port = atoi(argv[2]);
    poll_fd = epoll_create1(0);
    watch(listener, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_one(listener);
            else
                on_event(events[i].data.fd);
        }
    }
}
