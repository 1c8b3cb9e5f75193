/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as JSON, for config_dump: protobuf's JSON mapping with the names of the .proto files,
 * defaults left out, Anys opened. What is a secret (nuncio/options.proto), and every text below it,
 * is printed as "[redacted]". Any thread.
 */
#ifndef NU_CONFIG_PRINT_H
#define NU_CONFIG_PRINT_H

#include <protobuf-c/protobuf-c.h>

#include "base/json.h"

struct nu_field_mask;

/* Writes the message as one JSON value. */
void nu_config_print(struct nu_json *json, const ProtobufCMessage *message);

struct nu_config_print_options {
    const struct nu_field_mask *mask; /* what is printed of the message; NULL for all */
    bool with_type;                   /* "@type" comes first, as in an Any */
};

/*
 * A printing that is asked for one part after the other, so that a large message does not hold its
 * thread up. The message and the mask must stay as they are meanwhile.
 */
struct nu_config_printer;

struct nu_config_printer *nu_config_printer_create(const ProtobufCMessage *message,
                                                   const struct nu_config_print_options *options);
/* Writes the next part, a value or a bracket; returns whether there is more. `json->out` may be
 * another one each time. */
bool nu_config_printer_next(struct nu_config_printer *printer, struct nu_json *json);
/* Ends a printing at any point; NULL inside is allowed. */
void nu_config_printer_destroy(struct nu_config_printer **printer);

#endif
