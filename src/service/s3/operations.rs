//! The register of S3's operations: one entry each, as the register of keys has them (`operations.rs`).
//!
//! An entry names the request, whether it only reads, the action, what it is done to, what conditions of
//! policies see of it, which of its fields go into its record, and what is checked beside.
//!
//! Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".

use super::resources::{self, Look, Looked};
use crate::audit::Event;
use crate::iam::{Policy, PolicyKind};
use crate::kms::Known;
use crate::objects::{self, Objects, Request};
use crate::service::Error;
use crate::service::operation::{Circumstances, Executed, Operation, Rooms, Target};
use crate::service::operations::{Registered, record};
use crate::service::pending::Writes;
use crate::service::permit::Permit;

macro_rules! register {
    ($(
        $request:ident => $run:ident, $mode:ident $action:literal
        on $look:expr,
        $(sees $see:expr,)?
        $(checks $check:path,)?
        records [$($recorded:ident),*];
    )+) => {
        $(
            impl Operation for objects::$request {
                type Output = <objects::$request as Request>::Output;
                const NAME: &'static str = stringify!($request);
                const ACTION: &'static str = $action;
                const READ_ONLY: bool = register!(@mode $mode);
                const CROSS_ACCOUNT: bool = true;

                $(fn observe(&self, _action: &str, known: &mut Known) {
                    let see: fn(&Self, &mut Known) = $see;
                    see(self, known);
                })?

                fn targets(
                    &self,
                    rooms: &Rooms,
                    at: &Circumstances<'_>,
                ) -> Result<Vec<Target>, Error> {
                    let look: fn(&Self, &Look<'_>) -> Looked = $look;
                    look(self, &Look { rooms, at })
                }

                fn execute(
                    &self,
                    rooms: &Rooms,
                    at: &Circumstances<'_>,
                    permit: &Permit,
                ) -> Result<Executed<Self::Output>, Error> {
                    $($check(self)?;)?
                    let call = at.object_call(permit);
                    let run: fn(&Objects, &objects::Call<'_>, &Self)
                        -> Result<objects::Done<Self::Output>, objects::Error> = objects::$run;
                    let objects::Done { output, changes, reads } = run(&rooms.objects, &call, self)?;
                    let writes = Writes { changes, reads, log: None };
                    Ok(Executed { output, writes, key: None, key_version: None })
                }

                fn record(&self, event: &mut Event) {
                    $(record(event, stringify!($recorded), &self.$recorded);)*
                }
            }
        )+

        /// S3's part of the register.
        pub(in crate::service) const S3: &[Registered] = &[$(Registered {
            name: stringify!($request),
            action: $action,
            actions: &[$action],
            about: <objects::$request as Request>::ABOUT,
            read_only: register!(@mode $mode),
            dry_run: false,
        }),+];
    };
    (@mode reads) => { true };
    (@mode writes) => { false };
}

register! {
    AbortMultipartUpload => abort_multipart_upload, writes "s3:AbortMultipartUpload"
        on |asked, look| look.object("s3:AbortMultipartUpload", &asked.bucket, &asked.key),
        records [bucket, key, upload_id];
    CompleteMultipartUpload => complete_multipart_upload, writes "s3:PutObject"
        on |asked, look| look.object("s3:PutObject", &asked.bucket, &asked.key),
        sees |asked, known| resources::conditions(known, &asked.conditions),
        records [bucket, key, upload_id];
    CopyObject => copy_object, writes "s3:PutObject"
        on |asked, look| {
            let source = (
                asked.source_bucket.as_str(), asked.source_key.as_str(),
                asked.source_version_id.as_deref(),
            );
            let mut targets = look.source(["s3:GetObject", "s3:GetObjectVersion"], source)?;
            let tagged = asked.tags.as_ref().is_some_and(|tags| !tags.is_empty());
            targets.extend(look.written(&asked.bucket, &asked.key, tagged)?);
            Ok(targets)
        },
        sees |asked, known| {
            resources::encryption(known, &asked.encryption);
            resources::source(known, &asked.source_bucket, &asked.source_key);
            resources::conditions(known, &asked.conditions);
            if let Some(given) = &asked.attributes {
                resources::attributes(known, given);
                known.put("s3:x-amz-metadata-directive", "REPLACE");
            }
        },
        records [bucket, key, source_bucket, source_key, source_version_id, encryption];
    CreateBucket => create_bucket, writes "s3:CreateBucket"
        on |asked, look| look.new_bucket("s3:CreateBucket", &asked.bucket),
        sees |asked, known| {
            if let Some(location) = &asked.location {
                known.put("s3:LocationConstraint", location);
            }
            if let Some(ownership) = &asked.ownership {
                known.put("s3:x-amz-object-ownership", ownership);
            }
        },
        records [bucket, location, ownership];
    CreateMultipartUpload => create_multipart_upload, writes "s3:PutObject"
        on |asked, look| look.written(&asked.bucket, &asked.key, !asked.attributes.tags.is_empty()),
        sees |asked, known| {
            resources::encryption(known, &asked.encryption);
            resources::attributes(known, &asked.attributes);
        },
        records [bucket, key, encryption];
    DeleteBucket => delete_bucket, writes "s3:DeleteBucket"
        on |asked, look| look.bucket("s3:DeleteBucket", &asked.bucket), records [bucket];
    DeleteBucketCors => delete_bucket_cors, writes "s3:PutBucketCORS"
        on |asked, look| look.bucket("s3:PutBucketCORS", &asked.bucket), records [bucket];
    DeleteBucketEncryption => delete_bucket_encryption, writes "s3:PutEncryptionConfiguration"
        on |asked, look| look.bucket("s3:PutEncryptionConfiguration", &asked.bucket), records [bucket];
    DeleteBucketLifecycle => delete_bucket_lifecycle, writes "s3:PutLifecycleConfiguration"
        on |asked, look| look.bucket("s3:PutLifecycleConfiguration", &asked.bucket), records [bucket];
    DeleteBucketOwnershipControls => delete_bucket_ownership_controls,
        writes "s3:PutBucketOwnershipControls"
        on |asked, look| look.bucket("s3:PutBucketOwnershipControls", &asked.bucket), records [bucket];
    DeleteBucketPolicy => delete_bucket_policy, writes "s3:DeleteBucketPolicy"
        on |asked, look| look.own_policy("s3:DeleteBucketPolicy", &asked.bucket), records [bucket];
    DeleteBucketTagging => delete_bucket_tagging, writes "s3:PutBucketTagging"
        on |asked, look| look.bucket("s3:PutBucketTagging", &asked.bucket), records [bucket];
    DeleteObject => delete_object, writes "s3:DeleteObject"
        on |asked, look| {
            let action = asked.version_id.as_ref().map_or("s3:DeleteObject", |_| "s3:DeleteObjectVersion");
            look.object(action, &asked.bucket, &asked.key)
        },
        sees |asked, known| resources::version(known, asked.version_id.as_deref()),
        records [bucket, key, version_id];
    DeletePublicAccessBlock => delete_public_access_block, writes "s3:PutBucketPublicAccessBlock"
        on |asked, look| look.bucket("s3:PutBucketPublicAccessBlock", &asked.bucket), records [bucket];
    GetBucketAccelerateConfiguration => get_bucket_accelerate_configuration,
        reads "s3:GetAccelerateConfiguration"
        on |asked, look| look.bucket("s3:GetAccelerateConfiguration", &asked.bucket), records [bucket];
    GetBucketAcl => get_bucket_acl,
        reads "s3:GetBucketAcl"
        on |asked, look| look.bucket("s3:GetBucketAcl", &asked.bucket), records [bucket];
    GetBucketCors => get_bucket_cors, reads "s3:GetBucketCORS"
        on |asked, look| look.bucket("s3:GetBucketCORS", &asked.bucket), records [bucket];
    GetBucketEncryption => get_bucket_encryption, reads "s3:GetEncryptionConfiguration"
        on |asked, look| look.bucket("s3:GetEncryptionConfiguration", &asked.bucket), records [bucket];
    GetBucketLifecycleConfiguration => get_bucket_lifecycle_configuration,
        reads "s3:GetLifecycleConfiguration"
        on |asked, look| look.bucket("s3:GetLifecycleConfiguration", &asked.bucket), records [bucket];
    GetBucketLocation => get_bucket_location, reads "s3:GetBucketLocation"
        on |asked, look| look.bucket("s3:GetBucketLocation", &asked.bucket), records [bucket];
    GetBucketLogging => get_bucket_logging,
        reads "s3:GetBucketLogging"
        on |asked, look| look.bucket("s3:GetBucketLogging", &asked.bucket), records [bucket];
    GetBucketNotificationConfiguration => get_bucket_notification_configuration,
        reads "s3:GetBucketNotification"
        on |asked, look| look.bucket("s3:GetBucketNotification", &asked.bucket), records [bucket];
    GetBucketOwnershipControls => get_bucket_ownership_controls, reads "s3:GetBucketOwnershipControls"
        on |asked, look| look.bucket("s3:GetBucketOwnershipControls", &asked.bucket), records [bucket];
    GetBucketPolicy => get_bucket_policy, reads "s3:GetBucketPolicy"
        on |asked, look| look.own_policy("s3:GetBucketPolicy", &asked.bucket), records [bucket];
    GetBucketPolicyStatus => get_bucket_policy_status,
        reads "s3:GetBucketPolicyStatus"
        on |asked, look| look.bucket("s3:GetBucketPolicyStatus", &asked.bucket), records [bucket];
    GetBucketReplication => get_bucket_replication,
        reads "s3:GetReplicationConfiguration"
        on |asked, look| look.bucket("s3:GetReplicationConfiguration", &asked.bucket), records [bucket];
    GetBucketRequestPayment => get_bucket_request_payment,
        reads "s3:GetBucketRequestPayment"
        on |asked, look| look.bucket("s3:GetBucketRequestPayment", &asked.bucket), records [bucket];
    GetBucketTagging => get_bucket_tagging, reads "s3:GetBucketTagging"
        on |asked, look| look.bucket("s3:GetBucketTagging", &asked.bucket), records [bucket];
    GetBucketVersioning => get_bucket_versioning, reads "s3:GetBucketVersioning"
        on |asked, look| look.bucket("s3:GetBucketVersioning", &asked.bucket), records [bucket];
    GetBucketWebsite => get_bucket_website,
        reads "s3:GetBucketWebsite"
        on |asked, look| look.bucket("s3:GetBucketWebsite", &asked.bucket), records [bucket];
    GetObject => get_object, reads "s3:GetObject"
        on |asked, look| {
            let named = (asked.bucket.as_str(), asked.key.as_str(), asked.version_id.as_deref());
            look.read(["s3:GetObject", "s3:GetObjectVersion"], named)
        },
        sees |asked, known| resources::version(known, asked.version_id.as_deref()),
        records [bucket, key, version_id];
    GetObjectAcl => get_object_acl, reads "s3:GetObjectAcl"
        on |asked, look| {
            let named = (asked.bucket.as_str(), asked.key.as_str(), asked.version_id.as_deref());
            look.read(["s3:GetObjectAcl", "s3:GetObjectVersionAcl"], named)
        },
        sees |asked, known| resources::version(known, asked.version_id.as_deref()),
        records [bucket, key, version_id];
    GetObjectAttributes => get_object_attributes, reads "s3:GetObjectAttributes"
        on |asked, look| {
            let named = (asked.bucket.as_str(), asked.key.as_str(), asked.version_id.as_deref());
            let mut targets = look.read(["s3:GetObject", "s3:GetObjectVersion"], named)?;
            let action = asked.version_id.as_ref()
                .map_or("s3:GetObjectAttributes", |_| "s3:GetObjectVersionAttributes");
            targets.extend(look.object(action, &asked.bucket, &asked.key)?);
            Ok(targets)
        },
        sees |asked, known| resources::version(known, asked.version_id.as_deref()),
        records [bucket, key, version_id];
    GetObjectLockConfiguration => get_object_lock_configuration,
        reads "s3:GetBucketObjectLockConfiguration"
        on |asked, look| look.bucket("s3:GetBucketObjectLockConfiguration", &asked.bucket), records [bucket];
    GetObjectTagging => get_object_tagging, reads "s3:GetObjectTagging"
        on |asked, look| {
            let named = (asked.bucket.as_str(), asked.key.as_str(), asked.version_id.as_deref());
            look.read(["s3:GetObjectTagging", "s3:GetObjectVersionTagging"], named)
        },
        sees |asked, known| resources::version(known, asked.version_id.as_deref()),
        records [bucket, key, version_id];
    GetPublicAccessBlock => get_public_access_block, reads "s3:GetBucketPublicAccessBlock"
        on |asked, look| look.bucket("s3:GetBucketPublicAccessBlock", &asked.bucket), records [bucket];
    HeadBucket => head_bucket, reads "s3:ListBucket"
        on |asked, look| look.bucket("s3:ListBucket", &asked.bucket), records [bucket];
    HeadObject => head_object, reads "s3:GetObject"
        on |asked, look| {
            let named = (asked.bucket.as_str(), asked.key.as_str(), asked.version_id.as_deref());
            look.read(["s3:GetObject", "s3:GetObjectVersion"], named)
        },
        sees |asked, known| resources::version(known, asked.version_id.as_deref()),
        records [bucket, key, version_id];
    ListBuckets => list_buckets, reads "s3:ListAllMyBuckets"
        on |_, look| look.account("s3:ListAllMyBuckets"),
        records [prefix, region, max_buckets];
    ListMultipartUploads => list_multipart_uploads, reads "s3:ListBucketMultipartUploads"
        on |asked, look| look.bucket("s3:ListBucketMultipartUploads", &asked.bucket),
        records [bucket, prefix, delimiter, key_marker, max_uploads];
    ListObjectVersions => list_object_versions, reads "s3:ListBucketVersions"
        on |asked, look| look.bucket("s3:ListBucketVersions", &asked.bucket),
        sees |asked, known| {
            resources::listing(known, &asked.prefix, asked.delimiter.as_deref(), asked.max_keys);
        },
        records [bucket, prefix, delimiter, key_marker, max_keys];
    ListObjects => list_objects, reads "s3:ListBucket"
        on |asked, look| look.bucket("s3:ListBucket", &asked.bucket),
        sees |asked, known| {
            resources::listing(known, &asked.prefix, asked.delimiter.as_deref(), asked.max_keys);
        },
        records [bucket, prefix, delimiter, start_after, max_keys];
    ListParts => list_parts, reads "s3:ListMultipartUploadParts"
        on |asked, look| look.object("s3:ListMultipartUploadParts", &asked.bucket, &asked.key),
        records [bucket, key, upload_id, max_parts];
    PutBucketAcl => put_bucket_acl,
        writes "s3:PutBucketAcl"
        on |asked, look| look.bucket("s3:PutBucketAcl", &asked.bucket), records [bucket];
    PutBucketCors => put_bucket_cors, writes "s3:PutBucketCORS"
        on |asked, look| look.bucket("s3:PutBucketCORS", &asked.bucket),
        records [bucket, document];
    PutBucketEncryption => put_bucket_encryption, writes "s3:PutEncryptionConfiguration"
        on |asked, look| look.bucket("s3:PutEncryptionConfiguration", &asked.bucket),
        records [bucket, rule];
    PutBucketLifecycleConfiguration => put_bucket_lifecycle_configuration,
        writes "s3:PutLifecycleConfiguration"
        on |asked, look| look.bucket("s3:PutLifecycleConfiguration", &asked.bucket),
        records [bucket, document];
    PutBucketOwnershipControls => put_bucket_ownership_controls, writes "s3:PutBucketOwnershipControls"
        on |asked, look| look.bucket("s3:PutBucketOwnershipControls", &asked.bucket),
        records [bucket, document];
    PutBucketPolicy => put_bucket_policy, writes "s3:PutBucketPolicy"
        on |asked, look| look.own_policy("s3:PutBucketPolicy", &asked.bucket),
        checks bucket_policy,
        records [bucket, policy];
    PutBucketTagging => put_bucket_tagging, writes "s3:PutBucketTagging"
        on |asked, look| look.bucket("s3:PutBucketTagging", &asked.bucket),
        records [bucket, document];
    PutBucketVersioning => put_bucket_versioning, writes "s3:PutBucketVersioning"
        on |asked, look| look.bucket("s3:PutBucketVersioning", &asked.bucket),
        records [bucket, status];
    PutObject => put_object, writes "s3:PutObject"
        on |asked, look| look.written(&asked.bucket, &asked.key, !asked.attributes.tags.is_empty()),
        sees |asked, known| {
            resources::encryption(known, &asked.encryption);
            resources::attributes(known, &asked.attributes);
            resources::conditions(known, &asked.conditions);
        },
        records [bucket, key, encryption];
    PutObjectAcl => put_object_acl, writes "s3:PutObjectAcl"
        on |asked, look| {
            let named = (asked.bucket.as_str(), asked.key.as_str(), asked.version_id.as_deref());
            look.read(["s3:PutObjectAcl", "s3:PutObjectVersionAcl"], named)
        },
        sees |asked, known| resources::version(known, asked.version_id.as_deref()),
        records [bucket, key, version_id];
    PutObjectTagging => put_object_tagging, writes "s3:PutObjectTagging"
        on |asked, look| {
            let named = (asked.bucket.as_str(), asked.key.as_str(), asked.version_id.as_deref());
            let actions = match asked.tags.is_empty() {
                true => ["s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"],
                false => ["s3:PutObjectTagging", "s3:PutObjectVersionTagging"],
            };
            look.read(actions, named)
        },
        sees |asked, known| {
            resources::version(known, asked.version_id.as_deref());
            for (name, value) in &asked.tags {
                known.put(format!("s3:RequestObjectTag/{name}"), value);
            }
        },
        records [bucket, key, version_id, tags];
    PutPublicAccessBlock => put_public_access_block, writes "s3:PutBucketPublicAccessBlock"
        on |asked, look| look.bucket("s3:PutBucketPublicAccessBlock", &asked.bucket),
        records [bucket, document];
    UpdateObjectEncryption => update_object_encryption, writes "s3:UpdateObjectEncryption"
        on |asked, look| look.object("s3:UpdateObjectEncryption", &asked.bucket, &asked.key),
        sees |asked, known| resources::version(known, asked.version_id.as_deref()),
        records [bucket, key, version_id, kms_key_arn, bucket_key];
    UploadPart => upload_part, writes "s3:PutObject"
        on |asked, look| {
            let mut targets = look.object("s3:PutObject", &asked.bucket, &asked.key)?;
            if let Some((bucket, key, version)) = &asked.source {
                let named = (bucket.as_str(), key.as_str(), version.as_deref());
                targets.extend(look.source(["s3:GetObject", "s3:GetObjectVersion"], named)?);
            }
            Ok(targets)
        },
        sees |asked, known| {
            if let Some((bucket, key, _)) = &asked.source {
                resources::source(known, bucket, key);
            }
        },
        records [bucket, key, upload_id, part_number, source];
}

/// A policy is stored when it can be obeyed.
fn bucket_policy(asked: &objects::PutBucketPolicy) -> Result<(), Error> {
    let malformed = |why: crate::iam::Malformed| objects::Error::MalformedPolicy(why.0);
    Policy::parse("bucket policy", &asked.policy, PolicyKind::Bucket).map_err(malformed)?;
    Ok(())
}
