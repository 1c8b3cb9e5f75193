/* SPDX-License-Identifier: Apache-2.0 */
/* The options as /server_info shows them: Envoy's CommandLineOptions, every member. */
#include "base/json.h"
#include "server/options.h"

static void print_text(struct nu_json *json, const char *key, const char *value)
{
    nu_json_key(json, nu_str_from(key));
    nu_json_string(json, nu_str_from(value));
}

static void print_number(struct nu_json *json, const char *key, uint64_t value)
{
    nu_json_key(json, nu_str_from(key));
    nu_json_u64(json, value);
}

static void print_bool(struct nu_json *json, const char *key, bool value)
{
    nu_json_key(json, nu_str_from(key));
    nu_json_bool(json, value);
}

/* A duration in the form of protobuf's JSON: "600s", "0.500s". */
static void print_ms(struct nu_json *json, const char *key, uint64_t ms)
{
    struct nu_strbuf text = {0};
    nu_strbuf_addf(&text, ms % 1000 ? "%llu.%03us" : "%llus", (unsigned long long)(ms / 1000),
                   (unsigned)(ms % 1000));
    print_text(json, key, text.data);
    nu_strbuf_finish(&text);
}

static void print_base_id(struct nu_json *json, uint32_t base_id)
{
    char text[20];
    nu_json_key(json, NU_STR("base_id"));
    nu_json_string(json, nu_str_make(text, nu_u64_to_chars(base_id, text)));
}

static void print_list(struct nu_json *json, const char *key, const char *const *items)
{
    nu_json_key(json, nu_str_from(key));
    nu_json_array_begin(json);
    for (; items && *items; items++)
        nu_json_string(json, nu_str_from(*items));
    nu_json_array_end(json);
}

static void print_what_runs(const struct nu_options *options, struct nu_json *json)
{
    print_base_id(json, options->base_id);
    print_number(json, "concurrency", options->concurrency);
    print_text(json, "config_path", options->config_path);
    print_text(json, "config_yaml", options->config_yaml);
    print_bool(json, "allow_unknown_static_fields", options->allow_unknown_static_fields);
    print_text(json, "admin_address_path", options->admin_address_path);
    print_text(json, "local_address_ip_version", options->local_address_ipv6 ? "v6" : "v4");
}

static void print_logging(const struct nu_options *options, struct nu_json *json)
{
    print_text(json, "log_level", nu_log_level_name(options->log_level));
    print_text(json, "component_log_level", options->component_log_level);
    print_text(json, "log_format",
               options->log_format ? options->log_format
                                   : "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v");
    print_text(json, "log_path", options->log_path);
    print_bool(json, "log_format_escaped", options->log_format_escaped);
    print_ms(json, "file_flush_interval", options->file_flush_interval_ms);
    print_bool(json, "skip_deprecated_logs", options->skip_deprecated_logs);
}

static void print_service(const struct nu_options *options, struct nu_json *json)
{
    print_text(json, "service_cluster", options->service_cluster);
    print_text(json, "service_node", options->service_node);
    print_text(json, "service_zone", options->service_zone);
    print_list(json, "stats_tag", options->stats_tags);
}

static void print_life(const struct nu_options *options, struct nu_json *json)
{
    print_ms(json, "drain_time", options->drain_time_s * 1000ull);
    print_text(json, "drain_strategy", options->drain_immediately ? "Immediate" : "Gradual");
    print_ms(json, "parent_shutdown_time", options->parent_shutdown_time_s * 1000ull);
    print_text(json, "mode", options->mode == NU_MODE_VALIDATE ? "Validate" : "Serve");
    print_number(json, "restart_epoch", options->restart_epoch);
    print_text(json, "base_id_path", options->base_id_path);
    print_bool(json, "enable_core_dump", options->enable_core_dump);
    print_bool(json, "reject_unknown_dynamic_fields", options->reject_unknown_dynamic_fields);
    print_bool(json, "ignore_unknown_dynamic_fields", options->ignore_unknown_dynamic_fields);
    print_bool(json, "skip_hot_restart_on_no_parent", options->skip_hot_restart_on_no_parent);
}

/* Options that are accepted and change nothing: shown as what they are, off. There is no hot
 * restart, whatever was asked for. */
static void print_without_effect(struct nu_json *json)
{
    static const char *const off[] = {
        "enable_mutex_tracing",          "cpuset_threads",
        "use_dynamic_base_id",           "enable_fine_grain_logging",
        "skip_hot_restart_parent_stats",
    };
    print_bool(json, "disable_hot_restart", true);
    for (size_t i = 0; i < NU_ARRAY_LEN(off); i++)
        print_bool(json, off[i], false);
    print_list(json, "disabled_extensions", NULL);
    print_text(json, "socket_path", "");
    print_number(json, "socket_mode", 0);
}

void nu_options_print(const struct nu_options *options, struct nu_json *json)
{
    print_what_runs(options, json);
    print_logging(options, json);
    print_service(options, json);
    print_life(options, json);
    print_without_effect(json);
}
