/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filter state: named objects that filters leave for other filters, for the router and for logs.
 * Unlike metadata an object has a C type of its own; a class says how it turns into text.
 *
 * A stream has its own filter state; objects that are to live as long as the connection are kept in
 * the connection's, and a look-up by the stream sees both. Nobody pays for what nobody has set.
 * Objects and names live in the state's arena, or longer.
 */
#ifndef NU_HTTP_FILTER_STATE_H
#define NU_HTTP_FILTER_STATE_H

#include "base/value.h"

struct nu_stream_info;

/* What objects of one kind can do; static const. Every function may be NULL: the object has no such
 * form. They run on the stream's thread and may not keep what they are given. */
struct nu_filter_state_class {
    const char *name; /* of the kind, for messages */
    /* Appends the plain text; false if there is none. */
    bool (*to_text)(const void *object, struct nu_strbuf *out);
    /* The typed form, made in `arena`; a null value if there is none. */
    struct nu_value (*to_value)(const void *object, struct nu_arena *arena);
    /* One field by name, made in `arena`; a null value if there is none. */
    struct nu_value (*field)(const void *object, struct nu_str name, struct nu_arena *arena);
    /* What a hash policy takes it for. */
    uint64_t (*hash)(const void *object);
    bool is_string; /* expressions take the text for a string, not for bytes */
};

enum nu_filter_state_life {
    NU_FILTER_STATE_FILTER_CHAIN, /* until an internal redirect starts the chain anew */
    NU_FILTER_STATE_REQUEST,      /* also over internal redirects */
    NU_FILTER_STATE_CONNECTION,   /* also for later requests of the connection */
};

struct nu_filter_state_object {
    struct nu_filter_state_object *next;
    struct nu_str name;
    const struct nu_filter_state_class *object_class;
    const void *object;
    uint8_t life; /* enum nu_filter_state_life */
    bool is_read_only;
};

struct nu_filter_state {
    struct nu_arena *arena;                 /* borrowed */
    struct nu_filter_state_object *objects; /* newest first */
    size_t count;
    bool is_of_connection; /* all of it lives as long as the connection */
    uint32_t guest_bytes;  /* of a connection's: what plug-ins in wasm have left, who bound it */
};

/* The object that the stream has, or its connection; NULL if there is none. */
const struct nu_filter_state_object *nu_stream_info_find_state(const struct nu_stream_info *info,
                                                               struct nu_str name);

/*
 * Keeps `object` under its name, in place of one with that name; the struct is copied, what it
 * points at is not. NU_INVALID, and nothing is changed, if either the old or the new one is
 * read-only or they differ in life span. The info of a connection keeps all that is set there as
 * long as the connection lives, whatever span is said.
 */
NU_MUST_USE enum nu_result nu_stream_info_set_state(struct nu_stream_info *info,
                                                    const struct nu_filter_state_object *object);
/* Whether that would succeed. */
bool nu_stream_info_may_set_state(const struct nu_stream_info *info,
                                  const struct nu_filter_state_object *object);

/* How many objects a lookup may pass, which is more than a handful where a guest means no good. */
size_t nu_stream_info_state_count(const struct nu_stream_info *info);

/* The hash of the object of this name; false if there is none, or it has no hash. */
bool nu_stream_info_hash_state(const struct nu_stream_info *info, struct nu_str name,
                               uint64_t *hash);

/* The filter state, made on the first call, that is to keep objects of this life span: the
 * connection's or the stream's own, which has to do where there is no connection. */
struct nu_filter_state *nu_stream_info_state_keeper(struct nu_stream_info *info, uint8_t life);
/* The stream's own, made on the first call. */
struct nu_filter_state *nu_stream_info_filter_state(struct nu_stream_info *info);

/* The object of this name in this state alone; NULL if there is none or `state` is NULL. */
const struct nu_filter_state_object *nu_filter_state_find(const struct nu_filter_state *state,
                                                          struct nu_str name);

/* Drops what does not outlive an internal redirect. */
void nu_filter_state_end_filter_chain(struct nu_filter_state *state);

/* Classes for plain texts: the object is a `const struct nu_str *`. The second has a hash too; the
 * third is of numbers, in decimal, which show as such and are texts for those who look for them. */
extern const struct nu_filter_state_class nu_filter_state_string;
extern const struct nu_filter_state_class nu_filter_state_hashable_string;
extern const struct nu_filter_state_class nu_filter_state_number;

#endif
