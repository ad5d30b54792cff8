//! What buckets are set to: one translation each way an operation. Documents are kept as `s3s` writes what it has
//! read, so that what is stored is what it understands.

use s3s::dto;
use s3s::xml::{DeserializeContent, Deserializer, SerializeContent, Serializer};

use super::asked::check_supported;
use super::exchange::{Call, Handled};
use crate::objects::{self, Versioning};

/// A document under the name of its root.
fn written<T: SerializeContent>(root: &str, value: &T) -> Result<String, objects::Error> {
    let mut out = Vec::new();
    let written = Serializer::new(&mut out).content(root, value);
    written.map_err(|_| objects::Error::Internal)?;
    String::from_utf8(out).map_err(|_| objects::Error::Internal)
}

/// The same back.
///
/// # Errors
/// [`objects::Error::MalformedXml`]
pub(super) fn read<T>(root: &str, document: &str) -> Result<T, objects::Error>
where
    T: for<'a> DeserializeContent<'a>,
{
    let mut from = Deserializer::new(document.as_bytes());
    let read = from.named_element(root, Deserializer::content);
    read.map_err(|_| objects::Error::MalformedXml)
}

/// What is stored was written here.
fn damaged(_: objects::Error) -> objects::Error {
    objects::Error::Damaged("a bucket's document cannot be read".to_owned())
}

macro_rules! settings {
    ($(
        $root:literal $type:ident
        $put:ident $put_input:ident $put_output:ident $put_request:ident |$input:ident| $given:expr;
        $get:ident $get_input:ident $get_output:ident $get_request:ident |$found:ident| $answer:expr;
        $delete:ident $delete_input:ident $delete_output:ident $delete_request:ident;
    )+) => {
        $(
            pub(super) async fn $put(call: Call<dto::$put_input>) -> Handled<dto::$put_output> {
                check_supported(&call.exchange.headers)?;
                let bucket = call.input.bucket.clone();
                let $input = &call.input;
                let document = written($root, $given)?;
                call.walk(objects::$put_request { bucket, document }).await?;
                Ok(dto::$put_output::default())
            }

            pub(super) async fn $get(call: Call<dto::$get_input>) -> Handled<dto::$get_output> {
                check_supported(&call.exchange.headers)?;
                let bucket = call.input.bucket.clone();
                let document = call.walk(objects::$get_request { bucket }).await?;
                let $found: dto::$type = read($root, &document).map_err(damaged)?;
                Ok($answer)
            }

            pub(super) async fn $delete(
                call: Call<dto::$delete_input>,
            ) -> Handled<dto::$delete_output> {
                check_supported(&call.exchange.headers)?;
                let bucket = call.input.bucket.clone();
                call.walk(objects::$delete_request { bucket }).await?;
                Ok(dto::$delete_output::default())
            }
        )+
    };
}

settings! {
    "CORSConfiguration" CORSConfiguration
        put_bucket_cors PutBucketCorsInput PutBucketCorsOutput PutBucketCors
            |input| &input.cors_configuration;
        get_bucket_cors GetBucketCorsInput GetBucketCorsOutput GetBucketCors
            |found| dto::GetBucketCorsOutput { cors_rules: Some(found.cors_rules) };
        delete_bucket_cors DeleteBucketCorsInput DeleteBucketCorsOutput DeleteBucketCors;
    "LifecycleConfiguration" BucketLifecycleConfiguration
        put_bucket_lifecycle_configuration PutBucketLifecycleConfigurationInput
            PutBucketLifecycleConfigurationOutput PutBucketLifecycleConfiguration
            |input| input.lifecycle_configuration.as_ref().ok_or(objects::Error::MalformedXml)?;
        get_bucket_lifecycle_configuration GetBucketLifecycleConfigurationInput
            GetBucketLifecycleConfigurationOutput GetBucketLifecycleConfiguration
            |found| dto::GetBucketLifecycleConfigurationOutput {
                rules: Some(found.rules),
                ..Default::default()
            };
        delete_bucket_lifecycle DeleteBucketLifecycleInput DeleteBucketLifecycleOutput
            DeleteBucketLifecycle;
    "OwnershipControls" OwnershipControls
        put_bucket_ownership_controls PutBucketOwnershipControlsInput
            PutBucketOwnershipControlsOutput PutBucketOwnershipControls
            |input| &input.ownership_controls;
        get_bucket_ownership_controls GetBucketOwnershipControlsInput
            GetBucketOwnershipControlsOutput GetBucketOwnershipControls
            |found| dto::GetBucketOwnershipControlsOutput { ownership_controls: Some(found) };
        delete_bucket_ownership_controls DeleteBucketOwnershipControlsInput
            DeleteBucketOwnershipControlsOutput DeleteBucketOwnershipControls;
    "PublicAccessBlockConfiguration" PublicAccessBlockConfiguration
        put_public_access_block PutPublicAccessBlockInput PutPublicAccessBlockOutput
            PutPublicAccessBlock
            |input| &input.public_access_block_configuration;
        get_public_access_block GetPublicAccessBlockInput GetPublicAccessBlockOutput
            GetPublicAccessBlock
            |found| dto::GetPublicAccessBlockOutput {
                public_access_block_configuration: Some(found),
            };
        delete_public_access_block DeletePublicAccessBlockInput DeletePublicAccessBlockOutput
            DeletePublicAccessBlock;
    "Tagging" Tagging
        put_bucket_tagging PutBucketTaggingInput PutBucketTaggingOutput PutBucketTagging
            |input| &input.tagging;
        get_bucket_tagging GetBucketTaggingInput GetBucketTaggingOutput GetBucketTagging
            |found| dto::GetBucketTaggingOutput { tag_set: found.tag_set };
        delete_bucket_tagging DeleteBucketTaggingInput DeleteBucketTaggingOutput
            DeleteBucketTagging;
}

pub(super) async fn get_bucket_policy(
    call: Call<dto::GetBucketPolicyInput>,
) -> Handled<dto::GetBucketPolicyOutput> {
    check_supported(&call.exchange.headers)?;
    let bucket = call.input.bucket.clone();
    let policy = call.walk(objects::GetBucketPolicy { bucket }).await?;
    Ok(dto::GetBucketPolicyOutput { policy: Some(policy) })
}

pub(super) async fn put_bucket_policy(
    call: Call<dto::PutBucketPolicyInput>,
) -> Handled<dto::PutBucketPolicyOutput> {
    check_supported(&call.exchange.headers)?;
    let (bucket, policy) = (call.input.bucket.clone(), call.input.policy.clone());
    call.walk(objects::PutBucketPolicy { bucket, policy }).await?;
    Ok(dto::PutBucketPolicyOutput::default())
}

pub(super) async fn delete_bucket_policy(
    call: Call<dto::DeleteBucketPolicyInput>,
) -> Handled<dto::DeleteBucketPolicyOutput> {
    check_supported(&call.exchange.headers)?;
    let bucket = call.input.bucket.clone();
    call.walk(objects::DeleteBucketPolicy { bucket }).await?;
    Ok(dto::DeleteBucketPolicyOutput::default())
}

pub(super) async fn get_bucket_versioning(
    call: Call<dto::GetBucketVersioningInput>,
) -> Handled<dto::GetBucketVersioningOutput> {
    check_supported(&call.exchange.headers)?;
    let bucket = call.input.bucket.clone();
    let status = call.walk(objects::GetBucketVersioning { bucket }).await?;
    let named = |status| match status {
        Versioning::Enabled => dto::BucketVersioningStatus::ENABLED,
        Versioning::Suspended => dto::BucketVersioningStatus::SUSPENDED,
    };
    let status = status.map(named).map(dto::BucketVersioningStatus::from_static);
    Ok(dto::GetBucketVersioningOutput { status, ..Default::default() })
}

pub(super) async fn put_bucket_versioning(
    call: Call<dto::PutBucketVersioningInput>,
) -> Handled<dto::PutBucketVersioningOutput> {
    check_supported(&call.exchange.headers)?;
    let asked = &call.input.versioning_configuration;
    let status = match asked.status.as_ref().map(dto::BucketVersioningStatus::as_str) {
        Some(dto::BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(dto::BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        _ => return Err(objects::Error::MalformedXml.into()),
    };
    if asked.mfa_delete.as_ref().is_some_and(|mfa| mfa.as_str() != dto::MFADelete::DISABLED) {
        return Err(objects::Error::NotImplemented("MfaDelete".to_owned()).into());
    }
    let bucket = call.input.bucket.clone();
    call.walk(objects::PutBucketVersioning { bucket, status: Some(status) }).await?;
    Ok(dto::PutBucketVersioningOutput::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let tag = dto::Tag { key: Some("a<b>".to_owned()), value: Some("c & d".to_owned()) };
        let tagging = dto::Tagging { tag_set: vec![tag.clone()] };
        let document = written("Tagging", &tagging).unwrap();
        assert_eq!(
            document,
            "<Tagging><TagSet><Tag><Key>a&lt;b&gt;</Key><Value>c &amp; d</Value></Tag></TagSet></Tagging>"
        );
        let found: dto::Tagging = read("Tagging", &document).unwrap();
        assert_eq!(found.tag_set, [tag]);
        assert!(read::<dto::Tagging>("Tagging", "<Other/>").is_err());
    }
}
