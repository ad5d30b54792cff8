"""Clients of the S3 door, and what tests of it share."""

import base64
import hashlib
import io
import itertools
import os
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "eu-west-1"
KIB, MIB = 1 << 10, 1 << 20
NUMBERS = itertools.count()
MODES = ["plain", "AES256", "aws:kms", "bucket-key", "aws:kms:dsse", "SSE-C"]


def client(server, service="s3", access_key="111122223333", secret="any", token=None, **more):
    """A client of AWS's SDK. `verify` is a CA's file, and asks for TLS."""
    config = {"retries": {"max_attempts": 0}, "signature_version": "v4" if service != "s3" else "s3v4", "s3": {"addressing_style": "path"}, **more.pop("config", {})}
    scheme = "https" if more.get("verify") else "http"
    return boto3.client(
        service,
        endpoint_url=f"{scheme}://{server.address.replace('127.0.0.1', 'localhost')}",
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(**config),
        **more,
    )


def unused(prefix="bucket"):
    """A name that no bucket has."""
    return f"{prefix}-{os.getpid()}-{next(NUMBERS)}"


def make_bucket(s3, prefix="bucket", **more):
    name = unused(prefix)
    s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}, **more
    )
    return name


def off(server, bucket):
    """Lets objects of a bucket be in clear, which AWS has not had since 2023."""
    put_rule(server, bucket, "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>NONE</SSEAlgorithm>"
             "</ApplyServerSideEncryptionByDefault></Rule>")


def put_rule(server, bucket, rule, access_key="111122223333", secret="any"):
    """`PutBucketEncryption` with XML that botocore does not know."""
    import http.client as http

    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    body = f"<ServerSideEncryptionConfiguration>{rule}</ServerSideEncryptionConfiguration>".encode()
    request = AWSRequest("PUT", f"http://{server.address}/{bucket}?encryption", data=body)
    request.headers["Content-MD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
    S3SigV4Auth(Credentials(access_key, secret), "s3", REGION).add_auth(request)
    connection = http.HTTPConnection(server.address)
    connection.request("PUT", f"/{bucket}?encryption", body, dict(request.headers))
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status == 200, text
    connection.close()


def customer(key=b"k" * 32):
    """SSE-C's parameters; boto3 computes the MD5."""
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}


def asking(mode, key):
    """What a request says that asks for a mode."""
    return {
        "plain": {},
        "AES256": {"ServerSideEncryption": "AES256"},
        "aws:kms": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key},
        "bucket-key": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, "BucketKeyEnabled": True},
        "aws:kms:dsse": {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": key},
        "SSE-C": customer(),
    }[mode]


def reading(mode):
    return customer() if mode == "SSE-C" else {}


def refused(call, *arguments, **more):
    """Code, status and message of a refusal."""
    try:
        answer = call(*arguments, **more)
    except ClientError as error:
        response = error.response
        return (
            response["Error"]["Code"],
            response["ResponseMetadata"]["HTTPStatusCode"],
            response["Error"].get("Message", ""),
        )
    raise AssertionError(f"it was answered: {answer}")


def body(length):
    """Bytes that repeat nowhere near."""
    return hashlib.shake_128(length.to_bytes(8, "big")).digest(length)


def stored(data_dir):
    """Every byte of every object, as it is on disk."""
    files = [path for path in Path(data_dir, "objects").rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files), files


class Unseekable(io.RawIOBase):
    """A body whose length is known and which cannot be read twice."""

    def __init__(self, content):
        self.content = io.BytesIO(content)

    def readable(self):
        return True

    def read(self, size=-1):
        return self.content.read(size)
