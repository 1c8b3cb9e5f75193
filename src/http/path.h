/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules for `:path` values, which hold a path and, behind the first '?', a query. Everything here
 * is a pure function; results are views of the input or of arena memory, and an input that needs no
 * change comes back as it is.
 */
#ifndef NU_HTTP_PATH_H
#define NU_HTTP_PATH_H

#include "base/arena.h"

/* What is done about %2F and %5C in the path (path_with_escaped_slashes_action). */
enum nu_escaped_slashes {
    NU_ESCAPED_SLASHES_KEEP,
    NU_ESCAPED_SLASHES_REJECT,
    NU_ESCAPED_SLASHES_REDIRECT, /* unescape, then 307 to the result */
    NU_ESCAPED_SLASHES_FORWARD,  /* unescape and go on */
};

/* The rules of one connection manager. */
struct nu_path_rules {
    bool normalize;
    bool merge_slashes;
    bool strip_fragment; /* drop "#..." instead of refusing it */
    enum nu_escaped_slashes escaped_slashes;
};

enum nu_path_verdict {
    NU_PATH_ACCEPT,
    NU_PATH_REJECT,   /* 400, path_normalization_failed */
    NU_PATH_REDIRECT, /* 307 to the new path, path_normalization_failed */
};

/* Applies the rules in Envoy's order: fragment, escaped slashes, normalisation, slash merging.
 * `*path` gets the outcome; on REJECT, as far as it got by then. */
enum nu_path_verdict nu_path_apply(const struct nu_path_rules *rules, struct nu_arena *arena,
                                   struct nu_str *path);

/*
 * Brings the part before the query into the canonical form of a URL: dot segments removed (also in
 * their %2e spelling), backslashes turned into slashes, unreserved characters unescaped, characters
 * that a path may not hold escaped. What does not begin with a slash ("*") is left alone. False,
 * with `*path` unchanged, for a NUL.
 */
NU_MUST_USE bool nu_path_normalize(struct nu_arena *arena, struct nu_str *path);

/* Each run of slashes before the query becomes one; a path of slashes only becomes "//" as in
 * Envoy. */
struct nu_str nu_path_merge_slashes(struct nu_arena *arena, struct nu_str path);

/* Replaces %2F and %5C before the query by the characters. */
struct nu_str nu_path_unescape_slashes(struct nu_arena *arena, struct nu_str path);
/* Whether there is a %2F or %5C before the query. */
bool nu_path_has_escaped_slashes(struct nu_str path);

/* The part before the first '?'. */
static inline struct nu_str nu_path_without_query(struct nu_str path)
{
    return nu_str_first(path, nu_str_find_char(path, '?'));
}

/* The part before the first '?' or '#', which is what routes are matched against. */
struct nu_str nu_path_without_query_and_fragment(struct nu_str path);
/* The part from the first '?' on, that character included; empty without one. */
struct nu_str nu_path_query(struct nu_str path);
/* The part before the first ';', for ignore_path_parameters_in_path_matching. */
static inline struct nu_str nu_path_without_parameters(struct nu_str path)
{
    return nu_str_first(path, nu_str_find_char(path, ';'));
}

#endif
