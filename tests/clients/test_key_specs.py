"""Every key spec in use: what comes out must hold with the public key alone, outside of the server."""

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from test_boto3 import aws, refused

CURVES = {"ECC_NIST_P256": 32, "ECC_NIST_P384": 48, "ECC_NIST_P521": 66}


@pytest.fixture(scope="module")
def kms(server):
    return aws(server)


def make(kms, spec, usage):
    made = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    assert (made["KeySpec"], made["KeyUsage"]) == (spec, usage)
    return made["KeyId"]


def public(kms, key):
    return serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])


@pytest.mark.parametrize("spec, longest", [("RSA_2048", 190), ("RSA_3072", 318)])
def test_rsa_encrypts_inside_and_outside(kms, spec, longest):
    key = make(kms, spec, "ENCRYPT_DECRYPT")
    outside = public(kms, key)
    for name, kind in [("SHA_1", hashes.SHA1()), ("SHA_256", hashes.SHA256())]:
        asked = {"KeyId": key, "EncryptionAlgorithm": f"RSAES_OAEP_{name}"}
        oaep = padding.OAEP(padding.MGF1(kind), kind, None)
        for blob in [
            kms.encrypt(Plaintext=b"x" * longest, **asked)["CiphertextBlob"],
            outside.encrypt(b"x" * longest, oaep),
        ]:
            answer = kms.decrypt(CiphertextBlob=blob, **asked)
            assert answer["Plaintext"] == b"x" * longest
            assert answer["EncryptionAlgorithm"] == asked["EncryptionAlgorithm"]
            refused(kms, "InvalidCiphertextException", "decrypt", CiphertextBlob=blob[:-1], **asked)
    refused(kms, "ValidationException", "encrypt", Plaintext=b"x" * (longest + 1), **asked)
    refused(
        kms, "ValidationException", "encrypt", Plaintext=b"x", EncryptionContext={"a": "b"}, **asked
    )
    refused(kms, "InvalidKeyUsageException", "encrypt", KeyId=key, Plaintext=b"x")
    refused(kms, "InvalidKeyUsageException", "generate_data_key", KeyId=key, KeySpec="AES_256")
    # Nothing in an RSA ciphertext says whose it is.
    del asked["KeyId"]
    refused(kms, "ValidationException", "decrypt", CiphertextBlob=blob, **asked)


def test_rsa_to_symmetric_without_leaving_the_service(kms):
    rsa = make(kms, "RSA_2048", "ENCRYPT_DECRYPT")
    aes = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=rsa, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    moved = kms.re_encrypt(
        CiphertextBlob=blob["CiphertextBlob"],
        SourceKeyId=rsa,
        SourceEncryptionAlgorithm="RSAES_OAEP_SHA_256",
        DestinationKeyId=aes,
        DestinationEncryptionContext={"a": "b"},
    )
    assert moved["SourceEncryptionAlgorithm"] == "RSAES_OAEP_SHA_256"
    assert moved["DestinationEncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert opened["Plaintext"] == b"x"


@pytest.mark.parametrize("spec", CURVES)
def test_ecdh_agrees_with_a_peer_outside(kms, spec):
    key = make(kms, spec, "KEY_AGREEMENT")
    outside = public(kms, key)
    peer = ec.generate_private_key(outside.curve)
    encoding, form = serialization.Encoding, serialization.PublicFormat
    der = peer.public_key().public_bytes(encoding.DER, form.SubjectPublicKeyInfo)
    asked = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH"}
    answer = kms.derive_shared_secret(PublicKey=der, **asked)
    assert answer["SharedSecret"] == peer.exchange(ec.ECDH(), outside)
    assert len(answer["SharedSecret"]) == CURVES[spec]
    foreign = ec.generate_private_key(ec.SECP256K1()).public_key()
    point = peer.public_key().public_bytes(encoding.X962, form.UncompressedPoint)
    for bad in [foreign.public_bytes(encoding.DER, form.SubjectPublicKeyInfo), point, der[:-1]]:
        refused(kms, "ValidationException", "derive_shared_secret", PublicKey=bad, **asked)
    message = {"Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}
    refused(kms, "InvalidKeyUsageException", "sign", KeyId=key, **message)


def test_ed25519_signs_messages_and_digests(kms):
    key = make(kms, "ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
    plain = {"KeyId": key, "SigningAlgorithm": "ED25519_SHA_512"}
    signature = kms.sign(Message=b"message", **plain)["Signature"]
    public(kms, key).verify(signature, b"message")
    with pytest.raises(InvalidSignature):
        public(kms, key).verify(signature, b"other")
    assert kms.verify(Message=b"message", Signature=signature, **plain)["SignatureValid"]
    digest = hashlib.sha512(b"message").digest()
    hashed = {"KeyId": key, "SigningAlgorithm": "ED25519_PH_SHA_512", "MessageType": "DIGEST"}
    signature = kms.sign(Message=digest, **hashed)["Signature"]
    assert kms.verify(Message=digest, Signature=signature, **hashed)["SignatureValid"]
    other = bytes(64)
    code = "KMSInvalidSignatureException"
    refused(kms, code, "verify", Message=other, Signature=signature, **hashed)
    refused(kms, "ValidationException", "sign", Message=digest, MessageType="DIGEST", **plain)
    hashed["MessageType"] = "RAW"
    refused(kms, "ValidationException", "sign", Message=digest, **hashed)


@pytest.mark.parametrize("size, length", [(44, 2420), (65, 3309), (87, 4627)])
def test_ml_dsa_signs_messages_and_external_mus(kms, size, length):
    key = make(kms, f"ML_DSA_{size}", "SIGN_VERIFY")
    outside = public(kms, key)
    asked = {"KeyId": key, "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    signature = kms.sign(Message=b"message", **asked)["Signature"]
    assert len(signature) == length
    outside.verify(signature, b"message")
    with pytest.raises(InvalidSignature):
        outside.verify(signature, b"other")
    # FIPS 204, algorithm 7: mu = H(H(public key, 64) || 0 || 0 || message, 64)
    hashed = hashlib.shake_256(outside.public_bytes_raw()).digest(64)
    mu = hashlib.shake_256(hashed + b"\0\0" + b"message").digest(64)
    signature = kms.sign(Message=mu, MessageType="EXTERNAL_MU", **asked)["Signature"]
    outside.verify(signature, b"message")
    assert kms.verify(Message=b"message", Signature=signature, **asked)["SignatureValid"]
    refused(kms, "ValidationException", "sign", Message=mu[:-1], MessageType="EXTERNAL_MU", **asked)


@pytest.mark.parametrize("size, length", [(512, 768), (768, 1088), (1024, 1568)])
def test_ml_kem_encapsulates_and_decapsulates(kms, size, length):
    key = make(kms, f"ML_KEM_{size}", "ENCAPSULATE_DECAPSULATE")
    asked = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}
    made = kms.encapsulate(**asked)
    blob = made["SharedSecretCiphertextBlob"]
    assert len(blob) == length and len(made["SharedSecret"]) == 32
    opened = kms.decapsulate(SharedSecretCiphertextBlob=blob, **asked)
    assert opened["SharedSecret"] == made["SharedSecret"]
    code = "InvalidCiphertextException"
    refused(kms, code, "decapsulate", SharedSecretCiphertextBlob=blob[1:], **asked)
    if size > 512:
        secret, blob = public(kms, key).encapsulate()
        opened = kms.decapsulate(SharedSecretCiphertextBlob=blob, **asked)
        assert opened["SharedSecret"] == secret


def test_sm2_is_refused_as_outside_of_china(kms):
    code = "UnsupportedOperationException"
    refused(kms, code, "create_key", KeySpec="SM2", KeyUsage="SIGN_VERIFY")


def test_every_violation_is_in_one_message(kms):
    with pytest.raises(kms.exceptions.ClientError) as caught:
        kms.sign(KeyId="k" * 2049, SigningAlgorithm="ROT13", MessageType="LOUD", Message=b"")
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert error["Message"].startswith("4 validation errors detected: Value 'kkk")
    for name in ["keyId", "signingAlgorithm", "messageType", "message"]:
        assert f"at '{name}' failed to satisfy constraint: Member must" in error["Message"]
