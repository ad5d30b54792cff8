"""What the operating system is told about a running service."""

import os
import pathlib
import re

import pytest
from conftest import Server


@pytest.fixture(scope="module")
def status():
    server = Server("--ephemeral")
    yield pathlib.Path(f"/proc/{server.process.pid}")
    assert server.stop() == 0


def test_there_are_no_core_dumps(status):
    limits = (status / "limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)


def test_what_is_in_memory_is_not_swapped_out_where_that_is_allowed(status):
    text = (status / "status").read_text()
    capable = int(re.search(r"CapEff:\t(\w+)", text)[1], 16) >> 14 & 1
    unlimited = re.search(r"Max locked memory +unlimited", (status / "limits").read_text())
    locked = int(re.search(r"VmLck:\s+(\d+) kB", text)[1])
    assert (locked > 0) == bool(capable or unlimited)


def modes(folder):
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777
            for path in [folder, *folder.rglob("*")]}


def test_the_data_directory_is_its_owners_alone(tmp_path):
    before = os.umask(0)
    try:
        data = tmp_path / "data"
        server = Server("--data-dir", str(data))
        found = modes(data)
        assert {"root.key", "tls/server-key.pem", "tls/ca.pem", "store/db", "anchor"} <= set(found)
        assert {name: mode for name, mode in found.items() if mode & 0o077} == {}
        assert server.stop() == 0
        for name in ["root.key", "tls/server-key.pem", "store/db", "tls"]:
            (data / name).chmod(0o755)
        server = Server("--data-dir", str(data))
        assert {name: mode for name, mode in modes(data).items() if mode & 0o077} == {}
        assert server.stop() == 0
    finally:
        os.umask(before)


def test_a_directory_that_others_may_enter_is_refused(tmp_path):
    mine = tmp_path / "mine"
    mine.touch()
    mine.chmod(0o644)
    for mode in [0o755, 0o750, 0o711]:
        tmp_path.chmod(mode)
        with pytest.raises(RuntimeError, match=f"mode {mode:o}.*chmod 700"):
            Server("--data-dir", str(tmp_path))
    assert modes(tmp_path) == {".": 0o711, "mine": 0o644}, "nothing is written or changed"
    tmp_path.chmod(0o700)


def test_files_with_secrets_that_everybody_may_read_are_warned_of(tmp_path):
    key = tmp_path / "root.key"
    key.write_text("ab" * 32)
    for mode, warned in [(0o644, True), (0o640, False), (0o400, False)]:
        key.chmod(mode)
        server = Server("--ephemeral", "--root-key-file", str(key))
        assert server.stop() == 0
        said = server.process.stderr.read()
        assert ("everybody on this machine" in said and str(key) in said) == warned, said
        assert "abab" not in said
