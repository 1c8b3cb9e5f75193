/* SPDX-License-Identifier: Apache-2.0 */
/* /logging: the levels of the application log, all, several or one of them. */
#include "admin/admin_internal.h"
#include "base/log.h"

/* What a request asks for, checked whole before anything is changed. */
struct changes {
    unsigned char level[NU_LOG_COMPONENT_COUNT]; /* NU_LOG_LEVEL_COUNT: as it is */
};

/* Each returns NULL, or what is wrong. */

static const char *change_one(struct changes *changes, struct nu_str name, struct nu_str text)
{
    enum nu_log_level level;
    enum nu_log_component component;
    if (!nu_log_level_parse(text, &level))
        return "unknown logger level";
    if (!nu_log_component_parse(name, &component))
        return "unknown logger name";
    changes->level[component] = (unsigned char)level;
    return NULL;
}

static const char *change_all(struct changes *changes, struct nu_str text)
{
    enum nu_log_level level;
    if (!nu_log_level_parse(text, &level))
        return "unknown logger level";
    memset(changes->level, (int)level, sizeof(changes->level));
    return NULL;
}

/* "http:debug,upstream:info" */
static const char *change_list(struct changes *changes, struct nu_str list)
{
    while (list.ptr) {
        struct nu_str pair = nu_str_trim(nu_str_split(&list, ','));
        if (pair.len == 0)
            continue;
        size_t colon = nu_str_find_char(pair, ':');
        struct nu_str name = nu_str_first(pair, colon);
        struct nu_str level = colon == NU_NPOS ? NU_STR("") : nu_str_skip(pair, colon + 1);
        if (name.len == 0 || level.len == 0)
            return "empty logger name or empty logger level";
        const char *problem = change_one(changes, name, level);
        if (problem)
            return problem;
    }
    return NULL;
}

static bool is_named(const struct nu_admin_param *param, const char *name)
{
    return nu_str_eq(param->name, nu_str_from(name));
}

/* A form leaves the fields that it has nothing for empty. */
static bool is_unused(const struct nu_admin_param *param)
{
    return param->value.len == 0 && (is_named(param, "level") || is_named(param, "paths"));
}

static const char *read_changes(const struct nu_admin_request *request, struct changes *changes)
{
    const struct nu_admin_param *only = NULL;
    for (size_t i = 0; i < request->param_count; i++) {
        const struct nu_admin_param *param = &request->params[i];
        if (is_unused(param))
            continue;
        if (only)
            return "invalid number of parameters";
        only = param;
    }
    if (!only)
        return NULL;
    if (is_named(only, "level"))
        return change_all(changes, only->value);
    if (is_named(only, "paths"))
        return change_list(changes, only->value);
    return change_one(changes, only->name, only->value);
}

static void apply(const struct changes *changes)
{
    for (int i = 0; i < NU_LOG_COMPONENT_COUNT; i++) {
        if (changes->level[i] != NU_LOG_LEVEL_COUNT)
            nu_log_set_component_level((enum nu_log_component)i,
                                       (enum nu_log_level)changes->level[i]);
    }
}

static void print_usage(struct nu_strbuf *out, const char *problem)
{
    nu_strbuf_addf(out,
                   "error: %s\n\n"
                   "usage: /logging?<name>=<level> (change single level)\n"
                   "usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n"
                   "usage: /logging?level=<level> (change all levels)\n"
                   "levels: trace debug info warning error critical off \n",
                   problem);
}

static void print_levels(struct nu_strbuf *out)
{
    nu_strbuf_add_cstr(out, "active loggers:\n");
    for (int i = 0; i < NU_LOG_COMPONENT_COUNT; i++) {
        enum nu_log_component component = (enum nu_log_component)i;
        nu_strbuf_addf(out, "  %s: %s\n", nu_log_component_name(component),
                       nu_log_level_name(nu_log_component_level(component)));
    }
}

void nu_admin_logging(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    struct changes changes;
    memset(changes.level, NU_LOG_LEVEL_COUNT, sizeof(changes.level));
    const char *problem = read_changes(request, &changes);
    if (problem) {
        response->status = 400;
        print_usage(&response->body, problem);
    } else {
        apply(&changes);
    }
    print_levels(&response->body);
}
