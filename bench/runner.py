# SPDX-License-Identifier: Apache-2.0
"""Starts a proxy, drives a load at it and reads what it cost.

One worker: the proxy is pinned to core 0, origin and load to core 1. With more workers nothing is
pinned. Every measurement starts a fresh proxy, in a session of its own: CPU time and memory are
those of all processes of the session.
"""
import json
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import time

from peers import HERE, ORIGIN_PORT, PROXY_PORT, WORK

PROXY_CPU, LOAD_CPU = "0", "1"
ALL_CPUS = ",".join(map(str, sorted(os.sched_getaffinity(0))))


LIBRARIES = {"load": ("-lssl", "-lcrypto")}


class BenchError(Exception):
    pass


def build_tools():
    os.makedirs(WORK, exist_ok=True)
    for name in ("origin", "relay", "load"):
        source, program = f"{HERE}/{name}.c", f"{WORK}/{name}"
        if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
            subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o",
                            program, source, *LIBRARIES.get(name, ())], check=True)


def cpus(workers, one):
    return one if workers == 1 else ALL_CPUS


def start_origin(workers):
    command = ["taskset", "-c", cpus(workers, LOAD_CPU), f"{WORK}/origin", str(ORIGIN_PORT)]
    return subprocess.Popen(command)


def session(pid):
    """`pid` and every other process of its session."""
    pids = [pid]
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and int(entry) != pid:
                with open(f"/proc/{entry}/stat") as f:
                    if int(f.read().rsplit(")", 1)[1].split()[3]) == pid:
                        pids.append(int(entry))
        except OSError:
            pass
    return pids


def cpu_times(pid):
    """For each thread of the session: nanoseconds, user ticks, system ticks."""
    times = {}
    for process in session(pid):
        try:
            for thread in os.listdir(f"/proc/{process}/task"):
                folder = f"/proc/{process}/task/{thread}"
                with open(folder + "/stat") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                with open(folder + "/schedstat") as f:
                    ns = int(f.read().split()[0])
                times[thread] = ns, int(fields[11]), int(fields[12])
        except OSError:
            pass
    return times


def spent(before, after):
    """The sums of what passed between; a thread that ended meanwhile is left out."""
    return [sum(times[i] - before.get(thread, (0, 0, 0))[i] for thread, times in after.items())
            for i in range(3)]


def rss_kib(pid):
    total = 0
    for process in session(pid):
        try:
            with open(f"/proc/{process}/status") as f:
                found = re.search(r"VmRSS:\s+(\d+)", f.read())
            total += int(found[1]) if found else 0
        except OSError:
            pass
    return total


def connect(variant):
    peer = socket.create_connection(("127.0.0.1", PROXY_PORT), 1)
    peer.settimeout(1)
    if not variant.tls:
        return peer
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if variant.h2:
        context.set_alpn_protocols(["h2"])
    return context.wrap_socket(peer, server_hostname="bench.test")


def is_answering(variant):
    """Whether one plain GET gets one of the expected statuses, or HTTP/2's preface its settings."""
    path = "/p0/" if variant.paths else "/"
    request = f"GET {path} HTTP/1.1\r\nHost: h0.test\r\ntoken: 7\r\nConnection: close\r\n\r\n"
    if variant.h2:
        request = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
    try:
        with connect(variant) as peer:
            peer.sendall(request.encode())
            answer = peer.recv(64)
        if variant.h2:
            return answer[3:4] == b"\4"
        return answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 403"))
    except OSError:
        return False


def stop(process):
    pids = session(process.pid)
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in pids[1:]:
        for sig in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(pid, sig)
                time.sleep(0.02)
            except OSError:
                break


class Running:
    """A started proxy, as a context manager; ready_ms is the time to its first answer."""

    def __init__(self, peer, variant, wrapper=(), wait_s=10):
        self.peer = peer
        self.variant = variant
        self.wrapper = wrapper
        self.wait_s = max(wait_s, 90 if max(variant.hosts, variant.paths) > 1000 else 0)
        self.ready_ms = 0.0
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        folder = f"{WORK}/{self.peer.name}"
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        os.chmod(folder, 0o777)
        argv = self.peer.argv(folder, self.variant)
        if is_answering(self.variant):
            raise BenchError(f"something else answers on port {PROXY_PORT}")
        command = ["taskset", "-c", cpus(self.variant.workers, PROXY_CPU), *self.wrapper, *argv]
        begin = time.monotonic()
        with open(f"{folder}/output", "wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL, start_new_session=True)
        while not is_answering(self.variant):
            if self.process.poll() is not None or time.monotonic() - begin > self.wait_s:
                stop(self.process)
                with open(f"{folder}/output", errors="replace") as f:
                    raise BenchError(f"{self.peer.name} did not start: {f.read()[-600:]}")
            time.sleep(0.001)
        self.ready_ms = (time.monotonic() - begin) * 1e3
        return self

    def __exit__(self, *unused):
        stop(self.process)


class Load:
    """A load generator that has warmed up and waits for go()."""

    def __init__(self, peer, variant, arguments):
        if peer.name == "floor":
            arguments = re.sub(r"-x\b", "-X", arguments)
        self.process = subprocess.Popen(
            ["taskset", "-c", cpus(variant.workers, LOAD_CPU), f"{WORK}/load",
             *shlex.split(arguments), str(PROXY_PORT)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        if self.process.stdout.readline() != "ready\n":
            raise BenchError("the load did not warm up")
        return self

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __exit__(self, *unused):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class H2Load:
    """nghttp2's h2load, with the same methods; opening its few connections is measured with them."""

    def __init__(self, variant, arguments, requests):
        scheme = "https" if variant.tls else "http"
        self.command = ["taskset", "-c", cpus(variant.workers, LOAD_CPU), "h2load", "-n",
                        str(requests), *shlex.split(arguments),
                        f"{scheme}://127.0.0.1:{PROXY_PORT}/"]

    def __enter__(self):
        return self

    def go(self):
        done = subprocess.run(self.command, capture_output=True, text=True, check=False)
        requests = re.search(r"requests: (\d+) total.* (\d+) succeeded", done.stdout)
        speed = re.search(r"finished in .*, ([\d.]+) req/s", done.stdout)
        statuses = re.search(r"status codes: (\d+) 2xx", done.stdout)
        if not (requests and speed and statuses):
            raise BenchError(f"h2load: {(done.stderr or done.stdout)[-300:]}")
        total, good, answers = int(requests[1]), int(requests[2]), int(statuses[1])
        return {"reqs": good, "errors": total - good, "non2xx": good - answers, "denied": 0,
                "rps": float(speed[1])}

    def __exit__(self, *unused):
        pass


def load_of(running, scenario, seconds, requests=0):
    if running.variant.h2:
        return H2Load(running.variant, scenario.load, requests or int(30000 * seconds))
    limit = f" -n {requests}" if requests else ""
    return Load(running.peer, running.variant, f"-w -d {seconds}{limit} {scenario.load}")


def check(scenario, result):
    right = result["denied"] == result["reqs"] if scenario.denied else result["non2xx"] == 0
    if "-R" in scenario.load.split():
        right = right and result["resumed"] > 0.99 * result["reqs"]
    if not right or result["errors"] or not result["reqs"]:
        raise BenchError(f"wrong answers: {result}")


def serve(running, scenario, requests):
    """So many requests, however long they take."""
    with load_of(running, scenario, 600, requests) as load:
        result = load.go()
    check(scenario, result)
    return result


def drive(running, scenario, seconds):
    """One measurement: load, CPU time, memory."""
    with load_of(running, scenario, seconds) as load:
        time.sleep(0.05)
        before = cpu_times(running.pid)
        result = load.go()
        time.sleep(0.02)
        after = cpu_times(running.pid)
    check(scenario, result)
    ns, user, system = spent(before, after)
    tick_us = 1e6 / os.sysconf("SC_CLK_TCK") / result["reqs"]
    result.update(cpu_us=ns / 1e3 / result["reqs"], user_us=user * tick_us,
                  system_us=system * tick_us, rss_kib=rss_kib(running.pid))
    if scenario.variant.tls and scenario.denied:
        result["handshakes"] = 1e9 * result["reqs"] / ns
    return result


SYSCALLS = """read write readv writev recvfrom sendto recvmsg sendmsg splice sendfile64
epoll_wait epoll_pwait epoll_ctl accept accept4 connect socket close shutdown
getsockopt setsockopt getsockname getpeername ioctl fcntl clock_gettime timerfd_settime
futex brk mmap munmap madvise""".split()


def count_syscalls(running, scenario, seconds):
    """System calls per request by tracepoints, which cost little: batching stays as it is."""
    out = f"{WORK}/perf.out"
    events = ["raw_syscalls:sys_enter"]
    events += [f"syscalls:sys_enter_{name}" for name in SYSCALLS
               if os.path.isdir(f"/sys/kernel/tracing/events/syscalls/sys_enter_{name}")]
    pids = ",".join(map(str, session(running.pid)))
    with load_of(running, scenario, seconds) as load:
        perf = subprocess.Popen(["perf", "stat", "-x,", "-o", out, "-e", ",".join(events), "-p",
                                 pids])
        time.sleep(0.4)
        result = load.go()
        perf.send_signal(signal.SIGINT)
        perf.wait(10)
    check(scenario, result)
    with open(out) as f:
        counts = {fields[2].split(":")[1]: int(fields[0])
                  for fields in (line.split(",") for line in f if line[:1].isdigit())}
    total = counts.pop("sys_enter") / result["reqs"]
    each = {name.replace("sys_enter_", ""): round(count / result["reqs"], 3)
            for name, count in sorted(counts.items(), key=lambda item: -item[1])
            if count / result["reqs"] >= 0.005}
    return {"syscalls": total, "by_name": each, "reqs": result["reqs"]}


def count_instructions(peer, scenario, variant, requests):
    """User-space instructions per request under callgrind, from a warm state on."""
    folder = f"{WORK}/callgrind"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    wrapper = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out.%p"]

    def control(option, running):
        for pid in session(running.pid):
            subprocess.run(["callgrind_control", option, str(pid)], capture_output=True,
                           timeout=60, check=False)

    with Running(peer, variant, wrapper, wait_s=60) as running, \
            load_of(running, scenario, 60, requests) as load:
        control("-z", running)
        result = load.go()
        control("-d", running)
    check(scenario, result)
    total = 0
    for name in os.listdir(folder):
        if not re.search(r"\.\d+\.1$", name):
            continue
        with open(f"{folder}/{name}") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("totals:"))
        shutil.copy(f"{folder}/{name}", f"{WORK}/callgrind.{peer.name}.{scenario.name}")
    if not total:
        raise BenchError("callgrind counted nothing")
    return {"instructions": total / result["reqs"], "reqs": result["reqs"]}
