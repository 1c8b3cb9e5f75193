/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small JSON writer over a string builder: it places commas and quotes, so that callers only name
 * members and values. Output is compact (RFC 8259), or indented for people.
 */
#ifndef NU_BASE_JSON_H
#define NU_BASE_JSON_H

#include "base/str.h"

struct nu_json {
    struct nu_strbuf *out; /* borrowed */
    bool pretty;           /* one space of indent a level, Envoy's style in /config_dump */
    bool need_comma;       /* private */
    bool after_key;        /* private */
    int depth;             /* private */
};

/* Starts a document that is appended to `out`. */
void nu_json_init(struct nu_json *json, struct nu_strbuf *out, bool pretty);

void nu_json_object_begin(struct nu_json *json);
void nu_json_object_end(struct nu_json *json);
void nu_json_array_begin(struct nu_json *json);
void nu_json_array_end(struct nu_json *json);
/* The next member's name. */
void nu_json_key(struct nu_json *json, struct nu_str key);

void nu_json_string(struct nu_json *json, struct nu_str value);
void nu_json_u64(struct nu_json *json, uint64_t value);
void nu_json_i64(struct nu_json *json, int64_t value);
/* 15 significant digits, or 17 where 15 do not read back as the same number: what Envoy prints in
 * /config_dump. Not-a-number and infinities become the strings "NaN", "Infinity", "-Infinity", as
 * proto3 JSON has them. (The shortest form is base/number.h.) */
void nu_json_double(struct nu_json *json, double value);
void nu_json_bool(struct nu_json *json, bool value);
void nu_json_null(struct nu_json *json);
/* Text that is a JSON value already. */
void nu_json_raw(struct nu_json *json, struct nu_str value);

/* Appends `s` as a quoted JSON string; bytes that are not UTF-8 become U+FFFD. */
void nu_json_escape(struct nu_strbuf *out, struct nu_str s);
/* The same without the quotes. */
void nu_json_escape_body(struct nu_strbuf *out, struct nu_str s);
/*
 * Without the quotes and without loss, as Envoy does it in logs. In UTF-8 only what JSON forbids is
 * escaped (DEL is not). In other bytes all but plain ASCII is, each as a \u00XX of its own, and so
 * are quotes and backslashes.
 */
void nu_json_escape_bytes(struct nu_strbuf *out, struct nu_str s);

#endif
