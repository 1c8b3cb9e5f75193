/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a function returns when failure is expected and its kind matters: 0 is success, every failure
 * is negative. Configuration errors do not use this: they go to a list (base/error.h).
 */
#ifndef NU_BASE_RESULT_H
#define NU_BASE_RESULT_H

enum nu_result {
    NU_OK = 0,
    NU_IO_ERROR = -1,
    NU_INVALID = -2,   /* no such input can be */
    NU_TOO_LARGE = -3, /* over a limit of ours */
    NU_NOT_FOUND = -4,
    NU_OVERFLOW = -5,    /* over what the type can hold */
    NU_UNSUPPORTED = -6, /* valid, and not known here */
};

#endif
