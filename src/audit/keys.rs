//! The log's keys: one takes over from another at a checkpoint that both have signed.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra eyJ2Ijox…                                        the record of RotateLogKey, base64
//! index 41                                               its place
//! qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=           that it is in the tree
//!
//! strongroom.local/5d41402abc4b2a76b9719d911017c592      the checkpoint
//! 42
//! …
//!
//! — strongroom.local/5d41… cZm8Yk3v…                     signed by the key that was
//! — strongroom.local/5d41… Xq0aB1mP…                     and by the one that is
//! ```
//! Whoever has the older key's verifier string needs nothing else: that key signed the tree, the tree holds the
//! record, the record names the newer key, and that one signed the same tree. From there on the older key is
//! not believed about larger trees.
//!
//! Sources: C2SP tlog-proof (of which this is one), signed-note; RFC 6962.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Error;
use super::checkpoint::Checkpoint;
use super::event::{Event, MAX_LEN, Outcome};
use super::proof::ProofFile;

/// Verifier strings of one log, oldest first, each up to where the next took over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKeys {
    keys: Vec<LogKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct LogKey {
    verifier: String,
    /// Records in the newest tree that it may sign; any number while nobody took over.
    until: Option<u64>,
}

/// What lets who trusts a key trust its successor. Nothing of it is believed before [`LogKeys::accept`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOver {
    /// Of the record that names the successor, up to the checkpoint that both have signed.
    pub proof: ProofFile,
    /// That record.
    pub entry: Vec<u8>,
}

impl LogKeys {
    /// A log with one key.
    #[must_use]
    pub fn new(verifier: &str) -> Self {
        Self { keys: vec![LogKey { verifier: verifier.to_owned(), until: None }] }
    }

    /// The keys after `verifier`, by the hand-overs of a log in their order; those before it are passed over.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub fn follow(verifier: &str, hand_overs: &[HandOver]) -> Result<Self, Error> {
        let begin = |hand_over: &HandOver| hand_over.successor().as_deref() == Some(verifier);
        let passed = hand_overs.iter().position(begin).map_or(0, |place| place + 1);
        let mut keys = Self::new(verifier);
        for hand_over in hand_overs.iter().skip(passed) {
            keys.accept(hand_over)?;
        }
        Ok(keys)
    }

    /// The key that signs now.
    #[must_use]
    pub fn current(&self) -> &str {
        self.keys.last().map_or("", |key| &key.verifier)
    }

    /// The place of the key that may sign a tree of a size.
    pub(super) fn turn_at(&self, size: u64) -> usize {
        let ended = |key: &&LogKey| key.until.is_some_and(|until| until < size);
        self.keys.iter().take_while(ended).count()
    }

    /// Every verifier string, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.verifier.as_str())
    }

    /// How many there are: the number of the current one, from 1.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.keys.len()
    }

    /// Opens a checkpoint that is signed by the key whose turn it was.
    ///
    /// # Errors
    /// [`Error::Checkpoint`], also for one that is signed by a key from which another had taken over.
    pub fn open(&self, note: &[u8]) -> Result<Checkpoint, Error> {
        Ok(self.open_by(note)?.0)
    }

    /// The same, with a key that has signed it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_by(&self, note: &[u8]) -> Result<(Checkpoint, &str), Error> {
        let all: Vec<_> = self.all().collect();
        let (checkpoint, signed) = Checkpoint::open_by(note, &all)?;
        let size = checkpoint.size;
        let mut since = 0;
        for (place, key) in self.keys.iter().enumerate() {
            let in_turn = since <= size && key.until.is_none_or(|until| size <= until);
            if in_turn && signed.contains(&place) {
                return Ok((checkpoint, &key.verifier));
            }
            since = key.until.unwrap_or(u64::MAX);
        }
        Err(Error::Checkpoint("it is signed by a key of the log's whose turn it was not"))
    }

    /// Trusts the successor of the current key from here on.
    ///
    /// # Errors
    /// [`Error::HandOver`], [`Error::Checkpoint`], [`Error::Proof`]: what does not fit.
    pub fn accept(&mut self, hand_over: &HandOver) -> Result<(), Error> {
        let HandOver { proof, entry } = hand_over;
        let none = Error::HandOver("its record does not name another key of the log");
        let successor = hand_over.successor().ok_or(none)?;
        proof.verify(entry, self.current())?;
        self.take_over(&proof.checkpoint, &successor)
    }

    /// The same, when the successor is known to be this log's own.
    pub(super) fn take_over(&mut self, note: &[u8], successor: &str) -> Result<(), Error> {
        let (checkpoint, signed) = Checkpoint::open_by(note, &[self.current(), successor])?;
        if signed.len() != 2 {
            return Err(Error::HandOver("its checkpoint is not signed by both keys"));
        }
        let since = self.keys.iter().rev().nth(1).and_then(|key| key.until).unwrap_or(0);
        if checkpoint.size <= since {
            return Err(Error::HandOver("it is older than the one before"));
        }
        if let Some(last) = self.keys.last_mut() {
            last.until = Some(checkpoint.size);
        }
        self.keys.push(LogKey { verifier: successor.to_owned(), until: None });
        Ok(())
    }
}

impl HandOver {
    /// The key that the record names.
    #[must_use]
    pub fn successor(&self) -> Option<String> {
        let event = Event::decode(&self.entry).ok()?;
        let rotated = event.operation == ROTATE_LOG_KEY && event.outcome == Outcome::Success;
        let named = event.parameters.get(SUCCESSOR)?.as_str()?;
        rotated.then(|| named.to_owned())
    }

    /// As a file has it: a `.tlog-proof` whose extra data is the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let proof = self.proof.encode();
        let rest = proof.strip_prefix(FIRST_LINE.as_bytes()).unwrap_or_default();
        let extra = format!("{FIRST_LINE}extra {}\n", STANDARD.encode(&self.entry));
        [extra.as_bytes(), rest].concat()
    }

    /// Parses one.
    ///
    /// # Errors
    /// [`Error::Proof`], [`Error::HandOver`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let none = || Error::HandOver("it is none");
        let rest = bytes.strip_prefix(FIRST_LINE.as_bytes()).ok_or_else(none)?;
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(none)?;
        let (extra, rest) = rest.split_at(end + 1);
        let extra = extra.strip_suffix(b"\n").and_then(|line| line.strip_prefix(b"extra "));
        let extra = extra.ok_or_else(none)?;
        if extra.len() > MAX_LEN * 2 {
            return Err(Error::HandOver("its record is too long"));
        }
        // A record may be longer than the proof of another one, with its extra data, can be.
        let proof = ProofFile::parse(&[FIRST_LINE.as_bytes(), rest].concat())?;
        Ok(Self { proof, entry: STANDARD.decode(extra).map_err(|_| none())? })
    }

    /// Parses those of a file, one after the other, in their order.
    ///
    /// # Errors
    /// As [`Self::parse`]; [`Error::HandOver`] for more than 1,000.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, Error> {
        let mut rest = std::str::from_utf8(bytes).map_err(|_| Error::HandOver("it is none"))?;
        let mut found = Vec::new();
        while !rest.is_empty() {
            if found.len() == MOST {
                return Err(Error::HandOver("there are too many"));
            }
            // The first line of the next can be no line of this one's note.
            let next = format!("\n{FIRST_LINE}");
            let end = rest.find(&next).map_or(rest.len(), |place| place + 1);
            let (one, others) = rest.split_at(end);
            found.push(Self::parse(one.as_bytes())?);
            rest = others;
        }
        Ok(found)
    }
}

/// The operation whose record names a successor.
pub const ROTATE_LOG_KEY: &str = "RotateLogKey";
/// The record's parameter that does.
pub const SUCCESSOR: &str = "verifier_key";
const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1\n";
const MOST: usize = 1000;
