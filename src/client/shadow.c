/* SPDX-License-Identifier: Apache-2.0 */
/* Shadows: an exchange whose response goes nowhere. */
#include "client/shadow.h"

#include "base/random.h"
#include "client/http_client.h"
#include "client/refusal.h"
#include "upstream/discovery/forward_proxy.h"
#include "upstream/discovery/original_dst.h"

struct nu_shadow {
    struct nu_list link;              /* in its owner's list, while the request is not complete */
    struct nu_arena *arena;           /* owned: holds this struct as well */
    struct nu_cluster_local *cluster; /* borrowed */
    struct nu_exchange exchange;
    struct nu_stream_info info;
    struct nu_connection_info connection;
    struct nu_headers headers;
    struct nu_headers trailers;
    uint64_t timeout_ms;
    uint64_t lag_limit;
    uint64_t lag; /* bytes since its connection took no more */
    enum nu_charging charging;
    bool is_above_high; /* its connection takes no more */
    bool is_over;
};

static struct nu_shadow *shadow_of(struct nu_exchange *exchange)
{
    return nu_container_of(exchange, struct nu_shadow, exchange);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void free_shadow(void *obj)
{
    struct nu_shadow *shadow = obj;
    struct nu_arena *arena = shadow->arena;
    nu_arena_destroy(&arena);
}

static void finish(struct nu_shadow *shadow)
{
    if (shadow->is_over)
        return;
    shadow->is_over = true;
    nu_list_remove(&shadow->link);
    nu_loop_defer_free(shadow->cluster->loop, free_shadow, shadow);
}

static void give_up(struct nu_shadow *shadow)
{
    nu_exchange_cancel(&shadow->exchange);
    finish(shadow);
}

/* --- The exchange's side ---------------------------------------------------------------------- */

static void on_headers(struct nu_exchange *exchange, struct nu_headers *headers, bool end)
{
    (void)headers;
    if (end)
        finish(shadow_of(exchange));
}

static void on_data(struct nu_exchange *exchange, struct nu_buf *data, bool end)
{
    nu_buf_clear(data);
    if (end)
        finish(shadow_of(exchange));
}

static void on_trailers(struct nu_exchange *exchange, struct nu_headers *trailers)
{
    (void)trailers;
    finish(shadow_of(exchange));
}

static void on_failed(struct nu_exchange *exchange, const struct nu_exchange_failure *failure)
{
    (void)failure;
    finish(shadow_of(exchange));
}

static void on_above_high(struct nu_exchange *exchange)
{
    shadow_of(exchange)->is_above_high = true;
}

static void on_below_low(struct nu_exchange *exchange)
{
    struct nu_shadow *shadow = shadow_of(exchange);
    shadow->is_above_high = false;
    shadow->lag = 0;
}

static const struct nu_exchange_ops exchange_ops = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_failed = on_failed,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
};

/* --- Making one ------------------------------------------------------------------------------- */

static void refer_to_headers(struct nu_headers *to, const struct nu_headers *from)
{
    nu_headers_for_each(header, from)
        nu_headers_add_ref(to, header->id, header->name, header->value);
}

/* Into memory of its own: the request's, and that of its route, may go first. */
static void own_headers(struct nu_headers *headers)
{
    nu_headers_for_each(header, headers)
    {
        if (!header->id)
            header->name = nu_arena_dup(headers->arena, header->name);
        header->value = nu_arena_dup(headers->arena, header->value);
    }
}

static struct nu_shadow *create(struct nu_cluster_local *cluster,
                                const struct nu_shadow_params *params)
{
    struct nu_arena *arena = nu_arena_create();
    struct nu_shadow *shadow = nu_arena_calloc(arena, sizeof(*shadow));
    nu_list_init(&shadow->link);
    shadow->arena = arena;
    shadow->cluster = cluster;
    shadow->timeout_ms = params->timeout_ms;
    shadow->lag_limit = params->lag_limit;
    shadow->charging = params->charging;
    shadow->info.arena = arena;
    shadow->info.connection = &shadow->connection;
    shadow->info.protocol = NU_PROTOCOL_HTTP11;
    shadow->info.start_us = nu_loop_now_us(cluster->loop);
    shadow->info.stream_id = nu_random_u64();
    shadow->info.is_internal = true;
    shadow->info.tunnel = params->info->tunnel;
    shadow->exchange.ops = &exchange_ops;
    shadow->exchange.arena = arena;
    shadow->exchange.info = &shadow->info;
    return shadow;
}

bool nu_shadow_add(struct nu_list *owner, struct nu_loop *loop,
                   const struct nu_shadow_params *params, const struct nu_headers *headers)
{
    struct nu_str name = nu_mirror_policy_cluster(params->policy, headers);
    struct nu_cluster_local *cluster =
        name.len && loop->clusters ? nu_cluster_table_find(loop->clusters, name) : NULL;
    if (!cluster)
        return false;
    struct nu_shadow *shadow = create(cluster, params);
    nu_headers_init(&shadow->headers, shadow->arena, headers->used + 4);
    refer_to_headers(&shadow->headers, headers);
    nu_mirror_policy_apply(params->policy, &shadow->headers, params->info);
    own_headers(&shadow->headers);
    const struct nu_http_client *client = nu_http_client_of(loop);
    if (client)
        nu_http_client_sign(client, &shadow->headers);
    nu_list_add_last(owner, &shadow->link);
    return true;
}

/* --- Sending it ------------------------------------------------------------------------------- */

static void start(struct nu_shadow *shadow, bool end)
{
    struct nu_cluster_local *cluster = shadow->cluster;
    struct nu_exchange_params *params = &shadow->exchange.params;
    *params = (struct nu_exchange_params){
        .cluster = cluster,
        .priority = NU_PRIORITY_DEFAULT,
        .timeout_ms = shadow->timeout_ms,
        .timeout_status = 504,
        .is_internal = true,
        .charging = shadow->charging,
        .tunnel = (enum nu_tunnel)shadow->info.tunnel,
    };
    nu_http_client_count(nu_http_client_of(cluster->loop));
    if (nu_unlikely(nu_refusal_of(cluster, shadow->arena) != NU_NOT_REFUSED)) {
        nu_exchange_count_refused(params);
        finish(shadow);
        return;
    }
    if (nu_unlikely(cluster->cluster->original_dst != NULL))
        params->lb.destination = nu_original_dst_find(cluster, &shadow->info, &shadow->headers);
    if (nu_unlikely(cluster->cluster->forward_proxy != NULL))
        params->lb.host_name = nu_forward_proxy_name(cluster, &shadow->info, &shadow->headers);
    nu_exchange_start(&shadow->exchange, &shadow->headers, end);
}

/* The first of the list that is left, taken out of it. */
static struct nu_shadow *take_first(struct nu_list *list)
{
    if (nu_list_is_empty(list))
        return NULL;
    struct nu_shadow *shadow = nu_list_first(list, struct nu_shadow, link);
    nu_list_remove(&shadow->link);
    return shadow;
}

void nu_shadows_start(struct nu_list *owner, bool end)
{
    struct nu_list waiting;
    struct nu_shadow *shadow;
    nu_list_init(&waiting);
    nu_list_move_all(&waiting, owner);
    while ((shadow = take_first(&waiting))) {
        if (!end)
            nu_list_add_last(owner, &shadow->link);
        start(shadow, end);
    }
}

/* False if it was given up. */
static bool send_data(struct nu_shadow *shadow, const struct nu_buf *data, bool end)
{
    if (nu_unlikely(shadow->is_above_high)) {
        shadow->lag += data->len;
        if (shadow->lag > shadow->lag_limit) {
            give_up(shadow);
            return false;
        }
    }
    struct nu_buf copy = {0};
    nu_buf_share(&copy, data);
    nu_exchange_send_data(&shadow->exchange, &copy, end);
    return true;
}

uint32_t nu_shadows_send_data(struct nu_list *owner, const struct nu_buf *data, bool end)
{
    struct nu_list waiting;
    struct nu_shadow *shadow;
    uint32_t given_up = 0;
    nu_list_init(&waiting);
    nu_list_move_all(&waiting, owner);
    while ((shadow = take_first(&waiting))) {
        if (!end)
            nu_list_add_last(owner, &shadow->link);
        given_up += !send_data(shadow, data, end);
    }
    return given_up;
}

void nu_shadows_send_trailers(struct nu_list *owner, const struct nu_headers *trailers)
{
    struct nu_shadow *shadow;
    while ((shadow = take_first(owner))) {
        nu_headers_init(&shadow->trailers, shadow->arena, trailers->used + 1);
        refer_to_headers(&shadow->trailers, trailers);
        own_headers(&shadow->trailers);
        nu_exchange_send_trailers(&shadow->exchange, &shadow->trailers);
    }
}

void nu_shadows_cancel(struct nu_list *owner)
{
    struct nu_shadow *shadow;
    while ((shadow = take_first(owner)))
        give_up(shadow);
}
