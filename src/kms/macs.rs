//! Codes of messages under HMAC keys.
//!
//! Source: AWS KMS API Reference, `GenerateMac`, `VerifyMac`.

use super::Error;
use super::directory::{Call, Directory, Done, Found};
use super::outputs::{GenerateMacOutput, VerifyMacOutput};
use super::requests::{GenerateMac, VerifyMac};
use super::spec::{KeySpec, KeyUsage};
use crate::crypto::Plaintext;
use crate::crypto::mac::{MacHash, mac, verify_mac};

/// `GenerateMac`
///
/// # Errors
/// As [`Directory::find`]; [`Error::Validation`], [`Error::InvalidKeyUsage`], [`Error::Disabled`],
/// [`Error::InvalidState`], [`Error::InvalidGrantToken`].
pub fn generate_mac(
    directory: &Directory,
    call: &Call<'_>,
    request: &GenerateMac,
) -> Result<Done<GenerateMacOutput>, Error> {
    let message = request.message.as_ref().map(Plaintext::expose).unwrap_or_default();
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let (hash, algorithm) = usable(&found, &request.mac_algorithm, "GenerateMac")?;
    let version = found.entry.key.current()?.number;
    let code = mac(hash, found.entry.mac_key(version)?.expose(), message);
    let key_id = found.entry.key.arn();
    let output = GenerateMacOutput { key_id, mac: code, mac_algorithm: algorithm };
    Ok(Done::of(found, Some(version), output))
}

/// `VerifyMac`
///
/// # Errors
/// As [`generate_mac`]; [`Error::InvalidMac`] when the code is not the message's.
pub fn verify_mac_of(
    directory: &Directory,
    call: &Call<'_>,
    request: &VerifyMac,
) -> Result<Done<VerifyMacOutput>, Error> {
    let message = request.message.as_ref().map(Plaintext::expose).unwrap_or_default();
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find(call, &request.key_id)?;
    let (hash, algorithm) = usable(&found, &request.mac_algorithm, "VerifyMac")?;
    let version = found.entry.key.current()?.number;
    if !verify_mac(hash, found.entry.mac_key(version)?.expose(), message, &request.mac) {
        return Err(Error::InvalidMac);
    }
    let output = VerifyMacOutput { key_id: found.entry.key.arn(), mac_algorithm: algorithm };
    Ok(Done::of(found, Some(version), output))
}

/// A key that is for codes, usable now, and of this algorithm.
fn usable(
    found: &Found,
    algorithm: &str,
    operation: &str,
) -> Result<(MacHash, &'static str), Error> {
    let key = &found.entry.key;
    key.check_use(KeyUsage::GenerateVerifyMac, operation)?;
    let KeySpec::Hmac(hash) = key.spec else { return Err(Error::Internal) };
    Ok((hash, key.algorithm(algorithm)?))
}
