/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of secrets. What a file gives is one version: a message with the contents of all files
 * that it names put into it, so that what was checked is what is used. The message lives in an arena
 * of the version, which goes when the next one was taken.
 */
#include "tls/secrets.h"

#include <openssl/evp.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/xxhash.h"
#include "config/init_manager.h"
#include "event/file_watch.h"
#include "stats/sds_stats.h"
#include "stats/stats.h"
#include "tls/settings_from_proto.h"

#include "envoy/extensions/transport_sockets/tls/v3/secret.pb-c.h"
#include "envoy/service/discovery/v3/discovery.pb-c.h"

typedef Envoy__Extensions__TransportSockets__Tls__V3__Secret secret_proto;
typedef Envoy__Extensions__TransportSockets__Tls__V3__SdsSecretConfig reference_proto;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse response_proto;

struct digest {
    uint8_t bytes[32];
};

/* What one reading gave. */
struct version {
    struct nu_arena *arena; /* owned: the message's */
    struct nu_config_ctx ctx;
    const secret_proto *message; /* NULL: it cannot be used */
    struct nu_str name;          /* version_info */
    uint64_t taken_us;           /* wall clock */
    bool is_readable;            /* it could be parsed */
    struct digest file;          /* over the file itself */
    struct digest all;           /* and over those that it names */
};

struct nu_tls_secret {
    struct nu_list link;
    struct nu_tls_secrets *owner;
    enum nu_tls_secret_kind kind;
    char *name;                        /* owned */
    const secret_proto *message;       /* of today; NULL: none yet */
    struct nu_tls_secret_user **users; /* owned */
    size_t user_count;

    /* Of a file. */
    char *path; /* owned; NULL: a secret of the bootstrap */
    char *watched_directory;
    struct version *version; /* owned: today's; NULL: none yet */
    struct digest file_seen; /* by the last reading, good or bad */
    struct digest all_seen;
    struct nu_file_watch watch;
    struct nu_init_target target;
    struct nu_sds_stats *stats; /* the main thread's */
};

struct nu_tls_secrets {
    struct nu_list list;
    struct nu_loop *loop; /* borrowed, like the rest */
    struct nu_file_watcher *files;
    struct nu_stats *stats;
    struct nu_init_manager *init;
};

/* --- Kinds ------------------------------------------------------------------------------------ */

static const struct {
    int type_case;
    const char *name; /* in Envoy's messages */
    const char *duplicate;
} kinds[] = {
    [NU_TLS_SECRET_CERTIFICATE] =
        {ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__SECRET__TYPE_TLS_CERTIFICATE,
         "Unknown static secret", "TlsCertificate secret"},
    [NU_TLS_SECRET_VALIDATION] =
        {ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__SECRET__TYPE_VALIDATION_CONTEXT,
         "Unknown static certificate validation context", "CertificateValidationContext secret"},
    [NU_TLS_SECRET_TICKET_KEYS] =
        {ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__SECRET__TYPE_SESSION_TICKET_KEYS,
         "Unknown tls session ticket keys", "TlsSessionTicketKeys secret"},
};

static const ProtobufCMessage *content_of(const secret_proto *message)
{
    switch (message->type_case) {
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__SECRET__TYPE_TLS_CERTIFICATE:
        return &message->tls_certificate->base;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__SECRET__TYPE_VALIDATION_CONTEXT:
        return &message->validation_context->base;
    case ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__SECRET__TYPE_SESSION_TICKET_KEYS:
        return &message->session_ticket_keys->base;
    default:
        return NULL;
    }
}

const ProtobufCMessage *nu_tls_secret_message(const struct nu_tls_secret *secret)
{
    return secret->message ? content_of(secret->message) : NULL;
}

/* --- Users ------------------------------------------------------------------------------------ */

void nu_tls_secret_use(struct nu_tls_secret *secret, struct nu_tls_secret_user *user)
{
    for (size_t i = 0; i < secret->user_count; i++) {
        if (secret->users[i] == user)
            return;
    }
    secret->users = nu_realloc(secret->users, (secret->user_count + 1) * sizeof(*secret->users));
    secret->users[secret->user_count++] = user;
}

void nu_tls_secrets_forget(struct nu_tls_secrets *secrets, struct nu_tls_secret_user *user)
{
    struct nu_tls_secret *secret;
    nu_list_for_each(secret, &secrets->list, struct nu_tls_secret, link)
    {
        size_t kept = 0;
        for (size_t i = 0; i < secret->user_count; i++) {
            if (secret->users[i] != user)
                secret->users[kept++] = secret->users[i];
        }
        secret->user_count = kept;
    }
}

/* --- Reading a file --------------------------------------------------------------------------- */

static struct version *create_version(void)
{
    struct version *version = nu_calloc(1, sizeof(*version));
    version->arena = nu_arena_create();
    nu_config_ctx_init(&version->ctx, version->arena);
    version->ctx.allow_unknown = true; /* as Envoy takes what comes by xDS */
    return version;
}

static void destroy_version(struct version *version)
{
    if (!version)
        return;
    nu_config_ctx_finish(&version->ctx);
    nu_arena_destroy(&version->arena);
    nu_free(version);
}

static void end_digest(EVP_MD_CTX *md, struct digest *out)
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    int ok = EVP_MD_CTX_copy_ex(copy, md);
    nu_assert(ok == 1);
    EVP_DigestFinal_ex(copy, out->bytes, NULL);
    EVP_MD_CTX_free(copy);
}

static void digest_errors(EVP_MD_CTX *md, const struct nu_error_list *errors)
{
    struct nu_strbuf text = {0};
    for (size_t i = 0; i < errors->count; i++)
        nu_error_format(&errors->items[i], &text);
    EVP_DigestUpdate(md, text.data, text.len);
    nu_strbuf_finish(&text);
}

static void digest_message(EVP_MD_CTX *md, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = nu_alloc(size + 1);
    protobuf_c_message_pack(message, bytes);
    EVP_DigestUpdate(md, bytes, size);
    nu_free(bytes);
}

/* The one secret of an answer, or NULL after an error. */
static secret_proto *find_secret(const struct nu_tls_secret *secret, struct version *version,
                                 const response_proto *response)
{
    struct nu_config_ctx *ctx = &version->ctx;
    if (response->n_resources == 0) {
        nu_config_error(ctx, response, NULL, "Missing SDS resources for %s in onConfigUpdate()",
                        secret->name);
        return NULL;
    }
    if (response->n_resources > 1) {
        nu_config_error(ctx, response, NULL, "Unexpected SDS secrets length: %zu",
                        response->n_resources);
        return NULL;
    }
    const ProtobufCMessage *message =
        nu_config_any_of(ctx, response, "resources", response->resources[0],
                         &envoy__extensions__transport_sockets__tls__v3__secret__descriptor);
    secret_proto *found = nu_unconst((const secret_proto *)(const void *)message);
    if (!found)
        return NULL;
    if (strcmp(found->name, secret->name) != 0)
        nu_config_error(ctx, found, "name", "Unexpected SDS secret (expecting %s): %s",
                        secret->name, found->name);
    else if ((int)found->type_case != kinds[secret->kind].type_case)
        nu_config_error(ctx, found, NULL, "the secret %s is of another kind than what refers to it",
                        secret->name);
    return nu_config_is_ok(ctx) ? found : NULL;
}

static void watch_directory(struct nu_tls_secret *secret,
                            const Envoy__Config__Core__V3__WatchedDirectory *directory)
{
    if (directory)
        nu_file_watch_add_directory(&secret->watch, nu_str_from(directory->path));
}

/* Puts the bytes of a file into the message in place of its name. */
static void inline_source(struct nu_tls_secret *secret, struct version *version,
                          Envoy__Config__Core__V3__DataSource *source, EVP_MD_CTX *md)
{
    struct nu_str bytes;
    if (source->specifier_case != ENVOY__CONFIG__CORE__V3__DATA_SOURCE__SPECIFIER_FILENAME)
        return;
    nu_file_watch_add(&secret->watch, nu_str_from(source->filename));
    watch_directory(secret, source->watched_directory);
    if (!nu_config_data_source_now(&version->ctx, source, &bytes))
        return;
    EVP_DigestUpdate(md, &bytes.len, sizeof(bytes.len));
    EVP_DigestUpdate(md, bytes.ptr, bytes.len);
    source->specifier_case = ENVOY__CONFIG__CORE__V3__DATA_SOURCE__SPECIFIER_INLINE_BYTES;
    source->inline_bytes.data = (uint8_t *)nu_unconst(bytes.ptr);
    source->inline_bytes.len = bytes.len;
}

static void inline_certificate(struct nu_tls_secret *secret, struct version *version,
                               Envoy__Extensions__TransportSockets__Tls__V3__TlsCertificate *proto,
                               EVP_MD_CTX *md)
{
    Envoy__Config__Core__V3__DataSource *sources[] = {proto->certificate_chain, proto->private_key,
                                                      proto->pkcs12, proto->password,
                                                      proto->ocsp_staple};
    for (size_t i = 0; i < NU_ARRAY_LEN(sources); i++) {
        if (sources[i])
            inline_source(secret, version, sources[i], md);
    }
    watch_directory(secret, proto->watched_directory);
}

static void
inline_validation(struct nu_tls_secret *secret, struct version *version,
                  Envoy__Extensions__TransportSockets__Tls__V3__CertificateValidationContext *proto,
                  EVP_MD_CTX *md)
{
    if (proto->trusted_ca)
        inline_source(secret, version, proto->trusted_ca, md);
    if (proto->crl)
        inline_source(secret, version, proto->crl, md);
    watch_directory(secret, proto->watched_directory);
}

static void inline_files(struct nu_tls_secret *secret, struct version *version,
                         secret_proto *message, EVP_MD_CTX *md)
{
    switch (secret->kind) {
    case NU_TLS_SECRET_CERTIFICATE:
        inline_certificate(secret, version, message->tls_certificate, md);
        break;
    case NU_TLS_SECRET_VALIDATION:
        inline_validation(secret, version, message->validation_context, md);
        break;
    case NU_TLS_SECRET_TICKET_KEYS:
        for (size_t i = 0; i < message->session_ticket_keys->n_keys; i++)
            inline_source(secret, version, message->session_ticket_keys->keys[i], md);
        break;
    }
}

/* Whether it could be used, tried where nobody sees the result. */
static void check(const struct nu_tls_secret *secret, struct version *version,
                  const secret_proto *message)
{
    struct nu_arena *arena = nu_arena_create();
    struct nu_tls_reader reader = {.ctx = &version->ctx, .arena = arena};
    nu_tls_check_secret(&reader, secret->kind, content_of(message));
    nu_arena_destroy(&arena);
}

static struct version *read_version(struct nu_tls_secret *secret)
{
    struct version *version = create_version();
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    nu_file_watch_begin(&secret->watch);
    nu_file_watch_add(&secret->watch, nu_str_from(secret->path));
    if (secret->watched_directory)
        nu_file_watch_add_directory(&secret->watch, nu_str_from(secret->watched_directory));
    const response_proto *response = (const void *)nu_config_load(
        &version->ctx, secret->path, NULL,
        &envoy__service__discovery__v3__discovery_response__descriptor);
    version->is_readable = response != NULL;
    if (response)
        digest_message(md, &response->base);
    else
        digest_errors(md, &version->ctx.errors);
    end_digest(md, &version->file);
    secret_proto *message = response ? find_secret(secret, version, response) : NULL;
    if (message)
        inline_files(secret, version, message, md);
    end_digest(md, &version->all);
    EVP_MD_CTX_free(md);
    nu_file_watch_end(&secret->watch);
    if (message && nu_config_is_ok(&version->ctx))
        check(secret, version, message);
    if (message && nu_config_is_ok(&version->ctx))
        version->message = message;
    if (response)
        version->name = nu_str_from(response->version_info);
    return version;
}

/* --- Taking what was read --------------------------------------------------------------------- */

static bool is_equal(const struct digest *a, const struct digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static void log_errors(const struct nu_tls_secret *secret, const char *what,
                       const struct version *version)
{
    for (size_t i = 0; i < version->ctx.errors.count; i++) {
        struct nu_strbuf text = {0};
        nu_error_format(&version->ctx.errors.items[i], &text);
        nu_log(NU_LOG_CONFIG, NU_LOG_WARN, "secret %s: %s: %s", secret->name, what, text.data);
        nu_strbuf_finish(&text);
    }
}

/* Counts a version that the file gave. */
static void count_update(struct nu_tls_secret *secret, const struct version *version,
                         uint64_t began_us)
{
    struct nu_sds_stats *stats = secret->stats;
    nu_counter_inc(&stats->update_attempt);
    if (!version->is_readable) {
        nu_counter_inc(&stats->update_failure);
        log_errors(secret, "Filesystem config update failure", version);
    } else if (!version->message) {
        nu_counter_inc(&stats->update_rejected);
        log_errors(secret, "Filesystem config update rejected", version);
    } else {
        nu_counter_inc(&stats->update_success);
        nu_gauge_set(&stats->update_time, (int64_t)(version->taken_us / 1000));
        nu_gauge_set(&stats->version, (int64_t)nu_xxhash64(version->name));
        nu_text_set(&stats->version_text, version->name);
        nu_histogram_record(&stats->update_duration, (nu_clock_monotonic_us() - began_us) / 1000);
    }
}

static void take(struct nu_tls_secret *secret, struct version *version)
{
    struct version *old = secret->version;
    secret->version = version;
    secret->message = version->message;
    for (size_t i = 0; i < secret->user_count; i++)
        secret->users[i]->on_change(secret->users[i]);
    destroy_version(old);
}

static void refresh(struct nu_tls_secret *secret)
{
    uint64_t began_us = nu_clock_monotonic_us();
    struct version *version = read_version(secret);
    bool is_new = !is_equal(&version->file, &secret->file_seen);
    bool is_same = !is_new && is_equal(&version->all, &secret->all_seen);
    version->taken_us = nu_loop_realtime_us(secret->owner->loop);
    secret->file_seen = version->file;
    secret->all_seen = version->all;
    if (is_new) {
        count_update(secret, version, began_us);
    } else if (!is_same && !version->message) {
        nu_counter_inc(&secret->stats->key_rotation_failed);
        log_errors(secret, "key rotation failed", version);
    }
    if (!is_same && version->message)
        take(secret, version);
    else
        destroy_version(version);
}

static void on_files(struct nu_file_watch *watch)
{
    refresh(nu_container_of(watch, struct nu_tls_secret, watch));
}

static void on_start(struct nu_init_target *target)
{
    struct nu_tls_secret *secret = nu_container_of(target, struct nu_tls_secret, target);
    refresh(secret);
    nu_init_target_ready(target);
}

/* --- The table -------------------------------------------------------------------------------- */

struct nu_tls_secrets *nu_tls_secrets_create(struct nu_loop *loop, struct nu_file_watcher *files,
                                             struct nu_stats *stats, struct nu_init_manager *init)
{
    struct nu_tls_secrets *secrets = nu_calloc(1, sizeof(*secrets));
    *secrets = (struct nu_tls_secrets){.loop = loop, .files = files, .stats = stats, .init = init};
    nu_list_init(&secrets->list);
    return secrets;
}

static void destroy_secret(struct nu_tls_secret *secret)
{
    nu_list_remove(&secret->link);
    nu_file_watch_finish(&secret->watch);
    if (secret->path)
        nu_init_target_finish(&secret->target);
    destroy_version(secret->version);
    nu_free(secret->users);
    nu_free(secret->path);
    nu_free(secret->watched_directory);
    nu_free(secret->name);
    nu_free(secret);
}

void nu_tls_secrets_destroy(struct nu_tls_secrets **secrets_ptr)
{
    struct nu_tls_secrets *secrets = *secrets_ptr;
    struct nu_tls_secret *secret;
    if (!secrets)
        return;
    *secrets_ptr = NULL;
    nu_list_for_each(secret, &secrets->list, struct nu_tls_secret, link) destroy_secret(secret);
    nu_free(secrets);
}

static struct nu_tls_secret *find(const struct nu_tls_secrets *secrets,
                                  enum nu_tls_secret_kind kind, const char *name, const char *path)
{
    struct nu_tls_secret *secret;
    nu_list_for_each(secret, &secrets->list, struct nu_tls_secret, link)
    {
        bool same_place = path ? secret->path && strcmp(path, secret->path) == 0 : !secret->path;
        if (same_place && secret->kind == kind && strcmp(name, secret->name) == 0)
            return secret;
    }
    return NULL;
}

static struct nu_tls_secret *add(struct nu_tls_secrets *secrets, enum nu_tls_secret_kind kind,
                                 const char *name)
{
    struct nu_tls_secret *secret = nu_calloc(1, sizeof(*secret));
    secret->owner = secrets;
    secret->kind = kind;
    secret->name = nu_strndup(name, strlen(name));
    nu_list_add_last(&secrets->list, &secret->link);
    return secret;
}

void nu_tls_secrets_add_static(struct nu_tls_secrets *secrets, struct nu_config_ctx *ctx,
                               const secret_proto *proto)
{
    for (size_t kind = 0; kind < NU_ARRAY_LEN(kinds); kind++) {
        if (kinds[kind].type_case != (int)proto->type_case)
            continue;
        if (find(secrets, (enum nu_tls_secret_kind)kind, proto->name, NULL))
            nu_config_error(ctx, proto, "name", "Duplicate static %s name %s",
                            kinds[kind].duplicate, proto->name);
        else
            add(secrets, (enum nu_tls_secret_kind)kind, proto->name)->message = proto;
        return;
    }
    nu_config_error(ctx, proto, NULL, "Secret type not implemented");
}

/* --- Secrets of files ------------------------------------------------------------------------- */

static char *copy_of(const char *text)
{
    return nu_strndup(text, strlen(text));
}

static const char *path_of(const Envoy__Config__Core__V3__ConfigSource *source)
{
    return source->config_source_specifier_case ==
                   ENVOY__CONFIG__CORE__V3__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER_PATH
               ? source->path
               : source->path_config_source->path;
}

static void start_watching(struct nu_tls_secret *secret,
                           const Envoy__Config__Core__V3__ConfigSource *source)
{
    struct nu_tls_secrets *secrets = secret->owner;
    struct nu_strbuf scope = {0};
    secret->path = copy_of(path_of(source));
    if (source->config_source_specifier_case ==
            ENVOY__CONFIG__CORE__V3__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER_PATH_CONFIG_SOURCE &&
        source->path_config_source->watched_directory)
        secret->watched_directory = copy_of(source->path_config_source->watched_directory->path);
    nu_strbuf_add_cstr(&scope, "sds.");
    nu_stats_sanitize(&scope, nu_str_from(secret->name));
    secret->stats = nu_stat_set_block(
        nu_stat_set_create(secrets->stats, &nu_sds_stats_table, nu_strbuf_str(&scope)));
    nu_strbuf_finish(&scope);
    nu_file_watch_init(&secret->watch, secrets->files, on_files);
    nu_init_target_init(&secret->target, "a secret of a file", on_start);
    nu_init_manager_add(secrets->init, &secret->target);
}

static struct nu_tls_secret *get_of_file(struct nu_tls_secrets *secrets, struct nu_config_ctx *ctx,
                                         const reference_proto *proto, enum nu_tls_secret_kind kind)
{
    const char *path = path_of(proto->sds_config);
    struct nu_tls_secret *secret = find(secrets, kind, proto->name, path);
    if (secret)
        return secret;
    if (access(path, F_OK) != 0) {
        nu_config_error(ctx, proto->sds_config, NULL,
                        "paths must refer to an existing path in the system: '%s' does not exist",
                        path);
        return NULL;
    }
    secret = add(secrets, kind, proto->name);
    start_watching(secret, proto->sds_config);
    return secret;
}

struct nu_tls_secret *nu_tls_secrets_get(struct nu_tls_secrets *secrets, struct nu_config_ctx *ctx,
                                         const reference_proto *proto, enum nu_tls_secret_kind kind)
{
    if (proto->sds_config)
        return get_of_file(secrets, ctx, proto, kind);
    struct nu_tls_secret *secret = find(secrets, kind, proto->name, NULL);
    if (!secret)
        nu_config_error(ctx, proto, "name", "%s: %s", kinds[kind].name, proto->name);
    return secret;
}

/* --- Showing ---------------------------------------------------------------------------------- */

bool nu_tls_secrets_next(const struct nu_tls_secrets *secrets, bool is_static, size_t *cursor,
                         struct nu_tls_secret_view *out)
{
    struct nu_tls_secret *secret;
    size_t index = 0;
    nu_list_for_each(secret, &secrets->list, struct nu_tls_secret, link)
    {
        if (!secret->message || is_static == (secret->path != NULL) || index++ < *cursor)
            continue;
        ++*cursor;
        *out = (struct nu_tls_secret_view){
            .message = &secret->message->base,
            .name = nu_str_from(secret->name),
            .version = secret->version ? secret->version->name : nu_str_make(NULL, 0),
            .updated_us = secret->version ? secret->version->taken_us : 0,
        };
        return true;
    }
    return false;
}
