/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A DNS server on the test's loop, on UDP and TCP of one kernel-chosen port of 127.0.0.1. What it
 * answers is a table that the test may change at any time; names that are not in it do not exist.
 */
#ifndef NU_TESTS_HARNESS_DNS_SERVER_H
#define NU_TESTS_HARNESS_DNS_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "event/io.h"
#include "harness/test.h"

enum dns_reply {
    DNS_REPLY_ANSWER, /* with the addresses, perhaps none */
    DNS_REPLY_NXDOMAIN,
    DNS_REPLY_SERVFAIL,
    DNS_REPLY_REFUSED,
    DNS_REPLY_TRUNCATED, /* over UDP; the addresses over TCP */
    DNS_REPLY_NOTHING,
    DNS_REPLY_GARBAGE,
    DNS_REPLY_WRONG_ID, /* a forged answer (6.6.6.6) first, then the right one */
};

enum { DNS_A = 1, DNS_CNAME = 5, DNS_AAAA = 28 };
enum { DNS_RULES = 16, DNS_MAX = 4096 };

struct dns_rule {
    const char *name;
    int type;
    enum dns_reply reply;
    const char *addresses; /* separated by blanks */
    uint32_t ttl;
    const char *alias; /* the addresses belong to this name */
    uint32_t alias_ttl;
};

struct dns_tcp_client {
    struct nu_io io;
    struct dns_server *server;
    int fd; /* -1: free */
};

struct dns_server {
    struct nu_loop *loop;
    struct nu_io udp_io;
    struct nu_io tcp_io;
    int udp;
    int tcp;
    uint16_t port;
    struct dns_rule rules[DNS_RULES];
    struct dns_tcp_client clients[8];
    unsigned udp_queries;
    unsigned tcp_queries;
    char log[512]; /* "AAAA a.test, A a.test, " */
};

/* Sets what is answered to one question. */
static inline void dns_server_set(struct dns_server *server, struct dns_rule rule)
{
    for (size_t i = 0; i < DNS_RULES; i++) {
        struct dns_rule *old = &server->rules[i];
        if (!old->name || (strcmp(old->name, rule.name) == 0 && old->type == rule.type)) {
            *old = rule;
            return;
        }
    }
    fail_msg("too many DNS rules");
}

static inline const struct dns_rule *dns_find_(const struct dns_server *server, const char *name,
                                               int type)
{
    for (size_t i = 0; i < DNS_RULES && server->rules[i].name; i++) {
        if (strcmp(server->rules[i].name, name) == 0 && server->rules[i].type == type)
            return &server->rules[i];
    }
    return NULL;
}

struct dns_out_ {
    uint8_t bytes[DNS_MAX];
    size_t len;
};

static inline void dns_put16_(struct dns_out_ *out, unsigned value)
{
    out->bytes[out->len++] = (uint8_t)(value >> 8);
    out->bytes[out->len++] = (uint8_t)value;
}

static inline void dns_put_name_(struct dns_out_ *out, const char *name)
{
    while (*name) {
        size_t len = strcspn(name, ".");
        out->bytes[out->len++] = (uint8_t)len;
        memcpy(out->bytes + out->len, name, len);
        out->len += len;
        name += len + (name[len] == '.');
    }
    out->bytes[out->len++] = 0;
}

static inline void dns_put_record_head_(struct dns_out_ *out, const char *name, int type,
                                        uint32_t ttl)
{
    dns_put_name_(out, name);
    dns_put16_(out, (unsigned)type);
    dns_put16_(out, 1);
    dns_put16_(out, ttl >> 16);
    dns_put16_(out, ttl & 0xffff);
}

static inline unsigned dns_put_addresses_(struct dns_out_ *out, const struct dns_rule *rule)
{
    unsigned count = 0;
    char list[2048];
    snprintf(list, sizeof(list), "%s", rule->addresses ? rule->addresses : "");
    char *save = NULL;
    for (char *item = strtok_r(list, " ", &save); item; item = strtok_r(NULL, " ", &save)) {
        size_t len = rule->type == DNS_A ? 4 : 16;
        dns_put_record_head_(out, rule->alias ? rule->alias : rule->name, rule->type, rule->ttl);
        dns_put16_(out, (unsigned)len);
        assert_int_equal(
            inet_pton(rule->type == DNS_A ? AF_INET : AF_INET6, item, out->bytes + out->len), 1);
        out->len += len;
        count++;
    }
    return count;
}

static inline unsigned dns_put_alias_(struct dns_out_ *out, const struct dns_rule *rule)
{
    if (!rule->alias)
        return 0;
    dns_put_record_head_(out, rule->name, DNS_CNAME, rule->alias_ttl);
    size_t at = out->len;
    dns_put16_(out, 0);
    dns_put_name_(out, rule->alias);
    out->bytes[at + 1] = (uint8_t)(out->len - at - 2);
    return 1;
}

static inline unsigned dns_code_(const struct dns_rule *rule)
{
    if (!rule || rule->reply == DNS_REPLY_NXDOMAIN)
        return 3;
    if (rule->reply == DNS_REPLY_SERVFAIL)
        return 2;
    return rule->reply == DNS_REPLY_REFUSED ? 5 : 0;
}

/* The answer to the question in `query`, of which the first `question_end` bytes are repeated. */
static inline void dns_make_answer_(const struct dns_rule *rule, bool tcp, const uint8_t *query,
                                    size_t question_end, struct dns_out_ *out)
{
    bool truncated = rule && rule->reply == DNS_REPLY_TRUNCATED && !tcp;
    memcpy(out->bytes, query, question_end);
    out->len = question_end;
    unsigned code = dns_code_(rule);
    unsigned count = 0;
    if (rule && !code && !truncated) {
        count = dns_put_alias_(out, rule);
        count += dns_put_addresses_(out, rule);
    }
    out->bytes[2] = (uint8_t)(0x81 | (truncated ? 2 : 0));
    out->bytes[3] = (uint8_t)(0x80 | code);
    memset(out->bytes + 4, 0, 8);
    out->bytes[5] = 1;
    out->bytes[6] = (uint8_t)(count >> 8);
    out->bytes[7] = (uint8_t)count;
}

/* Reads the name; returns the end of the question. */
static inline size_t dns_read_question_(const uint8_t *query, size_t len, char *name, int *type)
{
    size_t at = 12;
    size_t out = 0;
    while (at < len && query[at]) {
        size_t label = query[at++];
        assert_true(out + label + 1 < 256 && at + label < len);
        if (out)
            name[out++] = '.';
        memcpy(name + out, query + at, label);
        out += label;
        at += label;
    }
    name[out] = '\0';
    assert_true(at + 5 <= len);
    *type = query[at + 1] << 8 | query[at + 2];
    return at + 5;
}

/* What to send for a query; false for silence. */
static inline bool dns_answer_(struct dns_server *server, bool tcp, const uint8_t *query,
                               size_t len, struct dns_out_ *out, const struct dns_rule **rule)
{
    char name[256];
    int type;
    size_t end = dns_read_question_(query, len, name, &type);
    size_t used = strlen(server->log);
    snprintf(server->log + used, sizeof(server->log) - used, "%s%s%s", used ? ", " : "",
             type == DNS_A ? "A " : "AAAA ", name);
    *rule = dns_find_(server, name, type);
    if (*rule && (*rule)->reply == DNS_REPLY_NOTHING)
        return false;
    dns_make_answer_(*rule, tcp, query, end, out);
    if (*rule && (*rule)->reply == DNS_REPLY_GARBAGE) {
        /* The head stands, so that it is taken for the answer; what follows is no message. */
        memset(out->bytes + 12, 0xff, out->len - 12);
        out->bytes[7] = 9;
    }
    return true;
}

static inline void dns_send_forged_(struct dns_server *server, const struct dns_out_ *right,
                                    const struct sockaddr_in *peer, const struct dns_rule *rule,
                                    size_t question_end)
{
    struct dns_rule forged = *rule;
    struct dns_out_ out;
    forged.addresses = "6.6.6.6";
    dns_make_answer_(&forged, false, right->bytes, question_end, &out);
    out.bytes[1] ^= 0x55;
    sendto(server->udp, out.bytes, out.len, 0, (const struct sockaddr *)peer, sizeof(*peer));
}

static inline void dns_on_udp_(int fd, short what, void *arg)
{
    (void)what;
    struct dns_server *server = arg;
    uint8_t query[DNS_MAX];
    struct sockaddr_in peer;
    socklen_t peer_len = sizeof(peer);
    ssize_t n = recvfrom(fd, query, sizeof(query), 0, (struct sockaddr *)&peer, &peer_len);
    if (n < 17)
        return;
    server->udp_queries++;
    struct dns_out_ out;
    const struct dns_rule *rule;
    if (!dns_answer_(server, false, query, (size_t)n, &out, &rule))
        return;
    if (rule && rule->reply == DNS_REPLY_WRONG_ID) {
        char name[256];
        int type;
        dns_send_forged_(server, &out, &peer, rule,
                         dns_read_question_(query, (size_t)n, name, &type));
    }
    sendto(fd, out.bytes, out.len, 0, (struct sockaddr *)&peer, peer_len);
}

static inline void dns_close_client_(struct dns_tcp_client *client)
{
    if (client->fd < 0)
        return;
    nu_io_finish(&client->io);
    close(client->fd);
    client->fd = -1;
}

/* A query comes whole: it is a few bytes on a fresh loopback connection. */
static inline void dns_on_tcp_data_(int fd, short what, void *arg)
{
    (void)what;
    struct dns_tcp_client *client = arg;
    uint8_t query[DNS_MAX];
    ssize_t n = recv(fd, query, sizeof(query), 0);
    if (n < 19) {
        dns_close_client_(client);
        return;
    }
    client->server->tcp_queries++;
    struct dns_out_ out;
    const struct dns_rule *rule;
    if (!dns_answer_(client->server, true, query + 2, (size_t)n - 2, &out, &rule))
        return;
    uint8_t head[2] = {(uint8_t)(out.len >> 8), (uint8_t)out.len};
    assert_int_equal(send(fd, head, 2, MSG_MORE), 2);
    assert_int_equal(send(fd, out.bytes, out.len, 0), out.len);
}

static inline void dns_on_accept_(int fd, short what, void *arg)
{
    (void)what;
    struct dns_server *server = arg;
    int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    for (size_t i = 0; accepted >= 0 && i < NU_ARRAY_LEN(server->clients); i++) {
        struct dns_tcp_client *client = &server->clients[i];
        if (client->fd >= 0)
            continue;
        client->fd = accepted;
        client->server = server;
        nu_io_init(&client->io, server->loop, accepted, dns_on_tcp_data_, client);
        nu_io_enable_read(&client->io);
        return;
    }
    if (accepted >= 0)
        close(accepted);
}

/* Both sockets on one port: the kernel chooses it for TCP, and UDP's is free nearly always. */
static inline void dns_bind_(struct dns_server *server)
{
    for (int i = 0; i < 50; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(address);
        server->tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        server->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(server->tcp, (struct sockaddr *)&address, len), 0);
        assert_int_equal(getsockname(server->tcp, (struct sockaddr *)&address, &len), 0);
        if (bind(server->udp, (struct sockaddr *)&address, len) == 0) {
            server->port = ntohs(address.sin_port);
            assert_int_equal(listen(server->tcp, 8), 0);
            return;
        }
        close(server->tcp);
        close(server->udp);
    }
    fail_msg("no port is free for UDP and TCP");
}

static inline void dns_server_init(struct dns_server *server, struct nu_loop *loop)
{
    *server = (struct dns_server){.loop = loop};
    for (size_t i = 0; i < NU_ARRAY_LEN(server->clients); i++)
        server->clients[i].fd = -1;
    dns_bind_(server);
    nu_io_init(&server->udp_io, loop, server->udp, dns_on_udp_, server);
    nu_io_init(&server->tcp_io, loop, server->tcp, dns_on_accept_, server);
    nu_io_enable_read(&server->udp_io);
    nu_io_enable_read(&server->tcp_io);
}

static inline void dns_server_finish(struct dns_server *server)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(server->clients); i++)
        dns_close_client_(&server->clients[i]);
    nu_io_finish(&server->udp_io);
    nu_io_finish(&server->tcp_io);
    close(server->udp);
    close(server->tcp);
}

#endif
