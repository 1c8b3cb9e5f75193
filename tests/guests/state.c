/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A script (script.h) with two more commands, for HTTP and for connections:
 *
 *     state NAME VALUE SPAN    set_envoy_filter_state; a span of 0 to 2
 *     read NAME                what filter state has under this name
 *
 * and the callbacks new_connection, downstream_data and upstream_data.
 */
#include "proxy_wasm.h"

#include <stdbool.h>

static bool state_command(uint32_t id);
#define SCRIPT_MORE(id) state_command(id)
#include "script.h"

static size_t write_text(char *at, int field, struct text text)
{
    at[0] = (char)(field << 3 | 2);
    at[1] = (char)(text.size & 127);
    for (size_t i = 0; i < text.size; i++)
        at[2 + i] = text.ptr[i];
    return 2 + text.size;
}

static void read_state(void)
{
    char path[160] = "filter_state";
    size_t size = sizeof("filter_state");
    struct text value = {0};
    for (size_t i = 0; i < word(1).size; i++)
        path[size++] = word(1).ptr[i];
    say_value(proxy_get_property(path, size, &value.ptr, &value.size), value);
}

static bool state_command(uint32_t id)
{
    char message[512];
    (void)id;
    if (word(1).size > 127 || word(2).size > 127)
        return false;
    if (is(words[0], "read")) {
        read_state();
        return true;
    }
    if (!is(words[0], "state"))
        return false;
    size_t size = write_text(message, 1, word(1));
    size += write_text(message + size, 2, word(2));
    message[size++] = 3 << 3;
    message[size++] = (char)number_of(3);
    say_status(
        proxy_call_foreign_function(LITERAL("set_envoy_filter_state"), message, size, NULL, NULL));
    return true;
}

PROXY_EXPORT(proxy_on_new_connection) int on_new_connection(uint32_t id)
{
    return run(id, "new_connection", -1, 0, CONTINUE);
}

PROXY_EXPORT(proxy_on_downstream_data) int on_downstream_data(uint32_t id, size_t size, int end)
{
    return run(id, "downstream_data", (int)size, end, CONTINUE);
}

PROXY_EXPORT(proxy_on_upstream_data) int on_upstream_data(uint32_t id, size_t size, int end)
{
    return run(id, "upstream_data", (int)size, end, CONTINUE);
}
