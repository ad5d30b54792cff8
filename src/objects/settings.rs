//! Operations on what a bucket is set to.

use super::bucket::{Bucket, EncryptionRule, Versioning};
use super::directory::{Call, Done, Objects};
use super::public::is_public;
use super::requests::*;
use super::{Error, row};
use crate::store::Change;

/// `GetBucketVersioning`
///
/// # Errors
/// [`Error::NoSuchBucket`]
pub fn get_bucket_versioning(
    objects: &Objects,
    _: &Call<'_>,
    request: &GetBucketVersioning,
) -> Result<Done<Option<Versioning>>, Error> {
    show(objects, &request.bucket, |bucket| Ok(bucket.versioning))
}

/// `PutBucketVersioning`. A bucket that once kept versions never goes back to one that did not.
///
/// # Errors
/// [`Error::NoSuchBucket`], [`Error::IllegalVersioning`] without a status.
pub fn put_bucket_versioning(
    objects: &Objects,
    _: &Call<'_>,
    request: &PutBucketVersioning,
) -> Result<Done<()>, Error> {
    let status = request.status.ok_or(Error::IllegalVersioning)?;
    set(objects, &request.bucket, |bucket| bucket.versioning = Some(status))
}

/// `GetBucketEncryption`
///
/// # Errors
/// [`Error::NoSuchBucket`]; [`Error::NotSet`] of a bucket that leaves its objects in clear and blocks nothing.
pub fn get_bucket_encryption(
    objects: &Objects,
    _: &Call<'_>,
    request: &GetBucketEncryption,
) -> Result<Done<EncryptionRule>, Error> {
    show(objects, &request.bucket, |bucket| match &bucket.encryption {
        rule if rule.algorithm.is_some() || !rule.blocked.is_empty() => Ok(rule.clone()),
        _ => Err(Error::NotSet(
            "ServerSideEncryptionConfigurationNotFoundError",
            "The server side encryption configuration was not found",
        )),
    })
}

/// `PutBucketEncryption`
///
/// # Errors
/// [`Error::NoSuchBucket`]; [`Error::Encryption`] for a rule that cannot be; [`Error::MalformedXml`] for
/// blocked types that there are not.
pub fn put_bucket_encryption(
    objects: &Objects,
    _: &Call<'_>,
    request: &PutBucketEncryption,
) -> Result<Done<()>, Error> {
    let rule = &request.rule;
    rule.check()?;
    if !rule.blocked.iter().all(|kind| ["SSE-C", "NONE"].contains(&kind.as_str())) {
        return Err(Error::MalformedXml);
    }
    set(objects, &request.bucket, |bucket| bucket.encryption = rule.clone())
}

/// `DeleteBucketEncryption`
///
/// # Errors
/// [`Error::NoSuchBucket`]
pub fn delete_bucket_encryption(
    objects: &Objects,
    _: &Call<'_>,
    request: &DeleteBucketEncryption,
) -> Result<Done<()>, Error> {
    set(objects, &request.bucket, |bucket| bucket.encryption = EncryptionRule::default())
}

/// `GetBucketPolicy`
///
/// # Errors
/// [`Error::NoSuchBucket`], [`Error::NotTheOwners`], [`Error::NotSet`].
pub fn get_bucket_policy(
    objects: &Objects,
    call: &Call<'_>,
    request: &GetBucketPolicy,
) -> Result<Done<String>, Error> {
    check_owner(objects, call, &request.bucket)?;
    let missing = || Error::NotSet("NoSuchBucketPolicy", "The bucket policy does not exist");
    show(objects, &request.bucket, |bucket| bucket.policy.clone().ok_or_else(missing))
}

/// `PutBucketPolicy`. What the policy says is for who decides by it to check.
///
/// # Errors
/// [`Error::NoSuchBucket`], [`Error::NotTheOwners`]; [`Error::MalformedPolicy`] for more than 20 KiB.
pub fn put_bucket_policy(
    objects: &Objects,
    call: &Call<'_>,
    request: &PutBucketPolicy,
) -> Result<Done<()>, Error> {
    check_owner(objects, call, &request.bucket)?;
    if request.policy.len() > POLICY_LEN {
        return Err(Error::MalformedPolicy("Policies must not be larger than 20 KB".to_owned()));
    }
    set(objects, &request.bucket, |bucket| bucket.policy = Some(request.policy.clone()))
}

/// `DeleteBucketPolicy`
///
/// # Errors
/// [`Error::NoSuchBucket`], [`Error::NotTheOwners`].
pub fn delete_bucket_policy(
    objects: &Objects,
    call: &Call<'_>,
    request: &DeleteBucketPolicy,
) -> Result<Done<()>, Error> {
    check_owner(objects, call, &request.bucket)?;
    set(objects, &request.bucket, |bucket| bucket.policy = None)
}

/// A bucket's policy is its own account's, also where it lets others in (API reference, `PutBucketPolicy`).
fn check_owner(objects: &Objects, call: &Call<'_>, bucket: &str) -> Result<(), Error> {
    let (bucket, _) = objects.bucket(bucket)?;
    if bucket.owner == call.account { Ok(()) } else { Err(Error::NotTheOwners) }
}

/// The operations on documents that are kept as they came; what is answered where there is none.
macro_rules! documents {
    ($($setting:ident: $put:ident $put_request:ident, $get:ident $get_request:ident,
        $delete:ident $delete_request:ident; $code:literal $message:literal;)+) => {
        $(
            #[doc = concat!("`", stringify!($put_request), "`")]
            ///
            /// # Errors
            /// [`Error::NoSuchBucket`]; [`Error::MalformedXml`] for more than 256 KiB.
            pub fn $put(
                objects: &Objects,
                _: &Call<'_>,
                request: &$put_request,
            ) -> Result<Done<()>, Error> {
                if request.document.len() > DOCUMENT_LEN {
                    return Err(Error::MalformedXml);
                }
                set(objects, &request.bucket, |bucket| {
                    bucket.settings.insert(Setting::$setting, request.document.clone());
                })
            }

            #[doc = concat!("`", stringify!($get_request), "`")]
            ///
            /// # Errors
            /// [`Error::NoSuchBucket`], [`Error::NotSet`].
            pub fn $get(
                objects: &Objects,
                _: &Call<'_>,
                request: &$get_request,
            ) -> Result<Done<String>, Error> {
                show(objects, &request.bucket, |bucket| {
                    let document = bucket.settings.get(&Setting::$setting).cloned();
                    document.ok_or(Error::NotSet($code, $message))
                })
            }

            #[doc = concat!("`", stringify!($delete_request), "`")]
            ///
            /// # Errors
            /// [`Error::NoSuchBucket`]
            pub fn $delete(
                objects: &Objects,
                _: &Call<'_>,
                request: &$delete_request,
            ) -> Result<Done<()>, Error> {
                set(objects, &request.bucket, |bucket| {
                    bucket.settings.remove(&Setting::$setting);
                })
            }
        )+
    };
}

documents! {
    Cors: put_bucket_cors PutBucketCors, get_bucket_cors GetBucketCors,
        delete_bucket_cors DeleteBucketCors;
        "NoSuchCORSConfiguration" "The CORS configuration does not exist";
    Lifecycle: put_bucket_lifecycle_configuration PutBucketLifecycleConfiguration,
        get_bucket_lifecycle_configuration GetBucketLifecycleConfiguration,
        delete_bucket_lifecycle DeleteBucketLifecycle;
        "NoSuchLifecycleConfiguration" "The lifecycle configuration does not exist";
    Ownership: put_bucket_ownership_controls PutBucketOwnershipControls,
        get_bucket_ownership_controls GetBucketOwnershipControls,
        delete_bucket_ownership_controls DeleteBucketOwnershipControls;
        "OwnershipControlsNotFoundError" "The bucket ownership controls were not found";
    PublicAccess: put_public_access_block PutPublicAccessBlock,
        get_public_access_block GetPublicAccessBlock,
        delete_public_access_block DeletePublicAccessBlock;
        "NoSuchPublicAccessBlockConfiguration" "The public access block configuration was not found";
    Tagging: put_bucket_tagging PutBucketTagging, get_bucket_tagging GetBucketTagging,
        delete_bucket_tagging DeleteBucketTagging;
        "NoSuchTagSet" "The TagSet does not exist";
}

/// `GetBucketPolicyStatus`
///
/// # Errors
/// [`Error::NoSuchBucket`], [`Error::NotSet`].
pub fn get_bucket_policy_status(
    objects: &Objects,
    _: &Call<'_>,
    request: &GetBucketPolicyStatus,
) -> Result<Done<bool>, Error> {
    let missing = || Error::NotSet("NoSuchBucketPolicy", "The bucket policy does not exist");
    show(objects, &request.bucket, |bucket| {
        bucket.policy.as_deref().map(is_public).ok_or_else(missing)
    })
}

/// The operations that ask for what no bucket is set to here.
macro_rules! unset {
    ($($get:ident $request:ident $answer:expr;)+) => {
        $(
            #[doc = concat!("`", stringify!($request), "`: it is not set.")]
            ///
            /// # Errors
            /// [`Error::NoSuchBucket`]; [`Error::NotSet`] where AWS says so.
            pub fn $get(
                objects: &Objects,
                _: &Call<'_>,
                request: &$request,
            ) -> Result<Done<()>, Error> {
                show(objects, &request.bucket, |_| $answer)
            }
        )+
    };
}

unset! {
    get_bucket_accelerate_configuration GetBucketAccelerateConfiguration Ok(());
    get_bucket_logging GetBucketLogging Ok(());
    get_bucket_notification_configuration GetBucketNotificationConfiguration Ok(());
    get_bucket_replication GetBucketReplication Err(Error::NotSet(
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    ));
    get_bucket_request_payment GetBucketRequestPayment Ok(());
    get_bucket_website GetBucketWebsite Err(Error::NotSet(
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ));
    get_object_lock_configuration GetObjectLockConfiguration Err(Error::NotSet(
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ));
}

/// What a bucket says.
fn show<T>(
    objects: &Objects,
    name: &str,
    what: impl FnOnce(&Bucket) -> Result<T, Error>,
) -> Result<Done<T>, Error> {
    let memory = objects.read();
    let home = memory.home(name)?;
    Ok(Done::reading(what(home.bucket)?, [home.read()]))
}

/// A bucket changed.
fn set(objects: &Objects, name: &str, change: impl FnOnce(&mut Bucket)) -> Result<Done<()>, Error> {
    let memory = objects.read();
    let home = memory.home(name)?;
    let mut bucket = Bucket::clone(home.bucket);
    change(&mut bucket);
    let value = Some(row::encode(&bucket)?);
    let change = Change { row: row::bucket(name), expected: home.revision, value };
    Ok(Done::reading((), []).changing(vec![change]))
}

/// Bytes of a policy at the most (S3 User Guide, "Bucket policies").
const POLICY_LEN: usize = 20 << 10;

/// Bytes of another document at the most. Ours; AWS counts rules.
const DOCUMENT_LEN: usize = 256 << 10;
