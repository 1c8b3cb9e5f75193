/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL has room for one certificate of each key type and takes the one that the client can use,
 * an ECDSA one first. So the choice is which of ours are put there: those that are for the server
 * name, the first of each type.
 */
#include "tls/choice.h"

#include <time.h>

#include "base/assert.h"

static bool use_certificate(SSL *ssl, const struct nu_tls_certificate *certificate)
{
    return SSL_use_cert_and_key(ssl, certificate->leaf, certificate->key, certificate->chain, 1) ==
           1;
}

static struct nu_str lower_server_name(SSL *ssl, char *buffer, size_t size)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    size_t len = name ? strlen(name) : 0;
    if (len >= size)
        return nu_str_make(NULL, 0);
    for (size_t i = 0; i < len; i++)
        buffer[i] = nu_ascii_lower(name[i]);
    return nu_str_make(buffer, len);
}

static enum nu_tls_staple_action decide_staple(const struct nu_tls_settings *settings,
                                               const struct nu_tls_certificate *certificate)
{
    enum nu_tls_staple_policy policy =
        certificate->must_staple ? NU_TLS_STAPLE_MUST : settings->staple_policy;
    return nu_tls_staple_decide(&certificate->staple, policy, (int64_t)time(NULL));
}

/* A client that asks for a staple is not shown what may not be shown without one. */
static bool may_show(SSL *ssl, const struct nu_tls_settings *settings,
                     const struct nu_tls_certificate *certificate)
{
    return SSL_get_tlsext_status_type(ssl) != TLSEXT_STATUSTYPE_ocsp ||
           decide_staple(settings, certificate) != NU_TLS_STAPLE_REFUSE;
}

/* Puts all certificates that are for `name` there, or all if it is empty. The first of each type
 * wins, so it is put there last. */
static bool use_those_for(SSL *ssl, const struct nu_tls_settings *settings, struct nu_str name)
{
    bool used = false;
    for (size_t i = settings->certificate_count; i-- > 0;) {
        const struct nu_tls_certificate *certificate = &settings->certificates[i];
        if (name.len && !nu_tls_certificate_is_for(certificate, name))
            continue;
        if (may_show(ssl, settings, certificate))
            used |= use_certificate(ssl, certificate);
    }
    return used;
}

/* A client that names no server may get any certificate; one that names an unknown one gets the
 * first, or any where all are to be looked at. */
static int on_choose(SSL *ssl, void *arg)
{
    const struct nu_tls_settings *settings = arg;
    char buffer[256];
    struct nu_str name = lower_server_name(ssl, buffer, sizeof(buffer));
    SSL_certs_clear(ssl); /* the context's, which would be there for their key type */
    if (name.len && use_those_for(ssl, settings, name))
        return 1;
    if (settings->require_sni)
        return 0;
    if ((!name.len || settings->full_scan) && use_those_for(ssl, settings, nu_str_make(NULL, 0)))
        return 1;
    return use_certificate(ssl, &settings->certificates[0]) ? 1 : 0;
}

/* --- Staples ---------------------------------------------------------------------------------- */

static const struct nu_tls_certificate *certificate_in_use(SSL *ssl,
                                                           const struct nu_tls_settings *settings)
{
    const X509 *leaf = SSL_get_certificate(ssl);
    for (size_t i = 0; i < settings->certificate_count; i++) {
        if (settings->certificates[i].leaf == leaf)
            return &settings->certificates[i];
    }
    return NULL;
}

static int send_staple(SSL *ssl, const struct nu_tls_staple *staple)
{
    unsigned char *copy = OPENSSL_memdup(staple->der.ptr, staple->der.len);
    nu_assert(copy);
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)staple->der.len);
    return SSL_TLSEXT_ERR_OK;
}

/* The client asks for a staple of the certificate that was chosen. */
static int on_staple_request(SSL *ssl, void *arg)
{
    const struct nu_tls_settings *settings = arg;
    const struct nu_tls_context_local *local = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const struct nu_tls_certificate *certificate = certificate_in_use(ssl, settings);
    nu_counter_inc(&local->stats->ocsp_staple_requests);
    if (!certificate)
        return SSL_TLSEXT_ERR_NOACK;
    switch (decide_staple(settings, certificate)) {
    case NU_TLS_STAPLE_SEND:
        nu_counter_inc(&local->stats->ocsp_staple_responses);
        return send_staple(ssl, &certificate->staple);
    case NU_TLS_STAPLE_OMIT:
        nu_counter_inc(&local->stats->ocsp_staple_omitted);
        return SSL_TLSEXT_ERR_NOACK;
    case NU_TLS_STAPLE_REFUSE:
        break;
    }
    nu_counter_inc(&local->stats->ocsp_staple_failed);
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool nu_tls_choice_set(SSL_CTX *ctx, struct nu_tls_settings *settings)
{
    if (settings->is_server) {
        if (settings->certificate_count > 1 || settings->require_sni)
            SSL_CTX_set_cert_cb(ctx, on_choose, settings);
        SSL_CTX_set_tlsext_status_cb(ctx, on_staple_request);
        SSL_CTX_set_tlsext_status_arg(ctx, settings);
    }
    if (settings->certificate_count == 0)
        return true;
    /* The first one also tells OpenSSL that there are certificates at all. */
    const struct nu_tls_certificate *first = &settings->certificates[0];
    return SSL_CTX_use_cert_and_key(ctx, first->leaf, first->key, first->chain, 1) == 1;
}
