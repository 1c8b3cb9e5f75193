/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled form. A text becomes a row of parts, each a literal or an operator; an operator is a
 * function with its arguments already parsed. It only finds the value: whether that is printed as
 * text or as a JSON value is decided by whoever asked.
 *
 *     "%REQ(:path)% in %DURATION% ms"  ->  [REQ :path] [" in "] [DURATION] [" ms"]
 */
#ifndef NU_FORMAT_FORMAT_INTERNAL_H
#define NU_FORMAT_FORMAT_INTERNAL_H

#include "base/value.h"
#include "format/format.h"
#include "http/header_name.h"

struct nu_time_format;

enum nu_op_result_kind {
    NU_OP_NONE,   /* no value: "-", null */
    NU_OP_BLANK,  /* no value, but no dash either: "", null */
    NU_OP_TEXT,   /* cut to the part's max_len */
    NU_OP_NUMBER, /* an integer */
    NU_OP_VALUE,  /* not null; as text cut to max_len: a string as it is, others as JSON */
    NU_OP_JSON,   /* the same, but as text a string is JSON too, with its quotes */
};

enum { NU_OP_SCRATCH = 1024 };

/* What an operator found. Texts and values live as long as the stream, or in the scratch space. */
struct nu_op_result {
    enum nu_op_result_kind kind;
    struct nu_str text;
    int64_t number;
    struct nu_value value;
    char scratch[NU_OP_SCRATCH];
};

struct nu_format_part;
typedef void (*nu_op_fn)(const struct nu_format_part *part, const struct nu_format_context *context,
                         struct nu_op_result *result);

/* A header and the one that stands in for it; a name is empty where there is none. */
struct nu_header_choice {
    struct nu_str name[2];
    enum nu_header_id id[2];
};

struct nu_metadata_ref {
    struct nu_str space;
    const struct nu_str *path;
    size_t count;
};

struct nu_filter_state_ref {
    struct nu_str name;
    struct nu_str field;
};

/* Members of struct nu_stream_info or nu_connection_info, by offset. */
struct nu_member_ref {
    size_t offset;
    size_t second; /* a second member, where the operator needs one */
};

struct nu_format_part {
    nu_op_fn fn;        /* NULL: a literal */
    struct nu_str text; /* the literal; or the name that the operator looks for */
    size_t max_len;     /* SIZE_MAX without a limit */
    unsigned variant;   /* which of the operators that share a function; the function says */
    unsigned detail;
    union {
        struct nu_header_choice header;
        struct nu_member_ref member;
        struct nu_metadata_ref metadata;
        struct nu_filter_state_ref state;
        const struct nu_time_format *time;
    };
};

struct nu_format_parts {
    struct nu_format_part *items;
    size_t count;
};

/* A step of a JSON template's output. */
enum nu_json_step_kind {
    NU_JSON_RAW,   /* text that is the same for every stream */
    NU_JSON_TYPED, /* one operator, as a value of its type */
    NU_JSON_MIXED, /* several parts in one string */
};

struct nu_json_step {
    enum nu_json_step_kind kind;
    struct nu_str raw;
    struct nu_format_parts parts;
};

struct nu_formatter {
    bool omit_empty;
    bool is_json;
    bool is_plain;
    unsigned needs;
    struct nu_str plain; /* with is_plain */
    struct nu_format_parts parts;
    struct nu_json_step *steps;
    size_t step_count;
};

/* --- Compiling -------------------------------------------------------------------------------- */

/* One operator as it stands in a text. */
struct nu_op_source {
    struct nu_arena *arena;
    const struct nu_format_options *options;
    struct nu_str name;
    struct nu_str args;
    bool has_length;
    uint64_t length;
    unsigned *needs;
    struct nu_strbuf *error;
};

/* parse.c: a text as parts, literals joined; what they need is added to `*needs`. False after an
 * error. */
NU_MUST_USE bool nu_format_parse(struct nu_arena *arena, struct nu_str text,
                                 const struct nu_format_options *options,
                                 struct nu_format_parts *parts, unsigned *needs,
                                 struct nu_strbuf *error);
/* legacy.c: a header value's text with the obsolete spellings replaced. */
struct nu_str nu_format_modernize(struct nu_arena *arena, struct nu_str text);
/* op_table.c: compiles one operator. False after an error. */
NU_MUST_USE bool nu_op_make(const struct nu_op_source *source, struct nu_format_part *part);

/* op_args.c: the arguments of the operators that take some. Each fills `part`, whose other members
 * come from the table. False after an error. */
typedef bool nu_op_args_fn(const struct nu_op_source *source, struct nu_format_part *part);
nu_op_args_fn nu_args_header, nu_args_request_header, nu_args_header_extension, nu_args_time,
    nu_args_metadata, nu_args_typed_metadata, nu_args_filter_state, nu_args_duration,
    nu_args_environment, nu_args_hostname, nu_args_grpc, nu_args_path, nu_args_query, nu_args_xfcc,
    nu_args_details, nu_args_cel;

/* --- Operators: every one of type nu_op_fn ---------------------------------------------------- */

#define NU_OP_FUNCTIONS(X) \
    /* op_http.c */ \
    X(nu_op_header) \
    X(nu_op_header_bytes) \
    X(nu_op_path) \
    X(nu_op_query_param) \
    X(nu_op_grpc_status) \
    X(nu_op_local_reply_body) \
    X(nu_op_log_type) \
    X(nu_op_xfcc) \
    /* op_stream.c */ \
    X(nu_op_missing) \
    X(nu_op_u64) \
    X(nu_op_u64_or) \
    X(nu_op_u32) \
    X(nu_op_text) \
    X(nu_op_text_even_empty) \
    X(nu_op_text_no_space) \
    X(nu_op_connection_text) \
    X(nu_op_connection_text_no_space) \
    X(nu_op_connection_id) \
    X(nu_op_server_name) \
    X(nu_op_protocol) \
    X(nu_op_response_flags) \
    X(nu_op_response_code_details) \
    X(nu_op_duration) \
    X(nu_op_elapsed) \
    X(nu_op_address) \
    X(nu_op_host_name) \
    X(nu_op_unique_id) \
    /* op_time.c */ \
    X(nu_op_start_time) \
    X(nu_op_emit_time) \
    /* op_ssl.c */ \
    X(nu_op_ssl_text) \
    X(nu_op_ssl_list) \
    X(nu_op_ssl_valid_from) \
    X(nu_op_ssl_valid_until) \
    /* op_metadata.c */ \
    X(nu_op_metadata) \
    X(nu_op_filter_state)

#define X(name) \
    void name(const struct nu_format_part *part, const struct nu_format_context *context, \
              struct nu_op_result *result);
NU_OP_FUNCTIONS(X)
#undef X

/* nu_op_header, nu_op_header_bytes: the map to look in. */
enum nu_header_map { NU_MAP_REQUEST, NU_MAP_RESPONSE, NU_MAP_TRAILER };
/* nu_op_header, nu_op_path: what to do with a query; the detail. */
enum nu_query_use { NU_QUERY_WITH, NU_QUERY_WITHOUT };
/* nu_op_path */
enum nu_path_choice { NU_PATH_ORIGINAL_OR_CURRENT, NU_PATH_ORIGINAL, NU_PATH_CURRENT };
/* nu_op_grpc_status */
enum nu_grpc_style { NU_GRPC_CAMEL, NU_GRPC_SNAKE, NU_GRPC_NUMBER };
/* nu_op_address: the variant and the detail. */
enum nu_address_source {
    NU_ADDR_REMOTE,
    NU_ADDR_DIRECT_REMOTE,
    NU_ADDR_LOCAL,
    NU_ADDR_DIRECT_LOCAL,
    NU_ADDR_UPSTREAM_HOST,
    NU_ADDR_UPSTREAM_LOCAL,
    NU_ADDR_UPSTREAM_REMOTE,
};
enum nu_address_form { NU_ADDR_WITH_PORT, NU_ADDR_WITHOUT_PORT, NU_ADDR_PORT };
/* nu_op_elapsed: microseconds to the unit that is printed, and what a negative time means. */
enum nu_elapsed_unit { NU_ELAPSED_MS, NU_ELAPSED_US, NU_ELAPSED_NS };
enum nu_elapsed_sign { NU_ELAPSED_SIGNED, NU_ELAPSED_NOT_NEGATIVE };
/* nu_op_ssl_...: whose connection; the detail. */
enum nu_ssl_side { NU_SSL_DOWNSTREAM, NU_SSL_UPSTREAM };
/* nu_op_metadata */
enum nu_metadata_source {
    NU_METADATA_DYNAMIC,
    NU_METADATA_CLUSTER,
    NU_METADATA_ROUTE,
    NU_METADATA_UPSTREAM_HOST,
    NU_METADATA_LISTENER,
    NU_METADATA_VIRTUAL_HOST,
};
/* nu_op_filter_state: the form; the detail says whose state. */
enum nu_filter_state_form { NU_STATE_TYPED, NU_STATE_PLAIN, NU_STATE_FIELD };
enum nu_filter_state_side { NU_STATE_DOWNSTREAM, NU_STATE_UPSTREAM };

static inline void nu_op_give_text(struct nu_op_result *result, struct nu_str text)
{
    result->kind = NU_OP_TEXT;
    result->text = text;
}

static inline void nu_op_give_number(struct nu_op_result *result, int64_t number)
{
    result->kind = NU_OP_NUMBER;
    result->number = number;
}

/* Room for `n` bytes of a text that is made for this result: the scratch space, or the stream's
 * arena for a large one. */
char *nu_op_room(const struct nu_format_context *context, struct nu_op_result *result, size_t n);

#endif
