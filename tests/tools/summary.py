#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up what the suites counted, and judges the skips.

usage: summary.py ALLOWED_SKIPS [--skipped NAME REASON]... FOLDER...

Each FOLDER is a build folder in which ctest wrote ctest.xml and the pytest suites junit/NAME.xml. A
cmocka program and a pytest suite count with the tests inside them, everything else as one. Prints
every skip with its reason, and by name what passed at a second try only: a race may be behind it. The
last line is "N passed, N failed, N skipped". Ends with 1 if a test failed, if a skip is not on the
list (where * at an end stands for any end), or if a folder has no results.
"""
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

# The properties that such a test leaves in its report: tests/compat/lib/judge.py, tests/e2e/repeat.py.
REPEATED = ("differed once, agreed alone", "failed once, passed again")


class Count:
    def __init__(self):
        self.passed, self.failed, self.skips = 0, 0, []
        self.repeated = []

    def add_pytest(self, suite, path):
        for case in ElementTree.parse(path).iter("testcase"):
            skipped = case.find("skipped")
            if skipped is not None:
                module = case.get("classname").rpartition(".")[2]
                name = f"{suite.split('/')[0]}/{module}/{case.get('name')}"
                self.skips.append((name, skipped.get("message")))
            elif case.find("failure") is not None or case.find("error") is not None:
                self.failed += 1
            else:
                self.passed += 1
            for note in case.iter("property"):
                if note.get("name") in REPEATED:
                    self.repeated.append((note.get("name"), f"{suite}/{case.get('name')}",
                                          note.get("value")))

    def add_cmocka(self, name, output):
        passed = re.findall(r"^\[  PASSED  \] (\d+) test\(s\)\.", output, re.M)
        failed = re.findall(r"^\[  FAILED  \] (\d+) test\(s\)", output, re.M)
        skips = re.findall(r"^\[  SKIPPED \] (\w+)$", output, re.M)
        self.passed += sum(map(int, passed))
        self.failed += sum(map(int, failed))
        self.skips += [(f"{name}/{skip}", "see its source") for skip in skips]

    def add_ctest(self, folder):
        for case in ElementTree.parse(folder / "ctest.xml").iter("testcase"):
            name, status = case.get("name"), case.get("status")
            output = case.findtext("system-out") or ""
            inner = folder / "junit" / f"{name}.xml"
            if status == "notrun":
                reason = re.search(r"^skipped: (.*)$", output, re.M)
                self.skips.append((name, reason.group(1) if reason else "did not run"))
            elif inner.exists():
                failed_before = self.failed
                self.add_pytest(name, inner)
                if status == "fail" and self.failed == failed_before:
                    self.failed += 1
            elif "[==========]" in output and status == "run":
                self.add_cmocka(name, output)
            elif status == "run":
                self.passed += 1
            else:
                self.failed += 1


def is_allowed_skip(name, allowed):
    return name in allowed or any(name.startswith(one[:-1]) for one in allowed if one.endswith("*"))


def allowed_names(path):
    lines = (line.split("#")[0].split() for line in Path(path).read_text().splitlines())
    return {words[0] for words in lines if words}


def main():
    arguments = sys.argv[1:]
    allowed = allowed_names(arguments.pop(0))
    count = Count()
    while arguments and arguments[0] == "--skipped":
        count.skips.append((arguments[1], arguments[2]))
        del arguments[:3]
    missing = 0
    for folder in map(Path, arguments):
        if (folder / "ctest.xml").exists():
            count.add_ctest(folder)
        else:
            print(f"no results in {folder}")
            missing += 1
    for how, name, lines in count.repeated:
        print(f"{how}: {name}\n    " + lines.replace("\n", "\n    "))
    refused = 0
    for name, reason in sorted(set(count.skips)):
        is_allowed = is_allowed_skip(name, allowed)
        refused += not is_allowed
        print(f"skipped{'' if is_allowed else ', and may not be'}: {name}: {reason}")
    print(f"{count.passed} passed, {count.failed + missing} failed, {len(count.skips)} skipped")
    return 1 if count.failed or missing or refused else 0


sys.exit(main())
