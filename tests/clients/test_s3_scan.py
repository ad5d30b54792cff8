"""`strongroom s3 scan`: what is found in each mode, what is mended and how, and what is left alone."""

import json
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import BINARY, Server
from s3 import MODES, REGION, asking, client, make_bucket, off
from test_tls import Secure

ACCOUNT = "111122223333"
TARGETS = ["AES256", "aws:kms", "bucket-key", "aws:kms:dsse"]


def environment(access_key=ACCOUNT, secret="any", **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STRONGROOM_"))}
    return {**kept, "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": REGION, **more}


def scan(url, *arguments, code=0, **more):
    """Rows and summary."""
    command = [BINARY, "s3", "scan", "--endpoint", url, "--output", "json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(**more), timeout=120)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    *rows, last = [json.loads(line) for line in done.stdout.splitlines()] or [{"summary": None}]
    return rows, last["summary"], done.stderr


class World:
    def __init__(self):
        self.server = Secure("--ephemeral")
        self.url = f"http://{self.server.address}"
        self.s3 = client(self.server)
        self.tls = client(self.server, verify=self.server.authority)
        self.kms = client(self.server, "kms")
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.other = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.kms.create_alias(AliasName="alias/scan", TargetKeyId=self.key)

    def bucket(self, **more):
        name = make_bucket(self.s3, "scan", **more)
        off(self.server, name)
        return name

    def every(self, bucket):
        for mode in MODES:
            self.tls.put_object(Bucket=bucket, Key=mode, Body=b"x" * 10, **asking(mode, self.other),
                                Metadata={"note": "mine"}, Tagging="a=b", ContentType="text/x-mine")


@pytest.fixture(scope="module")
def world():
    world = World()
    yield world
    assert world.server.stop() == 0


def wanted(target, key):
    return {
        "AES256": ["--mode", "AES256"],
        "aws:kms": ["--key", key],
        "bucket-key": ["--key", key, "--bucket-key"],
        "aws:kms:dsse": ["--mode", "aws:kms:dsse", "--key", key],
    }[target]


def test_without_a_wish_what_is_in_clear_is_found(world):
    bucket = world.bucket()
    world.every(bucket)
    rows, summary, _ = scan(world.url, bucket, code=1)
    assert [(row["key"], row["fault"], row["result"]) for row in rows] == [("plain", "not encrypted", "found")]
    assert rows[0]["encryption"] == {"mode": None, "key_arn": None, "bucket_key": False} and rows[0]["size"] == 10
    assert (summary["looked_at"], summary["found"], summary["fixed"]) == (6, 1, 0)
    world.s3.delete_object(Bucket=bucket, Key="plain")
    assert scan(world.url, bucket)[1]["found"] == 0


@pytest.mark.parametrize("target", TARGETS)
def test_every_mode_comes_to_every_other(world, target):
    bucket = world.bucket()
    world.every(bucket)
    before = {mode: world.s3.head_object(Bucket=bucket, Key=mode) for mode in MODES if mode != "SSE-C"}
    faults = {row["key"]: row["fault"] for row in scan(world.url, bucket, *wanted(target, "alias/scan"), code=1)[0]}
    assert faults.pop("SSE-C") == "another mode" and faults.pop("plain") == "not encrypted"
    same = {"AES256": {"AES256"}, "aws:kms": {"aws:kms", "bucket-key"}, "bucket-key": {"aws:kms", "bucket-key"},
            "aws:kms:dsse": {"aws:kms:dsse"}}[target]
    expected = {mode: "another mode" for mode in MODES[1:-1] if mode not in same}
    if target != "AES256":
        expected |= {mode: "another key" for mode in same}
    assert faults == expected

    rows, summary, told = scan(world.url, bucket, "--fix", *wanted(target, "alias/scan"), code=1)
    done = {row["key"]: row for row in rows}
    assert done.pop("SSE-C")["reason"] == "it cannot be read without its customer's key"
    assert f"s3://{bucket}/SSE-C: it cannot be read" in told
    assert {row["result"] for row in done.values()} == {"fixed"} and summary["not_fixed"] == 1
    for mode, head in before.items():
        now = world.s3.head_object(Bucket=bucket, Key=mode)
        if mode not in done:  # it was as asked
            assert now["LastModified"] == head["LastModified"] and target == "AES256"
            continue
        assert now["ServerSideEncryption"] == {"bucket-key": "aws:kms"}.get(target, target)
        assert now.get("SSEKMSKeyId") == (None if target == "AES256" else world.key)
        # An update keeps the bucket key that is there.
        keeps = target == "aws:kms" and mode == "bucket-key"
        assert now.get("BucketKeyEnabled", False) == (target == "bucket-key" or keeps)
        assert now["Metadata"] == {"note": "mine"} and now["ContentType"] == "text/x-mine"
        assert world.s3.get_object_tagging(Bucket=bucket, Key=mode)["TagSet"] == [{"Key": "a", "Value": "b"}]
        assert world.s3.get_object(Bucket=bucket, Key=mode)["Body"].read() == b"x" * 10
        updated = target in ("aws:kms", "bucket-key") and mode in ("AES256", "aws:kms", "bucket-key")
        assert done[mode]["how"] == ("UpdateObjectEncryption" if updated else "CopyObject")
        assert (now["ETag"] == head["ETag"] and now["LastModified"] == head["LastModified"]) or not updated
    # Again: nothing is done twice.
    rows, summary, _ = scan(world.url, bucket, "--fix", *wanted(target, "alias/scan"), code=1)
    assert [row["key"] for row in rows] == ["SSE-C"] and summary["fixed"] == 0


def test_where_versions_are_kept_the_latest_is_encrypted(world):
    bucket = world.bucket()
    world.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = world.s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    world.s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    world.s3.put_object(Bucket=bucket, Key="gone", Body=b"3")
    world.s3.delete_object(Bucket=bucket, Key="gone")
    world.s3.put_object(Bucket=bucket, Key="s3", Body=b"4", ServerSideEncryption="AES256")
    _, summary, _ = scan(world.url, bucket, "--key", world.key, "--fix")
    assert summary["looked_at"] == summary["fixed"] == 2
    versions = world.s3.list_object_versions(Bucket=bucket)["Versions"]
    assert sorted(version["Key"] for version in versions) == ["gone", "k", "k", "k", "s3"]
    assert world.s3.head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"] == world.key
    assert world.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"
    assert "ServerSideEncryption" not in world.s3.head_object(Bucket=bucket, Key="k", VersionId=first)


def test_a_key_that_cannot_be_used_leaves_the_objects(world):
    bucket = world.bucket()
    world.s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    world.s3.put_object(Bucket=bucket, Key="b", Body=b"2", ServerSideEncryption="AES256")
    before = [world.s3.head_object(Bucket=bucket, Key=key)["LastModified"] for key in "ab"]
    disabled = world.kms.create_key()["KeyMetadata"]["Arn"]
    world.kms.disable_key(KeyId=disabled)
    rows, summary, told = scan(world.url, bucket, "--key", disabled, "--fix", code=1)
    assert [row["result"] for row in rows] == ["not fixed"] * 2 and summary["not_fixed"] == 2
    assert all("DisabledException" in row["reason"] for row in rows) and "s3://" in told
    assert [world.s3.head_object(Bucket=bucket, Key=key)["LastModified"] for key in "ab"] == before
    told = scan(world.url, bucket, "--key", "alias/nobody", "--fix", code=1)[2]
    assert "NotFoundException" in told and "strongroom key list" in told


def test_what_cannot_be_looked_at_is_said(world):
    bucket = world.bucket()
    for key in ["a", "b", "c"]:
        world.s3.put_object(Bucket=bucket, Key=key, Body=b"1", ServerSideEncryption="AES256")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/b"}
    world.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": deny}))
    rows, summary, told = scan(world.url, bucket, code=1)
    assert [(row["key"], row["result"], row["encryption"]) for row in rows] == [("b", "not looked at", None)]
    assert rows[0]["reason"].startswith("AccessDenied: ") and f"s3://{bucket}/b: AccessDenied" in told
    assert (summary["looked_at"], summary["not_looked_at"]) == (2, 1)


def test_names_of_all_kinds_in_pages(world):
    bucket = world.bucket()
    odd = ["a b+c", "é/ü", "../x", "a//b", "q?x=1&y", "%41", "quote\"'<>", "tab\there", "~.-_*()!"]
    names = odd + [f"n/{number:05}" for number in range(1100)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: world.s3.put_object(Bucket=bucket, Key=key, Body=b"x"), names))
    rows, summary, _ = scan(world.url, bucket, code=1)
    assert [row["key"] for row in rows] == sorted(names, key=str.encode) and summary["looked_at"] == len(names)
    assert [row["key"] for row in scan(world.url, bucket, "--prefix", "a", code=1)[0]] == ["a b+c", "a//b"]
    after = scan(world.url, bucket, "--start-after", "n/01097", "--prefix", "n/", code=1)[0]
    assert [row["key"] for row in after] == ["n/01098", "n/01099"]
    assert scan(world.url, bucket, "--mode", "AES256", "--fix")[1]["fixed"] == len(names)
    assert world.s3.head_object(Bucket=bucket, Key="q?x=1&y")["ServerSideEncryption"] == "AES256"


class Between(ThreadingHTTPServer):
    """Stands between a client and the service, and does something when a copy comes."""

    def __init__(self, address, on_copy):
        target = address

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def relay(self):
                if self.headers.get("x-amz-copy-source"):
                    on_copy(self.path)
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                upstream = HTTPConnection(target)
                upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    upstream.putheader(name, value)
                upstream.endheaders(body)
                answer = upstream.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "date", "content-length"):
                        self.send_header(name, value)
                length = answer.getheader("content-length") if self.command == "HEAD" else str(len(content))
                self.send_header("content-length", length or "0")
                self.end_headers()
                self.wfile.write(content)
                upstream.close()

            do_GET = do_HEAD = do_PUT = do_POST = relay

            def log_message(self, *_):
                pass

        self.daemon_threads = True
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


def test_what_somebody_writes_meanwhile_stays(world):
    bucket = world.bucket()
    for key in ["a", "b"]:
        world.s3.put_object(Bucket=bucket, Key=key, Body=b"old")
    between = Between(world.server.address, lambda path: path.endswith("/a") and world.s3.put_object(
        Bucket=bucket, Key="a", Body=b"new"))
    rows, _, _ = scan(between.url, bucket, "--mode", "AES256", "--fix", code=1)
    between.shutdown()
    assert [(row["key"], row["result"]) for row in rows] == [("a", "not fixed"), ("b", "fixed")]
    assert rows[0]["reason"].startswith("PreconditionFailed: ")
    got = world.s3.get_object(Bucket=bucket, Key="a")
    assert got["Body"].read() == b"new" and "ServerSideEncryption" not in got


@pytest.mark.parametrize("all_buckets", [False, True])
def test_an_interrupted_run_goes_on(all_buckets):
    server = Server("--ephemeral")
    s3 = client(server)
    bucket = make_bucket(s3, "resume")
    off(server, bucket)
    for number in range(60):
        s3.put_object(Bucket=bucket, Key=f"it's {number:02}", Body=b"x")
    copies, named = [], [] if all_buckets else [bucket]

    def on_copy(path):
        copies.append(path)
        if len(copies) == 20:
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)

    between = Between(server.address, on_copy)
    command = [BINARY, "s3", "scan", *named, "--endpoint", between.url, "--mode", "AES256", "--fix", "--output", "json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    out, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    summary = json.loads(out.splitlines()[-1])["summary"]
    # What was begun was ended.
    assert summary["fixed"] == len(copies) == 20
    after = f"{bucket}/it's 19" if all_buckets else "it's 19"
    assert summary["start_after"] == after
    quoted = after.replace("'", "'\\''")
    assert f"go on with --start-after '{quoted}'" in told and "strongroom: interrupted" in told
    _, summary, _ = scan(between.url, *named, "--mode", "AES256", "--fix", "--start-after", after)
    assert (summary["looked_at"], summary["fixed"]) == (40, 40) and len(copies) == 60
    assert scan(between.url, *named)[1]["looked_at"] == 60
    between.shutdown()
    assert server.stop() == 0


def test_all_buckets_and_one_that_is_closed():
    server = Server("--ephemeral")
    s3 = client(server)
    names = [make_bucket(s3, prefix) for prefix in ["aa", "bb", "cc"]]
    for name in names:
        off(server, name)
        s3.put_object(Bucket=name, Key="k", Body=b"x")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{names[1]}"}
    s3.put_bucket_policy(Bucket=names[1], Policy=json.dumps({"Version": "2012-10-17", "Statement": deny}))
    rows, summary, told = scan(f"http://{server.address}", code=1)
    assert [(row["bucket"], row["result"]) for row in rows] == [
        (names[0], "found"), (names[1], "not looked at"), (names[2], "found")]
    assert (summary["found"], summary["not_looked_at"]) == (2, 1) and "AccessDenied" in told
    assert "AccessDenied" in scan(f"http://{server.address}", names[1], code=1)[2]
    assert server.stop() == 0


def test_over_tls_with_the_services_ca(world):
    bucket = world.bucket()
    world.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = world.url.replace("http://127.0.0.1", "https://localhost")
    rows, summary, _ = scan(url, bucket, "--ca", world.server.authority, "--key", "alias/scan", "--fix")
    assert rows[0]["now"]["key_arn"] == world.key and summary["fixed"] == 1
    assert scan(url, bucket, AWS_CA_BUNDLE=world.server.authority)[1]["looked_at"] == 1
    assert "cannot be reached" in scan(url, bucket, code=1)[2]
    assert "has no CA" in scan(url, bucket, "--ca", BINARY, code=2)[2]


def test_where_callers_are_known(tmp_path):
    file = tmp_path / "credentials.toml"
    file.touch(0o600)
    file.write_text(f'''
[[account]]
id = "{ACCOUNT}"
[[account.access_key]]
id = "AKIDROOT"
secret = "a-root-secret"
''')
    server = Server("--ephemeral", "--credentials", str(file))
    url = f"http://{server.address}"
    known = {"access_key": "AKIDROOT", "secret": "a-root-secret"}
    s3 = client(server, **known)
    bucket = make_bucket(s3)
    s3.put_object(Bucket=bucket, Key="k ey", Body=b"x")
    key = client(server, "kms", **known).create_key()["KeyMetadata"]
    rows, _, _ = scan(url, bucket, "--key", key["KeyId"], "--fix", **known)
    assert [(row["how"], row["now"]["key_arn"]) for row in rows] == [("UpdateObjectEncryption", key["Arn"])]
    session = client(server, "sts", **known).get_session_token()["Credentials"]
    temporary = {"access_key": session["AccessKeyId"], "secret": session["SecretAccessKey"]}
    assert scan(url, bucket, AWS_SESSION_TOKEN=session["SessionToken"], **temporary)[1]["looked_at"] == 1
    for wrong, code in [({"access_key": "AKIDROOT", "secret": "x"}, "SignatureDoesNotMatch"),
                        ({"access_key": "AKIDOTHER"}, "InvalidAccessKeyId")]:
        assert code in scan(url, bucket, code=1, **wrong)[2]
    assert server.stop() == 0


def test_usage(world):
    for arguments, said in [
        (["--fix"], "--mode AES256, or --key KEY"),
        (["--mode", "AES256", "--key", world.key], "takes no --key"),
        (["--mode", "aws:kms:dsse", "--bucket-key"], "--bucket-key is of"),
        (["--start-after", "k"], "BUCKET/KEY"),
        (["--region", "a b"], "is no region"),
    ]:
        assert said in scan(world.url, *arguments, code=2)[2], arguments
    for url in ["localhost:4566", "ftp://x", "http://x/y", "http://u@x"]:
        assert "no address of a service" in scan(url, code=2)[2]
    assert "is it running" in scan("http://127.0.0.1:1", code=1)[2].lower()
    bare = environment()
    del bare["AWS_SECRET_ACCESS_KEY"]
    command = [BINARY, "s3", "scan", "--endpoint", "https://s3.example.com"]
    done = subprocess.run(command, capture_output=True, text=True, env=bare)
    assert done.returncode == 2 and "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in done.stderr


def test_for_people(world):
    bucket = world.bucket()
    world.s3.put_object(Bucket=bucket, Key="b", Body=b"x")
    command = [BINARY, "s3", "scan", bucket, "--endpoint", world.url]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    assert done.returncode == 1 and done.stdout == (
        f" Not encrypted  {1:>13}  {'':<22}  s3://{bucket}/b\n1 objects looked at: 1 found\n")
    assert done.stderr == "strongroom: 1 object is not encrypted as it should be, or not known to be\n"
