//! Key material in memory: ready to use, by version.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::key::{Key, key_row};
use super::{Error, KeySpec, KeyUsage};
use crate::crypto::agreement::AgreementKey;
use crate::crypto::encapsulation::KemKey;
use crate::crypto::pair::PairKind;
use crate::crypto::rsa::RsaKey;
use crate::crypto::signing::SigningKey;
use crate::crypto::{Plaintext, SecretKey};
use crate::store::{Change, Revision};

/// A key with its material, at one revision.
#[derive(Debug)]
pub struct KeyEntry {
    /// The record.
    pub key: Key,
    /// How often it was written.
    pub revision: Revision,
    pub(super) materials: BTreeMap<u32, Arc<HeldMaterial>>,
}

/// A version's material in memory. An RSA key is read when it is first used: that takes milliseconds, and
/// rows are published while every call waits.
#[derive(Debug)]
pub(super) struct HeldMaterial {
    spec: KeySpec,
    usage: KeyUsage,
    unread: Plaintext,
    read: OnceLock<Option<Material>>,
}

impl HeldMaterial {
    /// None when it is not what the key's spec says; of RSA that is found out later.
    pub(super) fn new(spec: KeySpec, usage: KeyUsage, bytes: &[u8]) -> Option<Self> {
        if matches!(spec, KeySpec::Pair(PairKind::Rsa(_))) {
            let unread = Plaintext::from(bytes.to_vec());
            return Some(Self { spec, usage, unread, read: OnceLock::new() });
        }
        let read = OnceLock::from(Some(Material::new(spec, usage, bytes)?));
        Some(Self { spec, usage, unread: Plaintext::from(Vec::new()), read })
    }

    fn get(&self) -> Option<&Material> {
        let read = || Material::new(self.spec, self.usage, self.unread.expose());
        self.read.get_or_init(read).as_ref()
    }
}

/// Key material, as spec and usage have it.
#[derive(Debug)]
pub(super) enum Material {
    Symmetric(SecretKey),
    Mac(Plaintext),
    Signing(Box<SigningKey>),
    Rsa(Box<RsaKey>),
    Agreement(Box<AgreementKey>),
    Kem(Box<KemKey>),
}

impl Material {
    pub(super) fn new(spec: KeySpec, usage: KeyUsage, bytes: &[u8]) -> Option<Self> {
        Some(match (spec, usage) {
            (KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt) => {
                Self::Symmetric(SecretKey::from_slice(bytes).ok()?)
            }
            (KeySpec::Hmac(hash), KeyUsage::GenerateVerifyMac) => {
                let fits = bytes.len() == hash.output_len();
                Self::Mac(fits.then(|| Plaintext::from(bytes.to_vec()))?)
            }
            (KeySpec::Pair(kind), KeyUsage::SignVerify) => {
                Self::Signing(Box::new(SigningKey::new(kind, bytes).ok()?))
            }
            (KeySpec::Pair(PairKind::Rsa(size)), KeyUsage::EncryptDecrypt) => {
                Self::Rsa(Box::new(RsaKey::new(size, bytes).ok()?))
            }
            (KeySpec::Pair(PairKind::Ecc(curve)), KeyUsage::KeyAgreement) => {
                Self::Agreement(Box::new(AgreementKey::new(curve, bytes).ok()?))
            }
            (KeySpec::Pair(PairKind::MlKem(size)), KeyUsage::EncapsulateDecapsulate) => {
                Self::Kem(Box::new(KemKey::new(size, bytes).ok()?))
            }
            (KeySpec::SymmetricDefault | KeySpec::Hmac(_) | KeySpec::Pair(_), _) => return None,
        })
    }
}

/// One accessor a kind of material. Spec and usage were looked at before, so that finding another
/// kind is [`Error::Internal`].
macro_rules! accessors {
    ($($(#[$about:meta])* $name:ident => $kind:ident: $type:ty;)+) => {$(
        $(#[$about])*
        ///
        /// # Errors
        /// [`Error::Internal`] for another kind of key.
        pub fn $name(&self, version: u32) -> Result<&$type, Error> {
            match self.of_version(version) {
                Some(Material::$kind(key)) => Ok(key),
                _ => Err(Error::Internal),
            }
        }
    )+};
}

impl KeyEntry {
    /// The material of a version of a symmetric key.
    ///
    /// # Errors
    /// [`Error::InvalidCiphertext`] for a version that the key never had, or another kind of key.
    pub fn material(&self, version: u32) -> Result<&SecretKey, Error> {
        match self.of_version(version) {
            Some(Material::Symmetric(key)) => Ok(key),
            _ => Err(Error::InvalidCiphertext),
        }
    }

    accessors! {
        /// The material of an HMAC key.
        mac_key => Mac: Plaintext;
        /// The key pair of a key that signs.
        signing_key => Signing: SigningKey;
        /// The key pair of an RSA key that encrypts.
        rsa_key => Rsa: RsaKey;
        /// The key pair of a key that agrees.
        agreement_key => Agreement: AgreementKey;
        /// The key pair of a key that encapsulates.
        kem_key => Kem: KemKey;
    }

    /// The public half of a key pair, SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn public_der(&self) -> Option<&[u8]> {
        match self.of_version(1)? {
            Material::Signing(key) => Some(key.public_der()),
            Material::Rsa(key) => Some(key.public().der()),
            Material::Agreement(key) => Some(key.public_der()),
            Material::Kem(key) => Some(key.public_der()),
            Material::Symmetric(_) | Material::Mac(_) => None,
        }
    }

    fn of_version(&self, version: u32) -> Option<&Material> {
        self.materials.get(&version)?.get()
    }

    /// The change that writes `key` over this entry.
    pub(super) fn replace(&self, key: &Key) -> Result<Change, Error> {
        let (row, value) = (key_row(&key.place()), key.encode()?);
        Ok(Change { row, expected: self.revision, value: Some(value) })
    }
}
