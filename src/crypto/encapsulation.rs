//! ML-KEM (FIPS 203).
//!
//! A private key is its seed of 64 bytes (`d ‖ z`, algorithm 16) in PKCS #8 (RFC 9935, section 6, the
//! form that it prefers). `ml-kem` expands it, as `aws-lc-rs` has no call for that; `aws-lc-rs` does the
//! rest.

use std::fmt;

use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, EncapsulationKey};
#[expect(deprecated, reason = "the expanded form is what aws-lc-rs takes")]
use ml_kem::ExpandedKeyEncoding;
use ml_kem::{MlKem512, MlKem768, MlKem1024, Seed};
use zeroize::{Zeroize, Zeroizing};

use super::pair::MlKem;
use super::{Error, Plaintext};

/// A decapsulation key with its encapsulation key.
pub struct KemKey {
    private: DecapsulationKey,
    public: EncapsulationKey,
    public_der: Vec<u8>,
}

impl KemKey {
    /// Draws a private key: PKCS #8 DER.
    ///
    /// # Errors
    /// [`Error::Random`] when the random source fails.
    pub fn generate(size: MlKem) -> Result<Plaintext, Error> {
        let seed = Plaintext::generate(SEED_LEN)?;
        Ok(Plaintext::from([size.pkcs8_prefix(), seed.expose()].concat()))
    }

    /// Reads a private key from PKCS #8 DER.
    ///
    /// # Errors
    /// [`Error::Length`] for bytes that are no such key.
    pub fn new(size: MlKem, pkcs8: &[u8]) -> Result<Self, Error> {
        let seed = pkcs8.strip_prefix(size.pkcs8_prefix()).ok_or(Error::Length)?;
        let expanded = size.expand(seed)?;
        let bytes = expanded.expose();
        // dk = dk_PKE ‖ ek ‖ H(ek) ‖ z (FIPS 203, algorithm 16)
        let (start, length) = match size {
            MlKem::Size512 => (768, 800),
            MlKem::Size768 => (1152, 1184),
            MlKem::Size1024 => (1536, 1568),
        };
        let public = bytes.get(start..start + length).ok_or(Error::Length)?;
        let public_der = [size.der_prefix(), public].concat();
        Ok(Self {
            private: DecapsulationKey::new(size.algorithm(), bytes).map_err(|_| Error::Length)?,
            public: EncapsulationKey::new(size.algorithm(), public).map_err(|_| Error::Length)?,
            public_der,
        })
    }

    /// The encapsulation key: SubjectPublicKeyInfo DER (RFC 9935).
    #[must_use]
    pub fn public_der(&self) -> &[u8] {
        &self.public_der
    }

    /// A fresh shared secret of 32 bytes, and the ciphertext that carries it.
    ///
    /// # Errors
    /// [`Error::Random`] when the library fails.
    pub fn encapsulate(&self) -> Result<(Plaintext, Vec<u8>), Error> {
        let (ciphertext, secret) = self.public.encapsulate().map_err(|_| Error::Random)?;
        Ok((Plaintext::from(secret.as_ref().to_vec()), ciphertext.as_ref().to_vec()))
    }

    /// The secret that a ciphertext carries. Another key's ciphertext gives another secret, as the
    /// standard wants it (implicit rejection).
    ///
    /// # Errors
    /// [`Error::Open`] for a ciphertext of another length.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<Plaintext, Error> {
        let secret = self.private.decapsulate(Ciphertext::from(ciphertext));
        Ok(Plaintext::from(secret.map_err(|_| Error::Open)?.as_ref().to_vec()))
    }
}

const SEED_LEN: usize = 64;

impl MlKem {
    /// The expanded decapsulation key of a seed.
    fn expand(self, seed: &[u8]) -> Result<Plaintext, Error> {
        // `from_seed` takes the array by value: this copy is wiped, its own is the library's business.
        let seed = Zeroizing::new(Seed::try_from(seed).map_err(|_| Error::Length)?);
        Ok(match self {
            Self::Size512 => expanded(&ml_kem::DecapsulationKey::<MlKem512>::from_seed(*seed)),
            Self::Size768 => expanded(&ml_kem::DecapsulationKey::<MlKem768>::from_seed(*seed)),
            Self::Size1024 => expanded(&ml_kem::DecapsulationKey::<MlKem1024>::from_seed(*seed)),
        })
    }

    /// OneAsymmetricKey up to the seed: version 0, OID, `[0]` seed in an octet string.
    const fn pkcs8_prefix(self) -> &'static [u8] {
        match self {
            Self::Size512 => {
                b"\x30\x54\x02\x01\x00\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x01\x04\x42\x80\x40"
            }
            Self::Size768 => {
                b"\x30\x54\x02\x01\x00\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x02\x04\x42\x80\x40"
            }
            Self::Size1024 => {
                b"\x30\x54\x02\x01\x00\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x03\x04\x42\x80\x40"
            }
        }
    }

    /// SubjectPublicKeyInfo up to the key: lengths, OID 2.16.840.1.101.3.4.4.{1,2,3}, bit string.
    const fn der_prefix(self) -> &'static [u8] {
        match self {
            Self::Size512 => {
                b"\x30\x82\x03\x32\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x01\x03\x82\x03\x21\x00"
            }
            Self::Size768 => {
                b"\x30\x82\x04\xb2\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x02\x03\x82\x04\xa1\x00"
            }
            Self::Size1024 => {
                b"\x30\x82\x06\x32\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x03\x03\x82\x06\x21\x00"
            }
        }
    }
}

/// The bytes of a key, with the library's array wiped.
#[expect(deprecated, reason = "the expanded form is what aws-lc-rs takes")]
fn expanded(key: &impl ExpandedKeyEncoding) -> Plaintext {
    let mut bytes = key.to_expanded_bytes();
    let kept = Plaintext::from(bytes.to_vec());
    bytes.as_mut_slice().zeroize();
    kept
}

impl fmt::Debug for KemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KemKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::pair::PairKind;

    #[test]
    fn what_is_encapsulated_is_decapsulated_after_a_restart() {
        for size in [MlKem::Size512, MlKem::Size768, MlKem::Size1024] {
            let bytes = PairKind::MlKem(size).generate().unwrap();
            let (first, again) =
                [bytes.expose(); 2].map(|bytes| KemKey::new(size, bytes).unwrap()).into();
            let (secret, ciphertext) = first.encapsulate().unwrap();
            assert_eq!(secret.expose().len(), 32);
            assert_eq!(again.decapsulate(&ciphertext).unwrap().expose(), secret.expose());
            assert_eq!(first.public_der().len(), again.public_der().len());
            let mut altered = ciphertext.clone();
            altered[0] ^= 1;
            assert_ne!(first.decapsulate(&altered).unwrap().expose(), secret.expose());
            assert!(matches!(first.decapsulate(&ciphertext[1..]), Err(Error::Open)));
            assert!(KemKey::new(size, &bytes.expose()[1..]).is_err());
        }
    }
}
