//! The tags of objects: one translation each way an operation.

use std::collections::BTreeMap;

use s3s::dto;

use super::asked::check_supported;
use super::exchange::{Call, Handled};
use crate::objects;

/// The tags of a document.
fn of_tags(tags: &BTreeMap<String, String>) -> dto::TagSet {
    let tag = |(name, value): (&String, &String)| dto::Tag {
        key: Some(name.clone()),
        value: Some(value.clone()),
    };
    tags.iter().map(tag).collect()
}

/// And back.
pub(super) fn tags(given: &[dto::Tag]) -> Result<BTreeMap<String, String>, objects::Error> {
    let mut tags = BTreeMap::new();
    for tag in given {
        let (Some(name), Some(value)) = (&tag.key, &tag.value) else {
            return Err(objects::Error::MalformedXml);
        };
        if tags.insert(name.clone(), value.clone()).is_some() {
            let message = "Cannot provide multiple Tags with the same key";
            return Err(objects::Error::InvalidTag(message.to_owned()));
        }
    }
    Ok(tags)
}

pub(super) async fn get_object_tagging(
    call: Call<dto::GetObjectTaggingInput>,
) -> Handled<dto::GetObjectTaggingOutput> {
    check_supported(&call.exchange.headers)?;
    let dto::GetObjectTaggingInput { bucket, key, version_id, .. } = call.input.clone();
    let found = call.walk(objects::GetObjectTagging { bucket, key, version_id }).await?;
    let tag_set = of_tags(&found.tags);
    Ok(dto::GetObjectTaggingOutput { tag_set, version_id: found.version_id })
}

pub(super) async fn put_object_tagging(
    call: Call<dto::PutObjectTaggingInput>,
) -> Handled<dto::PutObjectTaggingOutput> {
    check_supported(&call.exchange.headers)?;
    let tags = tags(&call.input.tagging.tag_set)?;
    let input = &call.input;
    let (bucket, key) = (input.bucket.clone(), input.key.clone());
    let version_id = input.version_id.clone();
    let done = call.walk(objects::PutObjectTagging { bucket, key, version_id, tags }).await?;
    Ok(dto::PutObjectTaggingOutput { version_id: done.version_id })
}

pub(super) async fn delete_object_tagging(
    call: Call<dto::DeleteObjectTaggingInput>,
) -> Handled<dto::DeleteObjectTaggingOutput> {
    check_supported(&call.exchange.headers)?;
    let dto::DeleteObjectTaggingInput { bucket, key, version_id, .. } = call.input.clone();
    let tags = BTreeMap::new();
    let done = call.walk(objects::PutObjectTagging { bucket, key, version_id, tags }).await?;
    Ok(dto::DeleteObjectTaggingOutput { version_id: done.version_id })
}
