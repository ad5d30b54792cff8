"""Every operation of S3's register by everybody: who may, what the others are told, and that it changed nothing."""

import json
import re
from pathlib import Path

import boto3
import pytest
from botocore import UNSIGNED, xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from client import Client
from identities import ACCOUNT, EVERYTHING, OTHER, known, mint, prove, role, trust, user
from s3 import REGION, client, make_bucket, unused
from test_s3_policies import allow, of, put_policy
from test_tls import Secure

REGISTER = Path(__file__).parents[2] / "src/service/s3/operations.rs"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/gone"
NO_S3 = {"Sid": "NoS3", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}
ONLY_S3 = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
OURS = user("banned", [EVERYTHING, NO_S3]) + user("keyless", [ONLY_S3]) + role("gone", trust(ACCOUNT))
THEIRS = user("guest", [EVERYTHING]) + user("stranger", [])
# Whom the bucket's policy names.
NAMED = [
    f"arn:aws:iam::{ACCOUNT}:user/silent", f"arn:aws:iam::{ACCOUNT}:user/banned",
    f"arn:aws:iam::{OTHER}:root", f"arn:aws:iam::{OTHER}:user/guest", f"arn:aws:iam::{OTHER}:user/stranger",
]
DENIED = ("AccessDenied", 403)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = known(tmp_path_factory.mktemp("matrix"), OURS, start=Secure, others=THEIRS)
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def people(server):
    ended = mint(server, id="ASIAENDED", arn=ROLE, name="late",
                 began="2026-01-01T00:00:00Z", ends="2026-01-01T01:00:00Z")
    keys = ended["AccessKeyId"], ended["SecretAccessKey"], ended["SessionToken"]
    names = ("allowed", "banned", "silent", "keyless", "guest", "stranger")
    return {
        **{name: of(server, name) for name in names},
        "root": of(server, ACCOUNT),
        "other": of(server, OTHER),
        "expired": client(server, "s3", *keys, verify=server.authority),
        "anonymous": boto3.client(
            "s3", endpoint_url=f"https://{server.address.replace('127.0.0.1', 'localhost')}",
            region_name=REGION, verify=server.authority,
            config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0},
                          s3={"addressing_style": "path"})),
    }


class World:
    """What operations are done to, made by the root of `ACCOUNT`."""

    def __init__(self, server):
        self.server, self.root = server, of(server, ACCOUNT)
        self.log = Client(server.address, [("authorization", f"Bearer {prove(ACCOUNT)[2]}")])
        everybody = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
        kms = of(server, ACCOUNT, "kms")
        self.key = kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]
        self.owned_key = kms.create_key()["KeyMetadata"]["Arn"]
        self.files = Path(server.authority).parents[1] / "objects"

    def bucket(self):
        return {"Bucket": make_bucket(self.root, "matrix")}

    def set_up(self, **setting):
        """A bucket in which everything is set."""
        made, root = self.bucket(), self.root
        for name, value in SETTINGS.items():
            getattr(root, f"put_{name}")(**made, **value)
        put_policy(root, made["Bucket"], allow("s3:GetObject", principal={"AWS": OTHER}, resource="*"))
        return {**made, **setting}

    def object(self, **asked):
        at = {**self.bucket(), "Key": "k"}
        self.root.put_object(**at, Body=b"x", Tagging="a=1", **asked)
        return at

    def upload(self):
        at = self.object()
        return {**at, "UploadId": self.root.create_multipart_upload(**at)["UploadId"]}

    def parts(self):
        at = self.upload()
        part = self.root.upload_part(**at, PartNumber=1, Body=b"part")
        return {**at, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}

    def copy(self):
        at = self.object()
        return {**at, "Key": "copy", "CopySource": at}

    def state(self, bucket):
        """All that there is of a bucket, and every file of bytes."""
        at, found = {"Bucket": bucket}, {}
        for name in READS:
            try:
                answer = getattr(self.root, name)(**at)
            except ClientError as error:
                answer = error.response["Error"]["Code"]
            else:
                del answer["ResponseMetadata"]
            found[name] = answer
        for upload in found["list_multipart_uploads"].get("Uploads", []):
            named = {**at, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            found[upload["UploadId"]] = self.root.list_parts(**named).get("Parts")
        for version in found["list_object_versions"].get("Versions", []):
            named = {**at, "Key": version["Key"]}
            head = self.root.head_object(**named)
            del head["ResponseMetadata"]
            found[version["Key"]] = head, self.root.get_object_tagging(**named)["TagSet"]
        return found, sorted(path for path in self.files.rglob("*") if path.is_file())


SETTINGS = {
    "bucket_cors": {"CORSConfiguration": {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}},
    "bucket_encryption": {"ServerSideEncryptionConfiguration": {"Rules": [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}},
    "bucket_lifecycle_configuration": {"LifecycleConfiguration": {"Rules": [
        {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "p"}, "Expiration": {"Days": 1}}]}},
    "bucket_ownership_controls": {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
    "bucket_tagging": {"Tagging": {"TagSet": [{"Key": "a", "Value": "1"}]}},
    "bucket_versioning": {"VersioningConfiguration": {"Status": "Enabled"}},
    "public_access_block": {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}},
}
READS = [*(f"get_{name}" for name in SETTINGS), "get_bucket_policy", "list_object_versions", "list_multipart_uploads"]
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "s3:GetObject", "Resource": "*"}]})


def put(name):
    return lambda world: {**world.bucket(), **SETTINGS[name]}


# What each operation is asked, by everybody alike; made anew for each who may.
ASKED = {
    "AbortMultipartUpload": World.upload,
    "CompleteMultipartUpload": World.parts,
    "CopyObject": World.copy,
    "CreateBucket": None,
    "CreateMultipartUpload": World.object,
    "DeleteBucket": World.bucket,
    "DeleteBucketCors": World.set_up,
    "DeleteBucketEncryption": World.set_up,
    "DeleteBucketLifecycle": World.set_up,
    "DeleteBucketOwnershipControls": World.set_up,
    "DeleteBucketPolicy": World.set_up,
    "DeleteBucketTagging": World.set_up,
    "DeleteObject": World.object,
    "DeletePublicAccessBlock": World.set_up,
    "GetBucketAccelerateConfiguration": World.bucket,
    "GetBucketAcl": World.bucket,
    "GetBucketCors": World.set_up,
    "GetBucketEncryption": World.set_up,
    "GetBucketLifecycleConfiguration": World.set_up,
    "GetBucketLocation": World.set_up,
    "GetBucketLogging": World.bucket,
    "GetBucketNotificationConfiguration": World.bucket,
    "GetBucketOwnershipControls": World.set_up,
    "GetBucketPolicy": World.set_up,
    "GetBucketPolicyStatus": World.set_up,
    "GetBucketReplication": World.bucket,
    "GetBucketRequestPayment": World.bucket,
    "GetBucketTagging": World.set_up,
    "GetBucketVersioning": World.set_up,
    "GetBucketWebsite": World.bucket,
    "GetObject": World.object,
    "GetObjectAcl": World.object,
    "GetObjectAttributes": lambda world: {**world.object(), "ObjectAttributes": ["ETag"]},
    "GetObjectLockConfiguration": World.bucket,
    "GetObjectTagging": World.object,
    "GetPublicAccessBlock": World.set_up,
    "HeadBucket": World.bucket,
    "HeadObject": World.object,
    "ListBuckets": None,
    "ListMultipartUploads": World.bucket,
    "ListObjectVersions": World.bucket,
    "ListObjects": World.bucket,
    "ListParts": World.upload,
    "PutBucketAcl": lambda world: {**world.bucket(), "ACL": "private"},
    "PutBucketCors": put("bucket_cors"),
    "PutBucketEncryption": put("bucket_encryption"),
    "PutBucketLifecycleConfiguration": put("bucket_lifecycle_configuration"),
    "PutBucketOwnershipControls": put("bucket_ownership_controls"),
    "PutBucketPolicy": lambda world: {**world.bucket(), "Policy": POLICY},
    "PutBucketTagging": put("bucket_tagging"),
    "PutBucketVersioning": put("bucket_versioning"),
    "PutObject": lambda world: {**world.object(), "Body": b"new"},
    "PutObjectAcl": lambda world: {**world.object(), "ACL": "private"},
    "PutObjectTagging": lambda world: {**world.object(), "Tagging": {"TagSet": [{"Key": "b", "Value": "2"}]}},
    "PutPublicAccessBlock": put("public_access_block"),
    "UpdateObjectEncryption": lambda world: {
        **world.object(), "ObjectEncryption": {"SSEKMS": {"KMSKeyArn": world.key}}},
    "UploadPart": lambda world: {**world.upload(), "PartNumber": 1, "Body": b"part"},
}
# Operations on the caller's own account, of which no bucket's policy says anything.
OWN = {operation for operation, asked in ASKED.items() if asked is None}
# Whoever may is answered that it is not set.
NOT_SET = {
    "GetBucketReplication": ("ReplicationConfigurationNotFoundError", 404),
    "GetBucketWebsite": ("NoSuchWebsiteConfiguration", 404),
    "GetObjectLockConfiguration": ("ObjectLockConfigurationNotFoundError", 404),
}
# Of the bucket's account alone, whatever its policy says (API reference).
OWNERS = {"DeleteBucketPolicy", "GetBucketPolicy", "PutBucketPolicy"}


@pytest.fixture(scope="module")
def world(server):
    return World(server)


def ask(caller, operation, asked):
    """None, or the error's name and status, and the index of its record."""
    try:
        getattr(caller, xform_name(operation))(**asked)
    except ClientError as error:
        said = error.response["ResponseMetadata"]
        index = said["HTTPHeaders"]["x-audit-log-index"]
        return (error.response["Error"]["Code"], said["HTTPStatusCode"]), int(index)
    return None


def may(caller, operation, asked):
    """Whether somebody is let in."""
    found = ask(caller, operation, asked)
    return found is None or found[0] == NOT_SET.get(operation)


def bare(operation, refusal):
    """An answer to HEAD has no document."""
    code, status = refusal
    return (str(status), status) if operation.startswith("Head") else (code, status)


class Checked:
    """One operation and those who are refused it."""

    def __init__(self, world, people, operation, asked):
        self.world, self.people, self.operation, self.asked = world, people, operation, asked
        self.before = world.state(asked["Bucket"])

    def refused(self, who, refusal=DENIED):
        found = ask(self.people[who], self.operation, self.asked)
        assert found, (self.operation, who, "was answered")
        assert found[0] == bare(self.operation, refusal), (self.operation, who, found)
        [record] = self.world.log.call("Audit.Query", limit=1, start_index=found[1], end_index=found[1] + 1).records
        event = json.loads(record.entry)
        assert (event["operation"], event["outcome"], event["error_code"]) == (
            self.operation, "failed" if refusal[1] == 405 else "refused", refusal[0]), (self.operation, who, event)

    def changed_nothing(self):
        assert self.world.state(self.asked["Bucket"]) == self.before, self.operation


@pytest.mark.parametrize("operation", sorted(set(ASKED) - OWN))
def test_everybody(world, people, operation):
    def fresh(*statements):
        asked = ASKED[operation](world)
        if statements:
            put_policy(world.root, asked["Bucket"], *statements)
        return asked

    checked = Checked(world, people, operation, fresh())
    for who in ("banned", "silent", "other", "guest", "stranger", "anonymous"):
        checked.refused(who)
    checked.refused("expired", ("ExpiredToken", 400))
    checked.changed_nothing()
    for who in ("root", "allowed"):
        assert may(people[who], operation, fresh()), (operation, who)

    named = allow("s3:*", principal={"AWS": NAMED})
    checked = Checked(world, people, operation, fresh(named))
    for who in ("banned", "stranger", "anonymous"):
        checked.refused(who)
    checked.refused("expired", ("ExpiredToken", 400))
    guests = ("other", "guest")
    if operation in OWNERS:
        for who in guests:
            checked.refused(who, ("MethodNotAllowed", 405))
    checked.changed_nothing()
    for who in ("silent", *(() if operation in OWNERS else guests)):
        assert may(people[who], operation, fresh(named)), (operation, who)

    nobody = allow("s3:*", effect="Deny", principal={"AWS": [f"arn:aws:iam::{ACCOUNT}:user/allowed"]})
    checked = Checked(world, people, operation, fresh(allow("s3:*"), nobody))
    checked.refused("allowed")
    checked.refused("banned")
    checked.changed_nothing()


ALONE = sorted(set(ASKED) - OWN)


@pytest.mark.parametrize("operation", ALONE)
def test_nobody_in_particular(world, people, operation):
    """Whom a bucket's policy lets in who says nothing of who it is."""
    asked = ASKED[operation](world)
    put_policy(world.root, asked["Bucket"], allow("s3:*"))
    if operation in OWNERS:
        Checked(world, people, operation, asked).refused("anonymous", ("MethodNotAllowed", 405))
    elif operation == "UpdateObjectEncryption":
        code, _ = ask(people["anonymous"], operation, asked)
        assert code == ("InvalidArgument", 400)  # a KMS key asks for a signature
    else:
        assert may(people["anonymous"], operation, asked), operation


@pytest.mark.parametrize("operation", sorted(OWN))
def test_ones_own_account(world, people, operation):
    def asked():
        return {} if operation == "ListBuckets" else {
            "Bucket": unused(), "CreateBucketConfiguration": {"LocationConstraint": REGION}}

    for who in ("banned", "silent", "stranger", "anonymous", "expired"):
        request = asked()
        refusal = ("ExpiredToken", 400) if who == "expired" else DENIED
        found = ask(people[who], operation, request)
        assert found and found[0] == refusal, (operation, who, found)
        if request:
            assert ask(people["root"], "HeadBucket", {"Bucket": request["Bucket"]})[0] == ("404", 404)
    for who in ("root", "allowed", "other", "guest"):
        assert ask(people[who], operation, asked()) is None, (operation, who)


def test_the_matrix_has_every_operation_of_the_register():
    register = re.findall(r"^    (\w+) => \w+,\s+(?:reads|writes) \"s3:", REGISTER.read_text(), re.MULTILINE)
    assert len(register) > 40 and set(ASKED) == set(register)


# With SSE-KMS, the caller has to be let in by the key, too: what it lacks, and where.
KMS = {
    "CompleteMultipartUpload": ("kms:Decrypt", lambda world: kms_parts(world)),
    "CopyObject": ("kms:Decrypt", lambda world: {**kms_object(world), "Key": "copy"}),
    "CreateMultipartUpload": ("kms:GenerateDataKey", lambda world: {**world.object(), **kms(world)}),
    "GetObject": ("kms:Decrypt", lambda world: kms_object(world)),
    "PutObject": ("kms:GenerateDataKey", lambda world: {**world.object(), "Body": b"y", **kms(world)}),
    "UpdateObjectEncryption": ("kms:GenerateDataKey", lambda world: {
        **world.object(), "ObjectEncryption": {"SSEKMS": {"KMSKeyArn": world.owned_key}}}),
    "UploadPart": ("kms:Decrypt", lambda world: {**kms_upload(world), "PartNumber": 1, "Body": b"part"}),
}


def kms(world):
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": world.owned_key}


def kms_object(world):
    return world.object(**kms(world))


def kms_upload(world):
    at = world.object()
    return {**at, "UploadId": world.root.create_multipart_upload(**at, **kms(world))["UploadId"]}


def kms_parts(world):
    at = kms_upload(world)
    part = world.root.upload_part(**at, PartNumber=1, Body=b"part")
    return {**at, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}


@pytest.mark.parametrize("operation", sorted(KMS))
def test_the_key_has_to_let_one_in_too(world, people, operation):
    action, make = KMS[operation]
    asked = make(world)
    if operation == "CopyObject":
        asked["CopySource"] = {**asked, "Key": "k"}
    put_policy(world.root, asked["Bucket"], allow("s3:*", principal={"AWS": NAMED}))
    checked = Checked(world, people, operation, asked)
    for who in ("keyless", "silent", "guest"):  # by identity, by the bucket, of another account
        checked.refused(who)
    with pytest.raises(ClientError, match=f"not authorized to perform: {action}"):
        getattr(people["keyless"], xform_name(operation))(**asked)
    checked.changed_nothing()
    assert ask(people["root"], operation, asked) is None
