//! The witness: whatever it is asked, of two trees that it signed one contains the other.

use std::path::Path;

use proptest::prelude::*;
use strongroom::audit::{AddCheckpoint, Error, Refusal, TreeName, Witness};

use crate::log::MadeLog;

fn open(folder: &Path, log: &MadeLog) -> Result<Witness, Error> {
    Witness::open(folder, None, None, &[log.log.verifier_key()])
}

/// A request that is right if `old` is what the witness has signed of this log.
fn request(log: &MadeLog, old: u64) -> Vec<u8> {
    let newest = log.log.head().size;
    let proved = log.log.prove_consistency(&TreeName::Size(old), &TreeName::Size(newest));
    let proof = proved.map_or_else(|_| Vec::new(), |proof| proof.hashes);
    AddCheckpoint { old, proof, checkpoint: log.checkpoint() }.encode()
}

#[test]
fn a_log_that_grows_is_signed_and_one_that_forks_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let honest = MadeLog::of(5);
    let witness = open(folder.path(), &honest).unwrap();
    let ask = |witness: &Witness, log: &MadeLog, old| witness.add_checkpoint(&request(log, old), 7);
    let line = String::from_utf8(ask(&witness, &honest, 0).unwrap()).unwrap();
    assert!(line.starts_with(&format!("— {} ", witness.key().name())), "{line}");
    assert!(matches!(ask(&witness, &honest, 0), Err(Refusal::Conflict { size: 5 })));
    ask(&witness, &honest, 5).unwrap();
    honest.grow("GenerateRandom", 9);
    assert!(matches!(ask(&witness, &honest, 4), Err(Refusal::Conflict { size: 5 })));
    ask(&witness, &honest, 5).unwrap();

    let forked = MadeLog::of(3);
    forked.grow("Decrypt", 9);
    assert!(matches!(ask(&witness, &forked, 9), Err(Refusal::Conflict { size: 9 })));
    forked.grow("Decrypt", 12);
    assert!(matches!(ask(&witness, &forked, 9), Err(Refusal::Inconsistent { old: 9, new: 12 })));
    let short = MadeLog::of(4);
    assert!(matches!(ask(&witness, &short, 9), Err(Refusal::Backwards)));
    assert!(matches!(ask(&witness, &short, 4), Err(Refusal::Conflict { size: 9 })));

    let stranger = MadeLog::signed_by([6; 32]);
    stranger.grow("GenerateRandom", 9);
    assert!(matches!(ask(&witness, &stranger, 9), Err(Refusal::Signature)));
    let vector = include_str!("../vectors/note/checkpoint");
    let unknown = format!("old 0\n\n{vector}");
    assert!(matches!(witness.add_checkpoint(unknown.as_bytes(), 7), Err(Refusal::UnknownLog)));
    let mut proved = AddCheckpoint::parse(&request(&honest, 9)).unwrap();
    proved.proof.push([0; 32]);
    let refused = witness.add_checkpoint(&proved.encode(), 7);
    assert!(matches!(refused, Err(Refusal::Inconsistent { .. })), "no hash too many");
}

#[test]
fn a_witness_is_the_same_after_a_restart_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let log = MadeLog::of(5);
    let witness = open(folder.path(), &log).unwrap();
    let key = witness.key().clone();
    witness.add_checkpoint(&request(&log, 0), 7).unwrap();
    let held = open(folder.path(), &log).unwrap_err().to_string();
    assert!(held.contains("in use"), "{held}");
    drop(witness);
    let again = open(folder.path(), &log).unwrap();
    assert_eq!(again.key(), &key);
    let conflict = again.add_checkpoint(&request(&log, 0), 7);
    assert!(matches!(conflict, Err(Refusal::Conflict { size: 5 })));
    drop(again);

    // Another name has another key, as what is signed does not say by whom.
    let named = Witness::open(folder.path(), None, Some("w.example"), &[]).unwrap();
    assert!(!named.key().is_same_key(&key));
    drop(named);
    let other = "00".repeat(32);
    let refused = Witness::open(folder.path(), Some((&other, "a test")), None, &[]).unwrap_err();
    assert!(refused.to_string().contains("does not match"), "{refused}");

    // What it has signed cannot be told any more, and is not guessed.
    let kept = std::fs::read_dir(folder.path().join("logs")).unwrap().next().unwrap().unwrap();
    let note = std::fs::read_to_string(kept.path()).unwrap();
    let body = note.split("\n\n").next().unwrap();
    let unsigned = format!("{body}\n\n{}\n", note.lines().nth(4).unwrap());
    for damaged in [note.replace("\n5\n", "\n4\n"), unsigned, String::new(), note.repeat(100)] {
        std::fs::write(kept.path(), damaged).unwrap();
        assert!(open(folder.path(), &log).is_err());
    }
    std::fs::write(kept.path(), &note).unwrap();
    open(folder.path(), &log).unwrap();
}

#[test]
fn what_cannot_be_kept_is_not_signed() {
    let folder = tempfile::tempdir().unwrap();
    let log = MadeLog::of(5);
    let witness = open(folder.path(), &log).unwrap();
    std::fs::remove_dir(folder.path().join("logs")).unwrap();
    let refused = witness.add_checkpoint(&request(&log, 0), 7);
    assert!(matches!(refused, Err(Refusal::Store(_))));
    std::fs::create_dir(folder.path().join("logs")).unwrap();
    let refused = witness.add_checkpoint(&request(&log, 0), 7);
    assert!(matches!(refused, Err(Refusal::Stopped)), "until it was started again");
}

#[test]
fn of_requests_at_once_one_is_signed_and_the_others_are_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let log = MadeLog::of(3);
    let witness = open(folder.path(), &log).unwrap();
    witness.add_checkpoint(&request(&log, 0), 7).unwrap();
    let sizes = [4, 9, 5, 7, 6, 8];
    let requests = sizes.map(|size| {
        let log = MadeLog::of(size);
        request(&log, 3)
    });
    let signed: usize = std::thread::scope(|scope| {
        let asked = requests.each_ref().map(|body| scope.spawn(|| witness.add_checkpoint(body, 7)));
        asked.map(|asked| usize::from(asked.join().unwrap().is_ok())).iter().sum()
    });
    assert_eq!(signed, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn of_two_signed_trees_one_contains_the_other(
        asked in prop::collection::vec((0_u64..2, 1_u64..12, 0_u64..12, any::<bool>()), 1..20),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let first = MadeLog::of(1);
        let mut witness = open(folder.path(), &first).unwrap();
        let mut last: Option<(u64, u64)> = None;
        for (branch, size, old, restart) in asked {
            let log = MadeLog::of(size.min(2));
            log.grow(if branch == 0 { "GenerateRandom" } else { "Decrypt" }, size);
            let signed = witness.add_checkpoint(&request(&log, old), 7).is_ok();
            // Of two branches the first two records are the same.
            let contained = last.is_none_or(|(on, before)| {
                before == old && old <= size && (on == branch || before <= 2)
            });
            let wanted = contained && (last.is_some() || old == 0);
            prop_assert_eq!(signed, wanted, "{:?} then {} {} {}", last, branch, size, old);
            if signed {
                last = Some((branch, size));
            }
            if restart {
                drop(witness);
                witness = open(folder.path(), &first).unwrap();
            }
        }
    }
}
