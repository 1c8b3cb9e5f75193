/* SPDX-License-Identifier: Apache-2.0 */
/* Writing and reading the two messages of gRPC's health checks. */
#include "upstream/health/grpc_wire.h"

#include "base/varint.h"
#include "http/grpc_frame.h"

enum {
    SERVING = 1,        /* HealthCheckResponse.ServingStatus */
    FIELD_SERVICE = 10, /* HealthCheckRequest: number 1, bytes */
    FIELD_STATUS = 8,   /* HealthCheckResponse: number 1, varint */
    MAX_GROUPS = 100,   /* inside of each other */
};

void nu_health_grpc_write(struct nu_strbuf *out, struct nu_str service)
{
    struct nu_strbuf message = {0};
    if (service.len) {
        nu_strbuf_add_char(&message, FIELD_SERVICE);
        nu_varint_add(&message, service.len);
        nu_strbuf_add(&message, service);
    }
    char head[NU_GRPC_HEAD_BYTES];
    nu_grpc_head_write((uint32_t)message.len, head);
    nu_strbuf_add(out, nu_str_make(head, sizeof(head)));
    nu_strbuf_add(out, nu_strbuf_str(&message));
    nu_strbuf_finish(&message);
}

/* --- Reading ---------------------------------------------------------------------------------- */

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
        return nu_varint_take(in, &value);
    case 1:
        return take_bytes(in, 8);
    case 2:
        return nu_varint_take(in, &value) && take_bytes(in, value);
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
        if (!nu_varint_take(&in, &key) || key >> 3 == 0 || key > UINT32_MAX)
            return NU_HEALTH_GRPC_BROKEN;
        if (key == FIELD_STATUS && groups == 0) {
            if (!nu_varint_take(&in, &value))
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

/* One message of the response. */
static enum nu_health_grpc_result read_next(enum nu_health_grpc_result before,
                                            const struct nu_grpc_head *head, struct nu_str message)
{
    if (!message.len)
        return before;
    /* A second message, or a compressed one, which none asked for. */
    if (before != NU_HEALTH_GRPC_MORE || head->flags)
        return NU_HEALTH_GRPC_BROKEN;
    return read_message(message);
}

enum nu_health_grpc_result nu_health_grpc_read_on(struct nu_health_grpc_reader *reader,
                                                  struct nu_str bytes)
{
    while (reader->result != NU_HEALTH_GRPC_BROKEN && reader->done < bytes.len) {
        struct nu_str in = nu_str_skip(bytes, reader->done);
        if ((unsigned char)in.ptr[0] > NU_GRPC_FLAG_COMPRESSED) {
            reader->result = NU_HEALTH_GRPC_BROKEN;
            break;
        }
        if (in.len < NU_GRPC_HEAD_BYTES)
            break;
        struct nu_grpc_head head = nu_grpc_head_read(in.ptr);
        in = nu_str_skip(in, NU_GRPC_HEAD_BYTES);
        if (in.len < head.length)
            break;
        reader->result = read_next(reader->result, &head, nu_str_first(in, head.length));
        reader->done += NU_GRPC_HEAD_BYTES + (size_t)head.length;
    }
    return reader->result;
}

enum nu_health_grpc_result nu_health_grpc_read(struct nu_str bytes)
{
    struct nu_health_grpc_reader reader = {0};
    return nu_health_grpc_read_on(&reader, bytes);
}
