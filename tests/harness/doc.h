/* SPDX-License-Identifier: Apache-2.0 */
/* Document trees in tests: written back as compact JSON, or the error. */
#ifndef NU_TESTS_HARNESS_DOC_H
#define NU_TESTS_HARNESS_DOC_H

#include "harness/test.h"

#include "base/json.h"
#include "config/doc.h"

static inline void doc_write_(struct nu_json *json, const struct nu_doc_node *node)
{
    switch ((enum nu_doc_kind)node->kind) {
    case NU_DOC_NULL:
        nu_json_null(json);
        return;
    case NU_DOC_BOOL:
        nu_json_bool(json, node->boolean);
        return;
    case NU_DOC_NUMBER:
        nu_json_raw(json, node->text);
        return;
    case NU_DOC_STRING:
        nu_json_string(json, node->text);
        return;
    case NU_DOC_LIST:
        nu_json_array_begin(json);
        for (const struct nu_doc_node *item = node->first; item; item = item->next)
            doc_write_(json, item);
        nu_json_array_end(json);
        return;
    case NU_DOC_MAP:
        nu_json_object_begin(json);
        for (const struct nu_doc_node *item = node->first; item; item = item->next) {
            nu_json_key(json, item->key);
            doc_write_(json, item);
        }
        nu_json_object_end(json);
        return;
    }
}

typedef struct nu_doc_node *doc_parse_fn(const struct nu_doc_input *in);

/* Parses `text` and compares the tree, or "error: ..." with its position; warnings follow a
 * tree. */
static inline void assert_doc_(doc_parse_fn *parse, struct nu_str text, const char *expected,
                               const char *file, int line)
{
    struct nu_arena arena;
    struct nu_error_list errors = {0};
    struct nu_error_list warnings = {0};
    struct nu_strbuf out = {0};
    nu_arena_init(&arena);
    struct nu_doc_input in = {&arena, "t", text, &errors, &warnings};
    const struct nu_doc_node *root = parse(&in);
    if (root) {
        struct nu_json json;
        nu_json_init(&json, &out, false);
        doc_write_(&json, root);
        assert_int_equal(errors.count, 0);
        for (size_t i = 0; i < warnings.count; i++) {
            nu_strbuf_add_cstr(&out, " warning: ");
            nu_error_format(&warnings.items[i], &out);
        }
    } else {
        assert_int_equal(errors.count, 1);
        nu_strbuf_add_cstr(&out, "error: ");
        nu_error_format(&errors.items[0], &out);
    }
    nu_assert_str_(nu_strbuf_str(&out), nu_str_from(expected), file, line);
    nu_strbuf_finish(&out);
    nu_error_list_finish(&errors);
    nu_error_list_finish(&warnings);
    nu_arena_finish(&arena);
}
#define assert_doc(parse, text, expected) \
    assert_doc_(parse, nu_str_from(text), expected, __FILE__, __LINE__)

struct doc_case {
    const char *text;
    const char *expected;
};
#define check_doc_cases(parse, cases) \
    for (size_t i_ = 0; i_ < NU_ARRAY_LEN(cases); i_++) \
    assert_doc(parse, (cases)[i_].text, (cases)[i_].expected)

#endif
