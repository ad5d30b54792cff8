//! What is kept beside a body.
//!
//! ```text
//! "SRSE" ‖ version 02 ‖ mode ‖ chunk size as power of two (16) ‖ flags (01: a bucket key)
//! ‖ u16 length ‖ ARN of the KMS key
//! ‖ u16 count ‖ { u16 length ‖ name ‖ u16 length ‖ value } …   encryption context, by name
//! then for each layer, two in mode DSSE, else one:
//!   object's salt (32) ‖ seal's salt (32) ‖ u16 length ‖ wrapped data key
//!   ‖ sealed object key (48) ‖ commitment (32)
//! ```
//! A layer's sealing key is HKDF-SHA256(data key, seal's salt, label, mode ‖ layer ‖ bucket ‖ object name,
//! the last two length-prefixed); it seals one key once, so the nonce is zero. Associated data: all of
//! the envelope before the layers ‖ the layer's own beginning, to the wrapped data key.

use subtle::ConstantTimeEq;

use super::Error;
use super::chunk::CHUNK_LOG2;
use super::mode::Mode;
use super::object_key::{Layer, ObjectKey, SALT_LEN};
use super::provider::{Context, DataKey, WrappedKey};
use crate::crypto::{Purpose, SecretKey, aead, derive, random};

/// Which object it is. Another one's bytes under this name do not open.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// The bucket; empty for a file.
    pub bucket: String,
    /// The object's name within the bucket.
    pub name: String,
}

/// The keys that an object's own key is sealed under.
#[derive(Debug)]
pub enum SealingKeys<'a> {
    /// SSE-S3: a data key of the store's own.
    S3(&'a DataKey),
    /// SSE-KMS: a data key, which other objects have too if it is a bucket's.
    Kms {
        /// The object's, or the bucket's.
        key: &'a DataKey,
        /// Whether it is the bucket's.
        bucket_key: bool,
    },
    /// DSSE-KMS: two data keys of one KMS key, of the inner and the outer layer.
    Dsse(&'a DataKey, &'a DataKey),
    /// SSE-C.
    Customer(&'a SecretKey),
}

/// The keys that an envelope is opened with: those that its wrapped data keys unwrap to, in their order,
/// or the customer's.
#[derive(Debug)]
pub enum OpeningKeys<'a> {
    /// Of SSE-S3 and SSE-KMS, or the customer's key.
    One(&'a SecretKey),
    /// Of DSSE-KMS, inner layer first.
    Two(&'a SecretKey, &'a SecretKey),
}

/// A parsed envelope; nothing of it is believed before [`Envelope::open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    mode: Mode,
    bucket_key: bool,
    key_arn: String,
    context: Context,
    inner: SealedLayer,
    outer: Option<SealedLayer>,
}

/// One layer's object key, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SealedLayer {
    object_salt: [u8; SALT_LEN],
    seal_salt: [u8; SALT_LEN],
    wrapped: Vec<u8>,
    sealed_key: [u8; SEALED_KEY_LEN],
    commitment: [u8; COMMITMENT_LEN],
}

impl Envelope {
    /// Bytes of an envelope at the most.
    pub const MAX_LEN: usize = 32 * 1024;

    /// Draws an object key and seals it under `keys`. `context` is what the data keys were wrapped
    /// with.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when wrapped keys and context do not fit; [`Error::Random`].
    pub fn seal(
        keys: &SealingKeys<'_>,
        object: &ObjectName,
        context: &Context,
    ) -> Result<(Self, ObjectKey), Error> {
        let key = ObjectKey::new(matches!(keys, SealingKeys::Dsse(..)))?;
        let envelope = Self::seal_key(&key, keys, object, context)?;
        Ok((envelope, key))
    }

    /// Seals the key of an object whose data stays as it is, under other keys, another context or
    /// another name: rotation, `UpdateObjectEncryption`, renaming.
    ///
    /// # Errors
    /// [`Error::Layers`] when the data has another number of layers than `keys`; as [`Self::seal`].
    pub fn seal_key(
        key: &ObjectKey,
        keys: &SealingKeys<'_>,
        object: &ObjectName,
        context: &Context,
    ) -> Result<Self, Error> {
        Self::seal_with(key, keys, object, context, random::array)
    }

    /// With salts from `salt`.
    pub(super) fn seal_with(
        key: &ObjectKey,
        keys: &SealingKeys<'_>,
        object: &ObjectName,
        context: &Context,
        mut salt: impl FnMut() -> Result<[u8; SALT_LEN], crate::crypto::Error>,
    ) -> Result<Self, Error> {
        let none = WrappedKey { key_arn: String::new(), blob: Vec::new() };
        let (mode, bucket_key, first, second) = match keys {
            SealingKeys::S3(key) => (Mode::S3, false, (&key.plaintext, &key.wrapped), None),
            SealingKeys::Kms { key, bucket_key } => {
                (Mode::Kms, *bucket_key, (&key.plaintext, &key.wrapped), None)
            }
            SealingKeys::Dsse(inner, outer) => {
                let second = Some((&outer.plaintext, &outer.wrapped));
                (Mode::Dsse, false, (&inner.plaintext, &inner.wrapped), second)
            }
            SealingKeys::Customer(key) => (Mode::Customer, false, (*key, &none), None),
        };
        let alike = second.is_none_or(|(_, wrapped)| wrapped.key_arn == first.1.key_arn);
        if second.is_some() != key.outer.is_some() || !alike {
            return Err(Error::Layers);
        }
        let mut begin = |layer: &Layer, wrapped: &WrappedKey| -> Result<SealedLayer, Error> {
            Ok(SealedLayer {
                object_salt: layer.salt,
                seal_salt: salt()?,
                wrapped: wrapped.blob.clone(),
                sealed_key: [0; SEALED_KEY_LEN],
                commitment: *layer.commitment().expose(),
            })
        };
        let inner = begin(&key.inner, first.1)?;
        let outer = match (&key.outer, second) {
            (Some(layer), Some((_, wrapped))) => Some(begin(layer, wrapped)?),
            _ => None,
        };
        let key_arn = first.1.key_arn.clone();
        let mut envelope =
            Self { mode, bucket_key, key_arn, context: context.clone(), inner, outer };
        let head = envelope.head()?;
        envelope.inner.seal(&head, (mode, INNER), first.0, object, &key.inner.key)?;
        if let (Some(sealed), Some(layer), Some((with, _))) =
            (&mut envelope.outer, &key.outer, second)
        {
            sealed.seal(&head, (mode, OUTER), with, object, &layer.key)?;
        }
        if envelope.encode()?.len() > Self::MAX_LEN {
            return Err(TOO_LARGE);
        }
        Ok(envelope)
    }

    /// Opens the object key.
    ///
    /// # Errors
    /// [`Error::Open`], whatever the reason.
    pub fn open(&self, keys: &OpeningKeys<'_>, object: &ObjectName) -> Result<ObjectKey, Error> {
        let head = self.head().map_err(|_| Error::Open)?;
        match (keys, &self.outer) {
            (OpeningKeys::One(key), None) => {
                let inner = self.inner.open(&head, (self.mode, INNER), key, object)?;
                Ok(ObjectKey { inner, outer: None })
            }
            (OpeningKeys::Two(first, second), Some(outer)) => {
                let inner = self.inner.open(&head, (self.mode, INNER), first, object)?;
                let outer = outer.open(&head, (self.mode, OUTER), second, object)?;
                Ok(ObjectKey { inner, outer: Some(outer) })
            }
            _ => Err(Error::Open),
        }
    }

    /// How the data keys are found again, inner layer first: for `UnwrapDataKey`. None with SSE-C.
    pub fn wrapped_keys(&self) -> impl Iterator<Item = WrappedKey> {
        let layers = [Some(&self.inner), self.outer.as_ref()].into_iter().flatten();
        layers
            .filter(|_| self.mode != Mode::Customer)
            .map(|layer| WrappedKey { key_arn: self.key_arn.clone(), blob: layer.wrapped.clone() })
    }

    /// The encryption context that the data keys were wrapped with.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// Whose key seals the object.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// ARN of the KMS key; empty with SSE-C.
    #[must_use]
    pub fn key_arn(&self) -> &str {
        &self.key_arn
    }

    /// Whether the data key is the bucket's.
    #[must_use]
    pub const fn has_bucket_key(&self) -> bool {
        self.bucket_key
    }

    /// The headers of the answer that gives the object out. With SSE-C there are none: the request's
    /// own key has them ([`super::answer_customer`]).
    #[must_use]
    pub fn answer(&self) -> Vec<(&'static str, String)> {
        super::encryption::answer(self.mode, &self.key_arn, self.bucket_key)
    }

    /// The envelope's bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] never for an envelope that was sealed or parsed.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let mut out = self.head()?;
        for layer in [Some(&self.inner), self.outer.as_ref()].into_iter().flatten() {
            layer.encode_head(&mut out)?;
            out.extend_from_slice(&layer.sealed_key);
            out.extend_from_slice(&layer.commitment);
        }
        Ok(out)
    }

    /// Parses the envelope at the start of `bytes`; returns it and its length.
    ///
    /// # Errors
    /// [`Error::Envelope`] for bytes that are none.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), Error> {
        let mut rest = bytes.get(..bytes.len().min(Self::MAX_LEN)).unwrap_or_default();
        let available = rest.len();
        let magic: [u8; 4] = take(&mut rest)?;
        let [version, mode, chunk_log2, flags] = take(&mut rest)?;
        if magic != *MAGIC {
            return Err(Error::Envelope("it does not begin with SRSE"));
        }
        if version != VERSION || chunk_log2 != CHUNK_LOG2 {
            return Err(Error::Envelope("it is of a version that this program does not read"));
        }
        let mode = Mode::from_byte(mode).ok_or(Error::Envelope("its mode is unknown"))?;
        let bucket_key = match flags {
            0 => false,
            BUCKET_KEY if mode == Mode::Kms => true,
            _ => return Err(Error::Envelope("its flags are unknown")),
        };
        let key_arn = take_text(&mut rest)?;
        let count = u16::from_be_bytes(take(&mut rest)?);
        let mut context = Context::new();
        for _ in 0..count {
            let (name, value) = (take_text(&mut rest)?, take_text(&mut rest)?);
            // One encoding for one context: in order, each name once.
            if context.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(Error::Envelope("its context is out of order"));
            }
            context.insert(name, value);
        }
        let inner = SealedLayer::take(&mut rest)?;
        let outer = match mode {
            Mode::Dsse => Some(SealedLayer::take(&mut rest)?),
            Mode::S3 | Mode::Kms | Mode::Customer => None,
        };
        let envelope = Self { mode, bucket_key, key_arn, context, inner, outer };
        Ok((envelope, available - rest.len()))
    }

    fn head(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(1024);
        out.extend_from_slice(MAGIC);
        let flags = if self.bucket_key { BUCKET_KEY } else { 0 };
        out.extend_from_slice(&[VERSION, self.mode.byte(), CHUNK_LOG2, flags]);
        put_field(&mut out, self.key_arn.as_bytes())?;
        let count = u16::try_from(self.context.len()).map_err(|_| TOO_LARGE)?;
        out.extend_from_slice(&count.to_be_bytes());
        for text in self.context.iter().flat_map(|(name, value)| [name, value]) {
            put_field(&mut out, text.as_bytes())?;
        }
        Ok(out)
    }
}

impl SealedLayer {
    fn seal(
        &mut self,
        head: &[u8],
        place: (Mode, u8),
        with: &SecretKey,
        object: &ObjectName,
        key: &SecretKey,
    ) -> Result<(), Error> {
        let sealing_key = self.sealing_key(place, with, object);
        let associated = self.associated(head)?;
        let sealed = aead::seal(&sealing_key, &NONCE, &associated, key.expose())?;
        self.sealed_key = sealed.try_into().map_err(|_| Error::Open)?;
        Ok(())
    }

    fn open(
        &self,
        head: &[u8],
        place: (Mode, u8),
        with: &SecretKey,
        object: &ObjectName,
    ) -> Result<Layer, Error> {
        let sealing_key = self.sealing_key(place, with, object);
        let associated = self.associated(head).map_err(|_| Error::Open)?;
        let key = aead::open(&sealing_key, &NONCE, &associated, &self.sealed_key)?;
        let layer = Layer { key: SecretKey::from_slice(key.expose())?, salt: self.object_salt };
        let same: bool = layer.commitment().expose().ct_eq(&self.commitment).into();
        if same { Ok(layer) } else { Err(Error::Open) }
    }

    fn sealing_key(&self, place: (Mode, u8), with: &SecretKey, object: &ObjectName) -> SecretKey {
        let mut info = vec![place.0.byte(), place.1];
        for part in [&object.bucket, &object.name] {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            info.extend_from_slice(&length.to_be_bytes());
            info.extend_from_slice(part.as_bytes());
        }
        derive(with, &self.seal_salt, Purpose::ObjectKeyWrap, &info)
    }

    fn associated(&self, head: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = head.to_vec();
        self.encode_head(&mut out)?;
        Ok(out)
    }

    fn encode_head(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        out.extend_from_slice(&self.object_salt);
        out.extend_from_slice(&self.seal_salt);
        put_field(out, &self.wrapped)
    }

    fn take(rest: &mut &[u8]) -> Result<Self, Error> {
        Ok(Self {
            object_salt: take(rest)?,
            seal_salt: take(rest)?,
            wrapped: take_field(rest)?.to_vec(),
            sealed_key: take(rest)?,
            commitment: take(rest)?,
        })
    }
}

const MAGIC: &[u8; 4] = b"SRSE";
const VERSION: u8 = 2;
const BUCKET_KEY: u8 = 1;
const INNER: u8 = 1;
const OUTER: u8 = 2;
const SEALED_KEY_LEN: usize = SecretKey::LEN + aead::TAG_LEN;
const COMMITMENT_LEN: usize = 32;
const NONCE: [u8; aead::NONCE_LEN] = [0; aead::NONCE_LEN];
const TOO_LARGE: Error =
    Error::TooLarge("wrapped data keys and encryption context do not fit into 32 KiB");
const ENDS_EARLY: Error = Error::Envelope("it ends early");

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Error> {
    let (taken, after) = rest.split_first_chunk().ok_or(ENDS_EARLY)?;
    *rest = after;
    Ok(*taken)
}

fn take_field<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let length = usize::from(u16::from_be_bytes(take(rest)?));
    let (field, after) = rest.split_at_checked(length).ok_or(ENDS_EARLY)?;
    *rest = after;
    Ok(field)
}

fn take_text(rest: &mut &[u8]) -> Result<String, Error> {
    let field = take_field(rest)?.to_vec();
    String::from_utf8(field).map_err(|_| Error::Envelope("its texts are none"))
}

fn put_field(out: &mut Vec<u8>, field: &[u8]) -> Result<(), Error> {
    let length = u16::try_from(field.len()).map_err(|_| TOO_LARGE)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(field);
    Ok(())
}
