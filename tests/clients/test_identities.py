"""Users, roles and their sessions: who they are, and what their policies let them."""

import json
import signal
import time

import pytest
from botocore.exceptions import ClientError

from client import Refused
from identities import (
    ACCOUNT, EVERYTHING, OTHER, aws, document, grpc, known, mint, prove, role, trust, user,
)

DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/ops/deploy"
READ = {"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("identities")


@pytest.fixture(scope="module")
def server(folder):
    (folder / "reader.json").write_text(document(READ))
    more = "".join([
        user("reader", [], 'path = "/team/"\ntags = { team = "red" }').replace(
            "policies = []", 'policies = ["reader.json"]'),
        user("bounded", [EVERYTHING], f"boundary = '{document(READ)}'"),
        role("deploy", trust(ACCOUNT), more='path = "/ops/"\nmax_session_seconds = 7200\ntags = { team = "blue" }'),
        role("foreign", trust(OTHER, StringEquals={"sts:ExternalId": "shibboleth"})),
        role("closed", trust(f"arn:aws:iam::{ACCOUNT}:user/allowed")),
        role("empty", trust("*"), statements=()),
    ])
    server = known(folder, more)
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def key(server):
    return aws(server, ACCOUNT).create_key()["KeyMetadata"]["Arn"]


def refused(code, call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    return error["Message"]


def assume(server, name, arn=DEPLOY, session="ci", **more):
    return aws(server, name, "sts").assume_role(RoleArn=arn, RoleSessionName=session, **more)


def test_a_user_is_who_it_is_over_both_doors(server, key):
    identity = aws(server, "reader", "sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/reader"
    assert identity["Account"] == ACCOUNT and identity["UserId"].startswith("AIDA")
    assert aws(server, "reader").describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    assert grpc(server, "reader").call("Keys.DescribeKey", key_id=key).key_metadata.arn == key
    message = refused("AccessDeniedException", aws(server, "reader").encrypt, KeyId=key, Plaintext=b"x")
    assert message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/team/reader is not authorized to perform: kms:Encrypt on "
        f"resource: {key} because no identity-based policy allows the kms:Encrypt action"
    )


def test_every_refusal_names_what_refused_and_its_leaf_the_statement(server, key):
    for name, because in [
        ("silent", "because no identity-based policy allows the kms:Encrypt action"),
        ("forbidden", "with an explicit deny in an identity-based policy"),
        ("bounded", "because no permissions boundary allows the kms:Encrypt action"),
    ]:
        call = aws(server, name).encrypt
        assert refused("AccessDeniedException", call, KeyId=key, Plaintext=b"x").endswith(because)
    leaf = grpc(server, ACCOUNT).call(
        "Audit.Query", operation="Encrypt", principal=f"arn:aws:iam::{ACCOUNT}:user/forbidden", limit=1)
    assert json.loads(leaf.records[0].entry)["decided_by"] == "identity policy: NoKms"


def test_a_role_is_assumed_and_its_session_ends(server, key):
    made = assume(server, "allowed", Tags=[{"Key": "stage", "Value": "test"}])
    assert made["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci"
    keys = made["Credentials"]
    assert 3590 < keys["Expiration"].timestamp() - time.time() <= 3600
    identity = aws(server, None, "sts", keys).get_caller_identity()
    assert identity["Arn"] == made["AssumedRoleUser"]["Arn"]
    assert identity["UserId"] == made["AssumedRoleUser"]["AssumedRoleId"]
    assert aws(server, None, keys=keys).describe_key(KeyId=key)
    assert grpc(server, keys=keys).call("Keys.DescribeKey", key_id=key).key_metadata.arn == key
    ended = mint(server, id="ASIAEXPIRED", arn=DEPLOY, name="ci",
                 began="2026-01-01T00:00:00Z", ends="2026-01-01T01:00:00Z")
    message = refused("ExpiredTokenException", aws(server, None, keys=ended).list_keys)
    assert message == "The security token included in the request is expired"
    refused("ExpiredToken", aws(server, None, "sts", ended).get_caller_identity)
    with pytest.raises(Refused) as caught:
        grpc(server, keys=ended).call("Keys.ListKeys")
    assert caught.value.reason == "ExpiredTokenException"


def test_tokens_minted_by_the_documented_format_are_taken(server, key):
    minted = mint(server, id="ASIAMINTED", arn=DEPLOY, name="mint",
                  began="2026-01-01T00:00:00Z", ends="2126-01-01T01:00:00Z")
    arn = aws(server, None, "sts", minted).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/mint"


def test_altered_and_foreign_tokens_are_nobodys(server, key):
    keys = assume(server, "allowed")["Credentials"]
    other = assume(server, "allowed")["Credentials"]
    token = keys["SessionToken"]
    wrong = [
        {**keys, "SessionToken": other["SessionToken"]},
        {**keys, "SessionToken": token[:-1] + ("A" if token[-1] != "A" else "B")},
        {**keys, "SessionToken": "FwoGZXIvYXdzEBYaD"},
        {**keys, "SecretAccessKey": other["SecretAccessKey"]},
    ]
    for at, altered in enumerate(wrong):
        code = "UnrecognizedClientException" if at < 3 else "InvalidSignatureException"
        refused(code, aws(server, None, keys=altered).list_keys)
        with pytest.raises(Refused) as caught:
            grpc(server, keys=altered).call("Keys.ListKeys")
        assert caught.value.reason == "UnrecognizedClientException"
    # A long-term key with a session's token, and a session's key without one.
    mixed = {**dict(zip(["AccessKeyId", "SecretAccessKey"], prove("allowed"))), "SessionToken": token}
    refused("UnrecognizedClientException", aws(server, None, keys=mixed).list_keys)
    bare = {**keys, "SessionToken": None}
    refused("UnrecognizedClientException", aws(server, None, keys=bare).list_keys)


def test_trust_decides_who_may_assume(server):
    closed, foreign = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("closed", "foreign"))
    assert assume(server, "allowed", closed)
    # Delegated to the account, whose user has no policy that lets it.
    denied = {
        ("silent", DEPLOY): "no identity-based policy",
        ("silent", closed): "no resource-based policy",
        ("allowed", foreign): "no resource-based policy",
        ("allowed", f"arn:aws:iam::{ACCOUNT}:role/none"): "no resource-based policy",
    }
    for (name, arn), because in denied.items():
        message = refused("AccessDenied", aws(server, name, "sts").assume_role,
                          RoleArn=arn, RoleSessionName="ci")
        assert "not authorized to perform: sts:AssumeRole" in message and because in message
    assert assume(server, OTHER, foreign, ExternalId="shibboleth")["Credentials"]
    refused("AccessDenied", aws(server, OTHER, "sts").assume_role,
            RoleArn=foreign, RoleSessionName="ci", ExternalId="siboleth")


def test_a_session_policy_limits(server, key):
    keys = assume(server, "allowed", Policy=document(READ))["Credentials"]
    session = aws(server, None, keys=keys)
    assert session.describe_key(KeyId=key)
    message = refused("AccessDeniedException", session.encrypt, KeyId=key, Plaintext=b"x")
    assert message.endswith("because no session policy allows the kms:Encrypt action")


def test_what_sts_refuses(server):
    sts = aws(server, "allowed", "sts")
    asked = {"RoleArn": DEPLOY, "RoleSessionName": "ci"}
    for code, more in [
        ("ValidationError", {"DurationSeconds": 899}),
        ("ValidationError", {"DurationSeconds": 7201}),
        ("ValidationError", {"DurationSeconds": 43201}),
        ("ValidationError", {"RoleSessionName": "x"}),
        ("ValidationError", {"RoleSessionName": "a b"}),
        ("ValidationError", {"RoleArn": "deploy"}),
        ("ValidationError", {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}),
        ("MalformedPolicyDocument", {"Policy": "{}"}),
        ("PackedPolicyTooLarge", {"Policy": document(READ) + " " * 2048}),
    ]:
        refused(code, sts.assume_role, **{**asked, **more})
    keys = assume(server, "allowed")["Credentials"]
    chained = aws(server, None, "sts", keys)
    refused("ValidationError", chained.assume_role, DurationSeconds=3601, **asked)
    assert chained.assume_role(**asked)
    refused("AccessDenied", chained.get_session_token)


def test_a_users_session_is_the_user(server, key):
    keys = aws(server, "reader", "sts").get_session_token(DurationSeconds=900)["Credentials"]
    identity = aws(server, None, "sts", keys).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/reader"
    session = aws(server, None, keys=keys)
    assert session.describe_key(KeyId=key)
    refused("AccessDeniedException", session.encrypt, KeyId=key, Plaintext=b"x")
    root = aws(server, ACCOUNT, "sts").get_session_token()["Credentials"]
    assert root["Expiration"].timestamp() - time.time() <= 3600
    assert aws(server, None, keys=root).encrypt(KeyId=key, Plaintext=b"x")


def test_key_policies_and_grants_name_users_and_roles(server):
    root = aws(server, ACCOUNT)
    empty = f"arn:aws:iam::{ACCOUNT}:role/empty"
    keys = assume(server, "allowed", empty)["Credentials"]
    session, silent = aws(server, None, keys=keys), aws(server, "silent")
    administers = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    tagged = {"StringEquals": {"aws:PrincipalTag/team": "red", "kms:EncryptionContext:app": "one"}}
    policy = document(
        administers,
        {"Sid": "Role", "Effect": "Allow", "Principal": {"AWS": empty}, "Action": "kms:Encrypt", "Resource": "*"},
        {"Sid": "Red", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:GenerateDataKey", "Resource": "*",
         "Condition": tagged},
    )
    key = root.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    assert session.encrypt(KeyId=key, Plaintext=b"x")
    refused("AccessDeniedException", session.decrypt, KeyId=key, CiphertextBlob=session.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"])
    red = aws(server, "reader").generate_data_key
    assert red(KeyId=key, KeySpec="AES_256", EncryptionContext={"app": "one"})
    refused("AccessDeniedException", red, KeyId=key, KeySpec="AES_256", EncryptionContext={"app": "two"})
    refused("AccessDeniedException", silent.generate_data_key, KeyId=key, KeySpec="AES_256", EncryptionContext={"app": "one"})
    refused("AccessDeniedException", silent.encrypt, KeyId=key, Plaintext=b"x")
    grant = root.create_grant(
        KeyId=key, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/silent", Operations=["Encrypt", "RetireGrant"])
    assert silent.encrypt(KeyId=key, Plaintext=b"x")
    refused("AccessDeniedException", aws(server, "reader").retire_grant, KeyId=key, GrantId=grant["GrantId"])
    silent.retire_grant(KeyId=key, GrantId=grant["GrantId"])
    refused("AccessDeniedException", silent.encrypt, KeyId=key, Plaintext=b"x")
    message = refused("MalformedPolicyDocumentException", aws(server, "allowed").put_key_policy,
                      KeyId=key, Policy=document({**administers, "Principal": {"AWS": OTHER}}))
    assert "will not allow you to update" in message


def test_aliases_need_both_the_alias_and_the_key(server, folder, key):
    """localstack 7540: permissions on aliases."""
    alias = {"AliasName": "alias/mine", "TargetKeyId": key}
    message = refused("AccessDeniedException", aws(server, "silent").create_alias, **alias)
    assert f"resource: arn:aws:kms:eu-west-1:{ACCOUNT}:alias/mine" in message
    aws(server, "allowed").create_alias(**alias)
    refused("AccessDeniedException", aws(server, "reader").delete_alias, AliasName="alias/mine")
    aws(server, "allowed").delete_alias(AliasName="alias/mine")


def test_a_reload_changes_who_is_known_and_drops_no_connection(server, folder, key):
    client = aws(server, "silent")
    refused("AccessDeniedException", client.describe_key, KeyId=key)
    path = folder / "credentials.toml"
    before = path.read_text()
    path.write_text(before.replace('name = "silent"\npolicies = []', 'name = "silent"\npolicies = ["reader.json"]'))
    session = assume(server, "allowed")["Credentials"]
    stream = grpc(server, "silent")
    try:
        server.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 5
        while time.monotonic() < until:
            try:
                assert client.describe_key(KeyId=key)
                break
            except ClientError:
                time.sleep(0.05)
        assert stream.call("Keys.DescribeKey", key_id=key)
        assert aws(server, None, keys=session).describe_key(KeyId=key)
        path.write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        said = server.process.stderr.readline()
        while "stay as they were" not in said:
            said = server.process.stderr.readline()
        assert "credentials.toml" in said and "line 1" in said, "what is wrong is said"
        assert client.describe_key(KeyId=key), "a file that is none changes nothing"
    finally:
        path.write_text(before)
        server.process.send_signal(signal.SIGHUP)
