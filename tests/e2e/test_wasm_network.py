# SPDX-License-Identifier: Apache-2.0
"""The network filter, with a guest of our own: tests/guests/network.c does what the bytes say. Its log
and the answers are those of Envoy 1.36.4 to the same guest, but where a comment says otherwise."""
import socket
import threading
import time

import pytest

from configs import ADMIN
from process import eventually
from test_wasm import BUILD, NEW_VM_SECONDS, STRING, tools  # pylint: disable=unused-import

GUEST = BUILD / "tests/guests/network.wasm"
WASM = "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm"
TCP_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"

CHAIN = ADMIN + f"""
static_resources:
  listeners:
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: @main@}}}}
    filter_chains:
    - filters:
@plugins@
      - name: tcp
        typed_config:
          "@type": {TCP_PROXY}
          stat_prefix: tcp
          cluster: echo
  clusters:
  - name: echo
    type: STATIC
    load_assignment:
      cluster_name: echo
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: @echo@}}}}}}
  - name: other
    type: STATIC
    load_assignment:
      cluster_name: other
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: @other@}}}}}}
"""


def plugin(configuration="", name="net", extra=""):
    return f"""      - name: wasm
        typed_config:
          "@type": {WASM}
          config:
            name: {name}
            root_id: root
            {extra}
            configuration: {{"@type": {STRING}, value: "{configuration}"}}
            vm_config:
              vm_id: vm-{name}
              code: {{local: {{filename: {GUEST}}}}}
"""


class Echo:
    """Answers all that comes with a word before it, and ends when the client does."""

    def __init__(self, word):
        self._word = word
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer):
        with peer:
            while data := peer.recv(65536):
                peer.sendall(self._word + data)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def proxy(nuncio):
    echo, other = Echo(b"answer "), Echo(b"other ")

    def start(*plugins):
        config = CHAIN.replace("@plugins@", "".join(plugins or (plugin(),)).rstrip("\n"))
        return nuncio(config, "--concurrency", "1", echo=echo.port, other=other.port)
    yield start
    echo.close()
    other.close()


class Client:
    def __init__(self, running):
        self.socket = socket.create_connection(("127.0.0.1", running.port("main")), 30)

    def ask(self, data, expected):
        self.socket.sendall(data)
        self.expect(expected)

    def expect(self, expected):
        got = b""
        while len(got) < len(expected):
            piece = self.socket.recv(65536)
            if not piece:
                break
            got += piece
        assert got == expected

    def is_closed(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def is_answered(self):
        try:
            self.socket.sendall(b"hi")
            return self.socket.recv(100) == b"answer hi"
        except ConnectionError:
            return False

    def close(self):
        self.socket.close()


def story(running, name="net"):
    """What the guest said since it was told of a connection."""
    return [line.split(f"wasm log {name} root vm-{name}: ")[1]
            for line in running.stderr.text.splitlines() if f"wasm log {name} " in line]


def saw(running, line, name="net"):
    """Waits for what the guest says; gives all that it has said."""
    running.stderr.wait(f"wasm log {name} root vm-{name}: {line}\n")
    return story(running, name)


BEGIN = ["new_connection", "source 127.0.0.1:"]
END = ["downstream_close 1", "done", "log", "there is data", "delete"]


def test_a_connection_is_told_from_its_beginning_to_its_end(proxy):
    running = proxy()
    client = Client(running)
    client.ask(b"hi", b"answer hi")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.is_closed()
    running.stderr.wait(": delete")
    assert story(running) == BEGIN + ["downstream hi", "upstream answer hi", "downstream  end",
                                      "upstream  end", "upstream_close 0"] + END


def test_a_client_that_resets_is_the_one_that_closed(proxy):
    running = proxy()
    client = Client(running)
    client.ask(b"hi", b"answer hi")
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    running.stderr.wait(": delete")
    assert story(running)[-5:] == ["downstream_close 2"] + END[1:]


def test_bytes_are_changed_both_ways(proxy):
    running = proxy()
    client = Client(running)
    client.ask(b"prepend", b"answer <prepend")
    client.ask(b"append", b"answer append>>")
    client.ask(b"replace", b"answer else")
    client.socket.sendall(b"emptyX")
    saw(running, "downstream emptyX")
    client.ask(b"middle", b"answer middle")
    client.ask(b"other", b"answer other")
    client.close()
    lines = saw(running, "delete")
    assert lines.count("set 2") == 2 and lines.count("other 2") == 2


def test_two_filters_see_bytes_in_their_order_and_answers_backwards(proxy):
    running = proxy(plugin(name="one"), plugin(name="two"))
    client = Client(running)
    client.ask(b"prepend", b"answer <prepend")
    saw(running, "downstream <prepend", "two")
    client.ask(b"append", b"answer append>>>>")
    saw(running, "downstream append>", "two")
    saw(running, "upstream answer append>>>", "one")


def test_bytes_that_are_kept_come_again_with_more(proxy):
    running = proxy()
    client = Client(running)
    client.socket.sendall(b"hold")
    running.stderr.wait("downstream hold\n")
    client.ask(b"-more", b"answer hold-more")
    lines = saw(running, "upstream answer hold-more")
    assert lines[2:4] == ["downstream hold", "downstream hold-more"]


def test_answers_that_are_kept_come_again_with_more(proxy):
    running = proxy()
    client = Client(running)
    client.socket.sendall(b"keep")
    running.stderr.wait("upstream answer keep\n")
    client.ask(b"keep", b"answer keepanswer keep")


def test_answers_that_are_kept_to_the_end_are_lost(proxy):
    running = proxy()
    client = Client(running)
    client.socket.sendall(b"keep")
    running.stderr.wait("upstream answer keep\n")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.is_closed()
    running.stderr.wait(": delete")
    assert story(running)[4:] == ["downstream  end", "upstream answer keep end",
                                  "upstream_close 0"] + END


def test_a_tick_lets_bytes_go_on(proxy):
    running = proxy()
    client = Client(running)
    client.ask(b"later", b"answer later")
    client.ask(b"more", b"answer more")
    saw(running, "continue 0")


def test_a_connection_waits_for_the_guest(proxy):
    running = proxy(plugin("wait"))
    client = Client(running)
    client.ask(b"hi", b"answer hi")
    lines = saw(running, "upstream answer hi")
    assert lines.index("continue 0") < lines.index("upstream answer hi")


def test_what_goes_to_the_client_cannot_be_continued(proxy):
    running = proxy()
    Client(running).ask(b"up-continue", b"answer up-continue")
    saw(running, "continue upstream 12")


def test_a_guest_chooses_the_cluster(proxy):
    running = proxy(plugin("route"))
    Client(running).ask(b"hi", b"other hi")
    saw(running, "route 0")


def test_a_guest_closes_a_connection(proxy):
    running = proxy()
    client = Client(running)
    client.ask(b"hi", b"answer hi")
    client.socket.sendall(b"close")
    assert client.is_closed()
    running.stderr.wait(": delete")
    assert story(running)[4:] == ["downstream close", "close 0"] + END


def test_a_guest_closes_a_connection_at_once(proxy):
    running = proxy(plugin("close-new"))
    assert Client(running).is_closed()
    running.stderr.wait(": delete")
    assert story(running) == BEGIN + END


@pytest.mark.parametrize("policy", ["FAIL_CLOSED", "FAIL_OPEN"])
def test_a_guest_that_traps_takes_its_connections_with_it(proxy, policy):
    running = proxy(plugin(extra=f"failure_policy: {policy}"))
    other, client = Client(running), Client(running)
    other.ask(b"hi", b"answer hi")
    client.socket.sendall(b"trap")
    assert client.is_closed()
    running.stderr.wait("Function: proxy_on_downstream_data failed")
    other.socket.sendall(b"hi")
    assert other.is_closed()
    assert "delete" not in story(running)


def test_without_a_guest_connections_are_closed(proxy):
    running = proxy(plugin("trap-new"))
    assert Client(running).is_closed() and Client(running).is_closed()


def test_without_a_guest_connections_pass_a_filter_that_fails_open(proxy):
    running = proxy(plugin("trap-new", extra="failure_policy: FAIL_OPEN"))
    began = time.monotonic()
    assert Client(running).is_closed()
    while not (later := Client(running)).is_answered():
        now = time.monotonic()
        assert now - began >= NEW_VM_SECONDS  # so that a new VM had failed as well
        began = now
    later.close()


def test_a_new_vm_serves_later_connections(proxy):
    running = proxy()
    client = Client(running)
    client.socket.sendall(b"trap")
    assert client.is_closed()
    assert eventually(lambda: Client(running).is_answered())


def test_a_lot_of_bytes_pass_a_guest_both_ways(proxy):
    running = proxy()
    client = Client(running)
    sent = b"x" * 3000000
    sender = threading.Thread(target=lambda: (client.socket.sendall(sent),
                                              client.socket.shutdown(socket.SHUT_WR)))
    sender.start()
    got = bytearray()
    while piece := client.socket.recv(65536):
        got += piece
    sender.join()
    assert bytes(got).replace(b"answer ", b"") == sent


def test_a_filter_without_code_is_an_error_of_the_configuration(nuncio):
    text = CHAIN.replace("@plugins@", f"""      - name: wasm
        typed_config: {{"@type": {WASM}, config: {{name: net}}}}""")
    process = nuncio(text, ready=None, expect_exit=1, echo=1, other=1)
    process.wait_exit()
    assert "config: a wasm plug-in needs config.vm_config" in process.stderr.text
