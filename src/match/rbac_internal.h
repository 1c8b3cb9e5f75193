/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled rules, between rbac_from_proto.c, which makes them, and rbac.c, which asks them. */
#ifndef NU_MATCH_RBAC_INTERNAL_H
#define NU_MATCH_RBAC_INTERNAL_H

#include "base/address.h"
#include "match/header_matcher.h"
#include "match/metadata_matcher.h"
#include "match/rbac.h"

enum nu_rbac_rule_kind {
    NU_RBAC_AND,
    NU_RBAC_OR,
    NU_RBAC_NOT,
    NU_RBAC_ANY,
    NU_RBAC_HEADER,
    NU_RBAC_PATH,
    NU_RBAC_DESTINATION_IP,
    NU_RBAC_DESTINATION_PORT,
    NU_RBAC_CONNECTION_IP, /* as a PROXY header says */
    NU_RBAC_DIRECT_IP,     /* the peer of the socket */
    NU_RBAC_REMOTE_IP,     /* as far as x-forwarded-for is trusted */
    NU_RBAC_SERVER_NAME,
    NU_RBAC_PEER_SHOWN, /* the client showed a certificate */
    NU_RBAC_PEER_NAME,
    NU_RBAC_METADATA,
    NU_RBAC_ROUTE_METADATA,
};

/* A condition, of a permission or of a principal. */
struct nu_rbac_rule {
    enum nu_rbac_rule_kind kind;
    union {
        struct {
            struct nu_rbac_rule *items; /* NOT has one */
            size_t count;
        } parts;
        struct nu_header_matcher header;
        struct nu_string_matcher string;
        struct nu_cidr range;
        struct {
            uint32_t start;
            uint32_t end; /* not included */
        } ports;
        struct nu_metadata_matcher metadata;
    } of;
};

struct nu_rbac_policy {
    struct nu_str name;
    struct nu_rbac_rule permissions; /* OR */
    struct nu_rbac_rule principals;  /* OR */
};

enum nu_rbac_action {
    NU_RBAC_ALLOW,
    NU_RBAC_DENY,
    NU_RBAC_LOG,
};

struct nu_rbac {
    enum nu_rbac_action action;
    struct nu_rbac_policy *policies; /* by name */
    size_t policy_count;
};

#endif
