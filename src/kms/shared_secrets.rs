//! Secrets shared with others: ECDH, and ML-KEM both ways.
//!
//! Source: AWS KMS API Reference, `DeriveSharedSecret`, `Encapsulate`, `Decapsulate`.

use super::Error;
use super::cipher::check_recipient;
use super::directory::{Call, Directory, Done};
use super::outputs::{DecapsulateOutput, DeriveSharedSecretOutput, EncapsulateOutput};
use super::requests::{Decapsulate, DeriveSharedSecret, Encapsulate};
use super::spec::KeyUsage;

/// `DeriveSharedSecret`
///
/// # Errors
/// As [`Directory::find`]; [`Error::InvalidKeyUsage`], [`Error::Disabled`],
/// [`Error::InvalidState`], [`Error::InvalidGrantToken`]; [`Error::Validation`] for a peer's key
/// that is none of the key's curve.
pub fn derive_shared_secret(
    directory: &Directory,
    call: &Call<'_>,
    request: &DeriveSharedSecret,
) -> Result<Done<DeriveSharedSecretOutput>, Error> {
    check_recipient(request.recipient.as_ref())?;
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let key = &found.entry.key;
    key.check_use(KeyUsage::KeyAgreement, "DeriveSharedSecret")?;
    let key_agreement_algorithm = key.algorithm(&request.key_agreement_algorithm)?;
    let shared_secret = found.entry.agreement_key(1)?.agree(&request.public_key).map_err(|_| {
        let spec = key.spec.as_str();
        Error::Validation(format!("The public key is not a DER-encoded {spec} public key."))
    })?;
    let key_id = key.arn();
    let key_origin = key.origin.as_str();
    let output =
        DeriveSharedSecretOutput { key_id, shared_secret, key_agreement_algorithm, key_origin };
    Ok(Done::of(found, Some(1), output))
}

/// `Encapsulate`
///
/// # Errors
/// As [`Directory::find`]; [`Error::InvalidKeyUsage`], [`Error::Disabled`],
/// [`Error::InvalidState`], [`Error::InvalidGrantToken`].
pub fn encapsulate(
    directory: &Directory,
    call: &Call<'_>,
    request: &Encapsulate,
) -> Result<Done<EncapsulateOutput>, Error> {
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let key = &found.entry.key;
    key.check_use(KeyUsage::EncapsulateDecapsulate, "Encapsulate")?;
    let encapsulation_algorithm = key.algorithm(&request.encapsulation_algorithm)?;
    let (shared_secret, shared_secret_ciphertext_blob) = found.entry.kem_key(1)?.encapsulate()?;
    let output = EncapsulateOutput {
        key_id: key.arn(),
        shared_secret,
        shared_secret_ciphertext_blob,
        encapsulation_algorithm,
    };
    Ok(Done::of(found, Some(1), output))
}

/// `Decapsulate`
///
/// # Errors
/// As [`encapsulate`]; [`Error::InvalidCiphertext`] for a ciphertext of another length.
pub fn decapsulate(
    directory: &Directory,
    call: &Call<'_>,
    request: &Decapsulate,
) -> Result<Done<DecapsulateOutput>, Error> {
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let key = &found.entry.key;
    key.check_use(KeyUsage::EncapsulateDecapsulate, "Decapsulate")?;
    let encapsulation_algorithm = key.algorithm(&request.encapsulation_algorithm)?;
    let secret = found.entry.kem_key(1)?.decapsulate(&request.shared_secret_ciphertext_blob);
    let shared_secret = secret.map_err(|_| Error::InvalidCiphertext)?;
    let key_id = key.arn();
    let output = DecapsulateOutput { key_id, shared_secret, encapsulation_algorithm };
    Ok(Done::of(found, Some(1), output))
}
