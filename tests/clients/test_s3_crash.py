"""Writers that are many, that go away, and a service that is killed: what is there is whole, and nothing else is on
the disk."""

import functools
import hashlib
import itertools
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from s3 import KIB, MIB, MODES, REGION, asking, body, client, make_bucket, off, reading
from test_tls import Secure

CHANGED = 3 * MIB + 1
# Objects of a kind that are changed while the service is killed.
COUNT = 30


class World:
    def __init__(self, folder):
        self.data = folder / "data"
        self.start()
        self.key = client(self.server, "kms").create_key()["KeyMetadata"]["Arn"]

    def start(self):
        self.server = Secure("--data-dir", str(self.data))
        self.s3 = client(self.server)
        self.tls = client(self.server, verify=self.server.authority, config={"max_pool_connections": 20})

    def kill(self):
        self.server.process.kill()
        self.server.process.wait(15)

    def bucket(self, mode="AES256"):
        name = make_bucket(self.s3, "crash")
        if mode == "plain":
            off(self.server, name)
        return name

    def files(self):
        """Files of bytes, finished or not."""
        return {path for path in Path(self.data, "objects").rglob("*") if path.is_file()}

    def soon(self, number):
        """Waits until there are so many files."""
        end = time.monotonic() + 3
        while len(found := self.files()) != number:
            assert time.monotonic() < end, f"{len(found)} files, not {number}"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("crash"))
    yield world
    assert world.server.stop() == 0


def at_once(number, act):
    """What `act` answers to each of 0..number, all begun together."""
    gate = threading.Barrier(number)

    def one(n):
        gate.wait()
        return act(n)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def contents(number):
    """Bodies that differ in every chunk, and in length."""
    return [hashlib.shake_128(bytes([n])).digest(300 * KIB + n * 7001) for n in range(number)]


@pytest.mark.parametrize("mode", MODES)
def test_one_writer_of_a_name_wins_whole(world, mode):
    bucket, bodies = world.bucket(mode), contents(16)
    before = world.files()
    read, failed, done = [], [], threading.Event()

    def reader():
        while not done.is_set():
            try:
                got = world.tls.get_object(Bucket=bucket, Key="k", **reading(mode))
                read.append((got["ETag"], got["Body"].read()))
            except world.tls.exceptions.NoSuchKey:
                continue
            except Exception as error:
                failed.append(error)
                return

    beside = threading.Thread(target=reader)
    beside.start()
    put = at_once(16, lambda n: world.tls.put_object(
        Bucket=bucket, Key="k", Body=bodies[n], Metadata={"n": str(n)}, **asking(mode, world.key)))
    done.set()
    beside.join()
    assert not failed
    etags = {answer["ETag"]: n for n, answer in enumerate(put)}
    assert len(etags) == 16
    for etag, found in read:
        assert found == bodies[etags[etag]]
    got = world.tls.get_object(Bucket=bucket, Key="k", **reading(mode))
    winner = etags[got["ETag"]]
    assert got["Metadata"] == {"n": str(winner)} and got["Body"].read() == bodies[winner]
    assert len(world.files() - before) == 1
    world.s3.delete_object(Bucket=bucket, Key="k")
    assert world.files() == before


def test_one_of_many_is_first(world):
    """`If-None-Match: *` lets one in."""
    bucket, before = world.bucket(), world.files()

    def create(n):
        try:
            world.tls.put_object(Bucket=bucket, Key="k", Body=contents(16)[n], IfNoneMatch="*")
        except world.tls.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict")
            return None
        return n

    [winner] = [n for n in at_once(16, create) if n is not None]
    assert world.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == contents(16)[winner]
    assert len(world.files() - before) == 1


def test_every_version_of_many_writers_is_kept(world):
    bucket, bodies = world.bucket(), contents(16)
    world.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put = at_once(16, lambda n: world.tls.put_object(Bucket=bucket, Key="k", Body=bodies[n]))
    assert len({answer["VersionId"] for answer in put}) == 16
    for n, answer in enumerate(put):
        got = world.s3.get_object(Bucket=bucket, Key="k", VersionId=answer["VersionId"])
        assert got["Body"].read() == bodies[n]
    listed = world.s3.list_object_versions(Bucket=bucket)["Versions"]
    assert sum(version["IsLatest"] for version in listed) == 1 and len(listed) == 16


def test_many_delete_what_others_write(world):
    bucket, before = world.bucket(), world.files()

    def act(n):
        if n % 2:
            return world.tls.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"]
        world.tls.put_object(Bucket=bucket, Key="k", Body=contents(16)[n])
        return 204

    assert at_once(16, act) == [204] * 16
    assert at_once(16, lambda _: world.tls.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"][
        "HTTPStatusCode"]) == [204] * 16
    assert "Contents" not in world.s3.list_objects_v2(Bucket=bucket)
    world.soon(len(before))


def test_one_completion_of_an_upload_counts(world):
    bucket, before = world.bucket(), world.files()
    asked = {"Bucket": bucket, "Key": "k"}
    upload = world.s3.create_multipart_upload(**asked)["UploadId"]
    part = world.s3.upload_part(**asked, UploadId=upload, PartNumber=1, Body=body(MIB))
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}

    def act(n):
        try:
            if n % 2:
                world.tls.abort_multipart_upload(**asked, UploadId=upload)
                return "aborted"
            return world.tls.complete_multipart_upload(**asked, UploadId=upload, MultipartUpload=parts)["ETag"]
        except world.tls.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchUpload"
            return None

    done = {answer for answer in at_once(8, act) if answer}
    listed = world.s3.list_objects_v2(Bucket=bucket)["KeyCount"]
    if listed:
        assert world.s3.get_object(**asked)["Body"].read() == body(MIB)
        assert any(answer.endswith('-1"') for answer in done)
        world.s3.delete_object(**asked)
    assert "Uploads" not in world.s3.list_multipart_uploads(Bucket=bucket)
    world.soon(len(before))


def test_a_bucket_does_not_go_under_its_writers(world):
    """Who is answered that an object is written finds it, or its bucket is still there: never are both gone."""
    gone = kept = 0
    for _ in range(40):
        bucket = world.bucket()
        world.s3.put_object(Bucket=bucket, Key="first", Body=b"x")

        def act(n):
            try:
                if n < 8:
                    world.s3.put_object(Bucket=bucket, Key=f"k{n}", Body=b"x")
                elif n == 8:
                    world.s3.create_multipart_upload(Bucket=bucket, Key="k")
                else:
                    world.s3.delete_object(Bucket=bucket, Key="first")
                    world.s3.delete_bucket(Bucket=bucket)
                return True
            except world.s3.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] in ("NoSuchBucket", "BucketNotEmpty")
                return False

        *written, removed = at_once(10, act)
        assert not (removed and any(written)), "an object was answered, and is gone with its bucket"
        gone, kept = gone + removed, kept + any(written)
    print(f"{gone} buckets removed, {kept} kept")


class Broken:
    """A body that is begun and not finished, and how its connection ends."""

    def __init__(self, world, path, length=32 * MIB):
        host, port = world.server.address.split(":")
        request = AWSRequest("PUT", f"http://{host}:{port}{path}", headers={
            "Content-Length": str(length), "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
        request.context["client_config"] = None
        S3SigV4Auth(Credentials("111122223333", "any"), "s3", REGION).add_auth(request)
        self.socket = socket.create_connection((host, int(port)))
        lines = [f"PUT {path} HTTP/1.1", f"Host: {host}:{port}", *(f"{n}: {v}" for n, v in request.headers.items())]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        self.socket.sendall(body(12 * MIB))

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_body_that_breaks_off_leaves_nothing(world, ending):
    bucket, before = world.bucket(), world.files()
    world.s3.put_object(Bucket=bucket, Key="old", Body=b"old")
    with_old = world.files()
    upload = world.s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    paths = [f"/{bucket}/new", f"/{bucket}/old", f"/{bucket}/parts?partNumber=1&uploadId={upload}"]
    broken = [Broken(world, path) for path in paths]
    end = time.monotonic() + 10
    while len(world.files() - with_old) < len(paths):  # they are on their way to the disk
        assert time.monotonic() < end
        time.sleep(0.02)
    for one in broken:
        getattr(one, ending)()
    world.soon(len(with_old))
    assert [found["Key"] for found in world.s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["old"]
    assert world.s3.get_object(Bucket=bucket, Key="old")["Body"].read() == b"old"
    assert "Parts" not in world.s3.list_parts(Bucket=bucket, Key="parts", UploadId=upload)
    world.s3.abort_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload)
    world.s3.delete_object(Bucket=bucket, Key="old")
    world.soon(len(before))


def test_an_aborted_upload_gives_its_space_back(world):
    bucket, before = world.bucket(), world.files()
    upload = world.s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for number in (1, 2, 2):
        world.s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=body(MIB))
    assert len(world.files() - before) == 2  # the second part's first bytes are gone
    world.s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    world.soon(len(before))


@functools.cache
def old(n):
    return hashlib.shake_128(b"old%d" % n).digest(200 * KIB + n)


@functools.cache
def new(n):
    return hashlib.shake_128(b"new%d" % n).digest(CHANGED + n)


class Load:
    """Puts, copies and completions without end, and what was answered of them."""

    def __init__(self, world, bucket):
        self.s3, self.bucket, self.key = world.s3, bucket, world.key
        self.done, self.numbers, self.lock = set(), itertools.count(), threading.Lock()
        kinds = (self.put, self.copy, self.upload) * 3
        self.threads = [threading.Thread(target=self.go, args=(act,)) for act in kinds]

    def go(self, act):
        while True:
            with self.lock:
                n = next(self.numbers) % COUNT
            try:
                act(f"{act.__name__}-{n}", n)
                self.done.add(f"{act.__name__}-{n}")
            except Exception:  # the service is gone
                return

    def put(self, name, n):
        self.s3.put_object(Bucket=self.bucket, Key=name, Body=new(n), **asking("aws:kms", self.key))

    def copy(self, name, n):
        source = {"Bucket": self.bucket, "Key": f"source-{n}"}
        self.s3.copy_object(Bucket=self.bucket, Key=name, CopySource=source, **asking("aws:kms:dsse", self.key))

    def upload(self, name, n):
        at = {"Bucket": self.bucket, "Key": name}
        upload = self.s3.create_multipart_upload(**at, **asking("aws:kms", self.key))["UploadId"]
        part = self.s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=new(n))
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        self.s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload=parts)


@pytest.mark.parametrize("after", [0.2, 1.0])
def test_a_killed_service_left_old_or_new(tmp_path, after):
    left_by_a_kill(tmp_path, after, 1.5)  # the times of files are compared with the start's, less a second


def left_by_a_kill(tmp_path, after, pause):
    world = World(tmp_path)
    bucket = world.bucket()
    with ThreadPoolExecutor(8) as pool:
        for n in range(COUNT):
            pool.submit(world.tls.put_object, Bucket=bucket, Key=f"source-{n}", Body=new(n))
            for kind in ("put", "copy", "upload"):
                pool.submit(world.tls.put_object, Bucket=bucket, Key=f"{kind}-{n}", Body=old(n))
    assert len(world.files()) == 4 * COUNT
    load = Load(world, bucket)
    for thread in load.threads:
        thread.start()
    time.sleep(after)
    world.kill()
    for thread in load.threads:
        thread.join()
    left = len(world.files())
    time.sleep(pause)
    world.start()
    changed = 0
    for kind in ("source", "put", "copy", "upload"):
        for n in range(COUNT):
            got = world.s3.get_object(Bucket=bucket, Key=f"{kind}-{n}")["Body"].read()
            assert got in (old(n), new(n)), f"{kind}-{n} is neither"
            changed += got == new(n)
            if kind != "source" and f"{kind}-{n}" in load.done:
                assert got == new(n), f"{kind}-{n} was answered, and is not there"
    parts = 0
    for upload in world.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        at = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
        parts += len(world.s3.list_parts(**at).get("Parts", []))
    print(f"after {after} s: {left} files left, {changed - COUNT} objects new, {parts} parts")
    world.soon(4 * COUNT + parts)
    assert world.server.stop() == 0


def test_what_was_left_is_swept_after_a_restart_at_once(tmp_path):
    left_by_a_kill(tmp_path, 1.0, 0)
