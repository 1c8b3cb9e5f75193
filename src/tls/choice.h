/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which certificate a client is shown, and with which OCSP staple. Callbacks of OpenSSL's; the
 * connection's thread.
 */
#ifndef NU_TLS_CHOICE_H
#define NU_TLS_CHOICE_H

#include "tls/context.h"

/* Makes the certificates of `settings` those of `ctx`. False if OpenSSL refuses them. */
NU_MUST_USE bool nu_tls_choice_set(SSL_CTX *ctx, struct nu_tls_settings *settings);

#endif
