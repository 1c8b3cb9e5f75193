/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CEL expressions that a root's guest has made (expr_create) and evaluates by their tokens, over
 * the attributes that it could ask for as properties. They end with the root.
 */
#ifndef NU_WASM_EXPRESSION_H
#define NU_WASM_EXPRESSION_H

#include "wasm/foreign.h"

enum {
    NU_WASM_EXPRESSIONS_MAX = 1000,            /* of a root */
    NU_WASM_EXPRESSION_BYTES_MAX = 256 * 1024, /* of their texts together */
    NU_WASM_EXPRESSION_PATTERNS_MAX = 200,     /* of regular expressions in them */
};

struct nu_wasm_expressions;

/* NULL inside is allowed; clears the pointer. */
void nu_wasm_expressions_destroy(struct nu_wasm_expressions **expressions);

nu_wasm_foreign_fn nu_wasm_foreign_expr_create;
nu_wasm_foreign_fn nu_wasm_foreign_expr_evaluate;
nu_wasm_foreign_fn nu_wasm_foreign_expr_delete;

#endif
