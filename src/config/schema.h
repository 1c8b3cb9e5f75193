/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the .proto files say beyond protobuf-c's descriptors: the registry of all compiled messages,
 * the API's validation rules, the fields and enum values that Envoy knows and nuncio does not
 * implement, and the names of all of Envoy's extensions. All of it is constant data, written at
 * build time by proto/tables.py. Any thread.
 */
#ifndef NU_CONFIG_SCHEMA_H
#define NU_CONFIG_SCHEMA_H

#include <protobuf-c/protobuf-c.h>

#include "base/str.h"

enum nu_rule_kind {
    NU_RULE_REQUIRED,      /* a message must be set */
    NU_RULE_TRUE,          /* a bool must be true */
    NU_RULE_DEFINED,       /* an enum's number must have a name */
    NU_RULE_RANGE,         /* a number, or a duration in nanoseconds */
    NU_RULE_MIN_LEN,       /* characters of a string */
    NU_RULE_MAX_BYTES,     /* bytes of a string or of bytes */
    NU_RULE_MIN_ITEMS,     /* items of a repeated field */
    NU_RULE_MAX_ITEMS,     /* items of a repeated field */
    NU_RULE_IN,            /* one of some texts */
    NU_RULE_PATTERN,       /* an RE2 pattern for the whole of a string */
    NU_RULE_HEADER_NAME,   /* RFC 7230's token, with a leading ':' allowed */
    NU_RULE_HEADER_VALUE,  /* no control characters but a tab */
    NU_RULE_HEADER_STRING, /* no NUL, CR or LF */
};

/* What a rule looks at. */
enum nu_rule_scope {
    NU_RULE_ON_FIELD,
    NU_RULE_ON_ITEM, /* every item of a repeated field */
    NU_RULE_ON_KEY,  /* every key of a map */
};

struct nu_rule_range {
    double low;
    double high;
    bool has_low;
    bool has_high;
    bool low_open;  /* low itself is outside */
    bool high_open; /* high itself is outside */
};

struct nu_rule {
    enum nu_rule_kind kind;
    enum nu_rule_scope scope;
    bool skip_empty; /* holds only for a value that is not empty or zero */
    size_t count;    /* MIN_LEN, MAX_BYTES, MIN_ITEMS, MAX_ITEMS; of texts for IN */
    union {
        struct nu_rule_range range;
        const char *pattern;
        const char *const *texts; /* IN */
    };
};

struct nu_field_meta {
    const struct nu_rule *rules;
    size_t rule_count;
    const char *ignored; /* why the field changes nothing here, or NULL */
    bool deprecated;
    bool sensitive; /* a secret, never printed */
};

/* A field of Envoy's that is not implemented. */
struct nu_reserved_field {
    uint32_t number;
    const char *name;
    const char
        *nothing; /* the value, in JSON, that asks for nothing (proto/defaults.tsv), or NULL */
};

struct nu_oneof_meta {
    const char *name;
    uint32_t first_number; /* of the member that comes first */
    bool required;
};

struct nu_message_meta {
    const ProtobufCMessageDescriptor *descriptor;
    const struct nu_field_meta
        *fields; /* beside descriptor->fields; NULL if there is nothing to say */
    const struct nu_reserved_field *reserved;
    size_t reserved_count;
    const struct nu_oneof_meta *oneofs;
    size_t oneof_count;
    bool is_map_entry;
};

struct nu_enum_meta {
    const ProtobufCEnumDescriptor *descriptor;
    const int *not_implemented;
    size_t not_implemented_count;
};

/*
 * An extension of Envoy's, one entry for each type of its configuration; or another message of the
 * extensions' API, without category and name.
 */
struct nu_extension_info {
    const char *category; /* or NULL */
    const char *name;     /* or NULL */
    const char *type;     /* full message name, or NULL */
};

/* The message called `name` ("envoy.config.cluster.v3.Cluster"), or NULL. */
const struct nu_message_meta *nu_schema_find(struct nu_str name);
/* The same by descriptor, which must be one of a compiled message. */
const struct nu_message_meta *nu_schema_meta(const ProtobufCMessageDescriptor *descriptor);
/* The descriptor of the message called `name`, or NULL. */
const ProtobufCMessageDescriptor *nu_config_find_type(struct nu_str name);
/* The message name in a type URL: what stands behind the last '/'. */
struct nu_str nu_config_type_name(struct nu_str type_url);
/* Bytes of one value of a type, in a message or in an array. */
size_t nu_type_size(ProtobufCType type);

/* Whether Envoy knows this value of an enum and nuncio does not implement it. */
bool nu_schema_enum_is_missing(const ProtobufCEnumDescriptor *descriptor, int value);

/* The field of a message by number among the ones not implemented, or NULL. */
const struct nu_reserved_field *nu_schema_reserved(const struct nu_message_meta *meta,
                                                   uint32_t number);

/* The entry of a type (not empty), or NULL. */
const struct nu_extension_info *nu_schema_extension_of_type(struct nu_str type);
/* The extension called `name` ("envoy.filters.http.router", not empty), or NULL. */
const struct nu_extension_info *nu_schema_extension_named(struct nu_str name);

/* The generated tables: messages and enums are sorted by name. */
extern const struct nu_message_meta nu_schema_messages[];
extern const size_t nu_schema_message_count;
extern const struct nu_enum_meta nu_schema_enums[];
extern const size_t nu_schema_enum_count;
extern const struct nu_extension_info nu_schema_extensions[];
extern const size_t nu_schema_extension_count;

#endif
