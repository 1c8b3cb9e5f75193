/* SPDX-License-Identifier: Apache-2.0 */
/* Updates of hosts. Addresses are compared as they are written, as in Envoy. */
#include "upstream/hosts/host_update.h"

#include "base/alloc.h"
#include "base/hash.h"

/* What is known of one address on the way. */
struct place {
    struct nu_host *host; /* borrowed: a present one; NULL for a new address */
    bool is_wanted;
    bool is_kept; /* it is in the new list as it is */
};

struct work {
    const struct nu_host_update_rules *rules;
    struct nu_host_update *out;
    struct nu_arena arena; /* of places and their keys */
    struct nu_map places;  /* by address: struct place */
};

static struct place *add_place(struct work *work, struct nu_str address)
{
    struct place *place = nu_arena_calloc(&work->arena, sizeof(*place));
    nu_map_put(&work->places, nu_arena_dup(&work->arena, address), place);
    return place;
}

static struct place *find_place(const struct work *work, struct nu_str address)
{
    return nu_map_get(&work->places, address);
}

static void take(struct work *work, struct nu_host *host)
{
    struct nu_host_update *out = work->out;
    out->hosts[out->count++] = host;
    if (nu_host_weight(host) > out->max_weight)
        out->max_weight = nu_host_weight(host);
}

/* --- Hosts that stay -------------------------------------------------------------------------- */

static bool update_weight(struct nu_host *host, uint32_t weight)
{
    if (nu_host_weight(host) == (weight ? weight : 1))
        return false;
    nu_host_set_weight(host, weight);
    return true;
}

static bool update_metadata(struct work *work, struct nu_host *host,
                            const struct nu_host_params *params)
{
    const struct nu_metadata *old = nu_host_metadata(host);
    const struct nu_metadata *new = params->metadata;
    bool is_same = old && new ? nu_value_eq(&old->namespaces, &new->namespaces) : old == new;
    if (is_same)
        return false;
    nu_host_set_metadata(host, new, params->transport);
    work->out->new_metadata++;
    return true;
}

static bool update_priority(struct work *work, struct nu_host *host, uint32_t priority)
{
    if (nu_host_priority(host) == priority)
        return false;
    nu_host_set_priority(host, priority);
    work->out->moved++;
    return true;
}

static bool is_same_list(const struct nu_host_addresses *now, const struct nu_host_params *params)
{
    uint32_t count = params->list_count > 1 ? params->list_count : 0;
    if (!now || now->count <= 1)
        return count == 0;
    if (now->count != count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!nu_address_eq(&now->list[i], &params->list[i]))
            return false;
    }
    return true;
}

static bool update_addresses(struct nu_host *host, const struct nu_host_params *params)
{
    if (is_same_list(nu_host_addresses(host), params))
        return false;
    if (params->list_count > 1)
        nu_host_set_addresses(host, &params->address, params->list, params->list_count);
    else
        nu_host_set_addresses(host, &params->address, &params->address, 1);
    return true;
}

static void update_host(struct work *work, struct nu_host *host,
                        const struct nu_host_params *params)
{
    bool changed = update_weight(host, params->weight);
    nu_host_clear_flag(host, NU_HOST_PENDING_DYNAMIC_REMOVAL);
    changed |= nu_host_set_eds_health(host, params->eds_health);
    changed |= update_metadata(work, host, params);
    changed |= update_priority(work, host, params->priority);
    changed |= update_addresses(host, params);
    work->out->changed += changed;
    take(work, nu_host_ref(host));
}

/* --- Hosts that are new ----------------------------------------------------------------------- */

static bool is_other_host(const struct work *work, const struct nu_host *host,
                          const struct nu_host_params *params)
{
    return !nu_locality_eq(&host->locality, &params->locality) ||
           (work->rules->is_other && work->rules->is_other(host, params));
}

static void want(struct work *work, const struct nu_host_params *params)
{
    char text[NU_ADDRESS_TEXT_MAX];
    struct nu_str address = nu_str_make(text, nu_address_format(&params->address, text));
    struct place *place = find_place(work, address);
    if (!place)
        place = add_place(work, address);
    if (place->is_wanted)
        return;
    place->is_wanted = true;
    place->is_kept = place->host && !is_other_host(work, place->host, params);
    if (place->is_kept) {
        update_host(work, place->host, params);
        return;
    }
    work->out->added++;
    take(work, nu_host_create(work->rules->keeper, params));
}

/* --- Hosts that are not named any more -------------------------------------------------------- */

/* One that is not checked could never fail. */
static bool is_checked(const struct nu_host *host)
{
    return !host->check_place || !host->check_place->is_off;
}

static bool outlives(const struct work *work, const struct place *place, struct nu_host *host)
{
    return work->rules->keeps_passing && !place->is_wanted && is_checked(host) &&
           !nu_host_has_flag(host, NU_HOST_FAILED_ACTIVE_HC) &&
           !nu_host_has_flag(host, NU_HOST_FAILED_EDS_HEALTH);
}

static void let_go(struct work *work, struct nu_host *host)
{
    struct place *place = find_place(work, nu_host_address_text(host));
    if (place->host == host && place->is_kept)
        return;
    if (!outlives(work, place, host)) {
        work->out->removed++;
        return;
    }
    nu_host_set_flag(host, NU_HOST_PENDING_DYNAMIC_REMOVAL); /* changes nothing for balancers */
    take(work, nu_host_ref(host));
}

/* --- All of it -------------------------------------------------------------------------------- */

static void note_present(struct work *work, struct nu_host *host)
{
    struct nu_str address = nu_host_address_text(host);
    if (!find_place(work, address))
        add_place(work, address)->host = host;
}

void nu_host_update(const struct nu_host_update_rules *rules, struct nu_host *const *present,
                    uint32_t present_count, const struct nu_host_params *wanted,
                    size_t wanted_count, struct nu_host_update *out)
{
    struct work work = {.rules = rules, .out = out};
    *out = (struct nu_host_update){.max_weight = 1};
    out->hosts = nu_alloc((present_count + wanted_count) * sizeof(struct nu_host *));
    nu_arena_init(&work.arena);
    for (uint32_t i = 0; i < present_count; i++)
        note_present(&work, present[i]);
    for (size_t i = 0; i < wanted_count; i++)
        want(&work, &wanted[i]);
    for (uint32_t i = 0; i < present_count; i++)
        let_go(&work, present[i]);
    nu_map_finish(&work.places);
    nu_arena_finish(&work.arena);
}

void nu_host_update_finish(struct nu_host_update *update)
{
    for (uint32_t i = 0; i < update->count; i++)
        nu_host_unref(update->hosts[i]);
    nu_free(update->hosts);
    *update = (struct nu_host_update){0};
}
