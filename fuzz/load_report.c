/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hosts say of their load. The first byte chooses the header and its format. Checked: the same
 * report gives the same weight, and none without a rate, which nothing here asks a map for.
 */
#include "base/assert.h"
#include "http/headers.h"
#include "target.h"
#include "upstream/lb/load_report.h"

static bool read_weight(struct nu_str header, struct nu_str value, uint32_t *weight)
{
    static const struct nu_str names[] = {NU_STR_INIT("named_metrics.*"),
                                          NU_STR_INIT("utilization.a"),
                                          NU_STR_INIT("mem_utilization")};
    static const struct nu_load_metrics metrics = {names, NU_ARRAY_LEN(names), 2};
    struct nu_arena arena;
    struct nu_headers headers;
    nu_arena_init(&arena);
    nu_headers_init(&headers, &arena, 4);
    nu_headers_add(&headers, header, value);
    bool found = nu_load_report_weight(&headers, &metrics, &arena, weight);
    nu_arena_finish(&arena);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const prefixes[] = {"TEXT ", "JSON ", "BIN ", "", ""};
    if (size == 0)
        return 0;
    size_t kind = data[0] % NU_ARRAY_LEN(prefixes);
    struct nu_strbuf value = {0};
    nu_strbuf_add_cstr(&value, prefixes[kind]);
    nu_strbuf_add(&value, nu_str_make((const char *)data + 1, size - 1));
    struct nu_str header =
        kind == 3 ? NU_STR("endpoint-load-metrics-bin") : NU_STR("endpoint-load-metrics");
    uint32_t first = 0, second = 0;
    bool found = read_weight(header, nu_strbuf_str(&value), &first);
    nu_assert(read_weight(header, nu_strbuf_str(&value), &second) == found && first == second);
    nu_assert(found || first == 0);
    nu_strbuf_finish(&value);
    return 0;
}
