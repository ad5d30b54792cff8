//! Buckets and objects as what actions are done to: ARN, owner, policy, tags.

use crate::iam::{Guard, Resource};
use crate::kms;
use crate::objects::{self, Bucket, Found};
use crate::service::Error;
use crate::service::credential::authenticate;
use crate::service::operation::{Circumstances, Rooms, Target};
use crate::store::{RowId, Table};

/// Finds what a call is about.
pub(super) struct Look<'a> {
    pub(super) rooms: &'a Rooms,
    pub(super) at: &'a Circumstances<'a>,
}

/// An object: bucket, key and version.
pub(super) type Named<'a> = (&'a str, &'a str, Option<&'a str>);

/// What is found of a call, or why there is nothing to be allowed.
pub(super) type Looked = Result<Vec<Target>, Error>;

impl Look<'_> {
    /// What has no ARN: the account's buckets.
    #[expect(clippy::unnecessary_wraps, reason = "the register calls every look alike")]
    pub(super) fn account(&self, action: &'static str) -> Looked {
        let resource = Resource::open("*", self.at.scope.account());
        Ok(vec![bare(action, resource)])
    }

    /// A bucket that is to be made, the caller's own.
    #[expect(clippy::unnecessary_wraps, reason = "the register calls every look alike")]
    pub(super) fn new_bucket(&self, action: &'static str, name: &str) -> Looked {
        let resource = Resource::open(&Bucket::arn(name), self.at.scope.account());
        Ok(vec![bare(action, resource)])
    }

    /// A bucket.
    pub(super) fn bucket(&self, action: &'static str, name: &str) -> Looked {
        Ok(vec![self.resource(action, name, &Bucket::arn(name))?])
    }

    /// A bucket whose policy is asked for or put. The root of its account may always, so that no policy locks
    /// everybody out (Amazon S3 API Reference, `PutBucketPolicy`).
    pub(super) fn own_policy(&self, action: &'static str, name: &str) -> Looked {
        let mut target = self.resource(action, name, &Bucket::arn(name))?;
        let known = self.rooms.known(self.at.known, self.at.now);
        let principal = authenticate(&self.at.caller.credential, known)?;
        if principal.is_root() && principal.account == target.resource.account {
            target.resource.guard = Guard::Beside(None);
        }
        Ok(vec![target])
    }

    /// An object of a bucket, whether it is there or not.
    pub(super) fn object(&self, action: &'static str, bucket: &str, key: &str) -> Looked {
        Ok(vec![self.named(action, bucket, key)?])
    }

    /// An object that is read. Who may not list the bucket is not told that there is none.
    pub(super) fn read(&self, actions: [&'static str; 2], named: Named<'_>) -> Looked {
        self.read_of(actions, named, self.at.caller.bucket_owners.own.as_deref())
    }

    /// The same of what is copied from.
    pub(super) fn source(&self, actions: [&'static str; 2], named: Named<'_>) -> Looked {
        self.read_of(actions, named, self.at.caller.bucket_owners.source.as_deref())
    }

    fn read_of(
        &self,
        actions: [&'static str; 2],
        (bucket, key, version): Named<'_>,
        owner: Option<&str>,
    ) -> Looked {
        let [latest, versioned] = actions;
        let action = version.map_or(latest, |_| versioned);
        let mut target =
            self.owned(action, bucket, &format!("{}/{key}", Bucket::arn(bucket)), owner)?;
        match self.rooms.objects.find(bucket, key, version) {
            Ok(found) => {
                tags(&mut target.about, "s3:ExistingObjectTag/", &found);
                Ok(vec![target])
            }
            Err(objects::Error::NoSuchKey { .. }) => {
                Ok(vec![target, self.owned("s3:ListBucket", bucket, &Bucket::arn(bucket), owner)?])
            }
            Err(_) => Ok(vec![target]),
        }
    }

    /// An object that is written, with tags or without.
    pub(super) fn written(&self, bucket: &str, key: &str, is_tagged: bool) -> Looked {
        let mut targets = vec![self.named("s3:PutObject", bucket, key)?];
        if is_tagged {
            targets.push(self.named("s3:PutObjectTagging", bucket, key)?);
        }
        Ok(targets)
    }

    fn named(&self, action: &'static str, bucket: &str, key: &str) -> Result<Target, Error> {
        self.resource(action, bucket, &format!("{}/{key}", Bucket::arn(bucket)))
    }

    fn resource(&self, action: &'static str, name: &str, arn: &str) -> Result<Target, Error> {
        self.owned(action, name, arn, self.at.caller.bucket_owners.own.as_deref())
    }

    /// A bucket or something in it, of the account that is expected, if one is.
    fn owned(
        &self,
        action: &'static str,
        name: &str,
        arn: &str,
        expected: Option<&str>,
    ) -> Result<Target, Error> {
        let (bucket, revision) = self.rooms.objects.bucket(name)?;
        if expected.is_some_and(|owner| owner != bucket.owner) {
            return Err(Error::AccessHidden {
                principal: String::new(),
                action: action.to_owned(),
            });
        }
        let policy = self.rooms.policies.of_bucket(name, &bucket);
        let resource = Resource {
            arn: arn.to_owned(),
            account: bucket.owner.clone(),
            guard: Guard::Beside(policy),
        };
        let row = RowId { table: Table::Bucket, key: name.as_bytes().to_vec() };
        let mut target = bare(action, resource);
        target.reads.push((row, revision));
        target.about.put("s3:ResourceAccount", &bucket.owner);
        if !self.at.caller.credential.is_anonymous() {
            target.about.put("s3:signatureversion", "AWS4-HMAC-SHA256");
        }
        Ok(target)
    }
}

const fn bare(action: &'static str, resource: Resource) -> Target {
    let about = kms::Known(Vec::new());
    Target { action, resource, key: None, alias: None, about, reads: Vec::new() }
}

fn tags(known: &mut kms::Known, family: &str, found: &Found) {
    let Some((attributes, _)) = found.version.object() else { return };
    for (name, value) in &attributes.tags {
        known.put(format!("{family}{name}"), value);
    }
}

/// What is said of a version, if one is.
pub(super) fn version(known: &mut kms::Known, version_id: Option<&str>) {
    if let Some(id) = version_id {
        known.put("s3:VersionId", id);
    }
}

/// What a request says of encryption.
pub(super) fn encryption(known: &mut kms::Known, asked: &objects::Asked) {
    let headers = [
        ("s3:x-amz-server-side-encryption", &asked.mode),
        ("s3:x-amz-server-side-encryption-aws-kms-key-id", &asked.key_id),
        ("s3:x-amz-server-side-encryption-customer-algorithm", &asked.customer_algorithm),
    ];
    for (name, value) in headers {
        if let Some(value) = value {
            known.put(name, value);
        }
    }
}

/// What a request says of what goes with an object.
pub(super) fn attributes(known: &mut kms::Known, given: &objects::Attributes) {
    for (name, value) in &given.tags {
        known.put(format!("s3:RequestObjectTag/{name}"), value);
    }
    if !given.tags.is_empty() {
        let names = given.tags.keys().cloned().collect();
        known.0.push(("s3:RequestObjectTagKeys".into(), kms::Values::Many(names)));
    }
    let class = given.headers.get("x-amz-storage-class").map_or("STANDARD", String::as_str);
    known.put("s3:x-amz-storage-class", class);
}

/// What a request for a list says.
pub(super) fn listing(
    known: &mut kms::Known,
    prefix: &str,
    delimiter: Option<&str>,
    max_keys: u32,
) {
    known.put("s3:prefix", prefix);
    if let Some(delimiter) = delimiter {
        known.put("s3:delimiter", delimiter);
    }
    known.put("s3:max-keys", max_keys.to_string());
}

/// What has to be so of an object that is there, or not.
pub(super) fn conditions(known: &mut kms::Known, given: &objects::Conditions) {
    let value = |etags: &objects::Etags| match etags {
        objects::Etags::Any => "*".to_owned(),
        objects::Etags::These(these) => these.join(","),
    };
    if let Some(etags) = &given.if_match {
        known.put("s3:if-match", value(etags));
    }
    if let Some(etags) = &given.if_none_match {
        known.put("s3:if-none-match", value(etags));
    }
}

/// Where a copy comes from.
pub(super) fn source(known: &mut kms::Known, bucket: &str, key: &str) {
    known.put("s3:x-amz-copy-source", format!("{bucket}/{key}"));
}
