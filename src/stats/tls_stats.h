/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of TLS, with Envoy's names: of a listener's connections, or of a cluster's. */
#ifndef NU_STATS_TLS_STATS_H
#define NU_STATS_TLS_STATS_H

#include "stats/table.h"

/* listener.<address>.ssl. and cluster.<name>.ssl. */
#define NU_TLS_STATS(X, S) \
    X(S, COUNTER, connection_error, "Connections that failed in TLS, verification left out.") \
    X(S, COUNTER, handshake, "Handshakes completed.") \
    X(S, COUNTER, session_reused, "Handshakes that resumed a session.") \
    X(S, COUNTER, no_certificate, "Handshakes without a certificate of the peer's.") \
    X(S, COUNTER, fail_verify_no_cert, "Failures for want of a client certificate.") \
    X(S, COUNTER, fail_verify_error, "Failures of the chain of trust.") \
    X(S, COUNTER, fail_verify_san, "Failures for want of a name.") \
    X(S, COUNTER, fail_verify_cert_hash, "Failures of pinned certificates.") \
    X(S, COUNTER, ocsp_staple_failed, "Handshakes refused by the stapling policy.") \
    X(S, COUNTER, ocsp_staple_omitted, "Handshakes without the staple asked for.") \
    X(S, COUNTER, ocsp_staple_responses, "Handshakes with a staple.") \
    X(S, COUNTER, ocsp_staple_requests, "Handshakes whose client asked for a staple.") \
    X(S, COUNTER, was_key_usage_invalid, "Certificates used against their key usage.")

struct nu_tls_stats {
    NU_TLS_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_tls_stats_table;

/* listener.<address>.server_ssl_socket_factory. and cluster.<name>.client_ssl_socket_factory. */
#define NU_TLS_FACTORY_STATS(X, S) \
    X(S, COUNTER, ssl_context_update_by_sds, "New settings because a secret came or changed.") \
    X(S, COUNTER, ssl_context_update_by_files, "New settings because files changed.") \
    X(S, COUNTER, ssl_context_update_failed, "Files that changed and could not be used.") \
    X(S, COUNTER, downstream_context_secrets_not_ready, \
      "Connections of clients closed for want of a secret.") \
    X(S, COUNTER, upstream_context_secrets_not_ready, \
      "Connections to hosts given up for want of a secret.")

struct nu_tls_factory_stats {
    NU_TLS_FACTORY_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_tls_factory_stats_table;

/* listener.<address>.ssl.certificate.<name>. and cluster.<name>.ssl.certificate.<name>. */
#define NU_TLS_CERTIFICATE_STATS(X, S) \
    X(S, GAUGE, expiration_unix_time_seconds, "When the certificate expires.")

struct nu_tls_certificate_stats {
    NU_TLS_CERTIFICATE_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_tls_certificate_stats_table;

/* What was negotiated, by name, in the scope of the above. */
#define NU_TLS_NEGOTIATED(X) \
    X("versions.TLSv1") \
    X("versions.TLSv1.1") \
    X("versions.TLSv1.2") \
    X("versions.TLSv1.3") \
    X("curves.X25519") \
    X("curves.P-256") \
    X("curves.P-384") \
    X("curves.P-521") \
    X("sigalgs.rsa_pkcs1_sha1") \
    X("sigalgs.rsa_pkcs1_sha256") \
    X("sigalgs.rsa_pkcs1_sha384") \
    X("sigalgs.rsa_pkcs1_sha512") \
    X("sigalgs.rsa_pss_rsae_sha256") \
    X("sigalgs.rsa_pss_rsae_sha384") \
    X("sigalgs.rsa_pss_rsae_sha512") \
    X("sigalgs.ecdsa_sha1") \
    X("sigalgs.ecdsa_secp256r1_sha256") \
    X("sigalgs.ecdsa_secp384r1_sha384") \
    X("sigalgs.ecdsa_secp521r1_sha512") \
    X("sigalgs.ed25519") \
    X("ciphers.TLS_AES_128_GCM_SHA256") \
    X("ciphers.TLS_AES_256_GCM_SHA384") \
    X("ciphers.TLS_CHACHA20_POLY1305_SHA256") \
    X("ciphers.ECDHE-ECDSA-AES128-GCM-SHA256") \
    X("ciphers.ECDHE-ECDSA-AES256-GCM-SHA384") \
    X("ciphers.ECDHE-ECDSA-CHACHA20-POLY1305") \
    X("ciphers.ECDHE-RSA-AES128-GCM-SHA256") \
    X("ciphers.ECDHE-RSA-AES256-GCM-SHA384") \
    X("ciphers.ECDHE-RSA-CHACHA20-POLY1305") \
    X("ciphers.ECDHE-ECDSA-AES128-SHA") \
    X("ciphers.ECDHE-ECDSA-AES256-SHA") \
    X("ciphers.ECDHE-RSA-AES128-SHA") \
    X("ciphers.ECDHE-RSA-AES256-SHA") \
    X("ciphers.AES128-GCM-SHA256") \
    X("ciphers.AES256-GCM-SHA384") \
    X("ciphers.AES128-SHA") \
    X("ciphers.AES256-SHA")

#define NU_TLS_COUNT_ONE(name) +1
enum { NU_TLS_NEGOTIATED_COUNT = 0 NU_TLS_NEGOTIATED(NU_TLS_COUNT_ONE) };

/* In the order of the list; each is not shown before it was used. */
struct nu_tls_negotiated_stats {
    struct nu_counter counters[NU_TLS_NEGOTIATED_COUNT];
};
extern const struct nu_stat_table nu_tls_negotiated_stats_table;

/* Counts one: kind "versions", "curves", "sigalgs" or
 * "ciphers". What is not in the list is not counted. */
void nu_tls_negotiated_count(struct nu_tls_negotiated_stats *stats, struct nu_str kind,
                             struct nu_str name);

#endif
