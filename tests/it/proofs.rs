//! Proofs of records and of older trees, beside an implementation that shares no code with ours.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proptest::prelude::*;
use sha2::Sha256;
use strongroom::audit::{Error, ProofFile, TreeName};

use crate::log::{MadeLog, leaf};

type Root = RootHash<Sha256>;

/// The records as the other implementation has them.
struct Second(Vec<Root>, Vec<Vec<u8>>);

impl Second {
    /// The roots of every tree up to a size.
    fn of(size: u64) -> Self {
        let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        let mut roots = vec![tree.root()];
        for number in 0..size {
            tree.push(leaf("GenerateRandom", number).bytes);
            roots.push(tree.root());
        }
        Self(roots, tree.items().to_vec())
    }

    fn root(&self, size: u64) -> &Root {
        &self.0[usize::try_from(size).unwrap()]
    }

    /// Both implementations' word on a record.
    fn agrees_on_inclusion(&self, made: &MadeLog, index: u64, size: u64) -> bool {
        let proof = made.log.prove_inclusion(index, Some(size)).unwrap();
        let second = InclusionProof::<Sha256>::try_from_bytes(proof.hashes.concat()).unwrap();
        let entry = &self.1[usize::try_from(index).unwrap()];
        proof.root == self.root(size).as_bytes().as_slice()
            && self.root(size).verify_inclusion(entry, index, &second).is_ok()
    }

    fn agrees_on_consistency(&self, made: &MadeLog, old: u64, new: u64) -> bool {
        let (old, new) = (TreeName::Size(old), TreeName::Size(new));
        let proof = made.log.prove_consistency(&old, &new).unwrap();
        proof.check().unwrap();
        let (old, new) = (self.root(proof.old.size), self.root(proof.new.size));
        let second = ConsistencyProof::<Sha256>::try_from_bytes(proof.hashes.concat()).unwrap();
        proof.old.root == old.as_bytes().as_slice()
            && proof.new.root == new.as_bytes().as_slice()
            && new.verify_consistency(old, &second).is_ok()
    }
}

#[test]
fn every_record_of_every_tree_is_proved_as_another_implementation_wants_it() {
    let (made, second) = (MadeLog::of(131), Second::of(131));
    for size in 1..=131 {
        for index in 0..size {
            assert!(second.agrees_on_inclusion(&made, index, size), "{index} in {size}");
        }
        for old in 1..=size {
            assert!(second.agrees_on_consistency(&made, old, size), "{old} to {size}");
        }
    }
}

#[test]
fn so_are_records_and_trees_of_a_larger_log() {
    const SIZE: u64 = 5000;
    let (made, second) = (MadeLog::of(SIZE), Second::of(SIZE));
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let of_two = (1..=SIZE).prop_flat_map(|size| (0..size, Just(size)));
    runner
        .run(&of_two, |(index, size)| {
            prop_assert!(second.agrees_on_inclusion(&made, index, size));
            prop_assert!(second.agrees_on_consistency(&made, index + 1, size));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_file_proves_one_record_with_the_public_key_alone() {
    let made = MadeLog::of(300);
    let verifier = made.log.verifier_key();
    for index in [0, 1, 255, 256, 299] {
        let bytes = made.log.proof_file(index).unwrap().encode();
        let proof = ProofFile::parse(&bytes).unwrap();
        let entry = made.log.entry(index).unwrap();
        assert_eq!(proof.verify(&entry, &verifier).unwrap().size, 300);
        // Another record, another number, another hash, another key.
        let other = made.log.entry((index + 1) % 300).unwrap();
        assert!(matches!(proof.verify(&other, &verifier), Err(Error::Proof(_))));
        let renumbered = ProofFile { index: (index + 1) % 300, ..proof.clone() };
        assert!(matches!(renumbered.verify(&entry, &verifier), Err(Error::Proof(_))));
        let beyond = ProofFile { index: 300, ..proof.clone() };
        assert!(matches!(beyond.verify(&entry, &verifier), Err(Error::NoRecord { .. })));
        let mut altered = proof.clone();
        altered.hashes[0][0] ^= 1;
        assert!(matches!(altered.verify(&entry, &verifier), Err(Error::Proof(_))));
        let shorter = ProofFile { hashes: proof.hashes[1..].to_vec(), ..proof.clone() };
        assert!(matches!(shorter.verify(&entry, &verifier), Err(Error::Proof(_))));
        let stranger = MadeLog::signed_by([6; 32]).log.verifier_key();
        assert!(matches!(proof.verify(&entry, &stranger), Err(Error::Checkpoint(_))));
    }
}

#[test]
fn what_cannot_be_proved_is_refused_by_name() {
    let made = MadeLog::of(40);
    let log = &made.log;
    let inclusion = |index, size| log.prove_inclusion(index, size).unwrap_err();
    assert!(matches!(inclusion(40, None), Error::NoRecord { index: 40, size: 40 }));
    assert!(matches!(inclusion(u64::MAX, None), Error::NoRecord { .. }));
    assert!(matches!(inclusion(7, Some(7)), Error::NoRecord { index: 7, size: 7 }));
    assert!(matches!(inclusion(0, Some(0)), Error::NoRecord { index: 0, size: 0 }));
    assert!(matches!(inclusion(0, Some(41)), Error::NoTree { asked: 41, size: 40 }));
    assert!(matches!(inclusion(0, Some(u64::MAX)), Error::NoTree { .. }));

    let between = |old: u64, new: u64| {
        log.prove_consistency(&TreeName::Size(old), &TreeName::Size(new)).unwrap_err()
    };
    assert!(matches!(between(0, 40), Error::EmptyTree));
    assert!(matches!(between(0, 0), Error::EmptyTree));
    assert!(matches!(between(30, 20), Error::Backwards { old: 30, new: 20 }));
    assert!(matches!(between(30, 0), Error::Backwards { .. }));
    assert!(matches!(between(20, 41), Error::NoTree { asked: 41, .. }));
    assert!(matches!(between(41, 40), Error::NoTree { asked: 41, .. }));
    assert!(matches!(MadeLog::new().log.prove_inclusion(0, None), Err(Error::NoRecord { .. })));
}

#[test]
fn a_checkpoint_has_to_be_the_logs_own_and_of_what_is_in_it() {
    let made = MadeLog::of(40);
    let after = |note: &[u8]| {
        let old = TreeName::Checkpoint(note.to_vec());
        made.log.prove_consistency(&old, &TreeName::Size(40)).map(|proof| proof.old.size)
    };
    let refused = |note: &[u8]| match after(note) {
        Err(Error::Checkpoint(why)) => why,
        other => panic!("{other:?}"),
    };
    let older = MadeLog::of(25).checkpoint();
    assert_eq!(after(&older).unwrap(), 25);

    // A longer log of the same key, and one that has other records.
    let ahead = MadeLog::of(41).checkpoint();
    assert!(matches!(after(&ahead), Err(Error::Rollback { size: 40, older: 41 })));
    let fork = MadeLog::of(10);
    fork.grow("GenerateMac", 40);
    assert!(matches!(after(&fork.checkpoint()), Err(Error::Fork { size: 40 })));

    let text = String::from_utf8(older).unwrap();
    let (body, signature) = text.split_once("\n\n").unwrap();
    let other_origin = text.replace("test.example/log\n", "other.example/log\n");
    assert_eq!(refused(other_origin.as_bytes()), "it is another log's");
    assert_eq!(refused(format!("{body}\n").as_bytes()), "it is no signed note");
    assert_eq!(refused(format!("{body}\n\n").as_bytes()), "it is no signed note");
    let resized = text.replace("\n25\n", "\n24\n");
    assert_eq!(refused(resized.as_bytes()), "its signature is wrong");
    let stranger = MadeLog::signed_by([6; 32]);
    stranger.grow("GenerateRandom", 25);
    let unknown = stranger.checkpoint();
    assert_eq!(refused(&unknown), "it is not signed by the log's key");
    // One of ours beside one that nobody knows is one of ours.
    let unknown = String::from_utf8(unknown).unwrap();
    let both = format!("{body}\n\n{}{signature}", unknown.split_once("\n\n").unwrap().1);
    assert_eq!(after(both.as_bytes()).unwrap(), 25);
    assert_eq!(refused(&vec![b'x'; 100_000]), "it is too long");
}
