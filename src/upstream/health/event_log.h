/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of what becomes of hosts' health: HealthCheckEvent messages as lines of JSON, written as
 * Envoy writes them. Main thread.
 */
#ifndef NU_UPSTREAM_HEALTH_EVENT_LOG_H
#define NU_UPSTREAM_HEALTH_EVENT_LOG_H

#include "base/str.h"
#include "upstream/health/verdict.h"
#include "upstream/hosts/host.h"

struct nu_log_file;

/* The files of one health check. */
struct nu_health_event_log {
    struct nu_log_file **files; /* borrowed: the writer's */
    size_t count;
};

/* What a line says besides the kind of its event. */
struct nu_health_event_info {
    const char *type; /* of the check */
    struct nu_str cluster;
    const struct nu_host *host;
    uint64_t realtime_us;
    enum nu_health_failure failure; /* of EJECTED and FAILED */
    bool is_first;                  /* of ADDED and FAILED */
};

/* Writes a line for each of `events` (enum nu_health_event). */
void nu_health_event_log_write(const struct nu_health_event_log *log, unsigned events,
                               const struct nu_health_event_info *info);
/* The line of one event, appended with its newline. */
void nu_health_event_format(struct nu_strbuf *out, enum nu_health_event event,
                            const struct nu_health_event_info *info);

#endif
