/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that is fetched. It is asked for when the clusters are ready, and the listeners wait for it;
 * the same code is fetched once for all plug-ins that want it from the same place in the same way.
 * When it comes it is compiled and tried out like a file's (wasm/renewal.h). What goes wrong now is
 * no error of the configuration any more: it is logged, and the plug-in has no VM, so that it fails
 * closed or open. Where the code did not come at all the listeners open when it was tried as often
 * as the configuration says; behind that it is asked for every now and then, until it comes.
 */
#include <openssl/evp.h>

#include "base/hash.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/random.h"
#include "client/http_call.h"
#include "config/init_manager.h"
#include "config/values.h"
#include "event/timer.h"
#include "wasm/callout.h"
#include "wasm/renewal.h"
#include "wasm/wasm_stats.h"

#include "envoy/extensions/wasm/v3/wasm.pb-c.h"

typedef Envoy__Extensions__Wasm__V3__VmConfig vm_proto;
typedef Envoy__Config__Core__V3__RemoteDataSource remote_proto;
typedef Envoy__Config__Core__V3__RetryPolicy retry_proto;

enum { DEFAULT_RETRIES = 1, DEFAULT_BASE_MS = 1000, MAX_OF_BASES = 10 };

/* A plug-in that wants the code. */
struct taker {
    struct nu_list link;
    struct remote_code *remote; /* borrowed: has it in its list */
    struct nu_wasm_renewal renewal;
};

struct remote_code {
    struct nu_init_target target;
    struct nu_thread_service service; /* ends it with the main thread */
    struct nu_list takers;
    size_t left; /* takers that it is compiled for and tried out with */
    struct nu_str sha256;
    struct nu_str uri;
    struct nu_str cluster;
    uint64_t timeout_ms;
    uint32_t retries_left;
    uint64_t backoff_ms; /* bound of the next pause */
    uint64_t max_backoff_ms;
    struct nu_loop *loop;
    struct nu_http_call *call; /* owned; NULL: none is on its way */
    struct nu_timer timer;     /* until it is tried again */
    bool is_late;              /* nobody waits for it any more */
    struct nu_wasm_remote_stats *stats;
};

/* --- When it is there ------------------------------------------------------------------------- */

/* When all have what they can have nobody waits any longer. */
static void count_one(struct remote_code *remote)
{
    if (--remote->left == 0)
        nu_init_target_ready(&remote->target);
}

static void on_renewed(struct nu_wasm_renewal *renewal, bool is_renewed,
                       const struct nu_error_list *errors)
{
    const struct taker *taker = nu_container_of(renewal, struct taker, renewal);
    (void)is_renewed;
    nu_wasm_plugin_log_errors(renewal->plugin, "the fetched code is not used", errors);
    count_one(taker->remote);
}

static void succeed(struct remote_code *remote, struct nu_str code)
{
    struct taker *taker;
    nu_counter_inc(&remote->stats->remote_load_fetch_successes);
    if (remote->is_late)
        nu_log(NU_LOG_WASM, NU_LOG_INFO, "wasm code %.*s of cluster '%.*s' has come",
               NU_STR_ARG(remote->uri), NU_STR_ARG(remote->cluster));
    remote->left = 1;
    nu_list_for_each(taker, &remote->takers, struct taker, link)
    {
        remote->left++;
        nu_wasm_renew(&taker->renewal, code);
    }
    count_one(remote);
}

/* --- When it does not come -------------------------------------------------------------------- */

static void tell_takers(const struct remote_code *remote, const char *why)
{
    struct taker *taker;
    nu_list_for_each(taker, &remote->takers, struct taker, link)
    {
        nu_log(NU_LOG_WASM, NU_LOG_CRITICAL,
               "wasm plug-in %.*s has no code: %.*s of cluster '%.*s': %s; until it comes the "
               "plug-in %s",
               NU_STR_ARG(taker->renewal.plugin->name), NU_STR_ARG(remote->uri),
               NU_STR_ARG(remote->cluster), why,
               taker->renewal.plugin->fails_open ? "is passed by" : "fails all that comes to it");
    }
}

/* Nobody is to wait any longer. */
static void give_up(struct remote_code *remote, const char *why)
{
    nu_counter_inc(&remote->stats->remote_load_fetch_failures);
    if (!remote->is_late)
        tell_takers(remote, why);
    remote->is_late = true;
    nu_timer_arm(remote->loop, &remote->timer, remote->max_backoff_ms);
    nu_init_target_ready(&remote->target);
}

/* A random pause, up to a bound that doubles. */
static uint64_t next_pause_ms(struct remote_code *remote)
{
    uint64_t pause = nu_random_below(remote->backoff_ms);
    remote->backoff_ms *= 2;
    if (remote->backoff_ms > remote->max_backoff_ms)
        remote->backoff_ms = remote->max_backoff_ms;
    return pause;
}

static void fail(struct remote_code *remote, const char *why)
{
    if (remote->retries_left == 0) {
        give_up(remote, why);
        return;
    }
    remote->retries_left--;
    nu_log(NU_LOG_WASM, NU_LOG_WARN, "wasm code %.*s of cluster '%.*s': %s; it is tried again",
           NU_STR_ARG(remote->uri), NU_STR_ARG(remote->cluster), why);
    nu_timer_arm(remote->loop, &remote->timer, next_pause_ms(remote));
}

/* --- The fetch -------------------------------------------------------------------------------- */

static struct nu_str digest_of(struct nu_str code, char hex[64])
{
    unsigned char digest[32];
    EVP_Digest(code.ptr, code.len, digest, NULL, EVP_sha256(), NULL);
    nu_hex_write(digest, sizeof(digest), hex);
    return nu_str_make(hex, 2 * sizeof(digest));
}

/* Takes the code out of an answer; false with the reason why it has none. */
static bool read_answer(const struct remote_code *remote, struct nu_http_call *call,
                        struct nu_str *code, struct nu_strbuf *why)
{
    char hex[64];
    if (call->state == NU_HTTP_CALL_TOO_LARGE) {
        nu_strbuf_addf(why, "more than %d bytes came", NU_WASM_ANSWER_BYTES_MAX);
        return false;
    }
    if (call->state == NU_HTTP_CALL_FAILED) {
        nu_strbuf_add(why, nu_failure_answer_of(&call->failure, call->arena).body);
        return false;
    }
    struct nu_str status = nu_headers_get_id(call->response, NU_HEADER_STATUS);
    if (!nu_str_eq(status, NU_STR("200"))) {
        nu_strbuf_addf(why, "the answer was %.*s", NU_STR_ARG(status));
        return false;
    }
    char *bytes = nu_arena_alloc(call->arena, call->body.len + 1);
    *code = nu_str_make(bytes, nu_buf_copy_out(&call->body, 0, bytes, call->body.len));
    if (code->len == 0)
        nu_strbuf_add_cstr(why, "the answer was empty");
    else if (!nu_str_eq_nocase(digest_of(*code, hex), remote->sha256))
        nu_strbuf_addf(why, "its sha256 is %.*s, not %.*s", (int)sizeof(hex), hex,
                       NU_STR_ARG(remote->sha256));
    return why->len == 0;
}

static void on_done(struct nu_http_call *call)
{
    struct remote_code *remote = call->owner;
    struct nu_str code;
    struct nu_strbuf why = {0};
    bool ok = read_answer(remote, call, &code, &why);
    remote->call = NULL;
    if (ok)
        succeed(remote, code);
    else
        fail(remote, why.data);
    nu_strbuf_finish(&why);
    nu_http_call_destroy(&call);
}

/* "http://host/path": the host may be missing, and so may the path. */
static void split_uri(struct nu_str uri, struct nu_str *host, struct nu_str *path)
{
    size_t scheme = nu_str_find(uri, NU_STR("://"));
    *host = scheme == NU_NPOS ? uri : nu_str_skip(uri, scheme + 3);
    size_t slash = nu_str_find_char(*host, '/');
    *path = slash == NU_NPOS ? NU_STR("/") : nu_str_skip(*host, slash);
    *host = nu_str_first(*host, slash == NU_NPOS ? host->len : slash);
}

static void fetch(struct remote_code *remote)
{
    struct nu_str host;
    struct nu_str path;
    struct nu_http_call_params params = {
        .timeout_ms = remote->timeout_ms,
        .max_body_bytes = NU_WASM_ANSWER_BYTES_MAX,
        .tells_address = true,
    };
    remote->call = nu_http_call_create(remote->loop, remote->cluster);
    if (!remote->call) {
        fail(remote, "there is no such cluster");
        return;
    }
    split_uri(remote->uri, &host, &path);
    remote->call->on_done = on_done;
    remote->call->owner = remote;
    struct nu_headers *request = &remote->call->own.request;
    nu_headers_add_id(request, NU_HEADER_METHOD, NU_STR("GET"));
    nu_headers_add_id(request, NU_HEADER_PATH, path);
    nu_headers_add_id(request, NU_HEADER_AUTHORITY, host);
    nu_http_call_send(remote->call, &params);
}

static void on_timer(struct nu_timer *timer)
{
    fetch(nu_container_of(timer, struct remote_code, timer));
}

static void on_init(struct nu_init_target *target)
{
    fetch(nu_container_of(target, struct remote_code, target));
}

/* --- With the main thread --------------------------------------------------------------------- */

static void on_start(struct nu_thread_service *service, struct nu_loop *loop)
{
    (void)service, (void)loop; /* it began before that */
}

static bool on_end(struct nu_thread_service *service)
{
    struct remote_code *remote = nu_container_of(service, struct remote_code, service);
    nu_http_call_destroy(&remote->call);
    nu_timer_cancel(&remote->timer);
    return true;
}

/* --- The configuration ------------------------------------------------------------------------ */

static bool read_retries(struct nu_factory *factory, const retry_proto *proto,
                         struct remote_code *remote)
{
    const Envoy__Config__Core__V3__BackoffStrategy *backoff = proto ? proto->retry_back_off : NULL;
    remote->retries_left = nu_u32_or(proto ? proto->num_retries : NULL, DEFAULT_RETRIES);
    remote->backoff_ms =
        nu_config_duration_ms(factory->ctx, backoff, "base_interval",
                              backoff ? backoff->base_interval : NULL, DEFAULT_BASE_MS);
    remote->max_backoff_ms = nu_config_duration_ms(factory->ctx, backoff, "max_interval",
                                                   backoff ? backoff->max_interval : NULL,
                                                   MAX_OF_BASES * remote->backoff_ms);
    if (remote->max_backoff_ms >= remote->backoff_ms)
        return true;
    nu_config_error(factory->ctx, backoff, "max_interval",
                    "max_interval must be greater than or equal to the base_interval");
    return false;
}

static void finish(void *obj)
{
    struct remote_code *remote = obj;
    nu_init_target_finish(&remote->target);
}

static struct remote_code *create(struct nu_factory *factory, const remote_proto *proto,
                                  struct nu_stat_set *stats)
{
    struct remote_code *remote = nu_arena_calloc(factory->arena, sizeof(*remote));
    if (!read_retries(factory, proto->retry_policy, remote))
        return NULL;
    remote->sha256 = nu_arena_dup(factory->arena, nu_str_from(proto->sha256));
    remote->uri = nu_arena_dup(factory->arena, nu_str_from(proto->http_uri->uri));
    remote->cluster = nu_arena_dup(factory->arena, nu_str_from(proto->http_uri->cluster));
    remote->timeout_ms = nu_config_duration_ms(factory->ctx, proto->http_uri, "timeout",
                                               proto->http_uri->timeout, 0);
    remote->loop = factory->loop;
    remote->stats = nu_stat_set_block(stats);
    remote->service = (struct nu_thread_service){
        .place = NU_THREADS_MAIN, .start = on_start, .end = on_end, .finish = on_end};
    nu_list_init(&remote->takers);
    nu_list_init(&remote->service.link);
    nu_timer_init(&remote->timer, on_timer);
    nu_init_target_init(&remote->target, "wasm code", on_init);
    nu_init_manager_add(factory->late_init, &remote->target);
    nu_list_add_last(factory->services, &remote->service.link);
    nu_arena_on_free(factory->arena, finish, remote);
    *factory->main_calls_clusters = true;
    return remote;
}

/* Under which the fetch of a source is known to those that want the same. */
static struct nu_str name_of(struct nu_arena *arena, const remote_proto *source)
{
    static const struct nu_str prefix = NU_STR_INIT("wasm code ");
    size_t size = protobuf_c_message_get_packed_size(&source->base);
    char *name = nu_arena_alloc(arena, prefix.len + size);
    memcpy(name, prefix.ptr, prefix.len);
    protobuf_c_message_pack(&source->base, (uint8_t *)name + prefix.len);
    return nu_str_make(name, prefix.len + size);
}

bool nu_wasm_remote_code_fetch(struct nu_factory *factory, struct nu_wasm_plugin *plugin,
                               const vm_proto *proto)
{
    const remote_proto *source = proto->code->remote;
    struct nu_wasm_remote_stats *stats = nu_stat_set_block(plugin->remote_stats);
    struct nu_str name = name_of(factory->arena, source);
    struct remote_code *remote = nu_map_get(factory->shared, name);
    if (proto->nack_on_code_cache_miss) {
        nu_config_error(factory->ctx, proto, "nack_on_code_cache_miss",
                        "the code is not there yet, which is an error with this option");
        return false;
    }
    nu_counter_inc(remote ? &stats->remote_load_cache_hits : &stats->remote_load_cache_misses);
    if (!remote) {
        remote = create(factory, source, plugin->remote_stats);
        if (!remote)
            return false;
        nu_gauge_inc(&stats->remote_load_cache_entries);
        nu_map_put(factory->shared, name, remote);
    }
    struct taker *taker = nu_arena_calloc(factory->arena, sizeof(*taker));
    taker->remote = remote;
    taker->renewal = (struct nu_wasm_renewal){
        .plugin = plugin, .proto = proto, .ctx = factory->ctx, .on_done = on_renewed};
    nu_list_init(&taker->renewal.link);
    nu_list_add_last(&remote->takers, &taker->link);
    return true;
}
