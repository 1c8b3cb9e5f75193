/* SPDX-License-Identifier: Apache-2.0 */
/* What several guests of the tests need, on proxy_wasm.h. */
#ifndef NU_TESTS_GUEST_H
#define NU_TESTS_GUEST_H

#include "proxy_wasm.h"

/* What the plug-in's configuration says, kept from what the host brings later. */
static struct text configuration;

/* For on_configure. */
static inline void keep_configuration(void)
{
    static char bytes[4096];
    struct text now = {0};
    proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, sizeof(bytes), &now.ptr, &now.size);
    memcpy(bytes, now.ptr, now.size);
    configuration = (struct text){bytes, now.size};
}

/* Whether a word stands in it. */
static inline bool says(const char *word)
{
    for (size_t i = 0; i < configuration.size; i++) {
        if (begins((struct text){configuration.ptr + i, configuration.size - i}, word))
            return true;
    }
    return false;
}

/* What stands before a separator, which is taken off as well. */
static inline struct text cut(struct text *rest, char separator)
{
    struct text part = {rest->ptr, 0};
    while (part.size < rest->size && part.ptr[part.size] != separator)
        part.size++;
    size_t taken = part.size < rest->size ? part.size + 1 : part.size;
    rest->ptr += taken;
    rest->size -= taken;
    return part;
}

/* A digit to the base 16. */
static inline int digit(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

#endif
