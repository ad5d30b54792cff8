//! ECDH on the NIST curves (SP 800-56A, section 5.7.1.2): the raw shared secret.

use std::fmt;

use aws_lc_rs::agreement::{self, Algorithm, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};

use super::pair::Curve;
use super::{Error, Plaintext};

/// A private key, ready to agree, with its public key.
pub struct AgreementKey {
    private: PrivateKey,
    public_der: Vec<u8>,
}

impl AgreementKey {
    /// Reads a key from PKCS #8.
    ///
    /// # Errors
    /// [`Error::Length`] for bytes that are no such key, or a curve that is not NIST's.
    pub fn new(curve: Curve, pkcs8: &[u8]) -> Result<Self, Error> {
        let algorithm: &'static Algorithm = match curve {
            Curve::P256 => &agreement::ECDH_P256,
            Curve::P384 => &agreement::ECDH_P384,
            Curve::P521 => &agreement::ECDH_P521,
            Curve::Secp256k1 => return Err(Error::Length),
        };
        let private =
            PrivateKey::from_private_key_der(algorithm, pkcs8).map_err(|_| Error::Length)?;
        let public = private.compute_public_key().map_err(|_| Error::Length)?;
        let public: PublicKeyX509Der<'_> = public.as_der().map_err(|_| Error::Length)?;
        let public_der = public.as_ref().to_vec();
        Ok(Self { private, public_der })
    }

    /// The public key: SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn public_der(&self) -> &[u8] {
        &self.public_der
    }

    /// The x coordinate that this key and a peer's have in common, as long as the curve's field.
    ///
    /// # Errors
    /// [`Error::Length`] for a peer that is no SubjectPublicKeyInfo DER of a point on this curve.
    pub fn agree(&self, peer: &[u8]) -> Result<Plaintext, Error> {
        // Raw points and JWKs are read by the library too; AWS takes DER alone.
        if peer.first() != Some(&0x30) {
            return Err(Error::Length);
        }
        let peer = UnparsedPublicKey::new(self.private.algorithm(), peer);
        agreement::agree(&self.private, peer, Error::Length, |secret| {
            Ok(Plaintext::from(secret.to_vec()))
        })
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgreementKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::pair::PairKind;

    fn key(curve: Curve) -> AgreementKey {
        AgreementKey::new(curve, PairKind::Ecc(curve).generate().unwrap().expose()).unwrap()
    }

    #[test]
    fn both_sides_have_one_secret_as_long_as_the_field() {
        for (curve, length) in [(Curve::P256, 32), (Curve::P384, 48), (Curve::P521, 66)] {
            let (one, other) = (key(curve), key(curve));
            let secret = one.agree(other.public_der()).unwrap();
            assert_eq!(secret.expose().len(), length);
            assert_eq!(secret.expose(), other.agree(one.public_der()).unwrap().expose());
        }
    }

    #[test]
    fn peers_of_another_curve_or_form_are_refused() {
        let (one, other) = (key(Curve::P256), key(Curve::P384));
        for peer in [other.public_der(), b"", b"0", &one.public_der()[1..], &[4; 65]] {
            assert!(matches!(one.agree(peer), Err(Error::Length)));
        }
        let pkcs8 = PairKind::Ecc(Curve::Secp256k1).generate().unwrap();
        assert!(AgreementKey::new(Curve::Secp256k1, pkcs8.expose()).is_err());
        assert!(AgreementKey::new(Curve::P256, pkcs8.expose()).is_err());
    }
}
