"""Buckets in the name that a request is addressed to: under `localhost` and each `--domain`, in every way that S3 is
spoken to."""

import http.client
import socket
import urllib.parse

import boto3
import pytest
from botocore.config import Config
from identities import ACCOUNT, known, prove
from s3 import MIB, REGION, asking, body, make_bucket, refused
from test_tls import Secure

DOMAIN = "s3.example.test"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Its callers are known, so that signatures cover the host's name."""
    server = known(tmp_path_factory.mktemp("hosts"), "", "--domain", DOMAIN, start=Secure)
    yield server
    assert server.stop() == 0


@pytest.fixture(autouse=True)
def names(monkeypatch):
    """Names below are this machine's, whatever its resolver says."""
    real = socket.getaddrinfo

    def resolve(host, *more, **named):
        ours = isinstance(host, str) and (host.endswith(".localhost") or host.endswith(DOMAIN))
        return real("127.0.0.1" if ours else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def virtual(server, domain, **more):
    key, secret, _ = prove(ACCOUNT)
    port = server.address.rsplit(":", 1)[1]
    return boto3.client(
        "s3", endpoint_url=f"http://{domain}:{port}", region_name=REGION, aws_access_key_id=key,
        aws_secret_access_key=secret, config=Config(
            retries={"max_attempts": 0}, signature_version="s3v4", s3={"addressing_style": "virtual"}), **more)


def kms(server):
    key, secret, _ = prove(ACCOUNT)
    return boto3.client("kms", endpoint_url=f"http://{server.address}", region_name=REGION,
                        aws_access_key_id=key, aws_secret_access_key=secret)


@pytest.fixture(params=["localhost", DOMAIN])
def s3(server, request):
    """A client that has sent nothing but requests of a bucket's own host."""
    s3 = virtual(server, request.param)
    seen = []
    s3.meta.events.register("before-send.s3.*", lambda request, **_: seen.append(urllib.parse.urlsplit(request.url)))
    yield s3
    for url in seen:
        assert url.hostname.endswith(f".{request.param}") or url.path == "/", url


KEYS = ["k", "a/b", "a//b", "é ü+&=%2F", "..", "../..", "_strongroom/", "_strongroom/log/checkpoint", "encryption"]


@pytest.mark.parametrize("key", KEYS)
def test_objects_of_a_buckets_own_host(server, s3, key):
    bucket = make_bucket(s3, "hosts")
    at = {"Bucket": bucket, "Key": key}
    put = s3.put_object(**at, Body=b"x", Metadata={"a": "1"})
    got = s3.get_object(**at)
    assert (got["Body"].read(), got["ETag"], got["Metadata"]) == (b"x", put["ETag"], {"a": "1"})
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=at)
    assert s3.head_object(Bucket=bucket, Key="copy")["ContentLength"] == 1
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}, {"Key": "copy"}]})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_what_else_a_bucket_has(server, s3):
    bucket = make_bucket(s3, "hosts")
    at = {"Bucket": bucket, "Key": "k"}
    key = kms(server).create_key()["KeyMetadata"]["Arn"]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert s3.put_object(**at, Body=b"x")["SSEKMSKeyId"] == key
    s3.put_object(**at, Body=b"y", **asking("AES256", key))
    s3.update_object_encryption(**at, ObjectEncryption={"SSEKMS": {"KMSKeyArn": key}})
    assert s3.head_object(**at)["ServerSideEncryption"] == "aws:kms"
    s3.put_object_tagging(**at, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    assert s3.get_object_tagging(**at)["TagSet"] == [{"Key": "a", "Value": "1"}]
    upload = s3.create_multipart_upload(**at)["UploadId"]
    part = s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=body(MIB))
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload=parts)
    assert s3.get_object(**at)["Body"].read() == body(MIB)
    assert refused(s3.get_object, Bucket=bucket, Key="absent")[:2] == ("NoSuchKey", 404)
    assert refused(s3.delete_bucket, Bucket=bucket)[0] == "BucketNotEmpty"


def fetch(server, url, method="GET", content=None):
    """What a client without a library of AWS does with a URL."""
    split = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(server.address)
    path = f"{split.path}?{split.query}" if split.query else split.path
    connection.request(method, path, content, {"Host": split.netloc})
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return found


@pytest.mark.parametrize("key", KEYS)
def test_presigned_urls_of_a_buckets_own_host(server, s3, key):
    bucket = make_bucket(s3, "hosts")
    at = {"Bucket": bucket, "Key": key}
    put, get = (s3.generate_presigned_url(name, at) for name in ("put_object", "get_object"))
    assert urllib.parse.urlsplit(put).hostname.startswith(f"{bucket}.")
    assert fetch(server, put, "PUT", b"over a URL")[0] == 200
    status, content, headers = fetch(server, get)
    assert (status, content) == (200, b"over a URL"), content
    assert "x-amz-request-id" in headers, "it was S3 that answered"
    # Its host is signed: the same of another bucket is none of it.
    assert fetch(server, get.replace(bucket, "another-bucket"))[0] == 403


def test_the_same_host_has_buckets_in_its_path(server, s3):
    bucket = make_bucket(s3, "hosts")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    key, secret, _ = prove(ACCOUNT)
    for domain in ("localhost", DOMAIN):
        port = server.address.rsplit(":", 1)[1]
        path = boto3.client("s3", endpoint_url=f"http://{domain}:{port}", region_name=REGION, aws_access_key_id=key,
                            aws_secret_access_key=secret, config=Config(s3={"addressing_style": "path"}))
        assert path.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_a_host_that_nobody_named_has_no_buckets(server, s3):
    bucket = make_bucket(s3, "hosts")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    status, text, _ = fetch(server, f"http://{bucket}.s3.elsewhere.test/k")
    assert status >= 400 and text != b"x"
