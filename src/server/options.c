/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line as a table: name, kind, where the value goes, what --help says. Options that are
 * accepted and change nothing say so there.
 */
#include "server/options.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/thread.h"

enum kind {
    TEXT,
    NUMBER,
    SWITCH,
    LEVEL,
    MODE,
    STRATEGY,
    TAG,
    HELP,
    VERSION,
    NO_VALUE_IGNORED, /* accepted, no meaning here */
    VALUE_IGNORED,
};

struct option {
    const char *name;
    char letter; /* 0: none */
    enum kind kind;
    size_t offset; /* of the field in struct nu_options */
    const char *value_name;
    const char *help;
};

#define AT(field) offsetof(struct nu_options, field)

static const struct option table[] = {
    {"config-path", 'c', TEXT, AT(config_path), "FILE",
     "The bootstrap: .yaml and .yml are YAML, .pb is binary, anything else is JSON."},
    {"config-yaml", 0, TEXT, AT(config_yaml), "YAML", "YAML that is merged over the file."},
    {"mode", 0, MODE, AT(mode), "serve|validate",
     "validate: check the configuration, say whether it is fine, and exit."},
    {"log-level", 'l', LEVEL, AT(log_level), "LEVEL",
     "trace, debug, info, warning, error, critical or off. Default: info."},
    {"component-log-level", 0, TEXT, AT(component_log_level), "NAME:LEVEL,...",
     "Levels of single components."},
    {"log-path", 0, TEXT, AT(log_path), "FILE", "The application log. Default: stderr."},
    {"log-format", 0, TEXT, AT(log_format), "PATTERN", "The line pattern (spdlog's flags)."},
    {"log-format-escaped", 0, SWITCH, AT(log_format_escaped), NULL,
     "Write newlines in messages as \\n."},
    {"concurrency", 0, NUMBER, AT(concurrency), "N",
     "Worker threads. Default: one for each core. 0 means 1."},
    {"service-cluster", 0, TEXT, AT(service_cluster), "NAME", "node.cluster, if it is not set."},
    {"service-node", 0, TEXT, AT(service_node), "NAME", "node.id, if it is not set."},
    {"service-zone", 0, TEXT, AT(service_zone), "NAME", "node.locality.zone, if it is not set."},
    {"admin-address-path", 0, TEXT, AT(admin_address_path), "FILE",
     "Where to write the address that the admin listener got."},
    {"drain-time-s", 0, NUMBER, AT(drain_time_s), "SECONDS",
     "How long listeners drain when asked through the admin port. Default: 600."},
    {"drain-strategy", 0, STRATEGY, AT(drain_immediately), "gradual|immediate",
     "How connections are given up meanwhile. Default: gradual."},
    {"sigterm-drain-ms", 0, NUMBER, AT(sigterm_drain_ms), "MS",
     "How long SIGTERM lets running requests finish; 0 ends at once, as Envoy does. Default: "
     "8000."},
    {"file-flush-interval-msec", 0, NUMBER, AT(file_flush_interval_ms), "MS",
     "How often access logs are written. Default: 1000."},
    {"allow-unknown-static-fields", 0, SWITCH, AT(allow_unknown_static_fields), NULL,
     "Fields that Envoy does not know are a warning, not an error."},
    {"allow-unknown-fields", 0, SWITCH, AT(allow_unknown_static_fields), NULL,
     "An old name of --allow-unknown-static-fields."},
    {"reject-unknown-dynamic-fields", 0, SWITCH, AT(reject_unknown_dynamic_fields), NULL,
     "Refuse unknown fields in discovered resources."},
    {"ignore-unknown-dynamic-fields", 0, SWITCH, AT(ignore_unknown_dynamic_fields), NULL,
     "Do not even warn of unknown fields in discovered resources."},
    {"skip-deprecated-logs", 0, SWITCH, AT(skip_deprecated_logs), NULL,
     "Do not warn of deprecated fields."},
    {"stats-tag", 0, TAG, AT(stats_tags), "NAME:VALUE",
     "A fixed tag on every statistic; may be repeated."},
    {"plugin-dir", 0, TEXT, AT(plugin_dir), "FOLDER",
     "Where filter plug-ins named without a folder are looked for."},
    {"parent-shutdown-time-s", 0, NUMBER, AT(parent_shutdown_time_s), "SECONDS",
     "Accepted for compatibility. Default: 900."},
    {"version", 0, VERSION, 0, NULL, "Print the version and exit."},
    {"help", 'h', HELP, 0, NULL, "Print this and exit."},
    {"base-id", 0, VALUE_IGNORED, 0, "N", NULL},
    {"base-id-path", 0, VALUE_IGNORED, 0, "FILE", NULL},
    {"use-dynamic-base-id", 0, NO_VALUE_IGNORED, 0, NULL, NULL},
    {"restart-epoch", 0, VALUE_IGNORED, 0, "N", NULL},
    {"disable-hot-restart", 0, NO_VALUE_IGNORED, 0, NULL, NULL},
    {"skip-hot-restart-on-no-parent", 0, NO_VALUE_IGNORED, 0, NULL, NULL},
    {"skip-hot-restart-parent-stats", 0, NO_VALUE_IGNORED, 0, NULL, NULL},
    {"socket-path", 0, VALUE_IGNORED, 0, "PATH", NULL},
    {"socket-mode", 0, VALUE_IGNORED, 0, "MODE", NULL},
    {"local-address-ip-version", 0, VALUE_IGNORED, 0, "v4|v6", NULL},
    {"cpuset-threads", 0, NO_VALUE_IGNORED, 0, NULL, NULL},
    {"enable-fine-grain-logging", 0, NO_VALUE_IGNORED, 0, NULL, NULL},
    {"enable-mutex-tracing", 0, NO_VALUE_IGNORED, 0, NULL, NULL},
    {"enable-core-dump", 0, NO_VALUE_IGNORED, 0, NULL, NULL},
    {"disable-extensions", 0, VALUE_IGNORED, 0, "NAMES", NULL},
};

static void print_help(const char *program)
{
    printf("nuncio " NU_VERSION ", an Envoy-compatible reverse proxy\n\n"
           "usage: %s -c FILE [options]\n"
           "       %s health [--url URL]     ask a running nuncio whether it is ready\n\n",
           program, program);
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        const struct option *option = &table[i];
        if (!option->help)
            continue;
        char left[64];
        snprintf(left, sizeof(left), "%s%c%s--%s%s%s", option->letter ? "-" : "",
                 option->letter ? option->letter : ' ', option->letter ? ", " : "   ", option->name,
                 option->value_name ? " " : "", option->value_name ? option->value_name : "");
        printf("  %-44s %s\n", left, option->help);
    }
    printf("\nAccepted for compatibility, without effect:\n ");
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        if (table[i].kind == NO_VALUE_IGNORED || table[i].kind == VALUE_IGNORED)
            printf(" --%s", table[i].name);
    }
    printf("\n\nTry: %s -c conf/nuncio.yaml\n", program);
}

static bool takes_value(const struct option *option)
{
    return option->value_name != NULL;
}

static const struct option *find_long(struct nu_str name)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        if (nu_str_eq(nu_str_from(table[i].name), name))
            return &table[i];
    }
    return NULL;
}

static const struct option *find_letter(char letter)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        if (table[i].letter == letter)
            return &table[i];
    }
    return NULL;
}

static enum nu_options_outcome fail_unknown(const char *argument, struct nu_str name)
{
    enum { NEAR = 3 };
    const char *nearest = NULL;
    unsigned best = NEAR + 1;
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        unsigned distance = nu_str_distance(name, nu_str_from(table[i].name), NEAR);
        if (distance < best) {
            best = distance;
            nearest = table[i].name;
        }
    }
    fprintf(stderr, "nuncio: unknown option '%s'", argument);
    if (nearest)
        fprintf(stderr, " (did you mean --%s?)", nearest);
    fprintf(stderr, "; --help lists the options\n");
    return NU_OPTIONS_EXIT_ERROR;
}

static bool fail_value(const struct option *option, const char *value, const char *wanted)
{
    fprintf(stderr, "nuncio: --%s: '%s' is not %s\n", option->name, value, wanted);
    return false;
}

static void add_tag(struct nu_options *options, const char *value)
{
    size_t count = 0;
    while (options->stats_tags && options->stats_tags[count])
        count++;
    const char **tags = nu_realloc(nu_unconst(options->stats_tags), (count + 2) * sizeof(*tags));
    tags[count] = value;
    tags[count + 1] = NULL;
    options->stats_tags = tags;
}

static bool set_number(const struct option *option, void *field, const char *value)
{
    uint64_t number;
    if (nu_str_to_u64(nu_str_from(value), &number) != NU_OK || number > UINT32_MAX)
        return fail_value(option, value, "a whole number");
    uint32_t narrow = (uint32_t)number;
    memcpy(field, &narrow, sizeof(narrow));
    return true;
}

static bool set_level(const struct option *option, void *field, const char *value)
{
    enum nu_log_level level;
    if (!nu_log_level_parse(nu_str_from(value), &level))
        return fail_value(option, value,
                          "a level (trace, debug, info, warning, error, critical, off)");
    memcpy(field, &level, sizeof(level));
    return true;
}

static bool set_mode(const struct option *option, void *field, const char *value)
{
    enum nu_server_mode mode = NU_MODE_SERVE;
    if (strcmp(value, "validate") == 0)
        mode = NU_MODE_VALIDATE;
    else if (strcmp(value, "serve") != 0)
        return fail_value(option, value, "a mode (serve, validate)");
    memcpy(field, &mode, sizeof(mode));
    return true;
}

static bool set_strategy(const struct option *option, void *field, const char *value)
{
    bool immediate = strcmp(value, "immediate") == 0;
    if (!immediate && strcmp(value, "gradual") != 0)
        return fail_value(option, value, "a strategy (gradual, immediate)");
    memcpy(field, &immediate, sizeof(immediate));
    return true;
}

static bool set_tag(const struct option *option, struct nu_options *options, const char *value)
{
    if (!strchr(value, ':'))
        return fail_value(option, value, "of the form name:value");
    add_tag(options, value);
    return true;
}

/* Stores a value; `value` is NULL for a switch. */
static bool set(const struct option *option, struct nu_options *options, const char *value)
{
    void *field = (char *)options + option->offset;
    bool yes = true;
    switch (option->kind) {
    case TEXT:
        memcpy(field, &value, sizeof(value));
        return true;
    case NUMBER:
        return set_number(option, field, value);
    case SWITCH:
        memcpy(field, &yes, sizeof(yes));
        return true;
    case LEVEL:
        return set_level(option, field, value);
    case MODE:
        return set_mode(option, field, value);
    case STRATEGY:
        return set_strategy(option, field, value);
    case TAG:
        return set_tag(option, options, value);
    case HELP:
    case VERSION:
    case NO_VALUE_IGNORED:
    case VALUE_IGNORED:
        return true;
    }
    return false;
}

static uint32_t count_cores(void)
{
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof(cores), &cores) == 0 && CPU_COUNT(&cores) > 0)
        return (uint32_t)CPU_COUNT(&cores);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

static void set_defaults(struct nu_options *options)
{
    *options = (struct nu_options){
        .log_level = NU_LOG_INFO,
        .concurrency = count_cores(),
        .drain_time_s = 600,
        .parent_shutdown_time_s = 900,
        .file_flush_interval_ms = 1000,
        .sigterm_drain_ms = 8000,
    };
}

static void bound_concurrency(struct nu_options *options)
{
    if (options->concurrency == 0)
        options->concurrency = 1;
    if (options->concurrency > NU_THREAD_MAX - 1)
        options->concurrency = NU_THREAD_MAX - 1;
}

/* One argument: the option it names, and its value if that stands behind '='. */
static const struct option *find(char *argument, char **value)
{
    *value = NULL;
    if (argument[0] != '-')
        return NULL;
    if (argument[1] != '-')
        return argument[1] && !argument[2] ? find_letter(argument[1]) : NULL;
    char *equals = strchr(argument, '=');
    struct nu_str name = nu_str_from(argument + 2);
    if (equals) {
        name.len = (size_t)(equals - argument) - 2;
        *value = equals + 1;
    }
    return find_long(name);
}

static enum nu_options_outcome check(const struct nu_options *options)
{
    if (options->config_path || options->config_yaml)
        return NU_OPTIONS_RUN;
    fprintf(stderr,
            "nuncio: no configuration: give -c FILE or --config-yaml YAML (--help lists the "
            "options)\n");
    return NU_OPTIONS_EXIT_ERROR;
}

enum nu_options_outcome nu_options_parse(int argc, char **argv, struct nu_options *options)
{
    set_defaults(options);
    for (int i = 1; i < argc; i++) {
        char *value;
        const struct option *option = find(argv[i], &value);
        if (!option)
            return fail_unknown(argv[i], nu_str_from(argv[i] + strspn(argv[i], "-")));
        if (option->kind == HELP) {
            print_help(argv[0]);
            return NU_OPTIONS_EXIT_OK;
        }
        if (option->kind == VERSION) {
            printf("\n%s  version: nuncio/" NU_VERSION "/Clean/RELEASE/OpenSSL\n\n", argv[0]);
            return NU_OPTIONS_EXIT_OK;
        }
        if (takes_value(option) && !value && ++i < argc)
            value = argv[i];
        if (takes_value(option) && !value) {
            fprintf(stderr, "nuncio: --%s needs a value (%s)\n", option->name, option->value_name);
            return NU_OPTIONS_EXIT_ERROR;
        }
        if (!set(option, options, value))
            return NU_OPTIONS_EXIT_ERROR;
    }
    bound_concurrency(options);
    return check(options);
}

void nu_options_finish(struct nu_options *options)
{
    nu_free(nu_unconst(options->stats_tags));
    options->stats_tags = NULL;
}

static void print_text(struct nu_json *json, const char *key, const char *value)
{
    nu_json_key(json, nu_str_from(key));
    nu_json_string(json, nu_str_from(value));
}

void nu_options_print(const struct nu_options *options, struct nu_json *json)
{
    nu_json_key(json, NU_STR("concurrency"));
    nu_json_u64(json, options->concurrency);
    print_text(json, "config_path", options->config_path);
    print_text(json, "config_yaml", options->config_yaml);
    print_text(json, "log_level", nu_log_level_name(options->log_level));
    print_text(json, "component_log_level", options->component_log_level);
    print_text(json, "log_path", options->log_path);
    print_text(json, "log_format", options->log_format);
    print_text(json, "service_cluster", options->service_cluster);
    print_text(json, "service_node", options->service_node);
    print_text(json, "service_zone", options->service_zone);
    print_text(json, "admin_address_path", options->admin_address_path);
    nu_json_key(json, NU_STR("drain_time"));
    struct nu_strbuf seconds = {0};
    nu_strbuf_addf(&seconds, "%us", options->drain_time_s);
    nu_json_string(json, nu_strbuf_str(&seconds));
    nu_strbuf_finish(&seconds);
}
