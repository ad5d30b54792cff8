//! Encrypting and decrypting up to 4,096 bytes, and random bytes.

use super::blob::{self, CiphertextBlob};
use super::directory::{Call, Directory, Done, Found};
use super::requests::{
    Decrypt, DecryptOutput, Encrypt, EncryptOutput, EncryptionContext, GenerateRandom, ReEncrypt,
    ReEncryptOutput,
};
use super::spec::KeyUsage;
use super::state::Act;
use super::{Error, context};
use crate::crypto::Plaintext;

/// The one algorithm of symmetric keys.
pub(super) const SYMMETRIC_DEFAULT: &str = "SYMMETRIC_DEFAULT";

/// `Encrypt`
///
/// # Errors
/// As [`Directory::find`]; [`Error::Validation`], [`Error::InvalidKeyUsage`], [`Error::Disabled`],
/// [`Error::InvalidState`], [`Error::InvalidGrantToken`].
pub fn encrypt(
    directory: &Directory,
    call: &Call<'_>,
    request: &Encrypt,
) -> Result<Done<EncryptOutput>, Error> {
    let plaintext = bounded(request.plaintext.as_ref(), 4096)?;
    check_algorithm(request.encryption_algorithm.as_deref())?;
    check_grant_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let (ciphertext_blob, key_version) =
        seal(&found, "Encrypt", &request.encryption_context, plaintext)?;
    let key_id = found.entry.key.arn();
    let encryption_algorithm = SYMMETRIC_DEFAULT;
    let output = EncryptOutput { key_id, key_version, ciphertext_blob, encryption_algorithm };
    Ok(Done::of(found, Some(key_version), output))
}

/// `Decrypt`
///
/// # Errors
/// [`Error::InvalidCiphertext`] for whatever is wrong with the blob or its context,
/// [`Error::IncorrectKey`] for another key than the blob's; [`Error::Disabled`],
/// [`Error::InvalidState`], [`Error::InvalidKeyUsage`], [`Error::InvalidGrantToken`].
pub fn decrypt(
    directory: &Directory,
    call: &Call<'_>,
    request: &Decrypt,
) -> Result<Done<DecryptOutput>, Error> {
    check_algorithm(request.encryption_algorithm.as_deref())?;
    check_grant_tokens(&request.grant_tokens)?;
    open(
        directory,
        call,
        &request.ciphertext_blob,
        &request.encryption_context,
        request.key_id.as_deref(),
    )
}

/// `ReEncrypt`: the plaintext stays inside.
///
/// # Errors
/// As [`decrypt`] for the source, as [`encrypt`] for the destination.
pub fn re_encrypt(
    directory: &Directory,
    call: &Call<'_>,
    request: &ReEncrypt,
) -> Result<Done<ReEncryptOutput>, Error> {
    check_algorithm(request.source_encryption_algorithm.as_deref())?;
    check_algorithm(request.destination_encryption_algorithm.as_deref())?;
    check_grant_tokens(&request.grant_tokens)?;
    let destination = directory.find(call, &request.destination_key_id)?;
    move_to(
        directory,
        call,
        (&request.ciphertext_blob, &request.source_encryption_context),
        request.source_key_id.as_deref(),
        destination,
        &request.destination_encryption_context,
    )
}

/// `GenerateRandom`
///
/// # Errors
/// [`Error::Validation`] for a length out of range.
pub fn generate_random(
    _directory: &Directory,
    _call: &Call<'_>,
    request: &GenerateRandom,
) -> Result<Done<Plaintext>, Error> {
    let asked = request
        .number_of_bytes
        .ok_or_else(|| Error::length("numberOfBytes", "Member must not be null"))?;
    let length = byte_count(asked)?;
    Ok(Done::plain(Plaintext::generate(length)?))
}

/// Seals under a key's current version.
pub(super) fn seal(
    found: &Found,
    operation: &str,
    context: &EncryptionContext,
    plaintext: &[u8],
) -> Result<(Vec<u8>, u32), Error> {
    let context = context::encode(context)?;
    let key = &found.entry.key;
    key.state.permits(Act::Use, &key.arn())?;
    key.spec.permits(KeyUsage::EncryptDecrypt, &key.arn(), operation)?;
    let version = key.current()?.number;
    let material = found.entry.material(version).map_err(|_| Error::Internal)?;
    Ok((blob::seal(key.id, version, material, &context, plaintext)?, version))
}

/// Opens a blob under the key and version that it names.
pub(super) fn open(
    directory: &Directory,
    call: &Call<'_>,
    bytes: &[u8],
    context: &EncryptionContext,
    insisted: Option<&str>,
) -> Result<Done<DecryptOutput>, Error> {
    let context = context::encode(context)?;
    let found = directory.find_by_blob(call, bytes)?;
    if let Some(reference) = insisted
        && directory.find(call, reference)?.entry.key.id != found.entry.key.id
    {
        return Err(Error::IncorrectKey);
    }
    let key = &found.entry.key;
    key.state.permits(Act::Use, &key.arn())?;
    let blob = CiphertextBlob::parse(bytes)?;
    let plaintext = blob.open(found.entry.material(blob.version)?, &context)?;
    let output = DecryptOutput {
        key_id: key.arn(),
        key_version: blob.version,
        plaintext,
        encryption_algorithm: SYMMETRIC_DEFAULT,
    };
    let version = Some(blob.version);
    Ok(Done::of(found, version, output))
}

/// Opens a blob and seals its plaintext under another key, version or context.
pub(super) fn move_to(
    directory: &Directory,
    call: &Call<'_>,
    (bytes, context): (&[u8], &EncryptionContext),
    insisted: Option<&str>,
    destination: Found,
    destination_context: &EncryptionContext,
) -> Result<Done<ReEncryptOutput>, Error> {
    let source = open(directory, call, bytes, context, insisted)?;
    let plaintext = &source.output.plaintext;
    let (blob, version) = seal(&destination, "ReEncrypt", destination_context, plaintext.expose())?;
    let output = ReEncryptOutput {
        ciphertext_blob: blob,
        source_key_id: source.output.key_id,
        source_key_version: source.output.key_version,
        key_id: destination.entry.key.arn(),
        key_version: version,
        encryption_algorithm: SYMMETRIC_DEFAULT,
    };
    let mut done = Done::of(destination, Some(version), output);
    done.reads.extend(source.reads);
    Ok(done)
}

/// Grant tokens are bounded as on AWS; no grant was ever made here, so none is valid.
pub(super) fn check_grant_tokens(tokens: &[String]) -> Result<(), Error> {
    if tokens.len() > 10 {
        return Err(Error::length(
            "grantTokens",
            "Member must have length less than or equal to 10",
        ));
    }
    if tokens.is_empty() { Ok(()) } else { Err(Error::InvalidGrantToken) }
}

/// 1 to 1,024 bytes, as `NumberOfBytes` has it.
pub(super) fn byte_count(asked: i32) -> Result<usize, Error> {
    let bound = match asked {
        ..1 => "greater than or equal to 1",
        1..=1024 => return usize::try_from(asked).map_err(|_| Error::Internal),
        _ => "less than or equal to 1024",
    };
    let constraint = format!("Member must have value {bound}");
    Err(Error::constraint(&asked.to_string(), "numberOfBytes", &constraint))
}

/// A plaintext of 1 to `greatest` bytes.
pub(super) fn bounded(plaintext: Option<&Plaintext>, greatest: usize) -> Result<&[u8], Error> {
    let bytes = plaintext.map(Plaintext::expose).unwrap_or_default();
    bounded_bytes("plaintext", bytes, greatest)?;
    Ok(bytes)
}

/// 1 to `greatest` bytes of a member.
pub(super) fn bounded_bytes(member: &str, bytes: &[u8], greatest: usize) -> Result<(), Error> {
    if bytes.is_empty() {
        let constraint = "Member must have length greater than or equal to 1";
        return Err(Error::length(member, constraint));
    }
    if bytes.len() > greatest {
        let constraint = format!("Member must have length less than or equal to {greatest}");
        return Err(Error::length(member, &constraint));
    }
    Ok(())
}

fn check_algorithm(algorithm: Option<&str>) -> Result<(), Error> {
    match algorithm {
        None | Some(SYMMETRIC_DEFAULT) => Ok(()),
        Some("RSAES_OAEP_SHA_1" | "RSAES_OAEP_SHA_256" | "SM2PKE") => Err(Error::InvalidKeyUsage(
            "The encryption algorithm is not one of a SYMMETRIC_DEFAULT key".to_owned(),
        )),
        Some(other) => Err(Error::constraint(
            other,
            "encryptionAlgorithm",
            "Member must satisfy enum value set: \
             [SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE]",
        )),
    }
}
