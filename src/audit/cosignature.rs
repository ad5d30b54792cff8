//! Cosignatures: that a witness saw a checkpoint, and every tree before it contained in it.
//!
//! ```text
//! — strongroom.local/witness/5d41… 9Jx3…                 base64 of the bytes below
//!
//! key id (4) ‖ seconds since the epoch (u64) ‖ ed25519 signature (64), of:
//!
//! cosignature/v1
//! time 1679315147
//! strongroom.local/5d41402abc4b2a76b9719d911017c592      the whole text of the checkpoint
//! …
//! ```
//! Sources: C2SP tlog-cosignature 1.0.1 (type `04`), signed-note; RFC 8032.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, SignatureError, Signer as _, SigningKey, VerifyingKey};
use signed_note::{Note, NoteError, Signer, Verifier, VerifierList};

use super::Error;
use super::checkpoint::{Checkpoint, MAX_NOTE};
use crate::crypto::SecretKey;

/// A witness's signing key and name.
pub struct Cosigner {
    key: SigningKey,
    public: CosignatureKey,
}

/// A witness's public key and name: who verifies its cosignatures has one.
#[derive(Clone, PartialEq, Eq)]
pub struct CosignatureKey {
    name: String,
    key: VerifyingKey,
    id: u32,
}

/// A cosignature that was verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Cosignature {
    /// When the witness signed, in seconds since the Unix epoch, as it says.
    pub time: u64,
    pub(super) line: signed_note::Signature,
}

/// A checkpoint that witnesses have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The note, with the log's signature and the witnesses'.
    pub note: Vec<u8>,
}

/// A note with cosignatures after the signatures that it has.
///
/// # Errors
/// [`Error::Checkpoint`] for bytes that are no note.
pub fn cosigned(note: &[u8], cosignatures: &[Cosignature]) -> Result<Vec<u8>, Error> {
    let none = |_| Error::Checkpoint("it is no signed note");
    Note::from_bytes(note).map_err(none)?;
    let mut bytes = note.to_vec();
    for cosignature in cosignatures {
        bytes.extend_from_slice(&cosignature.line.to_bytes());
    }
    Note::from_bytes(&bytes).map_err(none)?;
    Ok(bytes)
}

impl Cosigner {
    /// A cosigner of the ed25519 key whose seed is `seed`.
    ///
    /// # Errors
    /// [`Error::Origin`] when the name is none.
    pub fn new(name: &str, seed: &SecretKey) -> Result<Self, Error> {
        if !signed_note::is_key_name_valid(name) {
            return Err(Error::Origin(name.to_owned()));
        }
        let key = SigningKey::from_bytes(seed.expose());
        let public = CosignatureKey::new(name, key.verifying_key());
        Ok(Self { key, public })
    }

    /// What verifies its cosignatures.
    #[must_use]
    pub const fn public(&self) -> &CosignatureKey {
        &self.public
    }

    /// The signer of one moment.
    pub(super) const fn at(&self, time: u64) -> CosignerAt<'_> {
        CosignerAt { cosigner: self, time }
    }
}

/// A [`Cosigner`] at a time, in seconds since the Unix epoch.
pub(super) struct CosignerAt<'a> {
    cosigner: &'a Cosigner,
    time: u64,
}

impl Signer for CosignerAt<'_> {
    fn name(&self) -> &str {
        &self.cosigner.public.name
    }

    fn key_id(&self) -> u32 {
        self.cosigner.public.id
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let signature = self.cosigner.key.try_sign(&message(self.time, text))?;
        Ok([&self.time.to_be_bytes()[..], &signature.to_bytes()].concat())
    }
}

impl CosignatureKey {
    fn new(name: &str, key: VerifyingKey) -> Self {
        let id = signed_note::key_id(name, &encoded(&key));
        Self { name: name.to_owned(), key, id }
    }

    /// Reads a C2SP verifier string of type `04`: name `+` key id in hex `+` base64 of type and key.
    ///
    /// # Errors
    /// [`Error::WitnessKey`] for one that is malformed or of another type.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let parse = || {
            let mut parts = text.splitn(3, '+');
            let (name, id, encoded) = (parts.next()?, parts.next()?, parts.next()?);
            let encoded = STANDARD.decode(encoded).ok()?;
            let key: &[u8; 32] = encoded.strip_prefix(&[COSIGNATURE])?.try_into().ok()?;
            let key = VerifyingKey::from_bytes(key).ok()?;
            let named = signed_note::is_key_name_valid(name) && !key.is_weak();
            let parsed = named.then(|| Self::new(name, key))?;
            (id == format!("{:08x}", parsed.id)).then_some(parsed)
        };
        let too_long = text.len() > MAX_NOTE;
        let parsed = if too_long { None } else { parse() };
        parsed.ok_or_else(|| Error::WitnessKey(text.chars().take(SHOWN).collect()))
    }

    /// The name of the witness.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is the same key, whatever its name.
    #[must_use]
    pub fn is_same_key(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// Reads a witness's answer: the lines that it would have put under `checkpoint`. Those of keys that
    /// are not this one are passed over.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when this key's cosignature is not among them, or wrong.
    pub fn read(&self, checkpoint: &[u8], answer: &[u8]) -> Result<Cosignature, Error> {
        let none = |_| Error::Checkpoint("the answer is no signature lines");
        if answer.len() > MAX_NOTE {
            return Err(Error::Checkpoint("it is too long"));
        }
        let note = Note::from_bytes(checkpoint).map_err(none)?;
        let note = Note::from_bytes(&[note.text(), b"\n", answer].concat()).map_err(none)?;
        let missing = Error::Checkpoint("there is no cosignature of the witness's key");
        self.find(&note)?.ok_or(missing)
    }

    /// The cosignature of this key under a note; `None` when the note has none.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when there is one and it is wrong.
    pub(super) fn find(&self, note: &Note) -> Result<Option<Cosignature>, Error> {
        match note.verify(&VerifierList::new(vec![Box::new(self.clone())])) {
            Ok((mut verified, _)) => Ok(verified.pop().map(|line| {
                let time = time_of(line.signature()).unwrap_or_default();
                Cosignature { time, line }
            })),
            Err(NoteError::UnverifiedNote) => Ok(None),
            Err(_) => Err(Error::Checkpoint("a witness's signature is wrong")),
        }
    }
}

impl Verifier for CosignatureKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Some((_, rest)) = signature.split_first_chunk::<8>() else { return false };
        let (Some(time), Ok(signature)) = (time_of(signature), Signature::from_slice(rest)) else {
            return false;
        };
        self.key.verify_strict(&message(time, text), &signature).is_ok()
    }
}

/// The C2SP verifier string.
impl fmt::Display for CosignatureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, id, key } = self;
        write!(f, "{name}+{id:08x}+{}", STANDARD.encode(encoded(key)))
    }
}

impl fmt::Debug for CosignatureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CosignatureKey({self})")
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cosigner").field("public", &self.public).finish_non_exhaustive()
    }
}

/// What is signed.
fn message(time: u64, text: &[u8]) -> Vec<u8> {
    [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat()
}

/// The time of a signature, which is at most 2^63 - 1.
fn time_of(signature: &[u8]) -> Option<u64> {
    let time = u64::from_be_bytes(*signature.first_chunk()?);
    i64::try_from(time).is_ok().then_some(time)
}

fn encoded(key: &VerifyingKey) -> Vec<u8> {
    [&[COSIGNATURE], key.as_bytes().as_slice()].concat()
}

/// The signature type of ed25519 cosignatures (C2SP signed-note).
const COSIGNATURE: u8 = 4;
/// Letters of a malformed verifier string that are shown.
const SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// C2SP tlog-cosignature's own example. The specification does not give the keys; of the line it does.
    #[test]
    fn the_layout_is_the_specifications() {
        let line = "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
        let bytes = STANDARD.decode(line).unwrap();
        assert_eq!(bytes.len(), 4 + 8 + 64);
        assert_eq!(time_of(&bytes[4..]), Some(1_679_315_147));
        let text =
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let message = String::from_utf8(message(1_679_315_147, text.as_bytes())).unwrap();
        assert_eq!(message, format!("cosignature/v1\ntime 1679315147\n{text}"));
    }

    /// Made by `tests/vectors/cosignature/make.py`, with Python's `cryptography`.
    #[test]
    fn agrees_with_another_implementation() {
        let vector = |name: &str| -> String {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/cosignature/");
            std::fs::read_to_string(format!("{folder}{name}")).unwrap()
        };
        let key = vector("verifier");
        let cosigner = Cosigner::new("example.com/w1", &SecretKey::from_bytes([8; 32])).unwrap();
        assert_eq!(cosigner.public().to_string(), key.trim());
        assert_eq!(&CosignatureKey::parse(key.trim()).unwrap(), cosigner.public());
        let cosigned = vector("checkpoint");
        let note = Note::from_bytes(cosigned.as_bytes()).unwrap();
        let found = cosigner.public().find(&note).unwrap().unwrap();
        assert_eq!(found.time, 1_700_000_000);
        let mut own = Note::from_bytes(cosigned.as_bytes()).unwrap();
        own.add_sigs(&[&cosigner.at(1_700_000_000)]).unwrap();
        assert_eq!(own.to_bytes(), cosigned.as_bytes());
    }

    #[test]
    fn another_text_time_key_or_name_is_not_what_was_signed() {
        let seed = SecretKey::from_bytes([8; 32]);
        let cosigner = Cosigner::new("example.com/w1", &seed).unwrap();
        let public = cosigner.public();
        let text = b"example.com/log\n7\nAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n";
        let good = cosigner.at(5).sign(text).unwrap();
        assert!(public.verify(text, &good));
        for place in 0..good.len() {
            let mut altered = good.clone();
            altered[place] ^= 1;
            assert!(!public.verify(text, &altered), "byte {place}");
            assert!(!public.verify(text, &good[..place]));
        }
        assert!(!public.verify(&text[1..], &good));
        assert!(!public.verify(text, &cosigner.at(1 << 63).sign(text).unwrap()));
        let other = Cosigner::new("example.com/w2", &seed).unwrap();
        let mut note = Note::new(text, &[]).unwrap();
        note.add_sigs(&[&cosigner.at(5)]).unwrap();
        assert!(other.public().find(&note).unwrap().is_none());
        assert!(other.public().is_same_key(public), "whatever its name");
    }

    #[test]
    fn what_is_no_verifier_string_of_a_witness_is_refused() {
        let cosigner = Cosigner::new("w", &SecretKey::from_bytes([8; 32])).unwrap();
        let good = cosigner.public().to_string();
        let (head, key) = good.rsplit_once('+').unwrap();
        let log = include_str!("../../tests/vectors/note/verifier").trim();
        for wrong in [
            String::new(),
            log.to_owned(),
            head.to_owned(),
            format!("{head}+{}", &key[4..]),
            good.replacen('w', "v", 1),
            good.to_uppercase(),
            format!("w {good}"),
            format!("w+00000000+{}", STANDARD.encode([4; 1])),
            "x".repeat(MAX_NOTE + 1),
        ] {
            let refused = CosignatureKey::parse(&wrong).unwrap_err().to_string();
            assert!(refused.len() < 400, "{refused}");
        }
    }

    proptest! {
        #[test]
        fn a_verifier_string_is_read_as_it_was_written(seed in any::<[u8; 32]>(), name in "[a-z./]{1,30}") {
            let cosigner = Cosigner::new(&name, &SecretKey::from_bytes(seed)).unwrap();
            let text = cosigner.public().to_string();
            prop_assert_eq!(&CosignatureKey::parse(&text).unwrap(), cosigner.public());
        }
    }
}
