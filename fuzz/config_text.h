/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two text targets share. An input is read as a bootstrap and held against the rules. If
 * it is read without errors it must survive the way to JSON and back: the printed text is read
 * again, and prints the same.
 */
#ifndef NU_FUZZ_CONFIG_TEXT_H
#define NU_FUZZ_CONFIG_TEXT_H

#include "base/assert.h"
#include "config/config.h"
#include "config/print.h"
#include "fuzz/target.h"

/* Reads a bootstrap; if that went well its JSON is in `json` and true is returned. */
static inline bool read_and_print(struct nu_str text, enum nu_config_format format,
                                  struct nu_strbuf *json)
{
    struct nu_arena arena;
    struct nu_config_ctx ctx;
    struct nu_json writer;
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    const ProtobufCMessage *message =
        nu_config_read(&ctx, "input", text, format,
                       nu_config_find_type(NU_STR("envoy.config.bootstrap.v3.Bootstrap")));
    bool was_read = message && nu_config_is_ok(&ctx);
    if (message)
        nu_config_validate(&ctx, message);
    if (was_read) {
        nu_json_init(&writer, json, false);
        nu_config_print(&writer, message);
    }
    struct nu_strbuf errors = {0};
    nu_error_list_sort(&ctx.errors);
    nu_error_list_format(&ctx.errors, &errors);
    nu_strbuf_finish(&errors);
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
    return was_read;
}

static inline void fuzz_text(struct nu_str text, enum nu_config_format format)
{
    struct nu_strbuf first = {0};
    struct nu_strbuf second = {0};
    if (read_and_print(text, format, &first)) {
        nu_assert(read_and_print(nu_strbuf_str(&first), NU_CONFIG_JSON, &second));
        nu_assert(nu_str_eq(nu_strbuf_str(&first), nu_strbuf_str(&second)));
    }
    nu_strbuf_finish(&first);
    nu_strbuf_finish(&second);
}

#endif
