//! Operations on buckets.

use std::ops::Bound;

use super::bucket::{Bucket, BucketId, EncryptionRule};
use super::directory::{Call, Done, Objects};
use super::outputs::{BucketList, BucketLocation, BucketSummary};
use super::page::Listing;
use super::requests::{
    CreateBucket, DeleteBucket, GetBucketAcl, GetBucketLocation, HeadBucket, ListBuckets,
    PutBucketAcl, Setting,
};
use super::{Error, row};
use crate::store::{Change, Revision};

/// `CreateBucket`. Who makes his own bucket of us-east-1 once more is told so only elsewhere, as on AWS.
///
/// Without a `LocationConstraint` the bucket is in the region of the endpoint; AWS asks for the constraint
/// outside of us-east-1.
///
/// # Errors
/// [`Error::InvalidBucketName`], [`Error::InvalidLocation`], [`Error::IllegalLocation`],
/// [`Error::InvalidArgument`] for an ownership that there is not, [`Error::BucketAlreadyExists`],
/// [`Error::BucketAlreadyOwnedByYou`].
pub fn create_bucket(
    objects: &Objects,
    call: &Call<'_>,
    request: &CreateBucket,
) -> Result<Done<()>, Error> {
    let name = request.bucket.as_str();
    if !is_bucket_name(name) {
        return Err(Error::InvalidBucketName(name.chars().take(NAME_SHOWN).collect()));
    }
    let region = location(call, request.location.as_deref())?;
    let ownership = ownership_controls(request.ownership.as_deref().unwrap_or(ENFORCED))?;
    let memory = objects.read();
    if let Ok(home) = memory.home(name) {
        return match (home.bucket.owner == call.account, call.region) {
            (false, _) => Err(Error::BucketAlreadyExists),
            (true, FIRST_REGION) if home.bucket.region == FIRST_REGION => {
                Ok(Done::reading((), [home.read()]))
            }
            (true, _) => Err(Error::BucketAlreadyOwnedByYou),
        };
    }
    let bucket = Bucket {
        v: Bucket::FORMAT,
        id: BucketId::generate()?,
        owner: call.account.to_owned(),
        region: region.to_owned(),
        created: call.now,
        versioning: None,
        encryption: EncryptionRule::default(),
        policy: None,
        settings: [(Setting::Ownership, ownership)].into(),
    };
    let value = Some(row::encode(&bucket)?);
    let change = Change { row: row::bucket(name), expected: Revision(0), value };
    Ok(Done::reading((), []).changing(vec![change]))
}

/// `DeleteBucket`
///
/// # Errors
/// [`Error::NoSuchBucket`], [`Error::BucketNotEmpty`].
pub fn delete_bucket(
    objects: &Objects,
    _: &Call<'_>,
    request: &DeleteBucket,
) -> Result<Done<()>, Error> {
    let memory = objects.read();
    let home = memory.home(&request.bucket)?;
    if !home.contents.is_empty() {
        return Err(Error::BucketNotEmpty);
    }
    Ok(Done::reading((), []).changing(home.removal()))
}

/// `HeadBucket`
///
/// # Errors
/// [`Error::NoSuchBucket`]
pub fn head_bucket(
    objects: &Objects,
    _: &Call<'_>,
    request: &HeadBucket,
) -> Result<Done<BucketLocation>, Error> {
    bucket_location(objects, &request.bucket)
}

/// `GetBucketLocation`
///
/// # Errors
/// [`Error::NoSuchBucket`]
pub fn get_bucket_location(
    objects: &Objects,
    _: &Call<'_>,
    request: &GetBucketLocation,
) -> Result<Done<BucketLocation>, Error> {
    bucket_location(objects, &request.bucket)
}

/// `GetBucketAcl`: whose it is says all of its list, which is off.
///
/// # Errors
/// [`Error::NoSuchBucket`]
pub fn get_bucket_acl(
    objects: &Objects,
    _: &Call<'_>,
    request: &GetBucketAcl,
) -> Result<Done<BucketLocation>, Error> {
    bucket_location(objects, &request.bucket)
}

/// `PutBucketAcl` of the list that it has.
///
/// # Errors
/// [`Error::NoSuchBucket`]
pub fn put_bucket_acl(
    objects: &Objects,
    _: &Call<'_>,
    request: &PutBucketAcl,
) -> Result<Done<BucketLocation>, Error> {
    bucket_location(objects, &request.bucket)
}

fn bucket_location(objects: &Objects, name: &str) -> Result<Done<BucketLocation>, Error> {
    let memory = objects.read();
    let home = memory.home(name)?;
    let (region, owner) = (home.bucket.region.clone(), home.bucket.owner.clone());
    Ok(Done::reading(BucketLocation { region, owner }, [home.read()]))
}

/// `ListBuckets`
///
/// # Errors
/// [`Error::InvalidArgument`] for a token of another list, or more buckets than a page may have.
pub fn list_buckets(
    objects: &Objects,
    call: &Call<'_>,
    request: &ListBuckets,
) -> Result<Done<BucketList>, Error> {
    let limit = match request.max_buckets {
        None => usize::MAX,
        Some(asked) if (1..=MAX_BUCKETS).contains(&asked) => {
            usize::try_from(asked).unwrap_or(usize::MAX)
        }
        Some(asked) => {
            return Err(Error::InvalidArgument {
                message: format!(
                    "Argument max-buckets must be an integer between 1 and {MAX_BUCKETS}"
                ),
                name: "max-buckets",
                value: asked.to_string(),
            });
        }
    };
    let region = request.region.as_deref();
    let listing =
        Listing::new(&["buckets", call.account, &request.prefix, region.unwrap_or_default()])?;
    let token = request.continuation_token.as_deref();
    let after = token.map(|token| listing.position(token)).transpose()?;
    let from = match &after {
        Some(after) => Bound::Excluded(after.as_str()),
        None => Bound::Included(request.prefix.as_str()),
    };
    let memory = objects.read();
    let named = memory.buckets.range::<str, _>((from, Bound::Unbounded));
    let mut own = named
        .take_while(|(name, _)| name.starts_with(&request.prefix))
        .filter(|(_, held)| held.value.owner == call.account)
        .filter(|(_, held)| region.is_none_or(|region| held.value.region == region))
        .map(|(name, held)| BucketSummary {
            name: name.clone(),
            created: held.value.created,
            region: held.value.region.clone(),
        });
    let buckets: Vec<_> = own.by_ref().take(limit).collect();
    let last = buckets.last().filter(|_| own.next().is_some());
    let continuation_token = last.map(|last| listing.token(&last.name));
    let owner = call.account.to_owned();
    Ok(Done::reading(BucketList { buckets, owner, continuation_token }, []))
}

/// Whether a bucket may be called so (S3 User Guide, "General purpose bucket naming rules").
fn is_bucket_name(name: &str) -> bool {
    let edge =
        |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| inner(*byte))
        && edge(bytes.first())
        && edge(bytes.last())
        && !name.contains("..")
        && !is_address(name)
        && !["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3"].iter().any(|suffix| name.ends_with(suffix))
}

/// Whether a name reads as an IPv4 address.
fn is_address(name: &str) -> bool {
    name.split('.').count() == 4 && name.split('.').all(|part| part.parse::<u8>().is_ok())
}

/// Where a new bucket is to be.
fn location<'a>(call: &Call<'a>, asked: Option<&'a str>) -> Result<&'a str, Error> {
    let Some(asked) = asked else { return Ok(call.region) };
    // What eu-west-1 was called when it was the only other one.
    let region = if asked == "EU" { "eu-west-1" } else { asked };
    let is_region = (1..=32).contains(&region.len())
        && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !is_region || region == FIRST_REGION {
        return Err(Error::InvalidLocation(asked.chars().take(NAME_SHOWN).collect()));
    }
    if call.region != FIRST_REGION && call.region != region {
        return Err(Error::IllegalLocation(asked.to_owned()));
    }
    Ok(region)
}

/// The document that says what a header says.
fn ownership_controls(ownership: &str) -> Result<String, Error> {
    if !["BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"].contains(&ownership) {
        let value: String = ownership.chars().take(NAME_SHOWN).collect();
        return Err(Error::InvalidArgument {
            message: format!("Invalid x-amz-object-ownership header: {value}"),
            name: "x-amz-object-ownership",
            value,
        });
    }
    Ok(format!(
        "<OwnershipControls xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ObjectOwnership>\
         {ownership}</ObjectOwnership></Rule></OwnershipControls>"
    ))
}

/// The region whose endpoint makes buckets of every region, and is no `LocationConstraint`.
const FIRST_REGION: &str = "us-east-1";

/// What buckets are made with since April 2023, unless they say otherwise.
const ENFORCED: &str = "BucketOwnerEnforced";

/// Buckets of a page at the most (API reference, `ListBuckets`).
const MAX_BUCKETS: u32 = 10_000;

/// Characters of a wrong name that an error shows.
const NAME_SHOWN: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_aws_takes() {
        let longest = "a".repeat(63);
        for good in ["abc", "a-b", "a.b.c", "1.2.3", "1.2.3.4.5", "0ab", longest.as_str(), "xn-a"] {
            assert!(is_bucket_name(good), "{good}");
        }
        let long = "a".repeat(64);
        let bad = [
            "",
            "ab",
            "Abc",
            "a_b",
            "-ab",
            "ab-",
            ".ab",
            "ab.",
            "a..b",
            "192.168.5.4",
            "a b",
            "äbc",
            "a/b",
            "xn--abc",
            "sthree-a",
            "amzn-s3-demo-a",
            "abc-s3alias",
            "abc--ol-s3",
            "abc.mrap",
            "abc--x-s3",
            long.as_str(),
        ];
        for bad in bad {
            assert!(!is_bucket_name(bad), "{bad}");
        }
    }
}
