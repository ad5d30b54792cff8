"""Who may what with buckets and objects: identity policies, bucket policies and key policies on every call."""

import datetime
import http.client
import json

import pytest
from client import Client
from identities import ACCOUNT, OTHER, known, prove, user
from s3 import client, make_bucket, refused
from test_tls import Secure

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
USERS = "".join([
    user("reader", [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]),
    user("lister", [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}]),
    user("keyless", [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]),
])


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = known(tmp_path_factory.mktemp("s3"), USERS, start=Secure)
    yield server
    assert server.stop() == 0


def of(server, name, service="s3"):
    key, secret, _ = prove(name)
    return client(server, service, key, secret, verify=server.authority)


@pytest.fixture
def root(server):
    return of(server, ACCOUNT)


@pytest.fixture
def bucket(root):
    return make_bucket(root, "policies")


def allow(*actions, principal="*", resource="*", effect="Allow", **condition):
    statement = {
        "Effect": effect, "Principal": principal, "Action": list(actions), "Resource": resource,
        **({"Condition": condition} if condition else {}),
    }
    return statement


def put_policy(s3, bucket, *statements):
    named = [
        {**statement, "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
        for statement in statements
    ]
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": named}))


def test_wrong_signatures_and_strangers(server, bucket):
    stranger = client(server, access_key="AKIASTRANGER", secret="x", verify=server.authority)
    assert refused(stranger.list_buckets)[:2] == ("InvalidAccessKeyId", 403)
    liar = client(server, access_key=ACCOUNT, secret="wrong", verify=server.authority)
    assert refused(liar.list_buckets)[:2] == ("SignatureDoesNotMatch", 403)
    assert refused(liar.put_object, Bucket=bucket, Key="k", Body=b"x")[:2] == ("SignatureDoesNotMatch", 403)


def test_identity_policies(server, root, bucket):
    root.put_object(Bucket=bucket, Key="k", Body=b"x")
    reader, lister, silent = (of(server, name) for name in ("reader", "lister", "silent"))
    assert reader.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    code, status, words = refused(reader.put_object, Bucket=bucket, Key="k", Body=b"y")
    assert (code, status) == ("AccessDenied", 403)
    assert "user/reader is not authorized to perform: s3:PutObject on resource" in words
    assert "because no identity-based policy allows the s3:PutObject action" in words
    # Who may not list is not told that there is none.
    assert refused(reader.get_object, Bucket=bucket, Key="absent")[:2] == ("AccessDenied", 403)
    assert refused(lister.get_object, Bucket=bucket, Key="absent")[:2] == ("NoSuchKey", 404)
    assert refused(silent.get_object, Bucket=bucket, Key="k")[:2] == ("AccessDenied", 403)


def test_bucket_policies_let_in_and_keep_out(server, root, bucket):
    root.put_object(Bucket=bucket, Key="k", Body=b"x")
    silent, other = of(server, "silent"), of(server, OTHER)
    assert refused(other.get_object, Bucket=bucket, Key="k") == ("AccessDenied", 403, "Access Denied")
    put_policy(
        root, bucket,
        allow("s3:GetObject", principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/silent"}),
        allow("s3:GetObject", principal={"AWS": OTHER}),
        allow("s3:*", effect="Deny", principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/allowed"}),
    )
    assert silent.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert other.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert refused(of(server, "allowed").get_object, Bucket=bucket, Key="k")[:2] == ("AccessDenied", 403)
    root.delete_bucket_policy(Bucket=bucket)
    assert refused(silent.get_object, Bucket=bucket, Key="k")[:2] == ("AccessDenied", 403)
    assert refused(root.get_bucket_policy, Bucket=bucket)[:2] == ("NoSuchBucketPolicy", 404)


def test_uploads_without_encryption_can_be_forbidden(server, root, bucket):
    key = of(server, ACCOUNT, "kms").create_key()["KeyMetadata"]["Arn"]
    header = "s3:x-amz-server-side-encryption"
    put_policy(
        root, bucket,
        allow("s3:PutObject", effect="Deny", Null={header: "true"}),
        allow("s3:PutObject", effect="Deny", StringNotEquals={header: "aws:kms"}),
        allow("s3:PutObject", effect="Deny", StringNotEqualsIfExists={f"{header}-aws-kms-key-id": key}),
    )
    put = {"Bucket": bucket, "Key": "k", "Body": b"x"}
    assert refused(root.put_object, **put)[:2] == ("AccessDenied", 403)
    assert refused(root.put_object, **put, ServerSideEncryption="AES256")[:2] == ("AccessDenied", 403)
    kms = {"ServerSideEncryption": "aws:kms"}
    other = of(server, ACCOUNT, "kms").create_key()["KeyMetadata"]["Arn"]
    assert refused(root.put_object, **put, **kms, SSEKMSKeyId=other)[:2] == ("AccessDenied", 403)
    root.put_object(**put, **kms, SSEKMSKeyId=key)


def test_plain_connections_can_be_forbidden(server, root, bucket):
    put_policy(root, bucket, allow("s3:*", effect="Deny", Bool={"aws:SecureTransport": "false"}))
    key, secret, _ = prove(ACCOUNT)
    plain = client(server, access_key=key, secret=secret)
    assert refused(plain.put_object, Bucket=bucket, Key="k", Body=b"x")[:2] == ("AccessDenied", 403)
    root.put_object(Bucket=bucket, Key="k", Body=b"x")


def test_everybody_may_be_let_in(server, root, bucket):
    import urllib.error
    import urllib.request

    url = f"http://{server.address}/{bucket}/k"
    root.put_object(Bucket=bucket, Key="k", Body=b"public")
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(url)
    assert refusal.value.code == 403 and b"AccessDenied" in refusal.value.read()
    put_policy(root, bucket, allow("s3:GetObject"))
    assert urllib.request.urlopen(url).read() == b"public"


def test_the_key_has_to_let_the_caller_in_too(server, root, bucket):
    kms = of(server, ACCOUNT, "kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    root.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    keyless = of(server, "keyless")
    code, status, words = refused(keyless.get_object, Bucket=bucket, Key="k")
    assert (code, status) == ("AccessDenied", 403) and "kms:Decrypt" in words
    code, status, words = refused(
        keyless.put_object, Bucket=bucket, Key="l", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert (code, status) == ("AccessDenied", 403) and "kms:GenerateDataKey" in words
    kms.put_key_policy(
        KeyId=key, PolicyName="default",
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            allow("kms:*", principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
            allow(
                "kms:Decrypt", principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/keyless"},
                StringEquals={
                    "kms:ViaService": "s3.eu-west-1.amazonaws.com",
                    "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}/k",
                }),
        ]}))
    assert keyless.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    blob = of(server, ACCOUNT, "kms").encrypt(
        KeyId=key, Plaintext=b"x", EncryptionContext={"aws:s3:arn": f"arn:aws:s3:::{bucket}/k"})
    # Not through S3, so not let in.
    direct = of(server, "keyless", "kms")
    assert refused(direct.decrypt, CiphertextBlob=blob["CiphertextBlob"],
                   EncryptionContext={"aws:s3:arn": f"arn:aws:s3:::{bucket}/k"})[0] == "AccessDeniedException"


def test_refusals_are_in_the_trail(server, root, bucket):
    refused(of(server, "silent").get_object, Bucket=bucket, Key="k")
    log = Client(server.address, [("authorization", f"Bearer {prove(ACCOUNT)[2]}")])
    answer = log.call("Audit.Query", limit=50, operation="GetObject")
    events = [json.loads(record.entry) for record in answer.records]
    mine = [event for event in events if event.get("parameters", {}).get("bucket") == bucket]
    assert mine[0]["error_code"] == "AccessDenied" and mine[0]["outcome"] == "refused"
    assert mine[0]["principal"].endswith("user/silent")


@pytest.mark.parametrize("policy", ["{", "{}", '{"Version":"2012-10-17","Statement":[{"Effect":"Allow"}]}'])
def test_policies_that_cannot_be_obeyed_are_not_stored(root, bucket, policy):
    assert refused(root.put_bucket_policy, Bucket=bucket, Policy=policy)[:2] == ("MalformedPolicy", 400)


def raw(server, path, headers):
    connection = http.client.HTTPConnection(server.address)
    connection.putrequest("GET", path)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def test_one_signature_is_looked_at_and_believed(server, root, bucket):
    root.put_object(Bucket=bucket, Key="k", Body=b"secret")
    now = datetime.datetime.now(datetime.UTC)
    key, _, _ = prove(ACCOUNT)
    scope = f"{key}/{now:%Y%m%d}/eu-west-1/s3/aws4_request"
    claim = (
        "Authorization",
        f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
        f"Signature={'0' * 64}",
    )
    more = [("x-amz-date", f"{now:%Y%m%dT%H%M%SZ}"), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]
    path = f"/{bucket}/k"
    assert raw(server, path, [claim, *more])[0] == 403
    for second in ("x", "AWS4-HMAC-SHA256 x", claim[1]):
        status, text = raw(server, path, [claim, ("Authorization", second), *more])
        assert status == 400 and b"Only one auth mechanism allowed" in text
    # One's own presigned URL does not carry another's name.
    silent = of(server, "silent")
    url = silent.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    status, text = raw(server, f"{path}?{url.split('?')[1]}", [claim, *more])
    assert status == 400 and b"secret" not in text


def test_the_owner_can_always_take_its_policy_away(server, root, bucket):
    put_policy(root, bucket, allow("s3:*", effect="Deny"))
    assert refused(root.list_objects_v2, Bucket=bucket)[:2] == ("AccessDenied", 403)
    assert refused(of(server, "allowed").delete_bucket_policy, Bucket=bucket)[:2] == ("AccessDenied", 403)
    assert "Deny" in root.get_bucket_policy(Bucket=bucket)["Policy"]
    root.delete_bucket_policy(Bucket=bucket)
    assert root.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_nobody_in_particular_has_no_kms_key(server, root, bucket):
    put_policy(root, bucket, allow("s3:PutObject", "s3:GetObject"))
    connection = http.client.HTTPConnection(server.address)
    for headers, status in [({}, 200), ({"x-amz-server-side-encryption": "aws:kms"}, 400)]:
        connection.request("PUT", f"/{bucket}/k", b"x", headers)
        answer = connection.getresponse()
        assert answer.status == status, answer.read()
        answer.read()
