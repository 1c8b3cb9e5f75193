/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plug-ins: filters in a shared library that nuncio loads by the filter
 *
 *     - name: my_filter
 *       typed_config:
 *         "@type": type.googleapis.com/nuncio.filters.http.plugin.v1.Plugin
 *         path: /usr/lib/nuncio/token_gate.so
 *         config: { header: x-token, token: secret }
 *
 * The library names its filters once, at the end of a source file:
 *
 *     NUNCIO_PLUGIN(&token_gate)
 *
 * It is linked against nothing: the nuncio that loads it has every function of these headers. A
 * library works with the nuncio that has the same ABI number; another one refuses it by name before
 * it runs any of its code.
 */
#ifndef NUNCIO_PLUGIN_H
#define NUNCIO_PLUGIN_H

#include "nuncio/filter.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Configurations --------------------------------------------------------------------------- */

/*
 * The `config` member of one use of the plug-in, while config_create reads it. A member is named by
 * its key; "a.b" is the member b of the object a. All texts are UTF-8.
 */

/* The whole member as JSON: an object, "{}" if there is none. Valid during config_create. */
NUNCIO_API struct nu_str nu_plugin_config_json(struct nu_plugin_config *config);
/*
 * One member; `*out` is left alone where there is none. False, with an error that tells the place,
 * where it is something else. The string lives as long as the configuration. A number may stand in
 * quotes; in YAML one with a fraction is read like that, in JSON text too.
 */
NUNCIO_API bool nu_plugin_config_string(struct nu_plugin_config *config, const char *member,
                                        struct nu_str *out);
NUNCIO_API bool nu_plugin_config_number(struct nu_plugin_config *config, const char *member,
                                        double *out);
NUNCIO_API bool nu_plugin_config_bool(struct nu_plugin_config *config, const char *member,
                                      bool *out);
/* Zeroed memory that lives as long as the configuration; what is made of it needs no
 * config_destroy. */
NUNCIO_API void *nu_plugin_config_alloc(struct nu_plugin_config *config, size_t size);
/*
 * Refuses the configuration: nuncio prints the message with file, line and column of `member`
 * (NULL: of the whole) and does not start. May be called several times. `message` is copied.
 */
NUNCIO_API void nu_plugin_config_error(struct nu_plugin_config *config, const char *member,
                                       const char *message);

/* --- The library ------------------------------------------------------------------------------ */

/* What a plug-in exports, under the symbol `nuncio_plugin`. */
struct nuncio_plugin {
    uint32_t abi;                                 /* NUNCIO_FILTER_ABI */
    const struct nu_filter_class *const *filters; /* ends with NULL */
};

/* The ABI number as an ELF note, which can be read from the file before anything is loaded. */
struct nuncio_plugin_note {
    uint32_t name_size;
    uint32_t desc_size;
    uint32_t type;
    char name[8];
    uint32_t abi;
};

#define NUNCIO_PLUGIN_NOTE_TYPE 1u

#ifdef __cplusplus
#define NUNCIO_EXTERN_ extern "C"
#else
#define NUNCIO_EXTERN_ extern
#endif

/* Names the library's filters: pointers to struct nu_filter_class, separated by commas. */
#define NUNCIO_PLUGIN(...) \
    __attribute__((section(".note.nuncio"), used, \
                   aligned(4))) static const struct nuncio_plugin_note nuncio_plugin_note_ = { \
        7, 4, NUNCIO_PLUGIN_NOTE_TYPE, "nuncio", NUNCIO_FILTER_ABI}; \
    static const struct nu_filter_class *const nuncio_plugin_filters_[] = {__VA_ARGS__, NULL}; \
    NUNCIO_EXTERN_ NUNCIO_API const struct nuncio_plugin nuncio_plugin; \
    NUNCIO_API const struct nuncio_plugin nuncio_plugin = {NUNCIO_FILTER_ABI, \
                                                           nuncio_plugin_filters_};

#ifdef __cplusplus
}
#endif

#endif
