//! SSE-C: a key that comes with each request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::header::{Header, Headers};
use super::refusal::Refusal;
use crate::crypto::SecretKey;

/// A customer's key, out of a request's headers, its MD5 checked. Wiped; never stored.
///
/// ```compile_fail
/// fn copy(key: &strongroom::sse::CustomerKey) -> strongroom::sse::CustomerKey {
///     key.clone() // a key is moved or borrowed, never copied
/// }
/// ```
#[derive(Debug)]
pub struct CustomerKey {
    key: SecretKey,
    md5: [u8; MD5_LEN],
}

/// The three headers that a customer key comes in.
pub(super) struct Names {
    algorithm: Header,
    key: Header,
    md5: Header,
}

impl Names {
    /// Of the object that is written or read.
    pub(super) const OBJECT: Self = Self {
        algorithm: Header::CustomerAlgorithm,
        key: Header::CustomerKey,
        md5: Header::CustomerKeyMd5,
    };
    /// Of a copy's source.
    pub(super) const SOURCE: Self = Self {
        algorithm: Header::SourceAlgorithm,
        key: Header::SourceKey,
        md5: Header::SourceKeyMd5,
    };

    /// Whether any of them is there.
    pub(super) fn are_in(&self, headers: &Headers) -> bool {
        headers.first_of(&[self.algorithm, self.key, self.md5]).is_some()
    }
}

impl CustomerKey {
    /// The only algorithm there is.
    pub const ALGORITHM: &'static str = "AES256";

    /// Takes the key out of three headers, of which one at least is there. `without_md5` is what is
    /// said when its MD5 is missing: writing and reading have different answers.
    pub(super) fn parse(
        headers: &Headers,
        names: &Names,
        without_md5: Refusal,
    ) -> Result<Self, Refusal> {
        match headers.value(names.algorithm) {
            Some(Self::ALGORITHM) => {}
            Some(other) => return Err(Refusal::AlgorithmUnknown(other.to_owned())),
            None => return Err(Refusal::AlgorithmMissing),
        }
        let key = headers.value(names.key).ok_or(Refusal::KeyMissing)?;
        let key = secret(key).ok_or(Refusal::KeyInvalid)?;
        let given = headers.value(names.md5).ok_or(without_md5)?;
        let md5: [u8; MD5_LEN] = Md5::digest(key.expose()).into();
        // Compared as text: the one encoding of a digest. Its length is no secret.
        let same: bool = STANDARD.encode(md5).as_bytes().ct_eq(given.as_bytes()).into();
        if same { Ok(Self { key, md5 }) } else { Err(Refusal::KeyMd5Mismatch) }
    }

    /// The key itself.
    #[must_use]
    pub const fn secret(&self) -> &SecretKey {
        &self.key
    }

    /// Its MD5 in base64, which answers repeat.
    #[must_use]
    pub fn md5(&self) -> String {
        STANDARD.encode(self.md5)
    }
}

fn secret(text: &str) -> Option<SecretKey> {
    if text.len() != ENCODED_KEY_LEN {
        return None;
    }
    // The decoder wants room for whole groups of four.
    let mut bytes = Zeroizing::new([0; ENCODED_KEY_LEN / 4 * 3]);
    let length = STANDARD.decode_slice(text, bytes.as_mut_slice()).ok()?;
    SecretKey::from_slice(bytes.get(..length)?).ok()
}

const MD5_LEN: usize = 16;
/// Characters of 32 bytes in base64.
const ENCODED_KEY_LEN: usize = 44;
