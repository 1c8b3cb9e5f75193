# SPDX-License-Identifier: Apache-2.0
"""A host of test_chaos.py, a process of its own so that it can be killed and stopped:
`chaos_host.py PORT SEED`. It answers each request with bytes that only this request can have caused.
SIGUSR1 makes it rude: then every third answer is a lie, a half or none."""
import hashlib
import random
import signal
import socket
import struct
import sys
import threading
import time

RUDE_SHARE = 3
STALL_SECONDS = 1.5


def body_for(name, size):
    """The body that belongs to a request."""
    return (f"{name}:" * (size // (len(name) + 1) + 1))[:size].encode()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def read_request(file):
    """The headers and the body; None at the end."""
    line = file.readline()
    if not line:
        return None
    headers = {}
    while (line := file.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return headers, read_body(file, headers)


def read_body(file, headers):
    if "chunked" not in headers.get("transfer-encoding", ""):
        return file.read(int(headers.get("content-length", 0)))
    body = b""
    while size := int(file.readline(), 16):
        body += file.read(size)
        file.readline()
    file.readline()
    return body


def answer_for(headers, body, chooser):
    name = headers.get("x-name", "none")
    data = body_for(name, int(headers.get("x-size", 0)))
    head = f"HTTP/1.1 200 OK\r\nx-name: {name}\r\nx-digest: {digest(body)}\r\n"
    if chooser.random() < 0.5:
        return f"{head}content-length: {len(data)}\r\n\r\n".encode(), data
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece)
                      for piece in (data[i:i + 5000] for i in range(0, len(data), 5000)))
    return f"{head}transfer-encoding: chunked\r\n\r\n".encode(), chunks + b"0\r\n\r\n"


def be_rude(sock, head, data, chooser):
    """Sends what no honest host sends. The connection ends behind it."""
    kind = chooser.randrange(8)
    if kind == 0:
        sock.sendall(head[:len(head) // 2])
    elif kind == 1:
        sock.sendall(head + data[:len(data) // 2])
    elif kind == 2:
        sock.sendall(b"\x00garbage\r\n\r\n")
    elif kind == 3:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif kind == 4:
        time.sleep(STALL_SECONDS)
    elif kind == 5:
        sock.sendall(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nrude")
    elif kind == 6:
        for byte in (head + data)[:200]:
            sock.sendall(bytes([byte]))
            time.sleep(0.002)
    else:
        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nmore to come")


class Host:
    def __init__(self, port, seed):
        self._chooser = random.Random(seed)
        self._rude = False
        signal.signal(signal.SIGUSR1, lambda *_: setattr(self, "_rude", True))
        signal.signal(signal.SIGUSR2, lambda *_: setattr(self, "_rude", False))
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)

    def run(self):
        print("ready", flush=True)
        while True:
            sock, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with sock, sock.makefile("rb") as file:
                while request := read_request(file):
                    head, data = answer_for(*request, self._chooser)
                    if self._rude and self._chooser.randrange(RUDE_SHARE) == 0:
                        be_rude(sock, head, data, self._chooser)
                        return
                    sock.sendall(head + data)
        except (OSError, ValueError):
            pass    # the proxy went


if __name__ == "__main__":
    Host(int(sys.argv[1]), int(sys.argv[2])).run()
