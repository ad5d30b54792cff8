//! Signatures under private keys: ECDSA (FIPS 186-5) and RSA (RFC 8017), through `aws-lc-rs`.
//!
//! Private keys are PKCS #8 DER (RFC 5208), public keys SubjectPublicKeyInfo DER (RFC 5280), ECDSA
//! signatures DER. A PSS salt is as long as its hash, as AWS KMS makes it.

use std::fmt;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _, RsaEncoding, RsaKeyPair,
    UnparsedPublicKey, VerificationAlgorithm,
};

use super::{Error, Plaintext};

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

/// What kind of key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningKind {
    /// ECDSA on a curve.
    Ecdsa(Curve),
    /// RSA.
    Rsa(RsaSize),
}

/// The hash of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningHash {
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// ECDSA; the curve says with which hash.
    Ecdsa(SigningHash),
    /// RSASSA-PKCS1-v1_5.
    Pkcs1(SigningHash),
    /// RSASSA-PSS.
    Pss(SigningHash),
}

/// What is signed: a message, or its hash.
#[derive(Debug, Clone, Copy)]
pub enum Message<'a> {
    /// To be hashed.
    Raw(&'a [u8]),
    /// Hashed already.
    Digest(&'a [u8]),
}

/// A private key, ready to sign, with its public key.
pub struct SigningKey {
    private: Private,
    public_der: Vec<u8>,
}

enum Private {
    Ecdsa(Curve, EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// Draws a new key; returns its PKCS #8 form. RSA takes up to a second of a core and more.
    ///
    /// # Errors
    /// [`Error::Random`] when the library fails.
    pub fn generate(kind: SigningKind) -> Result<Plaintext, Error> {
        let failed = |_| Error::Random;
        match kind {
            SigningKind::Ecdsa(curve) => {
                let key = EcdsaKeyPair::generate(curve.algorithm()).map_err(failed)?;
                let document = key.to_pkcs8v1().map_err(failed)?;
                Ok(Plaintext::from(document.as_ref().to_vec()))
            }
            SigningKind::Rsa(size) => {
                let key = RsaKeyPair::generate(size.key_size()).map_err(failed)?;
                let document: Pkcs8V1Der<'_> = key.as_der().map_err(failed)?;
                Ok(Plaintext::from(document.as_ref().to_vec()))
            }
        }
    }

    /// Reads a key of one kind.
    ///
    /// # Errors
    /// [`Error::Length`] for bytes that are no such key.
    pub fn from_pkcs8(kind: SigningKind, pkcs8: &[u8]) -> Result<Self, Error> {
        let wrong = |_| Error::Length;
        let unreadable = |_| Error::Length;
        match kind {
            SigningKind::Ecdsa(curve) => {
                let key = EcdsaKeyPair::from_pkcs8(curve.algorithm(), pkcs8).map_err(wrong)?;
                let der: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(unreadable)?;
                let public_der = der.as_ref().to_vec();
                Ok(Self { private: Private::Ecdsa(curve, key), public_der })
            }
            SigningKind::Rsa(size) => {
                let key = RsaKeyPair::from_pkcs8(pkcs8).map_err(wrong)?;
                if key.public_modulus_len() != size.modulus_len() {
                    return Err(Error::Length);
                }
                let der: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(unreadable)?;
                let public_der = der.as_ref().to_vec();
                Ok(Self { private: Private::Rsa(key), public_der })
            }
        }
    }

    /// The public key: SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn public_der(&self) -> &[u8] {
        &self.public_der
    }

    /// Signs.
    ///
    /// # Errors
    /// [`Error::Length`] when the scheme is not the key's, or a digest not as long as its hash.
    pub fn sign(&self, scheme: Scheme, message: Message<'_>) -> Result<Vec<u8>, Error> {
        let digest = scheme.hash().digest(message)?;
        match (&self.private, scheme) {
            (Private::Ecdsa(curve, key), Scheme::Ecdsa(hash)) if curve.hash() == hash => {
                let signed = key.sign_digest(&digest).map_err(|_| Error::Length)?;
                Ok(signed.as_ref().to_vec())
            }
            (Private::Rsa(key), Scheme::Pkcs1(_) | Scheme::Pss(_)) => {
                let encoding = scheme.encoding().ok_or(Error::Length)?;
                let mut signed = vec![0; key.public_modulus_len()];
                key.sign_digest(encoding, &digest, &mut signed).map_err(|_| Error::Length)?;
                Ok(signed)
            }
            (Private::Ecdsa(..) | Private::Rsa(_), _) => Err(Error::Length),
        }
    }

    /// Whether a signature is the message's.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn verify(
        &self,
        scheme: Scheme,
        message: Message<'_>,
        signature: &[u8],
    ) -> Result<bool, Error> {
        let digest = scheme.hash().digest(message)?;
        let (algorithm, public): (&'static dyn VerificationAlgorithm, Vec<u8>) =
            match (&self.private, scheme) {
                (Private::Ecdsa(curve, key), Scheme::Ecdsa(hash)) if curve.hash() == hash => {
                    (curve.verification(), key.public_key().as_ref().to_vec())
                }
                (Private::Rsa(key), Scheme::Pkcs1(_) | Scheme::Pss(_)) => {
                    let algorithm = scheme.rsa_verification().ok_or(Error::Length)?;
                    (algorithm, key.public_key().as_ref().to_vec())
                }
                (Private::Ecdsa(..) | Private::Rsa(_), _) => return Err(Error::Length),
            };
        Ok(UnparsedPublicKey::new(algorithm, public).verify_digest(&digest, signature).is_ok())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(redacted)")
    }
}

impl Curve {
    /// The hash that AWS KMS signs with on this curve.
    #[must_use]
    pub const fn hash(self) -> SigningHash {
        match self {
            Self::P256 | Self::Secp256k1 => SigningHash::Sha256,
            Self::P384 => SigningHash::Sha384,
            Self::P521 => SigningHash::Sha512,
        }
    }

    fn algorithm(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            Self::P384 => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
            Self::P521 => &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
            Self::Secp256k1 => &signature::ECDSA_P256K1_SHA256_ASN1_SIGNING,
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_ASN1,
            Self::P384 => &signature::ECDSA_P384_SHA384_ASN1,
            Self::P521 => &signature::ECDSA_P521_SHA512_ASN1,
            Self::Secp256k1 => &signature::ECDSA_P256K1_SHA256_ASN1,
        }
    }
}

impl RsaSize {
    const fn key_size(self) -> KeySize {
        match self {
            Self::Bits2048 => KeySize::Rsa2048,
            Self::Bits3072 => KeySize::Rsa3072,
            Self::Bits4096 => KeySize::Rsa4096,
        }
    }

    const fn modulus_len(self) -> usize {
        match self {
            Self::Bits2048 => 256,
            Self::Bits3072 => 384,
            Self::Bits4096 => 512,
        }
    }
}

impl SigningHash {
    fn digest(self, message: Message<'_>) -> Result<Digest, Error> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        match message {
            Message::Raw(bytes) => Ok(digest::digest(algorithm, bytes)),
            Message::Digest(bytes) => {
                Digest::import_less_safe(bytes, algorithm).map_err(|_| Error::Length)
            }
        }
    }
}

impl Scheme {
    /// The hash within.
    #[must_use]
    pub const fn hash(self) -> SigningHash {
        match self {
            Self::Ecdsa(hash) | Self::Pkcs1(hash) | Self::Pss(hash) => hash,
        }
    }

    fn encoding(self) -> Option<&'static dyn RsaEncoding> {
        use SigningHash::{Sha256, Sha384, Sha512};
        Some(match self {
            Self::Pkcs1(Sha256) => &signature::RSA_PKCS1_SHA256,
            Self::Pkcs1(Sha384) => &signature::RSA_PKCS1_SHA384,
            Self::Pkcs1(Sha512) => &signature::RSA_PKCS1_SHA512,
            Self::Pss(Sha256) => &signature::RSA_PSS_SHA256,
            Self::Pss(Sha384) => &signature::RSA_PSS_SHA384,
            Self::Pss(Sha512) => &signature::RSA_PSS_SHA512,
            Self::Ecdsa(_) => return None,
        })
    }

    fn rsa_verification(self) -> Option<&'static dyn VerificationAlgorithm> {
        use SigningHash::{Sha256, Sha384, Sha512};
        Some(match self {
            Self::Pkcs1(Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::Pkcs1(Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            Self::Pkcs1(Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            Self::Pss(Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
            Self::Pss(Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
            Self::Pss(Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
            Self::Ecdsa(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_message_and_its_digest_are_signed_alike() {
        for curve in [Curve::P256, Curve::P384, Curve::P521, Curve::Secp256k1] {
            let kind = SigningKind::Ecdsa(curve);
            let pkcs8 = SigningKey::generate(kind).unwrap();
            let key = SigningKey::from_pkcs8(kind, pkcs8.expose()).unwrap();
            let scheme = Scheme::Ecdsa(curve.hash());
            let digest = curve.hash().digest(Message::Raw(b"message")).unwrap();
            for message in [Message::Raw(b"message"), Message::Digest(digest.as_ref())] {
                let signed = key.sign(scheme, message).unwrap();
                assert_eq!(key.verify(scheme, Message::Raw(b"message"), &signed), Ok(true));
                assert_eq!(key.verify(scheme, Message::Raw(b"other"), &signed), Ok(false));
            }
            assert_eq!(key.sign(scheme, Message::Digest(b"short")), Err(Error::Length));
            let foreign = Scheme::Pss(SigningHash::Sha256);
            assert_eq!(key.sign(foreign, Message::Raw(b"x")), Err(Error::Length));
            let other = SigningKind::Rsa(RsaSize::Bits2048);
            assert!(SigningKey::from_pkcs8(other, pkcs8.expose()).is_err());
        }
    }
}
