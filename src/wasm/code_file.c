/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that changes. When the file of a plug-in's code may have changed it is read, compiled and tried
 * out, all on the main thread; the plug-in gets it only if all of that went well. A file that is
 * written piece by piece is at first no module: it is looked at again when more of it comes.
 */
#include <openssl/evp.h>

#include "base/log.h"
#include "event/file_watch.h"
#include "wasm/plugin_internal.h"
#include "wasm/wasm_stats.h"

#include "envoy/extensions/wasm/v3/wasm.pb-c.h"

typedef Envoy__Extensions__Wasm__V3__VmConfig vm_proto;

struct digest {
    unsigned char bytes[32];
};

struct code_file {
    struct nu_file_watch watch;
    struct nu_wasm_plugin *plugin;
    const vm_proto *proto;           /* borrowed: the configuration's */
    const struct nu_config_ctx *ctx; /* borrowed: where that was read */
    struct nu_loop *loop;
    struct digest seen; /* of what was tried last, good or bad */
};

/* Whether it is other code than what was tried last: a file that was only touched is not tried again. */
static bool is_new(struct code_file *file, struct nu_str code)
{
    struct digest digest;
    EVP_Digest(code.ptr, code.len, digest.bytes, NULL, EVP_sha256(), NULL);
    bool same = memcmp(&digest, &file->seen, sizeof(digest)) == 0;
    file->seen = digest;
    return !same;
}

/* Gives the plug-in the code if it is good; errors go to `ctx`. */
static void take(struct code_file *file, struct nu_config_ctx *ctx, struct nu_str code)
{
    struct nu_wasm_plugin *plugin = file->plugin;
    if (!nu_wasm_plugin_renew(ctx, file->loop, plugin, file->proto, code))
        return;
    struct nu_wasm_plugin_stats *stats = nu_stat_set_block(plugin->stats);
    nu_counter_inc(&stats->code_update_success);
    nu_log(NU_LOG_WASM, NU_LOG_INFO, "wasm plug-in %.*s: its code has changed",
           NU_STR_ARG(plugin->name));
}

static void on_files(struct nu_file_watch *watch)
{
    struct code_file *file = nu_container_of(watch, struct code_file, watch);
    struct nu_wasm_plugin_stats *stats = nu_stat_set_block(file->plugin->stats);
    struct nu_config_ctx ctx;
    struct nu_arena scratch;
    struct nu_str code;
    nu_arena_init(&scratch);
    nu_config_ctx_init_view(&ctx, file->ctx, &scratch);
    if (nu_config_data_source_now(&ctx, file->proto->code->local, &code) && is_new(file, code))
        take(file, &ctx, code);
    if (ctx.errors.count)
        nu_counter_inc(&stats->code_update_rejected);
    nu_wasm_plugin_log_errors(file->plugin, "its changed code is not used, what it has goes on",
                              &ctx.errors);
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&scratch);
}

static void finish(void *obj)
{
    struct code_file *file = obj;
    nu_file_watch_finish(&file->watch);
}

void nu_wasm_code_file_watch(struct nu_factory *factory, struct nu_wasm_plugin *plugin,
                             const vm_proto *proto)
{
    const Envoy__Config__Core__V3__DataSource *source = proto->code->local;
    if (!source ||
        source->specifier_case != ENVOY__CONFIG__CORE__V3__DATA_SOURCE__SPECIFIER_FILENAME)
        return;
    struct code_file *file = nu_arena_calloc(factory->arena, sizeof(*file));
    file->plugin = plugin;
    file->proto = proto;
    file->ctx = factory->ctx;
    file->loop = factory->loop;
    nu_file_watch_init(&file->watch, factory->files, on_files);
    nu_file_watch_begin(&file->watch);
    nu_file_watch_add(&file->watch, nu_str_from(source->filename));
    if (source->watched_directory)
        nu_file_watch_add_directory(&file->watch, nu_str_from(source->watched_directory->path));
    nu_file_watch_end(&file->watch);
    nu_arena_on_free(factory->arena, finish, file);
}
