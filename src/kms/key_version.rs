//! Key versions: what is stored of each, where its material comes from, and when the next is made.
//! Key material lies in rows of its own.
//!
//! Layout: docs/formats.md, "Key, material and alias rows".

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::KeyId;
use super::{Error, KeySpec};
use crate::crypto::digest;
use crate::store::Value;

/// One generation of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyVersion {
    /// From 1.
    pub number: u32,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// Names the material: 64 hex digits.
    pub material_id: String,
    /// What made it; the first version was made with the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated: Option<RotationType>,
    /// What is known of its import, if it was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
}

impl KeyVersion {
    /// A version with fresh material.
    ///
    /// # Errors
    /// [`Error::Internal`] when the random source fails.
    pub fn generate(
        key: KeyId,
        spec: KeySpec,
        number: u32,
        now: DateTime<Utc>,
        rotated: Option<RotationType>,
    ) -> Result<(Self, Value), Error> {
        let material = spec.generate()?;
        let place = digest::sha256(&[key.as_bytes(), &number.to_be_bytes()]);
        let version =
            Self { number, created: now, material_id: hex::encode(place), rotated, imported: None };
        Ok((version, Value::from(material.expose().to_vec())))
    }

    /// Whether the material is here.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.imported.as_ref().is_none_or(|imported| imported.present)
    }

    /// Whether the material is imported, past its time and still here.
    pub(super) fn is_lapsed(&self, now: DateTime<Utc>) -> bool {
        self.imported.as_ref().is_some_and(|imported| {
            imported.present && imported.valid_to.is_some_and(|date| date <= now)
        })
    }
}

/// What is known of imported material.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// When it is removed; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<DateTime<Utc>>,
    /// The importer's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the material is here; it may have been removed or be past its time.
    pub present: bool,
}

/// Where the material of a key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Origin {
    /// It was drawn here.
    #[default]
    AwsKms,
    /// It is imported.
    External,
}

impl Origin {
    /// As AWS spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwsKms => "AWS_KMS",
            Self::External => "EXTERNAL",
        }
    }

    /// Whether a record leaves it out.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What made a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RotationType {
    /// Its time had come.
    Automatic,
    /// `RotateKeyOnDemand`
    OnDemand,
}

impl RotationType {
    /// As AWS spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "AUTOMATIC",
            Self::OnDemand => "ON_DEMAND",
        }
    }
}

/// Automatic rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// 90 to 2,560.
    pub period_in_days: i32,
    /// When the next version is made.
    pub next: DateTime<Utc>,
}
