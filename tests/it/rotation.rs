//! The log's key is rotated: at the room, on the store, by what is handed to others.

use std::sync::Arc;

use chrono::DateTime;
use strongroom::Strongroom;
use strongroom::audit::{
    Checkpoint, Error, Event, HandOver, Leaf, Log, LogChange, LogKeys, LogSigner, Outcome,
    ROTATE_LOG_KEY, SUCCESSOR,
};
use strongroom::crypto::SecretKey;
use strongroom::kms::CreateKey;
use strongroom::service::{ListLogKeys, RotateLogKey};
use strongroom::store::{Durability, Engine};

use crate::log::{MadeLog, ORIGIN, leaf};
use crate::server::runtime;

fn signer(seed: u8) -> LogSigner {
    LogSigner::new(ORIGIN, &SecretKey::from_bytes([seed; 32])).unwrap()
}

/// A crash may come before the batch is written, and then nothing happened, or after it, and then all did.
#[test]
fn a_rotation_is_whole_or_did_not_happen() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Arc::new(Engine::open(folder.path(), Durability::Memory).unwrap());
    let open = |seeds: &[u8]| {
        let successors = seeds[1..].iter().map(|seed| signer(*seed)).collect();
        Log::open_with(Arc::clone(&engine), signer(seeds[0]), successors)
    };
    let grow = |log: &Log, number: u64, successor: Option<u8>| {
        let leaf = leaf("GenerateRandom", number);
        let leaf = leaf.changing(successor.map(|seed| LogChange::HandOver(Arc::new(signer(seed)))));
        log.extend(vec![leaf]).unwrap()
    };
    let log = open(&[1]).unwrap();
    let first = grow(&log, 0, None);
    engine.write(&first.rows).unwrap();
    log.publish(&first);
    let lost = grow(&log, 1, Some(2));
    drop(log);
    // Neither written nor published: as if it had not been.
    let log = open(&[1]).unwrap();
    assert_eq!((log.head().size, log.keys().count()), (1, 1));
    let rotated = grow(&log, 1, Some(2));
    assert_eq!(rotated.checkpoint, lost.checkpoint, "the same tree, by the same keys");
    engine.write(&rotated.rows).unwrap();
    drop(log);
    // Written and not published: the next start has both keys, or refuses.
    assert!(matches!(open(&[1]), Err(Error::Damaged(_))), "its key was taken out");
    assert!(open(&[1, 3]).is_err(), "that is not the key that signed");
    assert!(open(&[2]).is_err());
    let log = open(&[1, 2]).unwrap();
    assert_eq!(log.verifier_key(), signer(2).verifier_key());
    log.contains(&first.checkpoint).unwrap();
    log.contains(&rotated.checkpoint).unwrap();
    let next = grow(&log, 2, None);
    engine.write(&next.rows).unwrap();
    log.publish(&next);
    // Each key opens what it has signed, and both the hand-over.
    let [old, new] = [1, 2].map(|seed| signer(seed).verifier_key());
    let opens = |note: &[u8]| [&old, &new].map(|key| Checkpoint::open(note, key).is_ok());
    assert_eq!(opens(&first.checkpoint), [true, false]);
    assert_eq!(opens(&rotated.checkpoint), [true, true]);
    assert_eq!(opens(&next.checkpoint), [false, true]);
    assert!(matches!(open(&[1, 2, 4]), Err(Error::Damaged(_))), "no hand-over to that one");
    open(&[1, 2]).unwrap().check_all().unwrap();
}

/// What a real service hands out of two rotations.
fn rotated() -> (Vec<String>, Vec<HandOver>, Vec<Vec<u8>>) {
    runtime().block_on(async {
        let room = Strongroom::builder().ephemeral().build().unwrap();
        let mut keys = vec![room.service().verifier_key()];
        let mut checkpoints = Vec::new();
        for _ in 0..2 {
            room.call(CreateKey::default()).await.unwrap();
            checkpoints.push(room.service().log_head().checkpoint.clone());
            keys.push(room.call(RotateLogKey).await.unwrap());
            checkpoints.push(room.service().log_head().checkpoint.clone());
        }
        room.call(CreateKey::default()).await.unwrap();
        checkpoints.push(room.service().log_head().checkpoint.clone());
        let history = room.call(ListLogKeys).await.unwrap();
        assert!(history.keys.all().eq(keys.iter().map(String::as_str)));
        (keys, history.hand_overs, checkpoints)
    })
}

#[test]
fn whoever_trusts_a_key_can_trust_its_successors() {
    let (keys, hand_overs, checkpoints) = rotated();
    let file: Vec<u8> = hand_overs.iter().flat_map(HandOver::encode).collect();
    assert_eq!(HandOver::parse_all(&file).unwrap(), hand_overs);
    for (place, key) in keys.iter().enumerate() {
        let known = LogKeys::follow(key, &hand_overs).unwrap();
        assert_eq!((known.count(), known.current()), (3 - place, keys[2].as_str()));
        // Before a key's own hand-over there is nothing that it could open.
        let opened: Vec<_> = checkpoints.iter().map(|note| known.open(note).is_ok()).collect();
        let from = [0, 1, 3][place];
        assert_eq!(opened, (0..5).map(|note| note >= from).collect::<Vec<_>>(), "key {place}");
    }
    // Out of order, and one left out.
    let turned: Vec<_> = hand_overs.iter().rev().cloned().collect();
    assert!(LogKeys::follow(&keys[0], &turned).is_err());
    assert!(LogKeys::follow(&keys[0], &hand_overs[1..]).is_err());
}

/// A record by which the log says that it is handed over, in a log that does it.
fn rotating(number: u64, successor: u8) -> Leaf {
    let time = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let id = format!("00000000-0000-4000-8000-{number:012}");
    let mut event = Event::new(time, &id, ROTATE_LOG_KEY, "strongroom:RotateLogKey");
    event.outcome = Outcome::Success;
    let named = signer(successor).verifier_key().into();
    event.parameters.insert(SUCCESSOR.to_owned(), named);
    event.into_leaf().changing(Some(LogChange::HandOver(Arc::new(signer(successor)))))
}

#[test]
fn a_key_whose_turn_is_over_is_not_believed_about_larger_trees() {
    let made = MadeLog::signed_by([1; 32]);
    made.grow("GenerateRandom", 1);
    made.append(rotating(1, 2));
    made.grow("GenerateRandom", 4);
    let key = signer(1).verifier_key();
    let hand_overs = made.log.hand_overs().unwrap();
    let mut known = LogKeys::follow(&key, &hand_overs).unwrap();
    known.open(&made.checkpoint()).unwrap();
    // Somebody has found the first key's seed, and goes on from where it was.
    let thief = MadeLog::signed_by([1; 32]);
    thief.grow("GenerateRandom", 5);
    assert_eq!(LogKeys::new(&key).open(&thief.checkpoint()).unwrap().size, 5);
    let refused = known.open(&thief.checkpoint()).unwrap_err().to_string();
    assert!(refused.contains("whose turn it was not"), "{refused}");
    // Nor may it choose another successor.
    thief.append(rotating(5, 3));
    let stolen = thief.log.hand_overs().unwrap();
    LogKeys::new(&key).accept(&stolen[0]).unwrap();
    assert!(known.accept(&stolen[0]).is_err());
    assert_eq!(known.current(), signer(2).verifier_key());
}

#[test]
fn a_record_that_names_no_key_hands_nothing_over() {
    let made = MadeLog::signed_by([1; 32]);
    // Both keys have signed the checkpoint, and the record is of another operation.
    made.append(leaf("GenerateRandom", 0).changing(Some(LogChange::HandOver(Arc::new(signer(2))))));
    let hand_overs = made.log.hand_overs().unwrap();
    let refused = LogKeys::follow(&signer(1).verifier_key(), &hand_overs);
    assert!(matches!(refused, Err(Error::HandOver(_))));
    // The record names one key, and another one has signed.
    let made = MadeLog::signed_by([1; 32]);
    made.append(rotating(0, 2).changing(Some(LogChange::HandOver(Arc::new(signer(3))))));
    let hand_overs = made.log.hand_overs().unwrap();
    let refused = LogKeys::follow(&signer(1).verifier_key(), &hand_overs);
    assert!(matches!(refused, Err(Error::HandOver(_))));
}

#[test]
fn no_altered_hand_over_is_accepted() {
    let (keys, hand_overs, _) = rotated();
    let good = hand_overs[0].encode();
    LogKeys::new(&keys[0]).accept(&HandOver::parse(&good).unwrap()).unwrap();
    for place in (0..good.len()).step_by(3) {
        let mut altered = good.clone();
        altered[place] ^= 1;
        let accepted = |bytes: &[u8]| {
            HandOver::parse(bytes).is_ok_and(|it| LogKeys::new(&keys[0]).accept(&it).is_ok())
        };
        assert!(!accepted(&altered), "byte {place}");
        assert!(!accepted(&good[..place]));
    }
    let mut other = hand_overs[0].clone();
    other.proof.checkpoint.clone_from(&hand_overs[1].proof.checkpoint);
    assert!(LogKeys::new(&keys[0]).accept(&other).is_err());
}
