//! Encrypting and decrypting up to 4,096 bytes, and random bytes.

use super::blob::{self, CiphertextBlob};
use super::directory::{Call, Directory, Done, Found};
use super::outputs::{DecryptOutput, EncryptOutput, ReEncryptOutput};
use super::requests::{Decrypt, Encrypt, EncryptionContext, GenerateRandom, ReEncrypt, Recipient};
use super::spec::{KeySpec, KeyUsage, oaep};
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
    let plaintext = request.plaintext.as_ref().map(Plaintext::expose).unwrap_or_default();
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let algorithm = request.encryption_algorithm.as_deref().unwrap_or(SYMMETRIC_DEFAULT);
    let context = &request.encryption_context;
    let (ciphertext_blob, key_version, encryption_algorithm) =
        encrypt_under(&found, "Encrypt", algorithm, context, plaintext)?;
    let key_id = found.entry.key.arn();
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
    check_recipient(request.recipient.as_ref())?;
    directory.check_tokens(&request.grant_tokens)?;
    let algorithm = request.encryption_algorithm.as_deref();
    if ignores_ciphertext(&request.dry_run_modifiers) {
        let found = source_key(directory, call, algorithm, None, request.key_id.as_deref())?;
        return Err(would_decrypt(&found, algorithm).err().unwrap_or(Error::DryRun));
    }
    decrypt_under(
        directory,
        call,
        algorithm,
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
    directory.check_tokens(&request.grant_tokens)?;
    let destination = directory.find(call, &request.destination_key_id)?;
    let from = request.source_encryption_algorithm.as_deref();
    let algorithm =
        request.destination_encryption_algorithm.as_deref().unwrap_or(SYMMETRIC_DEFAULT);
    if ignores_ciphertext(&request.dry_run_modifiers) {
        let found = source_key(directory, call, from, None, request.source_key_id.as_deref())?;
        would_decrypt(&found, from)?;
        destination.entry.key.check_use(KeyUsage::EncryptDecrypt, "ReEncrypt")?;
        destination.entry.key.algorithm(algorithm)?;
        return Err(Error::DryRun);
    }
    let source = decrypt_under(
        directory,
        call,
        from,
        &request.ciphertext_blob,
        &request.source_encryption_context,
        request.source_key_id.as_deref(),
    )?;
    moved(source, destination, algorithm, &request.destination_encryption_context)
}

/// Whether a dry run asks about keys alone.
#[must_use]
pub fn ignores_ciphertext(modifiers: &[String]) -> bool {
    modifiers.iter().any(|modifier| modifier == "IGNORE_CIPHERTEXT")
}

/// Whether a key would decrypt some ciphertext of this algorithm.
fn would_decrypt(found: &Found, algorithm: Option<&str>) -> Result<(), Error> {
    let key = &found.entry.key;
    key.check_use(KeyUsage::EncryptDecrypt, "Decrypt")?;
    key.algorithm(algorithm.unwrap_or(SYMMETRIC_DEFAULT)).map(|_| ())
}

/// The key that a request with a ciphertext is about: an RSA ciphertext names none, and a dry run
/// may have none.
///
/// # Errors
/// As [`Directory::find`] and [`Directory::find_by_blob`].
pub fn source_key(
    directory: &Directory,
    call: &Call<'_>,
    algorithm: Option<&str>,
    blob: Option<&[u8]>,
    insisted: Option<&str>,
) -> Result<Found, Error> {
    match (oaep(algorithm.unwrap_or_default()), blob, insisted) {
        (Some(_), _, Some(reference)) | (None, None, Some(reference)) => {
            directory.find_used(call, reference)
        }
        (None, None, None) => Err(Error::Validation(
            "The KeyId parameter is required when the ciphertext is ignored.".to_owned(),
        )),
        (None, Some([]), _) => Err(Error::null("ciphertextBlob")),
        (Some(_), _, None) => Err(Error::Validation(
            "The KeyId parameter is required when the ciphertext was encrypted under an asymmetric \
             KMS key."
                .to_owned(),
        )),
        (None, Some(blob), _) => directory.find_by_blob(call, blob),
    }
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
    check_recipient(request.recipient.as_ref())?;
    if request.custom_key_store_id.is_some() {
        return Err(Error::Unsupported("strongroom has no custom key stores".to_owned()));
    }
    let asked = request.number_of_bytes.ok_or_else(|| Error::null("numberOfBytes"))?;
    let length = byte_count(asked)?;
    Ok(Done::plain(Plaintext::generate(length)?))
}

/// A plaintext for an enclave must not be answered in clear to somebody else.
///
/// # Errors
/// [`Error::Unsupported`]
pub(super) fn check_recipient(recipient: Option<&Recipient>) -> Result<(), Error> {
    if recipient.is_none() {
        return Ok(());
    }
    let what = "Recipient is not supported: strongroom knows no attested enclaves";
    Err(Error::Unsupported(what.to_owned()))
}

/// Whether a key may seal blobs now.
pub(super) fn check_wraps(found: &Found, operation: &str) -> Result<(), Error> {
    let key = &found.entry.key;
    key.check_use(KeyUsage::EncryptDecrypt, operation)?;
    if key.spec == KeySpec::SymmetricDefault {
        return Ok(());
    }
    let (arn, spec) = (key.arn(), key.spec.as_str());
    Err(Error::InvalidKeyUsage(format!(
        "{arn} key spec is {spec} which is not valid for {operation}."
    )))
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
    check_wraps(found, operation)?;
    let version = key.current()?.number;
    let material = found.entry.material(version).map_err(|_| Error::Internal)?;
    Ok((blob::seal(key.id, version, material, &context, plaintext)?, version))
}

/// Encrypts as the key's spec has it.
fn encrypt_under(
    found: &Found,
    operation: &str,
    algorithm: &str,
    context: &EncryptionContext,
    plaintext: &[u8],
) -> Result<(Vec<u8>, u32, &'static str), Error> {
    let key = &found.entry.key;
    key.check_use(KeyUsage::EncryptDecrypt, operation)?;
    let algorithm = key.algorithm(algorithm)?;
    let Some(oaep) = oaep(algorithm) else {
        let (blob, version) = seal(found, operation, context, plaintext)?;
        return Ok((blob, version, algorithm));
    };
    check_no_context(context)?;
    let rsa = found.entry.rsa_key(1)?;
    let encrypted = rsa.public().encrypt(oaep, plaintext).map_err(|_| {
        let (longest, spec) = (rsa.public().longest(oaep), key.spec.as_str());
        Error::Validation(format!(
            "Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {longest} \
             bytes."
        ))
    })?;
    Ok((encrypted, 1, algorithm))
}

/// Decrypts as the algorithm has it.
fn decrypt_under(
    directory: &Directory,
    call: &Call<'_>,
    algorithm: Option<&str>,
    bytes: &[u8],
    context: &EncryptionContext,
    insisted: Option<&str>,
) -> Result<Done<DecryptOutput>, Error> {
    if algorithm.is_none_or(|name| name == SYMMETRIC_DEFAULT) {
        return open(directory, call, bytes, context, insisted);
    }
    let found = source_key(directory, call, algorithm, Some(bytes), insisted)?;
    let key = &found.entry.key;
    key.check_use(KeyUsage::EncryptDecrypt, "Decrypt")?;
    let algorithm = key.algorithm(algorithm.unwrap_or_default())?;
    check_no_context(context)?;
    let oaep = oaep(algorithm).ok_or(Error::Internal)?;
    let decrypted = found.entry.rsa_key(1)?.decrypt(oaep, bytes);
    let output = DecryptOutput {
        key_id: key.arn(),
        key_version: 1,
        key_material_id: None,
        plaintext: decrypted.map_err(|_| Error::InvalidCiphertext)?,
        encryption_algorithm: algorithm,
    };
    Ok(Done::of(found, Some(1), output))
}

/// RSA has no place for a context.
fn check_no_context(context: &EncryptionContext) -> Result<(), Error> {
    if context.is_empty() {
        return Ok(());
    }
    Err(Error::Validation(
        "Encryption context is not supported for asymmetric KMS keys.".to_owned(),
    ))
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
    if let Some(reference) = insisted {
        // What another account has not is one more key that it is not.
        let named = directory.find_used(call, reference).map_err(|error| match error {
            Error::Hidden => Error::IncorrectKey,
            other => other,
        })?;
        if named.entry.key.id != found.entry.key.id {
            return Err(Error::IncorrectKey);
        }
    }
    let key = &found.entry.key;
    key.state.permits(Act::Use, &key.arn())?;
    let blob = CiphertextBlob::parse(bytes)?;
    let plaintext = blob.open(found.entry.material(blob.version)?, &context)?;
    let output = DecryptOutput {
        key_id: key.arn(),
        key_version: blob.version,
        key_material_id: key.material_id(blob.version),
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
    moved(source, destination, SYMMETRIC_DEFAULT, destination_context)
}

fn moved(
    source: Done<DecryptOutput>,
    destination: Found,
    algorithm: &str,
    context: &EncryptionContext,
) -> Result<Done<ReEncryptOutput>, Error> {
    let plaintext = &source.output.plaintext;
    let (blob, version, algorithm) =
        encrypt_under(&destination, "ReEncrypt", algorithm, context, plaintext.expose())?;
    let output = ReEncryptOutput {
        ciphertext_blob: blob,
        source_key_id: source.output.key_id,
        source_key_version: source.output.key_version,
        source_key_material_id: source.output.key_material_id,
        source_encryption_algorithm: source.output.encryption_algorithm,
        key_id: destination.entry.key.arn(),
        key_version: version,
        key_material_id: destination.entry.key.material_id(version),
        destination_encryption_algorithm: algorithm,
    };
    let mut done = Done::of(destination, Some(version), output);
    done.reads.extend(source.reads);
    Ok(done)
}

/// A length that the model of the API allows.
pub(super) fn byte_count(asked: i32) -> Result<usize, Error> {
    usize::try_from(asked).map_err(|_| Error::Internal)
}
