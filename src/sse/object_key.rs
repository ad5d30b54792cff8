//! The key of one object: a random one a layer, never the KMS's or the customer's.

use super::Error;
use super::chunk::{ChunkCipher, chunks_len};
use crate::crypto::bulk::TAG_LEN;
use crate::crypto::{Purpose, SecretKey, aead, derive, random};

/// The key of one object: seals and opens its parts and what is known of it. It stays the same as long
/// as the object's data, whatever it is sealed under.
#[derive(Debug)]
pub struct ObjectKey {
    pub(super) inner: Layer,
    pub(super) outer: Option<Layer>,
}

/// One layer's key, and the salt that what is derived from it has.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) key: SecretKey,
    pub(super) salt: [u8; SALT_LEN],
}

/// The salt of one part's body, which stands in front of it.
pub type PartSalt = [u8; PART_SALT_LEN];

/// Seals one body as one part, once.
#[derive(Debug)]
pub struct PartSealer {
    pub(super) number: u16,
    pub(super) salt: PartSalt,
    pub(super) cipher: ChunkCipher,
}

impl Layer {
    pub(super) fn generate() -> Result<Self, Error> {
        Ok(Self { key: SecretKey::generate()?, salt: random::array()? })
    }

    /// AES-256-GCM does not commit to its key: two keys can be found that open one ciphertext to two
    /// plaintexts. This value binds the object to a single key.
    pub(super) fn commitment(&self) -> SecretKey {
        derive(&self.key, &self.salt, Purpose::ObjectCommitment, b"")
    }

    fn part(&self, number: u16, salt: &PartSalt) -> SecretKey {
        let mut info = number.to_be_bytes().to_vec();
        info.extend_from_slice(salt);
        derive(&self.key, &self.salt, Purpose::ObjectPart, &info)
    }
}

impl ObjectKey {
    /// Parts are numbered from 1 to 10,000, as S3 has it; a body that was not made in parts is part 1.
    pub const MAX_PART: u16 = 10_000;

    /// Draws one, of one layer or, for DSSE-KMS, two.
    ///
    /// # Errors
    /// [`Error::Random`]
    pub fn new(two_layers: bool) -> Result<Self, Error> {
        let outer = two_layers.then(Layer::generate).transpose()?;
        Ok(Self { inner: Layer::generate()?, outer })
    }

    /// Begins a body of part `number`. Each has keys of its own, also when the same part is sent again.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a number outside of 1 to [`Self::MAX_PART`]; [`Error::Random`].
    pub fn seal_part(&self, number: u16) -> Result<PartSealer, Error> {
        self.seal_part_with(number, random::array()?)
    }

    pub(super) fn seal_part_with(&self, number: u16, salt: PartSalt) -> Result<PartSealer, Error> {
        if !(1..=Self::MAX_PART).contains(&number) {
            return Err(Error::TooLarge("parts are numbered from 1 to 10,000"));
        }
        Ok(PartSealer { number, salt, cipher: self.part(number, &salt)? })
    }

    /// The cipher of a part's chunks, for opening. `salt` stands in front of them.
    ///
    /// # Errors
    /// [`Error::Open`] never in practice.
    pub fn part(&self, number: u16, salt: &PartSalt) -> Result<ChunkCipher, Error> {
        let outer = self.outer.as_ref().map(|layer| layer.part(number, salt));
        ChunkCipher::new(&self.inner.part(number, salt), outer.as_ref())
    }

    /// Bytes that a part of `len` bytes has when it is sealed; none when the format holds no such part.
    #[must_use]
    pub fn sealed_len(&self, len: u64) -> Option<u64> {
        let layers = 1 + usize::from(self.outer.is_some());
        chunks_len(len, layers * TAG_LEN)?.checked_add(PART_SALT_LEN_U64)
    }

    /// Seals something small that belongs to the object, in all layers: salt ‖ ciphertext ‖ tags.
    pub(super) fn seal_small(&self, purpose: Purpose, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        self.seal_small_with(purpose, random::array()?, plaintext)
    }

    pub(super) fn seal_small_with(
        &self,
        purpose: Purpose,
        salt: [u8; SALT_LEN],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let mut sealed = plaintext.to_vec();
        for layer in [Some(&self.inner), self.outer.as_ref()].into_iter().flatten() {
            let key = derive(&layer.key, &layer.salt, purpose, &salt);
            sealed = aead::seal(&key, &NONCE, &salt, &sealed)?;
        }
        Ok([&salt[..], &sealed].concat())
    }

    /// Opens it.
    pub(super) fn open_small(
        &self,
        purpose: Purpose,
        sealed: &[u8],
    ) -> Result<crate::crypto::Plaintext, Error> {
        let (salt, sealed) = sealed.split_first_chunk::<SALT_LEN>().ok_or(Error::Open)?;
        let open = |layer: &Layer, sealed: &[u8]| {
            let key = derive(&layer.key, &layer.salt, purpose, salt);
            aead::open(&key, &NONCE, salt, sealed)
        };
        Ok(match &self.outer {
            Some(outer) => open(&self.inner, open(outer, sealed)?.expose())?,
            None => open(&self.inner, sealed)?,
        })
    }
}

pub(super) const SALT_LEN: usize = 32;
/// Bytes in front of a part's chunks.
pub(super) const PART_SALT_LEN: usize = 16;
pub(super) const PART_SALT_LEN_U64: u64 = 16;
/// Under a key that is derived with a fresh salt for one message.
const NONCE: [u8; aead::NONCE_LEN] = [0; aead::NONCE_LEN];
