#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that docs/differences.md lists the common fields that are not implemented, and only those.

A field is implemented if its message in proto/ has it, and waits if its name is reserved there.

usage: check_waiting.py SOURCE_FOLDER
"""
import re
import sys
from pathlib import Path

HEADING = "## Not there yet"


def messages(root):
    """Each message's text by name, without the messages inside of it being taken out."""
    found = {}
    for path in (root / "proto").rglob("*.proto"):
        text = path.read_text()
        for start in re.finditer(r"message (\w+) \{", text):
            depth, at = 1, start.end()
            while depth and at < len(text):
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
            found.setdefault(start.group(1), text[start.end():at])
    return found


def reserved_names(body):
    return set(re.findall(r'"(\w+)"', " ".join(re.findall(r'reserved (?=")([^;]*);', body))))


def main():
    root = Path(sys.argv[1])
    bodies = messages(root)
    waiting = set()
    for line in (root / "tests/lint/tier1_fields.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            message, field = line.rsplit(".", 1)
            if field in reserved_names(bodies[message.split(".")[-1]]):
                waiting.add(line)
    section = (root / "docs/differences.md").read_text().partition(HEADING)[2].partition("\n## ")[0]
    listed = set(re.findall(r"`(\w+\.\w+)`", section))
    for name in sorted(waiting - listed):
        print(f"docs/differences.md does not say what {name} waits for")
    for name in sorted(listed - waiting):
        print(f"docs/differences.md says that {name} waits; it is implemented, or not a common field")
    return 1 if waiting != listed else 0


sys.exit(main())
