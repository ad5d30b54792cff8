"""The Amazon S3 Encryption Client for Python against this KMS and this S3: what is stored is its ciphertext, which
`strongroom open` reads; what `strongroom seal` wrote and anybody put, it reads."""

import json
import subprocess
import threading

import pytest
from botocore.exceptions import ClientError
from conftest import BINARY
from s3 import MIB, REGION, asking, body, client, make_bucket, stored
from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
from s3_encryption.exceptions import S3EncryptionClientError
from s3_encryption.materials.kms_keyring import KmsKeyring
from test_s3_encryption_client import ACCOUNT, CONTEXT, FORMATS
from test_tls import Secure

ENVELOPES = {"s3-client-v3": "x-amz-3", "s3-client-v2": "x-amz-key-v2"}


class World:
    def __init__(self, folder):
        self.folder, self.data = folder, folder / "data"
        self.server = Secure("--data-dir", str(self.data))
        self.kms = client(self.server, "kms")
        self.s3 = client(self.server)
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]

    def encrypting(self, secure=False, **settings):
        trust = {"verify": self.server.authority} if secure else {}
        s3 = client(self.server, **trust)
        keyring = KmsKeyring(self.kms, self.key)
        return S3EncryptionClient(s3, S3EncryptionClientConfig(keyring, **settings))

    def strongroom(self, *arguments, context=CONTEXT):
        pairs = [part for pair in context.items() for part in ("--context", "=".join(pair))]
        names = ["--endpoint", f"http://{self.server.address}", "--access-key-id", ACCOUNT, "--region", REGION]
        command = [BINARY, *arguments, "--key", self.key, *pairs, *names]
        return subprocess.run(command, capture_output=True, text=True, cwd=self.folder, timeout=60)

    def seal(self, plaintext, *arguments):
        """User metadata and body of what was sealed."""
        (self.folder / "plain").write_bytes(plaintext)
        run = self.strongroom("seal", "plain", "-o", "sealed", "--metadata", "user.json", *arguments)
        assert run.returncode == 0, run.stderr
        return json.loads((self.folder / "user.json").read_text()), (self.folder / "sealed").read_bytes()

    def open(self, bucket, *arguments, name="k"):
        """Opens what is in the bucket as anybody gets it."""
        got = self.s3.get_object(Bucket=bucket, Key=name)
        (self.folder / "sealed").write_bytes(got["Body"].read())
        shown = {"ContentLength": got["ContentLength"], "Metadata": got["Metadata"]}
        (self.folder / "answer.json").write_text(json.dumps(shown))
        (self.folder / "opened").unlink(missing_ok=True)
        run = self.strongroom("open", "sealed", "-o", "opened", "--metadata", "answer.json", *arguments)
        assert run.returncode == 0, run.stderr
        return (self.folder / "opened").read_bytes()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("client-side"))
    yield world
    assert world.server.stop() == 0


@pytest.fixture
def bucket(world):
    return make_bucket(world.s3, "client-side")


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("format, settings, arguments", FORMATS)
@pytest.mark.parametrize("length", [0, 1, 5 * MIB])
def test_to_and_fro(world, bucket, format, settings, arguments, length, secure):
    plaintext = body(length)
    ours = world.encrypting(secure, **settings)
    ours.put_object(Bucket=bucket, Key="k", Body=plaintext, EncryptionContext=dict(CONTEXT), Metadata={"own": "1"})
    got = ours.get_object(Bucket=bucket, Key="k", EncryptionContext=dict(CONTEXT))
    assert got["Body"].read() == plaintext
    theirs = world.s3.get_object(Bucket=bucket, Key="k")
    assert theirs["Metadata"]["own"] == "1" and ENVELOPES[format] in theirs["Metadata"]
    assert theirs["ContentLength"] == length + 16
    assert theirs["ServerSideEncryption"] == "AES256"
    assert length < 16 or plaintext[:100] not in theirs["Body"].read()
    assert world.open(bucket, *arguments) == plaintext
    with pytest.raises(S3EncryptionClientError):
        ours.get_object(Bucket=bucket, Key="k", EncryptionContext={"purpose": "another"})


@pytest.mark.parametrize("format, settings, _", FORMATS)
@pytest.mark.parametrize("length", [0, 1, 5 * MIB])
def test_what_was_sealed_and_put_is_read(world, bucket, format, settings, _, length):
    user, sealed = world.seal(body(length), "--format", format)
    world.s3.put_object(Bucket=bucket, Key="k", Body=sealed, Metadata=user)
    got = world.encrypting(**settings).get_object(Bucket=bucket, Key="k", EncryptionContext=dict(CONTEXT))
    assert got["Body"].read() == body(length)


@pytest.mark.parametrize("format, settings, arguments", FORMATS)
def test_instruction_files_lie_beside_their_objects(world, bucket, format, settings, arguments):
    user, sealed = world.seal(b"plaintext", "--format", format, "--instruction-file", "instruction.json")
    instruction = (world.folder / "instruction.json").read_bytes()
    marker = {"x-amz-crypto-instr-file": ""}
    world.s3.put_object(Bucket=bucket, Key="k", Body=sealed, Metadata=user)
    ours = world.encrypting(**settings)
    with pytest.raises(S3EncryptionClientError):
        ours.get_object(Bucket=bucket, Key="k", EncryptionContext=dict(CONTEXT))
    world.s3.put_object(Bucket=bucket, Key="k.instruction", Body=instruction, Metadata=marker)
    assert world.s3.head_object(Bucket=bucket, Key="k.instruction")["Metadata"] == marker
    got = ours.get_object(Bucket=bucket, Key="k", EncryptionContext=dict(CONTEXT))
    assert got["Body"].read() == b"plaintext"
    stored_one = world.s3.get_object(Bucket=bucket, Key="k.instruction")["Body"].read()
    (world.folder / "instruction.json").write_bytes(stored_one)
    assert world.open(bucket, *arguments, "--instruction-file", "instruction.json") == b"plaintext"
    ours.delete_object(Bucket=bucket, Key="k")
    assert world.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("mode", ["aws:kms", "bucket-key", "aws:kms:dsse"])
def test_both_sides_encrypt(world, bucket, mode):
    """Two layers, two uses of keys, and either key stops it."""
    other = world.kms.create_key()["KeyMetadata"]["Arn"]
    ours = world.encrypting()
    ours.put_object(
        Bucket=bucket, Key="k", Body=body(70_000), EncryptionContext=dict(CONTEXT), **asking(mode, other))
    got = ours.get_object(Bucket=bucket, Key="k", EncryptionContext=dict(CONTEXT))
    assert got["Body"].read() == body(70_000) and got["SSEKMSKeyId"] == other
    world.kms.disable_key(KeyId=world.key)
    try:
        with pytest.raises((ClientError, S3EncryptionClientError)):
            ours.get_object(Bucket=bucket, Key="k", EncryptionContext=dict(CONTEXT))
        assert world.s3.get_object(Bucket=bucket, Key="k")["ContentLength"] == 70_016
    finally:
        world.kms.enable_key(KeyId=world.key)


def test_altered_ciphertext_is_not_given_out(world, bucket):
    ours = world.encrypting()
    ours.put_object(Bucket=bucket, Key="k", Body=body(1000), EncryptionContext=dict(CONTEXT))
    got = world.s3.get_object(Bucket=bucket, Key="k")
    sealed = bytearray(got["Body"].read())
    sealed[500] ^= 1
    world.s3.put_object(Bucket=bucket, Key="k", Body=bytes(sealed), Metadata=got["Metadata"])
    with pytest.raises(S3EncryptionClientError):
        ours.get_object(Bucket=bucket, Key="k", EncryptionContext=dict(CONTEXT))["Body"].read()
    # Its envelope on another body does not open, either.
    ours.put_object(Bucket=bucket, Key="l", Body=body(1000), EncryptionContext=dict(CONTEXT))
    foreign = world.s3.get_object(Bucket=bucket, Key="l")["Body"].read()
    world.s3.put_object(Bucket=bucket, Key="k", Body=foreign, Metadata=got["Metadata"])
    with pytest.raises(S3EncryptionClientError):
        ours.get_object(Bucket=bucket, Key="k", EncryptionContext=dict(CONTEXT))["Body"].read()


def test_copies_keep_the_envelope(world, bucket):
    ours = world.encrypting()
    ours.put_object(Bucket=bucket, Key="k", Body=body(1000), EncryptionContext=dict(CONTEXT))
    world.s3.copy_object(
        Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"}, **asking("aws:kms", world.key))
    got = ours.get_object(Bucket=bucket, Key="copy", EncryptionContext=dict(CONTEXT))
    assert got["Body"].read() == body(1000)


def test_many_at_once(world, bucket):
    ours, wrong = world.encrypting(), []

    def one(number):
        name = f"k{number}"
        ours.put_object(Bucket=bucket, Key=name, Body=body(number), EncryptionContext={"n": name})
        got = ours.get_object(Bucket=bucket, Key=name, EncryptionContext={"n": name})["Body"].read()
        if got != body(number):
            wrong.append(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and world.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 20


def test_nothing_of_it_is_on_the_disk_in_clear(world, bucket):
    text = b"a sentence that is looked for; " * 1000
    user, sealed = world.seal(text, "--format", "s3-client-v3")
    world.s3.put_object(Bucket=bucket, Key="k", Body=sealed, Metadata=user)
    found, _ = stored(world.data)
    # Neither the text nor the ciphertext that the client sent: there are two layers.
    assert b"sentence that" not in found and sealed[100:164] not in found
