/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/not-implemented.md: what of Envoy's messages nuncio knows and does not implement. */
#include <stdio.h>

#include "base/str.h"
#include "config/schema.h"

static const char INTRODUCTION[] =
    "# Fields of Envoy's that are not implemented\n\n"
    "This page is written from the messages that nuncio is built with, and is complete for them. A "
    "configuration that sets one of these\nfields or values is refused, with its place and \"known "
    "to Envoy, not implemented by nuncio\". Where a value stands behind a field, it\nasks for "
    "nothing, and passes; so do null and an empty list. [differences.md](differences.md"
    "#not-there-yet) says in words\nwhat is not there, and which extensions are.\n\n";

static void print_reserved(const struct nu_message_meta *message)
{
    const char *separator = " | ";
    printf("| `%s`", message->descriptor->name);
    for (size_t i = 0; i < message->reserved_count; i++) {
        const struct nu_reserved_field *field = &message->reserved[i];
        printf("%s`%s`", separator, field->name);
        if (field->nothing)
            printf(" (`%s`)", field->nothing);
        separator = ", ";
    }
    printf(" |\n");
}

static void print_missing(const struct nu_enum_meta *of)
{
    const char *separator = " | ";
    printf("| `%s`", of->descriptor->name);
    for (size_t i = 0; i < of->not_implemented_count; i++) {
        const ProtobufCEnumValue *value =
            protobuf_c_enum_descriptor_get_value(of->descriptor, of->not_implemented[i]);
        printf("%s`%s`", separator, value->name);
        separator = ", ";
    }
    printf(" |\n");
}

int main(void)
{
    fputs(INTRODUCTION, stdout);
    printf("| message | fields |\n|---|---|\n");
    for (size_t i = 0; i < nu_schema_message_count; i++)
        if (nu_schema_messages[i].reserved_count)
            print_reserved(&nu_schema_messages[i]);
    printf("\n| enum | values |\n|---|---|\n");
    for (size_t i = 0; i < nu_schema_enum_count; i++)
        print_missing(&nu_schema_enums[i]);
    return 0;
}
