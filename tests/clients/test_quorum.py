"""What witnesses have signed, verified on the command line by whoever has their keys."""

import json
import subprocess

import pytest
from client import Client
from conftest import BINARY, Server, Witness
from test_cosigning import configured, cosigned, verifier_of
from tlog import NoteKey, verify_proof


def run(*arguments):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def verify(*arguments):
    code, out, said = run("audit", "verify", "--output", "json", *arguments)
    assert code == 0, said
    return json.loads(out)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A log with two witnesses; a proof and its record as files; the keys."""
    folder = tmp_path_factory.mktemp("quorum")
    data = folder / "data"
    log = verifier_of(data)
    witnesses = [Witness(folder / name, "--name", name, "--log", log) for name in ("w1", "w2")]
    at = [(f"http://{witness.address}", witness.verifier) for witness in witnesses]
    server = Server("--data-dir", str(data), *configured(folder / "c.toml", at))
    cosigned(Client(server.address), 5)
    yield server, data, log, [witness.verifier for witness in witnesses], folder
    assert server.process.poll() is not None or server.stop() == 0
    assert all(witness.stop() == 0 for witness in witnesses)


def test_the_log_is_verified_up_to_what_enough_witnesses_have_signed(made):
    server, data, log, keys, folder = made
    stranger = NoteKey("w3", kind=4).verifier
    one, two = ["--witness", keys[0]], ["--witness", keys[0], "--witness", keys[1]]
    three = [*two, "--witness", stranger]
    proof, entry = folder / "proof", folder / "entry"
    at = ["--endpoint", f"http://{server.address}"]
    assert run("audit", "prove", "1", "-o", proof, "--entry", entry, "--cosigned", *at)[0] == 0
    assert verify_proof(proof.read_bytes(), entry.read_bytes(), log)[0] == 1
    newest = folder / "newest"
    assert run("audit", "prove", "1", "-o", newest, "--entry", entry, *at)[0] == 0

    def everywhere(*arguments, code, said=""):
        for place in (at, ["--proof", proof, "--entry", entry]):
            done = run("audit", "verify", "--verifier", log, *place, *arguments)
            assert done[0] == code and said in done[2], (place, done)

    found = verify("--verifier", log, *two, *at)
    assert [each["witness"] for each in found["witnesses"]] == ["w1", "w2"]
    assert found["verified"] and 5 <= found["cosigned_records"] <= found["records"]
    found = verify("--verifier", log, *three, "--quorum", "2", "--proof", proof, "--entry", entry)
    assert len(found["witnesses"]) == 2 and found["witnesses"][0]["time"].endswith("Z")
    everywhere(*one, code=0)
    everywhere(*three, "--quorum", "2", code=0)
    everywhere(*three, code=1, said="2 of the known witnesses have signed the checkpoint, and 3 are needed")
    everywhere("--witness", stranger, code=1, said="0 of the known witnesses")
    everywhere(*two, "--quorum", "3", code=1, said="quorum is greater")
    everywhere(*two, "--quorum", "0", code=1, said="asks for nothing")
    everywhere(*one, *one, code=1, said="the same key")
    everywhere("--witness", log, code=1, said="no verifier string of a witness")
    # Up to the newest checkpoint nobody but the log has signed, yet.
    done = run("audit", "verify", "--verifier", log, *one, "--proof", newest, "--entry", entry)
    assert done[0] == 1 and "0 of the known witnesses" in done[2]
    # Another log's key is not believed, whatever the witnesses say.
    other = NoteKey(log.split("+")[0]).verifier
    for place in (at, ["--proof", proof, "--entry", entry]):
        done = run("audit", "verify", "--verifier", other, *one, *place)
        assert done[0] == 1 and "not signed by the log's key" in done[2], done
    assert run("audit", "verify", *one, *at)[0] == 2, "and whose is the log?"
    shown = run("audit", "key", "--cosigned", *at)[1]
    assert shown.count("\n— ") == 3 and shown.endswith(f"\n{log}\n")

    # The same without a service, and without the root key for the proof.
    assert server.stop() == 0
    found = verify("--verifier", log, *two, "--data-dir", data)
    assert len(found["witnesses"]) == 2 and found["cosigned_records"] >= 5
    done = run("audit", "verify", "--verifier", log, *three, "--data-dir", data)
    assert done[0] == 1 and "3 are needed" in done[2]
    assert run("audit", "verify", "--verifier", other, "--data-dir", data)[0] == 1
    again = folder / "again"
    assert run("audit", "prove", "1", "-o", again, "--cosigned", "--data-dir", data)[0] == 0
    verify("--verifier", log, *two, "--proof", again, "--entry", entry)
    # A wrong cosignature of a known witness makes the note a bad one, though the other has signed.
    note = again.read_text()
    line = next(line for line in note.split("\n") if line.startswith("— w2 "))
    again.write_text(note.replace(line[-30:-8], line[-30:-8].swapcase()))
    done = run("audit", "verify", "--verifier", log, *two, "--quorum", "1", "--proof", again, "--entry", entry)
    assert done[0] == 1 and "signature is wrong" in done[2], done


def test_a_log_without_witnesses_says_so(tmp_path):
    data = tmp_path / "data"
    log = verifier_of(data)
    witness = ["--witness", NoteKey("w", kind=4).verifier]
    done = run("audit", "verify", "--verifier", log, *witness, "--data-dir", data)
    assert done[0] == 1 and "no checkpoint of this log has been signed" in done[2]
    assert run("audit", "prove", "0", "--cosigned", "--data-dir", data)[0] == 1
    assert run("audit", "key", "--cosigned", "--data-dir", data)[0] == 1
