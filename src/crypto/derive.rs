//! Key derivation: HKDF-SHA256 (RFC 5869), with every label in one place.
//!
//! `info` is the label, a zero byte, then the caller's own bytes; no label is a prefix of another
//! label followed by a zero byte, so two purposes never meet.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::SecretKey;

/// What a derived key is for. Each purpose has its own label; a label is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// What SSE-S3 wraps data keys with, from the root key.
    BucketsSecret,
    /// One data key of SSE-S3, from the buckets' secret and a salt.
    BucketsKey,
    /// One ciphertext blob, from a key version's material and the blob's salt.
    CiphertextBlob,
    /// An import token, from the keys' secret and the token's salt.
    ImportToken,
    /// What the rooms of keys seal and name outside of any key, from the root key.
    KeysSecret,
    /// The name of imported material, from the keys' secret, the key's id and the material.
    MaterialId,
    /// The seed of the audit log's signing key, from the root key.
    LogSeed,
    /// The value by which a root key is recognised as the store's own, from the root key.
    RootKeyCheck,
    /// Values at rest in the embedded store, from the root key.
    StoredValue,
    /// The key that seals an object's random key, from a data key or customer key.
    ObjectKeyWrap,
    /// The chunks of one part of an object, from the object key.
    ObjectPart,
    /// The commitment to an object key, from the object key.
    ObjectCommitment,
    /// The ETag of an encrypted object, from the object key and the plaintext's MD5.
    ObjectEtag,
    /// What is known of a whole object, from the object key.
    ObjectInfo,
    /// The secret of a session's access key, from the sessions' secret and its id.
    SessionSecret,
    /// Session tokens, from the sessions' secret.
    SessionToken,
    /// What sessions are made with, from the root key.
    SessionsSecret,
    /// The seed of a witness's signing key, from its root key and its name.
    WitnessSeed,
}

impl Purpose {
    /// Every purpose, for the test that labels are distinct.
    pub const ALL: [Self; 18] = [
        Self::BucketsSecret,
        Self::BucketsKey,
        Self::CiphertextBlob,
        Self::ImportToken,
        Self::KeysSecret,
        Self::MaterialId,
        Self::LogSeed,
        Self::RootKeyCheck,
        Self::StoredValue,
        Self::ObjectKeyWrap,
        Self::ObjectPart,
        Self::ObjectCommitment,
        Self::ObjectEtag,
        Self::ObjectInfo,
        Self::SessionSecret,
        Self::SessionToken,
        Self::SessionsSecret,
        Self::WitnessSeed,
    ];

    /// The label that goes into HKDF's `info`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::BucketsSecret => "strongroom/v1/buckets-secret",
            Self::BucketsKey => "strongroom/v1/buckets-key",
            Self::CiphertextBlob => "strongroom/v1/ciphertext-blob",
            Self::ImportToken => "strongroom/v1/import-token",
            Self::KeysSecret => "strongroom/v1/keys-secret",
            Self::MaterialId => "strongroom/v1/material-id",
            Self::LogSeed => "strongroom/v1/log-seed",
            Self::RootKeyCheck => "strongroom/v1/root-key-check",
            Self::StoredValue => "strongroom/v1/stored-value",
            Self::ObjectKeyWrap => "strongroom/v1/object-key-wrap",
            Self::ObjectPart => "strongroom/v1/object-part",
            Self::ObjectCommitment => "strongroom/v1/object-commitment",
            Self::ObjectEtag => "strongroom/v1/object-etag",
            Self::ObjectInfo => "strongroom/v1/object-info",
            Self::SessionSecret => "strongroom/v1/session-secret",
            Self::SessionToken => "strongroom/v1/session-token",
            Self::SessionsSecret => "strongroom/v1/sessions-secret",
            Self::WitnessSeed => "strongroom/v1/witness-seed",
        }
    }
}

/// Derives one 256-bit key: HKDF-SHA256 with `salt`, and `label ‖ 00 ‖ info` as info.
#[must_use]
pub fn derive(key: &SecretKey, salt: &[u8], purpose: Purpose, info: &[u8]) -> SecretKey {
    let mut out = Zeroizing::new([0; SecretKey::LEN]);
    let hkdf = Hkdf::<Sha256>::new(Some(salt), key.expose());
    // RFC 5869 bounds the output at 255 * 32 bytes; 32 always fits.
    let expanded = hkdf.expand_multi_info(&[purpose.label().as_bytes(), &[0], info], out.as_mut());
    debug_assert!(expanded.is_ok(), "HKDF refuses only outputs over 8,160 bytes");
    SecretKey::from_bytes(*out)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn labels_are_distinct_and_none_holds_a_zero_byte() {
        let labels: HashSet<_> = Purpose::ALL.iter().map(|purpose| purpose.label()).collect();
        assert_eq!(labels.len(), Purpose::ALL.len());
        assert!(labels.iter().all(|label| !label.contains('\0')));
    }

    #[test]
    fn every_input_changes_the_key() {
        let key = SecretKey::from_bytes([7; 32]);
        let base = derive(&key, b"salt", Purpose::CiphertextBlob, b"info");
        let others = [
            derive(&SecretKey::from_bytes([8; 32]), b"salt", Purpose::CiphertextBlob, b"info"),
            derive(&key, b"tlas", Purpose::CiphertextBlob, b"info"),
            derive(&key, b"salt", Purpose::StoredValue, b"info"),
            derive(&key, b"salt", Purpose::CiphertextBlob, b"ofni"),
        ];
        assert!(others.iter().all(|other| !other.equals(&base)));
        assert!(derive(&key, b"salt", Purpose::CiphertextBlob, b"info").equals(&base));
    }

    /// RFC 5869's function, written out by `openssl kdf` with the info this module builds:
    /// `openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:(07 × 32)
    /// -kdfopt hexsalt:73616c74 -kdfopt hexinfo:(label 00 "info") HKDF`
    #[test]
    fn agrees_with_openssl() {
        let key =
            derive(&SecretKey::from_bytes([7; 32]), b"salt", Purpose::CiphertextBlob, b"info");
        assert_eq!(
            hex::encode(key.expose()),
            "7977b8f9db465e6e66595ddd1353c56ce08b2f927a187744a5b8afdb2d3a96fe"
        );
    }
}
