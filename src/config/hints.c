/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an error adds for the operator: the nearest name that exists, or the place a line
 * further in where the name belongs, the values of an enum, and
 * what to write in place of the v2 API, of which many old pages still tell.
 */
#include "config/convert_internal.h"

#include <stdio.h>

static unsigned tolerance(struct nu_str name)
{
    return name.len <= 4 ? 1 : name.len <= 8 ? 2 : 3;
}

/* --- Fields ----------------------------------------------------------------------------------- */

struct old_field {
    const char *message; /* short name, or NULL for every message that has the new field */
    const char *field;
    const char *now;
};

static const struct old_field old_fields[] = {
    {"Cluster", "hosts", "load_assignment"},
    {"Cluster", "tls_context", "transport_socket"},
    {"Cluster", "extension_protocol_options", "typed_extension_protocol_options"},
    {"FilterChain", "tls_context", "transport_socket"},
    {"Bootstrap", "runtime", "layered_runtime"},
    {"RouteMatch", "regex", "safe_regex"},
    {"HeaderMatcher", "regex_match", "string_match with safe_regex"},
    {"HttpConnectionManager", "idle_timeout", "common_http_protocol_options with idle_timeout"},
    {"HttpConnectionManager", "operation_name", "the listener's traffic_direction"},
    {"DynamicResources", "deprecated_v1", "lds_config and cds_config"},
    {NULL, "per_filter_config", "typed_per_filter_config"},
    {NULL, "config", "typed_config with an \"@type\""},
};

static const char *find_old_field(const struct nu_message_meta *meta, struct nu_str name)
{
    const ProtobufCMessageDescriptor *descriptor = meta->descriptor;
    for (size_t i = 0; i < NU_ARRAY_LEN(old_fields); i++) {
        const struct old_field *old = &old_fields[i];
        if (!nu_field_name_eq(name, old->field))
            continue;
        if (old->message && strcmp(old->message, descriptor->short_name) == 0)
            return old->now;
        char typed[64];
        snprintf(typed, sizeof(typed), "typed_%s", old->field);
        if (!old->message && protobuf_c_message_descriptor_get_field_by_name(descriptor, typed))
            return old->now;
    }
    return NULL;
}

/* --- Fields in the wrong place ---------------------------------------------------------------- */

static bool has_field(const struct nu_message_meta *meta, struct nu_str name)
{
    for (unsigned i = 0; i < meta->descriptor->n_fields; i++)
        if (nu_field_name_eq(name, meta->descriptor->fields[i].name))
            return true;
    return false;
}

/* The field of a message whose own message has what was looked for: NULL unless it is one alone. */
static const char *find_below(const struct nu_message_meta *meta, struct nu_str name)
{
    const char *found = NULL;
    for (unsigned i = 0; i < meta->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &meta->descriptor->fields[i];
        if (!nu_field_is_message(field))
            continue;
        const struct nu_message_meta *below = nu_schema_meta(field->descriptor);
        if (below->is_map_entry || !has_field(below, name))
            continue;
        if (found)
            return NULL;
        found = field->name;
    }
    return found;
}

void nu_hint_field(const struct nu_message_meta *meta, struct nu_str name, struct nu_strbuf *out)
{
    if (nu_str_eq(name, NU_STR("<<"))) {
        nu_strbuf_add_cstr(out,
                           "; merge keys are not read, by Envoy neither: write the fields out");
        return;
    }
    const char *now = find_old_field(meta, name);
    if (now) {
        nu_strbuf_addf(out, "; it is of the v2 API, which Envoy removed: write %s", now);
        return;
    }
    struct nu_nearest n = {name, NULL, tolerance(name) + 1};
    for (unsigned i = 0; i < meta->descriptor->n_fields; i++)
        nu_nearest_consider(&n, meta->descriptor->fields[i].name);
    for (size_t i = 0; i < meta->reserved_count; i++)
        nu_nearest_consider(&n, meta->reserved[i].name);
    const char *above = n.best ? NULL : find_below(meta, name);
    if (n.best)
        nu_strbuf_addf(out, " (did you mean %s?)", n.best);
    else if (above)
        nu_strbuf_addf(out, " (did you mean %s.%.*s?)", above, NU_STR_ARG(name));
}

/* --- Enum values ------------------------------------------------------------------------------ */

void nu_hint_enum(const ProtobufCEnumDescriptor *descriptor, struct nu_str name,
                  struct nu_strbuf *out)
{
    enum { LIST_UP_TO = 8 };
    struct nu_nearest n = {name, NULL, tolerance(name) + 1};
    for (unsigned i = 0; i < descriptor->n_values; i++)
        nu_nearest_consider(&n, descriptor->values[i].name);
    if (n.best) {
        nu_strbuf_addf(out, " (did you mean %s?)", n.best);
        return;
    }
    if (descriptor->n_values > LIST_UP_TO)
        return;
    const char *separator = "; it has ";
    for (unsigned i = 0; i < descriptor->n_values; i++) {
        if (nu_schema_enum_is_missing(descriptor, descriptor->values[i].value))
            continue;
        nu_strbuf_addf(out, "%s%s", separator, descriptor->values[i].name);
        separator = ", ";
    }
}

/* --- Types ------------------------------------------------------------------------------------ */

static struct nu_str last_part(struct nu_str name)
{
    size_t dot = nu_str_rfind_char(name, '.');
    return dot == NU_NPOS ? name : nu_str_skip(name, dot + 1);
}

static bool is_v2_type(struct nu_str name)
{
    return nu_str_starts_with(name, NU_STR("envoy.")) &&
           (nu_str_find(name, NU_STR(".v2.")) != NU_NPOS ||
            nu_str_find(name, NU_STR(".v2alpha.")) != NU_NPOS);
}

static struct nu_str package_of(struct nu_str name)
{
    return nu_str_first(name, name.len - last_part(name).len);
}

static void consider_type(struct nu_nearest *n, const char *type, struct nu_str package)
{
    struct nu_str name = nu_str_from(type);
    if (!package.len || nu_str_eq(package, package_of(name)))
        nu_nearest_consider_as(n, type, last_part(name));
}

/* The type whose last part is nearest, in one package or, with an empty one, in all. */
static const char *nearest_type(struct nu_str name, struct nu_str package)
{
    struct nu_nearest n = {last_part(name), NULL, tolerance(last_part(name)) + 1};
    for (size_t i = 0; i < nu_schema_extension_count; i++)
        if (nu_schema_extensions[i].type)
            consider_type(&n, nu_schema_extensions[i].type, package);
    for (size_t i = 0; i < nu_schema_message_count; i++)
        if (nu_str_starts_with(nu_str_from(nu_schema_messages[i].descriptor->name),
                               NU_STR("nuncio.")))
            consider_type(&n, nu_schema_messages[i].descriptor->name, package);
    return n.best;
}

void nu_hint_missing_type(struct nu_str name, struct nu_strbuf *out)
{
    const struct nu_extension_info *extension = nu_schema_extension_of_type(name);
    if (extension) {
        nu_strbuf_add_cstr(out, extension->type);
        if (extension->name)
            nu_strbuf_addf(out, " (%s)", extension->name);
        nu_strbuf_add_cstr(out, ": known to Envoy, not implemented by nuncio");
        return;
    }
    nu_strbuf_addf(out, "no such type: %.*s", NU_STR_ARG(name));
    const char *best = nearest_type(name, package_of(name));
    if (!best)
        best = nearest_type(name, NU_STR(""));
    if (is_v2_type(name))
        nu_strbuf_add_cstr(out, "; it is of the v2 API, which Envoy removed");
    if (best)
        nu_strbuf_addf(out, " (did you mean %s?)", best);
}

/* --- Extensions ------------------------------------------------------------------------------- */

/* Extensions by their present names, and by the short ones of old configurations. */
static const struct nu_extension_info *find_extension(struct nu_str name)
{
    static const char *const families[] = {"envoy.filters.http", "envoy.filters.network",
                                           "envoy.filters.listener", "envoy.transport_sockets"};
    if (!name.len)
        return NULL;
    const struct nu_extension_info *info = nu_schema_extension_named(name);
    if (nu_str_eq(name, NU_STR("envoy.file_access_log")))
        return nu_schema_extension_named(NU_STR("envoy.access_loggers.file"));
    for (size_t i = 0; !info && i < NU_ARRAY_LEN(families); i++) {
        char full[128];
        int len = snprintf(full, sizeof(full), "%s.%.*s", families[i], NU_STR_ARG(last_part(name)));
        info = nu_schema_extension_named(nu_str_first(nu_str_from(full), (size_t)len));
    }
    return info;
}

void nu_hint_extension(struct nu_str name, struct nu_strbuf *out)
{
    const struct nu_extension_info *info = find_extension(name);
    const struct nu_extension_info *end = nu_schema_extensions + nu_schema_extension_count;
    const char *before = " (\"@type\": ";
    if (!info || !info->type)
        return;
    for (const char *found = info->name; info < end && info->name && strcmp(info->name, found) == 0;
         info++) {
        nu_strbuf_addf(out, "%stype.googleapis.com/%s", before, info->type);
        before = " or ";
    }
    nu_strbuf_add_char(out, ')');
}
