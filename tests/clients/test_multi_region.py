"""Multi-Region keys, as boto3 sees them in two regions."""

import pytest
from botocore.exceptions import ClientError

from client import Client
from test_boto3 import aws, refused

HOME, AWAY = "eu-west-1", "us-west-2"


@pytest.fixture
def home(server):
    return aws(server, region=HOME)


@pytest.fixture
def away(server):
    return aws(server, region=AWAY)


@pytest.fixture
def primary(home):
    return home.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]


def test_a_replica_opens_what_the_primary_sealed(home, away, primary):
    assert primary.startswith("mrk-") and len(primary) == 36
    blob = home.encrypt(KeyId=primary, Plaintext=b"x", EncryptionContext={"a": "b"})
    made = home.replicate_key(
        KeyId=primary, ReplicaRegion=AWAY, Description="away", Tags=[{"TagKey": "t", "TagValue": "v"}]
    )
    metadata = made["ReplicaKeyMetadata"]
    assert metadata["Arn"] == f"arn:aws:kms:{AWAY}:111122223333:key/{primary}"
    assert metadata["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA"
    assert made["ReplicaTags"] == [{"TagKey": "t", "TagValue": "v"}]
    assert "arn:aws:iam::111122223333:root" in made["ReplicaPolicy"]
    opened = away.decrypt(CiphertextBlob=blob["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x", metadata["Arn"])
    assert away.describe_key(KeyId=primary)["KeyMetadata"] == metadata
    shown = home.describe_key(KeyId=primary)["KeyMetadata"]["MultiRegionConfiguration"]
    assert shown["PrimaryKey"]["Region"] == HOME
    assert [key["Region"] for key in shown["ReplicaKeys"]] == [AWAY]
    home.rotate_key_on_demand(KeyId=primary)
    current = [
        kms.describe_key(KeyId=primary)["KeyMetadata"]["CurrentKeyMaterialId"] for kms in (home, away)
    ]
    assert current[0] == current[1] != metadata["CurrentKeyMaterialId"]


def test_a_signature_of_one_region_verifies_in_another(home, away):
    key = home.create_key(MultiRegion=True, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    key_id = key["KeyMetadata"]["KeyId"]
    home.replicate_key(KeyId=key_id, ReplicaRegion=AWAY)
    use = {"KeyId": key_id, "SigningAlgorithm": "ECDSA_SHA_256", "Message": b"m"}
    assert away.verify(Signature=home.sign(**use)["Signature"], **use)["SignatureValid"]
    assert home.get_public_key(KeyId=key_id)["PublicKey"] == away.get_public_key(KeyId=key_id)["PublicKey"]


def test_grants_and_policies_are_each_keys_own(server, home, away, primary):
    home.replicate_key(KeyId=primary, ReplicaRegion=AWAY)
    grantee = "arn:aws:iam::444455556666:root"
    home.create_grant(KeyId=primary, GranteePrincipal=grantee, Operations=["Encrypt"])
    assert away.list_grants(KeyId=primary)["Grants"] == []
    for region, allowed in [(HOME, True), (AWAY, False)]:
        stranger = aws(server, account="444455556666", region=region)
        arn = f"arn:aws:kms:{region}:111122223333:key/{primary}"
        if allowed:
            stranger.encrypt(KeyId=arn, Plaintext=b"x")
        else:
            refused(stranger, "AccessDeniedException", "encrypt", KeyId=arn, Plaintext=b"x")


def test_the_primary_moves_and_is_removed_last(server, home, away, primary):
    refused(home, "NotFoundException", "update_primary_region", KeyId=primary, PrimaryRegion=AWAY)
    home.replicate_key(KeyId=primary, ReplicaRegion=AWAY)
    refused(home, "AlreadyExistsException", "replicate_key", KeyId=primary, ReplicaRegion=AWAY)
    refused(away, "UnsupportedOperationException", "rotate_key_on_demand", KeyId=primary)
    home.update_primary_region(KeyId=primary, PrimaryRegion=AWAY)
    refused(home, "UnsupportedOperationException", "replicate_key",
            KeyId=primary, ReplicaRegion="ap-south-1")
    away.rotate_key_on_demand(KeyId=primary)
    done = away.schedule_key_deletion(KeyId=primary, PendingWindowInDays=9)
    assert (done["KeyState"], "DeletionDate" in done) == ("PendingReplicaDeletion", False)
    assert away.describe_key(KeyId=primary)["KeyMetadata"]["PendingDeletionWindowInDays"] == 9
    refused(away, "KMSInvalidStateException", "encrypt", KeyId=primary, Plaintext=b"x")
    assert home.schedule_key_deletion(KeyId=primary)["KeyState"] == "PendingDeletion"
    assert away.cancel_key_deletion(KeyId=primary)["KeyId"].endswith(primary)
    assert away.describe_key(KeyId=primary)["KeyMetadata"]["KeyState"] == "Disabled"


def test_what_replicas_refuse(home, primary):
    single = home.create_key()["KeyMetadata"]["KeyId"]
    refused(home, "UnsupportedOperationException", "replicate_key", KeyId=single, ReplicaRegion=AWAY)
    refused(home, "ValidationException", "replicate_key", KeyId=primary, ReplicaRegion=HOME)
    refused(home, "ValidationException", "replicate_key", KeyId=primary, ReplicaRegion="nowhere")
    for other in ["cn-north-1", "us-gov-west-1"]:  # another partition
        refused(home, "UnsupportedOperationException", "replicate_key", KeyId=primary, ReplicaRegion=other)
    refused(home, "MalformedPolicyDocumentException", "replicate_key",
            KeyId=primary, ReplicaRegion=AWAY, Policy="{}")
    refused(home, "TagException", "replicate_key", KeyId=primary, ReplicaRegion=AWAY,
            Tags=[{"TagKey": "aws:x", "TagValue": ""}])
    with pytest.raises(ClientError):
        home.replicate_key(KeyId="alias/none", ReplicaRegion=AWAY)


def test_both_doors_show_the_same_set(server, home, primary):
    metadata = [("authorization", "Bearer 111122223333"), ("x-strongroom-region", HOME)]
    grpc = Client(server.address, metadata)
    made = grpc.call("Keys.ReplicateKey", key_id=primary, replica_region=AWAY)
    assert made.replica_key_metadata.multi_region_configuration.multi_region_key_type == "REPLICA"
    grpc.call("Keys.UpdatePrimaryRegion", key_id=primary, primary_region=AWAY)
    shown = grpc.call("Keys.DescribeKey", key_id=primary).key_metadata.multi_region_configuration
    seen = home.describe_key(KeyId=primary)["KeyMetadata"]["MultiRegionConfiguration"]
    assert shown.multi_region_key_type == seen["MultiRegionKeyType"] == "REPLICA"
    assert shown.primary_key.arn == seen["PrimaryKey"]["Arn"]
    key = grpc.call("Keys.CreateKey", multi_region=True).key_metadata
    assert key.multi_region_configuration.multi_region_key_type == "PRIMARY"
