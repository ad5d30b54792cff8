"""A reader of transparency logs, written from the specifications alone: RFC 6962 and 9162 (hashes and
proofs), C2SP signed-note, tlog-checkpoint, tlog-proof, tlog-tiles, tlog-cosignature and tlog-witness. It shares
nothing with strongroom.
"""

import base64
import hashlib
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


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


def read_verifier(verifier, kind):
    """C2SP signed-note: name, key id and public key of a verifier string of one type."""
    name, key_hash, encoded = verifier.split("+", 2)
    encoded = base64.b64decode(encoded, validate=True)
    key_id = hashlib.sha256(name.encode() + b"\n" + encoded).digest()[:4]
    if encoded[0] != kind or key_id.hex() != key_hash:
        whose = {1: "ed25519", 4: "a witness"}[kind]
        raise Rejected("note", f"the verifier string is none of {whose}")
    return name, key_id, Ed25519PublicKey.from_public_bytes(encoded[1:])


def open_note(note, verifier):
    """The text of a signed note, when the key has signed it."""
    name, key_id, key = read_verifier(verifier, 1)
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


def tile_path(kind, number, width):
    """C2SP tlog-tiles: `kind` is a level or "entries"."""
    groups = f"{number % 1000:03}"
    while number >= 1000:
        number //= 1000
        groups = f"x{number % 1000:03}/{groups}"
    return f"tile/{kind}/{groups}" + ("" if width == 256 else f".p/{width}")


def read_log(read, verifier, older=()):
    """The entries of a log whose files `read(path)` gives (None: there is none), when checkpoint, entries and
    tiles hold together and the trees of older checkpoints are still in it."""

    def part(kind, number, width, cut):
        found = read(tile_path(kind, number, width))
        if found is None and width < 256:  # it may be gone once there is the whole one
            found, whole = read(tile_path(kind, number, 256)), 256
        else:
            whole = width
        if found is None:
            raise Rejected("damage", f"no {tile_path(kind, number, width)}")
        parts = cut(found)
        if len(parts) != whole:
            raise Rejected("damage", f"{tile_path(kind, number, width)} has {len(parts)} parts")
        return parts[:width]

    note = read("checkpoint")
    if note is None:
        raise Rejected("damage", "no checkpoint")
    size, root = open_checkpoint(note.decode(), verifier)
    entries = []
    for number in range(-(-size // 256)):
        entries += part("entries", number, min(256, size - 256 * number), split_bundle)
    leaves = hashes = [leaf_hash(entry) for entry in entries]
    level = 0
    while hashes:
        for number in range(-(-len(hashes) // 256)):
            expected = hashes[256 * number : 256 * (number + 1)]
            if part(level, number, len(expected), split_tile) != expected:
                raise Rejected("damage", f"{tile_path(level, number, len(expected))} does not fit")
        hashes = [root_of(hashes[256 * i : 256 * (i + 1)]) for i in range(len(hashes) // 256)]
        level += 1
    if root_of(leaves) != root:
        raise Rejected("damage", "the root is not what was signed")
    known = [open_checkpoint(note, verifier) for note in older]
    if any(before > size for before, _ in known):
        raise Rejected("rollback", "fewer entries than before")
    if any(root_of(leaves[:before]) != was for before, was in known):
        raise Rejected("fork", "other entries than before")
    return entries


def split_bundle(bundle):
    found, place = [], 0
    while place < len(bundle):
        if len(bundle) - place < 2:
            raise Rejected("damage", "a bundle is cut off")
        (length,) = struct.unpack_from(">H", bundle, place)
        place += 2 + length
        if place > len(bundle):
            raise Rejected("damage", "a bundle is cut off")
        found.append(bundle[place - length : place])
    return found


def split_tile(tile):
    if len(tile) % 32:
        raise Rejected("damage", "a tile is cut off")
    return [tile[i : i + 32] for i in range(0, len(tile), 32)]


def prove_consistency(old, hashes):
    """RFC 6962, 2.1.2: from the first `old` leaf hashes to all of them."""

    def subproof(m, hashes, whole):
        if m == len(hashes):
            return [] if whole else [root_of(hashes)]
        k = 1 << (len(hashes) - 1).bit_length() - 1
        if m <= k:
            return [*subproof(m, hashes[:k], whole), root_of(hashes[k:])]
        return [*subproof(m - k, hashes[k:], False), root_of(hashes[:k])]

    return subproof(old, hashes, True) if old else []


class NoteKey:
    """A signing key of notes: type 1 signs texts, type 4 cosigns checkpoints."""

    def __init__(self, name, kind=1, seed=None):
        self.name, self.kind = name, kind
        self.key = Ed25519PrivateKey.from_private_bytes(seed) if seed else Ed25519PrivateKey.generate()
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        encoded = bytes([kind]) + public
        self.id = hashlib.sha256(name.encode() + b"\n" + encoded).digest()[:4]
        self.verifier = f"{name}+{self.id.hex()}+{base64.b64encode(encoded).decode()}"

    def line(self, text, time=1_700_000_000):
        if self.kind == 1:
            signature = self.key.sign(text.encode())
        else:
            signature = struct.pack(">Q", time)
            signature += self.key.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
        return f"— {self.name} {base64.b64encode(self.id + signature).decode()}\n"


def checkpoint_text(origin, size, root):
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def cosigned_at(note, verifier):
    """When a witness cosigned a checkpoint, by C2SP tlog-cosignature; None when it has not."""
    name, key_id, key = read_verifier(verifier, 4)
    text, _, signatures = note.rpartition("\n\n")
    for line in signatures[:-1].split("\n"):
        _, signer, signature = line.split(" ")
        signature = base64.b64decode(signature, validate=True)
        if (signer, signature[:4]) == (name, key_id):
            time, signature = struct.unpack(">Q", signature[4:12])[0], signature[12:]
            try:
                message = f"cosignature/v1\ntime {time}\n{text}\n"
                key.verify(signature, message.encode())
            except InvalidSignature:
                raise Rejected("note", "the cosignature is wrong") from None
            return time
    return None


def read_add_checkpoint(body):
    """C2SP tlog-witness: old size, proof, checkpoint of a request."""
    head, separator, checkpoint = body.decode().partition("\n\n")
    lines = head.split("\n")
    word, old = lines.pop(0).split(" ")
    if not separator or word != "old" or str(int(old)) != old or len(lines) > 63:
        raise Rejected("proof", "no request")
    return int(old), [base64.b64decode(line, validate=True) for line in lines], checkpoint
