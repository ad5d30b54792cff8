"""S3 over HTTP/1.1, beside the other emulators.

Every round starts each server anew and loads it with one call after the other; the servers take turns, so
that each has the machine to itself. Requests carry what SDKs sign, but to s3s-fs, which is given no keys; nobody
is told to check it. Only ours encrypts, and only ours without `--ephemeral` syncs to the disk.
"""

import http.client
import json
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import bench_peers
from bench_aws import LOAD, Endpoint
from bench_kms import show_middle
from bench_server import ROOT, ROUNDS, Server, show

MIB = 1 << 20
SECONDS = 3
# Bytes, and connections.
SIZES = {"64 MiB": (64 * MIB, 1), "4 KiB": (4096, 16)}
LISTED, PAGE = 100_000, 1_000
STREAMED = 4 << 30
SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/{day}/us-east-1/s3/aws4_request, "
    "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" + "5" * 64
)
IN_CLEAR = (
    b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>NONE"
    b"</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
)


def main(peers):
    starts = bench_peers.found(peers, bench_peers.S3)
    rounds = []
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as folder:
        for number in range(ROUNDS):
            scratch = Path(folder) / str(number)
            scratch.mkdir()
            figures = {"durable": ours(Server(scratch / "data")), "ephemeral": ours(Server())}
            for name, start in starts.items():
                figures[name] = {"": theirs(name, start(scratch))}
            rounds.append(figures)
        table(rounds)
        for what in "PUT", "GET":
            for size in SIZES:
                bar = "≥ 0.85" if size == "64 MiB" else ""
                for side in "durable", "ephemeral":
                    beside(rounds, (what, size), (side, "SSE-KMS"), (side, "clear"), bar)
        bars = {("moto", "64 MiB"): "≥ 3", ("s3s-fs", "64 MiB"): "≥ 1", ("s3s-fs", "4 KiB"): "≥ 0.67"}
        for peer in starts:
            for what in "PUT", "GET":
                for size in SIZES:
                    for side in "durable", "ephemeral":
                        bar = bars.get((peer, size), "")
                        beside(rounds, (what, size), (side, "SSE-KMS"), (peer, ""), bar)
        with Server() as server:
            listing(Bucket(server))
        with Server(Path(folder) / "streamed") as server:
            streaming(server, Bucket(server))


def ours(server):
    """Rates in clear and with SSE-KMS, call by call in turns."""
    with server:
        key = Endpoint(server.port).call("CreateKey")["KeyMetadata"]["Arn"]
        kms = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key}
        clear = Bucket(server, "clear")
        clear.call("PUT", "?encryption", IN_CLEAR)
        sides = {"clear": (clear, {}), "SSE-KMS": (Bucket(server, "sealed"), kms)}
        figures = loaded(sides)
        errors = sum(bucket.errors for bucket, _ in sides.values())
        assert errors == 0, f"{errors} of our own calls failed"
        return figures


def theirs(name, server):
    with server:
        bucket = Bucket(server, signed=name != "s3s-fs")
        figures = loaded({"": (bucket, {})})[""]
        if bucket.errors:
            print(f"{bucket.errors} calls of {name} failed, and are not counted")
        return figures


def loaded(sides):
    figures = {side: {} for side in sides}
    for size, (length, connections) in SIZES.items():
        for what in "PUT", "GET":
            for side, (bucket, headers) in sides.items():
                body, more = (bytes(length), headers) if what == "PUT" else (b"", {})
                figures[side][what, size] = bucket.load(what, "/object", connections, body, **more)
    return figures


class Bucket:
    """A new bucket of a server."""

    def __init__(self, server, name="bench", signed=True, patience=60):
        self.address, self.name, self.signed = f"127.0.0.1:{server.port}", name, signed
        self.errors = 0
        while True:
            try:
                self.call("PUT", "")
                return
            except (OSError, http.client.HTTPException):
                if server.process.poll() is not None or time.perf_counter() - server.begun > patience:
                    raise
                time.sleep(0.05)

    def headers(self, length, more):
        headers = {"Host": self.address, "Content-Length": str(length), **more}
        if self.signed:
            now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            headers["Authorization"] = SIGNATURE.format(day=now[:8])
            headers |= {"X-Amz-Date": now, "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}
        return headers

    def begin(self, method, rest, body=b"", length=None, **more):
        """The answer to one call, which has to succeed, and its connection."""
        connection = http.client.HTTPConnection(self.address, timeout=300)
        length = len(body) if length is None else length
        connection.request(method, f"/{self.name}{rest}", body, self.headers(length, more))
        answer = connection.getresponse()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {rest}: {answer.status} {answer.read().decode()}")
        return answer, connection

    def call(self, *request, **more):
        answer, connection = self.begin(*request, **more)
        try:
            return answer.read().decode()
        finally:
            connection.close()

    def load(self, method, rest, connections, body=b"", seconds=SECONDS, calls=None, **more):
        """The calls a second of some connections."""
        lines = [f"{name}: {value}\r\n" for name, value in self.headers(len(body), more).items()]
        head = f"{method} /{self.name}{rest} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()
        command = [LOAD, self.address, str(connections), str(seconds), *([str(calls)] if calls else [])]
        done = subprocess.run(command, input=head + body, check=True, capture_output=True)
        found = json.loads(done.stdout)
        self.errors += found["errors"]
        if not found["calls"]:
            raise RuntimeError(f"{method} {rest}: {found}")
        # Of few long calls the rate is coarse.
        return connections * 1e6 / found["p50_us"] if connections == 1 else found["rate"]


def listing(bucket):
    """A bucket's objects, page by page."""
    bucket.load("PUT", "/folder/########", 16, b"x", seconds=600, calls=LISTED)
    times = []
    for _ in range(ROUNDS):
        begun, keys, token = time.perf_counter(), 0, ""
        while token is not None:
            page = bucket.call("GET", f"?list-type=2&max-keys={PAGE}{token}")
            keys += page.count("<Key>")
            found = re.search("<NextContinuationToken>(.*?)</", page)
            token = f"&continuation-token={found[1]}" if found else None
        times.append(time.perf_counter() - begun)
        assert keys == LISTED, keys
    show(f"listing {LISTED:,} objects in pages of {PAGE:,}, s", statistics.median(times), "< 2", "")


def streaming(server, bucket):
    """A long object up and down: what the server keeps of it, and how soon a range of it begins."""
    key = Endpoint(server.port).call("CreateKey")["KeyMetadata"]["Arn"]
    kms = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key}
    piece = bytes(MIB)
    before, begun = server.resident(), time.perf_counter()
    bucket.call("PUT", "/long", (piece for _ in range(STREAMED // MIB)), STREAMED, **kms)
    up, begun = time.perf_counter() - begun, time.perf_counter()
    answer, connection = bucket.begin("GET", "/long")
    buffer, read = bytearray(MIB), 0
    while count := answer.readinto(buffer):
        read += count
    connection.close()
    assert read == STREAMED, read
    down = time.perf_counter() - begun
    detail = f"{before:.0f} MiB before; {STREAMED / MIB / up:.0f} MiB/s up, {STREAMED / MIB / down:.0f} down"
    show("resident at most while 4 GiB go up and down, MiB", server.resident("VmHWM"), "< 64", detail)
    times = []
    for number in range(21):
        first = (number * 199_999_999) % (STREAMED - MIB)
        begun = time.perf_counter()
        answer, connection = bucket.begin("GET", "/long", Range=f"bytes={first}-{first + MIB - 1}")
        answer.read(1)
        times.append((time.perf_counter() - begun) * 1000)
        connection.close()
    show("first byte of 1 MiB somewhere in 4 GiB, ms", statistics.median(times), "< 20",
         f"{max(times):.1f} at most")


def table(rounds):
    print(f"{'calls/s, median':<24}" + "".join(f"{what + ' ' + size:>14}" for size in SIZES for what in ("PUT", "GET")))
    for name, sides in rounds[0].items():
        for side in sides:
            middle = [
                statistics.median(figures[name][side][what, size] for figures in rounds)
                for size in SIZES for what in ("PUT", "GET")
            ]
            print(f"{name + ' ' + side:<24}" + "".join(f"{rate:>14.1f}" for rate in middle), flush=True)
    print()


def beside(rounds, call, one, other, bar):
    rates = [(figures[one[0]][one[1]][call], figures[other[0]][other[1]][call]) for figures in rounds]
    names = " : ".join(" ".join(side).strip() for side in (one, other))
    show_middle(f"{' '.join(call)}, {names}", rates, bar, "{:.1f}/s : {:.1f}/s")
