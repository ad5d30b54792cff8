//! The keys that wrap data keys of client-side objects, as a command line names them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgGroup, Args};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use zeroize::Zeroizing;

use super::connection::Connection;
use super::error::Error;
use super::hardening;
use crate::crypto::SecretKey;
use crate::sse::client_side::{
    self, AesKeyring, Description, Keyring, KmsKeyring, RsaKeyring, Suite, WrappedDataKey,
};

/// One of three at the most.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct WrappingKey {
    /// Key id, key ARN, alias or alias ARN
    #[arg(long)]
    pub(super) key: Option<String>,
    /// File with an AES-256 key of 32 bytes, which wraps instead; of the S3 Encryption Client's formats
    #[arg(long, value_name = "FILE")]
    pub(super) aes_key_file: Option<PathBuf>,
    /// PEM file with an RSA key, which wraps instead: PUBLIC KEY seals, PRIVATE KEY (PKCS #8) opens, too
    #[arg(long, value_name = "FILE")]
    pub(super) rsa_key_file: Option<PathBuf>,
}

impl WrappingKey {
    /// The arguments, which exclude each other.
    pub(super) fn group() -> ArgGroup {
        ArgGroup::new("wrapping-key").args(["key", "aes_key_file", "rsa_key_file"])
    }

    /// Whether any was named.
    pub(super) const fn is_named(&self) -> bool {
        self.key.is_some() || self.aes_key_file.is_some() || self.rsa_key_file.is_some()
    }

    /// The keyring of the key that was named.
    pub(super) fn keyring(&self, connection: &Connection) -> Result<AnyKeyring, Error> {
        if let Some(path) = &self.aes_key_file {
            return Ok(AnyKeyring::Aes(aes_keyring(path)?));
        }
        if let Some(path) = &self.rsa_key_file {
            return Ok(AnyKeyring::Rsa(Box::new(rsa_keyring(path)?)));
        }
        let key = self.key.clone().ok_or_else(|| {
            Error::Usage("--key, --aes-key-file or --rsa-key-file has to be given".to_owned())
        })?;
        Ok(AnyKeyring::Kms(KmsKeyring::new(Arc::new(connection.provider()?), key)))
    }
}

/// The keyring of any of them.
pub(super) enum AnyKeyring {
    Aes(AesKeyring),
    Kms(KmsKeyring),
    Rsa(Box<RsaKeyring>),
}

impl Keyring for AnyKeyring {
    async fn generate(
        &mut self,
        suite: Suite,
        said: &Description,
    ) -> Result<(SecretKey, WrappedDataKey), client_side::Error> {
        match self {
            Self::Aes(keyring) => keyring.generate(suite, said).await,
            Self::Kms(keyring) => keyring.generate(suite, said).await,
            Self::Rsa(keyring) => keyring.generate(suite, said).await,
        }
    }

    async fn unwrap(
        &mut self,
        wrapped: &WrappedDataKey,
        said: &Description,
    ) -> Result<SecretKey, client_side::Error> {
        match self {
            Self::Aes(keyring) => keyring.unwrap(wrapped, said).await,
            Self::Kms(keyring) => keyring.unwrap(wrapped, said).await,
            Self::Rsa(keyring) => keyring.unwrap(wrapped, said).await,
        }
    }
}

/// 32 bytes of a file.
fn aes_keyring(path: &Path) -> Result<AesKeyring, Error> {
    let bytes = read(path)?;
    let key = SecretKey::from_slice(&bytes)
        .map_err(|_| Error::Usage(format!("{} is no AES-256 key of 32 bytes", path.display())))?;
    Ok(AesKeyring::new(key))
}

/// A key pair, or a public key.
fn rsa_keyring(path: &Path) -> Result<RsaKeyring, Error> {
    let text = read(path)?;
    let keyring = match PrivatePkcs8KeyDer::from_pem_slice(&text) {
        Ok(der) => RsaKeyring::from_pkcs8_der(der.secret_pkcs8_der()),
        Err(_) => match SubjectPublicKeyInfoDer::from_pem_slice(&text) {
            Ok(der) => RsaKeyring::from_public_der(&der),
            Err(_) => {
                let path = path.display();
                return Err(Error::Usage(format!(
                    "{path} has no PEM of PRIVATE KEY or PUBLIC KEY"
                )));
            }
        },
    };
    Ok(keyring?)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    hardening::look_at_readers(path);
    std::fs::read(path).map(Zeroizing::new).map_err(Error::file("reading", path))
}
