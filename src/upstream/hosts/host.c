/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts: their life, and the flags of their health. */
#include "upstream/hosts/host.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "stats/cluster_stats.h"

/* --- The keeper ------------------------------------------------------------------------------- */

static void free_metadata(void *obj);

static void destroy_host(struct nu_host *host)
{
    nu_stat_set_destroy(&host->stats);
    struct nu_host_outlier *outlier = host->outlier;
    nu_host_outlier_destroy(&outlier);
    nu_free(nu_host_report(host));
    nu_free(nu_unconst(host->address_text.ptr));
    nu_free(host->texts);
    nu_free(host->check_place);
    nu_free(nu_unconst(nu_host_addresses(host)));
    free_metadata(nu_unconst(nu_host_metadata(host)));
    free_metadata(nu_unconst(host->locality_metadata));
    free(host);
}

static void bury(struct nu_host_keeper *keeper)
{
    struct nu_host *host = atomic_exchange_explicit(&keeper->dead, NULL, memory_order_acq_rel);
    while (host) {
        struct nu_host *next = host->next_dead;
        destroy_host(host);
        host = next;
    }
}

static void on_dead(struct nu_task *task)
{
    bury(nu_container_of(task, struct nu_host_keeper, task));
}

/* From a worker. The first one on an empty list sends the message, which is free by then: the main
 * thread takes it from its inbox before it empties the list, and who finds it empty sees that. */
static void hand_back(struct nu_host *host)
{
    struct nu_host_keeper *keeper = host->keeper;
    struct nu_host *head = atomic_load_explicit(&keeper->dead, memory_order_relaxed);
    do {
        host->next_dead = head;
    } while (!atomic_compare_exchange_weak_explicit(&keeper->dead, &head, host,
                                                    memory_order_acq_rel, memory_order_relaxed));
    if (!head)
        nu_loop_post(keeper->loop, &keeper->task);
}

void nu_host_keeper_init(struct nu_host_keeper *keeper, struct nu_stats *stats,
                         struct nu_loop *loop)
{
    *keeper = (struct nu_host_keeper){
        .stats = stats,
        .loop = loop,
        .task = {.fn = on_dead},
        .model = nu_stat_set_create_private(stats, &nu_host_stats_table),
    };
    nu_outlier_inbox_init(&keeper->outliers, loop);
    nu_unwell_inbox_init(&keeper->unwell, loop);
}

void nu_host_keeper_finish(struct nu_host_keeper *keeper)
{
    nu_outlier_inbox_finish(&keeper->outliers);
    nu_unwell_inbox_finish(&keeper->unwell);
    bury(keeper);
    nu_stat_set_destroy(&keeper->model);
}

/* --- Hosts ------------------------------------------------------------------------------------ */

static struct nu_str own_text(struct nu_str s)
{
    return nu_str_make(nu_strndup(s.ptr ? s.ptr : "", s.len), s.len);
}

/* Moves a text behind the others of the host, which have room for it. */
static void take_text(struct nu_str *text, char **room)
{
    if (!text->len)
        return;
    memcpy(*room, text->ptr, text->len);
    text->ptr = *room;
    *room += text->len;
    *(*room)++ = '\0';
}

/* The host's names, in memory of its own; most have none. */
static void own_names(struct nu_host *host)
{
    struct nu_str path = {0};
    if (host->address.family == NU_ADDRESS_UNIX)
        path = nu_str_from(host->address.path);
    struct nu_str *const texts[] = {&path, &host->hostname, &host->locality.region,
                                    &host->locality.zone, &host->locality.sub_zone};
    size_t size = 0;
    for (size_t i = 0; i < NU_ARRAY_LEN(texts); i++)
        size += texts[i]->len ? texts[i]->len + 1 : 0;
    if (size == 0)
        return;
    char *room = host->texts = nu_alloc(size);
    for (size_t i = 0; i < NU_ARRAY_LEN(texts); i++)
        take_text(texts[i], &room);
    if (path.len)
        host->address.path = path.ptr;
}

/* --- What may be replaced --------------------------------------------------------------------- */

/* Metadata of one host, with the memory that it lies in. */
struct own_metadata {
    struct nu_metadata base;
    struct nu_arena arena;
};

static void free_metadata(void *obj)
{
    struct own_metadata *own = obj;
    if (!own)
        return;
    nu_arena_finish(&own->arena);
    nu_free(own);
}

static const struct nu_metadata *copy_metadata(const struct nu_metadata *metadata)
{
    enum { FIRST_BYTES = 240 };
    if (!metadata)
        return NULL;
    struct own_metadata *own = nu_alloc(sizeof(*own));
    nu_arena_init_small(&own->arena, FIRST_BYTES);
    own->base.arena = &own->arena;
    own->base.namespaces = nu_value_copy(&metadata->namespaces, &own->arena);
    return &own->base;
}

static bool says_canary(const struct nu_metadata *metadata)
{
    static const struct nu_str path[] = {NU_STR_INIT("canary")};
    const struct nu_value *value = nu_metadata_find(metadata, NU_STR("envoy.lb"), path, 1);
    return value && value->type == NU_VALUE_BOOL && value->boolean;
}

static void retire(struct nu_host *host, void (*fn)(void *obj), const void *obj)
{
    if (!obj)
        return;
    if (host->keeper->retire)
        host->keeper->retire(host->keeper, fn, nu_unconst(obj));
    else
        fn(nu_unconst(obj));
}

void nu_host_set_metadata(struct nu_host *host, const struct nu_metadata *metadata,
                          const struct nu_transport_match *transport)
{
    const struct nu_metadata *old = atomic_exchange_explicit(
        &host->metadata.now, copy_metadata(metadata), memory_order_acq_rel);
    atomic_store_explicit(&host->transport, transport, memory_order_release);
    atomic_store_explicit(&host->is_canary, says_canary(metadata), memory_order_relaxed);
    retire(host, free_metadata, old);
}

void nu_host_set_addresses(struct nu_host *host, const struct nu_address *address,
                           const struct nu_address *list, uint32_t count)
{
    char text[NU_ADDRESS_TEXT_MAX];
    size_t len = nu_address_format(address, text);
    size_t list_size = count * sizeof(*list);
    struct nu_host_addresses *now = nu_alloc(sizeof(*now) + list_size + len);
    char *own = (char *)now + sizeof(*now) + list_size;
    now->address = *address;
    now->text = nu_str_make(memcpy(own, text, len), len);
    now->count = count;
    memcpy(now->list, list, list_size);
    retire(host, nu_free, atomic_exchange_explicit(&host->addresses, now, memory_order_acq_rel));
}

/* --- Making and counting ---------------------------------------------------------------------- */

struct nu_host *nu_host_create(struct nu_host_keeper *keeper, const struct nu_host_params *params)
{
    void *memory = NULL;
    if (posix_memalign(&memory, _Alignof(struct nu_host), sizeof(struct nu_host)) != 0)
        abort();
    struct nu_host *host = memset(memory, 0, sizeof(struct nu_host));
    atomic_init(&host->refs, 1);
    host->keeper = keeper;
    host->address = params->address;
    char text[NU_ADDRESS_TEXT_MAX];
    host->address_text = own_text(nu_str_make(text, nu_address_format(&params->address, text)));
    host->hostname = params->hostname;
    host->locality = params->locality;
    host->locality_metadata = copy_metadata(params->locality_metadata);
    own_names(host);
    host->check_place = nu_host_check_place_copy(params->check_place);
    if (params->list_count > 1)
        nu_host_set_addresses(host, &host->address, params->list, params->list_count);
    atomic_init(&host->metadata.now, copy_metadata(params->metadata));
    atomic_init(&host->transport, params->transport);
    atomic_init(&host->is_canary, says_canary(params->metadata));
    atomic_init(&host->weight, params->weight ? params->weight : 1);
    atomic_init(&host->priority, params->priority);
    atomic_init(&host->fit_since_us, nu_clock_monotonic_us());
    nu_host_set_eds_health(host, params->eds_health);
    host->stats = nu_stat_set_create_like(keeper->model);
    if (nu_likely(nu_thread_index() == NU_THREAD_MAIN))
        nu_stat_set_adopt(host->stats);
    return host;
}

struct nu_host *nu_host_ref(struct nu_host *host)
{
    atomic_fetch_add_explicit(&host->refs, 1, memory_order_relaxed);
    return host;
}

void nu_host_unref(struct nu_host *host)
{
    if (!host || atomic_fetch_sub_explicit(&host->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (nu_thread_index() == NU_THREAD_MAIN)
        destroy_host(host);
    else
        hand_back(host);
}

int nu_locality_cmp(const struct nu_locality *a, const struct nu_locality *b)
{
    int order = nu_str_cmp(a->region, b->region);
    if (order == 0)
        order = nu_str_cmp(a->zone, b->zone);
    return order ? order : nu_str_cmp(a->sub_zone, b->sub_zone);
}

/* --- Health ----------------------------------------------------------------------------------- */

bool nu_host_set_flag(struct nu_host *host, enum nu_host_flag flag)
{
    return !(atomic_fetch_or_explicit(&host->flags, flag, memory_order_relaxed) & flag);
}

bool nu_host_clear_flag(struct nu_host *host, enum nu_host_flag flag)
{
    uint32_t mask = ~(uint32_t)flag;
    return atomic_fetch_and_explicit(&host->flags, mask, memory_order_relaxed) & flag;
}

static uint32_t flags_of_eds(enum nu_eds_health health)
{
    switch (health) {
    case NU_EDS_UNHEALTHY:
    case NU_EDS_TIMEOUT:
        return NU_HOST_FAILED_EDS_HEALTH;
    case NU_EDS_DRAINING:
        return NU_HOST_EDS_STATUS_DRAINING;
    case NU_EDS_DEGRADED:
        return NU_HOST_DEGRADED_EDS_HEALTH;
    case NU_EDS_UNKNOWN:
    case NU_EDS_HEALTHY:
    case NU_EDS_HEALTH_COUNT:
        break;
    }
    return 0;
}

bool nu_host_set_eds_health(struct nu_host *host, enum nu_eds_health health)
{
    const uint32_t all =
        NU_HOST_FAILED_EDS_HEALTH | NU_HOST_EDS_STATUS_DRAINING | NU_HOST_DEGRADED_EDS_HEALTH;
    uint32_t before = atomic_load_explicit(&host->flags, memory_order_relaxed);
    uint32_t after = (before & ~all) | flags_of_eds(health);
    atomic_store_explicit(&host->eds_health, (uint8_t)health, memory_order_relaxed);
    atomic_store_explicit(&host->flags, after, memory_order_relaxed);
    return before != after;
}

enum nu_eds_health nu_host_health_status(const struct nu_host *host)
{
    uint32_t flags = atomic_load_explicit(&host->flags, memory_order_relaxed);
    enum nu_eds_health eds = atomic_load_explicit(&host->eds_health, memory_order_relaxed);
    if (flags & (NU_HOST_FAILED_ACTIVE_HC | NU_HOST_FAILED_OUTLIER_CHECK))
        return NU_EDS_UNHEALTHY;
    if (eds == NU_EDS_UNHEALTHY || eds == NU_EDS_DRAINING || eds == NU_EDS_TIMEOUT)
        return eds;
    return flags & NU_HOST_DEGRADED_ACTIVE_HC ? NU_EDS_DEGRADED : eds;
}

static const struct {
    enum nu_host_flag flag;
    const char *text;
} flag_texts[] = {
#define FLAG_TEXT(name, bit, text) {NU_HOST_##name, "/" text},
    NU_HOST_FLAGS(FLAG_TEXT)
#undef FLAG_TEXT
};

void nu_host_print_flags(const struct nu_host *host, struct nu_strbuf *out)
{
    uint32_t flags = atomic_load_explicit(&host->flags, memory_order_relaxed);
    if (!flags)
        nu_strbuf_add_cstr(out, "healthy");
    for (size_t i = 0; i < NU_ARRAY_LEN(flag_texts); i++) {
        if (flags & flag_texts[i].flag)
            nu_strbuf_add_cstr(out, flag_texts[i].text);
    }
}
