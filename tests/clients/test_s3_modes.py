"""Every mode of encryption, over HTTP and HTTPS: what is answered, what is stored, what is recorded."""

import base64
import hashlib
import json
import time

import pytest
from botocore.exceptions import ClientError
from client import Client
from s3 import (
    KIB,
    MIB,
    MODES,
    asking,
    body,
    client,
    customer,
    make_bucket,
    off,
    reading,
    refused,
    stored,
)
from test_tls import Secure

LENGTHS = [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 5 * MIB]


class World:
    def __init__(self, folder):
        self.data = folder / "data"
        self.server = Secure("--data-dir", str(self.data))
        self.plain = client(self.server)
        self.tls = client(self.server, verify=self.server.authority)
        self.kms = client(self.server, "kms")
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]

    def bucket(self, mode="AES256", **more):
        name = make_bucket(self.plain, **more)
        if mode == "plain":
            off(self.server, name)
        return name

    def records(self, **conditions):
        log = Client(self.server.address)
        answer = log.call("Audit.Query", limit=1000, **conditions)
        return [json.loads(record.entry) for record in answer.records]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("s3"))
    yield world
    assert world.server.stop() == 0


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("mode", MODES)
def test_what_is_put_is_got(world, mode, length):
    bucket, content = world.bucket(mode), body(length)
    put = world.tls.put_object(Bucket=bucket, Key="k", Body=content, **asking(mode, world.key))
    got = world.tls.get_object(Bucket=bucket, Key="k", **reading(mode))
    assert got["Body"].read() == content and got["ETag"] == put["ETag"]
    for answer in (put, got, world.tls.head_object(Bucket=bucket, Key="k", **reading(mode))):
        shown(answer, mode, world.key)
    is_md5 = put["ETag"].strip('"') == hashlib.md5(content).hexdigest()
    assert is_md5 == (mode in ("plain", "AES256"))
    if length > 70_000:
        part = world.tls.get_object(Bucket=bucket, Key="k", Range="bytes=65530-65599", **reading(mode))
        assert part["Body"].read() == content[65530:65600]


def shown(answer, mode, key):
    """An answer has the headers of its mode, and no others."""
    assert answer.get("ServerSideEncryption") == {
        "plain": None, "SSE-C": None, "bucket-key": "aws:kms"}.get(mode, mode)
    assert answer.get("SSEKMSKeyId") == (key if "kms" in mode or mode == "bucket-key" else None)
    assert answer.get("BucketKeyEnabled") == (True if mode == "bucket-key" else None)
    assert answer.get("SSECustomerAlgorithm") == ("AES256" if mode == "SSE-C" else None)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_stored_is_ciphertext_unless_that_is_asked_for(world, mode):
    bucket = world.bucket(mode)
    content = b"a sentence that is looked for on the disk; " * 3000
    world.tls.put_object(Bucket=bucket, Key="k", Body=content, **asking(mode, world.key))
    found, _ = stored(world.data)
    assert (b"that is looked for" in found) == (mode == "plain")
    world.tls.delete_object(Bucket=bucket, Key="k")
    found, _ = stored(world.data)
    assert b"that is looked for" not in found


@pytest.mark.parametrize("mode", ["aws:kms", "bucket-key", "aws:kms:dsse"])
def test_a_disabled_key_stops_reads_and_writes(world, mode):
    key = world.kms.create_key()["KeyMetadata"]["Arn"]
    bucket = world.bucket()
    s3 = client(world.server, access_key="111122223333")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **asking(mode, key))
    world.kms.disable_key(KeyId=key)
    if mode != "bucket-key":  # reads go on by the kept key, for its age
        assert refused(s3.get_object, Bucket=bucket, Key="k") == (
            "KMS.DisabledException", 400, f"{key} is disabled.")
        assert refused(s3.put_object, Bucket=bucket, Key="l", Body=b"x", **asking(mode, key)) == (
            "KMS.DisabledException", 400, f"{key} is disabled.")
    world.kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    world.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    if mode != "bucket-key":
        assert refused(s3.get_object, Bucket=bucket, Key="k") == (
            "KMS.KMSInvalidStateException", 400, f"{key} is pending deletion.")


def test_no_key_named_is_the_managed_one(world):
    bucket = world.bucket()
    put = world.plain.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms")
    metadata = world.kms.describe_key(KeyId=put["SSEKMSKeyId"])["KeyMetadata"]
    assert metadata["KeyManager"] == "AWS" and metadata["Arn"] == put["SSEKMSKeyId"]
    assert world.plain.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_each_use_of_a_key_is_recorded_as_the_callers(world):
    key = world.kms.create_key()["KeyMetadata"]["Arn"]
    bucket = world.bucket()
    context = base64.b64encode(b'{"team":"blue"}').decode()
    world.plain.put_object(
        Bucket=bucket, Key="a b", Body=b"x", SSEKMSEncryptionContext=context, **asking("aws:kms", key))
    world.plain.get_object(Bucket=bucket, Key="a b")
    kms = [event for event in world.records(key_id=key) if event["action"].startswith("kms:")]
    uses = [event for event in kms if "context" in event]
    assert {event["action"] for event in uses} == {"kms:GenerateDataKey", "kms:Decrypt"}
    for event in uses:
        assert event["context"] == {"aws:s3:arn": f"arn:aws:s3:::{bucket}/a b", "team": "blue"}
        assert event["principal"] == "arn:aws:iam::111122223333:root"
    of_object = world.records(resource=f"arn:aws:s3:::{bucket}/a b")
    assert [event["action"] for event in of_object] == ["s3:GetObject", "s3:PutObject"]
    assert len(world.records(resource=f"arn:aws:s3:::{bucket}")) >= 3


def test_bucket_keys_save_calls(world):
    key = world.kms.create_key()["KeyMetadata"]["Arn"]
    bucket = world.bucket()
    for n in range(40):
        world.plain.put_object(Bucket=bucket, Key=str(n), Body=b"x", **asking("bucket-key", key))
    for n in range(40):
        world.plain.get_object(Bucket=bucket, Key=str(n))
    uses = [event for event in world.records(key_id=key) if event.get("context")]
    assert 1 <= len(uses) <= 12
    assert all(event["context"] == {"aws:s3:arn": f"arn:aws:s3:::{bucket}"} for event in uses)


@pytest.mark.parametrize("target", MODES)
@pytest.mark.parametrize("source", MODES)
def test_copies_go_from_any_mode_to_any(world, source, target):
    bucket, content = world.bucket("plain"), body(70_000)
    world.tls.put_object(Bucket=bucket, Key="a", Body=content, **asking(source, world.key))
    of_source = {
        "CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": b"k" * 32,
    } if source == "SSE-C" else {}
    for to in ("b", "a"):
        if to == "a" and target == "plain":
            continue  # nothing would be changed
        world.tls.copy_object(
            Bucket=bucket, Key=to, CopySource={"Bucket": bucket, "Key": "a"}, **of_source,
            **asking(target, world.key))
        got = world.tls.get_object(Bucket=bucket, Key=to, **reading(target))
        assert got["Body"].read() == content
        shown(got, target, world.key)


@pytest.mark.parametrize("mode", MODES)
def test_uploads_in_parts(world, mode):
    bucket, content = world.bucket(mode), body(11 * MIB)
    asked = asking(mode, world.key)
    begun = world.tls.create_multipart_upload(Bucket=bucket, Key="k", **asked)
    shown(begun, mode, world.key)
    parts = []
    for number in (2, 1, 3):  # in any order
        piece = content[(number - 1) * 5 * MIB : number * 5 * MIB]
        part = world.tls.upload_part(
            Bucket=bucket, Key="k", UploadId=begun["UploadId"], PartNumber=number, Body=piece, **reading(mode))
        shown(part, mode, world.key)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    listed = world.tls.list_parts(Bucket=bucket, Key="k", UploadId=begun["UploadId"])["Parts"]
    assert [part["Size"] for part in listed] == [5 * MIB, 5 * MIB, MIB]
    done = world.tls.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=begun["UploadId"],
        MultipartUpload={"Parts": sorted(parts, key=lambda part: part["PartNumber"])}, **reading(mode))
    assert done["ETag"].endswith('-3"')
    got = world.tls.get_object(Bucket=bucket, Key="k", **reading(mode))
    assert got["Body"].read() == content
    shown(got, mode, world.key)
    across = world.tls.get_object(
        Bucket=bucket, Key="k", Range=f"bytes={5 * MIB - 3}-{5 * MIB + 2}", **reading(mode))
    assert across["Body"].read() == content[5 * MIB - 3 : 5 * MIB + 3]
    third = world.tls.get_object(Bucket=bucket, Key="k", PartNumber=3, **reading(mode))
    assert third["Body"].read() == content[10 * MIB :] and third["PartsCount"] == 3


def test_an_object_is_read_to_its_end_whoever_removes_it(world):
    bucket, content = world.bucket(), body(16 * MIB)
    begun = world.plain.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    parts = []
    for number in (1, 2):
        piece = content[(number - 1) * 8 * MIB : number * 8 * MIB]
        part = world.plain.upload_part(
            Bucket=bucket, Key="k", UploadId=begun, PartNumber=number, Body=piece)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    world.plain.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=begun, MultipartUpload={"Parts": parts})
    before = len(stored(world.data)[1])
    reading = world.plain.get_object(Bucket=bucket, Key="k")["Body"]
    beginning = reading.read(1000)
    world.plain.delete_object(Bucket=bucket, Key="k")
    assert beginning + reading.read() == content
    deadline = time.monotonic() + 10
    while len(stored(world.data)[1]) != before - 2:
        assert time.monotonic() < deadline, "its bytes are still there"
        time.sleep(0.05)
def test_parts_are_copied_under_conditions(world):
    """`x-amz-copy-source-if-*` of `UploadPartCopy`, which boto3's `copy` sends."""
    bucket = world.bucket()
    etag = world.plain.put_object(Bucket=bucket, Key="a", Body=body(6 * MIB))["ETag"]
    upload = world.plain.create_multipart_upload(Bucket=bucket, Key="b")["UploadId"]
    part = {"Bucket": bucket, "Key": "b", "UploadId": upload, "PartNumber": 1,
            "CopySource": {"Bucket": bucket, "Key": "a"}}
    failed = ("PreconditionFailed", 412)
    assert refused(world.plain.upload_part_copy, **part, CopySourceIfMatch='"other"')[:2] == failed
    assert refused(world.plain.upload_part_copy, **part, CopySourceIfNoneMatch=etag)[:2] == failed
    copied = world.plain.upload_part_copy(**part, CopySourceIfMatch=etag)["CopyPartResult"]
    world.plain.complete_multipart_upload(
        Bucket=bucket, Key="b", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": copied["ETag"]}]})
    assert world.plain.get_object(Bucket=bucket, Key="b")["Body"].read() == body(6 * MIB)


def test_an_upload_with_a_customers_key_is_completed_without_it(world):
    """AWS asks for the key there only if a checksum algorithm was named (API reference, CompleteMultipartUpload)."""
    bucket = world.bucket()
    s3 = client(world.server, verify=world.server.authority,
                config={"request_checksum_calculation": "when_required"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", **customer())["UploadId"]
    part = s3.upload_part(
        Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=body(MIB), **customer())
    s3.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert s3.get_object(Bucket=bucket, Key="k", **customer())["Body"].read() == body(MIB)


def test_encryption_is_updated_without_touching_bytes(world):
    bucket = world.bucket()
    put = world.plain.put_object(Bucket=bucket, Key="k", Body=body(100_000))
    _, before = stored(world.data)
    modified = world.plain.head_object(Bucket=bucket, Key="k")["LastModified"]
    update(world, bucket, "k", world.key)
    got = world.plain.get_object(Bucket=bucket, Key="k")
    assert (got["ServerSideEncryption"], got["SSEKMSKeyId"]) == ("aws:kms", world.key)
    assert (got["ETag"], got["LastModified"]) == (put["ETag"], modified)
    assert got["Body"].read() == body(100_000)
    assert stored(world.data)[1] == before


def update(world, bucket, key, arn):
    target = {"SSEKMS": {"KMSKeyArn": arn, "BucketKeyEnabled": False}}
    world.plain.update_object_encryption(Bucket=bucket, Key=key, ObjectEncryption=target)


def test_what_was_there_is_there_after_a_restart(tmp_path):
    world = World(tmp_path)
    for mode in MODES:
        bucket = world.bucket(mode, prefix="restart")
        world.tls.put_object(Bucket=bucket, Key=mode, Body=body(70_000), **asking(mode, world.key))
    world.server.stop()
    world.server = Secure("--data-dir", str(world.data))
    tls = client(world.server, verify=world.server.authority)
    found = 0
    for bucket in tls.list_buckets()["Buckets"]:
        for listed in tls.list_objects_v2(Bucket=bucket["Name"])["Contents"]:
            mode = listed["Key"]
            got = tls.get_object(Bucket=bucket["Name"], Key=mode, **reading(mode))
            assert got["Body"].read() == body(70_000)
            found += 1
    assert found == len(MODES)
    assert world.server.stop() == 0


def test_stored_bytes_that_were_altered_do_not_open(world):
    bucket = world.bucket()
    _, before = stored(world.data)
    world.plain.put_object(Bucket=bucket, Key="k", Body=body(200_000))
    [path] = set(stored(world.data)[1]) - set(before)
    altered = bytearray(path.read_bytes())
    altered[150_000] ^= 1
    path.write_bytes(altered)
    with pytest.raises(Exception) as broken:
        world.plain.get_object(Bucket=bucket, Key="k")["Body"].read()
    assert not isinstance(broken.value, AssertionError)
    first = world.plain.get_object(Bucket=bucket, Key="k", Range="bytes=0-99")
    assert first["Body"].read() == body(200_000)[:100]
    assert isinstance(broken.value, ClientError) or "IncompleteRead" in repr(broken.value) or "Connection" in repr(broken.value)
