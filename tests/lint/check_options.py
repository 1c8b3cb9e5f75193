#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the manual's section OPTIONS and docs/command-line.md say what --help says, or writes them so.

usage: check_options.py NUNCIO DOCS_FOLDER [--write]
"""
import subprocess
import sys
from pathlib import Path

TEXT_COLUMN = 38  # where the meaning of an option stands
BEGIN, END = '.\\" options: written by tests/lint/check_options.py\n', '.\\" end of options\n'
PAGE = """# The command line

    nuncio -c FILE [options]
    nuncio --mode validate -c FILE
    nuncio health [-c FILE | --url URL]
    nuncio wasm inspect FILE
    nuncio wasm run FILE [PATH] [options]

The options are Envoy's, and a few more; `--name value` and `--name=value` mean the same. This is what `nuncio --help` prints.
`nuncio health --help` and `nuncio wasm run --help` tell of those commands; for proxy-wasm filters there is [wasm.md](wasm.md).
"""


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


def manual_section(sections):
    lines = []
    for heading, options in sections:
        lines.append(f".SS {roff(heading)}")
        for name, meaning in options:
            lines += [".TP", ".B " + roff(name), roff(meaning)]
    return "\n".join(lines) + "\n"


def page(sections):
    lines = [PAGE]
    for heading, options in sections:
        lines += [f"## {heading}", "", "| option | meaning |", "|---|---|"]
        lines += ["| `{}` | {} |".format(name.replace("|", "\\|"), meaning.replace("|", "\\|"))
                  for name, meaning in options]
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def main():
    nuncio, docs = sys.argv[1], Path(sys.argv[2])
    help_text = subprocess.run([nuncio, "--help"], capture_output=True, text=True, check=True).stdout
    sections = parse(help_text)
    manual = (docs / "nuncio.8").read_text()
    before, rest = manual.split(BEGIN)
    wanted = {
        docs / "nuncio.8": before + BEGIN + manual_section(sections) + END + rest.split(END)[1],
        docs / "command-line.md": page(sections),
    }
    for path, text in wanted.items():
        if "--write" in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f"{path} does not say what --help says: run {sys.argv[0]} {nuncio} {docs} --write")


main()
