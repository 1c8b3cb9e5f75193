/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that changes. When the file of a plug-in's code may have changed it is read, compiled and
 * tried out (wasm/renewal.h); the plug-in gets it only if all of that went well. A file that is
 * written piece by piece is at first no module: it is looked at again when more of it comes.
 */
#include <openssl/evp.h>

#include "base/log.h"
#include "event/file_watch.h"
#include "wasm/renewal.h"
#include "wasm/wasm_stats.h"

#include "envoy/extensions/wasm/v3/wasm.pb-c.h"

typedef Envoy__Extensions__Wasm__V3__VmConfig vm_proto;

struct digest {
    unsigned char bytes[32];
};

struct code_file {
    struct nu_file_watch watch;
    struct nu_wasm_renewal renewal; /* the plug-in's to what was tried last */
    struct digest seen;             /* of that, good or bad */
    bool has_changed;               /* once more, meanwhile */
};

/* Whether it is other code than what was tried last: a file that was only touched is not tried
 * again. */
static bool is_new(struct code_file *file, struct nu_str code)
{
    struct digest digest;
    EVP_Digest(code.ptr, code.len, digest.bytes, NULL, EVP_sha256(), NULL);
    bool same = memcmp(&digest, &file->seen, sizeof(digest)) == 0;
    file->seen = digest;
    return !same;
}

static void tell_errors(const struct code_file *file, const struct nu_error_list *errors)
{
    const struct nu_wasm_plugin *plugin = file->renewal.plugin;
    struct nu_wasm_plugin_stats *stats = nu_stat_set_block(plugin->stats);
    if (errors->count)
        nu_counter_inc(&stats->code_update_rejected);
    nu_wasm_plugin_log_errors(plugin, "its changed code is not used, what it has goes on", errors);
}

static void look(struct code_file *file)
{
    struct nu_config_ctx ctx;
    struct nu_arena scratch;
    struct nu_str code;
    nu_arena_init(&scratch);
    nu_config_ctx_init_view(&ctx, file->renewal.ctx, &scratch);
    if (nu_config_data_source_now(&ctx, file->renewal.proto->code->local, &code) &&
        is_new(file, code))
        nu_wasm_renew(&file->renewal, code);
    tell_errors(file, &ctx.errors);
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&scratch);
}

static void on_files(struct nu_file_watch *watch)
{
    struct code_file *file = nu_container_of(watch, struct code_file, watch);
    if (nu_wasm_renewal_is_on_its_way(&file->renewal))
        file->has_changed = true;
    else
        look(file);
}

static void on_done(struct nu_wasm_renewal *renewal, bool is_renewed,
                    const struct nu_error_list *errors)
{
    struct code_file *file = nu_container_of(renewal, struct code_file, renewal);
    struct nu_wasm_plugin_stats *stats = nu_stat_set_block(renewal->plugin->stats);
    if (is_renewed) {
        nu_counter_inc(&stats->code_update_success);
        nu_log(NU_LOG_WASM, NU_LOG_INFO, "wasm plug-in %.*s: its code has changed",
               NU_STR_ARG(renewal->plugin->name));
    }
    tell_errors(file, errors);
    if (file->has_changed) {
        file->has_changed = false;
        look(file);
    }
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
    file->renewal = (struct nu_wasm_renewal){
        .plugin = plugin, .proto = proto, .ctx = factory->ctx, .on_done = on_done};
    nu_list_init(&file->renewal.link);
    nu_file_watch_init(&file->watch, factory->files, on_files);
    nu_file_watch_begin(&file->watch);
    nu_file_watch_add(&file->watch, nu_str_from(source->filename));
    if (source->watched_directory)
        nu_file_watch_add_directory(&file->watch, nu_str_from(source->watched_directory->path));
    nu_file_watch_end(&file->watch);
    nu_arena_on_free(factory->arena, finish, file);
}
