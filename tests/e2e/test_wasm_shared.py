# SPDX-License-Identifier: Apache-2.0
"""Shared queues of proxy-wasm plug-ins, with both ends in tests/guests/shared.c. What statuses and order
are was compared with Envoy 1.36.4 and the same guest."""
import pytest

from process import eventually
from test_wasm import BUILD, NO_NEW_VM, plugin, proxy, tools  # pylint: disable=unused-import

GUEST = BUILD / "tests/guests/shared.wasm"


@pytest.fixture
def running(proxy):  # pylint: disable=redefined-outer-name
    """A proxy with a plug-in for each name; those that take are in the vm_id "takers"."""
    def start(*names, workers=1, extra=""):
        plugins = [plugin(name, code=GUEST, vm_id="takers" if name.startswith("take") else "putters",
                          extra=extra) for name in names]
        process = proxy(*plugins, arguments=("--concurrency", str(workers)))
        process.get("main", "/")  # whatever VMs are made by a request are there
        return process
    return start


def got(process):
    return [line.split(": got ")[1] for line in process.stderr.text.splitlines() if ": got " in line]


def test_things_cross_from_vm_to_vm_in_their_order(running):
    process = running("take", "put")
    assert process.get("main", "/put/one,two,,three").text == "0"
    assert process.get("main", "/put/four").text == "0"
    assert eventually(lambda: len(got(process)) == 5)
    assert got(process) == ["one", "two", "", "three", "four"]
    assert "another root" not in process.stderr.text


def test_nobody_is_told_within_a_call(running):
    process = running("take")
    assert process.get("main", "/own/a,b").text == "0"
    assert eventually(lambda: got(process) == ["a", "b"])
    text = process.stderr.text
    assert text.index("have put") < text.index(": got a")


def test_statuses(running):
    process = running("other")
    assert process.get("main", "/statuses").text == "1"


def test_nobody_registered(running):
    process = running("put")
    assert process.get("main", "/put/lost").text == "1"


def test_who_registered_last_is_told(running):
    process = running("take-first", "take-second", "put")
    assert process.get("main", "/put/a,b").text == "0"
    assert eventually(lambda: got(process) == ["a", "b"])
    assert "another root" not in process.stderr.text


def test_things_outlive_the_vm_that_takes_them(running):
    process = running("take", "put")
    assert process.get("main", "/trap").status == 503
    # Nobody is there to be told, but the queue is.
    assert eventually(lambda: process.get("main", "/own/b").text == "0")
    assert eventually(lambda: got(process) == ["b"])


def test_a_queue_outlives_a_trap_when_told(running):
    process = running("take", "put")
    assert process.get("main", "/put/trap").text in ("0", "")
    process.stderr.wait("Function: proxy_on_queue_ready failed")
    assert eventually(lambda: process.get("main", "/put/b").text == "0")
    assert eventually(lambda: got(process) == ["trap", "b"])


def test_a_trap_when_told_ends_the_vm(running):
    process = running("take", "put", extra=NO_NEW_VM)
    process.get("main", "/put/trap")
    process.stderr.wait("Function: proxy_on_queue_ready failed")
    assert process.get("main", "/x").status == 503


def test_workers_share_a_queue(running):
    process = running("take", "put", workers=2)
    sent = [str(i) for i in range(40)]
    for thing in sent:
        assert process.get("main", f"/put/{thing}").text == "0"
    assert eventually(lambda: sorted(got(process)) == sorted(sent))


def test_queues_have_a_bound(running):
    process = running("take-no", "put")
    assert process.get("main", "/fill").text == "10"
    assert process.get("main", "/fill").text == "10"
    process.stderr.wait('queues of the vm_id "takers" are full')
    assert process.stderr.text.count('the shared queues of the vm_id "takers" are full') == 1
