# SPDX-License-Identifier: Apache-2.0
"""Every case of cases/ is judged as its .expected file says; README.md tells what a case is.

NUNCIO names the program under test.
"""
import os

import pytest

import lessons


@pytest.fixture(scope="session", name="binary")
def find_binary():
    path = os.environ.get("NUNCIO")
    if not path:
        pytest.fail("NUNCIO names no program: run these tests by ctest, or set it")
    return os.path.realpath(path)


@pytest.mark.parametrize("name", lessons.names())
def test_verdict_is_as_expected(binary, name):
    expected = lessons.Expected(name)
    verdict, lines = lessons.validate(binary, name)
    assert (verdict, lines) == (expected.nuncio, expected.lines), (
        f"if that is meant: tests/configs/lessons.py --update {binary} {name}")


@pytest.mark.parametrize("name", lessons.names())
def test_envoy_agrees_but_for_what_is_not_implemented(name):
    expected = lessons.Expected(name)
    assert expected.envoy == expected.nuncio or expected.is_not_yet()


def test_nothing_else_is_expected_of():
    assert {path.stem for path in lessons.CASES.glob("*.expected")} == set(lessons.names())


def test_every_case_was_taught_by_a_file():
    rows = (lessons.CASES.parent / "files.tsv").read_text().splitlines()
    taught = {name for row in rows for name in row.split("\t")[1].split() if name != "-"}
    assert taught == set(lessons.names())
