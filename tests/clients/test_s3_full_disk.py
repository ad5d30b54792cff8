"""A disk without room: who writes is told so, what was there is whole, nothing else is on it, and when there is room
it goes on."""

import os
import subprocess
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from conftest import Server
from faults import FULL, MAKE, MOVE, SYNC, WRITE
from s3 import MIB, body, client, make_bucket, refused
from test_s3_steps import Complete, Copy, Part, Put, PutLong, World

# What takes room; removing does not.
ROOM = WRITE | MAKE | MOVE | SYNC


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("full"), "objects/")
    yield world
    assert world.server.stop() == 0


@pytest.mark.parametrize("mode", ["plain", "AES256", "aws:kms"])
@pytest.mark.parametrize("kind", [Put, PutLong, Copy, Part])
def test_there_is_no_room_for_bytes(world, kind, mode):
    step = 0
    while True:
        world.faults.disarm()
        change = kind(world, mode)
        change.prepare()
        before = world.files()
        world.faults.arm(FULL, step, ROOM)
        try:
            change.act()
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500, error
        except BotoCoreError:
            assert len(change.new) > MIB  # it was still being sent, and nobody read on
        else:
            assert not world.faults.met, f"step {step} was answered"
            break
        assert world.faults.met
        # While there is none: readers are answered, nothing is half there, and what was begun is gone.
        assert world.files() == before, f"step {step}"
        if kind is Part:
            [part] = world.s3.list_parts(**change.upload)["Parts"]
            assert part["Size"] < MIB
        else:
            assert change.found() == "old"
        world.faults.disarm()
        change.act()
        assert change.found() == "new"
        world.soon_swept(f"step {step}")
        step += 1
    world.faults.disarm()
    assert step > 2


@pytest.mark.parametrize("kind", [Put, Complete])
def test_there_is_no_room_for_the_commit(tmp_path, kind):
    """What is on the disk is then not known: nothing is answered until a restart has looked (docs/design.md)."""
    world = World(tmp_path, "store/")
    for step in range(3):
        change = kind(world, "AES256")
        change.prepare()
        world.faults.arm(FULL, step, ROOM)
        status = refused(change.act)[1]
        assert status >= 500 and world.faults.met
        world.faults.disarm()
        for call in (change.found, change.act, world.s3.list_buckets):
            code, status, _ = refused(call)
            assert status == 503, code
        world.server.process.kill()
        world.wait()
        world.start()
        assert change.found() in ("old", "new")
        world.soon_swept(f"step {step}")
    assert world.server.stop() == 0


def test_a_small_disk_is_filled_and_emptied(tmp_path):
    """The same on a real one: 24 MiB of memory, in a mount namespace of the service's own."""
    within = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size=24m none {tmp_path} && exec "$0" "$@"']
    if os.geteuid() != 0 or subprocess.run([*within, "true"], capture_output=True).returncode:
        pytest.skip("it takes leave to mount")
    server = Server("--data-dir", str(tmp_path / "data"), within=within)
    s3 = client(server)
    bucket = make_bucket(s3, "small")
    folder = Path(f"/proc/{server.process.pid}/root{tmp_path}/data/objects")

    def stored():
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    content, kept = body(3 * MIB), []
    for n in range(20):
        before = stored()
        try:
            s3.put_object(Bucket=bucket, Key=f"k{n}", Body=content)
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
            break
        kept.append(f"k{n}")
    else:
        raise AssertionError("it was never full")
    assert len(kept) > 2 and stored() == before
    for _ in range(3):  # and stays so, and goes on
        assert refused(s3.put_object, Bucket=bucket, Key=kept[0], Body=content)[1] >= 500
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == kept
    for key in kept:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == content
    s3.delete_object(Bucket=bucket, Key=kept.pop())
    s3.put_object(Bucket=bucket, Key="again", Body=content)
    assert s3.get_object(Bucket=bucket, Key="again")["Body"].read() == content
    assert server.stop() == 0
