//! ETag and checksums of a plaintext, computed while it is sealed.
//!
//! Source: Amazon S3 User Guide, "Checking object integrity"; RFC 1321 (MD5), FIPS 180-4 (SHA).

use aws_lc_rs::digest::{Context as Sha, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use crc_fast::{CrcAlgorithm, Digest as Crc, checksum_combine};
use md5::{Digest as _, Md5};

/// A checksum that S3 knows, of the whole plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Checksum {
    /// CRC-32 (ISO-HDLC), 4 bytes.
    Crc32,
    /// CRC-32C (Castagnoli), 4 bytes.
    Crc32C,
    /// CRC-64/NVME, 8 bytes: S3's default.
    Crc64Nvme,
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
}

impl Checksum {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::Crc32, Self::Crc32C, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The header that carries it, in base64 of the value's bytes.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32C => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Of bytes in memory.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        let mut digests = Digests::new(false, &[self]);
        digests.update(bytes);
        digests.finish().checksums.into_iter().map(|(_, value)| value).next().unwrap_or_default()
    }

    /// Of all bytes, out of the values of their parts and the parts' lengths in bytes, in order. Only a CRC can
    /// be had so; none of other checksums.
    #[must_use]
    pub fn of_parts<'a>(self, parts: impl Iterator<Item = (&'a [u8], u64)>) -> Option<Vec<u8>> {
        let algorithm = self.crc()?;
        let mut whole: Option<u64> = None;
        for (value, len) in parts {
            let value = value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            whole = Some(match whole {
                None => value,
                Some(before) => checksum_combine(algorithm, before, value, len),
            });
        }
        let all = whole?.to_be_bytes();
        all.get(all.len() - self.value_len()..).map(<[u8]>::to_vec)
    }

    const fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32C => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// Bytes of a value.
    #[must_use]
    pub const fn value_len(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32C => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Crc32 => 1,
            Self::Crc32C => 2,
            Self::Crc64Nvme => 3,
            Self::Sha1 => 4,
            Self::Sha256 => 5,
        }
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|checksum| checksum.byte() == byte)
    }
}

/// Checksums in the making. Bytes are taken in order, in pieces of any length.
#[derive(Default)]
pub struct Digests {
    md5: Option<Md5>,
    running: Vec<(Checksum, Running)>,
}

enum Running {
    // Boxed: hundreds of bytes of state beside a reference's worth.
    Crc(Box<Crc>),
    Sha(Sha),
}

/// What [`Digests`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digested {
    /// MD5 of the plaintext, where it was asked for. A secret's MD5 is not to be stored in clear.
    pub md5: Option<[u8; 16]>,
    /// Values by checksum, big-endian.
    pub checksums: Vec<(Checksum, Vec<u8>)>,
}

impl Digests {
    /// Begins: with MD5, which an ETag needs, if `md5`; each of `checksums` once.
    #[must_use]
    pub fn new(md5: bool, checksums: &[Checksum]) -> Self {
        let mut running: Vec<(Checksum, Running)> = Vec::with_capacity(checksums.len());
        for checksum in checksums {
            if running.iter().all(|(other, _)| other != checksum) {
                let crc = |algorithm| Running::Crc(Box::new(Crc::new(algorithm)));
                running.push((
                    *checksum,
                    match checksum {
                        Checksum::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
                        Checksum::Crc32C => crc(CrcAlgorithm::Crc32Iscsi),
                        Checksum::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
                        Checksum::Sha1 => Running::Sha(Sha::new(&SHA1_FOR_LEGACY_USE_ONLY)),
                        Checksum::Sha256 => Running::Sha(Sha::new(&SHA256)),
                    },
                ));
            }
        }
        Self { md5: md5.then(Md5::new), running }
    }

    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        for (_, running) in &mut self.running {
            match running {
                Running::Crc(crc) => crc.update(bytes),
                Running::Sha(sha) => sha.update(bytes),
            }
        }
    }

    /// The values.
    #[must_use]
    pub fn finish(self) -> Digested {
        let value = |(checksum, running): (Checksum, Running)| {
            let value = match running {
                Running::Crc(crc) => {
                    let all = crc.finalize().to_be_bytes();
                    all.get(all.len() - checksum.value_len()..).unwrap_or_default().to_vec()
                }
                Running::Sha(sha) => sha.finish().as_ref().to_vec(),
            };
            (checksum, value)
        };
        Digested {
            md5: self.md5.map(|md5| md5.finalize().into()),
            checksums: self.running.into_iter().map(value).collect(),
        }
    }
}

/// Without state, which follows from the plaintext.
impl std::fmt::Debug for Digests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.running.iter().map(|(checksum, _)| checksum)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of "123456789": CRC RevEng's catalogue; SHA and MD5 from coreutils.
    #[test]
    fn the_published_check_values_in_any_pieces() {
        let expected = [
            (Checksum::Crc32, "cbf43926"),
            (Checksum::Crc32C, "e3069283"),
            (Checksum::Crc64Nvme, "ae8b14860a799888"),
            (Checksum::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Checksum::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ];
        for piece in [1, 2, 9] {
            let mut digests = Digests::new(true, &[&Checksum::ALL[..], &Checksum::ALL].concat());
            b"123456789".chunks(piece).for_each(|piece| digests.update(piece));
            let found = digests.finish();
            assert_eq!(hex::encode(found.md5.unwrap()), "25f9e794323b453885f5181f1b624d0b");
            let shown: Vec<_> = found
                .checksums
                .iter()
                .map(|(checksum, value)| (*checksum, hex::encode(value)))
                .collect();
            assert_eq!(shown, expected.map(|(checksum, value)| (checksum, value.to_owned())));
            assert!(
                found.checksums.iter().all(|(checksum, value)| value.len() == checksum.value_len())
            );
        }
    }
}
