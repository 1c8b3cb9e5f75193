/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free lists of small objects. A head in front of each object says which list it belongs to, and so
 * how much room it has; sizes grow by powers of two from 32 bytes on, head included.
 */
#include "base/small.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

enum {
    SMALLEST_BITS = 5,
    CLASS_COUNT = 8,         /* 32 bytes to 4 KiB */
    KEEP_BYTES = 256 * 1024, /* in each list */
    LARGEST = 1 << (SMALLEST_BITS + CLASS_COUNT - 1),
};

struct head {
    union {
        size_t room;       /* bytes behind the head, of one of the heap's */
        struct head *next; /* in a free list */
    };
    uint32_t class_index; /* CLASS_COUNT: the heap's */
} NU_ALIGNED(16);

static _Thread_local struct {
    struct head *free;
    uint32_t count;
} cache[CLASS_COUNT];

static size_t class_bytes(uint32_t class_index)
{
    return (size_t)1 << (SMALLEST_BITS + class_index);
}

static uint32_t class_of(size_t total)
{
    if (total <= 1u << SMALLEST_BITS)
        return 0;
    return (uint32_t)(64 - __builtin_clzl(total - 1)) - SMALLEST_BITS;
}

static size_t room_of(const struct head *head)
{
    return head->class_index < CLASS_COUNT ? class_bytes(head->class_index) - sizeof(*head)
                                           : head->room;
}

static NU_NOINLINE void *from_heap(size_t total, uint32_t class_index)
{
    struct head *head = nu_alloc(total);
    head->room = total - sizeof(*head);
    head->class_index = class_index;
    return head + 1;
}

static NU_NOINLINE void *class_from_heap(uint32_t class_index)
{
    return from_heap(class_bytes(class_index), class_index);
}

void *nu_small_alloc(size_t size)
{
    size_t total = size + sizeof(struct head);
    nu_assert(total > size);
    if (nu_unlikely(total > LARGEST))
        return from_heap(total, CLASS_COUNT);
    uint32_t class_index = class_of(total);
    struct head *head = cache[class_index].free;
    if (nu_unlikely(!head))
        return class_from_heap(class_index);
    cache[class_index].free = head->next;
    cache[class_index].count--;
    nu_unpoison(head + 1, room_of(head));
    return head + 1;
}

void *nu_small_calloc(size_t count, size_t size)
{
    size_t bytes;
    nu_assert(!__builtin_mul_overflow(count, size, &bytes));
    return memset(nu_small_alloc(bytes), 0, bytes);
}

void *nu_small_realloc(void *ptr, size_t size)
{
    if (!ptr)
        return nu_small_alloc(size);
    size_t room = room_of((struct head *)ptr - 1);
    if (size <= room)
        return ptr;
    void *larger = nu_small_alloc(size);
    memcpy(larger, ptr, room);
    nu_small_free(ptr);
    return larger;
}

void nu_small_free(void *ptr)
{
    if (!ptr)
        return;
    struct head *head = (struct head *)ptr - 1;
    uint32_t c = head->class_index;
    if (c >= CLASS_COUNT || cache[c].count >= KEEP_BYTES / class_bytes(c)) {
        nu_free(head);
        return;
    }
    nu_poison(ptr, room_of(head));
    head->next = cache[c].free;
    cache[c].free = head;
    cache[c].count++;
}

void nu_small_cache_clear(void)
{
    for (int c = 0; c < CLASS_COUNT; c++) {
        while (cache[c].free) {
            struct head *head = cache[c].free;
            cache[c].free = head->next;
            nu_free(head);
        }
        cache[c].count = 0;
    }
}

size_t nu_small_cache_bytes(void)
{
    size_t bytes = 0;
    for (uint32_t c = 0; c < CLASS_COUNT; c++)
        bytes += cache[c].count * class_bytes(c);
    return bytes;
}
