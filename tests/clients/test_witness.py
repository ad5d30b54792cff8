"""`strongroom witness`, asked as C2SP tlog-witness has it, by logs of our own in Python."""

import base64
import hashlib
import http.client
import os
import random
import signal
import stat
import subprocess
import threading
import time

import pytest
from conftest import BINARY, Witness
from tlog import NoteKey, checkpoint_text, cosigned_at, leaf_hash, prove_consistency, root_of


class Log:
    """A log that signs whatever it is told to."""

    def __init__(self, origin="log.example/one"):
        self.key, self.origin = NoteKey(origin), origin
        self.leaves = []

    def grow(self, count, salt=b""):
        start = len(self.leaves)
        self.leaves += [leaf_hash(salt + str(start + i).encode()) for i in range(count)]
        return self

    def text(self):
        return checkpoint_text(self.origin, len(self.leaves), root_of(self.leaves))

    def request(self, old, key=None, proof=None):
        text = self.text()
        if proof is None:
            proof = prove_consistency(old, self.leaves) if old <= len(self.leaves) else []
        lines = "".join(base64.b64encode(each).decode() + "\n" for each in proof)
        return f"old {old}\n{lines}\n{text}\n{(key or self.key).line(text)}".encode()


def ask(witness, body, method="POST", path="/add-checkpoint"):
    connection = http.client.HTTPConnection(witness.address, timeout=10)
    connection.request(method, path, body)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), answer.getheader("content-type")
    connection.close()
    return found


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def witness(tmp_path, log):
    witness = Witness(tmp_path / "witness", "--log", log.key.verifier)
    yield witness
    assert witness.stop() == 0


def test_a_growing_log_is_cosigned(witness, log):
    old = 0
    for more in [1, 1, 3, 8, 0, 100]:
        log.grow(more)
        before = int(time.time())
        status, lines, _ = ask(witness, log.request(old))
        assert status == 200 and lines.endswith("\n") and lines.count("\n") == 1
        at = cosigned_at(f"{log.text()}\n{lines}", witness.verifier)
        assert before <= at <= time.time() + 1
        old = len(log.leaves)


def test_each_refusal_has_the_status_of_the_specification(witness, log):
    log.grow(5)
    assert ask(witness, log.request(0))[0] == 200
    # Another old size, also 0 of who does not know: the size, as text/x.tlog.size.
    for old in (0, 3):
        assert ask(witness, log.request(old)) == (409, "5\n", "text/x.tlog.size")
    log.grow(4)
    wrong = [bytes(32)] * 3
    assert ask(witness, log.request(5, proof=wrong))[0] == 422
    assert ask(witness, log.request(5, proof=[]))[0] == 422
    forked = Log().grow(3)
    forked.key = log.key
    forked.grow(6, salt=b"other")
    assert ask(witness, forked.request(5))[0] == 422
    assert ask(witness, log.request(5))[0] == 200
    # The same size, another root.
    assert ask(witness, forked.request(9)) == (409, "9\n", "text/x.tlog.size")
    assert ask(witness, log.request(9, proof=wrong))[0] == 422
    assert ask(witness, log.request(10, proof=[]))[0] == 400
    assert ask(witness, Log("log.example/two").grow(9).request(9))[0] == 404
    assert ask(witness, log.request(9, key=NoteKey(log.origin)))[0] == 403
    bad = log.request(9).decode()
    assert ask(witness, (bad[:-8] + "AAAAA==\n").encode())[0] in (400, 403)
    for malformed in [b"", b"old", b"\xff", b"old 9\n", bad.replace("old 9", "old 09").encode(),
                      bad.replace("old 9", "old -1").encode(), bad.replace("old 9", "9").encode(),
                      log.request(9, proof=[bytes(32)] * 64), log.request(9, proof=[bytes(31)]),
                      f"old 9\n\n{log.text()}".encode()]:
        assert ask(witness, malformed)[0] == 400, malformed
    assert ask(witness, b"old 9\n" + b"x" * (1 << 20))[0] == 413
    assert ask(witness, None, method="GET")[0] == 405
    assert ask(witness, log.request(9), path="/other")[0] == 404
    assert ask(witness, log.request(9))[0] == 200, "all of that changed nothing"


def test_requests_at_once_never_roll_back(witness, log):
    """The race of the specification: answers are given for one chain of ever larger trees."""
    log.grow(64)
    whole = log.leaves
    signed, lock = [0], threading.Lock()

    def client(seed):
        chance = random.Random(seed)
        for _ in range(25):
            old = signed[-1]
            part = Log(log.origin)
            part.key, part.leaves = log.key, whole[: min(64, old + chance.randrange(4))]
            if not part.leaves:
                continue
            status, text, _ = ask(witness, part.request(old))
            assert status in (200, 409), text
            if status == 200:
                with lock:
                    signed.append(len(part.leaves))

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(signed) > 5
    assert ask(witness, log.request(0))[:2] == (409, f"{max(signed)}\n")


def test_what_was_cosigned_outlives_a_kill(tmp_path, log):
    data = tmp_path / "witness"
    old = 0
    for _ in range(5):
        witness = Witness(data, "--log", log.key.verifier)
        log.grow(3)
        assert ask(witness, log.request(old))[0] == 200
        old = len(log.leaves)
        witness.process.send_signal(signal.SIGKILL)
        witness.process.wait()
    witness = Witness(data, "--log", log.key.verifier)
    assert ask(witness, log.request(1)) == (409, f"{old}\n", "text/x.tlog.size")
    assert witness.stop() == 0
    # Its answer waits for the disk, so the file is there: a note that says it.
    name = hashlib.sha256(log.origin.encode()).hexdigest()
    kept = (data / "logs" / name).read_text()
    assert kept.startswith(f"{log.origin}\n{old}\n") and cosigned_at(kept, witness.verifier)


def test_its_key_is_made_once_and_is_its_owners_alone(tmp_path):
    data = tmp_path / "witness"
    key = lambda *more: subprocess.run(
        [BINARY, "witness", "key", "--data-dir", data, *more],
        capture_output=True, text=True, env={**os.environ, "STRONGROOM_LOG": "off"})
    first = key()
    assert first.returncode == 0 and key().stdout == first.stdout
    encoded = base64.b64decode(first.stdout.strip().split("+", 2)[2])
    assert encoded[0] == 4 and len(encoded) == 33
    for path in [data, *data.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert "w.example+" in key("--name", "w.example").stdout
    wrong = key("--name", "with space")
    assert wrong.returncode == 1 and "no name" in wrong.stderr
    witness = Witness(data)
    assert witness.verifier == first.stdout.strip()
    held = key()
    assert held.returncode == 1 and "in use by process" in held.stderr
    assert witness.stop() == 0


def test_several_keys_of_one_log_and_several_logs(tmp_path):
    one, two = Log("log.example/one").grow(3), Log("log.example/two").grow(4)
    successor = NoteKey(one.origin)
    config = tmp_path / "witness.toml"
    keys = [one.key.verifier, successor.verifier, two.key.verifier]
    config.write_text(f"listen = '127.0.0.1:0'\nname = 'w.example'\nlogs = {keys}\n")
    witness = Witness(tmp_path / "data", "--config", str(config))
    assert witness.verifier.startswith("w.example+")
    assert ask(witness, one.request(0))[0] == 200
    assert ask(witness, two.request(0))[0] == 200
    one.grow(2)
    assert ask(witness, one.request(3, key=successor))[0] == 200
    assert ask(witness, two.request(4))[0] == 200
    assert witness.stop() == 0
    config.write_text("nme = 'w.example'\n")
    with pytest.raises(RuntimeError, match="nme"):
        Witness(tmp_path / "data", "--config", str(config))
    with pytest.raises(RuntimeError, match="malformed"):
        Witness(tmp_path / "data", "--log", "log.example+1+2")
