"""Makes verifier and checkpoint with Python's `cryptography`, from C2SP signed-note and checkpoint."""

import base64
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

here = Path(__file__).parent
name, seed, root = "example.com/log", b"\x09" * 32, b"\x03" * 32
key = Ed25519PrivateKey.from_private_bytes(seed)
encoded = b"\x01" + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
key_id = hashlib.sha256(name.encode() + b"\n" + encoded).digest()[:4]
text = f"{name}\n7\n{base64.b64encode(root).decode()}\n"
signature = base64.b64encode(key_id + key.sign(text.encode())).decode()
(here / "verifier").write_text(f"{name}+{key_id.hex()}+{base64.b64encode(encoded).decode()}\n")
(here / "checkpoint").write_text(f"{text}\n\u2014 {name} {signature}\n")
