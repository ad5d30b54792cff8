"""The log over HTTP: to whom it is given, what reading it leaves in it, and what is fetched with it."""

import json
import resource
import signal
import urllib.request

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from client import Client
from conftest import Server
from identities import ACCOUNT, REGION, aws, grpc, known, prove, user
from logs import fill
from test_log_files import strongroom
from test_observed import get
from tlog import open_checkpoint, read_log

LOG = "/_strongroom/log/"
HEAD_ONLY = {"Effect": "Allow", "Action": "strongroom:GetCheckpoint", "Resource": "*"}


@pytest.fixture
def own():
    server = Server("--ephemeral")
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    server = known(tmp_path_factory.mktemp("guarded"), user("witness", [HEAD_ONLY]))
    kms = aws(server, ACCOUNT)
    for _ in range(300):
        kms.generate_random(NumberOfBytes=1)
    yield server
    assert server.stop() == 0


def over_http(server, **headers):
    def read(path):
        request = urllib.request.Request(f"http://{server.address}{LOG}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            assert error.code == 404, error
            return None

    return read


def bearer(name):
    return {"authorization": f"Bearer {prove(name)[2]}"}


def size_of(server, **headers):
    return int(get(server, f"{LOG}checkpoint", **headers)[1].split("\n")[1])


def test_a_reader_needs_the_files_alone(own, tmp_path):
    assert get(own, f"{LOG}checkpoint")[0] == 404, "there is no log yet"
    fill(own, 600)
    verifier = Client(own.address).call("Audit.GetCheckpoint").verifier_key
    entries = read_log(over_http(own), verifier)
    assert len(entries) == 601
    # While it is read it grows, and what was published before stays: by the record of this reader.
    assert size_of(own) == 602
    log = f"http://{own.address}{LOG}"
    code, said, wrong = strongroom("audit", "verify", log, "--verifier", verifier, "--output", "json")
    assert code == 0 and json.loads(said)["records"] >= 602, wrong
    code, said, wrong = strongroom("audit", "export", str(tmp_path / "log"), "--endpoint", log.split("/_")[0])
    assert code == 0, wrong
    folder = lambda path: (tmp_path / "log" / path).read_bytes()
    assert read_log(folder, verifier)[:601] == entries


def test_types_and_caching_are_the_specifications(tmp_path):
    server = Server("--data-dir", str(tmp_path / "data"))
    fill(server, 300)
    for path, kind, caching in [
        ("checkpoint", "text/plain; charset=utf-8", "no-cache"),
        ("tile/0/000", "application/octet-stream", "public, max-age=31536000, immutable"),
        ("tile/0/001.p/44", "application/octet-stream", "public, max-age=31536000, immutable"),
        ("tile/1/000.p/1", "application/octet-stream", "public, max-age=31536000, immutable"),
        ("tile/entries/000", "application/octet-stream", "public, max-age=31536000, immutable"),
    ]:
        status, _, headers = get(server, LOG + path, "HEAD")
        assert (status, headers["content-type"], headers["cache-control"]) == (200, kind, caching)
    for path in [
        "", "tile", "tile/0/001", "tile/0/001.p/46", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/0",
        "tile/00/000", "tile/1/000.p/2", "tile/8/0/000", "tile/entries/x000/000", "tile/data/000",
        "tile/0/x000", "tile/63/000.p/1", "tile/255/000", "%63heckpoint/", "..%2fhealth",
    ]:
        assert get(server, LOG + path)[0] == 404, path
    assert get(server, f"{LOG}checkpoint", "POST")[0] == 405
    assert server.stop() == 0


def test_polling_leaves_nothing_and_reading_entries_one_record(own):
    fill(own, 300)
    for _ in range(20):
        for path in ["checkpoint", "tile/0/000", "tile/1/000.p/1", "tile/9/000", "nothing"]:
            assert "x-audit-log-index" not in get(own, LOG + path)[2], path
    assert size_of(own) == 300
    first = get(own, f"{LOG}tile/entries/000.p/7")[2]
    assert int(first["x-audit-log-index"]) == 300
    for _ in range(20):
        assert "x-audit-log-index" not in get(own, f"{LOG}tile/entries/001.p/40")[2]
    assert size_of(own) == 301
    record = Client(own.address).call("Audit.Query", operation="ReadLog").records[0]
    entry = json.loads(record.entry)
    assert entry["parameters"] == {"file": "tile/entries/000.p/7"} and entry["door"] == "http"
    assert entry["action"] == "strongroom:QueryAuditTrail" and entry["read_only"]
    # Another caller leaves one of its own.
    other = get(own, f"{LOG}tile/entries/000", authorization="Bearer 111122223333")[2]
    assert "x-audit-log-index" in other
    # It is answered as success in the metrics, too, and not as a call that could not be recorded.
    metrics = get(own, "/_strongroom/metrics")[1]
    assert 'operation="ReadLog",outcome="success"' in metrics
    assert 'operation="ReadLog",outcome="unrecorded"' not in metrics


def test_after_a_reset_the_reading_of_the_new_log_is_recorded(own):
    for _ in range(2):
        fill(own, 10)
        assert get(own, f"{LOG}tile/entries/000.p/3")[2]["x-audit-log-index"] == "10"
        assert get(own, f"{LOG}tile/0/000.p/3")[2]["cache-control"] == "no-store"
        assert get(own, "/_strongroom/reset", "POST")[0] == 200


def test_who_may_not_query_the_trail_gets_no_file_of_it(guarded):
    before = size_of(guarded, **bearer("allowed"))
    strangers = [
        ({}, 401, "MissingAuthenticationTokenException"),
        ({"authorization": "Bearer wrong"}, 401, "UnrecognizedClientException"),
        ({"authorization": f"Bearer {ACCOUNT}"}, 401, "UnrecognizedClientException"),
        ({"authorization": "Basic eDp5"}, 401, "UnrecognizedClientException"),
        (bearer("silent"), 403, "AccessDeniedException"),
    ]
    paths = ["checkpoint", "tile/0/000", "tile/entries/000"]
    for headers, status, code in strangers:
        for path in paths:
            found, text, answered = get(guarded, LOG + path, **headers)
            assert (found, json.loads(text)["__type"]) == (status, code), (headers, path)
            assert "x-audit-log-index" in answered, "a refusal is recorded each time"
    assert size_of(guarded, **bearer("allowed")) == before + len(strangers) * len(paths)
    # Who may have the head alone gets that.
    assert get(guarded, f"{LOG}checkpoint", **bearer("witness"))[0] == 200
    for path in paths[1:]:
        assert get(guarded, LOG + path, **bearer("witness"))[0] == 403
    caching = get(guarded, f"{LOG}tile/0/000", **bearer("allowed"))[2]["cache-control"]
    assert caching.startswith("private"), "a shared cache may not hand it on"


def test_a_token_or_a_signature_opens_it(guarded, tmp_path):
    verifier = grpc(guarded, ACCOUNT).call("Audit.GetCheckpoint").verifier_key
    assert len(read_log(over_http(guarded, **bearer("allowed")), verifier)) > 300

    def signed(name, auth, secret=None):
        key, own, _ = prove(name)
        request = AWSRequest("GET", f"http://{guarded.address}{LOG}tile/entries/000")
        auth(Credentials(key, secret or own), "kms", REGION).add_auth(request)
        path = request.prepare().url.removeprefix(f"http://{guarded.address}")
        return get(guarded, path, **dict(request.headers))[0]

    for auth in (SigV4Auth, SigV4QueryAuth):
        assert signed("allowed", auth) == 200
        assert signed("silent", auth) == 403
        assert signed("allowed", auth, "guessed") == 401

    # The command line brings its token to the endpoint, and to nobody else.
    token = {"STRONGROOM_TOKEN": prove("allowed")[2]}
    endpoint = f"http://{guarded.address}"
    verify = ["audit", "verify", endpoint + LOG, "--verifier", verifier]
    code, _, said = strongroom(*verify, "--endpoint", endpoint, env=token)
    assert code == 0, said
    code, _, said = strongroom(*verify, "--endpoint", "http://127.0.0.1:1", env=token)
    assert code == 1 and "401" in said, said
    export = ["audit", "export", str(tmp_path / "log"), "--endpoint", endpoint]
    assert strongroom(*export, env=token)[0] == 0
    folder = lambda path: (tmp_path / "log" / path).read_bytes()
    assert len(read_log(folder, verifier)) > 300
    code, _, said = strongroom(*export, env={"STRONGROOM_TOKEN": "wrong"})
    assert code == 1 and "UnrecognizedClientException" in said, said


def test_a_running_service_is_held_against_older_checkpoints(own, tmp_path):
    fill(own, 20)
    older = tmp_path / "older"
    older.write_text(get(own, f"{LOG}checkpoint")[1])
    fill(own, 20)
    endpoint = ["--endpoint", f"http://{own.address}"]
    verifier = strongroom("audit", "key", *endpoint)[1].splitlines()[-1]
    assert open_checkpoint(older.read_text(), verifier)[0] == 20
    verify = ["audit", "verify", "--older", str(older), *endpoint]
    for trusted in ([], ["--verifier", verifier]):
        code, shown, said = strongroom(*verify, *trusted)
        assert code == 0 and "verified" in shown, said
    foreign = "example.com/log+a4c3805a+Af0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY"
    code, _, said = strongroom(*verify, "--verifier", foreign)
    assert code == 1 and "another log's" in said, said
    assert get(own, "/_strongroom/reset", "POST")[0] == 200
    fill(own, 50)
    code, _, said = strongroom(*verify)
    assert code == 1 and "another log's" in said, "a store that is begun anew has a key of its own"


def test_a_full_disk_leaves_the_earlier_export_valid(own, tmp_path):
    fill(own, 50)
    verifier = Client(own.address).call("Audit.GetCheckpoint").verifier_key
    folder = lambda path: (tmp_path / "log" / path).read_bytes()
    export = ["audit", "export", str(tmp_path / "log"), "--endpoint", f"http://{own.address}"]
    assert strongroom(*export)[0] == 0
    before = len(read_log(folder, verifier))
    fill(own, 600)

    def little_room():  # a file that would be longer than that cannot be written
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    code, _, said = strongroom(*export, preexec_fn=little_room)
    assert code == 1 and "File too large" in said, said
    assert "what was exported before is as it was" in said and "tile/entries/000" in said
    assert (tmp_path / "log/tile/0/000").exists(), "it was on its way"
    assert len(read_log(folder, verifier)) == before
    assert not [path for path in (tmp_path / "log").rglob(".new-*")], "nothing half is left"
    assert strongroom("audit", "verify", str(tmp_path / "log"), "--verifier", verifier)[0] == 0
    assert strongroom(*export)[0] == 0
    assert len(read_log(folder, verifier)) > before + 600
