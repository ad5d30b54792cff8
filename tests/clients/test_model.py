"""Every operation of the service model that botocore ships: each member, constraint and error of it.

A newer botocore with an operation or a member that is not in `LIFE` fails here until it is.
Sources: `kms/2014-11-01/service-2.json` (what is checked) and its documentation (which members
exclude each other, which are needed although the model does not say so).
"""

import base64
import json
import os
import re
import uuid
from datetime import UTC, datetime, timedelta

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from test_access import policy, statement
from test_boto3 import SIGNED, aws, post
from test_import import FOREVER, make, take_in, wrapped

MODEL = botocore.session.get_session().get_service_model("kms")

# Errors of any operation that the model does not list (API reference, "Common Error Types").
COMMON = {
    "AccessDeniedException",
    "SerializationException",
    "UnrecognizedClientException",
    "ValidationException",
}
STATUS = {
    "DependencyTimeoutException": 500,
    "DryRunOperationException": 412,
    "KMSInternalException": 500,
}

# Deliberate: nothing here keeps keys elsewhere, and there are no enclaves.
CUSTOM_KEY_STORES = {name for name in MODEL.operation_names if "CustomKeyStore" in name}
RECIPIENT = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"signed"}
UNSUPPORTED = {
    "CustomKeyStoreId": "cks-1234567890abcdef0",
    "Recipient": RECIPIENT,
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
GRANTEE = "arn:aws:iam::111122223333:role/grantee"
MISSING = "00000000-0000-4000-8000-000000000000"
POLICY = policy(statement())
SERVICE = "ec2.eu-west-1.amazonaws.com"
SOURCE = "arn:aws:ec2:eu-west-1:111122223333:instance/i-0"
TAGS = [{"TagKey": "stage", "TagValue": "test"}]

# A usage that fits each key spec.
USAGES = {
    r"SYMMETRIC_DEFAULT": "ENCRYPT_DECRYPT",
    r"HMAC_\d+": "GENERATE_VERIFY_MAC",
    r"RSA_\d+|ECC_\w+|ML_DSA_\d+": "SIGN_VERIFY",
    r"ML_KEM_\d+": "ENCAPSULATE_DECAPSULATE",
}


def usage(spec):
    return next(usage for specs, usage in USAGES.items() if re.fullmatch(specs, spec))


def specs(shape):
    """All that the model names; SM2 is for China alone."""
    return [spec for spec in MODEL.shape_for(shape).enum if spec != "SM2"]


class World:
    """Makes what requests name; keeps the last answer as it came."""

    def __init__(self, server):
        self.server, self.kms, self.away = server, aws(server), aws(server, region=AWAY)
        self.kms.meta.events.register("after-call.kms", self.keep)

    def keep(self, http_response, **_):
        self.last = http_response

    def ask(self, operation, request):
        """As an SDK that does not check first; the answer unparsed."""
        try:
            getattr(self.kms, xform_name(operation))(**request)
        except ClientError:
            pass
        return self.last.status_code, json.loads(self.last.content or "null")

    def send(self, operation, request):
        """As no SDK would."""
        body = json.dumps(request, default=wire).encode()
        return post(self.server, body, f"TrentService.{operation}", **SIGNED)[:2]

    def key(self, spec="SYMMETRIC_DEFAULT", kms=None, **more):
        more = {"KeyUsage": usage(spec), **more}
        return (kms or self.kms).create_key(KeySpec=spec, **more)["KeyMetadata"]["KeyId"]

    def disabled(self):
        key = self.key()
        self.kms.disable_key(KeyId=key)
        return key

    def doomed(self, key=None):
        key = key or self.key()
        self.kms.schedule_key_deletion(KeyId=key)
        return key

    def used(self):
        key = self.key()
        self.kms.encrypt(KeyId=key, Plaintext=b"x")
        return key

    def primary(self, replicas=()):
        key = self.key(MultiRegion=True)
        for region in replicas:
            self.kms.replicate_key(KeyId=key, ReplicaRegion=region)
        return key

    def rotated(self):
        key = self.key()
        self.kms.enable_key_rotation(KeyId=key)
        self.kms.rotate_key_on_demand(KeyId=key)
        self.kms.rotate_key_on_demand(KeyId=key)
        return key

    def imported(self, **expiry):
        key, material = make(self.kms), os.urandom(32)
        return key, material, take_in(self.kms, key, material, **expiry)

    def alias(self, key=None):
        name = f"alias/model/{uuid.uuid4()}"
        self.kms.create_alias(AliasName=name, TargetKeyId=key or self.key())
        return name

    def tagged(self, count=1):
        tags = [{"TagKey": f"stage-{number}", "TagValue": "test"} for number in range(count)]
        return self.key(Tags=tags)

    def grant(self, key=None, operations=("DescribeKey",), **more):
        asked = {"KeyId": key or self.key(), "GranteePrincipal": GRANTEE, **more}
        made = self.kms.create_grant(Operations=operations, **asked)
        arn = self.kms.describe_key(KeyId=asked["KeyId"])["KeyMetadata"]["Arn"]
        return {"KeyId": arn, "GrantId": made["GrantId"]}, made["GrantToken"]

    def tokens(self, key):
        return {"GrantTokens": [self.grant(key)[1]]}

    def second_page(self, operation, **asked):
        """The request for what follows one entry."""
        asked["Limit"] = 1
        return {**asked, "Marker": getattr(self.kms, operation)(**asked)["NextMarker"]}


def wire(value):
    if isinstance(value, datetime):
        return value.timestamp()
    return base64.b64encode(value).decode()


def peer():
    """A public key from outside."""
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(encoding, form)


def create_grant(w):
    key = w.key()
    least = {"KeyId": key, "GranteePrincipal": GRANTEE, "Operations": ["Encrypt"]}
    most = {"RetiringPrincipal": GRANTEE, "Name": "model", "DryRun": False, **w.tokens(key)}
    service = {"GranteeServicePrincipal": SERVICE, "RetiringServicePrincipal": SERVICE}
    by_service = {"KeyId": key, "Operations": ["Encrypt"], **service}
    return [
        least,
        {**least, **most, "Constraints": {"EncryptionContextSubset": CONTEXT}},
        {**least, "Constraints": {"EncryptionContextEquals": CONTEXT}},
        {**by_service, "Constraints": {"SourceArn": SOURCE}},
    ]


def create_key(w):
    shared = {"Policy": POLICY, "BypassPolicyLockoutSafetyCheck": True, "Tags": TAGS}
    spec = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "Origin": "AWS_KMS"}
    return [
        {},
        {**shared, **spec, "Description": "of the model", "MultiRegion": True},
        {"CustomerMasterKeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
        {"KeySpec": "ECC_NIST_P384", "KeyUsage": "KEY_AGREEMENT"},
        {"Origin": "EXTERNAL"},
        *({"KeySpec": spec, "KeyUsage": usage(spec)} for spec in specs("KeySpec")),
    ]


def decrypt(w):
    key = w.key()
    plain = w.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    named = {"EncryptionContext": CONTEXT, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    blob = w.kms.encrypt(KeyId=key, Plaintext=b"x", **named)["CiphertextBlob"]
    dry = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    return [
        {"CiphertextBlob": plain},
        {"CiphertextBlob": blob, "KeyId": key, "DryRun": False, **named, **w.tokens(key)},
        {"KeyId": key, **dry},
    ]


def re_encrypt(w):
    one, two = w.key(), w.key()
    plain = w.kms.encrypt(KeyId=one, Plaintext=b"x")["CiphertextBlob"]
    blob = w.kms.encrypt(KeyId=one, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    source = {"SourceKeyId": one, "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    into = {"DestinationKeyId": two, "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    contexts = {"SourceEncryptionContext": CONTEXT, "DestinationEncryptionContext": {"to": "two"}}
    dry = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    return [
        {"CiphertextBlob": plain, "DestinationKeyId": two},
        {"CiphertextBlob": blob, "DryRun": False, **source, **into, **contexts, **w.tokens(one)},
        {"SourceKeyId": one, "DestinationKeyId": two, **dry},
    ]


def import_key_material(w):
    new = wrapped(w.kms, make(w.kms), os.urandom(32))
    key, material, name = w.imported()
    again = {"ImportType": "EXISTING_KEY_MATERIAL", "KeyMaterialId": name}
    expiry = {"ValidTo": soon(), "ExpirationModel": "KEY_MATERIAL_EXPIRES"}
    known = {**wrapped(w.kms, key, material), **again, **expiry}
    return [{**new, "ExpirationModel": FOREVER}, {**known, "KeyMaterialDescription": "of the model"}]


def soon():
    return datetime.now(UTC) + timedelta(days=1)


def describe_key(w):
    key, waiting = w.key(), w.doomed(w.primary([AWAY]))
    others = [w.doomed(), waiting, w.imported()[0], w.imported(expires=soon())[0]]
    others += ["alias/aws/s3", w.primary([AWAY]), *(w.key(spec) for spec in specs("KeySpec"))]
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
    key, (imported, _, _) = w.rotated(), w.imported(expires=soon())
    everything = {"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
    page = w.second_page("list_key_rotations", **everything)
    return [{"KeyId": key}, page, everything, {**everything, "KeyId": imported}]


def uses(spec="SYMMETRIC_DEFAULT", usage=None, prepare=None, more=(), others=(), **asked):
    """For the operations that take a key of one spec, grant tokens and a dry run."""

    def requests(w):
        key = w.key(spec, **({"KeyUsage": usage} if usage else {}))
        least = {"KeyId": key, **asked}
        both = [least, {**least, **dict(more), "DryRun": False, **w.tokens(key)}]
        if prepare:
            both = [{**request, **prepare(w.kms, request)} for request in both]
        return [*both, *({"KeyId": key, **other} for other in others)]

    return requests


def encapsulated(kms, asked):
    made = kms.encapsulate(**asked)
    return {"SharedSecretCiphertextBlob": made["SharedSecretCiphertextBlob"]}


def signed(kms, asked):
    return {"Signature": kms.sign(**asked)["Signature"]}


def coded(kms, asked):
    return {"Mac": kms.generate_mac(**asked)["Mac"]}


IN_CONTEXT = {"EncryptionContext": CONTEXT}
PAIRS = [{"KeyPairSpec": spec} for spec in specs("DataKeyPairSpec")]
DIGEST = {"Message": b"d" * 32, "SigningAlgorithm": "ECDSA_SHA_256"}
MAC = {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}

# operation: requests that are valid. The first has what is needed and no more; the second as much
# as goes together; others what excludes members of the second, or shows more in the answer.
LIFE = {
    "CancelKeyDeletion": lambda w: [{"KeyId": w.doomed()}],
    "CreateAlias": lambda w: [{"AliasName": w.alias() + "-2", "TargetKeyId": w.key()}],
    "CreateGrant": create_grant,
    "CreateKey": create_key,
    "Decapsulate": uses("ML_KEM_768", prepare=encapsulated, EncapsulationAlgorithm="ML_KEM"),
    "Decrypt": decrypt,
    "DeleteAlias": lambda w: [{"AliasName": w.alias()}],
    "DeleteImportedKeyMaterial": lambda w: [
        {"KeyId": w.imported()[0]},
        dict(zip(["KeyId", "KeyMaterialId"], w.imported()[::2], strict=True)),
    ],
    "DeriveSharedSecret": uses(
        "ECC_NIST_P256", "KEY_AGREEMENT", KeyAgreementAlgorithm="ECDH", PublicKey=peer()
    ),
    "DescribeKey": describe_key,
    "DisableKey": lambda w: [{"KeyId": w.key()}],
    "DisableKeyRotation": lambda w: [{"KeyId": w.rotated()}],
    "EnableKey": lambda w: [{"KeyId": w.disabled()}],
    "EnableKeyRotation": lambda w: [
        {"KeyId": w.key()},
        {"KeyId": w.key(), "RotationPeriodInDays": 90},
    ],
    "Encapsulate": uses("ML_KEM_512", EncapsulationAlgorithm="ML_KEM"),
    "Encrypt": uses(
        more={"EncryptionAlgorithm": "SYMMETRIC_DEFAULT", **IN_CONTEXT}, Plaintext=b"x"
    ),
    "GenerateDataKey": uses(more=IN_CONTEXT, others=[{"NumberOfBytes": 64}], KeySpec="AES_256"),
    "GenerateDataKeyPair": uses(more=IN_CONTEXT, others=PAIRS, KeyPairSpec="ECC_NIST_P256"),
    "GenerateDataKeyPairWithoutPlaintext": uses(
        more=IN_CONTEXT, others=PAIRS, KeyPairSpec="ECC_NIST_P256"
    ),
    "GenerateDataKeyWithoutPlaintext": uses(
        more=IN_CONTEXT, others=[{"NumberOfBytes": 64}], KeySpec="AES_128"
    ),
    "GenerateMac": uses("HMAC_256", **MAC),
    "GenerateRandom": lambda w: [{"NumberOfBytes": 32}],
    "GetKeyLastUsage": lambda w: [{"KeyId": w.used()}, {"KeyId": w.key()}],
    "GetKeyPolicy": lambda w: [{"KeyId": w.key()}, {"KeyId": w.key(), "PolicyName": "default"}],
    "GetKeyRotationStatus": lambda w: [{"KeyId": w.rotated()}, {"KeyId": w.key()}],
    "GetParametersForImport": lambda w: [
        {
            "KeyId": make(w.kms),
            "WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256",
            "WrappingKeySpec": "RSA_4096",
        }
    ],
    "GetPublicKey": lambda w: [
        {"KeyId": w.key("RSA_2048")},
        *({"KeyId": key, **w.tokens(key)} for key in [w.key("RSA_2048")]),
        {"KeyId": w.key("ML_DSA_44")},
        {"KeyId": w.key("ML_KEM_512")},
        {"KeyId": w.key("ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")},
    ],
    "ImportKeyMaterial": import_key_material,
    "ListAliases": list_aliases,
    "ListGrants": list_grants,
    # There is one policy, so one page: no marker leads anywhere.
    "ListKeyPolicies": lambda w: [{"KeyId": w.key()}, {"KeyId": w.key(), "Limit": 1}],
    "ListKeyRotations": list_key_rotations,
    "ListKeys": lambda w: [{}, w.second_page("list_keys", ResourceOwners=["SELF"])],
    "ListResourceTags": lambda w: [
        {"KeyId": w.tagged()},
        w.second_page("list_resource_tags", KeyId=w.tagged(2)),
    ],
    "ListRetirableGrants": list_retirable_grants,
    "PutKeyPolicy": lambda w: [
        least := {"KeyId": w.key(), "Policy": POLICY},
        {**least, "PolicyName": "default", "BypassPolicyLockoutSafetyCheck": True},
    ],
    "ReEncrypt": re_encrypt,
    "ReplicateKey": lambda w: [
        {"KeyId": w.primary(), "ReplicaRegion": AWAY},
        {
            **{"KeyId": w.primary(), "ReplicaRegion": AWAY, "Description": "away", "Tags": TAGS},
            **{"Policy": POLICY, "BypassPolicyLockoutSafetyCheck": True},
        },
    ],
    "RetireGrant": lambda w: [{"GrantToken": w.grant()[1]}, {**w.grant()[0], "DryRun": False}],
    "RevokeGrant": lambda w: [w.grant()[0], {**w.grant()[0], "DryRun": False}],
    "RotateKeyOnDemand": lambda w: [{"KeyId": w.key()}],
    "ScheduleKeyDeletion": lambda w: [
        {"KeyId": w.key()},
        {"KeyId": w.key(), "PendingWindowInDays": 7},
        {"KeyId": w.primary([AWAY])},
    ],
    "Sign": uses("ECC_NIST_P256", more={"MessageType": "DIGEST"}, **DIGEST),
    "TagResource": lambda w: [{"KeyId": w.key(), "Tags": TAGS}],
    "UntagResource": lambda w: [{"KeyId": w.tagged(), "TagKeys": ["stage-0"]}],
    "UpdateAlias": lambda w: [{"AliasName": w.alias(), "TargetKeyId": w.key()}],
    "UpdateKeyDescription": lambda w: [{"KeyId": w.key(), "Description": "another"}],
    "UpdatePrimaryRegion": lambda w: [{"KeyId": w.primary([AWAY]), "PrimaryRegion": AWAY}],
    "Verify": uses("ECC_NIST_P256", prepare=signed, more={"MessageType": "DIGEST"}, **DIGEST),
    "VerifyMac": uses("HMAC_256", prepare=coded, **MAC),
}


@pytest.fixture(scope="module")
def world(server):
    return World(server)


every_operation = pytest.mark.parametrize("operation", MODEL.operation_names)


def requests_of(world, operation):
    if operation in CUSTOM_KEY_STORES:
        pytest.skip("there are no custom key stores")
    return LIFE[operation](world)


def members(operation):
    shape = MODEL.operation_model(operation).input_shape
    return shape.members if shape else {}


JSON = {
    "blob": str,
    "boolean": bool,
    "integer": int,
    "list": list,
    "map": dict,
    "string": str,
    "structure": dict,
    "timestamp": (int, float),
}


def faults(shape, value, where):
    """What of an answer is not as the model says."""
    kind, rules = shape.type_name, shape.metadata
    if not isinstance(value, JSON[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{where}: {value!r} is no {kind}"
    elif kind == "structure":
        yield from (f"{where}: no {name}" for name in shape.required_members if name not in value)
        for name, inner in value.items():
            if name not in shape.members:
                yield f"{where}: {name} is not in the model"
            elif not beyond(shape, name, inner):
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
        if not rules.get("min", 0) <= len(whole) <= rules.get("max", len(whole)):
            yield f"{where}: {value!r} has {len(whole)}, not {rules}"
        if "enum" in rules and value not in rules["enum"]:
            yield f"{where}: {value} is none of {rules['enum']}"
        if "pattern" in rules and value and not re.fullmatch(rules["pattern"], value, re.ASCII):
            yield f"{where}: {value!r} does not match {rules['pattern']}"
    elif kind == "integer" and not rules.get("min", value) <= value <= rules.get("max", value):
        yield f"{where}: {value} is not within {rules}"


def beyond(shape, name, value):
    """Where AWS's answers are not as its model says: a grant without a name has an empty one
    (Developer Guide, "Viewing grants"). `CustomerMasterKeySpec` has `KeySpec`'s values
    (model, `KeyMetadata`), newer ones, too.
    """
    return (shape.name, name, value) == ("GrantListEntry", "Name", "")


def answered(operation, request, answer):
    """What is wrong with an answer that should be a result."""
    status, body = answer
    shape = MODEL.operation_model(operation).output_shape
    if status != 200:
        yield f"{operation} {request}: {status} {body}"
    elif shape is None:
        yield from [f"{operation} {request}: {body}"] if body else []
    else:
        yield from (f"{fault} (of {request})" for fault in faults(shape, body, operation))


def refused(operation, request, answer, *codes):
    """What is wrong with an answer that should be a refusal: one of `codes`, or one that the model
    lists.
    """
    status, body = answer
    listed = {error.name for error in MODEL.operation_model(operation).error_shapes}
    code = body.get("__type") if isinstance(body, dict) else None
    right = code in codes if codes else code in (listed | COMMON) - {"KMSInternalException"}
    if not right or status != STATUS.get(code, 400) or not isinstance(body["message"], str):
        yield f"{operation} {request}: {status} {body}, not {codes or 'of the model'}"


def outcome(operation, request, answer):
    """What is wrong with the answer to a valid request."""
    if request.get("DryRun") is True and "DryRun" in members(operation):
        return refused(operation, request, answer, "DryRunOperationException")
    return answered(operation, request, answer)


def right(found):
    found = list(found)
    assert not found, "\n".join(text[:1000] for text in found)


def test_the_table_names_every_operation():
    assert sorted([*LIFE, *CUSTOM_KEY_STORES]) == sorted(MODEL.operation_names)
    assert len(CUSTOM_KEY_STORES) == 6


@every_operation
def test_the_table_names_every_member(world, operation):
    requests = requests_of(world, operation)
    required = set(MODEL.operation_model(operation).input_shape.required_members)
    assert set(requests[0]) == required | NEEDED.get(operation, set())
    paths = {path for request in requests for path in named(request)}
    shape = MODEL.operation_model(operation).input_shape
    more = set(UNSUPPORTED) | ({"Marker"} if operation == "ListKeyPolicies" else set())
    assert paths | (more & set(shape.members)) >= {
        path for path in in_model(shape) if path.split(".")[0] not in more
    }


def named(value, path=""):
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield path + name
        yield from named(inner[0] if isinstance(inner, list) else inner, f"{path}{name}.")


def in_model(shape, path=""):
    for name, inner in shape.members.items():
        yield path + name
        inner = inner.member if inner.type_name == "list" else inner
        if inner.type_name == "structure":
            yield from in_model(inner, f"{path}{name}.")


@every_operation
def test_valid_requests_are_answered_as_the_model_says(world, operation):
    requests = requests_of(world, operation)
    right(
        fault
        for request in requests
        for fault in outcome(operation, request, world.ask(operation, request))
    )


@pytest.mark.parametrize("operation", sorted(CUSTOM_KEY_STORES))
def test_custom_key_stores_are_refused(world, operation):
    request = {"CustomKeyStoreId": UNSUPPORTED["CustomKeyStoreId"], "CustomKeyStoreName": "none"}
    request = {name: value for name, value in request.items() if name in members(operation)}
    code = "UnsupportedOperationException"
    right(refused(operation, request, world.ask(operation, request), code))


@every_operation
def test_members_that_are_not_supported_are_refused(world, operation):
    most = requests_of(world, operation)[:2][-1]
    for name in set(UNSUPPORTED) & set(members(operation)):
        request = {**most, name: UNSUPPORTED[name]}
        code = "UnsupportedOperationException"
        right(refused(operation, request, world.ask(operation, request), code))


@every_operation
def test_a_dry_run_is_one_where_the_model_has_it(world, operation):
    """Elsewhere `DryRun` is a member that nobody knows, and is passed over."""
    request = {**requests_of(world, operation)[:2][-1], "DryRun": True}
    right(outcome(operation, request, world.send(operation, request)))


def telling(operation, requests):
    """The requests, and ones with what is not supported, that have a member that none before has."""
    more = {**UNSUPPORTED, "Marker": "none"}
    more = [{**requests[0], name: more[name]} for name in more if name in members(operation)]
    seen = set()
    for request in [*requests, *more]:
        new = set(named(request)) - seen
        seen |= new
        if new:
            yield request


def broken(shape, value, path=""):
    """Of each constraint below a member: a value that violates it and no other, where AWS says
    that it is, and what AWS says.
    """
    kind, rules = shape.type_name, shape.metadata
    least, most = rules.get("min", 0), rules.get("max")
    what = "value" if kind == "integer" else "length"
    less = f"Member must have {what} greater than or equal to {least}"
    more = f"Member must have {what} less than or equal to {most}"
    if kind == "structure":
        below = f"{path}." if path else ""
        for name in shape.required_members:
            rest = {member: value[member] for member in value if member != name}
            yield rest, below + camel(name), "Member must not be null"
        for name, inner in value.items():
            for bad, where, words in broken(shape.members[name], inner, below + camel(name)):
                yield {**value, name: bad}, where, words
    elif kind == "integer":
        yield from [(least - 1, path, less), (most + 1, path, more)] if rules else []
    elif kind in ("string", "blob", "list"):
        yield from [(value[: least - 1], path, less)] if least else []
        yield from [(value + value[-1:] * (most + 1 - len(value)), path, more)] if most else []
        if "pattern" in rules:
            words = f"Member must satisfy regular expression pattern: {rules['pattern']}"
            yield "€" + value[1:], path, re.escape(words)
        if "enum" in rules:
            yield "NONE_OF_IT", path, rf"Member must satisfy enum value set: \[{one_of(rules['enum'])}\]"
        if kind == "list" and shape.member.type_name == "structure":
            for bad, where, words in broken(shape.member, value[0], f"{path}.1.member"):
                yield [bad, *value[1:]], where, words
        elif kind == "list":
            for bad, where, words in broken(shape.member, value[0], path):
                yield [bad, *value[1:]], where, rf"Member must satisfy constraint: \[.*{words}.*\]"


def camel(name):
    return name[0].lower() + name[1:]


def one_of(values):
    """Matches all of them, in whichever order."""
    return "".join(rf"(?=[^]]*\b{value}\b)" for value in values) + rf"(\w+(, )?){{{len(values)}}}"


def violated(operation, request, answer, where, words):
    """What is wrong with the answer to a request that violates one constraint."""
    wrong = list(refused(operation, request, answer, "ValidationException"))
    yield from wrong
    if not wrong:
        message = answer[1]["message"]
        count = r"(1 validation error|\d validation errors) detected: "
        place = rf"Value( null| '.*')? at '{re.escape(where)}' failed to satisfy constraint: "
        others = set(re.findall(r"at '([\w.]+)' failed", message)) - {where}
        if not re.match(count, message) or not re.search(place + words, message) or others:
            yield f"{operation} {brief(request)}: {message[:300]}, not {where}: {words}"


def brief(request):
    return {name: repr(value)[:60] for name, value in request.items()}


@every_operation
def test_each_constraint_is_checked_and_named(world, operation):
    shape = MODEL.operation_model(operation).input_shape
    violations = {
        (where, words): request
        for valid in telling(operation, requests_of(world, operation))
        for request, where, words in broken(shape, valid)
    }
    right(
        fault
        for (where, words), request in violations.items()
        for fault in violated(operation, request, world.ask(operation, request), where, words)
    )


@pytest.mark.parametrize("operation", NEEDED)
def test_what_only_the_documentation_asks_for_is_missed(world, operation):
    least = LIFE[operation](world)[0]
    request = {name: least[name] for name in least if name not in NEEDED[operation]}
    right(refused(operation, request, world.ask(operation, request), "ValidationException"))


# "%" is neither base64 nor a date.
WRONG_TYPES = [5, True, "%", ["x"], {"x": "y"}]
FITTING = {**JSON, "blob": None, "timestamp": int}


def mistyped(shape, value):
    """A value with something of another JSON type than the model's in it, for each such thing."""
    kind = shape.type_name
    yield from (bad for bad in WRONG_TYPES if type(bad) is not FITTING[kind])
    if kind in ("structure", "map"):
        for name, inner in value.items():
            member = shape.members[name] if kind == "structure" else shape.value
            yield from ({**value, name: bad} for bad in mistyped(member, inner))
    elif kind == "list":
        yield from ([bad, *value[1:]] for bad in mistyped(shape.member, value[0]))


@every_operation
def test_wrong_types_are_refused(world, operation):
    shape = MODEL.operation_model(operation).input_shape
    codes = ("SerializationException", "ValidationException")
    right(
        fault
        for valid in telling(operation, requests_of(world, operation))
        for request in mistyped(shape, valid)
        for fault in refused(operation, request, world.send(operation, request), *codes)
    )


def doubtful(w):
    """By member: values of the right form, which name or hold something else than is wanted."""
    arn = "arn:aws:kms:{}:111122223333:key/" + MISSING
    keys = [MISSING, arn.format("eu-west-1"), arn.format(AWAY), "arn:aws:s3:::bucket", "arn:aws:kms"]
    keys += ["alias/none", "alias/not allowed", "alias/aws/s3", w.alias()]
    keys += [w.disabled(), w.doomed(), make(w.kms), w.key("HMAC_256"), w.key("ECC_NIST_P256")]
    keys += [w.primary([AWAY]), w.key(kms=w.away)]
    blobs = [b"foreign", w.kms.encrypt(KeyId=w.key(), Plaintext=b"x")["CiphertextBlob"]]
    many = [{"TagKey": f"many-{number}", "TagValue": ""} for number in range(51)]
    table = {
        "AliasName": ["none", "alias/none", "alias/aws/none", "alias/aws/s3", w.alias()],
        "Constraints": [{"EncryptionContextEquals": CONTEXT, "EncryptionContextSubset": CONTEXT}],
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
    }
    for values, names in [
        (keys, ["DestinationKeyId", "KeyId", "SourceKeyId", "TargetKeyId"]),
        (["none"], ["GrantToken", "Marker"]),
        ([["none"]], ["GrantTokens"]),
        (["eu-west-1", "xx-nowhere-1"], ["PrimaryRegion", "ReplicaRegion"]),
    ]:
        table.update(dict.fromkeys(names, values))
    return lambda name, shape: (
        blobs if shape.type_name == "blob" else getattr(shape, "enum", None) or table.get(name, [])
    )


@every_operation
def test_every_refusal_is_one_that_the_model_lists(world, operation):
    least, most = (requests_of(world, operation) * 2)[:2]
    values = doubtful(world)
    for name, shape in members(operation).items():
        for request in [{**valid, name: value} for valid in (least, most) for value in values(name, shape)]:
            answer = world.ask(operation, request)
            check = answered if answer[0] == 200 else refused
            right(check(operation, request, answer))
