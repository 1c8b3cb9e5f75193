/* SPDX-License-Identifier: Apache-2.0 */
/* Error lists: grown on the heap, bounded so that a hostile file cannot fill memory with errors. */
#include "base/error.h"

#include "base/alloc.h"

enum { MAX_ERRORS = 1000 };

void nu_error_list_finish(struct nu_error_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        nu_free(nu_unconst(list->items[i].position.source));
        nu_free(list->items[i].path);
        nu_free(list->items[i].message);
    }
    nu_free(list->items);
    *list = (struct nu_error_list){0};
}

/* A copy in one line of plain text: what is quoted from a file may hold anything. */
static char *printable_copy(const char *text)
{
    struct nu_strbuf out = {0};
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '\n')
            nu_strbuf_add_cstr(&out, "\\n");
        else if (c == '\r')
            nu_strbuf_add_cstr(&out, "\\r");
        else if (c == '\t')
            nu_strbuf_add_cstr(&out, "\\t");
        else if (c < 0x20 || c == 0x7f)
            nu_strbuf_addf(&out, "\\x%02x", c);
        else
            nu_strbuf_add_char(&out, *p);
    }
    return nu_strbuf_take(&out);
}

void nu_error_addv(struct nu_error_list *list, struct nu_position position, const char *path,
                   const char *fmt, va_list args)
{
    if (list->count >= MAX_ERRORS) {
        list->dropped++;
        return;
    }
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 8;
        list->items = nu_realloc(list->items, list->cap * sizeof(*list->items));
    }
    struct nu_strbuf message = {0};
    nu_strbuf_addv(&message, fmt, args);
    struct nu_error *error = &list->items[list->count++];
    error->position = position;
    error->position.source = position.source ? nu_strdup(position.source) : NULL;
    error->path = path && *path ? printable_copy(path) : NULL;
    error->message = printable_copy(message.data ? message.data : "");
    nu_strbuf_finish(&message);
}

void nu_error_add(struct nu_error_list *list, struct nu_position position, const char *path,
                  const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    nu_error_addv(list, position, path, fmt, args);
    va_end(args);
}

static int compare(const struct nu_error *a, const struct nu_error *b)
{
    int order = strcmp(a->position.source ? a->position.source : "",
                       b->position.source ? b->position.source : "");
    if (order != 0)
        return order;
    if (a->position.line != b->position.line)
        return a->position.line < b->position.line ? -1 : 1;
    if (a->position.column != b->position.column)
        return a->position.column < b->position.column ? -1 : 1;
    return 0;
}

/* Insertion sort: stable, and lists are short or nearly in order. */
void nu_error_list_sort(struct nu_error_list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        struct nu_error moved = list->items[i];
        size_t j = i;
        for (; j > 0 && compare(&list->items[j - 1], &moved) > 0; j--)
            list->items[j] = list->items[j - 1];
        list->items[j] = moved;
    }
}

void nu_error_format(const struct nu_error *error, struct nu_strbuf *out)
{
    const struct nu_position *at = &error->position;
    if (at->source) {
        nu_strbuf_add_cstr(out, at->source);
        if (at->line)
            nu_strbuf_addf(out, ":%u", at->line);
        if (at->line && at->column)
            nu_strbuf_addf(out, ":%u", at->column);
        nu_strbuf_add_cstr(out, ": ");
    }
    if (error->path) {
        nu_strbuf_add_cstr(out, error->path);
        nu_strbuf_add_cstr(out, ": ");
    }
    nu_strbuf_add_cstr(out, error->message);
}

void nu_error_list_format(const struct nu_error_list *list, struct nu_strbuf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        nu_error_format(&list->items[i], out);
        nu_strbuf_add_char(out, '\n');
    }
    if (list->dropped)
        nu_strbuf_addf(out, "... and %zu more error%s\n", list->dropped,
                       list->dropped == 1 ? "" : "s");
}
