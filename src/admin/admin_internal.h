/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests, answers and handlers, as the files of this module share them.
 *
 * A handler is one row of the table in paths.c and one function; functions of a family stand in one
 * file (stats.c, clusters.c ...).
 */
#ifndef NU_ADMIN_ADMIN_INTERNAL_H
#define NU_ADMIN_ADMIN_INTERNAL_H

#include "admin/admin.h"
#include "base/json.h"
#include "match/string_matcher.h"
#include "net/listener.h"
#include "stream/hcm.h"

struct Envoy__Config__Route__V3__RouteConfiguration;

struct nu_admin {
    struct nu_admin_parts parts;
    struct nu_stats *stats; /* borrowed */
    struct nu_loop *loop;   /* borrowed: the main thread's */
    /* The bootstrap with its node completed, and the route configurations that are somewhere in
     * it. */
    const struct Envoy__Config__Bootstrap__V3__Bootstrap *bootstrap;
    const struct Envoy__Config__Route__V3__RouteConfiguration *const *route_configs;
    size_t route_config_count;
    const char *created;               /* when it was loaded, as JSON has timestamps */
    const struct nu_local_info *local; /* borrowed */
    const struct nu_extensions *extensions;
    struct nu_string_matcher_list allowed_paths; /* empty: all */
    struct nu_hcm hcm;
    struct nu_filter_entry filter;
    struct nu_network_filter_entry network_filter;
    struct nu_filter_chain_spec chain;
    struct nu_listen_params address;
    struct nu_listener_config listener_config;
    struct nu_listener *listener;               /* owned; NULL while closed */
    struct nu_worker_listener *worker_listener; /* owned; NULL while closed */
    struct nu_stat_set *worker_set;             /* owned likewise */
};

struct nu_admin_param {
    struct nu_str name;
    struct nu_str value;
};

/* One request; everything lives as long as its stream. */
struct nu_admin_request {
    struct nu_admin *admin;
    struct nu_arena *arena; /* the stream's */
    struct nu_str method;
    struct nu_str path; /* without the query */
    /* Of the query, or of a form in the body; decoded, in their order. */
    const struct nu_admin_param *params;
    size_t param_count;
    bool is_foreign; /* sent by a page of another site */
};

/* The value of the first parameter of this name; ptr is NULL if there is none. */
struct nu_str nu_admin_param(const struct nu_admin_request *request, const char *name);
/* Whether there is one, with whatever value. */
bool nu_admin_has_param(const struct nu_admin_request *request, const char *name);

/* What makes an answer slice by slice. */
struct nu_admin_source {
    /* Appends some `bytes` to `out`; returns whether there is more. Quick, whatever there is to
     * say. */
    bool (*next)(void *state, struct nu_strbuf *out, size_t bytes);
    /* The answer is complete, or its client gone. May be NULL. */
    void (*finish)(void *state);
};

/* An answer on its way; zeroed it is "200, text, no body". */
struct nu_admin_response {
    uint32_t status;            /* 0 means 200 */
    struct nu_str content_type; /* a constant; empty means text */
    struct nu_strbuf body;      /* owned by the stream; comes before what a source makes */
    const struct nu_admin_source *source; /* NULL: the body is all */
    void *state;                          /* the source's */
};

#define NU_ADMIN_JSON NU_STR("application/json")
#define NU_ADMIN_PLAIN NU_STR("text/plain") /* without a charset, where Envoy leaves it out */
#define NU_ADMIN_HTML NU_STR("text/html; charset=UTF-8")

/* A body of constant text. */
void nu_admin_answer(struct nu_admin_response *response, uint32_t status, const char *text);

struct nu_admin_path_param {
    const char *name;
    const char *help;
    const char *values; /* "a, b": one of these; NULL: any text; "" for a switch */
};

struct nu_admin_path {
    const char *path;
    const char *help;
    void (*handle)(const struct nu_admin_request *request, struct nu_admin_response *response);
    const struct nu_admin_path_param *params; /* ends with a NULL name; NULL for none */
    bool mutates;                             /* wants POST */
    bool is_off_home; /* not on the home page: nothing to see, or no form can be made for it */
};

/* All paths, sorted; ends with a NULL path. */
extern const struct nu_admin_path nu_admin_paths[];
/* The row of a path, or NULL. */
const struct nu_admin_path *nu_admin_find_path(struct nu_str path);

/* The filter that answers; its configuration is the struct nu_admin. */
extern const struct nu_filter_class nu_admin_filter;
/* Reads parameters of the form a=b&c=d, decoded, into the arena. */
void nu_admin_parse_params(struct nu_admin_request *request, struct nu_str text);
/* Finds the handler and lets it answer. */
void nu_admin_handle(const struct nu_admin_request *request, struct nu_admin_response *response);

/* A moment of the wall clock as JSON has it: "2026-11-26T03:39:44.748Z". */
const char *nu_admin_format_time(uint64_t us, struct nu_arena *arena);
/* bootstrap.c: fills in what the interface shows of the bootstrap. */
void nu_admin_read_bootstrap(struct nu_admin *admin, struct nu_factory *factory);

/* "LIVE" and so on. */
const char *nu_server_state_name(enum nu_server_state state);

/* Calls into the process. */
static inline enum nu_server_state nu_admin_state(const struct nu_admin *admin)
{
    return admin->parts.ops->state(admin->parts.owner);
}

/* --- Handlers, by file --- */

#define NU_ADMIN_HANDLER(name) \
    void name(const struct nu_admin_request *request, struct nu_admin_response *response)

NU_ADMIN_HANDLER(nu_admin_ready); /* process.c */
NU_ADMIN_HANDLER(nu_admin_server_info);
NU_ADMIN_HANDLER(nu_admin_memory);
NU_ADMIN_HANDLER(nu_admin_quit);
NU_ADMIN_HANDLER(nu_admin_healthcheck_fail);
NU_ADMIN_HANDLER(nu_admin_healthcheck_ok);
NU_ADMIN_HANDLER(nu_admin_drain_listeners);
NU_ADMIN_HANDLER(nu_admin_reopen_logs);
NU_ADMIN_HANDLER(nu_admin_hot_restart_version);
NU_ADMIN_HANDLER(nu_admin_stats); /* stats.c */
NU_ADMIN_HANDLER(nu_admin_stats_prometheus);
NU_ADMIN_HANDLER(nu_admin_reset_counters);
NU_ADMIN_HANDLER(nu_admin_clusters);    /* clusters.c */
NU_ADMIN_HANDLER(nu_admin_config_dump); /* config_dump.c */
NU_ADMIN_HANDLER(nu_admin_listeners);   /* listeners.c */
NU_ADMIN_HANDLER(nu_admin_logging);     /* logging.c */
NU_ADMIN_HANDLER(nu_admin_runtime);     /* runtime.c */
NU_ADMIN_HANDLER(nu_admin_runtime_modify);
NU_ADMIN_HANDLER(nu_admin_certs);      /* certs.c */
NU_ADMIN_HANDLER(nu_admin_wasm);       /* wasm.c */
NU_ADMIN_HANDLER(nu_admin_contention); /* absent.c */
NU_ADMIN_HANDLER(nu_admin_cpuprofiler);
NU_ADMIN_HANDLER(nu_admin_heapprofiler);
NU_ADMIN_HANDLER(nu_admin_allocprofiler);
NU_ADMIN_HANDLER(nu_admin_heap_dump);
NU_ADMIN_HANDLER(nu_admin_recent_lookups);
NU_ADMIN_HANDLER(nu_admin_recent_lookups_enable);
NU_ADMIN_HANDLER(nu_admin_recent_lookups_stop);
NU_ADMIN_HANDLER(nu_admin_init_dump);
NU_ADMIN_HANDLER(nu_admin_home); /* home.c */
NU_ADMIN_HANDLER(nu_admin_help); /* help.c */
/* Appends "admin commands are:" and the list. */
void nu_admin_print_help(struct nu_strbuf *out);

#endif
