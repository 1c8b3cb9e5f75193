# SPDX-License-Identifier: Apache-2.0
"""Runs cases against a server and judges each: by Envoy's recording, or by the case's own word."""

import concurrent.futures
import copy
import re
import traceback

import normalise

from . import guests
from .case import DIFFERENCES, CaseError
from .compare import Verdict, apply_differences, compare, compare_process
from .observe import observe, observe_validation
from .workers import needs_one_worker, without_workers

JOBS = 12
MOST_REPEATED = 20  # more than that is no matter of a busy machine
REFUSAL = "not implemented"
# What a process says that broke: its case is not run again.
CRASH = re.compile(r"Sanitizer|runtime error:|exit code -(?!9:)\d")
TROUBLE = "trouble"  # where a difference says which step of the script has no success


def renormalise(observed):
    """A recording may be older than the list: both sides go through today's."""
    observed = copy.deepcopy(observed)
    for name in list(observed.get("stats", {})):
        if normalise.is_ignored_stat(name):
            del observed["stats"][name]
    for name, lines in observed.get("log", {}).items():
        observed["log"][name] = [normalise.text("log", line) for line in lines]
    connections = [*observed.get("client", {}).values(),
                   *(one for all in observed.get("upstream", {}).values() for one in all)]
    for connection in connections:
        connection["received"] = [normalise.text("wire", line) for line in connection["received"]]
    return observed


def expectation(case, as_envoy=False):
    """(what must be seen, complaints); differences on purpose count for nuncio alone."""
    if "unconfirmed" in case.spec:
        return case.spec["expect"], []
    recording = case.load_recording()
    if recording is None:
        raise CaseError(f"{case.name}: no recording; run record.py, or say unconfirmed and why")
    observed = renormalise(recording["observed"])
    if as_envoy:
        return observed, []
    return apply_differences(observed, [d for d in case.spec.get("differs", [])
                                        if d["at"] != TROUBLE])


def expected_trouble(case, as_envoy):
    """The step that gets nothing from nuncio where it answers otherwise on purpose; else None."""
    marks = () if as_envoy else case.spec.get("differs", ())
    return next((mark["is"] for mark in marks if mark["at"] == TROUBLE), None)


def judge_refusal(case, program):
    """A case of what nuncio does not implement yet: it has to refuse the configuration."""
    observed = observe_validation(case, program)
    if observed["exit"] == 0:
        return Verdict(case.name, "failed", ["nuncio accepts this by now: take not_yet away"])
    if REFUSAL not in observed["error"]:
        return Verdict(case.name, "failed", [f"the refusal does not say '{REFUSAL}':",
                                             *observed["error"].splitlines()])
    return Verdict(case.name, "not yet")


def agreement(expected, program):
    """For observe: whether parts of an observation are as expected."""
    def agrees(**seen):
        sides = [expected, {**expected, **seen}]
        if program.workers > 1:
            sides = [without_workers(copy.deepcopy(side)) for side in sides]
        return sides[0] == sides[1]
    return agrees


def judge(case, program):
    verdict = find_verdict(case, program)
    verdict.crashed = verdict.failed and CRASH.search("\n".join(verdict.lines)) is not None
    return verdict


def find_verdict(case, program):
    if needs_one_worker(case.spec):
        program = program.with_one_worker()
    lacking = guests.lacking(case.spec, program.is_envoy)
    if lacking:
        return Verdict(case.name, "skipped", [lacking])
    if "not_yet" in case.spec and not program.is_envoy:
        return judge_refusal(case, program)
    try:
        expected, lines = expectation(case, program.is_envoy)
        actual, trouble = observe(case, program, agreement(expected, program))
    except CaseError as error:
        return Verdict(case.name, "failed", [str(error)])
    except Exception:  # one broken case must not end the run of all others
        return Verdict(case.name, "failed", traceback.format_exc().splitlines())
    if trouble and "client" not in actual:  # it never came to an exchange
        return Verdict(case.name, "failed", trouble.splitlines())
    if case.kind == "proxy":
        if program.workers > 1:
            expected, actual = without_workers(copy.deepcopy(expected)), without_workers(actual)
        lines = lines + compare(expected, actual)
    else:
        wanted = [] if program.is_envoy else case.spec.get("nuncio", {}).get("says", [])
        lines = lines + compare_process(expected, actual, wanted)
    if trouble != expected_trouble(case, program.is_envoy):
        lines = (trouble or "all steps had success, against what the case says").splitlines() + lines
    if lines:
        return Verdict(case.name, "failed", lines)
    if "unconfirmed" in case.spec:
        return Verdict(case.name, "unconfirmed")
    differs = "differs" in case.spec and not program.is_envoy
    return Verdict(case.name, "differs" if differs else "same")


def judge_all(cases, program, jobs=JOBS):
    """Verdicts by case name; the cases run side by side, each in processes of its own.

    One that differs runs once more after all others, alone: how busy the machine is must not decide.
    Its verdict then says that it differed once. A crash stays a failure.
    """
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        verdicts = {verdict.name: verdict
                    for verdict in pool.map(lambda case: judge(case, program), cases)}
    again = [case for case in cases if verdicts[case.name].may_repeat]
    for case in again if len(again) <= MOST_REPEATED else ():
        first, second = verdicts[case.name], judge(case, program)
        if second.failed:
            second.lines += ["(differed twice; first so:)", *first.lines]
        else:
            second.differed_once = first.lines
        verdicts[case.name] = second
    return verdicts


def summary(verdicts):
    count = {status: sum(1 for v in verdicts if v.status == status)
             for status in ("same", "differs", "not yet", "unconfirmed", "skipped", "failed")}
    skipped = f"{count['skipped']} skipped, " if count["skipped"] else ""
    return (f"{count['same']} as Envoy, {count['differs']} different on purpose, "
            f"{count['not yet']} refused as not implemented, "
            f"{count['unconfirmed']} not confirmed by a real Envoy, {skipped}{count['failed']} failed")


def listed_differences():
    return DIFFERENCES.read_text() if DIFFERENCES.exists() else ""
