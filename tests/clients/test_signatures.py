"""Signature Version 4: known keys are checked, in header and query, as AWS answers."""

import hashlib
import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from unittest import mock

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from client import Client, Refused
from conftest import BINARY, Server
from identities import signed

KEY, SECRET, ACCOUNT = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "111122223333"
TOKEN = "a-token-for-grpc"
FILE = """
[[account]]
id = "{account}"

[[account.access_key]]
id = "{key}"
secret = "{secret}"

[[account.token]]
sha256 = "{token}"
"""


def credentials(secret=SECRET):
    token = hashlib.sha256(TOKEN.encode()).hexdigest()
    return FILE.format(account=ACCOUNT, key=KEY, secret=secret, token=token)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("known") / "credentials.toml"
    path.write_text(credentials())
    return path


@pytest.fixture(scope="module")
def closed(file):
    server = Server("--ephemeral", "--credentials", str(file))
    yield server
    assert server.stop() == 0


def aws(server, service="kms", key=KEY, secret=SECRET, token=None):
    return signed(server, service, key, secret, token)


def send(server, auth=SigV4Auth, service="kms", target="ListKeys", body=b"{}", method="POST",
         query="", alter=lambda request: None, **scope):
    """Signs with botocore, alters, sends; gives status, body and headers."""
    headers = {"X-Amz-Target": f"TrentService.{target}"} if target else {}
    if body:
        headers["Content-Type"] = "application/x-amz-json-1.1"
    request = AWSRequest(method, f"http://{server.address}/{query}", headers, body)
    known = Credentials(scope.get("key", KEY), scope.get("secret", SECRET), scope.get("token"))
    auth(known, service, scope.get("region", "eu-west-1")).add_auth(request)
    alter(request)
    sent = urllib.request.Request(
        request.url, request.body or None, dict(request.headers), method=method
    )
    try:
        with urllib.request.urlopen(sent) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def refusal(answer):
    return answer[0], json.loads(answer[1])["__type"]


def test_a_known_key_is_its_accounts_root(closed):
    kms = aws(closed)
    key = kms.create_key()["KeyMetadata"]
    assert key["AWSAccountId"] == ACCOUNT
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"ä b": "1+1=2"})
    kms.decrypt(CiphertextBlob=blob["CiphertextBlob"], EncryptionContext={"ä b": "1+1=2"})
    assert aws(closed, "sts").get_caller_identity()["Account"] == ACCOUNT


@pytest.mark.parametrize(
    "known,code",
    [
        ({"secret": "another"}, "InvalidSignatureException"),
        ({"key": "AKIAUNKNOWN"}, "UnrecognizedClientException"),
        ({"key": ACCOUNT}, "UnrecognizedClientException"),
        ({"token": "a-session"}, "UnrecognizedClientException"),
    ],
)
def test_others_are_refused_and_recorded(closed, known, code):
    with pytest.raises(ClientError) as caught:
        aws(closed, **known).list_keys()
    assert caught.value.response["Error"]["Code"] == code
    index = caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-audit-log-index"]
    trail = Client(closed.address, [("authorization", f"Bearer {TOKEN}")])
    [record] = trail.call("Audit.Query", start_index=int(index), end_index=int(index) + 1).records
    assert (record.outcome, record.error_code, record.principal) == ("refused", code, "")
    with pytest.raises(ClientError) as caught:
        aws(closed, "sts", **known).get_caller_identity()
    named = {"InvalidSignatureException": "SignatureDoesNotMatch"}
    assert caught.value.response["Error"]["Code"] == named.get(code, "InvalidClientTokenId")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def set_header(name, value):
    def alter(request):
        if name in request.headers:
            request.headers.replace_header(name, value)
        else:
            request.headers[name] = value

    return alter


def test_what_is_altered_on_the_way_is_noticed(closed):
    assert send(closed)[0] == 200

    def body(request):
        request.data = b'{"Limit": 5}'

    def extra(request):
        request.url += "?a=b"

    for alter in [
        body,
        extra,
        set_header("X-Amz-Target", "TrentService.ListAliases"),
        set_header("Host", "elsewhere"),
    ]:
        assert refusal(send(closed, alter=alter)) == (400, "InvalidSignatureException")


def test_queries_are_signed_too(closed):
    assert send(closed, SigV4QueryAuth)[0] == 200
    assert send(closed, SigV4QueryAuth, query="?b=%7e+%20&a=1&a=0&c")[0] == 200
    altered = send(closed, SigV4QueryAuth, alter=lambda request: setattr(
        request, "url", request.url.replace("eu-west-1", "us-west-2")))
    assert refusal(altered) == (400, "InvalidSignatureException")
    asked = {"service": "sts", "target": None, "body": b"", "method": "GET",
             "query": "?Action=GetCallerIdentity&Version=2011-06-15"}
    status, text, _ = send(closed, SigV4QueryAuth, **asked)
    assert status == 200 and f"<Account>{ACCOUNT}</Account>" in text
    status, text, _ = send(closed, SigV4QueryAuth, secret="another", **asked)
    assert status == 403 and "SignatureDoesNotMatch" in text


class Leaving:
    """Signs as a client that leaves out some headers, and names the others as it is told."""

    unsigned, named = (), staticmethod(lambda names: names)

    def headers_to_sign(self, request):
        found = super().headers_to_sign(request)
        for name in self.unsigned:
            del found[name]
        return found

    def signed_headers(self, headers_to_sign):
        return self.named(super().signed_headers(headers_to_sign))


@pytest.mark.parametrize("base", [SigV4Auth, SigV4QueryAuth])
def test_what_names_the_operation_has_to_be_signed(closed, base):
    swapped = set_header("X-Amz-Target", "TrentService.CreateKey")
    auth = type("Auth", (Leaving, base), {"unsigned": ["X-Amz-Target"]})
    for alter in [lambda request: None, swapped, set_header("X-Amz-Other", "added")]:
        answer = send(closed, auth, alter=alter)
        assert refusal(answer) == (400, "InvalidSignatureException")
        assert "'x-amz-" in answer[1] and "must be a 'SignedHeader'" in answer[1]
    added = send(closed, base, alter=set_header("X-Amz-Other", "added"))
    assert refusal(added) == (400, "InvalidSignatureException")
    assert "'x-amz-other' must be a 'SignedHeader'" in added[1]


@pytest.mark.parametrize("base", [SigV4Auth, SigV4QueryAuth])
def test_signed_headers_are_named_once_and_in_order(closed, server, base):
    for named in [
        lambda names: ";".join(["host"] * 2000 + [names]),
        lambda names: ";".join(reversed(names.split(";"))),
    ]:
        auth = type("Auth", (Leaving, base), {"named": staticmethod(named)})
        answer = send(closed, auth)
        assert refusal(answer) == (400, "IncompleteSignatureException")
        assert "alphabetical order" in answer[1] and "host;host" not in answer[1]
        assert send(server, auth)[0] == 200  # where nobody is asked who they are


@pytest.mark.parametrize("auth", [SigV4Auth, SigV4QueryAuth])
@pytest.mark.parametrize(
    "hours,said", [(-1, "Signature expired"), (1, "Signature not yet current"), (0, None)]
)
def test_clocks_may_not_differ_much(closed, auth, hours, said):
    moved = datetime.now(timezone.utc) + timedelta(hours=hours)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moved, create=True), \
            mock.patch("botocore.auth.datetime", create=True) as clock:
        clock.datetime.utcnow.return_value = moved.replace(tzinfo=None)
        clock.datetime.now.return_value = moved
        answer = send(closed, auth)
    if said:
        assert refusal(answer) == (400, "InvalidSignatureException")
        assert said in json.loads(answer[1])["message"]
    else:
        assert answer[0] == 200


def test_scopes_and_forms_that_are_wrong_are_named(closed):
    for service, said in [("s3", "service: 'kms'"), ("sts", "service: 'kms'")]:
        answer = send(closed, service=service)
        assert refusal(answer) == (400, "InvalidSignatureException")
        assert said in json.loads(answer[1])["message"]

    def without(part):
        def alter(request):
            header = request.headers["Authorization"]
            cut = ", ".join(field for field in header.split(", ") if part not in field)
            set_header("Authorization", cut)(request)

        return alter

    def undated(request):
        del request.headers["X-Amz-Date"]

    for alter, code in [
        (without("Signature="), "IncompleteSignatureException"),
        (without("SignedHeaders="), "IncompleteSignatureException"),
        (undated, "IncompleteSignatureException"),
        (set_header("Authorization", "Bearer x"), "IncompleteSignatureException"),
        (lambda request: request.headers.__delitem__("Authorization"),
         "MissingAuthenticationTokenException"),
    ]:
        assert refusal(send(closed, alter=alter)) == (400, code)
    too_large = send(closed, body=b" " * (2 << 20))
    assert refusal(too_large) == (413, "RequestTooLargeException")


def test_grpc_wants_a_token_that_is_known(closed):
    Client(closed.address, [("authorization", f"Bearer {TOKEN}")]).call("Keys.CreateKey")
    for metadata in [[], [("authorization", f"Bearer {KEY}")], [("authorization", "Basic x")]]:
        with pytest.raises(Refused) as caught:
            Client(closed.address, metadata).call("Keys.ListKeys")
        assert caught.value.code.name == "UNAUTHENTICATED"
    done = subprocess.run(
        [BINARY, "key", "list", "--endpoint", f"http://{closed.address}"],
        env={"STRONGROOM_TOKEN": TOKEN}, capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stderr


def test_credentials_are_read_again_when_told(tmp_path):
    path = tmp_path / "credentials.toml"
    path.write_text(credentials())
    server = Server("--ephemeral", "--credentials", str(path))
    kms = aws(server)
    kms.list_keys()
    for text, secret in [("not toml", SECRET), (credentials("fresh"), "fresh")]:
        path.write_text(text)
        server.process.send_signal(signal.SIGHUP)
        for _ in range(100):
            time.sleep(0.02)
            try:
                aws(server, secret=secret).list_keys()
                break
            except ClientError:
                pass
        aws(server, secret=secret).list_keys()
    with pytest.raises(ClientError):
        kms.list_keys()
    assert server.stop() == 0


def test_without_credentials_only_loopback_is_listened_on(tmp_path):
    path = tmp_path / "credentials.toml"
    path.write_text(credentials())
    refused = subprocess.run(
        [BINARY, "serve", "--ephemeral", "--listen", "0.0.0.0:0"], capture_output=True, text=True
    )
    assert refused.returncode == 1 and "--credentials" in refused.stderr
    path.write_text(credentials().replace("secret =", "sekret ="))
    refused = subprocess.run(
        [BINARY, "serve", "--ephemeral", "--credentials", str(path)],
        capture_output=True, text=True,
    )
    assert refused.returncode == 1 and SECRET not in refused.stderr
    assert "line 7" in refused.stderr and "credentials.toml" in refused.stderr


def test_a_signed_request_can_be_sent_again(closed):
    """As on AWS, within its 15 minutes; SECURITY.md says so. Each time is a record of its own."""
    sent = []
    for _ in range(2):
        status, body, headers = send(closed, alter=lambda request: sent.append(dict(request.headers)))
        assert status == 200
    again = urllib.request.Request(f"http://{closed.address}/", b"{}", sent[0], method="POST")
    with urllib.request.urlopen(again) as answer:
        assert answer.status == 200
        assert int(answer.headers["x-audit-log-index"]) > int(headers["x-audit-log-index"])
