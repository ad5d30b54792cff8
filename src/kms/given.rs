//! Members that AWS requires, as they were presented: with a value, empty, or not at all. AWS says
//! different things of the latter two.

use std::fmt;
use std::ops::Deref;

/// A text that is required.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Text(Option<String>);

/// Bytes that are required; no secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bytes(Option<Vec<u8>>);

impl Text {
    /// As a door received it.
    #[must_use]
    pub const fn received(text: Option<String>) -> Self {
        Self(text)
    }

    /// Whether there was none.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        self.0.is_none()
    }

    /// The text; empty when there was none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Bytes {
    /// As a door received them.
    #[must_use]
    pub const fn received(bytes: Option<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// Whether there were none.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        self.0.is_none()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.len())
    }
}

/// Where emptiness is absence, as in gRPC.
impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Some(text).filter(|text| !text.is_empty()))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// Where emptiness is absence, as in gRPC.
impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}
