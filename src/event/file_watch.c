/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching files by the directories on their way. The way of a path is a row of steps, each a
 * directory and the name that is looked up in it; a symbolic link adds the steps of its target:
 *
 *     /etc/tls/a.crt -> ..data/a.crt, ..data -> 2026:  (/, etc) (/etc, tls) (/etc/tls, a.crt)
 *                                                      (/etc/tls, ..data) (/etc/tls/2026, a.crt)
 *
 * Whatever is done to the file or to its way shows as an event with a directory and a name of one
 * of these. The way is then found anew before the callback looks at the file, so that nothing can
 * change unseen between the two.
 */
#include "event/file_watch.h"

#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "event/io.h"

enum {
    QUIET_MS = 50,       /* a burst is over when nothing came for so long */
    BURST_MAX_MS = 1000, /* or when it lasts so long */
    LINKS_MAX = 40,      /* the kernel's own limit */
    EVENTS_BYTES = 4096,
};

#define EVENTS \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_ATTRIB | IN_ONLYDIR)

/* A directory that inotify watches, counted by the steps that use it. */
struct directory {
    int id;
    unsigned refs;
};

struct step {
    int directory;
    char *name; /* owned; NULL: every name */
};

struct path {
    struct nu_list link;
    char *text; /* owned */
    bool is_directory;
    bool is_wanted; /* between begin and end */
    bool is_stale;  /* the steps may lead elsewhere by now */
    struct step *steps;
    size_t step_count;
};

struct nu_file_watcher {
    struct nu_loop *loop; /* borrowed */
    int fd;
    struct nu_io io;
    struct nu_list watches;
    struct directory *directories; /* owned */
    size_t directory_count;
};

/* --- Directories ------------------------------------------------------------------------------ */

static struct directory *find_directory(struct nu_file_watcher *watcher, int id)
{
    for (size_t i = 0; i < watcher->directory_count; i++) {
        if (watcher->directories[i].id == id)
            return &watcher->directories[i];
    }
    return NULL;
}

static void forget_directory(struct nu_file_watcher *watcher, struct directory *directory)
{
    *directory = watcher->directories[--watcher->directory_count];
}

/* inotify's number of the directory, or -1 if it cannot be watched. */
static int watch_directory(struct nu_file_watcher *watcher, const char *name)
{
    int id = inotify_add_watch(watcher->fd, name, EVENTS);
    if (id < 0) {
        if (errno == ENOSPC)
            nu_log(NU_LOG_FILE, NU_LOG_WARN,
                   "cannot watch %s for changes: fs.inotify.max_user_watches is reached", name);
        return -1;
    }
    struct directory *directory = find_directory(watcher, id);
    if (!directory) {
        size_t size = (watcher->directory_count + 1) * sizeof(*watcher->directories);
        watcher->directories = nu_realloc(watcher->directories, size);
        directory = &watcher->directories[watcher->directory_count++];
        *directory = (struct directory){.id = id};
    }
    directory->refs++;
    return id;
}

static void unwatch_directory(struct nu_file_watcher *watcher, int id)
{
    struct directory *directory = find_directory(watcher, id);
    if (!directory || --directory->refs > 0) /* one that was removed is not there any more */
        return;
    inotify_rm_watch(watcher->fd, id);
    forget_directory(watcher, directory);
}

/* --- The way to a file ------------------------------------------------------------------------ */

struct walk {
    struct nu_file_watcher *watcher;
    struct path *path;
    struct nu_strbuf directory; /* as far as the walk has come; no links in it */
    struct nu_strbuf rest;      /* what has still to be looked up */
    unsigned links;
};

static bool add_step(struct walk *walk, struct nu_str name)
{
    int id = watch_directory(walk->watcher, walk->directory.len ? walk->directory.data : ".");
    if (id < 0)
        return false;
    struct path *path = walk->path;
    path->steps = nu_realloc(path->steps, (path->step_count + 1) * sizeof(*path->steps));
    path->steps[path->step_count++] =
        (struct step){.directory = id, .name = name.ptr ? nu_strndup(name.ptr, name.len) : NULL};
    return true;
}

/* Puts `path` in front of what has still to be looked up. */
static void look_up(struct walk *walk, struct nu_str path)
{
    struct nu_strbuf rest = {0};
    nu_strbuf_add(&rest, path);
    if (walk->rest.len) {
        nu_strbuf_add_char(&rest, '/');
        nu_strbuf_add(&rest, nu_strbuf_str(&walk->rest));
    }
    nu_strbuf_finish(&walk->rest);
    walk->rest = rest;
    if (nu_str_starts_with(path, NU_STR("/"))) {
        nu_strbuf_clear(&walk->directory);
        nu_strbuf_add_char(&walk->directory, '/');
    }
}

/* The next name of what has to be looked up, in `name`; empty at the end. */
static struct nu_str take_name(struct walk *walk, char *name)
{
    struct nu_str rest = nu_strbuf_str(&walk->rest);
    while (nu_str_starts_with(rest, NU_STR("/")))
        rest = nu_str_skip(rest, 1);
    size_t len = nu_str_find_char(rest, '/');
    if (len == NU_NPOS)
        len = rest.len;
    if (len > NAME_MAX)
        len = 0;
    memcpy(name, rest.ptr ? rest.ptr : "", len);
    struct nu_strbuf left = {0};
    nu_strbuf_add(&left, nu_str_skip(rest, len));
    nu_strbuf_finish(&walk->rest);
    walk->rest = left;
    return nu_str_make(name, len);
}

/* Goes one name further. False at the end of what there is. */
static bool take_step(struct walk *walk)
{
    char name[NAME_MAX];
    char target[PATH_MAX];
    struct nu_str next = take_name(walk, name);
    if (next.len == 0 || !add_step(walk, next))
        return false;
    size_t parent = walk->directory.len;
    if (parent && walk->directory.data[parent - 1] != '/')
        nu_strbuf_add_char(&walk->directory, '/');
    nu_strbuf_add(&walk->directory, next);
    ssize_t len = readlink(walk->directory.data, target, sizeof(target));
    if (len <= 0)
        return true;
    if (++walk->links > LINKS_MAX)
        return false;
    walk->directory.len = parent;
    walk->directory.data[parent] = '\0';
    look_up(walk, nu_str_make(target, (size_t)len));
    return true;
}

static void drop_steps(struct nu_file_watcher *watcher, struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unwatch_directory(watcher, steps[i].directory);
        nu_free(steps[i].name);
    }
    nu_free(steps);
}

/* Finds the way anew. */
static void trace(struct nu_file_watcher *watcher, struct path *path)
{
    struct step *old = path->steps;
    size_t old_count = path->step_count;
    struct walk walk = {.watcher = watcher, .path = path};
    path->steps = NULL;
    path->step_count = 0;
    path->is_stale = false;
    look_up(&walk, nu_str_from(path->text));
    while (take_step(&walk))
        continue;
    if (path->is_directory)
        add_step(&walk, nu_str_make(NULL, 0));
    nu_strbuf_finish(&walk.directory);
    nu_strbuf_finish(&walk.rest);
    drop_steps(watcher, old, old_count);
}

/* --- Events ----------------------------------------------------------------------------------- */

static void note_change(struct nu_file_watch *watch)
{
    struct nu_loop *loop = watch->watcher->loop;
    uint64_t now_us = nu_loop_now_us(loop);
    if (!watch->burst_began_us)
        watch->burst_began_us = now_us;
    uint64_t age_ms = (now_us - watch->burst_began_us) / 1000;
    uint64_t left_ms = age_ms < BURST_MAX_MS ? BURST_MAX_MS - age_ms : 0;
    nu_timer_arm(loop, &watch->timer, nu_min_size(QUIET_MS, left_ms));
}

static bool is_touched(const struct path *path, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true;
    for (size_t i = 0; i < path->step_count; i++) {
        const struct step *step = &path->steps[i];
        if (step->directory != event->wd)
            continue;
        if (!step->name || (event->mask & IN_IGNORED) ||
            (event->len && strcmp(step->name, event->name) == 0))
            return true;
    }
    return false;
}

static void on_event(struct nu_file_watcher *watcher, const struct inotify_event *event)
{
    struct nu_file_watch *watch;
    struct path *path;
    nu_list_for_each(watch, &watcher->watches, struct nu_file_watch, link)
    {
        nu_list_for_each(path, &watch->paths, struct path, link)
        {
            if (!is_touched(path, event))
                continue;
            path->is_stale = true;
            note_change(watch);
        }
    }
    struct directory *directory = find_directory(watcher, event->wd);
    if (directory && (event->mask & IN_IGNORED))
        forget_directory(watcher, directory);
}

static void on_readable(int fd, short what, void *arg)
{
    struct nu_file_watcher *watcher = arg;
    _Alignas(struct inotify_event) char buffer[EVENTS_BYTES];
    (void)what;
    ssize_t len;
    while ((len = read(fd, buffer, sizeof(buffer))) > 0) {
        for (const char *at = buffer; at < buffer + len;) {
            const struct inotify_event *event = (const void *)at;
            on_event(watcher, event);
            at += sizeof(*event) + event->len;
        }
    }
    nu_loop_event_done(watcher->loop);
}

static void on_quiet(struct nu_timer *timer)
{
    struct nu_file_watch *watch = nu_container_of(timer, struct nu_file_watch, timer);
    struct path *path;
    watch->burst_began_us = 0;
    nu_list_for_each(path, &watch->paths, struct path, link)
    {
        if (path->is_stale)
            trace(watch->watcher, path);
    }
    watch->fn(watch);
}

/* --- The watcher ------------------------------------------------------------------------------ */

struct nu_file_watcher *nu_file_watcher_create(struct nu_loop *loop)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) {
        nu_log(NU_LOG_FILE, NU_LOG_WARN, "cannot watch files for changes: %s", strerror(errno));
        return NULL;
    }
    struct nu_file_watcher *watcher = nu_calloc(1, sizeof(*watcher));
    watcher->loop = loop;
    watcher->fd = fd;
    nu_list_init(&watcher->watches);
    nu_io_init(&watcher->io, loop, fd, on_readable, watcher);
    nu_io_enable_read(&watcher->io);
    return watcher;
}

void nu_file_watcher_destroy(struct nu_file_watcher **watcher_ptr)
{
    struct nu_file_watcher *watcher = *watcher_ptr;
    if (!watcher)
        return;
    *watcher_ptr = NULL;
    while (!nu_list_is_empty(&watcher->watches))
        nu_file_watch_finish(nu_list_first(&watcher->watches, struct nu_file_watch, link));
    nu_io_finish(&watcher->io);
    close(watcher->fd);
    nu_free(watcher->directories);
    nu_free(watcher);
}

/* --- Watches ---------------------------------------------------------------------------------- */

void nu_file_watch_init(struct nu_file_watch *watch, struct nu_file_watcher *watcher,
                        void (*fn)(struct nu_file_watch *watch))
{
    *watch = (struct nu_file_watch){.watcher = watcher, .fn = fn};
    nu_list_init(&watch->link);
    nu_list_init(&watch->paths);
    nu_timer_init(&watch->timer, on_quiet);
    if (watcher)
        nu_list_add_last(&watcher->watches, &watch->link);
}

static void free_path(struct nu_file_watch *watch, struct path *path)
{
    nu_list_remove(&path->link);
    drop_steps(watch->watcher, path->steps, path->step_count);
    nu_free(path->text);
    nu_free(path);
}

void nu_file_watch_finish(struct nu_file_watch *watch)
{
    if (!watch->watcher)
        return;
    nu_file_watch_begin(watch);
    nu_file_watch_end(watch);
    nu_timer_cancel(&watch->timer);
    nu_list_remove(&watch->link);
    watch->watcher = NULL;
}

void nu_file_watch_begin(struct nu_file_watch *watch)
{
    struct path *path;
    if (!watch->watcher)
        return;
    nu_list_for_each(path, &watch->paths, struct path, link) path->is_wanted = false;
}

static void add(struct nu_file_watch *watch, struct nu_str text, bool is_directory)
{
    struct path *path;
    if (!watch->watcher)
        return;
    nu_list_for_each(path, &watch->paths, struct path, link)
    {
        if (path->is_directory == is_directory && nu_str_eq(nu_str_from(path->text), text)) {
            path->is_wanted = true;
            return;
        }
    }
    path = nu_calloc(1, sizeof(*path));
    path->text = nu_strndup(text.ptr, text.len);
    path->is_directory = is_directory;
    path->is_wanted = true;
    nu_list_add_last(&watch->paths, &path->link);
    trace(watch->watcher, path);
    note_change(watch);
}

void nu_file_watch_add(struct nu_file_watch *watch, struct nu_str path)
{
    add(watch, path, false);
}

void nu_file_watch_add_directory(struct nu_file_watch *watch, struct nu_str path)
{
    add(watch, path, true);
}

void nu_file_watch_end(struct nu_file_watch *watch)
{
    struct path *path;
    if (!watch->watcher)
        return;
    nu_list_for_each(path, &watch->paths, struct path, link)
    {
        if (!path->is_wanted)
            free_path(watch, path);
    }
}
