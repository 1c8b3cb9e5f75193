# SPDX-License-Identifier: Apache-2.0
"""The second try of repeat.py itself: what gets one, and that it is told."""
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
CONFTEST = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from repeat import Repeat

def pytest_configure(config):
    config.pluginmanager.register(Repeat())
"""
TEST = """
import pytest
runs = []

@pytest.fixture
def once():
    runs.append("set up")
    yield len(runs)
    {teardown}

def test_it(once):
    {body}
"""


def run(folder, body, teardown="pass"):
    """(exit code, report) of a session with that one test."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(TEST.format(body=body, teardown=teardown))
    done = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider",
                           "--junitxml=report.xml"], cwd=folder, capture_output=True, check=False)
    return done.returncode, (folder / "report.xml").read_text()


def test_a_second_try_has_fixtures_of_its_own_and_is_told(tmp_path):
    code, report = run(tmp_path, "assert once == 2")
    assert code == 0 and 'failures="0"' in report and 'tests="1"' in report
    assert 'name="failed once, passed again"' in report and "assert 1 == 2" in report


def test_a_second_try_that_fails_is_a_failure(tmp_path):
    code, report = run(tmp_path, "assert once == 3")
    assert code == 1 and "assert 2 == 3" in report and "passed again" not in report


@pytest.mark.parametrize("words", [
    "==1==ERROR: AddressSanitizer: heap-use-after-free", "a.c:1:2: runtime error: shift",
    "ended with -11 instead of 0:", "had to be killed:", "ambiguous: two lengths"])
def test_a_broken_process_gets_no_second_try(tmp_path, words):
    code, report = run(tmp_path, "pass", f"assert len(runs) == 2, {words!r}")
    assert code == 1 and words.split(":")[0] in report


def test_a_test_that_passes_runs_once(tmp_path):
    code, report = run(tmp_path, "assert once == 1")
    assert code == 0 and "passed again" not in report
