//! Objects written: bytes sealed and stored as they come, then the row that names them.

use std::sync::Arc;

use futures_util::{Stream, StreamExt, TryStreamExt};

use super::digesting::{algorithm, headers, stored};
use super::refusal::of_body;
use super::requests::{Work, name, sealed};
use super::{AnswerHeaders, Incoming, Stored};
use crate::crypto::random;
use crate::objects::{self, Blob, BlobId, Body, PutObject};
use crate::service::Error;
use crate::service::credential::Caller;
use crate::service::hall::Service;
use crate::service::walk::Reply;
use crate::sse::{
    Digested, Encryption, Envelope, Headers, Mode, ObjectInfo, ObjectKey, ObjectName, PartSealer,
    SealStream, SealedPart,
};

/// Bytes of one `PutObject`, part or copy at the most.
pub(super) const LONGEST: u64 = 5 << 30;

impl Service {
    /// `PutObject`: seals and stores what comes in.
    pub async fn put_object(
        self: &Arc<Self>,
        caller: Caller,
        mut request: PutObject,
        headers: Headers,
        incoming: Incoming,
    ) -> Reply<Stored> {
        let work = Work::of(self, &caller);
        work.resolve(&mut request.encryption);
        let mut begun = Unfinished::default();
        let (at, done) = (&work, &mut begun);
        let prepare = |mut request: PutObject| async move {
            let bucket = at.bucket(&request.bucket)?;
            let encryption = at.encryption(&bucket, &headers)?;
            let object = name(&request.bucket, &request.key);
            let body = at.store(&bucket, encryption, &object, incoming, done).await?;
            request.body = Some(body);
            Ok(request)
        };
        let reply = self.call_prepared(&work.store, caller, request, prepare).await;
        work.finish(reply, begun).await
    }
}

/// What a write has done before its commit.
#[derive(Default)]
pub(super) struct Unfinished {
    pub(super) blobs: Vec<BlobId>,
    pub(super) headers: AnswerHeaders,
}

impl Work {
    /// The full ARN of the key that a request names, where there is one: what conditions compare.
    pub(super) fn resolve(&self, asked: &mut objects::Asked) {
        let Some(named) = &asked.key_id else { return };
        let Ok(scope) = self.scope() else { return };
        let call = crate::kms::Call { scope: &scope, now: self.now() };
        if let Ok(found) = self.store.rooms.keys.find(&call, named) {
            asked.key_id = Some(found.entry.key.arn());
        }
    }

    /// Seals and stores a body as an object of one part.
    pub(super) async fn store(
        &self,
        bucket: &objects::Bucket,
        encryption: Option<Encryption>,
        object: &ObjectName,
        incoming: Incoming,
        begun: &mut Unfinished,
    ) -> Result<Body, Error> {
        if incoming.length.is_some_and(|length| length > LONGEST) {
            return Err(objects::Error::EntityTooLarge.into());
        }
        let kept = incoming.expected.kept();
        let body = |size, etag, blob, sealed| Body {
            size,
            etag,
            blobs: vec![blob],
            sealed,
            checksum: Some(algorithm(kept).to_owned()),
            full_object: true,
            clear: std::collections::BTreeMap::new(),
            parts: Vec::new(),
            salts: Vec::new(),
            upload: None,
        };
        let Some(encryption) = encryption else {
            let (blob, digested) = self.store_clear(incoming, begun).await?;
            let etag = digested.md5.map(hex::encode).ok_or(Error::Internal)?;
            begun.headers = headers(&digested);
            let mut body = body(blob.len, etag, blob, None);
            body.clear = stored(&begun.headers).collect();
            return Ok(body);
        };
        let requester = self.requester(bucket)?;
        let (envelope, key) = self.store.keyring.begin(&encryption, object, &requester).await?;
        let sealer = key.seal_part(1)?;
        let with_md5 = encryption.mode() == Mode::S3;
        let (blob, part, digested) = self.store_sealed(sealer, with_md5, incoming, begun).await?;
        begun.headers = encryption.answer(envelope.key_arn());
        begun.headers.extend(headers(&digested));
        let etag = etag(&digested)?;
        let info = ObjectInfo::new(vec![part], digested)?;
        Ok(body(part.len, etag, blob, Some(seal_info(&envelope, &key, &info)?)))
    }

    /// Stores a body that is sealed on the way.
    pub(super) async fn store_sealed(
        &self,
        sealer: PartSealer,
        with_md5: bool,
        incoming: Incoming,
        begun: &mut Unfinished,
    ) -> Result<(Blob, SealedPart, Digested), Error> {
        let Incoming { body, length, expected } = incoming;
        let digests = expected.digests(with_md5);
        let (stream, sealed) = SealStream::new(bounded(body), sealer, digests);
        let stream = stream.map_err(|error| match Error::from(error) {
            Error::Objects(error) => error,
            _ => objects::Error::Internal,
        });
        let blob = self.store.bodies.write(stream).await?;
        begun.blobs.push(blob.id.clone());
        let sealed = sealed.await.map_err(|_| Error::Internal)?;
        let mut digested = sealed.digested;
        check_length(length, sealed.part.len)?;
        expected.check(&mut digested)?;
        if !with_md5 {
            digested.md5 = None; // said, compared, and no longer needed
        }
        Ok((blob, sealed.part, digested))
    }

    /// Stores a body as it is.
    pub(super) async fn store_clear(
        &self,
        incoming: Incoming,
        begun: &mut Unfinished,
    ) -> Result<(Blob, Digested), Error> {
        let Incoming { body, length, expected } = incoming;
        let mut digests = expected.digests(true);
        let seen = bounded(body).map_ok(|bytes| {
            digests.update(&bytes);
            bytes
        });
        let blob = self.store.bodies.write(seen.map_err(of_body)).await?;
        begun.blobs.push(blob.id.clone());
        let mut digested = digests.finish();
        check_length(length, blob.len)?;
        expected.check(&mut digested)?;
        Ok((blob, digested))
    }

    /// After the walk: what the write replaced is removed, or what it stored in vain.
    pub(super) async fn finish(
        &self,
        reply: Reply<objects::Written>,
        begun: Unfinished,
    ) -> Reply<Stored> {
        match &reply.result {
            Ok(written) => self.free(&written.freed).await,
            Err(error) => self.free_in_vain(error, &begun.blobs).await,
        }
        reply.map(|written| Stored { written, headers: begun.headers })
    }
}

/// A body that has no more bytes than one may have.
fn bounded(
    body: super::ByteStream,
) -> impl Stream<Item = std::io::Result<bytes::Bytes>> + Send + Unpin {
    let mut left = LONGEST;
    body.map(move |piece| {
        let piece = piece?;
        let len = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        left = left
            .checked_sub(len)
            .ok_or_else(|| std::io::Error::other(objects::Error::EntityTooLarge))?;
        Ok(piece)
    })
}

fn check_length(said: Option<u64>, found: u64) -> Result<(), Error> {
    match said {
        Some(said) if said != found => Err(objects::Error::IncompleteBody.into()),
        _ => Ok(()),
    }
}

/// The MD5 of the bytes where one was computed for it: with SSE-S3. Otherwise 32 digits that say nothing.
pub(super) fn etag(digested: &Digested) -> Result<String, Error> {
    match digested.md5 {
        Some(md5) => Ok(hex::encode(md5)),
        None => Ok(hex::encode(random::array::<16>().map_err(objects::Error::from)?)),
    }
}

/// What is stored beside the bytes.
pub(super) fn seal_info(
    envelope: &Envelope,
    key: &ObjectKey,
    info: &ObjectInfo,
) -> Result<objects::Sealed, Error> {
    sealed(envelope, info.seal(key)?)
}
