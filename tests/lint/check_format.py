#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fails if clang-format 14, the pinned version, would write a C file otherwise.

usage: check_format.py SOURCE_FOLDER
Skipped where clang-format-14 is missing: other versions break lines otherwise. To mend what it says:
    clang-format-14 -i FILES
"""
import pathlib
import shutil
import subprocess
import sys

FORMATTER = "clang-format-14"
FOLDERS = ("src", "include", "tests", "fuzz", "bench", "examples")


def main():
    root = pathlib.Path(sys.argv[1])
    if not shutil.which(FORMATTER):
        print(f"skipped: {FORMATTER} is not installed")
        return 77
    files = sorted(str(path) for folder in FOLDERS for pattern in ("*.c", "*.h")
                   for path in (root / folder).rglob(pattern))
    done = subprocess.run([FORMATTER, "--dry-run", "-Werror", "--ferror-limit=1", *files],
                          capture_output=True, text=True, check=False)
    sys.stderr.write(done.stderr[-4000:])
    print(f"{len(files)} files formatted as {FORMATTER} does" if done.returncode == 0
          else f"see above: {FORMATTER} -i mends it")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
