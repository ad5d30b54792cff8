//! Algorithm suites, and which of them may be written and read.

use super::Error;

/// How an object's content is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// 0x0070: AES-256-CBC. Authenticates nothing; read only, and only where [`Legacy::Read`] says so.
    Cbc,
    /// 0x0072: AES-256-GCM under the data key itself. Authenticates, but does not commit to its key.
    Gcm,
    /// 0x0073: AES-256-GCM under a key derived by HKDF-SHA512, with a commitment to the data key.
    CommittingGcm,
}

impl Suite {
    /// What wrapped keys are bound to: the text in `aws:x-amz-cek-alg` and in raw keyrings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cbc => "AES/CBC/PKCS5Padding",
            Self::Gcm => "AES/GCM/NoPadding",
            Self::CommittingGcm => "115",
        }
    }
}

/// Which suites may be written and read; AWS's three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommitmentPolicy {
    /// `FORBID_ENCRYPT_ALLOW_DECRYPT`: writes V2, which readers of every age know; reads all.
    ForbidEncryptAllowDecrypt,
    /// `REQUIRE_ENCRYPT_ALLOW_DECRYPT`: writes V3; reads all. For the time of a migration.
    RequireEncryptAllowDecrypt,
    /// `REQUIRE_ENCRYPT_REQUIRE_DECRYPT`: writes and reads what commits to its key alone.
    #[default]
    RequireEncryptRequireDecrypt,
}

impl CommitmentPolicy {
    /// What is written under it.
    #[must_use]
    pub const fn sealing_suite(self) -> Suite {
        match self {
            Self::ForbidEncryptAllowDecrypt => Suite::Gcm,
            Self::RequireEncryptAllowDecrypt | Self::RequireEncryptRequireDecrypt => {
                Suite::CommittingGcm
            }
        }
    }
}

/// Whether objects of the earliest clients are read: AES-CBC, and data keys under `kms`, `AESWrap`
/// or plain AES. Whoever can write to the bucket can alter what such an object says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Legacy {
    /// They are refused.
    #[default]
    Refuse,
    /// They are read.
    Read,
}

/// What may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Whether objects have to commit to their key.
    pub policy: CommitmentPolicy,
    /// Whether legacy algorithms are let in.
    pub legacy: Legacy,
}

impl Reading {
    /// # Errors
    /// [`Error::Policy`], [`Error::Legacy`].
    pub(super) fn check(self, suite: Suite, legacy_wrapping: bool) -> Result<(), Error> {
        if suite != Suite::CommittingGcm
            && self.policy == CommitmentPolicy::RequireEncryptRequireDecrypt
        {
            return Err(Error::Policy);
        }
        if (suite == Suite::Cbc || legacy_wrapping) && self.legacy == Legacy::Refuse {
            return Err(Error::Legacy);
        }
        Ok(())
    }
}
