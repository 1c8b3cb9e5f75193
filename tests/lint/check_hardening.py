#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what a release binary has against the exploitation of a bug: position independence, relocations
that are read-only after the start, no executable stack, stack protector, checked libc calls, and on
x86-64 landing pads for indirect jumps (CET).

usage: check_hardening.py BINARY
"""
import platform
import re
import subprocess
import sys
from pathlib import Path

LANDING_PAD = b"\xf3\x0f\x1e\xfa"  # endbr64
WANTED_PADS = 500                  # functions of ours; the C runtime has a handful
FORTIFIED = {"__memcpy_chk", "__snprintf_chk", "__vsnprintf_chk"}


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *arguments], capture_output=True, text=True,
                          check=True).stdout


def c_runtime_has_cet():
    """A program is marked for CET only if all of its objects are, the C runtime's among them."""
    found = subprocess.run(["cc", "-print-file-name=Scrt1.o"], capture_output=True, text=True,
                           check=True).stdout.strip()
    return "SHSTK" in readelf("-n", found)


def check(path):
    header, dynamic, segments = readelf("-h", path), readelf("-d", path), readelf("-l", path)
    symbols = set(re.findall(r"\b(__\w+_chk|__stack_chk_fail)\b", readelf("--dyn-syms", path)))
    yield "position-independent executable", "DYN" in header and " PIE" in dynamic
    yield "relocations read-only", "GNU_RELRO" in segments
    yield "all symbols bound at the start", "NOW" in dynamic
    stack = re.search(r"GNU_STACK .* (R\S*) ", segments)
    yield "stack not executable", bool(stack) and "E" not in stack.group(1)
    yield "no segment writable and executable", "RWE" not in segments
    yield "no library path of the builder", "RUNPATH" not in dynamic and "RPATH" not in dynamic
    yield "stack protector", "__stack_chk_fail" in symbols
    yield "checked libc calls (FORTIFY)", FORTIFIED <= symbols
    if platform.machine() == "x86_64":
        pads = Path(path).read_bytes().count(LANDING_PAD)
        yield f"landing pads (CET), found {pads}", pads >= WANTED_PADS
        if c_runtime_has_cet():
            yield "marked for CET", "SHSTK" in readelf("-n", path)


def main():
    failed = False
    for what, holds in check(sys.argv[1]):
        print(f"{'ok' if holds else 'MISSING':8}{what}")
        failed |= not holds
    return failed


sys.exit(main())
