//! Codes of messages under HMAC keys.
//!
//! Source: AWS KMS API Reference, `GenerateMac`, `VerifyMac`.

use super::Error;
use super::cipher::{bounded_bytes, check_grant_tokens};
use super::directory::{Call, Directory, Done, Found};
use super::requests::{GenerateMac, GenerateMacOutput, VerifyMac, VerifyMacOutput};
use super::spec::{KeySpec, KeyUsage};
use super::state::Act;
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
    check_algorithm(&request.mac_algorithm)?;
    let message = request.message.as_ref().map(Plaintext::expose).unwrap_or_default();
    bounded_bytes("message", message, 4096)?;
    check_grant_tokens(&request.grant_tokens)?;
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
    check_algorithm(&request.mac_algorithm)?;
    let message = request.message.as_ref().map(Plaintext::expose).unwrap_or_default();
    bounded_bytes("message", message, 4096)?;
    bounded_bytes("mac", &request.mac, 6144)?;
    check_grant_tokens(&request.grant_tokens)?;
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
    let arn = key.arn();
    key.state.permits(Act::Use, &arn)?;
    key.spec.permits(KeyUsage::GenerateVerifyMac, &arn, operation)?;
    let KeySpec::Hmac(hash) = key.spec else { return Err(Error::Internal) };
    let own = key.spec.mac_algorithms().iter().copied().find(|own| *own == algorithm);
    let own = own.ok_or_else(|| {
        let spec = key.spec.as_str();
        Error::InvalidKeyUsage(format!(
            "Algorithm {algorithm} is incompatible with key spec {spec}."
        ))
    })?;
    Ok((hash, own))
}

fn check_algorithm(asked: &str) -> Result<(), Error> {
    const ALL: [&str; 4] = ["HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"];
    if ALL.contains(&asked) {
        return Ok(());
    }
    let constraint = format!("Member must satisfy enum value set: [{}]", ALL.join(", "));
    Err(Error::constraint(asked, "macAlgorithm", &constraint))
}
