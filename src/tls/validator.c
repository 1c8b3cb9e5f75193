/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging certificates. OpenSSL verifies the chain; names and pins are compared here, since Envoy's
 * matchers are not OpenSSL's.
 */
#include "tls/validator.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tls/certificate.h"

/* --- What is trusted -------------------------------------------------------------------------- */

static bool add_crls(X509_STORE *store, struct nu_str pem)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    int count = 0;
    X509_CRL *crl;
    while ((crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
        X509_STORE_add_crl(store, crl);
        X509_CRL_free(crl);
        count++;
    }
    BIO_free(bio);
    ERR_clear_error();
    return count > 0;
}

bool nu_tls_validator_set_trusted(struct nu_tls_validator *validator, struct nu_str ca,
                                  struct nu_str ca_name, struct nu_str crl, struct nu_strbuf *error)
{
    validator->ca_list = nu_tls_read_pem_certificates(ca);
    ERR_clear_error();
    if (!validator->ca_list) {
        nu_strbuf_addf(error, "Failed to load trusted CA certificates from %.*s",
                       NU_STR_ARG(ca_name));
        return false;
    }
    validator->trusted = X509_STORE_new();
    for (int i = 0; i < sk_X509_num(validator->ca_list); i++)
        X509_STORE_add_cert(validator->trusted, sk_X509_value(validator->ca_list, i));
    /* A trusted intermediate is enough: the chain need not reach a root. */
    X509_STORE_set_flags(validator->trusted, X509_V_FLAG_PARTIAL_CHAIN);
    if (crl.len == 0)
        return true;
    if (!add_crls(validator->trusted, crl)) {
        nu_strbuf_add_cstr(error, "Failed to load CRL from the configuration");
        return false;
    }
    X509_STORE_set_flags(validator->trusted,
                         X509_V_FLAG_CRL_CHECK |
                             (validator->only_leaf_crl ? 0 : X509_V_FLAG_CRL_CHECK_ALL));
    return true;
}

void nu_tls_validator_finish(struct nu_tls_validator *validator)
{
    X509_STORE_free(validator->trusted);
    sk_X509_pop_free(validator->ca_list, X509_free);
    validator->trusted = NULL;
    validator->ca_list = NULL;
}

bool nu_tls_validator_is_empty(const struct nu_tls_validator *validator)
{
    return !validator->trusted && !validator->san_count && !validator->hash_count &&
           !validator->spki_count;
}

/* --- Names ------------------------------------------------------------------------------------ */

static struct nu_str text_of(const ASN1_STRING *text)
{
    return nu_str_make((const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

/* A name of a certificate as text; an address goes to `buffer`. False for kinds that are not
 * matched. */
static bool read_name(const GENERAL_NAME *name, char *buffer, enum nu_tls_san_kind *kind,
                      struct nu_str *text)
{
    switch (name->type) {
    case GEN_EMAIL:
        *kind = NU_TLS_SAN_EMAIL;
        *text = text_of(name->d.rfc822Name);
        return true;
    case GEN_DNS:
        *kind = NU_TLS_SAN_DNS;
        *text = text_of(name->d.dNSName);
        return true;
    case GEN_URI:
        *kind = NU_TLS_SAN_URI;
        *text = text_of(name->d.uniformResourceIdentifier);
        return true;
    case GEN_IPADD: {
        struct nu_str bytes = text_of(name->d.iPAddress);
        *kind = NU_TLS_SAN_IP;
        if ((bytes.len != 4 && bytes.len != 16) ||
            !inet_ntop(bytes.len == 4 ? AF_INET : AF_INET6, bytes.ptr, buffer, INET6_ADDRSTRLEN))
            return false;
        *text = nu_str_from(buffer);
        return true;
    }
    default:
        return false;
    }
}

/* `*.example.com` covers one label in front of the rest (RFC 6125 6.4.3). */
static bool covers(struct nu_str pattern, struct nu_str name)
{
    if (nu_str_eq_nocase(pattern, name))
        return true;
    size_t dot = nu_str_find_char(name, '.');
    return nu_str_starts_with(pattern, NU_STR("*.")) && dot != NU_NPOS && dot > 0 &&
           nu_str_eq_nocase(nu_str_skip(pattern, 1), nu_str_skip(name, dot));
}

static bool matches(const struct nu_tls_san_matcher *matcher, enum nu_tls_san_kind kind,
                    struct nu_str text)
{
    if (matcher->kind != NU_TLS_SAN_ANY && matcher->kind != kind)
        return false;
    /* A DNS name of the certificate may be a wildcard that covers the exact name asked for. */
    if (kind == NU_TLS_SAN_DNS && matcher->text.kind == NU_STRING_MATCH_EXACT)
        return covers(text, matcher->text.text);
    return nu_string_matches(&matcher->text, text);
}

static bool matches_one(const struct nu_tls_validator *validator, enum nu_tls_san_kind kind,
                        struct nu_str text)
{
    for (size_t i = 0; i < validator->san_count; i++) {
        if (matches(&validator->sans[i], kind, text))
            return true;
    }
    return false;
}

/* Whether one of the certificate's names is asked for: by the matchers, or as the server's name. */
static bool has_name(const struct nu_tls_validator *validator, X509 *leaf,
                     struct nu_str server_name)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names) && !found; i++) {
        char buffer[INET6_ADDRSTRLEN];
        enum nu_tls_san_kind kind;
        struct nu_str text;
        if (!read_name(sk_GENERAL_NAME_value(names, i), buffer, &kind, &text))
            continue;
        if (server_name.len)
            found = (kind == NU_TLS_SAN_DNS && covers(text, server_name)) ||
                    (kind == NU_TLS_SAN_IP && nu_str_eq(text, server_name));
        else
            found = matches_one(validator, kind, text);
    }
    GENERAL_NAMES_free(names);
    return found;
}

/* --- Pins ------------------------------------------------------------------------------------- */

static bool is_listed(const struct nu_tls_hash *list, size_t count, const uint8_t *hash)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(list[i].bytes, hash, sizeof(list[i].bytes)) == 0)
            return true;
    }
    return false;
}

static bool is_pinned(const struct nu_tls_validator *validator, X509 *leaf)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (validator->hash_count && X509_digest(leaf, EVP_sha256(), hash, &len) == 1 &&
        is_listed(validator->hashes, validator->hash_count, hash))
        return true;
    unsigned char *der = NULL;
    int size = validator->spki_count ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der) : 0;
    bool found = size > 0 && EVP_Digest(der, (size_t)size, hash, &len, EVP_sha256(), NULL) == 1 &&
                 is_listed(validator->spkis, validator->spki_count, hash);
    OPENSSL_free(der);
    return found;
}

/* --- The verdict ------------------------------------------------------------------------------ */

/* Expiry is let through where it is configured so; everything else stays as OpenSSL found it. */
static int on_chain_step(int ok, X509_STORE_CTX *store)
{
    const struct nu_tls_validator *validator = X509_STORE_CTX_get_app_data(store);
    int error = X509_STORE_CTX_get_error(store);
    bool expired = error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID;
    if (!ok && expired && validator->allow_expired) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    return ok;
}

static bool verify_chain(const struct nu_tls_validator *validator, X509_STORE_CTX *store)
{
    X509_STORE_CTX_set_app_data(store, nu_unconst(validator));
    X509_STORE_CTX_set_verify_cb(store, on_chain_step);
    if (validator->max_depth >= 0)
        X509_STORE_CTX_set_depth(store, validator->max_depth);
    return X509_verify_cert(store) == 1;
}

/* No error of OpenSSL's, which therefore says certificate_unknown to the peer, as BoringSSL does. */
enum { REFUSED_BY_MATCHERS = 1000 };

static void note_error(X509_STORE_CTX *store)
{
    if (X509_STORE_CTX_get_error(store) == X509_V_OK)
        X509_STORE_CTX_set_error(store, REFUSED_BY_MATCHERS);
}

static int refuse(X509_STORE_CTX *store, struct nu_counter *counter)
{
    nu_counter_inc(counter);
    note_error(store);
    return 0;
}

/* The error stays: the peer gets in, and counts as not validated. */
static int let_in(X509_STORE_CTX *store)
{
    note_error(store);
    return 1;
}

static bool has_names(const struct nu_tls_validator *validator, X509 *leaf,
                      const struct nu_tls_wanted_names *wanted)
{
    if (wanted->beside_matchers.len && !has_name(validator, leaf, wanted->beside_matchers))
        return false;
    bool asks = validator->san_count || wanted->in_place_of_matchers.len;
    return !asks || has_name(validator, leaf, wanted->in_place_of_matchers);
}

int nu_tls_validator_verify(const struct nu_tls_validator *validator, X509_STORE_CTX *store,
                            const struct nu_tls_wanted_names *wanted, struct nu_tls_stats *stats)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    if (validator->trusted && !verify_chain(validator, store)) {
        if (!validator->accept_untrusted)
            return refuse(store, &stats->fail_verify_error);
        nu_counter_inc(&stats->fail_verify_error);
        return let_in(store);
    }
    if (!validator->trusted && wanted->beside_matchers.len) {
        /* A name that anybody may have signed says nothing. */
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        return 0;
    }
    if (!has_names(validator, leaf, wanted))
        return validator->accept_untrusted ? let_in(store) : refuse(store, &stats->fail_verify_san);
    bool asks_pin = validator->hash_count || validator->spki_count;
    if (asks_pin && !is_pinned(validator, leaf))
        return validator->accept_untrusted ? let_in(store)
                                           : refuse(store, &stats->fail_verify_cert_hash);
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}
