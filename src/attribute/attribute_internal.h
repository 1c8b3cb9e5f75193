/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside: classes of maps, lists and messages, and the roots, a table of attributes each.
 */
#ifndef NU_ATTRIBUTE_INTERNAL_H
#define NU_ATTRIBUTE_INTERNAL_H

#include "attribute/attribute.h"
#include "base/value.h"

struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;
struct nu_address;
struct nu_locality;

/* What a kind of object can do; every function may be NULL: it cannot. */
struct nu_attribute_class {
    struct nu_attribute (*member)(const struct nu_attribute_source *source,
                                  const struct nu_attribute_object *self, struct nu_str name);
    struct nu_attribute_entries (*list)(const struct nu_attribute_source *source,
                                        const struct nu_attribute_object *self);
    /* How many members a search passes; NULL: few. */
    size_t (*size)(const struct nu_attribute_object *self);
    void (*encode)(const struct nu_attribute_source *source, const struct nu_attribute_object *self,
                   struct nu_strbuf *out);
};

/* One attribute below a root. Attributes that differ in little share a function. */
struct nu_attribute_field {
    struct nu_str name;
    struct nu_attribute (*get)(const struct nu_attribute_source *source, unsigned which);
    unsigned which;
    bool needs_no_stream;
};

/* A root, or a map of the same shape below one. */
struct nu_attribute_table {
    const struct nu_attribute_field *fields;
    size_t count;
};

extern const struct nu_attribute_table nu_attributes_of_request;
extern const struct nu_attribute_table nu_attributes_of_response;
extern const struct nu_attribute_table nu_attributes_of_connection;
extern const struct nu_attribute_table nu_attributes_of_upstream;
extern const struct nu_attribute_table nu_attributes_of_source;
extern const struct nu_attribute_table nu_attributes_of_destination;
extern const struct nu_attribute_table nu_attributes_of_xds;

/* --- Kinds of objects ------------------------------------------------------------------------- */

/* headers.c: a map of names in lower case, values of one name joined. NULL: an empty one. */
struct nu_attribute nu_attribute_headers(const struct nu_headers *headers);
/* headers.c: bytes of names and values; NULL: none. */
uint64_t nu_attribute_header_bytes(const struct nu_headers *headers);
/* metadata.c: envoy.config.core.v3.Metadata; NULL: an empty one. */
struct nu_attribute nu_attribute_metadata(const struct nu_metadata *metadata);
/* metadata.c: what a google.protobuf.Value stands for. */
struct nu_attribute nu_attribute_value(const struct nu_value *value);
/* message.c: any message; NULL: one without any field set. */
struct nu_attribute nu_attribute_message(const struct ProtobufCMessageDescriptor *descriptor,
                                         const struct ProtobufCMessage *message);
/* message.c: envoy.config.core.v3.Locality, made in the arena. */
struct nu_attribute nu_attribute_locality(const struct nu_attribute_source *source,
                                          const struct nu_locality *locality);
/* filter_state.c: the objects' texts; of the stream or of its upstream connection. */
struct nu_attribute nu_attribute_filter_state(const struct nu_attribute_source *source,
                                              unsigned upstream);

/* --- Values ----------------------------------------------------------------------------------- */

static inline struct nu_attribute nu_attribute_object(enum nu_attribute_type type,
                                                      const struct nu_attribute_class *object_class,
                                                      const void *of)
{
    return (struct nu_attribute){.type = type, .object = {.object_class = object_class, .of = of}};
}

static inline struct nu_attribute nu_attribute_duration_us(uint64_t from, uint64_t to)
{
    if (from == 0 || to < from)
        return nu_attribute_none();
    return (struct nu_attribute){.type = NU_ATTRIBUTE_DURATION,
                                 .integer = (int64_t)(to - from) * 1000};
}

enum nu_attribute_address { NU_ATTRIBUTE_ADDRESS, NU_ATTRIBUTE_PORT };

/* connection.c: "1.2.3.4:80", or the port. NONE if there is no address, or no port. */
struct nu_attribute nu_attribute_of_address(const struct nu_attribute_source *source,
                                            const struct nu_address *address,
                                            enum nu_attribute_address which);

#endif
