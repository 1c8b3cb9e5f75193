/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration in tests: a text becomes a message, and the outcome is compared as text, either the
 * message as compact JSON or the errors as the operator sees them (the source is called "t").
 *
 *     struct config_fixture f;
 *     config_open(&f);
 *     message = config_yaml(&f, "envoy.config.cluster.v3.Cluster", "name: a");
 *     assert_config_errors(&f, "");
 *     config_close(&f);
 */
#ifndef NU_TESTS_HARNESS_CONFIG_H
#define NU_TESTS_HARNESS_CONFIG_H

#include "harness/test.h"

#include "config/config.h"
#include "config/print.h"

struct config_fixture {
    struct nu_arena arena;
    struct nu_config_ctx ctx;
};

static inline void config_open(struct config_fixture *f)
{
    nu_arena_init(&f->arena);
    nu_config_ctx_init(&f->ctx, &f->arena);
}

static inline void config_close(struct config_fixture *f)
{
    nu_config_ctx_finish(&f->ctx);
    nu_arena_finish(&f->arena);
}

/* Reads a message of the named type and holds it against the rules. */
static inline void *config_read_as(struct config_fixture *f, enum nu_config_format format,
                                   const char *type, struct nu_str text)
{
    const ProtobufCMessageDescriptor *descriptor = nu_config_find_type(nu_str_from(type));
    assert_non_null(descriptor);
    ProtobufCMessage *message = nu_config_read(&f->ctx, "t", text, format, descriptor);
    if (message)
        nu_config_validate(&f->ctx, message);
    nu_error_list_sort(&f->ctx.errors);
    return message;
}

static inline void *config_yaml(struct config_fixture *f, const char *type, const char *text)
{
    return config_read_as(f, NU_CONFIG_YAML, type, nu_str_from(text));
}

static inline void *config_json(struct config_fixture *f, const char *type, const char *text)
{
    return config_read_as(f, NU_CONFIG_JSON, type, nu_str_from(text));
}

static inline void assert_error_list_(const struct nu_error_list *list, const char *expected,
                                      const char *file, int line)
{
    struct nu_strbuf text = {0};
    nu_error_list_format(list, &text);
    if (text.len)
        text.data[--text.len] = '\0';
    nu_assert_str_(nu_strbuf_str(&text), nu_str_from(expected), file, line);
    nu_strbuf_finish(&text);
}
/* All errors (warnings), a line each. */
#define assert_config_errors(f, expected) \
    assert_error_list_(&(f)->ctx.errors, expected, __FILE__, __LINE__)
#define assert_config_warnings(f, expected) \
    assert_error_list_(&(f)->ctx.warnings, expected, __FILE__, __LINE__)

static inline void assert_config_json_(const void *message, const char *expected, const char *file,
                                       int line)
{
    struct nu_strbuf text = {0};
    struct nu_json json;
    nu_json_init(&json, &text, false);
    nu_config_print(&json, message);
    nu_assert_str_(nu_strbuf_str(&text), nu_str_from(expected), file, line);
    nu_strbuf_finish(&text);
}
#define assert_config_json(message, expected) \
    assert_config_json_(message, expected, __FILE__, __LINE__)

/* One row of a table: a text, and the JSON or the errors that it gives. */
struct config_case {
    const char *text;
    const char *json;  /* NULL when it is refused */
    const char *error; /* NULL when it is read */
};

static inline void check_config_cases_(enum nu_config_format format, const char *type,
                                       const struct config_case *cases, size_t count,
                                       const char *file, int line)
{
    for (size_t i = 0; i < count; i++) {
        struct config_fixture f;
        config_open(&f);
        void *message = config_read_as(&f, format, type, nu_str_from(cases[i].text));
        const char *error = cases[i].error ? cases[i].error : "";
        bool as_expected = cases[i].json ? message && !f.ctx.errors.count : f.ctx.errors.count > 0;
        if (!as_expected)
            print_error("case: %s\n", cases[i].text);
        assert_error_list_(&f.ctx.errors, error, file, line);
        if (cases[i].json)
            assert_config_json_(message, cases[i].json, file, line);
        config_close(&f);
    }
}
#define check_yaml_cases(type, cases) \
    check_config_cases_(NU_CONFIG_YAML, type, cases, NU_ARRAY_LEN(cases), __FILE__, __LINE__)
#define check_json_cases(type, cases) \
    check_config_cases_(NU_CONFIG_JSON, type, cases, NU_ARRAY_LEN(cases), __FILE__, __LINE__)

#endif
