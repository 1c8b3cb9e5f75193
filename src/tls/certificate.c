/* SPDX-License-Identifier: Apache-2.0 */
/* Reading certificates and keys. Everything is checked here, so that a handshake meets no
 * surprise. */
#include "tls/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"

void nu_tls_add_openssl_reason(struct nu_strbuf *out)
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    nu_strbuf_add_cstr(out, reason ? reason : "unknown reason");
    ERR_clear_error();
}

static BIO *bio_of(struct nu_str text)
{
    return BIO_new_mem_buf(text.ptr ? text.ptr : "", (int)text.len);
}

/* The end of a PEM text is an error in OpenSSL's queue, and no error here. */
static bool is_end_of_pem(void)
{
    unsigned long code = ERR_peek_last_error();
    bool end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    if (end)
        ERR_clear_error();
    return end;
}

STACK_OF(X509) * nu_tls_read_pem_certificates(struct nu_str pem)
{
    STACK_OF(X509) *list = sk_X509_new_null();
    BIO *bio = bio_of(pem);
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        /* Reads its extensions now, and not when the first of several threads needs them. */
        X509_check_purpose(certificate, -1, 0);
        sk_X509_push(list, certificate);
    }
    BIO_free(bio);
    if (is_end_of_pem() && sk_X509_num(list) > 0)
        return list;
    sk_X509_pop_free(list, X509_free);
    return NULL;
}

static int on_password(char *buffer, int size, int for_writing, void *arg)
{
    (void)for_writing;
    const struct nu_str *password = arg;
    if (password->len > (size_t)size)
        return -1;
    memcpy(buffer, password->ptr ? password->ptr : "", password->len);
    return (int)password->len;
}

static EVP_PKEY *read_key(const struct nu_tls_certificate_source *source)
{
    BIO *bio = bio_of(source->key_pem);
    struct nu_str password = source->password;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, on_password, &password);
    BIO_free(bio);
    return key;
}

static bool fail_load(struct nu_strbuf *error, const char *what, struct nu_str name,
                      bool with_cause)
{
    nu_strbuf_addf(error, "Failed to load %s from %.*s", what, NU_STR_ARG(name));
    if (with_cause) {
        nu_strbuf_add_cstr(error, ", Cause: ");
        nu_tls_add_openssl_reason(error);
    }
    ERR_clear_error();
    return false;
}

static bool load_pem(const struct nu_tls_certificate_source *source, struct nu_tls_certificate *out,
                     struct nu_strbuf *error)
{
    out->chain = nu_tls_read_pem_certificates(source->chain_pem);
    if (!out->chain)
        return fail_load(error, "certificate chain", source->chain_name, false);
    out->leaf = sk_X509_shift(out->chain);
    out->key = read_key(source);
    if (!out->key)
        return fail_load(error, "private key", source->key_name, true);
    return true;
}

static bool load_pkcs12(const struct nu_tls_certificate_source *source,
                        struct nu_tls_certificate *out, struct nu_strbuf *error)
{
    BIO *bio = bio_of(source->pkcs12);
    PKCS12 *container = d2i_PKCS12_bio(bio, NULL);
    BIO_free(bio);
    char *password =
        nu_strndup(source->password.ptr ? source->password.ptr : "", source->password.len);
    bool ok = container && PKCS12_parse(container, password, &out->key, &out->leaf, &out->chain);
    nu_free(password);
    PKCS12_free(container);
    if (!ok || !out->leaf || !out->key)
        return fail_load(error, "pkcs12", source->pkcs12_name, true);
    if (!out->chain)
        out->chain = sk_X509_new_null();
    return true;
}

/* --- Names ------------------------------------------------------------------------------------ */

static void add_name(struct nu_tls_certificate *certificate, struct nu_arena *arena,
                     const ASN1_STRING *text)
{
    struct nu_str raw =
        nu_str_make((const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    struct nu_str name = nu_arena_dup(arena, raw);
    char *p = nu_unconst(name.ptr);
    for (size_t i = 0; i < name.len; i++)
        p[i] = nu_ascii_lower(p[i]);
    certificate->names[certificate->name_count++] = name;
}

static void read_common_name(struct nu_tls_certificate *certificate, struct nu_arena *arena)
{
    X509_NAME *subject = X509_get_subject_name(certificate->leaf);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0)
        return;
    certificate->names = nu_arena_alloc(arena, sizeof(*certificate->names));
    add_name(certificate, arena, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

/* The DNS names of the certificate; its common name only where there is none (RFC 6125 6.4.4). */
static void read_names(struct nu_tls_certificate *certificate, struct nu_arena *arena)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate->leaf, NID_subject_alt_name, NULL, NULL);
    int count = names ? sk_GENERAL_NAME_num(names) : 0;
    certificate->names = nu_arena_alloc(arena, ((size_t)count + 1) * sizeof(*certificate->names));
    for (int i = 0; i < count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            add_name(certificate, arena, name->d.dNSName);
    }
    GENERAL_NAMES_free(names);
    if (certificate->name_count == 0)
        read_common_name(certificate, arena);
}

bool nu_tls_certificate_load(const struct nu_tls_certificate_source *source, struct nu_arena *arena,
                             struct nu_tls_certificate *out, struct nu_strbuf *error)
{
    memset(out, 0, sizeof(*out));
    ERR_clear_error();
    bool ok = source->pkcs12.len ? load_pkcs12(source, out, error) : load_pem(source, out, error);
    if (ok && X509_check_private_key(out->leaf, out->key) != 1)
        ok = fail_load(error, "private key",
                       source->pkcs12.len ? source->pkcs12_name : source->key_name, true);
    if (!ok) {
        nu_tls_certificate_finish(out);
        return false;
    }
    out->must_staple = nu_tls_must_staple(out->leaf);
    if (source->ocsp_staple.len &&
        !nu_tls_staple_load(source->ocsp_staple, out->leaf, arena, &out->staple, error)) {
        nu_tls_certificate_finish(out);
        return false;
    }
    read_names(out, arena);
    out->source =
        nu_arena_dup(arena, source->pkcs12.len ? source->pkcs12_name : source->chain_name);
    return true;
}

void nu_tls_certificate_finish(struct nu_tls_certificate *certificate)
{
    X509_free(certificate->leaf);
    sk_X509_pop_free(certificate->chain, X509_free);
    EVP_PKEY_free(certificate->key);
    memset(certificate, 0, sizeof(*certificate));
}

static bool matches_wildcard(struct nu_str pattern, struct nu_str name)
{
    size_t dot = nu_str_find_char(name, '.');
    return nu_str_starts_with(pattern, NU_STR("*.")) && dot != NU_NPOS && dot > 0 &&
           nu_str_eq(nu_str_skip(pattern, 1), nu_str_skip(name, dot));
}

bool nu_tls_certificate_is_for(const struct nu_tls_certificate *certificate, struct nu_str name)
{
    for (size_t i = 0; i < certificate->name_count; i++) {
        if (nu_str_eq(certificate->names[i], name) || matches_wildcard(certificate->names[i], name))
            return true;
    }
    return false;
}
