#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the documents and the manners of the source.

- every relative link in a Markdown file leads to a file;
- every file that a document names in backquotes with a path under src/, tests/ and the like exists;
- no source holds a mark of something unfinished, or a tab.

usage: check_documents.py SOURCE_FOLDER
"""
import re
import sys
from pathlib import Path

FOLDERS = ("src", "include", "tests", "fuzz", "bench", "examples", "packaging", "proto", "conf")
ENDINGS = (".c", ".h", ".cc", ".py", ".sh", ".proto")
UNFINISHED = re.compile(r"\b(TO" "DO|FIX" "ME|XX" "X|HA" "CK)\b")


def files(root, *endings):
    for folder in ("", *FOLDERS, "docs", ".ci"):
        pattern = "*" if folder == "" else "**/*"
        for path in (root / folder).glob(pattern):
            if path.is_file() and path.name.endswith(endings):
                yield path


def broken_links(path):
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:", target) and not (path.parent / target).exists():
            yield f"{path}: there is no {target}"


def missing_names(root, path):
    """Paths of files in backquotes, from the top or below src/ as docs/architecture.md has them."""
    modules = {path.name for path in (root / "src").iterdir()}
    for name in re.findall(r"`([\w./-]+\.(?:c|h|cc|py|sh|md|yaml|txt|proto))`", path.read_text()):
        first = name.split("/")[0]
        if first in (*FOLDERS, "docs") and not (root / name).exists() or \
                first in modules and not (root / "src" / name).exists():
            yield f"{path}: there is no {name}"


def bad_lines(path):
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if UNFINISHED.search(line):
            yield f"{path}:{number}: something is unfinished: {line.strip()}"
        if "\t" in line and path.suffix in (".c", ".h", ".cc", ".py"):
            yield f"{path}:{number}: a tab"


def main():
    root = Path(sys.argv[1])
    problems = []
    for path in files(root, ".md"):
        problems += [*broken_links(path), *missing_names(root, path)]
    for path in files(root, *ENDINGS):
        problems += bad_lines(path)
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
