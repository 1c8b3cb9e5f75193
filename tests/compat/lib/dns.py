# SPDX-License-Identifier: Apache-2.0
"""A scripted DNS server, on UDP and TCP of one port: `answers` says what each name has now.

An answer is a list of addresses (perhaps empty), or one of the words nxdomain, servfail, refused and
silence; other names do not exist. `ttl` is the age of all answers.
"""

import socket
import struct
import threading

A, AAAA = 1, 28
CODES = {"servfail": 2, "nxdomain": 3, "refused": 5}
TTL = 300


class Dns:
    def __init__(self, spec):
        spec = dict(spec)
        self.ttl = spec.pop("ttl", TTL)
        self.answers, self.asked = spec, []
        self.udp, self.tcp = self._bind()
        self.port = self.udp.getsockname()[1]
        for target in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=target, daemon=True).start()

    @staticmethod
    def _bind():
        while True:
            tcp = socket.create_server(("127.0.0.1", 0))
            udp = socket.socket(type=socket.SOCK_DGRAM)
            try:
                udp.bind(tcp.getsockname())
                return udp, tcp
            except OSError:
                udp.close()
                tcp.close()

    def _answer(self, query, protocol):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        name, kind = ".".join(labels), struct.unpack(">H", query[at + 1:at + 3])[0]
        question = f"{ {A: 'A', AAAA: 'AAAA'}.get(kind, kind) } {name} {protocol}"
        if question not in self.asked:  # how often a question is repeated is the library's
            self.asked.append(question)
        answer = self.answers.get(name, "nxdomain")
        if answer == "silence":
            return None
        code = CODES.get(answer, 0) if isinstance(answer, str) else 0
        records = [] if code else self._records(answer, kind)
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0)
        return head + query[12:at + 5] + b"".join(records)

    def _records(self, addresses, kind):
        family = socket.AF_INET6 if kind == AAAA else socket.AF_INET
        packed = [socket.inet_pton(family, address) for address in addresses
                  if (":" in address) == (kind == AAAA)]
        return [b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, self.ttl, len(one)) + one
                for one in packed]

    def _serve_udp(self):
        while True:
            try:
                query, peer = self.udp.recvfrom(4096)
                if len(query) < 17:
                    return  # the last word of close
                answer = self._answer(query, "udp")
                if answer:
                    self.udp.sendto(answer, peer)
            except OSError:
                return

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                while length := stream.read(2):
                    answer = self._answer(stream.read(struct.unpack(">H", length)[0]), "tcp")
                    if answer:
                        connection.sendall(struct.pack(">H", len(answer)) + answer)

    def close(self):
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()
        with socket.socket(type=socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
