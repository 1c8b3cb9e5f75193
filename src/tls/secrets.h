/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets by name: certificates with keys, what peers are judged by, ticket keys. Those of the
 * bootstrap are there from the start and never change (the files that they name may); those of a
 * file (SDS) come when the server starts and are renewed whenever the file, or one that it names,
 * changes. A new version that cannot be used is refused, and the old one stays.
 *
 * Main thread.
 */
#ifndef NU_TLS_SECRETS_H
#define NU_TLS_SECRETS_H

#include "base/str.h"
#include "config/config.h"

struct nu_file_watcher;
struct nu_init_manager;
struct nu_loop;
struct nu_stats;
struct Envoy__Extensions__TransportSockets__Tls__V3__SdsSecretConfig;
struct Envoy__Extensions__TransportSockets__Tls__V3__Secret;
struct nu_tls_secret;
struct nu_tls_secrets;

enum nu_tls_secret_kind {
    NU_TLS_SECRET_CERTIFICATE,
    NU_TLS_SECRET_VALIDATION,
    NU_TLS_SECRET_TICKET_KEYS,
};

/* Who is told when a secret that it uses has changed; embedded in it. */
struct nu_tls_secret_user {
    void (*on_change)(struct nu_tls_secret_user *user);
};

/* `loop` is the main thread's; `init` waits for the first reading of files; `files` may be NULL:
 * nothing is renewed then. */
struct nu_tls_secrets *nu_tls_secrets_create(struct nu_loop *loop, struct nu_file_watcher *files,
                                             struct nu_stats *stats, struct nu_init_manager *init);
/* After all users are gone. */
void nu_tls_secrets_destroy(struct nu_tls_secrets **secrets);

/* Adds a secret of the bootstrap. */
void nu_tls_secrets_add_static(
    struct nu_tls_secrets *secrets, struct nu_config_ctx *ctx,
    const struct Envoy__Extensions__TransportSockets__Tls__V3__Secret *proto);

/*
 * The secret that a configuration refers to: one of the bootstrap's, or one of a file, which is
 * made by the first reference and read when the init manager starts. NULL after adding an error.
 */
struct nu_tls_secret *nu_tls_secrets_get(
    struct nu_tls_secrets *secrets, struct nu_config_ctx *ctx,
    const struct Envoy__Extensions__TransportSockets__Tls__V3__SdsSecretConfig *proto,
    enum nu_tls_secret_kind kind);

/* What it holds today (TlsCertificate, CertificateValidationContext, TlsSessionTicketKeys), until
 * its next change; NULL while it is not there. */
const ProtobufCMessage *nu_tls_secret_message(const struct nu_tls_secret *secret);

/* Tells `user` of changes from now on; asking twice is asking once. */
void nu_tls_secret_use(struct nu_tls_secret *secret, struct nu_tls_secret_user *user);
/* Takes a user out of all secrets. */
void nu_tls_secrets_forget(struct nu_tls_secrets *secrets, struct nu_tls_secret_user *user);

/* What /config_dump shows of one. */
struct nu_tls_secret_view {
    const ProtobufCMessage *message; /* the Secret */
    struct nu_str name;
    struct nu_str version;
    uint64_t updated_us; /* wall clock */
};

/* The secrets that are there, one after the other, with *cursor = 0 first; false at the end. */
bool nu_tls_secrets_next(const struct nu_tls_secrets *secrets, bool is_static, size_t *cursor,
                         struct nu_tls_secret_view *out);

#endif
