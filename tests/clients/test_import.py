"""Key material from outside: every wrapping, expiry, removal, re-import, and rotation to new material."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes, hmac, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from test_boto3 import aws, refused

FOREVER = "KEY_MATERIAL_DOES_NOT_EXPIRE"


@pytest.fixture(scope="module")
def kms(server):
    return aws(server)


def make(kms, spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT"):
    made = kms.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    assert (made["KeyState"], made["Origin"], made["Enabled"]) == ("PendingImport", "EXTERNAL", False)
    assert "CurrentKeyMaterialId" not in made
    return made["KeyId"]


def wrapped(kms, key, material, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048"):
    """What ImportKeyMaterial takes."""
    asked = {"WrappingAlgorithm": algorithm, "WrappingKeySpec": spec}
    found = kms.get_parameters_for_import(KeyId=key, **asked)
    public = serialization.load_der_public_key(found["PublicKey"])
    assert f"RSA_{public.key_size}" == spec
    hours = (found["ParametersValidTo"] - datetime.now(UTC)) / timedelta(hours=1)
    assert 23.9 < hours <= 24
    kind = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()
    oaep = padding.OAEP(padding.MGF1(kind), kind, None)
    if algorithm.startswith("RSA_AES"):
        inner = os.urandom(32)
        sealed = public.encrypt(inner, oaep) + keywrap.aes_key_wrap_with_padding(inner, material)
    else:
        sealed = public.encrypt(material, oaep)
    return {"KeyId": key, "ImportToken": found["ImportToken"], "EncryptedKeyMaterial": sealed}


def take_in(kms, key, material, expires=None, **more):
    when = {"ValidTo": expires} if expires else {"ExpirationModel": FOREVER}
    return kms.import_key_material(**wrapped(kms, key, material), **when, **more)["KeyMaterialId"]


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
@pytest.mark.parametrize("family", ["RSAES_OAEP", "RSA_AES_KEY_WRAP"])
@pytest.mark.parametrize("hashed", ["SHA_1", "SHA_256"])
def test_both_families_of_wrapping(kms, spec, family, hashed):
    key = make(kms, "HMAC_256", "GENERATE_VERIFY_MAC")
    material = os.urandom(32)
    asked = wrapped(kms, key, material, f"{family}_{hashed}", spec)
    kms.import_key_material(ExpirationModel=FOREVER, **asked)
    made = kms.generate_mac(KeyId=key, Message=b"message", MacAlgorithm="HMAC_SHA_256")["Mac"]
    outside = hmac.HMAC(material, hashes.SHA256())
    outside.update(b"message")
    outside.verify(made)


def test_private_keys_come_in_too(kms):
    der, form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    curve = ec.generate_private_key(ec.SECP384R1())
    rsa_key = rsa.generate_private_key(65537, 2048)
    for private, spec, algorithm in [
        (curve, "ECC_NIST_P384", "ECDSA_SHA_384"),
        (rsa_key, "RSA_2048", "RSASSA_PSS_SHA_256"),
    ]:
        key = make(kms, spec, "SIGN_VERIFY")
        material = private.private_bytes(der, form, plain)
        asked = wrapped(kms, key, material, "RSA_AES_KEY_WRAP_SHA_256")
        kms.import_key_material(ExpirationModel=FOREVER, **asked)
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        public = private.public_key().public_bytes(der, info)
        assert kms.get_public_key(KeyId=key)["PublicKey"] == public
        asked = {"KeyId": key, "Message": b"x", "SigningAlgorithm": algorithm}
        assert kms.verify(Signature=kms.sign(**asked)["Signature"], **asked)["SignatureValid"]


def test_removal_and_return(kms):
    key, material = make(kms), os.urandom(32)
    refused(kms, "KMSInvalidStateException", "encrypt", KeyId=key, Plaintext=b"x")
    name = take_in(kms, key, material)
    found = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (found["KeyState"], found["ExpirationModel"]) == ("Enabled", FOREVER)
    assert found["CurrentKeyMaterialId"] == name
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms.delete_imported_key_material(KeyId=key)["KeyMaterialId"] == name
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    refused(kms, "KMSInvalidStateException", "decrypt", CiphertextBlob=blob)
    other = wrapped(kms, key, os.urandom(32))
    code = "IncorrectKeyMaterialException"
    refused(kms, code, "import_key_material", ExpirationModel=FOREVER, **other)
    assert take_in(kms, key, material) == name
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_key_that_waits_for_deletion(kms):
    key = make(kms)
    take_in(kms, key, os.urandom(32))
    kms.schedule_key_deletion(KeyId=key)
    asked = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    refused(kms, "KMSInvalidStateException", "get_parameters_for_import", KeyId=key, **asked)
    kms.put_key_policy(KeyId=key, Policy=kms.get_key_policy(KeyId=key)["Policy"])
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    kms.delete_imported_key_material(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"


def test_rotation_to_imported_material(kms):
    key, first, second = make(kms), os.urandom(32), os.urandom(32)
    one = take_in(kms, key, first)
    blob = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    refused(kms, "KMSInvalidStateException", "rotate_key_on_demand", KeyId=key)
    refused(kms, "UnsupportedOperationException", "enable_key_rotation", KeyId=key)
    more = {"ImportType": "NEW_KEY_MATERIAL", "KeyMaterialDescription": "second"}
    two = take_in(kms, key, second, datetime.now(UTC) + timedelta(days=30), **more)
    code = "IncorrectKeyMaterialException"
    again = {**wrapped(kms, key, first), "ExpirationModel": FOREVER}
    refused(kms, code, "import_key_material", ImportType="NEW_KEY_MATERIAL", **again)
    everything = {"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
    listed = kms.list_key_rotations(**everything)["Rotations"]
    assert [(entry["KeyMaterialId"], entry["KeyMaterialState"]) for entry in listed] == [
        (one, "CURRENT"),
        (two, "PENDING_ROTATION"),
    ]
    assert listed[1]["KeyMaterialDescription"] == "second"
    assert listed[1]["ExpirationModel"] == "KEY_MATERIAL_EXPIRES" and "ValidTo" in listed[1]
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"][17:21] == b"\0\0\0\1"
    kms.rotate_key_on_demand(KeyId=key)
    found = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert found["CurrentKeyMaterialId"] == two and found["ValidTo"] == listed[1]["ValidTo"]
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == one
    # Without any one of its materials the key is of no use.
    kms.delete_imported_key_material(KeyId=key, KeyMaterialId=one)
    refused(kms, "KMSInvalidStateException", "encrypt", KeyId=key, Plaintext=b"x")
    states = [entry["ImportState"] for entry in kms.list_key_rotations(**everything)["Rotations"]]
    assert states == ["PENDING_IMPORT", "IMPORTED"]
    take_in(kms, key, first, ImportType="EXISTING_KEY_MATERIAL", KeyMaterialId=one)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"old"


def test_imports_that_are_wrong(kms):
    key, other, material = make(kms), make(kms), os.urandom(32)
    good = {**wrapped(kms, key, material), "ExpirationModel": FOREVER}
    foreign = wrapped(kms, other, material)
    ask = "import_key_material"
    for token in [b"none", foreign["ImportToken"], good["ImportToken"][:-1]]:
        refused(kms, "InvalidImportTokenException", ask, **{**good, "ImportToken": token})
    for sealed in [foreign["EncryptedKeyMaterial"], good["EncryptedKeyMaterial"][:-1]]:
        wrong = {**good, "EncryptedKeyMaterial": sealed}
        refused(kms, "InvalidCiphertextException", ask, **wrong)
    short = {**wrapped(kms, key, material[1:]), "ExpirationModel": FOREVER}
    refused(kms, "IncorrectKeyMaterialException", ask, **short)
    now = datetime.now(UTC)
    for change in [
        {"ExpirationModel": "KEY_MATERIAL_EXPIRES"},
        {"ValidTo": now + timedelta(days=1)},
        {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": now - timedelta(seconds=1)},
        {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": now + timedelta(days=366)},
    ]:
        refused(kms, "ValidationException", ask, **{**good, **change})
    wrapping = {"WrappingAlgorithm": "RSAES_PKCS1_V1_5", "WrappingKeySpec": "RSA_2048"}
    code = "UnsupportedOperationException"
    refused(kms, code, "get_parameters_for_import", KeyId=key, **wrapping)
    own = kms.create_key()["KeyMetadata"]["KeyId"]
    wrapping["WrappingAlgorithm"] = "RSAES_OAEP_SHA_256"
    refused(kms, code, "get_parameters_for_import", KeyId=own, **wrapping)
    refused(kms, code, "delete_imported_key_material", KeyId=own)
    refused(kms, code, "create_key", Origin="AWS_CLOUDHSM", CustomKeyStoreId="cks-1")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    kms.import_key_material(**good)
