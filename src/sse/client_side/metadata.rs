//! What is kept of an object beside its body: on the object, or in an instruction file.
//!
//! | | V1 | V2 | V3 |
//! |---|---|---|---|
//! | wrapped data key | `x-amz-key` | `x-amz-key-v2` | `x-amz-3` |
//! | how it is wrapped | `x-amz-wrap-alg`, or known by its length | `x-amz-wrap-alg` | `x-amz-w` |
//! | encryption context (KMS) | `x-amz-matdesc` | `x-amz-matdesc` | `x-amz-t` |
//! | material description (raw) | `x-amz-matdesc` | `x-amz-matdesc` | `x-amz-m` |
//! | content cipher | `x-amz-cek-alg`, or CBC | `x-amz-cek-alg`, `x-amz-tag-len` | `x-amz-c` |
//! | IV or message id | `x-amz-iv` | `x-amz-iv` | `x-amz-i` |
//! | commitment | | | `x-amz-d` |
//!
//! Names of two formats never stand together: they would let somebody pass an object of one for one
//! of another. Other metadata of the object is not looked at.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Error;
use super::description::{self, Description};
use super::suite::Suite;
use crate::crypto::committing::{COMMITMENT_LEN, MESSAGE_ID_LEN};
use crate::crypto::gcm;
use crate::crypto::legacy::CBC_IV_LEN;

/// What follows an object's name in the name of its instruction file.
pub const INSTRUCTION_SUFFIX: &str = ".instruction";
/// User metadata that marks an instruction file; its value is empty.
pub const INSTRUCTION_MARKER: &str = "x-amz-crypto-instr-file";

/// What S3 keeps beside an object, by name.
pub type UserMetadata = BTreeMap<String, String>;

/// A parsed envelope. Nothing of it is believed before [`super::OpeningKey::unwrap`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    pub(super) content: Content,
    pub(super) key: WrappedDataKey,
}

/// How the body is encrypted, but for its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Cbc { iv: [u8; CBC_IV_LEN] },
    Gcm { iv: [u8; gcm::NONCE_LEN] },
    Committing { message_id: [u8; MESSAGE_ID_LEN], commitment: [u8; COMMITMENT_LEN] },
}

/// A data key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedDataKey {
    /// What the object is encrypted with; wrapped keys are bound to it.
    pub suite: Suite,
    /// By what it was wrapped.
    pub wrapping: Wrapping,
    /// The wrapped form.
    pub bytes: Vec<u8>,
    /// The encryption context of KMS, whole; of raw keyrings what their user said of the key.
    pub description: Description,
}

/// By what a data key is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// `kms+context`: a KMS key, with the suite in its encryption context.
    KmsContext,
    /// `AES/GCM`: an AES-256 key.
    AesGcm,
    /// `RSA-OAEP-SHA1`: an RSA key.
    RsaOaepSha1,
    /// `kms`: a KMS key, without the suite in its context. Legacy.
    Kms,
    /// `AESWrap`: an AES-256 key, RFC 3394. Legacy.
    AesWrap,
    /// An AES-256 key in ECB mode: what V1 calls AES. Legacy.
    AesEcb,
}

impl Wrapping {
    /// Its name in V2 and in V3, where it has one.
    const fn names(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::KmsContext => ("kms+context", Some("12")),
            Self::AesGcm => ("AES/GCM", Some("02")),
            Self::RsaOaepSha1 => ("RSA-OAEP-SHA1", Some("22")),
            Self::Kms => ("kms", None),
            Self::AesWrap => ("AESWrap", None),
            Self::AesEcb => ("AES", None),
        }
    }

    const ALL: [Self; 6] =
        [Self::KmsContext, Self::AesGcm, Self::RsaOaepSha1, Self::Kms, Self::AesWrap, Self::AesEcb];

    /// Whether nothing writes it any more.
    #[must_use]
    pub const fn is_legacy(self) -> bool {
        self.names().1.is_none()
    }
}

impl Metadata {
    /// Parses an object's user metadata, and its instruction file where it has one.
    ///
    /// Names are in lower case and without `x-amz-meta-`, as SDKs give them.
    ///
    /// # Errors
    /// [`Error::Metadata`] for what is none of the three formats; [`Error::Unsupported`] for
    /// algorithms that are not read here.
    pub fn parse(object: &UserMetadata, instruction: Option<&[u8]>) -> Result<Self, Error> {
        let mut fields = Fields::default();
        for (name, value) in object {
            fields.insert(name, value, Place::Object)?;
        }
        if let Some(instruction) = instruction {
            for (name, value) in description::parse(instruction, true)? {
                fields.insert(&name, &value, Place::Instruction)?;
            }
        }
        fields.check_places(instruction.is_some())?;
        match (fields.has("x-amz-key"), fields.has("x-amz-key-v2"), fields.has("x-amz-3")) {
            (true, false, false) => fields.v1(),
            (false, true, false) => fields.v2(),
            (false, false, true) => fields.v3(),
            (false, false, false) if fields.has("x-amz-i") => {
                Err(Error::Metadata("its wrapped key is in an instruction file, which is needed"))
            }
            (false, false, false) => Err(Error::Metadata(
                "nothing in it is of the S3 Encryption Client; the object may have an instruction \
                 file, or not be encrypted",
            )),
            _ => Err(Error::Metadata("it has wrapped keys of several formats")),
        }
    }

    /// The suite of the content.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.key.suite
    }

    /// The wrapped data key.
    #[must_use]
    pub const fn wrapped_key(&self) -> &WrappedDataKey {
        &self.key
    }

    /// All of it as user metadata of the object. S3 holds 2 KB of it; what is longer goes into an
    /// instruction file.
    ///
    /// # Errors
    /// [`Error::Legacy`] for what is read only; [`Error::Metadata`] for a description over 64 KiB.
    pub fn to_object(&self) -> Result<UserMetadata, Error> {
        let (mut content, key) = self.fields()?;
        content.extend(key);
        Ok(content)
    }

    /// The object's user metadata, and the content of its instruction file.
    ///
    /// # Errors
    /// As [`Self::to_object`].
    pub fn to_instruction(&self) -> Result<(UserMetadata, String), Error> {
        let (content, mut key) = self.fields()?;
        if matches!(self.content, Content::Committing { .. }) {
            return Ok((content, description::write(&key)?));
        }
        key.extend(content);
        Ok((BTreeMap::new(), description::write(&key)?))
    }

    /// What says how the content is encrypted, and what says how its key is wrapped.
    fn fields(&self) -> Result<(UserMetadata, UserMetadata), Error> {
        let WrappedDataKey { wrapping, bytes, description, .. } = &self.key;
        let (name, Some(number)) = wrapping.names() else { return Err(Error::Legacy) };
        let wrapped = STANDARD.encode(bytes);
        let description = description::write(description)?;
        let said = if *wrapping == Wrapping::KmsContext { "x-amz-t" } else { "x-amz-m" };
        match &self.content {
            Content::Cbc { .. } => Err(Error::Legacy),
            Content::Gcm { iv } => Ok((
                map([
                    ("x-amz-iv", STANDARD.encode(iv)),
                    ("x-amz-cek-alg", Suite::Gcm.name().to_owned()),
                    ("x-amz-tag-len", TAG_BITS.to_owned()),
                ]),
                map([
                    ("x-amz-key-v2", wrapped),
                    ("x-amz-wrap-alg", name.to_owned()),
                    ("x-amz-matdesc", description),
                ]),
            )),
            Content::Committing { message_id, commitment } => Ok((
                map([
                    ("x-amz-c", Suite::CommittingGcm.name().to_owned()),
                    ("x-amz-d", STANDARD.encode(commitment)),
                    ("x-amz-i", STANDARD.encode(message_id)),
                ]),
                map([("x-amz-3", wrapped), ("x-amz-w", number.to_owned()), (said, description)]),
            )),
        }
    }
}

/// The names that the formats have, each with where it stood.
#[derive(Default)]
struct Fields(BTreeMap<String, (String, Place)>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Object,
    Instruction,
}

impl Fields {
    fn insert(&mut self, name: &str, value: &str, place: Place) -> Result<(), Error> {
        if !SHARED.contains(&name) && !V3.contains(&name) {
            return match place {
                Place::Object => Ok(()),
                Place::Instruction if IGNORED.contains(&name) => Ok(()),
                Place::Instruction => Err(Error::Metadata("its instruction file has other names")),
            };
        }
        if value.len() > description::MAX_BYTES {
            return Err(Error::Metadata("it is longer than 64 KiB"));
        }
        match self.0.insert(name.to_owned(), (value.to_owned(), place)) {
            None => Ok(()),
            Some(_) => Err(Error::Metadata("object and instruction file have the same names")),
        }
    }

    /// Of V3 the content's part is on the object and the key's in the instruction file; of V1 and
    /// V2 all is in one place.
    fn check_places(&self, instruction: bool) -> Result<(), Error> {
        let wrong = self.0.iter().any(|(name, (_, place))| {
            let of_content = V3_CONTENT.contains(&name.as_str());
            let expected =
                if instruction && !of_content { Place::Instruction } else { Place::Object };
            *place != expected
        });
        if wrong {
            return Err(Error::Metadata("something in it is where it does not belong"));
        }
        let (shared, v3) = (self.0.keys().any(|name| SHARED.contains(&name.as_str())), V3);
        if shared && self.0.keys().any(|name| v3.contains(&name.as_str())) {
            return Err(Error::Metadata("it has names of several formats"));
        }
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|(value, _)| value.as_str())
    }

    fn required(&self, name: &'static str) -> Result<&str, Error> {
        self.text(name).ok_or(Error::Metadata("something in it is missing"))
    }

    fn v1(&self) -> Result<Metadata, Error> {
        let bytes = self.wrapped("x-amz-key")?;
        if self.text("x-amz-cek-alg").is_some_and(|name| name != Suite::Cbc.name()) {
            return Err(Error::Unsupported("its content cipher"));
        }
        let wrapping = match self.text("x-amz-wrap-alg") {
            Some(_) => self.wrapping()?,
            // 32 bytes and their padding; RSA gives 128 or more, with padding of PKCS #1 v1.5.
            None if bytes.len() <= 48 => Wrapping::AesEcb,
            None => return Err(Error::Unsupported("RSA with PKCS #1 v1.5 padding")),
        };
        self.cbc(wrapping, bytes)
    }

    fn v2(&self) -> Result<Metadata, Error> {
        let (bytes, wrapping) = (self.wrapped("x-amz-key-v2")?, self.wrapping()?);
        let cipher = self.required("x-amz-cek-alg")?;
        if cipher == Suite::Cbc.name() {
            return self.cbc(wrapping, bytes);
        }
        if cipher != Suite::Gcm.name() {
            return Err(Error::Unsupported("its content cipher"));
        }
        if self.required("x-amz-tag-len")? != TAG_BITS {
            return Err(Error::Unsupported("tags of other lengths than 128 bits"));
        }
        let iv = self.bytes("x-amz-iv")?;
        let description = self.description("x-amz-matdesc")?;
        let key = WrappedDataKey { suite: Suite::Gcm, wrapping, bytes, description };
        Ok(Metadata { content: Content::Gcm { iv: not_zero(iv)? }, key })
    }

    fn cbc(&self, wrapping: Wrapping, bytes: Vec<u8>) -> Result<Metadata, Error> {
        let content = Content::Cbc { iv: self.bytes("x-amz-iv")? };
        let description = self.description("x-amz-matdesc")?;
        let key = WrappedDataKey { suite: Suite::Cbc, wrapping, bytes, description };
        Ok(Metadata { content, key })
    }

    fn v3(&self) -> Result<Metadata, Error> {
        if self.required("x-amz-c")? != Suite::CommittingGcm.name() {
            return Err(Error::Unsupported("its content cipher"));
        }
        let number = self.required("x-amz-w")?;
        let wrapping = Wrapping::ALL.into_iter().find(|one| one.names().1 == Some(number));
        let wrapping = wrapping.ok_or(Error::Unsupported("its key wrapping"))?;
        let (said, not_said) = match wrapping {
            Wrapping::KmsContext => ("x-amz-t", "x-amz-m"),
            _ => ("x-amz-m", "x-amz-t"),
        };
        if self.has(not_said) {
            return Err(Error::Metadata("its description is not that of its key wrapping"));
        }
        let content = Content::Committing {
            message_id: not_zero(self.bytes("x-amz-i")?)?,
            commitment: self.bytes("x-amz-d")?,
        };
        let (bytes, description) = (self.wrapped("x-amz-3")?, self.description(said)?);
        let key = WrappedDataKey { suite: Suite::CommittingGcm, wrapping, bytes, description };
        Ok(Metadata { content, key })
    }

    /// V1's and V2's.
    fn wrapping(&self) -> Result<Wrapping, Error> {
        let name = self.required("x-amz-wrap-alg")?;
        let found = Wrapping::ALL.into_iter().find(|one| one.names().0 == name);
        found.ok_or(Error::Unsupported("its key wrapping"))
    }

    fn wrapped(&self, name: &'static str) -> Result<Vec<u8>, Error> {
        let bytes = decode(self.required(name)?)?;
        if bytes.is_empty() || bytes.len() > WRAPPED_MAX_LEN {
            return Err(Error::Metadata("its wrapped key is not 1 to 6,144 bytes long"));
        }
        Ok(bytes)
    }

    fn bytes<const N: usize>(&self, name: &'static str) -> Result<[u8; N], Error> {
        let bytes = decode(self.required(name)?)?;
        bytes.try_into().map_err(|_| Error::Metadata("a length in it is not its format's"))
    }

    fn description(&self, name: &str) -> Result<Description, Error> {
        self.text(name).map_or_else(|| Ok(Description::new()), description::read)
    }
}

/// V1's and V2's.
const SHARED: &[&str] = &[
    "x-amz-key",
    "x-amz-key-v2",
    "x-amz-wrap-alg",
    "x-amz-matdesc",
    "x-amz-iv",
    "x-amz-cek-alg",
    "x-amz-tag-len",
];
const V3: &[&str] = &["x-amz-c", "x-amz-3", "x-amz-m", "x-amz-t", "x-amz-w", "x-amz-d", "x-amz-i"];
const V3_CONTENT: &[&str] = &["x-amz-c", "x-amz-d", "x-amz-i"];
/// What some clients add; nothing depends on it.
const IGNORED: &[&str] = &["x-amz-unencrypted-content-length", INSTRUCTION_MARKER];
const TAG_BITS: &str = "128";
/// AWS KMS's ciphertext blobs are no longer.
const WRAPPED_MAX_LEN: usize = 6144;

fn map<const N: usize>(pairs: [(&str, String); N]) -> UserMetadata {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn decode(text: &str) -> Result<Vec<u8>, Error> {
    STANDARD.decode(text).map_err(|_| Error::Metadata("something in it is no base64"))
}

/// An IV or message id that a program forgot to draw.
fn not_zero<const N: usize>(bytes: [u8; N]) -> Result<[u8; N], Error> {
    if bytes == [0; N] {
        return Err(Error::Metadata("its IV or message id is all zeros"));
    }
    Ok(bytes)
}
