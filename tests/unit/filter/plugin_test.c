/* SPDX-License-Identifier: Apache-2.0 */
/* Loading plug-ins: what only a test inside the process can arrange. */
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/config.h"

#include "filters/http/plugin/elf_note.h"
#include "filters/http/plugin/plugin.h"
#include "nuncio/plugin.h"

TEST(plugins_never_come_over_xds)
{
    struct config_fixture f;
    config_open(&f);
    struct nu_factory factory = {.ctx = &f.ctx, .arena = &f.arena, .is_dynamic = true};
    const ProtobufCMessage *message = config_yaml(&f, nu_plugin_factory.type, "path: /x.so");
    const struct nu_filter_class *cls = NULL;
    const void *config = NULL;
    assert_false(nu_plugin_factory.create(&factory, message, &cls, &config));
    assert_config_errors(&f, "t:1:7: path: plug-ins are loaded from the bootstrap only, never "
                             "over xDS");
    config_close(&f);
}

/* --- ELF -------------------------------------------------------------------------------------- */

struct file {
    ElfW(Ehdr) header;
    ElfW(Phdr) segment;
    struct nuncio_plugin_note note;
};

static struct file make_file(void)
{
    struct file file = {
        .segment = {.p_type = PT_NOTE,
                    .p_offset = offsetof(struct file, note),
                    .p_filesz = sizeof(struct nuncio_plugin_note)},
        .note = {7, 4, NUNCIO_PLUGIN_NOTE_TYPE, "nuncio", 42},
    };
    memcpy(file.header.e_ident, ELFMAG, SELFMAG);
    file.header.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    file.header.e_ident[EI_DATA] =
        __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
    file.header.e_type = ET_DYN;
    file.header.e_phentsize = sizeof(ElfW(Phdr));
    file.header.e_phoff = offsetof(struct file, segment);
    file.header.e_phnum = 1;
    return file;
}

static enum nu_result read_file(const struct file *file, size_t size, uint32_t *abi)
{
    int fd = memfd_create("plugin", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file, size), size);
    enum nu_result result = nu_elf_note_read_abi(fd, abi);
    close(fd);
    return result;
}

TEST(the_number_is_read_from_the_note)
{
    struct file file = make_file();
    uint32_t abi = 0;
    assert_int_equal(read_file(&file, sizeof(file), &abi), NU_OK);
    assert_int_equal(abi, 42);
}

TEST(a_file_that_is_cut_or_lies_gives_no_number)
{
    uint32_t abi = 0;
    struct file file = make_file();
    for (size_t size = 0; size < sizeof(file); size++)
        assert_int_not_equal(read_file(&file, size, &abi), NU_OK);
    file.segment.p_offset = UINT32_MAX;
    assert_int_equal(read_file(&file, sizeof(file), &abi), NU_NOT_FOUND);
    file = make_file();
    file.segment.p_filesz = SIZE_MAX;
    assert_int_equal(read_file(&file, sizeof(file), &abi), NU_NOT_FOUND);
    file = make_file();
    file.header.e_phnum = UINT16_MAX;
    assert_int_equal(read_file(&file, sizeof(file), &abi), NU_INVALID);
    file = make_file();
    file.note.name_size = UINT32_MAX;
    assert_int_equal(read_file(&file, sizeof(file), &abi), NU_NOT_FOUND);
    file = make_file();
    file.note.desc_size = UINT32_MAX;
    assert_int_equal(read_file(&file, sizeof(file), &abi), NU_NOT_FOUND);
}

TEST(other_notes_and_other_machines_are_told_apart)
{
    uint32_t abi = 0;
    struct file file = make_file();
    file.note.type = 2;
    assert_int_equal(read_file(&file, sizeof(file), &abi), NU_NOT_FOUND);
    file = make_file();
    file.note.name[0] = 'N';
    assert_int_equal(read_file(&file, sizeof(file), &abi), NU_NOT_FOUND);
    file = make_file();
    file.header.e_ident[EI_CLASS] ^= 3;
    assert_int_equal(read_file(&file, sizeof(file), &abi), NU_INVALID);
    file = make_file();
    file.header.e_type = ET_EXEC;
    assert_int_equal(read_file(&file, sizeof(file), &abi), NU_INVALID);
}

TEST_MAIN()
