/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of what guests leave in filter state. */
#include "wasm/state_text.h"

enum {
    OF_CONNECTION_MAX = 1 << 20, /* bytes of all that stays with one connection */
    ENTRY_BYTES = 128,
};

/* Whether a connection may have so many bytes instead of those, and counts them. */
static bool take(struct nu_filter_state *keeper, size_t bytes, size_t instead_of)
{
    size_t others = keeper->guest_bytes - instead_of;
    if (bytes > OF_CONNECTION_MAX || others + bytes > OF_CONNECTION_MAX)
        return false;
    keeper->guest_bytes = (uint32_t)(others + bytes);
    return true;
}

static void give_own(struct nu_wasm_state_text *text, struct nu_str value)
{
    nu_strbuf_clear(&text->own);
    nu_strbuf_add(&text->own, value);
    text->value = nu_strbuf_str(&text->own);
}

static void free_own(void *obj)
{
    nu_strbuf_finish(&((struct nu_wasm_state_text *)obj)->own);
}

struct nu_wasm_state_text *nu_wasm_state_text_create(struct nu_filter_state *keeper,
                                                     struct nu_str name, struct nu_str value)
{
    bool is_of_connection = keeper->is_of_connection;
    if (is_of_connection && !take(keeper, ENTRY_BYTES + name.len + value.len, 0))
        return NULL;
    struct nu_wasm_state_text *text = nu_arena_calloc(keeper->arena, sizeof(*text));
    if (!is_of_connection) {
        text->value = nu_arena_dup(keeper->arena, value);
        return text;
    }
    give_own(text, value);
    nu_arena_on_free(keeper->arena, free_own, text);
    return text;
}

bool nu_wasm_state_text_change(struct nu_filter_state *keeper, struct nu_wasm_state_text *text,
                               struct nu_str value)
{
    if (!keeper->is_of_connection) {
        text->value = nu_arena_dup(keeper->arena, value);
        return true;
    }
    if (!take(keeper, value.len, text->value.len))
        return false;
    give_own(text, value);
    return true;
}

bool nu_wasm_state_text_write(const void *object, struct nu_strbuf *out)
{
    const struct nu_wasm_state_text *text = object;
    nu_strbuf_add(out, text->value);
    return true;
}
