//! Ed25519ph (RFC 8032, section 5.1) of SHA-512 digests that somebody else made.

use digest::generic_array::GenericArray;
use digest::typenum::U64;
use digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};

use super::Error;
use super::signing::Message;

/// Signs a digest under the key of a seed.
pub(super) fn sign(seed: &[u8], message: Message<'_>) -> Result<Vec<u8>, Error> {
    let key = SigningKey::from_bytes(seed.try_into().map_err(|_| Error::Length)?);
    let signed = key.sign_prehashed(Made::new(message)?, None).map_err(|_| Error::Length)?;
    Ok(signed.to_vec())
}

/// Whether a signature is the digest's.
pub(super) fn verify(public: &[u8], message: Message<'_>, signature: &[u8]) -> Result<bool, Error> {
    let made = Made::new(message)?;
    let Ok(signature) = Signature::from_slice(signature) else { return Ok(false) };
    let public: &[u8; 32] = public.try_into().map_err(|_| Error::Length)?;
    let key = VerifyingKey::from_bytes(public).map_err(|_| Error::Length)?;
    Ok(key.verify_prehashed_strict(made, None, &signature).is_ok())
}

/// A hash that is finished before it begins: the library asks for a hash where we have its output.
#[derive(Default)]
struct Made(GenericArray<u8, U64>);

impl Made {
    fn new(message: Message<'_>) -> Result<Self, Error> {
        let Message::Digest(digest) = message else { return Err(Error::Length) };
        let digest: [u8; 64] = digest.try_into().map_err(|_| Error::Length)?;
        Ok(Self(digest.into()))
    }
}

impl HashMarker for Made {}

impl OutputSizeUser for Made {
    type OutputSize = U64;
}

impl Update for Made {
    fn update(&mut self, _data: &[u8]) {}
}

impl FixedOutput for Made {
    fn finalize_into(self, out: &mut Output<Self>) {
        *out = self.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.3, "TEST abc".
    #[test]
    fn the_vector_of_the_rfc() {
        let seed = hex::decode("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42");
        let digest = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                      2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        let signature = "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41\
                         31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406";
        let digest = hex::decode(digest).unwrap();
        let signed = sign(&seed.unwrap(), Message::Digest(&digest)).unwrap();
        assert_eq!(hex::encode(signed), signature);
    }
}
