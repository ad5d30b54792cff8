"""Makes the .hex files with the Python package `cryptography`: another implementation than the one tested."""

import hashlib
import struct
import zlib
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KMS, S3, DSSE, CUSTOMER = 1, 2, 3, 4
CHUNK = 65536


def derive(key, salt, label, info):
    info = label.encode() + b"\0" + info
    return HKDF(hashes.SHA256(), 32, salt, info).derive(key)


def field(value, form=">H"):
    return struct.pack(form, len(value)) + value


def salt(first, length=32):
    return bytes(range(first, first + length))


def nonce(index, last):
    return bytes([0, 0, 0, last]) + struct.pack(">Q", index)


class Object:
    """One object: its layers are (data key, wrapped, object key, object's salt, seal's salt)."""

    def __init__(self, mode, flags, arn, context, layers, bucket=b"bucket", name=b"a/b"):
        self.layers = layers
        head = b"SRSE" + bytes([2, mode, 16, flags]) + field(arn) + struct.pack(">H", len(context))
        head += b"".join(field(name) + field(value) for name, value in sorted(context.items()))
        self.pieces = [head]
        for number, (data_key, wrapped, object_key, object_salt, seal_salt) in enumerate(layers, 1):
            begin = object_salt + seal_salt + field(wrapped)
            info = bytes([mode, number]) + field(bucket, ">Q") + field(name, ">Q")
            sealing_key = derive(data_key, seal_salt, "strongroom/v1/object-key-wrap", info)
            sealed = AESGCM(sealing_key).encrypt(bytes(12), object_key, head + begin)
            commitment = derive(object_key, object_salt, "strongroom/v1/object-commitment", b"")
            self.pieces += [begin, sealed + commitment]

    def part(self, number, part_salt, plaintext):
        keys = [
            AESGCM(derive(key, own, "strongroom/v1/object-part", struct.pack(">H", number) + part_salt))
            for _, _, key, own, _ in self.layers
        ]
        body, chunks = part_salt, max(1, -(-len(plaintext) // CHUNK))
        for index in range(chunks):
            last = index + 1 == chunks
            chunk = plaintext[index * CHUNK : (index + 1) * CHUNK]
            for key in keys:
                chunk = key.encrypt(nonce(index, last), chunk, struct.pack(">Q", len(plaintext)) if last else b"")
            body += chunk
        return body

    def info(self, own_salt, digests, parts):
        content = bytes([len(digests)])
        content += b"".join(bytes([kind, len(value)]) + value for kind, value in digests)
        content += struct.pack(">H", len(parts))
        content += b"".join(struct.pack(">HQ", number, length) + own for number, length, own in parts)
        for _, _, key, object_salt, _ in self.layers:
            sealing_key = derive(key, object_salt, "strongroom/v1/object-info", own_salt)
            content = AESGCM(sealing_key).encrypt(bytes(12), content, own_salt)
        return b"SRSI\x01" + own_salt + content


def write(name, pieces):
    (Path(__file__).parent / f"{name}.hex").write_text("\n".join(piece.hex() for piece in pieces) + "\n")


ARN = b"arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CONTEXT = {b"aws:s3:arn": b"arn:aws:s3:::bucket"}
INNER = (b"\x07" * 32, b"wrapped", b"\x42" * 32, salt(0), salt(32))
OUTER = (b"\x08" * 32, b"another", b"\x43" * 32, salt(64), salt(96))
TEXT = b"hello, object"

kms = Object(KMS, 1, ARN, CONTEXT, [INNER])
write("kms", kms.pieces + [kms.part(1, salt(128, 16), TEXT)])
dsse = Object(DSSE, 0, ARN, {b"aws:s3:arn": b"arn:aws:s3:::bucket/a/b"}, [INNER, OUTER])
write("dsse", dsse.pieces + [dsse.part(1, salt(128, 16), TEXT)])
customer = Object(CUSTOMER, 0, b"", {}, [(INNER[0], b"", *INNER[2:])])
write("customer", customer.pieces + [customer.part(1, salt(128, 16), b"")])

# Two parts, the first of two chunks: only the digest of the bodies is kept, and the information whole.
first, second = bytes(i % 251 for i in range(CHUNK + 1)), TEXT
bodies = kms.part(1, salt(128, 16), first) + kms.part(3, salt(144, 16), second)
crc = struct.pack(">I", zlib.crc32(first + second))
digests = [(0, hashlib.md5(first + second).digest()), (1, crc)]
parts = [(1, len(first), salt(128, 16)), (3, len(second), salt(144, 16))]
write("parts", [hashlib.sha256(bodies).digest(), kms.info(salt(160), digests, parts)])
