#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the cases through nuncio and compares with the recorded answers of the real Envoy.

NUNCIO=build/nuncio run.py [NAMES...]   the cases whose names begin so; all without names
run.py --envoy [NAMES...]               the same against the real Envoy: checks the recordings
"""

import argparse
import os
import sys
import time

from lib.case import load_cases
from lib.judge import JOBS, judge_all, summary
from lib.server import Program, find_envoy


def find_program(use_envoy, workers):
    path = find_envoy() if use_envoy else os.environ.get("NUNCIO")
    if not path or not os.access(path, os.X_OK):
        name = "ENVOY" if use_envoy else "NUNCIO"
        print(f"skipped: {name} names no program to run")
        return None
    return Program(os.path.abspath(path), use_envoy, workers)


def main():
    options = argparse.ArgumentParser(description=__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*")
    options.add_argument("--envoy", action="store_true")
    options.add_argument("--jobs", type=int, default=JOBS)
    options.add_argument("--workers", type=int, default=1,
                         help="more than one: see lib/workers.py for what is not compared then")
    options.add_argument("--quiet", action="store_true", help="names of failed cases only")
    chosen = options.parse_args()
    program = find_program(chosen.envoy, chosen.workers)
    if program is None:
        return 0
    began = time.monotonic()
    verdicts = list(judge_all(load_cases(chosen.names), program, chosen.jobs).values())
    for verdict in verdicts:
        if verdict.differed_once:
            print(f"differed once, agreed alone: {verdict.name}")
            for line in () if chosen.quiet else verdict.differed_once:
                print(f"  {line}")
        if verdict.status == "skipped":
            print(f"skipped: {verdict.name}: {verdict.lines[0]}")
        if verdict.failed:
            print(f"FAILED {verdict.name}")
            for line in () if chosen.quiet else verdict.lines:
                print(f"  {line}")
    print(f"{summary(verdicts)} ({time.monotonic() - began:.1f} s)")
    return 1 if any(verdict.failed for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
