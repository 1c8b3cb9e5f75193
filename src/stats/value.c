/* SPDX-License-Identifier: Apache-2.0 */
/* The slow paths of values: a response code that is counted for the first time, and texts. */
#include "stats/value.h"

#include "stats/memory_internal.h"
#include "stats/value_internal.h"

void nu_text_set(struct nu_text *text, struct nu_str value)
{
    nu_text_finish(text);
    if (value.len == 0)
        return;
    text->value = nu_stat_alloc(value.len + 1);
    memcpy(text->value, value.ptr, value.len);
}

void nu_text_finish(struct nu_text *text)
{
    if (text->value)
        nu_stat_free(text->value, strlen(text->value) + 1);
    text->value = NULL;
}

/* Memory is published with release order, so that a reader sees zeros and not what was there. */
static struct nu_code_class *class_of(struct nu_codes *codes, unsigned hundred)
{
    struct nu_code_class *of_class =
        atomic_load_explicit(&codes->classes[hundred], memory_order_relaxed);
    if (!of_class) {
        of_class = nu_stat_alloc(sizeof(*of_class));
        atomic_store_explicit(&codes->classes[hundred], of_class, memory_order_release);
    }
    return of_class;
}

struct nu_counter *nu_codes_counter(struct nu_codes *codes, unsigned status)
{
    struct nu_code_class *of_class = class_of(codes, status / NU_CODES_OF_CLASS - 1);
    unsigned code = status % NU_CODES_OF_CLASS;
    _Atomic(struct nu_code_run *) *at = &of_class->runs[code / NU_CODES_OF_RUN];
    struct nu_code_run *run = atomic_load_explicit(at, memory_order_relaxed);
    if (!run) {
        run = nu_stat_alloc(sizeof(*run));
        atomic_store_explicit(at, run, memory_order_release);
    }
    return &run->codes[code % NU_CODES_OF_RUN];
}

struct nu_counter *nu_codes_class_counter(struct nu_codes *codes, unsigned hundred)
{
    return &class_of(codes, hundred)->total;
}

void nu_codes_inc_slow(struct nu_codes *codes, unsigned status)
{
    unsigned hundred = status / NU_CODES_OF_CLASS - 1;
    if (hundred >= NU_CODE_CLASSES) {
        nu_counter_inc(&codes->unknown);
        return;
    }
    nu_counter_inc(nu_codes_counter(codes, status));
    nu_counter_inc(nu_codes_class_counter(codes, hundred));
}

void nu_codes_finish(struct nu_codes *codes)
{
    for (unsigned i = 0; i < NU_CODE_CLASSES; i++) {
        struct nu_code_class *of_class = codes->classes[i];
        if (!of_class)
            continue;
        for (size_t run = 0; run < NU_ARRAY_LEN(of_class->runs); run++)
            nu_stat_free(of_class->runs[run], sizeof(struct nu_code_run));
        nu_stat_free(of_class, sizeof(*of_class));
    }
}

uint64_t nu_codes_read(const struct nu_codes *codes, unsigned index)
{
    if (index == NU_CODE_UNKNOWN)
        return nu_counter_get(&codes->unknown);
    struct nu_code_class *of_class = atomic_load_explicit(
        &codes->classes[index / NU_CODE_INDEXES_PER_CLASS], memory_order_acquire);
    if (!of_class)
        return 0;
    unsigned code = index % NU_CODE_INDEXES_PER_CLASS;
    if (code == NU_CODE_CLASS_TOTAL)
        return nu_counter_get(&of_class->total);
    struct nu_code_run *run =
        atomic_load_explicit(&of_class->runs[code / NU_CODES_OF_RUN], memory_order_acquire);
    return run ? nu_counter_get(&run->codes[code % NU_CODES_OF_RUN]) : 0;
}

unsigned nu_codes_next(const struct nu_codes *codes, unsigned index)
{
    while (index < NU_CODE_UNKNOWN) {
        unsigned hundred = index / NU_CODE_INDEXES_PER_CLASS;
        unsigned code = index % NU_CODE_INDEXES_PER_CLASS;
        struct nu_code_class *of_class =
            atomic_load_explicit(&codes->classes[hundred], memory_order_acquire);
        if (!of_class)
            index += NU_CODE_INDEXES_PER_CLASS - code;
        else if (code == NU_CODE_CLASS_TOTAL ||
                 atomic_load_explicit(&of_class->runs[code / NU_CODES_OF_RUN],
                                      memory_order_relaxed))
            return index;
        else
            index += nu_min_u32(NU_CODES_OF_RUN - code % NU_CODES_OF_RUN, NU_CODES_OF_CLASS - code);
    }
    return index;
}
