"""The trail, checked with an implementation of our own: hashes, signature, order."""

import base64
import hashlib
import json
import threading

import pytest
from client import Client, Refused
from conftest import Server
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def root_of(leaves):
    """RFC 6962, 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


def open_note(note, verifier):
    """C2SP signed-note and checkpoint."""
    name, key_hash, encoded = verifier.split("+", 2)
    encoded = base64.b64decode(encoded)
    key_id = hashlib.sha256(name.encode() + b"\n" + encoded).digest()[:4]
    assert encoded[0] == 1 and key_id.hex() == key_hash
    text, signatures = note.rsplit("\n\n", 1)
    dash, signer, signature = signatures.rstrip("\n").split(" ")
    signature = base64.b64decode(signature)
    assert (dash, signer, signature[:4]) == ("—", name, key_id)
    Ed25519PublicKey.from_public_bytes(encoded[1:]).verify(signature[4:], (text + "\n").encode())
    origin, size, root = text.split("\n")
    assert origin == name
    return int(size), base64.b64decode(root)


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
    size, root = open_note(head.checkpoint, head.verifier_key)
    records = everything(log, size)
    assert [record.index for record in records] == list(range(size))
    assert root_of([record.entry for record in records]) == root == head.root_hash
    forged = head.checkpoint.replace(f"\n{size}\n", f"\n{size - 1}\n")
    with pytest.raises(InvalidSignature):
        open_note(forged, head.verifier_key)


def test_the_service_verifies_itself_and_records_that_it_was_asked(log):
    verified = log.call("Audit.VerifyLog")
    head = log.call("Audit.GetCheckpoint")
    size, _ = open_note(verified.checkpoint, head.verifier_key)
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
