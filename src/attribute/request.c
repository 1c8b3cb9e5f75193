/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of the request. */
#include "attribute/attribute_internal.h"
#include "http/headers.h"
#include "http/stream_info.h"

/* One header's value; NONE without it. */
static struct nu_attribute get_header(const struct nu_attribute_source *source, unsigned id)
{
    if (!source->request_headers)
        return nu_attribute_none();
    return nu_attribute_text(nu_headers_get_id(source->request_headers, (enum nu_header_id)id));
}

/* The path up to its query or fragment, which has neither. */
static struct nu_attribute get_url_path(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    struct nu_attribute path = get_header(source, NU_HEADER_PATH);
    if (path.type == NU_ATTRIBUTE_STRING)
        path.text = nu_str_first(path.text, nu_min_size(nu_str_find_char(path.text, '?'),
                                                        nu_str_find_char(path.text, '#')));
    return path;
}

/* What stands between the question mark and a fragment; empty where there is none. */
static struct nu_attribute get_query(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    struct nu_attribute path = get_header(source, NU_HEADER_PATH);
    if (path.type != NU_ATTRIBUTE_STRING)
        return path;
    struct nu_str rest = nu_str_first(path.text, nu_str_find_char(path.text, '#'));
    size_t at = nu_str_find_char(rest, '?');
    return nu_attribute_string(at == NU_NPOS ? NU_STR("") : nu_str_skip(rest, at + 1));
}

static struct nu_attribute get_headers(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    return nu_attribute_headers(source->request_headers);
}

static struct nu_attribute get_protocol(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    return nu_attribute_text(nu_protocol_text(source->info->protocol));
}

static struct nu_attribute get_time(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    return (struct nu_attribute){.type = NU_ATTRIBUTE_TIME,
                                 .integer = (int64_t)source->info->start_realtime_us * 1000};
}

/* Of the whole stream, once it is over. */
static struct nu_attribute get_duration(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    return nu_attribute_duration_us(source->info->start_us, source->info->end_us);
}

/* As a content-length says, which is there before the body is. */
static struct nu_attribute get_size(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    struct nu_attribute length = get_header(source, NU_HEADER_CONTENT_LENGTH);
    uint64_t bytes;
    if (length.type == NU_ATTRIBUTE_STRING && nu_str_to_u64(length.text, &bytes) == NU_OK)
        return nu_attribute_int((int64_t)bytes);
    return nu_attribute_int((int64_t)source->info->bytes_received);
}

static struct nu_attribute get_total_size(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    return nu_attribute_int((int64_t)(source->info->bytes_received +
                                      nu_attribute_header_bytes(source->request_headers)));
}

static struct nu_attribute get_headers_bytes(const struct nu_attribute_source *source,
                                             unsigned which)
{
    (void)which;
    return nu_attribute_int((int64_t)nu_attribute_header_bytes(source->request_headers));
}

static const struct nu_attribute_field fields[] = {
    {NU_STR_INIT("path"), get_header, NU_HEADER_PATH, false},
    {NU_STR_INIT("url_path"), get_url_path, 0, false},
    {NU_STR_INIT("host"), get_header, NU_HEADER_AUTHORITY, false},
    {NU_STR_INIT("scheme"), get_header, NU_HEADER_SCHEME, false},
    {NU_STR_INIT("method"), get_header, NU_HEADER_METHOD, false},
    {NU_STR_INIT("headers"), get_headers, 0, false},
    {NU_STR_INIT("referer"), get_header, NU_HEADER_REFERER, false},
    {NU_STR_INIT("useragent"), get_header, NU_HEADER_USER_AGENT, false},
    {NU_STR_INIT("id"), get_header, NU_HEADER_X_REQUEST_ID, false},
    {NU_STR_INIT("protocol"), get_protocol, 0, false},
    {NU_STR_INIT("query"), get_query, 0, false},
    {NU_STR_INIT("time"), get_time, 0, false},
    {NU_STR_INIT("duration"), get_duration, 0, false},
    {NU_STR_INIT("size"), get_size, 0, false},
    {NU_STR_INIT("total_size"), get_total_size, 0, false},
    {NU_STR_INIT("headers_bytes"), get_headers_bytes, 0, false},
};

const struct nu_attribute_table nu_attributes_of_request = {fields, NU_ARRAY_LEN(fields)};
