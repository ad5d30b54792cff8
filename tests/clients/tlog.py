"""A reader of transparency logs, written from the specifications alone: RFC 6962 and 9162 (hashes and
proofs), C2SP signed-note, tlog-checkpoint, tlog-proof and tlog-tiles. It shares nothing with strongroom.
"""

import base64
import hashlib
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Rejected(Exception):
    """What is wrong with a log, a note or a proof: `kind` is note, proof, damage, rollback or fork."""

    def __init__(self, kind, what):
        super().__init__(f"{kind}: {what}")
        self.kind = kind


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(hashes):
    """RFC 6962, 2.1, of leaf hashes: whole subtrees level by level, the rest as the recursion has it."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        level = [node_hash(*hashes[i : i + 2]) for i in range(0, len(hashes) - 1, 2)]
        hashes = level + hashes[len(level) * 2 :]
    return hashes[0]


def open_note(note, verifier):
    """The text of a signed note, when the key has signed it."""
    name, key_hash, encoded = verifier.split("+", 2)
    encoded = base64.b64decode(encoded, validate=True)
    key_id = hashlib.sha256(name.encode() + b"\n" + encoded).digest()[:4]
    if encoded[0] != 1 or key_id.hex() != key_hash:
        raise Rejected("note", "the verifier string is none of ed25519")
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise Rejected("note", "no signatures")
    text, found = text + "\n", False
    for line in signatures[:-1].split("\n"):
        dash, signer, signature = line.split(" ")
        signature = base64.b64decode(signature, validate=True)
        if dash != "—" or len(signature) < 5:
            raise Rejected("note", "a signature line is none")
        if (signer, signature[:4]) == (name, key_id):
            try:
                key = Ed25519PublicKey.from_public_bytes(encoded[1:])
                key.verify(signature[4:], text.encode())
            except InvalidSignature:
                raise Rejected("note", "the signature is wrong") from None
            found = True
    if not found:
        raise Rejected("note", "not signed by this key")
    return text


def open_checkpoint(note, verifier):
    """Size and root of a checkpoint of the log whose key it is."""
    lines = open_note(note, verifier).split("\n")
    origin, size, root = lines[:3]
    if origin != verifier.split("+")[0]:
        raise Rejected("note", "another log's")
    if not size.isdecimal() or str(int(size)) != size:
        raise Rejected("note", "a size is none")
    root = base64.b64decode(root, validate=True)
    if len(root) != 32:
        raise Rejected("note", "a root is none")
    return int(size), root


def root_of_inclusion(index, size, leaf, path):
    """RFC 9162, 2.1.3.2."""
    if index >= size:
        raise Rejected("proof", "no such leaf")
    fn, sn, hashed = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            raise Rejected("proof", "too long")
        if fn & 1 or fn == sn:
            hashed = node_hash(sibling, hashed)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            hashed = node_hash(hashed, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise Rejected("proof", "too short")
    return hashed


def check_consistency(first, second, first_root, second_root, path):
    """RFC 9162, 2.1.4.2."""
    if first == second:
        if path or first_root != second_root:
            raise Rejected("fork", "two trees of one size")
        return
    if not 0 < first < second or not path:
        raise Rejected("proof", "no such proof")
    path = list(path) if first & (first - 1) else [first_root, *path]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for node in path[1:]:
        if sn == 0:
            raise Rejected("proof", "too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(node, fr), node_hash(node, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, node)
        fn, sn = fn >> 1, sn >> 1
    if (fr, sr) != (first_root, second_root) or sn != 0:
        raise Rejected("fork", "the proof leads elsewhere")


def verify_proof(proof, entry, verifier):
    """C2SP tlog-proof; returns index and size."""
    head, separator, checkpoint = proof.decode().partition("\n\n")
    lines = head.split("\n")
    if not separator or lines.pop(0) != "c2sp.org/tlog-proof@v1":
        raise Rejected("proof", "no proof")
    if lines[0].startswith("extra "):
        lines.pop(0)
    word, index = lines.pop(0).split(" ")
    if word != "index" or str(int(index)) != index:
        raise Rejected("proof", "no index")
    path = [base64.b64decode(line, validate=True) for line in lines]
    size, root = open_checkpoint(checkpoint, verifier)
    if root_of_inclusion(int(index), size, leaf_hash(entry), path) != root:
        raise Rejected("proof", "it leads elsewhere")
    return int(index), size
