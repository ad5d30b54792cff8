//! Tags: name–value pairs on a key.
//!
//! Source: AWS KMS API Reference, `TagResource`; Developer Guide, "Tags in AWS KMS".

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::directory::{Call, Directory, Done};
use super::lifecycle::update;
use super::outputs::{Listed, Tag};
use super::page::Page;
use super::requests::{ListResourceTags, TagResource, UntagResource};
use super::state::Act;

/// `TagResource`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Tag`], [`Error::LimitExceeded`], [`Error::InvalidState`].
pub fn tag_resource(
    directory: &Directory,
    call: &Call<'_>,
    request: &TagResource,
) -> Result<Done<()>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    let tags = merged(&found.entry.key.tags, &request.tags)?;
    update(found, Act::Describe, |key| key.tags = tags)
}

/// `UntagResource`; names that the key does not have are passed over.
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Tag`], [`Error::InvalidState`].
pub fn untag_resource(
    directory: &Directory,
    call: &Call<'_>,
    request: &UntagResource,
) -> Result<Done<()>, Error> {
    for name in &request.tag_keys {
        check_name(name)?;
    }
    let found = directory.find_key(call, &request.key_id)?;
    let gone: BTreeSet<&str> = request.tag_keys.iter().map(String::as_str).collect();
    update(found, Act::Describe, |key| key.tags.retain(|name, _| !gone.contains(name.as_str())))
}

/// `ListResourceTags`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Validation`], [`Error::InvalidMarker`].
pub fn list_resource_tags(
    directory: &Directory,
    call: &Call<'_>,
    request: &ListResourceTags,
) -> Result<Done<Listed<Tag>>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    let (arn, marker) = (found.entry.key.arn(), request.marker.as_deref());
    let page = Page::new(call.scope, &["tags", &arn], request.limit, (50, 50), marker)?;
    let tag = |(name, value): (&String, &String)| Tag::new(name, value);
    let tags = found.entry.key.tags.iter();
    let rest = tags.filter(|(name, _)| page.after.as_ref().is_none_or(|after| *name > after));
    let entries = rest.take(page.limit + 1).map(tag).collect();
    let listed = page.cut(entries, |tag| tag.tag_key.as_str().to_owned());
    Ok(Done::of(found, None, listed))
}

/// `tags` laid over those that a key has.
pub(super) fn merged(
    has: &BTreeMap<String, String>,
    tags: &[Tag],
) -> Result<BTreeMap<String, String>, Error> {
    let mut seen = BTreeSet::new();
    let mut all = has.clone();
    for tag in tags {
        check_name(&tag.tag_key)?;
        if tag.tag_value.chars().count() > 256 {
            return Err(Error::Tag("A tag value must have at most 256 characters"));
        }
        if !seen.insert(tag.tag_key.as_str()) {
            return Err(Error::Tag("Duplicate tag keys"));
        }
        all.insert(tag.tag_key.as_str().to_owned(), tag.tag_value.as_str().to_owned());
    }
    if all.len() > TAGS {
        return Err(Error::LimitExceeded("A key can have at most 50 tags".to_owned()));
    }
    Ok(all)
}

/// Tags of one key at the most.
const TAGS: usize = 50;

fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.chars().count() > 128 {
        return Err(Error::Tag("A tag key must have 1 to 128 characters"));
    }
    if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
        return Err(Error::Tag("Tag keys that begin with 'aws:' are reserved"));
    }
    Ok(())
}
