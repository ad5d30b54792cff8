//! The room as a whole, on a real store.

use std::sync::Arc;

use chrono::DateTime;
use proptest::prelude::*;
use tempfile::TempDir;

use super::event::tests::event;
use super::*;
use crate::crypto::{SecretKey, digest};
use crate::store::{Direction, Durability, Engine, Row, Space};

pub(super) struct Room {
    _folder: TempDir,
    engine: Arc<Engine>,
    pub(super) log: Log,
}

impl Room {
    pub(super) fn new() -> Self {
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
        self.append_events(numbers.map(event));
    }

    pub(super) fn append_events(&self, events: impl Iterator<Item = Event>) {
        let leaves = events.map(Event::into_leaf).collect();
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

#[test]
fn an_index_that_is_not_the_logs_is_noticed_and_made_anew() {
    let room = Room::with(700, &[7]);
    let query = Query { operation: Some("Decrypt".to_owned()), ..Query::default() };
    let expected = room.all(&query);
    let mark = Row { space: Space::Meta, key: b"index".to_vec(), value: None };
    let summary = room.rows(Space::Index).into_iter().nth(1).unwrap();
    let summary = Row { space: Space::Index, key: summary.0, value: None };
    for lost in [mark, summary] {
        room.engine.write(&[lost]).unwrap();
        let log = open(&room.engine).unwrap();
        let refused = log.query(&query).unwrap_err();
        assert!(matches!(refused, Error::Index(_)));
        assert!(refused.to_string().contains("strongroom audit reindex --data-dir"), "{refused}");
        assert!(log.index_fault().is_some());
        log.check_all().unwrap();
        let mut told = 0;
        assert_eq!(log.reindex(|done| told = done).unwrap().size, 700);
        assert_eq!(told, 700);
        let again =
            Room { _folder: tempfile::tempdir().unwrap(), engine: Arc::clone(&room.engine), log };
        assert_eq!(again.all(&query), expected);
    }
}

#[test]
fn any_row_of_the_index_that_is_missing_altered_or_added_is_noticed() {
    let room = Room::with(600, &[11]);
    let checked = || {
        let log = open(&room.engine).unwrap();
        log.check_index().unwrap();
        log.query(&Query::default()).map(|_| ())
    };
    checked().unwrap();
    let rows = room.rows(Space::Index);
    assert!(rows.len() > 512);
    let write = |key: &[u8], value: Option<Vec<u8>>| {
        room.engine.write(&[Row { space: Space::Index, key: key.to_vec(), value }]).unwrap();
    };
    for (key, value) in rows.iter().step_by(29).chain(rows.first()) {
        write(key, None);
        assert!(matches!(checked(), Err(Error::Index(_))), "{key:?} is missing");
        let mut altered = value.clone();
        *altered.last_mut().unwrap() ^= 1;
        write(key, Some(altered));
        assert!(matches!(checked(), Err(Error::Index(_))), "{key:?} is altered");
        write(key, Some(value.clone()));
    }
    write(&[b'k'; 17], Some(vec![1]));
    assert!(matches!(checked(), Err(Error::Index(_))));
}

#[test]
fn a_rebuilt_index_is_what_the_commits_wrote() {
    let room = Room::with(1000, &[1, 256, 300, 7]);
    let written = room.rows(Space::Index);
    room.log.reindex(|_| {}).unwrap();
    assert_eq!(room.rows(Space::Index), written);
    room.append(1000..1100);
    let grown = room.rows(Space::Index);
    assert!(grown.len() > written.len());
    open(&room.engine).unwrap().reindex(|_| {}).unwrap();
    assert_eq!(room.rows(Space::Index), grown);
}

#[test]
fn records_are_found_by_their_time_although_the_clock_went_back() {
    let room = Room::new();
    // Ten minutes forwards, an hour back, and on; a second each.
    let second = |number: i64| match number {
        0..600 => 7200 + number,
        _ => 3000 + number,
    };
    let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
    for group in 0..40 {
        room.append_events((group * 50..group * 50 + 50).map(|number| Event {
            time: at(second(number)),
            ..event(u32::try_from(number).unwrap())
        }));
    }
    for (start, end) in
        [(7300, 7310), (3700, 3710), (4990, 7205), (0, 3601), (4999, 9000), (7799, 7801)]
    {
        let query =
            Query { start_time: Some(at(start)), end_time: Some(at(end)), ..Query::default() };
        let expected = (0..2000).filter(|number| (start..end).contains(&second(*number)));
        let expected: Vec<u64> = expected.map(|number| u64::try_from(number).unwrap()).collect();
        let oldest = Query { order: Order::OldestFirst, ..query.clone() };
        assert_eq!(room.all(&oldest), expected, "{start}..{end}");
        assert_eq!(room.all(&query), expected.into_iter().rev().collect::<Vec<_>>());
    }
}

#[test]
fn an_alias_finds_what_was_done_with_the_key_that_it_named_then() {
    let key = |id: u8| Some(format!("arn:aws:kms:eu-west-1:111122223333:key/{id}"));
    let call = |operation: &str, id: u8, named: &str| {
        let mut event = Event::new(DateTime::default(), "", operation, "");
        (event.region, event.account) = ("eu-west-1".to_owned(), "111122223333".to_owned());
        (event.outcome, event.key) = (Outcome::Success, key(id));
        if !named.is_empty() {
            let name = if operation.ends_with("Alias") { "alias_name" } else { "key_id" };
            event.parameters.insert(name.to_owned(), named.into());
        }
        event
    };
    let failed = |mut event: Event| {
        event.outcome = Outcome::Failed;
        event
    };
    let events = [
        call("Decrypt", 1, ""),
        call("CreateAlias", 1, "alias/a"),
        call("Decrypt", 1, ""),
        call("Encrypt", 1, "alias/a"),
        failed(call("UpdateAlias", 2, "alias/a")),
        call("Decrypt", 2, ""),
        call("UpdateAlias", 2, "alias/a"),
        call("Decrypt", 1, ""),
        call("Decrypt", 2, ""),
        call("CreateAlias", 1, "alias/b"),
        call("DeleteAlias", 2, "alias/a"),
        call("Decrypt", 2, ""),
        Event { key: None, ..failed(call("Encrypt", 0, "alias/a")) },
    ];
    let room = Room::new();
    events.iter().for_each(|event| room.append_events(std::iter::once(event.clone())));
    let expected = [1, 2, 3, 4, 6, 8, 10, 12];
    let arn = "arn:aws:kms:eu-west-1:111122223333:alias/a";
    for named in ["alias/a", arn] {
        let query = Query {
            key: Some(named.to_owned()),
            order: Order::OldestFirst,
            limit: Some(3),
            ..Query::default()
        };
        assert_eq!(room.all(&query), expected, "{named}");
        // A follower that began before any of it learns as it goes.
        let mut filter = Room::new().log.filter(&query).unwrap();
        let records = room.log.read(0, 100).unwrap().into_iter();
        let followed = records.filter(|record| {
            filter.observe(record);
            filter.matches(record.index, &record.event)
        });
        assert_eq!(followed.map(|record| record.index).collect::<Vec<_>>(), expected);
    }
    let other = "arn:aws:kms:eu-west-1:999999999999:alias/a".to_owned();
    assert!(room.all(&Query { key: Some(other), ..Query::default() }).is_empty());
    let resource = Query { resource: Some(arn.to_owned()), ..Query::default() };
    assert_eq!(room.all(&resource), [12, 10, 6, 4, 3, 1]);
}

/// Some of everything that is indexed, rare and common, more than a block of it.
fn varied(number: u32) -> Event {
    let mut event = event(number);
    event.source = ["127.0.0.1", "::1"][usize::from(number.is_multiple_of(97))].to_owned();
    event.account = format!("{:012}", number % 3);
    if number.is_multiple_of(4) {
        event.access_key_id = Some(format!("AKIA{}", number % 8));
    }
    if number.is_multiple_of(50) {
        let arn = format!("arn:aws:iam::111122223333:role/{}", number % 100);
        event.parameters.insert("role_arn".to_owned(), arn.into());
    }
    if number.is_multiple_of(61) {
        event.parameters.insert("key_id".to_owned(), "alias/app".into());
    }
    if number.is_multiple_of(13) {
        event.context.extend((0..20).map(|i| (format!("many{i}"), i.to_string())));
    }
    event
}

fn some<T: Clone + std::fmt::Debug + 'static>(
    values: &[T],
) -> impl Strategy<Value = Option<T>> + use<T> {
    prop::option::weighted(0.25, prop::sample::select(values.to_vec()))
}

fn texts(values: &[&str]) -> impl Strategy<Value = Option<String>> + use<> {
    let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
    some(&values)
}

prop_compose! {
    fn whos()(
        principal in texts(&["arn:aws:iam::000000000001:root", "x"]),
        account in texts(&["000000000000", "000000000002"]),
        access_key_id in texts(&["AKIA0", "AKIA4"]),
        source in texts(&["127.0.0.1", "::1"]),
    ) -> Query {
        Query { principal, account, access_key_id, source, ..Query::default() }
    }
}

prop_compose! {
    fn whats()(
        key in texts(&[
            "00000000-0000-4000-8000-000000000001",
            "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000002",
            "alias/app",
            "none",
        ]),
        resource in texts(&[
            "arn:aws:iam::111122223333:role/50",
            "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000003",
        ]),
        operation in texts(&["Decrypt", "ListKeys"]),
        outcome in texts(&["success", "failed", "refused"]),
        error_code in texts(&["DisabledException"]),
        pairs in prop::sample::subsequence(vec![("n", "3"), ("many7", "7"), ("many7", "8")], 0..2),
        request in some(&[17_u32, 400, 900]),
    ) -> Query {
        let context = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Query {
            key, resource, operation, outcome, error_code, context: context.collect(),
            request_id: request.map(|number| event(number).request_id),
            ..Query::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_query_finds_what_a_plain_filter_finds(
        who in whos(),
        what in whats(),
        start_index in some(&[0_u64, 30, 119, 256, 500]),
        end_index in some(&[501_u64, 512, 7000]),
        times in some(&[(10_i64, 90_i64), (0, 1), (300, 640)]),
        order in prop::sample::select(vec![Order::NewestFirst, Order::OldestFirst]),
        limit in some(&[1, 7, 1000]),
    ) {
        thread_local! {
            static ROOM: Room = {
                let room = Room::new();
                let mut next = 0;
                for group in [1, 13, 5, 200, 70].into_iter().cycle() {
                    let end = (next + group).min(650);
                    room.append_events((next..end).map(varied));
                    next = end;
                    if next == 650 {
                        break;
                    }
                }
                room
            };
        }
        let time = |micros| DateTime::from_timestamp_micros(1_800_000_000_000_000 + micros);
        let query = Query {
            start_time: times.and_then(|(start, _)| time(start)),
            end_time: times.and_then(|(_, end)| time(end)),
            start_index, end_index, order, limit,
            principal: who.principal, account: who.account, access_key_id: who.access_key_id,
            source: who.source,
            ..what
        };
        ROOM.with(|room| {
            let filter = room.log.filter(&query).unwrap();
            let numbers = (0..650).filter(|number| filter.matches(u64::from(*number), &varied(*number)));
            let mut expected: Vec<u64> = numbers.map(u64::from).collect();
            if order == Order::NewestFirst {
                expected.reverse();
            }
            prop_assert_eq!(room.all(&query), expected);
            Ok(())
        })?;
    }
}
