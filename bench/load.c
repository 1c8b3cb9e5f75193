/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client: a closed loop of HTTP/1.1 requests from one thread to a proxy on 127.0.0.1. See
 * usage() for the options. Prints one line of JSON.
 *
 * With -w all connections are opened first and do one request each; then "ready" is printed, and a
 * line on stdin starts the clock: keep-alive scenarios contain no connection set-up.
 *
 * Over TLS the certificate is not looked at, so that the client costs less.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PIECE = 1 << 18,
    HEAD_MAX = 8192,
    EVENTS = 256,
    OPENING_MAX = 64, /* connections in the making while warming up */
    STEPS = 64,       /* of the histogram, per octave */
    SLOTS = 40 * STEPS,
    ERRORS_MAX = 100000,
    SOURCES = 32, /* client addresses: more ports than one address has */
};

#define NS_PER_S UINT64_C(1000000000)
#define UNTIL_CLOSE UINT64_MAX

enum state {
    CONNECTING,
    HANDSHAKING,
    SENDING,
    READING_HEAD,
    READING_BODY,
    PARKED, /* waiting for the start, or done */
};

struct conn {
    int fd;
    SSL *ssl; /* NULL without TLS */
    enum state state;
    bool wants_write;
    bool closes; /* the proxy ends the connection after this answer */
    char *request;
    size_t request_len;
    size_t request_sent;
    size_t upload_left;
    char head[HEAD_MAX]; /* of the answer */
    size_t head_len;
    uint64_t body_left; /* or UNTIL_CLOSE */
    uint64_t started_ns;
};

static struct {
    int port;
    unsigned conns;
    double seconds;
    uint64_t requests_max; /* 0: no limit */
    const char *path;
    char headers[4096];
    size_t upload;
    unsigned hosts;
    unsigned paths;
    bool new_connections;
    bool asks_to_close;
    bool idle;
    bool warm_up;
    bool tls;
    bool resumes;
} options = {.conns = 1, .seconds = 1, .path = "/"};

static struct {
    uint64_t sent;
    uint64_t done;
    uint64_t not_2xx;
    uint64_t denied;
    uint64_t errors;
    uint64_t resumed;
    uint64_t bytes;
    uint64_t histogram[SLOTS];
} counts;

static struct conn *conns;
static int poll_fd;
static bool warming_up;
static unsigned ready_count;
static bool stopping;
static uint64_t end_ns;
static char piece[PIECE];
static const char zeros[PIECE];
static SSL_CTX *tls;
static SSL_SESSION *last_session; /* the newest that a server gave */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* --- Latencies -------------------------------------------------------------------------------- */

/* A slot for each 64th part of an octave; below 128 ns one per ns. */
static void record(uint64_t ns)
{
    unsigned octave = ns < 2 * STEPS ? 0 : 57u - (unsigned)__builtin_clzll(ns);
    uint64_t slot = octave * STEPS + (ns >> octave);
    counts.histogram[slot < SLOTS ? slot : SLOTS - 1]++;
}

/* The latency that a share of the requests stayed below, in microseconds. */
static double percentile(double share)
{
    double seen = 0;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        seen += (double)counts.histogram[slot];
        if (seen > share * (double)counts.done) {
            unsigned octave = slot < 2 * STEPS ? 0 : slot / STEPS - 1;
            return ((double)(slot - octave * STEPS) + 0.5) * (double)(UINT64_C(1) << octave) / 1e3;
        }
    }
    return 0;
}

/* --- TLS --------------------------------------------------------------------------------------- */

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(last_session);
    last_session = session;
    return 1; /* kept */
}

static void make_tls(void)
{
    tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (options.resumes) {
        SSL_CTX_set_session_cache_mode(tls,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(tls, on_new_session);
    }
}

static void begin_tls(struct conn *conn)
{
    conn->ssl = SSL_new(tls);
    SSL_set_fd(conn->ssl, conn->fd);
    SSL_set_tlsext_host_name(conn->ssl, "bench.test");
    if (options.resumes && last_session) {
        /* A copy: OpenSSL forbids a second use of what was used, but not every server gives a new
         * ticket each time. */
        SSL_SESSION *session = SSL_SESSION_dup(last_session);
        SSL_set_session(conn->ssl, session);
        SSL_SESSION_free(session);
    }
    SSL_set_connect_state(conn->ssl);
}

static void end_tls(struct conn *conn)
{
    SSL_set_quiet_shutdown(conn->ssl, 1); /* an unclean end would forbid to resume the session */
    SSL_shutdown(conn->ssl);
    SSL_free(conn->ssl);
    conn->ssl = NULL;
}

/* What a call returned as read() and write() would have it. */
static ssize_t tls_result(struct conn *conn, int n)
{
    if (n > 0)
        return n;
    int error = SSL_get_error(conn->ssl, n);
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    return -1;
}

static ssize_t conn_send(struct conn *conn, const char *from, size_t len)
{
    if (conn->ssl)
        return tls_result(conn, SSL_write(conn->ssl, from, (int)len));
    return send(conn->fd, from, len, MSG_NOSIGNAL);
}

static ssize_t conn_recv(struct conn *conn)
{
    if (conn->ssl)
        return tls_result(conn, SSL_read(conn->ssl, piece, sizeof(piece)));
    return recv(conn->fd, piece, sizeof(piece), 0);
}

/* --- Requests --------------------------------------------------------------------------------- */

/* Numbers in an order that spreads over the whole range. */
static unsigned next_of(unsigned count)
{
    static uint32_t turn;
    return (uint32_t)(turn++ * UINT32_C(2654435761)) % count;
}

static size_t write_request(char *out)
{
    char host[32] = "bench.test";
    char path[32];
    char length[64] = "";
    if (options.hosts)
        snprintf(host, sizeof(host), "h%u.test", next_of(options.hosts));
    if (options.paths)
        snprintf(path, sizeof(path), "/p%u/", next_of(options.paths));
    if (options.upload)
        snprintf(length, sizeof(length), "Content-Length: %zu\r\n", options.upload);
    int len =
        snprintf(out, HEAD_MAX,
                 "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
                 "%s%s%s\r\n",
                 options.upload ? "POST" : "GET", options.paths ? path : options.path, host,
                 options.headers, length, options.asks_to_close ? "Connection: close\r\n" : "");
    return (size_t)len;
}

static bool is_enough(void)
{
    uint64_t max = warming_up ? options.conns : options.requests_max;
    return stopping || (max && counts.sent >= max);
}

static void watch(struct conn *conn, int op, bool write)
{
    if (op == EPOLL_CTL_MOD && conn->wants_write == write)
        return;
    conn->wants_write = write;
    struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0u), .data.ptr = conn};
    epoll_ctl(poll_fd, op, conn->fd, &event);
}

static void dial(struct conn *conn)
{
    static unsigned source;
    int one = 1;
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (conn->fd < 0)
        die("socket");
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK + source++ % SOURCES)};
    if (bind(conn->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("bind");
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)options.port);
    if (connect(conn->fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
        errno != EINPROGRESS)
        die("connect");
    conn->state = CONNECTING;
    conn->started_ns = now_ns();
    watch(conn, EPOLL_CTL_ADD, true);
}

static void hang_up(struct conn *conn)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (conn->ssl)
        end_tls(conn);
    if (options.new_connections && !options.asks_to_close) /* no TIME_WAIT */
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(conn->fd);
    conn->fd = -1;
    conn->state = PARKED;
}

static void fail(struct conn *conn)
{
    if (!stopping)
        counts.errors++;
    hang_up(conn);
    if (!stopping && counts.errors < ERRORS_MAX)
        dial(conn);
}

static void send_request(struct conn *conn)
{
    while (conn->request_sent < conn->request_len || conn->upload_left) {
        bool in_body = conn->request_sent == conn->request_len;
        const char *from = in_body ? zeros : conn->request + conn->request_sent;
        size_t len = conn->request_len - conn->request_sent;
        if (in_body)
            len = conn->upload_left < PIECE ? conn->upload_left : PIECE;
        ssize_t n = conn_send(conn, from, len);
        if (n < 0 && errno == EAGAIN) {
            watch(conn, EPOLL_CTL_MOD, true);
            return;
        }
        if (n < 0) {
            fail(conn);
            return;
        }
        if (in_body)
            conn->upload_left -= (size_t)n;
        else
            conn->request_sent += (size_t)n;
    }
    watch(conn, EPOLL_CTL_MOD, false);
    conn->state = READING_HEAD;
}

static void start(struct conn *conn)
{
    if (is_enough()) {
        conn->state = PARKED;
        if (options.new_connections)
            hang_up(conn);
        return;
    }
    counts.sent++;
    if (options.hosts || options.paths)
        conn->request_len = write_request(conn->request);
    conn->request_sent = 0;
    conn->upload_left = options.upload;
    conn->head_len = 0;
    conn->state = SENDING;
    if (!options.new_connections)
        conn->started_ns = now_ns();
    send_request(conn);
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void count_answer(const struct conn *conn, uint64_t now)
{
    if (stopping)
        return;
    const char *status = conn->head + sizeof("HTTP/1.1 ") - 1;
    counts.done++;
    counts.not_2xx += status[0] != '2';
    counts.denied += memcmp(status, "403", 3) == 0;
    record(now - conn->started_ns);
}

static void finish_answer(struct conn *conn)
{
    uint64_t now = now_ns();
    count_answer(conn, now);
    if (now >= end_ns)
        stopping = true;
    bool is_over = options.new_connections || conn->closes;
    if (is_over)
        hang_up(conn);
    if (warming_up) {
        ready_count++;
        conn->state = PARKED;
    } else if (!is_over) {
        start(conn);
    } else if (!is_enough()) {
        dial(conn);
    }
}

static const char *find_header(const char *head, const char *name)
{
    const char *found = strcasestr(head, name);
    return found ? found + strlen(name) : NULL;
}

/* Adds bytes to the head; returns how many of them belong to the body, or -1 while it is
 * incomplete. */
static ssize_t read_head(struct conn *conn, size_t n)
{
    size_t before = conn->head_len;
    size_t room = HEAD_MAX - 1 - before;
    size_t taken = n < room ? n : room;
    memcpy(conn->head + before, piece, taken);
    conn->head_len += taken;
    conn->head[conn->head_len] = '\0';
    char *end = strstr(conn->head, "\r\n\r\n");
    if (!end)
        return -1;
    end[2] = '\0';
    const char *length = find_header(conn->head, "\r\ncontent-length: ");
    conn->body_left = length ? strtoull(length, NULL, 10) : UNTIL_CLOSE;
    conn->closes = find_header(conn->head, "\r\nconnection: close") != NULL;
    conn->state = READING_BODY;
    return (ssize_t)(before + n) - (end + 4 - conn->head);
}

/* Takes what was read; true when the answer is complete. */
static bool take_piece(struct conn *conn, size_t n)
{
    if (!stopping)
        counts.bytes += n;
    if (conn->state == READING_HEAD) {
        ssize_t rest = read_head(conn, n);
        if (rest < 0)
            return false;
        n = (size_t)rest;
    }
    if (conn->body_left == UNTIL_CLOSE)
        return false;
    conn->body_left -= n < conn->body_left ? n : conn->body_left;
    return conn->body_left == 0;
}

static void read_answer(struct conn *conn)
{
    for (;;) {
        ssize_t n = conn_recv(conn);
        if (n < 0 && errno == EAGAIN)
            return;
        bool ends_body = n == 0 && conn->state == READING_BODY && conn->body_left == UNTIL_CLOSE;
        if (ends_body)
            conn->closes = true;
        if (ends_body || (n > 0 && take_piece(conn, (size_t)n))) {
            finish_answer(conn);
            return;
        }
        if (n <= 0 || (conn->state == READING_HEAD && conn->head_len == HEAD_MAX - 1)) {
            fail(conn);
            return;
        }
        if (!conn->ssl && n < PIECE / 2)
            return;
    }
}

static void shake_hands(struct conn *conn)
{
    int n = SSL_do_handshake(conn->ssl);
    if (n == 1) {
        counts.resumed += SSL_session_reused(conn->ssl) == 1;
        start(conn);
        return;
    }
    int error = SSL_get_error(conn->ssl, n);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        watch(conn, EPOLL_CTL_MOD, error == SSL_ERROR_WANT_WRITE);
    else
        fail(conn);
}

static void on_connected(struct conn *conn)
{
    int error = 0;
    socklen_t len = sizeof(error);
    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        fail(conn);
    } else if (options.tls) {
        begin_tls(conn);
        conn->state = HANDSHAKING;
        shake_hands(conn);
    } else {
        start(conn);
    }
}

static void on_event(struct conn *conn)
{
    switch (conn->state) {
    case CONNECTING:
        on_connected(conn);
        break;
    case HANDSHAKING:
        shake_hands(conn);
        break;
    case SENDING:
        send_request(conn);
        break;
    case READING_HEAD:
    case READING_BODY:
        read_answer(conn);
        break;
    case PARKED:
        if (!stopping && conn->fd >= 0)
            fail(conn);
        break;
    }
}

/* --- The run ---------------------------------------------------------------------------------- */

static void run_once(void)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(poll_fd, events, EVENTS, 100);
    for (int i = 0; i < count; i++)
        on_event(events[i].data.ptr);
    uint64_t max = options.requests_max;
    if (now_ns() >= end_ns || (!warming_up && max && counts.done >= max))
        stopping = true;
}

static void make_conns(void)
{
    conns = calloc(options.conns, sizeof(*conns));
    for (unsigned i = 0; i < options.conns; i++) {
        conns[i].fd = -1;
        conns[i].state = PARKED;
        conns[i].request = malloc(HEAD_MAX);
        conns[i].request_len = write_request(conns[i].request);
    }
}

/* One request on every connection. */
static void warm_up(void)
{
    unsigned opened = 0;
    warming_up = true;
    end_ns = now_ns() + 60 * NS_PER_S;
    while (ready_count < options.conns) {
        while (opened < options.conns && opened - ready_count < OPENING_MAX)
            dial(&conns[opened++]);
        run_once();
        if (stopping) {
            fprintf(stderr, "load: %u of %u connections are ready, %llu errors\n", ready_count,
                    options.conns, (unsigned long long)counts.errors);
            exit(1);
        }
    }
    warming_up = false;
}

/* Keeps the connections open, so that their ends are not measured. */
static void wait_for_end(void)
{
    char line[64];
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin))
        ;
}

static void wait_for_line(void)
{
    char line[64];
    puts("ready");
    fflush(stdout);
    bool go = fgets(line, sizeof(line), stdin) != NULL;
    if (!go || options.idle) {
        printf("{\"conns\": %u, \"errors\": %llu}\n", options.conns,
               (unsigned long long)counts.errors);
        exit(0);
    }
    memset(&counts, 0, sizeof(counts));
}

static double measure(void)
{
    uint64_t begin_ns = now_ns();
    end_ns = begin_ns + (uint64_t)(options.seconds * (double)NS_PER_S);
    for (unsigned i = 0; i < options.conns; i++) {
        if (conns[i].fd < 0)
            dial(&conns[i]);
        else
            start(&conns[i]);
    }
    while (!stopping)
        run_once();
    return (double)(now_ns() - begin_ns) / (double)NS_PER_S;
}

static void usage(void)
{
    fputs("usage: load [options] PORT\n"
          "  -c CONNECTIONS   -d SECONDS   -n REQUESTS at most\n"
          "  -p PATH   -H 'Name: value' (may be repeated)   -b BYTES uploads a body\n"
          "  -g N  rotate Host: h0.test to h(N-1).test   -G N  rotate path /p0/ to /p(N-1)/\n"
          "  -x  a new connection for each request, with \"Connection: close\"\n"
          "  -X  the same, closed by the client and without the header\n"
          "  -T  over TLS   -R  the same, resuming sessions\n"
          "  -w  warm up, print \"ready\", wait for a line on stdin\n"
          "  -i  warm up, print \"ready\", hold the connections until stdin ends\n",
          stderr);
    exit(2);
}

static void add_header(const char *line)
{
    size_t len = strlen(options.headers);
    snprintf(options.headers + len, sizeof(options.headers) - len, "%s\r\n", line);
}

static void read_option(int option)
{
    switch (option) {
    case 'c':
        options.conns = (unsigned)atoi(optarg);
        break;
    case 'd':
        options.seconds = atof(optarg);
        break;
    case 'n':
        options.requests_max = strtoull(optarg, NULL, 10);
        break;
    case 'p':
        options.path = optarg;
        break;
    case 'H':
        add_header(optarg);
        break;
    case 'b':
        options.upload = strtoul(optarg, NULL, 10);
        break;
    case 'g':
        options.hosts = (unsigned)atoi(optarg);
        break;
    case 'G':
        options.paths = (unsigned)atoi(optarg);
        break;
    case 'x':
        options.asks_to_close = true;
        options.new_connections = true;
        break;
    case 'X':
        options.new_connections = true;
        break;
    case 'i':
        options.idle = true;
        options.warm_up = true;
        break;
    case 'w':
        options.warm_up = true;
        break;
    case 'R':
        options.resumes = true;
        options.tls = true;
        break;
    case 'T':
        options.tls = true;
        break;
    default:
        usage();
    }
}

static void read_options(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "c:d:n:p:H:b:g:G:xXiwTR")) > 0)
        read_option(option);
    if (optind != argc - 1 || options.conns == 0)
        usage();
    options.port = atoi(argv[optind]);
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    poll_fd = epoll_create1(0);
    if (options.tls)
        make_tls();
    make_conns();
    if (options.warm_up) {
        warm_up();
        wait_for_line();
    }
    double seconds = measure();
    printf("{\"reqs\": %llu, \"non2xx\": %llu, \"denied\": %llu, \"errors\": %llu, "
           "\"resumed\": %llu, \"secs\": %.4f, \"rps\": %.1f, \"bytes\": %llu, "
           "\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f}\n",
           (unsigned long long)counts.done, (unsigned long long)counts.not_2xx,
           (unsigned long long)counts.denied, (unsigned long long)counts.errors,
           (unsigned long long)counts.resumed, seconds, (double)counts.done / seconds,
           (unsigned long long)counts.bytes, percentile(0.5), percentile(0.9), percentile(0.99),
           percentile(0.999));
    if (options.warm_up)
        wait_for_end();
    return 0;
}
