//! The companion module: one object sealed or opened as a stream, with a data key from the
//! service. Usable alone: it knows no server, no store and no socket.
//!
//! An object is an [`Envelope`] (kept beside the object, or in front of it in a file) and a body of
//! 64 KiB chunks. The data key seals a random object key, bound to mode, bucket, object name and
//! encryption context; the object key seals the chunks. Truncated, reordered, repeated, spliced or
//! lengthened bodies do not open, and nothing is handed out that was not authenticated.
//!
//! ```
//! use strongroom::crypto::SecretKey;
//! use strongroom::sse::{ObjectName, open_bytes, seal_bytes};
//!
//! # fn main() -> Result<(), strongroom::sse::Error> {
//! // From GenerateDataKey: the plaintext, and the blob to keep.
//! let (data_key, wrapped) = (SecretKey::from_bytes([7; 32]), b"ciphertext blob".to_vec());
//! let name = ObjectName { bucket: "photos".into(), name: "2026/cat.jpg".into() };
//! let sealed = seal_bytes(&data_key, &wrapped, &name, &Default::default(), b"meow")?;
//!
//! assert_eq!(open_bytes(&data_key, &name, &sealed)?, b"meow");
//! let other = ObjectName { bucket: "photos".into(), name: "2026/dog.jpg".into() };
//! assert!(open_bytes(&data_key, &other, &sealed).is_err());
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
//! | `envelope.rs` | what is kept beside a body: the sealed object key and how to find its data key |
//! | `chunk.rs` | one chunk of a body |
//! | `stream.rs` | whole bodies, through readers and writers |
//! | `tokio.rs` | the same, asynchronously |
//!
//! Layout, with a worked example in hex: docs/formats.md, "Sealed object".

mod bucket;
mod chunk;
mod customer;
mod encryption;
mod envelope;
mod header;
mod mode;
mod refusal;
mod stream;
mod tokio;

pub use bucket::BucketEncryption;
pub use chunk::{CHUNK_LEN, ChunkCipher, SEALED_CHUNK_LEN, sealed_len};
pub use customer::CustomerKey;
pub use encryption::{
    Arrival, Encryption, KmsKey, answer_customer, customer_key_for_copying, customer_key_for_part,
    customer_key_for_reading,
};
pub use envelope::{Envelope, ObjectKey, ObjectName};
pub use header::{Header, Headers};
pub use mode::Mode;
pub use refusal::Refusal;
pub use stream::{OpenReader, SealWriter, open_bytes, seal_bytes};
pub use tokio::{open_stream, seal_stream};

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
    /// It does not open: another key, name or context, or altered bytes. Never says which.
    #[error("the object does not open: another key, name or context, or altered bytes")]
    Open,
    /// The operating system gave no random bytes.
    #[error("the operating system's random source failed")]
    Random,
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
mod request_tests;
#[cfg(test)]
mod tests;
