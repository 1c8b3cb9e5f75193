# SPDX-License-Identifier: Apache-2.0
"""A DNS server for tests, on UDP and TCP of one port: `answers` says what each name has now."""
import socket
import struct
import threading

A, AAAA = 1, 28
NXDOMAIN, SERVFAIL = 3, 2
SILENCE = object()


class DnsServer:
    """answers[name] is a list of addresses (perhaps empty), a code, or SILENCE; other names do not
    exist. It may be changed at any time. `asked` holds the questions: (name, type, protocol). `held`
    keeps the port behind the end, as Origin's does."""

    def __init__(self, **answers):
        self.answers = {name.replace("_", "."): value for name, value in answers.items()}
        self.asked = []
        self.truncate = False  # over UDP
        self._changed = threading.Condition()
        self._udp, self._tcp = self._bind()
        self.held = self._udp
        self.port = self._udp.getsockname()[1]
        self._threads = [threading.Thread(target=target, daemon=True)
                         for target in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _bind():
        for _ in range(50):
            tcp = socket.create_server(("127.0.0.1", 0))
            udp = socket.socket(type=socket.SOCK_DGRAM)
            try:
                udp.bind(tcp.getsockname())
                return udp, tcp
            except OSError:
                udp.close()
                tcp.close()
        raise AssertionError("no port is free for UDP and TCP")

    def set(self, name, answer):
        self.answers[name] = answer

    def wait_asked(self, count):
        """Until so many questions came."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.asked) >= count, 30), self.asked

    def _answer(self, query, protocol):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, kind = ".".join(labels), struct.unpack(">H", query[at + 1:at + 3])[0]
        with self._changed:
            self.asked.append((name, kind, protocol))
            self._changed.notify_all()
        answer = self.answers.get(name, NXDOMAIN)
        if answer is SILENCE:
            return None
        if isinstance(answer, int):
            code, records = answer, []
        else:
            code, records = 0, self._records(answer, kind)
        cut = self.truncate and protocol == "udp"
        if cut:
            records = []
        flags = 0x8180 | code | (0x0200 if cut else 0)
        head = query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
        return head + query[12:at + 5] + b"".join(records)

    @staticmethod
    def _records(addresses, kind):
        family = {A: socket.AF_INET, AAAA: socket.AF_INET6}[kind]
        packed = [socket.inet_pton(family, address) for address in addresses
                  if (":" in address) == (kind == AAAA)]
        return [b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 30, len(one)) + one for one in packed]

    def _serve_udp(self):
        while True:
            try:
                query, peer = self._udp.recvfrom(4096)
            except OSError:
                return
            if len(query) < 17:
                return  # the last word of finish
            answer = self._answer(query, "udp")
            if answer:
                self._udp.sendto(answer, peer)

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                while length := stream.read(2):
                    answer = self._answer(stream.read(struct.unpack(">H", length)[0]), "tcp")
                    if answer:
                        connection.sendall(struct.pack(">H", len(answer)) + answer)

    def finish(self):
        self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()
        with socket.socket(type=socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        for thread in self._threads:
            thread.join(10)
