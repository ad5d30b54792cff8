//! ML-DSA of an external mu (FIPS 204, algorithms 7 and 8): the caller hashed the message.
//!
//! Signing is the deterministic variant of the standard: `rnd` is all zeroes.

use ml_dsa::signature::Keypair;
use ml_dsa::{MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Seed, Signature, SigningKey};
use zeroize::Zeroizing;

use super::Error;
use super::pair::MlDsa;

/// Signs a message representative under the key of a seed.
pub(super) fn sign(size: MlDsa, seed: &[u8], mu: &[u8]) -> Result<Vec<u8>, Error> {
    match size {
        MlDsa::Size44 => sign_as::<MlDsa44>(seed, mu),
        MlDsa::Size65 => sign_as::<MlDsa65>(seed, mu),
        MlDsa::Size87 => sign_as::<MlDsa87>(seed, mu),
    }
}

/// Whether a signature is the representative's.
pub(super) fn verify(size: MlDsa, seed: &[u8], mu: &[u8], signature: &[u8]) -> Result<bool, Error> {
    match size {
        MlDsa::Size44 => verify_as::<MlDsa44>(seed, mu, signature),
        MlDsa::Size65 => verify_as::<MlDsa65>(seed, mu, signature),
        MlDsa::Size87 => verify_as::<MlDsa87>(seed, mu, signature),
    }
}

fn key<P: MlDsaParams>(seed: &[u8]) -> Result<SigningKey<P>, Error> {
    let seed = Zeroizing::new(Seed::try_from(seed).map_err(|_| Error::Length)?);
    Ok(SigningKey::from_seed(&seed))
}

fn sign_as<P: MlDsaParams>(seed: &[u8], mu: &[u8]) -> Result<Vec<u8>, Error> {
    let mu = mu.try_into().map_err(|_| Error::Length)?;
    let signed = key::<P>(seed)?.expanded_key().sign_mu_deterministic(&mu);
    Ok(signed.encode().to_vec())
}

fn verify_as<P: MlDsaParams>(seed: &[u8], mu: &[u8], signature: &[u8]) -> Result<bool, Error> {
    let mu = mu.try_into().map_err(|_| Error::Length)?;
    let Ok(signature) = Signature::<P>::try_from(signature) else { return Ok(false) };
    Ok(key::<P>(seed)?.verifying_key().verify_mu(&mu, &signature))
}

/// The representative of a message with an empty context.
#[cfg(test)]
pub(super) fn representative(size: MlDsa, seed: &[u8], message: &[u8]) -> Result<[u8; 64], Error> {
    fn of<P: MlDsaParams>(seed: &[u8], message: &[u8]) -> Result<[u8; 64], Error> {
        use sha2::digest::Update;
        let key = key::<P>(seed)?.verifying_key();
        let absorb = |hash: &mut _| {
            Update::update(hash, message);
            Ok(())
        };
        let mu = key.compute_mu(absorb, &[]).map_err(|_| Error::Length)?;
        Ok(mu.into())
    }
    match size {
        MlDsa::Size44 => of::<MlDsa44>(seed, message),
        MlDsa::Size65 => of::<MlDsa65>(seed, message),
        MlDsa::Size87 => of::<MlDsa87>(seed, message),
    }
}
