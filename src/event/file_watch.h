/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells when files may have changed, in whatever way: written anew, moved over, removed and made
 * again, or reached by another way because a symbolic link or a directory on the path was replaced.
 *
 * A watch is for a set of paths that belong together (a certificate and its key). Changes come in
 * bursts, so it speaks when a burst is over: after a moment of quiet, or a longer while in which
 * there was none. It says "look again", not what is different: the callback reads the files, and
 * finds them changed or not.
 *
 * The watching is inotify's, on the directories that lead to a file. A path that does not exist yet
 * may be watched. Changes that another machine makes on a network file system are not seen. One
 * watcher belongs to one loop, and all of this to that loop's thread.
 */
#ifndef NU_EVENT_FILE_WATCH_H
#define NU_EVENT_FILE_WATCH_H

#include "base/str.h"
#include "event/timer.h"

struct nu_file_watcher;

/* NULL when the system has no inotify instance left; watches of a NULL watcher never speak. */
struct nu_file_watcher *nu_file_watcher_create(struct nu_loop *loop);
/* Finishes all of its watches, too. */
void nu_file_watcher_destroy(struct nu_file_watcher **watcher);

/* Embedded in who wants to know; all private. */
struct nu_file_watch {
    struct nu_list link;
    struct nu_file_watcher *watcher; /* borrowed */
    struct nu_list paths;            /* owned */
    struct nu_timer timer;
    uint64_t burst_began_us; /* 0: there is none */
    void (*fn)(struct nu_file_watch *watch);
};

/* `fn` is called from the loop; it may change the watch's paths and finish it. */
void nu_file_watch_init(struct nu_file_watch *watch, struct nu_file_watcher *watcher,
                        void (*fn)(struct nu_file_watch *watch));
/* Harmless on a zeroed watch, and on one that is finished. */
void nu_file_watch_finish(struct nu_file_watch *watch);

/*
 * Sets the paths anew: begin, add each, end. Those that were watched before and are not added again
 * are forgotten. One that is new counts as changed, since it may have been read before it was
 * watched. A path is copied; adding it twice is adding it once.
 */
void nu_file_watch_begin(struct nu_file_watch *watch);
void nu_file_watch_add(struct nu_file_watch *watch, struct nu_str path);
/* A directory: whatever appears in it, or goes, counts as a change. */
void nu_file_watch_add_directory(struct nu_file_watch *watch, struct nu_str path);
void nu_file_watch_end(struct nu_file_watch *watch);

#endif
