/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading what a TLS context is configured with: once at the start, and again whenever a file or a
 * secret that it uses has changed. Main thread.
 */
#ifndef NU_TLS_SETTINGS_FROM_PROTO_H
#define NU_TLS_SETTINGS_FROM_PROTO_H

#include <openssl/evp.h>

#include "event/file_watch.h"
#include "tls/context.h"
#include "tls/secrets.h"

struct nu_config_ctx;
struct nu_log_writer;
struct nu_runtime;

/* One reading: where it gets things from, and what it finds out on its way. */
struct nu_tls_reader {
    struct nu_config_ctx *ctx; /* takes the errors, and bytes that are needed while reading only */
    struct nu_arena *arena;    /* of the result */
    const struct nu_runtime *runtime;
    struct nu_log_writer *log_writer; /* NULL: logs are not opened */
    struct nu_tls_secrets *secrets;   /* NULL: there are none */
    struct nu_tls_secret_user *user;  /* told of changes of the secrets used; NULL for nobody */
    struct nu_file_watch *watch;      /* gets the files; between begin and end; NULL for none */
    EVP_MD_CTX *digest;               /* over all bytes that were read; NULL for none */
    bool is_waiting;                  /* a secret is not there yet */
};

/*
 * Reads a DownstreamTlsContext or an UpstreamTlsContext; texts and arrays go to reader->arena.
 * Whatever is wrong is in ctx->errors. The caller finishes `settings` in any case.
 */
void nu_tls_settings_from_proto(struct nu_tls_reader *reader, const ProtobufCMessage *message,
                                struct nu_tls_settings *settings);

/* Reads a secret's message by itself, so that a bad one is not taken; the errors are in ctx. */
void nu_tls_check_secret(struct nu_tls_reader *reader, enum nu_tls_secret_kind kind,
                         const ProtobufCMessage *message);

#endif
