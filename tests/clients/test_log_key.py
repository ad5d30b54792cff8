"""The log's key is rotated: over gRPC, on the command line, across kills, for readers of our own."""

import base64
import json
import random
import shutil
import signal
import subprocess
import threading
import time

import pytest
from client import Client, Refused
from conftest import BINARY, Server, Witness
from test_cosigning import alarm, answers, configured, cosigned, until, verifier_of
from tlog import Rejected, open_checkpoint, verify_proof


def run(*arguments):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def opens(note, verifier):
    try:
        return open_checkpoint(note, verifier)
    except Rejected:
        return None


def read_hand_over(bytes):
    """By the documentation alone: record and proof."""
    first, extra, rest = bytes.split(b"\n", 2)
    assert extra.startswith(b"extra ")
    return base64.b64decode(extra[6:], validate=True), bytes


def test_another_key_takes_over_and_both_sign_that(tmp_path):
    server = Server("--data-dir", str(tmp_path / "data"))
    client = Client(server.address)
    client.call("Keys.ListKeys")
    before = client.call("Audit.GetCheckpoint")
    new = client.call("Audit.RotateLogKey").verifier_key
    record = client.record()
    assert json.loads(record.entry)["parameters"] == {"verifier_key": new}
    after = client.call("Audit.GetCheckpoint")
    old = before.verifier_key
    assert after.verifier_key == new != old and after.log_keys == 2
    assert new.split("+")[0] == old.split("+")[0], "the log's name stays"
    assert opens(before.checkpoint, old) and not opens(before.checkpoint, new)
    assert opens(after.checkpoint, new) and not opens(after.checkpoint, old)
    listed = client.call("Audit.ListLogKeys")
    assert list(listed.verifier_keys) == [old, new] and len(listed.hand_overs) == 1
    # Whoever knows the old key alone finds the new one in a record that it has signed.
    entry, proof = read_hand_over(listed.hand_overs[0])
    index, size = verify_proof(proof, entry, old)
    assert entry == record.entry and index == record.index
    assert json.loads(entry)["operation"] == "RotateLogKey"
    checkpoint = proof.decode().partition("\n\n")[2]
    assert opens(checkpoint, old) == opens(checkpoint, new) and size == index + 1
    assert server.stop() == 0
    # After a restart, and one without a clean shutdown, it goes on.
    for end in (signal.SIGKILL, signal.SIGTERM):
        server = Server("--data-dir", str(tmp_path / "data"))
        found = Client(server.address).call("Audit.GetCheckpoint")
        assert found.verifier_key == new and opens(found.checkpoint, new)
        proved = Client(server.address).call(
            "Audit.GetConsistencyProof", old_checkpoint=before.checkpoint)
        assert proved.old_size == before.log_size
        server.process.send_signal(end)
        server.process.wait(15)


def test_the_command_line_follows_hand_overs(tmp_path):
    data, file = tmp_path / "data", tmp_path / "hand-overs"
    server = Server("--data-dir", str(data))
    at = ["--endpoint", f"http://{server.address}"]
    history = [run("audit", "key", *at)[1].split("\n")[-2]]
    for _ in range(2):
        code, out, said = run("audit", "rotate-key", "-o", file, "--output", "json", *at)
        assert code == 0, said
        history.append(json.loads(out)["verifier_key"])
    shown = run("audit", "key", "--hand-over", tmp_path / "again", *at)[1]
    assert shown.split("\n")[-4:-1] == history, "oldest first, the last line is the current one"
    assert (tmp_path / "again").read_bytes() == file.read_bytes()
    proof, entry = tmp_path / "proof", tmp_path / "entry"
    assert run("audit", "prove", "0", "-o", proof, "--entry", entry, *at)[0] == 0
    checked = ["--proof", proof, "--entry", entry]
    for verifier in history:
        assert run("audit", "verify", "--verifier", verifier, *at)[0] == 0, "it asks for hand-overs"
        assert run("audit", "verify", "--verifier", verifier, "--hand-over", file, *checked)[0] == 0
    done = run("audit", "verify", "--verifier", history[0], *checked)
    assert done[0] == 1 and "not signed by the log's key" in done[2], "nothing was handed over"
    assert run("audit", "verify", "--verifier", history[2], *checked)[0] == 0
    half = tmp_path / "half"
    half.write_bytes(file.read_bytes()[: file.stat().st_size // 2 + 40])
    assert run("audit", "verify", "--verifier", history[0], "--hand-over", half, *checked)[0] == 1
    stranger = verifier_of(tmp_path / "other")
    assert run("audit", "verify", "--verifier", stranger, *at)[0] == 1
    assert run("audit", "verify", "--verifier", stranger, "--hand-over", file, *checked)[0] == 1
    assert server.stop() == 0
    for verifier in history:
        assert run("audit", "verify", "--verifier", verifier, "--data-dir", data)[0] == 0
    assert run("audit", "verify", "--verifier", stranger, "--data-dir", data)[0] == 1
    offline = run("audit", "key", "--data-dir", data)[1]
    assert offline.split("\n")[-4:-1] == history


def test_rotations_at_once_come_one_after_the_other(tmp_path):
    server = Server("--data-dir", str(tmp_path / "data"))
    made, calls = [], [0]

    def rotate():
        made.append(Client(server.address).call("Audit.RotateLogKey").verifier_key)

    def call():
        client = Client(server.address)
        for _ in range(50):
            client.call("DataKeys.GenerateRandom", number_of_bytes=1)
            calls[0] += 1

    threads = [threading.Thread(target=each) for each in [rotate] * 6 + [call] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listed = Client(server.address).call("Audit.ListLogKeys")
    assert len(listed.verifier_keys) == 7 and set(listed.verifier_keys[1:]) == set(made)
    assert calls[0] == 150, "nobody noticed"
    assert server.stop() == 0
    done = run("audit", "verify", "--verifier", listed.verifier_keys[0], "--data-dir", tmp_path / "data")
    assert done[0] == 0, done


def test_a_kill_in_the_middle_leaves_one_key_or_the_other(tmp_path):
    data, chance, keys = tmp_path / "data", random.Random(7), []
    first = verifier_of(data)
    for _ in range(8):
        server = Server("--data-dir", str(data))
        client = Client(server.address)
        known = list(client.call("Audit.ListLogKeys").verifier_keys)
        assert known[: len(keys)] == keys, "what was answered is there"
        keys = known

        def rotate():
            try:
                while True:
                    keys.append(client.call("Audit.RotateLogKey", timeout=5).verifier_key)
            except (Refused, Rejected):
                pass

        thread = threading.Thread(target=rotate)
        thread.start()
        time.sleep(chance.uniform(0.005, 0.08))
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        thread.join()
    done = run("audit", "verify", "--verifier", first, "--data-dir", data)
    assert done[0] == 0, done
    assert len(keys) > 3


def test_witnesses_go_on_when_they_know_the_new_key(tmp_path):
    data = tmp_path / "data"
    old = verifier_of(data)
    witness = Witness(tmp_path / "witness", "--log", old)
    port = witness.address
    arguments = configured(tmp_path / "c.toml", [(f"http://{port}", witness.verifier)])
    server = Server("--data-dir", str(data), *arguments)
    client = Client(server.address)
    cosigned(client)
    new = client.call("Audit.RotateLogKey").verifier_key
    client.call("Keys.ListKeys")
    until(lambda: client.call("Keys.ListKeys") and answers(server, witness.verifier, "refused"),
          "a witness that does not know the key refuses")
    assert alarm(server, witness.verifier) == 0
    assert witness.stop() == 0
    witness = Witness(tmp_path / "witness", "--log", old, "--log", new, listen=port)
    size = client.call("Audit.GetCheckpoint").log_size
    until(lambda: client.call("Audit.GetCheckpoint").cosigned_log_size >= size, "it signs again", 90)
    assert server.stop() == 0
    done = run("audit", "verify", "--verifier", old, "--witness", witness.verifier, "--data-dir", data)
    assert done[0] == 0, done
    assert witness.stop() == 0


def test_a_log_key_that_was_taken_out_is_noticed(tmp_path):
    """An older database has fewer keys; with the newer anchor it is not started."""
    data, older = tmp_path / "data", tmp_path / "older"
    verifier_of(data)
    shutil.copytree(data, older)
    server = Server("--data-dir", str(data))
    Client(server.address).call("Audit.RotateLogKey")
    assert server.stop() == 0
    shutil.copy(data / "anchor", older / "anchor")
    with pytest.raises(RuntimeError, match="already acknowledged|not signed by the log's key"):
        Server("--data-dir", str(older))
