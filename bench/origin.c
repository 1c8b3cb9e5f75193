/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server behind the proxies under test: one thread, keep-alive, canned answers. It does as
 * little as it can, so that what is measured is the proxy.
 *
 *     origin PORT
 *
 * GET /b/N is answered with N bytes, anything else with 100. A request's body, with a length or in
 * chunks, is read and dropped. A client sends its next request when it has the answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEAD_MAX = 32768, CHUNK = 1 << 20, DEFAULT_BODY = 100, EVENTS = 256 };

static const char LAST_CHUNK[] = "0\r\n\r\n";
enum { LAST_CHUNK_LEN = sizeof(LAST_CHUNK) - 1 };

struct conn {
    int fd;
    bool wants_write;
    bool closes;                   /* the client asked for the end after this answer */
    bool is_chunked;               /* a chunked request body is being read */
    size_t skip;                   /* bytes of a request body with a length still to come */
    size_t head_len;               /* bytes in head */
    char head[HEAD_MAX];           /* of the request, as far as it came */
    char tail[2 * LAST_CHUNK_LEN]; /* the last bytes of a chunked body */
    char answer[160];
    size_t answer_len;
    size_t answer_sent;
    size_t body_left;
};

static char zeros[CHUNK];
static char scratch[CHUNK];
static int poll_fd;

static void drop(struct conn *conn)
{
    close(conn->fd);
    free(conn);
}

static void want_write(struct conn *conn, bool wanted)
{
    if (conn->wants_write == wanted)
        return;
    conn->wants_write = wanted;
    struct epoll_event event = {.events = wanted ? EPOLLOUT : EPOLLIN, .data.ptr = conn};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, conn->fd, &event);
}

static ssize_t send_some(const struct conn *conn)
{
    size_t head_left = conn->answer_len - conn->answer_sent;
    struct iovec parts[2] = {
        {(char *)conn->answer + conn->answer_sent, head_left},
        {zeros, conn->body_left < CHUNK ? conn->body_left : CHUNK},
    };
    return sendmsg(conn->fd, &(struct msghdr){.msg_iov = parts, .msg_iovlen = 2}, MSG_NOSIGNAL);
}

/* Sends what is left of the answer; false when the connection is gone. */
static bool flush(struct conn *conn)
{
    while (conn->answer_sent < conn->answer_len || conn->body_left) {
        ssize_t sent = send_some(conn);
        if (sent < 0 && errno == EAGAIN) {
            want_write(conn, true);
            return true;
        }
        if (sent < 0) {
            drop(conn);
            return false;
        }
        size_t head_left = conn->answer_len - conn->answer_sent;
        size_t of_head = (size_t)sent < head_left ? (size_t)sent : head_left;
        conn->answer_sent += of_head;
        conn->body_left -= (size_t)sent - of_head;
    }
    if (conn->closes) {
        drop(conn);
        return false;
    }
    want_write(conn, false);
    return true;
}

static bool answer(struct conn *conn, size_t body)
{
    int len = snprintf(conn->answer, sizeof(conn->answer),
                       "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       body);
    conn->answer_len = (size_t)len;
    conn->answer_sent = 0;
    conn->body_left = body;
    return flush(conn);
}

/* The value of a header in a head that ends in NUL; NULL if there is none. */
static const char *find_header(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " ");
    }
    return NULL;
}

/* Body bytes came: whether the body is complete. */
static bool take_body(struct conn *conn, const char *bytes, size_t len)
{
    if (!conn->is_chunked) {
        conn->skip -= len < conn->skip ? len : conn->skip;
        return conn->skip == 0;
    }
    size_t last = len < LAST_CHUNK_LEN ? len : LAST_CHUNK_LEN;
    memmove(conn->tail, conn->tail + last, LAST_CHUNK_LEN - last);
    memcpy(conn->tail + LAST_CHUNK_LEN - last, bytes + len - last, last);
    conn->is_chunked = memcmp(conn->tail, LAST_CHUNK, LAST_CHUNK_LEN) != 0;
    return !conn->is_chunked;
}

static void read_body(struct conn *conn)
{
    size_t room = conn->is_chunked || conn->skip > CHUNK ? CHUNK : conn->skip;
    ssize_t n = recv(conn->fd, scratch, room, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        drop(conn);
    else if (take_body(conn, scratch, (size_t)n))
        answer(conn, DEFAULT_BODY);
}

/* Answers the request whose head ends at `end`; false when no more is to be read for now. */
static bool take_request(struct conn *conn, char *end)
{
    size_t used = (size_t)(end - conn->head) + 4;
    size_t rest = conn->head_len - used;
    size_t body = DEFAULT_BODY;
    end[2] = '\0';
    if (strncmp(conn->head, "GET /b/", 7) == 0)
        body = strtoul(conn->head + 7, NULL, 10);
    const char *value = find_header(conn->head, "connection");
    conn->closes = value && strncasecmp(value, "close", 5) == 0;
    value = find_header(conn->head, "content-length");
    conn->skip = value ? strtoul(value, NULL, 10) : 0;
    value = find_header(conn->head, "transfer-encoding");
    conn->is_chunked = value && strncasecmp(value, "chunked", 7) == 0;
    conn->head_len = 0;
    if (conn->skip || conn->is_chunked) {
        memset(conn->tail, 0, sizeof(conn->tail));
        if (take_body(conn, conn->head + used, rest))
            answer(conn, DEFAULT_BODY);
        return false;
    }
    memmove(conn->head, conn->head + used, rest);
    conn->head_len = rest;
    return answer(conn, body) && !conn->wants_write;
}

static void read_requests(struct conn *conn)
{
    ssize_t n = recv(conn->fd, conn->head + conn->head_len, HEAD_MAX - 1 - conn->head_len, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(conn);
        return;
    }
    conn->head_len += (size_t)n;
    char *end;
    while ((end = memmem(conn->head, conn->head_len, "\r\n\r\n", 4)) && take_request(conn, end))
        ;
}

static void on_event(struct conn *conn, uint32_t events)
{
    if (events & EPOLLOUT)
        flush(conn);
    else if (conn->skip || conn->is_chunked)
        read_body(conn);
    else
        read_requests(conn);
}

static int open_listener(const char *port)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* inherited by what is accepted */
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 4096) != 0) {
        perror("origin");
        exit(1);
    }
    return fd;
}

static void accept_one(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct conn *conn = calloc(1, sizeof(*conn));
    conn->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: origin PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int listener = open_listener(argv[1]);
    poll_fd = epoll_create1(0);
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN, .data.ptr = NULL}};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &events[0]);
    for (;;) {
        int count = epoll_wait(poll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                on_event(events[i].data.ptr, events[i].events);
            else
                accept_one(listener);
        }
    }
}
