//! Pure functions on bytes: the only place where a cipher, a KDF or the random source is called.
//!
//! No sockets, clocks, files or environment. Everything above says *what* is protected; this
//! module says *how*.
//!
//! | file | noun |
//! |---|---|
//! | `secret.rs` | bytes that are wiped on drop, redacted when printed, never copied |
//! | `random.rs` | the operating system's random source |
//! | `derive.rs` | HKDF-SHA256 and every label it is ever used with |
//! | `digest.rs` | SHA-256 |
//! | `mac.rs` | HMAC |
//! | `request_signature.rs` | AWS's Signature Version 4, as a client makes it |
//! | `pair.rs` | kinds of key pairs, and how private keys are drawn |
//! | `signing.rs` | signatures: ECDSA, RSA, Ed25519, ML-DSA |
//! | `prehashed.rs`, `external_mu.rs` | Ed25519ph, and ML-DSA of messages hashed elsewhere |
//! | `rsa.rs` | RSA encryption, and wrapped key material |
//! | `agreement.rs` | ECDH |
//! | `encapsulation.rs` | ML-KEM |
//! | `aead.rs` | AES-256-GCM for small things: wrapped keys, stored values |
//! | `bulk.rs` | AES-256-GCM in place for object data, through `aws-lc-rs` |
//! | `gcm.rs` | AES-256-GCM of one message in pieces |
//! | `committing.rs` | the derivation of the S3 Encryption Client's committing suite |
//! | `legacy.rs` | CBC, ECB and AES key wrap: read, never written |

pub mod aead;
pub mod agreement;
pub mod bulk;
pub mod committing;
pub mod derive;
pub mod digest;
pub mod encapsulation;
mod external_mu;
pub mod gcm;
pub mod legacy;
pub mod mac;
pub mod pair;
mod prehashed;
pub mod random;
#[cfg(any(feature = "server", feature = "aws-kms"))]
pub mod request_signature;
pub mod rsa;
pub mod secret;
pub mod signing;

pub use derive::{Purpose, derive};
pub use secret::{Plaintext, SecretKey};

/// Why a primitive refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tag did not match: another key, other associated data, or altered bytes. Never says which.
    #[error("the ciphertext does not open")]
    Open,
    /// The operating system gave no random bytes.
    #[error("the operating system's random source failed")]
    Random,
    /// The plaintext is longer than the cipher allows, or a buffer is shorter than the form needs.
    #[error("a length is outside of what the cipher allows")]
    Length,
}
