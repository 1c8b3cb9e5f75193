/* SPDX-License-Identifier: Apache-2.0 */
/* The names of what TLS negotiates hold dots and dashes, so their table is made from texts. */
#include "stats/tls_stats.h"

#include "base/str.h"

/* Offsets are by place in the list. */
enum { FIRST = __COUNTER__ + 1 };
#define DESC(text) \
    {text, "Handshakes that ended with it.", \
     (uint16_t)((__COUNTER__ - FIRST) * sizeof(struct nu_counter)), NU_STAT_LAZY_COUNTER, \
     sizeof(text) - 1},

static const struct nu_stat_desc descs[] = {NU_TLS_NEGOTIATED(DESC)};

const struct nu_stat_table nu_tls_negotiated_stats_table = {
    "listener.<address>.ssl, cluster.<name>.ssl",
    "What handshakes agreed on.",
    descs,
    NU_TLS_NEGOTIATED_COUNT,
    sizeof(struct nu_tls_negotiated_stats),
    false,
};

void nu_tls_negotiated_count(struct nu_tls_negotiated_stats *stats, struct nu_str kind,
                             struct nu_str name)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(descs); i++) {
        struct nu_str full = nu_str_make(descs[i].name, descs[i].name_len);
        if (nu_str_starts_with(full, kind) && full.len == kind.len + 1 + name.len &&
            nu_str_eq(nu_str_skip(full, kind.len + 1), name)) {
            nu_counter_inc(&stats->counters[i]);
            return;
        }
    }
}
