//! Buckets: one translation each way an operation.

use chrono::{DateTime, Utc};
use s3s::dto::{self, Timestamp};

use super::asked::{check_supported, no_lists};
use super::exchange::{Call, Handled, Stop};
use crate::objects;

/// A time as `s3s` has it.
pub(super) fn timestamp(time: DateTime<Utc>) -> Timestamp {
    Timestamp::from(std::time::SystemTime::from(time))
}

/// An account, as the owner of something.
pub(super) fn owner(account: &str) -> dto::Owner {
    dto::Owner { display_name: None, id: Some(account.to_owned()) }
}

/// A count that is known to be small.
pub(super) fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A number of the query, from 0 to `most`.
pub(super) fn limit(
    given: Option<i32>,
    most: u32,
    name: &'static str,
) -> Result<u32, objects::Error> {
    let Some(given) = given else { return Ok(most) };
    u32::try_from(given).map(|given| given.min(most)).map_err(|_| objects::Error::InvalidArgument {
        message: format!("Argument {name} must be an integer between 0 and 2147483647"),
        name,
        value: given.to_string(),
    })
}

pub(super) async fn create_bucket(
    call: Call<dto::CreateBucketInput>,
) -> Handled<dto::CreateBucketOutput> {
    check_supported(&call.exchange.headers)?;
    let input = &call.input;
    let configuration = input.create_bucket_configuration.as_ref();
    if configuration.is_some_and(|it| it.bucket.is_some() || it.location.is_some()) {
        let what = "directory buckets".to_owned();
        return Err(objects::Error::NotImplemented(what).into());
    }
    let location = configuration.and_then(|it| it.location_constraint.as_ref());
    let headers = &call.exchange.headers;
    let ownership = crate::transport::sigv4::header(headers, "x-amz-object-ownership");
    let bucket = input.bucket.clone();
    let request = objects::CreateBucket {
        bucket: bucket.clone(),
        location: location.map(|it| it.as_str().to_owned()).filter(|it| !it.is_empty()),
        ownership: ownership.map(str::to_owned),
    };
    call.walk(request).await?;
    Ok(dto::CreateBucketOutput { location: Some(format!("/{bucket}")) })
}

pub(super) async fn delete_bucket(
    call: Call<dto::DeleteBucketInput>,
) -> Handled<dto::DeleteBucketOutput> {
    check_supported(&call.exchange.headers)?;
    let bucket = call.input.bucket.clone();
    call.walk(objects::DeleteBucket { bucket }).await?;
    Ok(dto::DeleteBucketOutput::default())
}

pub(super) async fn head_bucket(
    call: Call<dto::HeadBucketInput>,
) -> Handled<dto::HeadBucketOutput> {
    check_supported(&call.exchange.headers)?;
    let bucket = call.input.bucket.clone();
    let found = call.walk(objects::HeadBucket { bucket }).await?;
    Ok(dto::HeadBucketOutput { bucket_region: Some(found.region), ..Default::default() })
}

pub(super) async fn get_bucket_location(
    call: Call<dto::GetBucketLocationInput>,
) -> Handled<dto::GetBucketLocationOutput> {
    check_supported(&call.exchange.headers)?;
    let bucket = call.input.bucket.clone();
    let found = call.walk(objects::GetBucketLocation { bucket }).await?;
    // AWS's first region has no name here.
    let named = Some(found.region).filter(|region| region != "us-east-1");
    Ok(dto::GetBucketLocationOutput { location_constraint: named.map(Into::into) })
}

pub(super) async fn list_buckets(
    call: Call<dto::ListBucketsInput>,
) -> Handled<dto::ListBucketsOutput> {
    let input = &call.input;
    let max_buckets = match input.max_buckets {
        None => None,
        Some(given) => match u32::try_from(given) {
            Ok(given @ 1..=10_000) => Some(given),
            _ => {
                return Err(objects::Error::InvalidArgument {
                    message: "Argument max-buckets must be an integer between 1 and 10000"
                        .to_owned(),
                    name: "max-buckets",
                    value: given.to_string(),
                }
                .into());
            }
        },
    };
    let prefix = input.prefix.clone();
    let request = objects::ListBuckets {
        prefix: prefix.clone().unwrap_or_default(),
        region: input.bucket_region.clone(),
        continuation_token: input.continuation_token.clone(),
        max_buckets,
    };
    let found = call.walk(request).await?;
    let buckets = found.buckets.into_iter().map(|bucket| dto::Bucket {
        bucket_region: Some(bucket.region),
        creation_date: Some(timestamp(bucket.created)),
        name: Some(bucket.name),
    });
    Ok(dto::ListBucketsOutput {
        buckets: Some(buckets.collect()),
        continuation_token: found.continuation_token,
        owner: Some(owner(&found.owner)),
        prefix,
    })
}

/// Who may read the list reads that the owner may do everything: lists are off, as in every bucket that AWS has
/// made since April 2023.
pub(super) async fn get_bucket_acl(
    call: Call<dto::GetBucketAclInput>,
) -> Handled<dto::GetBucketAclOutput> {
    check_supported(&call.exchange.headers)?;
    let bucket = call.input.bucket.clone();
    let owner = owner(&call.walk(objects::GetBucketAcl { bucket }).await?.owner);
    Ok(dto::GetBucketAclOutput { grants: Some(vec![full_control(&owner)]), owner: Some(owner) })
}

/// The one grant of a list.
pub(super) fn full_control(owner: &dto::Owner) -> dto::Grant {
    dto::Grant {
        grantee: Some(dto::Grantee {
            display_name: None,
            email_address: None,
            id: owner.id.clone(),
            type_: dto::Type::from_static(dto::Type::CANONICAL_USER),
            uri: None,
        }),
        permission: Some(dto::Permission::from_static(dto::Permission::FULL_CONTROL)),
    }
}

pub(super) async fn put_bucket_acl(
    call: Call<dto::PutBucketAclInput>,
) -> Handled<dto::PutBucketAclOutput> {
    check_supported(&call.exchange.headers)?;
    if call.input.access_control_policy.is_some() {
        return Err(Stop::from(no_lists()));
    }
    let bucket = call.input.bucket.clone();
    call.walk(objects::PutBucketAcl { bucket }).await?;
    Ok(dto::PutBucketAclOutput::default())
}
