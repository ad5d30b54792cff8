//! From what a request asks for to an object's key, and back: which data keys are made and unwrapped.

use std::sync::Arc;

use futures_util::stream::{self, Stream, StreamExt};
use tokio::time::Instant;

use super::Error;
use super::bucket_keys::{BucketKeys, Limits, Requester};
use super::customer::CustomerKey;
use super::encryption::Encryption;
use super::envelope::{Envelope, ObjectName, OpeningKeys, SealingKeys};
use super::mode::Mode;
use super::object_key::ObjectKey;
use super::provider::{Context, DataKey, KeyProvider, object_context};
use super::refusal::Refusal;

/// Makes and finds the keys of objects. One for all requests: it keeps the bucket keys.
#[derive(Debug)]
pub struct Keyring {
    own: Arc<dyn KeyProvider>,
    own_key: String,
    bucket_keys: BucketKeys,
}

impl Keyring {
    /// `own` and `own_key` (key id, ARN or alias) are what SSE-S3 seals under: a key of the store's own,
    /// asked for by the store itself, whoever writes.
    pub fn new(own: Arc<dyn KeyProvider>, own_key: impl Into<String>, limits: Limits) -> Self {
        Self { own, own_key: own_key.into(), bucket_keys: BucketKeys::new(limits) }
    }

    /// The bucket keys that are kept.
    #[must_use]
    pub const fn bucket_keys(&self) -> &BucketKeys {
        &self.bucket_keys
    }

    /// Begins a new object, or an upload in parts: a new object key, in its envelope.
    ///
    /// # Errors
    /// [`Error::Provider`]; [`Error::TooLarge`] when the context does not fit.
    pub async fn begin(
        &self,
        encryption: &Encryption,
        object: &ObjectName,
        requester: &Requester,
    ) -> Result<(Envelope, ObjectKey), Error> {
        let key = ObjectKey::new(matches!(encryption, Encryption::Dsse(_)))?;
        let envelope = self.seal_key(&key, encryption, object, requester).await?;
        Ok((envelope, key))
    }

    /// Opens an object's key. SSE-C needs the request's.
    ///
    /// # Errors
    /// [`Error::Refused`] for a wrong customer key or none; [`Error::Provider`]; [`Error::Open`] when the
    /// envelope is not the object's, or altered.
    pub async fn open(
        &self,
        envelope: &Envelope,
        object: &ObjectName,
        customer: Option<&CustomerKey>,
        requester: &Requester,
    ) -> Result<ObjectKey, Error> {
        let context = envelope.context();
        match (envelope.mode(), customer) {
            (Mode::Customer, None) => return Err(Refusal::ObjectNeedsKey.into()),
            (Mode::Customer, Some(key)) => {
                let opened = envelope.open(&OpeningKeys::One(key.secret()), object);
                return opened.map_err(|_| Refusal::WrongKey.into());
            }
            (_, Some(_)) => return Err(Refusal::ObjectWithoutKey.into()),
            (_, None) => {}
        }
        let keys = match envelope.mode() {
            Mode::S3 => self.own.as_ref(),
            _ => requester.keys(),
        };
        let mut unwrapped = Vec::with_capacity(2);
        for wrapped in envelope.wrapped_keys() {
            unwrapped.push(match envelope.has_bucket_key() {
                true => {
                    let now = Instant::now();
                    self.bucket_keys.to_open(&wrapped, context, requester, now).await?
                }
                false => Arc::new(keys.unwrap(&wrapped, context).await?),
            });
        }
        match unwrapped.as_slice() {
            [one] => envelope.open(&OpeningKeys::One(one), object),
            [inner, outer] => envelope.open(&OpeningKeys::Two(inner, outer), object),
            _ => Err(Error::Open),
        }
    }

    /// Opens the key of an upload, for another part of it. As [`Self::open`], but S3 has other words for a
    /// part with another key than its upload.
    ///
    /// # Errors
    /// [`Refusal::PartOtherKey`]; otherwise as [`Self::open`].
    pub async fn open_upload(
        &self,
        envelope: &Envelope,
        object: &ObjectName,
        customer: Option<&CustomerKey>,
        requester: &Requester,
    ) -> Result<ObjectKey, Error> {
        match self.open(envelope, object, customer, requester).await {
            Err(Error::Refused(Refusal::WrongKey)) => Err(Refusal::PartOtherKey.into()),
            opened => opened,
        }
    }

    /// Moves an object to another key, the key's newest version, another context, mode or name: opens
    /// its key and seals the same one anew. Its data, ETag and checksums stay as they are. The new
    /// envelope takes the old one's place; whoever keeps the old one can still open the object by it.
    ///
    /// # Errors
    /// [`Error::Layers`] from or to DSSE-KMS, whose data has two layers and has to be written anew; as
    /// [`Self::open`] and [`Self::begin`].
    pub async fn rewrap(
        &self,
        envelope: &Envelope,
        object: &ObjectName,
        customer: Option<&CustomerKey>,
        encryption: &Encryption,
        to: &ObjectName,
        requester: &Requester,
    ) -> Result<Envelope, Error> {
        let two = matches!(encryption, Encryption::Dsse(_));
        if two != (envelope.mode() == Mode::Dsse) {
            return Err(Error::Layers);
        }
        let key = self.open(envelope, object, customer, requester).await?;
        self.seal_key(&key, encryption, to, requester).await
    }

    /// [`Self::rewrap`]s many objects, under their own names, `at_once` of them at a time, as the stream is
    /// read: what was not read yet was not begun, apart from those. An answer comes as soon as it is there,
    /// in any order; the caller puts the new envelope in the old one's place and counts. An object that
    /// fails does not stop the others, and one that was moved before is moved again without harm, so that a
    /// run that was stopped may begin anew.
    pub fn rewrap_many<'a, I>(
        &'a self,
        objects: I,
        encryption: &'a Encryption,
        requester: &'a Requester,
        at_once: usize,
    ) -> impl Stream<Item = (ObjectName, Result<Envelope, Error>)> + 'a
    where
        I: IntoIterator<Item = (ObjectName, Envelope)>,
        I::IntoIter: 'a,
    {
        let rewrapped = move |(name, envelope): (ObjectName, Envelope)| async move {
            let moved = self.rewrap(&envelope, &name, None, encryption, &name, requester).await;
            (name, moved)
        };
        stream::iter(objects).map(rewrapped).buffer_unordered(at_once.max(1))
    }

    /// S3's `UpdateObjectEncryption`: from SSE-S3 or SSE-KMS to SSE-KMS under the key of a full ARN.
    ///
    /// # Errors
    /// [`Refusal::UpdateNotApplicable`]; as [`Self::rewrap`].
    pub async fn update_encryption(
        &self,
        envelope: &Envelope,
        object: &ObjectName,
        encryption: &Encryption,
        requester: &Requester,
    ) -> Result<Envelope, Error> {
        if !matches!(envelope.mode(), Mode::S3 | Mode::Kms) {
            let why = "only objects of SSE-S3 and SSE-KMS are updated";
            return Err(Refusal::UpdateNotApplicable(why).into());
        }
        match encryption {
            Encryption::Kms { key, .. } if key.id.starts_with("arn:") => {}
            Encryption::Kms { .. } => {
                let why = "the key has to be named by its full ARN";
                return Err(Refusal::UpdateNotApplicable(why).into());
            }
            _ => {
                let why = "only SSE-KMS can be updated to";
                return Err(Refusal::UpdateNotApplicable(why).into());
            }
        }
        self.rewrap(envelope, object, None, encryption, object, requester).await
    }

    async fn seal_key(
        &self,
        key: &ObjectKey,
        encryption: &Encryption,
        object: &ObjectName,
        requester: &Requester,
    ) -> Result<Envelope, Error> {
        let none = Context::new();
        match encryption {
            Encryption::Customer(customer) => {
                let keys = SealingKeys::Customer(customer.secret());
                Envelope::seal_key(key, &keys, object, &none)
            }
            Encryption::S3 => {
                let context = object_context(object, false, &none);
                let made = self.own.generate(&self.own_key, &context).await?;
                Envelope::seal_key(key, &SealingKeys::S3(&made), object, &context)
            }
            Encryption::Kms { key: kms, bucket_key } => {
                let context = object_context(object, *bucket_key, &kms.context);
                let made: Arc<DataKey> = if *bucket_key {
                    let (bucket, now) = (&object.bucket, Instant::now());
                    self.bucket_keys.to_seal(bucket, &kms.id, &context, requester, now).await?
                } else {
                    Arc::new(requester.keys().generate(&kms.id, &context).await?)
                };
                let keys = SealingKeys::Kms { key: &made, bucket_key: *bucket_key };
                Envelope::seal_key(key, &keys, object, &context)
            }
            Encryption::Dsse(kms) => {
                let context = object_context(object, false, &kms.context);
                let inner = requester.keys().generate(&kms.id, &context).await?;
                // Under the same key, if an alias moves meanwhile.
                let outer = requester.keys().generate(&inner.wrapped.key_arn, &context).await?;
                Envelope::seal_key(key, &SealingKeys::Dsse(&inner, &outer), object, &context)
            }
        }
    }
}
