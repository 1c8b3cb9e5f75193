# SPDX-License-Identifier: Apache-2.0
"""Requests that a filter holds while the hosts of their cluster are replaced, change or go: nothing of
the old ones is held on to. In a sanitizer build, nothing is touched either."""
import pytest

from fleet import ADDRESSES
from lib.wire import head_bytes
from process import eventually
from test_eds import EDS, Assignment, stat
from test_plugin import PLUGIN, plugins  # noqa: F401

HOLDING = EDS.replace("          http_filters:\n", f"""          http_filters:
          - name: plugin
            typed_config: {{"@type": {PLUGIN}, path: services.so, name: services}}
""")
# What a balancer keeps of hosts differs by its kind.
BALANCERS = {
    "round robin": "",
    "least request": "    lb_policy: LEAST_REQUEST\n",
    "random": "    lb_policy: RANDOM\n",
    "ring hash": "    lb_policy: RING_HASH\n",
    "maglev": "    lb_policy: MAGLEV\n",
    "subsets": "    lb_subset_config: {fallback_policy: ANY_ENDPOINT, subset_selectors: "
               "[{keys: [stage]}]}\n",
}
STAGED = "      metadata: {filter_metadata: {envoy.lb: {stage: new}}}\n"


class Held:
    """A request whose head has come to the proxy and no further: its body is awaited."""

    def __init__(self, proxy):
        self.proxy, self.client = proxy, proxy.connect()
        self.client.send(head_bytes("POST / HTTP/1.1\nhost: a\nx-do: append\ncontent-length: 2"))
        assert eventually(lambda: proxy.stats()["http.main.downstream_rq_active"] == 1)

    def finish(self):
        self.client.send(b"hi")
        self.client.wait_message(is_response=True)
        return self.client.received


def start(nuncio, plugins, tmp_path, fleet, balancer=""):  # noqa: F811
    assignment = Assignment(tmp_path, fleet.port)
    assignment.put(ADDRESSES[:1])
    config = HOLDING.replace("    type: EDS\n", "    type: EDS\n" + balancer)
    return assignment, nuncio(config, "--plugin-dir", plugins, "--concurrency", "1",
                              path=assignment.path)


@pytest.mark.parametrize("balancer", BALANCERS)
def test_a_held_request_goes_to_the_host_that_came_meanwhile(nuncio, plugins, tmp_path,  # noqa: F811
                                                             fleet, balancer):
    assignment, proxy = start(nuncio, plugins, tmp_path, fleet, BALANCERS[balancer])
    assert proxy.get("main").text == ADDRESSES[0]
    held = Held(proxy)
    for addresses in (ADDRESSES[:2], ADDRESSES[1:], ADDRESSES[2:]):
        updates = stat(proxy, "update_success")
        assignment.put(addresses, STAGED)
        assert eventually(lambda: stat(proxy, "update_success") > updates)
    assert eventually(lambda: proxy.get("main").text == ADDRESSES[2])
    assert held.finish().endswith(ADDRESSES[2].encode())


def test_a_held_request_whose_hosts_have_gone_is_answered(nuncio, plugins, tmp_path,  # noqa: F811
                                                          fleet):
    assignment, proxy = start(nuncio, plugins, tmp_path, fleet)
    assert proxy.get("main").text == ADDRESSES[0]
    held = Held(proxy)
    assignment.put([])
    assert eventually(lambda: proxy.get("main").status == 503)
    received = held.finish()
    assert received.startswith(b"HTTP/1.1 503 ")
    assert received.endswith(b"no healthy upstream")


def test_a_held_request_may_end_after_its_hosts(nuncio, plugins, tmp_path, fleet):  # noqa: F811
    assignment, proxy = start(nuncio, plugins, tmp_path, fleet)
    held = Held(proxy)
    assignment.put([])
    assert eventually(lambda: stat(proxy, "membership_total") == 0)
    held.client.close()
    assert eventually(lambda: proxy.stats()["http.main.downstream_rq_active"] == 0)
    assignment.put(ADDRESSES[1:2])
    assert eventually(lambda: proxy.get("main").text == ADDRESSES[1])
