/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets of connections, written to a file for whoever has to look into their traffic, in the
 * format that Wireshark reads (NSS key log). Connections are chosen by their addresses.
 */
#ifndef NU_TLS_KEY_LOG_H
#define NU_TLS_KEY_LOG_H

#include <openssl/ssl.h>

#include "match/cidr_list.h"

struct nu_log_file;
struct nu_log_writer;

struct nu_tls_key_log {
    struct nu_log_file *file;   /* borrowed: the log writer's; NULL: nothing is written */
    struct nu_cidr_list local;  /* empty: all */
    struct nu_cidr_list remote; /* empty: all */
};

/* Opens the file at `path`, which its owner alone may read where it is new. NULL with the reason in
 * `error`. Main thread. */
struct nu_log_file *nu_tls_key_log_open(struct nu_log_writer *writer, const char *path,
                                        struct nu_strbuf *error);

/* OpenSSL's callback for contexts whose settings have a key log. The connection's thread. */
void nu_tls_key_log_line(const SSL *ssl, const char *line);

#endif
