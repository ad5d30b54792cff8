"""Connections: how many, and for how long who says nothing or little is waited for."""

import http.client
import json
import re
import resource
import shutil
import socket
import ssl
import subprocess
import threading
import time

import grpc
import pytest
from botocore.exceptions import ClientError
from conftest import Server
from test_boto3 import aws
from test_observed import metrics
from test_tls import Secure

from client import Client, Refused

# RFC 9113, section 3.4: the preface and an empty SETTINGS frame.
HTTP_2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
PING = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + b"12345678"
PONG = bytes([0, 0, 8, 6, 1, 0, 0, 0, 0]) + b"12345678"
HEALTH = b"GET /_strongroom/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: TrentService.ListKeys\r\n"
    b"Content-Type: application/x-amz-json-1.1\r\nContent-Length: 200\r\n"
    b"Authorization: AWS4-HMAC-SHA256 Credential=111122223333/20261124/eu-west-1/kms/aws4_request, "
    b"SignedHeaders=host, Signature=00\r\n\r\n"
)
# What is waited for: ten seconds for all that comes before a body, thirty for a body.
SOON, LATER = (8, 16), (28, 38)


def connect(server):
    host, port = server.address.split(":")
    return socket.create_connection((host, int(port)), timeout=45)


def told(stream):
    """All that a connection is told until its end."""
    said = b""
    try:
        while more := stream.recv(4096):
            said += more
    except ConnectionResetError:
        pass
    return said


def test_ten_thousand_idle_connections_keep_nobody_waiting():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    number = 10_000 if most == resource.RLIM_INFINITY else min(10_000, most - 500)
    server = Server("--ephemeral")
    kms = aws(server)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    held = []
    try:
        # Who speaks HTTP/2 may stay; who says nothing, or half of something, is let go after a while.
        for index in range(number):
            stream = connect(server)
            stream.sendall([HTTP_2, HTTP_2, HTTP_2, b"", b"PRI * H", HEALTH][index % 6])
            held.append(stream)
        begun = time.monotonic()
        for _ in range(50):  # on a connection that is there, and on new ones
            blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
            assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
            assert Client(server.address).call("Keys.ListKeys") is not None
        took = time.monotonic() - begun
        counted = metrics(server)
        assert took < 15, f"the calls took {took} s"
        assert counted['strongroom_connections{security="plain"}'] >= number / 2
        assert counted["strongroom_connections_turned_away_total"] == 0
    finally:
        for stream in held:
            stream.close()
    assert server.stop() == 0


def test_one_connection_too_many_is_told_so_and_others_go_on():
    server = Server("--ephemeral", "--max-connections", "3")
    held = [connect(server) for _ in range(3)]
    for stream in held:
        stream.sendall(HTTP_2 + PING)
        said = b""
        while PONG not in said:
            said += stream.recv(4096)
    for begun in [HEALTH, POST, HTTP_2]:
        with connect(server) as stream:
            stream.sendall(begun)
            head, body = told(stream).decode().split("\r\n\r\n")
            assert head.startswith("HTTP/1.1 503 ") and "retry-after: 1" in head
            said = json.loads(body)
            assert said["__type"] == "ServiceUnavailableException" and "3 conn" in said["message"]
    with connect(server) as stream:
        stream.sendall(b"\x16\x03\x01")
        assert told(stream) == b"", "TLS cannot be answered in the clear"
    with pytest.raises(grpc.FutureTimeoutError):
        with grpc.insecure_channel(server.address) as channel:
            grpc.channel_ready_future(channel).result(1)
    # More than are told at a time: none of them is waited for.
    silent = [connect(server) for _ in range(200)]
    held[0].sendall(PING)
    assert held[0].recv(4096) == PONG, "who is connected is served"
    held.pop().close()
    for _ in range(600):
        try:
            found = metrics(server)
            break
        except Exception:
            time.sleep(0.05)
    assert found["strongroom_connections_turned_away_total"] >= 204
    for stream in silent + held:
        stream.close()
    assert server.stop() == 0


def test_more_connections_than_files_may_be_open_are_refused():
    with pytest.raises(RuntimeError, match=r"ulimit -n.*LimitNOFILE"):
        Server("--ephemeral", "--max-connections", str(1 << 40))


def dribble(stream, rest):
    """Sends a byte at a time, as slowly as to be for ever under way."""
    try:
        for byte in rest:
            time.sleep(0.5)
            stream.sendall(bytes([byte]))
    except OSError:
        pass


def slow(server, first, rest, secure=False):
    """A client that sends `first`, then `rest` by the byte: what it was told, and after how long."""
    begun = time.monotonic()
    with connect(server) as raw:
        stream = raw
        if secure:
            context = ssl.create_default_context(cafile=server.authority)
            context.set_alpn_protocols(["http/1.1"])
            stream = context.wrap_socket(raw, server_hostname="localhost")
        stream.sendall(first)
        threading.Thread(target=dribble, args=(stream, rest), daemon=True).start()
        return told(stream), time.monotonic() - begun


HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
SLOW = {
    "nothing": (b"", b"", False, SOON),
    "handshake": (HELLO[:6], HELLO[6:], False, SOON),
    "preface": (HTTP_2[:1], b"RI * HT", False, SOON),
    "headers": (POST[:20], b"x-a: " + b"a" * 100, False, SOON),
    "headers over TLS": (POST[:20], b"x-a: " + b"a" * 100, True, SOON),
    "next request": (HEALTH, b"", False, SOON),
    "next request's headers": (HEALTH, POST[:100], False, SOON),
    "body": (POST, b"{" + b" " * 199, False, LATER),
    "body over TLS": (POST, b"{" + b" " * 199, True, LATER),
}


def test_who_is_slow_is_let_go_at_every_stage():
    server, results = Secure("--ephemeral"), {}

    def try_(name, first, rest, secure, _):
        results[name] = slow(server, first, rest, secure)

    def call():
        """A gRPC call whose body never ends."""
        begun = time.monotonic()
        never = threading.Event()
        with grpc.insecure_channel(server.address) as channel:
            listed = channel.stream_unary("/strongroom.v1.Keys/ListKeys")
            with pytest.raises(grpc.RpcError) as caught:
                listed((never.wait(60) and b"" for _ in range(1)), timeout=50)
            never.set()
        results["gRPC"] = Refused(caught.value), time.monotonic() - begun

    threads = [threading.Thread(target=try_, args=(name, *how)) for name, how in SLOW.items()]
    threads.append(threading.Thread(target=call))
    [thread.start() for thread in threads]
    begun = time.monotonic()
    aws(server).list_keys()
    assert time.monotonic() - begun < 5, "others are not kept waiting"
    [thread.join() for thread in threads]
    for name, (*_, (least, most)) in SLOW.items():
        said, took = results[name]
        assert least < took < most, f"{name}: {took}"
        if "body" in name:
            assert said.startswith(b"HTTP/1.1 400 ") and b"SerializationException" in said
        elif name.startswith("next"):
            assert said.startswith(b"HTTP/1.1 200 ")
    refused, took = results["gRPC"]
    assert LATER[0] < took < LATER[1], took
    assert refused.code == grpc.StatusCode.INVALID_ARGUMENT, refused
    assert refused.reason == "SerializationException" and "in time" in refused.message
    client = Client(server.address)
    records = client.call("Audit.Query", operation="ListKeys").records
    assert [record.error_code for record in records].count("SerializationException") == 3
    assert server.stop() == 0


def test_headers_that_are_too_large_are_431_in_both_versions(server):
    many = {f"x-{number}": "v" * 1000 for number in range(67)}
    connection = http.client.HTTPConnection(server.address, timeout=10)
    connection.request("POST", "/", body=b"{}", headers=many)
    answer = connection.getresponse()
    assert answer.status == 431
    if text := answer.read():  # the connection's own bound has no words
        assert b"65536 bytes" in text
    with grpc.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/strongroom.v1.Keys/ListKeys")(b"", metadata=list(many.items()))
    assert "431" in caught.value.details() or "peer" in caught.value.details()
    assert Client(server.address).call("Keys.ListKeys")


@pytest.mark.skipif(not shutil.which("openssl"), reason="asks with the openssl command")
def test_tls_is_not_renegotiated():
    server = Secure("--ephemeral")
    command = ["openssl", "s_client", "-connect", server.address, "-CAfile", server.authority,
               "-tls1_2", "-servername", "localhost"]
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    time.sleep(1)
    # A line that begins with R asks for a new handshake.
    client.stdin.write("R\n")
    client.stdin.flush()
    time.sleep(1)
    said, _ = client.communicate(timeout=10)
    assert "Protocol  : TLSv1.2" in said and "RENEGOTIATING" in said
    assert re.search(r"no.renegotiation|alert|:error:", said.split("RENEGOTIATING")[1]), said
    assert aws(server).list_keys()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert server.stop() == 0


def test_calls_beyond_the_rate_are_throttled_at_every_door_and_recorded():
    server = Server("--ephemeral", "--max-requests-per-second", "5")
    kms, sts, client = aws(server), aws(server, "sts"), Client(server.address)
    doors = [kms.list_keys, sts.get_caller_identity, lambda: client.call("Keys.ListKeys")]
    codes = []
    for index in range(42):
        try:
            doors[index % 3]()
            codes.append(None)
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
            codes.append((error.operation_name, error.response["Error"]["Code"]))
            assert "5 a second" in error.response["Error"]["Message"]
        except Refused as error:
            assert error.code == grpc.StatusCode.RESOURCE_EXHAUSTED
            codes.append(("grpc", error.reason))
    assert set(codes) - {None} == {
        ("ListKeys", "ThrottlingException"),
        ("GetCallerIdentity", "Throttling"),
        ("grpc", "ThrottlingException"),
    }
    assert 5 <= codes.count(None) < 42
    recorded = metrics(server)["strongroom_log_entries"]
    assert recorded == 42, "watchers are not throttled, and every refusal has its record"
    time.sleep(1.1)
    found = client.call("Audit.Query", limit=100).records
    refused = [record for record in found if record.error_code == "ThrottlingException"]
    assert len(refused) == 42 - codes.count(None)
    assert {record.operation for record in refused} == {"ListKeys", "GetCallerIdentity"}
    assert server.stop() == 0
