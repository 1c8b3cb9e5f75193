/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources of a file: a DiscoveryResponse in YAML, JSON or binary. It is read when the subscription
 * starts, and again whenever it may have changed. Each file that is put there is an update, also one that
 * says the same as the one before: it may renew a time to live. A look at the same one is none.
 * Whatever is wrong with one version leaves the subscriber with the last good one.
 */
#include "xds/subscribe.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/xxhash.h"
#include "config/factory.h"
#include "event/file_watch.h"
#include "event/loop.h"
#include "stats/histogram.h"
#include "stats/value.h"

#include "envoy/config/core/v3/config_source.pb-c.h"
#include "envoy/service/discovery/v3/discovery.pb-c.h"

typedef Envoy__Config__Core__V3__ConfigSource source_proto;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse response_proto;

struct file_subscription {
    struct nu_subscription base;
    struct nu_subscription_params params; /* without the source */
    struct nu_loop *loop;                 /* borrowed; NULL: never read */
    char *path;                           /* owned */
    char *watched_directory;              /* owned; NULL: none */
    bool rejects_unknown;
    struct nu_file_watch watch;
    struct stat seen; /* the file at the last reading */
};

static struct file_subscription *file_of(struct nu_subscription *base)
{
    return nu_container_of(base, struct file_subscription, base);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* The resources of an answer, out of their Anys; in the context's arena. */
static bool take_out(struct file_subscription *file, struct nu_config_ctx *ctx,
                     const response_proto *response, struct nu_resources *out)
{
    const ProtobufCMessage **items =
        nu_arena_alloc(ctx->arena, (response->n_resources + 1) * sizeof(void *));
    for (size_t i = 0; i < response->n_resources; i++)
        items[i] =
            nu_config_any_of(ctx, response, "resources", response->resources[i], file->params.type);
    *out = (struct nu_resources){
        .items = items,
        .count = response->n_resources,
        .version = nu_str_from(response->version_info),
    };
    return nu_config_is_ok(ctx);
}

static void log_errors(const struct file_subscription *file, const char *what,
                       const struct nu_config_ctx *ctx)
{
    for (size_t i = 0; i < ctx->errors.count; i++) {
        struct nu_strbuf text = {0};
        nu_error_format(&ctx->errors.items[i], &text);
        nu_log(NU_LOG_CONFIG, NU_LOG_WARN, "%.*s: %s: %s", NU_STR_ARG(file->params.name), what,
               text.data);
        nu_strbuf_finish(&text);
    }
}

static void count_success(struct file_subscription *file, struct nu_str version, uint64_t began_us)
{
    const struct nu_subscription_stats *stats = &file->params.stats;
    nu_counter_inc(stats->update_success);
    nu_gauge_set(stats->update_time, (int64_t)(nu_loop_realtime_us(file->loop) / 1000));
    nu_gauge_set(stats->version, (int64_t)nu_xxhash64(version));
    nu_text_set(stats->version_text, version);
    nu_histogram_record(stats->update_duration, (nu_clock_monotonic_us() - began_us) / 1000);
}

static void fail(struct file_subscription *file, struct nu_counter *counter, const char *what,
                 const struct nu_config_ctx *ctx)
{
    nu_counter_inc(counter);
    log_errors(file, what, ctx);
    file->params.subscriber->ops->on_failure(file->params.subscriber);
}

/* A file that cannot be read, or is no message at all, has failed; one that breaks a rule, of the API
 * or of the subscriber, is refused. */
static void take_version(struct file_subscription *file, struct nu_config_ctx *ctx,
                         const response_proto *response)
{
    const struct nu_subscription_params *params = &file->params;
    uint64_t began_us = nu_clock_monotonic_us();
    struct nu_resources resources;
    nu_counter_inc(params->stats.update_attempt);
    if (!response || !nu_config_is_ok(ctx)) {
        fail(file, params->stats.update_failure, "Filesystem config update failure", ctx);
        return;
    }
    if (nu_config_validate(ctx, &response->base) && take_out(file, ctx, response, &resources))
        params->subscriber->ops->on_resources(params->subscriber, ctx, &resources);
    if (nu_config_is_ok(ctx))
        count_success(file, resources.version, began_us);
    else
        fail(file, params->stats.update_rejected, "Filesystem config update rejected", ctx);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Whether there is another file than at the last reading, or none any more; notes which. */
static bool is_new(struct file_subscription *file)
{
    struct stat now = {0};
    if (stat(file->path, &now) != 0)
        now = (struct stat){0};
    bool is_new = !is_same(&now, &file->seen);
    file->seen = now;
    return is_new;
}

static void read_file(struct file_subscription *file)
{
    struct nu_arena *arena = nu_arena_create();
    struct nu_config_ctx ctx;
    nu_config_ctx_init(&ctx, arena);
    ctx.allow_unknown = !file->rejects_unknown;
    take_version(
        file, &ctx,
        (const void *)nu_config_read_file(
            &ctx, file->path, &envoy__service__discovery__v3__discovery_response__descriptor));
    nu_config_ctx_finish(&ctx);
    nu_arena_destroy(&arena);
}

static void on_files(struct nu_file_watch *watch)
{
    struct file_subscription *file = nu_container_of(watch, struct file_subscription, watch);
    if (is_new(file))
        read_file(file);
}

/* --- Life ------------------------------------------------------------------------------------- */

static void start(struct nu_subscription *base)
{
    struct file_subscription *file = file_of(base);
    nu_file_watch_begin(&file->watch);
    nu_file_watch_add(&file->watch, nu_str_from(file->path));
    if (file->watched_directory)
        nu_file_watch_add_directory(&file->watch, nu_str_from(file->watched_directory));
    nu_file_watch_end(&file->watch);
    is_new(file);
    read_file(file);
}

static void destroy(struct nu_subscription *base)
{
    struct file_subscription *file = file_of(base);
    nu_file_watch_finish(&file->watch);
    nu_free(file->path);
    nu_free(file->watched_directory);
    nu_free(file);
}

static const struct nu_subscription_class file_class = {.start = start, .destroy = destroy};

static const char *path_of(const source_proto *source)
{
    return source->config_source_specifier_case ==
                   ENVOY__CONFIG__CORE__V3__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER_PATH
               ? source->path
               : source->path_config_source->path;
}

static const char *directory_of(const source_proto *source)
{
    if (source->config_source_specifier_case !=
        ENVOY__CONFIG__CORE__V3__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER_PATH_CONFIG_SOURCE)
        return NULL;
    const Envoy__Config__Core__V3__WatchedDirectory *directory =
        source->path_config_source->watched_directory;
    return directory ? directory->path : NULL;
}

static char *copy_of(const char *text)
{
    return text ? nu_strndup(text, strlen(text)) : NULL;
}

struct nu_subscription *nu_xds_subscribe(struct nu_factory *factory,
                                         const struct nu_subscription_params *params)
{
    const char *path = path_of(params->source);
    if (factory->local && (!factory->local->node_id.len || !factory->local->cluster.len)) {
        nu_config_error(factory->ctx, params->source, NULL,
                        "node 'id' and 'cluster' are required. Set it either in 'node' config or "
                        "via --service-node and --service-cluster options.");
        return NULL;
    }
    if (access(path, F_OK) != 0) {
        nu_config_error(factory->ctx, params->source, NULL,
                        "paths must refer to an existing path in the system: '%s' does not exist",
                        path);
        return NULL;
    }
    struct file_subscription *file = nu_calloc(1, sizeof(*file));
    file->base.cls = &file_class;
    file->params = *params;
    file->params.source = NULL;
    file->loop = factory->loop;
    file->rejects_unknown = factory->rejects_unknown_dynamic;
    file->path = copy_of(path);
    file->watched_directory = copy_of(directory_of(params->source));
    nu_file_watch_init(&file->watch, factory->files, on_files);
    return &file->base;
}
