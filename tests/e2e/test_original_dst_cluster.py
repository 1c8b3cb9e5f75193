# SPDX-License-Identifier: Apache-2.0
"""ORIGINAL_DST clusters: several workers make hosts at the same time, and unused ones go."""
import random
import threading

from configs import PROXY
from fleet import ADDRESSES
from lib.wire import head_bytes
from peers import connect
from process import eventually

ANYWHERE = PROXY[:PROXY.index("    type: STATIC\n")] + """\
    type: ORIGINAL_DST
    lb_policy: CLUSTER_PROVIDED
    cleanup_interval: 0.05s
    original_dst_lb_config: {use_http_header: true}
"""


def test_workers_make_hosts_at_the_same_time(nuncio, fleet):
    proxy = nuncio(ANYWHERE, "--concurrency", "2")
    failures = []

    def ask(seed):
        choose, client = random.Random(seed), connect(proxy.port("main"))
        for _ in range(150):
            where, begin = choose.choice(ADDRESSES), client.used
            client.send(head_bytes(f"GET / HTTP/1.1\nhost: a\n"
                                   f"x-envoy-original-dst-host: {where}:{fleet.port}"))
            client.wait_message(is_response=True)
            response = bytes(client.received[begin:client.used])
            if not response.startswith(b"HTTP/1.1 200") or not response.endswith(where.encode()):
                failures.append(response)
        client.close()

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert proxy.stats()["cluster.origin.upstream_rq_200"] == 900
    fleet.finish()  # ends the connections, so that nothing needs the hosts
    assert eventually(lambda: proxy.stats()["cluster.origin.membership_total"] == 0)
