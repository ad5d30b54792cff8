"""What a watcher sees: health, metrics, logs, traces; and the way back to empty."""

import json
import os
import re
import signal
import threading
import time
import urllib.error
import urllib.request
from concurrent import futures

import boto3
import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as collector

from client import Client, Refused
from conftest import Server
from identities import CONFIG
from test_boto3 import aws, refused

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def get(server, path, method="GET", **headers):
    request = urllib.request.Request(
        f"http://{server.address}{path}", method=method, headers=headers
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode(errors="replace"), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def metrics(server):
    status, text, headers = get(server, "/_strongroom/metrics")
    assert status == 200 and headers["content-type"].startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")
    found = re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", text, re.M)
    return {name: float(value) for name, value in found}


@pytest.fixture
def own():
    server = Server("--ephemeral")
    yield server
    assert server.stop() == 0


def test_metrics_count_calls_commits_and_connections(own):
    kms = aws(own)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for _ in range(3):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    refused(kms, "ValidationException", "encrypt", KeyId=key)
    with pytest.raises(Exception):
        Client(own.address).call("Keys.NoSuchThing")
    get(own, "/", "POST", **{"X-Amz-Target": f"TrentService.{key}"})
    found = metrics(own)
    count = "strongroom_call_duration_seconds_count"
    assert found[count + '{operation="Encrypt",outcome="success"}'] == 3
    assert found[count + '{operation="Encrypt",outcome="failed"}'] == 1
    assert found[count + '{operation="unknown",outcome="refused"}'] == 1
    assert found["strongroom_commit_group_entries_sum"] == found["strongroom_log_entries"] > 4
    assert found["strongroom_commit_sync_seconds_count"] > 0
    assert found['strongroom_connections{security="plain"}'] >= 1
    assert found["strongroom_store_bytes"] > 0 and found["strongroom_healthy"] == 1
    labels = {label for name in found for label in re.findall(r'(\w+)="', name)}
    assert labels <= {"operation", "outcome", "security", "le", "version"}
    assert not any(key in name or "arn:" in name for name in found)


def test_health_says_whether_calls_are_answered(own):
    status, text, _ = get(own, "/_strongroom/health")
    assert (status, json.loads(text)["status"]) == (200, "running")


def test_logs_are_lines_with_request_ids(tmp_path):
    server = Server("--ephemeral", env={"STRONGROOM_LOG": "info", "STRONGROOM_LOG_FORMAT": "json"})
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(server.process.stderr), daemon=True)
    reader.start()
    kms = boto3.client(
        "kms", endpoint_url=f"http://{server.address}", region_name="eu-west-1",
        aws_access_key_id="111122223333", aws_secret_access_key="any", config=CONFIG,
    )
    key = kms.create_key()
    traced = ("traceparent", f"00-{TRACE}-{PARENT}-01")
    kms.meta.events.register(
        "before-sign.kms.Encrypt", lambda request, **_: request.headers.add_header(*traced)
    )
    done = kms.encrypt(KeyId=key["KeyMetadata"]["KeyId"], Plaintext=b"a secret text")
    assert server.stop() == 0
    reader.join()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    calls = {line["span"]["request_id"]: line for line in found if line.get("message") == "call"}
    call = calls[done["ResponseMetadata"]["RequestId"]]
    assert (call["span"]["operation"], call["outcome"]) == ("Encrypt", "success")
    assert call["span"]["trace_id"] == TRACE
    assert call["micros"] > 0 and call["log_index"] >= 1
    assert "a secret text" not in "".join(lines)


class Collector:
    """A collector that keeps what it is sent."""

    def __init__(self):
        self.spans, self.come = [], threading.Event()
        self.server = grpc.server(futures.ThreadPoolExecutor(1))
        handler = grpc.unary_unary_rpc_method_handler(
            self.export,
            request_deserializer=collector.ExportTraceServiceRequest.FromString,
            response_serializer=collector.ExportTraceServiceResponse.SerializeToString,
        )
        service = "opentelemetry.proto.collector.trace.v1.TraceService"
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {"Export": handler}),)
        )
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def export(self, request, _context):
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        self.come.set()
        return collector.ExportTraceServiceResponse()


def test_calls_are_spans_of_the_callers_trace():
    kept = Collector()
    server = Server("--ephemeral", env={"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{kept.address}"})
    metadata = [("traceparent", f"00-{TRACE}-{PARENT}-01")]
    Client(server.address, metadata).call("Keys.CreateKey")
    Client(server.address).call("Keys.ListKeys")
    assert server.stop() == 0
    assert kept.come.wait(10)
    spans = {span.name: span for span in kept.spans}
    assert spans["CreateKey"].trace_id.hex() == TRACE
    assert spans["CreateKey"].parent_span_id.hex() == PARENT
    assert spans["ListKeys"].parent_span_id == b"" and spans["ListKeys"].trace_id.hex() != TRACE
    attributes = {pair.key: pair.value for pair in spans["CreateKey"].attributes}
    assert attributes["request_id"].string_value
    kept.server.stop(0)


def test_a_collector_that_is_not_there_stops_nothing():
    server = Server("--ephemeral", env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    Client(server.address).call("Keys.CreateKey")
    assert server.stop() == 0


def test_reset_goes_back_to_empty(own):
    kms, client = aws(own), Client(own.address)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    stream = client.stream("Audit.Tail", start_index=0)
    next(stream)
    assert get(own, "/_strongroom/reset", "POST")[0] == 200
    assert kms.list_keys()["Keys"] == []
    refused(kms, "InvalidCiphertextException", "decrypt", CiphertextBlob=blob)
    assert client.call("Audit.GetCheckpoint").log_size == 2
    assert client.call("Audit.VerifyLog").log_size == 3
    list(stream)  # ends
    kms.create_key()
    for _ in range(3):
        assert get(own, "/_strongroom/reset", "POST")[0] == 200
    assert kms.list_keys()["Keys"] == []


def test_reset_under_load_answers_or_refuses_every_call(own):
    stop, wrong = threading.Event(), []

    def load():
        kms = aws(own)
        while not stop.is_set():
            try:
                key = kms.create_key()["KeyMetadata"]["KeyId"]
                kms.encrypt(KeyId=key, Plaintext=b"x")
            except Exception as error:
                code = getattr(error, "response", {}).get("Error", {}).get("Code")
                if code not in ("NotFoundException", "ServiceUnavailableException"):
                    wrong.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    [thread.start() for thread in threads]
    for _ in range(10):
        time.sleep(0.05)
        assert get(own, "/_strongroom/reset", "POST")[0] == 200
    stop.set()
    [thread.join() for thread in threads]
    assert not wrong, wrong
    Client(own.address).call("Audit.VerifyLog")


def test_what_is_kept_is_not_reset(tmp_path):
    server = Server("--data-dir", str(tmp_path / "data"))
    status, text, _ = get(server, "/_strongroom/reset", "POST")
    assert status == 400 and "--ephemeral" in text
    assert server.stop() == 0


def test_another_sites_page_may_not_reset(own):
    aws(own).create_key()
    for origin, status in [("http://evil.example", 403), ("null", 403), (f"http://{own.address}", 200)]:
        assert get(own, "/_strongroom/reset", "POST", Origin=origin)[0] == status
    assert get(own, "/_strongroom/reset")[0] == 405


def test_without_credentials_other_sites_pages_are_kept_out(own):
    port = own.address.split(":")[1]
    paths = [("POST", "/"), ("GET", "/_strongroom/metrics"), ("POST", "/_strongroom/reset")]
    for method, path in paths:
        for headers in [{"Host": f"evil.example:{port}"}, {"Host": f"localhost.evil.example:{port}"},
                        {"Origin": "http://evil.example"}, {"Origin": "null"}]:
            status, text, _ = get(own, path, method, **headers)
            assert status == 403 and "--credentials" in json.loads(text)["message"]
    for name in ["localhost", f"LOCALHOST:{port}", f"kms.localhost:{port}", f"[::1]:{port}"]:
        headers = {"Host": name, "Origin": f"http://{name}"}
        assert get(own, "/_strongroom/health", **headers)[0] == 200
    for name, code in [("evil.example", grpc.StatusCode.PERMISSION_DENIED), ("localhost", None)]:
        options = [("grpc.default_authority", name)]
        with grpc.insecure_channel(own.address, options) as channel:
            listed = channel.unary_unary("/strongroom.v1.Keys/ListKeys")
            if code is None:
                listed(b"")
                continue
            with pytest.raises(grpc.RpcError) as caught:
                listed(b"")
            assert caught.value.code() == code and "--credentials" in caught.value.details()


def test_with_credentials_any_name_is_answered(tmp_path):
    from test_signatures import TOKEN, credentials

    path = tmp_path / "credentials.toml"
    path.write_text(credentials())
    server = Server("--ephemeral", "--credentials", str(path))
    foreign = {"Host": "kms.example", "Origin": "http://evil.example"}
    assert get(server, "/_strongroom/health", **foreign)[0] == 200
    foreign["Authorization"] = f"Bearer {TOKEN}"
    assert get(server, "/_strongroom/reset", "POST", **foreign)[0] == 403
    assert server.stop() == 0


def test_with_credentials_only_who_is_known_resets(tmp_path):
    from test_signatures import TOKEN, credentials

    path = tmp_path / "credentials.toml"
    path.write_text(credentials())
    server = Server("--ephemeral", "--credentials", str(path))
    assert get(server, "/_strongroom/reset", "POST")[0] == 400
    assert get(server, "/_strongroom/reset", "POST", Authorization=f"Bearer {TOKEN}")[0] == 200
    with pytest.raises(Refused):
        Client(server.address).call("Keys.ListKeys")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0 and os.path.exists(path)
