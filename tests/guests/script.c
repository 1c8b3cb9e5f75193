/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that does what its configuration says: script.h. */
#include "script.h"
