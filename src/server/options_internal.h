/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all options, shared by reading (options.c) and describing (options_help.c). */
#ifndef NU_SERVER_OPTIONS_INTERNAL_H
#define NU_SERVER_OPTIONS_INTERNAL_H

#include "server/options.h"

enum nu_option_kind {
    NU_OPTION_HEADING, /* no option: a title in --help */
    NU_OPTION_TEXT,
    NU_OPTION_NUMBER,
    NU_OPTION_SWITCH,
    NU_OPTION_LEVEL,
    NU_OPTION_LEVELS,
    NU_OPTION_MODE,
    NU_OPTION_STRATEGY,
    NU_OPTION_IP_VERSION,
    NU_OPTION_TAG,
    NU_OPTION_HELP,
    NU_OPTION_VERSION,
    NU_OPTION_HOT_RESTART_VERSION,
    NU_OPTION_IGNORED, /* accepted, no meaning here */
};

struct nu_option {
    const char *name;
    const char *value_name; /* NULL: takes none */
    const char *help;       /* of an ignored one: why it has no effect */
    uint16_t offset;        /* of the field in struct nu_options */
    uint8_t kind;           /* enum nu_option_kind */
    char letter;            /* 0: none */
};

extern const struct nu_option nu_option_table[];
extern const size_t nu_option_count;

/* Adds an option's lines of a help: what it is called, what it means. */
void nu_option_add_help(struct nu_strbuf *out, const struct nu_option *option);
/* Prints --help to stdout; `path` is the program's. */
void nu_options_print_help(const char *path);

#endif
