/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the peer's certificate is judged: the chain of trust, then the names it must have, then pins.
 * Immutable once made; any thread.
 */
#ifndef NU_TLS_VALIDATOR_H
#define NU_TLS_VALIDATOR_H

#include <openssl/ssl.h>

#include "match/string_matcher.h"
#include "stats/tls_stats.h"

enum nu_tls_san_kind {
    NU_TLS_SAN_ANY, /* the older matcher: every kind of name */
    NU_TLS_SAN_EMAIL,
    NU_TLS_SAN_DNS,
    NU_TLS_SAN_URI,
    NU_TLS_SAN_IP,
};

struct nu_tls_san_matcher {
    enum nu_tls_san_kind kind;
    struct nu_string_matcher text;
};

/* A SHA-256. */
struct nu_tls_hash {
    uint8_t bytes[32];
};

struct nu_tls_validator {
    X509_STORE *trusted;        /* owned; NULL: the chain is not verified */
    STACK_OF(X509) * ca_list;   /* owned: what a server names to its clients; may be NULL */
    struct nu_str ca_source;    /* the file of these, or "<inline>"; the configuration's */
    struct nu_str ca_stat_name; /* in statistics */
    const struct nu_tls_san_matcher *sans;
    size_t san_count;
    const struct nu_tls_hash *hashes; /* of whole certificates */
    size_t hash_count;
    const struct nu_tls_hash *spkis; /* of public keys */
    size_t spki_count;
    int max_depth;       /* -1: OpenSSL's */
    uint8_t demands[32]; /* SHA-256 of all that is configured here, and of the revocation list */
    bool accept_untrusted;
    bool allow_expired;
    bool only_leaf_crl;
};

/*
 * The PEM texts become the store of what is trusted; `crl` may be empty. False with Envoy's words
 * in `error`.
 */
NU_MUST_USE bool nu_tls_validator_set_trusted(struct nu_tls_validator *validator, struct nu_str ca,
                                              struct nu_str ca_name, struct nu_str crl,
                                              struct nu_strbuf *error);
void nu_tls_validator_finish(struct nu_tls_validator *validator);

/* Whether it asks for anything at all. */
bool nu_tls_validator_is_empty(const struct nu_tls_validator *validator);

/* Names that a connection asks for by itself; each may be empty. */
struct nu_tls_wanted_names {
    struct nu_str in_place_of_matchers;
    struct nu_str beside_matchers;
};

/*
 * OpenSSL's certificate verification: judges the chain in `store`, and whether the certificate has
 * the names that are wanted. Counts what fails. Returns 1, or 0 with the store's error set.
 */
int nu_tls_validator_verify(const struct nu_tls_validator *validator, X509_STORE_CTX *store,
                            const struct nu_tls_wanted_names *wanted, struct nu_tls_stats *stats);

#endif
