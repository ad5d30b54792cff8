"""What the operating system is told about a running service."""

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
