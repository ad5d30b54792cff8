//! AWS-managed keys: `alias/aws/s3` and the like, made when they are first named.
//!
//! Their policy is what keeps callers from changing or removing them, and from using them but through the
//! service that they are for.
//!
//! Source: AWS KMS Developer Guide, "AWS managed keys".

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::json;

use super::alias::Alias;
use super::directory::{Call, Directory, Done};
use super::id::{AliasName, KeyId, Reach};
use super::key::{Key, key_row, material_row};
use super::key_version::{KeyVersion, Origin, Rotation};
use super::requests::CreateManagedKey;
use super::spec::{KeySpec, KeyUsage};
use super::state::KeyState;
use super::{Error, Scope};
use crate::store::{Change, Revision};

/// Services that have a managed key, and what it protects.
const SERVICES: [(&str, &str); 20] = [
    ("acm", "my ACM private keys"),
    ("backup", "my Backup data"),
    ("codecommit", "my CodeCommit repositories"),
    ("dynamodb", "my DynamoDB data"),
    ("ebs", "my EBS volumes"),
    ("elasticfilesystem", "my EFS filesystems"),
    ("es", "my Elasticsearch domains"),
    ("fsx", "my FSx resources"),
    ("glue", "my Glue metadata"),
    ("kinesis", "my Kinesis streams"),
    ("lambda", "my Lambda functions"),
    ("rds", "my RDS database volumes"),
    ("redshift", "my Redshift clusters"),
    ("s3", "my S3 objects"),
    ("secretsmanager", "my secrets"),
    ("sns", "my SNS topics"),
    ("sqs", "my SQS messages"),
    ("ssm", "my SSM parameters"),
    ("workspaces", "my WorkSpaces volumes"),
    ("xray", "my X-Ray data"),
];

/// Those whose aliases AWS lists before their keys are made.
pub(super) const PREDEFINED: [&str; 4] =
    ["alias/aws/ebs", "alias/aws/rds", "alias/aws/redshift", "alias/aws/s3"];

/// Days between rotations of a managed key.
const PERIOD: i32 = 365;

/// The service of an alias, and what its managed key protects, if there is such a one.
#[must_use]
pub(super) fn protects(name: &AliasName) -> Option<(&'static str, &'static str)> {
    let service = name.as_str().strip_prefix("alias/aws/")?;
    SERVICES.iter().find(|(known, _)| *known == service).copied()
}

/// Makes the managed key of an alias, and the alias; the service's own call.
///
/// # Errors
/// [`Error::NotFound`] for an alias that is no service's, [`Error::AlreadyExists`].
pub fn create_managed_key(
    directory: &Directory,
    call: &Call<'_>,
    request: &CreateManagedKey,
) -> Result<Done<()>, Error> {
    let name = AliasName::parse(&request.alias_name)?;
    let missing =
        || Error::NotFound(format!("Alias {} is not found.", call.scope.alias_arn(&name)));
    let (service, what) = protects(&name).ok_or_else(missing)?;
    if directory.alias(call.scope, &name).is_some() {
        return Err(Error::AlreadyExists(call.scope.alias_arn(&name)));
    }
    let id = KeyId::generate(Reach::Regional)?;
    let place = call.scope.place(id);
    let (version, material) =
        KeyVersion::generate(id, KeySpec::SymmetricDefault, 1, call.now, None)?;
    let next = call.now + TimeDelta::days(i64::from(PERIOD));
    let key = Key {
        scope: call.scope.clone(),
        id,
        spec: KeySpec::SymmetricDefault,
        usage: KeyUsage::EncryptDecrypt,
        created: call.now,
        description: format!("Default key that protects {what} when no other key is defined"),
        state: KeyState::Enabled,
        deletion_date: None,
        pending_window_in_days: None,
        multi_region: None,
        origin: Origin::AwsKms,
        managed: true,
        versions: vec![version],
        pending: None,
        rotation: Some(Rotation { period_in_days: PERIOD, next }),
        tags: BTreeMap::new(),
        policy: Some(policy(call.scope, service).into()),
    };
    let made = |row, value| Change { row, expected: Revision(0), value: Some(value) };
    let changes = vec![
        made(material_row(&place, 1), material),
        made(key_row(&place), key.encode()?),
        made(Alias::row(call.scope, &name), Alias::encode(id, call.now, call.now)?),
    ];
    let mut done = Done::plain(());
    done.touched.key = Some(key.arn());
    done.touched.version = Some(1);
    Ok(done.changing(changes))
}

/// Use through the service that the key is for, and a look at it; nothing else (AWS KMS Developer
/// Guide, "AWS managed keys").
fn policy(scope: &Scope, service: &str) -> String {
    let (account, region) = (scope.account(), scope.region());
    let caller = if service == "ebs" { "ec2" } else { service };
    let statements = json!([
        {
            "Sid": format!(
                "Allow access through {service} for all principals in the account that are \
                 authorized to use {service}"
            ),
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": [
                "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*",
                "kms:CreateGrant", "kms:DescribeKey"
            ],
            "Resource": "*",
            "Condition": { "StringEquals": {
                "kms:CallerAccount": account,
                "kms:ViaService": format!("{caller}.{region}.amazonaws.com"),
            } },
        },
        {
            "Sid": "Allow direct access to key metadata to the account",
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
            "Resource": "*",
        },
    ]);
    let id = format!("auto-{service}-1");
    json!({ "Version": "2012-10-17", "Id": id, "Statement": statements }).to_string()
}
