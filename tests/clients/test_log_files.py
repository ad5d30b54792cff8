"""The exported log, read by a reader of the specifications and by `strongroom audit verify`: both take it at
every size, and both refuse it, in the same words, when anything is not as it was."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import BINARY, Server
from logs import fill
from tlog import Rejected, leaf_hash, read_log, split_bundle, split_tile

SIZES = [1, 255, 256, 257, 300, 65_536, 70_000]


def strongroom(*arguments, **options):
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=120, **options)
    return done.returncode, done.stdout, done.stderr


class Exports:
    """One log, exported into one folder as it grew, with a copy at each size."""

    def __init__(self, folder):
        self.folder, self.data = folder, folder / "data"
        for size in SIZES:
            self.grow(self.data, size)
            self.export(self.data, folder / "log")
            shutil.copytree(folder / "log", self.at(size))
            if size == 257:
                shutil.copytree(self.data, folder / "fork-data")
        shown = strongroom("audit", "key", "--data-dir", str(self.data))[1]
        self.verifier = shown.splitlines()[-1]
        # The same key signs another history from record 257 on.
        self.grow(folder / "fork-data", 400, 257)
        self.export(folder / "fork-data", folder / "fork")

    def grow(self, data, size, before=None):
        server = Server("--data-dir", str(data))
        before = max((known for known in SIZES if known < size), default=0) if before is None else before
        fill(server, size - before)
        assert server.stop() == 0

    def export(self, data, folder):
        code, _, said = strongroom(
            "audit", "export", "--format", "tiles", str(folder), "--data-dir", str(data))
        assert code == 0, said

    def at(self, size):
        return self.folder / f"at-{size}"

    def checkpoint(self, size):
        return self.at(size) / "checkpoint"

    def judge(self, folder, older=(), verifier=None):
        """What both readers say; "" where they take it."""
        verifier = verifier or self.verifier
        try:
            read_log(reader(folder), verifier, [path.read_text() for path in older])
            kind = ""
        except Rejected as rejected:
            kind = rejected.kind
        olders = [part for path in older for part in ("--older", str(path))]
        code, _, said = strongroom("audit", "verify", str(folder), "--verifier", verifier, *olders)
        assert (code == 0) == (kind == ""), (kind, said)
        word = "checkpoint does not verify" if kind == "note" else f"{kind}: " if kind else ""
        assert word in said, (kind, said)
        return kind, said


def reader(folder):
    def read(path):
        found = Path(folder) / path
        return found.read_bytes() if found.is_file() else None

    return read


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    return Exports(tmp_path_factory.mktemp("exports"))


@pytest.mark.parametrize("size", SIZES)
def test_the_export_is_taken_at_every_size(exports, size):
    older = [exports.checkpoint(known) for known in SIZES if known <= size]
    assert exports.judge(exports.at(size), older) == ("", "")
    entries = read_log(reader(exports.at(size)), exports.verifier)
    assert len(entries) == size
    assert all(json.loads(entry)["operation"] == "GenerateRandom" for entry in entries)


class Changed:
    """A file with other bytes, for a while."""

    def __init__(self, path, change):
        self.path, self.change = path, change

    def __enter__(self):
        self.bytes = self.path.read_bytes()
        changed = self.change(self.bytes)
        assert changed != self.bytes
        self.path.write_bytes(changed)

    def __exit__(self, *_):
        self.path.write_bytes(self.bytes)


def flipped(place):
    return lambda data: data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]


def entries(change):
    def changed(bundle):
        found = change(split_bundle(bundle))
        return b"".join(len(entry).to_bytes(2) + entry for entry in found)

    return changed


def hashes(change):
    return lambda tile: b"".join(change(split_tile(tile)))


def swapped(items):
    return [*items[:7], items[8], items[7], *items[9:]]


def deleted(items):
    return items[:7] + items[8:]


def inserted(items):
    return items[:7] + [items[9]] + items[7:]


@pytest.mark.parametrize("size, path, change, names", [
    (300, "tile/entries/000", flipped(300), "record 0 "),
    (300, "tile/entries/000", flipped(-3), "record 255 "),
    (300, "tile/entries/000", flipped(1), ""),  # a length
    (300, "tile/entries/001.p/44", flipped(50), "record 256 "),
    (300, "tile/entries/000", entries(swapped), "record 7 "),
    (300, "tile/entries/000", entries(deleted), "record 255 "),
    (300, "tile/entries/000", entries(inserted), ""),
    (300, "tile/entries/001.p/44", entries(lambda all: all[:-1]), "record 299 "),
    (300, "tile/entries/001.p/44", lambda data: data[:-1], ""),
    (300, "tile/entries/000", lambda data: b"", "record 0 "),
    (300, "tile/0/000", flipped(32 * 9 + 1), "record 9 "),
    (300, "tile/0/001.p/44", flipped(0), "record 256 "),
    (300, "tile/0/000", hashes(swapped), "record 7 "),
    (300, "tile/0/000", hashes(deleted), ""),
    (300, "tile/0/000", lambda tile: tile[:-1], ""),
    (300, "tile/1/000.p/1", flipped(31), "records 0 to 255"),
    (70_000, "tile/entries/200", flipped(2), "record 51200 "),
    (70_000, "tile/0/272", flipped(8000), "record 69882 "),
    (70_000, "tile/1/000", flipped(32 * 255), "records 65280 to 65535"),
    (70_000, "tile/1/001.p/17", flipped(32 * 16), "records 69632 to 69887"),
    (70_000, "tile/2/000.p/1", flipped(5), "records 0 to 65535"),
])
def test_damage_is_refused_and_its_record_named(exports, size, path, change, names):
    with Changed(exports.at(size) / path, change):
        kind, said = exports.judge(exports.at(size))
    assert kind == "damage" and names in said, said


def test_an_entry_and_its_hash_that_are_swapped_together_are_refused(exports):
    folder = exports.at(300)
    with Changed(folder / "tile/entries/000", entries(swapped)):
        with Changed(folder / "tile/0/000", hashes(swapped)):
            kind, said = exports.judge(folder)
            assert kind == "damage" and "records 0 to 255" in said, said
    # In the last bundle no tile is above them: only the signed root tells.
    with Changed(folder / "tile/entries/001.p/44", entries(swapped)):
        with Changed(folder / "tile/0/001.p/44", hashes(swapped)):
            kind, said = exports.judge(folder)
            assert kind == "damage" and "signed" in said, said


def test_a_missing_file_is_damage(exports):
    for path in ["tile/entries/000", "tile/0/001.p/44", "tile/1/000.p/1", "checkpoint"]:
        there = exports.at(300) / path
        away = there.rename(exports.folder / "away")
        assert exports.judge(exports.at(300))[0] == "damage", path
        away.rename(there)


def test_another_size_key_or_signature_is_refused(exports):
    checkpoint = exports.checkpoint(300)
    for change in [
        lambda note: note.replace(b"\n300\n", b"\n299\n"),
        lambda note: note.replace(b"\n300\n", b"\n0300\n"),
        lambda note: note.replace(b"strongroom.local", b"strongroom.other"),
        lambda note: note[: note.index(b"\n\n") + 2],
    ]:
        with Changed(checkpoint, change):
            assert exports.judge(exports.at(300))[0] == "note"
    other = Server("--ephemeral")
    foreign = strongroom("audit", "key", "--endpoint", f"http://{other.address}")[1].splitlines()[-1]
    assert other.stop() == 0
    assert exports.judge(exports.at(300), verifier=foreign)[0] == "note"


def test_rollback_and_fork_are_told_apart(exports):
    of_300, of_257 = exports.checkpoint(300), exports.checkpoint(257)
    assert exports.judge(exports.at(257), [of_300])[0] == "rollback"
    assert exports.judge(exports.at(65_536), [exports.checkpoint(70_000)])[0] == "rollback"
    fork = exports.folder / "fork"
    assert exports.judge(fork, [of_257]) == ("", ""), "it holds together, and with what was common"
    kind, said = exports.judge(fork, [of_257, of_300])
    assert kind == "fork" and "300" in said, said
    assert exports.judge(exports.at(70_000), [fork / "checkpoint"])[0] == "fork"
    # The store itself says the same, of a log that no service holds.
    for older, word in [(exports.checkpoint(70_000), "rollback: "), (of_300, "fork: ")]:
        code, _, said = strongroom(
            "audit", "verify", "--data-dir", str(exports.folder / "fork-data"), "--older", str(older))
        assert code == 1 and word in said, said


def test_a_running_service_says_of_an_older_checkpoint_that_it_is_gone(exports, tmp_path):
    shutil.copytree(exports.folder / "fork-data", tmp_path / "data")
    server = Server("--data-dir", str(tmp_path / "data"))
    endpoint = f"http://{server.address}"
    for older, word in [(70_000, "rollback: "), (300, "fork: "), (257, "")]:
        code, _, said = strongroom(
            "audit", "verify", "--older", str(exports.checkpoint(older)), "--endpoint", endpoint)
        assert (code, word in said) == (1 if word else 0, True), said
    assert server.stop() == 0


def test_an_export_is_not_continued_by_another_history(exports):
    fork_data, folder = exports.folder / "fork-data", exports.folder / "kept"
    for size, word in [(300, "fork: "), (65_536, "rollback: ")]:
        shutil.copytree(exports.at(size), folder)
        code, _, said = strongroom("audit", "export", str(folder), "--data-dir", str(fork_data))
        assert code == 1 and word in said, said
        assert exports.judge(folder, [exports.checkpoint(size)]) == ("", ""), "it is as it was"
        shutil.rmtree(folder)


def test_every_entry_is_hashed_as_the_specification_says(exports):
    tile = split_tile((exports.at(256) / "tile/0/000").read_bytes())
    bundle = split_bundle((exports.at(256) / "tile/entries/000").read_bytes())
    assert tile == [leaf_hash(entry) for entry in bundle]
    tiles = {path.name for path in (exports.at(256) / "tile").iterdir()}
    assert tiles == {"0", "1", "entries"}, "a tree of 256 has a partial tile of level 1"
