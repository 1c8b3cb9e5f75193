/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a program under test: counts how often it calls OpenSSL to go on with a handshake or
 * to read, in a number that the test reads, in the file that COUNT_TLS_READS names.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct ssl_st SSL;

static _Atomic(uint64_t) *shared;
static int (*do_handshake)(SSL *ssl);
static int (*read_ex)(SSL *ssl, void *buf, size_t num, size_t *readbytes);

__attribute__((constructor)) static void prepare(void)
{
    *(void **)&do_handshake = dlsym(RTLD_NEXT, "SSL_do_handshake");
    *(void **)&read_ex = dlsym(RTLD_NEXT, "SSL_read_ex");
    const char *path = getenv("COUNT_TLS_READS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED)
        shared = map;
}

static void count(void)
{
    if (shared)
        atomic_fetch_add_explicit(shared, 1, memory_order_relaxed);
}

int SSL_do_handshake(SSL *ssl)
{
    count();
    return do_handshake(ssl);
}

int SSL_read_ex(SSL *ssl, void *buf, size_t num, size_t *readbytes)
{
    count();
    return read_ex(ssl, buf, num, readbytes);
}
