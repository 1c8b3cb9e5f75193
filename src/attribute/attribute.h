/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes: what expressions and plug-ins ask of a stream by name, with Envoy's names and types:
 * `request.path`, `connection.mtls`, `metadata.filter_metadata['ns']['key']`. A root is looked up
 * first, then member by member; what comes out is a typed value.
 *
 * Values are copied freely and own nothing: they point into the stream, the configuration, or the
 * arena that the asker names, and are valid until any of these changes. Nothing is found out before
 * it is asked for. Everything here runs on the stream's thread.
 */
#ifndef NU_ATTRIBUTE_ATTRIBUTE_H
#define NU_ATTRIBUTE_ATTRIBUTE_H

#include "base/arena.h"
#include "base/str.h"

struct Envoy__Config__Core__V3__Node;
struct nu_attribute_class;
struct nu_headers;
struct nu_metadata;
struct nu_stream_info;

enum nu_attribute_type {
    NU_ATTRIBUTE_NONE, /* there is no such thing */
    NU_ATTRIBUTE_NULL,
    NU_ATTRIBUTE_BOOL,
    NU_ATTRIBUTE_INT,
    NU_ATTRIBUTE_UINT,
    NU_ATTRIBUTE_DOUBLE,
    NU_ATTRIBUTE_STRING,
    NU_ATTRIBUTE_BYTES,
    NU_ATTRIBUTE_TIME,     /* nanoseconds since 1970 */
    NU_ATTRIBUTE_DURATION, /* nanoseconds */
    NU_ATTRIBUTE_MAP,      /* from strings */
    NU_ATTRIBUTE_LIST,
    NU_ATTRIBUTE_MESSAGE, /* of protobuf */
};

/* A map, list or message: who knows what is in it, and two pointers for that one alone. */
struct nu_attribute_object {
    const struct nu_attribute_class *object_class;
    const void *of;
    const void *detail;
};

struct nu_attribute {
    enum nu_attribute_type type;
    union {
        bool boolean;
        int64_t integer; /* INT, TIME, DURATION */
        uint64_t natural;
        double real;
        struct nu_str text;                /* STRING, BYTES */
        struct nu_attribute_object object; /* MAP, LIST, MESSAGE */
    };
};

/* The cluster that a request is for. */
struct nu_attribute_cluster {
    struct nu_str name;
    const struct nu_metadata *metadata; /* may be NULL */
    uint64_t host_count;
};

/* Whom to ask. All is borrowed; maps are NULL while they are not there. */
struct nu_attribute_source {
    struct nu_arena *arena;            /* takes what has to be made for an answer */
    const struct nu_stream_info *info; /* NULL: there is no stream, and nothing but xds.node */
    const struct nu_headers *request_headers;
    const struct nu_headers *response_headers;
    const struct nu_headers *response_trailers;
    const struct Envoy__Config__Core__V3__Node *node; /* NULL: not known */
    /* Finds the cluster; false if there is none. NULL: what `info` says of it. */
    bool (*find_cluster)(const struct nu_attribute_source *source,
                         struct nu_attribute_cluster *out);
    void *owner; /* for find_cluster */
};

/* --- Looking up ------------------------------------------------------------------------------- */

/* "request", "connection" ... */
struct nu_attribute nu_attribute_root(const struct nu_attribute_source *source, struct nu_str name);
/* What a map has under a name, a message in a field, a list at a position in decimal. NONE for
 * anything else. */
struct nu_attribute nu_attribute_member(const struct nu_attribute_source *source,
                                        const struct nu_attribute *value, struct nu_str name);

struct nu_attribute_entry {
    struct nu_str key; /* of a map; empty in lists */
    struct nu_attribute value;
};

struct nu_attribute_entries {
    const struct nu_attribute_entry *items; /* in the source's arena */
    size_t count;
};

/* All that a map or list holds. False for other types, and for maps that cannot be told whole, as
 * most roots. */
NU_MUST_USE bool nu_attribute_list(const struct nu_attribute_source *source,
                                   const struct nu_attribute *value,
                                   struct nu_attribute_entries *out);
/* About how many members nu_attribute_member passes to find one: what a search costs. */
size_t nu_attribute_search_steps(const struct nu_attribute *value);
/* Appends a message's bytes in protobuf's wire format; false for other types. */
NU_MUST_USE bool nu_attribute_encode(const struct nu_attribute_source *source,
                                     const struct nu_attribute *value, struct nu_strbuf *out);

/* --- Making values ---------------------------------------------------------------------------- */

static inline struct nu_attribute nu_attribute_none(void)
{
    return (struct nu_attribute){.type = NU_ATTRIBUTE_NONE};
}

static inline struct nu_attribute nu_attribute_null(void)
{
    return (struct nu_attribute){.type = NU_ATTRIBUTE_NULL};
}

static inline struct nu_attribute nu_attribute_bool(bool value)
{
    return (struct nu_attribute){.type = NU_ATTRIBUTE_BOOL, .boolean = value};
}

static inline struct nu_attribute nu_attribute_int(int64_t value)
{
    return (struct nu_attribute){.type = NU_ATTRIBUTE_INT, .integer = value};
}

static inline struct nu_attribute nu_attribute_uint(uint64_t value)
{
    return (struct nu_attribute){.type = NU_ATTRIBUTE_UINT, .natural = value};
}

static inline struct nu_attribute nu_attribute_double(double value)
{
    return (struct nu_attribute){.type = NU_ATTRIBUTE_DOUBLE, .real = value};
}

static inline struct nu_attribute nu_attribute_string(struct nu_str value)
{
    return (struct nu_attribute){.type = NU_ATTRIBUTE_STRING, .text = value};
}

/* NONE for an empty text. */
static inline struct nu_attribute nu_attribute_text(struct nu_str value)
{
    return value.len ? nu_attribute_string(value) : nu_attribute_none();
}

static inline struct nu_attribute nu_attribute_bytes(struct nu_str value)
{
    return (struct nu_attribute){.type = NU_ATTRIBUTE_BYTES, .text = value};
}

#endif
