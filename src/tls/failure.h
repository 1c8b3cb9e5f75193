/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why TLS failed, as Envoy's logs have it: BoringSSL's number and name of the reason, where it has
 * one. Any thread.
 */
#ifndef NU_TLS_FAILURE_H
#define NU_TLS_FAILURE_H

#include <openssl/ssl.h>

#include "base/str.h"

/* Empties OpenSSL's queue of errors into "TLS_error:|NUMBER:SSL routines:OPENSSL_internal:NAME:
 * TLS_error_end". */
void nu_tls_describe_errors(const SSL *ssl, struct nu_strbuf *out);
/* The same for a peer that changes its keys for nothing. */
void nu_tls_describe_key_updates(struct nu_strbuf *out);
/* The same for a socket that broke. */
void nu_tls_describe_errno(int error, struct nu_strbuf *out);

#endif
