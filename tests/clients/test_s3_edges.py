"""What S3 holds against a request beside encryption: digests of documents, owners, forms, signatures of chunks; and what
it answers of what is not set."""

import base64
import datetime
import hashlib
import hmac
import http.client
import json
import urllib.error
import urllib.request
import uuid
import zlib

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from identities import ACCOUNT, OTHER, known, prove
from s3 import MIB, MODES, REGION, asking, body, client, make_bucket, off, put_rule, reading, refused
from test_s3_policies import allow, of, put_policy
from test_s3_refusals import Raw
from test_tls import Secure

NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@pytest.fixture(scope="module")
def server():
    server = Secure("--ephemeral")
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def s3(server):
    return client(server, verify=server.authority)


@pytest.fixture(scope="module")
def raw(server):
    return Raw(server)


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """One that knows its callers."""
    server = known(tmp_path_factory.mktemp("edges"), start=Secure)
    yield server
    assert server.stop() == 0


def md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def sha256(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


DOCUMENTS = {
    "tagging": f"<Tagging {NS}><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>",
    "versioning": f"<VersioningConfiguration {NS}><Status>Enabled</Status></VersioningConfiguration>",
    "encryption": f"<ServerSideEncryptionConfiguration {NS}><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>"
                  "AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
    "policy": json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": {"AWS": OTHER}, "Action": "s3:*", "Resource": "*"}]}),
}


@pytest.mark.parametrize("query", DOCUMENTS)
def test_documents_are_held_against_their_digests(raw, s3, query):
    document, bucket = DOCUMENTS[query].encode(), make_bucket(s3, "digests")

    def put(headers):
        status, said = raw("PUT", f"/{bucket}?{query}", headers, document)
        return status, said.get("Code")

    for headers, answer in [
        ({"Content-MD5": md5(b"other")}, (400, "BadDigest")),
        ({"Content-MD5": "bm9uZQ=="}, (400, "InvalidDigest")),
        ({"x-amz-checksum-sha256": sha256(b"other")}, (400, "BadDigest")),
        ({"x-amz-checksum-crc32": "AAAA"}, (400, "InvalidRequest")),
    ]:
        assert put(headers) == answer, headers
        if query in ("tagging", "policy"):
            assert raw("GET", f"/{bucket}?{query}")[0] == 404
    if query == "versioning":
        assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for headers in ({}, {"Content-MD5": md5(document)}, {"x-amz-checksum-sha256": sha256(document)}):
        assert put(headers)[0] in (200, 204), headers


def test_many_are_deleted_with_a_digest_alone(raw, s3):
    bucket = make_bucket(s3, "digests")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    document = f"<Delete {NS}><Object><Key>k</Key></Object></Delete>".encode()
    status, said = raw("POST", f"/{bucket}?delete", {}, document)
    assert (status, said["Code"], said["Message"]) == (
        400, "InvalidRequest", "Missing required header for this request: Content-MD5")
    status, said = raw("POST", f"/{bucket}?delete", {"Content-MD5": md5(b"")}, document)
    assert (status, said["Code"]) == (400, "BadDigest")
    s3.head_object(Bucket=bucket, Key="k")
    assert raw("POST", f"/{bucket}?delete", {"Content-MD5": md5(document)}, document)[0] == 200
    assert refused(s3.head_object, Bucket=bucket, Key="k")[1] == 404


def test_a_bucket_is_its_owners(s3, server):
    bucket = make_bucket(s3, "owners")
    at = {"Bucket": bucket, "Key": "k"}
    for call, more in [
        (s3.put_object, {**at, "Body": b"x"}), (s3.get_object, at), (s3.head_bucket, {"Bucket": bucket}),
        (s3.list_objects_v2, {"Bucket": bucket}), (s3.get_bucket_versioning, {"Bucket": bucket}),
        (s3.get_bucket_encryption, {"Bucket": bucket}), (s3.delete_object, at), (s3.delete_bucket, {"Bucket": bucket}),
    ]:
        code, status, _ = refused(call, **more, ExpectedBucketOwner=OTHER)
        assert status == 403 and code in ("AccessDenied", "403"), call
    code, status, _ = refused(s3.list_objects_v2, Bucket=bucket, ExpectedBucketOwner="somebody")
    assert (code, status) == ("InvalidBucketOwnerAWSAccountID", 400)
    s3.put_object(**at, Body=b"x", ExpectedBucketOwner=ACCOUNT)
    assert s3.get_object(**at, ExpectedBucketOwner=ACCOUNT)["Body"].read() == b"x"
    other = client(server, access_key=OTHER, verify=server.authority)
    theirs = make_bucket(other, "owners")
    put_policy(other, theirs, allow("s3:*", principal={"AWS": ACCOUNT}))
    copy = {"Bucket": theirs, "Key": "copy", "CopySource": at}
    for owners in ((ACCOUNT, ACCOUNT), (OTHER, OTHER)):
        named = dict(zip(("ExpectedBucketOwner", "ExpectedSourceBucketOwner"), owners))
        assert refused(s3.copy_object, **copy, **named)[:2] == ("AccessDenied", 403), owners
    s3.copy_object(**copy, ExpectedBucketOwner=OTHER, ExpectedSourceBucketOwner=ACCOUNT)
    assert refused(s3.get_object, **at, ExpectedBucketOwner=OTHER)[:2] == ("AccessDenied", 403)


def test_what_is_not_set(s3):
    at = {"Bucket": make_bucket(s3, "unset")}
    for call, code in [
        (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
        (s3.get_bucket_policy_status, "NoSuchBucketPolicy"),
    ]:
        assert refused(call, **at)[:2] == (code, 404)
    for call, found in [
        (s3.get_bucket_logging, {}), (s3.get_bucket_notification_configuration, {}),
        (s3.get_bucket_accelerate_configuration, {}), (s3.get_bucket_request_payment, {"Payer": "BucketOwner"}),
        (s3.get_bucket_ownership_controls, {
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}),
    ]:
        answer = call(**at)
        del answer["ResponseMetadata"]
        assert answer == found
        assert refused(call, Bucket="no-such-bucket")[:2] == ("NoSuchBucket", 404)
    s3.delete_bucket_ownership_controls(**at)
    assert refused(s3.get_bucket_ownership_controls, **at)[:2] == ("OwnershipControlsNotFoundError", 404)
    put_policy(s3, at["Bucket"], allow("s3:GetObject"))
    assert s3.get_bucket_policy_status(**at)["PolicyStatus"] == {"IsPublic": True}
    put_policy(s3, at["Bucket"], allow("s3:GetObject", StringEquals={"aws:SourceVpc": "vpc-1"}))
    assert s3.get_bucket_policy_status(**at)["PolicyStatus"] == {"IsPublic": False}


def test_an_off_bucket_shows_what_it_blocks(s3, server, raw):
    bucket = make_bucket(s3, "off")
    off(server, bucket)
    assert raw("GET", f"/{bucket}?encryption")[1]["Code"] == "ServerSideEncryptionConfigurationNotFoundError"
    put_rule(server, bucket, "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>NONE</SSEAlgorithm>"
             "</ApplyServerSideEncryptionByDefault><BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType>"
             "</BlockedEncryptionTypes></Rule>")
    [rule] = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule == {"BucketKeyEnabled": False, "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert "ServerSideEncryption" not in s3.head_object(Bucket=bucket, Key="k")


def test_a_copy_onto_itself_may_change_the_storage_class(s3):
    at = {"Bucket": make_bucket(s3, "class"), "Key": "k"}
    s3.put_object(**at, Body=b"x", Metadata={"a": "1"})
    assert refused(s3.copy_object, **at, CopySource=at)[0] == "InvalidRequest"
    for given, kept in [("STANDARD_IA", "STANDARD_IA"), ("STANDARD", None)]:
        s3.copy_object(**at, CopySource=at, StorageClass=given)
        head = s3.head_object(**at)
        assert (head.get("StorageClass"), head["Metadata"]) == (kept, {"a": "1"})


def test_an_object_of_parts_is_what_its_completion_says(s3):
    at = {"Bucket": make_bucket(s3, "whole"), "Key": "k"}
    upload = s3.create_multipart_upload(**at, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")["UploadId"]
    parts, content = [], [body(5 * MIB), body(100)]
    for number, piece in enumerate(content, 1):
        made = s3.upload_part(**at, UploadId=upload, PartNumber=number, Body=piece, ChecksumAlgorithm="CRC32")
        parts.append({"PartNumber": number, "ETag": made["ETag"], "ChecksumCRC32": made["ChecksumCRC32"]})
    crc = base64.b64encode(zlib.crc32(b"".join(content)).to_bytes(4, "big")).decode()
    asked = {**at, "UploadId": upload, "MultipartUpload": {"Parts": parts}}
    size = 5 * MIB + 100
    assert refused(s3.complete_multipart_upload, **asked, ChecksumCRC32="AAAAAA==")[:2] == ("BadDigest", 400)
    assert refused(s3.complete_multipart_upload, **asked, ChecksumSHA1=sha256(b"")[:28])[:2] == ("InvalidRequest", 400)
    code, status, words = refused(s3.complete_multipart_upload, **asked, MpuObjectSize=size - 1)
    assert (code, status) == ("InvalidRequest", 400) and str(size) in words
    assert s3.list_objects_v2(Bucket=at["Bucket"])["KeyCount"] == 0
    done = s3.complete_multipart_upload(**asked, ChecksumCRC32=crc, MpuObjectSize=size)
    assert done["ChecksumCRC32"] == crc


@pytest.mark.parametrize("mode", MODES)
def test_an_upload_is_completed_once_and_answered_twice(s3, server, mode):
    """Whose answer was lost asks again."""
    at = {"Bucket": make_bucket(s3, "twice"), "Key": "k"}
    if mode == "plain":
        off(server, at["Bucket"])
    key = client(server, "kms").create_key()["KeyMetadata"]["Arn"]
    upload = s3.create_multipart_upload(**at, **asking(mode, key))["UploadId"]
    part = s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"x", **reading(mode))
    asked = {**at, "UploadId": upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}
    first = s3.complete_multipart_upload(**asked, **reading(mode))
    modified = s3.head_object(**at, **reading(mode))["LastModified"]
    again = s3.complete_multipart_upload(**asked, **reading(mode))
    for name in ("ETag", "Location", "ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled"):
        assert again.get(name) == first.get(name), name
    assert s3.head_object(**at, **reading(mode))["LastModified"] == modified
    other = {**asked, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": '"' + "0" * 32 + '"'}]}}
    assert refused(s3.complete_multipart_upload, **other)[:2] == ("NoSuchUpload", 404)
    s3.put_object(**at, Body=b"other")
    assert refused(s3.complete_multipart_upload, **asked)[:2] == ("NoSuchUpload", 404)


def form(server, bucket, conditions, given, key=ACCOUNT, secret=None, age=0):
    """Posts a form that is signed, and says how it was answered: status and document."""
    now = datetime.datetime.now(datetime.UTC)
    scope = [f"{now:%Y%m%d}", REGION, "s3", "aws4_request"]
    signing = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": "/".join([key, *scope]),
        "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
    }
    until = now + datetime.timedelta(hours=1 - age)
    policy = {"expiration": f"{until:%Y-%m-%dT%H:%M:%SZ}", "conditions": [
        {"bucket": bucket}, *({name: value} for name, value in signing.items()), *conditions]}
    policy = base64.b64encode(json.dumps(policy).encode()).decode()
    derived = f"AWS4{secret or prove(key)[1]}".encode()
    for part in scope:
        derived = hmac.digest(derived, part.encode(), "sha256")
    fields = {**given, **signing, "policy": policy,
              "x-amz-signature": hmac.digest(derived, policy.encode(), "sha256").hex()}
    boundary = uuid.uuid4().hex
    lines = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
             for name, value in fields.items()]
    lines.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--{boundary}--\r\n')
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    sent = urllib.request.Request(f"http://{server.address}/{bucket}", "".join(lines).encode(), headers)
    try:
        with urllib.request.urlopen(sent) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(("sse", "value"), [
    ("", "AES256"), ("-aws-kms-key-id", "alias/aws/s3"), ("-context", "e30="), ("-bucket-key-enabled", "true"),
    ("-customer-algorithm", "AES256"),
])
def test_a_form_says_of_encryption_what_its_policy_does(closed, sse, value):
    root = of(closed, ACCOUNT)
    bucket, name = make_bucket(root, "forms"), f"x-amz-server-side-encryption{sse}"
    key = ["starts-with", "$key", "in/"]
    status, text = form(closed, bucket, [key], {"key": "in/k", name: value})
    assert status == 403 and "<Code>AccessDenied</Code>" in text
    assert f"<Message>Invalid according to Policy: Extra input fields: {name}</Message>" in text
    assert root.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    if not sse:
        assert form(closed, bucket, [key, {name: "AES256"}], {"key": "in/k", name: "AES256"})[0] == 204
        assert root.head_object(Bucket=bucket, Key="in/k")["ServerSideEncryption"] == "AES256"


@pytest.mark.parametrize("hidden", ['name="file"', 'name="policy"\r\n\r\ne30='])
def test_a_form_hides_nothing_behind_a_field_that_is_ignored(closed, hidden):
    root = of(closed, ACCOUNT)
    bucket, name = make_bucket(root, "forms"), "x-amz-server-side-encryption"
    key = ["starts-with", "$key", "in/"]
    given = {"x-ignore-a": hidden, "key": "in/k", name: "AES256"}
    status, text = form(closed, bucket, [key], given)
    assert status == 400 and "MalformedPOSTRequest" in text, text
    assert root.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def presigned(server, method, path, parameters, data=b""):
    """A URL that says in its query what others say in headers, as AWS's SDKs for JavaScript and Go do; the answer to it."""
    id, secret, _ = prove(ACCOUNT)
    request = AWSRequest(method, f"http://{server.address}{path}", params=parameters)
    S3SigV4QueryAuth(Credentials(id, secret), "s3", REGION, expires=60).add_auth(request)
    connection = http.client.HTTPConnection(server.address)
    connection.request(method, request.url.split(server.address, 1)[1], data)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_what_a_presigned_url_says_is_done(closed):
    root = of(closed, ACCOUNT)
    bucket = make_bucket(root, "presigned")
    path = f"/{bucket}/k"
    right = {"x-amz-checksum-sha256": sha256(b"right"), "x-amz-meta-a": "1 + 1", "x-amz-tagging": "b=2"}
    status, text = presigned(closed, "PUT", path, right, b"wrong")
    assert status == 400 and "BadDigest" in text
    owner = {"x-amz-expected-bucket-owner": OTHER}
    assert presigned(closed, "PUT", path, owner, b"right")[0] == 403
    assert presigned(closed, "PUT", path, {"x-amz-object-lock-mode": "GOVERNANCE"}, b"right")[0] == 501
    assert presigned(closed, "PUT", path, right, b"right")[0] == 200
    found = root.get_object(Bucket=bucket, Key="k")
    assert (found["Body"].read(), found["Metadata"], found["TagCount"]) == (b"right", {"a": "1 + 1"}, 1)


def test_no_object_is_a_page_of_the_consoles_origin(closed, s3):
    """Whoever may store an object may otherwise do what whoever looks at it may."""
    root = of(closed, ACCOUNT)
    for one in (root, s3):
        bucket = make_bucket(one, "pages")
        one.put_object(Bucket=bucket, Key="k", Body=b"<script>", ContentType="text/html")
        said = one.get_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPHeaders"]
        assert (said["content-security-policy"], said["x-content-type-options"]) == ("sandbox", "nosniff")


def test_a_form_keeps_to_its_policy(closed):
    root = of(closed, ACCOUNT)
    bucket, key = make_bucket(root, "forms"), ["starts-with", "$key", "in/"]
    for conditions, given, more, why in [
        ([key], {"key": "out/k"}, {}, 'Policy Condition failed: [&quot;starts-with&quot;,&quot;$key&quot;,&quot;in/&quot;]'),
        ([key], {"key": "in/k", "x-amz-meta-a": "1"}, {}, "Extra input fields: x-amz-meta-a"),
        ([key], {"key": "in/k"}, {"age": 2}, "Policy expired."),
    ]:
        status, text = form(closed, bucket, conditions, given, **more)
        assert status == 403 and f"<Message>Invalid according to Policy: {why}</Message>" in text, text
    status, text = form(closed, bucket, [key], {"key": "in/k"}, secret="wrong")
    assert status == 403 and "SignatureDoesNotMatch" in text
    assert root.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert form(closed, bucket, [key], {"key": "in/k"})[0] == 204


class Chunked:
    """A body in signed chunks (STREAMING-AWS4-HMAC-SHA256-PAYLOAD), made by hand."""

    def __init__(self, server, path, chunks):
        key, secret, _ = prove(ACCOUNT)
        self.server, self.path = server, path
        sizes = [len(chunk) for chunk in (*chunks, b"")]
        whole = sum(len(f"{size:x}") + len(";chunk-signature=") + 64 + 4 + size for size in sizes)

        class Streaming(S3SigV4Auth):
            def payload(self, request):
                return "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

            def _modify_request_before_signing(self, request):
                super()._modify_request_before_signing(request)
                del request.headers["X-Amz-Content-SHA256"]
                request.headers["X-Amz-Content-SHA256"] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

        request = AWSRequest("PUT", f"http://{server.address}{path}", headers={
            "x-amz-decoded-content-length": str(sum(sizes)), "content-encoding": "aws-chunked",
            "content-length": str(whole)})
        Streaming(Credentials(key, secret), "s3", REGION).add_auth(request)
        self.headers = dict(request.headers)
        before = self.headers["Authorization"].rsplit("Signature=", 1)[1]
        date = self.headers["X-Amz-Date"]
        scope = [date[:8], REGION, "s3", "aws4_request"]
        derived = f"AWS4{secret}".encode()
        for part in scope:
            derived = hmac.digest(derived, part.encode(), "sha256")
        self.body = []
        for chunk in (*chunks, b""):
            lines = ["AWS4-HMAC-SHA256-PAYLOAD", date, "/".join(scope), before, hashlib.sha256(b"").hexdigest(),
                     hashlib.sha256(chunk).hexdigest()]
            before = hmac.digest(derived, "\n".join(lines).encode(), "sha256").hex()
            self.body.append(f"{len(chunk):x};chunk-signature={before}\r\n".encode() + chunk + b"\r\n")

    def send(self):
        connection = http.client.HTTPConnection(self.server.address)
        connection.request("PUT", self.path, b"".join(self.body), self.headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text


def test_a_chunk_whose_signature_is_another(closed):
    root = of(closed, ACCOUNT)
    bucket = make_bucket(root, "chunks")
    chunks = [body(64 * 1024), body(64 * 1024)[::-1], b"rest"]
    sent = Chunked(closed, f"/{bucket}/k", chunks)
    assert sent.send()[0] == 200
    assert root.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(chunks)
    for number in (0, 1, 2, 3):
        sent = Chunked(closed, f"/{bucket}/broken", chunks)
        before, signature = sent.body[number].split(b"signature=", 1)
        sent.body[number] = before + b"signature=" + (b"0" if signature[:1] != b"0" else b"1") + signature[1:]
        status, text = sent.send()
        assert status == 403 and "<Code>SignatureDoesNotMatch</Code>" in text, (number, text)
    assert [found["Key"] for found in root.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]
