/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions. RE2's time is linear in the text, but a pattern of few bytes may be a
 * program of very many steps, each of which a byte of the text may take, and reading a pattern may
 * take far longer than its length says ("\\pL" is six hundred ranges). So the patterns are bounded,
 * and cost what they are made of.
 */
#include "base/regex.h"
#include "cel/cel_internal.h"

enum {
    MEMORY_MAX = 256 * 1024, /* of one pattern: a program of at most some ten thousand steps */
    LENGTH_MAX = 4096,       /* of one pattern */
    COMPILING = 1200,        /* as a cost, */
    COMPILING_BYTE = 16,     /* and for each byte of the pattern */
};

struct nu_regex *nu_cel_pattern(struct nu_str text)
{
    return text.len <= LENGTH_MAX ? nu_regex_create_bounded(text, MEMORY_MAX, NULL) : NULL;
}

struct nu_cel_value nu_cel_search(struct nu_cel_eval *eval, const struct nu_regex *regex,
                                  const struct nu_cel_value *text)
{
    enum { BYTES = 8, STEPS = 128 }; /* that have a cost of one */
    if (text->type != NU_CEL_STRING)
        return nu_cel_no_overload();
    uint64_t length = text->text.len;
    uint64_t steps = length * (uint64_t)nu_regex_program_size(regex);
    if (!nu_cel_spend(eval, length / BYTES + steps / STEPS))
        return nu_cel_too_much();
    return nu_cel_bool(nu_regex_search(regex, text->text));
}

/* With a pattern that is made only now: compiling it is the dear part. */
struct nu_cel_value nu_cel_matches(struct nu_cel_eval *eval, const struct nu_cel_value *args,
                                   size_t count)
{
    (void)count;
    if (args[0].type != NU_CEL_STRING || args[1].type != NU_CEL_STRING)
        return nu_cel_no_overload();
    if (!nu_cel_spend(eval, COMPILING + args[1].text.len * COMPILING_BYTE))
        return nu_cel_too_much();
    struct nu_regex *regex = nu_cel_pattern(args[1].text);
    if (!regex)
        return nu_cel_error("not a regular expression, or too large a one");
    struct nu_cel_value found = nu_cel_search(eval, regex, &args[0]);
    nu_regex_destroy(&regex);
    return found;
}
