//! Key specs: what a key is, what it may be used for, and with which algorithms.
//!
//! Source: AWS KMS Developer Guide, "Key spec reference".

use super::Error;
use crate::crypto::Plaintext;
use crate::crypto::mac::MacHash;
use crate::crypto::pair::{Curve, MlDsa, MlKem, PairKind, RsaSize};
use crate::crypto::rsa::Oaep;
use crate::crypto::signing::{Scheme, SigningHash};

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KeySpec {
    /// A 256-bit AES key.
    #[default]
    SymmetricDefault,
    /// An HMAC key as long as its hash.
    Hmac(MacHash),
    /// A key pair.
    Pair(PairKind),
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
    /// Secrets shared with a peer's key pair.
    KeyAgreement,
    /// Secrets for who holds the key.
    EncapsulateDecapsulate,
}

impl KeyUsage {
    const ALL: [Self; 5] = [
        Self::EncryptDecrypt,
        Self::GenerateVerifyMac,
        Self::SignVerify,
        Self::KeyAgreement,
        Self::EncapsulateDecapsulate,
    ];

    /// As AWS spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EncryptDecrypt => "ENCRYPT_DECRYPT",
            Self::GenerateVerifyMac => "GENERATE_VERIFY_MAC",
            Self::SignVerify => "SIGN_VERIFY",
            Self::KeyAgreement => "KEY_AGREEMENT",
            Self::EncapsulateDecapsulate => "ENCAPSULATE_DECAPSULATE",
        }
    }

    /// The usage of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|usage| usage.as_str() == name)
    }
}

impl KeySpec {
    /// Every spec that keys are made of.
    pub const ALL: [Self; 19] = [
        Self::SymmetricDefault,
        Self::Hmac(MacHash::Sha224),
        Self::Hmac(MacHash::Sha256),
        Self::Hmac(MacHash::Sha384),
        Self::Hmac(MacHash::Sha512),
        Self::Pair(PairKind::Ecc(Curve::P256)),
        Self::Pair(PairKind::Ecc(Curve::P384)),
        Self::Pair(PairKind::Ecc(Curve::P521)),
        Self::Pair(PairKind::Ecc(Curve::Secp256k1)),
        Self::Pair(PairKind::Ed25519),
        Self::Pair(PairKind::MlDsa(MlDsa::Size44)),
        Self::Pair(PairKind::MlDsa(MlDsa::Size65)),
        Self::Pair(PairKind::MlDsa(MlDsa::Size87)),
        Self::Pair(PairKind::MlKem(MlKem::Size512)),
        Self::Pair(PairKind::MlKem(MlKem::Size768)),
        Self::Pair(PairKind::MlKem(MlKem::Size1024)),
        Self::Pair(PairKind::Rsa(RsaSize::Bits2048)),
        Self::Pair(PairKind::Rsa(RsaSize::Bits3072)),
        Self::Pair(PairKind::Rsa(RsaSize::Bits4096)),
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
            Self::Pair(PairKind::Ecc(Curve::P256)) => "ECC_NIST_P256",
            Self::Pair(PairKind::Ecc(Curve::P384)) => "ECC_NIST_P384",
            Self::Pair(PairKind::Ecc(Curve::P521)) => "ECC_NIST_P521",
            Self::Pair(PairKind::Ecc(Curve::Secp256k1)) => "ECC_SECG_P256K1",
            Self::Pair(PairKind::Ed25519) => "ECC_NIST_EDWARDS25519",
            Self::Pair(PairKind::MlDsa(MlDsa::Size44)) => "ML_DSA_44",
            Self::Pair(PairKind::MlDsa(MlDsa::Size65)) => "ML_DSA_65",
            Self::Pair(PairKind::MlDsa(MlDsa::Size87)) => "ML_DSA_87",
            Self::Pair(PairKind::MlKem(MlKem::Size512)) => "ML_KEM_512",
            Self::Pair(PairKind::MlKem(MlKem::Size768)) => "ML_KEM_768",
            Self::Pair(PairKind::MlKem(MlKem::Size1024)) => "ML_KEM_1024",
            Self::Pair(PairKind::Rsa(RsaSize::Bits2048)) => "RSA_2048",
            Self::Pair(PairKind::Rsa(RsaSize::Bits3072)) => "RSA_3072",
            Self::Pair(PairKind::Rsa(RsaSize::Bits4096)) => "RSA_4096",
        }
    }

    /// The spec of a name that keys are made of.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|spec| spec.as_str() == name)
    }

    /// What a key of this spec may be made for; its key is for one of them.
    #[must_use]
    pub const fn usages(self) -> &'static [KeyUsage] {
        match self {
            Self::SymmetricDefault => &[KeyUsage::EncryptDecrypt],
            Self::Hmac(_) => &[KeyUsage::GenerateVerifyMac],
            Self::Pair(PairKind::Ecc(Curve::P256 | Curve::P384 | Curve::P521)) => {
                &[KeyUsage::SignVerify, KeyUsage::KeyAgreement]
            }
            Self::Pair(
                PairKind::Ecc(Curve::Secp256k1) | PairKind::Ed25519 | PairKind::MlDsa(_),
            ) => &[KeyUsage::SignVerify],
            Self::Pair(PairKind::MlKem(_)) => &[KeyUsage::EncapsulateDecapsulate],
            Self::Pair(PairKind::Rsa(_)) => &[KeyUsage::SignVerify, KeyUsage::EncryptDecrypt],
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
            Self::Pair(kind) => kind.generate()?,
        })
    }

    /// Algorithms that a key of this spec made for `usage` works with.
    #[must_use]
    pub const fn algorithms(self, usage: KeyUsage) -> &'static [&'static str] {
        match (self, usage) {
            (Self::SymmetricDefault, KeyUsage::EncryptDecrypt) => &["SYMMETRIC_DEFAULT"],
            (Self::Hmac(MacHash::Sha224), KeyUsage::GenerateVerifyMac) => &["HMAC_SHA_224"],
            (Self::Hmac(MacHash::Sha256), KeyUsage::GenerateVerifyMac) => &["HMAC_SHA_256"],
            (Self::Hmac(MacHash::Sha384), KeyUsage::GenerateVerifyMac) => &["HMAC_SHA_384"],
            (Self::Hmac(MacHash::Sha512), KeyUsage::GenerateVerifyMac) => &["HMAC_SHA_512"],
            (
                Self::Pair(PairKind::Ecc(Curve::P256 | Curve::P384 | Curve::P521)),
                KeyUsage::KeyAgreement,
            ) => &["ECDH"],
            (Self::Pair(PairKind::Ecc(curve)), KeyUsage::SignVerify) => match curve.hash() {
                SigningHash::Sha256 => &["ECDSA_SHA_256"],
                SigningHash::Sha384 => &["ECDSA_SHA_384"],
                SigningHash::Sha512 => &["ECDSA_SHA_512"],
            },
            (Self::Pair(PairKind::Ed25519), KeyUsage::SignVerify) => {
                &["ED25519_SHA_512", "ED25519_PH_SHA_512"]
            }
            (Self::Pair(PairKind::MlDsa(_)), KeyUsage::SignVerify) => &["ML_DSA_SHAKE_256"],
            (Self::Pair(PairKind::MlKem(_)), KeyUsage::EncapsulateDecapsulate) => &["ML_KEM"],
            (Self::Pair(PairKind::Rsa(_)), KeyUsage::EncryptDecrypt) => {
                &["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
            }
            (Self::Pair(PairKind::Rsa(_)), KeyUsage::SignVerify) => &[
                "RSASSA_PKCS1_V1_5_SHA_256",
                "RSASSA_PKCS1_V1_5_SHA_384",
                "RSASSA_PKCS1_V1_5_SHA_512",
                "RSASSA_PSS_SHA_256",
                "RSASSA_PSS_SHA_384",
                "RSASSA_PSS_SHA_512",
            ],
            (Self::SymmetricDefault | Self::Hmac(_) | Self::Pair(_), _) => &[],
        }
    }
}

/// An RSA encryption algorithm by AWS's name.
#[must_use]
pub fn oaep(algorithm: &str) -> Option<Oaep> {
    match algorithm {
        "RSAES_OAEP_SHA_1" => Some(Oaep::Sha1),
        "RSAES_OAEP_SHA_256" => Some(Oaep::Sha256),
        _ => None,
    }
}

/// A signing algorithm by AWS's name.
#[must_use]
pub fn scheme(algorithm: &str) -> Option<Scheme> {
    match algorithm {
        "ED25519_SHA_512" => return Some(Scheme::Ed25519),
        "ED25519_PH_SHA_512" => return Some(Scheme::Ed25519ph),
        "ML_DSA_SHAKE_256" => return Some(Scheme::MlDsa),
        _ => {}
    }
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
    fn every_spec_is_read_back_and_has_algorithms_of_its_usages_alone() {
        for spec in KeySpec::ALL {
            assert_eq!(KeySpec::parse(spec.as_str()), Some(spec));
            for usage in KeyUsage::ALL {
                assert_eq!(KeyUsage::parse(usage.as_str()), Some(usage));
                let algorithms = spec.algorithms(usage);
                assert_eq!(!algorithms.is_empty(), spec.usages().contains(&usage), "{spec:?}");
                if usage == KeyUsage::SignVerify {
                    assert!(algorithms.iter().all(|name| scheme(name).is_some()));
                }
            }
        }
        assert_eq!(KeySpec::parse("SM2"), None);
        assert_eq!((scheme("RSASSA_PSS_SHA_1"), scheme("SM2DSA")), (None, None));
        assert_eq!((oaep("RSAES_OAEP_SHA_384"), oaep("SM2PKE")), (None, None));
    }
}
