#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every header compiles alone, as the first and only include of a C file.

usage: check_headers.py SOURCE_ROOT BUILD_DIR
"""
import json
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

root, build = Path(sys.argv[1]), Path(sys.argv[2])
flags = {"-I" + str(root / "src"), "-I" + str(root / "include")}
definitions = set()
for entry in json.loads((build / "compile_commands.json").read_text()):
    words = shlex.split(entry["command"])
    for index, word in enumerate(words):
        if word.startswith("-I"):
            flags.add(word)
        elif word == "-isystem":
            flags.add("-isystem" + words[index + 1])
        elif word.startswith("-D") and "=" not in word:
            definitions.add(word)


def check(header):
    command = ["cc", "-std=gnu11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c",
               *sorted(flags), *sorted(definitions), "-include", str(header), "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True)
    return header, done.returncode, done.stderr


headers = sorted([*(root / "src").rglob("*.h"), *(root / "include").rglob("*.h")])
with ThreadPoolExecutor(2) as pool:
    failed = [(h, err) for h, code, err in pool.map(check, headers) if code]
for header, err in failed:
    print(f"{header.relative_to(root)} does not compile alone:\n{err}")
print(f"{len(headers)} headers, {len(failed)} do not compile alone")
sys.exit(1 if failed else 0)
