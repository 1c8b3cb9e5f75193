/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the first message of a TLS client without speaking TLS: the server name and the protocols
 * that it asks for (RFC 8446 4.1.2, RFC 6066 3, RFC 7301 3.1). Any thread.
 */
#ifndef NU_TLS_CLIENT_HELLO_H
#define NU_TLS_CLIENT_HELLO_H

#include "base/arena.h"

enum nu_client_hello_result {
    NU_CLIENT_HELLO_COMPLETE,
    NU_CLIENT_HELLO_PARTIAL,   /* what is there fits, more must follow */
    NU_CLIENT_HELLO_NOT_TLS,   /* the bytes begin no TLS record */
    NU_CLIENT_HELLO_MALFORMED, /* a TLS record, but no sound ClientHello */
    NU_CLIENT_HELLO_TOO_LARGE, /* announced longer than `max_bytes` */
};

struct nu_client_hello {
    struct nu_str server_name; /* as sent; empty if there is none */
    struct nu_str *protocols;  /* by the client's preference */
    size_t protocol_count;
};

/* Reads `bytes`, the beginning of a connection; texts of the result are in `arena`. */
enum nu_client_hello_result nu_client_hello_read(struct nu_str bytes, size_t max_bytes,
                                                 struct nu_arena *arena,
                                                 struct nu_client_hello *out);

#endif
