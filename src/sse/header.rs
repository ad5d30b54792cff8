//! The headers of a request that speak of encryption, by name, whatever the HTTP library.
//!
//! Source: Amazon S3 API Reference, `PutObject`, `GetObject` and `CopyObject`.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::refusal::Refusal;

/// A header that speaks of encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Header {
    /// `x-amz-server-side-encryption`: `AES256`, `aws:kms` or `aws:kms:dsse`.
    Mode,
    /// `x-amz-server-side-encryption-aws-kms-key-id`: key id, key ARN, alias or alias ARN.
    KeyId,
    /// `x-amz-server-side-encryption-context`: base64 of a JSON object of strings.
    Context,
    /// `x-amz-server-side-encryption-bucket-key-enabled`: `true` or `false`.
    BucketKey,
    /// `x-amz-server-side-encryption-customer-algorithm`: `AES256`.
    CustomerAlgorithm,
    /// `x-amz-server-side-encryption-customer-key`: base64 of 32 bytes. A secret.
    CustomerKey,
    /// `x-amz-server-side-encryption-customer-key-MD5`: base64 of the key's MD5.
    CustomerKeyMd5,
    /// `x-amz-copy-source-server-side-encryption-customer-algorithm`: of a copy's source.
    SourceAlgorithm,
    /// `x-amz-copy-source-server-side-encryption-customer-key`: of a copy's source. A secret.
    SourceKey,
    /// `x-amz-copy-source-server-side-encryption-customer-key-MD5`: of a copy's source.
    SourceKeyMd5,
}

impl Header {
    /// Every header of this kind.
    pub const ALL: [Self; 10] = [
        Self::Mode,
        Self::KeyId,
        Self::Context,
        Self::BucketKey,
        Self::CustomerAlgorithm,
        Self::CustomerKey,
        Self::CustomerKeyMd5,
        Self::SourceAlgorithm,
        Self::SourceKey,
        Self::SourceKeyMd5,
    ];

    /// The name on the wire, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mode => "x-amz-server-side-encryption",
            Self::KeyId => "x-amz-server-side-encryption-aws-kms-key-id",
            Self::Context => "x-amz-server-side-encryption-context",
            Self::BucketKey => "x-amz-server-side-encryption-bucket-key-enabled",
            Self::CustomerAlgorithm => "x-amz-server-side-encryption-customer-algorithm",
            Self::CustomerKey => "x-amz-server-side-encryption-customer-key",
            Self::CustomerKeyMd5 => "x-amz-server-side-encryption-customer-key-md5",
            Self::SourceAlgorithm => "x-amz-copy-source-server-side-encryption-customer-algorithm",
            Self::SourceKey => "x-amz-copy-source-server-side-encryption-customer-key",
            Self::SourceKeyMd5 => "x-amz-copy-source-server-side-encryption-customer-key-md5",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|header| name.eq_ignore_ascii_case(header.name()))
    }
}

/// What a request's headers say of encryption. Values are wiped, since one may be a customer key.
#[derive(Default)]
pub struct Headers(BTreeMap<Header, Zeroizing<String>>);

impl Headers {
    /// Bytes of one value at the most; a context of 8,192 bytes fits, in base64.
    pub const MAX_VALUE_LEN: usize = 16 * 1024;

    /// Picks the headers of this kind out of all of a request's: pairs of a name, in any case, and a
    /// value. `http::HeaderMap::iter` gives such pairs. A header that is there several times has its
    /// values joined by commas (RFC 9110, 5.3), which no header of this kind allows.
    ///
    /// # Errors
    /// [`Refusal::HeaderTooLong`].
    pub fn collect<N, V>(headers: impl IntoIterator<Item = (N, V)>) -> Result<Self, Refusal>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let mut found = Self::default();
        for (name, value) in headers {
            let Some(header) = Header::from_name(name.as_ref()) else { continue };
            let value = value.as_ref();
            let before = found.0.remove(&header);
            let length = value.len() + before.as_ref().map_or(0, |before| before.len() + 1);
            if length > Self::MAX_VALUE_LEN {
                return Err(Refusal::HeaderTooLong);
            }
            // Of its whole length from the start: a string that grows leaves copies behind.
            let mut joined = Zeroizing::new(String::with_capacity(3 * length));
            if let Some(before) = before {
                joined.push_str(&before);
                joined.push(',');
            }
            for piece in value.utf8_chunks() {
                joined.push_str(piece.valid());
                if !piece.invalid().is_empty() {
                    joined.push(char::REPLACEMENT_CHARACTER);
                }
            }
            found.0.insert(header, joined);
        }
        Ok(found)
    }

    /// A header's value, without spaces around it.
    pub(super) fn value(&self, header: Header) -> Option<&str> {
        self.0.get(&header).map(|value| value.trim_matches([' ', '\t']))
    }

    /// The first of `headers` that is there.
    pub(super) fn first_of(&self, headers: &[Header]) -> Option<(Header, &str)> {
        headers.iter().find_map(|header| Some((*header, self.value(*header)?)))
    }
}

/// Without values: one may be a secret.
impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
