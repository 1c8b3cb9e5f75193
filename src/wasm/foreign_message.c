/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of a few fields in protobuf's wire form. They come from guests and are read as every
 * parser of protobuf does: unknown fields are skipped, so are known ones of another wire type, and
 * of a field that comes twice the last counts.
 */
#include "base/varint.h"
#include "wasm/foreign.h"

enum wire {
    WIRE_VARINT,
    WIRE_FIXED64,
    WIRE_BYTES,
    WIRE_FIXED32 = 5,
};

static bool read_bytes(struct nu_str *rest, uint64_t size, struct nu_str *out)
{
    if (size > rest->len)
        return false;
    *out = nu_str_first(*rest, size);
    *rest = nu_str_skip(*rest, size);
    return true;
}

/* The payload of a field; groups, which proto3 does not have, are refused. */
static bool read_payload(struct nu_str *rest, unsigned wire, struct nu_wasm_member *field)
{
    uint64_t size;
    switch (wire) {
    case WIRE_VARINT:
        return nu_varint_take(rest, &field->value);
    case WIRE_FIXED64:
        return read_bytes(rest, 8, &field->bytes);
    case WIRE_BYTES:
        return nu_varint_take(rest, &size) && read_bytes(rest, size, &field->bytes);
    case WIRE_FIXED32:
        return read_bytes(rest, 4, &field->bytes);
    default:
        return false;
    }
}

static bool keep(struct nu_wasm_member *member, unsigned wire, const struct nu_wasm_member *field)
{
    bool is_number = member->kind == NU_WASM_MEMBER_NUMBER;
    if (member->number != field->number || wire != (is_number ? WIRE_VARINT : WIRE_BYTES))
        return true;
    if (member->kind == NU_WASM_MEMBER_STRING && !nu_str_is_utf8(field->bytes))
        return false;
    member->bytes = field->bytes;
    member->value = field->value;
    return true;
}

bool nu_wasm_message_read(struct nu_str message, struct nu_wasm_member *members, size_t count)
{
    while (message.len) {
        struct nu_wasm_member field = {0};
        uint64_t tag;
        if (!nu_varint_take(&message, &tag) || tag > UINT32_MAX || tag >> 3 == 0 ||
            !read_payload(&message, tag & 7, &field))
            return false;
        field.number = (uint32_t)(tag >> 3);
        for (size_t i = 0; i < count; i++) {
            if (!keep(&members[i], tag & 7, &field))
                return false;
        }
    }
    return true;
}

void nu_wasm_message_write(const struct nu_wasm_member *members, size_t count,
                           struct nu_strbuf *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct nu_wasm_member *member = &members[i];
        if (member->kind == NU_WASM_MEMBER_NUMBER && member->value) {
            nu_varint_add(out, (uint64_t)member->number << 3 | WIRE_VARINT);
            nu_varint_add(out, member->value);
        } else if (member->kind != NU_WASM_MEMBER_NUMBER && member->bytes.len) {
            nu_varint_add(out, (uint64_t)member->number << 3 | WIRE_BYTES);
            nu_varint_add(out, member->bytes.len);
            nu_strbuf_add(out, member->bytes);
        }
    }
}
