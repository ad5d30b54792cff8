//! Objects read: the row is found, the key asked for, the bytes opened as they go.

use std::ops::Range;
use std::sync::Arc;

use futures_util::TryStreamExt;

use super::digesting::{headers_of, named};
use super::readers::Reader;
use super::requests::{Work, answer, envelope, name};
use super::uploading::sealed_part;
use super::{AnswerHeaders, ByteStream, Opened};
use crate::objects::{self, Body, Found, GetObject, GetObjectAttributes, HeadObject, Version};
use crate::service::credential::Caller;
use crate::service::hall::Service;
use crate::service::operation::Operation;
use crate::service::walk::Reply;
use crate::service::{Error, with_causes};
use crate::sse::{
    CustomerKey, Digested, Envelope, Headers, ObjectInfo, ObjectKey, ObjectName, PieceOpener,
    RangeOpener, Requester, SealedPart, customer_key_for_copying, customer_key_for_reading,
};

/// Which bytes of an object are asked for (RFC 9110, section 14.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeAsked {
    /// From the first to the last, or to the end.
    FromTo(u64, Option<u64>),
    /// So many before the end.
    Last(u64),
}

/// How much of an object is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Some of its bytes; all where there is none.
    pub range: Option<RangeAsked>,
    /// The bytes of one of its parts.
    pub part: Option<u16>,
    /// Whether its checksums are.
    pub checksums: bool,
}

impl Service {
    /// `GetObject`.
    pub async fn get_object(
        self: &Arc<Self>,
        caller: Caller,
        request: GetObject,
        headers: Headers,
        wanted: Wanted,
    ) -> Reply<Opened> {
        self.read(caller, request, headers, (wanted, true), |request, work, call| {
            objects::get_object(&work.store.rooms.objects, call, request)
        })
        .await
    }

    /// `HeadObject`: the same without the bytes. KMS is asked only for checksums.
    pub async fn head_object(
        self: &Arc<Self>,
        caller: Caller,
        request: HeadObject,
        headers: Headers,
        wanted: Wanted,
    ) -> Reply<Opened> {
        self.read(caller, request, headers, (wanted, false), |request, work, call| {
            objects::head_object(&work.store.rooms.objects, call, request)
        })
        .await
    }

    /// `GetObjectAttributes`: with checksums.
    pub async fn get_object_attributes(
        self: &Arc<Self>,
        caller: Caller,
        request: GetObjectAttributes,
        headers: Headers,
    ) -> Reply<Opened> {
        let wanted = Wanted { checksums: true, ..Wanted::default() };
        self.read(caller, request, headers, (wanted, false), |request, work, call| {
            objects::get_object_attributes(&work.store.rooms.objects, call, request)
        })
        .await
    }

    /// Finds and opens what is wanted, with its bytes or without.
    async fn read<O, L>(
        self: &Arc<Self>,
        caller: Caller,
        request: O,
        headers: Headers,
        wanted: (Wanted, bool),
        look: L,
    ) -> Reply<Opened>
    where
        O: Operation<Output = Found> + Named,
        L: Fn(&O, &Work, &objects::Call<'_>) -> Result<objects::Done<Found>, objects::Error>
            + Send
            + Sync,
    {
        let work = Work::of(self, &caller);
        let mut opened = None;
        let (at, done, seen) = (&work, &mut opened, &look);
        let prepare = |request: O| async move {
            let (found, _held) = at.held(|| at.look(&request, seen))?;
            *done = Some(at.open(&request.named(), &found, &headers, wanted).await?);
            Ok(request)
        };
        let reply = self.call_prepared(&work.store, caller, request, prepare).await;
        reply.and_then(|_| opened.ok_or(Error::Internal))
    }
}

/// A request for an object.
trait Named {
    fn named(&self) -> ObjectName;
}

macro_rules! named {
    ($($request:ident),+) => {
        $(impl Named for $request {
            fn named(&self) -> ObjectName {
                name(&self.bucket, &self.key)
            }
        })+
    };
}

named!(GetObject, HeadObject, GetObjectAttributes);

impl Work {
    fn look<O, L>(&self, request: &O, look: &L) -> Result<Found, Error>
    where
        L: Fn(&O, &Self, &objects::Call<'_>) -> Result<objects::Done<Found>, objects::Error>,
    {
        let call = objects::Call { account: "", region: "", principal: "", now: self.now() };
        Ok(look(request, self, &call)?.output)
    }

    /// What is found, and its bytes kept: whoever writes the object anew while KMS is asked does not take them away.
    pub(super) fn held(
        &self,
        find: impl Fn() -> Result<Found, Error>,
    ) -> Result<(Found, Reader), Error> {
        loop {
            let found = find()?;
            let blobs = found.version.object().map(|(_, body)| body.blobs.as_slice());
            let reader = self.store.bodies.hold(blobs.unwrap_or_default());
            // What is there still will be removed after this, if ever, and so not before it is read.
            if Arc::ptr_eq(&find()?.version, &found.version) {
                return Ok((found, reader));
            }
        }
    }

    /// Opens as much of an object as is wanted.
    async fn open(
        &self,
        object: &ObjectName,
        found: &Found,
        headers: &Headers,
        (wanted, with_bytes): (Wanted, bool),
    ) -> Result<Opened, Error> {
        let bucket = self.bucket(&object.bucket)?;
        let body = body_of(&found.version)?;
        let arrival = self.arrival(&bucket);
        let customer = customer_key_for_reading(headers, body.mode(), arrival);
        let customer = customer.map_err(objects::Error::from)?;
        let positions = positions(body, wanted)?;
        let whole = 0..body.size;
        let (range, parts) = match &positions {
            None => (None, None),
            Some(positions) => {
                let parts = u16::try_from(body.parts.len()).ok().filter(|_| wanted.part.is_some());
                (Some(positions.clone()), parts)
            }
        };
        let asked = positions.unwrap_or(whole);
        // The checksum of a whole object says nothing of a part of it, and SDKs would hold it against one.
        let wanted = Wanted { checksums: wanted.checksums && range.is_none(), ..wanted };
        let needs_key = with_bytes || wanted.checksums || customer.is_some();
        let mut opened = Opened {
            found: found.clone(),
            headers: Vec::new(),
            checksums: Vec::new(),
            range,
            len: asked.end - asked.start,
            parts,
            body: None,
        };
        let Some(sealed) = &body.sealed else {
            if wanted.checksums {
                opened.checksums = clear_checksums(body);
            }
            if with_bytes {
                opened.body = Some(self.store.bodies.read(&body.blobs, asked, None).await?);
            }
            return Ok(opened);
        };
        let envelope = envelope(&sealed.envelope)?;
        opened.headers = answer(Some(&envelope), customer.as_ref());
        if needs_key {
            let requester = self.requester(&bucket)?;
            let (key, info) =
                self.unseal(object, (&envelope, body), customer.as_ref(), &requester).await?;
            if wanted.checksums {
                opened.checksums = headers_of(body, info.digested());
            }
            if with_bytes {
                opened.body = Some(self.opened(body, key, &info, asked).await?);
            }
        }
        Ok(opened)
    }

    /// The key of a sealed object, and what is known of it.
    async fn unseal(
        &self,
        object: &ObjectName,
        (envelope, body): (&Envelope, &Body),
        customer: Option<&CustomerKey>,
        requester: &Requester,
    ) -> Result<(Arc<ObjectKey>, ObjectInfo), Error> {
        let key = self.store.keyring.open(envelope, object, customer, requester).await?;
        let info = match &body.sealed {
            Some(sealed) if body.salts.is_empty() => ObjectInfo::open(&sealed.info, &key)?,
            _ => ObjectInfo::new(parts_of(body)?, Digested::default())?,
        };
        if info.len() != body.size {
            return Err(objects::Error::Damaged("its length is another".to_owned()).into());
        }
        Ok((Arc::new(key), info))
    }

    /// The plaintext of a range of a sealed object.
    async fn opened(
        &self,
        body: &Body,
        key: Arc<ObjectKey>,
        info: &ObjectInfo,
        range: Range<u64>,
    ) -> Result<ByteStream, Error> {
        let opener = PieceOpener::new(RangeOpener::new(key, info, range)?);
        let stored = opener.stored().clone();
        let opened = self.store.bodies.read(&body.blobs, stored, Some(opener)).await?;
        Ok(Box::pin(opened.inspect_err(|error| {
            tracing::error!(error = %with_causes(error), "stored bytes of an object do not open");
        })))
    }

    /// All bytes of a copy's source, in clear.
    pub(super) async fn source(
        &self,
        object: &ObjectName,
        version: &Version,
        headers: &Headers,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream, Error> {
        let bucket = self.bucket(&object.bucket)?;
        let body = body_of(version)?;
        let customer = customer_key_for_copying(headers, body.mode(), self.arrival(&bucket));
        let customer = customer.map_err(objects::Error::from)?;
        let range = range.unwrap_or(0..body.size);
        let Some(sealed) = &body.sealed else {
            return Ok(self.store.bodies.read(&body.blobs, range, None).await?);
        };
        let (envelope, requester) = (envelope(&sealed.envelope)?, self.requester(&bucket)?);
        let (key, info) =
            self.unseal(object, (&envelope, body), customer.as_ref(), &requester).await?;
        self.opened(body, key, &info, range).await
    }
}

/// The bytes of a version; a delete marker has none.
pub(super) fn body_of(version: &Version) -> Result<&Body, Error> {
    Ok(version.object().map(|(_, body)| body).ok_or(objects::Error::MethodNotAllowed)?)
}

/// The parts of an object that was completed without its customer's key; the row that names them is sealed itself.
fn parts_of(body: &Body) -> Result<Vec<SealedPart>, Error> {
    let parts = body.parts.iter().zip(&body.salts).map(|((number, len), salt)| {
        sealed_part(*number, *len, &hex::decode(salt).unwrap_or_default())
    });
    parts.collect()
}

/// The checksums of what is stored in clear.
fn clear_checksums(body: &Body) -> AnswerHeaders {
    let checksum = body.checksum.as_deref().and_then(named);
    let header = checksum.map(crate::sse::Checksum::header);
    let value = |header: &'static str| Some((header, body.clear.get(header)?.clone()));
    header.and_then(value).into_iter().collect()
}

/// The positions that are asked for; none for all.
fn positions(body: &Body, wanted: Wanted) -> Result<Option<Range<u64>>, Error> {
    let unsatisfiable = || Error::from(objects::Error::InvalidRange);
    if let Some(number) = wanted.part {
        let mut start = 0;
        for (part, len) in &body.parts {
            if *part == number {
                return Ok(Some(start..start + len));
            }
            start += len;
        }
        // What was not written in parts is its own first part.
        return match body.parts.is_empty() && number == 1 {
            true => Ok(Some(0..body.size)),
            false => Err(unsatisfiable()),
        };
    }
    let range = match wanted.range {
        None => return Ok(None),
        Some(RangeAsked::FromTo(first, last)) => {
            let end = last.map_or(body.size, |last| last.saturating_add(1).min(body.size));
            first..end
        }
        Some(RangeAsked::Last(count)) => body.size.saturating_sub(count)..body.size,
    };
    if range.is_empty() { Err(unsatisfiable()) } else { Ok(Some(range)) }
}
