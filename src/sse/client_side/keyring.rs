//! Raw keyrings: data keys wrapped under a key that the caller holds.
//!
//! ```text
//! AES   IV (12) ‖ AES-256-GCM(data key), associated data the suite's name
//! RSA   RSAES-OAEP, SHA-1 and MGF1 with SHA-1, of `20` (hex) ‖ data key ‖ the suite's name
//! ```
//! The material description is not authenticated by either: it is a hint at which key to take.

use std::future::{self, Future};

use zeroize::Zeroizing;

use super::Error;
use super::description::Description;
use super::metadata::{WrappedDataKey, Wrapping};
use super::suite::Suite;
use crate::crypto::rsa::{Oaep, RsaKey, RsaPublicKey};
use crate::crypto::{SecretKey, aead, legacy, random};

/// What wraps data keys: [`AesKeyring`], [`RsaKeyring`], [`super::KmsKeyring`].
pub trait Keyring {
    /// A new data key for an object of this suite, plain and wrapped. `said` is the encryption
    /// context of KMS, and the material description of a raw keyring.
    fn generate(
        &mut self,
        suite: Suite,
        said: &Description,
    ) -> impl Future<Output = Result<(SecretKey, WrappedDataKey), Error>> + Send;

    /// The data key of an object. `said` is what the caller knows the object was encrypted with:
    /// for KMS all of it, for raw keyrings all of it or nothing.
    ///
    /// Errors are [`Error::Open`] whatever the reason, [`Error::Context`] for another description
    /// than the object's, which anybody can read, [`Error::Unsupported`] where this keyring never
    /// wraps so, and [`Error::Provider`].
    fn unwrap(
        &mut self,
        wrapped: &WrappedDataKey,
        said: &Description,
    ) -> impl Future<Output = Result<SecretKey, Error>> + Send;
}

/// Data keys under an AES-256 key.
#[derive(Debug)]
pub struct AesKeyring(SecretKey);

impl AesKeyring {
    /// Takes the wrapping key over. Nonces are random: a key wraps 2³² data keys at the most.
    #[must_use]
    pub const fn new(key: SecretKey) -> Self {
        Self(key)
    }

    fn wrap(&self, suite: Suite, said: &Description) -> Result<(SecretKey, WrappedDataKey), Error> {
        let data_key = SecretKey::generate()?;
        let iv: [u8; aead::NONCE_LEN] = random::array()?;
        let sealed =
            aead::seal(&self.0, &iv, suite.name().as_bytes(), data_key.expose().as_slice())?;
        let bytes = [iv.as_slice(), &sealed].concat();
        let description = said.clone();
        Ok((data_key, WrappedDataKey { suite, wrapping: Wrapping::AesGcm, bytes, description }))
    }

    fn open(&self, wrapped: &WrappedDataKey, said: &Description) -> Result<SecretKey, Error> {
        same_if_given(wrapped, said)?;
        let plaintext = match wrapped.wrapping {
            Wrapping::AesGcm => {
                let (iv, sealed) = wrapped.bytes.split_first_chunk().ok_or(Error::Open)?;
                aead::open(&self.0, iv, wrapped.suite.name().as_bytes(), sealed)?
            }
            Wrapping::AesWrap => legacy::unwrap_key(&self.0, &wrapped.bytes)?,
            Wrapping::AesEcb => legacy::open_ecb(&self.0, &wrapped.bytes)?,
            Wrapping::KmsContext | Wrapping::Kms | Wrapping::RsaOaepSha1 => {
                return Err(Error::Unsupported("its key wrapping, by an AES keyring"));
            }
        };
        Ok(SecretKey::from_slice(plaintext.expose())?)
    }
}

impl Keyring for AesKeyring {
    fn generate(
        &mut self,
        suite: Suite,
        said: &Description,
    ) -> impl Future<Output = Result<(SecretKey, WrappedDataKey), Error>> + Send {
        future::ready(self.wrap(suite, said))
    }

    fn unwrap(
        &mut self,
        wrapped: &WrappedDataKey,
        said: &Description,
    ) -> impl Future<Output = Result<SecretKey, Error>> + Send {
        future::ready(self.open(wrapped, said))
    }
}

/// Data keys under an RSA key. Whoever has the public key can make objects; the private one is
/// needed to open them.
#[derive(Debug)]
pub struct RsaKeyring {
    public: RsaPublicKey,
    private: Option<RsaKey>,
}

impl RsaKeyring {
    /// One that seals only: SubjectPublicKeyInfo DER of 2048 to 8192 bits.
    ///
    /// # Errors
    /// [`Error::Key`] for bytes that are no such key.
    pub fn from_public_der(der: &[u8]) -> Result<Self, Error> {
        let public = RsaPublicKey::from_der(der).map_err(|_| Error::Key)?;
        Ok(Self { public, private: None })
    }

    /// One that seals and opens: PKCS #8 DER of 2048 to 8192 bits.
    ///
    /// # Errors
    /// [`Error::Key`] for bytes that are no such key.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, Error> {
        let private = RsaKey::from_pkcs8(der).map_err(|_| Error::Key)?;
        let public = RsaPublicKey::from_der(private.public().der()).map_err(|_| Error::Key)?;
        Ok(Self { public, private: Some(private) })
    }

    /// What seals to this keyring: SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn public_der(&self) -> &[u8] {
        self.public.der()
    }

    fn wrap(&self, suite: Suite, said: &Description) -> Result<(SecretKey, WrappedDataKey), Error> {
        let data_key = SecretKey::generate()?;
        let mut plaintext = Zeroizing::new(Vec::with_capacity(64));
        plaintext.push(DATA_KEY_LEN);
        plaintext.extend_from_slice(data_key.expose());
        plaintext.extend_from_slice(suite.name().as_bytes());
        let bytes = self.public.encrypt(Oaep::Sha1, &plaintext)?;
        let description = said.clone();
        Ok((
            data_key,
            WrappedDataKey { suite, wrapping: Wrapping::RsaOaepSha1, bytes, description },
        ))
    }

    fn open(&self, wrapped: &WrappedDataKey, said: &Description) -> Result<SecretKey, Error> {
        same_if_given(wrapped, said)?;
        if wrapped.wrapping != Wrapping::RsaOaepSha1 {
            return Err(Error::Unsupported("its key wrapping, by an RSA keyring"));
        }
        let private = self.private.as_ref().ok_or(Error::Unsupported("opening by a public key"))?;
        let plaintext = private.decrypt(Oaep::Sha1, &wrapped.bytes)?;
        match plaintext.expose().split_first_chunk::<{ 1 + SecretKey::LEN }>() {
            Some(([DATA_KEY_LEN, key @ ..], name)) if name == wrapped.suite.name().as_bytes() => {
                Ok(SecretKey::from_slice(key)?)
            }
            _ => Err(Error::Open),
        }
    }
}

impl Keyring for RsaKeyring {
    fn generate(
        &mut self,
        suite: Suite,
        said: &Description,
    ) -> impl Future<Output = Result<(SecretKey, WrappedDataKey), Error>> + Send {
        future::ready(self.wrap(suite, said))
    }

    fn unwrap(
        &mut self,
        wrapped: &WrappedDataKey,
        said: &Description,
    ) -> impl Future<Output = Result<SecretKey, Error>> + Send {
        future::ready(self.open(wrapped, said))
    }
}

/// [`SecretKey::LEN`]
const DATA_KEY_LEN: u8 = 32;

fn same_if_given(wrapped: &WrappedDataKey, said: &Description) -> Result<(), Error> {
    if said.is_empty() || *said == wrapped.description { Ok(()) } else { Err(Error::Context) }
}
