/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a group of statistics is declared: once, as an X-macro list, from which follow the struct
 * that code counts into, the names under which it is shown, and the documentation.
 *
 *     #define NU_DNS_STATS(X, S) \
 *         X(S, COUNTER, resolve_total, "Queries sent.") \
 *         X(S, GAUGE, pending_resolutions, "Queries without an answer yet.")
 *     struct nu_dns_stats {
 *         NU_DNS_STATS(NU_STAT_FIELD, )
 *     };
 *     extern const struct nu_stat_table nu_dns_stats_table;
 *
 * and in one .c file
 *
 *     NU_STAT_TABLE(nu_dns_stats, NU_DNS_STATS, "dns.cares", "The resolver.");
 *
 * The order of a list is the order of the fields: put what a request touches side by side. Output
 * is sorted by name whatever the order.
 */
#ifndef NU_STATS_TABLE_H
#define NU_STATS_TABLE_H

#include "stats/histogram.h"
#include "stats/value.h"

enum nu_stat_kind {
    NU_STAT_COUNTER,
    NU_STAT_GAUGE,          /* a sum below 0 is shown as 0 */
    NU_STAT_GAUGE64,        /* all 64 bits mean something: a hash, or all ones for "no limit" */
    NU_STAT_HISTOGRAM,      /* */
    NU_STAT_TEXT,           /* */
    NU_STAT_LAZY_COUNTER,   /* not shown before it was used */
    NU_STAT_LAZY_HISTOGRAM, /* not shown before it was used */
    NU_STAT_CODES,          /* NAME_200, NAME_2xx ..., each not shown before it was used */
    NU_STAT_KIND_COUNT
};

struct nu_stat_desc {
    const char *name;    /* what follows the prefix; may hold dots */
    const char *meaning; /* one line for the documentation */
    uint16_t offset;     /* of the field in the block */
    uint8_t kind;        /* enum nu_stat_kind */
    uint8_t name_len;
};

struct nu_stat_table {
    const char *scope; /* the prefix with its variable parts in <>, for the documentation */
    const char *about; /* one line, likewise */
    const struct nu_stat_desc *descs;
    uint16_t count;
    uint16_t block_size; /* of the struct */
    bool when_used;      /* not shown before a thread has a block of it */
};

#define NU_STAT_TYPE_COUNTER struct nu_counter
#define NU_STAT_TYPE_GAUGE struct nu_gauge
#define NU_STAT_TYPE_GAUGE64 struct nu_gauge
#define NU_STAT_TYPE_HISTOGRAM struct nu_histogram
#define NU_STAT_TYPE_TEXT struct nu_text
#define NU_STAT_TYPE_LAZY_COUNTER struct nu_counter
#define NU_STAT_TYPE_LAZY_HISTOGRAM struct nu_histogram
#define NU_STAT_TYPE_CODES struct nu_codes

#define NU_STAT_FIELD(S, kind, field, meaning) NU_STAT_TYPE_##kind field;
#define NU_STAT_DESC(S, kind, field, meaning) \
    {#field, meaning, offsetof(S, field), NU_STAT_##kind, sizeof(#field) - 1},

#define NU_STAT_TABLE(type, LIST, scope_text, about_text) \
    static const struct nu_stat_desc type##_descs[] = {LIST(NU_STAT_DESC, struct type)}; \
    const struct nu_stat_table type##_table = {scope_text,          about_text, \
                                               type##_descs,        NU_ARRAY_LEN(type##_descs), \
                                               sizeof(struct type), false}

/* The same for statistics that begin with the first object that counts. */
#define NU_STAT_TABLE_WHEN_USED(type, LIST, scope_text, about_text) \
    static const struct nu_stat_desc type##_descs[] = {LIST(NU_STAT_DESC, struct type)}; \
    const struct nu_stat_table type##_table = {scope_text,          about_text, \
                                               type##_descs,        NU_ARRAY_LEN(type##_descs), \
                                               sizeof(struct type), true}

/* Every table of this module, for the documentation and for tests. */
extern const struct nu_stat_table *const nu_stat_tables[];
extern const size_t nu_stat_table_count;

/* The kind as the documentation names it: "counter", "gauge", "histogram", "text". */
const char *nu_stat_kind_name(enum nu_stat_kind kind);
/* Appends a table's part of the documentation page, in Markdown. */
void nu_stat_table_document(const struct nu_stat_table *table, struct nu_strbuf *out);

#endif
