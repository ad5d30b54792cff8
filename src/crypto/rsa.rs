//! RSA encryption (RFC 8017): OAEP with SHA-1 or SHA-256.
//!
//! And the two-step wrapping that imports of large keys use: an AES key under OAEP, then the
//! material under AES key wrap with padding (RFC 5649).

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};

use super::pair::RsaSize;
use super::{Error, Plaintext};

/// The hash of OAEP and of its mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Oaep {
    /// SHA-1
    Sha1,
    /// SHA-256
    Sha256,
}

/// How key material comes wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wrapping {
    /// RSAES-OAEP.
    Oaep(Oaep),
    /// A fresh AES-256 key under RSAES-OAEP, and the material under it (RFC 5649).
    OaepAesKeyWrap(Oaep),
}

/// A public key, ready to encrypt.
pub struct RsaPublicKey {
    encrypting: OaepPublicEncryptingKey,
    der: Vec<u8>,
}

/// A private key, ready to decrypt, with its public key.
pub struct RsaKey {
    decrypting: OaepPrivateDecryptingKey,
    public: RsaPublicKey,
}

impl RsaPublicKey {
    /// Reads a key of 2048 to 8192 bits: SubjectPublicKeyInfo DER.
    ///
    /// # Errors
    /// [`Error::Length`] for bytes that are no such key.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        Self::new(PublicEncryptingKey::from_der(der).map_err(|_| Error::Length)?)
    }

    fn new(key: PublicEncryptingKey) -> Result<Self, Error> {
        let der: PublicKeyX509Der<'_> = key.as_der().map_err(|_| Error::Length)?;
        let der = der.as_ref().to_vec();
        Ok(Self { encrypting: OaepPublicEncryptingKey::new(key).map_err(|_| Error::Length)?, der })
    }

    /// SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Encrypts.
    ///
    /// # Errors
    /// [`Error::Length`] for more than [`Self::longest`] bytes.
    pub fn encrypt(&self, oaep: Oaep, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = vec![0; self.encrypting.ciphertext_size()];
        let encrypted = self.encrypting.encrypt(oaep.algorithm(), plaintext, &mut out, None);
        encrypted.map(|bytes| bytes.to_vec()).map_err(|_| Error::Length)
    }

    /// Bytes that one ciphertext holds at the most.
    #[must_use]
    pub fn longest(&self, oaep: Oaep) -> usize {
        self.encrypting.max_plaintext_size(oaep.algorithm())
    }
}

impl RsaKey {
    /// Reads a key of this size from PKCS #8.
    ///
    /// # Errors
    /// [`Error::Length`] for bytes that are no key of this size.
    pub fn new(size: RsaSize, pkcs8: &[u8]) -> Result<Self, Error> {
        let key = Self::from_pkcs8(pkcs8)?;
        if key.decrypting.key_size_bytes() == size.modulus_len() {
            Ok(key)
        } else {
            Err(Error::Length)
        }
    }

    /// Reads a key of 2048 to 8192 bits from PKCS #8.
    ///
    /// # Errors
    /// [`Error::Length`] for bytes that are no such key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, Error> {
        let private = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| Error::Length)?;
        let public = RsaPublicKey::new(private.public_key())?;
        let decrypting = OaepPrivateDecryptingKey::new(private).map_err(|_| Error::Length)?;
        Ok(Self { decrypting, public })
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> &RsaPublicKey {
        &self.public
    }

    /// Decrypts.
    ///
    /// # Errors
    /// [`Error::Open`], whatever the reason.
    pub fn decrypt(&self, oaep: Oaep, ciphertext: &[u8]) -> Result<Plaintext, Error> {
        let mut out = Plaintext::from(vec![0; self.decrypting.min_output_size()]);
        let decrypted =
            self.decrypting.decrypt(oaep.algorithm(), ciphertext, out.expose_mut(), None);
        let length = decrypted.map_err(|_| Error::Open)?.len();
        out.truncate(length);
        Ok(out)
    }

    /// Takes wrapped key material out.
    ///
    /// # Errors
    /// [`Error::Open`], whatever the reason.
    pub fn unwrap(&self, wrapping: Wrapping, wrapped: &[u8]) -> Result<Plaintext, Error> {
        match wrapping {
            Wrapping::Oaep(oaep) => self.decrypt(oaep, wrapped),
            Wrapping::OaepAesKeyWrap(oaep) => {
                let length = self.decrypting.key_size_bytes();
                let (key, material) = wrapped.split_at_checked(length).ok_or(Error::Open)?;
                let key = self.decrypt(oaep, key)?;
                let key = AesKek::new(&AES_256, key.expose()).map_err(|_| Error::Open)?;
                let mut out = Plaintext::from(vec![0; material.len()]);
                let unwrapped = key.unwrap_with_padding(material, out.expose_mut());
                let length = unwrapped.map_err(|_| Error::Open)?.len();
                out.truncate(length);
                Ok(out)
            }
        }
    }
}

impl Oaep {
    const fn algorithm(self) -> &'static OaepAlgorithm {
        match self {
            Self::Sha1 => &OAEP_SHA1_MGF1SHA1,
            Self::Sha256 => &OAEP_SHA256_MGF1SHA256,
        }
    }
}

impl fmt::Debug for RsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaPublicKey").field("der", &self.der).finish_non_exhaustive()
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::pair::PairKind;

    #[test]
    fn what_is_encrypted_decrypts_up_to_the_longest_and_no_other_way() {
        let pkcs8 = PairKind::Rsa(RsaSize::Bits2048).generate().unwrap();
        let key = RsaKey::new(RsaSize::Bits2048, pkcs8.expose()).unwrap();
        for (oaep, longest) in [(Oaep::Sha1, 214), (Oaep::Sha256, 190)] {
            assert_eq!(key.public().longest(oaep), longest);
            let plaintext = vec![7; longest];
            let encrypted = key.public().encrypt(oaep, &plaintext).unwrap();
            assert_eq!(key.decrypt(oaep, &encrypted).unwrap().expose(), plaintext);
            assert_eq!(key.public().encrypt(oaep, &[7; 215]), Err(Error::Length));
            for bad in [&encrypted[1..], &[][..], &[0xff; 256]] {
                assert!(matches!(key.decrypt(oaep, bad), Err(Error::Open)));
            }
        }
        let encrypted = key.public().encrypt(Oaep::Sha1, b"x").unwrap();
        assert!(matches!(key.decrypt(Oaep::Sha256, &encrypted), Err(Error::Open)));
        assert!(RsaKey::new(RsaSize::Bits3072, pkcs8.expose()).is_err());
        let public = RsaPublicKey::from_der(key.public().der()).unwrap();
        let encrypted = public.encrypt(Oaep::Sha1, b"from the public key alone").unwrap();
        let decrypted = key.decrypt(Oaep::Sha1, &encrypted).unwrap();
        assert_eq!(decrypted.expose(), b"from the public key alone");
        assert!(RsaPublicKey::from_der(pkcs8.expose()).is_err());
    }

    #[test]
    fn two_step_wrapping_comes_back() {
        let pkcs8 = PairKind::Rsa(RsaSize::Bits2048).generate().unwrap();
        let key = RsaKey::new(RsaSize::Bits2048, pkcs8.expose()).unwrap();
        for length in [1, 31, 32, 1217] {
            let kek = AesKek::new(&AES_256, &[9; 32]).unwrap();
            let mut out = vec![0; length + 16];
            let wrapped = kek.wrap_with_padding(&vec![5; length], &mut out).unwrap();
            let whole =
                [&key.public().encrypt(Oaep::Sha256, &[9; 32]).unwrap(), &*wrapped].concat();
            let wrapping = Wrapping::OaepAesKeyWrap(Oaep::Sha256);
            assert_eq!(key.unwrap(wrapping, &whole).unwrap().expose(), vec![5; length]);
            for cut in [0, 100, 256, whole.len() - 1] {
                assert!(matches!(key.unwrap(wrapping, &whole[..cut]), Err(Error::Open)));
            }
        }
    }
}
