# SPDX-License-Identifier: Apache-2.0
"""A second try for a test that failed because the machine was busy.

Each test runs the real binary beside others, so a limit that suits people may be missed. A test that
failed runs once more, with fixtures of its own; if it passes then, it counts as passed and its report says
so, for tests/tools/summary.py to name it. What says that a process broke, that a sanitizer spoke or
that requests could be told apart in two ways is never tried again, nor is anything once several tests
of a file have failed.
"""
import re

from _pytest.runner import runtestprotocol

NOTE = "failed once, passed again"
MOST = 3
NEVER = re.compile(r"(Sanitizer|runtime error):|assertion failed|Assertion .* failed|"
                   r"ended with \S+ instead|had to be killed|ambiguous:")


def failures(reports):
    return "\n".join(report.longreprtext for report in reports if report.failed)


class Repeat:
    """The plug-in: one for each run of pytest."""

    def __init__(self):
        self.left = MOST

    def _may_repeat(self, text):
        if not text or NEVER.search(text):
            return False
        self.left -= 1
        return self.left >= 0

    def pytest_runtest_protocol(self, item, nextitem):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        first = failures(reports)
        if self._may_repeat(first):
            item._initrequest()
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            for report in reports if not failures(reports) else ():
                report.user_properties.append((NOTE, first[-4000:]))
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
