//! A witness of other logs: it signs a checkpoint when the tree contains the one that it signed before.
//!
//! ```text
//! old 20852014                                           body of POST …/add-checkpoint
//! PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=           consistency proof, at most 63 lines
//! …
//!                                                        an empty line
//! example.com/behind-the-sofa                            the checkpoint
//! …
//! ```
//! Invariants
//! - What was signed is on disk before its cosignature leaves, and one request of a log ends before the
//!   next is looked at: so no two trees of a log are ever signed of which neither contains the other.
//! - After a failed write nothing more is signed of that log until a restart has looked.
//!
//! Of each log its newest checkpoint is kept, with the witness's own cosignature, in a small file that is
//! replaced whole. A database would keep no more and, being sled, might lose its tail without a word.
//!
//! Source: C2SP tlog-witness 1.0.0, tlog-cosignature.

use std::collections::BTreeMap;
use std::path::Path;

use parking_lot::Mutex;
use signed_note::{Note, Signature, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::tlog::{self, EMPTY_HASH, Hash};

use super::Error;
use super::checkpoint::{Checkpoint, MAX_NOTE};
use super::cosignature::{CosignatureKey, Cosigner};
use super::lines::{hash, push_hashes};
use super::proof::Tree;
use crate::crypto::{Purpose, derive, digest, random};
use crate::store::{self, Folder, root_check};

/// A witness, which holds its folder.
#[derive(Debug)]
pub struct Witness {
    folder: Folder,
    cosigner: Cosigner,
    logs: BTreeMap<String, WitnessedLog>,
}

/// A log whose checkpoints are signed.
struct WitnessedLog {
    /// Its keys: two while one takes over from the other.
    keys: Vec<StandardVerifier>,
    /// Name of its file.
    file: String,
    /// What was signed last, which is also what the file says.
    signed: Mutex<Signed>,
}

/// What was signed of a log.
#[derive(Debug, Clone, Copy)]
enum Signed {
    Nothing,
    Tree(Tree),
    /// A write failed: what the file says is unknown.
    Unknown,
}

/// A request to sign a checkpoint, as it came. Nothing of it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the tree that the witness is thought to have signed last; 0 for none.
    pub old: u64,
    /// From that tree to the new one.
    pub proof: Vec<[u8; 32]>,
    /// The new checkpoint, a signed note.
    pub checkpoint: Vec<u8>,
}

/// Why a checkpoint was not signed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The old size is greater than the new one.
    #[error("the old size is greater than that of the checkpoint")]
    Backwards,
    /// Another tree was signed last: of another size, or of the same size with another root.
    #[error("a tree of {size} records was signed last")]
    Conflict {
        /// Records in the tree that was signed last; 0 when none was.
        size: u64,
    },
    /// The proof does not lead from the tree that was signed last to the new one.
    #[error("the proof does not lead from the tree of {old} records to that of {new}")]
    Inconsistent {
        /// Records in the tree that was signed last.
        old: u64,
        /// Records in the one that was not signed.
        new: u64,
    },
    /// The request is none.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// No key of the log signed the checkpoint.
    #[error("no key that is known of this log has signed it")]
    Signature,
    /// The checkpoint could not be kept, so it was not signed.
    #[error("what is signed cannot be kept")]
    Store(#[source] store::Error),
    /// A write failed before.
    #[error("nothing is signed of this log until the witness was started again: a write failed")]
    Stopped,
    /// No log of that name is known.
    #[error("no log of this name is known here")]
    UnknownLog,
}

impl Witness {
    /// Opens a witness's folder, or makes one. `logs` are C2SP verifier strings of type `01`; several of the
    /// same name are one log with several keys. `name` is the witness's own when it is not to be derived.
    ///
    /// # Errors
    /// [`Error::Store`] for the folder and its root key; [`Error::Origin`] for a name that is none;
    /// [`Error::Checkpoint`] for a verifier string that is none; [`Error::Witnessed`] when what was signed
    /// last cannot be told.
    pub fn open(
        path: &Path,
        root: Option<(&str, &str)>,
        name: Option<&str>,
        logs: &[String],
    ) -> Result<Self, Error> {
        let folder = Folder::hold(path, &["lock", "root.key", IDENTITY, LOGS, "tls"])?;
        let cosigner = identity(&folder, root, name)?;
        folder.make_folder(LOGS)?;
        let mut known = BTreeMap::new();
        for text in logs {
            let malformed = |_| Error::Checkpoint("a log's verifier string is malformed");
            let key = StandardVerifier::new(text).map_err(malformed)?;
            let log = match known.remove(key.name()) {
                Some(log) => log,
                None => WitnessedLog::open(&folder, key.name(), cosigner.public())?,
            };
            let name = key.name().to_owned();
            known.insert(name, log.with(key));
        }
        Ok(Self { folder, cosigner, logs: known })
    }

    /// What verifies its cosignatures.
    #[must_use]
    pub const fn key(&self) -> &CosignatureKey {
        self.cosigner.public()
    }

    /// Where its folder is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// How many logs it knows.
    #[must_use]
    pub fn logs(&self) -> usize {
        self.logs.len()
    }

    /// Signs a checkpoint at `time` (seconds since the Unix epoch), if the request is as the specification
    /// has it; returns signature lines. Waits for the disk.
    ///
    /// # Errors
    /// [`Refusal`]
    pub fn add_checkpoint(&self, body: &[u8], time: u64) -> Result<Vec<u8>, Refusal> {
        let request = AddCheckpoint::parse(body)?;
        let malformed = |_| Refusal::Malformed("the checkpoint is no signed note");
        let mut note = Note::from_bytes(&request.checkpoint).map_err(malformed)?;
        let new = Checkpoint::parse(note.text())
            .filter(|checkpoint| i64::try_from(checkpoint.size).is_ok())
            .ok_or(Refusal::Malformed("the signed text is no checkpoint"))?;
        let log = self.logs.get(&new.origin).ok_or(Refusal::UnknownLog)?;
        let verified = log.verified(&note)?;
        if request.old > new.size {
            return Err(Refusal::Backwards);
        }
        let mut signed = log.signed.lock();
        let last = match *signed {
            Signed::Nothing => Tree { size: 0, root: EMPTY_HASH.0 },
            Signed::Tree(tree) => tree,
            Signed::Unknown => return Err(Refusal::Stopped),
        };
        follows(last, &new, &request)?;
        // Of other signatures nothing is known.
        note = Note::new(note.text(), &verified).map_err(malformed)?;
        let signer = self.cosigner.at(time);
        note.add_sigs(&[&signer]).map_err(malformed)?;
        if matches!(*signed, Signed::Nothing) || new.size > last.size {
            *signed = Signed::Unknown;
            self.folder.write(&log.file, &note.to_bytes()).map_err(Refusal::Store)?;
            *signed = Signed::Tree(Tree { size: new.size, root: new.root });
        }
        drop(signed);
        let found = self.cosigner.public().find(&note);
        let line = found.ok().flatten().ok_or(Refusal::Malformed("it cannot be signed"))?.line;
        Ok(line.to_bytes())
    }
}

/// Whether a tree may be signed after `last`.
fn follows(last: Tree, new: &Checkpoint, request: &AddCheckpoint) -> Result<(), Refusal> {
    if request.old != last.size || (new.size == last.size && new.root != last.root) {
        return Err(Refusal::Conflict { size: last.size });
    }
    let inconsistent = Refusal::Inconsistent { old: last.size, new: new.size };
    if last.size == 0 || last.size == new.size {
        return if request.proof.is_empty() { Ok(()) } else { Err(inconsistent) };
    }
    let proof = request.proof.iter().copied().map(Hash).collect();
    tlog::check_tree(&proof, new.size, Hash(new.root), last.size, Hash(last.root))
        .map_err(|_| inconsistent)
}

impl WitnessedLog {
    /// Reads what was signed of a log.
    fn open(folder: &Folder, name: &str, own: &CosignatureKey) -> Result<Self, Error> {
        let file = format!("{LOGS}/{}", hex::encode(digest::sha256(&[name.as_bytes()])));
        let signed = match folder.read(&file, MAX_NOTE * 2)? {
            None => Signed::Nothing,
            Some(bytes) => Signed::Tree(kept(&bytes, name, own).ok_or_else(|| {
                Error::Witnessed { log: name.to_owned(), path: folder.path().join(&file) }
            })?),
        };
        Ok(Self { keys: Vec::new(), file, signed: Mutex::new(signed) })
    }

    /// The signatures of the log's keys under a note; at least one.
    fn verified(&self, note: &Note) -> Result<Vec<Signature>, Refusal> {
        let mut keys: Vec<Box<dyn Verifier>> = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            keys.push(Box::new(key.clone()));
        }
        let verified = note.verify(&VerifierList::new(keys)).map_err(|_| Refusal::Signature)?;
        Ok(verified.0)
    }

    fn with(mut self, key: StandardVerifier) -> Self {
        if self.keys.iter().all(|known| known.key_id() != key.key_id()) {
            self.keys.push(key);
        }
        self
    }
}

/// What a file says was signed of a log: nothing but what this witness itself has signed.
fn kept(bytes: &[u8], name: &str, own: &CosignatureKey) -> Option<Tree> {
    let note = Note::from_bytes(bytes).ok()?;
    own.find(&note).ok()??;
    let Checkpoint { origin, size, root } = Checkpoint::parse(note.text())?;
    (origin == name).then_some(Tree { size, root })
}

impl std::fmt::Debug for WitnessedLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WitnessedLog").field("signed", &self.signed).finish_non_exhaustive()
    }
}

/// The witness's key: derived from the folder's root key, its identity and its name.
fn identity(
    folder: &Folder,
    root: Option<(&str, &str)>,
    name: Option<&str>,
) -> Result<Cosigner, Error> {
    let kept = folder.read(IDENTITY, 1024)?;
    let root = folder.root_key(root, kept.is_some())?;
    let id: [u8; 16] = if let Some(text) = kept {
        let damaged = || store::Error::Damaged("the witness's identity is none".to_owned());
        let text = String::from_utf8(text).map_err(|_| damaged())?;
        let (id, check) = text.trim_end().split_once('\n').ok_or_else(damaged)?;
        let id: Option<[u8; 16]> = hex::decode(id).ok().and_then(|id| id.try_into().ok());
        let id = id.ok_or_else(damaged)?;
        if check != hex::encode(root_check(&root, &id)) {
            return Err(Error::Store(store::Error::RootKeyMismatch));
        }
        id
    } else {
        let id = random::array().map_err(store::Error::from)?;
        let text = format!("{}\n{}\n", hex::encode(id), hex::encode(root_check(&root, &id)));
        folder.write(IDENTITY, text.as_bytes())?;
        id
    };
    let derived = format!("strongroom.local/witness/{}", hex::encode(id));
    let name = name.unwrap_or(&derived);
    // What is signed does not say by whom, so no two names may share a key.
    Cosigner::new(name, &derive(&root, &id, Purpose::WitnessSeed, name.as_bytes()))
}

impl AddCheckpoint {
    /// Bytes of a request at the most: a proof and a checkpoint.
    pub const MAX_LEN: usize = 4 * 1024 + MAX_NOTE;

    /// Parses a request's body.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for bytes that are none.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if body.len() > Self::MAX_LEN {
            return Err(Refusal::Malformed("the request is too long"));
        }
        let text = std::str::from_utf8(body).map_err(|_| Refusal::Malformed("it is not text"))?;
        let none = Refusal::Malformed("there is no empty line before the checkpoint");
        let (head, checkpoint) = text.split_once("\n\n").ok_or(none)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).unwrap_or_default();
        let size: u64 =
            old.parse().map_err(|_| Refusal::Malformed("it does not begin with an old size"))?;
        if size.to_string() != old {
            return Err(Refusal::Malformed("the old size is not written as it should be"));
        }
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == MAX_PROOF {
                return Err(Refusal::Malformed("the proof has more than 63 hashes"));
            }
            proof.push(hash(line).ok_or(Refusal::Malformed("a line of the proof is no hash"))?);
        }
        Ok(Self { old: size, proof, checkpoint: checkpoint.as_bytes().to_vec() })
    }

    /// As it is sent.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("old {}\n", self.old);
        push_hashes(&mut text, &self.proof);
        text.push('\n');
        [text.as_bytes(), &self.checkpoint].concat()
    }
}

/// Hashes of a proof at the most (C2SP tlog-witness).
const MAX_PROOF: usize = 63;
/// The witness's random name, 16 bytes in hex, and a check value of its root key, a line each.
const IDENTITY: &str = "identity";
/// A file a log: its newest checkpoint with the witness's cosignature.
const LOGS: &str = "logs";
