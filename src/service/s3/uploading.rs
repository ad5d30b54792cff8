//! Uploads in parts: each part is stored as it comes; completing one commits which they are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use super::digesting::{algorithm, headers, headers_of, named, stored};
use super::reading::body_of;
use super::requests::{Work, answer, envelope, name};
use super::writing::{Unfinished, etag, seal_info};
use super::{Begun, Expected, Incoming, PartStored, Stored};
use crate::objects::{
    self, AbortMultipartUpload, Body, CompleteMultipartUpload, CreateMultipartUpload, DeleteObject,
    Deleted, Part, UpdateObjectEncryption, Upload, UploadPart,
};
use crate::service::Error;
use crate::service::credential::Caller;
use crate::service::hall::Service;
use crate::service::walk::Reply;
use crate::sse::{
    Checksum, CustomerKey, Digested, Envelope, Headers, Mode, ObjectInfo, ObjectKey, ObjectName,
    SealedPart, customer_key_for_part,
};

impl Service {
    /// `CreateMultipartUpload`: the key that all parts are sealed under is made now.
    pub async fn create_multipart_upload(
        self: &Arc<Self>,
        caller: Caller,
        mut request: CreateMultipartUpload,
        headers: Headers,
    ) -> Reply<Begun> {
        let work = Work::of(self, &caller);
        work.resolve(&mut request.encryption);
        let mut said = Vec::new();
        let (at, answer) = (&work, &mut said);
        let prepare = |mut request: CreateMultipartUpload| async move {
            let bucket = at.bucket(&request.bucket)?;
            if let Some(encryption) = at.encryption(&bucket, &headers)? {
                let object = name(&request.bucket, &request.key);
                let requester = at.requester(&bucket)?;
                let keyring = &at.store.keyring;
                let (envelope, _) = keyring.begin(&encryption, &object, &requester).await?;
                *answer = encryption.answer(envelope.key_arn());
                request.envelope = Some(envelope.encode()?);
            }
            Ok(request)
        };
        let reply = self.call_prepared(&work.store, caller, request, prepare).await;
        reply.map(|begun| Begun { upload_id: begun.upload_id, headers: said })
    }

    /// `UploadPart`.
    pub async fn upload_part(
        self: &Arc<Self>,
        caller: Caller,
        request: UploadPart,
        headers: Headers,
        incoming: Incoming,
    ) -> Reply<PartStored> {
        let work = Work::of(self, &caller);
        let mut begun = Unfinished::default();
        let (at, done) = (&work, &mut begun);
        let prepare = |mut request: UploadPart| async move {
            request.body = Some(at.part(&request, &headers, incoming, done).await?);
            Ok(request)
        };
        let reply = self.call_prepared(&work.store, caller, request, prepare).await;
        work.finish_part(reply, begun).await
    }

    /// `UploadPartCopy`: of the source's bytes from the first to the last, if it is as `source_conditions` say.
    pub async fn upload_part_copy(
        self: &Arc<Self>,
        caller: Caller,
        request: UploadPart,
        headers: Headers,
        range: Option<(u64, u64)>,
        source_conditions: objects::Conditions,
    ) -> Reply<PartStored> {
        let work = Work::of(self, &caller);
        let mut begun = Unfinished::default();
        let (at, done) = (&work, &mut begun);
        let prepare = |mut request: UploadPart| async move {
            let Some((bucket, key, version)) = &request.source else { return Err(Error::Internal) };
            let from = name(bucket, key);
            let find = || Ok(at.store.rooms.objects.find(bucket, key, version.as_deref())?);
            let (found, _held) = at.held(find)?;
            let source = body_of(&found.version)?;
            source_conditions.check_source(&source.etag, found.version.modified)?;
            let size = source.size;
            let range = match range {
                None => 0..size,
                Some((first, last)) if first <= last && last < size => first..last + 1,
                Some((first, last)) => {
                    return Err(objects::Error::InvalidArgument {
                        message: format!(
                            "Range specified is not valid for source object of size: {size}"
                        ),
                        name: "x-amz-copy-source-range",
                        value: format!("bytes={first}-{last}"),
                    }
                    .into());
                }
            };
            let length = range.end - range.start;
            let body = at.source(&from, &found.version, &headers, Some(range)).await?;
            let incoming = Incoming { body, length: Some(length), expected: Expected::default() };
            request.body = Some(at.part(&request, &headers, incoming, done).await?);
            Ok(request)
        };
        let reply = self.call_prepared(&work.store, caller, request, prepare).await;
        work.finish_part(reply, begun).await
    }

    /// `CompleteMultipartUpload`: no bytes are moved.
    pub async fn complete_multipart_upload(
        self: &Arc<Self>,
        caller: Caller,
        request: CompleteMultipartUpload,
        headers: Headers,
    ) -> Reply<Stored> {
        let work = Work::of(self, &caller);
        let mut begun = Unfinished::default();
        let (at, done) = (&work, &mut begun);
        let prepare = |mut request: CompleteMultipartUpload| async move {
            request.body = Some(at.assemble(&request, &headers, done).await?);
            Ok(request)
        };
        let reply = self.call_prepared(&work.store, caller, request, prepare).await;
        work.finish(reply, begun).await
    }

    /// `AbortMultipartUpload`.
    pub async fn abort_multipart_upload(
        self: &Arc<Self>,
        caller: Caller,
        request: AbortMultipartUpload,
    ) -> Reply<()> {
        let work = Work::of(self, &caller);
        let reply = self.call(caller, request).await;
        if let Ok(removed) = &reply.result {
            work.free(&removed.freed).await;
        }
        reply.map(drop)
    }

    /// `DeleteObject`.
    pub async fn delete_object(
        self: &Arc<Self>,
        caller: Caller,
        request: DeleteObject,
    ) -> Reply<Deleted> {
        let work = Work::of(self, &caller);
        let reply = self.call(caller, request).await;
        if let Ok(deleted) = &reply.result {
            work.free(&deleted.freed).await;
        }
        reply
    }

    /// `UpdateObjectEncryption`: another envelope around the same key; no bytes are moved.
    pub async fn update_object_encryption(
        self: &Arc<Self>,
        caller: Caller,
        request: UpdateObjectEncryption,
    ) -> Reply<()> {
        let work = Work::of(self, &caller);
        let at = &work;
        let prepare = |mut request: UpdateObjectEncryption| async move {
            let (bucket, key) = (&request.bucket, &request.key);
            let found = at.store.rooms.objects.find(bucket, key, request.version_id.as_deref())?;
            let Some(old) = &body_of(&found.version)?.sealed else {
                let why = "an object in clear has to be written anew";
                return Err(
                    objects::Error::from(crate::sse::Refusal::UpdateNotApplicable(why)).into()
                );
            };
            let bucket = at.bucket(bucket)?;
            let asked = [
                ("x-amz-server-side-encryption", "aws:kms"),
                ("x-amz-server-side-encryption-aws-kms-key-id", request.kms_key_arn.as_str()),
                (
                    "x-amz-server-side-encryption-bucket-key-enabled",
                    if request.bucket_key { "true" } else { "false" },
                ),
            ];
            let asked = Headers::collect(asked).map_err(objects::Error::from)?;
            let encryption = at.encryption(&bucket, &asked)?.ok_or(Error::Internal)?;
            let (object, requester) = (name(&request.bucket, key), at.requester(&bucket)?);
            let envelope = envelope(&old.envelope)?;
            let keyring = &at.store.keyring;
            let new =
                keyring.update_encryption(&envelope, &object, &encryption, &requester).await?;
            let new = super::requests::sealed(&new, old.info.clone())?;
            request.sealed = Some((new, old.clone()));
            Ok(request)
        };
        self.call_prepared(&work.store, caller, request, prepare).await.map(drop)
    }
}

/// An upload, its envelope if its parts are sealed, and the customer's key if they are sealed with it, or why the
/// request has none.
type UnderWay = (Arc<Upload>, Option<Envelope>, Result<Option<CustomerKey>, objects::Error>);

impl Work {
    fn upload(
        &self,
        (bucket, key, id): (&str, &str, &str),
        headers: &Headers,
    ) -> Result<UnderWay, Error> {
        let upload = self.store.rooms.objects.upload(bucket, key, id)?;
        let sealed =
            (!upload.envelope.is_empty()).then(|| envelope(&upload.envelope)).transpose()?;
        let bucket = self.bucket(bucket)?;
        let mode = sealed.as_ref().map(Envelope::mode);
        let customer = customer_key_for_part(headers, mode, self.arrival(&bucket));
        Ok((upload, sealed, customer.map_err(objects::Error::from)))
    }

    async fn upload_key(
        &self,
        object: &ObjectName,
        envelope: &Envelope,
        customer: Option<&CustomerKey>,
    ) -> Result<ObjectKey, Error> {
        let bucket = self.bucket(&object.bucket)?;
        let requester = self.requester(&bucket)?;
        Ok(self.store.keyring.open_upload(envelope, object, customer, &requester).await?)
    }

    async fn part(
        &self,
        request: &UploadPart,
        headers_in: &Headers,
        mut incoming: Incoming,
        begun: &mut Unfinished,
    ) -> Result<Part, Error> {
        let asked = (request.bucket.as_str(), request.key.as_str(), request.upload_id.as_str());
        let (upload, envelope, customer) = self.upload(asked, headers_in)?;
        let customer = customer?;
        let expected = &mut incoming.expected;
        let chosen = upload.checksum.as_deref().and_then(named);
        if let (Some(said), Some(chosen)) = (expected.checksum, chosen)
            && said != chosen
        {
            let (said, chosen) = (algorithm(said), algorithm(chosen));
            return Err(objects::Error::InvalidRequest(format!(
                "Checksum Type mismatch occurred, expected checksum Type: {chosen}, actual checksum \
                 Type: {said}"
            ))
            .into());
        }
        expected.checksum = expected.checksum.or(chosen);
        let part = |size, blob, salt: Vec<u8>, digested: &Digested| {
            Ok::<_, Error>(Part {
                v: Upload::FORMAT,
                number: request.part_number,
                modified: self.now(),
                size,
                etag: etag(digested)?,
                md5: digested.md5.map(hex::encode).unwrap_or_default(),
                blob,
                salt,
                checksums: stored(&headers(digested)).collect(),
            })
        };
        match envelope {
            None => {
                let (blob, digested) = self.store_clear(incoming, begun).await?;
                begun.headers = headers(&digested);
                part(blob.len, blob, Vec::new(), &digested)
            }
            Some(envelope) => {
                let object = name(&request.bucket, &request.key);
                let key = self.upload_key(&object, &envelope, customer.as_ref()).await?;
                let sealer = key.seal_part(request.part_number)?;
                let with_md5 = envelope.mode() == Mode::S3;
                let (blob, sealed, digested) =
                    self.store_sealed(sealer, with_md5, incoming, begun).await?;
                begun.headers = answer(Some(&envelope), customer.as_ref());
                begun.headers.extend(headers(&digested));
                part(sealed.len, blob, sealed.salt.to_vec(), &digested)
            }
        }
    }

    async fn finish_part(
        &self,
        reply: Reply<objects::PartWritten>,
        begun: Unfinished,
    ) -> Reply<PartStored> {
        match &reply.result {
            Ok(written) => self.free(&written.freed).await,
            Err(error) => self.free_in_vain(error, &begun.blobs).await,
        }
        let modified = self.now();
        reply.map(|written| PartStored { etag: written.etag, headers: begun.headers, modified })
    }

    /// The object that an upload's parts make. Whether they are those that were named, the room says.
    async fn assemble(
        &self,
        request: &CompleteMultipartUpload,
        headers_in: &Headers,
        begun: &mut Unfinished,
    ) -> Result<Body, Error> {
        let asked = (request.bucket.as_str(), request.key.as_str(), request.upload_id.as_str());
        let (bucket, key, id) = asked;
        let (upload, envelope, customer) = match self.upload(asked, headers_in) {
            Err(Error::Objects(gone @ objects::Error::NoSuchUpload(_))) => {
                return self.completed(request, begun).unwrap_or(Err(gone.into()));
            }
            found => found?,
        };
        let there = self.store.rooms.objects.parts(bucket, key, id)?;
        let there: HashMap<u16, Arc<Part>> =
            there.into_iter().map(|part| (part.number, part)).collect();
        if !request.parts.is_sorted_by(|part, next| part.number < next.number) {
            return Err(objects::Error::InvalidPartOrder.into());
        }
        let mut parts = Vec::with_capacity(request.parts.len());
        for wanted in &request.parts {
            let part = there.get(&wanted.number).ok_or(objects::Error::InvalidPart)?;
            parts.push(part.as_ref());
        }
        if parts.is_empty() {
            return Err(objects::Error::MalformedXml.into());
        }
        let size = parts.iter().map(|part| part.size).sum();
        let combined = combined(&upload, &parts);
        let mut body = Body {
            size,
            etag: etag_of(parts.iter().map(|part| part.etag.as_str()))
                .ok_or_else(|| objects::Error::Damaged("an ETag is none".to_owned()))?,
            blobs: parts.iter().map(|part| part.blob.clone()).collect(),
            sealed: None,
            checksum: combined.as_ref().map(|(checksum, _)| algorithm(*checksum).to_owned()),
            full_object: upload.full_object,
            clear: BTreeMap::new(),
            parts: parts.iter().map(|part| (part.number, part.size)).collect(),
            salts: Vec::new(),
            upload: Some(id.to_owned()),
        };
        let digested = Digested { md5: None, checksums: combined.into_iter().collect() };
        begun.headers = headers_of(&body, &digested);
        check_whole(request, size, &begun.headers)?;
        match envelope {
            None => {
                body.clear = stored(&begun.headers).collect();
            }
            // Without a checksum that was asked for AWS wants no key here.
            Some(envelope)
                if envelope.mode() == Mode::Customer
                    && customer.is_err()
                    && upload.checksum.is_none() =>
            {
                body.checksum = None;
                begun.headers.clear();
                body.salts = parts.iter().map(|part| hex::encode(&part.salt)).collect();
                body.sealed = Some(super::requests::sealed(&envelope, Vec::new())?);
            }
            Some(envelope) => {
                let customer = customer?;
                let object = name(bucket, key);
                let key = self.upload_key(&object, &envelope, customer.as_ref()).await?;
                let sealed =
                    parts.iter().map(|part| sealed_part(part.number, part.size, &part.salt));
                let info = ObjectInfo::new(sealed.collect::<Result<_, _>>()?, digested)?;
                begun.headers.extend(answer(Some(&envelope), customer.as_ref()));
                body.sealed = Some(seal_info(&envelope, &key, &info)?);
            }
        }
        Ok(body)
    }
}

impl Work {
    /// The object that an upload has become with the same parts: who completes it once more is answered as before, but
    /// for checksums that are sealed.
    fn completed(
        &self,
        request: &CompleteMultipartUpload,
        begun: &mut Unfinished,
    ) -> Option<Result<Body, Error>> {
        let CompleteMultipartUpload { bucket, key, upload_id, parts, .. } = request;
        let version = self.store.rooms.objects.completed(bucket, key, upload_id)?;
        let (_, body) = version.object()?;
        let same = etag_of(parts.iter().map(|part| part.etag.trim_matches('"')))? == body.etag;
        let numbers = body.parts.iter().map(|(number, _)| number);
        if !same || !numbers.eq(parts.iter().map(|part| &part.number)) {
            return None;
        }
        begun.headers = body
            .clear
            .iter()
            .filter_map(|(name, value)| {
                let checksum = Checksum::ALL.into_iter().find(|it| it.header() == name)?;
                Some((checksum.header(), value.clone()))
            })
            .collect();
        if let Some(sealed) = &body.sealed {
            match envelope(&sealed.envelope) {
                Ok(envelope) => begun.headers.extend(answer(Some(&envelope), None)),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(body.clone()))
    }
}

/// Holds an object against what the request that completes it says of the whole.
fn check_whole(
    request: &CompleteMultipartUpload,
    size: u64,
    found: &[(&'static str, String)],
) -> Result<(), objects::Error> {
    if let Some(said) = request.size
        && said != size
    {
        return Err(objects::Error::InvalidRequest(format!(
            "The provided 'x-amz-mp-object-size' header value {said} does not match what was computed: {size}"
        )));
    }
    let Some((name, said)) = &request.checksum else { return Ok(()) };
    let kind = |header: &str| header.rsplit('-').next().unwrap_or_default().to_ascii_uppercase();
    let Some((header, value)) = found.first() else { return Ok(()) };
    if header != name {
        return Err(objects::Error::InvalidRequest(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            kind(header),
            kind(name)
        )));
    }
    // A checksum of checksums may be said without how many they are of.
    let bare = value.split('-').next().unwrap_or_default();
    if said == value || said == bare {
        return Ok(());
    }
    Err(objects::Error::BadDigest(kind(name)))
}

/// A part of a row.
pub(super) fn sealed_part(number: u16, len: u64, salt: &[u8]) -> Result<SealedPart, Error> {
    let damaged = |_| objects::Error::Damaged("a part has no salt".to_owned());
    Ok(SealedPart { number, len, salt: salt.try_into().map_err(damaged)? })
}

/// `MD5(MD5 of each part)-N` with SSE-S3 and in clear; of the parts' ETags otherwise, which are no MD5.
///
/// None where an ETag is none.
fn etag_of<'a>(etags: impl Iterator<Item = &'a str>) -> Option<String> {
    let (mut all, mut count) = (Md5::new(), 0_usize);
    for etag in etags {
        all.update(hex::decode(etag).ok()?);
        count += 1;
    }
    Some(format!("{}-{count}", hex::encode(all.finalize())))
}

/// The object's checksum out of those of its parts: of all bytes for a CRC, of the parts' values otherwise.
fn combined(upload: &Upload, parts: &[&Part]) -> Option<(Checksum, Vec<u8>)> {
    let checksum = match &upload.checksum {
        Some(name) => named(name)?,
        None => Checksum::Crc64Nvme,
    };
    let value = |part: &&Part| {
        let mut values = part.checksums.iter();
        let (_, value) = values.find(|(name, _)| name == checksum.header())?;
        STANDARD.decode(value).ok()
    };
    let values: Vec<Vec<u8>> = parts.iter().map(value).collect::<Option<_>>()?;
    let lens = parts.iter().map(|part| part.size);
    if upload.full_object || upload.checksum.is_none() {
        return Some((checksum, checksum.of_parts(values.iter().map(Vec::as_slice).zip(lens))?));
    }
    Some((checksum, checksum.of(&values.concat())))
}
