/* SPDX-License-Identifier: Apache-2.0 */
/* The clients of pools that are for one client each, and what such pools are found by. */
#include "upstream/pool_client.h"

#include <string.h>

#include "base/alloc.h"

static struct nu_str own_text(struct nu_str text)
{
    return nu_str_make(nu_strndup(text.ptr ? text.ptr : "", text.len), text.len);
}

size_t nu_pool_client_key(const struct nu_host *host, enum nu_priority priority,
                          enum nu_pool_kind kind, const struct nu_proxy_data *client,
                          char key[NU_POOL_KEY_MAX])
{
    size_t len = sizeof(host);
    memcpy(key, &host, len);
    key[len++] = (char)priority;
    key[len++] = (char)kind;
    len += nu_address_format(&client->source, key + len);
    key[len++] = ' ';
    return len + nu_address_format(&client->destination, key + len);
}

struct nu_pool_client *nu_pool_client_create(const struct nu_proxy_data *client, struct nu_str key)
{
    struct nu_pool_client *own = nu_calloc(1, sizeof(*own));
    own->key = own_text(key);
    own->data = *client;
    if (client->tlv_count == 0)
        return own;
    struct nu_proxy_tlv *tlvs = nu_alloc(client->tlv_count * sizeof(*tlvs));
    for (size_t i = 0; i < client->tlv_count; i++) {
        tlvs[i].type = client->tlvs[i].type;
        tlvs[i].value = own_text(client->tlvs[i].value);
    }
    own->data.tlvs = tlvs;
    return own;
}

void nu_pool_client_destroy(struct nu_pool_client **client_ptr)
{
    struct nu_pool_client *client = *client_ptr;
    if (!client)
        return;
    *client_ptr = NULL;
    for (size_t i = 0; i < client->data.tlv_count; i++)
        nu_free(nu_unconst(client->data.tlvs[i].value.ptr));
    if (client->data.tlv_count)
        nu_free(nu_unconst(client->data.tlvs));
    nu_free(nu_unconst(client->key.ptr));
    nu_free(client);
}
