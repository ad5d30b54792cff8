//! What operations take: one type each, by the API's names.
//!
//! Source: Amazon S3 API Reference (2006-03-01). A member that the API has and that is not here is
//! refused by the door, or means nothing where there is one machine.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::outputs::*;
use super::version::{Attributes, Body, Sealed, Version};
use super::{EncryptionRule, Versioning};
use crate::sse::BucketEncryption;

/// One operation's request.
pub trait Request {
    /// What it is answered.
    type Output;
    /// What it does, in a sentence.
    const ABOUT: &'static str;
}

macro_rules! requests {
    ($($(#[$about:meta])+ $name:ident -> $output:ty, $text:expr, { $($(#[$doc:meta])* $field:ident: $type:ty,)* })+) => {
        $(
            $(#[$about])+
            #[derive(Debug, Clone, Default, PartialEq)]
            pub struct $name { $($(#[$doc])* pub $field: $type,)* }

            impl Request for $name {
                type Output = $output;
                const ABOUT: &'static str = $text;
            }
        )+
    };
}

/// What has to be so of an object for a request to be done (RFC 9110, section 13.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `If-Match`
    pub if_match: Option<Etags>,
    /// `If-None-Match`
    pub if_none_match: Option<Etags>,
    /// `If-Modified-Since`
    pub if_modified_since: Option<DateTime<Utc>>,
    /// `If-Unmodified-Since`
    pub if_unmodified_since: Option<DateTime<Utc>>,
}

/// What an ETag is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Etags {
    /// `*`: any object there is.
    Any,
    /// One of these, without their quotes.
    These(Vec<String>),
}

/// What a request's headers say of encryption, for conditions of policies: what was not said is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// `x-amz-server-side-encryption`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// `x-amz-server-side-encryption-aws-kms-key-id`, a full ARN where it could be resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// `x-amz-server-side-encryption-customer-algorithm`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_algorithm: Option<String>,
}

/// An object of a request that names many.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its key.
    pub key: String,
    /// The version that is meant; the latest one when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// The ETag that it has to have.
    #[serde(skip)]
    pub etag: Option<String>,
}

/// A part that an upload is completed with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompletedPart {
    /// From 1 to 10,000.
    pub number: u16,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its checksums, as base64: header name and value.
    pub checksums: Vec<(String, String)>,
}

/// What a bucket is set to beside versioning, encryption and policy. The document is kept as it came.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// `PutBucketCors`
    Cors,
    /// `PutBucketLifecycleConfiguration`
    Lifecycle,
    /// `PutBucketOwnershipControls`
    Ownership,
    /// `PutPublicAccessBlock`
    PublicAccess,
    /// `PutBucketTagging`
    Tagging,
}

requests! {
    /// `CreateBucket`
    CreateBucket -> (), "Makes a bucket", {
        /// 3 to 63 characters.
        bucket: String,
        /// `LocationConstraint`; the caller's region where there is none.
        location: Option<String>,
        /// `x-amz-object-ownership`
        ownership: Option<String>,
    }
    /// `DeleteBucket`
    DeleteBucket -> (), "Removes a bucket in which nothing is", {
        /// Its name.
        bucket: String,
    }
    /// `HeadBucket`
    HeadBucket -> BucketLocation, "Whether a bucket is there and may be used", {
        /// Its name.
        bucket: String,
    }
    /// `GetBucketLocation`
    GetBucketLocation -> BucketLocation, "The region of a bucket", {
        /// Its name.
        bucket: String,
    }
    /// `ListBuckets`
    ListBuckets -> BucketList, "The buckets of the caller's account", {
        /// What names begin with.
        prefix: String,
        /// Only those of this region.
        region: Option<String>,
        /// As an answer before gave it.
        continuation_token: Option<String>,
        /// 1 to 10,000; all when there is none.
        max_buckets: Option<u32>,
    }

    /// `GetBucketVersioning`
    GetBucketVersioning -> Option<Versioning>, "Whether a bucket keeps versions", {
        /// Its name.
        bucket: String,
    }
    /// `PutBucketVersioning`
    PutBucketVersioning -> (), "Says whether a bucket keeps versions", {
        /// Its name.
        bucket: String,
        /// From now on.
        status: Option<Versioning>,
    }
    /// `GetBucketEncryption`
    GetBucketEncryption -> EncryptionRule, "What a bucket's objects are sealed with unless they say otherwise", {
        /// Its name.
        bucket: String,
    }
    /// `PutBucketEncryption`
    PutBucketEncryption -> (), "Says what a bucket's objects are sealed with unless they say otherwise", {
        /// Its name.
        bucket: String,
        /// From now on.
        rule: EncryptionRule,
    }
    /// `DeleteBucketEncryption`
    DeleteBucketEncryption -> (), "Puts a bucket's default encryption back to SSE-S3", {
        /// Its name.
        bucket: String,
    }
    /// `GetBucketPolicy`
    GetBucketPolicy -> String, "The policy of a bucket", {
        /// Its name.
        bucket: String,
    }
    /// `PutBucketPolicy`
    PutBucketPolicy -> (), "Puts a policy on a bucket", {
        /// Its name.
        bucket: String,
        /// JSON, at most 20 KiB.
        policy: String,
    }
    /// `DeleteBucketPolicy`
    DeleteBucketPolicy -> (), "Takes a bucket's policy away", {
        /// Its name.
        bucket: String,
    }

    /// `GetBucketAcl`
    GetBucketAcl -> BucketLocation, "Whose a bucket is: its list of grants has one", {
        /// Its name.
        bucket: String,
    }
    /// `PutBucketAcl`
    PutBucketAcl -> BucketLocation, "Says that a bucket is its owner's alone, as every one is", {
        /// Its name.
        bucket: String,
    }
    /// `GetObjectAcl`
    GetObjectAcl -> Found, "Whose an object is: its list of grants has one", {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// The latest one when there is none.
        version_id: Option<String>,
    }
    /// `PutObjectAcl`
    PutObjectAcl -> Found, "Says that an object is its owner's alone, as every one is", {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// The latest one when there is none.
        version_id: Option<String>,
    }
    /// `GetBucketPolicyStatus`
    GetBucketPolicyStatus -> bool, "Whether a bucket's policy makes it public", {
        /// Its name.
        bucket: String,
    }
    /// `GetBucketAccelerateConfiguration`
    GetBucketAccelerateConfiguration -> (), "How a bucket is accelerated: it is not", {
        /// Its name.
        bucket: String,
    }
    /// `GetBucketLogging`
    GetBucketLogging -> (), "Where a bucket's accesses are logged: nowhere but in the trail", {
        /// Its name.
        bucket: String,
    }
    /// `GetBucketNotificationConfiguration`
    GetBucketNotificationConfiguration -> (), "Who is told of a bucket's changes: nobody", {
        /// Its name.
        bucket: String,
    }
    /// `GetBucketReplication`
    GetBucketReplication -> (), "Where a bucket is replicated to: nowhere", {
        /// Its name.
        bucket: String,
    }
    /// `GetBucketRequestPayment`
    GetBucketRequestPayment -> (), "Who pays for requests: the owner", {
        /// Its name.
        bucket: String,
    }
    /// `GetBucketWebsite`
    GetBucketWebsite -> (), "How a bucket is a website: it is none", {
        /// Its name.
        bucket: String,
    }
    /// `GetObjectLockConfiguration`
    GetObjectLockConfiguration -> (), "How a bucket locks its objects: it does not", {
        /// Its name.
        bucket: String,
    }

    /// `ListObjects`, `ListObjectsV2`
    ListObjects -> ObjectList, "The objects of a bucket", {
        /// Its name.
        bucket: String,
        /// What keys begin with.
        prefix: String,
        /// What groups keys.
        delimiter: Option<String>,
        /// After which key (`marker`, `start-after`).
        start_after: Option<String>,
        /// `continuation-token`; comes before `start_after`.
        continuation_token: Option<String>,
        /// 0 to 1,000.
        max_keys: u32,
    }
    /// `ListObjectVersions`
    ListObjectVersions -> VersionList, "The versions of a bucket's objects", {
        /// Its name.
        bucket: String,
        /// What keys begin with.
        prefix: String,
        /// What groups keys.
        delimiter: Option<String>,
        /// After which key.
        key_marker: Option<String>,
        /// After which version of that key.
        version_id_marker: Option<String>,
        /// 0 to 1,000.
        max_keys: u32,
    }

    /// `HeadObject`
    HeadObject -> Found, "What is known of an object", {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// The latest one when there is none.
        version_id: Option<String>,
        /// What has to be so.
        conditions: Conditions,
    }
    /// `GetObject`
    GetObject -> Found, "An object", {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// The latest one when there is none.
        version_id: Option<String>,
        /// What has to be so.
        conditions: Conditions,
    }
    /// `GetObjectAttributes`
    GetObjectAttributes -> Found, "What is known of an object, as much of it as is asked for", {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// The latest one when there is none.
        version_id: Option<String>,
    }
    /// `PutObject`, and the object that `POST` of a form makes
    PutObject -> Written, "Writes an object", {
        /// Its bucket.
        bucket: String,
        /// Its key: 1 to 1,024 bytes of UTF-8.
        key: String,
        /// What goes with its bytes.
        attributes: Attributes,
        /// `If-Match`, `If-None-Match`.
        conditions: Conditions,
        /// What its headers say of encryption.
        encryption: Asked,
        /// Its bytes, once they are stored.
        body: Option<Body>,
    }
    /// `CopyObject`
    CopyObject -> Written, "Writes an object with another one's bytes", {
        /// The target's bucket.
        bucket: String,
        /// The target's key.
        key: String,
        /// The source's bucket.
        source_bucket: String,
        /// The source's key.
        source_key: String,
        /// The source's version; the latest one when there is none.
        source_version_id: Option<String>,
        /// The version whose bytes were copied, once they are.
        source: Option<std::sync::Arc<Version>>,
        /// Of the source.
        source_conditions: Conditions,
        /// `x-amz-metadata-directive: REPLACE`: what goes with the bytes instead of what the source has.
        attributes: Option<Attributes>,
        /// Attributes that are the request's own, whatever is copied: storage class and redirect.
        own: std::collections::BTreeMap<String, String>,
        /// `x-amz-tagging-directive: REPLACE`: the tags instead of the source's.
        tags: Option<std::collections::BTreeMap<String, String>>,
        /// Of the target.
        conditions: Conditions,
        /// What its headers say of encryption.
        encryption: Asked,
        /// The target's bytes, once they are stored.
        body: Option<Body>,
    }
    /// `DeleteObject`
    DeleteObject -> Deleted, "Removes an object, or a version of it", {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// The version that is to go; none hides the object behind a marker where versions are kept.
        version_id: Option<String>,
        /// `If-Match`
        if_match: Option<Etags>,
    }
    /// `UpdateObjectEncryption`
    UpdateObjectEncryption -> Found, "Moves an object to another KMS key without touching its bytes", {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// The latest one when there is none.
        version_id: Option<String>,
        /// `KMSKeyArn`
        kms_key_arn: String,
        /// `BucketKeyEnabled`
        bucket_key: bool,
        /// The new envelope, and the old one in whose place it comes; once it is sealed.
        sealed: Option<(Sealed, Sealed)>,
    }
    /// `GetObjectTagging`
    GetObjectTagging -> Tags, "The tags of an object", {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// The latest one when there is none.
        version_id: Option<String>,
    }
    /// `PutObjectTagging`, `DeleteObjectTagging`
    PutObjectTagging -> Tags, "Puts tags on an object in place of those it has", {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// The latest one when there is none.
        version_id: Option<String>,
        /// At most 10.
        tags: std::collections::BTreeMap<String, String>,
    }

    /// `CreateMultipartUpload`
    CreateMultipartUpload -> UploadBegun, "Begins an upload in parts", {
        /// The object's bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// What goes with its bytes.
        attributes: Attributes,
        /// What its headers say of encryption.
        encryption: Asked,
        /// The upload's envelope, once it is sealed; none for an object in clear.
        envelope: Option<Vec<u8>>,
        /// `x-amz-checksum-algorithm`: `CRC32C` and the like.
        checksum: Option<String>,
        /// `x-amz-checksum-type`: whether the object's checksum is of all its bytes.
        full_object: bool,
    }
    /// `UploadPart`, `UploadPartCopy`
    UploadPart -> PartWritten, "Writes a part of an upload", {
        /// The object's bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// Of `CreateMultipartUpload`.
        upload_id: String,
        /// 1 to 10,000.
        part_number: u16,
        /// What it is copied from: bucket, key, version.
        source: Option<(String, String, Option<String>)>,
        /// Its bytes, once they are stored.
        body: Option<super::Part>,
    }
    /// `CompleteMultipartUpload`
    CompleteMultipartUpload -> Written, "Makes an object of an upload's parts", {
        /// The object's bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// Of `CreateMultipartUpload`.
        upload_id: String,
        /// In order.
        parts: Vec<CompletedPart>,
        /// `If-Match`, `If-None-Match`.
        conditions: Conditions,
        /// The checksum that the object is to have: header name, and base64.
        checksum: Option<(String, String)>,
        /// `x-amz-mp-object-size`: how many bytes it is to have.
        size: Option<u64>,
        /// The object, once what is known of it is sealed.
        body: Option<Body>,
    }
    /// `AbortMultipartUpload`
    AbortMultipartUpload -> Removed, "Throws an upload in parts away", {
        /// The object's bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// Of `CreateMultipartUpload`.
        upload_id: String,
    }
    /// `ListParts`
    ListParts -> PartList, "The parts of an upload so far", {
        /// The object's bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// Of `CreateMultipartUpload`.
        upload_id: String,
        /// After which part.
        part_number_marker: u16,
        /// 1 to 1,000.
        max_parts: u32,
    }
    /// `ListMultipartUploads`
    ListMultipartUploads -> UploadList, "The uploads in parts that are not ended", {
        /// Their bucket.
        bucket: String,
        /// What keys begin with.
        prefix: String,
        /// What groups keys.
        delimiter: Option<String>,
        /// After which key.
        key_marker: Option<String>,
        /// After which upload of that key.
        upload_id_marker: Option<String>,
        /// 0 to 1,000.
        max_uploads: u32,
    }
}

macro_rules! settings {
    ($($put:ident $get:ident $delete:ident $setting:ident $what:literal;)+) => {
        $(
            requests! {
                #[doc = concat!("`", stringify!($put), "`")]
                $put -> (), concat!("Sets a bucket's ", $what), {
                    /// Its name.
                    bucket: String,
                    /// The request's document, XML.
                    document: String,
                }
                #[doc = concat!("`", stringify!($get), "`")]
                $get -> String, concat!("A bucket's ", $what), {
                    /// Its name.
                    bucket: String,
                }
                #[doc = concat!("`", stringify!($delete), "`")]
                $delete -> (), concat!("Takes away a bucket's ", $what), {
                    /// Its name.
                    bucket: String,
                }
            }
        )+
    };
}

settings! {
    PutBucketCors GetBucketCors DeleteBucketCors Cors "rules for pages of other sites";
    PutBucketLifecycleConfiguration GetBucketLifecycleConfiguration DeleteBucketLifecycle Lifecycle "rules of age";
    PutBucketOwnershipControls GetBucketOwnershipControls DeleteBucketOwnershipControls Ownership "ownership controls";
    PutPublicAccessBlock GetPublicAccessBlock DeletePublicAccessBlock PublicAccess "block of public access";
    PutBucketTagging GetBucketTagging DeleteBucketTagging Tagging "tags";
}

/// What a bucket's rule means to a request that does not say.
impl From<&EncryptionRule> for BucketEncryption {
    fn from(rule: &EncryptionRule) -> Self {
        rule.meaning()
    }
}
