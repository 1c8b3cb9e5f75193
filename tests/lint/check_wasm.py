#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that tests/wasm.md names every behaviour and only tests that are there.

usage: check_wasm.py ROOT
"""
import re
import sys
from pathlib import Path

LAST = 98


def missing_tests(root, text):
    for file, name in re.findall(r"([\w/]+\.(?:py|c))::(\w+)", text):
        path = root / ("tests/e2e" if file.endswith(".py") else "tests/unit") / file
        wanted = f"def {name}(" if file.endswith(".py") else f"TEST({name})"
        if not path.exists() or wanted not in path.read_text():
            yield f"{file}::{name}"


def missing_cases(root, text):
    for name in re.findall(r"(?<![\w/])wasm(?:_\w+)?/\w+(?=[,\s])", text):
        if not (root / "tests/compat/cases" / f"{name}.yaml").exists():
            yield name


def missing_numbers(text):
    named = set()
    for numbers in re.findall(r"^\| (\d[\d, -]*)", text, re.M):
        for part in numbers.replace(" ", "").split(","):
            first, _, last = part.partition("-")
            named.update(range(int(first), int(last or first) + 1))
    return [str(number) for number in range(1, LAST + 1) if number not in named]


def main():
    root = Path(sys.argv[1])
    text = (root / "tests/wasm.md").read_text()
    wrong = [f"tests/wasm.md: there is no {name}"
             for name in [*missing_tests(root, text), *missing_cases(root, text)]]
    wrong += [f"tests/wasm.md: no test for {number}" for number in missing_numbers(text)]
    print("\n".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
