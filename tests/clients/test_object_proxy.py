"""examples/object_proxy.rs: objects in a local folder, sealed on the way in and opened on the way out."""

import os
import re
import subprocess

import pytest
from conftest import BINARY

# `cargo test` builds it.
PROXY = os.environ.get("STRONGROOM_OBJECT_PROXY", "target/debug/examples/object_proxy")
PLAIN = b"one secret line\n" * 10_000
KMS = [
    "x-amz-server-side-encryption:aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id:alias/store",
]


@pytest.fixture
def world(own_server, tmp_path):
    def command(*arguments):
        asked = [BINARY, *arguments, "--endpoint", f"http://{own_server.address}"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout

    def proxy(*arguments, body=b""):
        asked = [PROXY, arguments[0], tmp_path, *arguments[1:]]
        env = {**os.environ, "STRONGROOM_ENDPOINT": f"http://{own_server.address}"}
        done = subprocess.run(asked, input=body, capture_output=True, env=env)
        return done.returncode, done.stdout, done.stderr.decode()

    return tmp_path, command, proxy


def test_what_is_put_is_sealed_in_the_folder_and_comes_back(world):
    folder, command, proxy = world
    created = command("key", "create", "--alias", "alias/store")
    key_id = re.search(r"key/(\S+)", created)[1]
    code, _, said = proxy("put", "bucket/plan.txt", *KMS, body=PLAIN)
    assert code == 0, said
    assert "x-amz-server-side-encryption: aws:kms\n" in said
    assert {path.suffix for path in folder.iterdir()} == {".body", ".info", ".envelope"}
    assert all(b"secret" not in path.read_bytes() for path in folder.iterdir())
    assert proxy("get", "bucket/plan.txt")[:2] == (0, PLAIN)
    assert proxy("get", "bucket/plan.txt", "Range:bytes=70000-70099")[:2] == (0, PLAIN[70_000:70_100])
    found = command("audit", "query", "--context", "aws:s3:arn=arn:aws:s3:::bucket/plan.txt", "--output", "jsonl")
    assert len(found.splitlines()) == 3

    # Another object's name does not open it, nor does it open altered, nor under a disabled key.
    for path in list(folder.iterdir()):
        (folder / (b"bucket/other".hex() + path.suffix)).write_bytes(path.read_bytes())
    code, out, _ = proxy("get", "bucket/other")
    assert (code, out) == (1, b"")
    body = next(path for path in folder.iterdir() if path.name == b"bucket/plan.txt".hex() + ".body")
    whole = body.read_bytes()
    body.write_bytes(whole[:20] + bytes([whole[20] ^ 1]) + whole[21:])
    assert proxy("get", "bucket/plan.txt")[:2] == (1, b"")
    body.write_bytes(whole)
    command("key", "disable", key_id)
    code, out, said = proxy("get", "bucket/plan.txt")
    assert (code, out) == (1, b"")
    assert "400 KMS.DisabledException" in said


def test_headers_that_contradict_each_other_are_refused_and_nothing_is_kept(world):
    folder, _, proxy = world
    code, _, said = proxy("put", "bucket/plan.txt", "x-amz-server-side-encryption:AES256", KMS[1], body=PLAIN)
    assert code == 1
    assert said.startswith("400 InvalidArgument"), said
    assert list(folder.iterdir()) == []
