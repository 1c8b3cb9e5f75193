/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header fields between nghttp2 and header maps. What comes is copied into the stream's arena, once;
 * nghttp2 has checked names and values and the order of the pseudo headers. What goes is shown to
 * nghttp2 where it lies.
 */
#include "base/assert.h"
#include "base/small.h"
#include "codec/h2_internal.h"
#include "http/joined.h"

/* How many interim responses one exchange may have: each keeps its bytes until the exchange
 * ends. */
enum { INTERIMS_MAX = 100 };

/* --- Coming ----------------------------------------------------------------------------------- */

void nu_h2_headers_begin(struct nu_h2_stream *stream)
{
    enum { TRAILER_ROOM = 8 };
    struct nu_stream_decoder *decoder = stream->decoder;
    stream->header_count = 0;
    stream->header_bytes = 0;
    stream->crumb_bytes = 0;
    stream->flags &= ~(uint32_t)(NU_H2_HAS_REPEATED | NU_H2_IS_INTERIM);
    if (!decoder)
        return;
    if (stream->flags & NU_H2_HEAD_IN) {
        if (stream->session->is_server) /* Envoy's client does not count them */
            nu_counter_inc(&stream->session->stats->trailers);
        stream->trailers_in = nu_arena_alloc(decoder->arena, sizeof(*stream->trailers_in));
        nu_headers_init(stream->trailers_in, decoder->arena, TRAILER_ROOM);
        return;
    }
    nu_headers_clear(decoder->headers);
    nu_headers_reserve_first(decoder->headers, stream->session->is_server ? NU_PLACE_COUNT : 1);
}

/* Too many, or too large in all. */
static bool fail_sum(struct nu_h2_stream *stream)
{
    nu_counter_inc(&stream->session->stats->header_overflow);
    nu_h2_stream_note_reset(stream, NU_RESET_REMOTE, NU_STR("http2.too_many_headers"));
    return false;
}

/* A field that is too large alone: Envoy has no word of its own for it, and counts it on the client's
 * side alone. */
static bool fail_size(struct nu_h2_stream *stream)
{
    if (!stream->session->is_server)
        nu_counter_inc(&stream->session->stats->header_overflow);
    nu_h2_stream_note_reset(stream, NU_RESET_REMOTE, NU_STR("http2.remote_reset"));
    return false;
}

/* Which of the two it is. */
static NU_NOINLINE bool fail_limit(struct nu_h2_stream *stream, size_t bytes)
{
    return bytes > stream->session->options->max_head_bytes ? fail_size(stream) : fail_sum(stream);
}

/* Counts a field against the limits. The pieces that a cookie comes in are one field; each costs us
 * more than the byte that it may be on the wire. */
static bool count_field(struct nu_h2_stream *stream, enum nu_header_id id,
                        const struct nu_headers *headers, struct nu_str name, struct nu_str value)
{
    enum { CRUMB_BYTES = 32 };
    const struct nu_h2_options *options = stream->session->options;
    bool is_crumb = id == NU_HEADER_COOKIE && nu_headers_has_id(headers, id);
    size_t bytes = name.len + value.len;
    stream->header_bytes += (uint32_t)bytes;
    stream->header_count += !is_crumb;
    if (nu_unlikely(is_crumb))
        stream->crumb_bytes += CRUMB_BYTES;
    bool is_fine = stream->header_bytes + stream->crumb_bytes <= options->max_head_bytes &&
                   stream->header_count <= options->max_headers;
    return nu_likely(is_fine) || fail_limit(stream, bytes);
}

/* What is configured for names with an underscore; returns whether the stream may go on. */
static bool judge_underscore(struct nu_h2_stream *stream, bool *keep)
{
    struct nu_http2_stats *stats = stream->session->stats;
    if (stream->session->options->underscore_action == NU_UNDERSCORE_DROP) {
        nu_counter_inc(&stats->dropped_headers_with_underscores);
        *keep = false;
        return true;
    }
    nu_counter_inc(&stats->requests_rejected_with_underscores_in_headers);
    nu_h2_stream_note_reset(stream, NU_RESET_REMOTE, NU_STR("http2.unexpected_underscore"));
    return false;
}

/* The place of a request's pseudo header, or of a response's; -1 for a field without a place. */
static int place_of(enum nu_header_id id)
{
    switch (id) {
    case NU_HEADER_AUTHORITY:
        return NU_PLACE_AUTHORITY;
    case NU_HEADER_PATH:
        return NU_PLACE_PATH;
    case NU_HEADER_METHOD:
        return NU_PLACE_METHOD;
    case NU_HEADER_SCHEME:
        return NU_PLACE_SCHEME;
    case NU_HEADER_STATUS:
        return 0;
    default:
        return -1;
    }
}

static void note_status(struct nu_h2_stream *stream, struct nu_str status)
{
    if (status.len == 3 && status.ptr[0] == '1')
        stream->flags |= NU_H2_IS_INTERIM;
}

/* Blanks around a value are nothing to an HTTP/1 server, so they are not to any rule of ours. */
static inline struct nu_str without_blanks(struct nu_str value)
{
    bool has_none = value.len == 0 || (!nu_ascii_is_blank(value.ptr[0]) &&
                                       !nu_ascii_is_blank(value.ptr[value.len - 1]));
    return nu_likely(has_none) ? value : nu_str_trim(value);
}

static void add_field(struct nu_h2_stream *stream, struct nu_headers *headers, enum nu_header_id id,
                      struct nu_str name, struct nu_str value)
{
    int place = place_of(id);
    value = nu_arena_dup(headers->arena, without_blanks(value));
    if (place >= 0 && headers != stream->trailers_in) {
        nu_headers_fill_first(headers, (uint32_t)place, id, value);
        if (id == NU_HEADER_STATUS)
            note_status(stream, value);
        return;
    }
    if (nu_unlikely(id != NU_HEADER_OTHER && nu_headers_has_id(headers, id)))
        stream->flags |= NU_H2_HAS_REPEATED;
    name = id ? nu_header_name_of(id) : nu_arena_dup(headers->arena, name);
    nu_headers_add_ref(headers, id, name, value);
}

bool nu_h2_headers_add(struct nu_h2_stream *stream, struct nu_str name, struct nu_str value)
{
    struct nu_headers *headers =
        stream->trailers_in ? stream->trailers_in : stream->decoder->headers;
    enum nu_header_id id = nu_header_id_of(name);
    bool keep = true;
    if (nu_unlikely(!count_field(stream, id, headers, name, value)))
        return false;
    bool looks = stream->session->options->underscore_action != NU_UNDERSCORE_ALLOW;
    if (nu_unlikely(looks && nu_str_find_char(name, '_') != NU_NPOS) &&
        !judge_underscore(stream, &keep))
        return false;
    if (nu_likely(keep))
        add_field(stream, headers, id, name, value);
    return true;
}

/* How many pieces of a cookie are empty before the first that is not. */
static size_t count_empty_crumbs(const struct nu_headers *headers)
{
    size_t count = 0;
    nu_headers_for_each(header, headers)
    {
        if (header->id != NU_HEADER_COOKIE)
            continue;
        if (header->value.len)
            break;
        count++;
    }
    return count;
}

/* A cookie that came in pieces is whole again, behind the other fields and without the empty pieces it
 * begins with, as Envoy has it. */
static void join_cookie(struct nu_headers *headers)
{
    struct nu_str separator = NU_STR("; ");
    struct nu_str cookie = nu_headers_join_id(headers, NU_HEADER_COOKIE, separator);
    if (nu_likely(!cookie.ptr))
        return;
    size_t skipped = count_empty_crumbs(headers) * separator.len;
    nu_headers_remove_id(headers, NU_HEADER_COOKIE);
    if (skipped < cookie.len)
        nu_headers_add_id(headers, NU_HEADER_COOKIE, nu_str_skip(cookie, skipped));
}

static void join_fields(struct nu_h2_stream *stream, struct nu_headers *headers)
{
    join_cookie(headers);
    if (nu_unlikely(stream->flags & NU_H2_HAS_REPEATED))
        nu_headers_join_repeated(headers, stream->session->is_server ? &nu_joined_request_headers
                                                                     : &nu_joined_response_headers);
}

static bool end_head(struct nu_h2_stream *stream, bool end)
{
    struct nu_stream_decoder *decoder = stream->decoder;
    struct nu_headers *headers = decoder->headers;
    join_fields(stream, headers);
    bool is_right = stream->session->is_server ? nu_h2_check_request(stream, headers)
                                               : nu_h2_check_response(stream, headers);
    if (!is_right)
        return false;
    if (stream->flags & NU_H2_IS_INTERIM) {
        if (++stream->interims > INTERIMS_MAX) {
            stream->details = NU_STR("http2.violation.of.messaging.rule");
            return false;
        }
        if (decoder->ops->on_1xx && stream->interims == 1) /* Envoy looks at the first only */
            decoder->ops->on_1xx(decoder, headers);
        return true;
    }
    stream->flags |= NU_H2_HEAD_IN;
    if (end)
        stream->flags |= NU_H2_HEAD_END;
    nu_h2_stream_make_due(stream);
    return true;
}

bool nu_h2_headers_end(struct nu_h2_stream *stream, bool end)
{
    if (!stream->trailers_in)
        return end_head(stream, end);
    join_fields(stream, stream->trailers_in);
    nu_h2_stream_make_due(stream);
    return true;
}

/* --- Going ------------------------------------------------------------------------------------ */

/* Pseudo headers stand where they belong. Fields that speak of one HTTP/1 connection have no place in
 * HTTP/2 (RFC 9113 8.2.2); a Host stands in :authority. */
static bool is_wanted(const struct nu_header *header, enum nu_h2_section section)
{
    switch (header->id) {
    case NU_HEADER_AUTHORITY:
    case NU_HEADER_METHOD:
    case NU_HEADER_PATH:
    case NU_HEADER_PROTOCOL:
    case NU_HEADER_SCHEME:
        return section == NU_H2_REQUEST_HEAD;
    case NU_HEADER_STATUS:
        return section == NU_H2_RESPONSE_HEAD;
    case NU_HEADER_CONNECTION:
    case NU_HEADER_HOST:
    case NU_HEADER_KEEP_ALIVE:
    case NU_HEADER_PROXY_CONNECTION:
    case NU_HEADER_TRANSFER_ENCODING:
    case NU_HEADER_UPGRADE:
        return false;
    case NU_HEADER_TE:
        return section == NU_H2_REQUEST_HEAD && nu_str_eq(header->value, NU_STR("trailers"));
    case NU_HEADER_CONTENT_LENGTH:
        return section != NU_H2_TRAILERS;
    case NU_HEADER_OTHER:
        return header->name.ptr[0] != ':';
    default:
        return true;
    }
}

/* A known name is a constant in lower case, which nghttp2 then neither copies nor lowers. */
static nghttp2_nv nv_of(const struct nu_header *header)
{
    bool is_known = header->id != NU_HEADER_OTHER;
    struct nu_str name = is_known ? nu_header_name_of(header->id) : header->name;
    return (nghttp2_nv){
        .name = nu_unconst(name.ptr),
        .namelen = name.len,
        .value = nu_unconst(header->value.ptr),
        .valuelen = header->value.len,
        .flags = is_known ? NGHTTP2_NV_FLAG_NO_COPY_NAME : NGHTTP2_NV_FLAG_NONE,
    };
}

/* Pseudo headers go before all others, wherever they stand; mostly they stand there. */
static void put(struct nu_h2_fields *fields, size_t at, const struct nu_header *header)
{
    if (nu_unlikely(at < fields->count))
        memmove(&fields->fields[at + 1], &fields->fields[at],
                (fields->count - at) * sizeof(*fields->fields));
    fields->fields[at] = nv_of(header);
    fields->count++;
}

struct nu_h2_fields nu_h2_fields_of(const struct nu_headers *headers, enum nu_h2_section section)
{
    struct nu_h2_fields fields = {
        .fields = nu_small_alloc(nu_headers_count(headers) * sizeof(nghttp2_nv)),
    };
    size_t pseudos = 0;
    nu_headers_for_each(header, headers)
    {
        if (!is_wanted(header, section))
            continue;
        bool is_pseudo = header->name.ptr[0] == ':';
        put(&fields, is_pseudo ? pseudos : fields.count, header);
        pseudos += is_pseudo;
    }
    return fields;
}

void nu_h2_fields_finish(struct nu_h2_fields *fields)
{
    nu_small_free(fields->fields);
    fields->fields = NULL;
}

static uint8_t *copy_text(char **at, const uint8_t *text, size_t len)
{
    uint8_t *copy = (uint8_t *)*at;
    if (len)
        memcpy(copy, text, len);
    *at += len;
    return copy;
}

static bool has_own_name(const nghttp2_nv *nv)
{
    return !(nv->flags & NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

/* One piece of memory: the struct, its fields, their texts. */
struct nu_h2_fields *nu_h2_fields_copy(const struct nu_headers *trailers)
{
    struct nu_h2_fields fields = nu_h2_fields_of(trailers, NU_H2_TRAILERS);
    size_t bytes = sizeof(fields) + fields.count * sizeof(nghttp2_nv);
    for (size_t i = 0; i < fields.count; i++)
        bytes += fields.fields[i].valuelen +
                 (has_own_name(&fields.fields[i]) ? fields.fields[i].namelen : 0);
    struct nu_h2_fields *copy = nu_small_alloc(bytes);
    copy->fields = (nghttp2_nv *)(copy + 1);
    copy->count = fields.count;
    char *at = (char *)(copy->fields + fields.count);
    for (size_t i = 0; i < fields.count; i++) {
        nghttp2_nv nv = fields.fields[i];
        if (has_own_name(&nv))
            nv.name = copy_text(&at, nv.name, nv.namelen);
        nv.value = copy_text(&at, nv.value, nv.valuelen);
        copy->fields[i] = nv;
    }
    nu_h2_fields_finish(&fields);
    return copy;
}

void nu_h2_fields_destroy(struct nu_h2_fields *fields)
{
    nu_small_free(fields);
}
