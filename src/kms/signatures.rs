//! Signatures under key pairs, and their public keys.
//!
//! Source: AWS KMS API Reference, `Sign`, `Verify`, `GetPublicKey`.

use super::Error;
use super::directory::{Call, Directory, Done, Found};
use super::outputs::{GetPublicKeyOutput, SignOutput, VerifyOutput};
use super::requests::{GetPublicKey, Sign, Verify};
use super::spec::{KeyUsage, scheme};
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
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let (scheme, signing_algorithm) = asked.usable(&found, "Sign")?;
    let signed = found.entry.signing_key(1)?.sign(scheme, asked.message());
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
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let (scheme, signing_algorithm) = asked.usable(&found, "Verify")?;
    let key = found.entry.signing_key(1)?;
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
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let key = &found.entry.key;
    let arn = key.arn();
    key.state.permits(Act::Use, &arn)?;
    let Some(public_key) = found.entry.public_der() else {
        let spec = key.spec.as_str();
        return Err(Error::Unsupported(format!("{arn} is a {spec} key, which has no public key")));
    };
    let (public_key, key_spec, key_usage) = (public_key.to_vec(), key.spec, key.usage);
    let output = GetPublicKeyOutput { key_id: arn, public_key, key_spec, key_usage };
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
            Some("EXTERNAL_MU") => Message::Mu(self.bytes()),
            _ => Message::Raw(self.bytes()),
        }
    }

    /// A key that is for signatures, usable now, and of this algorithm; the algorithm takes this
    /// form of a message (API reference, `Sign`, `MessageType`).
    fn usable(&self, found: &Found, operation: &str) -> Result<(Scheme, &'static str), Error> {
        let key = &found.entry.key;
        key.check_use(KeyUsage::SignVerify, operation)?;
        let own = key.algorithm(self.algorithm)?;
        let scheme = scheme(own).ok_or(Error::Internal)?;
        let fits = match scheme {
            Scheme::Ecdsa(_) | Scheme::Pkcs1(_) | Scheme::Pss(_) => {
                !matches!(self.message(), Message::Mu(_))
            }
            Scheme::Ed25519 => matches!(self.message(), Message::Raw(_)),
            Scheme::Ed25519ph => matches!(self.message(), Message::Digest(_)),
            Scheme::MlDsa => !matches!(self.message(), Message::Digest(_)),
        };
        if fits {
            return Ok((scheme, own));
        }
        let kind = self.message_type.unwrap_or("RAW");
        Err(Error::Validation(format!("MessageType {kind} is not valid for algorithm {own}.")))
    }

    /// All that is left to be wrong with a message whose algorithm is the key's.
    fn wrong_length(&self) -> Error {
        let algorithm = self.algorithm;
        Error::Validation(format!("Digest is invalid length for algorithm {algorithm}."))
    }
}
