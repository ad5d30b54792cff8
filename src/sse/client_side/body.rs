//! Bodies: one AES-GCM message, its tag at the end; or, of legacy objects, CBC.
//!
//! The tag of a message is known at its end alone. So there are two ways to open one: hold all of it
//! back until the tag is right ([`open_buffered`]), or hand out plaintext before
//! ([`UnauthenticatedOpener`], [`open_delayed`]), to a caller who can take it back. AWS calls the
//! latter delayed authentication.

use std::fmt;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Error;
use super::object::{BodyKey, OpeningKey, SealingKey};
use crate::crypto::bulk::{BulkKey, TAG_LEN};
use crate::crypto::gcm::{self, Sealer, UnverifiedOpener};
use crate::crypto::legacy::CbcOpener;

/// Seals a body as it comes, in constant memory.
pub struct BodySealer(Sealer);

impl BodySealer {
    /// Begins the body of one object.
    ///
    /// # Errors
    /// [`Error::Open`] never in practice.
    pub fn new(key: SealingKey) -> Result<Self, Error> {
        let SealingKey(key) = key;
        Ok(Self(Sealer::new(&key.key, &key.nonce, key.associated)?))
    }

    /// Appends the sealed form of the next piece to `out`, which has as many bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond 2³⁶ − 32 bytes.
    pub fn update(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.0.update(plaintext, out).map_err(|_| Error::TooLarge)
    }

    /// Ends the body: appends its tag.
    pub fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.finish());
    }
}

/// Opens a body as it comes, in constant memory. What it gives out is not authenticated before
/// [`Self::finish`] returned, and of CBC never: callers keep it apart until then, and throw it away
/// if that fails.
pub struct UnauthenticatedOpener {
    cipher: Cipher,
    /// The last bytes that came: the tag, should nothing follow.
    held: Vec<u8>,
}

enum Cipher {
    Gcm(Box<UnverifiedOpener>),
    Cbc(CbcOpener),
}

impl UnauthenticatedOpener {
    /// Begins a body.
    ///
    /// # Errors
    /// [`Error::Open`] never in practice.
    pub fn new(key: &OpeningKey) -> Result<Self, Error> {
        let cipher = match &key.0 {
            BodyKey::Gcm(key) => {
                let opener = UnverifiedOpener::new(&key.key, &key.nonce, key.associated)?;
                Cipher::Gcm(Box::new(opener))
            }
            BodyKey::Cbc { key, iv } => Cipher::Cbc(CbcOpener::new(key, iv)?),
        };
        Ok(Self { cipher, held: Vec::new() })
    }

    /// Appends plaintext to `out`. What may be the tag is held back.
    ///
    /// # Errors
    /// [`Error::Open`].
    pub fn update(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let opener = match &mut self.cipher {
            Cipher::Cbc(opener) => return Ok(opener.update(sealed, out)?),
            Cipher::Gcm(opener) => opener,
        };
        // The last sixteen bytes of what is held and what comes stay.
        let Some((body, tail)) = sealed.split_last_chunk::<TAG_LEN>() else {
            self.held.extend_from_slice(sealed);
            let body = self.held.len().saturating_sub(TAG_LEN);
            opener.update(self.held.get(..body).unwrap_or_default(), out)?;
            self.held.drain(..body);
            return Ok(());
        };
        opener.update(&self.held, out)?;
        opener.update(body, out)?;
        self.held.clear();
        self.held.extend_from_slice(tail);
        Ok(())
    }

    /// Ends the body: appends what is left of it.
    ///
    /// # Errors
    /// [`Error::Open`] when it is not authentic; what was given out before is then worthless.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self.cipher {
            Cipher::Cbc(opener) => Ok(opener.finish(out)?),
            Cipher::Gcm(opener) => {
                let tag = self.held.as_slice().try_into().map_err(|_| Error::Open)?;
                Ok(opener.verify(tag)?)
            }
        }
    }
}

/// Seals everything from `from` into `to`; tells `progress` how many bytes are done. Returns the
/// length of the plaintext.
///
/// # Errors
/// [`Error::TooLarge`] beyond 2³⁶ − 32 bytes, [`Error::Io`]; `to` then has no tag.
pub async fn seal_body<R, W>(
    mut from: R,
    mut to: W,
    key: SealingKey,
    mut progress: impl FnMut(u64),
) -> Result<u64, Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut sealer = BodySealer::new(key)?;
    let (mut piece, mut out, mut total) = (Vec::new(), Vec::new(), 0);
    while fill(&mut from, &mut piece).await? > 0 {
        out.clear();
        sealer.update(&piece, &mut out)?;
        to.write_all(&out).await?;
        total += u64::try_from(piece.len()).unwrap_or_default();
        progress(total);
    }
    out.clear();
    sealer.finish(&mut out);
    to.write_all(&out).await?;
    to.flush().await?;
    Ok(total)
}

/// Opens a body of at most `limit` bytes of plaintext, all of which is held back until it is
/// authenticated. Of CBC, which is not, all is given.
///
/// # Errors
/// [`Error::Open`]; [`Error::Buffer`] for a longer body; [`Error::Io`].
pub async fn open_buffered<R>(from: R, key: &OpeningKey, limit: usize) -> Result<Vec<u8>, Error>
where
    R: AsyncRead + Unpin,
{
    // CBC has up to sixteen bytes of padding.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(16);
    let mut sealed = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut sealed).await?;
    if u64::try_from(sealed.len()).unwrap_or(u64::MAX) > most {
        return Err(Error::Buffer);
    }
    let BodyKey::Gcm(gcm) = &key.0 else {
        let mut opener = UnauthenticatedOpener::new(key)?;
        let mut out = Vec::new();
        opener.update(&sealed, &mut out)?;
        opener.finish(&mut out)?;
        return Ok(out);
    };
    let length = sealed.len().checked_sub(TAG_LEN).ok_or(Error::Open)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > gcm::MAX_LEN {
        return Err(Error::Open);
    }
    BulkKey::new(&gcm.key)?.open_in_place(&gcm.nonce, gcm.associated, &mut sealed)?;
    sealed.truncate(length);
    Ok(sealed)
}

/// Opens a body from `from` into `to`, in constant memory and before it is authenticated; tells
/// `progress` how many bytes are done. Returns the length of the plaintext.
///
/// What was written is worthless if this fails: callers keep it apart until it returns. CBC is never
/// authenticated.
///
/// # Errors
/// [`Error::Open`], [`Error::Io`].
pub async fn open_delayed<R, W>(
    mut from: R,
    mut to: W,
    key: &OpeningKey,
    mut progress: impl FnMut(u64),
) -> Result<u64, Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut opener = UnauthenticatedOpener::new(key)?;
    let (mut piece, mut out, mut total) = (Vec::new(), Vec::new(), 0);
    while fill(&mut from, &mut piece).await? > 0 {
        out.clear();
        opener.update(&piece, &mut out)?;
        to.write_all(&out).await?;
        total += u64::try_from(out.len()).unwrap_or_default();
        progress(total);
    }
    out.clear();
    opener.finish(&mut out)?;
    to.write_all(&out).await?;
    total += u64::try_from(out.len()).unwrap_or_default();
    to.flush().await?;
    Ok(total)
}

const PIECE_LEN: u64 = 64 * 1024;

/// Reads until the piece is full or the input ends.
async fn fill<R: AsyncRead + Unpin>(from: &mut R, piece: &mut Vec<u8>) -> Result<usize, Error> {
    piece.clear();
    Ok(from.take(PIECE_LEN).read_to_end(piece).await?)
}

impl fmt::Debug for BodySealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodySealer(redacted)")
    }
}

impl fmt::Debug for UnauthenticatedOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnauthenticatedOpener(redacted)")
    }
}
