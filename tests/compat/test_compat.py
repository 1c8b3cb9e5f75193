# SPDX-License-Identifier: Apache-2.0
"""The suite: the rules of the method on the files themselves, then every case through nuncio.

Without NUNCIO only the files are checked. The cases run side by side on the first use.
"""

import collections
import os
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib.case import RECORDINGS, load_cases  # noqa: E402
from lib.judge import judge_all, listed_differences, summary  # noqa: E402
from lib.server import Program  # noqa: E402
from lib.workers import has_several_clients, needs_one_worker  # noqa: E402

CASE_LIST = load_cases()
WANTED_CASES = 120
CASES_PER_BEHAVIOUR = 3


@pytest.fixture(scope="session", name="nuncio_path")
def find_nuncio():
    path = os.environ.get("NUNCIO")
    if not path or not os.access(path, os.X_OK):
        pytest.skip("NUNCIO names no program: only the recordings themselves were checked")
    return os.path.abspath(path)


def judge_wanted(request, test, program):
    """The verdicts by name of the cases that this session runs of a test, judged side by side."""
    wanted = {item.callspec.params["case"].name for item in request.session.items
              if getattr(item, "function", None) is test}
    outcome = judge_all([case for case in CASE_LIST if case.name in wanted], program)
    print("\n" + summary(outcome.values()))
    return outcome


@pytest.fixture(scope="session")
def verdicts(request, nuncio_path):
    return judge_wanted(request, test_nuncio_answers_as_envoy_did,
                        Program(nuncio_path, is_envoy=False))


@pytest.fixture(scope="session")
def verdicts_of_two(request, nuncio_path):
    return judge_wanted(request, test_two_workers_answer_several_clients_as_one_does,
                        Program(nuncio_path, is_envoy=False, workers=2))


def fail_if_failed(verdict, record_property):
    if verdict.differed_once:  # for tests/tools/summary.py
        record_property("differed once, agreed alone", "\n".join(verdict.differed_once))
    if verdict.status == "skipped":
        pytest.skip(verdict.lines[0])
    if verdict.failed:
        pytest.fail("\n".join(verdict.lines), pytrace=False)


@pytest.mark.parametrize("case", CASE_LIST, ids=lambda case: case.name)
def test_nuncio_answers_as_envoy_did(case, verdicts, record_property):
    fail_if_failed(verdicts[case.name], record_property)


def may_use_two_workers(case):
    return case.recording_path.exists() and not needs_one_worker(case.spec) and \
        has_several_clients(case.load_recording()["observed"])


@pytest.mark.parametrize("case", filter(may_use_two_workers, CASE_LIST), ids=lambda case: case.name)
def test_two_workers_answer_several_clients_as_one_does(case, verdicts_of_two,
                                                               record_property):
    """The kernel chooses the worker: run.py --workers 8 is the longer test."""
    fail_if_failed(verdicts_of_two[case.name], record_property)


def test_every_case_is_recorded_unedited_or_says_it_is_unconfirmed():
    bad = []
    for case in CASE_LIST:
        if "unconfirmed" in case.spec:
            if case.recording_path.exists() or "expect" not in case.spec:
                bad.append(f"{case.name}: unconfirmed, yet recorded or without expect")
            continue
        try:
            if case.load_recording() is None:
                bad.append(f"{case.name}: no recording")
        except Exception as error:  # pylint: disable=broad-except
            bad.append(str(error))
    assert not bad, "\n".join(bad)


def test_all_recordings_are_of_one_envoy_and_of_a_case():
    recordings = {str(path.relative_to(RECORDINGS).with_suffix(""))
                  for path in RECORDINGS.rglob("*.json")}
    assert not recordings - {case.name for case in CASE_LIST}
    builds = {str(case.load_recording()["envoy"]) for case in CASE_LIST
              if case.recording_path.exists()}
    assert len(builds) == 1


def test_each_case_names_what_it_proves_and_no_line_has_too_many():
    count = collections.Counter()
    for case in CASE_LIST:
        assert re.match(r"\d+(\.\d+)? \S", case.spec.get("proves", "")), case.name
        count[case.spec["proves"]] += 1
    assert not [line for line, cases in count.items() if cases > CASES_PER_BEHAVIOUR]


def test_there_are_enough_cases_confirmed_by_a_real_envoy():
    assert sum(1 for case in CASE_LIST if case.recording_path.exists()) >= WANTED_CASES


def test_differences_on_purpose_give_a_reason_and_are_listed():
    text = listed_differences()
    for case in CASE_LIST:
        for difference in case.spec.get("differs", []):
            assert {"at", "reason"} < set(difference) <= {"at", "is", "without", "also", "reason"}, case.name
            assert case.name in text, f"{case.name} is not in docs/differences.md"
