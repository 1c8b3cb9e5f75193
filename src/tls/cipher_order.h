/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose order of ciphers decides. Up to TLS 1.2 it is the server's, unless it is to follow its clients;
 * in TLS 1.3, where all suites are good, always the client's, as BoringSSL has it: it knows what it is
 * fast at. A callback of OpenSSL's; the connection's thread.
 */
#ifndef NU_TLS_CIPHER_ORDER_H
#define NU_TLS_CIPHER_ORDER_H

#include "tls/context.h"

/* Sets the order for a server with `settings`. */
void nu_tls_cipher_order_set(SSL_CTX *ctx, const struct nu_tls_settings *settings);

#endif
