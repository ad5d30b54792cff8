"""Client certificates: who is known by one over gRPC, and which are refused before anything is said."""

import json
import signal
import socket
import ssl
import time

import boto3
import grpc as wire
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from certificates import SERVER, Authority
from client import Refused
from conftest import Server
from identities import ACCOUNT, CONFIG, EVERYTHING, REGION, entry, grpc, known, prove, user
from test_tls import Secure

ALICE, BOB = "spiffe://example.com/alice", "spiffe://example.com/bob"
ARN = f"arn:aws:iam::{ACCOUNT}:user/"
HEALTH = b"GET /_strongroom/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class World:
    """A server, the CA that it asks for certificates of, and the files that it reads."""

    def __init__(self, folder):
        self.folder, self.ca = folder, Authority()
        self.pinned = self.ca.issue()
        self.authorities, self.revoked = folder / "clients.pem", folder / "revoked.pem"
        self.authorities.write_bytes(self.ca.chain())
        self.revoked.write_bytes(self.ca.revoke())
        more = "".join([
            f'[[account.certificate]]\nuri = "urn:{ACCOUNT}:root"\n',
            user("alice", [EVERYTHING], f'certificate = [{{ uri = "{ALICE}" }}, {{ dns = "alice.example.com" }}]'),
            user("bob", [EVERYTHING], f'certificate = [{{ uri = "{BOB}" }}]'),
            user("pinned", [EVERYTHING], f'certificate = [{{ sha256 = "{self.pinned.fingerprint()}" }}]'),
        ])
        files = "--client-ca", str(self.authorities), "--client-crl", str(self.revoked)
        self.server = known(folder, more, *files, start=Secure)
        with open(self.server.authority, "rb") as file:
            self.trusted = file.read()

    def client(self, issued=None, name=None):
        """gRPC over TLS with a certificate, somebody's token, both or neither."""
        shown = (issued.private(), issued.chain()) if issued else (None, None)
        credentials = wire.ssl_channel_credentials(self.trusted, *shown)
        return grpc(self.server, name, credentials=credentials)

    def who(self, client):
        """Whose the record says that a call was."""
        client.call("Keys.ListKeys")
        return self.record(client).principal

    def record(self, client):
        index = int(client.last["x-audit-log-index"])
        root = grpc(self.server, ACCOUNT)
        [record] = root.call("Audit.Query", start_index=index, end_index=index + 1).records
        return record

    def context(self, issued=None, version=ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=self.server.authority)
        context.minimum_version = context.maximum_version = version
        if issued:
            context.load_cert_chain(*issued.files(self.folder))
        return context

    def ask(self, context, request=HEALTH, session=None):
        """What is answered on a connection of its own, its session, and whether that is an old one."""
        host, port = self.server.address.split(":")
        with (
            socket.create_connection((host, int(port)), timeout=10) as raw,
            context.wrap_socket(raw, server_hostname="localhost", session=session) as stream,
        ):
            stream.sendall(request)
            answer = stream.makefile("rb").read()
            return answer, stream.session, stream.session_reused

    def reload(self):
        self.server.process.send_signal(signal.SIGHUP)

    def soon(self, check):
        """Whether something comes true once the files have been read again."""
        for _ in range(100):
            if check():
                return True
            time.sleep(0.05)
        return False

    def alert(self, issued, version=ssl.TLSVersion.TLSv1_3):
        """With what a certificate is refused in the handshake; none if it is not."""
        try:
            answer, *_ = self.ask(self.context(issued, version))
        except ssl.SSLError as error:
            return error.reason.split("_ALERT_")[-1].lower()
        assert answer.startswith(b"HTTP/1.1 200 ")
        return None


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("certificates"))
    yield world
    assert world.server.stop() == 0


def test_a_certificate_is_whoevers_the_file_says(world):
    for issued, arn in [
        (world.ca.issue(ALICE), f"{ARN}alice"),
        (world.ca.issue("other.example.com", "Alice.Example.com"), f"{ARN}alice"),
        (world.ca.issue(ALICE, "alice.example.com"), f"{ARN}alice"),
        (world.pinned, f"{ARN}pinned"),
        (world.ca.issue(f"urn:{ACCOUNT}:root"), f"arn:aws:iam::{ACCOUNT}:root"),
    ]:
        client = world.client(issued)
        assert world.who(client) == arn
        event = json.loads(world.record(client).entry)
        assert "access_key_id" not in event and event["door"] == "grpc"


def test_its_policies_are_its_owners(world):
    key = grpc(world.server, ACCOUNT).call("Keys.CreateKey").key_metadata.key_id
    assert world.client(world.ca.issue(BOB)).call("Keys.DescribeKey", key_id=key)


@pytest.mark.parametrize("names,said", [
    ((), "no principal"),
    (("spiffe://example.com/mallory",), "no principal"),
    (("spiffe://example.com/Alice", "*.example.com", "alice.example.com.evil.example"), "no principal"),
    ((ALICE, BOB), "several principals"),
])
def test_one_that_is_nobodys_is_refused_and_recorded(world, names, said):
    issued = world.ca.issue(*names)
    client = world.client(issued)
    with pytest.raises(Refused) as caught:
        client.call("Keys.ListKeys")
    error = caught.value
    assert (error.code.name, error.reason) == ("UNAUTHENTICATED", "UnrecognizedClientException")
    assert said in error.message and issued.fingerprint() in error.message
    record = world.record(client)
    assert (record.outcome, record.error_code, record.principal) == ("refused", error.reason, "")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_cannot_be_verified_fails_in_the_handshake(world, version):
    good, gone = world.ca.issue(ALICE), world.ca.issue(ALICE)
    world.revoked.write_bytes(world.ca.revoke(gone))
    world.reload()
    assert world.soon(lambda: world.alert(gone, version) == "certificate_revoked")
    for issued, alert in [
        (good, None),
        (Authority("another").issue(ALICE), "unknown_ca"),
        (Authority().issue(ALICE), "decrypt_error"),  # by the CA's own name
        (world.ca.issue(ALICE, days=(-2, -1)), "certificate_expired"),
        (world.ca.issue(ALICE, days=(1, 2)), "certificate_expired"),
        (world.ca.issue(ALICE, usage=SERVER), "unsupported_certificate"),
    ]:
        found = world.alert(issued, version)
        assert found == alert
    for refused in [gone, Authority().issue(ALICE)]:
        credentials = wire.ssl_channel_credentials(world.trusted, refused.private(), refused.chain())
        with wire.secure_channel(world.server.address, credentials) as channel:
            with pytest.raises(wire.RpcError) as caught:
                channel.unary_unary("/strongroom.v1.Keys/ListKeys")(b"", timeout=10)
            assert caught.value.code() == wire.StatusCode.UNAVAILABLE


def test_a_reload_refuses_new_connections_and_drops_none(world):
    issued, other = world.ca.issue(ALICE), world.ca.issue(BOB)
    client = world.client(issued)
    assert world.who(client) == f"{ARN}alice"
    for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
        context = world.context(issued, version)
        _, session, _ = world.ask(context)
        *_, again = world.ask(context, session=session)
        assert not again, "a session that is taken up again brings its certificate along"
    world.revoked.write_bytes(world.ca.revoke(issued))
    world.reload()
    assert world.soon(lambda: world.alert(issued) == "certificate_revoked")
    assert world.who(client) == f"{ARN}alice", "an open connection goes on"
    assert world.who(world.client(other)) == f"{ARN}bob"
    # Who is taken out of the file is nobody at once, also there.
    path = world.folder / "credentials.toml"
    before = path.read_text()
    path.write_text(before.replace(f'{{ uri = "{ALICE}" }},', ""))

    def unknown():
        try:
            return world.who(client) and False
        except Refused as error:
            return error.reason == "UnrecognizedClientException"

    try:
        world.reload()
        assert world.soon(unknown)
    finally:
        path.write_text(before)
        world.reload()
    assert world.soon(lambda: not unknown())


def test_files_that_cannot_be_used_change_nothing(world):
    issued, gone = world.ca.issue(ALICE), world.ca.issue(ALICE)
    world.revoked.write_bytes(world.ca.revoke(gone))
    world.reload()
    assert world.soon(lambda: world.alert(gone) == "certificate_revoked")
    for path, text in [
        (world.authorities, b"nonsense"),
        (world.authorities, world.ca.revoke()),
        (world.authorities, world.ca.chain()[:200]),
        (world.revoked, b""),
        (world.revoked, world.ca.chain()),
        (world.revoked, b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
    ]:
        before = path.read_bytes()
        path.write_bytes(text)
        world.reload()
        said = world.server.process.stderr.readline()
        assert "verified as before" in said and path.name in said, said
        path.write_bytes(before)
        assert world.alert(issued) is None and world.alert(gone) == "certificate_revoked"
    other = Authority("another")
    world.authorities.write_bytes(other.chain())
    world.revoked.write_bytes(other.revoke())
    try:
        world.reload()
        assert world.soon(lambda: world.alert(issued) == "unknown_ca")
        assert world.who(world.client(other.issue(ALICE))) == f"{ARN}alice"
    finally:
        world.authorities.write_bytes(world.ca.chain())
        world.revoked.write_bytes(world.ca.revoke())
        world.reload()
    assert world.soon(lambda: world.alert(issued) is None)


def test_each_issuer_has_to_say_what_it_has_revoked(world):
    between = Authority("between", world.ca)
    issued, gone = between.issue(ALICE), between.issue(ALICE)

    def told(*lists):
        world.revoked.write_bytes(b"".join(lists))
        world.reload()

    try:
        assert world.alert(issued) == "unknown_ca", "nobody knows what the one between has revoked"
        told(world.ca.revoke(), between.revoke(gone))
        assert world.soon(lambda: world.alert(issued) is None)
        assert world.who(world.client(issued)) == f"{ARN}alice"
        assert world.alert(gone) == "certificate_revoked"
        told(world.ca.revoke(between), between.revoke())
        assert world.soon(lambda: world.alert(issued) == "certificate_revoked")
        told(world.ca.revoke(), between.revoke(days=(-2, -1)))
        assert world.soon(lambda: world.alert(issued) == "unknown_ca")
    finally:
        told(world.ca.revoke())
    assert world.soon(lambda: world.alert(world.ca.issue(ALICE)) is None)


def test_a_token_counts_before_a_certificate(world):
    issued = world.ca.issue(ALICE)
    assert world.who(world.client(issued, "bob")) == f"{ARN}bob"
    client = world.client(issued)
    for said in ["Bearer unknown", "Basic x", ""]:
        with pytest.raises(Refused) as caught:
            client.call("Keys.ListKeys", metadata=[("authorization", said)])
        assert caught.value.reason == "UnrecognizedClientException"
    nobody = world.ca.issue("spiffe://example.com/mallory")
    assert world.who(world.client(nobody, "bob")) == f"{ARN}bob"


def test_who_shows_none_is_served_as_before(world):
    assert world.who(world.client(name="bob")) == f"{ARN}bob"
    assert world.who(grpc(world.server, "bob")) == f"{ARN}bob"
    for client in [world.client(), grpc(world.server)]:
        with pytest.raises(Refused) as caught:
            client.call("Keys.ListKeys")
        assert caught.value.reason == "MissingAuthenticationTokenException"


def test_aws_requests_are_still_signed(world):
    issued = world.ca.issue(ALICE)

    def aws(**more):
        key, secret, _ = prove("bob")
        shown = Config(client_cert=issued.files(world.folder), **more).merge(CONFIG)
        return boto3.client(
            "kms", endpoint_url=f"https://{world.server.address}", region_name=REGION, config=shown,
            aws_access_key_id=key, aws_secret_access_key=secret, verify=world.server.authority)

    signed = aws()
    index = signed.list_keys()["ResponseMetadata"]["HTTPHeaders"]["x-audit-log-index"]
    root = grpc(world.server, ACCOUNT)
    [record] = root.call("Audit.Query", start_index=int(index), end_index=int(index) + 1).records
    assert record.principal == f"{ARN}bob"
    with pytest.raises(ClientError) as caught:
        aws(signature_version=UNSIGNED).list_keys()
    assert caught.value.response["Error"]["Code"] == "MissingAuthenticationTokenException"


def test_other_sites_pages_may_not_use_a_browsers_certificate(world):
    ask = "POST {} HTTP/1.1\r\nHost: {}\r\n{}Content-Length: 0\r\nConnection: close\r\n\r\n"
    address = world.server.address
    certified, bare = world.context(world.ca.issue(ALICE)), world.context()
    for context, origin, kept_out in [
        (certified, "Origin: https://evil.example\r\n", True),
        (certified, "Origin: null\r\n", True),
        (certified, f"Origin: https://{address}\r\n", False),
        (certified, "", False),
        (bare, "Origin: https://evil.example\r\n", False),
    ]:
        for path in ["/strongroom.v1.Keys/CreateKey", "/"]:
            answer, *_ = world.ask(context, ask.format(path, address, origin).encode())
            assert (b"403" in answer.split(b"\r\n")[0]) == kept_out, (origin, answer)
            assert (b"client certificate" in answer) == kept_out


def test_what_does_not_go_together_does_not_start(world, tmp_path):
    ca, crl = ["--client-ca", str(world.authorities)], ["--client-crl", str(world.revoked)]
    file = tmp_path / "credentials.toml"
    file.write_text(f'[[account]]\nid = "{ACCOUNT}"\n' + entry("root", ""))
    credentials = ["--credentials", str(file)]
    (tmp_path / "empty.pem").write_text("")
    for arguments, said in [
        (ca, "nobody is known by one: name it with --credentials"),
        ([*credentials, *crl], "name that CA with --client-ca"),
        ([*credentials, "--client-ca", str(tmp_path / "none.pem")], "none.pem cannot be read as PEM"),
        ([*credentials, "--client-ca", str(tmp_path / "empty.pem")], "empty.pem cannot be read as PEM"),
        ([*credentials, *ca, "--client-crl", str(world.authorities)], "clients.pem cannot be read as PEM"),
    ]:
        with pytest.raises(RuntimeError, match=said):
            Server("--ephemeral", *arguments)
    file.write_text(file.read_text() + "".join(
        user(name, [], f'certificate = [{{ uri = "{ALICE}" }}]') for name in ("one", "two")))
    with pytest.raises(RuntimeError, match="user/two: a certificate is there twice"):
        Server("--ephemeral", *credentials)


def test_who_is_named_by_a_certificate_that_is_not_asked_for_is_pointed_out(world):
    with open(world.folder / "said", "w+") as said:
        server = Server("--ephemeral", "--credentials", str(world.folder / "credentials.toml"), stderr=said)
        assert server.stop() == 0
        said.seek(0)
        assert "clients are not asked for the certificates in it: add --client-ca" in said.read()


def test_the_files_are_named_in_the_configuration_too(world, tmp_path):
    path = tmp_path / "strongroom.toml"
    path.write_text(
        f'credentials = "{world.folder / "credentials.toml"}"\nclient_ca = "{world.authorities}"\n')
    server = Secure("--ephemeral", "--config", str(path),
                    env={"STRONGROOM_CLIENT_CRL": str(world.revoked)})
    issued = world.ca.issue(BOB)
    with open(server.authority, "rb") as file:
        shown = wire.ssl_channel_credentials(file.read(), issued.private(), issued.chain())
    assert grpc(server, credentials=shown).call("Keys.CreateKey")
    assert server.stop() == 0
