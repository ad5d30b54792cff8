"""Bad input: a clear error, an audit record, nothing lost."""

import json
import uuid

import grpc
import pytest
from client import Client, Refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
MISSING = "00000000-0000-4000-8000-000000000000"
ARN = "arn:aws:kms:us-east-1:000000000000:key/"


def refused(client, reason, code, name, recorded=True, **arguments):
    """Calls, and checks the refusal in every place where it shows."""
    with pytest.raises(Refused) as caught:
        client.call(name, **arguments)
    error = caught.value
    assert (error.reason, error.code, error.domain) == (reason, code, "strongroom"), error
    assert error.message
    if recorded:
        assert error.info["request_id"] == error.metadata["x-request-id"]
        entry = json.loads(client.record().entry)
        assert entry["request_id"] == error.info["request_id"]
        assert (entry["error_code"], entry["operation"]) == (reason, name.split(".")[1])
        assert entry["outcome"] in ("failed", "refused")
    return error


@pytest.fixture
def blob(client, key):
    made = client.call("DataKeys.WrapDataKey", key_id=key, plaintext=b"k" * 32)
    return made.ciphertext_blob


@pytest.mark.parametrize(
    "name,reason,code",
    [
        (MISSING, "NotFoundException", grpc.StatusCode.NOT_FOUND),
        (ARN + MISSING, "NotFoundException", grpc.StatusCode.NOT_FOUND),
        ("alias/none", "NotFoundException", grpc.StatusCode.NOT_FOUND),
        ("not-an-id", "NotFoundException", grpc.StatusCode.NOT_FOUND),
        ("arn:aws:s3:::bucket", "InvalidArnException", INVALID),
        ("arn:aws:kms:us-east-1:12:key/x", "InvalidArnException", INVALID),
        ("alias/with space", "NotFoundException", grpc.StatusCode.NOT_FOUND),
        ("", "ValidationException", INVALID),
        ("x" * 2049, "ValidationException", INVALID),
    ],
)
def test_names_of_no_key(client, name, reason, code):
    refused(client, reason, code, "Keys.DescribeKey", key_id=name)
    if reason == "InvalidArnException":  # not listed by AWS for the use of keys
        reason, code = "NotFoundException", grpc.StatusCode.NOT_FOUND
    refused(client, reason, code, "DataKeys.GenerateDataKey", key_id=name, key_spec="AES_256")


def test_wrong_usage_and_spec(client, key):
    refused(client, "ValidationException", INVALID, "Keys.CreateKey", key_usage="SIGN_VERIFY")
    refused(client, "ValidationException", INVALID, "Keys.CreateKey", key_spec="RSA_1")
    unsupported = ("UnsupportedOperationException", grpc.StatusCode.UNIMPLEMENTED)
    refused(client, *unsupported, "Keys.CreateKey", key_spec="SM2", key_usage="SIGN_VERIFY")
    refused(
        client,
        "InvalidKeyUsageException",
        INVALID,
        "DataKeys.Encrypt",
        key_id=key,
        plaintext=b"x",
        encryption_algorithm="RSAES_OAEP_SHA_256",
    )


def test_a_key_in_the_wrong_state(client, key, blob):
    failed = grpc.StatusCode.FAILED_PRECONDITION
    client.call("Keys.DisableKey", key_id=key)
    uses = [
        ("DataKeys.GenerateDataKey", {"key_id": key, "key_spec": "AES_256"}),
        ("DataKeys.UnwrapDataKey", {"ciphertext_blob": blob}),
        ("DataKeys.Encrypt", {"key_id": key, "plaintext": b"x"}),
    ]
    for name, fields in uses:
        error = refused(client, "DisabledException", failed, name, **fields)
        assert key in error.message and error.message.endswith("is disabled.")
    client.call("Keys.EnableKey", key_id=key)
    client.call("Keys.ScheduleKeyDeletion", key_id=key, pending_window_in_days=7)
    for name, fields in [*uses, ("Keys.EnableKey", {"key_id": key})]:
        error = refused(client, "KMSInvalidStateException", failed, name, **fields)
        assert error.message.endswith("is pending deletion.")
    client.call("Keys.CancelKeyDeletion", key_id=key)
    client.call("Keys.EnableKey", key_id=key)
    assert client.call("DataKeys.UnwrapDataKey", ciphertext_blob=blob).plaintext == b"k" * 32


def test_whatever_is_wrong_with_a_ciphertext_is_one_error(client, key, blob):
    foreign = bytearray(blob)
    foreign[1] ^= 1  # another key id
    cases = [bytes(foreign), blob[:-1], blob + b"\0", b"foreign", b"\0" * 85, blob[:40]]
    for place in (0, 20, 30, 50, len(blob) - 1):
        altered = bytearray(blob)
        altered[place] ^= 1
        cases.append(bytes(altered))
    messages = set()
    for case in cases:
        error = refused(
            client, "InvalidCiphertextException", INVALID, "DataKeys.Decrypt", ciphertext_blob=case
        )
        messages.add(error.message)
    for context in ({"a": "b"}, {"x": ""}):
        error = refused(
            client,
            "InvalidCiphertextException",
            INVALID,
            "DataKeys.Decrypt",
            ciphertext_blob=blob,
            encryption_context=context,
        )
        messages.add(error.message)
    assert len(messages) == 1
    other = client.call("Keys.CreateKey").key_metadata.key_id
    refused(
        client,
        "IncorrectKeyException",
        INVALID,
        "DataKeys.Decrypt",
        ciphertext_blob=blob,
        key_id=other,
    )


@pytest.mark.parametrize(
    "name,fields",
    [
        ("DataKeys.GenerateDataKey", {}),
        ("DataKeys.GenerateDataKey", {"key_spec": "AES_256", "number_of_bytes": 32}),
        ("DataKeys.GenerateDataKey", {"key_spec": "AES_192"}),
        ("DataKeys.GenerateDataKey", {"number_of_bytes": 0}),
        ("DataKeys.GenerateDataKey", {"number_of_bytes": 1025}),
        ("DataKeys.GenerateDataKey", {"number_of_bytes": -1}),
        ("DataKeys.WrapDataKey", {"plaintext": b""}),
        ("DataKeys.WrapDataKey", {"plaintext": b"x" * 1025}),
        ("DataKeys.Encrypt", {"plaintext": b""}),
        ("DataKeys.Encrypt", {"plaintext": b"x" * 4097}),
        ("DataKeys.Encrypt", {"plaintext": b"x", "encryption_context": {"n": "v" * 8192}}),
        ("DataKeys.Encrypt", {"plaintext": b"x", "encryption_context": {"": "v"}}),
        ("Keys.ScheduleKeyDeletion", {"pending_window_in_days": 6}),
        ("Keys.ScheduleKeyDeletion", {"pending_window_in_days": 31}),
        ("Keys.UpdateKeyDescription", {"description": "x" * 8193}),
        ("Keys.ListResourceTags", {"limit": 51}),
    ],
)
def test_values_out_of_range(client, key, name, fields):
    refused(client, "ValidationException", INVALID, name, key_id=key, **fields)


def test_empty_requests(client):
    for name in ("Keys.DescribeKey", "DataKeys.GenerateDataKey", "DataKeys.Decrypt"):
        refused(client, "ValidationException", INVALID, name)
    refused(client, "ValidationException", INVALID, "Keys.CreateAlias")


def test_pages_of_another_list(client, key):
    client.call("Keys.CreateKey")
    marker = client.call("Keys.ListKeys", limit=1).next_marker
    for name, fields in [
        ("Keys.ListAliases", {}),
        ("Keys.ListResourceTags", {"key_id": key}),
        ("Keys.DescribeKeyVersions", {"key_id": key}),
    ]:
        refused(client, "InvalidMarkerException", INVALID, name, marker=marker, **fields)
    token = client.call("Audit.Query", limit=1).next_page_token
    refused(
        client,
        "ValidationException",
        INVALID,
        "Audit.Query",
        operation="Decrypt",
        page_token=token,
    )


def test_grant_tokens_that_nobody_made(client, key):
    refused(
        client,
        "InvalidGrantTokenException",
        INVALID,
        "DataKeys.Encrypt",
        key_id=key,
        plaintext=b"x",
        grant_tokens=["token"],
    )


def test_requests_that_cannot_be_decoded_are_recorded(client):
    exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
    big = client.request("DataKeys.Encrypt", plaintext=b"x" * 70_000).SerializeToString()
    refused(client, "RequestTooLargeException", exhausted, "DataKeys.Encrypt", raw=big)
    refused(
        client, "SerializationException", INVALID, "DataKeys.Encrypt", raw=b"\xff\xff\xff\xff"
    )


def test_an_operation_that_does_not_exist_is_recorded(client):
    stub = client.channel.unary_unary("/strongroom.v1.Keys/MeltKey")
    with pytest.raises(grpc.RpcError) as caught:
        stub(b"")
    error = Refused(caught.value)
    assert error.reason == "UnknownOperationException"
    assert error.code == grpc.StatusCode.UNIMPLEMENTED
    client.last = error.metadata
    assert client.record().operation == "MeltKey"


def test_another_accounts_key_is_denied_as_one_that_is_not_there(server, client, key):
    stranger = Client(server.address, [("authorization", "Bearer 444455556666")])
    with pytest.raises(Refused) as caught:
        stranger.call("Keys.DescribeKey", key_id=ARN + key)
    error = caught.value
    assert (error.reason, error.code) == (
        "AccessDeniedException",
        grpc.StatusCode.PERMISSION_DENIED,
    )
    for part in ("arn:aws:iam::444455556666:root", "kms:DescribeKey"):
        assert part in error.message
    stranger.last = error.metadata
    assert stranger.record().outcome == "refused"
    # Whether it exists is not told: an absent one is refused in the same words.
    alias = ARN.replace("key/", "alias/none")
    for absent in (ARN + MISSING, alias):
        with pytest.raises(Refused) as caught:
            stranger.call("Keys.DescribeKey", key_id=absent)
        assert (caught.value.message, caught.value.code) == (error.message, error.code)


def test_credentials_and_regions_that_are_none(server):
    for value in ("Bearer with space", "Basic abc", "Bearer " + "x" * 129):
        nobody = Client(server.address, [("authorization", value)])
        with pytest.raises(Refused) as caught:
            nobody.call("Keys.ListKeys")
        assert caught.value.code == grpc.StatusCode.UNAUTHENTICATED
    lost = Client(server.address, [("x-strongroom-region", "Not A Region")])
    with pytest.raises(Refused) as caught:
        lost.call("Keys.ListKeys")
    assert caught.value.reason == "ValidationException"


def test_a_request_id_of_the_callers_own_is_kept(client):
    own = str(uuid.uuid4())
    client.call("Keys.ListKeys", metadata=[("x-request-id", own)])
    assert client.record().request_id == own
