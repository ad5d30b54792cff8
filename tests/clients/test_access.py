"""Who may use a key: policies and grants, with two accounts that are strangers to each other."""

import json

import pytest
from test_boto3 import aws, refused

OWNER, OTHER = "111122223333", "444455556666"
CONSTRAINTS = ["EncryptionContextEquals", "EncryptionContextSubset"]
OTHER_ROOT = f"arn:aws:iam::{OTHER}:root"


@pytest.fixture(scope="module")
def owner(server):
    return aws(server, account=OWNER)


@pytest.fixture(scope="module")
def other(server):
    return aws(server, account=OTHER)


@pytest.fixture
def arn(owner):
    return owner.create_key()["KeyMetadata"]["Arn"]


def statement(effect="Allow", account=OWNER, action="kms:*", **more):
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", **more}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_the_default_policy_is_awss(owner, arn):
    found = owner.get_key_policy(KeyId=arn, PolicyName="default")
    document = json.loads(found["Policy"])
    assert found["PolicyName"] == "default" and document["Id"] == "key-default-1"
    assert document["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{OWNER}:root"}
    assert owner.list_key_policies(KeyId=arn)["PolicyNames"] == ["default"]
    refused(owner, "NotFoundException", "get_key_policy", KeyId=arn, PolicyName="mine")


def test_another_account_gets_in_by_policy_and_is_kept_out_by_a_denial(owner, other, arn):
    use = {"KeyId": arn, "Plaintext": b"x"}
    refused(other, "AccessDeniedException", "encrypt", **use)
    shared = policy(statement(), statement(account=OTHER, action=["kms:Encrypt", "kms:Describe*"]))
    owner.put_key_policy(KeyId=arn, Policy=shared)
    assert owner.get_key_policy(KeyId=arn)["Policy"] == shared
    blob = other.encrypt(**use)["CiphertextBlob"]
    assert other.describe_key(KeyId=arn)["KeyMetadata"]["Arn"] == arn
    refused(other, "AccessDeniedException", "decrypt", CiphertextBlob=blob)
    assert owner.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    denied = policy(statement(), statement("Deny", action="kms:Decrypt", Sid="no reading"))
    owner.put_key_policy(KeyId=arn, Policy=denied)
    error = refused(owner, "AccessDeniedException", "decrypt", CiphertextBlob=blob)
    assert "with an explicit deny in a resource-based policy" in error
    refused(other, "AccessDeniedException", "encrypt", **use)


def test_a_policy_comes_with_the_key(owner, other):
    shared = policy(statement(), statement(account=OTHER, action="kms:GenerateDataKey"))
    arn = owner.create_key(Policy=shared)["KeyMetadata"]["Arn"]
    assert other.generate_data_key(KeyId=arn, KeySpec="AES_256")["KeyId"] == arn
    refused(owner, "MalformedPolicyDocumentException", "create_key", Policy=policy())


def test_policies_that_cannot_be_obeyed_or_lock_out_are_refused(owner, arn):
    code = "MalformedPolicyDocumentException"
    condition = {"Bool": {"aws:SecureTransport": "true"}}
    for text in [
        "no JSON",
        "[]",
        policy(),
        policy(statement("Maybe")),
        policy(statement(action="Decrypt")),
        policy(statement(account="12")),
        policy(statement(Condition=condition)),
        policy(statement(), {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}),
        policy(statement(account=OTHER)),
        policy(statement(action="kms:Decrypt")),
        policy(statement(), statement("Deny", action="kms:PutKeyPolicy")),
    ]:
        refused(owner, code, "put_key_policy", KeyId=arn, Policy=text)
    long = policy(statement(Sid="x" * 33_000))
    refused(owner, "LimitExceededException", "put_key_policy", KeyId=arn, Policy=long)
    owner.describe_key(KeyId=arn)  # none of them is in force
    locked = policy(statement(action="kms:DescribeKey"))
    owner.put_key_policy(KeyId=arn, Policy=locked, BypassPolicyLockoutSafetyCheck=True)
    owner.describe_key(KeyId=arn)
    refused(owner, "AccessDeniedException", "put_key_policy", KeyId=arn, Policy=policy(statement()))


def test_a_policy_of_32_kib_decides_and_a_byte_more_is_refused(owner, arn):
    def of_length(length, *first):
        text = policy(*first, statement(Sid=""))
        return text.replace('"Sid": ""', f'"Sid": "{"x" * (length - len(text))}"')

    silent = statement("Deny", action="kms:Sign")
    many = [silent] * (32_000 // (len(json.dumps(silent)) + 2))
    longest = of_length(32_768, *many, statement("Deny", action="kms:Encrypt"))
    assert len(longest) == 32_768 and len(many) > 200
    owner.put_key_policy(KeyId=arn, Policy=longest)
    message = refused(owner, "AccessDeniedException", "encrypt", KeyId=arn, Plaintext=b"x")
    assert "explicit deny" in message
    owner.generate_data_key(KeyId=arn, KeySpec="AES_256")
    code = "LimitExceededException"
    before = owner.get_key_policy(KeyId=arn)["Policy"]
    refused(owner, code, "put_key_policy", KeyId=arn, Policy=of_length(32_769, *many))
    refused(owner, code, "create_key", Policy=policy(*[statement()] * 1_000))
    # Ten thousand statements are more than any request may have.
    code = "RequestTooLargeException"
    refused(owner, code, "put_key_policy", 413, KeyId=arn, Policy=policy(*[statement()] * 10_000))
    assert owner.get_key_policy(KeyId=arn)["Policy"] == before


def test_of_statements_that_contradict_each_other_the_denial_counts(owner, other, arn):
    """Whatever their order, and however narrow the allowance is."""
    both = [statement(account=OTHER, action="kms:Encrypt"),
            statement("Deny", account=OTHER, action=["kms:Enc*", "kms:Decrypt"])]
    for order in [both, both[::-1], [*both, both[0]]]:
        owner.put_key_policy(KeyId=arn, Policy=policy(statement(), *order))
        refused(other, "AccessDeniedException", "encrypt", KeyId=arn, Plaintext=b"x")
    owner.put_key_policy(KeyId=arn, Policy=policy(statement(), both[0]))
    other.encrypt(KeyId=arn, Plaintext=b"x")


def test_a_grant_lets_in_for_its_operations_in_its_context(owner, other, arn):
    wanted = {"team": "red"}
    made = owner.create_grant(
        KeyId=arn,
        GranteePrincipal=OTHER_ROOT,
        Operations=["GenerateDataKey", "Decrypt", "DescribeKey"],
        Constraints={"EncryptionContextSubset": wanted},
        Name="red",
    )
    assert len(made["GrantId"]) == 64
    ask = {"KeyId": arn, "KeySpec": "AES_256", "GrantTokens": [made["GrantToken"]]}
    key = other.generate_data_key(EncryptionContext={**wanted, "more": "1"}, **ask)
    blob = {"CiphertextBlob": key["CiphertextBlob"], "EncryptionContext": {**wanted, "more": "1"}}
    assert other.decrypt(**blob)["Plaintext"] == key["Plaintext"]
    assert other.describe_key(KeyId=arn)["KeyMetadata"]["Arn"] == arn
    for context in [{}, {"team": "blue"}]:
        refused(
            other, "AccessDeniedException", "generate_data_key", EncryptionContext=context, **ask
        )
    refused(other, "AccessDeniedException", "encrypt", KeyId=arn, Plaintext=b"x")
    ask["GrantTokens"] = ["none"]
    refused(owner, "InvalidGrantTokenException", "generate_data_key", **ask)

    listed = owner.list_grants(KeyId=arn)["Grants"]
    assert [grant["GrantId"] for grant in listed] == [made["GrantId"]]
    assert listed[0]["Constraints"] == {"EncryptionContextSubset": wanted}
    assert listed[0]["IssuingAccount"] == f"arn:aws:iam::{OWNER}:root"
    refused(other, "AccessDeniedException", "revoke_grant", KeyId=arn, GrantId=made["GrantId"])
    owner.revoke_grant(KeyId=arn, GrantId=made["GrantId"])
    refused(other, "AccessDeniedException", "decrypt", **blob)
    assert owner.list_grants(KeyId=arn)["Grants"] == []
    refused(owner, "NotFoundException", "revoke_grant", KeyId=arn, GrantId=made["GrantId"])


def test_the_same_name_is_the_same_grant(owner, arn):
    ask = {"KeyId": arn, "GranteePrincipal": OTHER_ROOT, "Operations": ["Decrypt"]}
    first = owner.create_grant(Name="once", **ask)
    assert owner.create_grant(Name="once", **ask)["GrantId"] == first["GrantId"]
    ids = {first["GrantId"]}
    ids |= {owner.create_grant(**ask)["GrantId"] for _ in range(4)}
    assert len(ids) == 5
    pages = owner.get_paginator("list_grants").paginate(KeyId=arn, PaginationConfig={"PageSize": 2})
    found = [grant["GrantId"] for page in pages for grant in page["Grants"]]
    assert sorted(found) == sorted(ids)


def test_who_may_retire(owner, other, arn, server):
    stranger = aws(server, account="777788889999")
    ask = {"KeyId": arn, "GranteePrincipal": OTHER_ROOT, "Operations": ["Decrypt"]}
    plain = owner.create_grant(**ask)
    for nobody in [other, stranger]:
        token = plain["GrantToken"]
        refused(nobody, "AccessDeniedException", "retire_grant", GrantToken=token)
    owner.retire_grant(KeyId=arn, GrantId=plain["GrantId"])
    ask["Operations"].append("RetireGrant")
    other.retire_grant(GrantToken=owner.create_grant(**ask)["GrantToken"])
    ask["RetiringPrincipal"] = "arn:aws:iam::777788889999:root"
    retirable = owner.create_grant(**ask)
    # Those of one's own principals are told, on whosever keys, and no others'.
    own = {"RetiringPrincipal": ask["RetiringPrincipal"]}
    listed = stranger.list_retirable_grants(**own)["Grants"]
    assert [(grant["GrantId"], grant["KeyId"]) for grant in listed] == [(retirable["GrantId"], arn)]
    refused(owner, "ValidationException", "list_retirable_grants", **own)
    service = {"RetiringPrincipal": "s3.amazonaws.com"}
    kept = owner.create_grant(**{**ask, **service})["GrantId"]
    listed = owner.list_retirable_grants(**service)["Grants"]
    assert [grant["GrantId"] for grant in listed] == [kept]
    assert stranger.list_retirable_grants(**service)["Grants"] == []
    owner.revoke_grant(KeyId=arn, GrantId=kept)
    refused(owner, "InvalidArnException", "list_retirable_grants", RetiringPrincipal="nonsense")
    stranger.retire_grant(GrantToken=retirable["GrantToken"])
    assert owner.list_grants(KeyId=arn)["Grants"] == []
    refused(owner, "InvalidGrantTokenException", "retire_grant", GrantToken="x")
    refused(owner, "ValidationException", "retire_grant")


def test_grants_that_make_no_sense_are_refused(owner, arn):
    ask = {"KeyId": arn, "GranteePrincipal": OTHER_ROOT, "Operations": ["Decrypt"]}
    for change in [
        {"Operations": ["Sign"]},
        {"Operations": ["Fly"]},
        {"Operations": []},
        {"GranteePrincipal": None},
        {"Constraints": {name: {"a": "1"} for name in CONSTRAINTS}},
        {"Constraints": {"EncryptionContextSubset": {str(number): "1" for number in range(9)}}},
        {"Constraints": {"EncryptionContextEquals": {"a": "x" * 385}}},
    ]:
        asked = {name: value for name, value in {**ask, **change}.items() if value is not None}
        refused(owner, "ValidationException", "create_grant", **asked)
    refused(owner, "InvalidArnException", "create_grant", **{**ask, "GranteePrincipal": "bob"})
    owner.disable_key(KeyId=arn)
    refused(owner, "DisabledException", "create_grant", **ask)


def test_a_grant_hands_on_no_more_than_it_gives(owner, other, arn):
    wanted, third = {"team": "red"}, "arn:aws:iam::777788889999:root"
    blob = owner.encrypt(KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    owner.create_grant(
        KeyId=arn,
        GranteePrincipal=OTHER_ROOT,
        Operations=["CreateGrant", "Encrypt", "Decrypt"],
        Constraints={"EncryptionContextSubset": wanted},
    )
    child = {"KeyId": arn, "GranteePrincipal": third, "Operations": ["Decrypt"]}
    narrow = {"EncryptionContextSubset": {**wanted, "more": "1"}}
    other.create_grant(Constraints=narrow, **child)
    for wider in [
        {},
        {"Constraints": {"EncryptionContextSubset": {"more": "1"}}},
        {"Constraints": narrow, "Operations": ["Decrypt", "GenerateDataKey"]},
        {"Constraints": {}, "GranteePrincipal": OTHER_ROOT},
    ]:
        refused(other, "AccessDeniedException", "create_grant", **{**child, **wider})
    refused(other, "AccessDeniedException", "decrypt", CiphertextBlob=blob)
    owner.create_grant(**child)  # by the policy: what the key's owner likes


def test_what_aws_keeps_within_an_account_stays_there(owner, other, arn):
    shared = policy(statement(), statement(account=OTHER))
    owner.put_key_policy(KeyId=arn, Policy=shared)
    assert other.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"] is False
    for name, more in [
        ("disable_key", {}),
        ("enable_key_rotation", {}),
        ("get_key_policy", {}),
        ("list_key_rotations", {}),
        ("list_resource_tags", {}),
        ("put_key_policy", {"Policy": policy(statement(account=OTHER))}),
        ("schedule_key_deletion", {}),
        ("tag_resource", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        ("update_key_description", {"Description": "d"}),
    ]:
        refused(other, "AccessDeniedException", name, KeyId=arn, **more)
    assert owner.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Enabled"


def test_nobody_finds_out_what_another_account_has(server, owner, arn):
    other = aws(server, account="555566667777")
    owner.create_alias(AliasName="alias/payroll", TargetKeyId=arn)
    absent = arn[:-36] + "00000000-0000-4000-8000-000000000000"
    payroll = arn.split(":key/")[0] + ":alias/payroll"
    key = other.create_key()["KeyMetadata"]["KeyId"]
    blob = other.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for code, operation, more, name in [
        ("IncorrectKeyException", "decrypt", {"CiphertextBlob": blob}, "KeyId"),
        ("IncorrectKeyException", "re_encrypt",
         {"CiphertextBlob": blob, "DestinationKeyId": key}, "SourceKeyId"),
        ("AccessDeniedException", "re_encrypt", {"CiphertextBlob": blob}, "DestinationKeyId"),
        ("AccessDeniedException", "list_aliases", {}, "KeyId"),
        ("AccessDeniedException", "retire_grant", {"GrantId": "0" * 64}, "KeyId"),
        ("AccessDeniedException", "encrypt", {"Plaintext": b"x"}, "KeyId"),
    ]:
        names = [arn, absent] + ([payroll, payroll + "s"] if operation == "re_encrypt" else [])
        told = {refused(other, code, operation, **more, **{name: asked}) for asked in names}
        assert len(told) == 1, told
    owner.delete_alias(AliasName="alias/payroll")


def test_an_alias_moves_when_both_keys_allow_it_and_are_alike(owner, arn):
    owner.create_alias(AliasName="alias/moved", TargetKeyId=arn)
    for unlike in [
        {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    ]:
        target = owner.create_key(**unlike)["KeyMetadata"]["KeyId"]
        move = {"AliasName": "alias/moved", "TargetKeyId": target}
        refused(owner, "ValidationException", "update_alias", **move)
    target = owner.create_key()["KeyMetadata"]["KeyId"]
    locked = policy(statement(), statement("Deny", action="kms:UpdateAlias"))
    owner.put_key_policy(KeyId=arn, Policy=locked)
    move = {"AliasName": "alias/moved", "TargetKeyId": target}
    refused(owner, "AccessDeniedException", "update_alias", **move)
    owner.put_key_policy(KeyId=arn, Policy=policy(statement()))
    owner.update_alias(**move)
    owner.delete_alias(AliasName="alias/moved")


def test_custom_key_stores_are_refused_by_name(owner):
    error = refused(owner, "UnsupportedOperationException", "describe_custom_key_stores")
    assert "custom key stores" in error
