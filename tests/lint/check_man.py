#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the manual's section OPTIONS says what --help says, or writes it so.

usage: check_man.py NUNCIO MANUAL [--write]
"""
import subprocess
import sys
from pathlib import Path

TEXT_COLUMN = 38  # where the meaning of an option stands
BEGIN, END = '.\\" options: written by tests/lint/check_man.py\n', '.\\" end of options\n'


def roff(text):
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")


def parse(text):
    """The sections of --help: (heading, [[option, meaning]])."""
    sections = []
    for line in text.split("\n\nSignals:")[0].splitlines():
        left, right = line, ""
        if len(line) > TEXT_COLUMN and line[TEXT_COLUMN - 1] == " ":
            left, right = line[:TEXT_COLUMN].strip(), line[TEXT_COLUMN:]
        if left.strip().startswith("-"):
            sections[-1][1].append([left.strip(), right])
        elif not left and right:
            option = sections[-1][1][-1]
            option[1] = f"{option[1]} {right}".strip()
        elif line and not line.startswith((" ", "nuncio ", "usage:")):
            sections.append((line, []))
    return sections


def section(text):
    lines = []
    for heading, options in parse(text):
        lines.append(f".SS {roff(heading)}")
        for name, meaning in options:
            lines += [".TP", ".B " + roff(name), roff(meaning)]
    return "\n".join(lines) + "\n"


def main():
    nuncio, path = sys.argv[1], Path(sys.argv[2])
    help_text = subprocess.run([nuncio, "--help"], capture_output=True, text=True, check=True).stdout
    manual = path.read_text()
    before, rest = manual.split(BEGIN)
    wanted = before + BEGIN + section(help_text) + END + rest.split(END)[1]
    if "--write" in sys.argv:
        path.write_text(wanted)
    elif wanted != manual:
        sys.exit(f"{path} does not say what --help says: run {sys.argv[0]} {nuncio} {path} --write")
    print(f"{sum(len(options) for _, options in parse(help_text))} options")


main()
