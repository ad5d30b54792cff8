"""The other emulators of AWS KMS and Amazon S3, out of a virtual environment of pinned versions.

Each runs as it comes, with what can be spared left out: no log, no listener but the one, no Docker.
"""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from bench_server import Process

PINS = Path(__file__).with_name("bench_peers.txt")
S3S_FS = "0.14.1"


def install(folder):
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", PINS], check=True)
    cargo = ["cargo", "install", "--locked", "--quiet", "--root", folder, "--target-dir", folder / "build"]
    subprocess.run([*cargo, "--version", S3S_FS, "--features", "binary", "s3s-fs"], check=True)
    shutil.rmtree(folder / "build")


class Peer(Process):
    """A program of the environment, its scratch files in `folder`."""

    def __init__(self, program, folder, options=(), **environment):
        environment = {**os.environ, **environment, "TMPDIR": str(folder)}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        super().__init__([program, *options], cwd=folder, env=environment, **quiet)


def moto(program, folder):
    port = free_port()
    peer = Peer(program, folder, ["-H", "127.0.0.1", "-p", str(port)])
    peer.port = port
    return peer


def ministack(program, folder):
    port = free_port()
    peer = Peer(
        program, folder, BIND_HOST="127.0.0.1", GATEWAY_PORT=str(port), LOG_LEVEL="ERROR",
        IOT_MTLS_ENABLED="0", SFTP_ENABLED="0", DOCKER_HOST="unix:///nonexistent",
    )
    peer.port = port
    return peer


def s3s_fs(program, folder):
    port = free_port()
    (folder / "root").mkdir()
    peer = Peer(program, folder, ["--host", "127.0.0.1", "--port", str(port), folder / "root"])
    peer.port = port
    return peer


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


KMS = {"moto": ("moto_server", moto), "MiniStack": ("ministack", ministack)}
S3 = {**KMS, "s3s-fs": ("s3s-fs", s3s_fs)}


def found(folder, peers):
    """The installed ones of the peers: name, and what starts it."""
    starts = {}
    for name, (program, start) in peers.items():
        path = folder / "bin" / program
        if path.exists():
            starts[name] = lambda scratch, path=path, start=start: start(path, scratch)
        else:
            print(f"{name} is not in {folder}: skipped (--install-peers)")
    return starts
