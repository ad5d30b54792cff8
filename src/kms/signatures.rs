//! Signatures under key pairs, and their public keys.
//!
//! Source: AWS KMS API Reference, `Sign`, `Verify`, `GetPublicKey`.

use super::Error;
use super::cipher::{bounded_bytes, check_grant_tokens};
use super::directory::{Call, Directory, Done, Found};
use super::requests::{GetPublicKey, GetPublicKeyOutput, Sign, SignOutput, Verify, VerifyOutput};
use super::spec::{KeySpec, KeyUsage, scheme};
use super::state::Act;
use crate::crypto::Plaintext;
use crate::crypto::signing::{Message, Scheme};

/// `Sign`
///
/// # Errors
/// As [`Directory::find`]; [`Error::Validation`], [`Error::InvalidKeyUsage`], [`Error::Disabled`],
/// [`Error::InvalidState`], [`Error::InvalidGrantToken`], [`Error::Unsupported`].
pub fn sign(
    directory: &Directory,
    call: &Call<'_>,
    request: &Sign,
) -> Result<Done<SignOutput>, Error> {
    let asked = Asked {
        message: request.message.as_ref(),
        message_type: request.message_type.as_deref(),
        algorithm: &request.signing_algorithm,
    };
    asked.check()?;
    check_grant_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let (scheme, signing_algorithm) = asked.usable(&found, "Sign")?;
    let signed = found.entry.signing_key()?.sign(scheme, asked.message());
    let signature = signed.map_err(|_| asked.wrong_length())?;
    let output = SignOutput { key_id: found.entry.key.arn(), signature, signing_algorithm };
    Ok(Done::of(found, Some(1), output))
}

/// `Verify`
///
/// # Errors
/// As [`sign`]; [`Error::InvalidSignature`] when the signature is not the message's.
pub fn verify(
    directory: &Directory,
    call: &Call<'_>,
    request: &Verify,
) -> Result<Done<VerifyOutput>, Error> {
    let asked = Asked {
        message: request.message.as_ref(),
        message_type: request.message_type.as_deref(),
        algorithm: &request.signing_algorithm,
    };
    asked.check()?;
    bounded_bytes("signature", &request.signature, 6144)?;
    check_grant_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let (scheme, signing_algorithm) = asked.usable(&found, "Verify")?;
    let key = found.entry.signing_key()?;
    let is_valid = key.verify(scheme, asked.message(), &request.signature);
    if !is_valid.map_err(|_| asked.wrong_length())? {
        return Err(Error::InvalidSignature);
    }
    let output = VerifyOutput { key_id: found.entry.key.arn(), signing_algorithm };
    Ok(Done::of(found, Some(1), output))
}

/// `GetPublicKey`
///
/// # Errors
/// As [`Directory::find`]; [`Error::Unsupported`] for a key that has none, [`Error::Disabled`],
/// [`Error::InvalidState`], [`Error::InvalidGrantToken`].
pub fn get_public_key(
    directory: &Directory,
    call: &Call<'_>,
    request: &GetPublicKey,
) -> Result<Done<GetPublicKeyOutput>, Error> {
    check_grant_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let key = &found.entry.key;
    let arn = key.arn();
    key.state.permits(Act::Use, &arn)?;
    if key.spec.usage() != KeyUsage::SignVerify {
        let spec = key.spec.as_str();
        return Err(Error::Unsupported(format!("{arn} is a {spec} key, which has no public key")));
    }
    let public_key = found.entry.signing_key()?.public_der().to_vec();
    let output = GetPublicKeyOutput { key_id: arn, public_key, key_spec: key.spec };
    Ok(Done::of(found, Some(1), output))
}

/// What is to be signed or verified, as it was presented.
struct Asked<'a> {
    message: Option<&'a Plaintext>,
    message_type: Option<&'a str>,
    algorithm: &'a str,
}

impl Asked<'_> {
    fn bytes(&self) -> &[u8] {
        self.message.map(Plaintext::expose).unwrap_or_default()
    }

    fn message(&self) -> Message<'_> {
        match self.message_type {
            Some("DIGEST") => Message::Digest(self.bytes()),
            _ => Message::Raw(self.bytes()),
        }
    }

    fn check(&self) -> Result<(), Error> {
        bounded_bytes("message", self.bytes(), 4096)?;
        match self.message_type {
            None | Some("RAW" | "DIGEST") => {}
            Some("EXTERNAL_MU") => {
                return Err(Error::Unsupported(
                    "EXTERNAL_MU is of ML-DSA keys, which strongroom does not make".to_owned(),
                ));
            }
            Some(other) => {
                let constraint = "Member must satisfy enum value set: [RAW, DIGEST, EXTERNAL_MU]";
                return Err(Error::constraint(other, "messageType", constraint));
            }
        }
        if scheme(self.algorithm).is_none() {
            let constraint = "Member must satisfy enum value set: [RSASSA_PSS_SHA_256, \
                              RSASSA_PSS_SHA_384, RSASSA_PSS_SHA_512, RSASSA_PKCS1_V1_5_SHA_256, \
                              RSASSA_PKCS1_V1_5_SHA_384, RSASSA_PKCS1_V1_5_SHA_512, \
                              ECDSA_SHA_256, ECDSA_SHA_384, ECDSA_SHA_512]";
            return Err(Error::constraint(self.algorithm, "signingAlgorithm", constraint));
        }
        Ok(())
    }

    /// A key that is for signatures, usable now, and of this algorithm.
    fn usable(&self, found: &Found, operation: &str) -> Result<(Scheme, &'static str), Error> {
        let key = &found.entry.key;
        let arn = key.arn();
        key.state.permits(Act::Use, &arn)?;
        key.spec.permits(KeyUsage::SignVerify, &arn, operation)?;
        let algorithms = KeySpec::signing_algorithms(key.spec);
        let own = algorithms.iter().copied().find(|own| *own == self.algorithm);
        let own = own.ok_or_else(|| {
            let (algorithm, spec) = (self.algorithm, key.spec.as_str());
            Error::InvalidKeyUsage(format!(
                "Algorithm {algorithm} is incompatible with key spec {spec}."
            ))
        })?;
        Ok((scheme(own).ok_or(Error::Internal)?, own))
    }

    /// All that is left to be wrong with a message whose algorithm is the key's.
    fn wrong_length(&self) -> Error {
        let algorithm = self.algorithm;
        Error::Validation(format!("Digest is invalid length for algorithm {algorithm}."))
    }
}
