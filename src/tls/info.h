/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a TLS transport knows of its two ends, as http/ssl_info.h has it. It shares the connection's
 * SSL, so that logs may still ask after the connection is gone. The connection's thread.
 */
#ifndef NU_TLS_INFO_H
#define NU_TLS_INFO_H

#include <openssl/ssl.h>

#include "http/ssl_info.h"

/* An info with one reference. */
struct nu_ssl_info *nu_tls_info_create(SSL *ssl);

#endif
