#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fails on any #include that reaches outside the modules that nu_module() in CMakeLists.txt allows.

usage: check_layers.py SOURCE_ROOT
"""
import re
import sys
from pathlib import Path

root = Path(sys.argv[1])
cmake = (root / "CMakeLists.txt").read_text()
modules, folders = {}, {}
for body in re.findall(r"^nu_module\(([^)]*)\)", cmake, re.M):
    words = body.split()
    keyword, args = None, {"DEPENDS": [], "LIBS": [], "DIR": [], "SOURCES": [], "SUBDIRS": []}
    for word in words[1:]:
        if word in args:
            keyword = word
        elif keyword:
            args[keyword].append(word)
    modules[words[0]] = args["DEPENDS"]
    folders[(args["DIR"] or [words[0]])[0]] = words[0]


def allowed(name, seen=None):
    seen = seen if seen is not None else set()
    if name in seen:
        return seen
    seen.add(name)
    for dep in modules[name]:
        if dep not in modules:
            sys.exit(f"CMakeLists.txt: module {name} depends on {dep}, which is not declared before use")
        allowed(dep, seen)
    return seen


def find_cycle():
    state = {}

    def visit(name, trail):
        if state.get(name) == 1:
            sys.exit("CMakeLists.txt: circle of modules: " + " > ".join(trail + [name]))
        if state.get(name) == 2:
            return
        state[name] = 1
        for dep in modules[name]:
            visit(dep, trail + [name])
        state[name] = 2

    for name in modules:
        visit(name, [])


def module_of(path):
    folder = path.parent
    while folder.as_posix() != ".":
        if folder.as_posix() in folders:
            return folders[folder.as_posix()]
        folder = folder.parent
    return None


find_cycle()
bad = 0
for source in sorted((root / "src").rglob("*.[ch]*")):
    relative = source.relative_to(root / "src")
    own = module_of(relative)
    if own is None:
        print(f"src/{relative}: belongs to no module; declare one with nu_module()")
        bad += 1
        continue
    may = allowed(own)
    for number, line in enumerate(source.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not match:
            continue
        target = Path(match.group(1))
        if target.as_posix().startswith("nuncio/") or ".pb-c." in target.name or "_generated" in target.name:
            continue
        other = module_of(target)
        if other is None:
            print(f"src/{relative}:{number}: include \"{target}\" names no module; write \"module/file.h\"")
            bad += 1
        elif other not in may:
            print(f"src/{relative}:{number}: module {own} may not include {other} ({target})")
            bad += 1
        elif other != own and target.stem.endswith("_internal"):
            print(f"src/{relative}:{number}: {target} is private to module {other}")
            bad += 1
print(f"{len(modules)} modules, {bad} violations")
sys.exit(1 if bad else 0)
