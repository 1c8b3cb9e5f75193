/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line, Envoy's: the same names, the same meaning, `--long value` and
 * `--long=value`. What has no meaning here (hot restart over shared memory, for instance) is
 * accepted where ignoring it is harmless, so that an existing start script works, and said so in
 * the log. --help, and with it the man page, is made from the same table.
 */
#ifndef NU_SERVER_OPTIONS_H
#define NU_SERVER_OPTIONS_H

#include "base/log.h"
#include "base/str.h"

enum nu_server_mode {
    NU_MODE_SERVE,
    NU_MODE_VALIDATE,
    NU_MODE_INIT_ONLY, /* start until everything is warm, then exit */
};

struct nu_options {
    const char *config_path; /* NULL: none */
    const char *config_yaml; /* NULL: none */
    enum nu_server_mode mode;
    enum nu_log_level log_level;
    const char *component_log_level; /* "upstream:debug,..."; NULL: none */
    const char *log_path;            /* NULL: stderr */
    const char *log_format;          /* NULL: the default */
    bool log_format_escaped;
    uint32_t concurrency; /* at least 1 */
    const char *service_cluster;
    const char *service_node;
    const char *service_zone;
    bool local_address_ipv6; /* --local-address-ip-version v6 */
    const char *admin_address_path;
    uint32_t drain_time_s;
    bool drain_immediately; /* --drain-strategy immediate */
    uint32_t parent_shutdown_time_s;
    uint32_t file_flush_interval_ms;
    bool allow_unknown_static_fields;
    bool reject_unknown_dynamic_fields;
    bool ignore_unknown_dynamic_fields;
    bool skip_deprecated_logs;
    bool enable_core_dump;
    uint32_t base_id;
    const char *base_id_path;
    uint32_t restart_epoch;
    bool disable_hot_restart;
    bool skip_hot_restart_on_no_parent;
    const char *const *stats_tags; /* "name:value", NULL-terminated; owned by the options */
    uint32_t
        sigterm_drain_ms;   /* nuncio's own: how long SIGTERM lets requests finish; 0: not at all */
    const char *errors_as;  /* what errors of the configuration begin with in place of where they
                               are, where no person wrote it; NULL: where they are */
    const char *plugin_dir; /* where plug-ins named without a path are looked for */
    uint64_t given;         /* private: which were given */
};

enum nu_options_outcome {
    NU_OPTIONS_RUN,
    NU_OPTIONS_EXIT_OK,    /* --help or --version was printed */
    NU_OPTIONS_EXIT_ERROR, /* a message was printed to stderr */
};

/* Reads the command line. Texts point into argv. */
enum nu_options_outcome nu_options_parse(int argc, char **argv, struct nu_options *options);
void nu_options_finish(struct nu_options *options);

/* Sets the levels of the application log as -l and --component-log-level say. */
void nu_options_apply_log_levels(const struct nu_options *options);
/* Logs each option that was given and changes nothing, with the reason. */
void nu_options_log_ignored(const struct nu_options *options);

/* Every option that was given or defaulted, as members of the /server_info object. */
struct nu_json;
void nu_options_print(const struct nu_options *options, struct nu_json *json);

#endif
