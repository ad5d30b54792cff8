//! What earlier programs encrypted with and nobody should again: read, never written.
//!
//! AES-256-CBC with PKCS #7 padding and AES-256-ECB (NIST SP 800-38A) authenticate nothing; AES key
//! wrap (RFC 3394) does.

use std::fmt;

use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, PaddedBlockDecryptingKey, StreamingDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::key_wrap::{AES_256 as WRAP_AES_256, AesKek, KeyWrap};

use super::{Error, Plaintext, SecretKey};

/// Length of CBC's initialization vector in bytes.
pub const CBC_IV_LEN: usize = 16;

/// Decrypts AES-256-CBC with PKCS #7 padding, in pieces. Nothing of it is authenticated.
pub struct CbcOpener(StreamingDecryptingKey);

impl CbcOpener {
    /// Begins a message.
    ///
    /// # Errors
    /// [`Error::Length`] never in practice: a [`SecretKey`] has the right length.
    pub fn new(key: &SecretKey, iv: &[u8; CBC_IV_LEN]) -> Result<Self, Error> {
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        let key = StreamingDecryptingKey::cbc_pkcs7(unbound(key)?, context);
        Ok(Self(key.map_err(|_| Error::Length)?))
    }

    /// Appends plaintext of the next piece to `out`: all but the last block so far.
    ///
    /// # Errors
    /// [`Error::Open`].
    pub fn update(&mut self, ciphertext: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        // The library counts in `i32`.
        for piece in ciphertext.chunks(1 << 20) {
            let start = out.len();
            out.resize(start + piece.len() + BLOCK_LEN, 0);
            let room = out.get_mut(start..).unwrap_or_default();
            let written = self.0.update(piece, room).map_err(|_| Error::Open)?.written().len();
            out.truncate(start + written);
        }
        Ok(())
    }

    /// Ends the message: appends the last block without its padding.
    ///
    /// # Errors
    /// [`Error::Open`] for other padding, or a length that is not one of whole blocks.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        out.resize(start + BLOCK_LEN, 0);
        let room = out.get_mut(start..).unwrap_or_default();
        let written = self.0.finish(room).map_err(|_| Error::Open)?.written().len();
        out.truncate(start + written);
        Ok(())
    }
}

impl fmt::Debug for CbcOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CbcOpener(redacted)")
    }
}

/// Decrypts AES-256-ECB with PKCS #7 padding.
///
/// # Errors
/// [`Error::Open`], whatever the reason.
pub fn open_ecb(key: &SecretKey, ciphertext: &[u8]) -> Result<Plaintext, Error> {
    let key = PaddedBlockDecryptingKey::ecb_pkcs7(unbound(key)?).map_err(|_| Error::Open)?;
    let mut out = Plaintext::from(ciphertext.to_vec());
    let opened = key.decrypt(out.expose_mut(), DecryptionContext::None);
    let length = opened.map_err(|_| Error::Open)?.len();
    out.truncate(length);
    Ok(out)
}

/// Unwraps a key that was wrapped with AES-256 key wrap (RFC 3394).
///
/// # Errors
/// [`Error::Open`], whatever the reason.
pub fn unwrap_key(key: &SecretKey, wrapped: &[u8]) -> Result<Plaintext, Error> {
    let key = AesKek::new(&WRAP_AES_256, key.expose()).map_err(|_| Error::Open)?;
    let mut out = Plaintext::from(vec![0; wrapped.len()]);
    let length = key.unwrap(wrapped, out.expose_mut()).map_err(|_| Error::Open)?.len();
    out.truncate(length);
    Ok(out)
}

const BLOCK_LEN: usize = 16;

fn unbound(key: &SecretKey) -> Result<UnboundCipherKey, Error> {
    UnboundCipherKey::new(&AES_256, key.expose()).map_err(|_| Error::Length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    /// NIST SP 800-38A, F.1.5 and F.2.5, first block of each; the padding was added by
    /// `openssl enc -aes-256-cbc` and `-aes-256-ecb` with the same key.
    #[test]
    fn answers_the_published_vectors() {
        let key = hex("603deb1015ca71be2b73aef0857d7781 1f352c073b6108d72d9810a30914dff4");
        let key = SecretKey::from_slice(&key).unwrap();
        let plaintext = hex("6bc1bee22e409f96e93d7e117393172a");
        let iv: [u8; 16] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let cbc = hex(CBC);
        for step in [1, 5, 16, 100] {
            let mut opener = CbcOpener::new(&key, &iv).unwrap();
            let mut out = Vec::new();
            cbc.chunks(step).for_each(|piece| opener.update(piece, &mut out).unwrap());
            opener.finish(&mut out).unwrap();
            assert_eq!(out, plaintext);
        }
        for cut in [1, 15, 17, 31] {
            let mut opener = CbcOpener::new(&key, &iv).unwrap();
            opener.update(&cbc[..cut], &mut Vec::new()).unwrap();
            assert_eq!(opener.finish(&mut Vec::new()), Err(Error::Open));
        }
        let ecb = hex(ECB);
        assert_eq!(open_ecb(&key, &ecb).unwrap().expose(), plaintext);
        assert!(open_ecb(&key, &ecb[..31]).is_err());
        assert!(open_ecb(&key, &[]).is_err());
    }

    const CBC: &str = "f58c4c04d6e5f1ba779eabfb5f7bfbd6 485a5c81519cf378fa36d42b8547edc0";
    const ECB: &str = "f3eed1bdb5d2a03c064b5a7e3db181f8 4c45dfb3b3b484ec35b0512dc8c1c4d6";

    /// RFC 3394, section 4.6: 256 bits of key data with a 256-bit key.
    #[test]
    fn unwraps_the_published_vector() {
        let key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let key = SecretKey::from_slice(&hex(key)).unwrap();
        let mut wrapped = hex(
            "28c9f404c4b810f4 cbccb35cfb87f826 3f5786e2d80ed326 cbc7f0e71a99f43b fb988b9b7a02dd21",
        );
        let expected = "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f";
        assert_eq!(hex::encode(unwrap_key(&key, &wrapped).unwrap().expose()), expected);
        wrapped[3] ^= 1;
        assert!(unwrap_key(&key, &wrapped).is_err());
        assert!(unwrap_key(&key, &[]).is_err());
    }
}
