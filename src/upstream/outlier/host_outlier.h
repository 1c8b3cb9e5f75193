/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What outlier detection knows of one host, and how workers tell it. They count results on the host
 * itself, in relaxed atomics; when as many in a row have failed as the cluster's configuration
 * allows, the host goes to the inbox of the main thread, where the cluster's detector
 * (upstream/outlier/outlier.h) judges it. Rates are judged there too, from the same counts.
 */
#ifndef NU_UPSTREAM_HOST_OUTLIER_H
#define NU_UPSTREAM_HOST_OUTLIER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"
#include "event/loop.h"

struct nu_host;
struct nu_host_outlier;
struct nu_outlier;
struct nu_runtime;

/* What came of using a host. */
enum nu_outlier_result {
    NU_OUTLIER_ANSWERED,  /* a response, with a status */
    NU_OUTLIER_CONNECTED, /* a connection for a request; what comes of that is told apart */
    NU_OUTLIER_SERVED,    /* a plain connection: all that will be known of it */
    NU_OUTLIER_FAILED,    /* no connection, or one that broke */
    NU_OUTLIER_TIMED_OUT,
};

/* Whether failures came from the host or were seen on our side. They are told apart only with
 * split_external_local_origin_errors; without it all are external. */
enum nu_outlier_origin {
    NU_OUTLIER_EXTERNAL,
    NU_OUTLIER_LOCAL,
    NU_OUTLIER_ORIGIN_COUNT,
};

/* Failures in a row. */
enum nu_outlier_run {
    NU_OUTLIER_RUN_GATEWAY, /* of 502, 503 and 504 */
    NU_OUTLIER_RUN_5XX,
    NU_OUTLIER_RUN_LOCAL,
    NU_OUTLIER_RUN_COUNT,
};

/* Hosts on their way to the main thread, each at most once; a reference is held to them. One a
 * process, owned by its nu_host_keeper. */
struct nu_outlier_inbox {
    struct nu_loop *loop;                   /* borrowed: the main thread's */
    struct nu_task task;                    /* on its way while there are hosts */
    _Atomic(struct nu_host_outlier *) head; /* newest first */
};

/* Of one host, owned by it. */
struct nu_host_outlier {
    /* What workers touch fills one cache line. */
    struct nu_outlier_counts {
        _Atomic uint64_t successes;
        _Atomic uint64_t failures;
    } counts[NU_OUTLIER_ORIGIN_COUNT];
    _Atomic uint32_t runs[NU_OUTLIER_RUN_COUNT];
    _Atomic uint32_t reached;             /* bits of runs that are as long as is allowed */
    uint32_t limit[NU_OUTLIER_RUN_COUNT]; /* as configured; the runtime may say otherwise */
    bool splits_origins;

    /* The main thread's. */
    struct nu_host *host;             /* borrowed: the owner */
    struct nu_outlier *detector;      /* borrowed; NULL when the host has left its cluster */
    struct nu_host_outlier *next;     /* in the inbox */
    struct nu_list link;              /* in the detector's hosts */
    struct nu_outlier_tally {         /* as of the last interval */
        uint64_t successes, failures; /* counted until then */
        uint64_t volume;              /* results in it, if they are to be judged */
        double success_rate;          /* in percent */
        double shown_rate;            /* the same with enough results, else -1 */
    } tally[NU_OUTLIER_ORIGIN_COUNT];
    uint64_t ejected_us;   /* when last; 0: never */
    uint64_t unejected_us; /* likewise */
    uint64_t jitter_ms;    /* of the last ejection */
    uint32_t ejections;    /* so far */
    uint32_t backoff;      /* how many times the base time an ejection takes */
};

/* Fresh counts, for one host. Main thread. */
struct nu_host_outlier *nu_host_outlier_create(struct nu_host *host);
/* NULL is allowed; clears the pointer. */
void nu_host_outlier_destroy(struct nu_host_outlier **outlier);
/* The success rate in percent in the last interval; -1 if it had too few results, or without
 * detection. Main thread. */
double nu_host_outlier_rate(const struct nu_host *host, enum nu_outlier_origin origin);

void nu_outlier_inbox_init(struct nu_outlier_inbox *inbox, struct nu_loop *loop);
/* Drops what is in it. Main thread, when no worker runs. */
void nu_outlier_inbox_finish(struct nu_outlier_inbox *inbox);

void nu_host_outlier_count(struct nu_host_outlier *outlier, enum nu_outlier_result result,
                           uint32_t status, const struct nu_runtime *runtime);

/*
 * Tells what came of using a host: one call for each connection that an exchange got, and one for
 * each outcome. `status` is that of the response, or what a timeout is answered with (0: as 504).
 * `outlier` is the host's, NULL without detection. Any numbered thread.
 */
static inline void nu_outlier_report(struct nu_host_outlier *outlier, enum nu_outlier_result result,
                                     uint32_t status, const struct nu_runtime *runtime)
{
    if (nu_unlikely(outlier != NULL))
        nu_host_outlier_count(outlier, result, status, runtime);
}

#endif
