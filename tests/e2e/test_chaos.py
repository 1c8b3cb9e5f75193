# SPDX-License-Identifier: Apache-2.0
"""Hosts that are killed, started again, stopped and rude at random while clients ask without a pause.
No response is corrupt, none belongs to another request, requests that can be tried again succeed, the
counters add up, and descriptors and memory return to where they were.

Half a minute for both kinds of hosts; NUNCIO_CHAOS_SECONDS makes each longer, NUNCIO_CHAOS_SEED
another run: see tests/README.md.
"""
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import h2
from chaos_host import body_for, digest
from configs import HCM, PROXY, ROUTER
from peers import hold_port
from process import eventually, has_sanitizer

HOSTS = 5
BROKEN_AT_ONCE = 2
CLIENTS = 6
SEED = int(os.environ.get("NUNCIO_CHAOS_SEED", "1"))
SIZES = [0, 10, 1000, 20000, 200000]

PREVIOUS_HOSTS = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3." \
                 "PreviousHostsPredicate"
POLICY = """route:
                  cluster: origin
                  timeout: 5s
                  retry_policy:
                    retry_on: 5xx,connect-failure,refused-stream,reset
                    num_retries: 6
                    per_try_timeout: 0.6s
                    retry_back_off: {base_interval: 0.01s, max_interval: 0.05s}
                    retry_host_predicate:
                    - name: envoy.retry_host_predicates.previous_hosts
                      typed_config:
                        "@type": PREVIOUS_HOSTS
                    host_selection_retry_max_attempts: 5""".replace("PREVIOUS_HOSTS", PREVIOUS_HOSTS)
CLUSTER = """    type: STATIC
    connect_timeout: 0.5s
    circuit_breakers: {thresholds: [{max_retries: 1000}]}
    health_checks:
    - timeout: 0.3s
      interval: 0.1s
      no_traffic_interval: 0.1s
      unhealthy_threshold: 2
      healthy_threshold: 1
      http_health_check: {path: /health}
    outlier_detection:
      consecutive_5xx: 3
      interval: 0.2s
      base_ejection_time: 0.3s
      max_ejection_percent: 40
"""
ENDPOINT = "        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {}}}}}}}\n"


H2_CLUSTER = """    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
"""

# A host that speaks HTTP/2: another nuncio, which answers with the request's name.
H2_HOST = f"""
static_resources:
  listeners:
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: PORT}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {HCM}
          stat_prefix: main
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                direct_response:
                  status: 200
                  body_format: {{text_format_source: {{inline_string: "%REQ(x-name)%"}}}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": {ROUTER}}}
"""


def seconds_of(binary):
    asked = os.environ.get("NUNCIO_CHAOS_SECONDS")
    if asked:
        return float(asked)
    return 5 if has_sanitizer(binary) else 15


class RudeHosts:
    """chaos_host.py, which speaks HTTP/1.1."""
    breaks = ["killed", "stopped", "rude"]
    cluster = ""

    @staticmethod
    def start(index, port):
        script = os.path.join(os.path.dirname(__file__), "chaos_host.py")
        process = subprocess.Popen([sys.executable, script, str(port), str(index)],
                                   stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        return process

    @staticmethod
    def expected(name, size, body):
        return digest(body or b""), body_for(name, size)


class H2Hosts:
    """nuncio, which speaks HTTP/2."""
    breaks = ["killed", "stopped"]
    cluster = H2_CLUSTER

    def __init__(self, binary):
        self._binary = binary

    def start(self, _, port):
        process = subprocess.Popen([self._binary, "--config-yaml", H2_HOST.replace("PORT", str(port)),
                                    "--concurrency", "1", "-l", "critical"], stdout=subprocess.PIPE)
        assert eventually(lambda: answers(port))
        return process

    @staticmethod
    def expected(name, *_):
        return None, name.encode()


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Hosts:
    """The hosts' processes, and a thread that torments them."""

    def __init__(self, kind):
        self._kind = kind
        self.held = [hold_port() for _ in range(HOSTS)]
        self.ports = [held.getsockname()[1] for held in self.held]
        self._processes = [None] * HOSTS
        self._chooser = random.Random(SEED)
        self._over = threading.Event()
        self.broken = []
        for index in range(HOSTS):
            self._start(index)

    def _start(self, index):
        self._processes[index] = self._kind.start(index, self.ports[index])

    def _end(self, index):
        process = self._processes[index]
        process.kill()
        process.wait()
        process.stdout.close()

    def torment(self, seconds):
        self._over.clear()
        thread = threading.Thread(target=self._torment)
        thread.start()
        time.sleep(seconds)
        self._over.set()
        thread.join()

    def _torment(self):
        broken = {}
        while not self._over.wait(self._chooser.uniform(0.1, 0.5)):
            if len(broken) == BROKEN_AT_ONCE or (broken and self._chooser.random() < 0.3):
                self._mend(broken, self._chooser.choice(list(broken)))
            else:
                self._break(broken)
        for index in list(broken):
            self._mend(broken, index)

    def _break(self, broken):
        index = self._chooser.choice([i for i in range(HOSTS) if i not in broken])
        broken[index] = how = self._chooser.choice(self._kind.breaks)
        self.broken.append((how, index))
        if how == "killed":
            self._end(index)
        else:
            self._signal(index, signal.SIGSTOP if how == "stopped" else signal.SIGUSR1)

    def _mend(self, broken, index):
        how = broken.pop(index)
        if how == "killed":
            self._start(index)
        else:
            self._signal(index, signal.SIGCONT if how == "stopped" else signal.SIGUSR2)

    def _signal(self, index, number):
        self._processes[index].send_signal(number)

    def restart_all(self):
        """Whatever was connected to them is not."""
        for index in range(HOSTS):
            self._end(index)
            self._start(index)

    def finish(self):
        for index in range(HOSTS):
            self._end(index)


class Clients:
    """Threads that ask, some over HTTP/1.1 and some over HTTP/2; each notes what it got."""

    def __init__(self, proxy, expected):
        self._proxy, self._expected, self._over = proxy, expected, threading.Event()
        self.good, self.refused, self.cut, self.wrong = [0] * CLIENTS, [0] * CLIENTS, [0] * CLIENTS, []
        self._threads = [threading.Thread(target=self._run, args=(i,)) for i in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def finish(self):
        self._over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _run(self, index):
        chooser = random.Random(SEED * 1000 + index)
        ask = self._ask_h2 if index % 3 == 2 else self._ask_h1
        connection, number = None, 0
        while not self._over.is_set():
            number += 1
            name, size = f"c{index}n{number}", chooser.choice(SIZES)
            body = body_for(name[::-1], chooser.choice(SIZES)) if chooser.random() < 0.3 else None
            connection = self._judge(index, ask, connection, name, size, body)
        if connection:
            connection.close()

    def _judge(self, index, ask, connection, name, size, body):
        """Asks once; the connection that is left for the next request."""
        try:
            connection, status, headers, data = ask(connection, name, size, body)
        except (http.client.HTTPException, OSError, EOFError):
            self.cut[index] += 1
            return None
        if status == 200:
            self.good[index] += 1
            if (headers.get("x-digest"), data) != self._expected(name, size, body):
                self.wrong.append((name, status, headers, data[:100]))
        elif status in (502, 503, 504):
            self.refused[index] += 1
        else:
            self.wrong.append((name, status, headers, data[:100]))
        return connection

    def _ask_h1(self, connection, name, size, body):
        connection = connection or http.client.HTTPConnection(
            "127.0.0.1", self._proxy.port("main"), timeout=30)
        try:
            connection.request("POST" if body is not None else "GET", "/", body,
                               {"x-name": name, "x-size": str(size)})
            got = connection.getresponse()
            return connection, got.status, got.headers, got.read()
        except Exception:
            connection.close()
            raise

    def _ask_h2(self, connection, name, size, body):
        connection = connection or H2Connection(self._proxy)
        try:
            return connection, *connection.ask(name, size, body)
        except Exception:
            connection.close()
            raise


class H2Connection:
    def __init__(self, proxy):
        self._peer = h2.client(proxy)

    def ask(self, name, size, body):
        message = self._peer.exchange("/", "POST" if body is not None else "GET",
                                      [("x-name", name), ("x-size", str(size))], body)
        if not message.complete:
            raise EOFError
        return message.status, message, bytes(message.body)

    def close(self):
        self._peer.peer.close()


def descriptors(proxy):
    return len(os.listdir(f"/proc/{proxy.pid}/fd"))


def resident_kib(proxy):
    with open(f"/proc/{proxy.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def make_config(hosts, kind):
    endpoint = ENDPOINT.format("@origin@")
    return PROXY.replace("route: {cluster: origin}", POLICY).replace(
        "    type: STATIC\n", CLUSTER + kind.cluster).replace(
            endpoint, "".join(ENDPOINT.format(port) for port in hosts.ports))


def sum_of_hosts(proxy, name):
    hosts = [host for cluster in proxy.admin("/clusters?format=json").json()["cluster_statuses"]
             for host in cluster["host_statuses"]]
    return sum(int(stat.get("value", 0)) for host in hosts for stat in host["stats"]
               if stat["name"] == name)


def check_counters(proxy, kind, good, refused, cut):
    """What is counted on the way in, on the way out and at the hosts is the same."""
    stats = proxy.stats()
    main = {name[len("http.main.downstream_"):]: value for name, value in stats.items()
            if name.startswith("http.main.downstream_")}
    origin = {name[len("cluster.origin.upstream_"):]: value for name, value in stats.items()
              if name.startswith("cluster.origin.upstream_")}
    assert main["rq_total"] == main["rq_completed"] == good + refused + cut
    assert main["rq_2xx"] + main["rq_5xx"] == main["rq_total"]
    assert good <= main["rq_2xx"] <= good + cut
    assert main["rq_active"] == origin["rq_active"] == origin["rq_pending_active"] == 0
    # Each try is given to a host, fails to connect, is given up, or finds no host. Over HTTP/2 those
    # that end with their connection count as failing to connect as well: Envoy's counter.
    twice = (origin["rq_total"] + origin["rq_pending_failure_eject"] + origin["rq_cancelled"] +
             origin["cx_none_healthy"]) - (main["rq_total"] + origin["rq_retry"])
    assert twice == 0 or kind is H2Hosts and 0 < twice <= origin["rq_pending_failure_eject"]
    assert 0 < origin["rq_retry_success"] <= origin["rq_retry"]
    assert origin["cx_total"] == origin["cx_destroy"]
    assert sum_of_hosts(proxy, "rq_total") == origin["rq_total"]
    assert sum_of_hosts(proxy, "rq_active") == sum_of_hosts(proxy, "cx_active") == 0


def settle(proxy, hosts):
    """Ends all connections and waits until that is seen."""
    hosts.restart_all()
    assert eventually(lambda: proxy.stats()["cluster.origin.upstream_cx_active"] == 0)
    assert eventually(lambda: proxy.stats()["http.main.downstream_cx_active"] == 0)


def torment(proxy, hosts, kind, seconds):
    """One half of the run; how often the clients got a good answer, a refusal, and half of one."""
    clients = Clients(proxy, kind.expected)
    hosts.torment(seconds)
    clients.finish()
    assert not clients.wrong
    settle(proxy, hosts)
    return sum(clients.good), sum(clients.refused), sum(clients.cut)


@pytest.mark.parametrize("name", ["rude", "h2"])
def test_nothing_is_lost_or_mixed_up_while_hosts_come_and_go(nuncio, nuncio_binary, held_ports, name):
    kind = RudeHosts() if name == "rude" else H2Hosts(nuncio_binary)
    seconds = seconds_of(nuncio_binary)
    hosts = Hosts(kind)
    held_ports += hosts.held
    try:
        proxy = nuncio(make_config(hosts, kind), "--concurrency", "2")
        before = descriptors(proxy)
        counts, sizes = [0, 0, 0], []
        for _ in range(2):
            counts = [a + b for a, b in zip(counts, torment(proxy, hosts, kind, seconds / 2))]
            sizes.append(resident_kib(proxy))
        good, refused, cut = counts
        print(f"{good} good, {refused} refused, {cut} cut; {len(hosts.broken)} hosts broken; "
              f"resident {sizes} KiB")
        check_counters(proxy, type(kind), good, refused, cut)
        assert good > 100
        assert refused <= good / 100
        assert eventually(lambda: descriptors(proxy) <= before + HOSTS)     # health checks go on
        assert has_sanitizer(nuncio_binary) or sizes[1] <= sizes[0] + 4096
    finally:
        hosts.finish()
