/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a path to a filter class. Every step that can fail says what is wrong in its own words, at
 * the line of the configuration that asked for it.
 */
#include "filters/http/plugin/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "filters/http/plugin/elf_note.h"

#include "nuncio/filters/http/plugin/v1/plugin.pb-c.h"

typedef Nuncio__Filters__Http__Plugin__V1__Plugin plugin_proto;

/* --- The file --------------------------------------------------------------------------------- */

/* The path to open, or NULL after an error. */
static const char *resolve(struct nu_factory *factory, const plugin_proto *proto)
{
    if (factory->is_dynamic) {
        nu_config_error(factory->ctx, proto, "path",
                        "plug-ins are loaded from the bootstrap only, never over xDS");
        return NULL;
    }
    if (proto->path[0] == '/')
        return nu_arena_strdup(factory->arena, proto->path);
    if (strchr(proto->path, '/')) {
        nu_config_error(factory->ctx, proto, "path",
                        "'%s' is neither an absolute path nor the name of a file in --plugin-dir",
                        proto->path);
        return NULL;
    }
    if (!factory->plugin_dir) {
        nu_config_error(factory->ctx, proto, "path",
                        "'%s' is no absolute path, and there is no --plugin-dir to look in",
                        proto->path);
        return NULL;
    }
    return nu_arena_printf(factory->arena, "%s/%s", factory->plugin_dir, proto->path);
}

static bool check_abi(struct nu_factory *factory, const plugin_proto *proto, const char *path,
                      uint32_t abi)
{
    if (abi == NUNCIO_FILTER_ABI)
        return true;
    nu_config_error(factory->ctx, proto, "path",
                    "'%s' was built for plug-in interface %u, and this nuncio has %u: build it "
                    "again with this version's headers",
                    path, abi, NUNCIO_FILTER_ABI);
    return false;
}

/* Reads the ABI number from the file, before anything of it is loaded. */
static bool check_file(struct nu_factory *factory, const plugin_proto *proto, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        nu_config_error(factory->ctx, proto, "path", "cannot open '%s': %s", path, strerror(errno));
        return false;
    }
    uint32_t abi = 0;
    enum nu_result result = nu_elf_note_read_abi(fd, &abi);
    close(fd);
    if (result == NU_OK)
        return check_abi(factory, proto, path, abi);
    nu_config_error(factory->ctx, proto, "path",
                    result == NU_NOT_FOUND
                        ? "'%s' is no nuncio plug-in: it has no ABI note, which NUNCIO_PLUGIN of "
                          "nuncio/plugin.h makes"
                        : "'%s' is no shared object for this machine",
                    path);
    return false;
}

/* --- The library ------------------------------------------------------------------------------ */

static void close_library(void *handle)
{
    dlclose(handle);
}

static const struct nuncio_plugin *load(struct nu_factory *factory, const plugin_proto *proto,
                                        const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        nu_config_error(factory->ctx, proto, "path", "cannot load '%s': %s", path, dlerror());
        return NULL;
    }
    nu_arena_on_free(factory->arena, close_library, handle);
    const struct nuncio_plugin *plugin = dlsym(handle, "nuncio_plugin");
    if (!plugin || !plugin->filters) {
        nu_config_error(factory->ctx, proto, "path", "'%s' has no symbol nuncio_plugin", path);
        return NULL;
    }
    return check_abi(factory, proto, path, plugin->abi) ? plugin : NULL;
}

/* --- The filter ------------------------------------------------------------------------------- */

static bool is_usable(const struct nu_filter_class *cls)
{
    size_t zeroed = cls->zeroed_size ? cls->zeroed_size : cls->instance_size;
    return cls->abi == NUNCIO_FILTER_ABI && cls->name && zeroed >= sizeof(struct nu_filter) &&
           zeroed <= cls->instance_size && cls->instance_size <= UINT32_MAX;
}

static void fail_name(struct nu_factory *factory, const plugin_proto *proto, const char *path,
                      const struct nuncio_plugin *plugin)
{
    struct nu_strbuf names = {0};
    for (size_t i = 0; plugin->filters[i]; i++)
        nu_strbuf_addf(&names, "%s'%s'", i ? ", " : "", plugin->filters[i]->name);
    if (proto->name[0])
        nu_config_error(factory->ctx, proto, "name", "'%s' has no filter '%s'; it has %.*s", path,
                        proto->name, NU_STR_ARG(nu_strbuf_str(&names)));
    else
        nu_config_error(factory->ctx, proto, "path", "'%s' has several filters; name one of %.*s",
                        path, NU_STR_ARG(nu_strbuf_str(&names)));
    nu_strbuf_finish(&names);
}

static const struct nu_filter_class *choose(struct nu_factory *factory, const plugin_proto *proto,
                                            const char *path, const struct nuncio_plugin *plugin)
{
    const struct nu_filter_class *only = plugin->filters[0];
    for (size_t i = 0; plugin->filters[i]; i++) {
        if (!is_usable(plugin->filters[i])) {
            nu_config_error(factory->ctx, proto, "path",
                            "filter %zu of '%s' is incomplete: it needs abi, name and "
                            "instance_size, of which zeroed_size is a part",
                            i, path);
            return NULL;
        }
    }
    if (!only) {
        nu_config_error(factory->ctx, proto, "path", "'%s' names no filter", path);
        return NULL;
    }
    if (!proto->name[0] && !plugin->filters[1])
        return only;
    for (size_t i = 0; proto->name[0] && plugin->filters[i]; i++) {
        if (strcmp(plugin->filters[i]->name, proto->name) == 0)
            return plugin->filters[i];
    }
    fail_name(factory, proto, path, plugin);
    return NULL;
}

const struct nu_filter_class *nu_plugin_find_class(struct nu_factory *factory,
                                                   const plugin_proto *proto)
{
    const char *path = resolve(factory, proto);
    if (!path || !check_file(factory, proto, path))
        return NULL;
    const struct nuncio_plugin *plugin = load(factory, proto, path);
    return plugin ? choose(factory, proto, path, plugin) : NULL;
}
