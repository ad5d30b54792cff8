"""The main job: keys, data keys, contexts, and what the trail says of them."""

import json

from client import Client
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from grpc_health.v1 import health_pb2, health_pb2_grpc


def test_reflection_and_health_are_served(client):
    names = {"Keys", "DataKeys", "Audit"}
    assert {f"strongroom.v1.{name}" for name in names} <= client.services
    stub = health_pb2_grpc.HealthStub(client.channel)
    for name in ["", *(f"strongroom.v1.{name}" for name in names)]:
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_data_key_is_generated_unwrapped_and_used(client, key):
    made = client.call(
        "DataKeys.GenerateDataKey",
        key_id=key,
        key_spec="AES_256",
        encryption_context={"a": "1", "b": "2"},
    )
    sealed = AESGCM(made.plaintext).encrypt(bytes(12), b"a document", None)
    opened = client.call(
        "DataKeys.UnwrapDataKey",
        ciphertext_blob=made.ciphertext_blob,
        encryption_context={"b": "2", "a": "1"},
    )
    assert made.key_id == opened.key_id and made.key_id.endswith(f":key/{key}")
    assert AESGCM(opened.plaintext).decrypt(bytes(12), sealed, None) == b"a document"


def test_every_size_comes_as_asked(client, key):
    for fields, length in [
        ({"key_spec": "AES_128"}, 16),
        ({"key_spec": "AES_256"}, 32),
        ({"number_of_bytes": 1}, 1),
        ({"number_of_bytes": 1024}, 1024),
    ]:
        made = client.call("DataKeys.GenerateDataKey", key_id=key, **fields)
        assert len(made.plaintext) == length
        blind = client.call("DataKeys.GenerateDataKeyWithoutPlaintext", key_id=key, **fields)
        opened = client.call("DataKeys.Decrypt", ciphertext_blob=blind.ciphertext_blob)
        assert len(opened.plaintext) == length
    assert len(client.call("DataKeys.GenerateRandom", number_of_bytes=48).plaintext) == 48


def test_wrapped_keys_survive_rotation_and_move(client, key):
    own = bytes(range(48))
    wrapped = client.call("DataKeys.WrapDataKey", key_id=key, plaintext=own)
    assert client.call("Keys.RotateKeyOnDemand", key_id=key).key_version == 2
    opened = client.call("DataKeys.UnwrapDataKey", ciphertext_blob=wrapped.ciphertext_blob)
    assert (opened.plaintext, opened.key_version) == (own, 1)
    other = client.call("Keys.CreateKey").key_metadata.key_id
    moved = client.call(
        "DataKeys.RewrapDataKey",
        ciphertext_blob=wrapped.ciphertext_blob,
        destination_key_id=other,
        destination_encryption_context={"moved": "yes"},
    )
    opened = client.call(
        "DataKeys.UnwrapDataKey",
        ciphertext_blob=moved.ciphertext_blob,
        encryption_context={"moved": "yes"},
        key_id=other,
    )
    assert opened.plaintext == own
    versions = client.call("Keys.DescribeKeyVersions", key_id=key).versions
    assert [(v.key_version, v.current) for v in versions] == [(1, False), (2, True)]


def test_small_data_is_encrypted_and_moved(client, key):
    box = client.call(
        "DataKeys.Encrypt", key_id=key, plaintext=b"x" * 4096, encryption_context={"c": "d"}
    )
    assert box.encryption_algorithm == "SYMMETRIC_DEFAULT"
    other = client.call("Keys.CreateKey").key_metadata.key_id
    moved = client.call(
        "DataKeys.ReEncrypt",
        ciphertext_blob=box.ciphertext_blob,
        source_encryption_context={"c": "d"},
        destination_key_id=other,
    )
    assert moved.source_key_id.endswith(key) and moved.key_id.endswith(other)
    opened = client.call("DataKeys.Decrypt", ciphertext_blob=moved.ciphertext_blob)
    assert opened.plaintext == b"x" * 4096


def test_keys_are_named_tagged_described_and_listed(client, key):
    alias = f"alias/app/{key}"
    client.call("Keys.CreateAlias", alias_name=alias, target_key_id=key)
    client.call("Keys.TagResource", key_id=key, tags=[{"tag_key": "t", "tag_value": "v"}])
    client.call("Keys.UpdateKeyDescription", key_id=key, description="described")
    arn = client.call("Keys.DescribeKey", key_id=alias).key_metadata.arn
    for name in (key, arn, alias, arn.replace(f"key/{key}", alias)):
        found = client.call("Keys.DescribeKey", key_id=name).key_metadata
        assert (found.key_id, found.description) == (key, "described")
    tags = client.call("Keys.ListResourceTags", key_id=key).tags
    assert [(tag.tag_key, tag.tag_value) for tag in tags] == [("t", "v")]
    assert [a.alias_name for a in client.call("Keys.ListAliases", key_id=key).aliases] == [alias]
    found, marker = [], ""
    while True:
        page = client.call("Keys.ListKeys", limit=2, marker=marker)
        found += [entry.key_id for entry in page.keys]
        marker = page.next_marker
        assert page.truncated == bool(marker)
        if not marker:
            break
    assert key in found and found == sorted(set(found))
    client.call("Keys.DeleteAlias", alias_name=alias)
    client.call("Keys.UntagResource", key_id=key, tag_keys=["t"])
    assert not client.call("Keys.ListResourceTags", key_id=key).tags


def test_the_record_of_a_call_says_who_did_what_and_no_secret(client, key):
    made = client.call(
        "DataKeys.GenerateDataKey",
        key_id=key,
        number_of_bytes=24,
        encryption_context={"case": "seven"},
    )
    record = client.record()
    entry = json.loads(record.entry)
    assert entry["operation"] == "GenerateDataKey" and entry["outcome"] == "success"
    assert entry["key"].endswith(key) and entry["key_version"] == 1
    assert entry["context"] == {"case": "seven"}
    assert entry["parameters"] == {"key_id": key, "number_of_bytes": 24}
    assert entry["principal"] == "arn:aws:iam::000000000000:root"
    assert entry["source"] == "127.0.0.1" and entry["door"] == "grpc"
    assert made.plaintext.hex() not in record.entry.decode()


def test_accounts_and_regions_do_not_see_each_other(server):
    def of(account, region):
        metadata = [("authorization", f"Bearer {account}"), ("x-strongroom-region", region)]
        return Client(server.address, metadata)

    one, two = of("121212121212", "eu-west-1"), of("444455556666", "eu-west-1")
    arn = one.call("Keys.CreateKey").key_metadata.arn
    assert arn.startswith("arn:aws:kms:eu-west-1:121212121212:key/")
    assert [entry.key_arn for entry in one.call("Keys.ListKeys").keys] == [arn]
    assert not two.call("Keys.ListKeys").keys
    assert not of("121212121212", "us-east-1").call("Keys.ListKeys").keys
