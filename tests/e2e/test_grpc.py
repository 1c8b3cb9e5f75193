# SPDX-License-Identifier: Apache-2.0
"""gRPC through the proxy, with a real client and a real server: the PyPI package grpcio, which is no part
of the project. Where it is not installed all of this is skipped; `pip install --target DIR grpcio` and
PYTHONPATH=DIR brings it. Messages are plain bytes."""
import concurrent.futures
import threading
import time

import pytest

from test_h2_upstream import with_options

try:
    import grpc
except ImportError:
    grpc = None

pytestmark = pytest.mark.skipif(grpc is None, reason="needs the PyPI package grpcio")

WAIT_SECONDS = 20
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Service(grpc.GenericRpcHandler if grpc else object):
    """The methods of /test.Test/."""

    def __init__(self):
        self.cancelled, self.remaining = threading.Event(), None

    def service(self, call):
        kind, name = {
            "Echo": (grpc.unary_unary_rpc_method_handler, self._echo),
            "Fail": (grpc.unary_unary_rpc_method_handler, self._fail),
            "Slow": (grpc.unary_unary_rpc_method_handler, self._slow),
            "Count": (grpc.unary_stream_rpc_method_handler, self._count),
            "Sum": (grpc.stream_unary_rpc_method_handler, self._sum),
            "Talk": (grpc.stream_stream_rpc_method_handler, self._talk),
            "Break": (grpc.unary_stream_rpc_method_handler, self._break),
        }[call.method.rpartition("/")[2]]
        return kind(name)

    def _echo(self, request, context):
        context.set_trailing_metadata((("x-seen", dict(context.invocation_metadata())["x-name"]),))
        return request

    def _fail(self, _, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: 100 % gone")

    def _slow(self, _, context):
        self.remaining = context.time_remaining()
        context.add_callback(self.cancelled.set)
        self.cancelled.wait(WAIT_SECONDS)
        return b""

    def _count(self, request, _):
        for number in range(int(request)):
            yield b"%d" % number

    def _sum(self, requests, _):
        return b"%d" % sum(int(one) for one in requests)

    def _talk(self, requests, _):
        for one in requests:
            yield b"re: " + one

    def _break(self, _, context):
        yield b"first"
        context.abort(grpc.StatusCode.DATA_LOSS, "broken off")


@pytest.fixture
def service():
    """A server; `service.port` is where it listens."""
    handler = Service()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=UNLIMITED)
    server.add_generic_rpc_handlers((handler,))
    handler.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield handler
    handler.cancelled.set()
    server.stop(0).wait()


CONFIG = with_options("explicit_http_config: {http2_protocol_options: {}}")


def connect(proxy):
    return grpc.insecure_channel(f"127.0.0.1:{proxy.port('main')}", options=UNLIMITED)


def failure(call):
    """What a call fails with: code and details."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value.code(), raised.value.details()


def unary(channel, name, **options):
    return lambda: channel.unary_unary(f"/test.Test/{name}")(b"x", timeout=WAIT_SECONDS, **options)


def test_unary_calls_pass_with_metadata_and_large_messages(nuncio, service):
    proxy = nuncio(CONFIG, origin=service.port)
    with connect(proxy) as channel:
        for size in (0, 1, 100000, 8 << 20):
            answer, call = channel.unary_unary("/test.Test/Echo").with_call(
                b"m" * size, metadata=(("x-name", "value"),), timeout=WAIT_SECONDS)
            assert answer == b"m" * size
            assert dict(call.trailing_metadata())["x-seen"] == "value"


def test_streams_pass_in_each_direction(nuncio, service):
    proxy = nuncio(CONFIG, origin=service.port)
    with connect(proxy) as channel:
        counted = channel.unary_stream("/test.Test/Count")(b"1000", timeout=WAIT_SECONDS)
        assert [int(one) for one in counted] == list(range(1000))
        total = channel.stream_unary("/test.Test/Sum")(iter(b"%d" % n for n in range(1000)),
                                                       timeout=WAIT_SECONDS)
        assert total == b"499500"


def test_each_message_of_a_dialogue_passes_at_once(nuncio, service):
    """The next question is asked when the answer to the one before is there."""
    proxy = nuncio(CONFIG, origin=service.port)
    turn, texts = threading.Semaphore(1), [b"one", b"two", b"three"]

    def questions():
        for text in texts:
            assert turn.acquire(timeout=WAIT_SECONDS)
            yield text

    with connect(proxy) as channel:
        answers = []
        for answer in channel.stream_stream("/test.Test/Talk")(questions(), timeout=WAIT_SECONDS):
            answers.append(answer)
            turn.release()
    assert answers == [b"re: " + text for text in texts]


def test_a_status_passes_alone_and_behind_messages(nuncio, service):
    proxy = nuncio(CONFIG, origin=service.port)
    with connect(proxy) as channel:
        assert failure(unary(channel, "Fail")) == (grpc.StatusCode.NOT_FOUND,
                                                   "no such thing: 100 % gone")
        stream = channel.unary_stream("/test.Test/Break")(b"x", timeout=WAIT_SECONDS)
        assert next(stream) == b"first"
        assert failure(lambda: next(stream)) == (grpc.StatusCode.DATA_LOSS, "broken off")


def test_answers_of_the_proxy_have_a_status(nuncio, service):
    gone = nuncio(CONFIG, origin=1)
    with connect(gone) as channel:
        code, details = failure(unary(channel, "Echo"))
        assert code == grpc.StatusCode.UNAVAILABLE and "delayed connect error" in details
    nowhere = nuncio(CONFIG.replace("prefix: /", "prefix: /other"), origin=service.port)
    with connect(nowhere) as channel:
        assert failure(unary(channel, "Echo"))[0] == grpc.StatusCode.UNIMPLEMENTED


def test_the_deadline_of_a_client_is_kept_by_the_proxy(nuncio, service):
    """grpc-timeout, up to a maximum, ends the stream and goes on to the server."""
    proxy = nuncio(CONFIG.replace("route: {cluster: origin}", "route: {cluster: origin, "
                                  "max_stream_duration: {grpc_timeout_header_max: 0.5s}}"),
                   origin=service.port)
    with connect(proxy) as channel:
        call = channel.unary_unary("/test.Test/Slow")
        code, _ = failure(lambda: call(b"x", timeout=10 * WAIT_SECONDS))
        assert code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert service.remaining <= 0.5
    assert service.cancelled.wait(WAIT_SECONDS)


def test_a_call_that_is_cancelled_ends_at_the_server(nuncio, service):
    proxy = nuncio(CONFIG, origin=service.port)
    with connect(proxy) as channel:
        call = channel.unary_unary("/test.Test/Slow").future(b"x", timeout=WAIT_SECONDS)
        while service.remaining is None:
            time.sleep(0.01)
        call.cancel()
        assert service.cancelled.wait(WAIT_SECONDS)
