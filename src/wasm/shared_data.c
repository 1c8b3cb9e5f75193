/* SPDX-License-Identifier: Apache-2.0 */
/* The spaces, and the values in them. */
#include "wasm/shared_internal.h"

#include "base/alloc.h"

struct entry {
    char *key; /* owned, as its value; the map's key is a view of it */
    struct nu_strbuf value;
    uint32_t cas;
};

pthread_mutex_t nu_wasm_shared_lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
    struct nu_list spaces;
    uint32_t last_cas;
} all = {.spaces = {&all.spaces, &all.spaces}};

struct nu_wasm_shared_data *nu_wasm_shared_find(struct nu_str vm_id)
{
    struct nu_wasm_shared_data *space;
    nu_list_for_each(space, &all.spaces, struct nu_wasm_shared_data, link)
    {
        if (nu_str_eq(nu_strbuf_str(&space->vm_id), vm_id))
            return space;
    }
    return NULL;
}

struct nu_wasm_shared_data *nu_wasm_shared_data_get(struct nu_str vm_id)
{
    pthread_mutex_lock(&nu_wasm_shared_lock);
    struct nu_wasm_shared_data *space = nu_wasm_shared_find(vm_id);
    if (!space) {
        space = nu_calloc(1, sizeof(*space));
        nu_strbuf_add(&space->vm_id, vm_id);
        nu_list_init(&space->queues);
        nu_list_add_last(&all.spaces, &space->link);
    }
    space->references++;
    pthread_mutex_unlock(&nu_wasm_shared_lock);
    return space;
}

static void destroy(struct nu_wasm_shared_data *space)
{
    nu_map_for_each(slot, &space->entries)
    {
        struct entry *entry = slot->value;
        nu_strbuf_finish(&entry->value);
        nu_free(entry->key);
        nu_free(entry);
    }
    nu_map_finish(&space->entries);
    nu_strbuf_finish(&space->vm_id);
    nu_free(space);
}

void nu_wasm_shared_data_unref(struct nu_wasm_shared_data **space)
{
    if (!*space)
        return;
    pthread_mutex_lock(&nu_wasm_shared_lock);
    bool is_last = --(*space)->references == 0;
    if (is_last) {
        nu_list_remove(&(*space)->link);
        nu_wasm_shared_end_queues(*space);
    }
    pthread_mutex_unlock(&nu_wasm_shared_lock);
    if (is_last)
        destroy(*space);
    *space = NULL;
}

enum nu_wasm_status nu_wasm_shared_data_read(struct nu_wasm_shared_data *space, struct nu_str key,
                                             struct nu_strbuf *value, uint32_t *cas)
{
    pthread_mutex_lock(&nu_wasm_shared_lock);
    const struct entry *entry = nu_map_get(&space->entries, key);
    if (entry) {
        nu_strbuf_add(value, nu_strbuf_str(&entry->value));
        *cas = entry->cas;
    }
    pthread_mutex_unlock(&nu_wasm_shared_lock);
    return entry ? NU_WASM_OK : NU_WASM_NOT_FOUND;
}

/* A number that no value has had: 0 means "whatever it is". */
static uint32_t next_cas(void)
{
    if (++all.last_cas == 0)
        ++all.last_cas;
    return all.last_cas;
}

static struct entry *add(struct nu_wasm_shared_data *space, struct nu_str key)
{
    struct entry *entry = nu_calloc(1, sizeof(*entry));
    entry->key = nu_strndup(key.ptr, key.len);
    space->bytes += NU_WASM_SHARED_ENTRY_BYTES + key.len;
    nu_map_put(&space->entries, nu_str_make(entry->key, key.len), entry);
    return entry;
}

/* Whether there is room for this value. */
static bool has_room(const struct nu_wasm_shared_data *space, const struct entry *entry,
                     struct nu_str key, struct nu_str value)
{
    uint64_t more = value.len + (entry ? 0 : NU_WASM_SHARED_ENTRY_BYTES + key.len);
    uint64_t less = entry ? entry->value.len : 0;
    return more <= less || space->bytes + more - less <= NU_WASM_SHARED_BYTES_MAX;
}

enum nu_wasm_status nu_wasm_shared_data_write(struct nu_wasm_shared_data *space, struct nu_str key,
                                              struct nu_str value, uint32_t cas)
{
    enum nu_wasm_status status = NU_WASM_OK;
    pthread_mutex_lock(&nu_wasm_shared_lock);
    struct entry *entry = nu_map_get(&space->entries, key);
    if (entry && cas && cas != entry->cas) {
        status = NU_WASM_CAS_MISMATCH;
    } else if (!has_room(space, entry, key, value)) {
        status = NU_WASM_INTERNAL_FAILURE;
    } else {
        if (!entry)
            entry = add(space, key);
        space->bytes += value.len - entry->value.len;
        if (value.len < entry->value.len / 2)
            nu_strbuf_finish(&entry->value); /* what it had is not kept */
        nu_strbuf_clear(&entry->value);
        nu_strbuf_add(&entry->value, value);
        entry->cas = next_cas();
    }
    pthread_mutex_unlock(&nu_wasm_shared_lock);
    return status;
}
