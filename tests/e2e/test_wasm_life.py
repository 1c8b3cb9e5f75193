# SPDX-License-Identifier: Apache-2.0
"""How long VMs of wasm plug-ins and their root contexts live, with the guest tests/guests/life.c. The
order of callbacks is that of Envoy 1.36.4, but where a comment says otherwise."""
import re
import signal

import pytest

from process import eventually
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
    assert end(running)[-4:] == ["root done, VERSION-0001", "root delete, VERSION-0001"] * 2


# --- Failure --------------------------------------------------------------------------------------


def policy(name, base_interval=None):
    backoff = f"\n                reload_config: {{backoff: {{base_interval: {base_interval}}}}}"
    return {"extra": f"failure_policy: {name}" + (backoff if base_interval else "")}


def reloads(running):
    stats = running.stats()
    return {name: stats[f"wasm.one.vm_reload{name}"] for name in
            ("", "_backoff", "_success", "_failure")}


def test_a_new_vm_may_come_when_the_old_one_was_made_long_ago(life):
    running = life(**policy("FAIL_RELOAD", "0.001s"))
    for count in range(1, 4):  # each is older than that by the time of its second request
        assert running.get("main", "/").status == 200
        assert running.get("main", "/trap").status == 503
        assert running.get("main", "/").headers["version"] == "VERSION-0001"
        assert reloads(running) == {"": 0, "_backoff": 0, "_success": count, "_failure": 0}


def test_no_new_vm_comes_before_its_time(life):
    running = life(**policy("FAIL_RELOAD", "3600s"))
    assert running.get("main", "/trap").status == 503
    for count in range(1, 4):
        assert running.get("main", "/").status == 503
        assert reloads(running) == {"": 0, "_backoff": count, "_success": 0, "_failure": 0}


# Envoy makes none under the other policies.
@pytest.mark.parametrize("name,meanwhile", [("FAIL_RELOAD", 503), ("FAIL_CLOSED", 503),
                                            ("FAIL_OPEN", 200)])
def test_a_new_vm_comes_after_a_second(life, name, meanwhile):
    running = life(**policy(name))
    assert running.get("main", "/trap").status == meanwhile
    answers = []
    assert eventually(lambda: answers.append(running.get("main", "/"))
                      or "version" in answers[-1].headers)
    assert {answer.status for answer in answers[:-1]} <= {meanwhile}
    assert reloads(running) == {"": 0, "_backoff": len(answers) - 1, "_success": 1, "_failure": 0}


@pytest.mark.parametrize("name,status", [("FAIL_RELOAD", 503), ("FAIL_CLOSED", 503),
                                         ("FAIL_OPEN", 200)])
def test_requests_in_the_guest_end_with_it_by_policy(life, name, status):
    running = life(**policy(name))
    clients = [running.connect() for _ in range(3)]
    for count, client in enumerate(clients):
        client.send(b"GET /hold HTTP/1.1\r\nhost: a\r\n\r\n")
        eventually(lambda count=count: told(running).count("request /hold") == count + 1)
    assert running.get("main", "/trap").status == status
    for client in clients:
        client.wait_message(is_response=True)
        assert client.received.startswith(b"HTTP/1.1 %d " % status)
        assert b"version" not in client.received
    assert "stream done" not in running.stderr.text  # nothing is asked of a guest that failed


# Envoy lets requests pass where a worker's VM did not start, whatever the policy.
def test_a_vm_that_does_not_start_is_not_tried_all_the_time(proxy):  # pylint: disable=redefined-outer-name
    running = proxy(plugin("once", code=BUILD / "tests/guests/hostile.wasm",
                           **policy("FAIL_RELOAD", "3600s")))
    for _ in range(3):
        assert running.get("main", "/").status == 503
    assert reloads(running) == {"": 0, "_backoff": 3, "_success": 0, "_failure": 0}


def test_a_vm_that_does_not_start_again_counts(proxy):  # pylint: disable=redefined-outer-name
    running = proxy(plugin("once", code=BUILD / "tests/guests/hostile.wasm",
                           **policy("FAIL_RELOAD", "0.001s")))
    requests = 0
    while requests < 20 or not reloads(running)["_failure"]:
        assert running.get("main", "/").status == 503
        requests += 1
    assert sum(reloads(running).values()) == requests
    assert reloads(running)["_success"] == 0


@pytest.mark.parametrize("word,why", [("tick-trap", "failed: RuntimeError: unreachable"),
                                      ("tick-spin", "took longer than 1000 ms of CPU time")])
def test_a_tick_that_fails_ends_the_vm(life, word, why):
    running = life("tick, " + word, **policy("FAIL_RELOAD", "3600s"))
    running.stderr.wait("Function: proxy_on_tick " + why)
    assert running.get("main", "/").status == 503
    running.stderr.wait("ticks")
