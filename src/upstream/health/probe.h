/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a host is asked: the base of the kinds of probe (HTTP, TCP, gRPC). Each host of a checked
 * cluster has one probe, which keeps its connection between checks, and which tells the session
 * that owns it how each check went:
 *
 *     session -> start                 ... nu_health_session_pass or _fail, once
 *     session -> give_up (time is up)  ... nothing more of that check
 *
 * A probe is the session's and is not freed before the end of a turn in which it called back. Main
 * thread.
 */
#ifndef NU_UPSTREAM_HEALTH_PROBE_H
#define NU_UPSTREAM_HEALTH_PROBE_H

#include "upstream/pool/dial.h"
#include "upstream/health/verdict.h"

struct nu_health_probe;
struct nu_health_session;

/* One kind; static const. */
struct nu_health_probe_class {
    const char *type; /* in the event log */
    size_t size;      /* of the object that begins with struct nu_health_probe */
    /* Begins a check. The session has its deadline. */
    void (*start)(struct nu_health_probe *probe);
    /* The deadline has passed. */
    void (*give_up)(struct nu_health_probe *probe);
    /* Closes what is open, now; nothing is told any more. Not from inside a call of the probe's. */
    void (*finish)(struct nu_health_probe *probe);
};

struct nu_health_probe {
    const struct nu_health_probe_class *cls;
    const void *settings;              /* borrowed: the kind's, from the configuration */
    struct nu_health_session *session; /* borrowed: the owner */
    struct nu_cluster *cluster;        /* borrowed */
    const struct nu_host *host;        /* borrowed: the session holds it */
    struct nu_dial_place place;        /* without address and transport, which come when it dials */
    struct nu_stat_set *transport_stats; /* borrowed: counts connections; NULL: nobody does */
    struct nu_str alpn;                  /* to be offered, in wire form; empty: as configured */
    struct nu_str authority;             /* that the host is asked for by its own endpoint; may be
                                              empty */
    uint64_t timeout_ms;                 /* of a check */
    bool reuses_connection;
};

/* For probes: how the check went. `degraded`: the host works and asks to be spared. */
void nu_health_session_pass(struct nu_health_session *session, bool degraded);
void nu_health_session_fail(struct nu_health_session *session, enum nu_health_failure failure,
                            bool retriable);
/* Together with a failure: the host is not to be counted any more. */
void nu_health_session_exclude(struct nu_health_session *session);
/* Counts a check of whose service a host is. */
void nu_health_session_count_verify(struct nu_health_session *session);

/* The name that the host is asked by: its endpoint's, else the configured one, else the
 * cluster's. */
struct nu_str nu_health_probe_authority(const struct nu_health_probe *probe,
                                        struct nu_str configured);

/* Begins to connect to where the host's checks go, as nu_dial_place does. */
void nu_health_probe_dial(const struct nu_health_probe *probe, struct nu_connection *conn,
                          const struct nu_connection_ops *ops);

#endif
