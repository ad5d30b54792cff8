//! How many witnesses have to have signed a checkpoint.
//!
//! Source: C2SP tlog-cosignature; a quorum of witnesses keeps a log from showing two pasts.

use signed_note::Note;

use super::Error;
use super::checkpoint::MAX_NOTE;
use super::cosignature::{Cosignature, CosignatureKey};

/// Witnesses that are known, and how many of them are enough.
#[derive(Debug, Clone, Default)]
pub struct WitnessPolicy {
    witnesses: Vec<CosignatureKey>,
    quorum: usize,
}

/// That a witness has signed a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Witnessed {
    /// The witness's name.
    pub witness: String,
    /// Its cosignature, which is good.
    pub cosignature: Cosignature,
}

impl WitnessPolicy {
    /// All of `witnesses`, or as many as `quorum` says.
    ///
    /// # Errors
    /// [`Error::Policy`] for a key that is there twice, and for a quorum that is 0 or that they cannot
    /// make.
    pub fn new(witnesses: Vec<CosignatureKey>, quorum: Option<usize>) -> Result<Self, Error> {
        for (place, key) in witnesses.iter().enumerate() {
            if witnesses.iter().skip(place + 1).any(|other| other.is_same_key(key)) {
                return Err(Error::Policy("two witnesses have the same key"));
            }
        }
        let quorum = match quorum {
            Some(0) => return Err(Error::Policy("a quorum of no witness asks for nothing")),
            Some(quorum) if quorum > witnesses.len() => {
                return Err(Error::Policy("the quorum is greater than the number of witnesses"));
            }
            Some(quorum) => quorum,
            None => witnesses.len(),
        };
        Ok(Self { witnesses, quorum })
    }

    /// The witnesses.
    #[must_use]
    pub fn witnesses(&self) -> &[CosignatureKey] {
        &self.witnesses
    }

    /// How many of them are enough; 0 when there are none.
    #[must_use]
    pub const fn quorum(&self) -> usize {
        self.quorum
    }

    /// Which of the witnesses have signed a note. Others' signatures are passed over; the log's own is
    /// another's to verify.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for bytes that are no note, and when a known witness's signature is wrong.
    pub fn find(&self, note: &[u8]) -> Result<Vec<Witnessed>, Error> {
        if note.len() > MAX_NOTE {
            return Err(Error::Checkpoint("it is too long"));
        }
        let note = Note::from_bytes(note).map_err(|_| Error::Checkpoint("it is no signed note"))?;
        let mut found = Vec::new();
        for key in &self.witnesses {
            if let Some(cosignature) = key.find(&note)? {
                found.push(Witnessed { witness: key.name().to_owned(), cosignature });
            }
        }
        Ok(found)
    }

    /// The same, when there are enough.
    ///
    /// # Errors
    /// [`Error::Quorum`] when there are not; as [`Self::find`].
    pub fn check(&self, note: &[u8]) -> Result<Vec<Witnessed>, Error> {
        let found = self.find(note)?;
        if found.len() < self.quorum {
            return Err(Error::Quorum { found: found.len(), needed: self.quorum });
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::cosignature::{Cosigner, cosigned};
    use super::*;
    use crate::crypto::SecretKey;

    const NOTE: &str = include_str!("../../tests/vectors/note/checkpoint");

    fn cosigner(name: &str, seed: u8) -> Cosigner {
        Cosigner::new(name, &SecretKey::from_bytes([seed; 32])).unwrap()
    }

    #[test]
    fn enough_distinct_witnesses_have_to_have_signed() {
        let witnesses = [1, 2, 3].map(|seed| cosigner(&format!("w{seed}"), seed));
        let keys: Vec<_> = witnesses.iter().map(|each| each.public().clone()).collect();
        let signed: Vec<_> = witnesses[..2]
            .iter()
            .map(|each| {
                let mut note = Note::from_bytes(NOTE.as_bytes()).unwrap();
                note.add_sigs(&[&each.at(9)]).unwrap();
                each.public().find(&note).unwrap().unwrap()
            })
            .collect();
        let twice: Vec<_> = signed.iter().chain(&signed).cloned().collect();
        let note = cosigned(NOTE.as_bytes(), &twice).unwrap();
        for (quorum, enough) in [(Some(1), true), (Some(2), true), (Some(3), false), (None, false)]
        {
            let policy = WitnessPolicy::new(keys.clone(), quorum).unwrap();
            assert_eq!(policy.check(&note).is_ok(), enough, "{quorum:?}");
            assert_eq!(policy.find(&note).unwrap().len(), 2);
        }
        let refused = WitnessPolicy::new(keys.clone(), None).unwrap().check(&note).unwrap_err();
        assert!(matches!(refused, Error::Quorum { found: 2, needed: 3 }));
        assert!(WitnessPolicy::default().check(&note).unwrap().is_empty());

        // One that is known and wrong makes the note a bad one, whoever else has signed it.
        let other = NOTE.replacen("\n7\n", "\n8\n", 1);
        let moved = cosigned(other.as_bytes(), &signed).unwrap();
        let policy = WitnessPolicy::new(keys, Some(1)).unwrap();
        assert!(matches!(policy.check(&moved), Err(Error::Checkpoint(_))));
        assert!(policy.check(b"x").is_err() && policy.check(&vec![b'x'; MAX_NOTE + 1]).is_err());
    }

    #[test]
    fn a_policy_that_asks_for_nothing_or_too_much_is_refused() {
        let keys = vec![cosigner("a", 1).public().clone(), cosigner("b", 2).public().clone()];
        assert!(WitnessPolicy::new(keys.clone(), Some(0)).is_err());
        assert!(WitnessPolicy::new(keys.clone(), Some(3)).is_err());
        let same = vec![cosigner("a", 1).public().clone(), cosigner("b", 1).public().clone()];
        assert!(WitnessPolicy::new(same, None).is_err(), "one key under two names is one witness");
        assert_eq!(WitnessPolicy::new(keys, None).unwrap().quorum(), 2);
    }
}
