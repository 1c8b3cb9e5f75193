/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions with RE2's syntax and linear time, which is what Envoy's safe_regex promises.
 * A compiled regex is immutable and may be used by many threads.
 */
#ifndef NU_BASE_REGEX_H
#define NU_BASE_REGEX_H

#include "base/str.h"

#ifdef __cplusplus
extern "C" {
#endif

struct nu_regex;

/*
 * Compiles `pattern`. On failure returns NULL and, if `error` is not NULL, adds RE2's reason there.
 * The caller destroys the result.
 */
struct nu_regex *nu_regex_create(struct nu_str pattern, struct nu_strbuf *error);
/* The same for patterns of foreign hands: one that takes more than `bytes` of memory is refused. How long
 * that takes follows from the memory and from the length of the pattern, which is for the caller to bound. */
struct nu_regex *nu_regex_create_bounded(struct nu_str pattern, size_t bytes,
                                         struct nu_strbuf *error);
void nu_regex_destroy(struct nu_regex **regex);

/* RE2's estimate of the compiled size; Envoy warns or refuses by it. */
int nu_regex_program_size(const struct nu_regex *regex);
/* Number of capturing groups. */
int nu_regex_group_count(const struct nu_regex *regex);

/* Whether the whole of `text` matches. */
bool nu_regex_full_match(const struct nu_regex *regex, struct nu_str text);
/* Whether some part of `text` matches. */
bool nu_regex_search(const struct nu_regex *regex, struct nu_str text);
/*
 * Searches `text` and writes what the groups captured, the whole match first, to `groups` (`count`
 * views into `text`). A group that took no part, and any from the 17th view on, gets a NULL
 * pointer. False, and nothing written, when there is no match.
 */
bool nu_regex_find(const struct nu_regex *regex, struct nu_str text, struct nu_str *groups,
                   size_t count);
/*
 * Whether a rewrite string (\0 to \9, \\) uses only groups that exist; the reason goes to `error`.
 */
bool nu_regex_check_rewrite(const struct nu_regex *regex, struct nu_str rewrite,
                            struct nu_strbuf *error);
/*
 * Replaces every match in `text` by `rewrite` and appends the outcome to `out`; returns the number
 * of replacements.
 */
int nu_regex_replace_all(const struct nu_regex *regex, struct nu_str text, struct nu_str rewrite,
                         struct nu_strbuf *out);

#ifdef __cplusplus
}
#endif

#endif
