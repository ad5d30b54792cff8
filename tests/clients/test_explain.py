"""Why somebody may or may not: explanations agree with what the calls themselves are told."""

import json

import pytest

from client import Refused
from identities import ACCOUNT, EVERYTHING, OTHER, aws, document, grpc, known, role, trust, user

READER = f"arn:aws:iam::{ACCOUNT}:user/reader"
BOUNDED = f"arn:aws:iam::{ACCOUNT}:user/bounded"
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/ops/deploy"
FRIEND = f"arn:aws:iam::{OTHER}:root"
READ = {"Sid": "Read", "Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*"}
NO_BLUE = {
    "Sid": "NoBlue", "Effect": "Deny", "Action": "*", "Resource": "*",
    "Condition": {"StringEquals": {"kms:EncryptionContext:team": "blue"}},
}
RED = {
    "Sid": "Red", "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*",
    "Condition": {"StringEquals": {"kms:EncryptionContext:team": ["red", "blue"]}},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = known(tmp_path_factory.mktemp("explain"), "".join([
        user("reader", [READ, RED, NO_BLUE]),
        user("bounded", [EVERYTHING], f"boundary = '{document(READ)}'"),
        role("deploy", trust(ACCOUNT), more='path = "/ops/"'),
    ]))
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def root(server):
    return grpc(server, ACCOUNT)


@pytest.fixture(scope="module")
def arn(root):
    made = root.call("Keys.CreateKey").key_metadata
    root.call("Keys.CreateAlias", alias_name="alias/explained", target_key_id=made.key_id)
    return made.arn


def explain(client, principal, actions, resources, policy="", **context):
    one = lambda given: [given] if isinstance(given, str) else given
    values = client.request("Access.ExplainAccess").context
    given = {key.replace("__", ":"): value for key, value in context.items()}
    request = client.request(
        "Access.ExplainAccess", principal=principal, actions=one(actions),
        resources=one(resources), policy=policy,
    )
    for key, value in given.items():
        request.context[key].values.extend(one(value))
    raw = request.SerializeToString()
    return list(client.call("Access.ExplainAccess", raw=raw).explanations)


def refused(code, *arguments, **more):
    with pytest.raises(Refused) as caught:
        explain(*arguments, **more)
    assert caught.value.reason == code, caught.value
    return caught.value.message


def team(name):
    return {"kms__EncryptionContext__team": name} if name else {}


@pytest.mark.parametrize("name,principal", [("reader", READER), ("bounded", BOUNDED), (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")])
@pytest.mark.parametrize("context", [None, "red", "blue"])
def test_an_explanation_is_what_the_call_is_told(server, root, arn, name, principal, context):
    client = aws(server, name)
    for action, call in [
        ("kms:Encrypt", lambda: client.encrypt(
            KeyId=arn, Plaintext=b"x", EncryptionContext={"team": context} if context else {})),
        ("kms:DescribeKey", lambda: client.describe_key(KeyId=arn)),
    ]:
        given = team(context) if action == "kms:Encrypt" else {}
        [found] = explain(root, principal, action, arn, **given)
        try:
            call()
        except client.exceptions.ClientError as error:
            message = error.response["Error"]["Message"]
            outcome = "explicitDeny" if "explicit deny" in message else "implicitDeny"
            assert found.decision == outcome, (message, found)
            assert found.decided_by in message
        else:
            assert found.decision == "allowed", found
        assert found.resource == arn and found.advice


def test_statements_are_told_with_what_the_call_has(root, arn):
    [found] = explain(root, READER, "kms:Encrypt", "alias/explained")
    assert found.decision == "implicitDeny" and found.decided_by == "identity-based policy"
    [key, own] = found.policies
    assert key.kind == "resource-based policy" and key.statements[0].principal_as == "account"
    statements = {statement.name: statement for statement in own.statements}
    red = statements["Red"]
    assert red.principal and red.action and red.resource and not red.conditions
    assert red.failing[0].key == "kms:EncryptionContext:team" and not red.failing[0].found
    assert not statements["Read"].action and statements["Read"].conditions
    assert any("`identity policy: Red` would apply, but for its condition" in advice for advice in found.advice)

    [found] = explain(root, READER, "kms:Encrypt", arn, **team("red"))
    assert list(found.statements) == ["default key policy: Enable IAM User Permissions", "identity policy: Red"]
    assert any("`identity policy: NoBlue` would deny it" in advice for advice in found.advice)

    [found] = explain(root, READER, "kms:Encrypt", arn, **team("blue"))
    assert (found.decision, list(found.statements)) == ("explicitDeny", ["identity policy: NoBlue"])
    assert "Without that statement" in found.advice[1]

    [found] = explain(root, BOUNDED, "kms:Encrypt", arn)
    assert found.decided_by == "permissions boundary"


def test_roles_are_explained_as_sessions(root, arn):
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci"
    for principal in [DEPLOY, session]:
        [found] = explain(root, principal, "kms:Encrypt", arn)
        assert found.decision == "allowed", found


def test_a_policy_is_tried_before_it_is_put(root, arn):
    tried = {"Effect": "Allow", "Principal": {"AWS": READER}, "Action": "kms:Decrypt", "Resource": "*",
             "Condition": {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/expl*"}}}
    [found] = explain(root, READER, "kms:Decrypt", arn, policy=document(tried))
    assert list(found.statements) == ["given policy: statement 1"]
    [found] = explain(root, READER, "kms:Decrypt", arn, policy=document(tried), kms__ResourceAliases=[])
    assert found.decision == "implicitDeny"
    [found] = explain(root, READER, "kms:Decrypt", arn)
    assert found.decision == "implicitDeny"
    assert "given" not in root.call("Access.GetKeyPolicy", key_id=arn).policy
    refused("MalformedPolicyDocumentException", root, READER, "kms:Decrypt", arn, policy="{}")
    refused("ValidationException", root, READER, "kms:ListKeys", "*", policy=document(tried))


def test_grants_are_told(server, root, arn):
    made = aws(server, ACCOUNT).create_grant(
        KeyId=arn, GranteePrincipal=READER, Operations=["Decrypt", "DescribeKey"],
        Constraints={"EncryptionContextSubset": {"Case": "7"}},
    )
    grant = f"grant {made['GrantId']}"
    [found] = explain(root, READER, "kms:Decrypt", arn)
    assert found.decision == "implicitDeny"
    assert [(one.name, one.operation, one.constraints) for one in found.grants] == [(grant, True, False)]
    assert any(f"`{grant}` would apply, but for its constraints" in advice for advice in found.advice)
    [found] = explain(root, READER, "kms:Decrypt", arn, kms__EncryptionContext__case="7")
    assert (found.decided_by, list(found.statements)) == ("grant", [grant])
    assert found.grants[0].decides
    [found] = explain(root, READER, "kms:Sign", arn)
    assert any("but for its operations" in advice for advice in found.advice)


def test_many_at_once(root, arn):
    actions = ["kms:Decrypt", "kms:DescribeKey", "KMS:encrypt"]
    found = explain(root, READER, actions, [arn, "alias/explained"])
    assert [one.action for one in found] == sorted(["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"] * 2)
    assert {one.resource for one in found} == {arn}
    assert len(explain(root, READER, ["kms:Encrypt"] * 10, [arn] * 10)) == 100
    assert "100" in refused("ValidationException", root, READER, ["kms:Encrypt"] * 101, arn)


def test_what_cannot_be_explained_says_why(root, arn):
    code = "ValidationException"
    for arguments, said in [
        (("nobody", "kms:Encrypt", arn), "principal's ARN such as"),
        (("arn:aws:iam::12:root", "kms:Encrypt", arn), "principal's ARN such as"),
        ((READER + "s", "kms:Encrypt", arn), "somebody who is known"),
        ((READER, "kms:Fly", arn), "an action that there is here"),
        ((READER, "kms:RetireGrant", arn), "the grant says who"),
        ((READER, "kms:ListKeys", arn), "Member must be *"),
        ((READER, "kms:Encrypt", "*"), "must name a key"),
        ((FRIEND, "kms:ListKeys", "*"), "its own account's"),
        ((READER, [], arn), "actions"),
        ((READER, "kms:Encrypt", []), "resources"),
    ]:
        assert said in refused(code, root, *arguments), arguments
    assert "one value" in refused(code, root, READER, "kms:Encrypt", arn, aws__SourceIp=["::1", "::2"])
    assert "condition key" in refused(code, root, READER, "kms:Encrypt", arn, SourceIp="::1")
    refused("NotFoundException", root, READER, "kms:Encrypt", "alias/none")


def test_accounts_keep_their_own_to_themselves(server, root, arn):
    friend = grpc(server, OTHER)
    refused("AccessDeniedException", friend, FRIEND, "kms:Encrypt", arn)
    absent = arn[:-36] + "00000000-0000-4000-8000-000000000000"
    assert refused("AccessDeniedException", friend, FRIEND, "kms:Encrypt", absent) == refused(
        "AccessDeniedException", friend, FRIEND, "kms:Encrypt", arn)
    # Its own keys it may ask about, for whomever: of the others' own policies it is told nothing.
    key = friend.call("Keys.CreateKey").key_metadata.arn
    shared = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    [found] = explain(friend, READER, "kms:Decrypt", key, policy=document(shared))
    assert (found.decision, found.decided_by) == ("implicitDeny", "identity-based policy")
    assert [one.kind for one in found.policies] == ["resource-based policy"]
    assert "NoBlue" not in str(found)
    [found] = explain(friend, READER, "kms:DescribeKey", key, policy=document(shared))
    assert found.decision == "allowed" and "identity policy" not in str(found)
    [found] = explain(friend, READER, "kms:PutKeyPolicy", key, policy=document(shared))
    assert found.decision == "implicitDeny" and "own account alone" in found.advice[0]


def test_asking_is_allowed_and_recorded_like_any_call(server, root, arn):
    with pytest.raises(Refused) as caught:
        explain(grpc(server, "silent"), READER, "kms:Encrypt", arn)
    assert "strongroom:ExplainAccess" in caught.value.message
    explain(root, READER, "kms:Encrypt", arn, **team("red"))
    record = root.record()
    assert (record.operation, record.outcome, record.key_id) == ("ExplainAccess", "success", arn)
    entry = json.loads(record.entry)
    assert entry["action"] == "strongroom:ExplainAccess" and entry["read_only"] is True
    assert entry["parameters"]["principal"] == READER
    assert entry["parameters"]["context"] == {"kms:EncryptionContext:team": ["red"]}
