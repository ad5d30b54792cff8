"""One script over gRPC and over JSON: the same answers, refusals and audit leaves."""

import base64
import json
import re
from datetime import datetime

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from client import Client, Refused, as_dict
from test_boto3 import aws

GRANTEE = "arn:aws:iam::222233334444:root"
POLICY = json.dumps({"Statement": [{
    "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}]})
CONTEXT = {"a": "b"}

# Service of gRPC, operation, and arguments by JSON's names, or a function that has them of earlier
# answers. A word before `=` keeps the answer under that name.
LIFE = [
    ("key=Keys.CreateKey", {"Description": "d", "Tags": [{"TagKey": "t", "TagValue": "v"}]}),
    ("Keys.CreateKey", {"KeySpec": "RSA_2048"}),
    ("pair=Keys.CreateKey", {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}),
    ("mac_key=Keys.CreateKey", {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}),
    ("agreed=Keys.CreateKey", {"KeySpec": "ECC_NIST_P384", "KeyUsage": "KEY_AGREEMENT"}),
    ("outside=Keys.CreateKey", {"Origin": "EXTERNAL", "MultiRegion": True}),
    ("many=Keys.CreateKey", {"MultiRegion": True}),
    ("Keys.DescribeKey", lambda w: {"KeyId": w.id("key")}),
    ("Keys.DescribeKey", {"KeyId": "alias/none"}),
    ("Keys.DescribeKey", {}),
    ("Keys.ListKeys", {"Limit": 1000}),
    ("Keys.ListKeys", {"Marker": "no marker"}),
    ("Keys.CreateAlias", lambda w: {"AliasName": "alias/one", "TargetKeyId": w.id("key")}),
    ("Keys.CreateAlias", lambda w: {"AliasName": "alias/one", "TargetKeyId": w.id("key")}),
    ("Keys.CreateAlias", lambda w: {"AliasName": "one", "TargetKeyId": w.id("key")}),
    ("Keys.UpdateAlias", lambda w: {"AliasName": "alias/one", "TargetKeyId": w.id("many")}),
    ("Keys.UpdateAlias", lambda w: {"AliasName": "alias/one", "TargetKeyId": w.id("key")}),
    ("Keys.ListAliases", lambda w: {"KeyId": w.id("key")}),
    ("DataKeys.GenerateDataKey", {"KeyId": "alias/one", "KeySpec": "AES_256"}),
    ("DataKeys.GenerateDataKey", {"KeyId": "alias/one", "NumberOfBytes": 0}),
    ("DataKeys.GenerateDataKeyWithoutPlaintext", {"KeyId": "alias/one", "NumberOfBytes": 9}),
    ("DataKeys.GenerateDataKeyPair", {"KeyId": "alias/one", "KeyPairSpec": "ECC_NIST_P256"}),
    ("DataKeys.GenerateDataKeyPairWithoutPlaintext",
     {"KeyId": "alias/one", "KeyPairSpec": "ECC_NIST_P256"}),
    ("box=DataKeys.Encrypt",
     {"KeyId": "alias/one", "Plaintext": b"x", "EncryptionContext": CONTEXT}),
    ("DataKeys.Decrypt", lambda w: {"CiphertextBlob": w.blob("box"), "EncryptionContext": CONTEXT}),
    ("DataKeys.Decrypt", lambda w: {"CiphertextBlob": w.blob("box")}),
    ("DataKeys.ReEncrypt", lambda w: {
        "CiphertextBlob": w.blob("box"), "SourceEncryptionContext": CONTEXT,
        "DestinationKeyId": w.id("many")}),
    ("DataKeys.GenerateRandom", {"NumberOfBytes": 5}),
    ("Keys.GetPublicKey", lambda w: {"KeyId": w.id("pair")}),
    ("Keys.GetPublicKey", lambda w: {"KeyId": w.id("key")}),
    ("signed=DataKeys.Sign", lambda w: {
        "KeyId": w.id("pair"), "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}),
    ("DataKeys.Verify", lambda w: {
        "KeyId": w.id("pair"), "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256",
        "Signature": w.bytes("signed", "Signature")}),
    ("DataKeys.Verify", lambda w: {
        "KeyId": w.id("pair"), "Message": b"n", "SigningAlgorithm": "ECDSA_SHA_256",
        "Signature": w.bytes("signed", "Signature")}),
    ("code=DataKeys.GenerateMac",
     lambda w: {"KeyId": w.id("mac_key"), "Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}),
    ("DataKeys.VerifyMac", lambda w: {
        "KeyId": w.id("mac_key"), "Message": b"m", "MacAlgorithm": "HMAC_SHA_256",
        "Mac": w.bytes("code", "Mac")}),
    ("peer=Keys.GetPublicKey", lambda w: {"KeyId": w.id("agreed")}),
    ("DataKeys.DeriveSharedSecret", lambda w: {
        "KeyId": w.id("agreed"), "KeyAgreementAlgorithm": "ECDH",
        "PublicKey": w.bytes("peer", "PublicKey")}),
    ("DataKeys.Encapsulate", lambda w: {"KeyId": w.id("key")}),
    ("Keys.GetParametersForImport", lambda w: {
        "KeyId": w.id("outside"), "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
        "WrappingKeySpec": "RSA_2048"}),
    ("Keys.DeleteImportedKeyMaterial", lambda w: {"KeyId": w.id("outside")}),
    ("Keys.EnableKeyRotation", lambda w: {"KeyId": w.id("key"), "RotationPeriodInDays": 100}),
    ("Keys.GetKeyRotationStatus", lambda w: {"KeyId": w.id("key")}),
    ("Keys.DisableKeyRotation", lambda w: {"KeyId": w.id("key")}),
    ("Keys.RotateKeyOnDemand", lambda w: {"KeyId": w.id("key")}),
    ("Keys.ListKeyRotations", lambda w: {"KeyId": w.id("key")}),
    ("Keys.GetKeyLastUsage", lambda w: {"KeyId": w.id("key")}),
    ("Keys.ReplicateKey", lambda w: {"KeyId": w.id("many"), "ReplicaRegion": "us-west-2"}),
    ("Keys.ReplicateKey", lambda w: {"KeyId": w.id("many"), "ReplicaRegion": "us-west-2"}),
    ("Keys.UpdatePrimaryRegion", lambda w: {"KeyId": w.id("many"), "PrimaryRegion": "us-west-2"}),
    ("Access.GetKeyPolicy", lambda w: {"KeyId": w.id("key")}),
    ("Access.PutKeyPolicy", lambda w: {"KeyId": w.id("key"), "Policy": "no JSON"}),
    ("Access.PutKeyPolicy", lambda w: {"KeyId": w.id("pair"), "Policy": POLICY}),
    ("Access.ListKeyPolicies", lambda w: {"KeyId": w.id("key")}),
    ("grant=Access.CreateGrant", lambda w: {
        "KeyId": w.id("key"), "GranteePrincipal": GRANTEE, "Operations": ["Encrypt", "Decrypt"],
        "Constraints": {"EncryptionContextSubset": CONTEXT}, "Name": "n"}),
    ("Access.CreateGrant", lambda w: {
        "KeyId": w.id("key"), "GranteePrincipal": GRANTEE, "Operations": ["Sing"]}),
    ("Access.ListGrants", lambda w: {"KeyId": w.id("key")}),
    ("Access.ListRetirableGrants", {"RetiringPrincipal": GRANTEE}),
    ("Access.RetireGrant",
     lambda w: {"KeyId": w.arn("key"), "GrantId": w.kept["grant"]["GrantId"]}),
    ("Access.RevokeGrant",
     lambda w: {"KeyId": w.id("key"), "GrantId": w.kept["grant"]["GrantId"]}),
    ("Keys.TagResource",
     lambda w: {"KeyId": w.id("key"), "Tags": [{"TagKey": "u", "TagValue": "w"}]}),
    ("Keys.ListResourceTags", lambda w: {"KeyId": w.id("key")}),
    ("Keys.UntagResource", lambda w: {"KeyId": w.id("key"), "TagKeys": ["t", "u"]}),
    ("Keys.UpdateKeyDescription", lambda w: {"KeyId": w.id("key"), "Description": "new"}),
    ("Keys.DisableKey", lambda w: {"KeyId": w.id("key")}),
    ("DataKeys.Encrypt", lambda w: {"KeyId": w.id("key"), "Plaintext": b"x"}),
    ("Keys.EnableKey", lambda w: {"KeyId": w.id("key")}),
    ("Keys.ScheduleKeyDeletion", lambda w: {"KeyId": w.id("key"), "PendingWindowInDays": 6}),
    ("Keys.ScheduleKeyDeletion", lambda w: {"KeyId": w.id("key"), "PendingWindowInDays": 7}),
    ("Keys.CancelKeyDeletion", lambda w: {"KeyId": w.id("key")}),
    ("Keys.DeleteAlias", {"AliasName": "alias/one"}),
]
REGION = "eu-west-1"

# Fresh at every call: only their length can be the same.
FRESH = {
    "CiphertextBlob", "Mac", "Plaintext", "PrivateKeyCiphertextBlob", "PrivateKeyPlaintext",
    "PublicKey", "SharedSecret",
}
# Instants, ids, and what has no one length.
VARYING = {
    "CreationDate", "DeletionDate", "GrantToken", "ImportToken", "LastUpdatedDate",
    "NextRotationDate", "OnDemandRotationStartDate", "ParametersValidTo", "RequestId",
    "RotationDate", "Signature", "Time",
}
# The doors' own words for the same.
RENAMED = {
    "EncryptionAlgorithms": "Algorithms", "SigningAlgorithms": "Algorithms",
    "KeyAgreementAlgorithms": "Algorithms", "MacAlgorithms": "Algorithms",
    "KeyCreationDate": "CreationDate", "KeyLastUsage": "LastUsage", "KmsRequestId": "RequestId",
    "Timestamp": "Time",
}
# Versions are ours, and gRPC's alone; JSON has what AWS says twice, or of others than KMS.
ONE_DOOR = {
    "Current", "CurrentKeyMaterialId", "CurrentKeyVersion", "KeyVersion", "SourceKeyVersion",
    "CloudTrailEventId", "CustomerMasterKeySpec", "DestinationKeyMaterialId", "KeyMaterialId",
    "KeyOrigin", "MultiRegion", "SourceKeyMaterialId", "TrackingStartDate",
}


class Grpc:
    account = "555500000001"

    def __init__(self, server):
        metadata = [("authorization", f"Bearer {self.account}"), ("x-strongroom-region", REGION)]
        self.client = Client(server.address, metadata)

    def call(self, name, arguments):
        try:
            return pascal(as_dict(self.client.call(name, **snake(arguments))))
        except Refused as error:
            return {"refused": error.reason, "message": error.message}


class Json:
    account = "555500000002"

    def __init__(self, server):
        self.client = aws(server, account=self.account, region=REGION)

    def call(self, name, arguments):
        try:
            answer = getattr(self.client, xform_name(name.split(".")[1]))(**arguments)
        except ClientError as error:
            error = error.response["Error"]
            return {"refused": error["Code"], "message": error["Message"]}
        del answer["ResponseMetadata"]
        return plain(answer)


def snake(value):
    """Arguments as messages have them."""
    if isinstance(value, dict):
        keep = value is CONTEXT
        return {name if keep else xform_name(name): snake(inner) for name, inner in value.items()}
    return [snake(inner) for inner in value] if isinstance(value, list) else value


def pascal(value):
    if isinstance(value, dict):
        if value == CONTEXT:
            return value
        special = {"aws_account_id": "AWSAccountId"}
        return {
            special.get(name, "".join(word.title() for word in name.split("_"))): pascal(inner)
            for name, inner in value.items()
        }
    return [pascal(inner) for inner in value] if isinstance(value, list) else value


def plain(value):
    """What boto3 parsed, as protobuf's JSON form has it."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, datetime) else value


class World:
    """One door, what its calls answered, and its keys in the order in which they were made."""

    def __init__(self, door):
        self.door, self.kept = door, {}

    def id(self, name):
        return self.kept[name]["KeyMetadata"]["KeyId"]

    def arn(self, name):
        return self.kept[name]["KeyMetadata"]["Arn"]

    def bytes(self, name, member):
        return base64.b64decode(self.kept[name][member])

    def blob(self, name):
        return self.bytes(name, "CiphertextBlob")

    def masked(self, value):
        """Without what has to differ: the account, ids, instants, fresh bytes."""
        text = json.dumps(value).replace(self.door.account, "ACCOUNT")
        for number, made in enumerate(self.made):
            text = text.replace(made, f"KEY{number}")
        return json.loads(re.sub(r"[0-9a-f]{64}", "ID", text), object_hook=mask)

    def live(self):
        self.made, answers = [], []
        for name, arguments in LIFE:
            keep, _, name = name.rpartition("=")
            arguments = arguments(self) if callable(arguments) else arguments
            answer = self.door.call(name, arguments)
            if keep:
                self.kept[keep] = answer
            if "KeyMetadata" in answer:
                self.made.append(answer["KeyMetadata"]["KeyId"])
            answers.append((name, answer))
        return [(name, self.masked(answer)) for name, answer in answers]


def mask(members):
    """Members with a value, in words that both doors have; what is fresh by its length."""
    found = {}
    for name, value in members.items():
        name = RENAMED.get(name, name)
        if name in FRESH:
            value = len(value)
        elif name in VARYING:
            value = "there"
        elif name == "Keys":
            value = sorted(value, key=lambda key: key["KeyId"])
        if name not in ONE_DOOR and value not in (None, "", False, 0, [], {}):
            found[name] = value
    return found


def leaves(log, start, world):
    for record in log.call("Audit.Query", start_index=start, order=2, limit=1000).records:
        entry = json.loads(record.entry)
        for name in ("time", "request_id", "door", "user_agent", "access_key_id"):
            entry.pop(name, None)
        yield world.masked(entry)


@pytest.fixture(scope="module")
def lives(server):
    found = []
    for door in (Grpc(server), Json(server)):
        log = Client(server.address, [("authorization", f"Bearer {door.account}")])
        start = log.call("Audit.GetCheckpoint").log_size + 1
        world = World(door)
        answers = world.live()
        found.append((answers, list(leaves(log, start, world))))
    return found


def test_answers_and_refusals_are_the_same(lives):
    (over_grpc, _), (over_json, _) = lives
    for one, two in zip(over_grpc, over_json, strict=True):
        assert one == two


def test_leaves_are_the_same(lives):
    (_, over_grpc), (_, over_json) = lives
    for one, two in zip(over_grpc, over_json, strict=True):
        assert one == two
    assert len(over_grpc) == len(LIFE)
