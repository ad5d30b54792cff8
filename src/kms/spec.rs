//! Key specs: what a key is, what it may be used for, and with which algorithms.
//!
//! Source: AWS KMS Developer Guide, "Key spec reference".

use super::Error;
use crate::crypto::mac::MacHash;

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KeySpec {
    /// A 256-bit AES key.
    #[default]
    SymmetricDefault,
    /// An HMAC key as long as its hash.
    Hmac(MacHash),
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyUsage {
    /// Encrypting and decrypting, data keys.
    EncryptDecrypt,
    /// Codes of messages.
    GenerateVerifyMac,
}

impl KeyUsage {
    /// As AWS spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EncryptDecrypt => "ENCRYPT_DECRYPT",
            Self::GenerateVerifyMac => "GENERATE_VERIFY_MAC",
        }
    }
}

impl KeySpec {
    /// Every spec that keys are made of.
    pub const ALL: [Self; 5] = [
        Self::SymmetricDefault,
        Self::Hmac(MacHash::Sha224),
        Self::Hmac(MacHash::Sha256),
        Self::Hmac(MacHash::Sha384),
        Self::Hmac(MacHash::Sha512),
    ];

    /// As AWS spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SymmetricDefault => "SYMMETRIC_DEFAULT",
            Self::Hmac(MacHash::Sha224) => "HMAC_224",
            Self::Hmac(MacHash::Sha256) => "HMAC_256",
            Self::Hmac(MacHash::Sha384) => "HMAC_384",
            Self::Hmac(MacHash::Sha512) => "HMAC_512",
        }
    }

    /// The spec of a name that keys are made of.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|spec| spec.as_str() == name)
    }

    /// The one thing that a key of this spec is for.
    #[must_use]
    pub const fn usage(self) -> KeyUsage {
        match self {
            Self::SymmetricDefault => KeyUsage::EncryptDecrypt,
            Self::Hmac(_) => KeyUsage::GenerateVerifyMac,
        }
    }

    /// Bytes of material.
    #[must_use]
    pub const fn material_len(self) -> usize {
        match self {
            Self::SymmetricDefault => 32,
            Self::Hmac(hash) => hash.output_len(),
        }
    }

    /// Algorithms to encrypt with.
    #[must_use]
    pub const fn encryption_algorithms(self) -> &'static [&'static str] {
        match self {
            Self::SymmetricDefault => &["SYMMETRIC_DEFAULT"],
            Self::Hmac(_) => &[],
        }
    }

    /// Algorithms to make codes with.
    #[must_use]
    pub const fn mac_algorithms(self) -> &'static [&'static str] {
        match self {
            Self::SymmetricDefault => &[],
            Self::Hmac(MacHash::Sha224) => &["HMAC_SHA_224"],
            Self::Hmac(MacHash::Sha256) => &["HMAC_SHA_256"],
            Self::Hmac(MacHash::Sha384) => &["HMAC_SHA_384"],
            Self::Hmac(MacHash::Sha512) => &["HMAC_SHA_512"],
        }
    }

    /// Whether a key of this spec may be used as `operation` uses it.
    ///
    /// # Errors
    /// [`Error::InvalidKeyUsage`] in AWS's words.
    pub fn permits(self, usage: KeyUsage, arn: &str, operation: &str) -> Result<(), Error> {
        if self.usage() == usage {
            return Ok(());
        }
        let own = self.usage().as_str();
        Err(Error::InvalidKeyUsage(format!(
            "{arn} key usage is {own} which is not valid for {operation}."
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spec_is_read_back_and_has_an_algorithm() {
        for spec in KeySpec::ALL {
            assert_eq!(KeySpec::parse(spec.as_str()), Some(spec));
            let count = spec.encryption_algorithms().len() + spec.mac_algorithms().len();
            assert_eq!(count, 1, "{spec:?}");
            for usage in [KeyUsage::EncryptDecrypt, KeyUsage::GenerateVerifyMac] {
                assert_eq!(spec.permits(usage, "arn", "Use").is_ok(), usage == spec.usage());
            }
        }
        assert_eq!(KeySpec::parse("RSA_2048"), None);
    }
}
