#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that a documentation page is what its program prints, or writes it so.

usage: check_page.py PAGE [--write] PROGRAM
"""
import subprocess
import sys
from pathlib import Path


def main():
    write = "--write" in sys.argv
    page, program = (word for word in sys.argv[1:] if word != "--write")
    wanted = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    if write:
        Path(page).write_text(wanted)
    elif not Path(page).exists() or Path(page).read_text() != wanted:
        sys.exit(f"{page} is not what {program} prints: run {sys.argv[0]} {page} --write {program}")


main()
