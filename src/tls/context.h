/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS context: everything that the connections of a filter chain, or of a cluster, have in
 * common. Made once on the main thread, then shared; each thread has an SSL_CTX of its own, so that
 * connections of different workers write to no common counter, and all of them have the same ticket
 * keys, so that a client may resume at any worker.
 */
#ifndef NU_TLS_CONTEXT_H
#define NU_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "base/list.h"
#include "base/thread.h"
#include "stats/stats.h"
#include "tls/certificate.h"
#include "tls/validator.h"

/* A name, a key for HMAC-SHA256, a key for AES-256-CBC. */
struct nu_tls_ticket_key {
    uint8_t name[16];
    uint8_t hmac_key[32];
    uint8_t aes_key[32];
};

/* As configured, with defaults resolved; texts are OpenSSL's lists. */
struct nu_tls_settings {
    bool is_server;
    int min_version; /* TLS1_2_VERSION ... */
    int max_version;
    const char *cipher_list; /* for TLS 1.2 and below */
    const char *curve_list;
    const char *sigalg_list; /* NULL: OpenSSL's */
    struct nu_str alpn;      /* protocols in wire form: length and bytes each; may be empty */
    struct nu_tls_certificate *certificates;
    size_t certificate_count;
    struct nu_tls_validator validator;

    /* Servers. */
    bool require_client_certificate;
    bool require_sni;
    bool prefer_client_ciphers;
    bool no_tickets;
    bool no_session_cache;
    uint32_t session_timeout_s;                  /* 0: OpenSSL's */
    const struct nu_tls_ticket_key *ticket_keys; /* the first encrypts; NULL: a random one */
    size_t ticket_key_count;

    /* Clients. */
    struct nu_str server_name; /* asked for; empty for none */
    bool auto_host_sni;        /* the host's name in its place, if it has one */
    bool verify_server_name;   /* it must be among the certificate's names */
    uint32_t max_sessions;     /* kept for resumption */
};

struct nu_tls_context;

/*
 * Takes over `settings` and what it owns (arrays and texts are the caller's arena's). `scope` is
 * the statistics' prefix, "listener.X.ssl" or "cluster.X.ssl". NULL with the reason in `error`,
 * when OpenSSL refuses a list of names.
 */
struct nu_tls_context *nu_tls_context_create(const struct nu_tls_settings *settings,
                                             struct nu_stats *stats, struct nu_str scope,
                                             struct nu_strbuf *error);
/* After the last connection is gone. Main thread. */
void nu_tls_context_destroy(struct nu_tls_context **context);

/* Puts it into a list, from which it goes when it is destroyed; the list must live longer. Main
 * thread, like the walk: the one behind `previous` (NULL: the first), or NULL. */
void nu_tls_context_list(struct nu_tls_context *context, struct nu_list *list);
const struct nu_tls_context *nu_tls_context_next(const struct nu_list *list,
                                                 const struct nu_tls_context *previous);

const struct nu_tls_settings *nu_tls_context_settings(const struct nu_tls_context *context);

/* What one thread has of a context. */
struct nu_tls_context_local {
    SSL_CTX *ctx; /* owned */
    struct nu_tls_stats *stats;
    struct nu_tls_negotiated_stats *negotiated;
    SSL_SESSION **sessions; /* owned, `max_sessions` places: the client's, the newest last */
    uint32_t session_count;
};

/* The calling thread's part, made on first use. */
struct nu_tls_context_local *nu_tls_context_local(struct nu_tls_context *context);

#endif
