"""The AWS SDK for JavaScript on buckets and objects: streams, ranges, parts, every mode, over HTTP and HTTPS."""

import subprocess

import pytest
from test_javascript import INSTALLED, install
from test_tls import Secure


@pytest.fixture(scope="module")
def secure():
    server = Secure("--ephemeral")
    yield server
    assert server.stop() == 0


def test_objects(secure):
    install()
    host = secure.address.replace("127.0.0.1", "localhost")
    command = ["node", "objects.mjs", f"http://{host}", f"https://{host}", secure.authority]
    done = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    said = ["put and got", "streamed", "in parts", "copied, listed, deleted", "refused"]
    assert done.stdout.splitlines() == said
