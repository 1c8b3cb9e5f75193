/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The detector of a cluster: which hosts it watches, when it puts one aside, and for how long. A
 * host stays aside for the base time, times a number that grows with each ejection and shrinks with
 * each interval that goes well.
 */
#include "upstream/outlier/outlier_internal.h"

#include "base/alloc.h"
#include "base/random.h"
#include "runtime/runtime.h"
#include "upstream/cluster_build.h"
#include "upstream/cluster_manager.h"

/* --- Settings --------------------------------------------------------------------------------- */

#define SETTING_KEY(name, key, value) NU_STR_INIT("outlier_detection." key),
static const struct nu_str keys[] = {NU_OUTLIER_SETTINGS(SETTING_KEY)};

#define SETTING_DEFAULT(name, key, value) [NU_OUTLIER_##name] = (value),
static const struct nu_outlier_config defaults = {
    .values = {NU_OUTLIER_SETTINGS(SETTING_DEFAULT)},
    .unejects_when_checked = true,
};

void nu_outlier_config_init(struct nu_outlier_config *config)
{
    *config = defaults;
}

uint64_t nu_outlier_value(const struct nu_outlier *detector, enum nu_outlier_setting setting)
{
    return nu_runtime_integer(detector->loop->runtime, keys[setting],
                              detector->config.values[setting]);
}

/* Milliseconds, of which there are never so many that reckoning with them overflows. */
static uint64_t time_value(const struct nu_outlier *detector, enum nu_outlier_setting setting)
{
    const uint64_t max_ms = (uint64_t)1 << 40; /* 34 years */
    uint64_t ms = nu_outlier_value(detector, setting);
    return ms < max_ms ? ms : max_ms;
}

static const enum nu_outlier_setting run_settings[NU_OUTLIER_RUN_COUNT] = {
    [NU_OUTLIER_RUN_GATEWAY] = NU_OUTLIER_CONSECUTIVE_GATEWAY_FAILURE,
    [NU_OUTLIER_RUN_5XX] = NU_OUTLIER_CONSECUTIVE_5XX,
    [NU_OUTLIER_RUN_LOCAL] = NU_OUTLIER_CONSECUTIVE_LOCAL_ORIGIN_FAILURE,
};

uint64_t nu_outlier_run_limit(const struct nu_host_outlier *outlier, enum nu_outlier_run run,
                              const struct nu_runtime *runtime)
{
    return nu_runtime_integer(runtime, keys[run_settings[run]], outlier->limit[run]);
}

/* --- Statistics ------------------------------------------------------------------------------- */

struct nu_outlier_stats *nu_outlier_stats(struct nu_outlier *detector)
{
    if (!detector->stats)
        detector->stats = nu_stat_set_block(detector->stat_set);
    return detector->stats;
}

static void count_detected(struct nu_outlier_stats *stats, enum nu_outlier_kind kind)
{
    switch (kind) {
#define COUNT_DETECTED(kind, setting, stat, name) \
    case NU_OUTLIER_BY_##kind: \
        nu_counter_inc(&stats->ejections_detected_##stat); \
        return;
        NU_OUTLIER_KINDS(COUNT_DETECTED)
    case NU_OUTLIER_KIND_COUNT:
        return;
    }
}

static void count_enforced(struct nu_outlier_stats *stats, enum nu_outlier_kind kind)
{
    nu_counter_inc(&stats->ejections_enforced_total);
    switch (kind) {
#define COUNT_ENFORCED(kind, setting, stat, name) \
    case NU_OUTLIER_BY_##kind: \
        nu_counter_inc(&stats->ejections_enforced_##stat); \
        return;
        NU_OUTLIER_KINDS(COUNT_ENFORCED)
    case NU_OUTLIER_KIND_COUNT:
        return;
    }
}

static void count_ejected(struct nu_outlier *detector, bool more)
{
    detector->ejected = more ? detector->ejected + 1 : detector->ejected - 1;
    nu_gauge_add(&nu_outlier_stats(detector)->ejections_active, more ? 1 : -1);
}

/* --- Ejecting --------------------------------------------------------------------------------- */

bool nu_outlier_is_ejected(const struct nu_host_outlier *outlier)
{
    return nu_host_has_flag(outlier->host, NU_HOST_FAILED_OUTLIER_CHECK);
}

/* Whether one more host may be aside. The share is one of all hosts of the cluster. */
static bool may_eject(const struct nu_outlier *detector)
{
    uint64_t max_percent = nu_outlier_value(detector, NU_OUTLIER_MAX_EJECTION_PERCENT);
    double percent = 100.0 * (detector->ejected + 1) / detector->host_count;
    if (detector->config.always_ejects_one && detector->ejected == 0)
        return true;
    return percent <= (double)(max_percent < 100 ? max_percent : 100);
}

static bool is_enforced(const struct nu_outlier *detector, enum nu_outlier_kind kind)
{
#define KIND_SETTING(kind, setting, stat, name) NU_OUTLIER_##setting,
    static const enum nu_outlier_setting settings[] = {NU_OUTLIER_KINDS(KIND_SETTING)};
    enum nu_outlier_setting setting = settings[kind];
    return nu_runtime_feature_enabled(detector->loop->runtime, keys[setting],
                                      detector->config.values[setting], nu_random_u64());
}

static void put_aside(struct nu_host_outlier *outlier, enum nu_outlier_kind kind)
{
    struct nu_outlier *detector = outlier->detector;
    uint64_t base_ms = time_value(detector, NU_OUTLIER_BASE_EJECTION_TIME);
    uint64_t max_ms = time_value(detector, NU_OUTLIER_MAX_EJECTION_TIME);
    count_ejected(detector, true);
    count_enforced(nu_outlier_stats(detector), kind);
    nu_host_set_flag(outlier->host, NU_HOST_FAILED_OUTLIER_CHECK);
    outlier->ejections++;
    outlier->ejected_us = nu_loop_now_us(detector->loop);
    outlier->jitter_ms =
        nu_random_below(time_value(detector, NU_OUTLIER_MAX_EJECTION_TIME_JITTER) + 1);
    if (outlier->backoff * base_ms < max_ms + base_ms)
        outlier->backoff++;
    nu_cluster_health_changed(detector->cluster);
    nu_cluster_manager_drain_host(detector->cluster->manager, detector->cluster, outlier->host);
}

/* As Envoy's, with one exception: a host that two rules find in the same results is put aside once,
 * so that the count of those aside comes out even. */
void nu_outlier_detect(struct nu_host_outlier *outlier, enum nu_outlier_kind kind)
{
    struct nu_outlier *detector = outlier->detector;
    struct nu_outlier_stats *stats = nu_outlier_stats(detector);
    count_detected(stats, kind);
    if (nu_outlier_is_ejected(outlier))
        return;
    if (!may_eject(detector)) {
        nu_counter_inc(&stats->ejections_overflow);
        return;
    }
    if (kind == NU_OUTLIER_BY_CONSECUTIVE_5XX || kind == NU_OUTLIER_BY_SUCCESS_RATE)
        nu_counter_inc(&stats->ejections_total);
    bool enforced = is_enforced(detector, kind);
    if (enforced)
        put_aside(outlier, kind);
    nu_outlier_log_ejection(outlier, kind, enforced);
}

static void reset_run(struct nu_host_outlier *outlier, enum nu_outlier_run run)
{
    atomic_store_explicit(&outlier->runs[run], 0, memory_order_relaxed);
}

static void judge_run(struct nu_host_outlier *outlier, enum nu_outlier_run run,
                      enum nu_outlier_kind kind)
{
    if (nu_outlier_is_ejected(outlier))
        return;
    nu_outlier_detect(outlier, kind);
    if (run == NU_OUTLIER_RUN_5XX)
        nu_counter_inc(&nu_outlier_stats(outlier->detector)->ejections_consecutive_5xx);
    reset_run(outlier, run);
}

void nu_outlier_judge_runs(struct nu_host_outlier *outlier, uint32_t reached)
{
    static const enum nu_outlier_kind kinds[NU_OUTLIER_RUN_COUNT] = {
        [NU_OUTLIER_RUN_GATEWAY] = NU_OUTLIER_BY_CONSECUTIVE_GATEWAY,
        [NU_OUTLIER_RUN_5XX] = NU_OUTLIER_BY_CONSECUTIVE_5XX,
        [NU_OUTLIER_RUN_LOCAL] = NU_OUTLIER_BY_CONSECUTIVE_LOCAL,
    };
    for (int run = 0; run < NU_OUTLIER_RUN_COUNT; run++) {
        if (reached & (1U << run))
            judge_run(outlier, (enum nu_outlier_run)run, kinds[run]);
    }
}

/* --- Taking back ------------------------------------------------------------------------------ */

/* Its runs begin anew, or one that was nearly full would put it aside again at once. */
static void take_back(struct nu_host_outlier *outlier)
{
    struct nu_outlier *detector = outlier->detector;
    count_ejected(detector, false);
    nu_host_clear_flag(outlier->host, NU_HOST_FAILED_OUTLIER_CHECK);
    for (int run = 0; run < NU_OUTLIER_RUN_COUNT; run++)
        reset_run(outlier, (enum nu_outlier_run)run);
    outlier->unejected_us = nu_loop_now_us(detector->loop);
    nu_cluster_health_changed(detector->cluster);
    nu_outlier_log_unejection(outlier);
}

static bool is_time_over(const struct nu_host_outlier *outlier)
{
    const struct nu_outlier *detector = outlier->detector;
    uint64_t max_ms = time_value(detector, NU_OUTLIER_MAX_EJECTION_TIME);
    uint64_t ms = outlier->backoff * time_value(detector, NU_OUTLIER_BASE_EJECTION_TIME);
    uint64_t aside_us = nu_loop_now_us(detector->loop) - outlier->ejected_us;
    return ((ms < max_ms ? ms : max_ms) + outlier->jitter_ms) * 1000 <= aside_us;
}

void nu_outlier_on_checked(struct nu_outlier *detector, struct nu_host *host)
{
    if (!detector || !detector->config.unejects_when_checked)
        return;
    struct nu_host_outlier *outlier = host->outlier;
    if (outlier && outlier->detector == detector && nu_outlier_is_ejected(outlier))
        take_back(outlier);
}

/* --- The interval ----------------------------------------------------------------------------- */

/* Only hosts that were back for a whole interval come nearer to the base time. */
static void ease(struct nu_host_outlier *outlier, uint64_t now_us, uint64_t interval_ms)
{
    if (nu_outlier_is_ejected(outlier) || !outlier->unejected_us || !outlier->backoff)
        return;
    if (now_us - outlier->unejected_us >= interval_ms * 1000)
        outlier->backoff--;
}

static void arm(struct nu_outlier *detector)
{
    uint64_t ms = time_value(detector, NU_OUTLIER_INTERVAL);
    nu_timer_arm(detector->loop, &detector->interval, ms ? ms : 1);
}

static void on_interval(struct nu_timer *timer)
{
    struct nu_outlier *detector = nu_container_of(timer, struct nu_outlier, interval);
    uint64_t interval_ms = time_value(detector, NU_OUTLIER_INTERVAL);
    uint64_t now_us = nu_loop_now_us(detector->loop);
    struct nu_host_outlier *outlier;
    nu_list_for_each(outlier, &detector->hosts, struct nu_host_outlier, link)
    {
        if (nu_outlier_is_ejected(outlier) && is_time_over(outlier))
            take_back(outlier);
        nu_outlier_take_counts(outlier);
    }
    nu_outlier_compare(detector, NU_OUTLIER_EXTERNAL);
    nu_outlier_compare(detector, NU_OUTLIER_LOCAL);
    nu_list_for_each(outlier, &detector->hosts, struct nu_host_outlier, link)
    {
        ease(outlier, now_us, interval_ms);
    }
    arm(detector);
}

struct nu_outlier_rates nu_outlier_rates(const struct nu_outlier *detector,
                                         enum nu_outlier_origin origin)
{
    return detector->rates[origin];
}

/* --- Hosts ------------------------------------------------------------------------------------ */

static void add_host(struct nu_outlier *detector, struct nu_host *host)
{
    struct nu_host_outlier *outlier = host->outlier;
    if (!outlier)
        outlier = nu_host_outlier_create(host);
    for (int run = 0; run < NU_OUTLIER_RUN_COUNT; run++)
        outlier->limit[run] = (uint32_t)detector->config.values[run_settings[run]];
    for (int origin = 0; origin < NU_OUTLIER_ORIGIN_COUNT; origin++)
        outlier->tally[origin].shown_rate = -1;
    outlier->splits_origins = detector->config.splits_origins;
    outlier->detector = detector;
    nu_list_add_last(&detector->hosts, &outlier->link);
    detector->host_count++;
    host->outlier = outlier; /* workers may have the host, and count from here on */
}

static void remove_host(struct nu_host_outlier *outlier)
{
    struct nu_outlier *detector = outlier->detector;
    if (nu_outlier_is_ejected(outlier))
        count_ejected(detector, false);
    nu_list_remove(&outlier->link);
    outlier->detector = NULL;
    detector->host_count--;
}

/* The first hosts come when the cluster is taken into use: the intervals begin with them. */
static void on_hosts(struct nu_cluster_observer *observer, const struct nu_host_change *change)
{
    struct nu_outlier *detector = nu_container_of(observer, struct nu_outlier, observer);
    for (uint32_t i = 0; i < change->added_count; i++)
        add_host(detector, change->added[i]);
    for (uint32_t i = 0; i < change->removed_count; i++)
        remove_host(change->removed[i]->outlier);
    if (!nu_timer_is_armed(&detector->interval))
        arm(detector);
}

/* --- Life ------------------------------------------------------------------------------------- */

static void destroy(struct nu_cluster_observer *observer)
{
    struct nu_outlier *detector = nu_container_of(observer, struct nu_outlier, observer);
    nu_timer_cancel(&detector->interval);
    while (!nu_list_is_empty(&detector->hosts))
        remove_host(nu_list_entry(detector->hosts.next, struct nu_host_outlier, link));
    detector->cluster->outlier = NULL;
    nu_stat_set_destroy(&detector->stat_set);
    nu_free(detector);
}

void nu_outlier_create(struct nu_cluster *cluster, struct nu_loop *loop,
                       const struct nu_outlier_config *config, struct nu_log_file *log)
{
    struct nu_outlier *detector = nu_calloc(1, sizeof(*detector));
    detector->cluster = cluster;
    detector->loop = loop;
    detector->config = *config;
    detector->log = log;
    detector->stat_set =
        nu_cluster_create_set(cluster, &nu_outlier_stats_table, ".outlier_detection");
    for (int origin = 0; origin < NU_OUTLIER_ORIGIN_COUNT; origin++)
        detector->rates[origin] = (struct nu_outlier_rates){-1, -1};
    nu_list_init(&detector->hosts);
    nu_timer_init(&detector->interval, on_interval);
    detector->observer.on_hosts = on_hosts;
    detector->observer.destroy = destroy;
    nu_cluster_add_observer(cluster, &detector->observer);
    cluster->outlier = detector;
}
