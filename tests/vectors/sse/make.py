"""Makes v1.hex with the Python package `cryptography`: another implementation than the one tested."""

import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derive(key, salt, label, info):
    info = label.encode() + b"\0" + info
    return HKDF(hashes.SHA256(), 32, salt, info).derive(key)


def field(value, form=">H"):
    return struct.pack(form, len(value)) + value


data_key, object_key, salt = b"\x07" * 32, b"\x42" * 32, bytes(range(32))
bucket, name, plaintext = b"bucket", b"a/b", b"hello, object"

head = b"SRSE" + bytes([1, 1, 16, 0]) + salt
tail = field(b"wrapped") + struct.pack(">H", 1) + field(b"purpose") + field(b"test")
info = bytes([1]) + field(bucket, ">Q") + field(name, ">Q")
sealing_key = derive(data_key, salt, "strongroom/v1/object-key-wrap", info)
sealed_key = AESGCM(sealing_key).encrypt(bytes(12), object_key, head + tail)
commitment = derive(object_key, salt, "strongroom/v1/object-commitment", b"")
part_key = derive(object_key, salt, "strongroom/v1/object-part", struct.pack(">I", 1))
nonce = b"\0\0\0\x01" + struct.pack(">Q", 0)
body = AESGCM(part_key).encrypt(nonce, plaintext, struct.pack(">Q", len(plaintext)))
for piece in (head, sealed_key, commitment, tail, body):
    print(piece.hex())
