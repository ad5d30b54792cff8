//! The companion module: objects encrypted as S3 does it, in front of any storage. Usable alone: it
//! knows no server, no store and no HTTP library.
//!
//! # From a request to a sealed object
//!
//! 1. [`Headers::collect`] picks what speaks of encryption out of a request's headers, and
//!    [`Encryption::for_writing`] makes of it, and of the bucket's default, what is to be done, or a
//!    [`Refusal`] in S3's own words.
//! 2. [`Keyring::begin`] asks a [`KeyProvider`] for a data key and draws the [`ObjectKey`]. What it is
//!    sealed in, the [`Envelope`], is stored beside the object.
//! 3. [`ObjectKey::seal_part`] begins a body, or one for each part; [`SealStream`], [`seal_stream`],
//!    [`SealWriter`] or, in place, [`ChunkCipher`] seal it, with ETag and checksums in the same pass.
//! 4. [`ObjectInfo`] says which parts make the object, sealed as well; it is stored beside the envelope.
//!
//! And back: [`customer_key_for_reading`], [`Keyring::open`], [`ObjectInfo::open`], then [`RangeOpener`] for
//! any range, or all, within [`OpenStream`], [`PieceOpener`], [`open_range`] or [`RangeReader`].
//! `examples/object_proxy.rs` is the whole way.
//!
//! # Which mode when
//!
//! | mode | keys | protects against | KMS calls |
//! |---|---|---|---|
//! | SSE-S3 | the store's own | who reads the storage without the store | one a put and get, by the store |
//! | SSE-KMS | a KMS key's | also callers whom the key's policy does not let in; a disabled key stops reads | one a put and get, by the requester |
//! | SSE-KMS, bucket key | the same | the same, within [`Limits`] | a handful for thousands |
//! | DSSE-KMS | two data keys of a KMS key, a layer each | also the failure of one layer's key | two a put and get |
//! | SSE-C | the request's | also the store itself, after the request | none |
//!
//! In every mode a body that was truncated, lengthened, reordered, or spliced with another object's, part's or
//! upload's does not open; nothing is handed out that was not authenticated; and an object under another
//! name, or with another context, mode or KMS key in its envelope, does not open. *Not* noticed is an older
//! state of the whole object (body, envelope and information) put back.
//!
//! # What is stored where
//!
//! | | holds | secret? |
//! |---|---|---|
//! | envelope | mode, KMS key's ARN, context, wrapped data keys, sealed object key, commitment | no; authenticated |
//! | information | parts, lengths, MD5, checksums | sealed |
//! | body | a salt, then 64 KiB chunks with their tags | sealed |
//! | nowhere | data keys, object keys, customer keys and their MD5 | |
//!
//! ```
//! use std::io::{Read, Write};
//! use std::sync::Arc;
//! use strongroom::crypto::SecretKey;
//! use strongroom::sse::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // From a KeyProvider: the plaintext, and what is kept.
//! let wrapped = WrappedKey { key_arn: "arn:…".into(), blob: b"ciphertext blob".to_vec() };
//! let data_key = DataKey { plaintext: SecretKey::from_bytes([7; 32]), wrapped };
//! let keys = SealingKeys::Kms { key: &data_key, bucket_key: false };
//! let name = ObjectName { bucket: "photos".into(), name: "2026/cat.jpg".into() };
//! let (envelope, key) = Envelope::seal(&keys, &name, &object_context(&name, false, &Context::new()))?;
//!
//! let digests = Digests::new(true, &[Checksum::Crc64Nvme]);
//! let mut writer = SealWriter::new(Vec::new(), key.seal_part(1)?, digests);
//! writer.write_all(b"meow, meow")?;
//! let (body, sealed) = writer.finish()?;
//! let info = ObjectInfo::new(vec![sealed.part], sealed.digested)?.seal(&key)?;
//!
//! let key = Arc::new(envelope.open(&OpeningKeys::One(&data_key.plaintext), &name)?);
//! let opener = RangeOpener::new(Arc::clone(&key), &ObjectInfo::open(&info, &key)?, 6..10)?;
//! let mut meow = String::new();
//! RangeReader::new(body.as_slice(), opener).read_to_string(&mut meow)?;
//! assert_eq!(meow, "meow");
//! # Ok(())
//! # }
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `header.rs` | a request's headers that speak of encryption |
//! | `mode.rs` | SSE-S3, SSE-KMS, DSSE-KMS, SSE-C |
//! | `bucket.rs` | a bucket's default |
//! | `encryption.rs` | what a request asks for, out of the three above; an answer's headers |
//! | `customer.rs` | a customer's key |
//! | `refusal.rs` | S3's own words for what is refused |
//! | `provider.rs` | where data keys come from |
//! | `grpc.rs` | a running strongroom as a provider |
//! | `aws_kms.rs` | AWS KMS itself as a provider, with the feature `aws-kms` |
//! | `attempts.rs` | pauses between attempts at one call |
//! | `bucket_keys.rs` | data keys that are kept for many objects |
//! | `keyring.rs` | from a request to an object's key and back; rotation |
//! | `envelope.rs` | what is kept beside a body: the sealed object key and how to find its data key |
//! | `object_key.rs` | an object's own key, and its parts' |
//! | `info.rs` | what is known of a whole object |
//! | `chunk.rs` | one chunk of a body |
//! | `range.rs` | part of an object out of the chunks that hold it |
//! | `digests.rs` | ETag and checksums |
//! | `stream.rs` | whole bodies, through readers and writers |
//! | `async_io.rs` | the same, asynchronously |
//! | `cores.rs` | the same, on several cores |
//! | `body.rs` | the same, as streams of bytes |
//! | `client_side/` | the formats of the Amazon S3 Encryption Client |
//!
//! Layout, with worked examples in hex: docs/formats.md, "Sealed object".

mod async_io;
mod attempts;
#[cfg(feature = "aws-kms")]
mod aws_kms;
mod body;
mod bucket;
mod bucket_keys;
mod chunk;
pub mod client_side;
mod cores;
mod customer;
mod digests;
mod encryption;
mod envelope;
mod grpc;
mod header;
mod info;
mod keyring;
mod mode;
mod object_key;
mod provider;
mod range;
mod refusal;
mod stream;

#[cfg(feature = "aws-kms")]
pub use crate::crypto::request_signature::AwsCredentials;
pub use async_io::{open_range, open_stream, seal_stream};
#[cfg(feature = "aws-kms")]
pub use aws_kms::{AwsKms, BadEndpoint};
pub use body::{OpenStream, PieceOpener, SealStream};
pub use bucket::BucketEncryption;
pub use bucket_keys::{BucketKeys, Limits, Requester};
pub use chunk::{CHUNK_LEN, ChunkCipher, SEALED_CHUNK_LEN};
pub use cores::{open_range_on, seal_stream_on};
pub use customer::CustomerKey;
pub use digests::{Checksum, Digested, Digests};
pub use encryption::{
    Arrival, Encryption, KmsKey, answer_customer, customer_key_for_copying, customer_key_for_part,
    customer_key_for_reading,
};
pub use envelope::{Envelope, ObjectName, OpeningKeys, SealingKeys};
pub use grpc::{BadSetting, GrpcKeys};
pub use header::{Header, Headers};
pub use info::{ObjectInfo, SealedPart};
pub use keyring::Keyring;
pub use mode::Mode;
pub use object_key::{ObjectKey, PartSalt, PartSealer};
#[cfg(feature = "server")]
pub(crate) use provider::would;
pub use provider::{Context, DataKey, KeyProvider, ProviderError, WrappedKey, object_context};
pub use range::RangeOpener;
pub use refusal::Refusal;
pub use stream::{OpenReader, RangeReader, SealWriter, Sealed, open_bytes, seal_bytes};

/// Why an object was not sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The envelope is none of this format. Said without any key, of bytes that anyone can read.
    #[error("this is no object sealed by strongroom: {0}")]
    Envelope(&'static str),
    /// Reading or writing failed.
    #[error("reading or writing the object failed")]
    Io(#[from] std::io::Error),
    /// The data has another number of layers than the mode; it has to be written anew.
    #[error("the object's data has another number of layers than the mode asks for")]
    Layers,
    /// It does not open: another key, name or context, or altered bytes. Never says which.
    #[error("the object does not open: another key, name or context, or altered bytes")]
    Open,
    /// An object has no such parts, or no such bytes.
    #[error("the object has no such parts or bytes")]
    Parts,
    /// There is no data key.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The operating system gave no random bytes.
    #[error("the operating system's random source failed")]
    Random,
    /// S3 refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What should be sealed is larger than the format holds.
    #[error("{0}")]
    TooLarge(&'static str),
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
mod keyring_tests;
#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;
