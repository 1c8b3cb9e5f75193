/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `nuncio wasm run`, from one table: what is wrong is said by the name of the
 * option and what would be right, before anything is started. */
#include "server/wasm_run/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/address.h"
#include "base/alloc.h"
#include "http/header_name.h"
#include "server/options_internal.h"
#include "server/wasm_tool.h"

enum kind {
    TEXT,
    LIST,
    CONTENT,
    STATUS,
    SECONDS,
    LEVEL,
};

#define AT(field) offsetof(struct nu_wasm_run_options, field)
#define OPTION(letter, name, kind, field, value_name, help) \
    { \
        name, value_name, help, AT(field), kind, letter \
    }
#define UPSTREAM "upstream" /* the cluster that is there anyway */

static const struct nu_option table[] = {
    OPTION('X', "method", TEXT, method, "METHOD",
           "The request's method. Default: GET, or POST with --data."),
    OPTION(0, "path", TEXT, path, "PATH", "Its path, if it does not stand behind FILE. Default: /"),
    OPTION('H', "header", LIST, headers, "'NAME: VALUE'",
           "A header of the request; may be repeated."),
    OPTION('d', "data", CONTENT, data, "TEXT|@FILE", "The request's body."),
    OPTION('c', "configuration", CONTENT, configuration, "TEXT|@FILE",
           "The plug-in's configuration, which its on_configure reads."),
    OPTION(0, "vm-configuration", CONTENT, vm_configuration, "TEXT|@FILE",
           "The VM's configuration, which its on_vm_start reads."),
    OPTION(0, "name", TEXT, name, "NAME", "The plug-in's name. Default: the file's."),
    OPTION(0, "root-id", TEXT, root_id, "ID", "Which of the plug-ins in FILE. Default: empty."),
    OPTION(0, "vm-id", TEXT, vm_id, "ID", "The VM's id. Default: empty."),
    OPTION('e', "env", LIST, environment, "NAME=VALUE",
           "An environment variable of the VM; may be repeated."),
    OPTION(0, "response-status", STATUS, response_status, "STATUS",
           "What the upstream answers. Default: 200."),
    OPTION(0, "response-header", LIST, response_headers, "'NAME: VALUE'",
           "A header of its answer; may be repeated."),
    OPTION(0, "response-body", CONTENT, response_body, "TEXT|@FILE",
           "Its body. Default: a line of text."),
    OPTION(
        0, "cluster", LIST, clusters, "NAME=HOST:PORT",
        "A cluster that the filter calls (proxy_http_call); may be repeated. The upstream itself "
        "is the cluster '" UPSTREAM "'."),
    OPTION(0, "grpc-cluster", LIST, grpc_clusters, "NAME=HOST:PORT",
           "The same over HTTP/2, for gRPC; may be repeated."),
    OPTION('l', "log-level", LEVEL, log_level, "LEVEL",
           "From which level on the filter's log is shown: trace, debug, info, warning, error, "
           "critical or off. Default: info."),
    OPTION(0, "timeout", SECONDS, timeout_ms, "SECONDS", "When to give up. Default: 5."),
};

_Static_assert(NU_ARRAY_LEN(table) <= 64, "`given` has a bit for each");

/* --- Help ------------------------------------------------------------------------------------- */

static void print_help(void)
{
    struct nu_strbuf out = {0};
    nu_strbuf_add_cstr(
        &out,
        "usage: nuncio wasm run FILE [PATH] [options]\n"
        "\n"
        "Tries a proxy-wasm filter: sends one request through it, answers as the upstream, and "
        "shows\nwhat came out on both sides. The filter's log goes to stderr.\n\n");
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++)
        nu_option_add_help(&out, &table[i]);
    nu_strbuf_add_cstr(
        &out, "\nExit status: 0 when the request was answered, 1 when FILE cannot be used, its "
              "code failed, or\nno answer came in time.\n"
              "\n"
              "Examples:\n"
              "  nuncio wasm run prime_authorizer.wasm -H 'token: 32323'\n"
              "  nuncio wasm run filter.wasm /orders -d @order.json -c @plugin.json "
              "-l debug\n");
    fwrite(out.data, 1, out.len, stdout);
    nu_strbuf_finish(&out);
}

/* --- Reading values --------------------------------------------------------------------------- */

static bool NU_PRINTF(1, 2) fail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "nuncio wasm run: ");
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\n");
    va_end(args);
    return false;
}

static bool read_content(struct nu_wasm_run_content *content, const char *value)
{
    content->is_given = true;
    if (value[0] == '@')
        return nu_wasm_tool_read_file(value + 1, &content->bytes);
    nu_strbuf_add_cstr(&content->bytes, value);
    return true;
}

static void add(struct nu_wasm_run_list *list, const char *value)
{
    list->items = nu_realloc(list->items, (list->count + 1) * sizeof(*list->items));
    list->items[list->count++] = value;
}

static bool read_status(const char *value, uint32_t *status)
{
    uint64_t number;
    if (nu_str_to_u64(nu_str_from(value), &number) != NU_OK || number < 200 || number > 599)
        return fail("--response-status: '%s' is not a status from 200 to 599", value);
    *status = (uint32_t)number;
    return true;
}

static bool read_seconds(const char *value, uint32_t *ms)
{
    enum { HOUR = 3600 };
    double seconds;
    if (nu_str_to_double(nu_str_from(value), &seconds) != NU_OK || seconds < 0.001 ||
        seconds > HOUR)
        return fail("--timeout: '%s' is not a number of seconds from 0.001 to 3600", value);
    *ms = (uint32_t)(seconds * 1000);
    return true;
}

static bool read_level(const char *value, enum nu_log_level *level)
{
    return nu_log_level_parse(nu_str_from(value), level) ||
           fail("--log-level: '%s' is not a level (trace, debug, info, warning, error, critical, "
                "off)",
                value);
}

static bool set(const struct nu_option *option, struct nu_wasm_run_options *options,
                const char *value)
{
    void *field = (char *)options + option->offset;
    switch ((enum kind)option->kind) {
    case TEXT:
        memcpy(field, &value, sizeof(value));
        return true;
    case LIST:
        add(field, value);
        return true;
    case CONTENT:
        return read_content(field, value);
    case STATUS:
        return read_status(value, field);
    case SECONDS:
        return read_seconds(value, field);
    case LEVEL:
        return read_level(value, field);
    }
    return false;
}

/* --- Checking them ---------------------------------------------------------------------------- */

bool nu_wasm_run_cut(const char *text, char separator, struct nu_str *left, struct nu_str *right)
{
    *right = nu_str_from(text);
    *left = nu_str_split(right, separator);
    return right->ptr != NULL;
}

/* Fields that say where a message ends are written by whoever writes the message. */
static bool is_framing(struct nu_str name)
{
    return nu_str_eq_nocase(name, NU_STR("content-length")) ||
           nu_str_eq_nocase(name, NU_STR("transfer-encoding"));
}

static bool check_headers(const char *option, const struct nu_wasm_run_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct nu_str name;
        struct nu_str value;
        if (!nu_wasm_run_cut(list->items[i], ':', &name, &value) ||
            !nu_header_name_is_valid(name) || !nu_header_value_is_valid(nu_str_trim(value)))
            return fail("--%s: '%s' is not a header (NAME: VALUE)", option, list->items[i]);
        if (is_framing(name))
            return fail("--%s: '%s' follows from the body", option, list->items[i]);
    }
    return true;
}

static bool check_environment(const struct nu_wasm_run_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct nu_str name;
        struct nu_str value;
        if (!nu_wasm_run_cut(list->items[i], '=', &name, &value) || name.len == 0)
            return fail("--env: '%s' is not a variable (NAME=VALUE)", list->items[i]);
    }
    return true;
}

static bool check_clusters(const char *option, const struct nu_wasm_run_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct nu_str name;
        struct nu_str host;
        uint64_t port = 0;
        bool ok = nu_wasm_run_cut(list->items[i], '=', &name, &host) && name.len > 0;
        size_t colon = ok ? nu_str_rfind_char(host, ':') : NU_NPOS;
        ok = ok && colon != NU_NPOS && colon > 0 &&
             nu_str_to_u64(nu_str_skip(host, colon + 1), &port) == NU_OK && port > 0 &&
             port <= UINT16_MAX;
        if (!ok)
            return fail("--%s: '%s' is not a cluster (NAME=HOST:PORT)", option, list->items[i]);
        if (nu_str_eq(name, NU_STR(UPSTREAM)))
            return fail("--%s: '" UPSTREAM "' is the cluster to which the request goes", option);
    }
    return true;
}

static bool check_request(const struct nu_wasm_run_options *options)
{
    if (!nu_header_name_is_valid(nu_str_from(options->method)) ||
        strcmp(options->method, "CONNECT") == 0)
        return fail("--method: '%s' is not the method of such a request", options->method);
    if (options->path[0] != '/' || options->path[strcspn(options->path, " \t\r\n")])
        return fail("'%s' is not a path: it begins with / and has no blanks", options->path);
    return true;
}

static bool check(struct nu_wasm_run_options *options)
{
    if (!options->file)
        return fail("which FILE? (nuncio wasm run --help tells more)");
    if (!options->path)
        options->path = "/";
    if (!options->method)
        options->method = options->data.is_given ? "POST" : "GET";
    return check_request(options) && check_headers("header", &options->headers) &&
           check_headers("response-header", &options->response_headers) &&
           check_environment(&options->environment) &&
           check_clusters("cluster", &options->clusters) &&
           check_clusters("grpc-cluster", &options->grpc_clusters);
}

/* --- The line --------------------------------------------------------------------------------- */

static const struct nu_option *find(struct nu_str argument)
{
    bool is_short = argument.len == 2 && argument.ptr[1] != '-';
    struct nu_str name = nu_str_skip(argument, 2);
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        if (is_short ? table[i].letter == argument.ptr[1]
                     : nu_str_starts_with(argument, NU_STR("--")) &&
                           nu_str_eq(name, nu_str_from(table[i].name)))
            return &table[i];
    }
    return NULL;
}

static bool fail_unknown(struct nu_str argument)
{
    enum { NEAR = 3 };
    struct nu_str name = nu_str_skip(argument, strspn(argument.ptr, "-"));
    struct nu_nearest nearest = {.name = name, .distance = NEAR + 1};
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++)
        nu_nearest_consider(&nearest, table[i].name);
    if (!nearest.best)
        return fail("unknown option '%.*s'; nuncio wasm run --help lists the options",
                    NU_STR_ARG(argument));
    return fail("unknown option '%.*s' (did you mean --%s?); nuncio wasm run --help lists the "
                "options",
                NU_STR_ARG(argument), nearest.best);
}

static bool is_given_twice(const struct nu_option *option, struct nu_wasm_run_options *options)
{
    uint64_t bit = (uint64_t)1 << (option - table);
    bool again = (options->given & bit) != 0 && option->kind != LIST;
    options->given |= bit;
    return again;
}

/* FILE, and then the path. */
static bool take_word(struct nu_wasm_run_options *options, const char *word)
{
    if (!options->file)
        options->file = word;
    else if (!options->path)
        options->path = word;
    else
        return fail("unexpected argument '%s'", word);
    return true;
}

/* One option and its value, of this argument or the next; *at ends on the last used. */
static bool take_option(int argc, char **argv, int *at, struct nu_wasm_run_options *options)
{
    const char *argument = argv[*at];
    struct nu_str name = nu_str_from(argument);
    const char *equals = argument[1] == '-' ? strchr(argument, '=') : NULL;
    if (equals)
        name.len = (size_t)(equals - argument);
    const struct nu_option *option = find(name);
    if (!option)
        return fail_unknown(name);
    if (is_given_twice(option, options))
        return fail("--%s is given twice", option->name);
    if (!equals && *at + 1 >= argc)
        return fail("--%s needs a value (%s)", option->name, option->value_name);
    return set(option, options, equals ? equals + 1 : argv[++*at]);
}

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

enum nu_options_outcome nu_wasm_run_options_parse(int argc, char **argv,
                                                  struct nu_wasm_run_options *options)
{
    *options = (struct nu_wasm_run_options){
        .root_id = "",
        .vm_id = "",
        .response_status = 200,
        .log_level = NU_LOG_INFO,
        .timeout_ms = 5000,
    };
    for (int i = 3; i < argc; i++) {
        if (is_help(argv[i])) {
            print_help();
            return NU_OPTIONS_EXIT_OK;
        }
        bool ok = argv[i][0] == '-' && argv[i][1] ? take_option(argc, argv, &i, options)
                                                  : take_word(options, argv[i]);
        if (!ok)
            return NU_OPTIONS_EXIT_ERROR;
    }
    return check(options) ? NU_OPTIONS_RUN : NU_OPTIONS_EXIT_ERROR;
}

void nu_wasm_run_options_finish(struct nu_wasm_run_options *options)
{
    nu_free(options->headers.items);
    nu_free(options->environment.items);
    nu_free(options->response_headers.items);
    nu_free(options->clusters.items);
    nu_free(options->grpc_clusters.items);
    nu_strbuf_finish(&options->data.bytes);
    nu_strbuf_finish(&options->configuration.bytes);
    nu_strbuf_finish(&options->vm_configuration.bytes);
    nu_strbuf_finish(&options->response_body.bytes);
}
