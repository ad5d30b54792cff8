"""Makes verifier and checkpoint with Python's `cryptography`, from C2SP tlog-cosignature."""

import base64
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

here = Path(__file__).parent
name, seed, time = "example.com/w1", b"\x08" * 32, 1_700_000_000
key = Ed25519PrivateKey.from_private_bytes(seed)
encoded = b"\x04" + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
key_id = hashlib.sha256(name.encode() + b"\n" + encoded).digest()[:4]
note = (here / "../note/checkpoint").read_text()
text = note.rpartition("\n\n")[0] + "\n"
signature = key.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
line = base64.b64encode(key_id + time.to_bytes(8, "big") + signature).decode()
(here / "verifier").write_text(f"{name}+{key_id.hex()}+{base64.b64encode(encoded).decode()}\n")
(here / "checkpoint").write_text(f"{note}\u2014 {name} {line}\n")
