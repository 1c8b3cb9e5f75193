/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes as the names of CEL expressions: `request.path.startsWith('/a')`. */
#ifndef NU_ATTRIBUTE_ATTRIBUTE_CEL_H
#define NU_ATTRIBUTE_ATTRIBUTE_CEL_H

#include "attribute/attribute.h"
#include "cel/cel.h"

/* A source for nu_cel_evaluate, whose arena must be that of `source`. */
struct nu_attribute_cel {
    struct nu_cel_source base;
    const struct nu_attribute_source *source; /* borrowed */
    /* The value of a name that stands alone; NULL: nu_attribute_root. */
    struct nu_attribute (*find)(const struct nu_attribute_cel *self, struct nu_str name);
    void *owner; /* for `find` */
};

/* `find` may be NULL. */
void nu_attribute_cel_init(struct nu_attribute_cel *self, const struct nu_attribute_source *source,
                           struct nu_attribute (*find)(const struct nu_attribute_cel *self,
                                                       struct nu_str name),
                           void *owner);

/* The map or message that a value of an expression is; false if it is none of ours. */
NU_MUST_USE bool nu_attribute_from_cel(const struct nu_cel_value *value, struct nu_attribute *out);

#endif
