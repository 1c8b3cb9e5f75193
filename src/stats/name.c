/* SPDX-License-Identifier: Apache-2.0 */
/* Names: sanitising what a configuration gives, and finding a statistic by its full name. */
#include "stats/custom_internal.h"
#include "stats/registry_internal.h"

void nu_stats_sanitize(struct nu_strbuf *out, struct nu_str name)
{
    while (name.len && name.ptr[name.len - 1] == '.')
        name.len--;
    while (name.len) {
        size_t colon = nu_str_find_char(name, ':');
        if (colon == NU_NPOS) {
            nu_strbuf_add(out, name);
            return;
        }
        nu_strbuf_add(out, nu_str_first(name, colon));
        nu_strbuf_add_char(out, '_');
        name = nu_str_skip(name, colon + 1);
        for (unsigned slashes = 0; slashes < 2 && name.len && name.ptr[0] == '/'; slashes++)
            name = nu_str_skip(name, 1);
    }
}

static bool is_number(unsigned kind)
{
    return nu_stat_kind_phase(kind) == NU_STAT_PHASE_NUMBERS;
}

/* Finds the position of a name within a table; false if there is none. */
static bool find_position(const struct nu_stat_layout *layout, struct nu_str name,
                          uint32_t *position)
{
    char buffer[NU_STAT_NAME_MAX];
    for (uint32_t i = 0; i < layout->positions; i++) {
        if (i < layout->table->count && layout->table->descs[i].kind == NU_STAT_CODES)
            continue;
        if (nu_str_eq(nu_stat_name_at(layout, i, buffer), name)) {
            *position = i;
            return true;
        }
    }
    return false;
}

static bool value_in_sets(const struct nu_stats *stats, struct nu_str prefix, struct nu_str name,
                          uint64_t *value)
{
    const struct nu_stat_set *set = nu_stats_lower_bound(stats, prefix);
    for (; set && nu_str_eq(nu_stat_set_prefix(set), prefix); set = set->next[0]) {
        uint32_t position;
        if (!find_position(set->layout, name, &position))
            continue;
        unsigned kind = nu_stat_desc_at(set->layout, position)->kind;
        if (!is_number(kind))
            continue;
        struct nu_stat_reading reading = nu_stat_read(set, position);
        if (nu_stat_kind_is_lazy(kind) && !reading.used)
            continue;
        *value = reading.value;
        return true;
    }
    return false;
}

bool nu_stats_value(const struct nu_stats *stats, struct nu_str name, uint64_t *value)
{
    nu_custom_stats_list(nu_unconst(stats));
    if (value_in_sets(stats, NU_STR(""), name, value) ||
        value_in_sets(stats, name, NU_STR(""), value))
        return true;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '.' &&
            value_in_sets(stats, nu_str_first(name, i), nu_str_skip(name, i + 1), value))
            return true;
    }
    return false;
}
