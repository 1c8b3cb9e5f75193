# SPDX-License-Identifier: Apache-2.0
"""original_dst behind a real REDIRECT of the kernel, in a network of its own: this file runs itself
there, as root of a user namespace."""
import json
import os
import shutil
import subprocess
import sys

import pytest

from process import READY
from test_listener_filters import ask, chain, filter_of, listener

MEANT = 4433
RULE = ["iptables", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", str(MEANT), "-j", "REDIRECT",
        "--to-ports"]
OWN_NETWORK = ["unshare", "-r", "-n"]
CHAINS = chain("redirected", f"destination_port: {MEANT}") + chain("direct")


def can_redirect():
    if not shutil.which("iptables") or not shutil.which("unshare"):
        return False
    return subprocess.run([*OWN_NETWORK, *RULE, "1"], capture_output=True, check=False).returncode == 0


def inside(binary, config):
    """In the namespace: gives what a redirected and a direct client were answered, as JSON."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with subprocess.Popen([binary, "-c", config, "--concurrency", "1"], stderr=subprocess.PIPE) as proxy:
        main = int(os.environ["MAIN"])
        subprocess.run([*RULE, str(main)], check=True)
        while READY not in proxy.stderr.readline().decode():
            pass
        answers = [ask(Ports(port)) for port in (MEANT, main)]
        proxy.terminate()
        proxy.stderr.read()
    print(json.dumps([[body, headers["x-local"]] for headers, body in answers]))


class Ports:
    """What `ask` needs of a proxy."""

    def __init__(self, port):
        self._port = port

    def port(self, name):
        assert name == "main"
        return self._port


@pytest.mark.parametrize("filters", [filter_of("original_dst"),
                                     filter_of("original_dst") + ", " + filter_of("http_inspector")],
                         ids=["alone", "first"])
def test_a_redirected_connection_has_the_address_that_was_meant(tmp_path, filters):
    if not can_redirect():
        pytest.skip("needs iptables and leave to make a network namespace")
    config = tmp_path / "nuncio.yaml"
    main = 15001  # there is nobody else in that network
    config.write_text(listener(CHAINS, filters).replace("@main@", str(main)).replace("@admin@", "0"))
    done = subprocess.run([*OWN_NETWORK, sys.executable, __file__, os.environ["NUNCIO"], str(config)],
                          env={**os.environ, "MAIN": str(main),
                               "PYTHONPATH": os.pathsep.join(sys.path)},
                          capture_output=True, check=True)
    assert json.loads(done.stdout) == [["redirected", f"127.0.0.1:{MEANT}"],
                                       ["direct", f"127.0.0.1:{main}"]]


if __name__ == "__main__":
    inside(*sys.argv[1:])
