"""The trail, checked with an implementation of our own: hashes, signature, order."""

import base64
import json
import threading

import grpc
import pytest
from client import Client, Refused
from tlog import Rejected, leaf_hash, open_checkpoint, root_of


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


def test_who_from_where_and_by_which_name(own_server):
    ours = Client(own_server.address, metadata=[("authorization", "Bearer 777788889999")])
    before = ours.call("Audit.GetCheckpoint").log_size
    one, two = (ours.call("Keys.CreateKey").key_metadata for _ in range(2))

    def encrypt(named):
        ours.call("DataKeys.Encrypt", key_id=named, plaintext=b"x")
        return int(ours.last["x-audit-log-index"])

    def found(**conditions):
        return {record.index for record in ours.call("Audit.Query", limit=1000, **conditions).records}

    by_id = encrypt(one.key_id)
    ours.call("Keys.CreateAlias", alias_name="alias/then", target_key_id=one.key_id)
    first = {encrypt("alias/then"), encrypt(one.key_id)}
    ours.call("Keys.UpdateAlias", alias_name="alias/then", target_key_id=two.key_id)
    late = encrypt(one.key_id)
    second = {encrypt("alias/then"), encrypt(two.arn)}
    assert found(key_id="alias/then", operation="Encrypt") == first | second
    arn = "arn:aws:kms:us-east-1:777788889999:alias/then"
    assert found(key_id=arn, operation="Encrypt") == first | second
    assert found(key_id=one.key_id, operation="Encrypt") == first | {by_id, late}
    assert len(found(resource=arn)) == 4
    window = {"start_index": before, "end_index": max(second) + 1}
    calls = found(account="777788889999", **window)
    assert calls >= first | second and calls == found(access_key_id="777788889999", **window)
    assert found(source_address="127.0.0.1", **window) == calls
    assert found(source_address="127.0.0.2") == set()
    assert found(account="777788889998") == set()


def test_what_a_test_expects(log):
    key = log.call("Keys.CreateKey").key_metadata.key_id
    mark = log.call("Audit.GetCheckpoint").log_size

    def expect(**fields):
        return log.call("Audit.Expect", scope={"start_index": mark, "key_id": key}, **fields)

    seven = {"operation": "Encrypt", "encryption_context": {"case": "7"}}
    for case in ("7", "8", "7"):
        context = {"case": case}
        log.call("DataKeys.Encrypt", key_id=key, plaintext=b"x", encryption_context=context)
    log.call("DataKeys.GenerateRandom", number_of_bytes=1)  # out of the scope
    twice = {"call": seven, "at_least": 2, "at_most": 2}
    found = expect(calls=[twice])
    assert found.met and found.calls[0].count == 2 and list(found.calls[0].indexes) == [mark + 1, mark + 3]
    found = expect(calls=[twice, {"call": {"operation": "Decrypt"}}], nothing_else=True)
    assert not found.met and [call.met for call in found.calls] == [True, False]
    assert [other.index for other in found.others] == [mark + 2] and found.other_count == 1
    assert "! Decrypt: at least 1, found 0" in found.report and "context.case=8" in found.report
    assert log.record().operation == "Expect"
    with pytest.raises(Refused, match="no pages"):
        log.call("Audit.Expect", scope={"limit": 5})


def test_tail_follows_what_it_is_asked_for(log):
    size = log.call("Audit.GetCheckpoint").log_size
    asked = log.request("Audit.Query", operation="GenerateRandom", end_index=size + 7)
    stream = log.stream("Audit.Tail", start_index=size, conditions=asked)
    for _ in range(3):
        log.call("Keys.ListKeys")
        log.call("DataKeys.GenerateRandom", number_of_bytes=1)
    names = [(record.index, record.operation) for record in stream]  # it ends by itself
    assert {name for _, name in names} == {"GenerateRandom"}
    assert len(names) in (2, 3) and all(size < index < size + 7 for index, _ in names)
    for wrong in ({"limit": 1}, {"order": 2}, {"page_token": "x"}, {"start_index": 1}):
        with pytest.raises(grpc.RpcError, match="a tail takes no order, limit, page token"):
            next(log.stream("Audit.Tail", conditions=log.request("Audit.Query", **wrong)))


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
