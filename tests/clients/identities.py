"""A server that knows users and roles, and what they prove themselves with."""

import base64
import hashlib
import json
import os

import boto3
from botocore.config import Config
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from client import Client
from conftest import Server

ACCOUNT, OTHER = "111122223333", "444455556666"
REGION = "eu-west-1"
CONFIG = Config(retries={"max_attempts": 0}, parameter_validation=False)
ROOT_KEY = bytes(range(32))
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
NO_KMS = {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}
USERS = {
    "allowed": [EVERYTHING],
    "forbidden": [EVERYTHING, {**NO_KMS, "Sid": "NoKms"}],
    "silent": [],
}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal, **condition):
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:*"}
    return document({**statement, **({"Condition": condition} if condition else {})})


def prove(name):
    """What somebody of that name proves itself with: access key, and token for gRPC."""
    return name, f"secret of {name}", f"token of {name}"


def entry(name, kind):
    key, secret, token = prove(name)
    digest = hashlib.sha256(token.encode()).hexdigest()
    return (
        f'[[account{kind}.access_key]]\nid = "{key}"\nsecret = "{secret}"\n'
        f'[[account{kind}.token]]\nsha256 = "{digest}"\n'
    )


def user(name, statements, more=""):
    policies = [document(*statements)] if statements else []
    return f'[[account.user]]\nname = "{name}"\npolicies = {policies}\n{more}\n' + entry(name, ".user")


def role(name, trusted, statements=(EVERYTHING,), more=""):
    policies = [document(*statements)] if statements else []
    return (
        f"[[account.role]]\nname = \"{name}\"\ntrust = '{trusted}'\npolicies = {policies}\n{more}\n"
    )


def known(folder, more="", *arguments, start=Server, others=""):
    """A server with `USERS` and roots of two accounts, what `more` adds to the first and `others` to the second."""
    path = folder / "credentials.toml"
    path.touch(0o600)
    users = "".join(user(name, statements) for name, statements in USERS.items())
    roots = [f'[[account]]\nid = "{id}"\n{entry(id, "")}' for id in (ACCOUNT, OTHER)]
    path.write_text(roots[0] + users + more + roots[1] + others)
    key = {"STRONGROOM_ROOT_KEY": ROOT_KEY.hex()}
    files = "--data-dir", str(folder / "data"), "--credentials", str(path)
    return start(*files, *arguments, env=key)


def aws(server, name, service="kms", keys=None, region=REGION):
    """boto3 of somebody, or with the keys of a session."""
    if keys:
        proof = keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]
    else:
        proof = prove(name)[:2]
    return signed(server, service, *proof, region=region)


def signed(server, service, key, secret, token=None, region=REGION):
    """boto3 with these keys, which asks once and checks nothing first."""
    return boto3.client(
        service,
        endpoint_url=f"http://{server.address}",
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=CONFIG,
    )


def grpc(server, name=None, keys=None, credentials=None):
    bearer = prove(name)[2] if name else None
    if keys:
        bearer = ":".join(keys[part] for part in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
    proof = [("authorization", f"Bearer {bearer}")] if bearer else []
    return Client(server.address, [*proof, ("x-strongroom-region", REGION)], credentials)


def mint(server, **session):
    """The keys of a session, as docs/formats.md says that they are made."""
    root = grpc(server, ACCOUNT)
    root.call("Keys.ListKeys")  # the log begins
    note = root.call("Audit.GetCheckpoint").checkpoint
    store = bytes.fromhex(note.split("\n")[0].removeprefix("strongroom.local/"))
    secret = derive(ROOT_KEY, store, b"strongroom/v1/sessions-secret", b"")
    key = derive(secret, b"", b"strongroom/v1/session-token", b"")
    nonce, said = os.urandom(12), json.dumps(session).encode()
    sealed = AESGCM(key).encrypt(nonce, said, b"\x01" + session["id"].encode())
    secret = derive(secret, b"", b"strongroom/v1/session-secret", session["id"].encode())
    return {
        "AccessKeyId": session["id"],
        "SecretAccessKey": base64url(secret),
        "SessionToken": base64url(b"\x01" + nonce + sealed),
    }


def derive(key, salt, label, info):
    return HKDF(SHA256(), 32, salt, label + b"\0" + info).derive(key)


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
