/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading and reloading. A digest over all that was read tells whether anything is different, so
 * that a file that was only touched costs a reading and no more. The first reading's errors are the
 * configuration's; those of a later one go to the log.
 */
#include "tls/source.h"

#include <openssl/evp.h>

#include "base/alloc.h"
#include "base/log.h"
#include "event/loop.h"
#include "tls/settings_from_proto.h"

struct digest {
    uint8_t bytes[32];
};

struct nu_tls_source {
    struct nu_tls_context *context;   /* owned */
    const ProtobufCMessage *message;  /* borrowed: the configuration's */
    const struct nu_config_ctx *ctx;  /* borrowed: where the message was read */
    const struct nu_runtime *runtime; /* borrowed; of the first reading */
    struct nu_log_writer *log_writer; /* borrowed */
    struct nu_loop *loop;             /* borrowed; NULL: nothing is read again */
    struct nu_tls_secrets *secrets;   /* borrowed; may be NULL */
    struct nu_tls_secret_user user;   /* of the secrets */
    struct nu_file_watch watch;       /* of the files */
    struct digest seen;               /* of the last reading, good or bad */
    struct nu_str scope;
};

struct nu_tls_context *nu_tls_source_context(struct nu_tls_source *source)
{
    return source->context;
}

/* --- Reading ---------------------------------------------------------------------------------- */

enum outcome {
    UNCHANGED,
    CHANGED,
    WAITING, /* for a secret */
    FAILED,
};

static enum outcome use_settings(struct nu_tls_source *source, struct nu_config_ctx *ctx,
                                 const struct nu_tls_settings *settings, struct nu_arena *arena)
{
    struct nu_strbuf error = {0};
    bool ok = nu_tls_context_set(source->context, settings, arena, &error);
    if (!ok)
        nu_config_error(ctx, source->message, NULL, "%s", error.data);
    nu_strbuf_finish(&error);
    return ok ? CHANGED : FAILED;
}

/* Reads everything, and gives the context new settings if anything is different. */
static enum outcome read_all(struct nu_tls_source *source, struct nu_config_ctx *ctx)
{
    struct nu_arena *arena = nu_arena_create();
    struct nu_tls_settings settings;
    struct nu_tls_reader reader = {
        .ctx = ctx,
        .arena = arena,
        .runtime = source->runtime,
        .log_writer = source->log_writer,
        .secrets = source->secrets,
        .user = &source->user,
        .watch = &source->watch,
        .digest = EVP_MD_CTX_new(),
    };
    struct digest digest;
    size_t errors = ctx->errors.count;
    EVP_DigestInit_ex(reader.digest, EVP_sha256(), NULL);
    nu_file_watch_begin(&source->watch);
    nu_tls_settings_from_proto(&reader, source->message, &settings);
    nu_file_watch_end(&source->watch);
    EVP_DigestFinal_ex(reader.digest, digest.bytes, NULL);
    EVP_MD_CTX_free(reader.digest);
    bool failed = ctx->errors.count != errors;
    bool same = memcmp(digest.bytes, source->seen.bytes, sizeof(digest.bytes)) == 0;
    source->seen = digest;
    if (!failed && !same && !reader.is_waiting)
        return use_settings(source, ctx, &settings, arena);
    nu_tls_settings_finish(&settings);
    nu_arena_destroy(&arena);
    if (same)
        return UNCHANGED;
    return failed ? FAILED : WAITING;
}

static void log_errors(const struct nu_tls_source *source, const struct nu_error_list *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        struct nu_strbuf text = {0};
        nu_error_format(&errors->items[i], &text);
        nu_log(NU_LOG_CONFIG, NU_LOG_WARN, "%.*s: the TLS settings stay as they are: %s",
               NU_STR_ARG(source->scope), text.data);
        nu_strbuf_finish(&text);
    }
}

/* Readings after the first one. */
static void read_again(struct nu_tls_source *source, bool is_for_secret)
{
    struct nu_tls_factory_stats *stats = nu_tls_context_factory_stats(source->context);
    struct nu_config_ctx ctx;
    struct nu_arena scratch;
    nu_arena_init(&scratch);
    nu_config_ctx_init_view(&ctx, source->ctx, &scratch);
    source->runtime = source->loop->runtime;
    switch (read_all(source, &ctx)) {
    case CHANGED:
        nu_counter_inc(is_for_secret ? &stats->ssl_context_update_by_sds
                                     : &stats->ssl_context_update_by_files);
        nu_log(NU_LOG_CONFIG, NU_LOG_INFO, "%.*s: new TLS settings", NU_STR_ARG(source->scope));
        break;
    case FAILED:
        nu_counter_inc(&stats->ssl_context_update_failed);
        log_errors(source, &ctx.errors);
        break;
    case UNCHANGED:
    case WAITING:
        break;
    }
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&scratch);
}

static void on_files(struct nu_file_watch *watch)
{
    read_again(nu_container_of(watch, struct nu_tls_source, watch), false);
}

static void on_secret(struct nu_tls_secret_user *user)
{
    read_again(nu_container_of(user, struct nu_tls_source, user), true);
}

/* --- Life ------------------------------------------------------------------------------------- */

struct nu_tls_source *nu_tls_source_create(struct nu_factory *factory,
                                           const ProtobufCMessage *message, struct nu_str scope)
{
    bool is_server = strcmp(message->descriptor->short_name, "DownstreamTlsContext") == 0;
    struct nu_tls_source *source = nu_calloc(1, sizeof(*source));
    *source = (struct nu_tls_source){
        .context = nu_tls_context_create(is_server, factory->stats, scope),
        .message = message,
        .ctx = factory->ctx,
        .runtime = factory->runtime,
        .log_writer = factory->log_writer,
        .loop = factory->loop,
        .secrets = factory->secrets,
        .user = {.on_change = on_secret},
        .scope = nu_arena_dup(factory->arena, scope),
    };
    nu_file_watch_init(&source->watch, factory->files, on_files);
    if (read_all(source, factory->ctx) == FAILED)
        nu_tls_source_destroy(&source);
    else if (factory->tls_contexts)
        nu_tls_context_list(source->context, factory->tls_contexts);
    return source;
}

void nu_tls_source_destroy(struct nu_tls_source **source_ptr)
{
    struct nu_tls_source *source = *source_ptr;
    if (!source)
        return;
    *source_ptr = NULL;
    if (source->secrets)
        nu_tls_secrets_forget(source->secrets, &source->user);
    nu_file_watch_finish(&source->watch);
    nu_tls_context_destroy(&source->context);
    nu_free(source);
}
