"""Objects whose bytes are in another store: S3 (a second strongroom, which keeps them as they come), Azure (Azurite). What
is there is ciphertext; what goes wrong there is said, and loses nothing."""

import base64
import hashlib
import hmac
import http.client
import http.server
import io
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError
from conftest import BINARY, Server
from s3 import KIB, MIB, MODES, REGION, asking, body, client, make_bucket, off, reading, refused
from test_javascript import HERE, INSTALLED, install
from test_tls import Secure

AZURITE = INSTALLED.parent / "azurite"
PLANTED = b"what nobody but its reader may see"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class AmazonS3:
    MODES = MODES

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.start()
        self.s3 = client(self.server)
        self.name = make_bucket(self.s3, "peer")
        off(self.server, self.name)
        self.url = f"s3://{self.name}/a/prefix"
        self.env = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}", "AWS_ALLOW_HTTP": "true", "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "111122223333", "AWS_SECRET_ACCESS_KEY": "any",
        }

    def start(self):
        self.server = Server("--data-dir", str(self.folder), listen=f"127.0.0.1:{self.port}")

    def stop(self):
        self.server.process.kill()
        self.server.process.wait(15)

    def names(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return {entry["Key"] for page in pages for entry in page.get("Contents", [])}

    def put(self, name, content):
        self.s3.put_object(Bucket=self.name, Key=name, Body=content)

    def uploads(self):
        return self.s3.list_multipart_uploads(Bucket=self.name).get("Uploads", [])

    def bytes(self):
        return everything(self.folder / "objects")


class GoogleStorage(AmazonS3):
    """Google Cloud Storage's XML interface as far as it is S3's, and what it has of its own put before it: generations for
    versions, and tokens instead of signatures. No emulator of it that can be installed answers as its client wants."""

    MODES = ["AES256", "aws:kms"]

    def __init__(self, folder):
        self.door = None
        super().__init__(folder)
        anybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:*",
                   "Resource": [f"arn:aws:s3:::{self.name}", f"arn:aws:s3:::{self.name}/*"]}
        self.s3.put_bucket_policy(
            Bucket=self.name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [anybody]}))
        self.url = f"gs://{self.name}/a/prefix"
        account = {"gcs_base_url": f"http://127.0.0.1:{self.door.server_port}", "disable_oauth": True,
                   "client_email": "", "private_key": "", "private_key_id": ""}
        self.env = {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(account), "GOOGLE_ALLOW_HTTP": "true"}

    def start(self):
        super().start()
        if self.door is None:
            behind = self.port

            class Door(http.server.BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"

                def handle_one(self):
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    asked = {name: value for name, value in self.headers.items()
                             if not name.lower().startswith(("authorization", "x-goog-", "connection"))}
                    if self.headers.get("x-goog-if-generation-match") == "0":
                        asked["If-None-Match"] = "*"
                    connection = http.client.HTTPConnection("127.0.0.1", behind)
                    connection.request(self.command, self.path, body, asked)
                    answer = connection.getresponse()
                    content = answer.read()
                    self.send_response(answer.status)
                    for name, value in answer.getheaders():
                        if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                            self.send_header(name, value)
                    self.send_header("x-goog-generation", "1")
                    length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
                    self.send_header("Content-Length", length or "0")
                    self.end_headers()
                    self.wfile.write(content)
                    connection.close()

                do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one

                def log_message(self, *_):
                    pass

            self.door = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
            self.door.daemon_threads = True
            threading.Thread(target=self.door.serve_forever, daemon=True).start()


class Azure:
    """Azurite, with the account and key that it is documented with."""

    MODES = ["plain", "aws:kms"]
    ACCOUNT = "devstoreaccount1"
    KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    def __init__(self, folder):
        install(HERE.parent / "azurite", AZURITE)
        self.folder, self.port = folder, free_port()
        self.folder.mkdir()
        self.start()
        assert self.ask("PUT", "container", {"restype": "container"})[0] == 201
        self.url = "az://container/a/prefix"
        self.env = {
            "AZURE_STORAGE_ACCOUNT_NAME": self.ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": self.KEY, "AZURE_ALLOW_HTTP": "true",
            "AZURE_STORAGE_ENDPOINT": f"http://127.0.0.1:{self.port}/{self.ACCOUNT}",
        }

    def start(self):
        script = Path(AZURITE, "node_modules/azurite/dist/src/blob/main.js")
        arguments = ["--blobPort", str(self.port), "--location", str(self.folder), "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        self.process = subprocess.Popen(["node", script, *arguments], stdout=subprocess.DEVNULL)
        until(lambda: reachable(self.port), 20)

    def stop(self):
        self.process.kill()
        self.process.wait(15)

    def ask(self, method, path, query, content=b"", headers=()):
        """A request with a Shared Key."""
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06", **dict(headers)}
        said = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
        resource = f"/{self.ACCOUNT}/{self.ACCOUNT}/{path}" + "".join(f"\n{name}:{value}" for name, value in sorted(query.items()))
        length = str(len(content)) if content else ""
        text = f"{method}\n\n\n{length}\n\n\n\n\n\n\n\n\n{said}{resource}"
        digest = hmac.digest(base64.b64decode(self.KEY), text.encode(), "sha256")
        headers["Authorization"] = f"SharedKey {self.ACCOUNT}:{base64.b64encode(digest).decode()}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        connection.request(method, f"/{self.ACCOUNT}/{path}?{asked}", content, headers)
        answer = connection.getresponse()
        read = answer.status, answer.read().decode()
        connection.close()
        return read

    def names(self):
        status, text = self.ask("GET", "container", {"comp": "list", "restype": "container"})
        assert status == 200, text
        return set(re.findall("<Name>([^<]+)</Name>", text))

    def put(self, name, content):
        status, text = self.ask("PUT", f"container/{name}", {}, content, {"x-ms-blob-type": "BlockBlob"})
        assert status == 201, text

    def bytes(self):
        return everything(self.folder)


def everything(folder):
    return b"".join(path.read_bytes() for path in Path(folder).rglob("*") if path.is_file())


def reachable(port):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


class Gateway:
    """A strongroom in front of a peer."""

    def __init__(self, folder, peer, *arguments):
        self.data, self.peer = folder, peer
        self.start("--objects", peer.url, *arguments)
        self.key = client(self.server, "kms").create_key()["KeyMetadata"]["Arn"]

    def start(self, *arguments):
        log = open(self.data.with_suffix(".log"), "ab")
        log.close()
        self.server = Secure("--data-dir", str(self.data), *arguments, env=self.peer.env)
        threading.Thread(target=self.drain, args=[self.server.process.stderr], daemon=True).start()
        self.s3 = client(self.server)
        self.tls = client(self.server, verify=self.server.authority)

    def drain(self, stderr):
        with open(self.data.with_suffix(".log"), "a") as log:
            for line in stderr:
                log.write(line)
                log.flush()

    def log(self):
        return self.data.with_suffix(".log").read_text()

    def kill(self):
        self.server.process.kill()
        self.server.process.wait(15)

    def bucket(self, mode="AES256"):
        name = make_bucket(self.s3, "front")
        if mode == "plain":
            off(self.server, name)
        return name

    def blobs(self):
        """Names of the peer's objects that are ours, without the prefix and the marker."""
        ours = {name.removeprefix("a/prefix/") for name in self.peer.names() if name.startswith("a/prefix/")}
        return ours - {"strongroom-objects"}


def starting(data, *arguments, env=None):
    """A start that fails: what it says."""
    done = subprocess.run([BINARY, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data), *arguments],
                          env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and not done.stdout
    return done.stderr


@pytest.fixture(scope="module", params=[AmazonS3, GoogleStorage, Azure])
def gateway(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    peer = request.param(folder / "peer")
    gateway = Gateway(folder / "data", peer)
    yield gateway
    assert gateway.server.stop() == 0
    peer.stop()


@pytest.fixture
def amazon(tmp_path):
    peer = AmazonS3(tmp_path / "peer")
    gateway = Gateway(tmp_path / "data", peer)
    yield gateway
    gateway.kill()
    peer.stop()


@pytest.mark.parametrize("mode", MODES)
def test_a_life_in_another_store(gateway, mode):
    if mode not in gateway.peer.MODES:
        pytest.skip("what is stored differs in its bytes alone")
    s3, bucket, asked = gateway.tls, gateway.bucket(mode), asking(mode, gateway.key)
    before = gateway.blobs()
    planted = PLANTED + mode.encode()  # Azurite keeps what was removed for a while
    small = planted + body(100)
    s3.put_object(Bucket=bucket, Key="small", Body=small, **asked)
    assert s3.get_object(Bucket=bucket, Key="small", **reading(mode))["Body"].read() == small
    # More than one piece of the peer's; a range over their border.
    large = body(9 * MIB) + planted + body(9 * MIB + 7)
    s3.put_object(Bucket=bucket, Key="large", Body=large, **asked)
    got = s3.get_object(Bucket=bucket, Key="large", **reading(mode))["Body"]
    assert hashlib.sha256(got.read()).digest() == hashlib.sha256(large).digest()
    for first, last in [(0, 0), (8 * MIB - 3, 8 * MIB + 70 * KIB), (len(large) - 1, len(large) - 1)]:
        got = s3.get_object(Bucket=bucket, Key="large", Range=f"bytes={first}-{last}", **reading(mode))
        assert got["Body"].read() == large[first:last + 1]
    # In parts.
    parts = [body(5 * MIB) + planted, planted + body(77)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", **asked)["UploadId"]
    of = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    put = [s3.upload_part(**of, PartNumber=n, Body=part, **reading(mode)) for n, part in enumerate(parts, 1)]
    named = {"Parts": [{"ETag": part["ETag"], "PartNumber": n} for n, part in enumerate(put, 1)]}
    s3.complete_multipart_upload(**of, MultipartUpload=named, **reading(mode))
    whole = b"".join(parts)
    assert s3.get_object(Bucket=bucket, Key="parts", **reading(mode))["Body"].read() == whole
    border = len(parts[0])
    got = s3.get_object(Bucket=bucket, Key="parts", Range=f"bytes={border - 9}-{border + 9}", **reading(mode))
    assert got["Body"].read() == whole[border - 9:border + 10]
    # Copied, overwritten, in versions, removed.
    source = {f"CopySource{name}": value for name, value in reading(mode).items()}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "small"}, **source, **asked)
    assert s3.get_object(Bucket=bucket, Key="copy", **reading(mode))["Body"].read() == small
    s3.put_object(Bucket=bucket, Key="copy", Body=b"another", **asked)
    assert len(gateway.blobs() - before) == 5
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    new = s3.put_object(Bucket=bucket, Key="copy", Body=b"newer", **asked)["VersionId"]
    assert s3.get_object(Bucket=bucket, Key="copy", VersionId="null", **reading(mode))["Body"].read() == b"another"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["copy", "large", "parts", "small"]
    # Its bytes and its name's length are all that the peer knows.
    assert (planted in gateway.peer.bytes()) == (mode == "plain")
    for entry in ["large", "parts", "small"]:
        s3.delete_object(Bucket=bucket, Key=entry)
        s3.delete_object(Bucket=bucket, Key=entry, VersionId=s3.list_object_versions(Bucket=bucket, Prefix=entry)["DeleteMarkers"][0]["VersionId"])
        s3.delete_object(Bucket=bucket, Key=entry, VersionId="null")
    for version in ["null", new]:
        s3.delete_object(Bucket=bucket, Key="copy", VersionId=version)
    assert gateway.blobs() == before


def test_what_a_killed_gateway_left_is_swept_and_what_is_not_ours_stays(gateway):
    """The place is remembered, too: it is not named again."""
    bucket = gateway.bucket()
    gateway.s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    kept, orphan = gateway.blobs(), "0123456789abcdef" * 2
    gateway.peer.put(f"a/prefix/01/{orphan}", b"nobody's")
    foreign = {f"a/prefix/02/{orphan}", "a/prefix/notes", f"01/{orphan}"}
    for name in foreign:
        gateway.peer.put(name, b"somebody's")
    gateway.kill()
    time.sleep(2.1)  # the store tells times in seconds
    gateway.start()
    until(lambda: gateway.blobs() == kept | {f"02/{orphan}", "notes"})
    assert foreign <= gateway.peer.names()
    assert gateway.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"


def test_a_place_is_one_data_directorys(amazon, tmp_path):
    amazon.s3.put_object(Bucket=amazon.bucket(), Key="k", Body=b"kept")
    env, url = amazon.peer.env, amazon.peer.url
    said = starting(tmp_path / "another", "--objects", url, env=env)
    assert "another data directory" in said and "strongroom.local/" in said
    amazon.kill()
    said = starting(amazon.data, "--objects", url + "/below", env=env)
    assert "is not where this data directory's objects are" in said
    said = starting(amazon.data, "--objects", str(tmp_path / "folder"))
    assert "is not where this data directory's objects are" in said
    said = starting(amazon.data, env={**env, "AWS_SECRET_ACCESS_KEY": "any", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"})
    assert "cannot be used" in said and url in said
    for wrong, why in [("s3://no-such-bucket", "NoSuchBucket"), ("ftp://a", "neither a folder nor"), ("https://a/b", "neither a folder nor")]:
        assert why in starting(tmp_path / "fresh", "--objects", wrong, env=env)
    amazon.start()


def test_a_folder_elsewhere(tmp_path):
    data, place = tmp_path / "data", tmp_path / "disk"
    server = Server("--data-dir", str(data), "--objects", str(place))
    s3 = client(server)
    bucket = make_bucket(s3)
    s3.put_object(Bucket=bucket, Key="k", Body=PLANTED + body(3 * MIB))
    assert server.stop() == 0
    assert PLANTED not in everything(place) and len(everything(place)) > 3 * MIB and not (data / "objects").exists()
    server = Server("--data-dir", str(data))
    assert client(server).get_object(Bucket=bucket, Key="k")["Body"].read() == PLANTED + body(3 * MIB)
    assert server.stop() == 0
    assert "another data directory" in starting(tmp_path / "other", "--objects", str(place))
    # Of two copies the one that was there last goes on.
    shutil.copytree(data, tmp_path / "copy")
    server = Server("--data-dir", str(tmp_path / "copy"))
    client(server).put_object(Bucket=bucket, Key="later", Body=b"of the copy")
    server.process.kill()
    server.process.wait(15)
    said = starting(data)
    assert "another copy of this data directory" in said
    server = Server("--data-dir", str(tmp_path / "copy"))
    assert client(server).get_object(Bucket=bucket, Key="later")["Body"].read() == b"of the copy"
    assert server.stop() == 0
    # Unless somebody says otherwise, as the message says.
    wanted = re.search(r'strongroom-objects there read "(.*?)"', starting(data))[1]
    (place / "strongroom-objects").write_text(wanted.replace("\\n", "\n"))
    server = Server("--data-dir", str(data))
    assert client(server).get_object(Bucket=bucket, Key="k")["Body"].read() == PLANTED + body(3 * MIB)
    assert server.stop() == 0
    assert "another copy" in starting(tmp_path / "copy")


def test_a_peer_that_stops_loses_nothing(amazon):
    """While it is down, in the middle of an upload, in the middle of a download."""
    s3, bucket, large = amazon.s3, amazon.bucket(), body(40 * MIB)
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    s3.put_object(Bucket=bucket, Key="large", Body=large)
    kept = amazon.blobs()
    # A download: what came was right, and it is not taken for the whole.
    got = s3.get_object(Bucket=bucket, Key="large")["Body"]
    begun = got.read(MIB)
    assert begun == large[:MIB]
    amazon.peer.stop()
    with pytest.raises(BotoCoreError):
        while more := got.read(MIB):
            begun += more
    assert len(begun) < len(large) and large.startswith(begun)
    # Down.
    for call, more in [(s3.put_object, {"Body": b"new"}), (s3.get_object, {})]:
        code, status, _ = refused(call, Bucket=bucket, Key="k", **more)
        assert (code, status) == ("ServiceUnavailable", 503)
    code, status, _ = refused(s3.copy_object, Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    assert (code, status) == ("ServiceUnavailable", 503)
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 3
    assert "bytes could not be stored" in amazon.log()
    # An upload.
    amazon.peer.start()
    sent = threading.Event()

    class Slow:
        """Stops the peer when some pieces have gone."""

        def __init__(self):
            self.at = 0

        def __len__(self):
            return len(large)

        def read(self, size=-1):
            size = MIB if size < 0 else min(size, MIB)
            if self.at >= 20 * MIB and not sent.is_set():
                sent.set()
                amazon.peer.stop()
            piece = large[self.at:self.at + size]
            self.at += len(piece)
            return piece

    code = upload(amazon, bucket, Slow(), len(large))
    assert sent.is_set() and code in (503, None), code
    amazon.peer.start()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"old"
    assert s3.get_object(Bucket=bucket, Key="large")["Body"].read() == large
    assert amazon.blobs() == kept


def upload(gateway, bucket, source, length, stop_after=None):
    """A PUT from a source, over a presigned URL: its status, if there is an answer."""
    url = gateway.s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"})
    connection = http.client.HTTPConnection(gateway.server.address.replace("127.0.0.1", "localhost"), timeout=90)
    try:
        connection.putrequest("PUT", url.split(gateway.server.address.split(":")[1], 1)[1])
        connection.putheader("Content-Length", str(length))
        connection.endheaders()
        sent = 0
        while piece := source.read(MIB):
            connection.send(piece)
            sent += len(piece)
            if stop_after and sent >= stop_after:
                return None
        return connection.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def test_a_client_that_goes_away_leaves_nothing_at_the_peer(amazon):
    bucket, before = amazon.bucket(), amazon.blobs()
    content = body(30 * MIB)
    upload(amazon, bucket, io.BytesIO(content), len(content) * 2, stop_after=len(content))
    until(lambda: not amazon.peer.uploads() and amazon.blobs() == before, 40)
    assert refused(amazon.s3.head_object, Bucket=bucket, Key="k")[1] == 404
