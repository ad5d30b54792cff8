"""A world in which every request of the service model that botocore ships can be a valid one.

`LIFE` has the requests of each operation and `World` makes the keys that they name. What the model
does not say, which members exclude or need each other, is from its documentation.
"""

import base64
import json
import os
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from test_access import policy, statement
from test_boto3 import SIGNED, aws
from test_import import FOREVER, make, take_in, wrapped

MODEL = botocore.session.get_session().get_service_model("kms")

# What is refused wherever a request has it.
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
        kind = {"Content-Type": "application/x-amz-json-1.1"}
        headers = {"X-Amz-Target": f"TrentService.{operation}", **kind, **SIGNED}
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


def asks(operation):
    return MODEL.operation_model(operation).input_shape


def requests_of(world, operation):
    """Those of the table, and one for each member that is not supported."""
    requests = LIFE[operation](world)
    names = [name for name in UNSUPPORTED if name in asks(operation).members]
    return [*requests, *({**requests[0], name: UNSUPPORTED[name]} for name in names)]


def fullest(world, operation):
    return LIFE[operation](world)[:2][-1]
