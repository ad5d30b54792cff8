"""The Amazon S3 Encryption Client for Python, with our KMS behind it, and `strongroom seal` and `open`: each
reads what the other wrote. S3 is a dictionary behind boto3."""

import io
import json
import os
import subprocess

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from conftest import BINARY
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
from s3_encryption.exceptions import S3EncryptionClientError
from s3_encryption.materials.kms_keyring import KmsKeyring
from s3_encryption.materials.materials import AlgorithmSuite, CommitmentPolicy
from test_boto3 import aws

ACCOUNT, REGION = "111122223333", "eu-west-1"
CONTEXT = {"purpose": "test", "name": "bucket/name"}
V3 = {}
V2 = {
    "encryption_algorithm": AlgorithmSuite.ALG_AES_256_GCM_IV12_TAG16_NO_KDF,
    "commitment_policy": CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT,
}
ALLOW = ["--commitment-policy", "require-encrypt-allow-decrypt"]
FORMATS = [("s3-client-v3", V3, []), ("s3-client-v2", V2, ALLOW)]
PREFIX = "x-amz-meta-"


class Objects(dict):
    """What S3 does here: keeps bodies and user metadata by name."""

    def answer(self, request, **_):
        name = request.url.rsplit("/", 1)[1]
        if request.method == "PUT":
            headers = {n.lower(): v for n, v in request.headers.items()}
            user = {n.removeprefix(PREFIX): v for n, v in headers.items() if n.startswith(PREFIX)}
            user = {n: v.decode() if isinstance(v, bytes) else v for n, v in user.items()}
            body = request.body.read() if hasattr(request.body, "read") else request.body
            self[name] = (user, bytes(body))
            return self.response(request, 200, {}, b"")
        if name not in self:
            return self.response(request, 404, {}, b"<Error><Code>NoSuchKey</Code></Error>")
        user, body = self[name]
        return self.response(request, 200, {PREFIX + n: v for n, v in user.items()}, body)

    @staticmethod
    def response(request, status, headers, body):
        made = AWSResponse(request.url, status, headers | {"content-length": str(len(body))}, io.BytesIO(body))
        made._content = body
        return made


class World:
    """One bucket, one KMS key, and both programs on them."""

    def __init__(self, server, folder, monkeypatch):
        for name in ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"):
            monkeypatch.setenv(name, "when_required")
        self.server, self.folder = server, folder
        self.kms = aws(server)
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.objects = Objects()

    def client(self, **settings):
        s3 = aws(self.server, "s3")
        s3.meta.events.register("before-send.s3", self.objects.answer)
        keyring = KmsKeyring(self.kms, self.key)
        return S3EncryptionClient(s3, S3EncryptionClientConfig(keyring, **settings))

    def put(self, plaintext, context=CONTEXT, **settings):
        client = self.client(**settings)
        client.put_object(Bucket="bucket", Key="name", Body=plaintext, EncryptionContext=dict(context))

    def get(self, context=CONTEXT, **settings):
        client = self.client(**settings)
        got = client.get_object(Bucket="bucket", Key="name", EncryptionContext=dict(context))
        return got["Body"].read()

    def path(self, name):
        return str(self.folder / name)

    def run(self, *arguments, context=CONTEXT):
        pairs = [part for pair in context.items() for part in ("--context", "=".join(pair))]
        names = ["--endpoint", f"http://{self.server.address}", "--access-key-id", ACCOUNT]
        return subprocess.run(
            [BINARY, *arguments, *pairs, *names, "--region", REGION], capture_output=True, text=True
        )

    def seal(self, plaintext, *arguments, key=None, context=CONTEXT):
        """Seals into the bucket."""
        (self.folder / "plain").write_bytes(plaintext)
        key = key or ["--key", self.key]
        run = self.run(
            "seal", self.path("plain"), "-o", self.path("body"), "--metadata", self.path("user.json"),
            *key, *arguments, context=context,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        user = json.loads((self.folder / "user.json").read_text())
        self.objects["name"] = (user, (self.folder / "body").read_bytes())

    def open(self, *arguments, key=None, context=CONTEXT, answer=False):
        """Opens what is in the bucket: the plaintext, or what was said instead."""
        user, body = self.objects["name"]
        (self.folder / "body").write_bytes(body)
        shown = {"ContentLength": len(body), "Metadata": user} if answer else user
        (self.folder / "user.json").write_text(json.dumps(shown))
        out = self.folder / "opened"
        out.unlink(missing_ok=True)
        before = set(self.folder.iterdir())
        run = self.run(
            "open", self.path("body"), "-o", str(out), "--metadata", self.path("user.json"),
            *(key or ["--key", self.key]), *arguments, context=context,
        )  # fmt: skip
        if run.returncode == 0:
            return out.read_bytes()
        assert set(self.folder.iterdir()) == before, "nothing is left of what does not open"
        return run.stderr


@pytest.fixture
def world(server, tmp_path, monkeypatch):
    return World(server, tmp_path, monkeypatch)


@pytest.mark.parametrize("_, settings, arguments", FORMATS)
@pytest.mark.parametrize("length", [0, 1, 5_000_000])
def test_what_the_client_wrote_opens(world, _, settings, arguments, length):
    plaintext = os.urandom(length)
    world.put(plaintext, **settings)
    assert plaintext[:100] not in world.objects["name"][1] or length < 2
    assert world.open(*arguments) == plaintext
    assert world.open(*arguments, answer=True) == plaintext


@pytest.mark.parametrize("format, settings, _", FORMATS)
@pytest.mark.parametrize("length", [0, 1, 5_000_000])
def test_the_client_reads_what_was_sealed(world, format, settings, _, length):
    plaintext = os.urandom(length)
    world.seal(plaintext, "--format", format)
    assert world.get(**settings) == plaintext
    with pytest.raises(S3EncryptionClientError):
        world.get(context={}, **settings)


@pytest.mark.parametrize("format, settings, arguments", FORMATS)
def test_instruction_files_go_to_and_fro(world, format, settings, arguments):
    instruction = world.folder / "instruction.json"
    world.seal(b"plaintext", "--format", format, "--instruction-file", str(instruction))
    marker = {"x-amz-crypto-instr-file": ""}
    world.objects["name.instruction"] = (marker, instruction.read_bytes())
    assert world.get(**settings) == b"plaintext"
    assert world.open(*arguments, "--instruction-file", str(instruction)) == b"plaintext"
    assert "not that of an encrypted object" in world.open(*arguments)


def test_only_the_key_and_context_of_an_object_open_it(world):
    world.put(b"plaintext")
    assert world.open() == b"plaintext"
    assert "the encryption context is not the object's" in world.open(context={"purpose": "test"})
    other = world.kms.create_key()["KeyMetadata"]["Arn"]
    assert "IncorrectKeyException" in world.open(key=["--key", other])
    user, body = world.objects["name"]
    changed = {"x-amz-t": user["x-amz-t"].replace("test", "tess")}
    world.objects["name"] = (user | changed, body)
    said = world.open(context=CONTEXT | {"purpose": "tess"})
    assert "does not open" in said
    for place in (0, len(body) // 2, len(body) - 1):
        altered = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        world.objects["name"] = (user, altered)
        assert "does not open" in world.open()
        with pytest.raises(S3EncryptionClientError):
            world.get()
    world.objects["name"] = (user, body)
    world.kms.disable_key(KeyId=world.key)
    assert "DisabledException" in world.open()
    with pytest.raises((ClientError, S3EncryptionClientError)):
        world.get()


def test_the_trail_names_context_and_suite(world):
    world.seal(b"plaintext", "--format", "s3-client-v3")
    world.get()
    world.open()
    names = ["--endpoint", f"http://{world.server.address}", "--access-key-id", ACCOUNT]
    run = subprocess.run(
        [BINARY, "audit", "query", "--key", world.key, "--output", "json", *names, "--region", REGION],
        capture_output=True,
        text=True,
    )
    records = json.loads(run.stdout)["records"]
    used = [record["operation"] for record in records if record["operation"] != "CreateKey"]
    assert used == ["UnwrapDataKey", "Decrypt", "GenerateDataKey"], run.stderr
    expected = CONTEXT | {"aws:x-amz-cek-alg": "115"}
    for record in records[:3]:
        assert record["context"] == expected


def test_what_does_not_commit_is_opened_only_when_asked_for(world):
    world.put(b"plaintext", **V2)
    assert "--commitment-policy require-encrypt-allow-decrypt" in world.open()
    assert world.open(*ALLOW) == b"plaintext"


def test_raw_keys(world):
    pair = rsa.generate_private_key(65537, 2048)
    pem = serialization.Encoding.PEM
    private = pair.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = pair.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    files = {"aes": os.urandom(32), "other": os.urandom(32), "private": private, "public": public}
    for name, content in files.items():
        (world.folder / name).write_bytes(content)
        (world.folder / name).chmod(0o600)
    aes, other = (["--aes-key-file", world.path(name)] for name in ("aes", "other"))
    private, public = (["--rsa-key-file", world.path(name)] for name in ("private", "public"))
    for format, _, arguments in FORMATS:
        world.seal(b"one", "--format", format, key=aes, context={})
        assert world.open(*arguments, key=aes, context={}) == b"one"
        assert "does not open" in world.open(*arguments, key=other, context={})
        assert "not supported" in world.open(*arguments, key=private, context={})
        world.seal(b"two", "--format", format, key=public, context={"made": "here"})
        assert world.open(*arguments, key=private, context={}) == b"two"
        assert world.open(*arguments, key=private, context={"made": "here"}) == b"two"
        assert "not supported" in world.open(*arguments, key=public, context={})
        assert "context" in world.open(*arguments, key=private, context={"made": "there"})


def test_arguments_that_do_not_fit_are_wrong_usage(world):
    (world.folder / "plain").write_bytes(b"")
    (world.folder / "short").write_bytes(b"short")
    plain, out, meta = (world.path(name) for name in ("plain", "out", "meta"))
    v3 = ["--format", "s3-client-v3"]
    for arguments in [
        ["seal", plain, "-o", out],
        ["seal", plain, "-o", out, "--key", "k", *v3],
        ["seal", plain, "-o", out, "--key", "k", "--metadata", meta],
        ["seal", plain, "-o", out, "--key", "k", "--aes-key-file", plain, *v3, "--metadata", meta],
        ["seal", plain, "-o", out, "--aes-key-file", plain],
        ["seal", plain, "-o", out, "--aes-key-file", world.path("short"), *v3, "--metadata", meta],
        ["seal", plain, "-o", out, "--rsa-key-file", world.path("short"), *v3, "--metadata", meta],
        ["open", plain, "-o", out, "--key", "k"],
        ["open", plain, "-o", out, "--legacy"],
        ["open", plain, "-o", out, "--metadata", world.path("short")],
    ]:
        run = world.run(*arguments, context={})
        assert run.returncode == 2, (arguments, run.stderr)
    assert not (world.folder / "out").exists() and not (world.folder / "meta").exists()
