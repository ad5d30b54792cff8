"""Every operation of the register by everybody, over both doors: who may, and what the others are told."""

import json
import re
import urllib.error
import urllib.request
import uuid

import model_world
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from client import Refused
from google.protobuf.timestamp_pb2 import Timestamp
from identities import ACCOUNT, OTHER, REGION, aws, grpc, known, mint, role, trust
from model_world import LIFE
from test_parity import snake

ROLE = f"arn:aws:iam::{ACCOUNT}:role/gone"
GRANTEE = f"arn:aws:iam::{ACCOUNT}:user/silent"

# What a grant can allow (API reference, `CreateGrant`); ReEncrypt's two and RetireGrant are below.
GRANTED = [
    "CreateGrant", "Decapsulate", "Decrypt", "DeriveSharedSecret", "DescribeKey", "Encapsulate",
    "Encrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GetPublicKey", "Sign", "Verify", "VerifyMac",
]
# Where gRPC has the operations that AWS has.
SERVICES = ["Keys", "DataKeys", "Access"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = known(tmp_path_factory.mktemp("matrix"), role("gone", trust(ACCOUNT)))
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def world(server):
    with pytest.MonkeyPatch.context() as patch:
        root = lambda server, region=REGION: aws(server, ACCOUNT, region=region)
        patch.setattr(model_world, "aws", root)
        yield model_world.World(server)


@pytest.fixture(scope="module")
def people(server):
    """By name: what each calls with, over JSON and over gRPC."""
    ended = mint(server, id="ASIAENDED", arn=ROLE, name="late",
                 began="2026-01-01T00:00:00Z", ends="2026-01-01T01:00:00Z")
    people = {
        name: (Json(aws(server, who)), Grpc(grpc(server, who)))
        for name, who in {
            "root": ACCOUNT, "allowed": "allowed", "denied": "forbidden", "silent": "silent",
            "other account": OTHER,
        }.items()
    }
    people["expired"] = Json(aws(server, None, keys=ended)), Grpc(grpc(server, keys=ended))
    people["anonymous"] = Unsigned(server), Grpc(grpc(server))
    return people


class Json:
    door = "json"

    def __init__(self, client):
        self.client = client

    def call(self, operation, request):
        """None, or the error's name and message."""
        try:
            getattr(self.client, xform_name(operation))(**request)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        return None


class Unsigned(Json):
    def __init__(self, server):
        self.server = server

    def call(self, operation, request):
        headers = {"X-Amz-Target": f"TrentService.{operation}", "Content-Type": "application/x-amz-json-1.1"}
        body = json.dumps(request, default=model_world.wire).encode()
        sent = urllib.request.Request(f"http://{self.server.address}/", body, headers)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(sent)
        found = json.loads(caught.value.read())
        return found["__type"], found["message"]


class Grpc:
    door = "grpc"

    def __init__(self, client):
        self.client = client

    def call(self, operation, request):
        try:
            self.client.call(method_of(self.client, operation), **timed(snake(request)))
        except Refused as error:
            return error.reason, error.message
        return None


def timed(request):
    """Instants as protobuf takes them."""
    if "valid_to" in request:
        moment = Timestamp()
        moment.FromDatetime(request["valid_to"])
        request = {**request, "valid_to": moment}
    return request


def method_of(client, operation):
    for service in SERVICES:
        found = client.pool.FindServiceByName(f"strongroom.v1.{service}")
        if operation in found.methods_by_name:
            return f"{service}.{operation}"
    raise AssertionError(f"gRPC has no {operation}")


def named_by_arn(request):
    """The same with ARNs, which alone name another account's keys."""
    found = dict(request)
    for member in ("KeyId", "TargetKeyId", "SourceKeyId", "DestinationKeyId"):
        if re.fullmatch(r"(mrk-)?[0-9a-f-]{32,36}", found.get(member, "")):
            found[member] = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{found[member]}"
    return found


# What names nothing of an account: they answer of the caller's own.
OWN = {"CreateKey", "GenerateRandom", "ListAliases", "ListKeys"}
OPERATIONS = sorted(LIFE)


def first(world, operation):
    return LIFE[operation](world)[0]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_everybody(world, people, operation):
    request = first(world, operation)
    for door in (0, 1):
        def ask(name, asked=request):
            return people[name][door].call(operation, asked)

        assert ask("anonymous")[0] == "MissingAuthenticationTokenException"
        assert ask("expired")[0] == "ExpiredTokenException"
        code, message = ask("denied")
        assert code == "AccessDeniedException", (operation, message)
        assert "explicit deny in an identity-based policy" in message, (operation, message)
        code, message = ask("silent")
        assert code == "AccessDeniedException", (operation, message)
        assert f"{GRANTEE} is not authorized to perform: kms:" in message
        found = ask("other account", named_by_arn(request))
        if operation in OWN:
            assert found is None, (operation, found)
        elif operation == "ListRetirableGrants":
            assert found[0] == "ValidationException", "the principal is not of its account"
        elif operation in {"DeleteAlias", "UpdateAlias"}:
            assert found[0] == "NotFoundException", "an alias without an ARN is one's own"
        else:
            assert found[0] == "AccessDeniedException", (operation, found)
        assert ask("allowed") is None, operation
        again = first(world, operation)
        assert people["root"][door].call(operation, again) is None, operation
        request = first(world, operation)


@pytest.mark.parametrize("operation", GRANTED)
def test_a_grantee_may_what_is_granted_and_no_more(world, people, operation):
    request = first(world, operation)
    key = request.get("KeyId")
    if operation == "Decrypt":
        key = world.key()
        request = {"CiphertextBlob": world.blob(key)}
    for door in (0, 1):
        silent = people["silent"][door]
        assert silent.call(operation, request)[0] == "AccessDeniedException"
        covered = [operation, *request.get("Operations", [])]
        made = world.kms.create_grant(
            KeyId=key, GranteePrincipal=GRANTEE, Operations=covered, Name=str(uuid.uuid4()))
        assert silent.call(operation, request) is None, operation
        assert silent.call("ScheduleKeyDeletion", {"KeyId": key})[0] == "AccessDeniedException"
        assert people["denied"][door].call(operation, request)[0] == "AccessDeniedException"
        world.kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
        assert silent.call(operation, request)[0] == "AccessDeniedException"


def test_the_matrix_has_every_operation_of_awss(server):
    custom = {
        "ConnectCustomKeyStore", "CreateCustomKeyStore", "DeleteCustomKeyStore",
        "DescribeCustomKeyStores", "DisconnectCustomKeyStore", "UpdateCustomKeyStore",
    }
    assert set(OPERATIONS) | custom >= set(model_world.MODEL.operation_names)


# Operations that gRPC alone has, with the requests of `key` and `blob`.
ADDITIONS = {
    "Access.ExplainAccess": {"principal": GRANTEE, "actions": ["kms:ListKeys"], "resources": ["*"]},
    "Audit.GetCheckpoint": {},
    "Audit.GetConsistencyProof": {"old_size": 1},
    "Audit.GetInclusionProof": {"leaf_index": 0},
    "Audit.Query": {},
    "Audit.VerifyLog": {},
    "DataKeys.RewrapDataKey": {"ciphertext_blob": "blob"},
    "DataKeys.UnwrapDataKey": {"ciphertext_blob": "blob"},
    "DataKeys.WrapDataKey": {"key_id": "key", "plaintext": b"k" * 32},
    "Keys.DescribeKeyVersions": {"key_id": "key"},
}


@pytest.mark.parametrize("name", sorted(ADDITIONS))
def test_what_grpc_alone_has(world, people, name):
    key = world.key()
    values = {"key": key, "blob": world.blob(key)}
    fields = {
        field: values.get(value, value) if isinstance(value, str) else value
        for field, value in ADDITIONS[name].items()
    }

    def ask(who):
        try:
            people[who][1].client.call(name, **fields)
        except Refused as error:
            return error.reason
        return None

    assert ask("anonymous") == "MissingAuthenticationTokenException"
    assert ask("expired") == "ExpiredTokenException"
    ours = name.startswith(("Audit.", "Access."))  # not among what `denied` is denied: kms:*
    for who in ("silent",) if ours else ("denied", "silent"):
        assert ask(who) == "AccessDeniedException", who
    assert ask("allowed") is None and ask("root") is None


def test_both_halves_of_a_re_encryption_are_granted(world, people):
    one, two = world.key(), world.key()
    request = {"CiphertextBlob": world.blob(one), "DestinationKeyId": two}
    for door in (0, 1):
        silent, made = people["silent"][door], []
        for key, half in ((one, "ReEncryptFrom"), (two, "ReEncryptTo")):
            assert silent.call("ReEncrypt", request)[0] == "AccessDeniedException"
            grant = world.kms.create_grant(KeyId=key, GranteePrincipal=GRANTEE, Operations=[half])
            made.append((key, grant["GrantId"]))
        assert silent.call("ReEncrypt", request) is None
        for key, grant in made:
            world.kms.revoke_grant(KeyId=key, GrantId=grant)
