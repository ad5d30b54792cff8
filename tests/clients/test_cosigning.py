"""Witnesses of this log: real ones, and ones in Python that are down, slow, lying or ahead."""

import http.server
import re
import shutil
import socket
import threading
import time
import urllib.request

import pytest
from client import Client
from conftest import Server, Witness
from tlog import (
    NoteKey, check_consistency, cosigned_at, leaf_hash, open_checkpoint, read_add_checkpoint, root_of,
    root_of_inclusion,
)


def verifier_of(data):
    """The verifier string of a log's key, which its first start makes."""
    server = Server("--data-dir", str(data))
    verifier = Client(server.address).call("Audit.GetCheckpoint").verifier_key
    assert server.stop() == 0
    return verifier


def configured(path, witnesses, quorum=None):
    """Arguments for a service with these witnesses: URL, key and, over TLS, CA."""
    lines = [f"witness_quorum = {quorum}"] if quorum else []
    for url, key, *ca in witnesses:
        lines += ["[[witness]]", f"url = '{url}'", f"key = '{key}'", *(f"ca = '{each}'" for each in ca)]
    path.write_text("\n".join(lines) + "\n")
    return ["--config", str(path)]


def metrics(server):
    with urllib.request.urlopen(f"http://{server.address}/_strongroom/metrics", timeout=10) as answer:
        found = re.findall(r"^(strongroom_\S+) (\S+)$", answer.read().decode(), re.MULTILINE)
    return {name: float(value) for name, value in found}


def answers(server, witness, answer):
    name = witness.split("+")[0]
    labels = f'{{witness="{name}",answer="{answer}"}}'
    return metrics(server).get(f"strongroom_witness_answers_total{labels}", 0)


def alarm(server, witness):
    name = witness.split("+")[0]
    return metrics(server).get(f'strongroom_witness_alarm{{witness="{name}"}}', 0)


def until(found, what, seconds=25):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"not in time: {what}")


def cosigned(client, least=1):
    """The newest cosigned checkpoint, once it has as many records."""

    def newest():
        note = client.call("Audit.GetCheckpoint").cosigned_checkpoint
        return note if note and int(note.split("\n")[1]) >= least else None

    return until(newest, f"a cosigned checkpoint of {least} records")


class Fake:
    """A witness in Python that answers what it is told to; `answer` gets old size, proof and checkpoint."""

    def __init__(self, answer=None, name="fake.example"):
        self.key = NoteKey(name, kind=4)
        self.verifier, self.asked = self.key.verifier, []
        fake, answer = self, answer or (lambda old, proof, note: (200, self.sign(note)))

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                assert self.path == "/add-checkpoint"
                request = read_add_checkpoint(body)
                fake.asked.append(request)
                status, body, *kind = answer(*request)
                try:
                    self.send_response(status)
                    self.send_header("content-type", kind[0] if kind else "text/plain")
                    self.send_header("content-length", str(len(body.encode())))
                    self.end_headers()
                    self.wfile.write(body.encode())
                except OSError:
                    pass  # nobody waits any more

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.at = (self.url, self.verifier)

    def sign(self, note):
        return self.key.line(note.rpartition("\n\n")[0] + "\n", int(time.time()))


def test_two_strongrooms_keep_each_other_honest(tmp_path):
    data = [tmp_path / name for name in ("one", "two")]
    logs = [verifier_of(path) for path in data]
    # Each one's witness knows the other one's log; the second is asked over TLS.
    witnesses = [Witness(tmp_path / f"w{i}", "--log", logs[1 - i]) for i in range(2)]
    ca = tmp_path / "w0" / "tls" / "ca.pem"
    at = [[(f"http://{witnesses[1].address}", witnesses[1].verifier)],
          [(f"https://{witnesses[0].address}", witnesses[0].verifier, ca)]]
    servers = [
        Server("--data-dir", str(data[i]), *configured(tmp_path / f"{i}.toml", at[i])) for i in range(2)]
    for i, server in enumerate(servers):
        client, witness = Client(server.address), witnesses[1 - i]
        first = cosigned(client)
        for _ in range(5):
            client.call("DataKeys.GenerateRandom", number_of_bytes=1)
        grown = client.call("Audit.GetCheckpoint").log_size
        second = cosigned(client, grown)
        sizes = []
        for note in (first, second):
            sizes.append(open_checkpoint(note, logs[i]))
            assert abs(cosigned_at(note, witness.verifier) - time.time()) < 60
        proved = client.call(
            "Audit.GetConsistencyProof", old_size=sizes[0][0], new_size=sizes[1][0])
        check_consistency(sizes[0][0], sizes[1][0], sizes[0][1], sizes[1][1], proved.hashes)
        assert metrics(server)["strongroom_log_cosigned_entries"] >= grown
        assert answers(server, witness.verifier, "cosigned") >= 2
        assert alarm(server, witness.verifier) == 0
    # It is kept: a restart has it without the witnesses, and asking them left the store clean.
    assert all(witness.stop() == 0 for witness in witnesses)
    newest = [cosigned(Client(server.address)) for server in servers]
    assert all(server.stop() == 0 for server in servers)
    assert all((path / "fingerprint").exists() for path in data)
    server = Server("--data-dir", str(data[0]))
    kept = Client(server.address).call("Audit.GetCheckpoint").cosigned_checkpoint
    assert int(kept.split("\n")[1]) >= int(newest[0].split("\n")[1])
    assert cosigned_at(kept, witnesses[1].verifier)
    assert server.stop() == 0


def test_whatever_a_witness_does_calls_go_on_and_the_others_sign(tmp_path):
    """Each kind of wrong witness has its outcome; with a good one beside them checkpoints are cosigned."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    stranger = NoteKey("other.example", kind=4)
    text = lambda note: note.rpartition("\n\n")[0] + "\n"
    slow = Fake(lambda *_: time.sleep(40) or (200, ""), "slow.example")
    good = Fake(name="good.example")
    fakes = {
        "invalid": [
            # Its key, over another tree; a stranger's key; no lines; too many of them.
            other := Fake(lambda o, p, note: (200, other.key.line(text(note).replace("\n", "\n1", 1))), "tree.example"),
            Fake(lambda o, p, note: (200, stranger.line(text(note))), "key.example"),
            Fake(lambda *_: (200, "signed\n"), "lines.example"),
            Fake(lambda o, p, note: (409, "5\n"), "kind.example"),
            Fake(lambda o, p, note: (409, f"{o}\n", "text/x.tlog.size"), "same.example"),
            Fake(lambda o, p, note: (302, ""), "moved.example"),
        ],
        "unreachable": [
            Fake(lambda *_: (200, "x" * 100_000), "long.example"),
            Fake(lambda *_: (500, ""), "broken.example"),
        ],
        "refused": [Fake(lambda *_: (404, ""), "unknown.example"), Fake(lambda *_: (403, ""), "key403.example")],
        "rollback": [Fake(lambda *_: (409, "1000000\n", "text/x.tlog.size"), "ahead.example")],
        "fork": [
            forked := Fake(lambda o, p, note: (422, "") if o else (409, "1\n", "text/x.tlog.size"), "fork.example"),
        ],
    }
    down = NoteKey("down.example", kind=4).verifier
    wrong = [fake for kind in fakes.values() for fake in kind]
    at = [good.at, slow.at, (nobody, down), *(fake.at for fake in wrong)]
    log = tmp_path / "stderr"
    with log.open("w") as stderr:
        server = Server("--ephemeral", *configured(tmp_path / "c.toml", at, 1), stderr=stderr)
    client = Client(server.address)
    times = []
    for _ in range(200):
        begun = time.monotonic()
        client.call("DataKeys.GenerateRandom", number_of_bytes=1)
        times.append(time.monotonic() - begun)
    # Nobody waits for a witness: ten seconds is what the slow one is given.
    assert max(times) < 5 and sorted(times)[len(times) // 2] < 0.5
    verifier = client.call("Audit.GetCheckpoint").verifier_key
    note = cosigned(client)
    assert open_checkpoint(note, verifier) and cosigned_at(note, good.verifier)
    for outcome, kind in fakes.items():
        for fake in kind:
            until(lambda: answers(server, fake.verifier, outcome), f"{outcome} of {fake.verifier}")
            assert cosigned_at(note, fake.verifier) is None
            assert alarm(server, fake.verifier) == (outcome in ("fork", "rollback"))
    until(lambda: answers(server, down, "unreachable"), "nobody answers")
    until(lambda: answers(server, slow.verifier, "unreachable"), "the slow one's time is up")
    # One that is not to be had is not asked in every round; others sign on.
    newest = client.call("Audit.GetCheckpoint").log_size
    assert cosigned(client, newest)
    assert len(good.asked) > len(slow.asked)
    # The fork was answered to a proof that is good: from the size that it said it has.
    old, proof, sent = next(request for request in forked.asked if request[0])
    records = client.call("Audit.Query", order=2, limit=1000).records
    leaves = [leaf_hash(record.entry) for record in records]
    size, root = open_checkpoint(sent, verifier)
    check_consistency(old, size, root_of(leaves[:old]), root, proof)
    assert server.stop() == 0
    said = log.read_text()
    assert re.search(r"ERROR.*ALARM, fork.*fork\.example", said)
    assert re.search(r"ERROR.*ALARM, rollback.*ahead\.example", said)
    assert "good.example" not in said


def test_a_witness_that_nobody_else_asks_is_asked_once_a_round(tmp_path):
    """At most one request at a time, the right old size, and none while nothing grows."""
    running, most = [], []

    def answer(old, proof, note):
        running.append(1)
        most.append(len(running))
        time.sleep(0.3)
        running.pop()
        return 200, fake.sign(note)

    fake = Fake(answer)
    server = Server("--ephemeral", *configured(tmp_path / "c.toml", [fake.at]))
    client = Client(server.address)
    for _ in range(30):
        client.call("DataKeys.GenerateRandom", number_of_bytes=1)
        time.sleep(0.1)
    size = client.call("Audit.GetCheckpoint").log_size
    until(lambda: fake.asked and int(fake.asked[-1][2].split("\n")[1]) >= size, "the newest is asked for")
    time.sleep(1.5)
    count = len(fake.asked)
    time.sleep(2.5)
    assert len(fake.asked) == count, "nothing has grown"
    assert set(most) == {1} and count <= 8
    sizes = [int(note.split("\n")[1]) for _, _, note in fake.asked]
    assert [old for old, _, _ in fake.asked] == [0, *sizes[:-1]]
    assert server.stop() == 0


def test_of_a_log_that_was_copied_and_goes_on_twice_one_is_refused(tmp_path):
    data, copy, older = tmp_path / "data", tmp_path / "copy", tmp_path / "older"
    log = verifier_of(data)
    witness = Witness(tmp_path / "witness", "--log", log)
    arguments = configured(tmp_path / "c.toml", [(f"http://{witness.address}", witness.verifier)])
    server = Server("--data-dir", str(data), *arguments)
    before = cosigned(Client(server.address))
    assert server.stop() == 0
    for path in (copy, older):
        shutil.copytree(data, path)
    # The first goes on, and is signed.
    server = Server("--data-dir", str(data), *arguments)
    client = Client(server.address)
    for _ in range(10):
        client.call("Keys.ListKeys")
    grown = client.call("Audit.GetCheckpoint").log_size
    cosigned(client, grown)
    assert alarm(server, witness.verifier) == 0
    assert server.stop() == 0
    # The copy goes on, too: first as a rollback, as it is shorter, then as a fork.
    said = tmp_path / "stderr"
    with said.open("w") as stderr:
        server = Server("--data-dir", str(copy), *arguments, stderr=stderr)
    client = Client(server.address)
    client.call("Keys.ListKeys")
    until(lambda: answers(server, witness.verifier, "rollback"), "the rollback is noticed")
    assert alarm(server, witness.verifier) == 1
    while client.call("Audit.GetCheckpoint").log_size < grown + 20:
        pass
    until(lambda: answers(server, witness.verifier, "fork"), "the fork is noticed", 60)
    assert alarm(server, witness.verifier) == 1
    assert client.call("Audit.GetCheckpoint").cosigned_log_size < grown
    assert client.call("Keys.CreateKey"), "calls go on"
    assert server.stop() == 0
    assert "ALARM, rollback" in said.read_text() and "ALARM, fork" in said.read_text()
    # An older database beside a newer cosigned checkpoint is not started at all.
    shutil.copy(data / "cosigned", older / "cosigned")
    with pytest.raises(RuntimeError, match="already acknowledged"):
        Server("--data-dir", str(older))
    assert witness.stop() == 0 and before


def test_as_many_as_the_quorum_have_to_sign(tmp_path):
    lazy = {"up": False}
    one, two = Fake(name="one.example"), Fake(
        lambda o, p, note: (200, two.sign(note)) if lazy["up"] else (503, ""), "two.example")
    server = Server("--ephemeral", *configured(tmp_path / "c.toml", [one.at, two.at]))
    client = Client(server.address)
    client.call("Keys.ListKeys")
    until(lambda: answers(server, one.verifier, "cosigned"), "one has signed")
    until(lambda: answers(server, two.verifier, "unreachable"), "the other has not")
    assert client.call("Audit.GetCheckpoint").cosigned_checkpoint == "", "all are needed unless it is said"
    time.sleep(2.5)  # asking was recorded, so the log has grown by that
    count = len(one.asked)
    time.sleep(3)
    assert len(one.asked) == count, "who has signed is not asked again while nothing grows"
    assert len(two.asked) > 1
    lazy["up"] = True
    note = cosigned(client)
    assert cosigned_at(note, one.verifier) and cosigned_at(note, two.verifier)
    assert server.stop() == 0


def test_after_a_reset_it_is_another_log_and_no_alarm(tmp_path):
    fake, logs = Fake(lambda o, p, note: answer(o, note)), {}

    def answer(old, note):
        origin, size = note.split("\n")[:2]
        known = logs.setdefault(origin, 0)
        if old != known:
            return 409, f"{known}\n", "text/x.tlog.size"
        logs[origin] = int(size)
        return 200, fake.sign(note)

    server = Server("--ephemeral", *configured(tmp_path / "c.toml", [fake.at]))
    client = Client(server.address)
    for _ in range(20):
        client.call("Keys.ListKeys")
    cosigned(client, 20)
    reset = urllib.request.Request(f"http://{server.address}/_strongroom/reset", method="POST")
    assert urllib.request.urlopen(reset, timeout=10).status == 200
    client.call("Keys.ListKeys")
    note = cosigned(client)
    assert int(note.split("\n")[1]) < 20 and len(logs) == 2
    assert alarm(server, fake.verifier) == 0 and answers(server, fake.verifier, "rollback") == 0
    assert server.stop() == 0


@pytest.mark.parametrize("witnesses, quorum, said", [
    ([("http://127.0.0.1:1", "x")], None, "no verifier string of a witness"),
    ([("127.0.0.1:1", NoteKey("w", 4).verifier)], None, "no address of a witness"),
    ([("https://127.0.0.1:1", NoteKey("w", 4).verifier)], None, "name the CA"),
    ([("https://127.0.0.1:1", NoteKey("w", 4).verifier, "/no/such")], None, "/no/such"),
    ([("http://127.0.0.1:1", NoteKey("w", 4).verifier)], 2, "quorum is greater"),
    ([("http://127.0.0.1:1", NoteKey("w", 1).verifier)], None, "no verifier string of a witness"),
    ([("http://127.0.0.1:1", NoteKey("w", 4, bytes(32)).verifier)] * 2, None, "the same key"),
])
def test_settings_that_do_not_fit_are_refused(tmp_path, witnesses, quorum, said):
    with pytest.raises(RuntimeError, match=said):
        Server("--ephemeral", *configured(tmp_path / "c.toml", witnesses, quorum))
