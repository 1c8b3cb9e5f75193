# SPDX-License-Identifier: Apache-2.0
"""How long VMs of wasm plug-ins and their root contexts live, with the guest tests/guests/life.c. The
order of callbacks is that of Envoy 1.36.4, but where a comment says otherwise."""
import re
import signal

import pytest

from test_wasm import BUILD, plugin, proxy, tools  # pylint: disable=unused-import

GUEST = BUILD / "tests/guests/life.wasm"
ONE = ("--concurrency", "1")


@pytest.fixture
def life(proxy):  # pylint: disable=redefined-outer-name
    """A proxy with plug-ins of these configurations."""
    def start(*configurations, arguments=ONE, **options):
        plugins = [plugin(each, code=GUEST, **options) for each in configurations or ("plain",)]
        return proxy(*plugins, arguments=arguments)
    return start


def told(running, piece="wasm log "):
    """What guests said, each line without its prefix."""
    return [re.sub(r".*wasm log [^:]*: ", "", line) for line in running.stderr.text.splitlines()
            if piece in line]


def end(running, number=signal.SIGTERM):
    """Ends it; what guests said after that."""
    before = len(told(running))
    running.signal(number)
    assert running.wait_exit() == 0
    return told(running)[before:]


# --- With the threads -----------------------------------------------------------------------------


def test_a_root_is_there_before_there_are_requests(life):
    running = life("tick")
    running.stderr.wait("one root vm: ticks")
    assert told(running)[:4] == ["configure tick", "root of VERSION-0001"] * 2  # tried out; worker
    assert "request" not in running.stderr.text


def test_each_worker_has_a_root(life):
    running = life(arguments=("--concurrency", "3"))
    assert told(running).count("configure plain") == 1 + 3
    assert sorted(end(running)) == ["root delete, VERSION-0001"] * 3 + [
        "root done, VERSION-0001"] * 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_roots_end_after_the_streams(life, number):
    running = life()
    client = running.connect()
    client.send(b"GET /hold HTTP/1.1\r\nhost: a\r\n\r\n")
    running.stderr.wait("request /hold")
    if number == signal.SIGTERM:
        running.signal(number)
        client.close()
    lines = end(running, number) if number == signal.SIGINT else None
    running.wait_exit()
    lines = lines or told(running)[-4:]
    assert lines == ["stream done, VERSION-0001", "stream delete, VERSION-0001",
                     "root done, VERSION-0001", "root delete, VERSION-0001"]


def test_a_root_may_take_its_time_to_end(life):
    running = life("tick, later")
    running.stderr.wait("one root vm: ticks")
    assert end(running) == ["root done, VERSION-0001", "root is done",
                            "root delete, VERSION-0001"]
    assert "done without an end" not in running.stderr.text
    assert "cannot be done" not in running.stderr.text


def test_a_root_that_never_ends_is_ended_with_the_drain(life):
    running = life("tick, never", arguments=ONE + ("--sigterm-drain-ms", "200"))
    running.stderr.wait("one root vm: ticks")
    assert end(running) == ["root done, VERSION-0001", "root delete, VERSION-0001"]
    running.stderr.wait("the drain is over after 200 ms, before all that runs on threads has ended")


def test_a_guest_that_fails_while_it_ends_is_over(life):
    running = life("tick, ending-trap")
    running.stderr.wait("one root vm: ticks")
    assert end(running) == ["root done, VERSION-0001"]
    running.stderr.wait("Function: proxy_on_tick failed: RuntimeError: unreachable")
    running.stderr.wait("drained")


def test_no_one_waits_for_a_root_at_an_abrupt_end(life):
    running = life("later")
    assert end(running, signal.SIGINT) == ["root done, VERSION-0001", "root delete, VERSION-0001"]


# --- What plug-ins share --------------------------------------------------------------------------


def test_plugins_that_are_the_same_share_a_root(life):
    running = life("plain", "plain")
    assert running.get("main", "/").headers.get_all("version") == ["VERSION-0001"] * 2
    assert told(running).count("configure plain") == 2 + 1  # each is tried out
    assert end(running)[-2:] == ["root done, VERSION-0001", "root delete, VERSION-0001"]
    assert told(running).count("root done, VERSION-0001") == 1


def test_plugins_of_one_vm_end_one_by_one(life):
    running = life("plain", "other")
    assert running.get("main", "/").status == 200
    assert end(running) == ["root done, VERSION-0001", "root delete, VERSION-0001"] * 2
