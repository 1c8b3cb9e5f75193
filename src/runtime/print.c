/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to /runtime. Envoy gives the keys in no order; here they are sorted. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "runtime/runtime_internal.h"

static int compare_entries(const void *a, const void *b)
{
    const struct nu_runtime_entry *const *left = a;
    const struct nu_runtime_entry *const *right = b;
    return nu_str_cmp((*left)->key, (*right)->key);
}

static void print_entry(struct nu_json *json, const struct nu_runtime *runtime,
                        const struct nu_runtime_entry *entry)
{
    nu_json_key(json, entry->key);
    nu_json_object_begin(json);
    nu_json_key(json, NU_STR("layer_values"));
    nu_json_array_begin(json);
    for (size_t i = 0; i < runtime->layer_count; i++) {
        const struct nu_runtime_entry *own = nu_map_get(&runtime->layers[i].entries, entry->key);
        nu_json_string(json, own ? own->text : NU_STR(""));
    }
    nu_json_array_end(json);
    nu_json_key(json, NU_STR("final_value"));
    nu_json_string(json, entry->text);
    nu_json_object_end(json);
}

static void print_entries(struct nu_json *json, const struct nu_runtime *runtime)
{
    size_t count = 0;
    const struct nu_runtime_entry **sorted =
        nu_calloc(runtime->values.count + 1, sizeof(struct nu_runtime_entry *));
    nu_map_for_each(slot, &runtime->values)
    {
        sorted[count++] = slot->value;
    }
    qsort(nu_unconst(sorted), count, sizeof(struct nu_runtime_entry *), compare_entries);
    nu_json_object_begin(json);
    for (size_t i = 0; i < count; i++)
        print_entry(json, runtime, sorted[i]);
    nu_json_object_end(json);
    nu_free(nu_unconst(sorted));
}

void nu_runtime_print(const struct nu_runtime *runtime, struct nu_strbuf *out)
{
    struct nu_json json;
    nu_json_init(&json, out, true);
    nu_json_object_begin(&json);
    nu_json_key(&json, NU_STR("layers"));
    nu_json_array_begin(&json);
    for (size_t i = 0; i < runtime->layer_count; i++)
        nu_json_string(&json, runtime->layers[i].name);
    nu_json_array_end(&json);
    nu_json_key(&json, NU_STR("entries"));
    print_entries(&json, runtime);
    nu_json_object_end(&json);
    nu_strbuf_add_char(out, '\n');
}
