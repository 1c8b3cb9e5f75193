/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Envoy's configurations name ciphers, curves and signature algorithms as BoringSSL does. Here they
 * become what OpenSSL understands, and what OpenSSL negotiated gets its name back. Any thread.
 */
#ifndef NU_TLS_NAMES_H
#define NU_TLS_NAMES_H

#include "base/str.h"

/* Appends OpenSSL's name of a TLS 1.2 cipher; false if there is no such cipher, or OpenSSL has
 * none. A name of both libraries' ("ECDHE-RSA-AES128-GCM-SHA256") and IANA's name are taken. */
NU_MUST_USE bool nu_tls_cipher_translate(struct nu_str name, struct nu_strbuf *out);
/* The name of a TLS 1.3 suite, which is not configurable: "TLS_AES_128_GCM_SHA256" and so on. */
bool nu_tls_is_tls13_suite(struct nu_str name);
/* Appends OpenSSL's name of a curve ("P-256", "X25519"); false if OpenSSL has none. */
NU_MUST_USE bool nu_tls_curve_translate(struct nu_str name, struct nu_strbuf *out);
/* Appends OpenSSL's name of a signature algorithm ("rsa_pss_rsae_sha256"); false if unknown. */
NU_MUST_USE bool nu_tls_sigalg_translate(struct nu_str name, struct nu_strbuf *out);

/* What a negotiated curve is called in statistics, by TLS's number of the group. */
struct nu_str nu_tls_curve_name(int group);
/* What the algorithm of a peer's signature is called there, by OpenSSL's numbers of the key's type
 * and of the digest; empty for one that has no name. */
struct nu_str nu_tls_sigalg_name(int key_type, int digest);

#endif
