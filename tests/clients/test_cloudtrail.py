"""CloudTrail's view of the trail: LookupEvents by boto3, files by trailscraper."""

import datetime
import gzip
import json
import os
import subprocess

import pytest
from botocore.exceptions import ClientError
from client import Client, Refused
from conftest import BINARY
from identities import ACCOUNT as KNOWN, REGION, aws, grpc, known, signed, user

ACCOUNT = "444455556666"
TRAILSCRAPER = os.environ.get("STRONGROOM_TRAILSCRAPER")  # scripts/test sets it


def client_of(server, service, account=ACCOUNT, region=REGION):
    return signed(server, service, account, "any", region=region)


def error_code(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["Error"]["Code"]


@pytest.fixture(scope="module")
def used(own_server):
    """A key, an alias and some calls: their key's id, and when they were made."""
    kms = client_of(own_server, "kms")
    before = datetime.datetime.now(datetime.timezone.utc)
    key = kms.create_key(Tags=[{"TagKey": "team_name", "TagValue": "red"}])["KeyMetadata"]
    kms.create_alias(AliasName="alias/app", TargetKeyId=key["KeyId"])
    context = {"case_id": "7"}
    blob = kms.encrypt(KeyId="alias/app", Plaintext=b"forty thieves", EncryptionContext=context)["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    with pytest.raises(ClientError):
        kms.decrypt(CiphertextBlob=blob)
    metadata = [("authorization", f"Bearer {ACCOUNT}"), ("x-strongroom-region", REGION)]
    Client(own_server.address, metadata).call("DataKeys.WrapDataKey", key_id=key["KeyId"], plaintext=b"0123456789abcdef")
    client_of(own_server, "kms", account="777788889999").create_key()
    client_of(own_server, "kms", region="us-west-2").create_key()
    return {"arn": key["Arn"], "id": key["KeyId"], "before": before,
            "after": datetime.datetime.now(datetime.timezone.utc)}


@pytest.fixture
def look_up(own_server):
    trail = client_of(own_server, "cloudtrail")

    def look_up(name=None, value=None, **asked):
        if name:
            asked["LookupAttributes"] = [{"AttributeKey": name, "AttributeValue": value}]
        return trail.lookup_events(**asked)["Events"]

    return look_up


def names(events):
    return [event["EventName"] for event in events]


def test_each_attribute_finds_what_it_names(used, look_up):
    calls = ["Encrypt", "Decrypt", "Decrypt", "Encrypt", "CreateAlias", "CreateKey"]
    events = look_up("EventSource", "kms.amazonaws.com")
    assert names(events) == calls
    assert names(look_up("EventName", "Encrypt")) == ["Encrypt", "Encrypt"]
    assert names(look_up("ResourceName", used["arn"])) == calls
    assert names(look_up("ResourceName", used["id"])) == calls
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/app"
    assert names(look_up("ResourceName", alias)) == ["Encrypt", "CreateAlias"] == names(look_up("ResourceName", "alias/app"))
    assert names(look_up("ResourceType", "AWS::KMS::Alias")) == ["Encrypt", "CreateAlias"]
    assert names(look_up("ReadOnly", "false")) == ["CreateAlias", "CreateKey"]
    assert names(look_up("Username", "root"))[-6:] == calls == names(look_up("AccessKeyId", ACCOUNT))[-6:]
    assert look_up("Username", "alice") == look_up("AccessKeyId", "AKIAIOSFODNN7EXAMPLE") == []
    found = look_up("EventId", events[1]["EventId"])
    assert len(found) == 1 and found[0] == events[1]
    mine = look_up("EventName", "LookupEvents")
    assert mine[0]["EventSource"] == "cloudtrail.amazonaws.com", "lookups are events, too"


def test_an_event_is_what_cloudtrail_writes_and_names_its_record(used, look_up, own_server):
    event = [event for event in look_up("EventName", "Decrypt")][-1]
    seen = json.loads(event["CloudTrailEvent"])
    assert seen["eventSource"] == "kms.amazonaws.com" and seen["eventVersion"] == "1.11"
    assert seen["requestParameters"] == {"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"case_id": "7"}}
    assert seen["userIdentity"]["type"] == "Root" and seen["userIdentity"]["accountId"] == ACCOUNT
    assert seen["resources"] == [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": used["arn"]}]
    assert (event["ReadOnly"], event["Username"], event["AccessKeyId"]) == ("true", "root", ACCOUNT)
    assert event["Resources"] == [{"ResourceType": "AWS::KMS::Key", "ResourceName": used["arn"]}]
    assert used["before"].replace(microsecond=0) <= event["EventTime"] <= used["after"]
    index = seen["additionalEventData"]["logIndex"]
    record = Client(own_server.address).call("Audit.Query", start_index=index, end_index=index + 1).records[0]
    assert record.request_id == event["EventId"] == seen["requestID"]
    failed = json.loads(look_up("EventName", "Decrypt")[0]["CloudTrailEvent"])
    assert failed["errorCode"] == "InvalidCiphertextException"
    wrapped = json.loads(look_up("EventName", "Encrypt")[0]["CloudTrailEvent"])
    assert wrapped["additionalEventData"]["operation"] == "WrapDataKey"
    created = json.loads(look_up("EventName", "CreateKey")[0]["CloudTrailEvent"])
    assert created["requestParameters"]["tags"] == [{"tagKey": "team_name", "tagValue": "red"}]
    assert "forty thieves" not in json.dumps(seen) and "cipherBlob" not in json.dumps(seen).lower()


def test_pages_and_times(used, look_up, own_server):
    trail = client_of(own_server, "cloudtrail")
    asked = {"LookupAttributes": [{"AttributeKey": "EventSource", "AttributeValue": "kms.amazonaws.com"}]}
    pages = list(trail.get_paginator("lookup_events").paginate(**asked, PaginationConfig={"PageSize": 4}))
    assert [len(page["Events"]) for page in pages] == [4, 2]
    first = trail.lookup_events(**asked, MaxResults=4)
    assert names(first["Events"]) == ["Encrypt", "Decrypt", "Decrypt", "Encrypt"]
    assert error_code(trail.lookup_events, MaxResults=4, NextToken=first["NextToken"]) == "InvalidNextTokenException"
    assert error_code(trail.lookup_events, NextToken="x") == "InvalidNextTokenException"
    hour = datetime.timedelta(hours=1)
    assert look_up(EndTime=used["before"] - hour) == []
    assert look_up(StartTime=used["after"] + hour) == []
    found = look_up(StartTime=used["before"] - hour, EndTime=used["after"] + hour)
    assert names(found)[-6:] == names(look_up("EventSource", "kms.amazonaws.com"))


def test_what_is_wrong_has_cloudtrails_name(own_server):
    trail = client_of(own_server, "cloudtrail")

    def refused(**asked):
        return error_code(trail.lookup_events, **asked)

    one = {"AttributeKey": "EventName", "AttributeValue": "Decrypt"}
    invalid = "InvalidLookupAttributesException"
    assert refused(LookupAttributes=[one, one]) == invalid
    assert refused(LookupAttributes=[{**one, "AttributeKey": "Colour"}]) == invalid
    assert refused(LookupAttributes=[{**one, "AttributeValue": ""}]) == invalid
    assert refused(LookupAttributes=[{**one, "AttributeValue": "x" * 2001}]) == invalid
    assert refused(LookupAttributes=[{"AttributeKey": "ReadOnly", "AttributeValue": "maybe"}]) == invalid
    assert {refused(MaxResults=wrong) for wrong in (0, 51, -1)} == {"InvalidMaxResultsException"}
    now = datetime.datetime.now(datetime.timezone.utc)
    assert refused(StartTime=now, EndTime=now - datetime.timedelta(seconds=1)) == "InvalidTimeRangeException"
    assert refused(EventCategory="colour") == "InvalidEventCategoryException"
    assert trail.lookup_events(EventCategory="insight")["Events"] == []
    assert error_code(trail.list_trails) == "UnknownOperationException"


def test_an_account_sees_its_own_calls_in_its_region(used, own_server):
    other = client_of(own_server, "cloudtrail", account="777788889999").lookup_events()["Events"]
    assert names(other)[-1] == "CreateKey" and used["arn"] not in json.dumps(other, default=str)
    west = client_of(own_server, "cloudtrail", region="us-west-2").lookup_events()["Events"]
    assert names(west)[-1] == "CreateKey" and len(west) == 1


def test_identity_policies_decide_who_looks_up_and_who_reads_the_trail(tmp_path):
    def let(action):
        return [{"Effect": "Allow", "Action": action, "Resource": "*"}]

    more = user("looker", let("cloudtrail:LookupEvents")) + user("auditor", let("strongroom:QueryAuditTrail"))
    server = known(tmp_path, more)
    try:
        auditor = grpc(server, "auditor")
        assert auditor.call("Audit.Query").log_size == 0
        assert auditor.call("Audit.Expect", nothing_else=True).met
        for other in ("Audit.GetCheckpoint", "Audit.VerifyLog", "Keys.ListKeys", "Keys.CreateKey"):
            with pytest.raises(Refused, match="not authorized"):
                auditor.call(other)
        with pytest.raises(Refused, match="not authorized to perform: strongroom:TailAuditTrail"):
            try:
                next(auditor.stream("Audit.Tail"))
            except Exception as error:
                raise Refused(error) from None
        with pytest.raises(Refused, match="strongroom:QueryAuditTrail"):
            grpc(server, "looker").call("Audit.Query")
        assert error_code(aws(server, "auditor", "cloudtrail").lookup_events) == "AccessDeniedException"
        looker = aws(server, "looker", "cloudtrail")
        by_auditor = [{"AttributeKey": "Username", "AttributeValue": "auditor"}]
        seen = looker.lookup_events(LookupAttributes=by_auditor)["Events"]
        assert names(seen) == ["LookupEvents", "CreateKey", "ListKeys"]
        seen = json.loads(seen[0]["CloudTrailEvent"])
        assert seen["errorCode"] == "AccessDeniedException"
        assert seen["userIdentity"]["arn"] == f"arn:aws:iam::{KNOWN}:user/auditor"
    finally:
        assert server.stop() == 0


def export(server, folder, *arguments):
    command = [BINARY, "audit", "export", "--format", "cloudtrail", str(folder), "--output", "json",
               "--endpoint", f"http://{server.address}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_files_lie_where_cloudtrail_puts_them(used, own_server, tmp_path):
    done = export(own_server, tmp_path)
    again = export(own_server, tmp_path, "--account", ACCOUNT)
    assert again["files"] <= done["files"] and done["left_out"] > 0
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= done["files"]
    records = []
    for path in files:
        account, region = path.relative_to(tmp_path).parts[1], path.relative_to(tmp_path).parts[3]
        assert path.parts[-7] == account and path.name.startswith(f"{account}_CloudTrail_{region}_")
        for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]:
            assert (record["recipientAccountId"], record["awsRegion"]) == (account, region)
            assert record["eventTime"].startswith("-".join(path.parts[-4:-1]))
            records.append(record["additionalEventData"]["logIndex"])
    assert len(set(records)) == done["records"]


@pytest.mark.skipif(not TRAILSCRAPER, reason="STRONGROOM_TRAILSCRAPER names no trailscraper")
def test_trailscraper_derives_the_policy_that_the_calls_need(used, own_server, tmp_path):
    export(own_server, tmp_path, "--account", ACCOUNT, "--outcome", "success", "--key", used["id"])
    selected = subprocess.run([TRAILSCRAPER, "select", "--log-dir", str(tmp_path)], capture_output=True, text=True)
    assert selected.returncode == 0, selected.stderr
    generated = subprocess.run([TRAILSCRAPER, "generate"], input=selected.stdout, capture_output=True, text=True)
    assert generated.returncode == 0, generated.stderr
    needed = {}
    for found in json.loads(generated.stdout)["Statement"]:
        for action in found["Action"]:
            needed.setdefault(action, set()).update(found["Resource"])
    assert {"kms:Encrypt", "kms:Decrypt", "kms:CreateAlias"} <= set(needed)
    assert used["arn"] in needed["kms:Decrypt"] and used["arn"] in needed["kms:Encrypt"]
