/* SPDX-License-Identifier: Apache-2.0 */
/* The order of addresses. */
#include "upstream/hosts/happy_eyeballs.h"

/* Two readers of one list: of the first family, and of all others. */
struct reader {
    const struct nu_address *in;
    uint32_t count;
    uint32_t at;
    uint8_t family;
    bool takes_family;
};

static const struct nu_address *read_next(struct reader *reader)
{
    while (reader->at < reader->count) {
        const struct nu_address *address = &reader->in[reader->at++];
        if ((address->family == reader->family) == reader->takes_family)
            return address;
    }
    return NULL;
}

void nu_happy_eyeballs_sort(const struct nu_happy_eyeballs *config, const struct nu_address *in,
                            uint32_t count, struct nu_address *out)
{
    if (count == 0)
        return;
    uint8_t family = config->first_family ? config->first_family : in[0].family;
    struct reader first = {in, count, 0, family, true};
    struct reader others = {in, count, 0, family, false};
    uint32_t used = 0;
    while (used < count) {
        const struct nu_address *address;
        for (uint32_t i = 0; i < (config->first_count ? config->first_count : 1); i++) {
            if ((address = read_next(&first)) != NULL)
                out[used++] = *address;
        }
        if ((address = read_next(&others)) != NULL)
            out[used++] = *address;
    }
}
