/* SPDX-License-Identifier: Apache-2.0 */
/* Typed values as guests get them. */
#include "wasm/pairs.h"
#include "wasm/property.h"

static void put_length(struct nu_strbuf *out, size_t at, size_t length)
{
    nu_wasm_put_u32((uint8_t *)out->data + at, (uint32_t)length);
}

/* One half of a pair, which is written behind the others, its length in the place for it. */
static bool add_part(const struct nu_attribute_source *source, const struct nu_attribute *part,
                     size_t length_at, struct nu_strbuf *out)
{
    size_t before = out->len;
    if (part && !nu_wasm_property_write(source, part, out))
        return false;
    put_length(out, length_at, out->len - before);
    nu_strbuf_add_char(out, '\0');
    return true;
}

/* Items of a list are the first halves of pairs. An empty map is a count of none here, where maps
 * of headers are no bytes at all. */
static bool add_pairs(const struct nu_attribute_source *source, enum nu_attribute_type type,
                      const struct nu_attribute_entries *entries, struct nu_strbuf *out)
{
    size_t at = out->len;
    size_t size = 4 + 8 * entries->count;
    memset(nu_strbuf_reserve(out, size), 0, size);
    nu_strbuf_commit(out, size);
    put_length(out, at, entries->count);
    for (size_t i = 0; i < entries->count; i++) {
        const struct nu_attribute_entry *entry = &entries->items[i];
        struct nu_attribute key = nu_attribute_string(entry->key);
        bool is_list = type == NU_ATTRIBUTE_LIST;
        if (!add_part(source, is_list ? &entry->value : &key, at + 4 + 8 * i, out) ||
            !add_part(source, is_list ? NULL : &entry->value, at + 8 + 8 * i, out))
            return false;
    }
    return true;
}

bool nu_wasm_property_write(const struct nu_attribute_source *source,
                            const struct nu_attribute *value, struct nu_strbuf *out)
{
    struct nu_attribute_entries entries;
    uint64_t bits;
    switch (value->type) {
    case NU_ATTRIBUTE_BOOL:
        nu_strbuf_add_char(out, (char)value->boolean);
        return true;
    case NU_ATTRIBUTE_INT:
    case NU_ATTRIBUTE_TIME:
    case NU_ATTRIBUTE_DURATION:
        nu_wasm_add_u64(out, (uint64_t)value->integer);
        return true;
    case NU_ATTRIBUTE_UINT:
        nu_wasm_add_u64(out, value->natural);
        return true;
    case NU_ATTRIBUTE_DOUBLE:
        memcpy(&bits, &value->real, sizeof(bits));
        nu_wasm_add_u64(out, bits);
        return true;
    case NU_ATTRIBUTE_STRING:
    case NU_ATTRIBUTE_BYTES:
        nu_strbuf_add(out, value->text);
        return true;
    case NU_ATTRIBUTE_MAP:
    case NU_ATTRIBUTE_LIST:
        return nu_attribute_list(source, value, &entries) &&
               add_pairs(source, value->type, &entries, out);
    case NU_ATTRIBUTE_MESSAGE:
        return nu_attribute_encode(source, value, out);
    case NU_ATTRIBUTE_NONE:
    case NU_ATTRIBUTE_NULL:
        break;
    }
    return false;
}
