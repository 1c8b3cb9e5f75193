/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a plug-in's ABI number from its file. dlopen resolves symbols and runs constructors
 * before it gives anything back, so an old plug-in would fail with the linker's words, or run; the
 * number is therefore in an ELF note (NUNCIO_PLUGIN makes it), and read before.
 */
#ifndef NU_FILTERS_HTTP_PLUGIN_ELF_NOTE_H
#define NU_FILTERS_HTTP_PLUGIN_ELF_NOTE_H

#include "base/compiler.h"
#include "base/result.h"

#include <stdint.h>

/*
 * The ABI number of the open file. NU_INVALID if it is no shared object for this kind of machine,
 * NU_NOT_FOUND if it has no such note. The file is foreign: nothing in it is trusted.
 */
NU_MUST_USE enum nu_result nu_elf_note_read_abi(int fd, uint32_t *abi);

#endif
