"""One server for all tests, started from the binary that STRONGROOM_BINARY names."""

import os
import re
import subprocess

import pytest

from client import Client

BINARY = os.path.abspath(os.environ.get("STRONGROOM_BINARY", "target/debug/strongroom"))


class Server:
    """A running `strongroom serve`."""

    def __init__(self, *arguments, listen="127.0.0.1:0", env=None, stderr=subprocess.PIPE, within=()):
        self.process = subprocess.Popen(
            [*within, BINARY, "serve", "--listen", listen, *arguments],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, **(env or {})},
        )
        line = self.process.stdout.readline()
        ready = re.fullmatch(r"strongroom ready on http://(127\.0\.0\.1:\d+)\n", line)
        if not ready:
            self.process.wait(10)
            raise RuntimeError(line + self.process.stderr.read())
        self.address = ready[1]

    def stop(self):
        self.process.terminate()
        return self.process.wait(15)


class Witness:
    """A running `strongroom witness`."""

    def __init__(self, data_dir, *arguments, listen="127.0.0.1:0", stderr=subprocess.PIPE):
        self.process = subprocess.Popen(
            [BINARY, "witness", "--listen", listen, "--data-dir", str(data_dir), *arguments],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        line = self.process.stdout.readline()
        ready = re.fullmatch(r"strongroom witness ready on http://(127\.0\.0\.1:\d+)\n", line)
        if not ready:
            self.process.wait(10)
            raise RuntimeError(line + self.process.stderr.read())
        self.address = ready[1]
        self.verifier = self.process.stdout.readline().strip()

    def stop(self):
        self.process.terminate()
        return self.process.wait(15)


@pytest.fixture(scope="session")
def server():
    server = Server("--ephemeral")
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def own_server():
    """A server of a module's own, whose trail nobody else writes into."""
    server = Server("--ephemeral")
    yield server
    assert server.stop() == 0


@pytest.fixture
def log(own_server):
    return Client(own_server.address)


@pytest.fixture
def client(server):
    return Client(server.address)


@pytest.fixture
def key(client):
    return client.call("Keys.CreateKey").key_metadata.key_id
