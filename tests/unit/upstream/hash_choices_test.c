/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings and Maglev tables against hash_choices.txt, what a real Envoy chose for the same hosts and
 * keys; see tests/tools/record_hash_choices.py.
 */
#include "harness/test.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/xxhash.h"
#include "upstream/lb/maglev_table.h"

enum { MAX_HOSTS = 400, KEYS = 300, LINE = 4096 };

/* One paragraph of the file. */
struct record {
    bool is_maglev;
    struct nu_hash_ring_params ring;
    uint32_t table_size;
    struct nu_hash_host hosts[MAX_HOSTS];
    char keys[MAX_HOSTS][64];
    double zone_weights[MAX_HOSTS]; /* of the host's locality; negative without */
    uint32_t host_count;
    uint64_t size;
    uint64_t min_per_host;
    uint64_t max_per_host;
    uint32_t chosen[KEYS];
    uint32_t chosen_count;
};

static void read_option(struct record *record, const char *name, const char *value)
{
    if (strcmp(name, "hash_function") == 0)
        record->ring.function = NU_HASH_MURMUR2;
    else if (strcmp(name, "minimum_ring_size") == 0)
        record->ring.min_size = strtoull(value, NULL, 10);
    else if (strcmp(name, "maximum_ring_size") == 0)
        record->ring.max_size = strtoull(value, NULL, 10);
    else if (strcmp(name, "table_size") == 0)
        record->table_size = (uint32_t)strtoul(value, NULL, 10);
}

static void read_gauge(struct record *record, const char *name, const char *value)
{
    uint64_t number = strtoull(value, NULL, 10);
    if (strncmp(name, "min_", 4) == 0)
        record->min_per_host = number;
    else if (strncmp(name, "max_", 4) == 0)
        record->max_per_host = number;
    else
        record->size = number;
}

static void read_host(struct record *record, const char *rest)
{
    uint32_t i = record->host_count++;
    char zone[16];
    int at = 0;
    assert_true(i < MAX_HOSTS);
    assert_int_equal(sscanf(rest, "%lf %15s %n", &record->hosts[i].weight, zone, &at), 2);
    snprintf(record->keys[i], sizeof(record->keys[i]), "%s", rest + at);
    record->hosts[i].key = nu_str_from(record->keys[i]);
    record->zone_weights[i] = zone[0] == '-' ? -1 : strtod(zone, NULL);
}

static void read_chosen(struct record *record, char *rest)
{
    for (char *word = strtok(rest, " "); word; word = strtok(NULL, " ")) {
        assert_true(record->chosen_count < KEYS);
        record->chosen[record->chosen_count++] = (uint32_t)strtoul(word, NULL, 10);
    }
}

/* The next paragraph; false at the end. */
static bool read_record(FILE *file, struct record *record)
{
    char line[LINE], word[64], name[64], value[64];
    *record = (struct record){.ring = {.min_size = 1024, .max_size = 8388608}, .table_size = 65537};
    while (fgets(line, sizeof(line), file)) {
        int at = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%63s %n", word, &at) != 1) {
            if (record->host_count)
                return true;
            continue;
        }
        if (strcmp(word, "table") == 0)
            record->is_maglev = strcmp(line + at, "maglev") == 0;
        else if (strcmp(word, "host") == 0)
            read_host(record, line + at);
        else if (strcmp(word, "chosen") == 0)
            read_chosen(record, line + at);
        else if (sscanf(line + at, "%63s %63s", name, value) == 2 && strcmp(word, "option") == 0)
            read_option(record, name, value);
        else if (strcmp(word, "gauge") == 0)
            read_gauge(record, name, value);
    }
    return record->host_count > 0;
}

/* Where the locality of host `i` ends: its hosts stand side by side, and "127.2.N" tells them. */
static uint32_t zone_end(const struct record *record, uint32_t i)
{
    uint32_t end = i + 1;
    while (end < record->host_count && strncmp(record->keys[i], record->keys[end], 7) == 0)
        end++;
    return end;
}

static void share_out(struct record *record)
{
    if (record->zone_weights[0] < 0) {
        nu_hash_hosts_share(record->hosts, record->host_count, 1);
        return;
    }
    double sum = 0;
    for (uint32_t i = 0; i < record->host_count; i = zone_end(record, i))
        sum += record->zone_weights[i];
    for (uint32_t i = 0, end; i < record->host_count; i = end) {
        end = zone_end(record, i);
        nu_hash_hosts_share(&record->hosts[i], end - i, record->zone_weights[i] / sum);
    }
}

static uint64_t hash_of_key(uint32_t number)
{
    char key[16];
    snprintf(key, sizeof(key), "key-%u", number);
    return nu_xxhash64(nu_str_from(key));
}

static void check_ring(const struct record *record)
{
    struct nu_hash_ring *ring =
        nu_hash_ring_create(record->hosts, record->host_count, &record->ring);
    assert_int_equal(ring->size, record->size);
    assert_int_equal(ring->min_per_host, record->min_per_host);
    assert_int_equal(ring->max_per_host, record->max_per_host);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(nu_hash_ring_find(ring, hash_of_key(i), 0), record->chosen[i]);
    nu_free(ring);
}

static void check_maglev(const struct record *record)
{
    struct nu_maglev_table *table =
        nu_maglev_table_create(record->hosts, record->host_count, record->table_size);
    assert_int_equal(table->min_per_host, record->min_per_host);
    assert_int_equal(table->max_per_host, record->max_per_host);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(nu_maglev_table_find(table, hash_of_key(i), 0), record->chosen[i]);
    nu_free(table);
}

TEST(choices_are_envoys_own)
{
    FILE *file = fopen(HASH_CHOICES, "r");
    assert_non_null(file);
    struct record *record = nu_alloc(sizeof(*record));
    int rings = 0, tables = 0;
    while (read_record(file, record)) {
        assert_int_equal(record->chosen_count, KEYS);
        share_out(record);
        if (record->is_maglev) {
            check_maglev(record);
            tables++;
        } else {
            check_ring(record);
            rings++;
        }
    }
    assert_int_equal(rings, 12);
    assert_int_equal(tables, 9);
    nu_free(record);
    fclose(file);
}

TEST(later_attempts_go_elsewhere_on_the_ring)
{
    struct nu_hash_host hosts[] = {{NU_STR("a"), 1}, {NU_STR("b"), 1}};
    const struct nu_hash_ring_params params = {.min_size = 4, .max_size = 4};
    nu_hash_hosts_share(hosts, 2, 1);
    struct nu_hash_ring *ring = nu_hash_ring_create(hosts, 2, &params);
    assert_int_equal(ring->count, 4);
    for (uint32_t attempt = 0; attempt < 9; attempt++)
        assert_int_equal(nu_hash_ring_find(ring, 0, attempt), ring->hosts[attempt % 4]);
    assert_int_equal(nu_hash_ring_find(ring, ring->places[3] + 1, 0), ring->hosts[0]);
    assert_int_equal(nu_hash_ring_find(ring, ring->places[2], 1), ring->hosts[3]);
    nu_free(ring);
}

TEST(empty_ring_has_no_host)
{
    struct nu_hash_host hosts[] = {{NU_STR("a"), 1}};
    const struct nu_hash_ring_params params = {.min_size = 0, .max_size = 0};
    struct nu_hash_ring *ring = nu_hash_ring_create(hosts, 1, &params);
    assert_int_equal(ring->count, 0);
    assert_int_equal(nu_hash_ring_find(ring, 7, 0), NU_HASH_NO_HOST);
    nu_free(ring);
}

/* Envoy turns the hash's bits: of attempt 1 all of them, so 0 becomes 2^64 - 1. */
TEST(later_attempts_go_elsewhere_in_the_table)
{
    struct nu_hash_host hosts[] = {{NU_STR("a"), 1}, {NU_STR("b"), 1}, {NU_STR("c"), 1}};
    nu_hash_hosts_share(hosts, 3, 1);
    struct nu_maglev_table *table = nu_maglev_table_create(hosts, 3, 101);
    assert_int_equal(nu_maglev_table_find(table, 0, 1), nu_maglev_table_find(table, UINT64_MAX, 0));
    assert_int_equal(nu_maglev_table_find(table, 5, 3),
                     nu_maglev_table_find(table, 5 ^ (UINT64_MAX - 2), 0));
    nu_free(table);
}

/* Wider slots: every host of a table that has room for all gets its slots. */
TEST(tables_hold_many_hosts)
{
    enum { HOSTS = 70000, SIZE = 140009 };
    struct nu_hash_host *hosts = nu_calloc(HOSTS, sizeof(*hosts));
    char(*keys)[8] = nu_alloc(HOSTS * sizeof(*keys));
    uint32_t *slots = nu_calloc(HOSTS, sizeof(*slots));
    for (uint32_t i = 0; i < HOSTS; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%u", i);
        hosts[i] = (struct nu_hash_host){nu_str_from(keys[i]), 1};
    }
    nu_hash_hosts_share(hosts, HOSTS, 1);
    struct nu_maglev_table *table = nu_maglev_table_create(hosts, HOSTS, SIZE);
    for (uint32_t i = 0; i < SIZE; i++)
        slots[nu_maglev_table_find(table, i, 0)]++;
    for (uint32_t i = 0; i < HOSTS; i++)
        assert_true(slots[i] >= 1 && slots[i] <= 3);
    nu_free(table);
    nu_free(slots);
    nu_free(keys);
    nu_free(hosts);
}

TEST_MAIN()
