//! Operations on uploads in parts.
//!
//! Source: S3 API Reference; S3 User Guide, "Uploading and copying objects using multipart upload".

use std::collections::BTreeMap;
use std::sync::Arc;

use super::attributes::check_key;
use super::directory::{Call, Done, Objects};
use super::memory::{Held, Home};
use super::outputs::{PartList, PartWritten, Removed, UploadBegun, Written};
use super::requests::{
    AbortMultipartUpload, CompleteMultipartUpload, CompletedPart, CreateMultipartUpload, ListParts,
    UploadPart,
};
use super::upload::{Part, Upload};
use super::version::{Body, Content, Version};
use super::writes::Write;
use super::{Error, row};
use crate::crypto::random;
use crate::store::{Change, Revision, RowId};

/// `CreateMultipartUpload`
///
/// # Errors
/// As [`super::put_object`], but for conditions and body.
pub fn create_multipart_upload(
    objects: &Objects,
    call: &Call<'_>,
    request: &CreateMultipartUpload,
) -> Result<Done<UploadBegun>, Error> {
    check_key(&request.key)?;
    request.attributes.check()?;
    let memory = objects.read();
    let home = memory.home(&request.bucket)?;
    let upload_id = hex::encode(random::array::<16>()?);
    let upload = Upload {
        v: Upload::FORMAT,
        begun: call.now,
        owner: call.account.to_owned(),
        initiator: call.principal.to_owned(),
        attributes: request.attributes.clone(),
        envelope: request.envelope.clone().unwrap_or_default(),
        checksum: request.checksum.clone(),
        full_object: request.full_object,
    };
    let row = row::upload(&home.bucket.id, &request.key, &upload_id);
    let value = Some(row::encode(&upload)?);
    let begun = Change { row, expected: Revision(0), value };
    let changes = vec![begun, home.fill()];
    Ok(Done::reading(UploadBegun { upload_id }, [home.read()]).changing(changes))
}

/// `UploadPart`, `UploadPartCopy`. A part that was there under the same number is replaced.
///
/// # Errors
/// [`Error::NoSuchBucket`], [`Error::NoSuchUpload`]; [`Error::InvalidArgument`] for a number out of range;
/// [`Error::Internal`] without a body.
pub fn upload_part(
    objects: &Objects,
    _: &Call<'_>,
    request: &UploadPart,
) -> Result<Done<PartWritten>, Error> {
    let number = request.part_number;
    if !(1..=MAX_PARTS).contains(&number) {
        return Err(Error::InvalidArgument {
            message: format!("Part number must be an integer between 1 and {MAX_PARTS}, inclusive"),
            name: "partNumber",
            value: number.to_string(),
        });
    }
    let part = request.body.as_ref().filter(|part| part.number == number).ok_or(Error::Internal)?;
    let memory = objects.read();
    let home = memory.home(&request.bucket)?;
    let upload = home.contents.upload(&request.key, &request.upload_id)?;
    let mut before = home.contents.parts(&request.key, &request.upload_id);
    let before = before.find(|held| held.value.number == number);
    let replaced = before.map(|held| held.value.blob.id.clone());
    let change = Change {
        row: row::part(&home.bucket.id, &request.key, &request.upload_id, number),
        expected: before.map_or(Revision(0), |held| held.revision),
        value: Some(row::encode(part)?),
    };
    let freed = replaced.filter(|blob| *blob != part.blob.id).into_iter().collect();
    let reads = [home.read(), upload_read(&home, &request.key, &request.upload_id, upload)];
    let output = PartWritten { etag: part.etag.clone(), freed };
    Ok(Done::reading(output, reads).changing(vec![change]))
}

/// `CompleteMultipartUpload`. The object's time is that at which its upload was begun, as on AWS.
///
/// Whoever completes an upload once more, with the body of the version that it became, is answered the same as long as
/// that version is there.
///
/// # Errors
/// [`Error::NoSuchBucket`], [`Error::NoSuchUpload`]; [`Error::MalformedXml`] without parts,
/// [`Error::InvalidPartOrder`], [`Error::InvalidPart`], [`Error::EntityTooSmall`]; as [`super::put_object`] for
/// conditions; [`Error::OperationAborted`] when the body was made of other parts than there are now;
/// [`Error::Internal`] without a body.
pub fn complete_multipart_upload(
    objects: &Objects,
    _: &Call<'_>,
    request: &CompleteMultipartUpload,
) -> Result<Done<Written>, Error> {
    let CompleteMultipartUpload { bucket, key, upload_id, .. } = request;
    let memory = objects.read();
    let home = memory.home(bucket)?;
    let held = match home.contents.upload(key, upload_id) {
        Ok(held) => held,
        Err(gone) => return repeated(&home, request).ok_or(gone),
    };
    let parts: BTreeMap<u16, &Held<Part>> =
        home.contents.parts(key, upload_id).map(|part| (part.value.number, part)).collect();
    let chosen = choose(&request.parts, &parts)?;
    let latest = home.contents.versions_of(key).first().map(|held| &*held.value);
    request.conditions.check_write(key, latest)?;
    let body = request.body.clone().ok_or(Error::Internal)?;
    if !body.blobs.iter().eq(chosen.iter().map(|part| &part.blob)) {
        return Err(Error::OperationAborted);
    }
    let unused =
        parts.values().filter(|part| body.blobs.iter().all(|blob| *blob != part.value.blob));
    let unused: Vec<_> = unused.map(|part| part.value.blob.id.clone()).collect();
    let attributes = held.value.attributes.clone();
    let write = Write::of(&home, key, !request.conditions.is_empty());
    let mut done = write.version(held.value.begun, Content::Object { attributes, body })?;
    done.output.freed.extend(unused);
    done.changes.extend(removal(&home, key, upload_id, held));
    Ok(done)
}

/// What an upload that was completed before is answered.
fn repeated(home: &Home<'_>, request: &CompleteMultipartUpload) -> Option<Done<Written>> {
    let body = request.body.as_ref()?;
    // What is known of it may have been sealed twice, by two who completed it at once.
    let is_same =
        |it: &Body| it.upload == body.upload && it.parts == body.parts && it.blobs == body.blobs;
    let became = |held: &&Held<Version>| held.value.object().is_some_and(|(_, it)| is_same(it));
    let held = home.contents.versions_of(&request.key).iter().find(became)?;
    let is_its = body.upload.as_ref() == Some(&request.upload_id);
    let version = is_its.then(|| Arc::clone(&held.value))?;
    let version_id = home.shown(&version.id);
    let reads = [home.read(), home.version_read(&request.key, held)];
    Some(Done::reading(Written { version, version_id, freed: Vec::new() }, reads))
}

/// `AbortMultipartUpload`
///
/// # Errors
/// [`Error::NoSuchBucket`], [`Error::NoSuchUpload`].
pub fn abort_multipart_upload(
    objects: &Objects,
    _: &Call<'_>,
    request: &AbortMultipartUpload,
) -> Result<Done<Removed>, Error> {
    let AbortMultipartUpload { bucket, key, upload_id } = request;
    let memory = objects.read();
    let home = memory.home(bucket)?;
    let held = home.contents.upload(key, upload_id)?;
    let parts = home.contents.parts(key, upload_id);
    let freed = parts.map(|part| part.value.blob.id.clone()).collect();
    let changes = removal(&home, key, upload_id, held);
    Ok(Done::reading(Removed { freed }, [home.read()]).changing(changes))
}

/// `ListParts`
///
/// # Errors
/// [`Error::NoSuchBucket`], [`Error::NoSuchUpload`].
pub fn list_parts(
    objects: &Objects,
    _: &Call<'_>,
    request: &ListParts,
) -> Result<Done<PartList>, Error> {
    let ListParts { bucket, key, upload_id, part_number_marker, max_parts } = request;
    let memory = objects.read();
    let home = memory.home(bucket)?;
    let held = home.contents.upload(key, upload_id)?;
    let parts = home.contents.parts(key, upload_id);
    let mut after = parts.filter(|part| part.value.number > *part_number_marker);
    let limit = usize::try_from(*max_parts).unwrap_or(PAGE).min(PAGE);
    let parts: Vec<_> = after.by_ref().take(limit).map(|part| part.value.clone()).collect();
    let next = parts.last().map(|part| part.number).filter(|_| after.next().is_some());
    let list = PartList {
        upload: held.value.clone(),
        parts,
        is_truncated: next.is_some(),
        next_part_number_marker: next,
    };
    Ok(Done::reading(list, [home.read(), upload_read(&home, key, upload_id, held)]))
}

/// The parts that an upload is to be completed with.
///
/// # Errors
/// As [`complete_multipart_upload`].
fn choose<'a>(
    named: &[CompletedPart],
    parts: &BTreeMap<u16, &'a Held<Part>>,
) -> Result<Vec<&'a Part>, Error> {
    if named.is_empty() {
        return Err(Error::MalformedXml);
    }
    if !named.is_sorted_by(|one, two| one.number < two.number) {
        return Err(Error::InvalidPartOrder);
    }
    let find = |named: &CompletedPart| {
        let part = parts.get(&named.number).map(|held| &*held.value).ok_or(Error::InvalidPart)?;
        let known = |checksum| part.checksums.contains(checksum);
        let is_it = named.etag.trim_matches('"') == part.etag && named.checksums.iter().all(known);
        if is_it { Ok(part) } else { Err(Error::InvalidPart) }
    };
    let chosen = named.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let all_but_last = chosen.split_last().map(|(_, rest)| rest).unwrap_or_default();
    match all_but_last.iter().find(|part| part.size < MIN_PART) {
        Some(part) => Err(Error::EntityTooSmall { part_number: part.number, proposed: part.size }),
        None => Ok(chosen),
    }
}

/// An upload and all its parts gone.
fn removal(home: &Home<'_>, key: &str, upload_id: &str, held: &Held<Upload>) -> Vec<Change> {
    let (row, expected) = upload_read(home, key, upload_id, held);
    let parts = home.contents.parts(key, upload_id).map(|part| Change {
        row: row::part(&home.bucket.id, key, upload_id, part.value.number),
        expected: part.revision,
        value: None,
    });
    std::iter::once(Change { row, expected, value: None }).chain(parts).collect()
}

fn upload_read(
    home: &Home<'_>,
    key: &str,
    upload_id: &str,
    held: &Held<Upload>,
) -> (RowId, Revision) {
    (row::upload(&home.bucket.id, key, upload_id), held.revision)
}

/// The greatest number of a part.
const MAX_PARTS: u16 = 10_000;
/// Bytes of a part at the least, but for the last.
const MIN_PART: u64 = 5 << 20;
/// Parts of a page at the most (API reference, `ListParts`).
const PAGE: usize = 1000;
