//! What is kept beside a body.
//!
//! ```text
//! "SRSE" ‖ version 01 ‖ mode ‖ chunk size as power of two (16) ‖ 00 ‖ salt (32)
//! ‖ sealed object key (48) ‖ commitment (32)
//! ‖ u16 length ‖ wrapped data key
//! ‖ u16 count ‖ { u16 length ‖ name ‖ u16 length ‖ value } …   encryption context, by name
//! ```
//! The sealing key is HKDF-SHA256(data key, salt, label, mode ‖ bucket ‖ object name, each
//! length-prefixed); it seals one key once, so the nonce is zero. Associated data: all of the
//! envelope but the sealed object key and the commitment.

use std::collections::BTreeMap;

use subtle::ConstantTimeEq;

use super::Error;
use super::chunk::{CHUNK_LOG2, ChunkCipher};
use super::mode::Mode;
use crate::crypto::{Purpose, SecretKey, aead, derive, random};

/// Which object it is. Another one's bytes under this name do not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectName {
    /// The bucket; empty for a file.
    pub bucket: String,
    /// The object's name within the bucket.
    pub name: String,
}

/// A parsed envelope; nothing of it is believed before [`Envelope::open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    mode: Mode,
    salt: [u8; SALT_LEN],
    sealed_key: [u8; SEALED_KEY_LEN],
    commitment: [u8; 32],
    wrapped: Vec<u8>,
    context: BTreeMap<String, String>,
}

/// The key of one object: seals and opens its parts.
#[derive(Debug)]
pub struct ObjectKey {
    key: SecretKey,
    salt: [u8; SALT_LEN],
}

impl ObjectKey {
    /// The cipher of a part's chunks; a body that was not made in parts is part 1.
    ///
    /// # Errors
    /// [`Error::Open`] never in practice.
    pub fn part(&self, number: u32) -> Result<ChunkCipher, Error> {
        let key = derive(&self.key, &self.salt, Purpose::ObjectPart, &number.to_be_bytes());
        ChunkCipher::new(&key)
    }

    fn commitment(&self) -> SecretKey {
        derive(&self.key, &self.salt, Purpose::ObjectCommitment, b"")
    }
}

impl Envelope {
    /// Bytes of an envelope at the most.
    pub const MAX_LEN: usize = 16 * 1024;

    /// Draws an object key and seals it under `data_key`. `wrapped` is how the data key will be
    /// found again: the service's ciphertext blob.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when wrapped key and context do not fit; [`Error::Random`].
    pub fn seal(
        data_key: &SecretKey,
        wrapped: &[u8],
        object: &ObjectName,
        context: &BTreeMap<String, String>,
    ) -> Result<(Self, ObjectKey), Error> {
        Self::seal_with(
            data_key,
            wrapped,
            object,
            context,
            SecretKey::generate()?,
            random::array()?,
        )
    }

    pub(super) fn seal_with(
        data_key: &SecretKey,
        wrapped: &[u8],
        object: &ObjectName,
        context: &BTreeMap<String, String>,
        key: SecretKey,
        salt: [u8; SALT_LEN],
    ) -> Result<(Self, ObjectKey), Error> {
        let object_key = ObjectKey { key, salt };
        let mut envelope = Self {
            mode: Mode::Kms,
            salt,
            sealed_key: [0; SEALED_KEY_LEN],
            commitment: *object_key.commitment().expose(),
            wrapped: wrapped.to_vec(),
            context: context.clone(),
        };
        let associated = envelope.associated()?;
        let sealing_key = envelope.sealing_key(data_key, object);
        let sealed =
            aead::seal(&sealing_key, &NONCE, &associated, object_key.key.expose().as_slice())?;
        envelope.sealed_key = sealed.try_into().map_err(|_| Error::Open)?;
        Ok((envelope, object_key))
    }

    /// Opens the object key.
    ///
    /// # Errors
    /// [`Error::Open`], whatever the reason.
    pub fn open(&self, data_key: &SecretKey, object: &ObjectName) -> Result<ObjectKey, Error> {
        let sealing_key = self.sealing_key(data_key, object);
        let associated = self.associated().map_err(|_| Error::Open)?;
        let key = aead::open(&sealing_key, &NONCE, &associated, &self.sealed_key)?;
        let key = ObjectKey { key: SecretKey::from_slice(key.expose())?, salt: self.salt };
        // AES-GCM does not commit to its key: two keys can be found that open one ciphertext to
        // two plaintexts. This value binds the object to a single key.
        let same: bool = key.commitment().expose().ct_eq(&self.commitment).into();
        if same { Ok(key) } else { Err(Error::Open) }
    }

    /// How the data key is found again: for `UnwrapDataKey`.
    #[must_use]
    pub fn wrapped_data_key(&self) -> &[u8] {
        &self.wrapped
    }

    /// The encryption context that the data key was wrapped with.
    #[must_use]
    pub const fn context(&self) -> &BTreeMap<String, String> {
        &self.context
    }

    /// Whose key seals the object.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The envelope's bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] never for an envelope that was sealed or parsed.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let mut out = self.head();
        out.extend_from_slice(&self.sealed_key);
        out.extend_from_slice(&self.commitment);
        self.encode_tail(&mut out)?;
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
        let [version, mode, chunk_log2, reserved] = take(&mut rest)?;
        if magic != *MAGIC {
            return Err(Error::Envelope("it does not begin with SRSE"));
        }
        if version != VERSION || chunk_log2 != CHUNK_LOG2 || reserved != 0 {
            return Err(Error::Envelope("it is of a version that this program does not read"));
        }
        let mode = Mode::from_byte(mode)
            .filter(|mode| *mode == Mode::Kms)
            .ok_or(Error::Envelope("its mode is unknown"))?;
        let (salt, sealed_key, commitment) = (take(&mut rest)?, take(&mut rest)?, take(&mut rest)?);
        let wrapped = take_field(&mut rest)?.to_vec();
        let count = u16::from_be_bytes(take(&mut rest)?);
        let mut context = BTreeMap::new();
        for _ in 0..count {
            let (name, value) = (take_text(&mut rest)?, take_text(&mut rest)?);
            // One encoding for one context: in order, each name once.
            if context.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(Error::Envelope("its context is out of order"));
            }
            context.insert(name, value);
        }
        let envelope = Self { mode, salt, sealed_key, commitment, wrapped, context };
        Ok((envelope, available - rest.len()))
    }

    fn head(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(512);
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&[VERSION, self.mode.byte(), CHUNK_LOG2, 0]);
        head.extend_from_slice(&self.salt);
        head
    }

    fn encode_tail(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        put_field(out, &self.wrapped)?;
        let count = u16::try_from(self.context.len()).map_err(|_| TOO_LARGE)?;
        out.extend_from_slice(&count.to_be_bytes());
        for text in self.context.iter().flat_map(|(name, value)| [name, value]) {
            put_field(out, text.as_bytes())?;
        }
        Ok(())
    }

    fn associated(&self) -> Result<Vec<u8>, Error> {
        let mut out = self.head();
        self.encode_tail(&mut out)?;
        if out.len() + SEALED_KEY_LEN + COMMITMENT_LEN > Self::MAX_LEN {
            return Err(TOO_LARGE);
        }
        Ok(out)
    }

    fn sealing_key(&self, data_key: &SecretKey, object: &ObjectName) -> SecretKey {
        let mut info = vec![self.mode.byte()];
        for part in [&object.bucket, &object.name] {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            info.extend_from_slice(&length.to_be_bytes());
            info.extend_from_slice(part.as_bytes());
        }
        derive(data_key, &self.salt, Purpose::ObjectKeyWrap, &info)
    }
}

const MAGIC: &[u8; 4] = b"SRSE";
const VERSION: u8 = 1;
const SALT_LEN: usize = 32;
const SEALED_KEY_LEN: usize = SecretKey::LEN + aead::TAG_LEN;
const COMMITMENT_LEN: usize = 32;
const NONCE: [u8; aead::NONCE_LEN] = [0; aead::NONCE_LEN];
const TOO_LARGE: Error =
    Error::TooLarge("wrapped data key and encryption context do not fit into 16 KiB");
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
    String::from_utf8(field).map_err(|_| Error::Envelope("its context is no text"))
}

fn put_field(out: &mut Vec<u8>, field: &[u8]) -> Result<(), Error> {
    let length = u16::try_from(field.len()).map_err(|_| TOO_LARGE)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(field);
    Ok(())
}
