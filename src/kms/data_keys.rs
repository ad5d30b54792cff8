//! Data keys: generated, wrapped, unwrapped, moved.

use super::Error;
use super::cipher::{byte_count, check_recipient, check_wraps, move_to, open, seal};
use super::directory::{Call, Directory, Done, Found};
use super::outputs::{
    DataKeyPair, DecryptOutput, GenerateDataKeyOutput, ReEncryptOutput, WrappedDataKey,
};
use super::requests::{
    EncryptionContext, GenerateDataKey, GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext,
    GenerateDataKeyWithoutPlaintext, RewrapDataKey, UnwrapDataKey, WrapDataKey,
};
use super::spec::KeySpec;
use crate::crypto::Plaintext;

/// `GenerateDataKey`
///
/// # Errors
/// As [`Directory::find`]; [`Error::Validation`], [`Error::Disabled`], [`Error::InvalidState`],
/// [`Error::InvalidGrantToken`].
pub fn generate_data_key(
    directory: &Directory,
    call: &Call<'_>,
    request: &GenerateDataKey,
) -> Result<Done<GenerateDataKeyOutput>, Error> {
    check_recipient(request.recipient.as_ref())?;
    let length = length(request.key_spec.as_deref(), request.number_of_bytes)?;
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let plaintext = Plaintext::generate(length)?;
    let context = &request.encryption_context;
    let (ciphertext_blob, key_version) =
        seal(&found, "GenerateDataKey", context, plaintext.expose())?;
    let key_id = found.entry.key.arn();
    let key_material_id = found.entry.key.material_id(key_version);
    let output =
        GenerateDataKeyOutput { key_id, key_version, key_material_id, plaintext, ciphertext_blob };
    Ok(Done::of(found, Some(key_version), output))
}

/// `GenerateDataKeyWithoutPlaintext`
///
/// # Errors
/// As [`generate_data_key`].
pub fn generate_data_key_without_plaintext(
    directory: &Directory,
    call: &Call<'_>,
    request: &GenerateDataKeyWithoutPlaintext,
) -> Result<Done<WrappedDataKey>, Error> {
    let length = length(request.key_spec.as_deref(), request.number_of_bytes)?;
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let plaintext = Plaintext::generate(length)?;
    let context = &request.encryption_context;
    let (ciphertext_blob, key_version) =
        seal(&found, "GenerateDataKeyWithoutPlaintext", context, plaintext.expose())?;
    let key_id = found.entry.key.arn();
    let key_material_id = found.entry.key.material_id(key_version);
    let output = WrappedDataKey { key_id, key_version, key_material_id, ciphertext_blob };
    Ok(Done::of(found, Some(key_version), output))
}

/// `GenerateDataKeyPair`
///
/// # Errors
/// As [`generate_data_key`]; [`Error::Unsupported`] for a spec of which no pairs are made.
pub fn generate_data_key_pair(
    directory: &Directory,
    call: &Call<'_>,
    request: &GenerateDataKeyPair,
) -> Result<Done<DataKeyPair>, Error> {
    check_recipient(request.recipient.as_ref())?;
    let (spec, context) = (&request.key_pair_spec, &request.encryption_context);
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    key_pair(found, "GenerateDataKeyPair", spec, context, true)
}

/// `GenerateDataKeyPairWithoutPlaintext`
///
/// # Errors
/// As [`generate_data_key_pair`].
pub fn generate_data_key_pair_without_plaintext(
    directory: &Directory,
    call: &Call<'_>,
    request: &GenerateDataKeyPairWithoutPlaintext,
) -> Result<Done<DataKeyPair>, Error> {
    let (spec, context) = (&request.key_pair_spec, &request.encryption_context);
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    key_pair(found, "GenerateDataKeyPairWithoutPlaintext", spec, context, false)
}

/// `WrapDataKey`
///
/// # Errors
/// As [`generate_data_key`].
pub fn wrap_data_key(
    directory: &Directory,
    call: &Call<'_>,
    request: &WrapDataKey,
) -> Result<Done<WrappedDataKey>, Error> {
    let plaintext = request.plaintext.as_ref().map(Plaintext::expose).unwrap_or_default();
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let (ciphertext_blob, key_version) =
        seal(&found, "WrapDataKey", &request.encryption_context, plaintext)?;
    let key_id = found.entry.key.arn();
    let key_material_id = found.entry.key.material_id(key_version);
    let output = WrappedDataKey { key_id, key_version, key_material_id, ciphertext_blob };
    Ok(Done::of(found, Some(key_version), output))
}

/// `UnwrapDataKey`
///
/// # Errors
/// As [`super::decrypt`].
pub fn unwrap_data_key(
    directory: &Directory,
    call: &Call<'_>,
    request: &UnwrapDataKey,
) -> Result<Done<DecryptOutput>, Error> {
    directory.check_tokens(&request.grant_tokens)?;
    open(
        directory,
        call,
        &request.ciphertext_blob,
        &request.encryption_context,
        request.key_id.as_deref(),
    )
}

/// `RewrapDataKey`
///
/// # Errors
/// As [`super::re_encrypt`].
pub fn rewrap_data_key(
    directory: &Directory,
    call: &Call<'_>,
    request: &RewrapDataKey,
) -> Result<Done<ReEncryptOutput>, Error> {
    directory.check_tokens(&request.grant_tokens)?;
    let destination = match request.destination_key_id.as_deref() {
        Some(reference) => directory.find(call, reference)?,
        None => directory.find_by_blob(call, &request.ciphertext_blob)?,
    };
    move_to(
        directory,
        call,
        (&request.ciphertext_blob, &request.source_encryption_context),
        request.source_key_id.as_deref(),
        destination,
        &request.destination_encryption_context,
    )
}

fn key_pair(
    found: Found,
    operation: &str,
    spec: &str,
    context: &EncryptionContext,
    shown: bool,
) -> Result<Done<DataKeyPair>, Error> {
    // SM2 alone is in the model and has no spec here: AWS makes it in China regions only.
    let Some(KeySpec::Pair(kind)) = KeySpec::parse(spec) else {
        return Err(Error::Unsupported(format!("{spec} key pairs are not made in this region")));
    };
    // Before the pair is made, which may take long: whether the key may wrap at all.
    let key = &found.entry.key;
    check_wraps(&found, operation)?;
    let private = kind.generate()?;
    let public_key = kind.public_der(private.expose())?;
    let (blob, key_version) = seal(&found, operation, context, private.expose())?;
    let output = DataKeyPair {
        key_id: key.arn(),
        key_version,
        key_material_id: key.material_id(key_version),
        key_pair_spec: KeySpec::Pair(kind).as_str(),
        public_key,
        private_key_plaintext: shown.then_some(private),
        private_key_ciphertext_blob: blob,
    };
    Ok(Done::of(found, Some(key_version), output))
}

/// The length that exactly one of two parameters gives.
fn length(key_spec: Option<&str>, number_of_bytes: Option<i32>) -> Result<usize, Error> {
    match (key_spec, number_of_bytes) {
        (Some("AES_128"), None) => Ok(16),
        (Some("AES_256"), None) => Ok(32),
        (None, Some(asked)) => byte_count(asked),
        (Some(_), _) | (None, None) => {
            Err(Error::Validation("Please specify either number of bytes or key spec.".to_owned()))
        }
    }
}
