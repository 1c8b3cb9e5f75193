/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the command line: finds each argument in the table, checks and stores its value. Every
 * message names the option as it was written and what would be right.
 */
#include "server/options.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "server/options_internal.h"

/* --- Finding ---------------------------------------------------------------------------------- */

static const struct nu_option *find_long(struct nu_str name)
{
    for (size_t i = 0; i < nu_option_count; i++) {
        const struct nu_option *option = &nu_option_table[i];
        if (option->kind != NU_OPTION_HEADING && nu_str_eq(nu_str_from(option->name), name))
            return option;
    }
    return NULL;
}

static const struct nu_option *find_letter(char letter)
{
    for (size_t i = 0; i < nu_option_count; i++) {
        if (nu_option_table[i].letter == letter)
            return &nu_option_table[i];
    }
    return NULL;
}

/* One argument: the option it names, and its value if that stands behind '='. */
static const struct nu_option *find(char *argument, char **value)
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

/* The option whose name begins so, else the nearest one. */
static const char *nearest_name(struct nu_str name)
{
    enum { NEAR = 3 };
    struct nu_nearest nearest = {.name = name, .distance = NEAR + 1};
    for (size_t i = 0; i < nu_option_count; i++) {
        const struct nu_option *option = &nu_option_table[i];
        if (option->kind == NU_OPTION_HEADING)
            continue;
        if (name.len >= NEAR && nu_str_starts_with(nu_str_from(option->name), name))
            return option->name;
        nu_nearest_consider(&nearest, option->name);
    }
    return nearest.best;
}

static bool fail_unknown(const char *argument)
{
    if (argument[0] != '-') {
        fprintf(stderr,
                "nuncio: unexpected argument '%s'; options begin with --, and the "
                "configuration is given with -c FILE\n",
                argument);
        return false;
    }
    const char *name = argument + strspn(argument, "-");
    const char *nearest = nearest_name(nu_str_make(name, strcspn(name, "=")));
    fprintf(stderr, "nuncio: unknown option '%s'", argument);
    if (nearest)
        fprintf(stderr, " (did you mean --%s?)", nearest);
    fprintf(stderr, "; --help lists the options\n");
    return false;
}

/* --- Values ----------------------------------------------------------------------------------- */

static bool fail_value(const struct nu_option *option, const char *value, const char *wanted)
{
    fprintf(stderr, "nuncio: --%s: '%s' is not %s\n", option->name, value, wanted);
    return false;
}

static bool set_number(const struct nu_option *option, void *field, const char *value)
{
    uint64_t number;
    if (nu_str_to_u64(nu_str_from(value), &number) != NU_OK || number > UINT32_MAX)
        return fail_value(option, value, "a whole number from 0 to 4294967295");
    uint32_t narrow = (uint32_t)number;
    memcpy(field, &narrow, sizeof(narrow));
    return true;
}

static bool set_level(const struct nu_option *option, void *field, const char *value)
{
    enum nu_log_level level;
    if (!nu_log_level_parse(nu_str_from(value), &level))
        return fail_value(option, value,
                          "a level (trace, debug, info, warning, error, critical, off)");
    memcpy(field, &level, sizeof(level));
    return true;
}

static bool set_mode(const struct nu_option *option, void *field, const char *value)
{
    static const char *const names[] = {"serve", "validate", "init_only"};
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            enum nu_server_mode mode = (enum nu_server_mode)i;
            memcpy(field, &mode, sizeof(mode));
            return true;
        }
    }
    return fail_value(option, value, "a mode (serve, validate, init_only)");
}

/* Sets a bool by which of two words is given. */
static bool set_either(const struct nu_option *option, void *field, const char *value,
                       const char *no, const char *yes)
{
    bool is_yes = strcmp(value, yes) == 0;
    if (!is_yes && strcmp(value, no) != 0) {
        fprintf(stderr, "nuncio: --%s: '%s' is neither %s nor %s\n", option->name, value, no, yes);
        return false;
    }
    memcpy(field, &is_yes, sizeof(is_yes));
    return true;
}

/* The component that was meant, or all that there are. */
static void print_components(struct nu_str name)
{
    /* Of a short name two letters are most of it. */
    enum { NEAR = 2, LETTERS_EACH = 3 };
    unsigned near = (unsigned)nu_min_size(NEAR, name.len / LETTERS_EACH);
    struct nu_nearest nearest = {.name = name, .distance = near + 1};
    for (int i = 0; i < NU_LOG_COMPONENT_COUNT; i++)
        nu_nearest_consider(&nearest, nu_log_component_name((enum nu_log_component)i));
    fprintf(stderr, "nuncio: no component is called '%.*s'", NU_STR_ARG(name));
    if (nearest.best)
        fprintf(stderr, " (did you mean %s?)", nearest.best);
    for (int i = 0; !nearest.best && i < NU_LOG_COMPONENT_COUNT; i++)
        fprintf(stderr, "%s%s", i ? ", " : "; there are ",
                nu_log_component_name((enum nu_log_component)i));
    fprintf(stderr, "\n");
}

/* One "name:level" of --component-log-level; applied at once if `apply`. */
static const char *read_component_level(struct nu_str item, bool apply)
{
    const char *colon = memchr(item.ptr, ':', item.len);
    if (!colon)
        return "of the form NAME:LEVEL";
    struct nu_str name = nu_str_make(item.ptr, (size_t)(colon - item.ptr));
    struct nu_str level_name = nu_str_make(colon + 1, item.len - name.len - 1);
    enum nu_log_component component;
    enum nu_log_level level;
    if (!nu_log_component_parse(name, &component)) {
        print_components(name);
        return "a component and its level";
    }
    if (!nu_log_level_parse(level_name, &level))
        return "a component and its level (trace, debug, info, warning, error, critical, off)";
    if (apply)
        nu_log_set_component_level(component, level);
    return NULL;
}

/* Goes over "a:x,b:y"; returns what is wrong with the item put into `bad`, or NULL. */
static const char *read_component_levels(const char *value, bool apply, struct nu_str *bad)
{
    for (const char *p = value;; p++) {
        *bad = nu_str_make(p, strcspn(p, ","));
        const char *wrong = read_component_level(*bad, apply);
        if (wrong)
            return wrong;
        p += bad->len;
        if (!*p)
            return NULL;
    }
}

static bool set_levels(const struct nu_option *option, void *field, const char *value)
{
    struct nu_str bad;
    const char *wrong = *value ? read_component_levels(value, false, &bad) : NULL;
    if (wrong) {
        fprintf(stderr, "nuncio: --%s: '%.*s' is not %s\n", option->name, NU_STR_ARG(bad), wrong);
        return false;
    }
    memcpy(field, &value, sizeof(value));
    return true;
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

static bool is_tag(const char *value)
{
    size_t name = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    return name > 0 && value[name] == ':' && value[name + 1] && !strchr(value + name + 1, '.');
}

static bool set_tag(const struct nu_option *option, struct nu_options *options, const char *value)
{
    if (!is_tag(value))
        return fail_value(option, value,
                          "a tag: NAME:VALUE, letters and digits for the name, no dot in the "
                          "value");
    add_tag(options, value);
    return true;
}

/* Stores a value; `value` is NULL for a switch. */
static bool set(const struct nu_option *option, struct nu_options *options, const char *value)
{
    void *field = (char *)options + option->offset;
    bool yes = true;
    switch ((enum nu_option_kind)option->kind) {
    case NU_OPTION_TEXT:
        memcpy(field, &value, sizeof(value));
        return true;
    case NU_OPTION_NUMBER:
        return set_number(option, field, value);
    case NU_OPTION_SWITCH:
        memcpy(field, &yes, sizeof(yes));
        return true;
    case NU_OPTION_LEVEL:
        return set_level(option, field, value);
    case NU_OPTION_LEVELS:
        return set_levels(option, field, value);
    case NU_OPTION_MODE:
        return set_mode(option, field, value);
    case NU_OPTION_STRATEGY:
        return set_either(option, field, value, "gradual", "immediate");
    case NU_OPTION_IP_VERSION:
        return set_either(option, field, value, "v4", "v6");
    case NU_OPTION_TAG:
        return set_tag(option, options, value);
    case NU_OPTION_HEADING:
    case NU_OPTION_HELP:
    case NU_OPTION_VERSION:
    case NU_OPTION_HOT_RESTART_VERSION:
    case NU_OPTION_IGNORED:
        return true;
    }
    return false;
}

/* --- The whole line --------------------------------------------------------------------------- */

enum { WORKERS_MAX = NU_THREAD_MAX - 1 };

static uint32_t count_cores(void)
{
    cpu_set_t cores;
    uint32_t count = 1;
    if (sched_getaffinity(0, sizeof(cores), &cores) == 0 && CPU_COUNT(&cores) > 0)
        count = (uint32_t)CPU_COUNT(&cores);
    else if (sysconf(_SC_NPROCESSORS_ONLN) > 0)
        count = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    return count < WORKERS_MAX ? count : WORKERS_MAX;
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

static bool check(struct nu_options *options)
{
    const char *wrong = NULL;
    if (options->concurrency == 0)
        options->concurrency = 1;
    /* An empty one is none, as with Envoy: scripts pass a variable that may be unset. */
    if (options->config_path && !*options->config_path)
        options->config_path = NULL;
    if (options->config_yaml && !*options->config_yaml)
        options->config_yaml = NULL;
    if (!options->config_path && !options->config_yaml)
        wrong = "no configuration: give -c FILE or --config-yaml YAML (--help lists the options)";
    else if (options->concurrency > WORKERS_MAX)
        wrong = "--concurrency: nuncio runs at most 256 workers";
    else if (options->restart_epoch > 0 && options->mode == NU_MODE_SERVE &&
             !options->disable_hot_restart && !options->skip_hot_restart_on_no_parent)
        wrong = "--restart-epoch: hot restart is known to Envoy, not implemented by nuncio";
    if (wrong)
        fprintf(stderr, "nuncio: %s\n", wrong);
    return !wrong;
}

static bool is_given_twice(const struct nu_option *option, struct nu_options *options)
{
    uint64_t bit = (uint64_t)1 << (option - nu_option_table);
    bool again = (options->given & bit) != 0 && option->kind != NU_OPTION_TAG;
    options->given |= bit;
    if (again)
        fprintf(stderr, "nuncio: --%s is given twice\n", option->name);
    return again;
}

/* One argument and, where it takes one from the next, its value; *at ends on the last used. */
static bool read_argument(int argc, char **argv, int *at, const struct nu_option *option,
                          char *value, struct nu_options *options)
{
    if (is_given_twice(option, options))
        return false;
    if (!option->value_name && value) {
        fprintf(stderr, "nuncio: --%s takes no value\n", option->name);
        return false;
    }
    if (option->value_name && !value && *at + 1 < argc)
        value = argv[++*at];
    if (option->value_name && !value) {
        fprintf(stderr, "nuncio: --%s needs a value (%s)\n", option->name, option->value_name);
        return false;
    }
    return set(option, options, value);
}

/* Whether the option is one that prints something and ends the process. */
static bool print_information(const struct nu_option *option, const char *program)
{
    switch ((enum nu_option_kind)option->kind) {
    case NU_OPTION_HELP:
        nu_options_print_help(program);
        return true;
    case NU_OPTION_VERSION:
        printf("\n%s  version: nuncio/" NU_VERSION "/Clean/RELEASE/OpenSSL\n\n", program);
        return true;
    case NU_OPTION_HOT_RESTART_VERSION:
        printf("disabled\n");
        return true;
    default:
        return false;
    }
}

enum nu_options_outcome nu_options_parse(int argc, char **argv, struct nu_options *options)
{
    set_defaults(options);
    for (int i = 1; i < argc; i++) {
        char *value;
        if (strcmp(argv[i], "--") == 0)
            break; /* the rest is for others */
        const struct nu_option *option = find(argv[i], &value);
        if (option && print_information(option, argv[0]))
            return NU_OPTIONS_EXIT_OK;
        if (!option)
            fail_unknown(argv[i]);
        if (!option || !read_argument(argc, argv, &i, option, value, options))
            return NU_OPTIONS_EXIT_ERROR;
    }
    return check(options) ? NU_OPTIONS_RUN : NU_OPTIONS_EXIT_ERROR;
}

void nu_options_finish(struct nu_options *options)
{
    nu_free(nu_unconst(options->stats_tags));
    options->stats_tags = NULL;
}

/* --- Using them ------------------------------------------------------------------------------- */

void nu_options_apply_log_levels(const struct nu_options *options)
{
    struct nu_str bad;
    nu_log_set_level(options->log_level);
    if (options->component_log_level && *options->component_log_level)
        read_component_levels(options->component_log_level, true, &bad);
}

void nu_options_log_ignored(const struct nu_options *options)
{
    for (size_t i = 0; i < nu_option_count; i++) {
        const struct nu_option *option = &nu_option_table[i];
        if (option->kind == NU_OPTION_IGNORED && options->given >> i & 1)
            nu_log(NU_LOG_MAIN, NU_LOG_WARN, "--%s has no effect: %s", option->name, option->help);
    }
}
