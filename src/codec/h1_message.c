/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message. Its head is read line by line; of what is not plain, h1_second.h is shown what it
 * frames the message by.
 */
#include "base/assert.h"
#include "codec/h1_second.h"

#define DETAILS_CODEC_ERROR NU_STR("http1.codec_error")
#define DETAILS_INVALID_CHARACTERS NU_STR("http1.invalid_characters")
#define DETAILS_HEADERS_TOO_LARGE NU_STR("http1.headers_too_large")
#define DETAILS_TOO_MANY_HEADERS NU_STR("http1.too_many_headers")

int nu_h1_message_fail(struct nu_h1_message *msg, uint32_t status, struct nu_str details)
{
    if (msg->phase != NU_H1_FAILED) {
        msg->error = (struct nu_codec_error){
            .status = status,
            .details = details,
        };
        msg->is_refused = false;
        msg->phase = NU_H1_FAILED;
    }
    return -1;
}

static int fail_syntax(struct nu_h1_message *msg)
{
    return nu_h1_message_fail(msg, 400, DETAILS_CODEC_ERROR);
}

static bool is_digit_pair(const char *p)
{
    return nu_ascii_is_digit(p[0]) && p[1] == '.' && nu_ascii_is_digit(p[2]);
}

/* What stands behind the target is " HTTP/1.0" or " HTTP/1.1"; another version, or none, gets
 * Envoy's answer to old clients. */
static bool check_version(struct nu_h1_message *msg, struct nu_str rest)
{
    static const struct nu_str prefix = NU_STR_INIT(" HTTP/");
    bool is_well_formed = rest.len == 11 && nu_str_starts_with(rest, prefix) &&
                          is_digit_pair(rest.ptr + prefix.len) && rest.ptr[9] == '\r';
    char least_minor = msg->options->accept_http_10 ? '0' : '1';
    if (nu_likely(is_well_formed && rest.ptr[6] == '1' && rest.ptr[8] >= least_minor &&
                  rest.ptr[8] <= '1')) {
        msg->http_minor = (uint8_t)(rest.ptr[8] - '0');
        return true;
    }
    if (is_well_formed || nu_str_eq(rest, NU_STR("\r\n")))
        nu_h1_message_fail(msg, 426, NU_STR("low_version"));
    return false;
}

static bool is_control(char c)
{
    unsigned char u = (unsigned char)c;
    return (u < 0x20 && u != '\t' && u != '\r' && u != '\n') || u == 0x7f;
}

/* The request line is METHOD SP target SP HTTP/1.x CRLF and nothing else. `end` is behind its
 * LF. */
static bool check_request_line(struct nu_h1_message *msg, const char *end)
{
    /* HTTP/2 where HTTP/1 is spoken is no old client (Envoy's 400, not its 426). */
    static const struct nu_str preface = NU_STR_INIT("PRI * HTTP/2.0\r\n");
    const char *method_end = nu_header_name_end(msg->head, end);
    if (method_end == msg->head || *method_end != ' ')
        return false;
    const char *start = method_end + 1;
    const char *stop = start;
    for (; *stop != ' ' && *stop != '\r' && *stop != '\n'; stop++) {
        if (*stop == '\t')
            return false;
        if (nu_unlikely(is_control(*stop))) {
            nu_h1_message_fail(msg, 400, DETAILS_INVALID_CHARACTERS);
            return false;
        }
    }
    if (nu_unlikely(nu_str_eq(nu_str_make(msg->head, (size_t)(end - msg->head)), preface)))
        return false;
    msg->url = nu_str_make(start, (size_t)(stop - start));
    return msg->url.len && check_version(msg, nu_str_make(stop, (size_t)(end - stop)));
}

static uint16_t read_status(const char *digits)
{
    return (uint16_t)((digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0'));
}

static bool are_digits(const char *p)
{
    return nu_ascii_is_digit(p[0]) && nu_ascii_is_digit(p[1]) && nu_ascii_is_digit(p[2]);
}

/* The status line is HTTP/1.x SP 3 digits, then SP and a reason or CRLF. */
static bool check_status_line(struct nu_h1_message *msg, const char *end)
{
    enum { SHORTEST = sizeof("HTTP/1.1 200\r\n") - 1 };
    const char *p = msg->head;
    if (end - p < SHORTEST || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') ||
        p[8] != ' ' || !are_digits(p + 9))
        return false;
    msg->http_minor = (uint8_t)(p[7] - '0');
    msg->status = read_status(p + 9);
    p += 12;
    if (*p == ' ')
        p++;
    if (end - p < 2 || end[-2] != '\r')
        return false;
    msg->reason = nu_str_make(p, (size_t)(end - 2 - p));
    return nu_header_value_is_valid(msg->reason);
}

int nu_h1_message_end_head(struct nu_h1_message *msg)
{
    int code = msg->is_request ? nu_h1_check_request(msg) : nu_h1_check_response(msg);
    if (code != 0)
        return code;
    msg->phase = NU_H1_BODY;
    msg->body_left = msg->content_length;
    return 0;
}

struct nu_h1_message *nu_h1_message_create(struct nu_stream_decoder *decoder,
                                           const struct nu_h1_options *options, bool is_request)
{
    struct nu_h1_message *msg = nu_arena_alloc(decoder->arena, sizeof(*msg));
    memset(&msg->trailers, 0, sizeof(*msg) - offsetof(struct nu_h1_message, trailers));
    msg->options = options;
    msg->arena = decoder->arena;
    msg->headers = decoder->headers;
    msg->target = decoder->headers;
    msg->field.line = NULL;
    msg->spellings = NULL;
    msg->content_length = 0;
    msg->headers->name_style = (uint8_t)options->keep_names;
    msg->is_request = is_request;
    msg->reads_lines_alone =
        options->keep_names || options->underscore_action != NU_UNDERSCORE_ALLOW;
    msg->joined = is_request ? &nu_joined_request_headers : &nu_joined_response_headers;
    nu_headers_reserve_first(msg->headers, is_request ? NU_PLACE_COUNT : 1);
    return msg;
}

void nu_h1_message_restart(struct nu_h1_message *msg)
{
    msg->phase = NU_H1_START;
    msg->head = NULL;
    msg->field.line = NULL;
    msg->reason = nu_str_make(NULL, 0);
    msg->parsed = 0;
    msg->header_count = 0;
    msg->second = NULL;
    msg->spellings = NULL;
    nu_headers_clear(msg->headers);
    nu_headers_reserve_first(msg->headers, msg->is_request ? NU_PLACE_COUNT : 1);
}

static void shift(const char **p, const char *from, size_t len, const char *to)
{
    if (*p && *p >= from && *p <= from + len)
        *p = to + (*p - from);
}

/* Moves every view that points into the old bytes. */
static void rebase(struct nu_h1_message *msg, const char *from, size_t len, const char *to)
{
    shift(&msg->head, from, len, to);
    shift(&msg->field.line, from, len, to);
    shift(&msg->field.at, from, len, to);
    shift(&msg->field.name.ptr, from, len, to);
    shift(&msg->url.ptr, from, len, to); /* or the reason's */
    nu_headers_for_each(header, msg->target)
    {
        if (header->id == NU_HEADER_OTHER)
            shift(&header->name.ptr, from, len, to);
        shift(&header->value.ptr, from, len, to);
    }
}

/*
 * Makes the bytes that the section may have one slice again: its beginning lies in one block, and the
 * rest of it in others. The new block is twice as large, or as large as the limit and one that is
 * still worth to be read into, so that a head which comes in many pieces is copied only a few times.
 * What lies behind the limit, a body most of all, stays where it is.
 */
static NU_NOINLINE void linearize(struct nu_h1_message *msg, struct nu_buf *in)
{
    const char *old = in->first->ptr;
    size_t old_len = in->first->len;
    size_t most = nu_max_size(old_len, (size_t)msg->options->max_head_bytes + 1);
    size_t total = nu_min_size(in->len, most);
    struct nu_block *block =
        nu_block_get_size(nu_min_size(total * 2, most + NU_BLOCK_WORTH_FILLING));
    nu_buf_copy_out(in, 0, block->data, total);
    block->fill = (uint32_t)total;
    rebase(msg, old, old_len, block->data);
    nu_buf_drain(in, total);
    struct nu_buf joined = {0};
    nu_buf_take_block(&joined, block, nu_str_make(block->data, total));
    nu_buf_prepend_all(in, &joined);
}

NU_NOINLINE bool nu_h1_drop_empty_lines(struct nu_buf *in)
{
    while (in->len && in->first->ptr[0] == '\r') {
        char start[2];
        if (nu_buf_copy_out(in, 0, start, 2) < 2)
            return false;
        if (start[1] != '\n')
            return true;
        nu_buf_drain(in, 2);
    }
    return in->len > 0;
}

/* --- Head and trailer section ----------------------------------------------------------------- */

/* Behind the method of a plain request and a blank, or NULL. */
static const char *skip_common_method(const char *p, const char *end)
{
#define IS(text) (memcmp(p, text " ", sizeof(text)) == 0)
#define SKIP(text) (p + sizeof(text))
    if (nu_unlikely(end - p < 8))
        return NULL;
    if (nu_likely(IS("GET")))
        return SKIP("GET");
    if (IS("POST") || IS("HEAD"))
        return SKIP("POST");
    if (IS("PUT"))
        return SKIP("PUT");
    if (IS("PATCH"))
        return SKIP("PATCH");
    if (IS("DELETE"))
        return SKIP("DELETE");
    return IS("OPTIONS") ? SKIP("OPTIONS") : NULL;
#undef SKIP
#undef IS
}

/* A plain request line at the head of the bytes; returns what is behind it, or NULL if there is
 * none, or not all of it. */
static const char *read_plain_request_line(struct nu_h1_message *msg, const char *end)
{
    static const struct nu_str version = NU_STR_INIT(" HTTP/1.1\r\n");
    const char *path = skip_common_method(msg->head, end);
    if (!path)
        return NULL;
    const char *stop = nu_plain_path_end(path, end);
    if ((size_t)(end - stop) < version.len || memcmp(stop, version.ptr, version.len) != 0 ||
        *path != '/')
        return NULL;
    msg->url = nu_str_make(path, (size_t)(stop - path));
    msg->http_minor = 1;
    return stop + version.len;
}

/* The same for a plain status line. */
static const char *read_plain_status_line(struct nu_h1_message *msg, const char *end)
{
    enum { BEFORE_REASON = sizeof("HTTP/1.1 200 ") - 1 };
    const char *p = msg->head;
    if (end - p < BEFORE_REASON + 3 || memcmp(p, "HTTP/1.1 ", 9) != 0 || !are_digits(p + 9) ||
        p[12] != ' ')
        return NULL;
    const char *reason = p + BEFORE_REASON;
    const char *stop = nu_plain_text_end(reason, end);
    if (end - stop < 2 || stop == reason || memcmp(stop, "\r\n", 2) != 0)
        return NULL;
    msg->reason = nu_str_make(reason, (size_t)(stop - reason));
    msg->http_minor = 1;
    msg->status = read_status(p + 9);
    return stop + 2;
}

static const char *read_plain_line(struct nu_h1_message *msg, const char *end)
{
    return msg->is_request ? read_plain_request_line(msg, end) : read_plain_status_line(msg, end);
}

/* A first line of any kind, which ends before `end`. */
static NU_NOINLINE bool read_any_line(struct nu_h1_message *msg, const char *end)
{
    bool is_right = msg->is_request ? check_request_line(msg, end) : check_status_line(msg, end);
    if (!is_right)
        fail_syntax(msg);
    return is_right && nu_h1_second_begin(msg, end);
}

/* Waits for the first line to be complete, so that what is said of it does not depend on how it
 * came; what cannot begin one is not waited for. Returns whether the line is right. */
static bool read_first_line(struct nu_h1_message *msg, const char *end)
{
    const char *behind = msg->parsed ? NULL : read_plain_line(msg, end);
    if (nu_unlikely(!behind)) {
        const char *from = msg->head + msg->parsed;
        const char *lf = memchr(from, '\n', (size_t)(end - from));
        msg->parsed = (uint32_t)(end - msg->head);
        if (!lf) {
            if (!nu_is_token_char(*msg->head))
                fail_syntax(msg);
            return false;
        }
        behind = lf + 1;
        if (read_plain_line(msg, behind) != behind && !read_any_line(msg, behind))
            return false;
    }
    nu_h1_field_begin(&msg->field, behind);
    return true;
}

bool nu_h1_is_plain_field(enum nu_header_id id, struct nu_str value)
{
    enum { LENGTH_MAX = 18 };
    if (id == NU_HEADER_CONNECTION)
        return nu_str_eq_nocase(value, NU_STR("keep-alive")) ||
               nu_str_eq_nocase(value, NU_STR("close"));
    if (id != NU_HEADER_CONTENT_LENGTH || value.len == 0 || value.len > LENGTH_MAX)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (!nu_ascii_is_digit(value.ptr[i]))
            return false;
    }
    return true;
}

/* Takes note of a Transfer-Encoding. One that is none of ours is refused when the head is whole: what
 * else it says bears on how. */
static void note_coding(struct nu_h1_message *msg, struct nu_str value)
{
    msg->ends_chunked = nu_str_eq_nocase(value, NU_STR("chunked"));
    msg->has_wrong_coding =
        !msg->ends_chunked || nu_headers_has_id(msg->headers, NU_HEADER_TRANSFER_ENCODING);
}

/* Takes note of a field that bears on framing; false when the message failed. */
static bool look_at_framing(struct nu_h1_message *msg, enum nu_header_id id)
{
    struct nu_str value = msg->field.value;
    if (msg->phase != NU_H1_HEAD)
        return true;
    if (id == NU_HEADER_TRANSFER_ENCODING)
        note_coding(msg, value);
    if (nu_likely(!msg->second)) {
        if (nu_h1_is_plain_field(id, value))
            return true;
        size_t room = (size_t)(msg->field.line - msg->head);
        const char *lf = memchr(msg->head, '\n', room);
        if (!nu_h1_second_begin(msg, lf + 1))
            return false;
    }
    return nu_h1_second_show_field(msg, id, value);
}

/* What is configured for names with an underscore; returns whether the header is to be kept. */
static bool may_keep_name(struct nu_h1_message *msg, struct nu_str name)
{
    if (nu_likely(msg->options->underscore_action == NU_UNDERSCORE_ALLOW) ||
        nu_str_find_char(name, '_') == NU_NPOS)
        return true;
    if (msg->options->underscore_action == NU_UNDERSCORE_REJECT)
        nu_h1_message_fail(msg, 400, NU_STR("http1.unexpected_underscore"));
    msg->underscores++;
    return false;
}

/* Names with rules of their own. Two say one thing about a message: even equal or empty ones are
 * read in more ways than one. */
enum { BEARS_ON_FRAMING = 1, MAY_NOT_REPEAT = 2 };
static const uint8_t rules_of[NU_HEADER_ID_COUNT] = {
    [NU_HEADER_HOST] = MAY_NOT_REPEAT,
    [NU_HEADER_CONTENT_LENGTH] = MAY_NOT_REPEAT | BEARS_ON_FRAMING,
    [NU_HEADER_TRANSFER_ENCODING] = BEARS_ON_FRAMING,
    [NU_HEADER_CONNECTION] = BEARS_ON_FRAMING,
    [NU_HEADER_PROXY_CONNECTION] = BEARS_ON_FRAMING,
    [NU_HEADER_UPGRADE] = BEARS_ON_FRAMING,
};

bool nu_h1_bears_on_framing(enum nu_header_id id)
{
    return rules_of[id] & BEARS_ON_FRAMING;
}

/* Applies them; false when the message failed. */
static bool apply_rules(struct nu_h1_message *msg, enum nu_header_id id)
{
    if ((rules_of[id] & MAY_NOT_REPEAT) && nu_headers_has_id(msg->target, id) &&
        (id != NU_HEADER_HOST || msg->is_request)) {
        fail_syntax(msg);
        return false;
    }
    return !nu_h1_bears_on_framing(id) || look_at_framing(msg, id);
}

/* Trailers that nobody asked for are read and thrown away, as by Envoy: however many there are, which
 * only their size bounds, and whatever names they have. */
static bool drops_fields(const struct nu_h1_message *msg)
{
    return msg->phase == NU_H1_TRAILERS && !msg->options->enable_trailers;
}

/* Takes over the field line that was read; false when the message failed. */
static NU_NOINLINE bool take_field(struct nu_h1_message *msg)
{
    enum { FIELD_EXTRA = sizeof(":\r\n") - 1 };
    struct nu_str name = msg->field.name;
    struct nu_str value = msg->field.value;
    msg->field_bytes += (uint32_t)(name.len + value.len) + FIELD_EXTRA;
    if (nu_unlikely(drops_fields(msg)))
        return true;
    if (nu_unlikely(++msg->header_count > msg->options->max_headers)) {
        nu_h1_message_fail(msg, 431, DETAILS_TOO_MANY_HEADERS);
        return false;
    }
    if (!may_keep_name(msg, name))
        return msg->phase != NU_H1_FAILED;
    const char *original = NULL;
    if (nu_unlikely(msg->options->keep_names))
        original = nu_arena_dup(msg->arena, name).ptr;
    enum nu_header_id id = nu_header_id_of_token(name);
    if (nu_unlikely(rules_of[id]) && !apply_rules(msg, id))
        return false;
    if (id == NU_HEADER_OTHER) {
        nu_header_name_lower(nu_unconst(name.ptr), name.len);
    } else {
        name = nu_header_name_of(id);
        if (nu_unlikely(nu_headers_has_id(msg->target, id)))
            msg->has_repeated |= nu_header_set_has(msg->joined, id);
    }
    if (nu_unlikely(original != NULL))
        original = nu_h1_first_spelling(msg, name, original);
    nu_headers_add_ref(msg->target, id, name, value)->original_name = original;
    return true;
}

/* Looks at what is no whole and ordinary field line; returns what it is. */
static NU_NOINLINE enum nu_h1_field_result look_closer(struct nu_h1_message *msg, const char *end)
{
    enum nu_h1_field_result result = nu_h1_field_read(&msg->field, end);
    if (result == NU_H1_FIELD_BAD)
        fail_syntax(msg);
    else if (result == NU_H1_FIELD_BAD_CHARACTER)
        nu_h1_message_fail(msg, 400, DETAILS_INVALID_CHARACTERS);
    return result;
}

/* The end of the memory that the section, which ends at `end`, lies in. Where the block goes on with
 * somebody's arena, only sanitizers can tell. */
static const char *readable_end_of(const struct nu_block *block, const char *end)
{
#ifdef NU_ASAN
    (void)block;
    return end;
#else
    (void)end;
    return block->data + block->size;
#endif
}

/* Reads field lines up to `end`. Returns whether the empty line was among them. */
static bool read_fields(struct nu_h1_message *msg, const struct nu_block *block, const char *end)
{
    struct nu_h1_field *field = &msg->field;
    for (;;) {
        if (nu_likely(field->at == field->line)) {
            nu_h1_take_lines(msg, end, readable_end_of(block, end));
            if (nu_likely(end - field->line >= 2 && memcmp(field->line, "\r\n", 2) == 0)) {
                field->at = field->line + 2;
                return true;
            }
        }
        enum nu_h1_field_result result = look_closer(msg, end);
        if (result != NU_H1_FIELD_COMPLETE)
            return result == NU_H1_FIELD_END;
        if (!take_field(msg))
            return false;
        nu_h1_field_begin(field, field->at);
    }
}

/* Reads on in the section's bytes, which lie between `start` and `end` of `block`. Returns whether its
 * empty line was seen. */
static bool read_section(struct nu_h1_message *msg, const struct nu_block *block, const char *start,
                         const char *end)
{
    if (!msg->head) {
        msg->head = start;
        if (msg->phase == NU_H1_TRAILERS)
            nu_h1_field_begin(&msg->field, start);
    }
    if (!msg->field.line && !read_first_line(msg, end))
        return false;
    return read_fields(msg, block, end);
}

static void join_repeated(struct nu_h1_message *msg)
{
    if (nu_likely(!msg->has_repeated))
        return;
    msg->has_repeated = false;
    nu_headers_join_repeated(msg->target, msg->joined);
}

/* The section's empty line was read; false when the message failed. */
static bool end_section(struct nu_h1_message *msg)
{
    if (nu_unlikely(msg->second != NULL))
        return nu_h1_second_end_section(msg);
    if (nu_h1_message_end_head(msg) != 0)
        return false;
    if (!msg->has_body)
        msg->phase = NU_H1_COMPLETE;
    return true;
}

/* Reads what the first slice has of the section. Returns whether it is complete. */
static inline bool read_slice(struct nu_h1_message *msg, const struct nu_slice *slice)
{
    /* What lies behind the limit is not looked at, however much came at once. */
    size_t visible = nu_min_size(slice->len, msg->options->max_head_bytes);
    bool is_complete = read_section(msg, slice->block, slice->ptr, slice->ptr + visible);
    if (nu_unlikely(!is_complete && slice->len > visible) && msg->phase != NU_H1_FAILED)
        nu_h1_message_fail(msg, 431, DETAILS_HEADERS_TOO_LARGE);
    return nu_likely(is_complete) && msg->phase != NU_H1_FAILED;
}

/* The head or the trailer section: bytes are retained until it is complete. */
static void feed_section(struct nu_h1_message *msg, struct nu_buf *in)
{
    while (nu_unlikely(!read_slice(msg, in->first))) {
        if (msg->phase == NU_H1_FAILED || !in->first->next)
            return;
        linearize(msg, in);
    }
    join_repeated(msg);
    if (!end_section(msg))
        return;
    const struct nu_slice *slice = in->first;
    /* The section's views keep the block; the rest of it is body or the next message. */
    nu_arena_hold_block(msg->arena, slice->block);
    nu_buf_drain_all_or(in, (size_t)(msg->field.at - slice->ptr));
}

/* --- Body ------------------------------------------------------------------------------------- */

/* The last chunk's size line is read: the trailer section begins. */
static NU_NOINLINE void begin_trailers(struct nu_h1_message *msg)
{
    msg->phase = NU_H1_TRAILERS;
    msg->header_count = 0;
    msg->head = NULL;
    msg->trailers = nu_arena_alloc(msg->arena, sizeof(*msg->trailers));
    nu_headers_init(msg->trailers, msg->arena, 0);
    msg->trailers->name_style = (uint8_t)msg->options->keep_names;
    msg->target = msg->trailers;
    msg->spellings = NULL;
    msg->reads_lines_alone |= !msg->options->enable_trailers;
    nu_h1_second_begin_trailers(msg);
}

/* Reads on in a chunked body, which lies in the block, up to `end`; returns where it stopped. */
static NU_NOINLINE const char *read_chunks(struct nu_h1_message *msg, struct nu_block *block,
                                           const char *p, const char *end)
{
    struct nu_h1_chunks *chunks = &msg->chunks;
    while (p < end && msg->phase == NU_H1_BODY) {
        if (chunks->in_data) {
            size_t n = (size_t)(end - p);
            if (n > chunks->left)
                n = (size_t)chunks->left;
            if (nu_h1_second_show_body(msg, block, p, n) != n)
                break;
            nu_h1_chunks_take(chunks, n);
            p += n;
            continue;
        }
        enum nu_h1_chunk_result result = nu_h1_chunks_read(chunks, &p, end);
        if (result == NU_H1_CHUNK_BAD)
            fail_syntax(msg);
        else if (result == NU_H1_CHUNK_DATA && nu_h1_second_show_chunk(msg, chunks->left) &&
                 !chunks->in_data)
            begin_trailers(msg);
    }
    return p;
}

static void feed_chunks(struct nu_h1_message *msg, struct nu_buf *in)
{
    struct nu_slice *slice = in->first;
    const char *stop = read_chunks(msg, slice->block, slice->ptr, slice->ptr + slice->len);
    if (msg->phase != NU_H1_FAILED)
        nu_buf_drain(in, (size_t)(stop - slice->ptr));
}

static void feed_body(struct nu_h1_message *msg, struct nu_buf *in)
{
    if (nu_unlikely(msg->is_tunnel)) {
        nu_buf_move_all(&msg->body, in);
        return;
    }
    struct nu_slice *slice = in->first;
    size_t taken = nu_h1_second_show_body(msg, slice->block, slice->ptr, slice->len);
    if (msg->phase != NU_H1_FAILED)
        nu_buf_drain(in, taken);
}

void nu_h1_message_feed_plain_body(struct nu_h1_message *msg, struct nu_buf *in)
{
    if (msg->reads_to_eof) {
        nu_buf_move_all(&msg->body, in);
        return;
    }
    size_t n = in->len < msg->body_left ? in->len : (size_t)msg->body_left;
    nu_buf_move(&msg->body, in, n);
    msg->body_left -= n;
    if (msg->body_left == 0)
        msg->phase = NU_H1_COMPLETE;
}

void nu_h1_message_feed(struct nu_h1_message *msg, struct nu_buf *in)
{
    if (msg->phase == NU_H1_START && in->len)
        msg->phase = NU_H1_HEAD;
    while (in->len && msg->phase < NU_H1_COMPLETE) {
        size_t before = in->len;
        enum nu_h1_phase phase = (enum nu_h1_phase)msg->phase;
        if (phase != NU_H1_BODY)
            feed_section(msg, in);
        else if (nu_likely(!msg->second))
            nu_h1_message_feed_plain_body(msg, in);
        else if (msg->is_chunked)
            feed_chunks(msg, in);
        else
            feed_body(msg, in);
        bool head_ended = phase == NU_H1_HEAD && msg->phase == NU_H1_BODY;
        if (head_ended || (in->len == before && (enum nu_h1_phase)msg->phase == phase))
            return;
    }
}

void nu_h1_message_feed_eof(struct nu_h1_message *msg)
{
    if (msg->phase >= NU_H1_COMPLETE)
        return;
    if (msg->phase == NU_H1_BODY && msg->reads_to_eof)
        msg->phase = NU_H1_COMPLETE;
    else
        fail_syntax(msg);
}
