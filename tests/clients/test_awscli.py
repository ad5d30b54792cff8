"""The AWS command line: what a person types, with nothing but AWS_ENDPOINT_URL set."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

AWS = Path(sys.executable).parent / "aws"


@pytest.fixture
def aws(server, tmp_path):
    def run(*words, account="111122223333", refused=None):
        settings = {
            "AWS_ENDPOINT_URL": f"http://{server.address}",
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
        }
        command = [sys.executable, AWS, *words, "--output", "json"]
        done = subprocess.run(
            command, env={**os.environ, **settings}, capture_output=True, text=True, cwd=tmp_path
        )
        if refused:
            assert done.returncode != 0 and f"({refused})" in done.stderr, done.stderr
            return done.stderr
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")

    return run


def test_a_whole_life(aws, tmp_path):
    assert aws("sts", "get-caller-identity")["Account"] == "111122223333"
    key = aws("kms", "create-key", "--description", "typed")["KeyMetadata"]
    alias = f"alias/typed/{key['KeyId']}"
    aws("kms", "create-alias", "--alias-name", alias, "--target-key-id", key["KeyId"])
    context = ["--encryption-context", "purpose=life"]
    made = aws("kms", "generate-data-key", "--key-id", alias, "--key-spec", "AES_256", *context)
    text, nonce = os.urandom(100_000), os.urandom(12)
    sealed = AESGCM(base64.b64decode(made["Plaintext"])).encrypt(nonce, text, None)
    aws("kms", "rotate-key-on-demand", "--key-id", key["KeyId"])
    (tmp_path / "blob").write_bytes(base64.b64decode(made["CiphertextBlob"]))
    blob = ["--ciphertext-blob", "fileb://blob"]
    opened = aws("kms", "decrypt", *blob, *context)
    assert AESGCM(base64.b64decode(opened["Plaintext"])).decrypt(nonce, sealed, None) == text
    aws("kms", "decrypt", *blob, refused="InvalidCiphertextException")
    aws("kms", "decrypt", *blob, *context, account="222222222222", refused="AccessDeniedException")
    days = ["--pending-window-in-days", "7"]
    aws("kms", "schedule-key-deletion", "--key-id", key["KeyId"], *days)
    aws("kms", "decrypt", *blob, *context, refused="KMSInvalidStateException")


def test_signing_and_lists(aws, tmp_path):
    usage = ["--key-spec", "ECC_NIST_P256", "--key-usage", "SIGN_VERIFY"]
    key = aws("kms", "create-key", *usage)["KeyMetadata"]["KeyId"]
    (tmp_path / "message").write_bytes(b"message")
    how = ["--key-id", key, "--message", "fileb://message", "--signing-algorithm", "ECDSA_SHA_256"]
    signature = base64.b64decode(aws("kms", "sign", *how)["Signature"])
    public = base64.b64decode(aws("kms", "get-public-key", "--key-id", key)["PublicKey"])
    public = serialization.load_der_public_key(public)
    public.verify(signature, b"message", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"other", ec.ECDSA(hashes.SHA256()))
    listed = aws("kms", "list-keys", "--page-size", "1")["Keys"]
    assert key in [entry["KeyId"] for entry in listed]
    text = aws("kms", "describe-key", "--key-id", "alias/none", refused="NotFoundException")
    assert "Alias arn:aws:kms:eu-west-1:111122223333:alias/none is not found." in text
