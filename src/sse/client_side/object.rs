//! One object: its envelope made, or opened, to the key of its body.

use std::fmt;

use super::Error;
use super::description::Description;
use super::keyring::Keyring;
use super::metadata::{Content, Metadata};
use super::suite::{CommitmentPolicy, Reading, Suite};
use crate::crypto::committing::{COMMITMENT_LEN, MESSAGE_ID_LEN, MessageKey, SUITE_ID};
use crate::crypto::gcm::NONCE_LEN;
use crate::crypto::legacy::CBC_IV_LEN;
use crate::crypto::{SecretKey, random};

/// Seals one body, once: every body has a key or an IV of its own.
///
/// ```compile_fail
/// # fn f(key: strongroom::sse::client_side::SealingKey) {
/// let again = key.clone(); // two bodies under one key and IV would be readable by anybody
/// # }
/// ```
pub struct SealingKey(pub(super) GcmKey);

/// Opens the body of one object.
pub struct OpeningKey(pub(super) BodyKey);

/// What AES-256-GCM takes beside the text.
pub(super) struct GcmKey {
    pub(super) key: SecretKey,
    pub(super) nonce: [u8; NONCE_LEN],
    pub(super) associated: &'static [u8],
}

pub(super) enum BodyKey {
    Gcm(GcmKey),
    Cbc { key: SecretKey, iv: [u8; CBC_IV_LEN] },
}

impl SealingKey {
    /// Makes an object's envelope and the key of its body. `said` is the encryption context of KMS,
    /// or the material description of a raw keyring.
    ///
    /// # Errors
    /// [`Error::Provider`] when the KMS refuses, [`Error::Reserved`] for a pair that is not the caller's
    /// to choose, [`Error::Random`].
    pub async fn generate<K: Keyring>(
        keyring: &mut K,
        policy: CommitmentPolicy,
        said: &Description,
    ) -> Result<(Metadata, Self), Error> {
        let suite = policy.sealing_suite();
        let (data_key, wrapped) = keyring.generate(suite, said).await?;
        let (content, key) = match suite {
            Suite::CommittingGcm => {
                let message_id: [u8; MESSAGE_ID_LEN] = random::array()?;
                let commitment = MessageKey::new(&data_key, &message_id).commitment()?;
                let key = committing(&data_key, &message_id, &commitment)?;
                (Content::Committing { message_id, commitment }, key)
            }
            Suite::Gcm | Suite::Cbc => {
                let iv: [u8; NONCE_LEN] = random::array()?;
                (Content::Gcm { iv }, GcmKey { key: data_key, nonce: iv, associated: &[] })
            }
        };
        Ok((Metadata { content, key: wrapped }, Self(key)))
    }
}

impl OpeningKey {
    /// Opens an object's envelope. `said` is what the caller knows to be the object's encryption
    /// context; with a raw keyring it may be empty, whatever the object's description.
    ///
    /// # Errors
    /// [`Error::Policy`] and [`Error::Legacy`] for objects that are not to be read, before any key
    /// is asked for; then those of [`Keyring::unwrap`], and [`Error::Open`] for a data key that the
    /// object does not commit to.
    pub async fn unwrap<K: Keyring>(
        keyring: &mut K,
        metadata: &Metadata,
        reading: Reading,
        said: &Description,
    ) -> Result<Self, Error> {
        let wrapped = metadata.wrapped_key();
        reading.check(wrapped.suite, wrapped.wrapping.is_legacy())?;
        let key = keyring.unwrap(wrapped, said).await?;
        Self::new(metadata, key)
    }

    /// The same with a data key that was found otherwise.
    ///
    /// # Errors
    /// [`Error::Open`].
    pub(super) fn new(metadata: &Metadata, data_key: SecretKey) -> Result<Self, Error> {
        Ok(Self(match &metadata.content {
            Content::Cbc { iv } => BodyKey::Cbc { key: data_key, iv: *iv },
            Content::Gcm { iv } => {
                BodyKey::Gcm(GcmKey { key: data_key, nonce: *iv, associated: &[] })
            }
            Content::Committing { message_id, commitment } => {
                BodyKey::Gcm(committing(&data_key, message_id, commitment)?)
            }
        }))
    }
}

/// Compares the commitment first. The derived key is one message's, so that its nonce is fixed.
fn committing(
    data_key: &SecretKey,
    message_id: &[u8; MESSAGE_ID_LEN],
    commitment: &[u8; COMMITMENT_LEN],
) -> Result<GcmKey, Error> {
    let key = MessageKey::new(data_key, message_id).content_key(commitment)?;
    Ok(GcmKey { key, nonce: [1; NONCE_LEN], associated: &SUITE_ID })
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(redacted)")
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpeningKey(redacted)")
    }
}
