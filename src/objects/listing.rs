//! What is in a bucket, page by page.
//!
//! An entry of a list is a key, or what several keys have in common up to the delimiter. Entries come in the
//! order of their bytes; a page begins with the first entry after its marker. Whatever is grouped is passed
//! over by seeking behind it, so that a page takes time by its entries, not by the bucket's.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::Error;
use super::directory::{Call, Done, Objects};
use super::memory::{Held, HeldUpload};
use super::outputs::{Listed, ListedUpload, ObjectList, UploadList, VersionList};
use super::page::Listing;
use super::requests::{ListMultipartUploads, ListObjectVersions, ListObjects};
use super::version::Version;
use super::versions::parse_version_id;

/// `ListObjects`, `ListObjectsV2`
///
/// # Errors
/// [`Error::NoSuchBucket`]; [`Error::InvalidArgument`] for a token of another list.
pub fn list_objects(
    objects: &Objects,
    _: &Call<'_>,
    request: &ListObjects,
) -> Result<Done<ObjectList>, Error> {
    let memory = objects.read();
    let home = memory.home(&request.bucket)?;
    let delimiter = request.delimiter.as_deref();
    let filters = [request.prefix.as_str(), delimiter.unwrap_or_default()];
    let listing = Listing::new(&[&["objects", home.bucket.id.as_str()], &filters[..]].concat())?;
    let token = request.continuation_token.as_deref();
    let position = token.map(|token| listing.position(token)).transpose()?;
    let after = position.as_deref().or(request.start_after.as_deref());
    let mut entries = Entries::after(&home.contents.objects, &request.prefix, delimiter, after);
    let limit = limit(request.max_keys);
    let mut page = ObjectList {
        objects: Vec::new(),
        common_prefixes: Vec::new(),
        is_truncated: false,
        next_marker: None,
        continuation_token: None,
    };
    let mut last = None;
    for entry in entries.by_ref().take(limit) {
        last = Some(entry.name().to_owned());
        match entry {
            Entry::Key(key, version) => page.objects.push(listed(key, version, true)),
            Entry::Prefix(prefix) => page.common_prefixes.push(prefix),
        }
    }
    if let Some(last) = last.filter(|_| entries.next().is_some()) {
        page.is_truncated = true;
        page.continuation_token = Some(listing.token(&last));
        page.next_marker = Some(last);
    }
    Ok(Done::reading(page, [home.read()]))
}

/// `ListObjectVersions`. Where the version of the marker is gone, its object's other versions are listed
/// again, rather than some of them not at all.
///
/// # Errors
/// [`Error::NoSuchBucket`]; [`Error::InvalidArgument`] for a version's marker without a key's, or that is none.
pub fn list_object_versions(
    objects: &Objects,
    _: &Call<'_>,
    request: &ListObjectVersions,
) -> Result<Done<VersionList>, Error> {
    let marker = request.version_id_marker.as_deref();
    let marker = marker.map(parse_version_id).transpose()?;
    if marker.is_some() && request.key_marker.is_none() {
        return Err(Error::InvalidArgument {
            message: "A version-id marker cannot be specified without a key marker.".to_owned(),
            name: "version-id-marker",
            value: request.version_id_marker.clone().unwrap_or_default(),
        });
    }
    let memory = objects.read();
    let home = memory.home(&request.bucket)?;
    let grouped = Grouped {
        map: &home.contents.versions,
        prefix: &request.prefix,
        delimiter: request.delimiter.as_deref(),
        key_marker: request.key_marker.as_deref(),
        limit: limit(request.max_keys),
    };
    let is_marker = |held: &Held<Version>| Some(&held.value.id) == marker.as_ref();
    let page = grouped.page(marker.is_some().then_some(&is_marker))?;
    let next_version_id_marker =
        page.next.as_ref().and_then(|(_, held)| Some(held.as_ref()?.value.id.as_str().to_owned()));
    let list = VersionList {
        versions: page
            .items
            .into_iter()
            .map(|(key, held, is_latest)| listed(key, &held.value, is_latest))
            .collect(),
        common_prefixes: page.common_prefixes,
        is_truncated: page.next.is_some(),
        next_key_marker: page.next.map(|(name, _)| name),
        next_version_id_marker,
    };
    Ok(Done::reading(list, [home.read()]))
}

/// `ListMultipartUploads`. Where the upload of the marker is gone, its object's other uploads are listed
/// again, rather than some of them not at all.
///
/// # Errors
/// [`Error::NoSuchBucket`]
pub fn list_multipart_uploads(
    objects: &Objects,
    _: &Call<'_>,
    request: &ListMultipartUploads,
) -> Result<Done<UploadList>, Error> {
    let memory = objects.read();
    let home = memory.home(&request.bucket)?;
    let grouped = Grouped {
        map: &home.contents.uploads,
        prefix: &request.prefix,
        delimiter: request.delimiter.as_deref(),
        key_marker: request.key_marker.as_deref(),
        limit: limit(request.max_uploads),
    };
    let marker = request.upload_id_marker.as_deref();
    let is_marker = |upload: &HeldUpload| Some(upload.id.as_str()) == marker;
    let page = grouped.page(marker.is_some().then_some(&is_marker))?;
    let next_upload_id_marker =
        page.next.as_ref().and_then(|(_, upload)| Some(upload.as_ref()?.id.clone()));
    let list = UploadList {
        uploads: page
            .items
            .into_iter()
            .map(|(key, upload, _)| ListedUpload {
                key: key.to_owned(),
                upload_id: upload.id.clone(),
                upload: Arc::clone(&upload.held.value),
            })
            .collect(),
        common_prefixes: page.common_prefixes,
        is_truncated: page.next.is_some(),
        next_key_marker: page.next.map(|(name, _)| name),
        next_upload_id_marker,
    };
    Ok(Done::reading(list, [home.read()]))
}

fn listed(key: &str, version: &Arc<Version>, is_latest: bool) -> Listed {
    Listed { key: key.to_owned(), version: Arc::clone(version), is_latest }
}

/// Entries of a page: as asked, 1,000 at the most.
fn limit(asked: u32) -> usize {
    usize::try_from(asked).unwrap_or(usize::MAX).min(PAGE)
}

/// Entries of a page at the most (API reference, `MaxKeys`, `MaxUploads`).
const PAGE: usize = 1000;

/// A list of keys that have several items each.
struct Grouped<'a, T> {
    map: &'a BTreeMap<Arc<str>, Vec<T>>,
    prefix: &'a str,
    delimiter: Option<&'a str>,
    key_marker: Option<&'a str>,
    limit: usize,
}

/// A page of such a list.
struct Page<'a, T> {
    /// Key, item, and whether it is the key's first.
    items: Vec<(&'a str, &'a T, bool)>,
    common_prefixes: Vec<String>,
    /// Where there is more: the last entry, and its item unless it is a common prefix.
    next: Option<(String, Option<&'a T>)>,
}

impl<'a, T> Grouped<'a, T> {
    /// The page; `is_marker` tells the item of the marker's key after which it begins.
    fn page(&self, is_marker: Option<&dyn Fn(&T) -> bool>) -> Result<Page<'a, T>, Error> {
        let mut page = Page { items: Vec::new(), common_prefixes: Vec::new(), next: None };
        let mut last: Option<(String, Option<&'a T>)> = None;
        let mut room = self.limit;
        // What is left of the marker's own key, unless it is grouped.
        let own = self.key_marker.filter(|key| {
            key.starts_with(self.prefix) && group(key, self.prefix, self.delimiter).is_none()
        });
        let own = is_marker.and_then(|is_marker| {
            let (key, items) = self.map.get_key_value(own?)?;
            let from = items.iter().position(is_marker).map_or(0, |place| place + 1);
            Some((&**key, items, from))
        });
        let rest = Entries::after(self.map, self.prefix, self.delimiter, self.key_marker);
        let rest = rest.map(|entry| match entry {
            Entry::Key(key, items) => Ok((key, items, 0)),
            Entry::Prefix(prefix) => Err(prefix),
        });
        for entry in own.map(Ok).into_iter().chain(rest) {
            let (key, items, from) = match entry {
                Ok(found) => found,
                Err(_) if room == 0 => {
                    page.next = last;
                    return Ok(page);
                }
                Err(prefix) => {
                    last = Some((prefix.clone(), None));
                    page.common_prefixes.push(prefix);
                    room -= 1;
                    continue;
                }
            };
            for (place, item) in items.iter().enumerate().skip(from) {
                if room == 0 {
                    page.next = last;
                    return Ok(page);
                }
                last = Some((key.to_owned(), Some(item)));
                page.items.push((key, item, place == 0));
                room -= 1;
            }
        }
        Ok(page)
    }
}

/// An entry of a list.
enum Entry<'a, T> {
    Key(&'a str, &'a T),
    Prefix(String),
}

impl<T> Entry<'_, T> {
    fn name(&self) -> &str {
        match self {
            Self::Key(key, _) => key,
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// The entries of a list in order.
struct Entries<'a, T> {
    map: &'a BTreeMap<Arc<str>, T>,
    keys: std::collections::btree_map::Range<'a, Arc<str>, T>,
    prefix: &'a str,
    delimiter: Option<&'a str>,
}

impl<'a, T> Entries<'a, T> {
    /// Those with a prefix after a marker, which need not be there.
    fn after(
        map: &'a BTreeMap<Arc<str>, T>,
        prefix: &'a str,
        delimiter: Option<&'a str>,
        marker: Option<&str>,
    ) -> Self {
        // A delimiter of no characters groups nothing.
        let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
        let empty = Self { map, keys: BTreeMap::range::<str, _>(map, NONE), prefix, delimiter };
        let from = |from: Bound<&str>| Self {
            map,
            keys: map.range::<str, _>((from, Bound::Unbounded)),
            prefix,
            delimiter,
        };
        match marker.filter(|marker| *marker >= prefix) {
            None => from(Bound::Included(prefix)),
            // A group is not greater than what is in it, so that the marker's own one is over.
            Some(marker) => match group(marker, prefix, delimiter) {
                Some(group) => {
                    successor(group).map_or(empty, |next| from(Bound::Included(next.as_str())))
                }
                None => from(Bound::Excluded(marker)),
            },
        }
    }
}

impl<'a, T> Iterator for Entries<'a, T> {
    type Item = Entry<'a, T>;

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.keys.next().filter(|(key, _)| key.starts_with(self.prefix))?;
        let Some(group) = group(key, self.prefix, self.delimiter) else {
            return Some(Entry::Key(key, value));
        };
        self.keys = match successor(group) {
            Some(next) => {
                self.map.range::<str, _>((Bound::Included(next.as_str()), Bound::Unbounded))
            }
            None => self.map.range::<str, _>(NONE),
        };
        Some(Entry::Prefix(group.to_owned()))
    }
}

/// A range in which nothing is.
const NONE: (Bound<&str>, Bound<&str>) = (Bound::Included(""), Bound::Excluded(""));

/// What a key has in common with others: all up to the first delimiter after the prefix.
fn group<'k>(key: &'k str, prefix: &str, delimiter: Option<&str>) -> Option<&'k str> {
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let rest = key.strip_prefix(prefix)?;
    let end = prefix.len() + rest.find(delimiter)? + delimiter.len();
    key.get(..end)
}

/// The least string that is greater than all that begin with `prefix`; none where there is no such one.
fn successor(prefix: &str) -> Option<String> {
    let mut start = prefix.to_owned();
    while let Some(last) = start.pop() {
        // UTF-8 sorts as the letters' numbers do. The surrogates between are no letters.
        let next = (u32::from(last) + 1..).take(SURROGATES + 1).find_map(char::from_u32);
        if let Some(next) = next {
            start.push(next);
            return Some(start);
        }
    }
    None
}

/// Numbers in the one gap among those of letters.
const SURROGATES: usize = 0x800;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_follows_all_that_begin_so() {
        assert_eq!(successor("a/").as_deref(), Some("a0"));
        assert_eq!(successor("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(successor("\u{10ffff}\u{10ffff}"), None);
        assert_eq!(successor(""), None);
    }
}
