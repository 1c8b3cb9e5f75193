/* SPDX-License-Identifier: Apache-2.0 */
/* What pools are for that are not for everybody, and what they are found by. */
#include "upstream/pool/pool_own.h"

#include <string.h>

#include "base/alloc.h"

static struct nu_str own_text(struct nu_str text)
{
    return nu_str_make(nu_strndup(text.ptr ? text.ptr : "", text.len), text.len);
}

static void add_address(const struct nu_address *address, struct nu_strbuf *key)
{
    char text[NU_ADDRESS_TEXT_MAX];
    nu_strbuf_add(key, nu_str_make(text, nu_address_format(address, text)));
    nu_strbuf_add_char(key, ' ');
}

/* What a client's header says of it is nobody else's, however alike their addresses are. */
static void add_tlvs(const struct nu_proxy_data *client, struct nu_strbuf *key)
{
    for (size_t i = 0; i < client->tlv_count; i++) {
        const struct nu_proxy_tlv *tlv = &client->tlvs[i];
        nu_strbuf_add_char(key, (char)tlv->type);
        nu_strbuf_add(key, nu_str_make((const char *)&tlv->value.len, sizeof(tlv->value.len)));
        nu_strbuf_add(key, tlv->value);
    }
}

void nu_pool_own_key(const struct nu_host *host, enum nu_priority priority, enum nu_pool_kind kind,
                     const struct nu_pool_purpose *purpose, struct nu_strbuf *key)
{
    nu_strbuf_add(key, nu_str_make((const char *)&host, sizeof(host)));
    nu_strbuf_add_char(key, (char)priority);
    nu_strbuf_add_char(key, (char)kind);
    if (purpose->connection)
        nu_strbuf_add(key, nu_str_make((const char *)purpose->connection, sizeof(uint64_t)));
    if (purpose->client) {
        add_address(&purpose->client->source, key);
        add_address(&purpose->client->destination, key);
        size_t count = purpose->client->tlv_count;
        nu_strbuf_add(key, nu_str_make((const char *)&count, sizeof(count)));
        add_tlvs(purpose->client, key);
    }
    nu_strbuf_add_char(key, (char)(purpose->asks_for_name | purpose->checks_name << 1));
    nu_strbuf_add(key, purpose->server_name);
}

static void copy_client(const struct nu_proxy_data *client, struct nu_proxy_data *out)
{
    *out = *client;
    if (client->tlv_count == 0)
        return;
    struct nu_proxy_tlv *tlvs = nu_alloc(client->tlv_count * sizeof(*tlvs));
    for (size_t i = 0; i < client->tlv_count; i++) {
        tlvs[i].type = client->tlvs[i].type;
        tlvs[i].value = own_text(client->tlvs[i].value);
    }
    out->tlvs = tlvs;
}

struct nu_pool_own *nu_pool_own_create(const struct nu_pool_purpose *purpose, struct nu_str key)
{
    struct nu_pool_own *own = nu_calloc(1, sizeof(*own));
    own->key = own_text(key);
    own->server_name = nu_str_skip(own->key, key.len - purpose->server_name.len);
    own->has_client = purpose->client != NULL;
    own->asks_for_name = purpose->asks_for_name;
    own->checks_name = purpose->checks_name;
    if (purpose->client)
        copy_client(purpose->client, &own->client);
    return own;
}

void nu_pool_own_destroy(struct nu_pool_own **own_ptr)
{
    struct nu_pool_own *own = *own_ptr;
    if (!own)
        return;
    *own_ptr = NULL;
    for (size_t i = 0; i < own->client.tlv_count; i++)
        nu_free(nu_unconst(own->client.tlvs[i].value.ptr));
    if (own->client.tlv_count)
        nu_free(nu_unconst(own->client.tlvs));
    nu_free(nu_unconst(own->key.ptr));
    nu_free(own);
}
