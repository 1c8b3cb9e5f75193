/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL has one option for all versions, and chooses the cipher right after the version. So the
 * option is changed for a connection when its ClientHello has come, in which the version can be seen:
 * the highest that both sides know.
 */
#include "tls/cipher_order.h"

/* Whether the list of versions, two bytes each behind one of its length, has TLS 1.3. */
static bool has_tls13(const unsigned char *list, size_t len)
{
    for (size_t i = 1; i + 1 < len; i += 2) {
        if ((list[i] << 8 | list[i + 1]) == TLS1_3_VERSION)
            return true;
    }
    return false;
}

static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    (void)arg;
    const unsigned char *versions;
    size_t len;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &versions, &len) == 1 &&
        has_tls13(versions, len))
        SSL_clear_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
    return SSL_CLIENT_HELLO_SUCCESS;
}

void nu_tls_cipher_order_set(SSL_CTX *ctx, const struct nu_tls_settings *settings)
{
    if (settings->prefer_client_ciphers)
        return;
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (settings->chacha_if_first)
        SSL_CTX_set_options(ctx, SSL_OP_PRIORITIZE_CHACHA);
    if (settings->min_version <= TLS1_3_VERSION && settings->max_version >= TLS1_3_VERSION)
        SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
}
