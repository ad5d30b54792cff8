"""Buckets and objects as boto3 uses them."""

import datetime
import urllib.request

import pytest
from s3 import KIB, MIB, REGION, body, client, make_bucket, refused


@pytest.fixture
def s3(server):
    return client(server)


@pytest.fixture
def bucket(s3):
    return make_bucket(s3)


def keys(page):
    return [found["Key"] for found in page.get("Contents", [])]


def test_buckets_come_and_go(s3):
    name = make_bucket(s3, "come-and-go")
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == REGION
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == REGION
    assert name in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert refused(make_again, s3, name)[:2] == ("BucketAlreadyOwnedByYou", 409)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert refused(s3.delete_bucket, Bucket=name)[:2] == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    assert refused(s3.head_bucket, Bucket=name)[:2] == ("404", 404)
    assert refused(s3.get_object, Bucket=name, Key="k")[:2] == ("NoSuchBucket", 404)


def make_again(s3, name):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})


@pytest.mark.parametrize("name", ["ab", "UPPER", "a..b", "192.168.1.1", "-a-b", "xn--abc", "a" * 64])
def test_names_that_no_bucket_has(s3, name):
    s3.meta.events.unregister("before-parameter-build.s3", "")  # botocore looks, too
    answered = refused(s3.create_bucket, Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert answered[:2] == ("InvalidBucketName", 400)


@pytest.mark.parametrize("length", [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 3 * MIB])
def test_what_is_put_is_got(s3, bucket, length):
    content = body(length)
    put = s3.put_object(Bucket=bucket, Key="k", Body=content, ContentType="text/x", Metadata={"a": "b"})
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == content
    assert got["ContentLength"] == length and got["ETag"] == put["ETag"]
    assert (got["ContentType"], got["Metadata"]) == ("text/x", {"a": "b"})
    assert abs(got["LastModified"] - datetime.datetime.now(datetime.UTC)).total_seconds() < 60
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["ContentLength"] == length and head["ServerSideEncryption"] == "AES256"


def test_ranges(s3, bucket):
    content = body(200 * KIB)
    s3.put_object(Bucket=bucket, Key="k", Body=content)
    for asked, expected in [
        ("bytes=0-0", content[:1]),
        ("bytes=65535-65536", content[65535:65537]),
        ("bytes=100000-", content[100000:]),
        ("bytes=-7", content[-7:]),
        ("bytes=204799-999999", content[-1:]),
    ]:
        got = s3.get_object(Bucket=bucket, Key="k", Range=asked)
        assert got["Body"].read() == expected
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert got["ContentRange"].endswith("/204800")
    assert refused(s3.get_object, Bucket=bucket, Key="k", Range="bytes=204800-")[:2] == ("InvalidRange", 416)
    whole = s3.get_object(Bucket=bucket, Key="k", Range="lines=1-2")
    assert whole["Body"].read() == content


def test_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"one", IfNoneMatch="*")["ETag"]
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"two", IfNoneMatch="*")[:2] == (
        "PreconditionFailed", 412)
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"two", IfMatch='"other"')[:2] == (
        "PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)["Body"].read() == b"one"
    assert refused(s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=etag)[:2] == ("304", 304)
    hour = datetime.timedelta(hours=1)
    now = datetime.datetime.now(datetime.UTC)
    assert refused(s3.get_object, Bucket=bucket, Key="k", IfModifiedSince=now + hour)[:2] == ("304", 304)
    assert refused(s3.get_object, Bucket=bucket, Key="k", IfUnmodifiedSince=now - hour)[:2] == (
        "PreconditionFailed", 412)
    s3.put_object(Bucket=bucket, Key="k", Body=b"two", IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"two"


def test_lists_by_pages_and_folders(s3, bucket):
    names = [f"a/{n:03}" for n in range(30)] + ["b", "b/c/d", "ü/ß & <x>"]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 7})
    assert [key for page in pages for key in keys(page)] == sorted(names, key=str.encode)
    pages = s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 7})
    assert [key for page in pages for key in keys(page)] == sorted(names, key=str.encode)
    top = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert keys(top) == ["b"]
    assert [found["Prefix"] for found in top["CommonPrefixes"]] == ["a/", "b/", "ü/"]
    assert top["KeyCount"] == 4
    assert keys(s3.list_objects_v2(Bucket=bucket, Prefix="a/", StartAfter="a/027")) == ["a/028", "a/029"]
    assert refused(s3.list_objects_v2, Bucket=bucket, ContinuationToken="x")[:2] == ("InvalidArgument", 400)


def test_many_are_deleted_at_once(s3, bucket):
    for n in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{n}", Body=b"x")
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"k{n}"} for n in range(6)]})
    assert len(done["Deleted"]) == 6 and "Errors" not in done
    assert keys(s3.list_objects_v2(Bucket=bucket)) == []


def test_versions(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    one = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    two = s3.put_object(Bucket=bucket, Key="k", Body=b"two")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"]
    missing = refused(s3.get_object, Bucket=bucket, Key="k")
    assert missing[:2] == ("NoSuchKey", 404)
    for version, content in [("null", b"before"), (one, b"one"), (two, b"two")]:
        assert s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() == content
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId=marker["VersionId"])[:2] == (
        "MethodNotAllowed", 405)
    listed = s3.list_object_versions(Bucket=bucket)
    assert [v["VersionId"] for v in listed["Versions"]] == [two, one, "null"]
    assert [m["IsLatest"] for m in listed["DeleteMarkers"]] == [True]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"two"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"null")["VersionId"] == "null"
    assert refused(s3.get_object, Bucket=bucket, Key="k", VersionId="0" * 32)[:2] == ("NoSuchVersion", 404)


def test_copies(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=body(100 * KIB), Metadata={"m": "1"}, ContentType="a/b")
    s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
    got = s3.get_object(Bucket=bucket, Key="b")
    assert got["Body"].read() == body(100 * KIB)
    assert (got["Metadata"], got["ContentType"]) == ({"m": "1"}, "a/b")
    s3.copy_object(
        Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"}, MetadataDirective="REPLACE",
        Metadata={"n": "2"},
    )
    assert s3.head_object(Bucket=bucket, Key="b")["Metadata"] == {"n": "2"}
    itself = {"Bucket": bucket, "Key": "a", "CopySource": {"Bucket": bucket, "Key": "a"}}
    assert refused(s3.copy_object, **itself)[:2] == ("InvalidRequest", 400)
    absent = refused(s3.copy_object, Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "no"})
    assert absent[:2] == ("NoSuchKey", 404)


def test_tags(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="a=b&c=d")
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    tags = [{"Key": "e", "Value": "f"}]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    many = [{"Key": str(n), "Value": ""} for n in range(11)]
    answered = refused(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging={"TagSet": many})
    assert answered[1] == 400


def test_settings_come_back(s3, bucket):
    cors = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
    assert refused(s3.get_bucket_cors, Bucket=bucket)[:2] == ("NoSuchCORSConfiguration", 404)
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=cors)
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == cors["CORSRules"]
    s3.delete_bucket_cors(Bucket=bucket)
    assert refused(s3.get_bucket_cors, Bucket=bucket)[:2] == ("NoSuchCORSConfiguration", 404)
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == block
    assert refused(s3.get_bucket_tagging, Bucket=bucket)[:2] == ("NoSuchTagSet", 404)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "b"}]
    rules = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "x"}, "Expiration": {"Days": 3}}]}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=rules)
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules["Rules"]


@pytest.mark.parametrize("key", ["../../etc/passwd", "/lead", "a//b", "a/./b", " ", "a\tb", "%2e%2e/x", "é" * 512, "+&=?#"])
def test_keys_are_only_names(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert keys(s3.list_objects_v2(Bucket=bucket)) == [key]
    s3.delete_object(Bucket=bucket, Key=key)


def test_a_key_has_1024_bytes_at_the_most(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k" * 1024, Body=b"")
    assert refused(s3.put_object, Bucket=bucket, Key="k" * 1025, Body=b"")[:2] == ("KeyTooLongError", 400)


def test_presigned_urls(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
    assert urllib.request.urlopen(url).read() == b"hello"
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "p"}, ExpiresIn=60)
    assert urllib.request.urlopen(urllib.request.Request(put, b"there", method="PUT")).status == 200
    assert s3.get_object(Bucket=bucket, Key="p")["Body"].read() == b"there"
