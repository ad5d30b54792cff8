"""Proofs over gRPC, checked by the reader of our own: of a call's own record, of any record, of older trees."""

import pytest
from client import Client, Refused
from conftest import Server
from tlog import Rejected, check_consistency, leaf_hash, open_checkpoint, root_of_inclusion, verify_proof

ASKED = (("x-strongroom-proof", "inclusion"),)
PROOF = "x-audit-log-proof-bin"


@pytest.fixture
def verifier(log):
    return log.call("Audit.GetCheckpoint").verifier_key


def test_an_answer_proves_its_own_record_when_it_is_asked_to(log, verifier):
    log.call("DataKeys.GenerateRandom", number_of_bytes=1)
    assert PROOF not in log.last, "nobody asked"
    log.call("DataKeys.GenerateRandom", number_of_bytes=1, metadata=(("x-strongroom-proof", "all"),))
    assert PROOF not in log.last, "there is no such proof"
    log.call("DataKeys.GenerateRandom", number_of_bytes=1, metadata=ASKED)
    proof, index = log.last[PROOF], int(log.last["x-audit-log-index"])
    entry = log.record().entry
    # One caller: its group is its own record, and the checkpoint is the group's.
    assert verify_proof(proof, entry, verifier) == (index, index + 1)
    with pytest.raises(Rejected):
        verify_proof(proof, entry + b" ", verifier)
    # The log grows; the proof holds.
    log.call("Keys.ListKeys")
    assert verify_proof(proof, entry, verifier) == (index, index + 1)


@pytest.mark.parametrize("name, fields, raw", [
    ("Keys.DescribeKey", {"key_id": "alias/none"}, None),
    ("Keys.DescribeKey", {}, b"\xff\xff"),
])
def test_a_refusal_proves_its_record_too(log, verifier, name, fields, raw):
    with pytest.raises(Refused) as refused:
        log.call(name, metadata=ASKED, raw=raw, **fields)
    proof = refused.value.metadata[PROOF]
    record = log.record()
    assert record.error_code == refused.value.reason
    assert verify_proof(proof, record.entry, verifier)[0] == record.index


def test_every_record_is_proved_up_to_any_tree(log, verifier):
    for _ in range(20):
        log.call("DataKeys.GenerateRandom", number_of_bytes=1)
    size = log.call("Audit.GetCheckpoint").log_size
    records = log.call("Audit.Query", order=2, limit=1000, end_index=size).records
    for record in records:
        proved = log.call("Audit.GetInclusionProof", leaf_index=record.index)
        found = open_checkpoint(proved.checkpoint, verifier)
        assert found == (proved.tree_size, proved.root_hash) and proved.tree_size > size
        leaf = leaf_hash(record.entry)
        assert root_of_inclusion(record.index, proved.tree_size, leaf, proved.hashes) == found[1]
        older = log.call("Audit.GetInclusionProof", leaf_index=record.index, tree_size=size)
        assert root_of_inclusion(record.index, size, leaf, older.hashes) == older.root_hash


def test_a_tree_is_proved_to_contain_an_older_one(log, verifier):
    first = log.call("Audit.GetCheckpoint")
    for _ in range(5):
        log.call("Keys.ListKeys")
    second = log.call("Audit.GetCheckpoint")
    proved = log.call("Audit.GetConsistencyProof", old_checkpoint=first.checkpoint)
    newest = open_checkpoint(proved.checkpoint, verifier)
    assert newest == (proved.new_size, proved.new_root_hash)
    between = log.call(
        "Audit.GetConsistencyProof",
        old_checkpoint=first.checkpoint, new_checkpoint=second.checkpoint,
    )
    sized = log.call(
        "Audit.GetConsistencyProof", old_size=first.log_size, new_size=second.log_size)
    assert between.hashes == sized.hashes
    for proof in (proved, between):
        check_consistency(
            first.log_size, proof.new_size, first.root_hash, proof.new_root_hash, proof.hashes)
    assert between.new_root_hash == second.root_hash
    same = log.call("Audit.GetConsistencyProof", old_size=3, new_size=3)
    assert not same.hashes and same.old_root_hash == same.new_root_hash


def test_what_cannot_be_proved_is_refused_and_recorded(log, verifier):
    size = log.call("Audit.GetCheckpoint").log_size
    good = log.call("Audit.GetCheckpoint").checkpoint
    other = Server("--ephemeral")
    foreign = Client(other.address).call("Audit.GetCheckpoint")
    # The foreign server has written by now: its second answer has a checkpoint.
    foreign = Client(other.address).call("Audit.GetCheckpoint").checkpoint or foreign.checkpoint
    assert other.stop() == 0
    body = good.split("\n\n")[0]
    for name, fields, message in [
        ("GetInclusionProof", {"leaf_index": size + 1000}, "no record"),
        ("GetInclusionProof", {"leaf_index": 0, "tree_size": size + 1000}, "no tree of"),
        ("GetInclusionProof", {"leaf_index": 5, "tree_size": 5}, "no record 5 in a tree of 5"),
        ("GetInclusionProof", {"leaf_index": 0, "tree_size": 0}, "no record 0 in a tree of 0"),
        ("GetConsistencyProof", {}, "empty tree"),
        ("GetConsistencyProof", {"old_size": 0}, "empty tree"),
        ("GetConsistencyProof", {"old_size": 5, "new_size": 4}, "smaller one"),
        ("GetConsistencyProof", {"old_size": 5, "new_size": size + 1000}, "no tree of"),
        ("GetConsistencyProof", {"old_size": size + 1000}, "no tree of"),
        ("GetConsistencyProof", {"old_checkpoint": foreign}, "another log's"),
        ("GetConsistencyProof", {"old_checkpoint": body + "\n"}, "no signed note"),
        ("GetConsistencyProof", {"old_size": 1, "new_checkpoint": "x"}, "no signed note"),
        ("GetConsistencyProof", {"old_checkpoint": good.replace(body[-5:], "AAAA=")}, "wrong"),
    ]:
        with pytest.raises(Refused, match=message) as refused:
            log.call(f"Audit.{name}", **fields)
        assert (refused.value.reason, refused.value.code.name) == (
            "ValidationException", "INVALID_ARGUMENT"), (name, fields)
        record = log.record()
        assert (record.operation, record.outcome) == (name, "failed")
