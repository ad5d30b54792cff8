"""boto3 against `AWS_ENDPOINT_URL`: what a newcomer does, and what the SDK makes of refusals."""

import json
import socket
import urllib.request

import identities
import pytest
from botocore.exceptions import ClientError
from client import Client
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def aws(server, service="kms", account="111122223333", region="eu-west-1"):
    return identities.signed(server, service, account, "any", region=region)


@pytest.fixture
def kms(server):
    return aws(server)


@pytest.fixture
def key_id(kms):
    return kms.create_key(Description="made by boto3")["KeyMetadata"]["KeyId"]


def refused(kms, code, operation, status=400, **arguments):
    with pytest.raises(ClientError) as caught:
        getattr(kms, operation)(**arguments)
    answer = caught.value.response
    assert answer["Error"]["Code"] == code, answer
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-errortype"] == code and headers["x-amzn-requestid"]
    return answer["Error"]["Message"]


def test_a_whole_life(kms, key_id):
    alias = f"alias/boto/{key_id}"
    kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    context = {"a": "1", "b": "2"}
    made = kms.generate_data_key(KeyId=alias, KeySpec="AES_256", EncryptionContext=context)
    assert made["KeyId"] == f"arn:aws:kms:eu-west-1:111122223333:key/{key_id}"
    sealed = AESGCM(made["Plaintext"]).encrypt(bytes(12), b"a document", None)
    kms.rotate_key_on_demand(KeyId=key_id)
    opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=context)
    assert AESGCM(opened["Plaintext"]).decrypt(bytes(12), sealed, None) == b"a document"
    box = kms.encrypt(KeyId=key_id, Plaintext=b"small")
    moved = kms.re_encrypt(CiphertextBlob=box["CiphertextBlob"], DestinationKeyId=alias)
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == b"small"
    blind = kms.generate_data_key_without_plaintext(KeyId=key_id, NumberOfBytes=24)
    assert len(kms.decrypt(CiphertextBlob=blind["CiphertextBlob"])["Plaintext"]) == 24
    assert len(kms.generate_random(NumberOfBytes=48)["Plaintext"]) == 48
    kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "t", "TagValue": "v"}])
    assert kms.list_resource_tags(KeyId=key_id)["Tags"] == [{"TagKey": "t", "TagValue": "v"}]
    kms.untag_resource(KeyId=key_id, TagKeys=["t"])
    kms.update_key_description(KeyId=key_id, Description="described")
    assert kms.describe_key(KeyId=alias)["KeyMetadata"]["Description"] == "described"
    kms.disable_key(KeyId=key_id)
    refused(kms, "DisabledException", "encrypt", KeyId=key_id, Plaintext=b"x")
    kms.enable_key(KeyId=key_id)
    date = kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)["DeletionDate"]
    metadata = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert (metadata["KeyState"], metadata["DeletionDate"]) == ("PendingDeletion", date)
    assert (date - metadata["CreationDate"]).days in (6, 7)
    refused(kms, "KMSInvalidStateException", "encrypt", KeyId=key_id, Plaintext=b"x")
    assert kms.cancel_key_deletion(KeyId=key_id)["KeyId"].endswith(key_id)
    kms.delete_alias(AliasName=alias)


def test_rotation_is_scheduled_and_listed(kms, key_id):
    assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is False
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=180)
    status = kms.get_key_rotation_status(KeyId=key_id)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 180)
    created = kms.describe_key(KeyId=key_id)["KeyMetadata"]["CreationDate"]
    assert (status["NextRotationDate"] - created).days == 180
    kms.rotate_key_on_demand(KeyId=key_id)
    kms.rotate_key_on_demand(KeyId=key_id)
    pages = kms.get_paginator("list_key_rotations").paginate(
        KeyId=key_id, PaginationConfig={"PageSize": 1}
    )
    found = [rotation for page in pages for rotation in page["Rotations"]]
    assert [rotation["RotationType"] for rotation in found] == ["ON_DEMAND", "ON_DEMAND"]
    everything = kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    states = [rotation["KeyMaterialState"] for rotation in everything["Rotations"]]
    assert states == ["NON_CURRENT", "NON_CURRENT", "CURRENT"]
    kms.disable_key_rotation(KeyId=key_id)
    assert "NextRotationDate" not in kms.get_key_rotation_status(KeyId=key_id)
    for days in (89, 2561):
        refused(kms, "ValidationException", "enable_key_rotation",
                KeyId=key_id, RotationPeriodInDays=days)


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_codes_are_made_and_verified(kms, bits):
    spec, algorithm = f"HMAC_{bits}", f"HMAC_SHA_{bits}"
    made = kms.create_key(KeySpec=spec, KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
    assert made["MacAlgorithms"] == [algorithm] and "EncryptionAlgorithms" not in made
    key_id, use = made["KeyId"], {"KeyId": made["KeyId"], "MacAlgorithm": algorithm}
    code = kms.generate_mac(Message=b"message", **use)["Mac"]
    assert len(code) * 8 == bits
    assert kms.generate_mac(Message=b"message", **use)["Mac"] == code
    assert kms.verify_mac(Message=b"message", Mac=code, **use)["MacValid"] is True
    for message, mac in [(b"another", code), (b"message", code[:-1]), (b"message", code[::-1])]:
        refused(kms, "KMSInvalidMacException", "verify_mac", Message=message, Mac=mac, **use)
    other = "HMAC_SHA_256" if bits != 256 else "HMAC_SHA_512"
    refused(kms, "InvalidKeyUsageException", "generate_mac",
            KeyId=key_id, MacAlgorithm=other, Message=b"x")
    refused(kms, "InvalidKeyUsageException", "encrypt", KeyId=key_id, Plaintext=b"x")
    refused(kms, "InvalidKeyUsageException", "generate_data_key", KeyId=key_id, KeySpec="AES_256")
    refused(kms, "UnsupportedOperationException", "rotate_key_on_demand", KeyId=key_id)
    refused(kms, "UnsupportedOperationException", "enable_key_rotation", KeyId=key_id)
    symmetric = kms.create_key()["KeyMetadata"]["KeyId"]
    message = refused(kms, "InvalidKeyUsageException", "generate_mac",
                      KeyId=symmetric, MacAlgorithm=algorithm, Message=b"x")
    assert message.endswith("key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.")
    for wrong in (b"", b"x" * 4097):
        refused(kms, "ValidationException", "generate_mac", Message=wrong, **use)
    kms.disable_key(KeyId=key_id)
    refused(kms, "DisabledException", "verify_mac", Message=b"message", Mac=code, **use)


HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


@pytest.mark.parametrize(
    "spec",
    ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1",
     "RSA_2048", "RSA_3072", "RSA_4096"],
)
def test_signatures_verify_here_and_outside(kms, spec):
    made = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    key_id = made["KeyId"]
    found = kms.get_public_key(KeyId=key_id)
    assert found["SigningAlgorithms"] == made["SigningAlgorithms"]
    public = serialization.load_der_public_key(found["PublicKey"])
    for algorithm in found["SigningAlgorithms"]:
        hash = HASHES[algorithm[-3:]]
        hasher = hashes.Hash(hash)
        hasher.update(b"message")
        digest = hasher.finalize()
        use = {"KeyId": key_id, "SigningAlgorithm": algorithm}
        for kind, message in [("RAW", b"message"), ("DIGEST", digest)]:
            signature = kms.sign(Message=message, MessageType=kind, **use)["Signature"]
            if spec.startswith("ECC"):
                public.verify(signature, b"message", ec.ECDSA(hash))
            elif "PSS" in algorithm:
                pss = padding.PSS(padding.MGF1(hash), hash.digest_size)
                public.verify(signature, b"message", pss, hash)
            else:
                public.verify(signature, b"message", padding.PKCS1v15(), hash)
            assert kms.verify(Message=b"message", Signature=signature, **use)["SignatureValid"]
            refused(kms, "KMSInvalidSignatureException", "verify",
                    Message=b"another", Signature=signature, **use)
        refused(kms, "ValidationException", "sign", Message=b"x", MessageType="DIGEST", **use)
    other = "RSASSA_PSS_SHA_256" if spec.startswith("ECC") else "ECDSA_SHA_256"
    refused(kms, "InvalidKeyUsageException", "sign",
            KeyId=key_id, SigningAlgorithm=other, Message=b"x")
    refused(kms, "InvalidKeyUsageException", "encrypt", KeyId=key_id, Plaintext=b"x")
    kms.disable_key(KeyId=key_id)
    refused(kms, "DisabledException", "get_public_key", KeyId=key_id)


@pytest.mark.parametrize(
    "spec",
    ["ECC_NIST_P256", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "RSA_2048", "ML_KEM_768",
     "ML_KEM_1024"],
)
def test_data_key_pairs_fit_together_outside(kms, key_id, spec):
    use = {"KeyId": key_id, "KeyPairSpec": spec, "EncryptionContext": {"a": "b"}}
    made = kms.generate_data_key_pair(**use)
    private = serialization.load_der_private_key(made["PrivateKeyPlaintext"], None)
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert public == made["PublicKey"]
    blind = kms.generate_data_key_pair_without_plaintext(**use)
    assert "PrivateKeyPlaintext" not in blind
    for pair in (made, blind):
        blob = pair["PrivateKeyCiphertextBlob"]
        opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"]
        serialization.load_der_private_key(opened, None)
        refused(kms, "InvalidCiphertextException", "decrypt", CiphertextBlob=blob)
    assert opened != made["PrivateKeyPlaintext"]
    for wrong, code in [("SM2", "UnsupportedOperationException"), ("RSA_1", "ValidationException")]:
        refused(kms, code, "generate_data_key_pair", KeyId=key_id, KeyPairSpec=wrong)
    kms.disable_key(KeyId=key_id)
    refused(kms, "DisabledException", "generate_data_key_pair", **use)


def test_key_pairs_that_are_not_made_say_why(kms):
    refused(kms, "ValidationException", "create_key", KeySpec="RSA_2048")
    refused(kms, "ValidationException", "create_key",
            KeySpec="ECC_SECG_P256K1", KeyUsage="KEY_AGREEMENT")
    symmetric = kms.create_key()["KeyMetadata"]["KeyId"]
    refused(kms, "UnsupportedOperationException", "get_public_key", KeyId=symmetric)


def test_paginators_find_everything_once(kms):
    made = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(7)}
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 3})
    found = [key["KeyId"] for page in pages for key in page["Keys"]]
    assert made <= set(found) and len(found) == len(set(found))
    for number, key in enumerate(sorted(made)):
        kms.create_alias(AliasName=f"alias/page/{number}", TargetKeyId=key)
    pages = kms.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 2})
    names = [alias["AliasName"] for page in pages for alias in page["Aliases"]]
    assert [name for name in names if name.startswith("alias/page/")] == [
        f"alias/page/{number}" for number in range(7)
    ]


def test_refusals_carry_awss_names(kms, key_id):
    missing = "00000000-0000-4000-8000-000000000000"
    for code, operation, arguments in [
        ("NotFoundException", "describe_key", {"KeyId": missing}),
        ("InvalidArnException", "describe_key", {"KeyId": "arn:aws:s3:::bucket"}),
        ("InvalidCiphertextException", "decrypt", {"CiphertextBlob": b"foreign"}),
        ("ValidationException", "generate_data_key", {"KeyId": key_id}),
        ("ValidationException", "encrypt", {"KeyId": key_id, "Plaintext": b"x" * 4097}),
        ("InvalidGrantTokenException", "encrypt",
         {"KeyId": key_id, "Plaintext": b"x", "GrantTokens": ["x"]}),
        ("InvalidMarkerException", "list_keys", {"Marker": "other"}),
        ("TagException", "tag_resource",
         {"KeyId": key_id, "Tags": [{"TagKey": "aws:x", "TagValue": ""}]}),
        ("SerializationException", "describe_key", {"KeyId": ["not", "text"]}),
        ("UnsupportedOperationException", "generate_data_key",
         {"KeyId": key_id, "KeySpec": "AES_256", "Recipient": {"AttestationDocument": b"x"}}),
        ("UnsupportedOperationException", "create_custom_key_store", {"CustomKeyStoreName": "x"}),
    ]:
        assert refused(kms, code, operation, **arguments)
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    refused(kms, "IncorrectKeyException", "decrypt", CiphertextBlob=blob, KeyId=other)


def test_a_dry_run_says_what_would_happen_and_does_nothing(kms, key_id):
    arguments = {"KeyId": key_id, "KeySpec": "AES_256", "DryRun": True}
    refused(kms, "DryRunOperationException", "generate_data_key", status=412, **arguments)
    kms.disable_key(KeyId=key_id)
    refused(kms, "DisabledException", "generate_data_key", **arguments)


def test_a_dry_run_needs_no_ciphertext_when_told_to_ignore_it(server, kms, key_id):
    asked = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    refused(kms, "DryRunOperationException", "decrypt", status=412, KeyId=key_id, **asked)
    refused(kms, "DryRunOperationException", "re_encrypt", status=412,
            SourceKeyId=key_id, DestinationKeyId=key_id, **asked)
    refused(kms, "ValidationException", "decrypt", **asked)
    refused(kms, "ValidationException", "decrypt", KeyId=key_id)
    arn = kms.describe_key(KeyId=key_id)["KeyMetadata"]["Arn"]
    stranger = aws(server, account="444455556666")
    refused(stranger, "AccessDeniedException", "decrypt", KeyId=arn, **asked)
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    ignored = kms.decrypt(CiphertextBlob=blob, DryRunModifiers=["IGNORE_CIPHERTEXT"])
    assert ignored["Plaintext"] == b"x"
    hmac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
    refused(kms, "InvalidKeyUsageException", "decrypt", KeyId=hmac["KeyId"], **asked)


def test_no_other_accounts_share_keys(kms, key_id):
    own = kms.list_keys()["Keys"]
    assert kms.list_keys(ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM", "SELF"])["Keys"] == own
    shared = kms.list_keys(ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM"])
    assert (shared["Keys"], shared["Truncated"]) == ([], False)
    marker = kms.list_keys(Limit=1)["NextMarker"]
    refused(kms, "InvalidMarkerException", "list_keys",
            Marker=marker, ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM"])


def test_accounts_and_regions_come_from_the_signature(server, kms, key_id):
    assert key_id not in str(aws(server, region="us-west-2").list_keys()["Keys"])
    stranger = aws(server, account="444455556666")
    message = refused(
        stranger,
        "AccessDeniedException",
        "describe_key",
        KeyId=f"arn:aws:kms:eu-west-1:111122223333:key/{key_id}",
    )
    assert "arn:aws:iam::444455556666:root is not authorized to perform: kms:DescribeKey" in message


def test_sts_says_who_one_is(server):
    identity = aws(server, "sts").get_caller_identity()
    assert identity["Account"] == "111122223333"
    assert identity["Arn"] == "arn:aws:iam::111122223333:root"
    with pytest.raises(ClientError) as caught:
        aws(server, "sts").get_web_identity_token(Audience=["a"], SigningAlgorithm="RS256")
    assert caught.value.response["Error"]["Code"] == "InvalidAction"


def test_where_nobody_is_known_any_role_can_be_played(server):
    """Its session may whatever a key's policy lets it, so that policies which name roles can be tried."""
    role = "arn:aws:iam::111122223333:role/app"
    keys = aws(server, "sts").assume_role(RoleArn=role, RoleSessionName="one")["Credentials"]
    session = identities.aws(server, None, keys=keys)
    root = aws(server)
    key = root.create_key()["KeyMetadata"]["KeyId"]
    assert session.encrypt(KeyId=key, Plaintext=b"x")
    policy = json.dumps({"Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": {"AWS": role}, "Action": "kms:Encrypt", "Resource": "*"},
    ]})
    root.put_key_policy(KeyId=key, Policy=policy)
    refused(session, "AccessDeniedException", "encrypt", KeyId=key, Plaintext=b"x")
    assert root.encrypt(KeyId=key, Plaintext=b"x")


def post(server, body, target="TrentService.ListKeys", **headers):
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1", **headers}
    request = urllib.request.Request(f"http://{server.address}/", body, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read()), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), error.headers


SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=111122223333/20261124/eu-west-1/kms/aws4_request,"
    " SignedHeaders=host, Signature=00"
}
JSON_1_0 = {**SIGNED, "Content-Type": "application/x-amz-json-1.0"}
FORM = {**SIGNED, "Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "body,headers,status,code",
    [
        (b"{}", {}, 400, "MissingAuthenticationTokenException"),
        (b"{}", {"Authorization": "AWS4-HMAC-SHA256 x"}, 400, "IncompleteSignatureException"),
        (b'{"Limit":', SIGNED, 400, "SerializationException"),
        (b"[]", SIGNED, 400, "SerializationException"),
        (b"\xff\xfe", SIGNED, 400, "SerializationException"),
        (b"[" * 100_000, SIGNED, 400, "SerializationException"),
        (b'{"Limit": "many"}', SIGNED, 400, "SerializationException"),
        (b" " * (2 << 20), SIGNED, 413, "RequestTooLargeException"),
        (b" " * (10 << 20), SIGNED, 413, "RequestTooLargeException"),
        (b"{}", JSON_1_0, 404, "UnknownOperationException"),
        (b"Action=ListKeys", FORM, 404, "UnknownOperationException"),
    ],
)
def test_requests_that_no_sdk_sends(server, body, headers, status, code):
    answer = post(server, body, **headers)
    assert (answer[0], answer[1]["__type"]) == (status, code)
    log = Client(server.address)
    log.last = {"x-audit-log-index": answer[2]["x-audit-log-index"]}
    record = log.record()
    assert (record.error_code, record.operation) == (code, "ListKeys")
    assert post(server, b"{}", **SIGNED)[0] == 200


@pytest.mark.parametrize(
    "length,body",
    [
        ("Transfer-Encoding: chunked", b"2\r\n{}\r\nnone\r\n"),
        ("Transfer-Encoding: chunked", b"2\r\n{}\r\n"),
        ("Content-Length: 3", b"{}"),
    ],
)
def test_a_body_that_is_broken_off_is_not_called_too_large(server, length, body):
    lines = ["POST / HTTP/1.1", f"Host: {server.address}", "X-Amz-Target: TrentService.ListKeys",
             "Content-Type: application/x-amz-json-1.1",
             f"Authorization: {SIGNED['Authorization']}", length, "", ""]
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as stream:
        stream.sendall("\r\n".join(lines).encode() + body)
        stream.shutdown(socket.SHUT_WR)
        answer = stream.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ") and b"SerializationException" in answer


def test_content_types_are_read_in_any_case(server):
    kind = {"Content-Type": "Application/X-Amz-Json-1.1; charset=utf-8"}
    assert post(server, b"{}", **SIGNED, **kind)[0] == 200
    request = urllib.request.Request(
        f"http://{server.address}/", b"Action=GetCallerIdentity",
        {**SIGNED, "Content-Type": "Application/X-WWW-Form-Urlencoded"},
    )
    with urllib.request.urlopen(request) as answer:
        assert b"<Account>111122223333</Account>" in answer.read()


def test_of_a_member_that_is_there_twice_the_last_counts(server):
    status, found, headers = post(server, b'{"Limit": 0, "Limit": 1}', **SIGNED)
    assert status == 200 and len(found["Keys"]) <= 1
    assert "no-store" in headers["cache-control"]
    assert post(server, b'{"Limit": 1, "Limit": 0}', **SIGNED)[1]["__type"] == "ValidationException"


def test_answers_name_the_material_and_the_trail_the_last_use(kms, key_id):
    arn = kms.describe_key(KeyId=key_id)["KeyMetadata"]["Arn"]
    unused = kms.get_key_last_usage(KeyId=key_id)
    assert unused["KeyLastUsage"] == {} and unused["KeyId"] == arn
    first = kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"]
    blob = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    assert blob["KeyMaterialId"] == first
    kms.rotate_key_on_demand(KeyId=key_id)
    second = kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert second != first
    assert kms.decrypt(CiphertextBlob=blob["CiphertextBlob"])["KeyMaterialId"] == first
    moved = kms.re_encrypt(CiphertextBlob=blob["CiphertextBlob"], DestinationKeyId=key_id)
    assert moved["SourceKeyMaterialId"] == first and moved["DestinationKeyMaterialId"] == second
    used = kms.encrypt(KeyId=key_id, Plaintext=b"x")
    refused(kms, "ValidationException", "encrypt", KeyId=key_id)
    last = kms.get_key_last_usage(KeyId=key_id)
    assert last["KeyLastUsage"]["Operation"] == "Encrypt"
    assert last["KeyLastUsage"]["KmsRequestId"] == used["ResponseMetadata"]["RequestId"]
    assert last["TrackingStartDate"] == last["KeyCreationDate"] < last["KeyLastUsage"]["Timestamp"]


def test_managed_keys_are_made_when_they_are_named_and_cannot_be_changed(server):
    fresh = aws(server, account="999900001111")
    predefined = [f"alias/aws/{service}" for service in ("ebs", "rds", "redshift", "s3")]
    aliases = fresh.list_aliases()["Aliases"]
    assert [alias["AliasName"] for alias in aliases] == predefined
    assert not any("TargetKeyId" in alias for alias in aliases)
    # Only S3 may use it, for whoever may use S3.
    refused(fresh, "AccessDeniedException", "generate_data_key", KeyId="alias/aws/s3", KeySpec="AES_256")
    key = fresh.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert key["KeyManager"] == "AWS"
    assert "my S3 objects" in key["Description"]
    assert fresh.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
    for operation, arguments in [
        ("schedule_key_deletion", {}),
        ("disable_key", {}),
        ("disable_key_rotation", {}),
        ("update_key_description", {"Description": "mine"}),
        ("put_key_policy", {"Policy": fresh.get_key_policy(KeyId=key["KeyId"])["Policy"]}),
        ("tag_resource", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
    ]:
        refused(fresh, "AccessDeniedException", operation, KeyId=key["KeyId"], **arguments)
    aliases = {alias["AliasName"]: alias for alias in fresh.list_aliases()["Aliases"]}
    assert list(aliases) == predefined and aliases["alias/aws/s3"]["TargetKeyId"] == key["KeyId"]
    pages = fresh.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 1})
    assert [alias["AliasName"] for page in pages for alias in page["Aliases"]] == predefined
    other = fresh.describe_key(KeyId="alias/aws/ssm")["KeyMetadata"]["KeyId"]
    assert other != key["KeyId"]
    refused(fresh, "NotFoundException", "describe_key", KeyId="alias/aws/nothing")
