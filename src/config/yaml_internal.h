/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text that libyaml reads in place of a file's own. libyaml refuses two things that yaml-cpp,
 * and so Envoy, lets pass: a tab in a line that holds nothing else, or a comment, and a plain "::1"
 * inside of brackets. The former gets blanks, the latter another first letter, which the reader
 * puts right when it meets the scalar: nothing moves, so that all positions stay true, and no
 * scalar's value changes.
 */
#ifndef NU_CONFIG_YAML_INTERNAL_H
#define NU_CONFIG_YAML_INTERNAL_H

#include <yaml.h>

#include "config/doc.h"

struct nu_yaml_text {
    struct nu_str text; /* the input's own, or a copy in its arena */
    /* Where plain scalars begin that lost a colon, in libyaml's characters, ascending; in the
     * arena as well. */
    const size_t *colons;
    size_t colon_count;
};

/* Never fails: what cannot be read here is left to the reader's own complaint. */
struct nu_yaml_text nu_yaml_text_prepare(const struct nu_doc_input *in);

/* Takes one line off `rest`, without what ends it; line ends are those that libyaml counts. */
struct nu_str nu_yaml_text_line(struct nu_str *rest);

/* The text behind its byte order mark. */
struct nu_str nu_yaml_text_begin(struct nu_str text);

/* Bytes of the character that `s`, which is not empty, begins with. */
size_t nu_yaml_text_character(struct nu_str s);

/* Where a byte of the input stands, in characters; in UTF-16 only the file is known. */
struct nu_position nu_yaml_text_position(const struct nu_doc_input *in, size_t byte);

#endif
