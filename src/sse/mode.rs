//! The four ways in which S3 encrypts an object.

/// Whose key seals an object. Part of what is authenticated, so that an object of one mode is never
/// taken for one of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A key of the store's own (SSE-S3).
    S3,
    /// A data key of a KMS key (SSE-KMS).
    Kms,
    /// Two layers, each with a data key of its own (DSSE-KMS).
    Dsse,
    /// A key that comes with each request and is never kept (SSE-C).
    Customer,
}

impl Mode {
    /// The value of `x-amz-server-side-encryption`; SSE-C has none.
    #[must_use]
    pub const fn header_value(self) -> Option<&'static str> {
        match self {
            Self::S3 => Some("AES256"),
            Self::Kms => Some("aws:kms"),
            Self::Dsse => Some("aws:kms:dsse"),
            Self::Customer => None,
        }
    }

    /// The mode that a value of `x-amz-server-side-encryption` asks for.
    #[must_use]
    pub fn from_header_value(value: &str) -> Option<Self> {
        [Self::S3, Self::Kms, Self::Dsse]
            .into_iter()
            .find(|mode| mode.header_value() == Some(value))
    }

    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Kms => 1,
            Self::S3 => 2,
            Self::Dsse => 3,
            Self::Customer => 4,
        }
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        [Self::S3, Self::Kms, Self::Dsse, Self::Customer]
            .into_iter()
            .find(|mode| mode.byte() == byte)
    }
}
