/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads configuration files and says of each whether it loads, with all errors: what walk.py and the
 * comparison with Envoy are built on.
 *
 *     config_walk [--type MESSAGE] [--print] [--warnings] FILE...
 *
 * Prints "ok FILE" or "refused FILE" and below the errors, each after a tab. --type reads a message
 * other than the bootstrap, --print writes what was read as JSON. Exits 1 if a file is refused.
 */
#include <stdio.h>

#include "config/config.h"
#include "config/print.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"

struct options {
    const ProtobufCMessageDescriptor *type;
    bool print;
    bool warnings;
};

static void print_list(const char *mark, const struct nu_error_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct nu_strbuf line = {0};
        nu_error_format(&list->items[i], &line);
        printf("\t%s%s\n", mark, line.data);
        nu_strbuf_finish(&line);
    }
}

static void print_json(const ProtobufCMessage *message)
{
    struct nu_strbuf text = {0};
    struct nu_json json;
    nu_json_init(&json, &text, true);
    nu_config_print(&json, message, NULL);
    printf("%s\n", text.data);
    nu_strbuf_finish(&text);
}

static bool load(const struct options *options, const char *path)
{
    struct nu_arena arena;
    struct nu_config_ctx ctx;
    nu_arena_init(&arena);
    nu_config_ctx_init(&ctx, &arena);
    const ProtobufCMessage *message = nu_config_load(&ctx, path, NULL, options->type);
    printf("%s %s\n", message ? "ok" : "refused", path);
    print_list("", &ctx.errors);
    if (options->warnings)
        print_list("warning: ", &ctx.warnings);
    if (options->print && message)
        print_json(message);
    nu_config_ctx_finish(&ctx);
    nu_arena_finish(&arena);
    return message != NULL;
}

int main(int argc, char **argv)
{
    struct options options = {.type = &envoy__config__bootstrap__v3__bootstrap__descriptor};
    bool all_ok = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--print") == 0)
            options.print = true;
        else if (strcmp(argv[i], "--warnings") == 0)
            options.warnings = true;
        else if (strcmp(argv[i], "--type") == 0 && i + 1 < argc)
            options.type = nu_config_find_type(nu_str_from(argv[++i]));
        else if (options.type)
            all_ok &= load(&options, argv[i]);
        if (!options.type) {
            fprintf(stderr, "no such message: %s\n", argv[i]);
            return 2;
        }
    }
    return all_ok ? 0 : 1;
}
