/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a program under test: counts how often it calls OpenSSL to go on with a handshake or
 * to read, in a number that the test reads, in the file that COUNT_TLS_READS names.
 */
#include <dlfcn.h>

#include "shared_count.h"

typedef struct ssl_st SSL;

static int (*do_handshake)(SSL *ssl);
static int (*read_ex)(SSL *ssl, void *buf, size_t num, size_t *readbytes);

__attribute__((constructor)) static void prepare(void)
{
    *(void **)&do_handshake = dlsym(RTLD_NEXT, "SSL_do_handshake");
    *(void **)&read_ex = dlsym(RTLD_NEXT, "SSL_read_ex");
    open_shared_count("COUNT_TLS_READS");
}

int SSL_do_handshake(SSL *ssl)
{
    add_to_shared_count();
    return do_handshake(ssl);
}

int SSL_read_ex(SSL *ssl, void *buf, size_t num, size_t *readbytes)
{
    add_to_shared_count();
    return read_ex(ssl, buf, num, readbytes);
}
