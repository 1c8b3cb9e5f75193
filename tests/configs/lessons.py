#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What real configurations taught: the cases in cases/, and what is expected of each.

Beside cases/NAME.yaml (or .json) stands NAME.expected:

    envoy accepts                  what Envoy 1.36.4 said to it, written by --envoy
    nuncio refuses                 what nuncio says, and below it every line that it prints: errors,
    7:5: static_resources...       warnings; with the place in the file, without its name

usage: lessons.py --update NUNCIO [NAME...]    write what nuncio says now: look at the difference
       lessons.py --envoy ENVOY [NAME...]      write what Envoy says
"""
import re
import subprocess
import sys
from pathlib import Path

CASES = Path(__file__).resolve().parent / "cases"
NOT_YET = ": known to Envoy, not implemented by nuncio"
VERDICTS = {0: "accepts", 1: "refuses"}


def names():
    return sorted(path.stem for path in CASES.iterdir() if path.suffix in (".yaml", ".json"))


def source(name):
    return next(path for path in CASES.glob(name + ".*") if path.suffix in (".yaml", ".json"))


def validate(binary, name):
    """How a binary judges a case: the verdict, and its lines."""
    file = source(name).name
    done = subprocess.run([binary, "--mode", "validate", "-c", file], cwd=CASES, timeout=60,
                          capture_output=True, text=True, errors="replace")
    if done.returncode not in VERDICTS:
        raise AssertionError(f"{file}: ended with {done.returncode}\n{done.stderr}")
    return VERDICTS[done.returncode], lines_about(file, done.stdout + done.stderr)


def lines_about(file, output):
    lines = []
    for line in output.splitlines():
        log, mark, place = line.partition(file + ":")
        if mark:
            lines.append(("warning " if "[warning]" in log else "") + place)
    return lines


class Expected:
    """One .expected file."""

    def __init__(self, name):
        self.path = CASES / (name + ".expected")
        self.envoy, self.nuncio, self.lines = None, None, []
        if self.path.exists():
            envoy, nuncio, *self.lines = self.path.read_text().splitlines()
            self.envoy, self.nuncio = envoy.split()[1], nuncio.split()[1]

    def write(self):
        lines = [f"envoy {self.envoy}", f"nuncio {self.nuncio}", *self.lines]
        self.path.write_text("\n".join(lines) + "\n")

    def is_not_yet(self):
        """Whether nuncio refuses for nothing but what it does not implement yet."""
        errors = [line for line in self.lines if not line.startswith("warning ")]
        return self.nuncio == "refuses" and all(line.endswith(NOT_YET) for line in errors)


def main(what, binary, *chosen):
    for name in chosen or names():
        expected = Expected(name)
        verdict, lines = validate(binary, name)
        if what == "--envoy":
            expected.envoy = verdict
        else:
            expected.nuncio, expected.lines = verdict, lines
        expected.write()
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("--update", "--envoy"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], str(Path(sys.argv[2]).resolve()), *sys.argv[3:]))
