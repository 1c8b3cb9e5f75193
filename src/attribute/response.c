/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of the response. */
#include "attribute/attribute_internal.h"
#include "http/grpc.h"
#include "http/headers.h"
#include "http/stream_info.h"

/* The outcome; before that is known, what the headers say. 0: there is none. */
static uint64_t code_of(const struct nu_attribute_source *source)
{
    uint64_t code = source->info->response_code;
    if (code == 0 && source->response_headers &&
        nu_str_to_u64(nu_headers_get_id(source->response_headers, NU_HEADER_STATUS), &code) !=
            NU_OK)
        return 0;
    return code;
}

static struct nu_attribute get_code(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    uint64_t code = code_of(source);
    return code ? nu_attribute_int((int64_t)code) : nu_attribute_none();
}

static struct nu_attribute get_code_details(const struct nu_attribute_source *source,
                                            unsigned which)
{
    (void)which;
    return nu_attribute_text(source->info->response_code_details);
}

/* The bits are Envoy's: it has the flags in the same order. */
static struct nu_attribute get_flags(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    return nu_attribute_int((int64_t)source->info->flags);
}

/* Also of responses that are not gRPC's: their HTTP status stands for one. */
static struct nu_attribute get_grpc_status(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    int64_t status;
    if (!nu_grpc_response_status(source->response_trailers, source->response_headers,
                                 (unsigned)code_of(source), &status))
        return nu_attribute_none();
    return nu_attribute_int(status);
}

static struct nu_attribute get_headers(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    return nu_attribute_headers(source->response_headers);
}

static struct nu_attribute get_trailers(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    return nu_attribute_headers(source->response_trailers);
}

static struct nu_attribute get_size(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    return nu_attribute_int((int64_t)source->info->bytes_sent);
}

static struct nu_attribute get_total_size(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    return nu_attribute_int((int64_t)(source->info->bytes_sent +
                                      nu_attribute_header_bytes(source->response_headers) +
                                      nu_attribute_header_bytes(source->response_trailers)));
}

static struct nu_attribute get_headers_bytes(const struct nu_attribute_source *source,
                                             unsigned which)
{
    (void)which;
    return nu_attribute_int((int64_t)nu_attribute_header_bytes(source->response_headers));
}

/* From the first byte to the upstream to the last one from it. */
static struct nu_attribute get_backend_latency(const struct nu_attribute_source *source,
                                               unsigned which)
{
    (void)which;
    return nu_attribute_duration_us(source->info->upstream.first_tx_us,
                                    source->info->upstream.last_rx_us);
}

static const struct nu_attribute_field fields[] = {
    {NU_STR_INIT("code"), get_code, 0, false},
    {NU_STR_INIT("code_details"), get_code_details, 0, false},
    {NU_STR_INIT("flags"), get_flags, 0, false},
    {NU_STR_INIT("grpc_status"), get_grpc_status, 0, false},
    {NU_STR_INIT("headers"), get_headers, 0, false},
    {NU_STR_INIT("trailers"), get_trailers, 0, false},
    {NU_STR_INIT("size"), get_size, 0, false},
    {NU_STR_INIT("total_size"), get_total_size, 0, false},
    {NU_STR_INIT("headers_bytes"), get_headers_bytes, 0, false},
    {NU_STR_INIT("backend_latency"), get_backend_latency, 0, false},
};

const struct nu_attribute_table nu_attributes_of_response = {fields, NU_ARRAY_LEN(fields)};
