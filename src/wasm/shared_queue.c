/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues, and how their listeners are told. A queue counts for each listener what that is still to
 * be told (struct binding); the first such thing sends the listener's task to its loop, which tells
 * all that has gathered. The task is part of the listener: one that leaves while it is on its way
 * is an orphan until it arrives.
 */
#include "wasm/shared_queue.h"

#include "base/alloc.h"
#include "base/log.h"
#include "wasm/shared_internal.h"

struct item {
    struct nu_list link; /* of the queue */
    size_t size;
    char bytes[];
};

struct queue {
    struct nu_list link;               /* of its space */
    struct nu_list items;              /* of struct item, the first in is the first out */
    struct nu_list bindings;           /* of struct binding, who registered last is last */
    struct nu_wasm_shared_data *space; /* borrowed: it ends its queues */
    struct nu_strbuf name;
    uint32_t token; /* the map's key is a view of it */
};

/* A listener of a queue. */
struct binding {
    struct nu_list of_queue;
    struct nu_list of_listener;
    struct nu_list ready; /* of the listener's; while there is something to tell */
    struct queue *queue;
    struct nu_wasm_queue_listener *listener;
    uint32_t count; /* of things to tell */
};

struct nu_wasm_queue_listener {
    struct nu_task task;
    struct nu_list link;     /* of the orphans */
    struct nu_list bindings; /* of struct binding */
    struct nu_list ready;    /* of struct binding */
    struct nu_loop *loop;    /* borrowed */
    void *root;              /* borrowed; NULL for an orphan */
    nu_wasm_queue_ready_fn *tell;
    bool is_posted;
};

/* Under nu_wasm_shared_lock. Orphans are kept for the end of the process, when no loop runs. */
static struct {
    struct nu_map by_token;
    struct nu_list orphans;
    uint32_t last_token;
} all = {.orphans = {&all.orphans, &all.orphans}};

static struct nu_str key_of(const uint32_t *token)
{
    return nu_str_make((const char *)token, sizeof(*token));
}

static struct queue *by_token(uint32_t token)
{
    return nu_map_get(&all.by_token, key_of(&token));
}

static struct queue *by_name(const struct nu_wasm_shared_data *space, struct nu_str name)
{
    return nu_map_get(&space->queue_of, name);
}

/* --- Bindings --------------------------------------------------------------------------------- */

static void add_ready(struct binding *binding, uint32_t count)
{
    struct nu_wasm_queue_listener *listener = binding->listener;
    if (!count)
        return;
    binding->count += count;
    if (!nu_list_is_linked(&binding->ready))
        nu_list_add_last(&listener->ready, &binding->ready);
    if (!listener->is_posted)
        nu_loop_post(listener->loop, &listener->task);
    listener->is_posted = true;
}

static struct binding *last_binding(const struct queue *queue)
{
    return nu_list_is_empty(&queue->bindings)
               ? NULL
               : nu_list_entry(queue->bindings.prev, struct binding, of_queue);
}

static void unbind(struct binding *binding)
{
    nu_list_remove(&binding->of_queue);
    nu_list_remove(&binding->of_listener);
    nu_list_remove(&binding->ready);
    struct binding *heir = last_binding(binding->queue);
    if (heir)
        add_ready(heir, binding->count);
    nu_free(binding);
}

static void bind(struct queue *queue, struct nu_wasm_queue_listener *listener)
{
    struct binding *binding;
    nu_list_for_each(binding, &queue->bindings, struct binding, of_queue)
    {
        if (binding->listener != listener)
            continue;
        nu_list_remove(&binding->of_queue);
        nu_list_add_last(&queue->bindings, &binding->of_queue);
        return;
    }
    binding = nu_calloc(1, sizeof(*binding));
    binding->queue = queue;
    binding->listener = listener;
    nu_list_init(&binding->ready);
    nu_list_add_last(&queue->bindings, &binding->of_queue);
    nu_list_add_last(&listener->bindings, &binding->of_listener);
}

/* --- Listeners -------------------------------------------------------------------------------- */

/* What is to be told next, and to whom: false if that is nobody. */
static bool next_ready(struct nu_wasm_queue_listener *listener, uint32_t *token, void **root)
{
    pthread_mutex_lock(&nu_wasm_shared_lock);
    struct binding *binding = nu_list_first(&listener->ready, struct binding, ready);
    *root = listener->root;
    if (binding) {
        *token = binding->queue->token;
        nu_list_remove(&binding->ready);
        if (--binding->count) /* the others' turn first */
            nu_list_add_last(&listener->ready, &binding->ready);
    }
    pthread_mutex_unlock(&nu_wasm_shared_lock);
    return binding != NULL;
}

/* A listener that was called may have left: while `is_posted` it is not freed. */
static void on_task(struct nu_task *task)
{
    enum { AT_ONCE = 64 };
    struct nu_wasm_queue_listener *listener =
        nu_container_of(task, struct nu_wasm_queue_listener, task);
    uint32_t token = 0;
    void *root = NULL;
    for (int i = 0; i < AT_ONCE && next_ready(listener, &token, &root); i++)
        listener->tell(root, token);
    pthread_mutex_lock(&nu_wasm_shared_lock);
    bool is_orphan = !listener->root;
    if (is_orphan)
        nu_list_remove(&listener->link);
    else if (nu_list_is_empty(&listener->ready))
        listener->is_posted = false;
    else
        nu_loop_post(listener->loop, &listener->task);
    pthread_mutex_unlock(&nu_wasm_shared_lock);
    if (is_orphan)
        nu_free(listener);
}

struct nu_wasm_queue_listener *nu_wasm_queue_listen(struct nu_loop *loop, void *root,
                                                    nu_wasm_queue_ready_fn *ready)
{
    struct nu_wasm_queue_listener *listener = nu_calloc(1, sizeof(*listener));
    listener->task.fn = on_task;
    listener->loop = loop;
    listener->root = root;
    listener->tell = ready;
    nu_list_init(&listener->link);
    nu_list_init(&listener->bindings);
    nu_list_init(&listener->ready);
    return listener;
}

void nu_wasm_queue_leave(struct nu_wasm_queue_listener **listener_ptr)
{
    struct nu_wasm_queue_listener *listener = *listener_ptr;
    if (!listener)
        return;
    *listener_ptr = NULL;
    pthread_mutex_lock(&nu_wasm_shared_lock);
    struct binding *binding;
    nu_list_for_each(binding, &listener->bindings, struct binding, of_listener) unbind(binding);
    listener->root = NULL;
    bool is_orphan = listener->is_posted;
    if (is_orphan)
        nu_list_add_last(&all.orphans, &listener->link);
    pthread_mutex_unlock(&nu_wasm_shared_lock);
    if (!is_orphan)
        nu_free(listener);
}

/* --- Queues ----------------------------------------------------------------------------------- */

static bool take_room(struct nu_wasm_shared_data *space, size_t size)
{
    size_t left = NU_WASM_QUEUE_BYTES_MAX - space->queue_bytes;
    if (size <= left && size + NU_WASM_SHARED_ENTRY_BYTES <= left) {
        space->queue_bytes += size + NU_WASM_SHARED_ENTRY_BYTES;
        return true;
    }
    if (!space->is_full_told)
        nu_log(NU_LOG_WASM, NU_LOG_WARN, "the shared queues of the vm_id \"%.*s\" are full",
               NU_STR_ARG(nu_strbuf_str(&space->vm_id)));
    space->is_full_told = true;
    return false;
}

static struct queue *create(struct nu_wasm_shared_data *space, struct nu_str name)
{
    if (!take_room(space, name.len + sizeof(struct queue)))
        return NULL;
    struct queue *queue = nu_calloc(1, sizeof(*queue));
    queue->space = space;
    nu_strbuf_add(&queue->name, name);
    nu_list_init(&queue->items);
    nu_list_init(&queue->bindings);
    do
        queue->token = ++all.last_token;
    while (queue->token == 0 || by_token(queue->token));
    nu_map_put(&all.by_token, key_of(&queue->token), queue);
    nu_map_put(&space->queue_of, nu_strbuf_str(&queue->name), queue);
    nu_list_add_last(&space->queues, &queue->link);
    return queue;
}

uint32_t nu_wasm_queue_register(struct nu_wasm_shared_data *space, struct nu_str name,
                                struct nu_wasm_queue_listener *listener)
{
    pthread_mutex_lock(&nu_wasm_shared_lock);
    struct queue *queue = by_name(space, name);
    if (!queue)
        queue = create(space, name);
    if (queue)
        bind(queue, listener);
    uint32_t token = queue ? queue->token : 0;
    pthread_mutex_unlock(&nu_wasm_shared_lock);
    return token;
}

uint32_t nu_wasm_queue_resolve(struct nu_str vm_id, struct nu_str name)
{
    pthread_mutex_lock(&nu_wasm_shared_lock);
    const struct nu_wasm_shared_data *space = nu_wasm_shared_find(vm_id);
    const struct queue *queue = space ? by_name(space, name) : NULL;
    uint32_t token = queue ? queue->token : 0;
    pthread_mutex_unlock(&nu_wasm_shared_lock);
    return token;
}

static struct item *make_item(struct nu_str bytes)
{
    struct item *item = nu_alloc(sizeof(*item) + bytes.len);
    item->size = bytes.len;
    if (bytes.len)
        memcpy(item->bytes, bytes.ptr, bytes.len);
    return item;
}

enum nu_wasm_status nu_wasm_queue_add(uint32_t token, struct nu_str bytes)
{
    enum nu_wasm_status status = NU_WASM_OK;
    pthread_mutex_lock(&nu_wasm_shared_lock);
    struct queue *queue = by_token(token);
    if (!queue) {
        status = NU_WASM_NOT_FOUND;
    } else if (!take_room(queue->space, bytes.len)) {
        status = NU_WASM_INTERNAL_FAILURE;
    } else {
        struct binding *binding = last_binding(queue);
        nu_list_add_last(&queue->items, &make_item(bytes)->link);
        if (binding)
            add_ready(binding, 1);
    }
    pthread_mutex_unlock(&nu_wasm_shared_lock);
    return status;
}

/* Takes the first out, if there is one. */
static struct item *take_item(struct queue *queue)
{
    struct item *item = nu_list_first(&queue->items, struct item, link);
    if (!item)
        return NULL;
    nu_list_remove(&item->link);
    queue->space->queue_bytes -= item->size + NU_WASM_SHARED_ENTRY_BYTES;
    return item;
}

enum nu_wasm_status nu_wasm_queue_take(uint32_t token, struct nu_strbuf *bytes)
{
    pthread_mutex_lock(&nu_wasm_shared_lock);
    struct queue *queue = by_token(token);
    struct item *item = queue ? take_item(queue) : NULL;
    pthread_mutex_unlock(&nu_wasm_shared_lock);
    if (!item)
        return queue ? NU_WASM_EMPTY : NU_WASM_NOT_FOUND;
    nu_strbuf_add(bytes, nu_str_make(item->bytes, item->size));
    nu_free(item);
    return NU_WASM_OK;
}

void nu_wasm_shared_end_queues(struct nu_wasm_shared_data *space)
{
    struct queue *queue;
    nu_list_for_each(queue, &space->queues, struct queue, link)
    {
        struct binding *binding;
        struct item *item;
        nu_list_for_each(binding, &queue->bindings, struct binding, of_queue)
        {
            binding->count = 0;
            unbind(binding);
        }
        while ((item = take_item(queue)))
            nu_free(item);
        nu_map_remove(&all.by_token, key_of(&queue->token));
        nu_list_remove(&queue->link);
        nu_strbuf_finish(&queue->name);
        nu_free(queue);
    }
    nu_map_finish(&space->queue_of);
    if (all.by_token.count == 0)
        nu_map_finish(&all.by_token);
}
