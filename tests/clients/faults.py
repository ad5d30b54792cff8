"""A service whose disk fails, or that ends, at the n-th operation on its files: `faults.c`, loaded before libc."""

import mmap
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from test_tls import Secure

DIE, TEAR, FULL = 1, 2, 3
WRITE, MAKE, MOVE, REMOVE, SYNC = 1, 2, 4, 8, 16
ALL = WRITE | MAKE | MOVE | REMOVE | SYNC
SOURCE = Path(__file__).with_name("faults.c")


class Faults:
    """What befalls the service of a data directory, from one start to the next."""

    def __init__(self, folder):
        if sys.platform != "linux":
            pytest.skip("LD_PRELOAD is Linux's")
        self.data = folder / "data"
        library, path = folder / "faults.so", folder / "faults"
        built = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, SOURCE, "-ldl"]
        subprocess.run(built, check=True)
        path.write_bytes(bytes(64))
        with open(path, "r+b") as file:
            self.shared = mmap.mmap(file.fileno(), 64)
        self.env = {"LD_PRELOAD": str(library), "FAULTS": str(path)}

    def start(self, below=""):
        """With faults of the files below a folder of the data directory."""
        self.disarm()
        env = {**self.env, "FAULTS_BELOW": str(self.data / below)}
        return Secure("--data-dir", str(self.data), env=env)

    def arm(self, mode, at, kinds=ALL):
        """From now on: the `at`-th operation, from 0; with `FULL` all from there on."""
        self.shared[:40] = struct.pack("5q", 0, 0, at, kinds, 0)
        self.shared[:8] = struct.pack("q", mode)

    def disarm(self):
        self.shared[:8] = struct.pack("q", 0)

    @property
    def count(self):
        """Operations since it was armed."""
        return struct.unpack("q", self.shared[8:16])[0]

    @property
    def met(self):
        """How many of them did not come to pass."""
        return struct.unpack("q", self.shared[32:40])[0]
