# SPDX-License-Identifier: Apache-2.0
"""What README.md and the examples show is what nuncio does."""
import pathlib
import re
import shutil
import ssl
import subprocess

import pytest
import yaml

from configs import ADMIN
from process import eventually
from tls_common import Client

SOURCE = pathlib.Path(__file__).resolve().parents[2]
README = (SOURCE / "README.md").read_text()


def blocks(kind):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.S | re.M)
    return [text for name, text in fenced if name == kind]


def validate(nuncio, path, expect_exit=0):
    checked = nuncio(None, "-c", path, "--mode", "validate", ready=None, expect_exit=expect_exit)
    assert checked.wait_exit() == expect_exit
    return checked


def test_the_configuration_in_the_readme_is_valid(nuncio, tmp_path):
    shop = tmp_path / "shop.yaml"
    shop.write_text(blocks("yaml")[0])
    validate(nuncio, shop)


def test_the_mistake_in_the_readme_reads_as_it_says(nuncio, tmp_path):
    shop = tmp_path / "shop.yaml"
    shop.write_text(blocks("yaml")[0].replace("                route:\n",
                                              "                route:\n                  timout: 5s\n"))
    printed = validate(nuncio, shop, expect_exit=1).stderr.text
    assert printed.replace(f"{tmp_path}/", "") == blocks("")[0]


def test_the_curl_lines_in_the_readme_are_those_that_run_sh_prints():
    script = (SOURCE / "run.sh").read_text()
    for line in blocks("sh")[1].splitlines():
        assert line.replace("18000", "$port").split("#")[0].strip() in script


def test_the_container_example_is_valid(nuncio):
    folder = SOURCE / "examples/docker-compose"
    validate(nuncio, folder / "nuncio.yaml")
    services = yaml.safe_load((folder / "docker-compose.yaml").read_text())["services"]
    assert (folder / services["proxy"]["build"] / "Dockerfile").exists()
    assert (folder / services["proxy"]["volumes"][0].split(":")[0]).exists()


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
def test_the_tls_example_does_what_its_readme_says(nuncio, tmp_path):
    folder = tmp_path / "tls"
    shutil.copytree(SOURCE / "examples/tls", folder)
    for _ in range(2):
        subprocess.run(["sh", folder / "make_certificates.sh"], check=True, capture_output=True)
    text = (folder / "tls.yaml").read_text().replace("examples/tls/", f"{folder}/")
    proxy = nuncio(ADMIN + text.replace("8443", "@web@").replace("8444", "@application@"))
    client = Client(folder, proxy.port("web"), "localhost")
    assert client.get().endswith("\r\n\r\nwelcome over TLS\n")
    client.close()
    plain = proxy.get("web")
    assert plain.status == 301 and plain.headers["location"].startswith("https://")
    stranger = Client(folder, proxy.port("application"), "localhost")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        assert stranger.get() == "no answer"


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program")
def test_the_example_of_secrets_takes_new_certificates(nuncio, tmp_path):
    folder = tmp_path / "tls"
    shutil.copytree(SOURCE / "examples/tls", folder)
    for name in ("secrets.yaml", "web-secret.yaml"):
        text = (folder / name).read_text().replace("examples/tls/", f"{folder}/")
        (folder / name).write_text(text)

    def make():
        subprocess.run(["sh", folder / "make_certificates.sh"], check=True, capture_output=True)

    make()
    text = (folder / "secrets.yaml").read_text()
    proxy = nuncio(ADMIN + text.replace("8443", "@web@"))

    def is_served():
        """With the certificates that are there now; of new ones several files change one by one."""
        try:
            client = Client(folder, proxy.port("web"), "localhost", certificate="client")
            answer = client.get()
            client.close()
        except OSError:
            return False
        return answer.endswith("\r\n\r\nwelcome over TLS\n")

    assert eventually(is_served)
    make()
    assert eventually(is_served)
