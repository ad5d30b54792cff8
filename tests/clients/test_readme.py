"""What the README shows in Python works as it stands."""

import pathlib
import re

README = pathlib.Path(__file__).parents[2] / "README.md"


def test_the_key_policy_example(server):
    found = re.search(r"## Your key policy fails here.*?```python\n(.*?)```", README.read_text(), re.S)
    names = {}
    exec(found[1].replace("http://127.0.0.1:4566", f"http://{server.address}"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0]()
