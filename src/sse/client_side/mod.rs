//! Client-side encryption: objects in the formats of the Amazon S3 Encryption Client.
//!
//! The object is encrypted before it leaves the caller and decrypted after it came back; S3 sees
//! ciphertext alone. AWS's clients for Java, Go, Python and others read what this module writes, and
//! it reads what they write.
//!
//! # Which one when
//!
//! | | |
//! |---|---|
//! | **V3** (suite 0x0073) | for all that is new: commits to its key |
//! | **V2** (suite 0x0072) | for readers that do not know V3 yet ([`CommitmentPolicy::ForbidEncryptAllowDecrypt`]) |
//! | V1, and CBC in V2 | read only, where [`Legacy::Read`] says so |
//! | [`KmsKeyring`] | the wrapping key stays in the KMS, which decides and records each use |
//! | [`AesKeyring`] | the wrapping key is the caller's own to keep |
//! | [`RsaKeyring`] | who seals shall not be able to open |
//! | [`crate::sse`]'s own format | where no AWS client has to read it: 64 KiB chunks, so that parts and whole objects of any size are authenticated before they are given out |
//!
//! # What it protects, and what it does not
//!
//! Against whoever can read the bucket: the content, not its length, name or context. Against whoever
//! can write to it: altered bodies, IVs, wrapped keys, commitments and, with KMS, contexts do not
//! open; an object of one suite is not taken for one of another. *Not* noticed: an object that is put
//! in the place of another with the same context (put the object's name into the context), an older
//! version of the same, and changes of a raw keyring's material description, which the format
//! does not authenticate. An RSA keyring's objects can be made by whoever has its public key.
//!
//! A body is one AES-GCM message, so that it is authentic, or not, at its end. [`open_buffered`]
//! gives nothing before; [`open_delayed`], [`UnauthenticatedOpener`] and
//! [`OpeningKey::open_unauthenticated_part`] do, and are named so.
//!
//! # What is where
//!
//! [`Metadata::to_object`] gives what goes onto the object as user metadata,
//! [`Metadata::to_instruction`] what goes there and into an instruction file, an object of its own
//! whose name ends with [`INSTRUCTION_SUFFIX`]. Every name and byte: docs/formats.md, "Client-side
//! objects".
//!
//! ```
//! use strongroom::crypto::SecretKey;
//! use strongroom::sse::client_side::{
//!     AesKeyring, CommitmentPolicy, Description, Metadata, OpeningKey, Reading, SealingKey,
//!     open_buffered, seal_body,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), strongroom::sse::client_side::Error> {
//! let mut keyring = AesKeyring::new(SecretKey::from_bytes([7; 32]));
//! let (policy, said) = (CommitmentPolicy::default(), Description::new());
//! let (metadata, key) = SealingKey::generate(&mut keyring, policy, &said).await?;
//! let mut body = Vec::new();
//! seal_body(b"meow".as_slice(), &mut body, key, |_| ()).await?;
//! let user_metadata = metadata.to_object()?;   // x-amz-c, x-amz-3, …: with the body, to S3
//!
//! let metadata = Metadata::parse(&user_metadata, None)?;
//! let key = OpeningKey::unwrap(&mut keyring, &metadata, Reading::default(), &said).await?;
//! assert_eq!(open_buffered(body.as_slice(), &key, 1 << 20).await?, b"meow");
//! # Ok(())
//! # }
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `suite.rs` | algorithm suites, policies, what may be read |
//! | `description.rs` | encryption contexts and material descriptions as they stand in metadata |
//! | `metadata.rs` | the envelope: user metadata and instruction files |
//! | `keyring.rs` | raw keyrings |
//! | `kms.rs` | the KMS keyring |
//! | `object.rs` | one object: from its envelope to the key of its body |
//! | `body.rs`, `range.rs` | bodies, and parts of them |

mod body;
mod description;
mod keyring;
mod kms;
mod metadata;
mod object;
mod range;
mod suite;

pub use body::{BodySealer, UnauthenticatedOpener, open_buffered, open_delayed, seal_body};
pub use description::Description;
pub use keyring::{AesKeyring, Keyring, RsaKeyring};
pub use kms::KmsKeyring;
pub use metadata::{
    INSTRUCTION_MARKER, INSTRUCTION_SUFFIX, Metadata, UserMetadata, WrappedDataKey, Wrapping,
};
pub use object::{OpeningKey, SealingKey};
pub use range::PartialBody;
pub use suite::{CommitmentPolicy, Legacy, Reading, Suite};

use super::ProviderError;

/// Why an object was not sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The body is longer than what may be held back.
    #[error("the body is longer than the buffer that holds it back until it is authenticated")]
    Buffer,
    /// The caller's encryption context is not the object's, which anybody can read.
    #[error("the encryption context is not the object's")]
    Context,
    /// Reading or writing failed.
    #[error("reading or writing the object failed")]
    Io(#[from] std::io::Error),
    /// The bytes are no key that wraps others.
    #[error("this is no RSA key of 2048 to 8192 bits in PKCS #8 or SubjectPublicKeyInfo")]
    Key,
    /// The object is of an early client.
    #[error("the object is encrypted in a legacy way, which authenticates nothing")]
    Legacy,
    /// The metadata is none of the formats. Said without any key, of text that anybody can read.
    #[error("the metadata is not that of an encrypted object: {0}")]
    Metadata(&'static str),
    /// It does not open: another key or context, or altered bytes. Never says which.
    #[error("the object does not open: another key or context, or altered bytes")]
    Open,
    /// The object does not commit to its key.
    #[error("the object does not commit to its key, which the commitment policy requires")]
    Policy,
    /// The KMS refused, or was not reached.
    #[error(transparent)]
    Provider(ProviderError),
    /// The operating system gave no random bytes.
    #[error("the operating system's random source failed")]
    Random,
    /// Nothing of the body is in the range.
    #[error("nothing of the object is in the range")]
    Range,
    /// The encryption context has a name that this module sets itself.
    #[error("`aws:x-amz-cek-alg` and `kms_cmk_id` are not the caller's to set")]
    Reserved,
    /// The body is longer than the format holds.
    #[error("a body has at most 2^36 - 32 bytes")]
    TooLarge,
    /// The object is encrypted in a way that is not read here.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
}

impl From<crate::crypto::Error> for Error {
    fn from(error: crate::crypto::Error) -> Self {
        match error {
            crate::crypto::Error::Random => Self::Random,
            crate::crypto::Error::Open | crate::crypto::Error::Length => Self::Open,
        }
    }
}

#[cfg(test)]
mod tests;
