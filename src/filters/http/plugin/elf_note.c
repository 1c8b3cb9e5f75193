/* SPDX-License-Identifier: Apache-2.0 */
/* Just enough of ELF: header, program headers, the notes of each PT_NOTE segment. */
#include "filters/http/plugin/elf_note.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#include "nuncio/plugin.h"

#include "base/alloc.h"
#include "base/compiler.h"

enum { SEGMENTS_MAX = 256, NOTES_MAX_BYTES = 64 * 1024 };

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
enum { OWN_DATA = ELFDATA2LSB };
#else
enum { OWN_DATA = ELFDATA2MSB };
#endif
enum { OWN_CLASS = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32 };

static bool read_at(int fd, void *out, size_t size, uint64_t offset)
{
    return offset <= INT64_MAX && pread(fd, out, size, (off_t)offset) == (ssize_t)size;
}

static bool is_shared_object(const ElfW(Ehdr) * header)
{
    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_ident[EI_CLASS] == OWN_CLASS && header->e_ident[EI_DATA] == OWN_DATA &&
           header->e_type == ET_DYN && header->e_phentsize == sizeof(ElfW(Phdr));
}

/* One note at the front of `bytes`; returns its size with padding, or 0 if it is cut. */
static size_t read_note(const char *bytes, size_t size, uint32_t *abi, bool *found)
{
    ElfW(Nhdr) note;
    if (size < sizeof(note))
        return 0;
    memcpy(&note, bytes, sizeof(note));
    uint64_t name = nu_align_up((uint64_t)note.n_namesz, 4);
    uint64_t whole = sizeof(note) + name + nu_align_up((uint64_t)note.n_descsz, 4);
    if (whole > size)
        return 0;
    const char *text = bytes + sizeof(note);
    if (note.n_namesz == sizeof("nuncio") && memcmp(text, "nuncio", sizeof("nuncio")) == 0 &&
        note.n_type == NUNCIO_PLUGIN_NOTE_TYPE && note.n_descsz == sizeof(*abi)) {
        memcpy(abi, text + name, sizeof(*abi));
        *found = true;
    }
    return whole;
}

static bool find_in_notes(const char *bytes, size_t size, uint32_t *abi)
{
    bool found = false;
    while (!found) {
        size_t whole = read_note(bytes, size, abi, &found);
        if (whole == 0)
            return false;
        bytes += whole;
        size -= whole;
    }
    return true;
}

static bool find_in_segment(int fd, const ElfW(Phdr) * segment, uint32_t *abi)
{
    if (segment->p_type != PT_NOTE || segment->p_filesz > NOTES_MAX_BYTES)
        return false;
    char *bytes = nu_alloc(segment->p_filesz + 1);
    bool found = read_at(fd, bytes, segment->p_filesz, segment->p_offset) &&
                 find_in_notes(bytes, segment->p_filesz, abi);
    nu_free(bytes);
    return found;
}

enum nu_result nu_elf_note_read_abi(int fd, uint32_t *abi)
{
    ElfW(Ehdr) header;
    if (!read_at(fd, &header, sizeof(header), 0) || !is_shared_object(&header) ||
        header.e_phnum > SEGMENTS_MAX)
        return NU_INVALID;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        ElfW(Phdr) segment;
        if (!read_at(fd, &segment, sizeof(segment), header.e_phoff + i * sizeof(segment)))
            return NU_INVALID;
        if (find_in_segment(fd, &segment, abi))
            return NU_OK;
    }
    return NU_NOT_FOUND;
}
