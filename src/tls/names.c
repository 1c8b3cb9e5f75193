/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of names. Only what both libraries have can be configured; everything else is refused
 * where it stands in the configuration.
 */
#include "tls/names.h"

#include <openssl/ssl.h>

struct pair {
    const char *boring;
    const char *open;
};

/* IANA's names of the TLS 1.2 suites that BoringSSL has, and OpenSSL's. */
static const struct pair ciphers[] = {
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256"},
    {"TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256"},
    {"TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"},
    {"TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"},
    {"TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA"},
    {"TLS_RSA_WITH_3DES_EDE_CBC_SHA", "DES-CBC3-SHA"},
    {"TLS_PSK_WITH_AES_128_CBC_SHA", "PSK-AES128-CBC-SHA"},
    {"TLS_PSK_WITH_AES_256_CBC_SHA", "PSK-AES256-CBC-SHA"},
};

static const struct pair curves[] = {
    {"X25519", "X25519"},    {"P-256", "P-256"},     {"P-384", "P-384"},     {"P-521", "P-521"},
    {"prime256v1", "P-256"}, {"secp384r1", "P-384"}, {"secp521r1", "P-521"},
};

static const struct pair sigalgs[] = {
    {"rsa_pkcs1_sha256", "RSA+SHA256"},
    {"rsa_pkcs1_sha384", "RSA+SHA384"},
    {"rsa_pkcs1_sha512", "RSA+SHA512"},
    {"rsa_pkcs1_sha1", "RSA+SHA1"},
    {"ecdsa_secp256r1_sha256", "ECDSA+SHA256"},
    {"ecdsa_secp384r1_sha384", "ECDSA+SHA384"},
    {"ecdsa_secp521r1_sha512", "ECDSA+SHA512"},
    {"ecdsa_sha1", "ECDSA+SHA1"},
    {"rsa_pss_rsae_sha256", "rsa_pss_rsae_sha256"},
    {"rsa_pss_rsae_sha384", "rsa_pss_rsae_sha384"},
    {"rsa_pss_rsae_sha512", "rsa_pss_rsae_sha512"},
    {"ed25519", "ed25519"},
};

static const char *const tls13_suites[] = {
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
};

static bool translate(const struct pair *table, size_t count, struct nu_str name,
                      struct nu_strbuf *out)
{
    for (size_t i = 0; i < count; i++) {
        if (nu_str_eq(name, nu_str_from(table[i].boring))) {
            nu_strbuf_add(out, nu_str_from(table[i].open));
            return true;
        }
    }
    return false;
}

bool nu_tls_cipher_translate(struct nu_str name, struct nu_strbuf *out)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(ciphers); i++) {
        if (nu_str_eq(name, nu_str_from(ciphers[i].open))) {
            nu_strbuf_add(out, name);
            return true;
        }
    }
    return translate(ciphers, NU_ARRAY_LEN(ciphers), name, out);
}

bool nu_tls_is_tls13_suite(struct nu_str name)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(tls13_suites); i++) {
        if (nu_str_eq(name, nu_str_from(tls13_suites[i])))
            return true;
    }
    return false;
}

bool nu_tls_curve_translate(struct nu_str name, struct nu_strbuf *out)
{
    return translate(curves, NU_ARRAY_LEN(curves), name, out);
}

bool nu_tls_sigalg_translate(struct nu_str name, struct nu_strbuf *out)
{
    return translate(sigalgs, NU_ARRAY_LEN(sigalgs), name, out);
}

struct nu_str nu_tls_curve_name(int group)
{
    switch (group) {
    case NID_X25519:
        return NU_STR("X25519");
    case NID_X9_62_prime256v1:
        return NU_STR("P-256");
    case NID_secp384r1:
        return NU_STR("P-384");
    case NID_secp521r1:
        return NU_STR("P-521");
    default:
        return nu_str_make(NULL, 0);
    }
}

struct nu_str nu_tls_sigalg_name(int key_type, int digest)
{
    static const struct {
        int key_type, digest;
        const char *name;
    } known[] = {
        {EVP_PKEY_RSA, NID_sha1, "rsa_pkcs1_sha1"},
        {EVP_PKEY_RSA, NID_sha256, "rsa_pkcs1_sha256"},
        {EVP_PKEY_RSA, NID_sha384, "rsa_pkcs1_sha384"},
        {EVP_PKEY_RSA, NID_sha512, "rsa_pkcs1_sha512"},
        {EVP_PKEY_RSA_PSS, NID_sha256, "rsa_pss_rsae_sha256"},
        {EVP_PKEY_RSA_PSS, NID_sha384, "rsa_pss_rsae_sha384"},
        {EVP_PKEY_RSA_PSS, NID_sha512, "rsa_pss_rsae_sha512"},
        {EVP_PKEY_EC, NID_sha1, "ecdsa_sha1"},
        {EVP_PKEY_EC, NID_sha256, "ecdsa_secp256r1_sha256"},
        {EVP_PKEY_EC, NID_sha384, "ecdsa_secp384r1_sha384"},
        {EVP_PKEY_EC, NID_sha512, "ecdsa_secp521r1_sha512"},
    };
    if (key_type == EVP_PKEY_ED25519)
        return NU_STR("ed25519");
    for (size_t i = 0; i < NU_ARRAY_LEN(known); i++) {
        if (known[i].key_type == key_type && known[i].digest == digest)
            return nu_str_from(known[i].name);
    }
    return nu_str_make(NULL, 0);
}
