/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between operands, and before one. Arithmetic that leaves its type is an error. */
#include "cel/cel_internal.h"

struct nu_cel_value nu_cel_overflow(void)
{
    return nu_cel_error("the result is out of range");
}

/* --- Arithmetic ------------------------------------------------------------------------------- */

enum arithmetic { ADD, SUBTRACT, MULTIPLY, DIVIDE, MODULO };

/* For both types of integers. `is_beyond` is where a quotient has no room in its type. */
#define ON_INTEGERS(name, type, make, is_beyond) \
    static struct nu_cel_value name(enum arithmetic what, type a, type b) \
    { \
        type result = 0; \
        bool fails = false; \
        if (what >= DIVIDE && b == 0) \
            return nu_cel_error("division by zero"); \
        if (what >= DIVIDE && (is_beyond)) \
            return nu_cel_overflow(); \
        switch (what) { \
        case ADD: \
            fails = __builtin_add_overflow(a, b, &result); \
            break; \
        case SUBTRACT: \
            fails = __builtin_sub_overflow(a, b, &result); \
            break; \
        case MULTIPLY: \
            fails = __builtin_mul_overflow(a, b, &result); \
            break; \
        case DIVIDE: \
            result = a / b; \
            break; \
        case MODULO: \
            result = a % b; \
            break; \
        } \
        return fails ? nu_cel_overflow() : make(result); \
    }
ON_INTEGERS(on_ints, int64_t, nu_cel_int, a == INT64_MIN && b == -1)
ON_INTEGERS(on_uints, uint64_t, nu_cel_uint, false)

static struct nu_cel_value on_doubles(enum arithmetic what, double a, double b)
{
    switch (what) {
    case ADD:
        return nu_cel_double(a + b);
    case SUBTRACT:
        return nu_cel_double(a - b);
    case MULTIPLY:
        return nu_cel_double(a * b);
    case DIVIDE: /* by zero as well: that has a value here */
        return nu_cel_double(a / b);
    case MODULO:
        break;
    }
    return nu_cel_no_overload();
}

struct nu_cel_value nu_cel_make_time(enum nu_cel_type type, bool fits, struct nu_cel_time time)
{
    struct nu_cel_value value = {.type = type, .time = time};
    bool is_one = type == NU_CEL_TIMESTAMP ? nu_cel_is_timestamp(time) : nu_cel_is_duration(time);
    return fits && is_one ? value : nu_cel_overflow();
}

static struct nu_cel_value on_times(enum arithmetic what, const struct nu_cel_value *a,
                                    const struct nu_cel_value *b)
{
    bool a_is_point = a->type == NU_CEL_TIMESTAMP;
    bool b_is_point = b->type == NU_CEL_TIMESTAMP;
    struct nu_cel_time sum;
    if (what == ADD && !(a_is_point && b_is_point)) {
        bool fits = nu_cel_time_add(a->time, b->time, &sum);
        return nu_cel_make_time(a_is_point || b_is_point ? NU_CEL_TIMESTAMP : NU_CEL_DURATION, fits,
                                sum);
    }
    if (what == SUBTRACT && (a_is_point || !b_is_point)) {
        bool fits = nu_cel_time_add(a->time, nu_cel_time_negate(b->time), &sum);
        return nu_cel_make_time(a_is_point && !b_is_point ? NU_CEL_TIMESTAMP : NU_CEL_DURATION,
                                fits, sum);
    }
    return nu_cel_no_overload();
}

static bool is_time(const struct nu_cel_value *value)
{
    return value->type == NU_CEL_TIMESTAMP || value->type == NU_CEL_DURATION;
}

static struct nu_cel_value calculate(enum arithmetic what, const struct nu_cel_value *args)
{
    if (is_time(&args[0]) && is_time(&args[1]))
        return on_times(what, &args[0], &args[1]);
    if (args[0].type != args[1].type)
        return nu_cel_no_overload();
    switch (args[0].type) {
    case NU_CEL_INT:
        return on_ints(what, args[0].integer, args[1].integer);
    case NU_CEL_UINT:
        return on_uints(what, args[0].natural, args[1].natural);
    case NU_CEL_DOUBLE:
        return on_doubles(what, args[0].real, args[1].real);
    default:
        return nu_cel_no_overload();
    }
}

static struct nu_cel_value join_texts(struct nu_cel_eval *eval, const struct nu_cel_value *args)
{
    struct nu_cel_value value = {.type = args[0].type};
    if (!nu_cel_spend_bytes(eval, args[0].text.len + args[1].text.len))
        return nu_cel_too_much();
    value.text = nu_arena_concat(eval->arena, args[0].text, args[1].text);
    return value;
}

static struct nu_cel_value join_lists(struct nu_cel_eval *eval, const struct nu_cel_list *a,
                                      const struct nu_cel_list *b)
{
    struct nu_cel_list *list = nu_arena_alloc(eval->arena, sizeof(*list));
    if (!nu_cel_spend(eval, a->count + b->count))
        return nu_cel_too_much();
    struct nu_cel_value *items =
        nu_arena_alloc(eval->arena, (a->count + b->count + 1) * sizeof(*items));
    if (a->count)
        memcpy(items, a->items, a->count * sizeof(*items));
    if (b->count)
        memcpy(items + a->count, b->items, b->count * sizeof(*items));
    *list = (struct nu_cel_list){a->count + b->count, items};
    return nu_cel_list(list);
}

NU_CEL_FN(add)
{
    (void)count;
    bool is_text = args[0].type == NU_CEL_STRING || args[0].type == NU_CEL_BYTES;
    if (is_text && args[0].type == args[1].type)
        return join_texts(eval, args);
    if (args[0].type == NU_CEL_LIST && args[1].type == NU_CEL_LIST)
        return join_lists(eval, args[0].list, args[1].list);
    return calculate(ADD, args);
}

#define CALCULATION(name, what) \
    NU_CEL_FN(name) \
    { \
        (void)eval, (void)count; \
        return calculate(what, args); \
    }
CALCULATION(subtract, SUBTRACT)
CALCULATION(multiply, MULTIPLY)
CALCULATION(divide, DIVIDE)
CALCULATION(modulo, MODULO)

struct nu_cel_value nu_cel_negate(struct nu_cel_eval *eval, const struct nu_cel_value *args,
                                  size_t count)
{
    (void)eval, (void)count;
    if (args[0].type == NU_CEL_DOUBLE)
        return nu_cel_double(-args[0].real);
    if (args[0].type == NU_CEL_INT)
        return on_ints(SUBTRACT, 0, args[0].integer);
    return nu_cel_no_overload();
}

struct nu_cel_value nu_cel_not(struct nu_cel_eval *eval, const struct nu_cel_value *args,
                               size_t count)
{
    (void)eval, (void)count;
    return args[0].type == NU_CEL_BOOL ? nu_cel_bool(!args[0].boolean) : nu_cel_no_overload();
}

/* --- Comparison ------------------------------------------------------------------------------- */

NU_CEL_FN(equal)
{
    (void)count;
    return nu_cel_bool(nu_cel_equal(eval, &args[0], &args[1]));
}

NU_CEL_FN(unequal)
{
    (void)count;
    return nu_cel_bool(!nu_cel_equal(eval, &args[0], &args[1]));
}

#define COMPARISON(name, test) \
    NU_CEL_FN(name) \
    { \
        int order = 0; \
        bool is_nan; \
        (void)count; \
        bool is_text = args[0].type == NU_CEL_STRING || args[0].type == NU_CEL_BYTES; \
        if (!nu_cel_spend_bytes(eval, is_text ? args[0].text.len : 0)) \
            return nu_cel_too_much(); \
        if (nu_cel_compare(&args[0], &args[1], &order, &is_nan)) \
            return nu_cel_bool(test); \
        return is_nan ? nu_cel_bool(false) : nu_cel_no_overload(); \
    }
COMPARISON(less, order < 0)
COMPARISON(less_or_equal, order <= 0)
COMPARISON(greater, order > 0)
COMPARISON(greater_or_equal, order >= 0)

NU_CEL_FN(in)
{
    struct nu_cel_value value;
    (void)count;
    if (args[1].type == NU_CEL_MAP && nu_cel_is_key(&args[0]))
        return nu_cel_bool(nu_cel_map_find(eval, args[1].map, &args[0], &value));
    if (args[1].type != NU_CEL_LIST)
        return nu_cel_no_overload();
    for (size_t i = 0; i < args[1].list->count && !eval->is_stopped; i++) {
        if (nu_cel_equal(eval, &args[1].list->items[i], &args[0]))
            return nu_cel_bool(true);
    }
    return nu_cel_bool(false);
}

struct nu_cel_value nu_cel_index(struct nu_cel_eval *eval, const struct nu_cel_value *args,
                                 size_t count)
{
    (void)count;
    return nu_cel_at(eval, &args[0], &args[1]);
}

nu_cel_fn *nu_cel_binary(struct nu_str token)
{
    static const struct {
        struct nu_str token;
        nu_cel_fn *call;
    } operators[] = {
        {NU_STR_INIT("+"), add},
        {NU_STR_INIT("-"), subtract},
        {NU_STR_INIT("*"), multiply},
        {NU_STR_INIT("/"), divide},
        {NU_STR_INIT("%"), modulo},
        {NU_STR_INIT("=="), equal},
        {NU_STR_INIT("!="), unequal},
        {NU_STR_INIT("<"), less},
        {NU_STR_INIT("<="), less_or_equal},
        {NU_STR_INIT(">"), greater},
        {NU_STR_INIT(">="), greater_or_equal},
        {NU_STR_INIT("in"), in},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(operators); i++) {
        if (nu_str_eq(operators[i].token, token))
            return operators[i].call;
    }
    return NULL;
}
