"""TLS on the port that speaks everything else too."""

import http.client
import re
import socket
import ssl
import time

import boto3
import grpc
import pytest
from botocore.exceptions import SSLError
from client import Client
from conftest import Server
from identities import CONFIG
from test_boto3 import aws


# Of connections that then say nothing more.
BEGINNINGS = [b"", b"\x16", b"\x16\x03\x01\xff\xff", b"P", b"PRI * HT", b"POST / HTTP/1.1\r\nHo"]


class Secure(Server):
    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        told = self.process.stderr.readline()
        self.authority = re.fullmatch(r"https://\S+ too, for clients that trust (\S+)\n", told)[1]


@pytest.fixture(scope="module")
def secure():
    server = Secure("--ephemeral")
    yield server
    assert server.stop() == 0


def kms(server, verify, scheme="https"):
    return boto3.client(
        "kms",
        endpoint_url=f"{scheme}://{server.address.replace('127.0.0.1', 'localhost')}",
        region_name="eu-west-1",
        aws_access_key_id="111122223333",
        aws_secret_access_key="any",
        config=CONFIG,
        verify=verify,
    )


def test_both_are_spoken_on_one_port(secure):
    made = kms(secure, secure.authority).create_key()["KeyMetadata"]["KeyId"]
    plain = aws(secure)
    assert plain.describe_key(KeyId=made)["KeyMetadata"]["KeyId"] == made
    with open(secure.authority, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    channel = grpc.secure_channel(secure.address, credentials)
    grpc.channel_ready_future(channel).result(10)
    channel.close()
    assert Client(secure.address).call("Keys.CreateKey").key_metadata.key_id


def test_who_does_not_trust_the_ca_is_not_served(secure):
    with pytest.raises(SSLError):
        kms(secure, True).list_keys()


def test_http_2_and_1_are_offered(secure):
    host, port = secure.address.split(":")
    for offered in ["h2", "http/1.1"]:
        context = ssl.create_default_context(cafile=secure.authority)
        context.set_alpn_protocols([offered])
        with (
            socket.create_connection((host, int(port))) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as stream,
        ):
            assert stream.selected_alpn_protocol() == offered
            assert stream.version() == "TLSv1.3"


def test_a_certificate_outlives_a_restart(tmp_path):
    seen = []
    for _ in range(2):
        server = Secure("--data-dir", str(tmp_path / "data"))
        with open(server.authority, "rb") as file:
            seen.append(file.read())
        assert kms(server, server.authority).list_keys()["Keys"] == []
        assert server.stop() == 0
    assert seen[0] == seen[1]
    assert (tmp_path / "data/tls/server-key.pem").stat().st_mode & 0o777 == 0o600


def test_a_certificate_that_is_given_is_served(secure, tmp_path):
    folder = secure.authority.removesuffix("/ca.pem")
    files = ["--tls-cert", f"{folder}/server.pem", "--tls-key", f"{folder}/server-key.pem"]
    server = Server("--ephemeral", *files)
    assert kms(server, secure.authority).list_keys()["Keys"] == []
    assert server.stop() == 0
    with pytest.raises(RuntimeError, match=r"ca\.pem cannot be served"):
        Server("--ephemeral", "--tls-cert", f"{folder}/ca.pem", *files[2:])


def test_slow_half_closed_and_broken_connections_keep_nobody_waiting(secure):
    host, port = secure.address.split(":")
    held = [socket.create_connection((host, int(port))) for _ in range(60)]
    for number, stream in enumerate(held):
        stream.sendall(BEGINNINGS[number % len(BEGINNINGS)])
        if number % 2:
            stream.shutdown(socket.SHUT_WR)
    begun = time.monotonic()
    assert kms(secure, secure.authority).list_keys()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert time.monotonic() - begun < 5
    # Within ten seconds and some each of them is closed by the server.
    for stream in held:
        stream.settimeout(15)
        try:
            while stream.recv(4096):
                pass
        except ConnectionResetError:
            pass
        stream.close()


def test_who_has_said_all_and_closes_its_side_is_answered(secure):
    host, port = secure.address.split(":")
    lines = ["POST / HTTP/1.1", f"Host: {secure.address}", "X-Amz-Target: TrentService.ListKeys",
             "Content-Type: application/x-amz-json-1.1", "Content-Length: 2",
             "Authorization: AWS4-HMAC-SHA256 Credential=111122223333/20261124/eu-west-1/kms/"
             "aws4_request, SignedHeaders=host, Signature=00", "", "{}"]
    for _ in range(20):
        with socket.create_connection((host, int(port)), timeout=5) as stream:
            stream.sendall("\r\n".join(lines).encode())
            stream.shutdown(socket.SHUT_WR)
            assert stream.makefile("rb").read().startswith(b"HTTP/1.1 200 ")


def test_a_header_that_is_too_large_is_refused_and_others_go_on(secure):
    for size in [66_000, 70_000, 200_000]:
        connection = http.client.HTTPConnection(secure.address, timeout=10)
        headers = {f"x-{number}": "v" * 1000 for number in range(size // 1000)}
        try:
            connection.request("POST", "/", body=b"{}", headers=headers)
            assert connection.getresponse().status == 431
        except ConnectionError:
            pass  # answered and closed before all of it was sent
    assert aws(secure).list_keys()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_an_idle_connection_does_not_delay_the_end():
    server = Secure("--ephemeral")
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port))):
        time.sleep(0.2)
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 5
