#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the linker's version script: the functions that include/nuncio/ declares, and no others.

gen_exports.py OUTPUT HEADER...
"""
import re
import sys

COMMENT = re.compile(r"/\*.*?\*/", re.S)
DECLARATION = re.compile(r"^NUNCIO_API\s[^;{]*?\b(nu_\w+)\(", re.M)


def exported(paths):
    """Names of the functions that the headers mark with NUNCIO_API, sorted."""
    names = set()
    for path in paths:
        with open(path, encoding="utf-8") as file:
            names.update(DECLARATION.findall(COMMENT.sub("", file.read())))
    return sorted(names)


def main():
    output, headers = sys.argv[1], sys.argv[2:]
    lines = [f"        {name};\n" for name in exported(headers)]
    with open(output, "w", encoding="utf-8") as file:
        file.write("{\n    global:\n" + "".join(lines) + "    local:\n        *;\n};\n")


if __name__ == "__main__":
    main()
