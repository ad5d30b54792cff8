//! Data keys: generated, wrapped, unwrapped, moved.

use super::Error;
use super::cipher::{bounded, byte_count, check_grant_tokens, move_to, open, seal};
use super::directory::{Call, Directory, Done, Found};
use super::requests::{
    DataKeyPair, DecryptOutput, EncryptionContext, GenerateDataKey, GenerateDataKeyOutput,
    GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext, GenerateDataKeyWithoutPlaintext,
    ReEncryptOutput, RewrapDataKey, UnwrapDataKey, WrapDataKey, WrappedDataKey,
};
use super::spec::{KeySpec, KeyUsage};
use super::state::Act;
use crate::crypto::Plaintext;
use crate::crypto::signing::SigningKey;

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
    let length = length(request.key_spec.as_deref(), request.number_of_bytes)?;
    check_grant_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let plaintext = Plaintext::generate(length)?;
    let context = &request.encryption_context;
    let (ciphertext_blob, key_version) =
        seal(&found, "GenerateDataKey", context, plaintext.expose())?;
    let key_id = found.entry.key.arn();
    let output = GenerateDataKeyOutput { key_id, key_version, plaintext, ciphertext_blob };
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
    check_grant_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let plaintext = Plaintext::generate(length)?;
    let context = &request.encryption_context;
    let (ciphertext_blob, key_version) =
        seal(&found, "GenerateDataKeyWithoutPlaintext", context, plaintext.expose())?;
    let key_id = found.entry.key.arn();
    let output = WrappedDataKey { key_id, key_version, ciphertext_blob };
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
    let (spec, context) = (&request.key_pair_spec, &request.encryption_context);
    check_grant_tokens(&request.grant_tokens)?;
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
    check_grant_tokens(&request.grant_tokens)?;
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
    let plaintext = bounded(request.plaintext.as_ref(), LONGEST)?;
    check_grant_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let (ciphertext_blob, key_version) =
        seal(&found, "WrapDataKey", &request.encryption_context, plaintext)?;
    let key_id = found.entry.key.arn();
    let output = WrappedDataKey { key_id, key_version, ciphertext_blob };
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
    check_grant_tokens(&request.grant_tokens)?;
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
    check_grant_tokens(&request.grant_tokens)?;
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

/// Bytes of a data key at the most (API reference, `NumberOfBytes`).
const LONGEST: usize = 1024;

fn key_pair(
    found: Found,
    operation: &str,
    spec: &str,
    context: &EncryptionContext,
    shown: bool,
) -> Result<Done<DataKeyPair>, Error> {
    let kind = match KeySpec::parse(spec) {
        Some(KeySpec::Signing(kind)) => kind,
        _ if KEY_PAIR_SPECS.contains(&spec) => {
            return Err(Error::Unsupported(format!("strongroom does not make {spec} key pairs")));
        }
        _ => {
            let set = KEY_PAIR_SPECS.join(", ");
            let constraint = format!("Member must satisfy enum value set: [{set}]");
            return Err(Error::constraint(spec, "keyPairSpec", &constraint));
        }
    };
    // Before the pair is made, which may take long: whether the key may wrap at all.
    let key = &found.entry.key;
    key.state.permits(Act::Use, &key.arn())?;
    key.spec.permits(KeyUsage::EncryptDecrypt, &key.arn(), operation)?;
    let private = SigningKey::generate(kind)?;
    let public_key = SigningKey::from_pkcs8(kind, private.expose())?.public_der().to_vec();
    let (blob, key_version) = seal(&found, operation, context, private.expose())?;
    let output = DataKeyPair {
        key_id: key.arn(),
        key_version,
        key_pair_spec: KeySpec::Signing(kind).as_str(),
        public_key,
        private_key_plaintext: shown.then_some(private),
        private_key_ciphertext_blob: blob,
    };
    Ok(Done::of(found, Some(key_version), output))
}

/// API reference, `GenerateDataKeyPair`.
const KEY_PAIR_SPECS: [&str; 9] = [
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "ECC_NIST_EDWARDS25519",
    "SM2",
];

/// The length that exactly one of two parameters gives.
fn length(key_spec: Option<&str>, number_of_bytes: Option<i32>) -> Result<usize, Error> {
    match (key_spec, number_of_bytes) {
        (Some("AES_128"), None) => Ok(16),
        (Some("AES_256"), None) => Ok(32),
        (Some(other), None) => Err(Error::constraint(
            other,
            "keySpec",
            "Member must satisfy enum value set: [AES_256, AES_128]",
        )),
        (None, Some(asked)) => byte_count(asked),
        (Some(_), Some(_)) | (None, None) => {
            Err(Error::Validation("Please specify either number of bytes or key spec.".to_owned()))
        }
    }
}
