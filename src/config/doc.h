/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document tree: what a YAML or JSON text says, before anything is known of the messages it
 * describes. Every node knows where it stands, so that each later error can point at it.
 *
 * Nodes and texts live in an arena and are immutable once parsed. Nodes reached through a YAML
 * alias share their children, so a tree may be larger than its text; the readers bound that.
 */
#ifndef NU_CONFIG_DOC_H
#define NU_CONFIG_DOC_H

#include "base/arena.h"
#include "base/error.h"

enum nu_doc_kind {
    NU_DOC_NULL,
    NU_DOC_BOOL,
    NU_DOC_NUMBER, /* text holds it as written, in JSON's grammar */
    NU_DOC_STRING,
    NU_DOC_LIST,
    NU_DOC_MAP,
};

struct nu_doc_node {
    struct nu_doc_node *next;  /* the next item or member, or NULL */
    struct nu_doc_node *first; /* items of a list, members of a map */
    struct nu_doc_node *last;
    struct nu_str key;  /* of a map's member */
    struct nu_str text; /* of a number or a string */
    struct nu_position at;
    uint32_t key_line;
    uint32_t key_column;
    uint32_t weight; /* nodes of the subtree with aliases expanded, at most UINT32_MAX */
    uint8_t kind;    /* enum nu_doc_kind */
    bool boolean;    /* value of a bool */
    bool is_plain;   /* a YAML scalar without quotes, whose kind its text decided */
    bool is_second;  /* a member whose key an earlier one has */
};

/* What a reader works on; all of it is borrowed. */
struct nu_doc_input {
    struct nu_arena *arena; /* takes nodes and texts; may outlive `text` */
    const char *source;     /* the file's name; lives as long as the arena */
    struct nu_str text;
    struct nu_error_list *errors;
    struct nu_error_list *warnings;
};

enum { NU_DOC_MAX_DEPTH = 100 };

/*
 * The first document of a YAML text. Scalars are typed as Envoy does it: quoted ones are strings,
 * plain ones null, booleans (also yes, no, on, off, y, n), integers that fit 32 bits (decimal, 0x,
 * octal with a leading 0) or else strings; integers of up to 64 bits become decimal strings.
 * Members whose key is tagged !ignore are left out; of two members with one key the last counts (a
 * warning). Returns NULL after adding an error.
 */
struct nu_doc_node *nu_doc_parse_yaml(const struct nu_doc_input *in);

/*
 * A JSON text (RFC 8259), with what Envoy's reader lets pass: single quotes, names without quotes,
 * a comma behind the last item, control characters in strings. Members with one key are all kept
 * and the later ones marked (a warning). Returns NULL after adding an error.
 */
struct nu_doc_node *nu_doc_parse_json(const struct nu_doc_input *in);

/* A fresh node at a place of the input. */
struct nu_doc_node *nu_doc_node_create(const struct nu_doc_input *in, enum nu_doc_kind kind,
                                       uint32_t line, uint32_t column);
/* Puts `child` at the end of a list or a map. */
void nu_doc_node_add(struct nu_doc_node *parent, struct nu_doc_node *child);
/* The member called `key`, or NULL; the first of several. */
const struct nu_doc_node *nu_doc_member(const struct nu_doc_node *map, struct nu_str key);
/* Where the key of a member stands. */
struct nu_position nu_doc_key_position(const struct nu_doc_node *member);
/* "a string", "a list", ... for messages. */
const char *nu_doc_kind_name(const struct nu_doc_node *node);

/* Marks the members of `map` whose key an earlier one has, and warns of each. */
void nu_doc_mark_duplicates(const struct nu_doc_input *in, struct nu_doc_node *map);
/* The same, but of the members with one key only the last stays. */
void nu_doc_drop_duplicates(const struct nu_doc_input *in, struct nu_doc_node *map);

#endif
