# SPDX-License-Identifier: Apache-2.0
"""The one list of what is taken out of an observation before it is kept or compared.

Each entry says what it replaces and why the value may differ between two right answers. An entry
works on text and gives the same text when it runs twice, so recordings are made with the list of
their day and compared with today's. Nothing else in this folder may hide a difference.
"""

import fcntl
import functools
import re
import socket
import struct


class Rule:
    """Replaces what the pattern finds; where names the observations it applies to."""

    def __init__(self, where, pattern, replacement, reason):
        self.where, self.reason = where.split(), reason
        self.pattern, self.replacement = re.compile(pattern), replacement

    def apply(self, text):
        return self.pattern.sub(self.replacement, text)


def _digits_to_nines(match):
    return match.group(1) + re.sub(r"\d", "9", match.group(2)) + ")"


DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"

RULES = [
    Rule("wire log", DAY + r", \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", "<date>",
         "the wall clock; the form is still compared because another form is not replaced"),
    Rule("wire log", UUID, r"<uuid \1>",
         "random by definition; the digit that carries the trace decision stays"),
    Rule("wire log", r"(?i)(x-envoy-upstream-service-time(?:: |=))\d+", r"\1<ms>",
         "a measured time in milliseconds"),
    Rule("wire", r'(?i)(set-cookie: \w+=)"[0-9a-f]{16}"', r'\1"<hash>"',
         "a hash policy's cookie: of the addresses of both ends, ports that the kernel gave among them"),
    Rule("log", r"\bms\(\d+\)", "ms(<n>)",
         "a measured time; formats of cases wrap such operators in ms(), a missing value stays -"),
    Rule("log", r"(\bshape\()([^()]*)\)", _digits_to_nines,
         "clock and counter values: formats of cases wrap them in shape(), the form is compared"),
    Rule("log", r'(\] "[^"]*" \d+ \S+ \d+ \d+ )\d+ ', r"\1<n> ",
         "the duration in the default format"),
    Rule("log", r'("[a-z_]*duration[a-z_]*":)\d+', r"\1<n>",
         "a measured time as a JSON number"),
    Rule("log", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z", "<time>", "the wall clock"),
    Rule("log", r'("secs_since_last_action":")\d+"', r'\1<n>"',
         "a measured time in an event"),
    Rule("wire", r"\x16\x03[\x01\x03][\s\S]{2}\x01[\s\S]*", "<client hello>",
         "random by definition, and each TLS library says hello in its own way"),
    Rule("wire log text", r"/[^\s'\"]*/compat-run-\w+", "<dir>",
         "the folder of the run has another name each time"),
]

# Counters and gauges that are not compared, each pattern with its reason.
IGNORED_STATS = [
    (r"server\..*", "uptime, memory, start times: about the process, not the exchange"),
    (r"(http|listener)\.admin\..*", "moved by the runner's own reading of the statistics"),
    (r"filesystem\..*", "when a log file is flushed is a matter of timers"),
    (r"(listener_manager|thread_local_cluster_manager|server)\.(worker_\d+|main_thread)\..*",
     "about threads, which differ by design"),
    (r"listener\..*\.(worker_\d+|main_thread)\..*", "about threads, which differ by design"),
    (r".*_bytes_buffered", "what a buffer held at its last event, not what the exchange did"),
    (r".*_flow_control_.*", "how often a buffer fills depends on socket buffers and speed"),
    (r"main_thread\..*|workers\..*|wasm\..*", "watchdog and engine housekeeping"),
    (r"cluster\.[^.]*\.update_attempt|cluster\.[^.]*\.update_no_rebuild|"
     r"cluster\.[^.]*\.update_success|cluster\.[^.]*\.membership_change",
     "how often DNS is asked again depends on timers"),
    (r".*\.update_time", "the wall clock"),
]
_IGNORED = re.compile("|".join(f"(?:{pattern})" for pattern, _ in IGNORED_STATS))


SIOCGIFADDR = 0x8915


@functools.lru_cache(maxsize=None)
def machine_address():
    """The first IPv4 address of this machine that is not loopback; 127.0.0.1 without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(sock, SIOCGIFADDR, struct.pack("256s", name.encode()))
            except OSError:
                continue
            address = socket.inet_ntoa(answer[20:24])
            if not address.startswith("127."):
                return address
    return "127.0.0.1"


def name_machine(value):
    """Envoy appends the machine's address to x-forwarded-for when the client is 127.0.0.1."""
    pattern = rf"(?im)^(x-forwarded-for: (?:.*,)?){re.escape(machine_address())}(\r?)$"
    return re.sub(pattern, r"\1<machine address>\2", value)


def text(where, value):
    """The value as it is kept for one kind of observation: wire, log or text."""
    for rule in RULES:
        if where in rule.where:
            value = rule.apply(value)
    return name_machine(value) if where == "wire" else value


def is_ignored_stat(name):
    return _IGNORED.fullmatch(name) is not None


def name_ports(value, ports):
    """Ports come from the kernel: each is written by the name of who owns it. Five digits of a uuid
    are none."""
    return re.sub(r"(?<![\dA-Za-z.])\d{5}(?![\dA-Za-z])",
                  lambda m: f"<port {ports[int(m[0])]}>" if int(m[0]) in ports else m[0], value)


def fold_runs(value):
    """A run of more than 60 equal characters is written <c*count>: to read, nothing is lost."""
    return re.sub(r"([^\n])\1{60,}", lambda m: f"<{m[1]}*{len(m[0])}>", value)


def join_chunks(value):
    """Chunk borders follow what one read returned, not the peer: a body is kept as one piece.

    The last chunk and the trailers stay. What only looks like chunks is left as it stands.
    """
    found = re.search(r"(?i)\r\ntransfer-encoding: chunked\r\n(?:[^\r\n]+\r\n)*\r\n", value)
    if not found:
        return value
    head, rest, body, whole = value[:found.end()], value[found.end():], "", True
    while re.match(r"[0-9a-fA-F]+\r\n", rest):
        size, _, after = rest.partition("\r\n")
        count = int(size, 16)
        if count == 0:
            break
        body, whole, rest = body + after[:count], len(after) >= count + 2, after[count + 2:]
    if body:
        head += f"<chunked{'' if whole else ' cut off'}>\r\n{body}\r\n"
    return head + join_chunks(rest)
