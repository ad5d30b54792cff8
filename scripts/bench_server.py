"""What is measured: a process that serves on loopback, ours or another's; and the table's lines."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "target/release/strongroom"
LOAD = ROOT / "target/release/examples/load"
ROUNDS = 3


def build():
    command = ["cargo", "build", "--release", "--locked", "--bins", "--examples"]
    subprocess.run(command, cwd=ROOT, check=True)


def show(what, value, bar, detail):
    print(f"{what:<52} {value:>9.2f}  {bar:<7} {detail}", flush=True)


class Process:
    """Ends with its `with` block, whatever happens in there."""

    def __init__(self, command, **options):
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(command, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def resident(self, what="VmRSS"):
        """MiB of its memory now, or at most (`VmHWM`)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(what + r":\s+(\d+) kB", status)[1]) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        finally:
            self.process.kill()


class Server(Process):
    """Ours, with a data directory or without."""

    def __init__(self, data=None):
        where = ["--data-dir", str(data)] if data else ["--ephemeral"]
        command = [BINARY, "serve", "--listen", "127.0.0.1:0", *where]
        super().__init__(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.started = time.perf_counter() - self.begun
        self.url = re.fullmatch(r"strongroom ready on (\S+)\n", line)[1]
        self.port = int(self.url.rpartition(":")[2])

    def load(self, mode, streams, seconds, calls=None):
        command = [LOAD, self.url, mode, str(streams), str(seconds)]
        command += [str(calls)] if calls else []
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return json.loads(out)
