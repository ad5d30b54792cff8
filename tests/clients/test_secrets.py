"""Nothing that a run writes or answers shows a secret: planted ones are looked for everywhere."""

import base64
import hashlib
import json
import os
import secrets
import signal
import subprocess
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from conftest import BINARY, Server
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from secrets_sought import forms, found, pieces, sought
from test_import import FOREVER, make, take_in
from test_observed import Collector, get
from test_signatures import ACCOUNT, KEY, aws

from client import Client, Refused, as_dict

ROLE = """
[[account.role]]
name = "worker"
trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:*"}]}'
policies = ['{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}']
"""


def text():
    """A secret that is text: forty characters, as AWS's are."""
    return base64.b64encode(secrets.token_bytes(30)).decode()


class Run:
    """A server in the light of everything that watches, and what is secret of it."""

    def __init__(self, folder):
        self.secret = {name: text() for name in ["access key", "token", "another token"]}
        self.secret["root key"] = secrets.token_bytes(32)
        self.said = []
        key = ec.generate_private_key(ec.SECP256R1())
        self.secret["TLS key"] = key.private_numbers().private_value.to_bytes(32, "big")
        self.folder = folder
        (folder / "root.key").write_text(self.secret["root key"].hex())
        self.write_credentials()
        self.collector = Collector()
        environment = {
            "STRONGROOM_LOG": "trace",
            "STRONGROOM_LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{self.collector.address}",
            "STRONGROOM_ROOT_KEY_FILE": str(folder / "root.key"),
        }
        self.certify(key)
        self.server = Server(
            "--data-dir", str(folder / "data"), "--credentials", str(folder / "known.toml"),
            "--tls-cert", str(folder / "tls.pem"), "--tls-key", str(folder / "tls-key.pem"),
            env=environment, stderr=(folder / "log").open("w"),
        )
        self.kms = aws(self.server, secret=self.secret["access key"])
        self.client = Client(self.server.address, [("authorization", f"Bearer {self.secret['token']}")])

    def write_credentials(self, more=""):
        digest = hashlib.sha256(self.secret["token"].encode()).hexdigest()
        (self.folder / "known.toml").write_text(
            f'[[account]]\nid = "{ACCOUNT}"\n[[account.access_key]]\nid = "{KEY}"\n'
            f'secret = "{self.secret["access key"]}"\n{more}'
            f'[[account.token]]\nsha256 = "{digest}"\n{ROLE}'
        )

    def certify(self, key):
        """Has the key sign its own certificate."""
        path = self.folder / "tls-key.pem"
        form = serialization.PrivateFormat.PKCS8
        nothing = serialization.NoEncryption()
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, nothing))
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now,
            now + timedelta(days=1),
        ).sign(key, SHA256())
        (self.folder / "tls.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def log(self):
        return (self.folder / "log").read_bytes()

    def keep(self, name, value):
        """A secret that came back, or is about to be sent."""
        self.secret[name] = value
        return value

    def refused(self, call, *arguments, **fields):
        """Calls what cannot succeed, and keeps what is said about it."""
        try:
            call(*arguments, **fields)
        except ClientError as error:
            self.said.append(str(error) + json.dumps(error.response, default=str))
        except Refused as error:
            self.said.append(f"{error} {error.metadata} {error.info}")
        else:
            raise AssertionError("not refused")

    def send(self, body=b"{}", target="Encrypt", secret=None, auth=SigV4Auth, token=None,
             alter=lambda request: None):
        """Any body, signed; what is answered is kept when it is an error."""
        headers = {"X-Amz-Target": f"TrentService.{target}",
                   "Content-Type": "application/x-amz-json-1.1"}
        request = AWSRequest("POST", f"http://{self.server.address}/", headers, body)
        known = Credentials(KEY, secret or self.secret["access key"], token)
        auth(known, "kms", "eu-west-1").add_auth(request)
        alter(request)
        sent = urllib.request.Request(request.url, body, dict(request.headers), method="POST")
        try:
            with urllib.request.urlopen(sent) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            self.said.append(error.read().decode() + str(error.headers))
        return request


def use_every_kind_of_secret(run):
    """Plaintexts go in; data keys, pairs and secrets come out."""
    kms, client, keep = run.kms, run.client, run.keep
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    plain = keep("plaintext", text().encode())
    blob = kms.encrypt(KeyId=key, Plaintext=plain)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plain
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)
    plain = keep("plaintext over gRPC", text().encode())
    region = [("x-strongroom-region", "eu-west-1")]
    sealed = client.call("DataKeys.Encrypt", key_id=key, plaintext=plain, metadata=region)
    opened = client.call("DataKeys.Decrypt", ciphertext_blob=sealed.ciphertext_blob, metadata=region)
    assert opened.plaintext == plain
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    keep("data key", made["Plaintext"])
    kms.decrypt(CiphertextBlob=made["CiphertextBlob"])
    made = client.call("DataKeys.GenerateDataKey", key_id=key, key_spec="AES_256", metadata=region)
    keep("data key over gRPC", made.plaintext)
    client.call("DataKeys.UnwrapDataKey", ciphertext_blob=made.ciphertext_blob, metadata=region)
    keep("random", kms.generate_random(NumberOfBytes=64)["Plaintext"])
    for spec in ["ECC_NIST_P256", "RSA_2048"]:
        pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec)
        private = serialization.load_der_private_key(pair["PrivateKeyPlaintext"], None)
        numbers = private.private_numbers()
        value = numbers.private_value if spec.startswith("ECC") else numbers.d
        keep(f"private key, {spec}", value.to_bytes((value.bit_length() + 7) // 8, "big"))
    material = keep("imported key material", secrets.token_bytes(32))
    imported = make(kms)
    take_in(kms, imported, material)
    kms.encrypt(KeyId=imported, Plaintext=b"x")
    pair = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["KeyId"]
    peer = ec.generate_private_key(ec.SECP256R1())
    der, public = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    derived = kms.derive_shared_secret(
        KeyId=pair, KeyAgreementAlgorithm="ECDH",
        PublicKey=peer.public_key().public_bytes(der, public),
    )
    keep("shared secret", derived["SharedSecret"])
    signer = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    kms.sign(KeyId=signer, Message=keep("message", text().encode()), SigningAlgorithm="ECDSA_SHA_256")
    hmac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    made = kms.generate_mac(KeyId=hmac, Message=b"x", MacAlgorithm="HMAC_SHA_256")["Mac"]
    wrong = bytes(byte ^ 1 for byte in made)
    run.refused(kms.verify_mac, KeyId=hmac, Message=b"x", MacAlgorithm="HMAC_SHA_256", Mac=wrong)
    keep("MAC that was expected", made)
    sts = aws(run.server, "sts", secret=run.secret["access key"])
    role = f"arn:aws:iam::{ACCOUNT}:role/worker"
    for name, made in [
        ("session", sts.get_session_token()),
        ("role's session", sts.assume_role(RoleArn=role, RoleSessionName="session")),
    ]:
        held = made["Credentials"]
        keep(f"{name}: secret", held["SecretAccessKey"])
        keep(f"{name}: token", held["SessionToken"])
        session = aws(run.server, key=held["AccessKeyId"], secret=held["SecretAccessKey"],
                      token=held["SessionToken"])
        session.generate_random(NumberOfBytes=1)
    return key, imported, blob


def fail_with_secrets(run, key, imported, blob):
    """Calls that go wrong while they carry a secret."""
    kms, client, keep = run.kms, run.client, run.keep
    plain = keep("plaintext of a call that fails", text().encode())
    run.refused(kms.encrypt, KeyId=key, Plaintext=plain * 200)
    run.refused(kms.encrypt, KeyId="alias/none", Plaintext=plain)
    run.refused(kms.encrypt, KeyId=key, Plaintext=plain, EncryptionAlgorithm="none")
    kms.disable_key(KeyId=key)
    run.refused(kms.encrypt, KeyId=key, Plaintext=plain)
    run.refused(kms.decrypt, CiphertextBlob=blob)
    kms.enable_key(KeyId=key)
    run.refused(kms.decrypt, CiphertextBlob=blob[:-1] + bytes([blob[-1] ^ 1]))
    run.refused(take_in, kms, imported, keep("material that is not the same", secrets.token_bytes(32)))
    run.refused(client.call, "DataKeys.Encrypt", key_id=key, plaintext=plain * 200)
    run.refused(client.call, "DataKeys.Encrypt", key_id="alias/none", plaintext=plain)
    run.refused(client.call, "DataKeys.Encrypt", raw=b"\x12\x7f" + plain)
    run.refused(client.call, "DataKeys.Encrypt", raw=b"\x0a" + bytes([len(plain)]) + b"\xff" * 3 + plain)
    # Bodies that are none, in several ways, with a secret where it is wrong.
    inside = keep("inside of a malformed body", text())
    coded = base64.b64encode(inside.encode()).decode()
    for body in [
        inside,
        f'{{"KeyId": "{key}", "Plaintext": "{coded}"',
        f'{{"KeyId": "{key}", "Plaintext": "{coded}!"}}',
        f'{{"KeyId": "{key}", "Plaintext": "{inside} "}}',
        f'{{"KeyId": "{key}", "Plaintext": ["{inside}"]}}',
        f'{{"KeyId": "{key}", "Plaintext": {{"{inside}": 1}}}}',
        f'{{"KeyId": ["{inside}"], "Plaintext": "{coded}"}}',
        f'{{"KeyId": "{key}", "Plaintext": "{coded}", "EncryptionContext": "{inside}"}}',
        f'{{"KeyId": "{key}", "Plaintext": "{coded}", "DryRun": "{inside}"}}',
        f'"{inside}"',
        f'{{"{inside}" 1}}',
        f'{{"KeyId": "{key}", "{inside}": 1}}',
    ]:
        run.send(body.encode())
    run.send(json.dumps({"Plaintext": coded}).encode(), target="NoSuchThing")
    run.send(inside.encode(), alter=lambda request: request.headers.replace_header("Content-Type", "text/plain"))


def prove_nothing(run):
    """Credentials that are not right, or not where they belong."""
    keep = run.keep
    signed = run.send(secret="another")
    # What would have been right: whoever could read it could replay the call.
    right = AWSRequest("POST", signed.url, {
        "X-Amz-Target": "TrentService.Encrypt", "Content-Type": "application/x-amz-json-1.1"}, b"{}")
    right.context["timestamp"] = signed.headers["X-Amz-Date"]
    signer = SigV4Auth(Credentials(KEY, run.secret["access key"]), "kms", "eu-west-1")
    right.headers["X-Amz-Date"] = signed.headers["X-Amz-Date"]
    canonical = signer.canonical_request(right)
    wanted = signer.signature(signer.string_to_sign(right, canonical), right)
    assert len(wanted) == 64 and wanted not in signed.headers["Authorization"]
    keep("signature that was expected", bytes.fromhex(wanted))
    run.send(token=keep("session token of nobody", text()))
    run.send(auth=SigV4QueryAuth, token=keep("session token of nobody in a URL", text()))

    def authorization(value):
        return lambda request: request.headers.replace_header("Authorization", value)

    run.send(alter=authorization(keep("something in Authorization", text())))
    run.send(alter=authorization("Bearer " + keep("a bearer at AWS's door", text())))
    run.send(alter=authorization("AWS4-HMAC-SHA256 " + keep("what is no credential", text())))
    for value in ["Bearer " + keep("token of nobody", text()), keep("no bearer", text())]:
        run.refused(Client(run.server.address, [("authorization", value)]).call, "Keys.ListKeys")
    get(run.server, "/_strongroom/reset", "POST", Authorization=f"Bearer {run.secret['token']}")


def break_the_credentials(run):
    """A file that is read again and is none: what is said of it must not quote it."""
    for more in ["secret = 1\n", "]\n", 'unknown = "' + run.secret["another token"] + '"\n']:
        run.write_credentials(more)
        before = run.log().count(b"stay as they were")
        run.server.process.send_signal(signal.SIGHUP)
        for _ in range(100):
            if run.log().count(b"stay as they were") > before:
                break
            time.sleep(0.05)
        else:
            raise AssertionError("the file was not read again")
        yield subprocess.run(
            [BINARY, "serve", "--ephemeral", "--credentials", str(run.folder / "known.toml")],
            capture_output=True, timeout=20,
        )
    run.write_credentials()


def files(folder):
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def haystacks(tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("secrets"))
    fail_with_secrets(run, *use_every_kind_of_secret(run))
    prove_nothing(run)
    seen = {"metrics": get(run.server, "/_strongroom/metrics")[1].encode()}
    for number, refused in enumerate(break_the_credentials(run)):
        assert refused.returncode == 1
        seen[f"start {number}"] = refused.stdout + refused.stderr
    wrong = {**os.environ, "STRONGROOM_ROOT_KEY": run.keep("root key that is none", text())}
    started = subprocess.run([BINARY, "serve", "--ephemeral"], env=wrong, capture_output=True)
    assert started.returncode == 1
    seen["start with a wrong root key"] = started.stdout + started.stderr
    environment = {**os.environ, "STRONGROOM_TOKEN": run.secret["token"],
                   "STRONGROOM_ENDPOINT": f"http://{run.server.address}"}
    for output in ["json", "table"]:
        asked = subprocess.run(
            [BINARY, "audit", "query", "--limit", "1000", "--output", output],
            env=environment, capture_output=True,
        )
        assert asked.returncode == 0, asked.stderr
        seen[f"audit query, {output}"] = asked.stdout + asked.stderr
    records = run.client.call("Audit.Query", limit=1000).records
    assert len(records) > 60
    seen["trail"] = json.dumps([as_dict(record) for record in records]).encode()
    seen["trail, as sent"] = b"".join(record.SerializeToString() for record in records)
    seen["data directory, running"] = b"".join(files(run.folder / "data").values())
    assert run.server.stop() == 0
    seen["standard error"] = run.log()
    seen["standard output"] = run.server.process.stdout.read().encode()
    seen["errors"] = "\n".join(run.said).encode()
    seen["spans"] = b"".join(span.SerializeToString() for span in run.collector.spans)
    seen["data directory"] = b"".join(files(run.folder / "data").values())
    run.collector.server.stop(0)
    known = {name: value.encode() if isinstance(value, str) else value
             for name, value in run.secret.items()}
    return sought(known), seen, known


def test_a_run_was_seen_whole(haystacks):
    _, seen, _ = haystacks
    for place, part in [
        ("standard error", b'"operation":"Encrypt"'),
        ("standard error", b'"level":"TRACE"'),
        ("standard error", b"GenerateDataKeyPair"),
        ("metrics", b'operation="Encrypt",outcome="failed"'),
        ("errors", b"SerializationException"),
        ("errors", b"InvalidSignatureException"),
        ("errors", b"UnrecognizedClientException"),
        ("trail", b"IncorrectKeyMaterialException"),
        ("trail", b"DeriveSharedSecret"),
        ("spans", b"GenerateDataKey"),
        ("data directory", b"ImportKeyMaterial"),
        ("start 0", b"known.toml"),
        ("audit query, table", b"GenerateRandom"),
    ]:
        assert part in seen[place], f"{part} is not in {place}"


def test_no_secret_is_shown(haystacks):
    patterns, seen, _ = haystacks
    assert len(patterns) > 25
    shown = found(patterns, seen)
    assert not shown, "\n" + "\n".join(f"{name}: {place}" for name, place in shown)


def test_a_secret_that_is_shown_is_found(haystacks):
    patterns, seen, known = haystacks
    for name, secret in known.items():
        shown = [
            secret, secret.hex().encode(), secret.hex().upper().encode(),
            str(list(secret)).encode(), repr(secret).encode(),
            *(base64.b64encode(b"x" * before + secret + b"yz") for before in range(4)),
            *(base64.urlsafe_b64encode(b"x" * before + secret) for before in range(4)),
            *(form for piece in pieces(secret) for form in forms(piece)),
        ]
        for form in shown:
            planted = {"errors": seen["errors"][:100] + form + seen["errors"][100:200]}
            assert (name, "errors") in found({name: patterns[name]}, planted), (name, form)
