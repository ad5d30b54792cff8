//! Key specs: what a key is, what it may be used for, and with which algorithms.
//!
//! Source: AWS KMS Developer Guide, "Key spec reference".

use super::Error;
use crate::crypto::Plaintext;
use crate::crypto::mac::MacHash;
use crate::crypto::signing::{Curve, RsaSize, Scheme, SigningHash, SigningKey, SigningKind};

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KeySpec {
    /// A 256-bit AES key.
    #[default]
    SymmetricDefault,
    /// An HMAC key as long as its hash.
    Hmac(MacHash),
    /// A key pair that signs.
    Signing(SigningKind),
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyUsage {
    /// Encrypting and decrypting, data keys.
    EncryptDecrypt,
    /// Codes of messages.
    GenerateVerifyMac,
    /// Signatures.
    SignVerify,
}

impl KeyUsage {
    /// As AWS spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EncryptDecrypt => "ENCRYPT_DECRYPT",
            Self::GenerateVerifyMac => "GENERATE_VERIFY_MAC",
            Self::SignVerify => "SIGN_VERIFY",
        }
    }
}

impl KeySpec {
    /// Every spec that keys are made of.
    pub const ALL: [Self; 12] = [
        Self::SymmetricDefault,
        Self::Hmac(MacHash::Sha224),
        Self::Hmac(MacHash::Sha256),
        Self::Hmac(MacHash::Sha384),
        Self::Hmac(MacHash::Sha512),
        Self::Signing(SigningKind::Ecdsa(Curve::P256)),
        Self::Signing(SigningKind::Ecdsa(Curve::P384)),
        Self::Signing(SigningKind::Ecdsa(Curve::P521)),
        Self::Signing(SigningKind::Ecdsa(Curve::Secp256k1)),
        Self::Signing(SigningKind::Rsa(RsaSize::Bits2048)),
        Self::Signing(SigningKind::Rsa(RsaSize::Bits3072)),
        Self::Signing(SigningKind::Rsa(RsaSize::Bits4096)),
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
            Self::Signing(SigningKind::Ecdsa(Curve::P256)) => "ECC_NIST_P256",
            Self::Signing(SigningKind::Ecdsa(Curve::P384)) => "ECC_NIST_P384",
            Self::Signing(SigningKind::Ecdsa(Curve::P521)) => "ECC_NIST_P521",
            Self::Signing(SigningKind::Ecdsa(Curve::Secp256k1)) => "ECC_SECG_P256K1",
            Self::Signing(SigningKind::Rsa(RsaSize::Bits2048)) => "RSA_2048",
            Self::Signing(SigningKind::Rsa(RsaSize::Bits3072)) => "RSA_3072",
            Self::Signing(SigningKind::Rsa(RsaSize::Bits4096)) => "RSA_4096",
        }
    }

    /// The spec of a name that keys are made of.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|spec| spec.as_str() == name)
    }

    /// The one thing that a key of this spec is for here.
    #[must_use]
    pub const fn usage(self) -> KeyUsage {
        match self {
            Self::SymmetricDefault => KeyUsage::EncryptDecrypt,
            Self::Hmac(_) => KeyUsage::GenerateVerifyMac,
            Self::Signing(_) => KeyUsage::SignVerify,
        }
    }

    /// Whether AWS makes keys of this spec for a usage that this program does not.
    #[must_use]
    pub fn is_for_on_aws(self, usage: &str) -> bool {
        match self {
            Self::SymmetricDefault | Self::Hmac(_) => false,
            Self::Signing(SigningKind::Rsa(_)) => usage == "ENCRYPT_DECRYPT",
            Self::Signing(SigningKind::Ecdsa(curve)) => {
                usage == "KEY_AGREEMENT" && curve != Curve::Secp256k1
            }
        }
    }

    /// Draws material of a new version.
    ///
    /// # Errors
    /// [`Error::Internal`] when the random source fails.
    pub fn generate(self) -> Result<Plaintext, Error> {
        Ok(match self {
            Self::SymmetricDefault => Plaintext::generate(32)?,
            Self::Hmac(hash) => Plaintext::generate(hash.output_len())?,
            Self::Signing(kind) => SigningKey::generate(kind)?,
        })
    }

    /// Algorithms to encrypt with.
    #[must_use]
    pub const fn encryption_algorithms(self) -> &'static [&'static str] {
        match self {
            Self::SymmetricDefault => &["SYMMETRIC_DEFAULT"],
            Self::Hmac(_) | Self::Signing(_) => &[],
        }
    }

    /// Algorithms to make codes with.
    #[must_use]
    pub const fn mac_algorithms(self) -> &'static [&'static str] {
        match self {
            Self::SymmetricDefault | Self::Signing(_) => &[],
            Self::Hmac(MacHash::Sha224) => &["HMAC_SHA_224"],
            Self::Hmac(MacHash::Sha256) => &["HMAC_SHA_256"],
            Self::Hmac(MacHash::Sha384) => &["HMAC_SHA_384"],
            Self::Hmac(MacHash::Sha512) => &["HMAC_SHA_512"],
        }
    }

    /// Algorithms to sign with.
    #[must_use]
    pub const fn signing_algorithms(self) -> &'static [&'static str] {
        match self {
            Self::SymmetricDefault | Self::Hmac(_) => &[],
            Self::Signing(SigningKind::Ecdsa(curve)) => match curve.hash() {
                SigningHash::Sha256 => &["ECDSA_SHA_256"],
                SigningHash::Sha384 => &["ECDSA_SHA_384"],
                SigningHash::Sha512 => &["ECDSA_SHA_512"],
            },
            Self::Signing(SigningKind::Rsa(_)) => &[
                "RSASSA_PKCS1_V1_5_SHA_256",
                "RSASSA_PKCS1_V1_5_SHA_384",
                "RSASSA_PKCS1_V1_5_SHA_512",
                "RSASSA_PSS_SHA_256",
                "RSASSA_PSS_SHA_384",
                "RSASSA_PSS_SHA_512",
            ],
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

/// A signing algorithm by AWS's name.
#[must_use]
pub fn scheme(algorithm: &str) -> Option<Scheme> {
    let (scheme, hash): (fn(SigningHash) -> Scheme, _) =
        if let Some(hash) = algorithm.strip_prefix("ECDSA_") {
            (Scheme::Ecdsa, hash)
        } else if let Some(hash) = algorithm.strip_prefix("RSASSA_PKCS1_V1_5_") {
            (Scheme::Pkcs1, hash)
        } else {
            (Scheme::Pss, algorithm.strip_prefix("RSASSA_PSS_")?)
        };
    Some(scheme(match hash {
        "SHA_256" => SigningHash::Sha256,
        "SHA_384" => SigningHash::Sha384,
        "SHA_512" => SigningHash::Sha512,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spec_is_read_back_and_has_algorithms_of_its_usage_alone() {
        for spec in KeySpec::ALL {
            assert_eq!(KeySpec::parse(spec.as_str()), Some(spec));
            let counts = [
                (KeyUsage::EncryptDecrypt, spec.encryption_algorithms().len()),
                (KeyUsage::GenerateVerifyMac, spec.mac_algorithms().len()),
                (KeyUsage::SignVerify, spec.signing_algorithms().len()),
            ];
            for (usage, count) in counts {
                assert_eq!(spec.permits(usage, "arn", "Use").is_ok(), usage == spec.usage());
                assert_eq!(count > 0, usage == spec.usage(), "{spec:?}");
            }
            assert!(spec.signing_algorithms().iter().all(|name| scheme(name).is_some()));
        }
        assert_eq!(KeySpec::parse("SM2"), None);
        assert_eq!((scheme("RSASSA_PSS_SHA_1"), scheme("SM2DSA")), (None, None));
    }
}
