/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role-based access control: policies say who (principals) may do what (permissions). Compiled once;
 * the same engine serves connections, which have no headers, and requests. Immutable, any thread.
 */
#ifndef NU_MATCH_RBAC_H
#define NU_MATCH_RBAC_H

#include "match/factory.h"

struct Envoy__Config__Rbac__V3__RBAC;
struct nu_headers;
struct nu_rbac;
struct nu_stream_info;

/* What is judged. */
struct nu_rbac_input {
    const struct nu_headers *headers; /* NULL for a connection */
    struct nu_stream_info *info;      /* with its connection */
};

struct nu_rbac_verdict {
    bool is_allowed;
    bool is_log;          /* the rules are there to be logged: whether one matched */
    struct nu_str policy; /* the one that matched, or empty */
};

/* The rules of a configuration, NULL after adding errors. For connections, conditions on headers
 * are an error. */
const struct nu_rbac *nu_rbac_from_proto(const struct nu_match_factory *factory,
                                         const struct Envoy__Config__Rbac__V3__RBAC *proto,
                                         bool is_network);

struct nu_rbac_verdict nu_rbac_judge(const struct nu_rbac *rbac, const struct nu_rbac_input *input);

/* Notes for logs (metadata envoy.common, access_log_hint) whether rules with the action LOG
 * matched. */
void nu_rbac_note_log(struct nu_stream_info *info, const struct nu_rbac_verdict *verdict);

#endif
