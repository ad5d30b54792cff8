"""Looks for secrets in bytes, in every form in which a program may show them by mistake."""

import base64
import json
import urllib.parse

# Of a long secret the beginning, the middle and the end are looked for: a part is a leak, too.
PIECE = 16


def pieces(secret):
    if len(secret) <= PIECE:
        return {secret}
    middle = (len(secret) - PIECE) // 2
    return {secret[:PIECE], secret[middle : middle + PIECE], secret[-PIECE:]}


def base64_forms(piece):
    """What is the same of a base64 text wherever in it the piece begins: three alignments."""
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + piece).rstrip(b"=")
        begin = [0, 2, 3][offset]
        end = len(text) - (1 if (offset + len(piece)) % 3 else 0)
        yield text[begin:end]
        yield text[begin:end].translate(bytes.maketrans(b"+/", b"-_"))


def forms(piece):
    """A piece as it is, in hex, base64, JSON, a URL, and as Rust prints bytes."""
    found = {piece, piece.hex().encode(), piece.hex().upper().encode(), *base64_forms(piece)}
    found.add(", ".join(map(str, piece)).encode())
    found.add(",".join(map(str, piece)).encode())
    found.add(urllib.parse.quote(piece, safe="").encode())
    found.add(repr(piece)[2:-1].encode())
    if piece.isascii():
        found.add(json.dumps(piece.decode()).strip('"').encode())
    return found


def sought(secrets):
    """By name: every form of every piece."""
    return {name: set().union(*map(forms, pieces(secret))) for name, secret in secrets.items()}


def found(patterns, haystacks):
    """Which secrets are where."""
    return sorted(
        (name, place)
        for place, haystack in haystacks.items()
        for name, shapes in patterns.items()
        if any(shape in haystack for shape in shapes)
    )
