/* SPDX-License-Identifier: Apache-2.0 */
/* Writing and reading the two messages of gRPC's health checks. */
#include "upstream/health/grpc_wire.h"

enum {
    FRAME_HEAD = 5,
    SERVING = 1,        /* HealthCheckResponse.ServingStatus */
    FIELD_SERVICE = 10, /* HealthCheckRequest: number 1, bytes */
    FIELD_STATUS = 8,   /* HealthCheckResponse: number 1, varint */
    MAX_GROUPS = 100,   /* inside of each other */
};

static void add_varint(struct nu_strbuf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        nu_strbuf_add_char(out, (char)(value | 0x80));
    nu_strbuf_add_char(out, (char)value);
}

void nu_health_grpc_write(struct nu_strbuf *out, struct nu_str service)
{
    struct nu_strbuf message = {0};
    if (service.len) {
        nu_strbuf_add_char(&message, FIELD_SERVICE);
        add_varint(&message, service.len);
        nu_strbuf_add(&message, service);
    }
    const char head[FRAME_HEAD] = {0, (char)(message.len >> 24), (char)(message.len >> 16),
                                   (char)(message.len >> 8), (char)message.len};
    nu_strbuf_add(out, nu_str_make(head, FRAME_HEAD));
    nu_strbuf_add(out, nu_strbuf_str(&message));
    nu_strbuf_finish(&message);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* Takes a varint off the front. */
static bool take_varint(struct nu_str *in, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 70 && in->len; shift += 7) {
        unsigned char byte = (unsigned char)in->ptr[0];
        *in = nu_str_skip(*in, 1);
        if (shift < 64)
            *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool take_bytes(struct nu_str *in, uint64_t count)
{
    if (count > in->len)
        return false;
    *in = nu_str_skip(*in, (size_t)count);
    return true;
}

/* Passes over the value of a field of this wire type; groups (3 and 4) nest. */
static bool skip_value(struct nu_str *in, unsigned wire, unsigned *groups)
{
    uint64_t value;
    switch (wire) {
    case 0:
        return take_varint(in, &value);
    case 1:
        return take_bytes(in, 8);
    case 2:
        return take_varint(in, &value) && take_bytes(in, value);
    case 3:
        return ++*groups <= MAX_GROUPS;
    case 4:
        return (*groups)-- > 0;
    case 5:
        return take_bytes(in, 4);
    default:
        return false;
    }
}

static enum nu_health_grpc_result read_message(struct nu_str in)
{
    int32_t status = 0;
    unsigned groups = 0;
    while (in.len) {
        uint64_t key, value;
        if (!take_varint(&in, &key) || key >> 3 == 0 || key > UINT32_MAX)
            return NU_HEALTH_GRPC_BROKEN;
        if (key == FIELD_STATUS && groups == 0) {
            if (!take_varint(&in, &value))
                return NU_HEALTH_GRPC_BROKEN;
            status = (int32_t)value;
        } else if (!skip_value(&in, key & 7, &groups)) {
            return NU_HEALTH_GRPC_BROKEN;
        }
    }
    if (groups)
        return NU_HEALTH_GRPC_BROKEN;
    return status == SERVING ? NU_HEALTH_GRPC_SERVING : NU_HEALTH_GRPC_OTHER;
}

static uint32_t length_of(struct nu_str frame)
{
    uint32_t length = 0;
    for (int i = 1; i < FRAME_HEAD; i++)
        length = length << 8 | (unsigned char)frame.ptr[i];
    return length;
}

/* One frame of the response. */
static enum nu_health_grpc_result read_frame(enum nu_health_grpc_result before, struct nu_str frame)
{
    struct nu_str message = nu_str_skip(frame, FRAME_HEAD);
    if (!message.len)
        return before;
    /* A second message, or a compressed one, which none asked for. */
    if (before != NU_HEALTH_GRPC_MORE || frame.ptr[0])
        return NU_HEALTH_GRPC_BROKEN;
    return read_message(message);
}

enum nu_health_grpc_result nu_health_grpc_read_on(struct nu_health_grpc_reader *reader,
                                                  struct nu_str bytes)
{
    while (reader->result != NU_HEALTH_GRPC_BROKEN && reader->done < bytes.len) {
        struct nu_str in = nu_str_skip(bytes, reader->done);
        if ((unsigned char)in.ptr[0] > 1) { /* a flag that gRPC does not have */
            reader->result = NU_HEALTH_GRPC_BROKEN;
            break;
        }
        if (in.len < FRAME_HEAD || in.len - FRAME_HEAD < length_of(in))
            break;
        size_t size = FRAME_HEAD + (size_t)length_of(in);
        reader->result = read_frame(reader->result, nu_str_make(in.ptr, size));
        reader->done += size;
    }
    return reader->result;
}

enum nu_health_grpc_result nu_health_grpc_read(struct nu_str bytes)
{
    struct nu_health_grpc_reader reader = {0};
    return nu_health_grpc_read_on(&reader, bytes);
}
