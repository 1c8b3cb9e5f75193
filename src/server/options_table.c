/* SPDX-License-Identifier: Apache-2.0 */
/* All options, in the order of --help. A new one is a line here and a field in struct
 * nu_options. */
#include "server/options_internal.h"

#define AT(field) offsetof(struct nu_options, field)
#define HEADING(text) \
    { \
        text, NULL, NULL, 0, NU_OPTION_HEADING, 0 \
    }
#define OPTION(name, kind, field, value_name, help) \
    { \
        name, value_name, help, AT(field), NU_OPTION_##kind, 0 \
    }
#define SHORT(letter, name, kind, field, value_name, help) \
    { \
        name, value_name, help, AT(field), NU_OPTION_##kind, letter \
    }
#define PLAIN(name, kind, help) \
    { \
        name, NULL, help, 0, NU_OPTION_##kind, 0 \
    }
#define IGNORED(name, value_name, why) \
    { \
        name, value_name, why, 0, NU_OPTION_IGNORED, 0 \
    }

#define NO_SHARED_MEMORY "there is no hot restart over shared memory"

const struct nu_option nu_option_table[] = {
    HEADING("Configuration"),
    SHORT('c', "config-path", TEXT, config_path, "FILE",
          "The bootstrap: .yaml and .yml are YAML, .pb is binary, anything else is JSON."),
    OPTION("config-yaml", TEXT, config_yaml, "YAML", "YAML that is merged over the file."),
    OPTION("mode", MODE, mode, "MODE",
           "serve; validate: check the configuration, say whether it is fine, and exit; init_only: "
           "start until all is warm, then exit. Default: serve."),
    OPTION("allow-unknown-static-fields", SWITCH, allow_unknown_static_fields, NULL,
           "Fields that Envoy does not know are a warning, not an error."),
    OPTION("allow-unknown-fields", SWITCH, allow_unknown_static_fields, NULL,
           "An old name of --allow-unknown-static-fields."),
    OPTION("reject-unknown-dynamic-fields", SWITCH, reject_unknown_dynamic_fields, NULL,
           "Refuse unknown fields in discovered resources."),
    OPTION("ignore-unknown-dynamic-fields", SWITCH, ignore_unknown_dynamic_fields, NULL,
           "Do not even warn of unknown fields in discovered resources."),
    OPTION("skip-deprecated-logs", SWITCH, skip_deprecated_logs, NULL,
           "Do not warn of deprecated fields."),
    OPTION("plugin-dir", TEXT, plugin_dir, "FOLDER",
           "Where filter plug-ins named without a folder are looked for."),

    HEADING("Workers, start and end"),
    OPTION(
        "concurrency", NUMBER, concurrency, "N",
        "Worker threads, at most 256; 0 means 1. Default: one for each core that the process may "
        "use."),
    OPTION("sigterm-drain-ms", NUMBER, sigterm_drain_ms, "MS",
           "How long SIGTERM lets running requests finish; 0 ends at once, as Envoy does. A second "
           "SIGTERM, or SIGINT, always ends at once. Default: 8000."),
    OPTION("drain-time-s", NUMBER, drain_time_s, "SECONDS",
           "How long listeners drain when asked through the admin port. Default: 600."),
    OPTION("drain-strategy", STRATEGY, drain_immediately, "STRATEGY",
           "How connections are given up meanwhile: gradual or immediate. Default: gradual."),
    OPTION("admin-address-path", TEXT, admin_address_path, "FILE",
           "Where to write the address that the admin listener got."),
    OPTION("enable-core-dump", SWITCH, enable_core_dump, NULL,
           "Let the system write a core file if nuncio crashes."),

    HEADING("Logging"),
    SHORT('l', "log-level", LEVEL, log_level, "LEVEL",
          "trace, debug, info, warning, error, critical or off. Default: info."),
    OPTION("component-log-level", LEVELS, component_log_level, "NAME:LEVEL,...",
           "Levels of single components, such as upstream:debug,router:trace."),
    OPTION("log-path", TEXT, log_path, "FILE",
           "The file of the application log; SIGUSR1 opens it again. Default: stderr."),
    OPTION("log-format", TEXT, log_format, "PATTERN",
           "What a line looks like, in spdlog's flags. Default: [%Y-%m-%d %T.%e][%t][%l][%n] "
           "[%g:%#] %v"),
    OPTION("log-format-escaped", SWITCH, log_format_escaped, NULL,
           "Write newlines and other special characters in lines as C escapes."),
    OPTION("file-flush-interval-msec", NUMBER, file_flush_interval_ms, "MS",
           "How often access logs are written. Default: 1000."),

    HEADING("Identity and statistics"),
    OPTION("service-cluster", TEXT, service_cluster, "NAME", "node.cluster, if it is not set."),
    OPTION("service-node", TEXT, service_node, "NAME", "node.id, if it is not set."),
    OPTION("service-zone", TEXT, service_zone, "NAME", "node.locality.zone, if it is not set."),
    OPTION("local-address-ip-version", IP_VERSION, local_address_ipv6, "v4|v6",
           "The kind of address that stands for this machine. Default: v4."),
    OPTION("stats-tag", TAG, stats_tags, "NAME:VALUE",
           "A fixed tag on every statistic; may be repeated."),

    HEADING("Information"),
    PLAIN("version", VERSION, "Print the version and exit."),
    PLAIN("hot-restart-version", HOT_RESTART_VERSION,
          "Print the version of hot restart, which is \"disabled\", and exit."),
    {"help", NULL, "Print this and exit.", 0, NU_OPTION_HELP, 'h'},

    HEADING("Hot restart, for wrappers of Envoy"),
    OPTION("restart-epoch", NUMBER, restart_epoch, "N",
           "Numbers over 0 ask for the sockets of a running process, which nuncio cannot take "
           "over; they are accepted with --disable-hot-restart or "
           "--skip-hot-restart-on-no-parent."),
    OPTION("disable-hot-restart", SWITCH, disable_hot_restart, NULL, "Do not try to."),
    OPTION("skip-hot-restart-on-no-parent", SWITCH, skip_hot_restart_on_no_parent, NULL,
           "Start on its own all the same."),
    OPTION("base-id", NUMBER, base_id, "N", "What to write to --base-id-path. Default: 0."),
    OPTION("base-id-path", TEXT, base_id_path, "FILE", "Where to write the base id."),

    HEADING("Accepted for compatibility, without effect"),
    IGNORED("use-dynamic-base-id", NULL, NO_SHARED_MEMORY),
    IGNORED("skip-hot-restart-parent-stats", NULL, NO_SHARED_MEMORY),
    IGNORED("socket-path", "PATH", NO_SHARED_MEMORY),
    IGNORED("socket-mode", "MODE", NO_SHARED_MEMORY),
    OPTION("parent-shutdown-time-s", NUMBER, parent_shutdown_time_s, "SECONDS", NO_SHARED_MEMORY),
    IGNORED("cpuset-threads", NULL, "worker threads are always counted so"),
    IGNORED("enable-fine-grain-logging", NULL, "levels are set by component"),
    IGNORED("enable-mutex-tracing", NULL, "no request takes a mutex"),
    IGNORED("disable-extensions", "NAMES", "extensions that no configuration names cost nothing"),
};

const size_t nu_option_count = NU_ARRAY_LEN(nu_option_table);

_Static_assert(NU_ARRAY_LEN(nu_option_table) <= 64, "nu_options.given has a bit for each");
