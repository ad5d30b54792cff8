//! Events as AWS CloudTrail writes them down: a view of ours, for tools that read those.
//!
//! The signed bytes are the entry itself; this is a projection that proves nothing, and says where the
//! entry is (`additionalEventData.logIndex`). It holds no more than the entry: no plaintext, no
//! ciphertext, no key material. What the entry does not know is left out: `principalId` of users and
//! roles, `responseElements`, `tlsDetails`.
//!
//! Operations of our own appear under the name of the AWS operation that policies see
//! (`WrapDataKey` as `Encrypt`); what reads the trail does not appear.
//!
//! Source: AWS CloudTrail User Guide, "CloudTrail record contents" and "userIdentity element"; AWS KMS
//! Developer Guide, "Examples of AWS KMS log entries".

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::event::Event;

/// The version of the record's form.
const VERSION: &str = "1.11";

/// A record of CloudTrail.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "CloudTrail record contents describes each member")]
pub struct CloudTrailEvent {
    pub event_version: &'static str,
    pub user_identity: Value,
    #[serde(serialize_with = "whole_seconds")]
    pub event_time: DateTime<Utc>,
    pub event_source: String,
    pub event_name: String,
    pub aws_region: String,
    #[serde(rename = "sourceIPAddress")]
    pub source_ip_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    pub request_parameters: Option<Map<String, Value>>,
    pub response_elements: Option<Value>,
    pub additional_event_data: Value,
    #[serde(rename = "requestID")]
    pub request_id: String,
    #[serde(rename = "eventID")]
    pub event_id: String,
    pub read_only: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<CloudTrailResource>,
    pub event_type: &'static str,
    pub management_event: bool,
    pub recipient_account_id: String,
    pub event_category: &'static str,
    /// What `LookupEvents` shows beside the record.
    #[serde(skip)]
    pub user_name: Option<String>,
}

/// A resource of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CloudTrailResource {
    /// 12 digits.
    #[serde(rename = "accountId")]
    pub account_id: String,
    /// Such as `AWS::KMS::Key`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its ARN.
    #[serde(rename = "ARN")]
    pub arn: String,
}

impl CloudTrailEvent {
    /// The view of a record; none of what is no call of AWS's, or of nobody's account.
    #[must_use]
    pub fn of(index: u64, event: &Event) -> Option<Self> {
        if event.is_own() || event.account.is_empty() {
            return None;
        }
        let is_internal = event.door == "service";
        Some(Self {
            event_version: VERSION,
            user_identity: identity(event),
            event_time: event.time,
            event_source: source(event),
            event_name: aws_name(&event.operation).to_owned(),
            aws_region: event.region.clone(),
            source_ip_address: event.source.clone(),
            user_agent: event.user_agent.clone(),
            error_code: event.error_code.clone(),
            error_message: event.error_message.clone(),
            request_parameters: parameters(event),
            response_elements: None,
            additional_event_data: additional(index, event),
            request_id: event.request_id.clone(),
            event_id: event.request_id.clone(),
            read_only: event.read_only,
            resources: resources(event),
            event_type: if is_internal { "AwsServiceEvent" } else { "AwsApiCall" },
            management_event: !event.is_data(),
            recipient_account_id: event.account.clone(),
            event_category: if event.is_data() { "Data" } else { "Management" },
            user_name: user_name(&event.principal).map(str::to_owned),
        })
    }
}

fn whole_seconds<S: Serializer>(time: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// AWS's name of an operation of ours that it has under another; any other as it is.
#[must_use]
pub fn aws_name(operation: &str) -> &str {
    OURS.iter().find(|(ours, _)| *ours == operation).map_or(operation, |(_, theirs)| theirs)
}

/// Our names of an operation of AWS's.
pub(super) fn our_names(operation: &str) -> impl Iterator<Item = &str> {
    let renamed = OURS.iter().filter(move |(_, theirs)| *theirs == operation);
    std::iter::once(operation).chain(renamed.map(|(ours, _)| *ours))
}

/// Operations that AWS has under another name, by the action that they need.
const OURS: [(&str, &str); 4] = [
    ("DescribeKeyVersions", "ListKeyRotations"),
    ("RewrapDataKey", "ReEncrypt"),
    ("UnwrapDataKey", "Decrypt"),
    ("WrapDataKey", "Encrypt"),
];

/// The service of an event: `kms.amazonaws.com`.
pub(super) fn source(event: &Event) -> String {
    let service = event.action.split(':').next().unwrap_or_default();
    format!("{service}.amazonaws.com")
}

/// The name that `LookupEvents` finds a caller by: of a user, of a role's session, or `root`.
pub(super) fn user_name(principal: &str) -> Option<&str> {
    let resource = principal.strip_prefix("arn:")?.splitn(5, ':').nth(4)?;
    match resource.split('/').next()? {
        "user" | "assumed-role" => resource.rsplit('/').next(),
        "root" => Some(resource),
        _ => None,
    }
}

fn identity(event: &Event) -> Value {
    let arn = event.principal.as_str();
    let resource = arn.strip_prefix("arn:").and_then(|rest| rest.splitn(5, ':').nth(4));
    let Some(resource) = resource else {
        if arn == ANONYMOUS {
            return json!({ "type": "AWSAccount", "principalId": "", "accountId": "anonymous" });
        }
        return json!({ "type": "AWSService", "invokedBy": arn });
    };
    let mut parts = resource.split('/');
    let kind = parts.next().unwrap_or_default();
    let mut identity = json!({
        "type": match kind {
            "root" => "Root",
            "user" => "IAMUser",
            "assumed-role" => "AssumedRole",
            _ => "Unknown",
        },
        "arn": arn,
        "accountId": event.account,
    });
    if let Some(members) = identity.as_object_mut() {
        if let Some(id) = &event.access_key_id {
            members.insert("accessKeyId".to_owned(), id.as_str().into());
        }
        match (kind, user_name(arn), parts.next()) {
            ("root", ..) => {
                members.insert("principalId".to_owned(), event.account.as_str().into());
            }
            ("user", Some(name), _) => {
                members.insert("userName".to_owned(), name.into());
            }
            ("assumed-role", _, Some(role)) => {
                let issuer = json!({
                    "type": "Role",
                    "arn": format!("arn:aws:iam::{}:role/{role}", event.account),
                    "accountId": event.account,
                    "userName": role,
                });
                members.insert("sessionContext".to_owned(), json!({ "sessionIssuer": issuer }));
            }
            _ => {}
        }
    }
    identity
}

/// What [`Event::principal`] says of who does not say who it is.
const ANONYMOUS: &str = "anonymous";

/// What was asked, under AWS's names.
fn parameters(event: &Event) -> Option<Map<String, Value>> {
    let mut named: Map<String, Value> = event
        .parameters
        .iter()
        .map(|(name, value)| {
            let value = match name.as_str() {
                "constraints" => constraints(value),
                "tags" => tags(value),
                _ => value.clone(),
            };
            let is_bucket = name == "bucket" && event.action.starts_with("s3:");
            (if is_bucket { "bucketName".to_owned() } else { camel(name) }, value)
        })
        .collect();
    if !event.context.is_empty() {
        let is_moved = aws_name(&event.operation) == "ReEncrypt";
        let name = if is_moved { "sourceEncryptionContext" } else { "encryptionContext" };
        named.insert(name.to_owned(), json!(event.context));
    }
    if matches!(aws_name(&event.operation), "Decrypt" | "Encrypt") {
        let default = || Value::from("SYMMETRIC_DEFAULT");
        named.entry("encryptionAlgorithm").or_insert_with(default);
    }
    (!named.is_empty()).then_some(named)
}

fn constraints(given: &Value) -> Value {
    let names = [
        ("equals", "encryptionContextEquals"),
        ("subset", "encryptionContextSubset"),
        ("source_arn", "sourceArn"),
    ];
    let present = |(ours, theirs): (&str, &str)| {
        let value = given.get(ours)?.clone();
        let is_empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        (!is_empty).then(|| (theirs.to_owned(), value))
    };
    names.into_iter().filter_map(present).collect::<Map<_, _>>().into()
}

/// Of a key, a list; of a session, a map.
fn tags(given: &Value) -> Value {
    let renamed = |tag: &Value| match tag {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (camel(name), value.clone())).collect()
        }
        other => other.clone(),
    };
    match given {
        Value::Array(tags) => tags.iter().map(renamed).collect(),
        Value::Object(tags) => {
            tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
        }
        other => other.clone(),
    }
}

/// `key_id` → `keyId`
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (head, rest) = part.split_at_checked(1).unwrap_or_default();
        text + &head.to_ascii_uppercase() + rest
    })
}

/// What is ours.
fn additional(index: u64, event: &Event) -> Value {
    let mut data = BTreeMap::from([
        ("logIndex", Value::from(index)),
        ("door", event.door.as_str().into()),
        ("outcome", event.outcome.as_str().into()),
    ]);
    if aws_name(&event.operation) != event.operation {
        data.insert("operation", event.operation.as_str().into());
    }
    if let Some(version) = event.key_version {
        data.insert("keyVersion", version.into());
    }
    if let Some(statement) = &event.decided_by {
        data.insert("decidedBy", statement.as_str().into());
    }
    if !event.cut.is_empty() {
        data.insert("cut", json!(event.cut));
    }
    json!(data)
}

/// Keys, aliases, roles, objects and buckets that the call was about.
pub(super) fn resources(event: &Event) -> Vec<CloudTrailResource> {
    let arns = event.key.iter().cloned().chain(event.resources());
    let resource = |arn: String| {
        if let Some(named) = arn.strip_prefix("arn:aws:s3:::") {
            let is_object = named.contains('/');
            let kind = if is_object { "AWS::S3::Object" } else { "AWS::S3::Bucket" };
            return Some(CloudTrailResource { account_id: event.account.clone(), kind, arn });
        }
        let mut parts = arn.splitn(6, ':').skip(4);
        let (account, named) = (parts.next()?, parts.next()?);
        let kind = match named.split('/').next()? {
            "key" => "AWS::KMS::Key",
            "alias" => "AWS::KMS::Alias",
            "role" => "AWS::IAM::Role",
            _ => return None,
        };
        Some(CloudTrailResource { account_id: account.to_owned(), kind, arn })
    };
    arns.filter_map(resource).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        let mut event = super::super::event::tests::event(1);
        event.principal = "arn:aws:sts::111122223333:assumed-role/app/ci".to_owned();
        event.account = "111122223333".to_owned();
        event.region = "us-east-1".to_owned();
        event.source = "127.0.0.1".to_owned();
        event.door = "grpc".to_owned();
        event.action = "kms:Decrypt".to_owned();
        event.operation = "UnwrapDataKey".to_owned();
        event.read_only = true;
        event.parameters.insert("key_id".to_owned(), "alias/app".into());
        event
    }

    #[test]
    fn calls_on_objects_are_data_events_with_their_arns() {
        let mut event = event();
        (event.key, event.principal) = (None, ANONYMOUS.to_owned());
        event.context.clear();
        (event.action, event.operation) = ("s3:GetObject".to_owned(), "GetObject".to_owned());
        event.parameters = [("bucket", "docs"), ("key", "a/b")]
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into();
        let seen = serde_json::to_value(CloudTrailEvent::of(7, &event).unwrap()).unwrap();
        assert_eq!(seen["eventSource"], "s3.amazonaws.com");
        assert_eq!(
            (&seen["eventCategory"], &seen["managementEvent"]),
            (&json!("Data"), &json!(false))
        );
        assert_eq!(seen["userIdentity"]["accountId"], "anonymous");
        assert_eq!(seen["requestParameters"], json!({ "bucketName": "docs", "key": "a/b" }));
        let resources = json!([
            { "accountId": "111122223333", "type": "AWS::S3::Object", "ARN": "arn:aws:s3:::docs/a/b" },
            { "accountId": "111122223333", "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::docs" },
        ]);
        assert_eq!(seen["resources"], resources);
        for (operation, is_data) in [
            ("PutBucketPolicy", false),
            ("ListBuckets", false),
            ("GetPublicAccessBlock", false),
            ("HeadBucket", true),
            ("ListObjects", true),
            ("UploadPart", true),
        ] {
            event.operation = operation.to_owned();
            assert_eq!(event.is_data(), is_data, "{operation}");
        }
    }

    #[test]
    fn a_record_has_cloudtrails_form() {
        let seen = serde_json::to_value(CloudTrailEvent::of(7, &event()).unwrap()).unwrap();
        let key = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000001";
        let id = "00000000-0000-4000-8000-000000000001";
        let expected = json!({
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "arn": "arn:aws:sts::111122223333:assumed-role/app/ci",
                "accountId": "111122223333",
                "sessionContext": { "sessionIssuer": {
                    "type": "Role",
                    "arn": "arn:aws:iam::111122223333:role/app",
                    "accountId": "111122223333",
                    "userName": "app",
                } },
            },
            "eventTime": "2027-01-15T08:00:00Z",
            "eventSource": "kms.amazonaws.com",
            "eventName": "Decrypt",
            "awsRegion": "us-east-1",
            "sourceIPAddress": "127.0.0.1",
            "requestParameters": {
                "keyId": "alias/app",
                "encryptionContext": { "n": "1" },
                "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
            },
            "responseElements": null,
            "additionalEventData": {
                "logIndex": 7,
                "door": "grpc",
                "outcome": "success",
                "operation": "UnwrapDataKey",
            },
            "requestID": id,
            "eventID": id,
            "readOnly": true,
            "resources": [
                { "accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": key },
                {
                    "accountId": "111122223333",
                    "type": "AWS::KMS::Alias",
                    "ARN": "arn:aws:kms:us-east-1:111122223333:alias/app",
                },
            ],
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": "111122223333",
            "eventCategory": "Management",
        });
        assert_eq!(seen, expected);
    }

    #[test]
    fn who_called_is_said_as_iam_names_it() {
        let identity = |principal: &str| {
            let mut event = Event { principal: principal.to_owned(), ..event() };
            event.access_key_id = Some("AKIAIOSFODNN7EXAMPLE".to_owned());
            (identity(&event), user_name(&event.principal).map(str::to_owned))
        };
        let (root, name) = identity("arn:aws:iam::111122223333:root");
        assert_eq!((&root["type"], &root["principalId"]), (&json!("Root"), &json!("111122223333")));
        assert_eq!(root["accessKeyId"], "AKIAIOSFODNN7EXAMPLE");
        assert_eq!(name.as_deref(), Some("root"));
        let (user, name) = identity("arn:aws:iam::111122223333:user/team/alice");
        assert_eq!((&user["type"], &user["userName"]), (&json!("IAMUser"), &json!("alice")));
        assert_eq!(name.as_deref(), Some("alice"));
        let (service, name) = identity("strongroom.internal");
        assert_eq!(service, json!({ "type": "AWSService", "invokedBy": "strongroom.internal" }));
        assert_eq!(name, None);
    }

    #[test]
    fn parameters_have_awss_names_and_contexts_keep_theirs() {
        let mut event = Event { operation: "CreateGrant".to_owned(), ..event() };
        event.context = BTreeMap::from([("my_name".to_owned(), "x".to_owned())]);
        event.parameters = BTreeMap::from([
            ("key_id".to_owned(), json!("1")),
            (
                "constraints".to_owned(),
                json!({ "equals": { "a_b": "c" }, "subset": {}, "source_arn": null }),
            ),
            ("tags".to_owned(), json!([{ "tag_key": "a_b", "tag_value": "c" }])),
        ]);
        assert_eq!(
            Value::from(parameters(&event).unwrap()),
            json!({
                "keyId": "1",
                "constraints": { "encryptionContextEquals": { "a_b": "c" } },
                "tags": [{ "tagKey": "a_b", "tagValue": "c" }],
                "encryptionContext": { "my_name": "x" },
            })
        );
        event.operation = "ReEncrypt".to_owned();
        assert!(parameters(&event).unwrap().contains_key("sourceEncryptionContext"));
        assert_eq!(camel("number_of_bytes"), "numberOfBytes");
    }

    #[test]
    fn what_is_no_call_of_awss_is_not_seen() {
        let own = Event { action: "strongroom:QueryAuditTrail".to_owned(), ..event() };
        assert_eq!(CloudTrailEvent::of(0, &own), None);
        assert_eq!(CloudTrailEvent::of(0, &Event { account: String::new(), ..event() }), None);
    }
}
