"""Makes hand-overs with Python's `cryptography`, from docs/formats.md, "Hand-over"."""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

here, name = Path(__file__).parent, "example.com/log"
encode = lambda some: base64.b64encode(some).decode()
leaf = lambda entry: hashlib.sha256(b"\0" + entry).digest()
node = lambda left, right: hashlib.sha256(b"\1" + left + right).digest()


class Key:
    def __init__(self, seed):
        self.key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        encoded = b"\1" + self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = hashlib.sha256(name.encode() + b"\n" + encoded).digest()[:4]
        self.verifier = f"{name}+{self.id.hex()}+{encode(encoded)}"

    def line(self, text):
        return f"\u2014 {name} {encode(self.id + self.key.sign(text.encode()))}\n"


def record(operation, **parameters):
    event = {"v": 1, "time": "2026-11-25T10:00:00.000000Z", "request_id": "00000000-0000-4000-8000-000000000000",
             "operation": operation, "action": f"strongroom:{operation}", "outcome": "success"}
    event |= {"parameters": parameters} if parameters else {}
    return json.dumps(event | {"read_only": False}, separators=(",", ":")).encode()


def hand_over(entry, index, hashes, size, root, keys):
    text = f"{name}\n{size}\n{encode(root)}\n"
    head = ["c2sp.org/tlog-proof@v1", f"extra {encode(entry)}", f"index {index}", *map(encode, hashes)]
    return "\n".join(head) + f"\n\n{text}\n" + "".join(key.line(text) for key in keys)


keys = [Key(seed) for seed in (9, 10, 11)]
entries = [record("ListKeys"), *(record("RotateLogKey", verifier_key=key.verifier) for key in keys[1:])]
leaves = [leaf(entry) for entry in entries]
two = node(leaves[0], leaves[1])
first = hand_over(entries[1], 1, [leaves[0]], 2, two, keys[:2])
second = hand_over(entries[2], 2, [two], 3, node(two, leaves[2]), keys[1:])
(here / "hand_over").write_text(first)
(here / "twice").write_text(first + second)
(here / "successor").write_text(keys[1].verifier + "\n")
