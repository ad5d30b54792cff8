"""The AWS command line on buckets and objects: `aws s3` with whole folders, `aws s3api` in every mode."""

import json
import os
import socket
import ssl
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from s3 import KIB, MIB, REGION, body, client, make_bucket, stored
from test_awscli import AWS
from test_tls import Secure

ACCOUNT = "111122223333"
LENGTHS = {"empty": 0, "one": 1, "below": 64 * KIB - 1, "even": 64 * KIB, "above": 64 * KIB + 1, "sub/parts": 20 * MIB}


class World:
    def __init__(self, folder):
        self.folder, self.data = folder, folder / "data"
        self.server = Secure("--data-dir", str(self.data))
        self.s3 = client(self.server)
        self.key = client(self.server, "kms").create_key()["KeyMetadata"]["Arn"]
        (folder / "customer").write_bytes(b"k" * 32)
        (folder / "other").write_bytes(b"o" * 32)

    def run(self, *words, secure=False, config=os.devnull, text=True, **more):
        settings = {
            "AWS_ENDPOINT_URL": f"{'https' if secure else 'http'}://{self.server.address}",
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
        }
        trust = ["--ca-bundle", self.server.authority] if secure else []
        return subprocess.run(
            [sys.executable, AWS, *words, *trust],
            env={**os.environ, **settings}, capture_output=True, text=text, cwd=self.folder, timeout=120, **more,
        )  # fmt: skip

    def s3_command(self, *words, **more):
        done = self.run("s3", *words, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def api(self, *words, refused=None, **more):
        done = self.run("s3api", *words, "--output", "json", **more)
        if refused:
            assert done.returncode != 0 and f"({refused})" in done.stderr, done.stderr
            return done.stderr
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")

    def tree(self, name):
        """Files of a folder by their paths in it."""
        top = self.folder / name
        return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("awscli"))
    for name, length in LENGTHS.items():
        path = world.folder / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body(length))
    yield world
    assert world.server.stop() == 0


@pytest.fixture
def bucket(world):
    return make_bucket(world.s3, "cli")


def test_folders_go_up_and_down(world, bucket):
    world.s3_command("cp", "source", f"s3://{bucket}/tree", "--recursive", "--only-show-errors")
    listed = world.s3_command("ls", f"s3://{bucket}/tree/", "--recursive", "--summarize")
    for name, length in LENGTHS.items():
        assert any(line.split()[2:] == [str(length), f"tree/{name}"] for line in listed.splitlines())
    assert f"Total Objects: {len(LENGTHS)}" in listed and f"Total Size: {sum(LENGTHS.values())}" in listed
    assert "PRE sub/" in world.s3_command("ls", f"s3://{bucket}/tree/")
    head = world.s3.head_object(Bucket=bucket, Key="tree/sub/parts")
    assert head["ETag"].endswith('-3"') and head["ServerSideEncryption"] == "AES256"
    world.s3_command("cp", f"s3://{bucket}/tree", "back", "--recursive", "--only-show-errors")
    assert world.tree("back") == world.tree("source")


def test_sync_sends_what_differs_and_deletes_what_went(world, bucket):
    folder = world.folder / "synced"
    folder.mkdir()
    for name in ["a", "b", "ü & <c> +d"]:
        (folder / name).write_bytes(body(len(name)))
    first = world.s3_command("sync", "synced", f"s3://{bucket}")
    assert first.count("upload:") == 3
    assert world.s3_command("sync", "synced", f"s3://{bucket}") == ""
    (folder / "a").write_bytes(b"longer than before")
    (folder / "b").unlink()
    second = world.s3_command("sync", "synced", f"s3://{bucket}", "--delete")
    assert (second.count("upload:"), second.count("delete:")) == (1, 1)
    world.s3_command("sync", f"s3://{bucket}", "synced-back")
    assert world.tree("synced-back") == world.tree("synced")


def test_moves_copies_and_removals(world, bucket):
    there = f"s3://{bucket}"
    world.s3_command("cp", "source/above", f"{there}/a", "--sse", "aws:kms", "--sse-kms-key-id", world.key)
    assert world.s3.head_object(Bucket=bucket, Key="a")["SSEKMSKeyId"] == world.key
    world.s3_command("cp", f"{there}/a", f"{there}/b")
    assert world.s3.head_object(Bucket=bucket, Key="b")["ServerSideEncryption"] == "AES256"
    world.s3_command("mv", f"{there}/b", f"{there}/c/b")
    world.s3_command("mv", f"{there}/c/b", "moved")
    assert (world.folder / "moved").read_bytes() == body(64 * KIB + 1)
    assert [found["Key"] for found in world.s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a"]
    world.s3_command("rm", there, "--recursive")
    world.s3_command("rb", there)
    refused = world.run("s3", "ls", there)
    assert refused.returncode != 0 and "NoSuchBucket" in refused.stderr
    world.s3_command("mb", there)
    assert bucket in world.s3_command("ls")


def test_a_pipe_goes_up_and_down(world, bucket):
    up = world.run("s3", "cp", "-", f"s3://{bucket}/p", text=False, input=body(9 * MIB))
    assert up.returncode == 0, up.stderr
    down = world.run("s3", "cp", f"s3://{bucket}/p", "-", text=False)
    assert down.stdout == body(9 * MIB)
    assert world.s3.head_object(Bucket=bucket, Key="p")["ETag"].endswith('-2"')


MODES = [
    ("AES256", ["--server-side-encryption", "AES256"]),
    ("aws:kms", ["--server-side-encryption", "aws:kms", "--ssekms-key-id", "KEY"]),
    ("bucket-key", ["--server-side-encryption", "aws:kms", "--ssekms-key-id", "KEY", "--bucket-key-enabled"]),
    ("aws:kms:dsse", ["--server-side-encryption", "aws:kms:dsse", "--ssekms-key-id", "KEY"]),
]


@pytest.mark.parametrize(("mode", "words"), MODES)
def test_objects_in_each_mode(world, bucket, mode, words):
    at = ["--bucket", bucket, "--key", "k"]
    words = [world.key if word == "KEY" else word for word in words]
    put = world.api("put-object", *at, "--body", "source/above", *words)
    got = world.api("get-object", *at, f"got-{bucket}", secure=True)
    assert (world.folder / f"got-{bucket}").read_bytes() == body(64 * KIB + 1)
    for answer in (put, got):
        assert answer["ServerSideEncryption"] == ("aws:kms" if mode == "bucket-key" else mode)
        assert answer.get("SSEKMSKeyId") == (world.key if mode != "AES256" else None)
        assert answer.get("BucketKeyEnabled", False) == (mode == "bucket-key")
        assert answer["ETag"] == put["ETag"]


def test_a_customers_key_over_tls(world, bucket):
    # The CLI encodes what it is given: it has to be the 32 bytes.
    key = ["--sse-customer-algorithm", "AES256", "--sse-customer-key", "k" * 32]
    at = ["--bucket", bucket, "--key", "k"]
    put = world.api("put-object", *at, "--body", "source/even", *key, secure=True)
    assert put["SSECustomerAlgorithm"] == "AES256" and "ServerSideEncryption" not in put
    world.api("get-object", *at, "customers", *key, secure=True)
    assert (world.folder / "customers").read_bytes() == body(64 * KIB)
    world.api("get-object", *at, "none", secure=True, refused="InvalidRequest")
    wrong = key[:3] + ["o" * 32]
    world.api("get-object", *at, "none", *wrong, secure=True, refused="AccessDenied")
    assert not (world.folder / "none").exists()


def test_a_customers_key_with_parts(world, bucket):
    key = ["--sse-c", "AES256", "--sse-c-key", "fileb://customer"]
    there = f"s3://{bucket}/k"
    world.s3_command("cp", "source/sub/parts", there, *key, secure=True)
    world.s3_command("cp", there, "customer-back", *key, secure=True)
    assert (world.folder / "customer-back").read_bytes() == body(20 * MIB)
    other = world.run("s3", "cp", there, "none", "--sse-c", "AES256", "--sse-c-key", "fileb://other", secure=True)
    assert other.returncode != 0 and "403" in other.stderr, other.stderr


def test_a_buckets_default(world, bucket):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": world.key},
            "BucketKeyEnabled": True}
    configuration = ["--server-side-encryption-configuration", json.dumps({"Rules": [rule]})]
    world.api("put-bucket-encryption", "--bucket", bucket, *configuration)
    [read] = world.api("get-bucket-encryption", "--bucket", bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert {name: read[name] for name in rule} == rule
    put = world.api("put-object", "--bucket", bucket, "--key", "k", "--body", "source/one")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"], put["BucketKeyEnabled"]) == ("aws:kms", world.key, True)
    world.api("delete-bucket-encryption", "--bucket", bucket)
    put = world.api("put-object", "--bucket", bucket, "--key", "k", "--body", "source/one")
    assert put["ServerSideEncryption"] == "AES256"


def test_presigned_urls_need_nothing_else(world, bucket):
    world.s3.put_object(Bucket=bucket, Key="a b", Body=body(1000))
    config = world.folder / "config"
    config.write_text("[default]\ns3 =\n  signature_version = s3v4\n")
    url = world.s3_command("presign", f"s3://{bucket}/a b", secure=True, config=config).strip()
    trust = ssl.create_default_context(cafile=world.server.authority)
    assert urlopen(url, context=trust).read() == body(1000)
    # Without it this CLI signs as S3 did before 2014, which AWS refuses in newer regions with these words.
    old = world.s3_command("presign", f"s3://{bucket}/a b").strip()
    assert "AWSAccessKeyId=" in old
    with pytest.raises(HTTPError) as refused:
        urlopen(old)
    said = refused.value.read().decode()
    assert refused.value.code == 400 and "<Code>InvalidRequest</Code>" in said
    assert "Please use AWS4-HMAC-SHA256." in said


def test_an_empty_file(world, bucket):
    (world.folder / "nothing").write_bytes(b"")
    world.s3_command("cp", "nothing", f"s3://{bucket}/nothing")
    world.s3_command("cp", f"s3://{bucket}/nothing", "nothing-back")
    assert (world.folder / "nothing-back").read_bytes() == b""


def test_none_of_it_is_on_the_disk_in_clear(world, bucket):
    (world.folder / "secret").write_bytes(b"a sentence that is looked for; " * 1000)
    world.s3_command("cp", "secret", f"s3://{bucket}/secret")
    found, files = stored(world.data)
    assert files and b"sentence that is looked" not in found


def test_copies_in_parts(world, bucket):
    """The CLI names the source's ETag in each part, so that no object is made of two."""
    there = f"s3://{bucket}"
    world.s3_command("cp", "source/sub/parts", f"{there}/a", "--sse", "aws:kms", "--sse-kms-key-id", world.key)
    world.s3_command("cp", f"{there}/a", f"{there}/b")
    got = world.s3.get_object(Bucket=bucket, Key="b")
    assert got["ServerSideEncryption"] == "AES256" and got["Body"].read() == body(20 * MIB)


def test_copies_of_a_customers_key_in_parts(world, bucket):
    there, key = f"s3://{bucket}", ["--sse-c", "AES256", "--sse-c-key", "fileb://customer"]
    world.s3_command("cp", "source/sub/parts", f"{there}/a", *key, secure=True)
    of_source = ["--sse-c-copy-source", "AES256", "--sse-c-copy-source-key", "fileb://customer"]
    world.s3_command("cp", f"{there}/a", f"{there}/b", *of_source, "--sse", "aws:kms", secure=True)
    got = world.s3.get_object(Bucket=bucket, Key="b")
    assert got["ServerSideEncryption"] == "aws:kms" and got["Body"].read() == body(20 * MIB)


def test_an_empty_body_is_asked_for_when_its_sender_expects_that(world, bucket):
    """The CLI sends `Expect` with empty files, too. Where an answer comes without `100 Continue`, it loses the
    next answer on that connection: so the one is said, or the connection closed."""
    host, port = world.server.address.split(":")
    request = AWSRequest("PUT", f"http://{host}:{port}/{bucket}/empty", data=b"", headers={"Content-Length": "0"})
    S3SigV4Auth(Credentials(ACCOUNT, "any"), "s3", REGION).add_auth(request)
    lines = [f"PUT /{bucket}/empty HTTP/1.1", f"Host: {host}:{port}", "Expect: 100-continue"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        answer = b""
        while b"x-amz-request-id" not in answer:
            piece = connection.recv(65536)
            assert piece, answer
            answer += piece
    assert answer.startswith(b"HTTP/1.1 100 ") or b"connection: close" in answer.lower(), answer
