/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits is a list of the main thread's. The compiler's thread sees one renewal, which nobody
 * else touches until that thread has said that it is done and was joined. Those that want the same
 * VM share the spec of the first of them, and so the copy of the code and what comes of compiling
 * it.
 */
#include "wasm/renewal.h"

#include "base/clock.h"
#include "base/log.h"

enum { LAST_WAIT_MS = 500 }; /* what the end of the process may wait for the thread */

static void start_next(struct nu_wasm_compiler *compiler);

/* --- The way's end ---------------------------------------------------------------------------- */

static bool take(struct nu_wasm_renewal *renewal, struct nu_config_ctx *ctx,
                 struct nu_wasm_vm_spec *spec, struct nu_loop *loop)
{
    if (!renewal->is_good) {
        nu_wasm_refuse_code(ctx, renewal->proto, renewal->what, &renewal->error);
        return false;
    }
    return nu_wasm_plugin_take(ctx, loop, renewal->plugin, renewal->proto, spec);
}

static void settle(struct nu_wasm_compiler *compiler, struct nu_wasm_renewal *renewal)
{
    struct nu_config_ctx ctx;
    struct nu_arena scratch;
    struct nu_wasm_vm_spec *spec = renewal->spec;
    renewal->spec = NULL;
    nu_arena_init(&scratch);
    nu_config_ctx_init_view(&ctx, renewal->ctx, &scratch);
    bool is_renewed = take(renewal, &ctx, spec, compiler->loop);
    if (!is_renewed)
        nu_wasm_vm_spec_unref(&spec);
    nu_strbuf_finish(&renewal->error);
    renewal->on_done(renewal, is_renewed, &ctx.errors);
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&scratch);
}

static void drop(struct nu_wasm_renewal *renewal)
{
    nu_list_remove(&renewal->link);
    nu_wasm_vm_spec_unref(&renewal->spec);
    nu_strbuf_finish(&renewal->error);
}

/* --- The thread ------------------------------------------------------------------------------- */

static void compile(struct nu_wasm_renewal *renewal)
{
    renewal->is_good =
        nu_wasm_vm_spec_compile(renewal->spec, renewal->code, &renewal->what, &renewal->error);
}

static void *run(void *arg)
{
    struct nu_wasm_compiler *compiler = arg;
    pthread_setname_np(pthread_self(), "nuncio-compile");
    compile(compiler->running);
    nu_thread_leave();
    nu_loop_post(compiler->loop, &compiler->done);
    return NULL;
}

/* What the thread had, which has been joined. */
static struct nu_wasm_renewal *take_joined(struct nu_wasm_compiler *compiler)
{
    struct nu_wasm_renewal *renewal = compiler->running;
    compiler->running = NULL;
    return renewal;
}

static struct nu_wasm_renewal *join(struct nu_wasm_compiler *compiler)
{
    pthread_join(compiler->thread, NULL);
    return take_joined(compiler);
}

static struct timespec after_ms(uint64_t ms)
{
    uint64_t us = nu_clock_realtime_us() + ms * 1000;
    return (struct timespec){.tv_sec = (time_t)(us / 1000000),
                             .tv_nsec = (long)(us % 1000000) * 1000};
}

static void copy_result(struct nu_wasm_renewal *to, const struct nu_wasm_renewal *from)
{
    to->is_tried = true;
    to->is_good = from->is_good;
    to->what = from->what;
    nu_strbuf_add(&to->error, nu_strbuf_str(&from->error));
}

/* Tells what came of it to all that wait for the same. */
static void share_result(struct nu_wasm_compiler *compiler, const struct nu_wasm_renewal *renewal)
{
    struct nu_wasm_renewal *other;
    nu_list_for_each(other, &compiler->waiting, struct nu_wasm_renewal, link)
    {
        if (other->spec == renewal->spec)
            copy_result(other, renewal);
    }
}

static void on_compiled(struct nu_task *task)
{
    struct nu_wasm_compiler *compiler = nu_container_of(task, struct nu_wasm_compiler, done);
    if (!compiler->running)
        return; /* it was waited for */
    struct nu_wasm_renewal *renewal = join(compiler);
    share_result(compiler, renewal);
    if (compiler->is_over)
        drop(renewal);
    else
        settle(compiler, renewal);
    start_next(compiler);
}

static void start_next(struct nu_wasm_compiler *compiler)
{
    while (!compiler->running && !nu_list_is_empty(&compiler->waiting)) {
        struct nu_wasm_renewal *renewal =
            nu_list_first(&compiler->waiting, struct nu_wasm_renewal, link);
        nu_list_remove(&renewal->link);
        if (!renewal->is_tried) {
            compiler->running = renewal;
            if (nu_thread_start(&compiler->thread, run, compiler) == 0)
                return;
            compiler->running = NULL;
            compile(renewal); /* there are no more threads to be had */
            share_result(compiler, renewal);
        }
        settle(compiler, renewal);
    }
}

/* --- What is compiled ------------------------------------------------------------------------- */

/* The one on its way whose VM this is, or NULL. */
static struct nu_wasm_renewal *find_on_its_way(struct nu_wasm_compiler *compiler, struct nu_str key)
{
    struct nu_wasm_renewal *other;
    if (compiler->running && nu_str_eq(compiler->running->spec->key, key))
        return compiler->running;
    nu_list_for_each(other, &compiler->waiting, struct nu_wasm_renewal, link)
    {
        if (nu_str_eq(other->spec->key, key))
            return other;
    }
    return NULL;
}

/* What a plug-in has, what another waits for, or its own. */
static void choose_spec(struct nu_wasm_compiler *compiler, struct nu_wasm_renewal *renewal,
                        struct nu_str code)
{
    unsigned char room[NU_WASM_KEY_BYTES];
    struct nu_str key = nu_wasm_vm_spec_key(renewal->plugin->spec, code, room);
    struct nu_wasm_vm_spec *theirs = nu_wasm_plugins_find_spec(compiler->all, key);
    struct nu_wasm_renewal *other = theirs ? NULL : find_on_its_way(compiler, key);
    if (!theirs && !other) {
        renewal->spec = nu_wasm_vm_spec_renew(renewal->plugin->spec, key, code, &renewal->code);
        return;
    }
    renewal->spec = nu_wasm_vm_spec_ref(theirs ? theirs : other->spec);
    renewal->is_tried = renewal->is_good = theirs != NULL;
    if (other && other->is_tried)
        copy_result(renewal, other);
}

/* --- For others ------------------------------------------------------------------------------- */

void nu_wasm_renew(struct nu_wasm_renewal *renewal, struct nu_str code)
{
    struct nu_wasm_compiler *compiler = nu_wasm_plugins_compiler(renewal->plugin->all);
    if (compiler->is_over)
        return;
    renewal->is_tried = renewal->is_good = false;
    renewal->error = (struct nu_strbuf){0};
    choose_spec(compiler, renewal, code);
    nu_list_add_last(&compiler->waiting, &renewal->link);
    start_next(compiler);
}

void nu_wasm_compiler_init(struct nu_wasm_compiler *compiler, struct nu_wasm_plugins *all,
                           struct nu_loop *loop)
{
    *compiler = (struct nu_wasm_compiler){.all = all, .loop = loop, .done = {.fn = on_compiled}};
    nu_list_init(&compiler->waiting);
}

bool nu_wasm_compiler_end(struct nu_wasm_compiler *compiler)
{
    struct nu_wasm_renewal *renewal;
    compiler->is_over = true;
    nu_list_for_each(renewal, &compiler->waiting, struct nu_wasm_renewal, link) drop(renewal);
    return !compiler->running;
}

bool nu_wasm_compiler_finish(struct nu_wasm_compiler *compiler)
{
    if (nu_wasm_compiler_end(compiler))
        return true;
    nu_log(NU_LOG_WASM, NU_LOG_INFO, "waiting for code that is being compiled");
    struct timespec until = after_ms(LAST_WAIT_MS);
    if (pthread_timedjoin_np(compiler->thread, NULL, &until) != 0) {
        nu_log(NU_LOG_WASM, NU_LOG_WARN, "it is still being compiled: the process ends without it");
        return false;
    }
    drop(take_joined(compiler));
    return true;
}
