//! What a writer says of its bytes, held against what they are.
//!
//! Source: Amazon S3 User Guide, "Checking object integrity".

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use crate::objects::{Body, Error};
use crate::sse::{Checksum, Digested, Digests};

/// What was said of a body's bytes.
#[derive(Default)]
pub struct Expected {
    /// `Content-MD5`
    pub content_md5: Option<[u8; 16]>,
    /// `x-amz-content-sha256`, where the door has not compared it.
    pub sha256: Option<[u8; 32]>,
    /// The checksum that was chosen.
    pub checksum: Option<Checksum>,
    /// Its value in base64, where a header has it.
    pub value: Option<String>,
    /// The same after the body's end, where a trailer has it.
    pub trailer: Option<Box<dyn FnOnce() -> Option<String> + Send>>,
}

impl std::fmt::Debug for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expected").field("checksum", &self.checksum).finish_non_exhaustive()
    }
}

impl Expected {
    /// The checksum that the object has: CRC-64/NVME unless another was chosen.
    pub(super) fn kept(&self) -> Checksum {
        self.checksum.unwrap_or(Checksum::Crc64Nvme)
    }

    /// What has to be computed; `md5` for an ETag.
    pub(crate) fn digests(&self, md5: bool) -> Digests {
        let mut checksums = vec![self.kept()];
        if self.sha256.is_some() {
            checksums.push(Checksum::Sha256);
        }
        Digests::new(md5 || self.content_md5.is_some(), &checksums)
    }

    /// Holds it against what was computed; leaves there what the object keeps.
    ///
    /// # Errors
    /// [`Error::BadDigest`], [`Error::Sha256Mismatch`].
    pub(crate) fn check(self, found: &mut Digested) -> Result<(), Error> {
        let kept = self.kept();
        let value = |wanted: Checksum| {
            let mut values = found.checksums.iter();
            values.find(|(checksum, _)| *checksum == wanted).map(|(_, value)| value.as_slice())
        };
        if let Some(said) = self.sha256
            && !value(Checksum::Sha256).is_some_and(|found| bool::from(found.ct_eq(&said)))
        {
            return Err(Error::Sha256Mismatch);
        }
        if let Some(said) = self.content_md5
            && found.md5 != Some(said)
        {
            return Err(Error::BadDigest("Content-MD5".to_owned()));
        }
        let said = self.value.or_else(|| self.trailer.and_then(|trailer| trailer()));
        if let Some(said) = said {
            let name = algorithm(kept);
            match STANDARD.decode(said) {
                Ok(said) if said.len() != kept.value_len() => return Err(not_one(kept)),
                Err(_) => return Err(not_one(kept)),
                Ok(said) if value(kept) != Some(&said) => {
                    return Err(Error::BadDigest(name.to_owned()));
                }
                Ok(_) => {}
            }
        }
        found.checksums.retain(|(checksum, _)| *checksum == kept);
        Ok(())
    }
}

fn not_one(checksum: Checksum) -> Error {
    let header = checksum.header();
    Error::InvalidRequest(format!("Value for {header} header is invalid."))
}

/// A checksum's name in the API: `CRC64NVME`.
pub(super) const fn algorithm(checksum: Checksum) -> &'static str {
    match checksum {
        Checksum::Crc32 => "CRC32",
        Checksum::Crc32C => "CRC32C",
        Checksum::Crc64Nvme => "CRC64NVME",
        Checksum::Sha1 => "SHA1",
        Checksum::Sha256 => "SHA256",
    }
}

/// The checksum of a name in the API.
pub(super) fn named(algorithm_name: &str) -> Option<Checksum> {
    Checksum::ALL.into_iter().find(|checksum| algorithm(*checksum) == algorithm_name)
}

/// Checksums as headers have them.
pub(super) fn headers(found: &Digested) -> Vec<(&'static str, String)> {
    let values = found.checksums.iter();
    values.map(|(checksum, value)| (checksum.header(), STANDARD.encode(value))).collect()
}

/// The same as rows have them.
pub(super) fn stored(shown: &[(&'static str, String)]) -> impl Iterator<Item = (String, String)> {
    shown.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))
}

/// The same of an object: a checksum of the checksums of its parts says of how many.
pub(super) fn headers_of(body: &Body, found: &Digested) -> Vec<(&'static str, String)> {
    let mut shown = headers(found);
    if !body.full_object && !body.parts.is_empty() {
        for (_, value) in &mut shown {
            let _ = write!(value, "-{}", body.parts.len());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(expected: &Expected, bytes: &[u8]) -> Digested {
        let mut digests = expected.digests(false);
        digests.update(bytes);
        digests.finish()
    }

    #[test]
    fn what_is_said_has_to_be_so() {
        let crc = Expected::default();
        let mut found = of(&crc, b"123456789");
        crc.check(&mut found).unwrap();
        assert_eq!(headers(&found), [("x-amz-checksum-crc64nvme", "rosUhgp5mIg=".to_owned())]);
        for (value, code) in [
            ("rosUhgp5mIg=", None),
            ("AAAAAAAAAAA=", Some("BadDigest")),
            ("AA==", Some("InvalidRequest")),
            ("?", Some("InvalidRequest")),
        ] {
            let said = Expected { value: Some(value.to_owned()), ..Expected::default() };
            let mut found = of(&said, b"123456789");
            assert_eq!(said.check(&mut found).err().map(|error| error.code()).as_deref(), code);
        }
        let late = Expected {
            trailer: Some(Box::new(|| Some("AAAAAAAAAAA=".to_owned()))),
            ..Expected::default()
        };
        let mut found = of(&late, b"123456789");
        assert_eq!(late.check(&mut found).unwrap_err().code(), "BadDigest");
        let md5 = Expected { content_md5: Some([0; 16]), ..Expected::default() };
        let mut found = of(&md5, b"");
        assert_eq!(md5.check(&mut found).unwrap_err().code(), "BadDigest");
        let sha = Expected { sha256: Some([0; 32]), ..Expected::default() };
        let mut found = of(&sha, b"");
        assert_eq!(sha.check(&mut found).unwrap_err().code(), "XAmzContentSHA256Mismatch");
    }

    #[test]
    fn the_hash_of_a_payload_is_not_kept() {
        let hash = crate::crypto::digest::sha256(&[b"x"]);
        let sha = Expected { sha256: Some(hash), ..Expected::default() };
        let mut found = of(&sha, b"x");
        sha.check(&mut found).unwrap();
        assert_eq!(found.checksums.len(), 1);
    }

    #[test]
    fn names_come_back() {
        for checksum in Checksum::ALL {
            assert_eq!(named(algorithm(checksum)), Some(checksum));
        }
        assert_eq!(named("MD5"), None);
    }
}
