# SPDX-License-Identifier: Apache-2.0
"""Compares what nuncio did with what Envoy did, and words the difference for a reader."""

import copy
import difflib


class Verdict:
    """The outcome for one case: same, differs on purpose, unconfirmed, skipped or failed with reasons."""

    def __init__(self, name, status, lines=()):
        self.name, self.status, self.lines = name, status, list(lines)
        self.crashed = False       # the process broke, or a sanitizer spoke
        self.differed_once = None  # the lines of a first run, where the second one agreed

    @property
    def failed(self):
        return self.status == "failed"

    @property
    def may_repeat(self):
        return self.failed and not self.crashed


def _walk(tree, path):
    """The holder and the last key of a dotted path into an observation."""
    *way, last = path.split("/")
    for key in way:
        tree = tree[int(key)] if isinstance(tree, list) else tree[key]
    return tree, int(last) if isinstance(tree, list) else last


def _leave_out(lines, difference):
    """Takes the lines away that nuncio does not have; complains about those that Envoy lacks, too."""
    unknown = [line for line in difference["without"] if line not in lines]
    lines[:] = [line for line in lines if line not in difference["without"]]
    return [f"{difference['at']}: Envoy has no line {line!r}" for line in unknown]


def _put_in(lines, difference):
    """Puts lines in that nuncio has of its own, each behind one of Envoy's."""
    complaints = []
    for before, own in difference["also"].items():
        if own in lines or before not in lines:
            complaints.append(f"{difference['at']}: Envoy has {own!r}, or no line {before!r}")
        else:
            lines.insert(lines.index(before) + 1, own)
    return complaints


def apply_differences(expected, differences):
    """The expectation with the differences on purpose put in; complains about stale ones."""
    expected, complaints = copy.deepcopy(expected), []
    for difference in differences:
        holder, key = _walk(expected, difference["at"])
        if "without" in difference:
            complaints += _leave_out(holder[key], difference)
            continue
        if "also" in difference:
            complaints += _put_in(holder[key], difference)
            continue
        known = holder[key] if isinstance(holder, list) else holder.get(key)
        if known == difference["is"]:
            complaints.append(f"{difference['at']}: marked as different, yet Envoy does the same")
        if difference["is"] is None and isinstance(holder, dict):
            holder.pop(key, None)
        else:
            holder[key] = difference["is"]
    return expected, complaints


def _diff_lines(expected, actual):
    shown = [[repr(line) for line in lines] for lines in (expected, actual)]
    lines = list(difflib.unified_diff(*shown, "Envoy", "nuncio", lineterm="", n=2))[2:]
    if sorted(expected) == sorted(actual):
        lines.append("(the same lines in another order)")
    return [f"    {line}" for line in lines]


def compare(expected, actual, path=""):
    """All differences as lines of text; empty when the two are the same."""
    if expected == actual:
        return []
    if isinstance(expected, dict) and isinstance(actual, dict):
        lines = []
        for key in sorted({*expected, *actual}):
            lines += compare(expected.get(key), actual.get(key), f"{path}/{key}".lstrip("/"))
        return lines
    if isinstance(expected, list) and isinstance(actual, list):
        if any(isinstance(item, dict) for item in expected + actual):
            lines = []
            if len(expected) != len(actual):
                lines.append(f"{path}: {len(expected)} with Envoy, {len(actual)} with nuncio")
            for number, pair in enumerate(zip(expected, actual)):
                lines += compare(*pair, f"{path}/{number}")
            return lines
        return [f"{path}:"] + _diff_lines(expected, actual)
    return [f"{path}: Envoy {expected!r}, nuncio {actual!r}"]


def compare_process(expected, actual, wanted):
    """A start or a validation: Envoy's exit code, and the words that the case asks of nuncio."""
    lines = compare({"exit": expected["exit"]}, {"exit": actual["exit"]})
    if expected["exit"] == 0:
        lines += compare({"stdout": expected["stdout"]}, {"stdout": actual["stdout"]})
    shown = actual["error"][:2000].rstrip().replace("\n", "\n    ")
    lines += [f"nuncio's error does not say {text!r}:\n    {shown}"
              for text in wanted if text not in actual["error"]]
    return lines
