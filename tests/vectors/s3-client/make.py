"""Makes objects.json: objects of the Amazon S3 Encryption Client for Python, and of formats that it reads
or other clients write, by the `cryptography` package. `python3 make.py > objects.json`; the drawn IVs
and message ids differ each time."""

import base64
import io
import json
import os
from types import SimpleNamespace

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from cryptography.hazmat.primitives import hashes, keywrap, padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
from s3_encryption.materials.kms_keyring import KmsKeyring
from s3_encryption.materials.materials import AlgorithmSuite, CommitmentPolicy

DATA_KEY, WRAPPING_KEY = b"\x07" * 32, b"\x42" * 32
CONTEXT = {"purpose": "test", "case": "7"}
V2 = {
    "encryption_algorithm": AlgorithmSuite.ALG_AES_256_GCM_IV12_TAG16_NO_KDF,
    "commitment_policy": CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT,
}
RSA_KEY = rsa.generate_private_key(65537, 2048)


def b64(value):
    return base64.b64encode(value).decode()


class Keys:
    """A KMS of one data key."""

    meta = SimpleNamespace(config=SimpleNamespace(user_agent_extra=""))

    def generate_data_key(self, KeyId, KeySpec, EncryptionContext):
        return {"Plaintext": DATA_KEY, "CiphertextBlob": b"wrapped"}


def by_the_client(plaintext, context, **settings):
    """What the client sends to S3."""
    sent = {}

    def take(request, **_):
        sent["body"] = bytes(request.body)
        prefix = "x-amz-meta-"
        text = {name.lower(): value for name, value in request.headers.items()}
        text = {n: v.decode() if isinstance(v, bytes) else v for n, v in text.items()}
        sent["metadata"] = {n.removeprefix(prefix): v for n, v in text.items() if n.startswith(prefix)}
        response = AWSResponse(request.url, 200, {}, io.BytesIO())
        response._content = b""
        return response

    plain = Config(request_checksum_calculation="when_required")
    names = {"aws_access_key_id": "1", "aws_secret_access_key": "1", "config": plain}
    s3 = boto3.client("s3", "us-east-1", **names)
    s3.meta.events.register("before-send.s3.PutObject", take)
    config = S3EncryptionClientConfig(KmsKeyring(Keys(), "key"), **settings)
    client = S3EncryptionClient(s3, config)
    client.put_object(Bucket="bucket", Key="name", Body=plaintext, EncryptionContext=dict(context))
    return sent["metadata"], sent["body"]


def derived(data_key, message_id):
    extracted = HKDF.extract(hashes.SHA512(), message_id, data_key)
    expand = lambda label, length: HKDFExpand(hashes.SHA512(), length, b"\x00\x73" + label).derive(extracted)
    return expand(b"DERIVEKEY", 32), expand(b"COMMITKEY", 28)


def v3(plaintext, wrapping, wrapped, said):
    message_id = os.urandom(28)
    key, commitment = derived(DATA_KEY, message_id)
    content = {"x-amz-c": "115", "x-amz-d": b64(commitment), "x-amz-i": b64(message_id)}
    return content, {"x-amz-3": b64(wrapped), "x-amz-w": wrapping, **said}, AESGCM(key).encrypt(
        b"\x01" * 12, plaintext, b"\x00\x73"
    )


def v2(plaintext, wrapping, wrapped, said):
    iv = os.urandom(12)
    content = {"x-amz-iv": b64(iv), "x-amz-cek-alg": "AES/GCM/NoPadding", "x-amz-tag-len": "128"}
    key = {"x-amz-key-v2": b64(wrapped), "x-amz-wrap-alg": wrapping, "x-amz-matdesc": json.dumps(said)}
    return content, key, AESGCM(DATA_KEY).encrypt(iv, plaintext, None)


def padded(plaintext):
    padder = padding.PKCS7(128).padder()
    return padder.update(plaintext) + padder.finalize()


def encrypted(key, mode, plaintext):
    encryptor = Cipher(algorithms.AES(key), mode).encryptor()
    return encryptor.update(padded(plaintext)) + encryptor.finalize()


def cbc(plaintext, key):
    iv = os.urandom(16)
    return {"x-amz-iv": b64(iv), **key}, encrypted(DATA_KEY, modes.CBC(iv), plaintext)


def by_aes(name):
    iv = os.urandom(12)
    return iv + AESGCM(WRAPPING_KEY).encrypt(iv, DATA_KEY, name)


def by_rsa(name):
    oaep = rsa_padding.OAEP(rsa_padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    return RSA_KEY.public_key().encrypt(bytes([len(DATA_KEY)]) + DATA_KEY + name, oaep)


cases = []


def case(title, keyring, suite, plaintext, metadata, body, context=None, legacy=False, instruction=None):
    said = {} if context is None else context
    made = {"title": title, "keyring": keyring, "suite": suite, "legacy": legacy, "context": said}
    made |= {"metadata": metadata, "instruction": instruction, "body": body.hex()}
    cases.append(made | {"plaintext": plaintext.hex()})


for plaintext in [b"", b"hello, object", bytes(range(256)) * 5]:
    metadata, body = by_the_client(plaintext, CONTEXT)
    case(f"client V3, {len(plaintext)} bytes", "kms", "115", plaintext, metadata, body, CONTEXT)
    metadata, body = by_the_client(plaintext, CONTEXT, **V2)
    case(f"client V2, {len(plaintext)} bytes", "kms", "gcm", plaintext, metadata, body, CONTEXT)

text = b"the plan"
for keyring, number, name, wrap in [("aes", "02", "AES/GCM", by_aes), ("rsa", "22", "RSA-OAEP-SHA1", by_rsa)]:
    said = {"x-amz-m": json.dumps({"key": "first"})}
    content, key, body = v3(text, number, wrap(b"115"), said)
    case(f"{name} V3", keyring, "115", text, content | key, body)
    case(f"{name} V3, instruction file", keyring, "115", text, content, body, instruction=json.dumps(key))
    content, key, body = v2(text, name, wrap(b"AES/GCM/NoPadding"), {})
    case(f"{name} V2", keyring, "gcm", text, content | key, body)
    whole = json.dumps(content | key | {"x-amz-tag-len": 128})
    case(f"{name} V2, instruction file", keyring, "gcm", text, {}, body, instruction=whole)

kms = {"x-amz-key-v2": b64(b"wrapped"), "x-amz-wrap-alg": "kms", "x-amz-matdesc": '{"kms_cmk_id":"key"}'}
content, key, body = v2(text, "kms", b"wrapped", {"kms_cmk_id": "key"})
case("kms V2", "kms", "gcm", text, content | key, body, legacy=True)
metadata, body = cbc(text, kms | {"x-amz-cek-alg": "AES/CBC/PKCS5Padding"})
case("kms V2, CBC", "kms", "cbc", text, metadata, body, legacy=True)
wrapped = keywrap.aes_key_wrap(WRAPPING_KEY, DATA_KEY)
metadata, body = cbc(b"x" * 64, {"x-amz-key-v2": b64(wrapped), "x-amz-wrap-alg": "AESWrap", "x-amz-matdesc": "{}",
                                 "x-amz-cek-alg": "AES/CBC/PKCS5Padding"})
case("AESWrap V2, CBC", "aes", "cbc", b"x" * 64, metadata, body, legacy=True)
wrapped = encrypted(WRAPPING_KEY, modes.ECB(), DATA_KEY)
metadata, body = cbc(text, {"x-amz-key": b64(wrapped), "x-amz-matdesc": "{}", "x-amz-unencrypted-content-length": "8"})
case("AES V1, CBC", "aes", "cbc", text, metadata, body, legacy=True)

private = RSA_KEY.private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
top = {"data_key": DATA_KEY.hex(), "wrapped": b"wrapped".hex(), "aes_key": WRAPPING_KEY.hex(), "rsa_key": private.hex()}
print(json.dumps(top | {"objects": cases}, indent=1))
