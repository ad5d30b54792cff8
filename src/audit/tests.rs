//! The room as a whole, on a real store.

use std::sync::Arc;

use chrono::DateTime;
use proptest::prelude::*;
use tempfile::TempDir;

use super::event::tests::event;
use super::*;
use crate::crypto::{SecretKey, digest};
use crate::store::{Direction, Durability, Engine, Row, Space};

struct Room {
    _folder: TempDir,
    engine: Arc<Engine>,
    log: Log,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Arc::new(Engine::open(folder.path(), Durability::Memory).unwrap());
        let log = open(&engine).unwrap();
        Self { _folder: folder, engine, log }
    }

    /// Events `from..to` in groups of the sizes given, in turn.
    fn with(events: u32, groups: &[u32]) -> Self {
        let room = Self::new();
        let (mut next, mut turn) = (0, 0);
        while next < events {
            let end = events.min(next + groups[turn % groups.len()]);
            room.append(next..end);
            (next, turn) = (end, turn + 1);
        }
        room
    }

    fn append(&self, numbers: std::ops::Range<u32>) {
        let leaves = numbers.map(|number| event(number).into_leaf()).collect();
        let extension = self.log.extend(leaves).unwrap();
        self.engine.write(&extension.rows).unwrap();
        self.log.publish(&extension);
    }

    fn rows(&self, space: Space) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.engine.scan(space, &[], None, Direction::Ascending).map(Result::unwrap).collect()
    }

    fn all(&self, query: &Query) -> Vec<u64> {
        let (mut found, mut query) = (Vec::new(), query.clone());
        loop {
            let page = self.log.query(&query).unwrap();
            found.extend(page.records.iter().map(|record| record.index));
            query.page_token = page.next;
            if query.page_token.is_none() {
                return found;
            }
        }
    }
}

fn open(engine: &Arc<Engine>) -> Result<Log, Error> {
    let signer = LogSigner::new("test.example/log", &SecretKey::from_bytes([5; 32])).unwrap();
    Log::open(Arc::clone(engine), signer)
}

/// RFC 6962, 2.1, word for word.
fn naive_root(leaves: &[Vec<u8>]) -> [u8; 32] {
    match leaves {
        [] => digest::sha256(&[]),
        [leaf] => digest::sha256(&[&[0], leaf]),
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(split);
            digest::sha256(&[&[1], &naive_root(left), &naive_root(right)])
        }
    }
}

#[test]
fn the_root_is_that_of_the_specification_for_every_size() {
    let room = Room::new();
    let mut leaves = Vec::new();
    for number in 0..300 {
        room.append(number..number + 1);
        leaves.push(event(number).into_leaf().bytes);
        assert_eq!(room.log.head().root, naive_root(&leaves), "size {}", number + 1);
    }
    room.log.check_all().unwrap();
}

#[test]
fn groups_of_any_size_give_the_same_log_and_it_opens_again() {
    let one = Room::with(500, &[1]);
    let many = Room::with(500, &[7, 256, 1, 31]);
    assert_eq!(one.log.head(), many.log.head());
    for room in [&one, &many] {
        let again = open(&room.engine).unwrap();
        assert_eq!(again.head(), room.log.head());
        again.check_all().unwrap();
        let records = again.read(490, 100).unwrap();
        assert_eq!(records.len(), 10);
        assert_eq!((records[0].index, &records[0].event), (490, &event(490)));
    }
    assert!(many.rows(Space::Leaf).len() < 100, "entries lie in bundles");
}

#[test]
fn a_log_that_lost_its_tail_does_not_contain_its_anchor() {
    let room = Room::with(100, &[10]);
    let old = room.log.head().checkpoint.clone();
    let longer = Room::with(200, &[10]);
    longer.log.contains(&old).unwrap();
    let newer = longer.log.head().checkpoint.clone();
    let refused = room.log.contains(&newer).unwrap_err().to_string();
    assert!(refused.contains("records 100..200 are missing"), "{refused}");
    let other = Room::new();
    other.append(1..101);
    other.append(0..1);
    assert!(other.log.contains(&old).unwrap_err().to_string().contains("not those"));
}

#[test]
fn any_altered_row_of_the_log_is_noticed() {
    let room = Room::with(40, &[3]);
    for space in [Space::Leaf, Space::Hash] {
        for (key, value) in room.rows(space) {
            for place in [0, 1, value.len() / 2, value.len() - 1] {
                let mut altered = value.clone();
                altered[place] ^= 4;
                let write = |value: &[u8]| {
                    let row = Row { space, key: key.clone(), value: Some(value.to_vec()) };
                    room.engine.write(&[row]).unwrap();
                };
                write(&altered);
                assert!(room.log.check_all().is_err(), "{space:?} {key:?} byte {place}");
                write(&value);
            }
            room.engine.write(&[Row { space, key: key.clone(), value: None }]).unwrap();
            let refused = room.log.check_all().unwrap_err().to_string();
            assert!(refused.contains("is missing"), "{refused}");
            let value = Some(value);
            room.engine.write(&[Row { space, key, value }]).unwrap();
        }
    }
    room.log.check_all().unwrap();
}

#[test]
fn a_log_without_its_last_bundle_or_checkpoint_does_not_open() {
    let room = Room::with(30, &[4]);
    let (key, value) = room.rows(Space::Leaf).pop().unwrap();
    let row = |value| Row { space: Space::Leaf, key: key.clone(), value };
    room.engine.write(&[row(None)]).unwrap();
    let refused = open(&room.engine).unwrap_err().to_string();
    assert!(refused.contains("records 28..30 are missing"), "{refused}");
    room.engine.write(&[row(Some(value))]).unwrap();
    open(&room.engine).unwrap();
    let key = b"checkpoint".to_vec();
    room.engine.write(&[Row { space: Space::Meta, key, value: None }]).unwrap();
    assert!(open(&room.engine).is_err());
}

#[test]
fn a_page_token_belongs_to_its_query() {
    let room = Room::with(50, &[5]);
    let query = Query { limit: Some(10), ..Query::default() };
    let token = room.log.query(&query).unwrap().next;
    assert!(token.is_some());
    let other = Query { operation: Some("Decrypt".to_owned()), page_token: token.clone(), ..query };
    assert!(matches!(room.log.query(&other), Err(Error::PageToken)));
    let turned = Query { order: Order::OldestFirst, page_token: token, ..Query::default() };
    assert!(matches!(room.log.query(&turned), Err(Error::PageToken)));
    for limit in [0, -1, 1001] {
        let query = Query { limit: Some(limit), ..Query::default() };
        assert!(matches!(room.log.query(&query), Err(Error::Query(_))));
    }
}

#[test]
fn pages_stay_what_they_were_while_the_log_grows() {
    let room = Room::with(50, &[5]);
    let query = Query { limit: Some(10), ..Query::default() };
    let first = room.log.query(&query).unwrap();
    room.append(50..60);
    let next = room.log.query(&Query { page_token: first.next, ..query }).unwrap();
    let found: Vec<_> = next.records.iter().map(|record| record.index).collect();
    assert_eq!(found, (30..40).rev().collect::<Vec<_>>());
}

fn some<T: Clone + std::fmt::Debug + 'static>(values: Vec<T>) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.3, prop::sample::select(values))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_query_finds_what_a_plain_filter_finds(
        key in some(vec!["00000000-0000-4000-8000-000000000001".to_owned(),
            "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000002".to_owned(),
            "none".to_owned()]),
        principal in some(vec!["arn:aws:iam::000000000001:root".to_owned(), "x".to_owned()]),
        operation in some(vec!["Decrypt".to_owned(), "ListKeys".to_owned()]),
        outcome in some(vec!["success".to_owned(), "failed".to_owned(), "refused".to_owned()]),
        error_code in some(vec!["DisabledException".to_owned()]),
        number in some(vec!["3".to_owned()]),
        request in some(vec![17_u32, 400]),
        start_index in some(vec![0_u64, 30, 119, 500]),
        end_index in some(vec![501_u64, 700]),
        times in some(vec![(10_i64, 90_i64), (0, 1)]),
        order in prop::sample::select(vec![Order::NewestFirst, Order::OldestFirst]),
        limit in some(vec![1, 7, 1000]),
    ) {
        thread_local! {
            static ROOM: Room = Room::with(120, &[1, 13, 5]);
        }
        let time = |micros| DateTime::from_timestamp_micros(1_800_000_000_000_000 + micros);
        let query = Query {
            start_time: times.and_then(|(start, _)| time(start)),
            end_time: times.and_then(|(_, end)| time(end)),
            key, principal, operation, outcome, error_code,
            context: number.map(|value| ("n".to_owned(), value)).into_iter().collect(),
            request_id: request.map(|number| event(number).request_id),
            start_index, end_index, order, limit, page_token: None,
        };
        let range = start_index.unwrap_or(0)..end_index.unwrap_or(u64::MAX);
        let mut expected: Vec<u64> = (0..120)
            .filter(|number| query.matches(&event(*number)) && range.contains(&u64::from(*number)))
            .map(u64::from)
            .collect();
        if order == Order::NewestFirst {
            expected.reverse();
        }
        prop_assert_eq!(ROOM.with(|room| room.all(&query)), expected);
    }
}
