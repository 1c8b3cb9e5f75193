/* SPDX-License-Identifier: Apache-2.0 */
/* Questions between threads. One is part of one thread at a time, but for whether its asker is
 * there still, which the lock is for. */
#include "wasm/resolve.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/log.h"
#include "wasm/pairs.h"

/* Longer ones are none, however much longer. */
enum { NAME_MAX_BYTES = 300 };

struct lookup {
    struct nu_list link;         /* of its asker's */
    struct nu_list all;          /* so that one whose loop runs no more is not lost */
    struct nu_wasm_asker *asker; /* borrowed; NULL: nobody wants it any more */
    struct nu_task task;         /* to the main thread, then back */
    struct nu_dns_query query;
    struct nu_dns_resolver *dns; /* borrowed */
    struct nu_strbuf name;
    struct nu_strbuf answer;
    uint32_t token;
};

struct nu_wasm_asker {
    struct nu_list lookups;
    uint32_t count;
    struct nu_loop *loop; /* borrowed, as all that follows */
    struct nu_dns_resolver *dns;
    struct nu_loop *main_loop;
    void *root;
    nu_wasm_resolved_fn *tell;
    bool is_full_told;
};

static struct {
    pthread_mutex_t lock;
    struct nu_list lookups;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER, .lookups = {&all.lookups, &all.lookups}};

/* --- Answers ---------------------------------------------------------------------------------- */

static void drop(struct lookup *lookup)
{
    pthread_mutex_lock(&all.lock);
    if (lookup->asker)
        lookup->asker->count--;
    nu_list_remove(&lookup->link);
    nu_list_remove(&lookup->all);
    pthread_mutex_unlock(&all.lock);
    nu_strbuf_finish(&lookup->name);
    nu_strbuf_finish(&lookup->answer);
    nu_free(lookup);
}

/* On the asker's thread. */
static void on_back(struct nu_task *task)
{
    struct lookup *lookup = nu_container_of(task, struct lookup, task);
    struct nu_wasm_asker *asker = lookup->asker;
    struct nu_strbuf answer = lookup->answer;
    uint32_t token = lookup->token;
    lookup->answer = (struct nu_strbuf){0};
    drop(lookup);
    if (asker)
        asker->tell(asker->root, token, nu_strbuf_str(&answer));
    nu_strbuf_finish(&answer);
}

static void write_answer(const struct nu_dns_answer *answer, struct nu_strbuf *out)
{
    char text[NU_ADDRESS_TEXT_MAX];
    nu_wasm_add_u32(out, (uint32_t)answer->count);
    for (size_t i = 0; i < answer->count; i++)
        nu_wasm_add_u32(out, answer->addresses[i].ttl_s);
    for (size_t i = 0; i < answer->count; i++) {
        size_t length = nu_address_format(&answer->addresses[i].address, text);
        nu_strbuf_add(out, nu_str_make(text, length));
        nu_strbuf_add_char(out, '\0');
    }
}

/* On the main thread. While there is an asker its loop is there as well. */
static void on_answer(struct nu_dns_query *query, const struct nu_dns_answer *answer)
{
    struct lookup *lookup = nu_container_of(query, struct lookup, query);
    if (answer->ok)
        write_answer(answer, &lookup->answer);
    lookup->task.fn = on_back;
    pthread_mutex_lock(&all.lock);
    bool is_wanted = lookup->asker != NULL;
    if (is_wanted)
        nu_loop_post(lookup->asker->loop, &lookup->task);
    pthread_mutex_unlock(&all.lock);
    if (!is_wanted)
        drop(lookup);
}

/* --- Questions -------------------------------------------------------------------------------- */

static bool is_wanted(const struct lookup *lookup)
{
    pthread_mutex_lock(&all.lock);
    bool wanted = lookup->asker != NULL;
    pthread_mutex_unlock(&all.lock);
    return wanted;
}

/* On the main thread. No name at all has no address, as in Envoy. */
static void on_question(struct nu_task *task)
{
    static const struct nu_dns_answer nothing = {.ok = true};
    struct lookup *lookup = nu_container_of(task, struct lookup, task);
    if (!is_wanted(lookup))
        drop(lookup);
    else if (lookup->name.len == 0)
        on_answer(&lookup->query, &nothing);
    else
        nu_dns_resolve(lookup->dns, &lookup->query, nu_strbuf_str(&lookup->name), NU_DNS_AUTO);
}

bool nu_wasm_resolve(struct nu_wasm_asker *asker, struct nu_str name, uint32_t token)
{
    if (asker->count >= NU_WASM_LOOKUPS_MAX) {
        if (!asker->is_full_told)
            nu_log(NU_LOG_WASM, NU_LOG_WARN, "a guest asks for the addresses of too many names");
        asker->is_full_told = true;
        return false;
    }
    struct lookup *lookup = nu_calloc(1, sizeof(*lookup));
    lookup->asker = asker;
    lookup->dns = asker->dns;
    lookup->token = token;
    lookup->task.fn = on_question;
    lookup->query.on_answer = on_answer;
    nu_strbuf_add(&lookup->name, nu_str_first(name, NAME_MAX_BYTES));
    pthread_mutex_lock(&all.lock);
    nu_list_add_last(&asker->lookups, &lookup->link);
    nu_list_add_last(&all.lookups, &lookup->all);
    asker->count++;
    pthread_mutex_unlock(&all.lock);
    nu_loop_post(asker->main_loop, &lookup->task);
    return true;
}

/* --- Life ------------------------------------------------------------------------------------- */

struct nu_wasm_asker *nu_wasm_asker_create(struct nu_loop *loop, struct nu_dns_resolver *dns,
                                           struct nu_loop *main_loop, void *root,
                                           nu_wasm_resolved_fn *tell)
{
    struct nu_wasm_asker *asker = nu_calloc(1, sizeof(*asker));
    nu_list_init(&asker->lookups);
    asker->loop = loop;
    asker->dns = dns;
    asker->main_loop = main_loop;
    asker->root = root;
    asker->tell = tell;
    return asker;
}

void nu_wasm_asker_destroy(struct nu_wasm_asker **asker_ptr)
{
    struct nu_wasm_asker *asker = *asker_ptr;
    struct lookup *lookup;
    if (!asker)
        return;
    *asker_ptr = NULL;
    pthread_mutex_lock(&all.lock);
    nu_list_for_each(lookup, &asker->lookups, struct lookup, link)
    {
        lookup->asker = NULL;
        nu_list_remove(&lookup->link);
    }
    pthread_mutex_unlock(&all.lock);
    nu_free(asker);
}
