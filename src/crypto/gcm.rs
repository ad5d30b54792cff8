//! AES-256-GCM (NIST SP 800-38D) of one message that does not fit into memory: in pieces.
//!
//! `aws-lc-rs` seals and opens whole messages only. This is its AES-CTR, which computes on every
//! block at once where the processor can, and the GHASH of RustCrypto's AES-GCM; both take constant
//! time. What either of [`super::aead`] and [`super::bulk`] makes of a whole message is the same.
//!
//! ```text
//! H = AES(0)   J0 = nonce ‖ 00000001   keystream = AES(J0), AES(J0 + 1), …
//! tag = AES(J0) ⊕ GHASH(H, associated ‖ pad ‖ ciphertext ‖ pad ‖ bits of each (u64))
//! ```

use std::fmt;

use aws_lc_rs::cipher::{AES_256, EncryptionContext, StreamingEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use ghash::universal_hash::array::Array;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use super::aead::{NONCE_LEN, TAG_LEN};
use super::{Error, SecretKey};

/// Bytes of a message at the most: 2³⁶ − 32 (NIST SP 800-38D, section 5.2.1.1).
pub const MAX_LEN: u64 = (1 << 36) - 32;

/// Seals one message as its pieces come.
pub struct Sealer(Message);

/// Decrypts one message as its pieces come. What it gives is not authenticated before
/// [`UnverifiedOpener::verify`] says so.
pub struct UnverifiedOpener(Message);

impl Sealer {
    /// Begins a message. A nonce is used once with a key.
    ///
    /// # Errors
    /// [`Error::Length`] never in practice: a [`SecretKey`] has the right length.
    pub fn new(key: &SecretKey, nonce: &[u8; NONCE_LEN], associated: &[u8]) -> Result<Self, Error> {
        Message::new(key, nonce, associated).map(Self)
    }

    /// Appends the ciphertext of the next piece to `out`; as many bytes as the piece has.
    ///
    /// # Errors
    /// [`Error::Length`] when the message grows beyond [`MAX_LEN`].
    pub fn update(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.0.grow(plaintext.len())?;
        let start = out.len();
        self.0.keystream.apply(plaintext, out)?;
        self.0.hash.update(out.get(start..).unwrap_or_default());
        Ok(())
    }

    /// Ends the message: its tag.
    #[must_use]
    pub fn finish(self) -> [u8; TAG_LEN] {
        self.0.tag()
    }
}

impl UnverifiedOpener {
    /// Begins a message.
    ///
    /// # Errors
    /// As [`Sealer::new`].
    pub fn new(key: &SecretKey, nonce: &[u8; NONCE_LEN], associated: &[u8]) -> Result<Self, Error> {
        Message::new(key, nonce, associated).map(Self)
    }

    /// Appends the plaintext of the next piece to `out`, not yet authenticated.
    ///
    /// # Errors
    /// [`Error::Open`] when the message grows beyond [`MAX_LEN`].
    pub fn update(&mut self, ciphertext: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.0.grow(ciphertext.len()).map_err(|_| Error::Open)?;
        self.0.hash.update(ciphertext);
        self.0.keystream.apply(ciphertext, out)
    }

    /// Ends the message: whether all that was given is authentic. Compares in constant time.
    ///
    /// # Errors
    /// [`Error::Open`].
    pub fn verify(self, tag: &[u8; TAG_LEN]) -> Result<(), Error> {
        let same: bool = self.0.tag().ct_eq(tag).into();
        if same { Ok(()) } else { Err(Error::Open) }
    }
}

/// Decrypts a message from block `first` (of 16 bytes) on. Nothing of it is authenticated.
///
/// # Errors
/// [`Error::Open`] for bytes beyond [`MAX_LEN`].
pub fn open_unverified_from(
    key: &SecretKey,
    nonce: &[u8; NONCE_LEN],
    first: u32,
    ciphertext: &[u8],
) -> Result<Vec<u8>, Error> {
    let length = u64::try_from(ciphertext.len()).map_err(|_| Error::Open)?;
    let end = u64::from(first) * 16 + length;
    let counter = first.checked_add(2).filter(|_| end <= MAX_LEN).ok_or(Error::Open)?;
    let mut out = Vec::new();
    Keystream::new(key, nonce, counter)?.apply(ciphertext, &mut out)?;
    Ok(out)
}

/// What sealing and opening have in common.
struct Message {
    keystream: Keystream,
    hash: Hash,
    /// AES(J0), which covers the tag.
    cover: Zeroizing<[u8; TAG_LEN]>,
    associated_len: u64,
    len: u64,
}

impl Message {
    fn new(key: &SecretKey, nonce: &[u8; NONCE_LEN], associated: &[u8]) -> Result<Self, Error> {
        let mut hash = Hash::new(key)?;
        hash.update(associated);
        hash.pad();
        let mut keystream = Keystream::new(key, nonce, 1)?;
        let mut cover = Zeroizing::new(Vec::new());
        keystream.apply(&[0; TAG_LEN], &mut cover)?;
        let cover = cover.as_slice().try_into().map_err(|_| Error::Length)?;
        let associated_len = u64::try_from(associated.len()).map_err(|_| Error::Length)?;
        Ok(Self { keystream, hash, cover: Zeroizing::new(cover), associated_len, len: 0 })
    }

    fn grow(&mut self, by: usize) -> Result<(), Error> {
        let by = u64::try_from(by).map_err(|_| Error::Length)?;
        let len = self.len.checked_add(by).filter(|len| *len <= MAX_LEN);
        self.len = len.ok_or(Error::Length)?;
        Ok(())
    }

    fn tag(mut self) -> [u8; TAG_LEN] {
        self.hash.pad();
        // Neither length overflows: `MAX_LEN` bounds one, memory the other.
        self.hash.update(&(self.associated_len * 8).to_be_bytes());
        self.hash.update(&(self.len * 8).to_be_bytes());
        let mut tag = self.hash.finish();
        tag.iter_mut().zip(self.cover.iter()).for_each(|(byte, cover)| *byte ^= cover);
        tag
    }
}

/// AES-256 in counter mode. GCM's counter has 32 bits and this one's 128; within [`MAX_LEN`] the 32
/// do not overflow, so they are the same.
struct Keystream(StreamingEncryptingKey);

impl Keystream {
    fn new(key: &SecretKey, nonce: &[u8; NONCE_LEN], counter: u32) -> Result<Self, Error> {
        let mut block = [0; 16];
        let (head, tail) = block.split_at_mut(NONCE_LEN);
        head.copy_from_slice(nonce);
        tail.copy_from_slice(&counter.to_be_bytes());
        Self::from_block(key, block)
    }

    fn from_block(key: &SecretKey, block: [u8; 16]) -> Result<Self, Error> {
        let key = UnboundCipherKey::new(&AES_256, key.expose()).map_err(|_| Error::Length)?;
        let context = EncryptionContext::Iv128(FixedLength::from(block));
        let key = StreamingEncryptingKey::less_safe_ctr(key, context);
        Ok(Self(key.map_err(|_| Error::Length)?))
    }

    /// Appends `input`, encrypted or decrypted, to `out`.
    fn apply(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        // The library counts in `i32`, and asks for room for a block more than it writes.
        for piece in input.chunks(PIECE_LEN) {
            let start = out.len();
            out.resize(start + piece.len() + 15, 0);
            let room = out.get_mut(start..).unwrap_or_default();
            let written = self.0.update(piece, room).map_err(|_| Error::Length)?.written().len();
            if written != piece.len() {
                return Err(Error::Length);
            }
            out.truncate(start + written);
        }
        Ok(())
    }
}

/// GHASH of bytes that come in pieces of any length.
struct Hash {
    hash: GHash,
    /// The beginning of a block.
    held: [u8; 16],
    held_len: usize,
}

impl Hash {
    fn new(key: &SecretKey) -> Result<Self, Error> {
        let mut block = Zeroizing::new(Vec::new());
        Keystream::from_block(key, [0; 16])?.apply(&[0; 16], &mut block)?;
        let block: Zeroizing<[u8; 16]> =
            Zeroizing::new(block.as_slice().try_into().map_err(|_| Error::Length)?);
        Ok(Self { hash: GHash::new((&*block).into()), held: [0; 16], held_len: 0 })
    }

    fn update(&mut self, mut bytes: &[u8]) {
        if self.held_len > 0 {
            let taken = bytes.len().min(16 - self.held_len);
            let (head, rest) = bytes.split_at(taken);
            if let Some(to) = self.held.get_mut(self.held_len..self.held_len + taken) {
                to.copy_from_slice(head);
            }
            self.held_len += taken;
            bytes = rest;
            if self.held_len < 16 {
                return;
            }
            self.pad();
        }
        let (blocks, rest) = Array::slice_as_chunks(bytes);
        self.hash.update(blocks);
        if let Some(to) = self.held.get_mut(..rest.len()) {
            to.copy_from_slice(rest);
        }
        self.held_len = rest.len();
    }

    /// Fills the block that was begun with zeros.
    fn pad(&mut self) {
        self.hash.update_padded(self.held.get(..self.held_len).unwrap_or_default());
        self.held_len = 0;
    }

    fn finish(self) -> [u8; TAG_LEN] {
        self.hash.finalize().into()
    }
}

const PIECE_LEN: usize = 1 << 20;

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(redacted)")
    }
}

impl fmt::Debug for UnverifiedOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedOpener(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::aead;
    use super::*;

    fn key() -> SecretKey {
        SecretKey::from_bytes([9; 32])
    }

    fn seal(associated: &[u8], pieces: &[Vec<u8>]) -> Vec<u8> {
        let mut sealer = Sealer::new(&key(), &[3; 12], associated).unwrap();
        let mut out = Vec::new();
        pieces.iter().for_each(|piece| sealer.update(piece, &mut out).unwrap());
        out.extend_from_slice(&sealer.finish());
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn pieces_give_what_the_whole_message_gives(
            associated in prop::collection::vec(any::<u8>(), 0..40),
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 0..8),
        ) {
            let plaintext = pieces.concat();
            let whole = aead::seal(&key(), &[3; 12], &associated, &plaintext).unwrap();
            prop_assert_eq!(&seal(&associated, &pieces), &whole);

            let mut opener = UnverifiedOpener::new(&key(), &[3; 12], &associated).unwrap();
            let (body, tag) = whole.split_last_chunk().unwrap();
            let mut opened = Vec::new();
            for piece in body.chunks(23) {
                opener.update(piece, &mut opened).unwrap();
            }
            prop_assert!(opener.verify(tag).is_ok());
            prop_assert_eq!(&opened, &plaintext);

            for first in 0..=body.len() / 16 {
                let from = &body[first * 16..];
                let first_block = u32::try_from(first).unwrap();
                let opened = open_unverified_from(&key(), &[3; 12], first_block, from).unwrap();
                prop_assert_eq!(&opened, &plaintext[first * 16..]);
            }
        }
    }

    #[test]
    fn pieces_larger_than_the_library_takes_are_cut() {
        let plaintext = vec![5; PIECE_LEN + 100];
        let whole = aead::seal(&key(), &[3; 12], b"", &plaintext).unwrap();
        assert!(seal(b"", &[vec![5; 7], vec![5; PIECE_LEN + 93]]) == whole);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused() {
        let whole = seal(b"place", &[b"twenty bytes of text".to_vec()]);
        for bit in 0..whole.len() * 8 {
            let mut altered = whole.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let (body, tag) = altered.split_last_chunk().unwrap();
            let mut opener = UnverifiedOpener::new(&key(), &[3; 12], b"place").unwrap();
            opener.update(body, &mut Vec::new()).unwrap();
            assert_eq!(opener.verify(tag), Err(Error::Open));
        }
    }

    #[test]
    fn a_message_ends_at_2_to_the_36_minus_32() {
        let mut sealer = Sealer::new(&key(), &[3; 12], b"").unwrap();
        sealer.0.len = MAX_LEN - 16;
        assert!(sealer.update(&[0; 16], &mut Vec::new()).is_ok());
        assert_eq!(sealer.update(&[0; 1], &mut Vec::new()), Err(Error::Length));
        let last = u32::MAX - 2;
        assert!(open_unverified_from(&key(), &[3; 12], last, &[0; 16]).is_ok());
        assert!(open_unverified_from(&key(), &[3; 12], last, &[0; 17]).is_err());
        assert!(open_unverified_from(&key(), &[3; 12], last + 1, &[]).is_err());
    }
}
