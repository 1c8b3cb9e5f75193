/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate chain with its key, as a server shows it or a client answers with. Loaded once on
 * the main thread; afterwards immutable and shared by all threads.
 */
#ifndef NU_TLS_CERTIFICATE_H
#define NU_TLS_CERTIFICATE_H

#include <openssl/x509.h>

#include "base/arena.h"
#include "tls/ocsp.h"

struct nu_tls_certificate {
    X509 *leaf;             /* owned */
    STACK_OF(X509) * chain; /* owned: the intermediates, without the leaf; may be empty */
    EVP_PKEY *key;          /* owned */
    struct nu_str *names;   /* the DNS names it is for, lower-case, or its common name */
    size_t name_count;
    struct nu_str source;    /* the file of the chain, or "<inline>" */
    struct nu_str stat_name; /* in statistics */
    struct nu_tls_staple staple;
    bool must_staple; /* it says itself that it is worth nothing without */
};

/* Where the parts come from: PEM texts, or one PKCS#12 container. The names are for error messages:
 * a file, or "<inline>". */
struct nu_tls_certificate_source {
    struct nu_str chain_pem;
    struct nu_str chain_name;
    struct nu_str key_pem;
    struct nu_str key_name;
    struct nu_str pkcs12; /* in place of the above; empty if not used */
    struct nu_str pkcs12_name;
    struct nu_str password;    /* of the key or the container; may be empty */
    struct nu_str ocsp_staple; /* DER; may be empty */
};

/* Loads and checks one; names go to `arena`. False with Envoy's words for it in `error`. */
NU_MUST_USE bool nu_tls_certificate_load(const struct nu_tls_certificate_source *source,
                                         struct nu_arena *arena, struct nu_tls_certificate *out,
                                         struct nu_strbuf *error);
/* Frees what was loaded; harmless on a zeroed one. */
void nu_tls_certificate_finish(struct nu_tls_certificate *certificate);

/* Whether it is for this lower-case name: by itself, or by a wildcard in the place of the first
 * label. */
bool nu_tls_certificate_is_for(const struct nu_tls_certificate *certificate, struct nu_str name);

/* All certificates of a PEM text, NULL if there is none or one is broken. The caller frees them. */
STACK_OF(X509) * nu_tls_read_pem_certificates(struct nu_str pem);

/* Appends the first reason in OpenSSL's error queue ("no start line"), and empties the queue. */
void nu_tls_add_openssl_reason(struct nu_strbuf *out);

#endif
