"""Makes verifier, entry, proof and the fuzzer's corpus with Python's `cryptography`, from C2SP tlog-proof,
signed-note and checkpoint, and RFC 6962, 2.1 and 2.1.1, word for word."""

import base64
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def sha256(data):
    return hashlib.sha256(data).digest()


def split(leaves):
    return 1 << (len(leaves) - 1).bit_length() - 1


def root_of(leaves):
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0])
    k = split(leaves)
    return sha256(b"\1" + root_of(leaves[:k]) + root_of(leaves[k:]))


def path_of(m, leaves):
    if len(leaves) == 1:
        return []
    k = split(leaves)
    if m < k:
        return path_of(m, leaves[:k]) + [root_of(leaves[k:])]
    return path_of(m - k, leaves[k:]) + [root_of(leaves[:k])]


here = Path(__file__).parent
name, seed, index = "example.com/log", b"\x09" * 32, 5
leaves = [f"entry {number}".encode() for number in range(7)]
key = Ed25519PrivateKey.from_private_bytes(seed)
encoded = b"\x01" + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
key_id = sha256(name.encode() + b"\n" + encoded)[:4]
text = f"{name}\n{len(leaves)}\n{base64.b64encode(root_of(leaves)).decode()}\n"
signature = base64.b64encode(key_id + key.sign(text.encode())).decode()
checkpoint = f"{text}\n\u2014 {name} {signature}\n"
hashes = [base64.b64encode(node).decode() + "\n" for node in path_of(index, leaves)]
first = "c2sp.org/tlog-proof@v1\n"
proof = f"{first}index {index}\n{''.join(hashes)}\n{checkpoint}"
(here / "verifier").write_text(f"{name}+{key_id.hex()}+{base64.b64encode(encoded).decode()}\n")
(here / "entry").write_bytes(leaves[index])
(here / "proof.tlog-proof").write_text(proof)

corpus = here.parents[2] / "fuzz/corpus/proof"
corpus.mkdir(exist_ok=True)
for file, altered in {
    "whole": proof,
    "with-extra": proof.replace("index", "extra YWRkcmVzc2VkIHRvIG5vYm9keQ==\nindex"),
    "other-index": proof.replace("index 5", "index 4"),
    "leading-zero": proof.replace("index 5", "index 05"),
    "huge-index": proof.replace("index 5", "index 18446744073709551615"),
    "hash-missing": proof.replace(hashes[0], ""),
    "hash-too-many": proof.replace(hashes[0], hashes[0] * 2),
    "hash-cut": proof.replace(hashes[0], hashes[0][:8] + "\n"),
    "many-hashes": proof.replace(hashes[0], hashes[0] * 100),
    "other-version": proof.replace("@v1", "@v2"),
    "resized": proof.replace("\n7\n", "\n6\n"),
    "unsigned": proof[: proof.index("\u2014")],
    "no-checkpoint": proof[: proof.index("\n\n")],
    "empty": "",
}.items():
    (corpus / file).write_text(altered)
