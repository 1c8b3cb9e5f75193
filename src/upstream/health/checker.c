/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checker. A session has one timer: before a check begins it runs to the next check, afterwards
 * to that check's deadline. A session that has begun is the host's monitor, so that a response to a
 * client can tell that the host is unwell.
 */
#include "upstream/health/checker.h"

#include "base/alloc.h"
#include "base/log.h"
#include "event/timer.h"
#include "upstream/cluster_manager.h"
#include "upstream/discovery/discovery.h"
#include "upstream/outlier/outlier.h"

/* The checks of one host. */
struct nu_health_session {
    struct nu_host_monitor monitor;
    struct nu_list link; /* the checker's */
    struct nu_health_checker *checker;
    struct nu_host *host; /* one reference */
    struct nu_health_tally tally;
    struct nu_timer timer;
    struct nu_health_probe *probe; /* owned */
    bool in_check;
    bool is_gone; /* freed at the end of the turn */
};

struct nu_health_checker {
    struct nu_cluster_observer observer;
    struct nu_cluster *cluster; /* borrowed: the owner */
    const struct nu_health_config *config;
    struct nu_loop *loop;
    struct nu_list sessions;
    struct nu_stat_set *stat_set;
    struct nu_health_check_stats *stats;
    struct nu_init_target target;     /* ready once the cluster is warm */
    struct nu_init_manager discovery; /* waits for the cluster's hosts */
    struct nu_turn_task warm_task;
    uint32_t first_results; /* that the start waits for */
    bool is_started;
    bool has_traffic;
    bool knows_hosts; /* the discovery is ready */
};

/* --- Results ---------------------------------------------------------------------------------- */

static bool has_traffic(struct nu_health_checker *checker)
{
    if (!checker->has_traffic)
        checker->has_traffic =
            nu_stat_set_counter(checker->cluster->sets.traffic,
                                offsetof(struct nu_cluster_traffic_stats, upstream_cx_total)) != 0;
    return checker->has_traffic;
}

static void count_flags(struct nu_health_check_stats *stats, uint32_t before, uint32_t after)
{
    uint32_t changed = before ^ after;
    if (changed & NU_HOST_FAILED_ACTIVE_HC) {
        if (after & NU_HOST_FAILED_ACTIVE_HC)
            nu_gauge_dec(&stats->healthy);
        else
            nu_gauge_inc(&stats->healthy);
    }
    if (changed & NU_HOST_DEGRADED_ACTIVE_HC) {
        if (after & NU_HOST_DEGRADED_ACTIVE_HC)
            nu_gauge_inc(&stats->degraded);
        else
            nu_gauge_dec(&stats->degraded);
    }
}

static void set_flags(struct nu_host *host, uint32_t before, uint32_t after)
{
    for (uint32_t left = before ^ after; left; left &= left - 1) {
        enum nu_host_flag flag = (enum nu_host_flag)(left & -left);
        if (after & flag)
            nu_host_set_flag(host, flag);
        else
            nu_host_clear_flag(host, flag);
    }
}

/* Behind the host set that the last result makes. */
static void on_warm_task(struct nu_turn_task *task)
{
    struct nu_health_checker *checker = nu_container_of(task, struct nu_health_checker, warm_task);
    nu_init_target_ready(&checker->target);
}

static void say_warm(struct nu_health_checker *checker)
{
    if (checker->knows_hosts && checker->first_results == 0)
        nu_loop_at_turn_end(checker->loop, &checker->warm_task);
}

static void note_first_result(struct nu_health_checker *checker)
{
    if (checker->first_results)
        checker->first_results--;
    say_warm(checker);
}

static void write_events(struct nu_health_session *session, const struct nu_health_step *step,
                         enum nu_health_failure failure)
{
    struct nu_health_checker *checker = session->checker;
    const struct nu_health_event_info info = {
        .type = checker->config->probe->type,
        .cluster = checker->cluster->name,
        .host = session->host,
        .realtime_us = nu_loop_realtime_us(checker->loop),
        .failure = failure,
        .is_first = step->is_first,
    };
    nu_health_event_log_write(&checker->config->log, step->events, &info);
}

/* What follows from a step, whoever made it. */
static void take_step(struct nu_health_session *session, uint32_t before,
                      const struct nu_health_step *step)
{
    struct nu_health_checker *checker = session->checker;
    set_flags(session->host, before, step->flags);
    count_flags(checker->stats, before, step->flags);
    if (step->change == NU_HEALTH_CHANGED) {
        nu_cluster_health_changed(checker->cluster);
        if (nu_host_health(session->host) == NU_HOST_UNHEALTHY)
            nu_cluster_manager_drain_host(checker->cluster->manager, checker->cluster,
                                          session->host);
    }
    nu_log(NU_LOG_UPSTREAM, NU_LOG_DEBUG, "cluster %.*s: health check of %.*s: flags %#x",
           NU_STR_ARG(checker->cluster->name), NU_STR_ARG(nu_host_address_text(session->host)),
           (unsigned)step->flags);
    if (step->is_first)
        note_first_result(checker);
}

/* The next check, after this one went so. */
static void rest(struct nu_health_session *session, bool passed, enum nu_health_change change)
{
    struct nu_health_checker *checker = session->checker;
    const struct nu_health_pace pace = {
        .passed = passed,
        .change = change,
        .has_traffic = has_traffic(checker),
        .runtime = checker->loop->runtime,
    };
    session->in_check = false;
    nu_timer_arm(checker->loop, &session->timer, nu_health_next_ms(&checker->config->rules, &pace));
}

static uint32_t flags_of(const struct nu_health_session *session)
{
    return atomic_load_explicit(&session->host->flags, memory_order_relaxed);
}

void nu_health_session_pass(struct nu_health_session *session, bool degraded)
{
    struct nu_health_checker *checker = session->checker;
    uint32_t before = flags_of(session);
    if (session->is_gone)
        return;
    struct nu_health_step step =
        nu_health_pass(&checker->config->rules, &session->tally, before, degraded);
    write_events(session, &step, NU_HEALTH_ACTIVE);
    if (before & NU_HOST_FAILED_ACTIVE_HC)
        atomic_store_explicit(&session->host->fit_since_us, nu_loop_now_us(checker->loop),
                              memory_order_relaxed);
    nu_counter_inc(&checker->stats->success);
    take_step(session, before, &step);
    if (!nu_host_has_flag(session->host, NU_HOST_FAILED_ACTIVE_HC))
        nu_outlier_on_checked(checker->cluster->outlier, session->host);
    rest(session, true, step.change);
}

static void count_failure(struct nu_health_check_stats *stats, enum nu_health_failure failure)
{
    nu_counter_inc(&stats->failure);
    if (nu_health_is_network(failure))
        nu_counter_inc(&stats->network_failure);
    else if (failure == NU_HEALTH_PASSIVE)
        nu_counter_inc(&stats->passive_failure);
}

static enum nu_health_change set_unhealthy(struct nu_health_session *session,
                                           enum nu_health_failure failure, bool retriable)
{
    struct nu_health_checker *checker = session->checker;
    uint32_t before = flags_of(session);
    struct nu_health_step step =
        nu_health_fail(&checker->config->rules, &session->tally, before, failure, retriable);
    write_events(session, &step, failure);
    count_failure(checker->stats, failure);
    take_step(session, before, &step);
    return step.change;
}

void nu_health_session_fail(struct nu_health_session *session, enum nu_health_failure failure,
                            bool retriable)
{
    if (session->is_gone)
        return;
    rest(session, false, set_unhealthy(session, failure, retriable));
}

void nu_health_session_exclude(struct nu_health_session *session)
{
    if (nu_host_set_flag(session->host, NU_HOST_EXCLUDED_VIA_IMMEDIATE_HC_FAIL))
        nu_cluster_health_changed(session->checker->cluster);
}

void nu_health_session_count_verify(struct nu_health_session *session)
{
    nu_counter_inc(&session->checker->stats->verify_cluster);
}

/* A response to a client said that the host is unwell; its checks go on as they would have. */
static void on_unwell(struct nu_host_monitor *monitor)
{
    struct nu_health_session *session = nu_container_of(monitor, struct nu_health_session, monitor);
    nu_health_session_exclude(session);
    set_unhealthy(session, NU_HEALTH_PASSIVE, false);
}

/* --- Checks ----------------------------------------------------------------------------------- */

struct nu_str nu_health_probe_authority(const struct nu_health_probe *probe,
                                        struct nu_str configured)
{
    if (probe->authority.len)
        return probe->authority;
    return configured.len ? configured : probe->cluster->name;
}

/* The transport of a host's checks. */
static const struct nu_transport_socket *transport_of(const struct nu_health_checker *checker,
                                                      const struct nu_host *host)
{
    const struct nu_health_config *config = checker->config;
    if (!config->has_criteria)
        return nu_cluster_transport(checker->cluster, host);
    return config->transport ? &config->transport->socket : &checker->cluster->options.transport;
}

void nu_health_probe_dial(const struct nu_health_probe *probe, struct nu_connection *conn,
                          const struct nu_connection_ops *ops)
{
    struct nu_transport_target target = {.alpn = probe->alpn, .alpn_is_forced = true};
    if (probe->transport_stats) {
        struct nu_transport_socket_match_stats *stats = nu_stat_set_block(probe->transport_stats);
        nu_counter_inc(&stats->total_match_count);
    }
    struct nu_address address = nu_host_check_address(probe->host);
    struct nu_dial_place place = probe->place;
    place.address = &address;
    place.transport = transport_of(probe->session->checker, probe->host);
    nu_dial_place(conn, &place, &target, ops);
}

static void check(struct nu_health_session *session)
{
    struct nu_health_checker *checker = session->checker;
    session->in_check = true;
    nu_counter_inc(&checker->stats->attempt);
    nu_timer_arm(checker->loop, &session->timer, checker->config->rules.timeout_ms);
    session->probe->cls->start(session->probe);
}

static void on_timer(struct nu_timer *timer)
{
    struct nu_health_session *session = nu_container_of(timer, struct nu_health_session, timer);
    if (!session->in_check) {
        check(session);
        return;
    }
    session->probe->cls->give_up(session->probe);
    nu_health_session_fail(session, NU_HEALTH_NETWORK_TIMEOUT, false);
}

/* --- Sessions --------------------------------------------------------------------------------- */

/* Of the transport that criteria chose, which counts each connection; NULL without them. */
static struct nu_stat_set *transport_stats_of(const struct nu_health_checker *checker)
{
    const struct nu_health_config *config = checker->config;
    if (!config->has_criteria)
        return NULL;
    return config->transport ? config->transport->stats : checker->cluster->sets.transport_match;
}

static struct nu_health_probe *create_probe(struct nu_health_session *session)
{
    struct nu_health_checker *checker = session->checker;
    const struct nu_health_config *config = checker->config;
    const struct nu_host *host = session->host;
    struct nu_health_probe *probe = nu_calloc(1, config->probe->size);
    *probe = (struct nu_health_probe){
        .cls = config->probe,
        .settings = config->settings,
        .session = session,
        .cluster = checker->cluster,
        .host = host,
        .place =
            {
                .loop = checker->loop,
                .options = &checker->cluster->options,
                .hostname = host->hostname,
            },
        .transport_stats = transport_stats_of(checker),
        .alpn = config->alpn,
        .authority = host->check_place ? host->check_place->hostname : nu_str_make(NULL, 0),
        .timeout_ms = config->rules.timeout_ms,
        .reuses_connection = config->reuses_connection,
    };
    return probe;
}

static void begin_session(struct nu_health_session *session)
{
    struct nu_health_checker *checker = session->checker;
    uint64_t pause_ms = nu_health_first_ms(&checker->config->rules, checker->loop->runtime);
    if (pause_ms)
        nu_timer_arm(checker->loop, &session->timer, pause_ms);
    else
        check(session);
}

static void add_session(struct nu_health_checker *checker, struct nu_host *host)
{
    struct nu_health_session *session = nu_calloc(1, sizeof(*session));
    session->monitor.on_unwell = on_unwell;
    session->checker = checker;
    session->host = nu_host_ref(host);
    nu_timer_init(&session->timer, on_timer);
    session->probe = create_probe(session);
    nu_list_add_last(&checker->sessions, &session->link);
    nu_host_set_flag(host, NU_HOST_FAILED_ACTIVE_HC);
    /* Hosts that were discovered may be left out of the count until it is known what they are. */
    if (checker->cluster->discovery && checker->cluster->lb->ignores_new_hosts)
        nu_host_set_flag(host, NU_HOST_PENDING_ACTIVE_HC);
    host->monitor = &session->monitor;
    if (checker->is_started)
        begin_session(session);
}

static void free_session(void *obj)
{
    struct nu_health_session *session = obj;
    session->probe->cls->finish(session->probe);
    nu_free(session->probe);
    nu_host_unref(session->host);
    nu_free(session);
}

/* The host leaves the cluster, perhaps while its probe is at work. */
static void end_session(struct nu_health_session *session)
{
    struct nu_health_checker *checker = session->checker;
    uint32_t flags = flags_of(session);
    session->is_gone = true;
    session->host->monitor = NULL;
    nu_list_remove(&session->link);
    nu_timer_cancel(&session->timer);
    count_flags(checker->stats, flags, NU_HOST_FAILED_ACTIVE_HC);
    if (!session->tally.has_result)
        note_first_result(checker);
    nu_loop_defer_free(checker->loop, free_session, session);
}

static struct nu_health_session *find_session(const struct nu_host *host)
{
    return host->monitor ? nu_container_of(host->monitor, struct nu_health_session, monitor) : NULL;
}

static void on_hosts(struct nu_cluster_observer *observer, const struct nu_host_change *change)
{
    struct nu_health_checker *checker =
        nu_container_of(observer, struct nu_health_checker, observer);
    for (uint32_t i = 0; i < change->removed_count; i++) {
        struct nu_health_session *session = find_session(change->removed[i]);
        if (session)
            end_session(session);
    }
    for (uint32_t i = 0; i < change->added_count; i++) {
        struct nu_host *host = change->added[i];
        if (!host->check_place || !host->check_place->is_off)
            add_session(checker, host);
    }
}

/* --- Life ------------------------------------------------------------------------------------- */

/* The cluster's hosts are known; those that have no result yet are waited for. */
static void on_hosts_known(struct nu_init_manager *manager)
{
    struct nu_health_checker *checker =
        nu_container_of(manager, struct nu_health_checker, discovery);
    struct nu_health_session *session;
    nu_list_for_each(session, &checker->sessions, struct nu_health_session, link)
    {
        checker->first_results += !session->tally.has_result;
    }
    checker->knows_hosts = true;
    say_warm(checker);
}

static void on_start(struct nu_init_target *target)
{
    struct nu_health_checker *checker = nu_container_of(target, struct nu_health_checker, target);
    struct nu_health_session *session;
    checker->is_started = true;
    nu_list_for_each(session, &checker->sessions, struct nu_health_session, link)
    {
        begin_session(session);
    }
    nu_init_manager_start(&checker->discovery, on_hosts_known);
}

static struct nu_stat_set *create_stats(const struct nu_cluster *cluster)
{
    struct nu_strbuf prefix = {0};
    nu_strbuf_add_cstr(&prefix, "cluster.");
    nu_stats_sanitize(&prefix, cluster->observability_name);
    nu_strbuf_add_cstr(&prefix, ".health_check");
    struct nu_stat_set *set =
        nu_stat_set_create(cluster->stats, &nu_health_check_stats_table, nu_strbuf_str(&prefix));
    nu_strbuf_finish(&prefix);
    return set;
}

static void destroy(struct nu_cluster_observer *observer)
{
    struct nu_health_checker *checker =
        nu_container_of(observer, struct nu_health_checker, observer);
    nu_list_remove(&checker->warm_task.link);
    nu_init_target_finish(&checker->target);
    nu_init_manager_finish(&checker->discovery);
    while (!nu_list_is_empty(&checker->sessions)) {
        struct nu_health_session *session =
            nu_list_entry(checker->sessions.next, struct nu_health_session, link);
        session->is_gone = true;
        session->host->monitor = NULL;
        nu_list_remove(&session->link);
        nu_timer_cancel(&session->timer);
        free_session(session);
    }
    nu_stat_set_destroy(&checker->stat_set);
    nu_free(checker);
}

struct nu_health_checker *nu_health_checker_create(struct nu_cluster *cluster,
                                                   const struct nu_health_config *config,
                                                   struct nu_loop *loop)
{
    struct nu_health_checker *checker = nu_calloc(1, sizeof(*checker));
    checker->observer.on_hosts = on_hosts;
    checker->observer.destroy = destroy;
    checker->cluster = cluster;
    checker->config = config;
    checker->loop = loop;
    nu_turn_task_init(&checker->warm_task, on_warm_task);
    nu_list_init(&checker->sessions);
    checker->stat_set = create_stats(cluster);
    checker->stats = nu_stat_set_block(checker->stat_set);
    const char *name =
        nu_arena_printf(&cluster->arena, "health checks of %.*s", NU_STR_ARG(cluster->name));
    nu_init_target_init(&checker->target, name, on_start);
    nu_init_manager_init(&checker->discovery, name);
    nu_cluster_add_observer(cluster, &checker->observer);
    return checker;
}

void nu_health_checker_start(struct nu_health_checker *checker, struct nu_init_manager *init)
{
    checker->cluster->warm = &checker->target;
    nu_cluster_start_discovery(checker->cluster, &checker->discovery);
    nu_init_manager_add(init, &checker->target);
}
