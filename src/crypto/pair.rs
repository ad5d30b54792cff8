//! Key pairs: the kinds there are, and how their private halves are drawn and kept.
//!
//! A private key is PKCS #8 DER (RFC 5208; for ML-KEM RFC 9935), but for ML-DSA, whose key is the seed of
//! 32 bytes (FIPS 204, algorithm 1).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::kem;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, PqdsaSigningAlgorithm,
    PqdsaVerificationAlgorithm, RsaKeyPair,
};

use super::encapsulation::KemKey;
use super::signing::SigningKey;
use super::{Error, Plaintext};

/// A kind of key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PairKind {
    /// On an elliptic curve.
    Ecc(Curve),
    /// Ed25519.
    Ed25519,
    /// ML-DSA.
    MlDsa(MlDsa),
    /// ML-KEM.
    MlKem(MlKem),
    /// RSA.
    Rsa(RsaSize),
}

/// An elliptic curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// SECG secp256k1.
    Secp256k1,
}

/// A parameter set of ML-DSA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MlDsa {
    /// ML-DSA-44
    Size44,
    /// ML-DSA-65
    Size65,
    /// ML-DSA-87
    Size87,
}

/// A parameter set of ML-KEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MlKem {
    /// ML-KEM-512
    Size512,
    /// ML-KEM-768
    Size768,
    /// ML-KEM-1024
    Size1024,
}

/// Bits of an RSA modulus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RsaSize {
    /// 2,048
    Bits2048,
    /// 3,072
    Bits3072,
    /// 4,096
    Bits4096,
}

impl PairKind {
    /// Draws a private key. RSA takes up to a second of a core and more.
    ///
    /// # Errors
    /// [`Error::Random`] when the library fails.
    pub fn generate(self) -> Result<Plaintext, Error> {
        let failed = |_| Error::Random;
        match self {
            Self::Ecc(curve) => {
                let key = EcdsaKeyPair::generate(curve.algorithm()).map_err(failed)?;
                let document = key.to_pkcs8v1().map_err(failed)?;
                Ok(Plaintext::from(document.as_ref().to_vec()))
            }
            Self::Ed25519 => {
                let key = Ed25519KeyPair::generate().map_err(failed)?;
                let document = key.to_pkcs8v1().map_err(failed)?;
                Ok(Plaintext::from(document.as_ref().to_vec()))
            }
            Self::MlDsa(_) => Plaintext::generate(ML_DSA_SEED),
            Self::MlKem(size) => KemKey::generate(size),
            Self::Rsa(size) => {
                let key = RsaKeyPair::generate(size.key_size()).map_err(failed)?;
                let document: Pkcs8V1Der<'_> = key.as_der().map_err(failed)?;
                Ok(Plaintext::from(document.as_ref().to_vec()))
            }
        }
    }

    /// The public half of a private key: SubjectPublicKeyInfo DER.
    ///
    /// # Errors
    /// [`Error::Length`] for bytes that are no such key.
    pub fn public_der(self, private: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(match self {
            Self::MlKem(size) => KemKey::new(size, private)?.public_der().to_vec(),
            Self::Ecc(_) | Self::Ed25519 | Self::MlDsa(_) | Self::Rsa(_) => {
                SigningKey::new(self, private)?.public_der().to_vec()
            }
        })
    }
}

const ML_DSA_SEED: usize = 32;

impl Curve {
    pub(super) fn algorithm(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            Self::P384 => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
            Self::P521 => &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
            Self::Secp256k1 => &signature::ECDSA_P256K1_SHA256_ASN1_SIGNING,
        }
    }
}

impl MlDsa {
    pub(super) const fn algorithm(self) -> &'static PqdsaSigningAlgorithm {
        match self {
            Self::Size44 => &signature::ML_DSA_44_SIGNING,
            Self::Size65 => &signature::ML_DSA_65_SIGNING,
            Self::Size87 => &signature::ML_DSA_87_SIGNING,
        }
    }

    pub(super) const fn verification(self) -> &'static PqdsaVerificationAlgorithm {
        match self {
            Self::Size44 => &signature::ML_DSA_44,
            Self::Size65 => &signature::ML_DSA_65,
            Self::Size87 => &signature::ML_DSA_87,
        }
    }
}

impl MlKem {
    pub(super) const fn algorithm(self) -> &'static kem::Algorithm {
        match self {
            Self::Size512 => &kem::ML_KEM_512,
            Self::Size768 => &kem::ML_KEM_768,
            Self::Size1024 => &kem::ML_KEM_1024,
        }
    }
}

impl RsaSize {
    pub(super) const fn key_size(self) -> KeySize {
        match self {
            Self::Bits2048 => KeySize::Rsa2048,
            Self::Bits3072 => KeySize::Rsa3072,
            Self::Bits4096 => KeySize::Rsa4096,
        }
    }

    /// Bytes of the modulus.
    #[must_use]
    pub const fn modulus_len(self) -> usize {
        match self {
            Self::Bits2048 => 256,
            Self::Bits3072 => 384,
            Self::Bits4096 => 512,
        }
    }
}
