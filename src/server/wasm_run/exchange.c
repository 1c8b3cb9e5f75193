/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that never block, and whole messages: a request is written at once, and the upstream
 * answers one when it is there to its end. */
#include "server/wasm_run/exchange.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/status.h"

enum { READ_PIECE = 64 * 1024 };

/* --- Messages to send ------------------------------------------------------------------------- */

/* Adds what was given as "name: value"; returns whether `wanted` was among them. */
static bool add_fields(struct nu_strbuf *out, const struct nu_wasm_run_list *list,
                       struct nu_str wanted)
{
    bool found = false;
    for (size_t i = 0; i < list->count; i++) {
        struct nu_str name;
        struct nu_str value;
        bool ok = nu_wasm_run_cut(list->items[i], ':', &name, &value);
        value = nu_str_trim(value);
        nu_strbuf_addf(out, "%.*s: %.*s\r\n", NU_STR_ARG(name), NU_STR_ARG(value));
        found = found || (ok && nu_str_eq_nocase(name, wanted));
    }
    return found;
}

static void add_request(const struct nu_wasm_run_options *options, struct nu_strbuf *out)
{
    nu_strbuf_addf(out, "%s %s HTTP/1.1\r\n", options->method, options->path);
    if (!add_fields(out, &options->headers, NU_STR("host")))
        nu_strbuf_add_cstr(out, "host: localhost\r\n");
    if (options->data.is_given)
        nu_strbuf_addf(out, "content-length: %zu\r\n", options->data.bytes.len);
    nu_strbuf_add_cstr(out, "\r\n");
    nu_strbuf_add(out, nu_strbuf_str(&options->data.bytes));
}

static void add_response(const struct nu_wasm_run_options *options, bool answers_head,
                         struct nu_strbuf *out)
{
    uint32_t status = options->response_status;
    bool has_body = status != 204 && status != 304;
    struct nu_str body = options->response_body.is_given
                             ? nu_strbuf_str(&options->response_body.bytes)
                             : NU_STR("Hello from the upstream\n");
    struct nu_str reason = nu_status_reason(status);
    nu_strbuf_addf(out, "HTTP/1.1 %u %.*s\r\n", status, NU_STR_ARG(reason));
    if (!add_fields(out, &options->response_headers, NU_STR("content-type")) && has_body)
        nu_strbuf_add_cstr(out, "content-type: text/plain\r\n");
    if (has_body)
        nu_strbuf_addf(out, "content-length: %zu\r\n", body.len);
    nu_strbuf_add_cstr(out, "\r\n");
    if (has_body && !answers_head)
        nu_strbuf_add(out, body);
}

/* --- Connections ------------------------------------------------------------------------------ */

static void close_peer(struct nu_wasm_run_peer *peer)
{
    if (peer->fd < 0)
        return;
    nu_io_finish(&peer->io);
    close(peer->fd);
    peer->fd = -1;
}

static void finish_peer(struct nu_wasm_run_peer *peer)
{
    close_peer(peer);
    nu_strbuf_finish(&peer->in);
    nu_strbuf_finish(&peer->out);
}

static void on_writable(int fd, short what, void *arg);

/* Writes what is left; the rest when there is room. An error shows itself in reading. */
static void send_some(struct nu_wasm_run_peer *peer)
{
    while (peer->sent < peer->out.len) {
        ssize_t n = send(peer->fd, peer->out.data + peer->sent, peer->out.len - peer->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            nu_io_enable_write(&peer->io, on_writable, peer);
            return;
        }
        if (n < 0)
            break;
        peer->sent += (size_t)n;
    }
    nu_io_disable_write(&peer->io);
    nu_strbuf_clear(&peer->out);
    peer->sent = 0;
}

static void on_writable(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    send_some(arg);
}

/* Whether there was something; *ended tells of an end or an error. */
static bool read_some(struct nu_wasm_run_peer *peer, bool *ended)
{
    ssize_t n = recv(peer->fd, nu_strbuf_reserve(&peer->in, READ_PIECE), READ_PIECE, MSG_DONTWAIT);
    *ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    if (n <= 0)
        return false;
    nu_strbuf_commit(&peer->in, (size_t)n);
    return true;
}

/* --- The client ------------------------------------------------------------------------------- */

static void on_client_readable(int fd, short what, void *arg)
{
    struct nu_wasm_run_peer *peer = arg;
    struct nu_wasm_run_exchange *exchange = peer->exchange;
    struct nu_wasm_run_message *response = &exchange->response;
    bool ended;
    (void)fd;
    (void)what;
    if (read_some(peer, &ended))
        nu_wasm_run_message_feed(response, &peer->in);
    if (ended)
        nu_wasm_run_message_end(response);
    if (response->phase != NU_WASM_RUN_COMPLETE && response->phase != NU_WASM_RUN_FAILED)
        return;
    close_peer(peer);
    exchange->is_done = true;
    exchange->on_done(exchange);
}

static bool connect_client(struct nu_wasm_run_peer *peer, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return peer->fd >= 0 && (connect(peer->fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
                             errno == EINPROGRESS);
}

void nu_wasm_run_exchange_send(struct nu_wasm_run_exchange *exchange, uint16_t port)
{
    struct nu_wasm_run_peer *peer = &exchange->client;
    if (!connect_client(peer, port)) {
        fprintf(stderr, "nuncio wasm run: cannot connect: %s\n", strerror(errno));
        nu_wasm_run_message_end(&exchange->response);
        exchange->is_done = true;
        exchange->on_done(exchange);
        return;
    }
    nu_io_init(&peer->io, exchange->loop, peer->fd, on_client_readable, peer);
    nu_io_enable_read(&peer->io);
    add_request(exchange->options, &peer->out);
    send_some(peer);
}

/* --- The upstream ----------------------------------------------------------------------------- */

static void destroy_message(struct nu_wasm_run_message *message)
{
    nu_list_remove(&message->link);
    nu_wasm_run_message_finish(message);
    nu_free(message);
}

static void destroy_upstream_peer(struct nu_wasm_run_peer *peer)
{
    nu_list_remove(&peer->link);
    finish_peer(peer);
    nu_free(peer);
}

/* The first of them are kept for the report, the others just long enough to be answered. */
static void begin_request(struct nu_wasm_run_peer *peer)
{
    struct nu_wasm_run_exchange *exchange = peer->exchange;
    struct nu_wasm_run_message *message = nu_alloc(sizeof(*message));
    nu_wasm_run_message_init(message);
    nu_list_init(&message->link);
    if (exchange->request_count++ < NU_WASM_RUN_REQUESTS_KEPT)
        nu_list_add_last(&exchange->requests, &message->link);
    peer->message = message;
}

/* Of a peer that needs it no longer. */
static void leave_request(struct nu_wasm_run_peer *peer)
{
    if (peer->message && !nu_list_is_linked(&peer->message->link))
        destroy_message(peer->message);
    peer->message = NULL;
}

static void answer(struct nu_wasm_run_peer *peer)
{
    struct nu_str method = nu_wasm_run_message_method(peer->message);
    add_response(peer->exchange->options, nu_str_eq(method, NU_STR("HEAD")), &peer->out);
    leave_request(peer);
    send_some(peer);
}

/* Answers each request that is there as a whole; false if what came is none. */
static bool read_requests(struct nu_wasm_run_peer *peer)
{
    while (peer->in.len) {
        if (!peer->message)
            begin_request(peer);
        nu_wasm_run_message_feed(peer->message, &peer->in);
        if (peer->message->phase == NU_WASM_RUN_FAILED)
            return false;
        if (peer->message->phase != NU_WASM_RUN_COMPLETE)
            return true;
        answer(peer);
    }
    return true;
}

static void on_upstream_readable(int fd, short what, void *arg)
{
    struct nu_wasm_run_peer *peer = arg;
    bool ended;
    (void)fd;
    (void)what;
    if (read_some(peer, &ended) && !read_requests(peer))
        ended = true;
    if (!ended)
        return;
    leave_request(peer);
    destroy_upstream_peer(peer);
}

static void on_upstream_connection(int fd, short what, void *arg)
{
    struct nu_wasm_run_exchange *exchange = arg;
    (void)what;
    int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0)
        return;
    struct nu_wasm_run_peer *peer = nu_calloc(1, sizeof(*peer));
    peer->exchange = exchange;
    peer->fd = accepted;
    nu_list_add_last(&exchange->upstream_peers, &peer->link);
    nu_io_init(&peer->io, exchange->loop, accepted, on_upstream_readable, peer);
    nu_io_enable_read(&peer->io);
}

static bool open_upstream(struct nu_wasm_run_exchange *exchange, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    exchange->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool ok = exchange->listen_fd >= 0 &&
              bind(exchange->listen_fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
              listen(exchange->listen_fd, SOMAXCONN) == 0 &&
              getsockname(exchange->listen_fd, (struct sockaddr *)&address, &len) == 0;
    *port = ntohs(address.sin_port);
    return ok;
}

/* --- Life ------------------------------------------------------------------------------------- */

void nu_wasm_run_exchange_init(struct nu_wasm_run_exchange *exchange,
                               const struct nu_wasm_run_options *options,
                               void (*on_done)(struct nu_wasm_run_exchange *exchange))
{
    *exchange =
        (struct nu_wasm_run_exchange){.options = options, .on_done = on_done, .listen_fd = -1};
    exchange->client = (struct nu_wasm_run_peer){.exchange = exchange, .fd = -1};
    nu_list_init(&exchange->upstream_peers);
    nu_list_init(&exchange->requests);
    nu_wasm_run_message_init_response(&exchange->response, strcmp(options->method, "HEAD") == 0);
}

bool nu_wasm_run_exchange_open(struct nu_wasm_run_exchange *exchange, uint16_t *port)
{
    bool ok = open_upstream(exchange, port);
    if (!ok)
        fprintf(stderr, "nuncio wasm run: cannot listen as the upstream: %s\n", strerror(errno));
    return ok;
}

void nu_wasm_run_exchange_attach(struct nu_wasm_run_exchange *exchange, struct nu_loop *loop)
{
    exchange->loop = loop;
    nu_io_init(&exchange->listen_io, loop, exchange->listen_fd, on_upstream_connection, exchange);
    nu_io_enable_read(&exchange->listen_io);
}

void nu_wasm_run_exchange_leave(struct nu_wasm_run_exchange *exchange)
{
    close_peer(&exchange->client);
}

void nu_wasm_run_exchange_close(struct nu_wasm_run_exchange *exchange)
{
    struct nu_wasm_run_peer *peer;
    nu_list_for_each(peer, &exchange->upstream_peers, struct nu_wasm_run_peer, link)
    {
        leave_request(peer);
        destroy_upstream_peer(peer);
    }
    finish_peer(&exchange->client);
    if (exchange->loop)
        nu_io_finish(&exchange->listen_io);
    exchange->loop = NULL;
    if (exchange->listen_fd >= 0)
        close(exchange->listen_fd);
    exchange->listen_fd = -1;
}

void nu_wasm_run_exchange_finish(struct nu_wasm_run_exchange *exchange)
{
    struct nu_wasm_run_message *message;
    nu_wasm_run_exchange_close(exchange);
    nu_list_for_each(message, &exchange->requests, struct nu_wasm_run_message, link)
    {
        destroy_message(message);
    }
    nu_wasm_run_message_finish(&exchange->response);
}
