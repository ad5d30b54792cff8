"""The trail, checked with an implementation of our own: hashes, signature, order."""

import base64
import json
import threading

import pytest
from client import Client, Refused
from conftest import Server
from tlog import Rejected, leaf_hash, open_checkpoint, root_of


@pytest.fixture(scope="module")
def own_server():
    server = Server("--ephemeral")
    yield server
    assert server.stop() == 0


@pytest.fixture
def log(own_server):
    return Client(own_server.address)


def everything(client, size):
    found, token = [], ""
    while True:
        page = client.call(
            "Audit.Query", order=2, limit=1000, end_index=size, page_token=token
        )
        found += page.records
        token = page.next_page_token
        if not token:
            return found


def test_the_checkpoint_signs_the_root_of_the_entries(log):
    for _ in range(70):
        log.call("DataKeys.GenerateRandom", number_of_bytes=1)
    head = log.call("Audit.GetCheckpoint")
    size, root = open_checkpoint(head.checkpoint, head.verifier_key)
    records = everything(log, size)
    assert [record.index for record in records] == list(range(size))
    assert root_of([leaf_hash(record.entry) for record in records]) == root == head.root_hash
    forged = head.checkpoint.replace(f"\n{size}\n", f"\n{size - 1}\n")
    with pytest.raises(Rejected):
        open_checkpoint(forged, head.verifier_key)


def test_the_service_verifies_itself_and_records_that_it_was_asked(log):
    verified = log.call("Audit.VerifyLog")
    head = log.call("Audit.GetCheckpoint")
    size, _ = open_checkpoint(verified.checkpoint, head.verifier_key)
    assert verified.log_size == size
    asked = log.call("Audit.Query", operation="VerifyLog").records
    assert asked and asked[0].index == size


def test_conditions_hold_together(log):
    one, two = (log.call("Keys.CreateKey").key_metadata for _ in range(2))
    for key in (one, two):
        for case in ("1", "2"):
            log.call(
                "DataKeys.Encrypt",
                key_id=key.key_id,
                plaintext=b"x",
                encryption_context={"case": case, "app": "test"},
            )
    with pytest.raises(Refused, match="is not found"):
        log.call("DataKeys.Encrypt", key_id="alias/none", plaintext=b"x")

    def found(**conditions):
        return [record.index for record in log.call("Audit.Query", **conditions).records]

    of_one = found(key_id=one.key_id)
    assert len(of_one) == 3 and of_one == found(key_id=one.arn)
    assert of_one == sorted(of_one, reverse=True)
    assert found(key_id=one.key_id, order=2) == sorted(of_one)
    case = found(key_id=one.key_id, operation="Encrypt", encryption_context={"case": "2"})
    assert len(case) == 1
    record = log.call("Audit.Query", start_index=case[0], end_index=case[0] + 1).records[0]
    assert found(request_id=record.request_id) == case
    assert found(operation="Encrypt", outcome="failed", error_code="NotFoundException")
    assert found(key_id=one.key_id, outcome="failed") == []
    assert found(principal="arn:aws:iam::999999999999:root") == []
    later = log.call("Audit.Query", key_id=one.key_id, start_time=record.time).records
    assert record.index in [later_record.index for later_record in later]
    earlier = log.call("Audit.Query", key_id=one.key_id, end_time=record.time).records
    assert record.index not in [earlier_record.index for earlier_record in earlier]


def test_tail_gives_what_was_and_what_comes(log):
    size = log.call("Audit.GetCheckpoint").log_size
    stream = log.stream("Audit.Tail", start_index=size)
    names = []
    seen = threading.Event()

    def follow():
        for record in stream:
            names.append((record.index, record.operation))
            if record.operation == "GenerateRandom":
                break
        seen.set()

    threading.Thread(target=follow, daemon=True).start()
    log.call("Keys.ListKeys")
    log.call("DataKeys.GenerateRandom", number_of_bytes=1)
    assert seen.wait(10)
    stream.cancel()
    assert [index for index, _ in names] == list(range(size, size + len(names)))
    assert {"GetCheckpoint", "Tail", "ListKeys", "GenerateRandom"} == {name for _, name in names}


def test_entries_hold_no_secret(log):
    key = log.call("Keys.CreateKey").key_metadata.key_id
    secret = b"open sesame, forty thieves"
    wrapped = log.call("DataKeys.WrapDataKey", key_id=key, plaintext=secret)
    log.call("DataKeys.UnwrapDataKey", ciphertext_blob=wrapped.ciphertext_blob)
    made = log.call("DataKeys.GenerateDataKey", key_id=key, key_spec="AES_256")
    for record in everything(log, log.call("Audit.GetCheckpoint").log_size):
        for plaintext in (secret, made.plaintext):
            for form in (plaintext, plaintext.hex().encode(), base64.b64encode(plaintext)):
                assert form not in record.entry
        assert json.loads(record.entry)["v"] == 1
