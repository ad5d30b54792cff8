//! Signed tree heads.
//!
//! ```text
//! strongroom.local/5d41402abc4b2a76b9719d911017c592      origin, also the key's name
//! 1024                                                   size
//! qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=           root hash, base64
//!
//! — strongroom.local/5d41… cZm8Yk3v…                     signature
//! ```
//! Sources: C2SP signed-note, checkpoint (tlog-checkpoint); RFC 8032.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use signed_note::{Note, NoteError, Signature, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::tlog::Hash;

use super::Error;
use super::lines::{hash, number};
use crate::crypto::SecretKey;

/// A tree head that was signed by the log's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Entries in the tree.
    pub size: u64,
    /// RFC 6962 root hash.
    pub root: [u8; 32],
}

impl Checkpoint {
    /// Parses a signed note and verifies it with a C2SP verifier string.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for a malformed note or key, an unknown or wrong signature, or a text
    /// that is no checkpoint of the key's own origin.
    pub fn open(note: &[u8], verifier_key: &str) -> Result<Self, Error> {
        Ok(Self::open_by(note, &[verifier_key])?.0)
    }

    /// The same with several keys of one log; also tells which of them have signed, at least one.
    pub(super) fn open_by(
        note: &[u8],
        verifier_keys: &[&str],
    ) -> Result<(Self, Vec<usize>), Error> {
        if note.len() > MAX_NOTE || verifier_keys.iter().any(|key| key.len() > MAX_NOTE) {
            return Err(Error::Checkpoint("it is too long"));
        }
        let note = Note::from_bytes(note).map_err(|_| Error::Checkpoint("it is no signed note"))?;
        let mut known = Vec::with_capacity(verifier_keys.len());
        let mut verifiers: Vec<Box<dyn Verifier>> = Vec::with_capacity(verifier_keys.len());
        for verifier_key in verifier_keys {
            let verifier = StandardVerifier::new(verifier_key)
                .map_err(|_| Error::Checkpoint("the verifier string is malformed"))?;
            known.push((verifier.name().to_owned(), verifier.key_id()));
            verifiers.push(Box::new(verifier));
        }
        let checkpoint = Self::parse(note.text());
        // Whose it says to be is believed for the refusal's words only.
        if checkpoint.as_ref().is_some_and(|it| known.iter().any(|(name, _)| *name != it.origin)) {
            return Err(Error::Checkpoint("it is another log's"));
        }
        let (verified, _) = note.verify(&VerifierList::new(verifiers)).map_err(|error| {
            Error::Checkpoint(match error {
                NoteError::InvalidSignature { .. } => "its signature is wrong",
                _ => "it is not signed by the log's key",
            })
        })?;
        let checkpoint = checkpoint.ok_or(Error::Checkpoint("the signed text is no checkpoint"))?;
        let has_signed = |(name, id): &(String, u32)| {
            verified.iter().any(|signature| signature.name() == name && signature.id() == *id)
        };
        let signed = known.iter().enumerate().filter(|(_, key)| has_signed(key));
        Ok((checkpoint, signed.map(|(place, _)| place).collect()))
    }

    /// The size in a note that this process signed itself; 0 for the empty log, which has none.
    pub(super) fn size_of(own_note: &[u8]) -> u64 {
        let note = Note::from_bytes(own_note).ok();
        note.and_then(|note| Self::parse(note.text())).map_or(0, |checkpoint| checkpoint.size)
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(text).ok()?.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let (size, root) = (number(size)?, hash(root)?);
        // Extension lines may follow; none may be empty.
        let whole = !origin.is_empty() && lines.all(|line| !line.is_empty());
        whole.then(|| Self { origin: origin.to_owned(), size, root })
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }
}

/// The log's signing key and name.
pub struct LogSigner {
    origin: String,
    key: SigningKey,
    key_id: u32,
}

impl LogSigner {
    /// A signer of the ed25519 key whose seed is `seed`.
    ///
    /// # Errors
    /// [`Error::Origin`] when the name is none.
    pub fn new(origin: &str, seed: &SecretKey) -> Result<Self, Error> {
        if !signed_note::is_key_name_valid(origin) {
            return Err(Error::Origin(origin.to_owned()));
        }
        let key = SigningKey::from_bytes(seed.expose());
        let encoded = [&[ED25519], key.verifying_key().as_bytes().as_slice()].concat();
        let key_id = signed_note::key_id(origin, &encoded);
        Ok(Self { origin: origin.to_owned(), key, key_id })
    }

    /// The C2SP verifier string: whoever has it can verify the log.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        signed_note::new_ed25519_verifier_key(&self.origin, &self.key.verifying_key())
    }

    /// A signer of another key, for the same log.
    pub(super) fn successor(&self, seed: &SecretKey) -> Result<Self, Error> {
        Self::new(&self.origin, seed)
    }

    /// Signs a tree head, with a successor when it takes over there; returns the signed note.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] never in practice: the text is well-formed by construction.
    pub(super) fn sign(
        &self,
        size: u64,
        root: Hash,
        successor: Option<&Self>,
    ) -> Result<Vec<u8>, Error> {
        let checkpoint = Checkpoint { origin: self.origin.clone(), size, root: root.0 };
        let text = checkpoint.text();
        let malformed = |_| Error::Checkpoint("it cannot be written");
        let mut signatures = Vec::with_capacity(2);
        for signer in std::iter::once(self).chain(successor) {
            let signature = signer.key.sign(text.as_bytes()).to_bytes().to_vec();
            let signature = Signature::new(signer.origin.clone(), signer.key_id, signature);
            signatures.push(signature.map_err(malformed)?);
        }
        Ok(Note::new(text.as_bytes(), &signatures).map_err(malformed)?.to_bytes())
    }
}

impl fmt::Debug for LogSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSigner").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// The signature type of plain ed25519 (C2SP signed-note).
const ED25519: u8 = 1;
/// Bytes of a signed checkpoint at the most: three lines and sixteen signatures fit well.
pub(super) const MAX_NOTE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signer(name: &str) -> LogSigner {
        LogSigner::new(name, &SecretKey::from_bytes([9; 32])).unwrap()
    }

    #[test]
    fn what_was_signed_opens_with_the_verifier_string_alone() {
        let signer = signer("example.com/log");
        let note = signer.sign(7, Hash([3; 32]), None).unwrap();
        let opened = Checkpoint::open(&note, &signer.verifier_key()).unwrap();
        assert_eq!((opened.size, opened.root), (7, [3; 32]));
        let other = LogSigner::new("example.com/log", &SecretKey::from_bytes([8; 32])).unwrap();
        assert!(Checkpoint::open(&note, &other.verifier_key()).is_err());
        assert!(LogSigner::new("with space", &SecretKey::from_bytes([9; 32])).is_err());
    }

    #[test]
    fn no_altered_byte_verifies() {
        let signer = signer("example.com/log");
        let key = signer.verifier_key();
        let note = signer.sign(7, Hash([3; 32]), None).unwrap();
        for place in 0..note.len() {
            let mut altered = note.clone();
            altered[place] ^= 1;
            assert!(Checkpoint::open(&altered, &key).is_err(), "byte {place}");
        }
        for len in 0..note.len() {
            assert!(Checkpoint::open(&note[..len], &key).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let key = signer("example.com/log").verifier_key();
            prop_assert!(Checkpoint::open(&bytes, &key).is_err());
        }
    }
}
