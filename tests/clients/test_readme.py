"""What the README shows in Python works as it stands; what SECURITY.md says is checked by tests that exist."""

import os
import pathlib
import re

import pytest
from conftest import BINARY

ROOT = pathlib.Path(__file__).parents[2]
README = ROOT / "README.md"


def test_the_key_policy_example(server):
    found = re.search(r"## Your key policy fails here.*?```python\n(.*?)```", README.read_text(), re.S)
    names = {}
    exec(found[1].replace("http://127.0.0.1:4566", f"http://{server.address}"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0]()


def test_the_expectation_example(server):
    found = re.search(r"Which calls were made.*?```python\n(.*?)```", README.read_text(), re.S)
    names = {}
    text = found[1].replace("http://127.0.0.1:4566", f"http://{server.address}")
    text = text.replace('"strongroom", ', f"{os.path.abspath(BINARY)!r}, ")
    exec(text, names)
    names["test_the_app_opens_the_case_twice"]()
    exec(text.replace("range(2)", "range(3)"), names)
    with pytest.raises(AssertionError, match="exactly 2, found 3"):
        names["test_the_app_opens_the_case_twice"]()


def test_every_line_of_the_threat_model_names_tests_that_exist():
    lines = re.findall(r"^\| .* \| (.*) \|$", (ROOT / "SECURITY.md").read_text(), re.M)
    assert len(lines) > 15
    for line in lines[1:]:
        names = re.findall(r"`([\w/]+\.(?:rs|py))::(\w+)`", line)
        assert names, line
        for path, name in names:
            assert re.search(rf"\b(fn|def) {name}\(", (ROOT / path).read_text()), f"{path}::{name}"
