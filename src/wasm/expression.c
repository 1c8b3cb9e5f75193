/* SPDX-License-Identifier: Apache-2.0 */
/* The foreign functions expr_create, expr_evaluate and expr_delete. */
#include "wasm/expression.h"

#include "attribute/attribute_cel.h"
#include "base/alloc.h"
#include "base/log.h"
#include "cel/cel.h"
#include "http/filter_state.h"
#include "http/stream_info.h"
#include "wasm/pairs.h"
#include "wasm/property.h"

struct expression {
    struct nu_list link;
    uint32_t token;
    size_t size; /* of the text */
    struct nu_cel *cel;
};

struct nu_wasm_expressions {
    struct nu_list all; /* of struct expression */
    uint32_t count;
    uint32_t next_token;
    size_t bytes;
    size_t patterns;
    bool is_full_told;
};

/* --- Those of a root -------------------------------------------------------------------------- */

static struct nu_wasm_expressions *of_root(struct nu_wasm_context *root)
{
    if (!root->expressions) {
        root->expressions = nu_calloc(1, sizeof(*root->expressions));
        nu_list_init(&root->expressions->all);
    }
    return root->expressions;
}

static struct expression *find(const struct nu_wasm_expressions *expressions, uint32_t token)
{
    struct expression *expression;
    nu_list_for_each(expression, &expressions->all, struct expression, link)
    {
        if (expression->token == token)
            return expression;
    }
    return NULL;
}

static void remove_expression(struct nu_wasm_expressions *expressions,
                              struct expression *expression)
{
    expressions->count--;
    expressions->bytes -= expression->size;
    expressions->patterns -= nu_cel_pattern_count(expression->cel);
    nu_list_remove(&expression->link);
    nu_cel_destroy(&expression->cel);
    nu_free(expression);
}

void nu_wasm_expressions_destroy(struct nu_wasm_expressions **expressions)
{
    struct expression *expression;
    if (!*expressions)
        return;
    nu_list_for_each(expression, &(*expressions)->all, struct expression, link)
        remove_expression(*expressions, expression);
    nu_free(*expressions);
    *expressions = NULL;
}

/* --- Making and ending ------------------------------------------------------------------------ */

static bool has_room(struct nu_wasm_expressions *expressions, size_t size, size_t patterns)
{
    if (expressions->count < NU_WASM_EXPRESSIONS_MAX &&
        size <= NU_WASM_EXPRESSION_BYTES_MAX - expressions->bytes &&
        patterns <= NU_WASM_EXPRESSION_PATTERNS_MAX - expressions->patterns)
        return true;
    if (!expressions->is_full_told)
        nu_log(NU_LOG_WASM, NU_LOG_WARN, "expr_create: too many expressions");
    expressions->is_full_told = true;
    return false;
}

static struct nu_cel *compile(struct nu_str text)
{
    struct nu_strbuf reason = {0};
    struct nu_cel *cel = nu_cel_create(text, &reason);
    if (!cel)
        nu_log(NU_LOG_WASM, NU_LOG_INFO, "expr_create: %s", reason.data);
    nu_strbuf_finish(&reason);
    return cel;
}

enum nu_wasm_status nu_wasm_foreign_expr_create(struct nu_wasm_vm *vm, struct nu_str arguments,
                                                struct nu_strbuf *result)
{
    struct nu_wasm_expressions *expressions = of_root(vm->effective->root);
    if (!has_room(expressions, arguments.len, 0))
        return NU_WASM_INTERNAL_FAILURE;
    struct nu_cel *cel = compile(arguments);
    if (!cel)
        return NU_WASM_BAD_ARGUMENT;
    if (!has_room(expressions, arguments.len, nu_cel_pattern_count(cel))) {
        nu_cel_destroy(&cel);
        return NU_WASM_INTERNAL_FAILURE;
    }
    struct expression *expression = nu_calloc(1, sizeof(*expression));
    while (find(expressions, expressions->next_token))
        expressions->next_token++;
    *expression =
        (struct expression){.token = expressions->next_token++, .size = arguments.len, .cel = cel};
    nu_list_add_last(&expressions->all, &expression->link);
    expressions->count++;
    expressions->bytes += arguments.len;
    expressions->patterns += nu_cel_pattern_count(cel);
    nu_wasm_add_u32(result, expression->token);
    return NU_WASM_OK;
}

/* A token; false if the arguments are none. */
static bool read_token(struct nu_str arguments, uint32_t *token)
{
    if (arguments.len != sizeof(*token))
        return false;
    *token = nu_wasm_get_u32(arguments.ptr);
    return true;
}

enum nu_wasm_status nu_wasm_foreign_expr_delete(struct nu_wasm_vm *vm, struct nu_str arguments,
                                                struct nu_strbuf *result)
{
    struct nu_wasm_expressions *expressions = of_root(vm->effective->root);
    uint32_t token;
    (void)result;
    if (!read_token(arguments, &token))
        return NU_WASM_BAD_ARGUMENT;
    struct expression *expression = find(expressions, token);
    if (expression)
        remove_expression(expressions, expression);
    return NU_WASM_OK;
}

/* --- What comes out --------------------------------------------------------------------------- */

struct writer {
    const struct nu_attribute_source *source;
    struct nu_strbuf *out;
    unsigned depth; /* of lists and maps around */
};

static enum nu_wasm_status write_value(struct writer *writer, const struct nu_cel_value *value);

/* Items of a list are the first halves of pairs, whose second ones are empty; of a map they are
 * keys and values in turn. */
static enum nu_wasm_status write_items(struct writer *writer, const struct nu_cel_list *items,
                                       bool is_list)
{
    struct nu_wasm_halves halves;
    enum nu_wasm_status status = NU_WASM_OK;
    nu_wasm_halves_begin(&halves, is_list ? items->count : items->count / 2, writer->out);
    for (size_t i = 0; i < items->count && status == NU_WASM_OK; i++) {
        status = write_value(writer, &items->items[i]);
        nu_wasm_half_end(&halves);
        if (is_list)
            nu_wasm_half_end(&halves);
    }
    return status;
}

/* A list, or a map. Macros make values that are far deeper than their expression. */
static enum nu_wasm_status write_pairs(struct writer *writer, const struct nu_cel_value *value)
{
    struct nu_cel_list items;
    bool is_list = value->type == NU_CEL_LIST;
    if (!is_list && !nu_cel_map_pairs(value->map, &items))
        return NU_WASM_SERIALIZATION_FAILURE;
    if (writer->depth == NU_CEL_DEPTH_MAX)
        return NU_WASM_INTERNAL_FAILURE;
    writer->depth++;
    enum nu_wasm_status status = write_items(writer, is_list ? value->list : &items, is_list);
    writer->depth--;
    return status;
}

static enum nu_wasm_status write_time(struct nu_cel_time time, struct nu_strbuf *out)
{
    int64_t ns;
    if (!nu_cel_time_to_ns(time, &ns))
        ns = time.seconds < 0 ? INT64_MIN : INT64_MAX;
    nu_wasm_add_u64(out, (uint64_t)ns);
    return NU_WASM_OK;
}

/* Of a number of 64 bits, whatever it is. */
static enum nu_wasm_status write_number(const struct nu_cel_value *value, struct nu_strbuf *out)
{
    uint64_t bits;
    memcpy(&bits, &value->natural, sizeof(bits));
    nu_wasm_add_u64(out, bits);
    return NU_WASM_OK;
}

/* As a property of the same type. A value of few bytes may be there very often in another. */
static enum nu_wasm_status write_value(struct writer *writer, const struct nu_cel_value *value)
{
    struct nu_strbuf *out = writer->out;
    struct nu_attribute attribute;
    if (out->len > NU_WASM_FOREIGN_BYTES_MAX)
        return NU_WASM_INTERNAL_FAILURE;
    if (nu_attribute_from_cel(value, &attribute))
        return nu_wasm_property_write(writer->source, &attribute, out)
                   ? NU_WASM_OK
                   : NU_WASM_SERIALIZATION_FAILURE;
    switch (value->type) {
    case NU_CEL_BOOL:
        nu_strbuf_add_char(out, (char)value->boolean);
        return NU_WASM_OK;
    case NU_CEL_INT:
    case NU_CEL_UINT:
    case NU_CEL_DOUBLE:
        return write_number(value, out);
    case NU_CEL_STRING:
    case NU_CEL_BYTES:
        nu_strbuf_add(out, value->text);
        return NU_WASM_OK;
    case NU_CEL_DURATION:
    case NU_CEL_TIMESTAMP:
        return write_time(value->time, out);
    case NU_CEL_LIST:
    case NU_CEL_MAP:
        return write_pairs(writer, value);
    case NU_CEL_ERROR:
    case NU_CEL_NULL:
    case NU_CEL_TYPE:
        break;
    }
    return NU_WASM_SERIALIZATION_FAILURE;
}

/* --- Evaluating ------------------------------------------------------------------------------- */

static struct nu_attribute find_name(const struct nu_attribute_cel *self, struct nu_str name)
{
    return nu_wasm_property_find(self->owner, self->source, name);
}

static enum nu_wasm_status evaluate(struct nu_wasm_vm *vm, const struct nu_cel *cel,
                                    struct nu_arena *arena, struct nu_strbuf *result)
{
    struct nu_attribute_source source = nu_wasm_attribute_source(vm, arena);
    struct nu_attribute_cel names;
    nu_attribute_cel_init(&names, &source, find_name, vm);
    if (source.info) /* where what guests have set is looked for */
        names.base.search_cost =
            (uint32_t)(nu_stream_info_state_count(source.info) / NU_CEL_SEARCH_STEPS);
    struct nu_cel_value value = nu_cel_evaluate(cel, &names.base, arena);
    if (value.type == NU_CEL_ERROR) {
        nu_log(NU_LOG_WASM, NU_LOG_DEBUG, "expr_evaluate: %.*s", NU_STR_ARG(value.text));
        return NU_WASM_INTERNAL_FAILURE;
    }
    enum nu_wasm_status status = write_value(&(struct writer){&source, result, 0}, &value);
    if (status == NU_WASM_INTERNAL_FAILURE)
        nu_log(NU_LOG_WASM, NU_LOG_DEBUG, "expr_evaluate: the value is too large, or too deep");
    return status;
}

enum nu_wasm_status nu_wasm_foreign_expr_evaluate(struct nu_wasm_vm *vm, struct nu_str arguments,
                                                  struct nu_strbuf *result)
{
    uint32_t token;
    struct nu_arena arena;
    if (!read_token(arguments, &token))
        return NU_WASM_BAD_ARGUMENT;
    const struct expression *expression = find(of_root(vm->effective->root), token);
    if (!expression)
        return NU_WASM_NOT_FOUND;
    nu_arena_init(&arena);
    enum nu_wasm_status status = evaluate(vm, expression->cel, &arena, result);
    nu_arena_finish(&arena);
    return status;
}
