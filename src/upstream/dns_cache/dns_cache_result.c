/* SPDX-License-Identifier: Apache-2.0 */
/* Results: one block of memory each, shared by all threads. */
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "upstream/dns_cache/dns_cache_internal.h"

static struct nu_str put(char **room, struct nu_str text)
{
    struct nu_str out = nu_str_make(*room, text.len);
    memcpy(*room, text.ptr ? text.ptr : "", text.len);
    *room += text.len;
    return out;
}

struct nu_dns_result *nu_dns_result_create(struct nu_str key, struct nu_str details)
{
    struct nu_dns_result *result = nu_calloc(1, sizeof(*result) + key.len + details.len + 1);
    char *room = result->texts;
    atomic_init(&result->refs, 1);
    result->key = put(&room, key);
    result->details = put(&room, details);
    return result;
}

struct nu_dns_result *nu_dns_result_ref(struct nu_dns_result *result)
{
    atomic_fetch_add_explicit(&result->refs, 1, memory_order_relaxed);
    return result;
}

void nu_dns_result_unref(struct nu_dns_result *result)
{
    if (result && atomic_fetch_sub_explicit(&result->refs, 1, memory_order_acq_rel) == 1)
        nu_free(result);
}
