"""s3cmd and rclone: programs that talk to S3 without AWS's SDK for Python, by path style."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from s3 import KIB, MIB, REGION, asking, body, client, customer, make_bucket
from test_tls import Secure

S3CMD = Path(sys.executable).parent / "s3cmd"
RCLONE = shutil.which(os.environ.get("STRONGROOM_RCLONE", "rclone"))
LENGTHS = {"empty": 0, "one": 1, "below": 64 * KIB - 1, "even": 64 * KIB, "above": 64 * KIB + 1, "sub/parts": 20 * MIB}
needs_rclone = pytest.mark.skipif(not RCLONE, reason="neither STRONGROOM_RCLONE nor rclone is there")


class World:
    def __init__(self, folder):
        self.folder = folder
        self.server = Secure("--data-dir", str(folder / "data"))
        self.s3 = client(self.server)
        self.tls = client(self.server, verify=self.server.authority)
        self.key = client(self.server, "kms").create_key()["KeyMetadata"]["Arn"]
        self.host = self.server.address.replace("127.0.0.1", "localhost")
        for name, length in LENGTHS.items():
            path = folder / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body(length))
        (folder / "s3cfg").write_text(
            f"[default]\naccess_key = 111122223333\nsecret_key = any\nhost_base = {self.host}\n"
            f"host_bucket = {self.host}\nbucket_location = {REGION}\nca_certs_file = {self.server.authority}\n"
            "max_retries = 1\nprogress_meter = False\n"
        )

    def run(self, command, env=()):
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        done = subprocess.run(
            command, cwd=self.folder, env={**own, **dict(env)}, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def s3cmd(self, *words, secure=False):
        way = "--ssl" if secure else "--no-ssl"
        return self.run([sys.executable, S3CMD, "-c", "s3cfg", way, *words])

    def rclone(self, *words, secure=False, **settings):
        settings = {
            "type": "s3",
            "provider": "Minio",
            "access_key_id": "111122223333",
            "secret_access_key": "any",
            "region": REGION,
            "location_constraint": REGION,
            "endpoint": f"{'https' if secure else 'http'}://{self.host}",
            "force_path_style": "true",
            "upload_cutoff": "5Mi",
            "chunk_size": "5Mi",
            "copy_cutoff": "5Mi",
            **settings,
        }
        env = {f"RCLONE_CONFIG_HERE_{name.upper()}": value for name, value in settings.items()}
        trust = ["--ca-cert", self.server.authority] if secure else []
        how = ["--config", os.devnull, "--retries", "1", "--low-level-retries", "1"]
        return self.run([RCLONE, *words, *trust, *how], env)

    def tree(self, name):
        """Files of a folder by their paths in it."""
        top = self.folder / name
        return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}

    def names(self, bucket):
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("tools"))
    yield world
    assert world.server.stop() == 0


@pytest.fixture
def bucket(world):
    return make_bucket(world.s3, "tools")


@pytest.mark.parametrize("secure", [False, True])
def test_s3cmd_up_and_down(world, secure):
    there = f"s3://s3cmd-{os.getpid()}-{secure}".lower()
    world.s3cmd("mb", there, secure=secure)
    world.s3cmd("sync", "source/", f"{there}/", "--multipart-chunk-size-mb=5", secure=secure)
    listed = world.s3cmd("ls", "--recursive", there, secure=secure)
    for name, length in LENGTHS.items():
        assert any(line.split()[2:] == [str(length), f"{there}/{name}"] for line in listed.splitlines())
    assert "DIR" in world.s3cmd("ls", f"{there}/", secure=secure)
    back = f"s3cmd-back-{secure}"
    (world.folder / back).mkdir()
    world.s3cmd("sync", f"{there}/", f"{back}/", secure=secure)
    assert world.tree(back) == world.tree("source")
    # What came in parts has an ETag that is no MD5: s3cmd keeps the MD5 in its own metadata.
    assert "upload:" not in world.s3cmd("sync", "source/", f"{there}/", secure=secure)
    # Without `--acl-private` it copies the source's access control list, which no bucket has had since 2023.
    world.s3cmd("mv", "--acl-private", f"{there}/one", f"{there}/two ü", secure=secure)
    world.s3cmd("cp", "--acl-private", f"{there}/two ü", f"{there}/three", secure=secure)
    world.s3cmd("get", f"{there}/three", f"three-{secure}", secure=secure)
    assert (world.folder / f"three-{secure}").read_bytes() == body(1)
    world.s3cmd("del", "--recursive", "--force", there, secure=secure)
    world.s3cmd("rb", there, secure=secure)


@pytest.mark.parametrize("name", ["above", "sub/parts"])
def test_s3cmd_with_encryption(world, bucket, name):
    there = f"s3://{bucket}/k"
    parts = "--multipart-chunk-size-mb=5"
    world.s3cmd("put", f"source/{name}", there, "--server-side-encryption", parts)
    assert world.s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"
    world.s3cmd("put", f"source/{name}", there, f"--server-side-encryption-kms-id={world.key}", parts)
    head = world.s3.head_object(Bucket=bucket, Key="k")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", world.key)
    world.s3cmd("get", "--force", there, "encrypted-back")
    assert (world.folder / "encrypted-back").read_bytes() == body(LENGTHS[name])
    info = world.s3cmd("info", there)
    assert f"File size: {LENGTHS[name]}" in info and "SSE:" in info


@needs_rclone
@pytest.mark.parametrize("secure", [False, True])
def test_rclone_up_and_down(world, secure):
    bucket = f"rclone-{os.getpid()}-{secure}".lower()
    world.rclone("mkdir", f"here:{bucket}", secure=secure)
    world.rclone("sync", "source", f"here:{bucket}/tree", secure=secure)
    listed = world.rclone("lsf", "-R", "--format", "sp", f"here:{bucket}/tree", secure=secure)
    expected = {f"{length};{name}" for name, length in LENGTHS.items()}
    assert expected <= set(listed.splitlines())
    back = f"rclone-back-{secure}"
    world.rclone("copy", f"here:{bucket}/tree", back, secure=secure)
    assert world.tree(back) == world.tree("source")
    world.rclone("check", "source", f"here:{bucket}/tree", "--download", secure=secure)
    world.rclone("moveto", f"here:{bucket}/tree/one", f"here:{bucket}/tree/two ü", secure=secure)
    world.rclone("copyto", f"here:{bucket}/tree/sub/parts", f"here:{bucket}/copied", secure=secure)
    got = world.s3.get_object(Bucket=bucket, Key="copied")
    assert got["Body"].read() == body(20 * MIB)
    assert "tree/one" not in world.names(bucket) and "tree/two ü" in world.names(bucket)
    world.rclone("sync", "source", f"here:{bucket}/tree", secure=secure)
    assert "tree/two ü" not in world.names(bucket) and "tree/one" in world.names(bucket)
    assert f"({sum(LENGTHS.values())} Byte)" in world.rclone("size", f"here:{bucket}/tree", secure=secure)
    world.rclone("purge", f"here:{bucket}", secure=secure)
    assert bucket not in [found["Name"] for found in world.s3.list_buckets()["Buckets"]]


@needs_rclone
@pytest.mark.parametrize("mode", ["AES256", "aws:kms"])
def test_rclone_with_encryption(world, bucket, mode):
    settings = {"server_side_encryption": mode}
    if mode == "aws:kms":
        settings["sse_kms_key_id"] = world.key
    world.rclone("copy", "source", f"here:{bucket}", **settings)
    for name in LENGTHS:
        head = world.s3.head_object(Bucket=bucket, Key=name)
        assert head["ServerSideEncryption"] == mode
        assert head.get("SSEKMSKeyId") == asking(mode, world.key).get("SSEKMSKeyId")
    world.rclone("copy", f"here:{bucket}", f"rclone-{bucket}", **settings)
    assert world.tree(f"rclone-{bucket}") == world.tree("source")


@needs_rclone
def test_rclone_with_a_customers_key(world, bucket):
    settings = {"sse_customer_algorithm": "AES256", "sse_customer_key": "k" * 32, "upload_cutoff": "50Mi"}
    world.rclone("copy", "source", f"here:{bucket}", secure=True, **settings)
    for name in LENGTHS:
        got = world.tls.get_object(Bucket=bucket, Key=name, **customer())
        assert got["Body"].read() == body(LENGTHS[name])
    world.rclone("copy", f"here:{bucket}", f"rclone-{bucket}", secure=True, **settings)
    assert world.tree(f"rclone-{bucket}") == world.tree("source")


@needs_rclone
def test_rclone_with_a_customers_key_in_parts(world, bucket):
    """It completes without the key, which AWS asks for then only where a checksum algorithm was named."""
    settings = {"sse_customer_algorithm": "AES256", "sse_customer_key": "k" * 32}
    world.rclone("copyto", "source/sub/parts", f"here:{bucket}/k", secure=True, **settings)
    assert world.tls.get_object(Bucket=bucket, Key="k", **customer())["Body"].read() == body(20 * MIB)
