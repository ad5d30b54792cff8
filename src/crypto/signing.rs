//! Signatures under private keys: ECDSA and Ed25519 (FIPS 186-5), RSA (RFC 8017), ML-DSA (FIPS 204).
//!
//! Private keys are as [`pair`](super::pair) makes them, public keys SubjectPublicKeyInfo DER
//! (RFC 5280), ECDSA signatures DER. A PSS salt is as long as its hash, as AWS KMS makes it.
//! `aws-lc-rs` signs, but for what it has no call for: Ed25519ph is `ed25519-dalek`'s, ML-DSA of an
//! external mu is `ml-dsa`'s.

use std::fmt;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::{AsBigEndian, AsDer, Curve25519SeedBin, PublicKeyX509Der};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, PqdsaKeyPair, RsaEncoding, RsaKeyPair,
    UnparsedPublicKey, VerificationAlgorithm,
};

use super::pair::{Curve, MlDsa, PairKind};
use super::{Error, Plaintext, external_mu, prehashed};

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
    /// Ed25519, of messages.
    Ed25519,
    /// Ed25519ph, of SHA-512 digests.
    Ed25519ph,
    /// ML-DSA with an empty context; the key says of which size.
    MlDsa,
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
    /// ML-DSA's message representative of 64 bytes (FIPS 204, algorithm 7), made by the caller.
    Mu(&'a [u8]),
}

/// A private key, ready to sign, with its public key.
pub struct SigningKey {
    private: Private,
    public_der: Vec<u8>,
}

enum Private {
    Ecdsa(Curve, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(MlDsa, PqdsaKeyPair, Plaintext),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// Reads a key of one kind.
    ///
    /// # Errors
    /// [`Error::Length`] for bytes that are no such key.
    pub fn new(kind: PairKind, bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |_| Error::Length;
        let unreadable = |_| Error::Length;
        let (private, public_der): (_, PublicKeyX509Der<'_>) = match kind {
            PairKind::Ecc(curve) => {
                let key = EcdsaKeyPair::from_pkcs8(curve.algorithm(), bytes).map_err(wrong)?;
                let public = key.public_key().as_der().map_err(unreadable)?;
                (Private::Ecdsa(curve, key), public)
            }
            PairKind::Ed25519 => {
                let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).map_err(wrong)?;
                let public = key.public_key().as_der().map_err(unreadable)?;
                (Private::Ed25519(key), public)
            }
            PairKind::MlDsa(size) => {
                let key = PqdsaKeyPair::from_seed(size.algorithm(), bytes).map_err(wrong)?;
                let public = key.public_key().as_der().map_err(unreadable)?;
                (Private::MlDsa(size, key, Plaintext::from(bytes.to_vec())), public)
            }
            PairKind::MlKem(_) => return Err(Error::Length),
            PairKind::Rsa(size) => {
                let key = RsaKeyPair::from_pkcs8(bytes).map_err(wrong)?;
                if key.public_modulus_len() != size.modulus_len() {
                    return Err(Error::Length);
                }
                let public = key.public_key().as_der().map_err(unreadable)?;
                (Private::Rsa(key), public)
            }
        };
        Ok(Self { private, public_der: public_der.as_ref().to_vec() })
    }

    /// The public key: SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn public_der(&self) -> &[u8] {
        &self.public_der
    }

    /// Signs.
    ///
    /// # Errors
    /// [`Error::Length`] when the scheme is not the key's, a digest not as long as its hash, or the
    /// scheme does not take this form of a message.
    pub fn sign(&self, scheme: Scheme, message: Message<'_>) -> Result<Vec<u8>, Error> {
        let failed = |_| Error::Length;
        match (&self.private, scheme) {
            (Private::Ecdsa(curve, key), Scheme::Ecdsa(hash)) if curve.hash() == hash => {
                let signed = key.sign_digest(&hash.digest(message)?).map_err(failed)?;
                Ok(signed.as_ref().to_vec())
            }
            (Private::Ed25519(key), Scheme::Ed25519) => {
                let Message::Raw(bytes) = message else { return Err(Error::Length) };
                Ok(key.try_sign(bytes).map_err(failed)?.as_ref().to_vec())
            }
            (Private::Ed25519(key), Scheme::Ed25519ph) => {
                let seed = key.seed().map_err(failed)?;
                let seed: Curve25519SeedBin<'_> = seed.as_be_bytes().map_err(failed)?;
                prehashed::sign(seed.as_ref(), message)
            }
            (Private::MlDsa(size, key, seed), Scheme::MlDsa) => match message {
                Message::Raw(bytes) => {
                    let mut signed = vec![0; size.algorithm().signature_len()];
                    key.sign(bytes, &mut signed).map_err(failed)?;
                    Ok(signed)
                }
                Message::Mu(mu) => external_mu::sign(*size, seed.expose(), mu),
                Message::Digest(_) => Err(Error::Length),
            },
            (Private::Rsa(key), Scheme::Pkcs1(hash) | Scheme::Pss(hash)) => {
                let encoding = scheme.encoding().ok_or(Error::Length)?;
                let mut signed = vec![0; key.public_modulus_len()];
                key.sign_digest(encoding, &hash.digest(message)?, &mut signed).map_err(failed)?;
                Ok(signed)
            }
            (
                Private::Ecdsa(..) | Private::Ed25519(_) | Private::MlDsa(..) | Private::Rsa(_),
                _,
            ) => Err(Error::Length),
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
        let of_digest = |algorithm, public: &[u8], hash: SigningHash| {
            let key = UnparsedPublicKey::new(algorithm, public);
            Ok(key.verify_digest(&hash.digest(message)?, signature).is_ok())
        };
        match (&self.private, scheme) {
            (Private::Ecdsa(curve, key), Scheme::Ecdsa(hash)) if curve.hash() == hash => {
                of_digest(curve.verification(), key.public_key().as_ref(), hash)
            }
            (Private::Ed25519(key), Scheme::Ed25519) => {
                let Message::Raw(bytes) = message else { return Err(Error::Length) };
                let public = UnparsedPublicKey::new(&signature::ED25519, key.public_key());
                Ok(public.verify(bytes, signature).is_ok())
            }
            (Private::Ed25519(key), Scheme::Ed25519ph) => {
                prehashed::verify(key.public_key().as_ref(), message, signature)
            }
            (Private::MlDsa(size, key, seed), Scheme::MlDsa) => match message {
                Message::Raw(bytes) => {
                    let public = UnparsedPublicKey::new(size.verification(), key.public_key());
                    Ok(public.verify(bytes, signature).is_ok())
                }
                Message::Mu(mu) => external_mu::verify(*size, seed.expose(), mu, signature),
                Message::Digest(_) => Err(Error::Length),
            },
            (Private::Rsa(key), Scheme::Pkcs1(hash) | Scheme::Pss(hash)) => {
                let algorithm = scheme.rsa_verification().ok_or(Error::Length)?;
                of_digest(algorithm, key.public_key().as_ref(), hash)
            }
            (
                Private::Ecdsa(..) | Private::Ed25519(_) | Private::MlDsa(..) | Private::Rsa(_),
                _,
            ) => Err(Error::Length),
        }
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

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_ASN1,
            Self::P384 => &signature::ECDSA_P384_SHA384_ASN1,
            Self::P521 => &signature::ECDSA_P521_SHA512_ASN1,
            Self::Secp256k1 => &signature::ECDSA_P256K1_SHA256_ASN1,
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
            Message::Mu(_) => Err(Error::Length),
        }
    }
}

impl Scheme {
    fn encoding(self) -> Option<&'static dyn RsaEncoding> {
        use SigningHash::{Sha256, Sha384, Sha512};
        Some(match self {
            Self::Pkcs1(Sha256) => &signature::RSA_PKCS1_SHA256,
            Self::Pkcs1(Sha384) => &signature::RSA_PKCS1_SHA384,
            Self::Pkcs1(Sha512) => &signature::RSA_PKCS1_SHA512,
            Self::Pss(Sha256) => &signature::RSA_PSS_SHA256,
            Self::Pss(Sha384) => &signature::RSA_PSS_SHA384,
            Self::Pss(Sha512) => &signature::RSA_PSS_SHA512,
            Self::Ecdsa(_) | Self::Ed25519 | Self::Ed25519ph | Self::MlDsa => return None,
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
            Self::Ecdsa(_) | Self::Ed25519 | Self::Ed25519ph | Self::MlDsa => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::pair::RsaSize;

    fn key(kind: PairKind) -> (Plaintext, SigningKey) {
        let bytes = kind.generate().unwrap();
        let key = SigningKey::new(kind, bytes.expose()).unwrap();
        (bytes, key)
    }

    fn signs(key: &SigningKey, scheme: Scheme, signed: Message<'_>, verified: Message<'_>) {
        let signature = key.sign(scheme, signed).unwrap();
        assert_eq!(key.verify(scheme, verified, &signature), Ok(true));
        for cut in [0, 1, signature.len() - 1] {
            assert_eq!(key.verify(scheme, verified, &signature[..cut]), Ok(false));
        }
        let mut altered = signature;
        altered[10] ^= 1;
        assert_eq!(key.verify(scheme, verified, &altered), Ok(false));
    }

    #[test]
    fn a_raw_message_and_its_digest_are_signed_alike() {
        for curve in [Curve::P256, Curve::P384, Curve::P521, Curve::Secp256k1] {
            let (bytes, key) = key(PairKind::Ecc(curve));
            let scheme = Scheme::Ecdsa(curve.hash());
            let digest = curve.hash().digest(Message::Raw(b"message")).unwrap();
            for message in [Message::Raw(b"message"), Message::Digest(digest.as_ref())] {
                signs(&key, scheme, message, Message::Raw(b"message"));
            }
            assert_eq!(key.sign(scheme, Message::Digest(b"short")), Err(Error::Length));
            let foreign = Scheme::Pss(SigningHash::Sha256);
            assert_eq!(key.sign(foreign, Message::Raw(b"x")), Err(Error::Length));
            let other = PairKind::Rsa(RsaSize::Bits2048);
            assert!(SigningKey::new(other, bytes.expose()).is_err());
        }
    }

    #[test]
    fn ed25519_signs_messages_and_ed25519ph_digests_alone() {
        let (_, key) = key(PairKind::Ed25519);
        let digest = SigningHash::Sha512.digest(Message::Raw(b"message")).unwrap();
        signs(&key, Scheme::Ed25519, Message::Raw(b"message"), Message::Raw(b"message"));
        let message = Message::Digest(digest.as_ref());
        signs(&key, Scheme::Ed25519ph, message, message);
        assert_eq!(key.sign(Scheme::Ed25519, message), Err(Error::Length));
        assert_eq!(key.sign(Scheme::Ed25519ph, Message::Raw(b"x")), Err(Error::Length));
    }

    /// FIPS 204, algorithms 2 and 7: mu = H(H(public key, 64) ‖ 0 ‖ 0 ‖ message, 64), H = SHAKE256.
    #[test]
    fn ml_dsa_of_an_external_mu_is_that_of_the_message() {
        for size in [MlDsa::Size44, MlDsa::Size65, MlDsa::Size87] {
            let (bytes, key) = key(PairKind::MlDsa(size));
            signs(&key, Scheme::MlDsa, Message::Raw(b"message"), Message::Raw(b"message"));
            let mu = external_mu::representative(size, bytes.expose(), b"message").unwrap();
            signs(&key, Scheme::MlDsa, Message::Mu(&mu), Message::Raw(b"message"));
            signs(&key, Scheme::MlDsa, Message::Raw(b"message"), Message::Mu(&mu));
            assert_eq!(key.sign(Scheme::MlDsa, Message::Mu(b"short")), Err(Error::Length));
        }
    }
}
