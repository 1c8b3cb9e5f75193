# SPDX-License-Identifier: Apache-2.0
"""What the tests of the real binary share; NUNCIO names it. A test is about this long:

    def test_a_route_answers(nuncio, origin):
        proxy = nuncio(CONFIG, origin=origin().port)     # fills @origin@ in the text CONFIG
        assert proxy.get("main", "/").status == 200      # through the port that replaced @main@

Placeholders in a configuration: @admin@ is a port of the kernel's choice, @dir@ a folder of the test's
own, a keyword of the call its value, and any other @name@ a free port, held for this test. Every
process is ended by its id; one that printed a sanitizer's report or ended in an unexpected way fails
the test.
"""
import getpass
import os
import pathlib
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "compat")]

from fleet import Fleet  # noqa: E402
from peers import Origin  # noqa: E402
from process import Nuncio  # noqa: E402
from repeat import Repeat  # noqa: E402

CONF = HERE.parent.parent / "conf"
LONGEST = len("/tmp/a-user")  # with a test's own part not much less than the 107 bytes of a socket's path


def have_short_paths(config):
    """Sockets are made in the folders of tests, whatever TMPDIR and the user are called."""
    if config.option.basetemp or len(f"{tempfile.gettempdir()}/{getpass.getuser()}") <= LONGEST + 10:
        return
    folder = tempfile.TemporaryDirectory(prefix="nuncio-", dir="/tmp")
    config.option.basetemp = f"{folder.name}/t"
    config.add_cleanup(folder.cleanup)


def pytest_configure(config):
    have_short_paths(config)
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
    config.pluginmanager.register(Repeat())


@pytest.fixture(scope="session", autouse=True)
def thread_sanitizer():
    """Options for a nuncio that was built with it: every thread is joined at the end, so that there is
    nothing to wait for, which it does for a second by default."""
    os.environ["TSAN_OPTIONS"] = f"suppressions='{HERE.parent}/tsan_suppressions.txt':atexit_sleep_ms=0"


@pytest.fixture(scope="session")
def nuncio_binary():
    path = os.environ.get("NUNCIO")
    if not path or not os.access(path, os.X_OK):
        pytest.fail("NUNCIO names no program: run these tests by ctest, or set it")
    return os.path.abspath(path)


def start_in(folder, binary):
    started = []

    def start(config, *arguments, **options):
        own = folder / f"nuncio{len(started)}"
        own.mkdir()
        process = Nuncio(binary, own, config, arguments, **options)
        started.append(process)
        process.wait_ready()
        return process

    yield start
    problems = [problem for process in started for problem in process.finish()]
    assert not problems, "\n".join(problems)


@pytest.fixture
def held_ports():
    """Sockets that hold ports until every nuncio of the test has ended: one that still connects to an
    upstream, as health checks do, must not come to another test's."""
    sockets = []
    yield sockets
    for sock in sockets:
        sock.close()


@pytest.fixture(scope="module")
def shared_held_ports():
    """The same for shared_nuncio."""
    sockets = []
    yield sockets
    for sock in sockets:
        sock.close()


@pytest.fixture
def nuncio(nuncio_binary, tmp_path, held_ports):  # pylint: disable=unused-argument
    """nuncio(config, *arguments, name=value...): a running nuncio, ended with the test."""
    yield from start_in(tmp_path, nuncio_binary)


@pytest.fixture(scope="module")
def shared_nuncio(nuncio_binary, tmp_path_factory, shared_held_ports):  # pylint: disable=unused-argument
    """The same for tests that leave nothing behind in it: ended with the file's last test."""
    yield from start_in(tmp_path_factory.mktemp("shared"), nuncio_binary)


def start_origins(held):
    started = []

    def start(script=None):
        started.append(Origin(script))
        held.append(started[-1].held)
        return started[-1]

    yield start
    problems = [problem for upstream in started for problem in upstream.finish()]
    assert not problems, "\n".join(problems)


@pytest.fixture
def origin(held_ports):
    """origin(script=None): an upstream with a thread for each connection; see peers.Origin."""
    yield from start_origins(held_ports)


@pytest.fixture(scope="module")
def shared_origin(shared_held_ports):
    """The same beside shared_nuncio."""
    yield from start_origins(shared_held_ports)


@pytest.fixture
def fleet(held_ports):
    """A running fleet.Fleet."""
    running = Fleet()
    held_ports.append(running.held)
    yield running
    running.finish()
