"""An AWS KMS endpoint on loopback, spoken to in JSON 1.1: one call, or the load of many."""

import http.client
import json
import subprocess
import time

from bench_server import ROOT

LOAD = ROOT / "target/release/examples/load_http"
# As an SDK's, for the servers look at its fields; none of them is told to check the signature.
SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/{day}/us-east-1/kms/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=" + "5" * 64
)


class Endpoint:
    def __init__(self, port):
        self.address = f"127.0.0.1:{port}"

    def headers(self, operation, body):
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        return {
            "Host": self.address,
            "Content-Type": "application/x-amz-json-1.1",
            "Content-Length": str(len(body)),
            "X-Amz-Target": f"TrentService.{operation}",
            "X-Amz-Date": now,
            "Authorization": SIGNATURE.format(day=now[:8]),
        }

    def call(self, operation, **members):
        """One call, which has to succeed."""
        body = json.dumps(members)
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request("POST", "/", body, self.headers(operation, body))
            answer = connection.getresponse()
            status, text = answer.status, answer.read().decode()
        finally:
            connection.close()
        if status != 200:
            raise RuntimeError(f"{operation}: {status} {text}")
        return json.loads(text)

    def first_key(self, server, patience=60):
        """Milliseconds from the server's start to the first key that it made."""
        while True:
            try:
                self.call("CreateKey")
                return (time.perf_counter() - server.begun) * 1000
            except (OSError, http.client.HTTPException):
                waited = time.perf_counter() - server.begun
                if server.process.poll() is not None or waited > patience:
                    raise
                time.sleep(0.01)

    def begin_load(self, connections, seconds, operation, **members):
        body = json.dumps(members)
        lines = [f"{name}: {value}\r\n" for name, value in self.headers(operation, body).items()]
        return Load(
            [LOAD, self.address, str(connections), str(seconds)],
            f"POST / HTTP/1.1\r\n{''.join(lines)}\r\n{body}",
            seconds,
        )

    def load(self, *call, **members):
        with self.begin_load(*call, **members) as load:
            return load.figures()


class Load:
    """The load generator at work."""

    def __init__(self, command, request, seconds):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, **pipes)
        self.process.stdin.write(request)
        self.process.stdin.close()
        self.patience = seconds + 60

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def figures(self):
        self.process.wait(self.patience)
        return json.loads(self.process.stdout.read())
