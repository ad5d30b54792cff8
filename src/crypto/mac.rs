//! HMAC (RFC 2104, FIPS 198-1) with the SHA-2 family, through `aws-lc-rs`.

use aws_lc_rs::hmac;

/// The hash within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MacHash {
    /// 28 bytes.
    Sha224,
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

impl MacHash {
    /// Length of the code in bytes.
    #[must_use]
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    const fn algorithm(self) -> hmac::Algorithm {
        match self {
            Self::Sha224 => hmac::HMAC_SHA224,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

/// The code of a message.
#[must_use]
pub fn mac(hash: MacHash, key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hash.algorithm(), key), message).as_ref().to_vec()
}

/// Whether a code is the message's. Compares in constant time; a wrong length is no secret.
#[must_use]
pub fn verify_mac(hash: MacHash, key: &[u8], message: &[u8], code: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hash.algorithm(), key), message, code).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn answers_the_published_vectors() {
        let (key, message) = (b"Jefe", b"what do ya want for nothing?");
        let cases = [
            (MacHash::Sha224, "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"),
            (MacHash::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                MacHash::Sha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e\
                 8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                MacHash::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                 9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ];
        for (hash, expected) in cases {
            let code = mac(hash, key, message);
            assert_eq!((hex::encode(&code).as_str(), code.len()), (expected, hash.output_len()));
            assert!(verify_mac(hash, key, message, &code));
            assert!(!verify_mac(hash, key, b"another", &code));
            assert!(!verify_mac(hash, key, message, &code[1..]));
        }
    }
}
