"""A gibibyte with SSE-KMS, as parts and as one body that is sent once: the bytes come back, and the service's memory
does not grow with them."""

import hashlib
import io
import re
import time
from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig
from s3 import MIB, asking, client, make_bucket
from test_tls import Secure

LENGTH = 1024 * MIB
GROWTH = 64 * MIB


class Made(io.RawIOBase):
    """Bytes that are made while they are read, once, and no two mebibytes of them are the same."""

    BLOCK = hashlib.shake_128(b"block").digest(MIB - 8)

    def __init__(self, length):
        self.length, self.made, self.held = length, 0, b""
        self.digest = hashlib.sha256()

    def readable(self):
        return True

    def read(self, size=-1):
        size = self.length if size is None or size < 0 else size
        pieces, wanted = [self.held], size - len(self.held)
        while wanted > 0 and self.made < self.length:
            piece = (self.made // MIB).to_bytes(8, "big") + self.BLOCK
            pieces.append(piece)
            self.made, wanted = self.made + MIB, wanted - MIB
        whole = b"".join(pieces)
        given, self.held = whole[:size], whole[size:]
        self.digest.update(given)
        return given


class Memory:
    """How much more memory a process had at the most since this was made, in bytes."""

    def __init__(self, server):
        self.folder = Path(f"/proc/{server.process.pid}")
        (self.folder / "clear_refs").write_text("5")  # the highest mark starts anew
        self.before = self.read("VmRSS")

    def read(self, name):
        return int(re.search(rf"{name}:\s+(\d+) kB", (self.folder / "status").read_text())[1]) * 1024

    def grown(self):
        return self.read("VmHWM") - self.before


class World:
    def __init__(self, folder):
        self.server = Secure("--data-dir", str(folder / "data"))
        self.plain = client(self.server, config={"read_timeout": 120})
        self.tls = client(self.server, verify=self.server.authority, config={"read_timeout": 120})
        self.key = client(self.server, "kms").create_key()["KeyMetadata"]["Arn"]
        self.bucket = make_bucket(self.plain, "large")
        self.asked = asking("aws:kms", self.key)
        for s3 in (self.plain, self.tls):  # what a first request needs is there before it is measured
            s3.put_object(Bucket=self.bucket, Key="first", Body=b"x" * 9 * MIB, **self.asked)
            s3.get_object(Bucket=self.bucket, Key="first")["Body"].read()

    def measured(self, record, name, act):
        memory, begun = Memory(self.server), time.monotonic()
        answer = act()
        grown = memory.grown()
        print(f"{name}: {time.monotonic() - begun:.1f} s, {grown / MIB:.1f} MiB")
        record(name, f"{grown / MIB:.1f} MiB")
        assert grown < GROWTH, f"{name}: {grown / MIB:.1f} MiB"
        return answer

    def hash_of(self, name, s3, **more):
        got, digest = s3.get_object(Bucket=self.bucket, Key=name, **more), hashlib.sha256()
        assert got["ServerSideEncryption"] == "aws:kms" and got["SSEKMSKeyId"] == self.key
        assert got["ContentLength"] == LENGTH
        for piece in got["Body"].iter_chunks(MIB):
            digest.update(piece)
        return digest.digest()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    assert world.server.stop() == 0


def test_in_parts_from_a_generator(world, record_property):
    made = Made(LENGTH)
    config = TransferConfig(multipart_chunksize=16 * MIB, max_concurrency=4)

    def up():
        world.plain.upload_fileobj(made, world.bucket, "k", ExtraArgs=world.asked, Config=config)

    world.measured(record_property, "up in parts", up)
    assert world.plain.head_object(Bucket=world.bucket, Key="k")["ETag"].endswith('-64"')
    found = world.measured(record_property, "down", lambda: world.hash_of("k", world.plain))
    assert found == made.digest.digest()
    middle = world.plain.get_object(Bucket=world.bucket, Key="k", Range=f"bytes={512 * MIB}-{512 * MIB + 15}")
    assert middle["Body"].read() == (512).to_bytes(8, "big") + Made.BLOCK[:8]


def test_as_one_body_that_cannot_be_read_twice(world, record_property):
    made = Made(LENGTH)

    def up():
        world.tls.put_object(Bucket=world.bucket, Key="k", Body=made, ContentLength=LENGTH, **world.asked)

    world.measured(record_property, "up at once", up)
    found = world.measured(record_property, "down", lambda: world.hash_of("k", world.tls))
    assert found == made.digest.digest()
