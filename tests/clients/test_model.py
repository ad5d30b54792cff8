"""Every operation of the service model that botocore ships: its members, constraints and errors.

An operation or a member that a newer botocore brings fails here until `LIFE` has it. What the
model does not say, which members exclude or need each other, is from its documentation.
"""

import base64
import json
import os
import re
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from test_access import policy, statement
from test_boto3 import SIGNED, aws
from test_import import FOREVER, make, take_in, wrapped

MODEL = botocore.session.get_session().get_service_model("kms")

# What any operation may answer; the model does not list these.
COMMON = {"AccessDeniedException", "SerializationException", "ValidationException"}
STATUS = {"DryRunOperationException": 412, "DependencyTimeoutException": 500}

# Deliberately refused, also where the model does not list it: nothing here keeps keys elsewhere,
# and there are no enclaves.
NOT_HERE = "UnsupportedOperationException"
CUSTOM_KEY_STORES = [name for name in MODEL.operation_names if "CustomKeyStore" in name]
UNSUPPORTED = {
    "CustomKeyStoreId": "cks-1234567890abcdef0",
    "Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"x"},
    "XksKeyId": "outside-1",
}

# What the documentation asks for and the model does not.
NEEDED = {
    "CreateGrant": {"GranteePrincipal"},
    "Decrypt": {"CiphertextBlob"},
    "GenerateDataKey": {"KeySpec"},
    "GenerateDataKeyWithoutPlaintext": {"KeySpec"},
    "GenerateRandom": {"NumberOfBytes"},
    "ImportKeyMaterial": {"ExpirationModel"},
    "ListRetirableGrants": {"RetiringPrincipal"},
    "ReEncrypt": {"CiphertextBlob"},
    "RetireGrant": {"GrantToken"},
}

AWAY = "us-west-2"
CONTEXT = {"purpose": "model"}
DEFAULT = "SYMMETRIC_DEFAULT"
GRANTEE = "arn:aws:iam::111122223333:role/grantee"
MISSING = "00000000-0000-4000-8000-000000000000"
NO_MARKER = "none"
POLICY = {"Policy": policy(statement()), "BypassPolicyLockoutSafetyCheck": True}
SERVICE = "ec2.eu-west-1.amazonaws.com"
SOURCE = "arn:aws:ec2:eu-west-1:111122223333:instance/i-0"
TAGS = [{"TagKey": "stage", "TagValue": "test"}]

USAGES = {"HMAC": "GENERATE_VERIFY_MAC", "ML_KEM": "ENCAPSULATE_DECAPSULATE"}
USAGES.update({"SYMMETRIC": "ENCRYPT_DECRYPT", "": "SIGN_VERIFY"})


def usage(spec):
    """One that fits."""
    return next(usage for start, usage in USAGES.items() if spec.startswith(start))


def specs(shape):
    """All that the model names; SM2 is for China alone."""
    return [spec for spec in MODEL.shape_for(shape).enum if spec != "SM2"]


def soon():
    return datetime.now(UTC) + timedelta(days=1)


class World:
    """Makes what requests name, and sends them."""

    def __init__(self, server):
        self.server, self.kms, self.away = server, aws(server), aws(server, region=AWAY)
        self.kms.meta.events.register("after-call.kms", self.keep)

    def keep(self, http_response, **_):
        self.last = http_response

    def ask(self, operation, request):
        """As an SDK that checks nothing first. The answer is as it came, as botocore drops what it
        does not know.
        """
        try:
            getattr(self.kms, xform_name(operation))(**request)
        except ClientError:
            pass
        return self.last.status_code, json.loads(self.last.content or "null")

    def send(self, operation, request):
        """As no SDK would."""
        body = json.dumps(request, default=wire).encode()
        headers = {"X-Amz-Target": f"TrentService.{operation}", **SIGNED}
        try:
            answer = urllib.request.urlopen(
                urllib.request.Request(f"http://{self.server.address}/", body, headers)
            )
        except urllib.error.HTTPError as error:
            answer = error
        return answer.status, json.loads(answer.read() or "null")

    def key(self, spec=DEFAULT, kms=None, **more):
        asked = {"KeySpec": spec, "KeyUsage": usage(spec), **more}
        return (kms or self.kms).create_key(**asked)["KeyMetadata"]["KeyId"]

    def after(self, operation, key=None, **more):
        """A key to which that was done."""
        key = key or self.key()
        getattr(self.kms, operation)(KeyId=key, **more)
        return key

    def primary(self):
        """A multi-Region key with a replica."""
        return self.after("replicate_key", self.key(MultiRegion=True), ReplicaRegion=AWAY)

    def rotated(self):
        once = self.after("rotate_key_on_demand", self.after("enable_key_rotation"))
        return self.after("rotate_key_on_demand", once)

    def imported(self, **expiry):
        key, material = make(self.kms), os.urandom(32)
        return key, material, take_in(self.kms, key, material, **expiry)

    def alias(self, key=None):
        name = f"alias/model/{uuid.uuid4()}"
        self.kms.create_alias(AliasName=name, TargetKeyId=key or self.key())
        return name

    def grant(self, key=None, operations=("DescribeKey",), **more):
        asked = {"KeyId": key or self.key(), "GranteePrincipal": GRANTEE, **more}
        made = self.kms.create_grant(Operations=operations, **asked)
        arn = self.kms.describe_key(KeyId=asked["KeyId"])["KeyMetadata"]["Arn"]
        return {"KeyId": arn, "GrantId": made["GrantId"]}, made["GrantToken"]

    def tokens(self, key):
        return {"GrantTokens": [self.grant(key)[1]]}

    def blob(self, key, **more):
        return self.kms.encrypt(KeyId=key, Plaintext=b"x", **more)["CiphertextBlob"]

    def second_page(self, operation, **asked):
        """The request for what follows one entry."""
        asked["Limit"] = 1
        return {**asked, "Marker": getattr(self.kms, operation)(**asked)["NextMarker"]}


def wire(value):
    if isinstance(value, datetime):
        return value.timestamp()
    return base64.b64encode(value).decode()


def create_grant(w):
    key = w.key()
    both = {"KeyId": key, "Operations": ["Encrypt"]}
    least = {**both, "GranteePrincipal": GRANTEE}
    most = {"RetiringPrincipal": GRANTEE, "Name": "model", "DryRun": False, **w.tokens(key)}
    service = {"GranteeServicePrincipal": SERVICE, "RetiringServicePrincipal": SERVICE}
    return [
        least,
        {**least, **most, "Constraints": {"EncryptionContextSubset": CONTEXT}},
        {**least, "Constraints": {"EncryptionContextEquals": CONTEXT}},
        {**both, **service, "Constraints": {"SourceArn": SOURCE}},
    ]


def create_key(w):
    spec = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "Origin": "AWS_KMS"}
    return [
        {},
        {**POLICY, **spec, "Description": "of the model", "MultiRegion": True, "Tags": TAGS},
        {"CustomerMasterKeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
        {"KeySpec": "ECC_NIST_P384", "KeyUsage": "KEY_AGREEMENT"},
        {"Origin": "EXTERNAL"},
        *({"KeySpec": spec, "KeyUsage": usage(spec)} for spec in specs("KeySpec")),
    ]


# With this one needs no ciphertext (documentation of `DryRunModifiers`).
DRY = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}


def decrypt(w):
    key = w.key()
    most = {"CiphertextBlob": w.blob(key, EncryptionContext=CONTEXT), "EncryptionContext": CONTEXT}
    most.update({"EncryptionAlgorithm": DEFAULT, "DryRun": False, **w.tokens(key)})
    return [{"CiphertextBlob": w.blob(key)}, {**most, "KeyId": key}, {"KeyId": key, **DRY}]


def re_encrypt(w):
    one, two = w.key(), w.key()
    source = {"SourceKeyId": one, "SourceEncryptionAlgorithm": DEFAULT}
    into = {"DestinationKeyId": two, "DestinationEncryptionAlgorithm": DEFAULT}
    contexts = {"SourceEncryptionContext": CONTEXT, "DestinationEncryptionContext": {"to": "two"}}
    blob = {"CiphertextBlob": w.blob(one, EncryptionContext=CONTEXT)}
    return [
        {"CiphertextBlob": w.blob(one), "DestinationKeyId": two},
        {**blob, "DryRun": False, **source, **into, **contexts, **w.tokens(one)},
        {"SourceKeyId": one, "DestinationKeyId": two, **DRY},
    ]


def import_key_material(w):
    new = wrapped(w.kms, make(w.kms), os.urandom(32))
    key, material, name = w.imported()
    again = {"ImportType": "EXISTING_KEY_MATERIAL", "KeyMaterialId": name}
    again.update({"ValidTo": soon(), "ExpirationModel": "KEY_MATERIAL_EXPIRES"})
    again.update(wrapped(w.kms, key, material))
    return [{**new, "ExpirationModel": FOREVER}, {**again, "KeyMaterialDescription": "again"}]


def describe_key(w):
    key = w.key()
    others = [w.after("schedule_key_deletion", key) for key in (w.key(), w.primary())]
    others += ["alias/aws/s3", w.primary(), w.imported()[0], w.imported(expires=soon())[0]]
    others += [w.key(spec) for spec in specs("KeySpec")]
    return [{"KeyId": key}, {"KeyId": key, **w.tokens(key)}, *({"KeyId": key} for key in others)]


def list_aliases(w):
    key = w.key()
    w.alias(key), w.alias(key)
    return [{}, w.second_page("list_aliases", KeyId=key)]


def list_grants(w):
    key = w.key()
    known, _ = w.grant(key, Name="known", RetiringPrincipal=GRANTEE)
    w.grant(key, ["Encrypt"], Constraints={"EncryptionContextEquals": CONTEXT})
    page = w.second_page("list_grants", KeyId=key, GranteePrincipal=GRANTEE)
    return [{"KeyId": key}, page, known, {"KeyId": key, "GranteeServicePrincipal": SERVICE}]


def list_retirable_grants(w):
    retiring = {"RetiringPrincipal": f"arn:aws:iam::111122223333:role/{uuid.uuid4()}"}
    w.grant(**retiring), w.grant(**retiring)
    page = w.second_page("list_retirable_grants", **retiring)
    return [retiring, page, {"RetiringServicePrincipal": SERVICE}]


def list_key_rotations(w):
    key = w.rotated()
    every = {"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
    imported = {**every, "KeyId": w.imported(expires=soon())[0]}
    return [{"KeyId": key}, w.second_page("list_key_rotations", **every), every, imported]


def uses(spec=DEFAULT, usage=None, made=None, more=(), others=(), **asked):
    """For the operations that take a key of one spec, grant tokens and a dry run; `made` says which
    member another operation makes of the same request.
    """

    def requests(w):
        key = w.key(spec, **({"KeyUsage": usage} if usage else {}))
        least = {"KeyId": key, **asked}
        both = [least, {**least, **dict(more), "DryRun": False, **w.tokens(key)}]
        for request in both if made else ():
            maker, member = made
            request[member] = getattr(w.kms, maker)(**request)[member]
        return [*both, *({"KeyId": key, **other} for other in others)]

    return requests


PEER = ec.generate_private_key(ec.SECP256R1()).public_key()
DER = PEER.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
AGREEMENT = {"KeyAgreementAlgorithm": "ECDH", "PublicKey": DER}
DATA_KEY = {"more": {"EncryptionContext": CONTEXT}, "others": [{"NumberOfBytes": 64}]}
ENCAPSULATED = {"EncapsulationAlgorithm": "ML_KEM"}
MAC = {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}
PAIRS = [{"KeyPairSpec": spec} for spec in specs("DataKeyPairSpec")]
PAIR = {"more": {"EncryptionContext": CONTEXT}, "others": PAIRS, "KeyPairSpec": "ECC_NIST_P256"}
PLAIN = {"EncryptionAlgorithm": DEFAULT, "EncryptionContext": CONTEXT}
DIGEST = {"Message": b"d" * 32, "SigningAlgorithm": "ECDSA_SHA_256"}
TYPED = {"more": {"MessageType": "DIGEST"}, **DIGEST}
WRAPPING = {"WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256", "WrappingKeySpec": "RSA_4096"}

# operation: requests that are valid. The first has what is needed and no more; the second as much
# as goes together; others what excludes members of the second, or shows more in the answer.
LIFE = {
    "CancelKeyDeletion": lambda w: [{"KeyId": w.after("schedule_key_deletion")}],
    "CreateAlias": lambda w: [{"AliasName": w.alias() + "-2", "TargetKeyId": w.key()}],
    "CreateGrant": create_grant,
    "CreateKey": create_key,
    "Decapsulate": uses(
        "ML_KEM_768", made=("encapsulate", "SharedSecretCiphertextBlob"), **ENCAPSULATED
    ),
    "Decrypt": decrypt,
    "DeleteAlias": lambda w: [{"AliasName": w.alias()}],
    "DeleteImportedKeyMaterial": lambda w: [
        {"KeyId": w.imported()[0]},
        *({"KeyId": key, "KeyMaterialId": name} for key, _, name in [w.imported()]),
    ],
    "DeriveSharedSecret": uses("ECC_NIST_P256", "KEY_AGREEMENT", **AGREEMENT),
    "DescribeKey": describe_key,
    "DisableKey": lambda w: [{"KeyId": w.key()}],
    "DisableKeyRotation": lambda w: [{"KeyId": w.rotated()}],
    "EnableKey": lambda w: [{"KeyId": w.after("disable_key")}],
    "EnableKeyRotation": lambda w: [
        {"KeyId": w.key()},
        {"KeyId": w.key(), "RotationPeriodInDays": 90},
    ],
    "Encapsulate": uses("ML_KEM_512", **ENCAPSULATED),
    "Encrypt": uses(more=PLAIN, Plaintext=b"x"),
    "GenerateDataKey": uses(KeySpec="AES_256", **DATA_KEY),
    "GenerateDataKeyPair": uses(**PAIR),
    "GenerateDataKeyPairWithoutPlaintext": uses(**PAIR),
    "GenerateDataKeyWithoutPlaintext": uses(KeySpec="AES_128", **DATA_KEY),
    "GenerateMac": uses("HMAC_256", **MAC),
    "GenerateRandom": lambda w: [{"NumberOfBytes": 32}],
    "GetKeyLastUsage": lambda w: [{"KeyId": w.after("encrypt", Plaintext=b"x")}],
    "GetKeyPolicy": lambda w: [{"KeyId": w.key()}, {"KeyId": w.key(), "PolicyName": "default"}],
    "GetKeyRotationStatus": lambda w: [{"KeyId": w.rotated()}],
    "GetParametersForImport": lambda w: [{"KeyId": make(w.kms), **WRAPPING}],
    "GetPublicKey": lambda w: [
        {"KeyId": w.key("RSA_2048")},
        *({"KeyId": key, **w.tokens(key)} for key in [w.key("RSA_2048")]),
        {"KeyId": w.key("RSA_2048", KeyUsage="ENCRYPT_DECRYPT")},
        {"KeyId": w.key("ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")},
        {"KeyId": w.key("ML_DSA_44")},
        {"KeyId": w.key("ML_KEM_512")},
    ],
    "ImportKeyMaterial": import_key_material,
    "ListAliases": list_aliases,
    "ListGrants": list_grants,
    # There is one policy, so one page: no marker leads anywhere.
    "ListKeyPolicies": lambda w: [
        {"KeyId": w.key()},
        {"KeyId": w.key(), "Limit": 1},
        {"KeyId": w.key(), "Marker": NO_MARKER},
    ],
    "ListKeyRotations": list_key_rotations,
    "ListKeys": lambda w: [{}, w.second_page("list_keys", ResourceOwners=["SELF"])],
    "ListResourceTags": lambda w: [
        {"KeyId": w.key(Tags=TAGS)},
        w.second_page(
            "list_resource_tags", KeyId=w.key(Tags=[*TAGS, {"TagKey": "x", "TagValue": ""}])
        ),
    ],
    "ListRetirableGrants": list_retirable_grants,
    "PutKeyPolicy": lambda w: [
        {"KeyId": w.key(), "Policy": POLICY["Policy"]},
        {"KeyId": w.key(), "PolicyName": "default", **POLICY},
    ],
    "ReEncrypt": re_encrypt,
    "ReplicateKey": lambda w: [
        {"KeyId": w.key(MultiRegion=True), "ReplicaRegion": AWAY},
        *(
            {"KeyId": key, "ReplicaRegion": AWAY, "Description": "away", "Tags": TAGS, **POLICY}
            for key in [w.key(MultiRegion=True)]
        ),
    ],
    "RetireGrant": lambda w: [{"GrantToken": w.grant()[1]}, {**w.grant()[0], "DryRun": False}],
    "RevokeGrant": lambda w: [w.grant()[0], {**w.grant()[0], "DryRun": False}],
    "RotateKeyOnDemand": lambda w: [{"KeyId": w.key()}],
    "ScheduleKeyDeletion": lambda w: [
        {"KeyId": w.key()},
        {"KeyId": w.key(), "PendingWindowInDays": 7},
        {"KeyId": w.primary()},
    ],
    "Sign": uses("ECC_NIST_P256", **TYPED),
    "TagResource": lambda w: [{"KeyId": w.key(), "Tags": TAGS}],
    "UntagResource": lambda w: [{"KeyId": w.key(Tags=TAGS), "TagKeys": ["stage"]}],
    "UpdateAlias": lambda w: [{"AliasName": w.alias(), "TargetKeyId": w.key()}],
    "UpdateKeyDescription": lambda w: [{"KeyId": w.key(), "Description": "another"}],
    "UpdatePrimaryRegion": lambda w: [{"KeyId": w.primary(), "PrimaryRegion": AWAY}],
    "Verify": uses("ECC_NIST_P256", made=("sign", "Signature"), **TYPED),
    "VerifyMac": uses("HMAC_256", made=("generate_mac", "Mac"), **MAC),
}


@pytest.fixture(scope="module")
def world(server):
    return World(server)


every_operation = pytest.mark.parametrize("operation", LIFE)


def asks(operation):
    return MODEL.operation_model(operation).input_shape


def requests_of(world, operation):
    """Those of the table, and one for each member that is not supported."""
    requests = LIFE[operation](world)
    names = [name for name in UNSUPPORTED if name in asks(operation).members]
    return [*requests, *({**requests[0], name: UNSUPPORTED[name]} for name in names)]


def fullest(world, operation):
    return LIFE[operation](world)[:2][-1]


JSON = {"blob": str, "boolean": bool, "integer": int, "list": list, "map": dict, "string": str}
JSON.update({"structure": dict, "timestamp": (int, float)})


def faults(shape, value, where):
    """What of an answer is not as the model says."""
    kind, rules = shape.type_name, shape.metadata
    least, most = rules.get("min", 0), rules.get("max", 1 << 32)
    if not isinstance(value, JSON[kind]) or isinstance(value, bool) != (kind == "boolean"):
        yield f"{where}: {value!r} is no {kind}"
    elif kind == "structure":
        yield from (f"{where}: no {name}" for name in shape.required_members if name not in value)
        for name, inner in value.items():
            if name not in shape.members:
                yield f"{where}: {name} is not in the model"
            # AWS beyond its model: a grant without a name has an empty one (Developer Guide,
            # "Viewing grants"), and the older name of `KeySpec` has its newer values, too (there,
            # `KeyMetadata`: "have the same value").
            elif (shape.name, name, inner) != ("GrantListEntry", "Name", ""):
                member = "KeySpec" if name == "CustomerMasterKeySpec" else name
                yield from faults(shape.members[member], inner, f"{where}.{name}")
    elif kind == "list":
        for number, inner in enumerate(value):
            yield from faults(shape.member, inner, f"{where}[{number}]")
    elif kind == "map":
        for name, inner in value.items():
            yield from faults(shape.key, name, where)
            yield from faults(shape.value, inner, f"{where}[{name}]")
    elif kind in ("string", "blob"):
        whole = value if kind == "string" else base64.b64decode(value, validate=True)
        if not least <= len(whole) <= most:
            yield f"{where}: {value!r} is {len(whole)} long, not {least} to {most}"
        if value not in rules.get("enum", [value]):
            yield f"{where}: {value} is none of {rules['enum']}"
        if value and not re.fullmatch(rules.get("pattern", ".*"), value, re.ASCII | re.DOTALL):
            yield f"{where}: {value!r} does not match {rules['pattern']}"
    elif kind == "integer" and not least <= value <= most:
        yield f"{where}: {value} is not {least} to {most}"


def answered(operation, request, answer):
    """What is wrong with an answer that should be a result."""
    status, body = answer
    shape = MODEL.operation_model(operation).output_shape
    if status != 200 or (shape is None and body is not None):
        yield f"{operation} {brief(request)}: {status} {body}"
    elif shape:
        yield from (f"{fault}, of {brief(request)}" for fault in faults(shape, body, operation))


def refused(operation, request, answer, *codes):
    """What is wrong with an answer that should be a refusal: one of `codes`, or that the model
    lists.
    """
    status, body = answer
    listed = {error.name for error in MODEL.operation_model(operation).error_shapes} | COMMON
    code = body.get("__type") if status != 200 else None
    is_right = code in (codes or listed - {"KMSInternalException"})
    if not is_right or status != STATUS.get(code, 400) or not isinstance(body["message"], str):
        wanted = " or ".join(codes) or "what the model lists"
        yield f"{operation} {brief(request)}: {status} {str(body)[:200]}, not {wanted}"


def outcome(operation, request, answer):
    """What is wrong with the answer to a valid request."""
    if operation in CUSTOM_KEY_STORES or set(request) & set(UNSUPPORTED):
        return refused(operation, request, answer, NOT_HERE)
    if request.get("DryRun") is True and "DryRun" in asks(operation).members:
        return refused(operation, request, answer, "DryRunOperationException")
    if request.get("Marker") == NO_MARKER:
        return refused(operation, request, answer)
    return answered(operation, request, answer)


def brief(value):
    """For a message: long values cut."""
    if isinstance(value, dict):
        return {name: brief(inner) for name, inner in value.items()}
    return repr(value)[:50] if len(repr(value)) > 50 else value


def right(found):
    found = list(found)
    assert not found, "\n" + "\n".join(found)


def unnamed(shape, values, path=""):
    """The members that none of the values has, down to the structures in them."""
    for name, inner in shape.members.items():
        found = [value[name] for value in values if name in value]
        if not found:
            yield path + name
        elif inner.type_name == "list" and inner.member.type_name == "structure":
            entries = [entry for each in found for entry in each]
            yield from unnamed(inner.member, entries, f"{path}{name}.")
        elif inner.type_name == "structure":
            yield from unnamed(inner, found, f"{path}{name}.")


def test_the_table_has_every_operation():
    assert sorted([*LIFE, *CUSTOM_KEY_STORES]) == sorted(MODEL.operation_names)
    assert len(CUSTOM_KEY_STORES) == 6


@every_operation
def test_the_table_has_every_member(world, operation):
    requests = requests_of(world, operation)
    assert set(requests[0]) == {*asks(operation).required_members, *NEEDED.get(operation, ())}
    right(f"{operation} {name}" for name in unnamed(asks(operation), requests))


@every_operation
def test_valid_requests_are_answered_as_the_model_says(world, operation):
    requests = requests_of(world, operation)
    answers = [(request, world.ask(operation, request)) for request in requests]
    right(fault for asked in answers for fault in outcome(operation, *asked))


@pytest.mark.parametrize("operation", CUSTOM_KEY_STORES)
def test_custom_key_stores_are_refused(world, operation):
    request = dict.fromkeys(asks(operation).required_members, "cks-1234567890abcdef0")
    right(outcome(operation, request, world.ask(operation, request)))


@every_operation
def test_a_dry_run_is_one_where_the_model_has_it(world, operation):
    """Elsewhere `DryRun` is a member that nobody knows, and is passed over."""
    request = {**fullest(world, operation), "DryRun": True}
    right(outcome(operation, request, world.send(operation, request)))


@pytest.mark.parametrize("operation", NEEDED)
def test_what_only_the_documentation_asks_for_is_missed(world, operation):
    least = LIFE[operation](world)[0]
    request = {name: least[name] for name in least if name not in NEEDED[operation]}
    right(refused(operation, request, world.ask(operation, request), "ValidationException"))


def every(world, operation, make):
    """What `make` makes of valid requests, by its name for it: of each the first."""
    found = {}
    for valid in requests_of(world, operation):
        for name, request in make(asks(operation), valid):
            found.setdefault(name, request)
    return found.items()


def violations(shape, value, path=""):
    """For each constraint of a request: where AWS says that it is and what AWS says of it (a
    pattern), and the request with that violated and nothing else.
    """
    kind, rules = shape.type_name, shape.metadata
    if kind == "structure":
        below = f"{path}." if path else ""
        for name in shape.required_members:
            rest = {other: value[other] for other in value if other != name}
            yield (below + camel(name), "Member must not be null"), rest
        for name, inner in value.items():
            for fault, bad in violations(shape.members[name], inner, below + camel(name)):
                yield fault, {**value, name: bad}
    elif kind == "list":
        yield from bounds(rules, path, "length", lambda length: (value * length)[:length])
        # AWS names the entry of a list only where that has members of its own.
        has_members = shape.member.type_name == "structure"
        inner = f"{path}.1.member" if has_members else path
        for (where, words), bad in violations(shape.member, value[0], inner):
            if not has_members:
                words = rf"Member must satisfy constraint: \[.*{words}.*\]"
            yield (where, words), [bad, *value[1:]]
    elif kind == "integer":
        yield from bounds(rules, path, "value", lambda number: number)
    elif kind in ("string", "blob"):
        last = value[-1:]
        yield from bounds(rules, path, "length", lambda n: value[:n] + last * (n - len(value)))
        if "pattern" in rules:
            words = f"Member must satisfy regular expression pattern: {rules['pattern']}"
            yield (path, re.escape(words)), "€" + value[1:]
        if "enum" in rules:
            each = "".join(rf"(?=[^]]*\b{name}\b)" for name in rules["enum"])
            count = rf"(\w+(, )?){{{len(rules['enum'])}}}"
            words = rf"Member must satisfy enum value set: \[{each}{count}\]"
            yield (path, words), "NONE_OF_IT"


def bounds(rules, path, what, make):
    if rules.get("min"):
        words = f"Member must have {what} greater than or equal to {rules['min']}"
        yield (path, words), make(rules["min"] - 1)
    if "max" in rules:
        words = f"Member must have {what} less than or equal to {rules['max']}"
        yield (path, words), make(rules["max"] + 1)


def camel(name):
    return name[0].lower() + name[1:]


def violated(operation, where, words, request, answer):
    """What is wrong with the answer to a violation."""
    wrong = list(refused(operation, request, answer, "ValidationException"))
    message = "" if wrong else answer[1]["message"]
    is_counted = re.match(r"(1 validation error|\d validation errors) detected: Value", message)
    named = set(re.findall(r" at '([\w.]+)' failed to satisfy constraint: ", message))
    wanted = rf"Value( null| '.*')? at '{re.escape(where)}' failed to satisfy constraint: {words}"
    if not wrong and not (is_counted and named == {where} and re.search(wanted, message)):
        wrong = [f"{operation} {brief(request)}: {message[:300]}"]
    return [f"{where}, {words[:70]}: {fault}" for fault in wrong]


@every_operation
def test_each_constraint_is_checked_and_named(world, operation):
    right(
        fault
        for place, request in every(world, operation, violations)
        for fault in violated(operation, *place, request, world.ask(operation, request))
    )


# "%" is neither base64 nor a date.
WRONG_TYPES = [5, True, "%", ["x"], {"x": "y"}]
FITTING = {**JSON, "blob": None, "timestamp": int}


def mistyped(shape, value, path=""):
    """For each member of a request: the request with that of another JSON type."""
    kind = shape.type_name
    for bad in WRONG_TYPES:
        if type(bad) is not FITTING[kind]:
            yield f"{path} {bad}", bad
    if kind in ("structure", "map"):
        for name, inner in value.items():
            member = shape.members[name] if kind == "structure" else shape.value
            for where, bad in mistyped(member, inner, f"{path}.{name}"):
                yield where, {**value, name: bad}
    elif kind == "list":
        for where, bad in mistyped(shape.member, value[0], f"{path}[]"):
            yield where, [bad, *value[1:]]


@every_operation
def test_wrong_types_are_refused(world, operation):
    codes = ("SerializationException", "ValidationException")
    right(
        fault
        for _, request in every(world, operation, mistyped)
        for fault in refused(operation, request, world.send(operation, request), *codes)
    )


def doubtful(w):
    """By member: values of the right form, which name or hold something else than is wanted."""
    arn = "arn:aws:kms:{}:111122223333:key/" + MISSING
    keys = [MISSING, arn.format("eu-west-1"), arn.format(AWAY), "arn:aws:s3:::bucket", "arn:x"]
    keys += ["alias/none", "alias/not allowed", "alias/aws/s3", w.alias(), w.key(kms=w.away)]
    keys += [w.after("disable_key"), w.after("schedule_key_deletion"), make(w.kms), w.primary()]
    keys += [w.key("HMAC_256"), w.key("ECC_NIST_P256")]
    many = [{"TagKey": f"many-{number}", "TagValue": ""} for number in range(51)]
    both = {"EncryptionContextEquals": CONTEXT, "EncryptionContextSubset": CONTEXT}
    return {
        "AliasName": ["none", "alias/none", "alias/aws/none", "alias/aws/s3", w.alias()],
        "Constraints": [both],
        "EncryptionContext": [{"other": "x"}, {"": ""}],
        "GrantId": ["none", "0" * 64],
        "GranteePrincipal": ["nobody", "arn:aws:s3:::bucket"],
        "KeyMaterialId": ["0" * 64],
        "Limit": [1, 1000],
        "Operations": [["Sign"], ["CreateGrant"], []],
        "PendingWindowInDays": [1, 365],
        "Policy": ["none", "{}"],
        "PolicyName": ["other"],
        "Tags": [[{"TagKey": "aws:x", "TagValue": ""}], TAGS * 2, [], many],
        "ValidTo": [datetime(2020, 1, 1, tzinfo=UTC)],
        **dict.fromkeys(["DestinationKeyId", "KeyId", "SourceKeyId", "TargetKeyId"], keys),
        **dict.fromkeys(["GrantToken", "Marker"], ["none"]),
        **dict.fromkeys(["PrimaryRegion", "ReplicaRegion"], ["eu-west-1", "xx-nowhere-1"]),
        "GrantTokens": [["none"]],
        "blob": [b"foreign", w.blob(w.key())],
    }


@every_operation
def test_every_refusal_is_one_that_the_model_lists(world, operation):
    """Whatever else is wrong with a request."""
    table, found = doubtful(world), []
    for valid in LIFE[operation](world)[:2]:
        for name, shape in asks(operation).members.items():
            values = table.get(name) or table.get(shape.type_name) or getattr(shape, "enum", [])
            for request in [{**valid, name: value} for value in values]:
                answer = world.ask(operation, request)
                check = answered if answer[0] == 200 else refused
                found += check(operation, request, answer)
    right(found)
