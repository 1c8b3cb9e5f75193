/* SPDX-License-Identifier: Apache-2.0 */
/* Typed values as guests get them. */
#include "wasm/pairs.h"
#include "wasm/property.h"

/* Items of a list are the first halves of pairs. */
static bool add_pairs(const struct nu_attribute_source *source, enum nu_attribute_type type,
                      const struct nu_attribute_entries *entries, struct nu_strbuf *out)
{
    struct nu_wasm_halves halves;
    nu_wasm_halves_begin(&halves, entries->count, out);
    for (size_t i = 0; i < entries->count; i++) {
        if (type == NU_ATTRIBUTE_MAP) {
            nu_strbuf_add(out, entries->items[i].key);
            nu_wasm_half_end(&halves);
        }
        if (!nu_wasm_property_write(source, &entries->items[i].value, out))
            return false;
        nu_wasm_half_end(&halves);
        if (type == NU_ATTRIBUTE_LIST)
            nu_wasm_half_end(&halves);
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
