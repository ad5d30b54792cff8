//! An upload in parts and its parts, as they are stored.
//!
//! Layout: docs/formats.md, "Bucket, object and upload rows".

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::version::{Attributes, Blob, from_base64, to_base64};

/// An upload in parts. Its row's key says of which object, and its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// The row's format: 1.
    pub v: u8,
    /// When it was begun.
    pub begun: DateTime<Utc>,
    /// 12 digits: whose account began it.
    pub owner: String,
    /// Who began it.
    pub initiator: String,
    /// What goes with the object.
    pub attributes: Attributes,
    /// What its parts are sealed in: [`crate::sse::Envelope`]; empty in clear.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub envelope: Vec<u8>,
    /// The checksum that was chosen, if one was: `CRC64NVME` and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Whether the object's checksum is of all its bytes.
    #[serde(default)]
    pub full_object: bool,
}

/// A part of an upload. Its row's key says of which upload, and its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The row's format: 1.
    pub v: u8,
    /// 1 to 10,000.
    pub number: u16,
    /// When it was written.
    pub modified: DateTime<Utc>,
    /// Bytes as the writer gave them.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// The MD5 of the part's bytes, in hex.
    pub md5: String,
    /// Where.
    pub blob: Blob,
    /// What stands in front of its chunks ([`crate::sse::SealedPart`]); empty in clear.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub salt: Vec<u8>,
    /// Its checksums: header name and base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<(String, String)>,
}

impl Upload {
    /// The format of rows that this program writes, those of parts, too.
    pub const FORMAT: u8 = 1;
}
