"""The AWS Encryption SDK: messages of its own format under our keys."""

import os

import aws_encryption_sdk
import botocore.session
import pytest
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from aws_encryption_sdk.identifiers import CommitmentPolicy
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature
from test_boto3 import aws

CLIENT = aws_encryption_sdk.EncryptionSDKClient(
    commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
)
CONTEXT = {"purpose": "life"}


@pytest.fixture
def provider(server, monkeypatch):
    """A provider of master keys that calls our endpoint, for keys of an account."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server.address}")

    def of(*arns, account="111122223333"):
        session = botocore.session.Session()
        session.set_credentials(account, "any")
        return aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(
            key_ids=list(arns), botocore_session=session
        )

    return of


def test_what_is_encrypted_decrypts_with_its_key_and_context_alone(server, provider):
    kms = aws(server)
    arn, other = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    text = os.urandom(100_000)
    mine = provider(arn)
    sealed, header = CLIENT.encrypt(source=text, key_provider=mine, encryption_context=CONTEXT)
    assert text[:32] not in sealed and header.encryption_context["purpose"] == "life"
    kms.rotate_key_on_demand(KeyId=arn)
    opened, header = CLIENT.decrypt(source=sealed, key_provider=mine)
    assert opened == text and header.encryption_context["purpose"] == "life"

    with pytest.raises(AWSEncryptionSDKClientError):
        CLIENT.decrypt(source=sealed, key_provider=provider(other))
    changed = sealed.replace(b"life", b"lie!", 1)
    assert changed != sealed
    for bad in [changed, sealed[:-1] + bytes([sealed[-1] ^ 1])]:
        with pytest.raises((AWSEncryptionSDKClientError, InvalidSignature)):
            CLIENT.decrypt(source=bad, key_provider=mine)
    with pytest.raises(AWSEncryptionSDKClientError):
        CLIENT.decrypt(source=sealed, key_provider=provider(arn, account="222222222222"))

    kms.disable_key(KeyId=arn)
    with pytest.raises(AWSEncryptionSDKClientError):
        CLIENT.decrypt(source=sealed, key_provider=mine)
    with pytest.raises((AWSEncryptionSDKClientError, ClientError)):
        CLIENT.encrypt(source=text, key_provider=mine)


def test_several_keys_open_one_message(server, provider):
    kms = aws(server)
    arns = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(3)]
    sealed, _ = CLIENT.encrypt(source=b"text", key_provider=provider(*arns))
    for arn in arns:
        opened, _ = CLIENT.decrypt(source=sealed, key_provider=provider(arn))
        assert opened == b"text"
