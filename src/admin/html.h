/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pages for people share: one look, in one inline style sheet. They work without scripts
 * and load nothing from elsewhere.
 */
#ifndef NU_ADMIN_HTML_H
#define NU_ADMIN_HTML_H

#include "admin/admin_internal.h"

/* Appends the head and the title bar. `refresh_s` is how often the page loads itself again; 0:
 * never. */
void nu_admin_html_begin(struct nu_strbuf *out, const struct nu_admin *admin, const char *title,
                         unsigned refresh_s);
void nu_admin_html_end(struct nu_strbuf *out);
/* Appends text with the characters that mean something in HTML escaped. */
void nu_admin_html_escape(struct nu_strbuf *out, struct nu_str text);

/* Appends a drop-down of "a, b, c", below the empty value for the default, with `chosen`
 * selected. */
void nu_admin_html_select(struct nu_strbuf *out, const char *name, const char *values,
                          struct nu_str chosen);

#endif
