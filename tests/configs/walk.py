#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Walks a folder of real configurations and says how many load, and what the others need.

The folder is named by the environment variable NUNCIO_CONFIGS. Every YAML and JSON file in it is
searched for bootstraps, listeners, clusters, route tables and endpoints; each is judged by itself.
What is refused as "known to Envoy, not implemented" is counted by feature, most wanted first;
anything else is listed as it stands.

usage: walk.py CONFIG_WALK [--errors]
"""
import collections
import os
import re
import subprocess
import sys
from pathlib import Path

SKIPPED = 77
KNOWN = ": known to Envoy, not implemented by nuncio"
CHUNK = 50  # files for one run of the tool


def run(tool, files):
    """The tool's verdicts: (verdict, type, file, [error lines])."""
    verdicts = []
    for start in range(0, len(files), CHUNK):
        done = subprocess.run([tool, "--resources", *files[start:start + CHUNK]],
                              capture_output=True, text=True, errors="replace")
        if done.returncode not in (0, 1):
            sys.exit(f"{tool} ended with {done.returncode}\n{done.stderr}")
        for line in done.stdout.splitlines():
            if line.startswith("\t"):
                verdicts[-1][3].append(line[1:])
            else:
                verdicts.append((*line.split(" ", 2), []))
    return verdicts


def feature(kind, line):
    """What a refused resource would need, or None for an error of another kind."""
    if not line.endswith(KNOWN):
        return None
    text = re.sub(r"\[[^]]*\]", "", line[:-len(KNOWN)])
    path, _, what = text.rpartition(": ")
    if re.fullmatch(r"[A-Z0-9_]+", what):
        return f"{path.rpartition('.')[2].rpartition(' ')[2]}: {what}"
    if re.fullmatch(r"[\w.]+( \([\w.]+\))?", what) and what.startswith("envoy."):
        return what
    return ".".join(([kind] + what.split("."))[-2:])


def report(verdicts):
    by_type = collections.defaultdict(collections.Counter)
    wanted, alone, others = collections.Counter(), collections.Counter(), []
    for verdict, kind, path, errors in verdicts:
        by_type[kind][verdict] += 1
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


def main():
    folder = os.environ.get("NUNCIO_CONFIGS")
    if not folder:
        print("skipped: NUNCIO_CONFIGS names no folder of configurations")
        return SKIPPED
    files = sorted(str(path) for path in Path(folder).rglob("*")
                   if path.suffix in (".yaml", ".yml", ".json"))
    others = report(run(sys.argv[1], files))
    if "--errors" in sys.argv:
        print("\n".join(others))
    return 0


sys.exit(main())
