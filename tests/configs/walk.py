#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Walks a folder of real configurations and says how many load, and what the others need.

The folder is named by the environment variable NUNCIO_CONFIGS. Every YAML and JSON file in it is
searched for bootstraps, listeners, clusters, route tables and endpoints; each is judged by itself.
What is refused as "known to Envoy, not implemented" is counted by feature, most wanted first;
anything else is listed as it stands. Fails if something was said that no case of cases/ holds.

usage: walk.py CONFIG_WALK [--errors | --files]

    --errors    prints the errors of other kinds as well
    --files     prints the cases that hold what each file taught: what files.tsv was made from
"""
import collections
import os
import re
import subprocess
import sys
from pathlib import Path

import lessons

SKIPPED = 77
CHUNK = 50  # files for one run of the tool
# Where a resource stands in a bootstrap: what it lacks has one name in both places.
PLACES = {"Cluster": "clusters", "Listener": "listeners", "RouteConfiguration": "route_config",
          "ClusterLoadAssignment": "load_assignment"}


def run(tool, files):
    """The tool's verdicts: (verdict, type, file, [error lines])."""
    verdicts = []
    for start in range(0, len(files), CHUNK):
        done = subprocess.run([tool, "--warnings", "--resources", *files[start:start + CHUNK]],
                              capture_output=True, text=True, errors="replace")
        if done.returncode not in (0, 1):
            sys.exit(f"{tool} ended with {done.returncode}\n{done.stderr}")
        for line in done.stdout.splitlines():
            if line.startswith("\t"):
                verdicts[-1][3].append(line[1:])
            else:
                verdicts.append((*line.split(" ", 2), []))
    return verdicts


def is_warning(line):
    return line.startswith("warning: ")


def split(line):
    """What is said where: a path without its indexes, and the words."""
    text = re.sub(r"\[[^]]*\]", "", line.removeprefix("warning: "))
    text = re.sub(r"^(\S+?:)?\d+:\d+: ", "", text)
    path, _, words = text.partition(": ")
    return path, words


def feature(kind, line):
    """What a refused resource would need, or None for an error of another kind."""
    if not line.endswith(lessons.NOT_YET):
        return None
    path, words = split(line.removesuffix(lessons.NOT_YET))
    if re.fullmatch(r"[A-Z0-9_]+", words):
        return f"{path.rpartition('.')[2]}: {words}"
    if words.startswith("envoy."):
        return words
    return ".".join(([PLACES.get(kind, kind)] + path.split("."))[-2:])


def lesson(kind, line):
    """A line without what is particular to its file: the same for all who make the same mistake."""
    needed = feature(kind, line)
    if needed:
        return needed
    path, words = split(line)
    if path in ("JSON", "YAML"):
        return f"{path}: {re.sub(r'line .*', '', words)}"
    if is_warning(line):
        return f"{path.rpartition('.')[2]}: {words.partition(':')[0]}"
    words = re.sub(r'"[^"]*"|(?<=did you mean ).*', "", words)
    return re.sub(r"\b(\w+\.)+\w+|\b[A-Z]\w*[a-z]\w*\b", "X", words).strip()


def report(verdicts):
    by_type = collections.defaultdict(collections.Counter)
    wanted, alone, others = collections.Counter(), collections.Counter(), []
    for verdict, kind, path, lines in verdicts:
        by_type[kind][verdict] += 1
        errors = [line for line in lines if not is_warning(line)]
        needs = {feature(kind, line) for line in errors}
        others += [line for line in errors if not feature(kind, line)]
        for need in needs - {None}:
            wanted[need] += 1
            alone[need] += len(needs) == 1
    for kind, counts in sorted(by_type.items()):
        if counts["ok"] + counts["refused"]:
            print(f"{kind:24}{counts['ok']:5} load {counts['refused']:5} refused")
    print(f"{'files without resources':24}{by_type['-']['none']:5}")
    print(f"\n{'refused':>8}{'by it alone':>12}  needs")
    for need, count in sorted(wanted.items(), key=lambda item: (-item[1], item[0])):
        print(f"{count:8}{alone[need]:12}  {need}")
    print(f"\n{len(others)} errors of another kind")
    return others


def cases_by_lesson():
    cases = collections.defaultdict(list)
    for name in lessons.names():
        for line in lessons.Expected(name).lines:
            cases[lesson("Bootstrap", re.sub(r"^warning ", "warning: ", line))].append(name)
    return cases


def missing(verdicts):
    """What the files taught and no case holds, with a line that says it."""
    cases = cases_by_lesson()
    said = {lesson(kind, line): line for _, kind, _, lines in verdicts for line in lines}
    return [f"no case in {lessons.CASES} holds: {what}\n    as in {line}"
            for what, line in sorted(said.items()) if what not in cases]


def by_size(name):
    return len(lessons.Expected(name).lines), name


def print_files(folder, verdicts):
    cases, taught = cases_by_lesson(), collections.defaultdict(set)
    for _, kind, path, lines in verdicts:
        taught[path] |= {min(cases[lesson(kind, line)], key=by_size) for line in lines}
    for path, names in sorted(taught.items()):
        print(Path(path).relative_to(folder), " ".join(sorted(names)) or "-", sep="\t")


def main():
    folder = os.environ.get("NUNCIO_CONFIGS")
    if not folder:
        print("skipped: NUNCIO_CONFIGS names no folder of configurations")
        return SKIPPED
    files = sorted(str(path) for path in Path(folder).rglob("*")
                   if path.suffix in (".yaml", ".yml", ".json"))
    verdicts = run(sys.argv[1], files)
    if "--files" in sys.argv:
        print_files(folder, verdicts)
        return 0
    others = report(verdicts)
    if "--errors" in sys.argv:
        print("\n".join(others))
    problems = missing(verdicts)
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
