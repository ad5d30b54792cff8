"""The trail's oldest records move to an archive: they are found, proved and verified as before, and what is wrong
with the archive is said and stops no key."""

import json
import shutil
import time

import pytest
from client import Client, Refused
from conftest import Server
from logs import fill
from test_log_files import reader, strongroom
from test_observed import metrics
from tlog import leaf_hash, open_checkpoint, read_log, root_of_inclusion


def metric(server, name):
    return int(metrics(server)[f"strongroom_{name}"])


def wait_for(server, name, least):
    end = time.monotonic() + 60
    while metric(server, name) < least:
        assert time.monotonic() < end, (name, metric(server, name))
        time.sleep(0.1)


def every_record(log):
    found, token = [], ""
    while True:
        page = log.call("Audit.Query", order=2, limit=1000, page_token=token)
        found += [(record.index, record.entry) for record in page.records]
        token = page.next_page_token
        if not token:
            return found


class Sealed:
    """A server that keeps few records, with two thousand more in its archive."""

    def __init__(self, folder):
        self.data = folder / "data"
        self.archive = self.data / "archive"
        # What there is to compare with: the same records before any of them moved.
        server = Server("--data-dir", str(self.data))
        self.key = Client(server.address).call("Keys.CreateKey").key_metadata.key_id
        fill(server, 2400)
        self.before = every_record(Client(server.address))
        assert server.stop() == 0
        self.start()
        wait_for(self.server, "log_sealed_entries", 2048)

    def start(self):
        self.server = Server("--data-dir", str(self.data), "--audit-keep-records", "300")
        self.log = Client(self.server.address)
        self.verifier = self.log.call("Audit.GetCheckpoint").verifier_key


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    sealed = Sealed(tmp_path_factory.mktemp("sealing"))
    yield sealed
    assert sealed.server.stop() == 0


def test_old_records_are_found_and_proved_over_grpc(sealed):
    log = sealed.log
    assert every_record(log)[: len(sealed.before)] == sealed.before
    request_id = json.loads(sealed.before[1000][1])["request_id"]
    found = log.call("Audit.Query", request_id=request_id).records
    assert [record.index for record in found] == [1000]
    for index in (0, 255, 256, 1000, 2047, 2048, 2399):
        proved = log.call("Audit.GetInclusionProof", leaf_index=index)
        size, root = open_checkpoint(proved.checkpoint, sealed.verifier)
        leaf = leaf_hash(sealed.before[index][1])
        assert root_of_inclusion(index, size, leaf, proved.hashes) == root
    by_key = log.call("Audit.Query", key_id=sealed.key, order=2).records
    assert (by_key[0].index, by_key[0].operation) == (0, "CreateKey")


def test_the_trail_says_what_was_sealed(sealed):
    record = sealed.log.call("Audit.Query", operation="SealLog", order=2).records[0]
    entry = json.loads(record.entry)
    assert entry["outcome"] == "success" and entry["door"] == "service"
    said = entry["parameters"]
    assert said["start_index"] == 0 and said["archive"] == str(sealed.archive)
    assert said["end_index"] % 256 == 0 and len(said["root_hash"]) == 64


def test_everything_verifies_online_over_http_and_by_a_reader_of_the_specification(sealed):
    url = f"http://{sealed.server.address}"
    assert strongroom("audit", "verify", "--endpoint", url)[0] == 0
    code, out, said = strongroom(
        "audit", "verify", f"{url}/_strongroom/log", "--verifier", sealed.verifier, "--output", "json")
    assert code == 0, said
    assert json.loads(out)["records"] > 2400
    # The archive is a log of its own, for who has nothing but the public key.
    read_log(reader(sealed.archive), sealed.verifier, [])
    code, out, said = strongroom(
        "audit", "verify", str(sealed.archive), "--verifier", sealed.verifier, "--output", "json")
    assert code == 0 and json.loads(out)["records"] >= 2048, said


def test_without_the_archive_keys_go_on_and_what_is_missing_is_named(sealed):
    log, away = sealed.log, sealed.data / "away"
    sealed.archive.rename(away)
    # What was read before may be kept.
    sealed.server.process.kill()
    sealed.server.process.wait(10)
    sealed.start()
    log = sealed.log
    with pytest.raises(Refused, match=r"archive/tile/.* is not there; newer records"):
        log.call("Audit.GetInclusionProof", leaf_index=100)
    with pytest.raises(Refused, match=r"records from 0 on are in the archive, and .*archive/tile/entries/000"):
        log.call("Audit.Query", order=2)
    with pytest.raises(Refused, match="is not there"):
        log.call("Audit.VerifyLog")
    made = log.call("DataKeys.GenerateDataKey", key_id=sealed.key, key_spec="AES_256")
    opened = log.call("DataKeys.UnwrapDataKey", ciphertext_blob=made.ciphertext_blob)
    assert opened.plaintext == made.plaintext
    assert len(log.call("Audit.Query", limit=100).records) == 100
    # Nothing more is sealed into what is not there, and that is counted.
    fill(sealed.server, 600)
    wait_for(sealed.server, "log_sealing_failures_total", 1)
    shutil.rmtree(sealed.archive, ignore_errors=True)
    away.rename(sealed.archive)
    assert every_record(log)[: len(sealed.before)] == sealed.before


def test_after_a_kill_the_store_opens_and_all_is_there(sealed):
    sealed.server.process.kill()
    sealed.server.process.wait(10)
    sealed.start()
    fill(sealed.server, 300)
    wait_for(sealed.server, "log_sealed_entries", 2560)
    assert every_record(sealed.log)[: len(sealed.before)] == sealed.before
    sealed.log.call("Audit.VerifyLog")


def test_by_hand_into_a_folder_that_is_moved_afterwards(tmp_path):
    data, archive, moved = tmp_path / "data", tmp_path / "old records", tmp_path / "moved"
    server = Server("--data-dir", str(data))
    fill(server, 1000)
    assert server.stop() == 0
    code, out, said = strongroom(
        "audit", "seal", "--data-dir", str(data), "--archive", str(archive), "--keep-records", "500", "--output", "json")
    assert code == 0, said
    assert json.loads(out) == {"sealed": 256, "newly_sealed": 256, "in_the_store": 745}
    assert sorted(path.name for path in data.iterdir() if path.name.startswith("store")) == ["store"]
    # It is remembered where they are.
    assert strongroom("audit", "verify", "--data-dir", str(data))[0] == 0
    archive.rename(moved)
    code, _, said = strongroom("audit", "verify", "--data-dir", str(data))
    assert code == 1 and "old records/tile/0/000 is not there" in said, said
    assert strongroom("audit", "verify", "--data-dir", str(data), "--archive", str(moved))[0] == 0
    code, _, said = strongroom(
        "audit", "seal", "--data-dir", str(data), "--archive", str(moved), "--keep-age", "0s", "--output", "json")
    assert code == 0, said
    assert strongroom("audit", "verify", "--data-dir", str(data))[0] == 0, "and where they are now"
    code, _, said = strongroom("audit", "seal", "--keep-records", "1")
    assert code == 2 and "--data-dir" in said
    code, _, said = strongroom("audit", "seal", "--data-dir", str(data), "--archive", "s3x://b/c", "--keep-records", "0")
    assert code == 1 and "neither a folder nor" in said, said


def test_an_archive_that_cannot_be_written_stops_nothing(tmp_path):
    full = tmp_path / "full"
    full.write_text("no folder")
    server = Server("--data-dir", str(tmp_path / "data"), "--audit-archive", str(full), "--audit-keep-records", "0")
    log = Client(server.address)
    key = log.call("Keys.CreateKey").key_metadata.key_id
    fill(server, 400)
    wait_for(server, "log_sealing_failures_total", 1)
    log.call("DataKeys.GenerateDataKey", key_id=key, key_spec="AES_256")
    assert metric(server, "log_sealed_entries") == 0 and metric(server, "healthy") == 1
    assert len(every_record(log)) >= 402
    assert server.stop() == 0
    assert "records could not be sealed; they stay in the store" in server.process.stderr.read()
