/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS context: everything that the connections of a filter chain, or of a cluster, have in
 * common. It lives as long as these, while its settings come and go: each set of them is an
 * immutable snapshot, made on the main thread. A connection keeps the snapshot that it began with.
 *
 * Each thread has an SSL_CTX of its own, so that connections of different workers write to no
 * common counter, and all of them have the same ticket keys, so that a client may resume at any
 * worker.
 */
#ifndef NU_TLS_CONTEXT_H
#define NU_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "base/list.h"
#include "base/thread.h"
#include "stats/stats.h"
#include "tls/certificate.h"
#include "tls/key_log.h"
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
    struct nu_tls_key_log key_log;

    /* Servers. */
    bool require_client_certificate;
    bool require_sni;
    bool full_scan; /* of all certificates where none is for the name */
    enum nu_tls_staple_policy staple_policy;
    bool prefer_client_ciphers;
    bool chacha_if_first; /* that cipher for clients that prefer it to all others */
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

/* Frees what the settings own besides texts and arrays; harmless on zeroed ones. */
void nu_tls_settings_finish(struct nu_tls_settings *settings);

/* A context without settings yet: it is not ready. `scope` is the statistics' prefix, "listener.X"
 * or "cluster.X". Main thread, like all of the following but nu_tls_context_local. */
struct nu_tls_context *nu_tls_context_create(bool is_server, struct nu_stats *stats,
                                             struct nu_str scope);
/*
 * Gives it new settings, for the connections that begin from now on; takes over what they own, and
 * `arena`, which holds their texts and arrays. False with the reason in `error` when OpenSSL
 * refuses them: then the old ones stay, and the new ones are freed.
 */
NU_MUST_USE bool nu_tls_context_set(struct nu_tls_context *context,
                                    const struct nu_tls_settings *settings, struct nu_arena *arena,
                                    struct nu_strbuf *error);
/* After the last connection is gone. */
void nu_tls_context_destroy(struct nu_tls_context **context);

/* Puts it into a list, from which it goes when it is destroyed; the list must live longer. The walk
 * gives the one behind `previous` (NULL: the first), or NULL. */
void nu_tls_context_list(struct nu_tls_context *context, struct nu_list *list);
const struct nu_tls_context *nu_tls_context_next(const struct nu_list *list,
                                                 const struct nu_tls_context *previous);

/* The settings of today, until the next ones are set; NULL while it is not ready. */
const struct nu_tls_settings *nu_tls_context_settings(const struct nu_tls_context *context);

/*
 * What one thread has of a context with one set of settings. It goes with its last reference: the
 * context has one until new settings come, each connection has one. Its thread's.
 */
struct nu_tls_context_local {
    SSL_CTX *ctx;                           /* owned */
    const struct nu_tls_settings *settings; /* of the snapshot */
    struct nu_tls_snapshot *snapshot;       /* a reference */
    struct nu_tls_stats *stats;
    struct nu_tls_negotiated_stats *negotiated;
    SSL_SESSION **sessions; /* owned, `max_sessions` places: the client's, the newest last */
    uint32_t session_count;
    uint32_t refs;
};

/* A reference to the calling thread's part, which is made on first use; NULL while the context is
 * not ready. */
struct nu_tls_context_local *nu_tls_context_local(struct nu_tls_context *context);
void nu_tls_context_local_unref(struct nu_tls_context_local *local);

/* What the calling thread counts of connections that find the context not ready. */
struct nu_tls_factory_stats *nu_tls_context_factory_stats(struct nu_tls_context *context);

#endif
