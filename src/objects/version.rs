//! A version of an object, as it is stored.
//!
//! Layout: docs/formats.md, "Bucket, object and upload rows".

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::crypto::random;
use crate::sse::Mode;

/// The id of a version: 32 characters, or `null` where it was written while no versions were kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(String);

impl VersionId {
    /// Of what was written while no versions were kept.
    #[must_use]
    pub fn null() -> Self {
        Self("null".to_owned())
    }

    /// A new one: 16 random bytes in hex.
    ///
    /// # Errors
    /// [`crate::crypto::Error::Random`]
    pub fn generate() -> Result<Self, crate::crypto::Error> {
        random::array::<16>().map(|bytes| Self(hex::encode(bytes)))
    }

    /// From a request or a row; none when it has no id's form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_id || text == "null").then(|| Self(text.to_owned()))
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where stored bytes are: 16 random bytes in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlobId(String);

impl BlobId {
    /// A new one.
    ///
    /// # Errors
    /// [`crate::crypto::Error::Random`]
    pub fn generate() -> Result<Self, crate::crypto::Error> {
        random::array::<16>().map(|bytes| Self(hex::encode(bytes)))
    }

    /// From the name of something stored; none when it is no blob's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Self(text.to_owned()))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Bytes that are stored, and how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Where.
    pub id: BlobId,
    /// Bytes as stored.
    pub len: u64,
}

/// What a writer gave beside an object's bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attributes {
    /// System-defined metadata: header name in lower case (`content-type`, `cache-control`,
    /// `content-disposition`, `content-encoding`, `content-language`, `expires`,
    /// `x-amz-website-redirect-location`, `x-amz-storage-class`) and value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// User-defined metadata, without `x-amz-meta-`; 2 KiB at the most.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// 10 at the most.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// How an object is sealed: what is stored beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// [`crate::sse::Envelope`]
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub envelope: Vec<u8>,
    /// [`crate::sse::ObjectInfo`], sealed
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub info: Vec<u8>,
    /// As the envelope says, for lists.
    #[serde(serialize_with = "mode_name", deserialize_with = "named_mode")]
    pub mode: Mode,
    /// The KMS key's ARN, with SSE-KMS and DSSE-KMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_arn: Option<String>,
    /// Whether its data key is the bucket's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bucket_key: bool,
}

/// The bytes of an object, once they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Bytes as the writer gave them.
    pub size: u64,
    /// Without quotes; with `-N` for what was written in parts.
    pub etag: String,
    /// Where, in order.
    pub blobs: Vec<Blob>,
    /// How it is sealed; none for what is stored in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// The name of the checksum that it has (`CRC64NVME`); the value is in [`Sealed::info`], or in `clear`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Whether that is of all bytes, and not of the parts' checksums (`FULL_OBJECT`, `COMPOSITE`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full_object: bool,
    /// Checksums of what is stored in clear: header name and base64.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clear: BTreeMap<String, String>,
    /// Of what was written in parts: the plaintext length of each, by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<(u16, u64)>,
    /// Of what was written in parts whose information could not be sealed, as its customer's key was not there:
    /// what stands in front of each part's chunks, in hex.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub salts: Vec<String>,
    /// The upload that it was completed of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
}

impl Body {
    /// How it is sealed; none in clear.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        self.sealed.as_ref().map(|sealed| sealed.mode)
    }
}

/// What a version is.
#[expect(clippy::large_enum_variant, reason = "nearly all versions are objects")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// The object is not there from here on.
    DeleteMarker,
    /// Bytes and what goes with them.
    Object {
        /// What the writer gave beside them.
        attributes: Attributes,
        /// The bytes.
        body: Body,
    },
}

/// A version of an object. Its row's key says of which object, and its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// The row's format: 1.
    pub v: u8,
    /// Its id.
    pub id: VersionId,
    /// One more than the object's latest version had when this one was written. The greatest is the latest;
    /// of those that were written at the same time, the one with the greatest id.
    pub sequence: u64,
    /// When it was written.
    pub modified: DateTime<Utc>,
    /// 12 digits: whose it is.
    pub owner: String,
    /// What it is.
    pub content: Content,
}

impl Version {
    /// The format of rows that this program writes.
    pub const FORMAT: u8 = 1;

    /// Its bytes and what goes with them; none of a delete marker.
    #[must_use]
    pub const fn object(&self) -> Option<(&Attributes, &Body)> {
        match &self.content {
            Content::Object { attributes, body } => Some((attributes, body)),
            Content::DeleteMarker => None,
        }
    }
}

pub(super) fn to_base64<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&STANDARD.encode(bytes))
}

pub(super) fn from_base64<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

/// The mode's value of `x-amz-server-side-encryption`; `SSE-C` has none there.
fn mode_name<S: Serializer>(mode: &Mode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(mode.header_value().unwrap_or(CUSTOMER))
}

fn named_mode<'a, D: Deserializer<'a>>(from: D) -> Result<Mode, D::Error> {
    let text = String::deserialize(from)?;
    let customer = (text == CUSTOMER).then_some(Mode::Customer);
    let found = customer.or_else(|| Mode::from_header_value(&text));
    found.ok_or_else(|| serde::de::Error::custom("no mode of encryption"))
}

const CUSTOMER: &str = "SSE-C";
