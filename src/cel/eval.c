/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluation. An error is a value: it passes through whatever needs the value that it stands for,
 * but && and || and the macros made of them do without it where the other operands decide. Only the
 * end of what an evaluation may take is final.
 */
#include "base/alloc.h"
#include "cel/cel_internal.h"

static struct nu_cel_value evaluate(struct nu_cel_eval *eval, const struct nu_cel_node *node);

bool nu_cel_spend(struct nu_cel_eval *eval, uint64_t cost)
{
    if (cost > (uint64_t)eval->left)
        eval->is_stopped = true;
    else
        eval->left -= (int64_t)cost;
    return !eval->is_stopped;
}

bool nu_cel_spend_memory(struct nu_cel_eval *eval)
{
    const struct nu_block *block = eval->arena->blocks;
    const struct nu_block *paid = eval->block;
    for (eval->block = block; block != paid && !eval->is_stopped; block = block->next_free)
        nu_cel_spend_bytes(eval, block->size);
    return !eval->is_stopped;
}

bool nu_cel_spend_bytes(struct nu_cel_eval *eval, uint64_t bytes)
{
    return nu_cel_spend(eval, bytes / 64 + 1);
}

struct nu_cel_value nu_cel_too_much(void)
{
    return nu_cel_error("the evaluation takes too much");
}

struct nu_cel_value nu_cel_no_overload(void)
{
    return nu_cel_error("no such function or operator for these types");
}

/* --- Logic ------------------------------------------------------------------------------------ */

/* Of && (`decides` is false) or ||: takes an operand in. Whether it decides. */
static bool take_operand(struct nu_cel_value *outcome, const struct nu_cel_value *operand,
                         bool decides)
{
    if (operand->type == NU_CEL_BOOL && operand->boolean == decides) {
        *outcome = *operand;
        return true;
    }
    if (outcome->type == NU_CEL_ERROR)
        return false;
    if (operand->type == NU_CEL_ERROR)
        *outcome = *operand;
    else if (operand->type != NU_CEL_BOOL)
        *outcome = nu_cel_no_overload();
    return false;
}

static struct nu_cel_value join(struct nu_cel_eval *eval, const struct nu_cel_node *node,
                                bool decides)
{
    struct nu_cel_value outcome = nu_cel_bool(!decides);
    for (uint32_t i = 0; i < node->count; i++) {
        struct nu_cel_value operand = evaluate(eval, node->args[i]);
        if (take_operand(&outcome, &operand, decides))
            break;
    }
    return outcome;
}

static struct nu_cel_value choose(struct nu_cel_eval *eval, const struct nu_cel_node *node)
{
    struct nu_cel_value condition = evaluate(eval, node->args[0]);
    if (condition.type == NU_CEL_ERROR)
        return condition;
    if (condition.type != NU_CEL_BOOL)
        return nu_cel_no_overload();
    return evaluate(eval, node->args[condition.boolean ? 1 : 2]);
}

/* --- Calls and what is made ------------------------------------------------------------------- */

/* All arguments, in the arena; NULL if one is an error, which goes to `error`. */
static struct nu_cel_value *evaluate_all(struct nu_cel_eval *eval, const struct nu_cel_node *node,
                                         struct nu_cel_value *error)
{
    struct nu_cel_value *values = nu_arena_alloc(eval->arena, (node->count + 1) * sizeof(*values));
    for (uint32_t i = 0; i < node->count; i++) {
        values[i] = evaluate(eval, node->args[i]);
        if (values[i].type != NU_CEL_ERROR)
            continue;
        *error = values[i];
        return NULL;
    }
    return values;
}

static struct nu_cel_value call_function(struct nu_cel_eval *eval, const struct nu_cel_node *node)
{
    enum { FEW = 3 };
    struct nu_cel_value few[FEW];
    struct nu_cel_value *args = few;
    struct nu_cel_value error;
    if (node->count > FEW) {
        args = evaluate_all(eval, node, &error);
        if (!args)
            return error;
    }
    for (uint32_t i = 0; i < node->count && args == few; i++) {
        few[i] = evaluate(eval, node->args[i]);
        if (few[i].type == NU_CEL_ERROR)
            return few[i];
    }
    if (node->regex)
        return nu_cel_search(eval, node->regex, &args[0]);
    return node->call(eval, args, node->count);
}

static struct nu_cel_value make_list(struct nu_cel_eval *eval, const struct nu_cel_value *items,
                                     size_t count)
{
    struct nu_cel_list *list = nu_arena_alloc(eval->arena, sizeof(*list));
    list->items = items;
    list->count = count;
    return nu_cel_list(list);
}

static struct nu_cel_value evaluate_list(struct nu_cel_eval *eval, const struct nu_cel_node *node)
{
    struct nu_cel_value error;
    struct nu_cel_value *items = evaluate_all(eval, node, &error);
    return items ? make_list(eval, items, node->count) : error;
}

static struct nu_cel_value evaluate_map(struct nu_cel_eval *eval, const struct nu_cel_node *node)
{
    struct nu_cel_value error;
    struct nu_cel_value *pairs = evaluate_all(eval, node, &error);
    return pairs ? nu_cel_make_map(eval, pairs, node->count / 2) : error;
}

/* --- Fields ----------------------------------------------------------------------------------- */

static struct nu_cel_value find_name(struct nu_cel_eval *eval, struct nu_str name)
{
    struct nu_cel_value value;
    const struct nu_cel_source *source = eval->source;
    if (!source)
        return nu_cel_error("no such name");
    if (!nu_cel_spend(eval, source->search_cost))
        return nu_cel_too_much();
    return source->find(source, name, eval->arena, &value) ? value : nu_cel_error("no such name");
}

static struct nu_cel_value select_field(struct nu_cel_eval *eval, const struct nu_cel_node *node)
{
    struct nu_cel_value of = evaluate(eval, node->args[0]);
    struct nu_cel_value key = nu_cel_string(node->name);
    if (of.type == NU_CEL_ERROR)
        return of;
    if (of.type != NU_CEL_MAP)
        return nu_cel_error("it has no fields");
    return nu_cel_at(eval, &of, &key);
}

static struct nu_cel_value has_field(struct nu_cel_eval *eval, const struct nu_cel_node *node)
{
    struct nu_cel_value of = evaluate(eval, node->args[0]);
    struct nu_cel_value key = nu_cel_string(node->name);
    struct nu_cel_value value;
    if (of.type == NU_CEL_ERROR)
        return of;
    if (of.type != NU_CEL_MAP)
        return nu_cel_error("it has no fields");
    return nu_cel_bool(nu_cel_map_find(eval, of.map, &key, &value));
}

/* --- Macros ----------------------------------------------------------------------------------- */

/* What args[which] is for an item. */
static struct nu_cel_value ask(struct nu_cel_eval *eval, const struct nu_cel_node *node,
                               const struct nu_cel_value *item, uint32_t which)
{
    eval->variables[node->slot] = *item;
    return evaluate(eval, node->args[which]);
}

static struct nu_cel_value quantify(struct nu_cel_eval *eval, const struct nu_cel_node *node,
                                    const struct nu_cel_list *items)
{
    bool decides = node->op == NU_CEL_OP_EXISTS;
    struct nu_cel_value outcome = nu_cel_bool(!decides);
    for (size_t i = 0; i < items->count && !eval->is_stopped; i++) {
        struct nu_cel_value answer = ask(eval, node, &items->items[i], 1);
        if (take_operand(&outcome, &answer, decides))
            break;
    }
    return outcome;
}

/* Which items are meant: true, false, or an error. */
static struct nu_cel_value is_meant(struct nu_cel_eval *eval, const struct nu_cel_node *node,
                                    const struct nu_cel_value *item, uint32_t which)
{
    struct nu_cel_value answer = ask(eval, node, item, which);
    if (answer.type == NU_CEL_BOOL || answer.type == NU_CEL_ERROR)
        return answer;
    return nu_cel_no_overload();
}

static struct nu_cel_value exists_one(struct nu_cel_eval *eval, const struct nu_cel_node *node,
                                      const struct nu_cel_list *items)
{
    size_t count = 0;
    for (size_t i = 0; i < items->count && !eval->is_stopped; i++) {
        struct nu_cel_value answer = is_meant(eval, node, &items->items[i], 1);
        if (answer.type == NU_CEL_ERROR)
            return answer;
        count += answer.boolean;
    }
    return nu_cel_bool(count == 1);
}

static struct nu_cel_value filter(struct nu_cel_eval *eval, const struct nu_cel_node *node,
                                  const struct nu_cel_list *items)
{
    struct nu_cel_value *kept = nu_arena_alloc(eval->arena, (items->count + 1) * sizeof(*kept));
    size_t count = 0;
    for (size_t i = 0; i < items->count && !eval->is_stopped; i++) {
        struct nu_cel_value answer = is_meant(eval, node, &items->items[i], 1);
        if (answer.type == NU_CEL_ERROR)
            return answer;
        if (answer.boolean)
            kept[count++] = items->items[i];
    }
    return make_list(eval, kept, count);
}

static struct nu_cel_value transform(struct nu_cel_eval *eval, const struct nu_cel_node *node,
                                     const struct nu_cel_list *items)
{
    struct nu_cel_value *made = nu_arena_alloc(eval->arena, (items->count + 1) * sizeof(*made));
    struct nu_cel_value meant = nu_cel_bool(true);
    size_t count = 0;
    for (size_t i = 0; i < items->count && !eval->is_stopped; i++) {
        if (node->count == 3)
            meant = is_meant(eval, node, &items->items[i], 2);
        if (meant.type == NU_CEL_ERROR)
            return meant;
        if (!meant.boolean)
            continue;
        made[count] = ask(eval, node, &items->items[i], 1);
        if (made[count++].type == NU_CEL_ERROR)
            return made[count - 1];
    }
    return make_list(eval, made, count);
}

static struct nu_cel_value walk(struct nu_cel_eval *eval, const struct nu_cel_node *node)
{
    struct nu_cel_value range = evaluate(eval, node->args[0]);
    struct nu_cel_list items;
    if (range.type == NU_CEL_ERROR)
        return range;
    if (!nu_cel_items(eval, &range, &items))
        return nu_cel_error("only lists and maps can be walked");
    if (!nu_cel_spend(eval, items.count))
        return nu_cel_too_much();
    switch (node->op) {
    case NU_CEL_OP_EXISTS_ONE:
        return exists_one(eval, node, &items);
    case NU_CEL_OP_FILTER:
        return filter(eval, node, &items);
    case NU_CEL_OP_TRANSFORM:
        return transform(eval, node, &items);
    default:
        return quantify(eval, node, &items);
    }
}

/* --- All of it -------------------------------------------------------------------------------- */

static struct nu_cel_value evaluate(struct nu_cel_eval *eval, const struct nu_cel_node *node)
{
    if (!nu_cel_spend(eval, 1) || !nu_cel_spend_memory(eval))
        return nu_cel_too_much();
    switch (node->op) {
    case NU_CEL_OP_LITERAL:
        return node->value;
    case NU_CEL_OP_NAME:
        return find_name(eval, node->name);
    case NU_CEL_OP_VARIABLE:
        return eval->variables[node->slot];
    case NU_CEL_OP_SELECT:
        return select_field(eval, node);
    case NU_CEL_OP_HAS:
        return has_field(eval, node);
    case NU_CEL_OP_CALL:
        return call_function(eval, node);
    case NU_CEL_OP_AND:
        return join(eval, node, false);
    case NU_CEL_OP_OR:
        return join(eval, node, true);
    case NU_CEL_OP_CHOOSE:
        return choose(eval, node);
    case NU_CEL_OP_LIST:
        return evaluate_list(eval, node);
    case NU_CEL_OP_MAP:
        return evaluate_map(eval, node);
    case NU_CEL_OP_ALL:
    case NU_CEL_OP_EXISTS:
    case NU_CEL_OP_EXISTS_ONE:
    case NU_CEL_OP_FILTER:
    case NU_CEL_OP_TRANSFORM:
        return walk(eval, node);
    }
    return nu_cel_no_overload();
}

struct nu_cel_value nu_cel_evaluate(const struct nu_cel *cel, const struct nu_cel_source *source,
                                    struct nu_arena *arena)
{
    struct nu_cel_eval eval = {
        .source = source, .arena = arena, .left = NU_CEL_COST_MAX, .block = arena->blocks};
    struct nu_cel_value value = evaluate(&eval, cel->root);
    return eval.is_stopped ? nu_cel_too_much() : value;
}

/* --- Life ------------------------------------------------------------------------------------- */

struct nu_cel *nu_cel_create(struct nu_str text, struct nu_strbuf *error)
{
    struct nu_strbuf reason = {0};
    struct nu_cel *cel = nu_calloc(1, sizeof(*cel));
    cel->arena = nu_arena_create();
    if (text.len > NU_CEL_TEXT_MAX)
        nu_strbuf_add_cstr(&reason, "it is too long");
    else
        cel->root = nu_cel_parse(nu_arena_dup(cel->arena, text), cel, &reason);
    if (!cel->root) {
        nu_strbuf_add(error, nu_strbuf_str(&reason));
        nu_cel_destroy(&cel);
    }
    nu_strbuf_finish(&reason);
    return cel;
}

size_t nu_cel_pattern_count(const struct nu_cel *cel)
{
    return cel->pattern_count;
}

void nu_cel_destroy(struct nu_cel **cel)
{
    if (*cel) {
        nu_arena_destroy(&(*cel)->arena);
        nu_free(*cel);
    }
    *cel = NULL;
}
