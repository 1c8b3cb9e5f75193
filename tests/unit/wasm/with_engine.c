/* SPDX-License-Identifier: Apache-2.0 */
/* Linked to another test program: loads the engine, and with it V8, before that begins. */
#include "harness/guests.h"

__attribute__((constructor)) static void load(void)
{
    nu_test_engine();
}
