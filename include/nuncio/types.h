/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types and attributes that the plug-in interface shares with nuncio itself.
 */
#ifndef NUNCIO_TYPES_H
#define NUNCIO_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Marks what the nuncio executable exports to plug-ins, and what a plug-in exports to nuncio. */
#define NUNCIO_API __attribute__((visibility("default")))

/* A view of bytes: it owns nothing. Whoever hands one out says how long the bytes live. */
struct nu_str {
    const char *ptr; /* need not be NUL-terminated; may be NULL when len is 0 */
    size_t len;
};

#ifdef __cplusplus
}
#endif

#endif
