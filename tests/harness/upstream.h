/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scripted upstream on the test's loop, at a port of the kernel's choice on 127.0.0.1. A script
 * is a text of steps, worked off for each connection:
 *
 *     "< \r\n\r\n | > HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n | again"
 *
 *     < text   waits until this came (since the last wait)
 *     > text   sends
 *     m text   sends a message of gRPC, in a chunk
 *     x hex    sends these bytes, in a chunk
 *     shut     ends its side, close closes, reset closes with a TCP reset
 *     pause    waits for upstream_resume
 *     again    begins anew
 *
 * upstream_script gives the connection with a number a script of its own.
 *
 * Behind the last step the connection stays open and is read on until the peer ends its side.
 */
#ifndef NU_TESTS_HARNESS_UPSTREAM_H
#define NU_TESTS_HARNESS_UPSTREAM_H

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event/io.h"
#include "harness/test.h"

enum { UPSTREAM_CONNECTIONS = 8192, UPSTREAM_FILLERS = 16, UPSTREAM_SCRIPTS = 8 };

struct upstream_connection {
    struct upstream *upstream;
    struct nu_io io;
    int fd; /* -1 once we closed */
    struct nu_strbuf received;
    size_t waited; /* received bytes that waits have used */
    const char *script;
    const char *step;
    bool ended; /* the peer ended its side or reset */
    bool paused;
};

struct upstream {
    struct nu_loop *loop;
    struct nu_io io;
    int listener;
    int holder; /* keeps the port, also when nobody listens: no other test gets it meanwhile */
    uint16_t port;
    char address[32]; /* "127.0.0.1:PORT" */
    const char *script;
    const char *scripts[UPSTREAM_SCRIPTS]; /* of the first connections; NULL: `script` */
    struct upstream_connection *connections[UPSTREAM_CONNECTIONS];
    size_t count; /* accepted so far */
    int fillers[UPSTREAM_FILLERS];
    size_t filler_count;
};

static inline void upstream_close_(struct upstream_connection *c, bool reset)
{
    if (c->fd < 0)
        return;
    if (reset) {
        struct linger linger = {.l_onoff = 1};
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    nu_io_finish(&c->io);
    close(c->fd);
    c->fd = -1;
}

/* The argument of the step at `step`, up to the blank before the next '|'. */
static inline struct nu_str upstream_argument_(const char *step)
{
    const char *end = strstr(step, " |");
    struct nu_str text = nu_str_make(step + 2, end ? (size_t)(end - step) - 2 : strlen(step + 2));
    return text;
}

static inline bool upstream_wait_(struct upstream_connection *c, struct nu_str text)
{
    struct nu_str rest = nu_str_skip(nu_strbuf_str(&c->received), c->waited);
    size_t at = nu_str_find(rest, text);
    if (at == NU_NPOS)
        return false;
    c->waited += at + text.len;
    return true;
}

static inline void upstream_send_(struct upstream_connection *c, struct nu_str text)
{
    /* A peer that is gone already is what the script may want. */
    ssize_t n = send(c->fd, text.ptr, text.len, MSG_NOSIGNAL);
    (void)n;
}

static inline void upstream_send_chunk_(struct upstream_connection *c, struct nu_str bytes)
{
    char head[24];
    int len = snprintf(head, sizeof(head), "%zx\r\n", bytes.len);
    upstream_send_(c, nu_str_make(head, (size_t)len));
    upstream_send_(c, bytes);
    upstream_send_(c, NU_STR("\r\n"));
}

static inline void upstream_send_message_(struct upstream_connection *c, struct nu_str text)
{
    struct nu_strbuf bytes = {0};
    char length[4] = {(char)(text.len >> 24), (char)(text.len >> 16), (char)(text.len >> 8),
                      (char)text.len};
    nu_strbuf_add_char(&bytes, 0);
    nu_strbuf_add(&bytes, nu_str_make(length, sizeof(length)));
    nu_strbuf_add(&bytes, text);
    upstream_send_chunk_(c, nu_strbuf_str(&bytes));
    nu_strbuf_finish(&bytes);
}

static inline void upstream_send_hex_(struct upstream_connection *c, struct nu_str hex)
{
    struct nu_strbuf bytes = {0};
    for (size_t i = 0; i + 1 < hex.len; i += 2) {
        char digits[3] = {hex.ptr[i], hex.ptr[i + 1], '\0'};
        nu_strbuf_add_char(&bytes, (char)strtoul(digits, NULL, 16));
    }
    upstream_send_chunk_(c, nu_strbuf_str(&bytes));
    nu_strbuf_finish(&bytes);
}

/* One step; false if it cannot be done yet. */
static inline bool upstream_step_(struct upstream_connection *c)
{
    const char *step = c->step;
    if (*step == '<')
        return upstream_wait_(c, upstream_argument_(step));
    if (*step == '>')
        upstream_send_(c, upstream_argument_(step));
    else if (strncmp(step, "m ", 2) == 0)
        upstream_send_message_(c, upstream_argument_(step));
    else if (strncmp(step, "x ", 2) == 0)
        upstream_send_hex_(c, upstream_argument_(step));
    else if (strncmp(step, "shut", 4) == 0)
        shutdown(c->fd, SHUT_WR);
    else if (strncmp(step, "close", 5) == 0)
        upstream_close_(c, false);
    else if (strncmp(step, "reset", 5) == 0)
        upstream_close_(c, true);
    else if (strncmp(step, "pause", 5) == 0)
        c->paused = true;
    else
        assert_int_equal(strncmp(step, "again", 5), 0);
    return true;
}

static inline void upstream_run_(struct upstream_connection *c)
{
    while (c->step && c->fd >= 0 && !c->paused) {
        if (!upstream_step_(c))
            return;
        const char *next = strstr(c->step, " | ");
        c->step = strncmp(c->step, "again", 5) == 0 ? c->script : next ? next + 3 : NULL;
    }
}

static inline void upstream_on_data_(int fd, short what, void *arg)
{
    (void)what;
    struct upstream_connection *c = arg;
    char buffer[65536];
    ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
    if (n > 0) {
        nu_strbuf_add(&c->received, nu_str_make(buffer, (size_t)n));
    } else if (n == 0 || errno != EAGAIN) {
        c->ended = true;
        nu_io_disable_read(&c->io);
    }
    upstream_run_(c);
    /* A test with many connections needs the descriptors of those that are over. */
    if (c->ended && !c->paused)
        upstream_close_(c, false);
}

static inline void upstream_on_accept_(int fd, short what, void *arg)
{
    (void)what;
    struct upstream *upstream = arg;
    int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0)
        return;
    assert_true(upstream->count < UPSTREAM_CONNECTIONS);
    struct upstream_connection *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    c->upstream = upstream;
    c->fd = accepted;
    c->script = upstream->script;
    if (upstream->count < UPSTREAM_SCRIPTS && upstream->scripts[upstream->count])
        c->script = upstream->scripts[upstream->count];
    c->step = c->script;
    upstream->connections[upstream->count++] = c;
    nu_io_init(&c->io, upstream->loop, accepted, upstream_on_data_, c);
    nu_io_enable_read(&c->io);
    upstream_run_(c);
}

static inline int upstream_bind_(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
    return fd;
}

static inline void upstream_init(struct upstream *upstream, struct nu_loop *loop,
                                 const char *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    *upstream = (struct upstream){.loop = loop, .script = script};
    upstream->holder = upstream_bind_(&address);
    assert_int_equal(getsockname(upstream->holder, (struct sockaddr *)&address, &len), 0);
    upstream->listener = upstream_bind_(&address);
    assert_int_equal(listen(upstream->listener, 64), 0);
    upstream->port = ntohs(address.sin_port);
    snprintf(upstream->address, sizeof(upstream->address), "127.0.0.1:%u", upstream->port);
    nu_io_init(&upstream->io, loop, upstream->listener, upstream_on_accept_, upstream);
    nu_io_enable_read(&upstream->io);
}

/* What the connection accepted as the n-th, from 0, does. */
static inline void upstream_script(struct upstream *upstream, size_t n, const char *script)
{
    assert_true(n < UPSTREAM_SCRIPTS);
    upstream->scripts[n] = script;
}

/* Lets the connections that pause go on. */
static inline void upstream_resume(struct upstream *upstream)
{
    for (size_t i = 0; i < upstream->count; i++) {
        upstream->connections[i]->paused = false;
        upstream_run_(upstream->connections[i]);
    }
}

/* Refuses connections from now on. */
static inline void upstream_refuse(struct upstream *upstream)
{
    if (upstream->listener < 0)
        return;
    nu_io_finish(&upstream->io);
    close(upstream->listener);
    upstream->listener = -1;
}

/* Whether a connection of our own comes up within a tenth of a second. */
static inline bool upstream_add_filler_(struct upstream *upstream)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(upstream->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(upstream->filler_count < UPSTREAM_FILLERS);
    upstream->fillers[upstream->filler_count++] = fd;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return true;
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, 100) > 0;
}

/* Lets the kernel's queue of connections run full: later ones stay under way. */
static inline void upstream_blackhole(struct upstream *upstream)
{
    nu_io_finish(&upstream->io);
    assert_int_equal(listen(upstream->listener, 0), 0);
    while (upstream_add_filler_(upstream))
        ;
}

static inline void upstream_finish(struct upstream *upstream)
{
    upstream_refuse(upstream);
    close(upstream->holder);
    for (size_t i = 0; i < upstream->filler_count; i++)
        close(upstream->fillers[i]);
    for (size_t i = 0; i < upstream->count; i++) {
        upstream_close_(upstream->connections[i], false);
        nu_strbuf_finish(&upstream->connections[i]->received);
        free(upstream->connections[i]);
    }
}

#endif
