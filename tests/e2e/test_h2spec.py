# SPDX-License-Identifier: Apache-2.0
"""h2spec, the conformance suite, against a listener of HTTP/2. All of its cases pass; those that RFC
9113 has withdrawn, the priorities of RFC 7540, may fail, and are named here."""
import os
import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree

import pytest

from configs import PROXY

# Of RFC 7540, 5.3 and 6.3: a stream that depends on itself.
WITHDRAWN = {"http2/5.3.1"}
H2 = PROXY.replace("          stat_prefix: main\n", """          stat_prefix: main
          codec_type: HTTP2
          delayed_close_timeout: 0.1s
""")
BODY = b"x" * 2000


def find_h2spec():
    folder = os.environ.get("NU_TOOLS") or pathlib.Path(
        os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "nuncio-tools"
    return shutil.which("h2spec", path=str(folder)) or shutil.which("h2spec")


def serve(peer):
    """Answers each request when all of it is there."""
    while True:
        peer.wait_message(is_response=False)
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY)


@pytest.mark.slow
def test_every_case_passes(nuncio, origin, tmp_path):
    h2spec = find_h2spec()
    if not h2spec:
        pytest.skip("needs h2spec: tests/tools/get_h2spec.sh, which needs go")

    def script(peer):
        try:
            serve(peer)
        except Exception:  # pylint: disable=broad-except
            pass  # a request that is given up

    proxy = nuncio(H2, origin=origin(script).port)
    report = tmp_path / "report.xml"
    run = subprocess.run([h2spec, "-h", "127.0.0.1", "-p", str(proxy.port("main")), "-o", "3",
                          "-j", str(report)], capture_output=True, text=True, check=False)
    assert report.exists(), run.stderr
    cases = xml.etree.ElementTree.parse(report).getroot().iter("testcase")
    bad = {f"{case.get('package')}: {case.get('classname')}" for case in cases
           if case.find("failure") is not None or case.find("error") is not None}
    assert re.search(r"14\d tests", run.stdout), run.stdout[-2000:]
    assert not {name for name in bad if name.split(":")[0] not in WITHDRAWN}, run.stdout[-4000:]
