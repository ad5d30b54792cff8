"""What S3 refuses of encryption, row by row as AWS was recorded or is documented, over the wire."""

import base64
import hashlib
import http.client
import json
import xml.etree.ElementTree as ElementTree

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from s3 import REGION, MIB, client, customer, make_bucket, put_rule, refused
from test_tls import Secure

SSE = "x-amz-server-side-encryption"
KEY = b"k" * 32


@pytest.fixture(scope="module")
def server():
    server = Secure("--ephemeral")
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def s3(server):
    return client(server, verify=server.authority)


@pytest.fixture(scope="module")
def bucket(s3):
    name = make_bucket(s3, "refusals")
    s3.put_object(Bucket=name, Key="plain-key", Body=b"x")
    s3.put_object(Bucket=name, Key="customer", Body=b"x", **customer())
    return name


class Raw:
    """Requests with any headers, signed or not."""

    def __init__(self, server):
        self.server = server

    def __call__(self, method, path, headers=(), body=b"", secure=True, sign=True):
        import ssl

        host = self.server.address.replace("127.0.0.1", "localhost")
        request = AWSRequest(method, f"https://{host}{path}", data=body, headers=dict(headers))
        if sign:
            S3SigV4Auth(Credentials("111122223333", "any"), "s3", REGION).add_auth(request)
        if secure:
            trust = ssl.create_default_context(cafile=self.server.authority)
            connection = http.client.HTTPSConnection(host, context=trust)
        else:
            connection = http.client.HTTPConnection(host)
        connection.request(method, path, body, dict(request.headers))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        found = {}
        if text and answer.status >= 300:
            found = {child.tag: child.text for child in ElementTree.fromstring(text)}
        return answer.status, found


@pytest.fixture(scope="module")
def raw(server):
    return Raw(server)


def of_customer(algorithm="AES256", key=KEY, md5=None, prefix=f"{SSE}-customer-"):
    headers = {}
    if algorithm is not None:
        headers[prefix + "algorithm"] = algorithm
    if key is not None:
        headers[prefix + "key"] = base64.b64encode(key).decode()
    if md5 is not False:
        digest = hashlib.md5(key or b"").digest() if md5 is None else md5
        headers[prefix + "key-MD5"] = base64.b64encode(digest).decode()
    return headers


BOTH = {SSE: "AES256", **of_customer()}
WRITING = [
    (BOTH, 400, "InvalidArgument", "incompatible with the encryption method"),
    (of_customer(algorithm="AES128"), 400, "InvalidEncryptionAlgorithmError", "Supported value: AES256."),
    (of_customer(algorithm=None), 400, "InvalidArgument", "provide a valid encryption algorithm"),
    ({f"{SSE}-customer-algorithm": "AES256"}, 400, "InvalidArgument", "provide an appropriate secret key"),
    (of_customer(md5=False), 400, "InvalidArgument", "secret key was invalid"),
    (of_customer(key=b"short"), 400, "InvalidArgument", "secret key was invalid"),
    (of_customer(md5=b"m" * 16), 400, "InvalidArgument", "did not match the hash"),
    ({SSE: "aws:kms", f"{SSE}-aws-kms-key-id": "no id"}, 400, "KMS.NotFoundException", "Invalid keyId 'no id'"),
    (
        {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": "12345678-1234-1234-1234-123456789012"},
        400, "KMS.NotFoundException", "does not exist",
    ),
    (
        {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": f"arn:aws:kms:us-west-2:111122223333:key/{'0' * 8}-0000-0000-0000-{'0' * 12}"},
        400, "KMS.NotFoundException", "Invalid arn us-west-2",
    ),
    ({f"{SSE}-aws-kms-key-id": "alias/x"}, 400, "InvalidArgument", ""),
    ({SSE: "AES256", f"{SSE}-aws-kms-key-id": "alias/x"}, 400, "InvalidArgument", ""),
    ({SSE: "rot13"}, 400, "InvalidArgument", ""),
    ({SSE: "aws:kms", f"{SSE}-context": "no base64"}, 400, "InvalidArgument", ""),
    (
        {SSE: "aws:kms", f"{SSE}-context": base64.b64encode(b'{"aws:s3:arn":"x"}').decode()},
        400, "InvalidArgument", "",
    ),
    ({SSE: "aws:kms:dsse", f"{SSE}-bucket-key-enabled": "true"}, 400, "InvalidArgument", ""),
]


@pytest.mark.parametrize(("headers", "status", "code", "words"), WRITING)
def test_writing(raw, bucket, headers, status, code, words):
    answered, found = raw("PUT", f"/{bucket}/refused", headers, b"x")
    assert (answered, found["Code"]) == (status, code)
    assert words in found["Message"]
    assert raw("HEAD", f"/{bucket}/refused")[0] == 404


def test_the_argument_is_named(raw, bucket):
    _, found = raw("PUT", f"/{bucket}/refused", BOTH, b"x")
    assert (found["ArgumentName"], found["ArgumentValue"]) == (SSE, "AES256")
    assert found["RequestId"] and found["HostId"]


READING = [
    ({}, 400, "InvalidRequest", "The correct parameters must be provided"),
    (of_customer(key=b"o" * 32), 403, "AccessDenied", "correct secret key"),
    (of_customer(md5=False), 403, "AccessDenied", "correct secret key"),
    (of_customer(algorithm="AES128"), 400, "InvalidEncryptionAlgorithmError", "AES256"),
    (of_customer(key=b"short"), 400, "InvalidArgument", "secret key was invalid"),
    (of_customer(md5=b"m" * 16), 400, "InvalidArgument", "did not match the hash"),
]


@pytest.mark.parametrize(("headers", "status", "code", "words"), READING)
def test_reading(raw, bucket, headers, status, code, words):
    answered, found = raw("GET", f"/{bucket}/customer", headers)
    assert (answered, found["Code"]) == (status, code)
    assert words in found["Message"]
    assert raw("HEAD", f"/{bucket}/customer", headers) == (status, {})


SOURCE = "x-amz-copy-source-server-side-encryption-customer-"
COPYING = [
    # The source's key, and the target's headers.
    ({}, {}, 400, "InvalidRequest", "The correct parameters must be provided"),
    (of_customer(key=b"o" * 32, prefix=SOURCE), {}, 403, "AccessDenied", "correct secret key"),
    (of_customer(algorithm="AES128", prefix=SOURCE), {}, 400, "InvalidEncryptionAlgorithmError", "AES256"),
    (of_customer(prefix=SOURCE), BOTH, 400, "InvalidArgument", "incompatible with the encryption method"),
    (of_customer(prefix=SOURCE), of_customer(algorithm="AES128"), 400, "InvalidEncryptionAlgorithmError", "AES256"),
    (of_customer(prefix=SOURCE), of_customer(key=b"short"), 400, "InvalidArgument", "secret key was invalid"),
]


@pytest.mark.parametrize(("source", "target", "status", "code", "words"), COPYING)
def test_copying(raw, bucket, source, target, status, code, words):
    headers = {"x-amz-copy-source": f"/{bucket}/customer", **source, **target}
    answered, found = raw("PUT", f"/{bucket}/refused", headers)
    assert (answered, found["Code"]) == (status, code)
    assert words in found["Message"]
    assert raw("HEAD", f"/{bucket}/refused")[0] == 404


def test_attributes_want_the_same_key(raw, bucket):
    for headers, *expected in READING[:5]:
        asked = {"x-amz-object-attributes": "ETag", **headers}
        answered, found = raw("GET", f"/{bucket}/customer?attributes=", asked)
        assert [answered, found["Code"]] == expected[:2], headers


def test_nobody_reads_without_a_name_what_kms_keeps(raw, s3):
    bucket = make_bucket(s3, "anonymous")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms")
    s3.put_object(Bucket=bucket, Key="open", Body=b"x")
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}))
    assert raw("GET", f"/{bucket}/open", sign=False)[0] == 200
    answered, found = raw("GET", f"/{bucket}/k", sign=False)
    assert (answered, found["Code"]) == (400, "InvalidArgument")
    assert "Signature Version 4" in found["Message"]


@pytest.mark.parametrize("key", ["%00", "a%00b", "%FF", "a%C3%28", "%ED%A0%80"])
def test_keys_that_are_no_text(raw, bucket, key):
    """NUL cannot be written, and so is not found; what is no UTF-8 is no key."""
    answered, found = raw("PUT", f"/{bucket}/{key}", body=b"x")
    assert answered == 400 and found["Code"] in ("InvalidURI", "InvalidArgument"), found
    answered, found = raw("GET", f"/{bucket}/{key}")
    assert answered == (404 if "00" in key else 400), found
    assert b"\x00" not in json.dumps(found).encode()


def test_a_key_for_an_object_that_has_none(raw, bucket):
    answered, found = raw("GET", f"/{bucket}/plain-key", of_customer())
    assert (answered, found["Code"]) == (400, "InvalidRequest")
    assert "not applicable" in found["Message"]


def test_a_mode_is_not_asked_for_when_reading(raw, bucket):
    for method in ("GET", "HEAD"):
        assert raw(method, f"/{bucket}/plain-key", {SSE: "AES256"})[0] == 400


def test_customer_keys_need_tls(raw, bucket):
    answered, found = raw("PUT", f"/{bucket}/refused", of_customer(), b"x", secure=False)
    assert (answered, found["Code"]) == (400, "InvalidRequest")
    assert "secure connection" in found["Message"]
    answered, found = raw("GET", f"/{bucket}/customer", of_customer(), secure=False)
    assert (answered, found["Code"]) == (400, "InvalidRequest")


def test_parts_have_the_uploads_key(s3, bucket):
    begun = s3.create_multipart_upload(Bucket=bucket, Key="parts", **customer())["UploadId"]
    part = {"Bucket": bucket, "Key": "parts", "UploadId": begun, "PartNumber": 1, "Body": b"x"}
    code, status, words = refused(s3.upload_part, **part)
    assert (code, status) == ("InvalidRequest", 400) and "initiate requested encryption" in words
    code, status, words = refused(s3.upload_part, **part, **customer(b"o" * 32))
    assert (code, status) == ("InvalidRequest", 400) and "did not match the ones used originally" in words
    plain = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    code, status, words = refused(s3.upload_part, **{**part, "UploadId": plain}, **customer())
    assert (code, status) == ("InvalidRequest", 400) and "initiate requested encryption" in words
    s3.abort_multipart_upload(Bucket=bucket, Key="parts", UploadId=begun)
    code, status, _ = refused(s3.upload_part, **part, **customer())
    assert (code, status) == ("NoSuchUpload", 404)


def test_completing_what_is_not_so(s3, bucket):
    begun = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    upload = {"Bucket": bucket, "Key": "parts", "UploadId": begun}
    tags = [
        s3.upload_part(**upload, PartNumber=number, Body=b"x" * size)["ETag"]
        for number, size in ((1, 5 * MIB), (2, 10), (3, 10))
    ]
    named = [{"PartNumber": number, "ETag": tag} for number, tag in zip((1, 2, 3), tags)]

    def complete(*parts):
        return refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": list(parts)})[:2]

    assert complete(*reversed(named)) == ("InvalidPartOrder", 400)
    assert complete(named[0], {**named[1], "ETag": '"' + "0" * 32 + '"'}) == ("InvalidPart", 400)
    assert complete({**named[0], "PartNumber": 9}) == ("InvalidPart", 400)
    assert complete(*named) == ("EntityTooSmall", 400)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": named[:2]})
    assert s3.head_object(Bucket=bucket, Key="parts")["ContentLength"] == 5 * MIB + 10


def test_rules_of_buckets(s3, bucket, server):
    rule = {"SSEAlgorithm": "AES256", "KMSMasterKeyID": "alias/x"}
    code, status, words = refused(
        s3.put_bucket_encryption, Bucket=bucket,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]})
    assert (code, status) == ("InvalidArgument", 400) and "KMSMasterKeyID is not applicable" in words
    blocked = make_bucket(s3, "blocked")
    put_rule(server, blocked, "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
             "</ApplyServerSideEncryptionByDefault><BlockedEncryptionTypes><EncryptionType>SSE-C"
             "</EncryptionType></BlockedEncryptionTypes></Rule>")
    assert refused(s3.put_object, Bucket=blocked, Key="k", Body=b"x", **customer())[:2] == ("AccessDenied", 403)
    s3.put_object(Bucket=blocked, Key="k", Body=b"x")


def test_bytes_that_are_not_those(raw, s3, bucket):
    md5 = base64.b64encode(b"m" * 16).decode()
    for headers, code in [
        ({"Content-MD5": md5}, "BadDigest"),
        ({"Content-MD5": "none"}, "InvalidDigest"),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, "BadDigest"),
        ({"x-amz-checksum-sha256": "short"}, "InvalidRequest"),
    ]:
        answered, found = raw("PUT", f"/{bucket}/refused", headers, b"x")
        assert (answered, found["Code"]) == (400, code), headers
    assert refused(s3.head_object, Bucket=bucket, Key="refused")[1] == 404


def test_signatures_of_old(raw, bucket):
    answered, found = raw("GET", f"/{bucket}/plain-key", {"Authorization": "AWS AKID:c2ln"}, sign=False)
    assert (answered, found["Code"]) == (400, "InvalidRequest")
    assert "AWS4-HMAC-SHA256" in found["Message"]


def test_a_switch_takes_customer_keys_over_http(tmp_path):
    server = Secure("--ephemeral", "--sse-c-over-http")
    s3 = client(server)
    bucket = make_bucket(s3)
    # botocore itself wants TLS for customer keys, so the headers are ours.
    raw = Raw(server)
    assert raw("PUT", f"/{bucket}/k", of_customer(), b"x", secure=False)[0] == 200
    assert raw("GET", f"/{bucket}/k", of_customer(), secure=False)[0] == 200
    assert raw("GET", f"/{bucket}/k", of_customer(key=b"o" * 32), secure=False)[0] == 403
    assert server.stop() == 0
