//! Ciphertext blobs: what `Encrypt` and `GenerateDataKey` return and `Decrypt` accepts.
//!
//! Invariant: a blob names its key and key version, so rotation never strands old ciphertext.
//! A fresh salt derives a key for this blob alone, so the nonce can be all zeroes and a key version
//! never wears out. Layout, with a worked example in hex: docs/formats.md, "Ciphertext blob".
//!
//! ```text
//! 01 or 02 ‖ key id (16) ‖ key version (u32) ‖ salt (16) ‖ ciphertext ‖ tag (16)
//! ```
//! 02 says that the id is a multi-Region key's. Associated data: everything before the ciphertext ‖ the encoded encryption context.

use super::Error;
use super::id::{KeyId, Reach};
use crate::crypto::{Plaintext, Purpose, SecretKey, aead, derive, random};

/// A parsed blob; nothing of it is believed before it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CiphertextBlob<'a> {
    /// The key that it names.
    pub key: KeyId,
    /// The key version that it names.
    pub version: u32,
    salt: &'a [u8; SALT_LEN],
    header: &'a [u8],
    sealed: &'a [u8],
}

/// Bytes of a blob at the most (API reference, `Decrypt`).
pub const MAX_LEN: usize = 6144;

/// The first byte: the format, and whether the key is one of several regions.
const FORMATS: [(u8, Reach); 2] = [(1, Reach::Regional), (2, Reach::MultiRegion)];
const SALT_LEN: usize = 16;
const HEADER_LEN: usize = 1 + KeyId::LEN + 4 + SALT_LEN;
const NONCE: [u8; aead::NONCE_LEN] = [0; aead::NONCE_LEN];

impl<'a> CiphertextBlob<'a> {
    /// Parses a blob.
    ///
    /// # Errors
    /// [`Error::InvalidCiphertext`], whatever the reason.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::split(bytes).ok_or(Error::InvalidCiphertext)
    }

    fn split(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > MAX_LEN {
            return None;
        }
        let (header, sealed) = bytes.split_at_checked(HEADER_LEN)?;
        let (format, rest) = header.split_first()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (version, rest) = rest.split_first_chunk()?;
        let salt = rest.first_chunk()?;
        let (_, reach) = FORMATS.iter().find(|(known, _)| known == format)?;
        if sealed.len() < aead::TAG_LEN {
            return None;
        }
        let version = u32::from_be_bytes(*version);
        Some(Self { key: KeyId::from_bytes(*reach, *key), version, salt, header, sealed })
    }

    /// Opens the blob with the material of the key version that it names.
    ///
    /// # Errors
    /// [`Error::InvalidCiphertext`], whatever the reason.
    pub fn open(&self, material: &SecretKey, context: &[u8]) -> Result<Plaintext, Error> {
        let key = derive(material, self.salt, Purpose::CiphertextBlob, b"");
        aead::open(&key, &NONCE, &[self.header, context].concat(), self.sealed)
            .map_err(|_| Error::InvalidCiphertext)
    }
}

/// Seals `plaintext` under a key version; `context` is the encoded encryption context.
///
/// # Errors
/// [`Error::Internal`] when the random source fails.
pub fn seal(
    key: KeyId,
    version: u32,
    material: &SecretKey,
    context: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    seal_with_salt(key, version, material, context, plaintext, &random::array()?)
}

fn seal_with_salt(
    key: KeyId,
    version: u32,
    material: &SecretKey,
    context: &[u8],
    plaintext: &[u8],
    salt: &[u8; SALT_LEN],
) -> Result<Vec<u8>, Error> {
    let mut blob = Vec::with_capacity(HEADER_LEN + plaintext.len() + aead::TAG_LEN);
    blob.extend(
        FORMATS.iter().filter(|(_, reach)| *reach == key.reach()).map(|(format, _)| *format),
    );
    blob.extend_from_slice(key.as_bytes());
    blob.extend_from_slice(&version.to_be_bytes());
    blob.extend_from_slice(salt);
    let message_key = derive(material, salt, Purpose::CiphertextBlob, b"");
    let sealed = aead::seal(&message_key, &NONCE, &[&blob, context].concat(), plaintext)?;
    blob.extend_from_slice(&sealed);
    Ok(blob)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::context;
    use super::*;

    fn key() -> (KeyId, SecretKey) {
        (
            KeyId::parse("1234abcd-12ab-34cd-56ef-1234567890ab").unwrap(),
            SecretKey::from_bytes([7; 32]),
        )
    }

    /// tests/vectors/blob/README.md says how the vector was made: by another implementation.
    #[test]
    fn the_golden_blob_is_made_and_opened() {
        let expected = include_str!("../../tests/vectors/blob/v1.hex").trim();
        let (id, material) = key();
        let pairs = BTreeMap::from([("purpose".to_owned(), "test".to_owned())]);
        let context = context::encode(&pairs).unwrap();
        let salt = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let blob = seal_with_salt(id, 3, &material, &context, b"data key", &salt).unwrap();
        assert_eq!(hex::encode(&blob), expected);
        let parsed = CiphertextBlob::parse(&blob).unwrap();
        assert_eq!((parsed.key, parsed.version), (id, 3));
        assert_eq!(parsed.open(&material, &context).unwrap().expose(), b"data key");
    }

    #[test]
    fn any_flipped_bit_truncation_or_addition_is_the_same_refusal() {
        let (id, material) = key();
        let blob = seal(id, 1, &material, b"context", b"data key").unwrap();
        let open = |bytes: &[u8], context: &[u8]| {
            CiphertextBlob::parse(bytes)?.open(&material, context).map(|_| ())
        };
        assert_eq!(open(&blob, b"context"), Ok(()));
        assert_eq!(open(&blob, b"other"), Err(Error::InvalidCiphertext));
        for bit in 0..blob.len() * 8 {
            let mut altered = blob.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&altered, b"context"), Err(Error::InvalidCiphertext), "bit {bit}");
        }
        for len in 0..blob.len() {
            assert_eq!(open(&blob[..len], b"context"), Err(Error::InvalidCiphertext));
        }
        let longer = [&blob[..], &[0]].concat();
        assert_eq!(open(&longer, b"context"), Err(Error::InvalidCiphertext));
    }

    #[test]
    fn a_multi_region_keys_id_comes_back_as_one() {
        let (_, material) = key();
        let id = KeyId::parse("mrk-1234abcd12ab34cd56ef1234567890ab").unwrap();
        let blob = seal(id, 1, &material, b"", b"data key").unwrap();
        assert_eq!((blob[0], CiphertextBlob::parse(&blob).unwrap().key), (2, id));
    }

    #[test]
    fn two_blobs_of_the_same_plaintext_differ() {
        let (id, material) = key();
        let seal = || seal(id, 1, &material, b"", b"same").unwrap();
        assert_ne!(seal(), seal());
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(plaintext in prop::collection::vec(any::<u8>(), 0..200),
                                context in prop::collection::vec(any::<u8>(), 0..50)) {
            let (id, material) = key();
            let blob = seal(id, 9, &material, &context, &plaintext).unwrap();
            let parsed = CiphertextBlob::parse(&blob).unwrap();
            let opened = parsed.open(&material, &context).unwrap();
            prop_assert_eq!(opened.expose(), &plaintext);
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = CiphertextBlob::parse(&bytes);
        }
    }
}
