//! The room as a whole: operations against memory, with a commit that always succeeds.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

mod import;
mod multi_region;

use super::*;
use crate::crypto::{Plaintext, SecretKey};
use crate::store::{Applied, Revision, RowId};

/// A directory, a clock, and the commit in its simplest form.
struct Room {
    directory: Directory,
    scope: Scope,
    now: DateTime<Utc>,
    rows: HashMap<RowId, (Revision, Option<Vec<u8>>)>,
}

impl Room {
    fn new() -> Self {
        Self {
            directory: Directory::new(SecretKey::from_bytes([9; 32])),
            scope: Scope::new("111122223333", "us-east-1").unwrap(),
            now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            rows: HashMap::new(),
        }
    }

    fn run<R: Request>(
        &mut self,
        operation: impl Fn(&Directory, &Call<'_>, &R) -> Result<Done<R::Output>, Error>,
        request: &R,
    ) -> Result<R::Output, Error> {
        if let Some(message) = request.violations().message() {
            return Err(Error::Validation(message)); // as the walk does
        }
        let call = Call { scope: &self.scope, now: self.now };
        let done = operation(&self.directory, &call, request)?;
        let revision = |rows: &HashMap<RowId, (Revision, _)>, row: &RowId| {
            rows.get(row).map(|(revision, _): &(_, Option<Vec<u8>>)| *revision).unwrap_or_default()
        };
        for (row, read) in &done.reads {
            assert_eq!(revision(&self.rows, row), *read, "{row:?} was read at its revision");
        }
        for change in done.changes {
            assert_eq!(revision(&self.rows, &change.row), change.expected);
            let next = change.expected.next();
            let value = change.value.as_ref().map(|value| value.expose());
            let applied = Applied { row: &change.row, revision: next, value };
            self.directory.apply(&applied).unwrap();
            let value = value.map(<[u8]>::to_vec);
            let next = if value.is_some() { next } else { Revision(0) };
            self.rows.insert(change.row, (next, value));
        }
        Ok(done.output)
    }

    fn key(&mut self) -> String {
        self.run(create_key, &CreateKey::default()).unwrap().key_id
    }

    fn wrap(&mut self, key: &str) -> Vec<u8> {
        let plaintext = Some(Plaintext::from(b"a data key".to_vec()));
        let request =
            WrapDataKey { key_id: key.to_owned().into(), plaintext, ..Default::default() };
        self.run(wrap_data_key, &request).unwrap().ciphertext_blob
    }

    fn unwrap(&mut self, blob: &[u8]) -> Result<Vec<u8>, Error> {
        let request = UnwrapDataKey { ciphertext_blob: blob.to_vec().into(), ..Default::default() };
        Ok(self.run(unwrap_data_key, &request)?.plaintext.expose().to_vec())
    }

    fn describe(&mut self, key: &str) -> Result<KeyMetadata, Error> {
        let request = DescribeKey { key_id: key.to_owned().into(), ..Default::default() };
        self.run(describe_key, &request)
    }

    fn alias(&mut self, name: &str, key: &str) -> Result<(), Error> {
        let (alias_name, target_key_id) = (name.to_owned(), key.to_owned());
        self.run(
            create_alias,
            &CreateAlias { alias_name: alias_name.into(), target_key_id: target_key_id.into() },
        )
    }

    /// What start-up would rebuild from the rows.
    fn restarted(&self) -> Directory {
        let directory = Directory::new(SecretKey::from_bytes([9; 32]));
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by_key(|(row, _)| row.state_key());
        for (row, (revision, value)) in rows {
            if let Some(value) = value {
                let applied = Applied { row, revision: *revision, value: Some(value) };
                directory.apply(&applied).unwrap();
            }
        }
        directory.check().unwrap();
        directory
    }
}

fn context(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn every_version_goes_on_decrypting_also_after_a_restart() {
    let mut room = Room::new();
    let key = room.key();
    let mut blobs = vec![room.wrap(&key)];
    for version in 2..=26 {
        let request = RotateKeyOnDemand { key_id: key.clone().into() };
        assert_eq!(room.run(rotate_key_on_demand, &request).unwrap().key_version, version);
        blobs.push(room.wrap(&key));
    }
    let over = room.run(rotate_key_on_demand, &RotateKeyOnDemand { key_id: key.clone().into() });
    assert!(matches!(over, Err(Error::LimitExceeded(_))));
    room.directory = room.restarted();
    for (blob, version) in blobs.iter().zip(1u32..) {
        let request = UnwrapDataKey { ciphertext_blob: blob.clone().into(), ..Default::default() };
        let output = room.run(unwrap_data_key, &request).unwrap();
        assert_eq!((output.plaintext.expose(), output.key_version), (&b"a data key"[..], version));
    }
    let request = DescribeKeyVersions { key_id: key.into(), limit: Some(20), marker: None };
    let first = room.run(describe_key_versions, &request).unwrap();
    let request = DescribeKeyVersions { marker: first.next_marker, ..request };
    let second = room.run(describe_key_versions, &request).unwrap();
    assert_eq!((first.entries.len(), second.entries.len(), second.next_marker), (20, 6, None));
    assert!(second.entries[5].current && !second.entries[4].current);
}

#[test]
fn a_key_answers_to_id_arn_alias_and_alias_arn() {
    let mut room = Room::new();
    let key = room.key();
    let arn = format!("arn:aws:kms:us-east-1:111122223333:key/{key}");
    room.alias("alias/app/main", &arn).unwrap();
    let alias_arn = "arn:aws:kms:us-east-1:111122223333:alias/app/main";
    for name in [&key, &arn, "alias/app/main", alias_arn] {
        assert_eq!(room.describe(name).unwrap().arn, arn);
    }
    for name in [
        "alias/other",
        "00000000-0000-4000-8000-000000000000",
        "arn:aws:kms:eu-west-1:111122223333:alias/app/main",
        "not-a-key",
    ] {
        assert!(matches!(room.describe(name), Err(Error::NotFound(_))), "{name}");
    }
    let foreign = "arn:aws:kms:us-east-1:444455556666:alias/app/main";
    assert!(matches!(room.describe(foreign), Err(Error::Hidden)));
    assert!(matches!(room.describe("arn:aws:s3:::bucket"), Err(Error::InvalidArn(_))));
    assert!(matches!(room.describe(""), Err(Error::Validation(_))));
    let disable = room.run(disable_key, &DisableKey { key_id: "alias/app/main".to_owned().into() });
    assert!(matches!(disable, Err(Error::NotFound(_))), "no alias where AWS takes none");
}

#[test]
fn a_disabled_key_refuses_use_until_it_is_enabled() {
    let mut room = Room::new();
    let key = room.key();
    let blob = room.wrap(&key);
    room.run(disable_key, &DisableKey { key_id: key.clone().into() }).unwrap();
    assert!(matches!(room.unwrap(&blob), Err(Error::Disabled(_))));
    assert_eq!(room.describe(&key).unwrap().key_state, KeyState::Disabled);
    room.run(enable_key, &EnableKey { key_id: key.into() }).unwrap();
    assert_eq!(room.unwrap(&blob).unwrap(), b"a data key");
}

#[test]
fn rotation_is_off_while_a_key_waits_for_deletion() {
    let mut room = Room::new();
    let key = room.key();
    let enable = EnableKeyRotation { key_id: key.clone().into(), rotation_period_in_days: None };
    room.run(enable_key_rotation, &enable).unwrap();
    let status = |room: &mut Room| {
        let ask = GetKeyRotationStatus { key_id: key.clone().into() };
        room.run(get_key_rotation_status, &ask).unwrap()
    };
    let before = status(&mut room);
    assert!(before.key_rotation_enabled);
    let schedule = ScheduleKeyDeletion { key_id: key.clone().into(), pending_window_in_days: None };
    room.run(schedule_key_deletion, &schedule).unwrap();
    let waiting = status(&mut room);
    assert_eq!((waiting.key_rotation_enabled, waiting.next_rotation_date), (false, None));
    room.run(cancel_key_deletion, &CancelKeyDeletion { key_id: key.clone().into() }).unwrap();
    assert_eq!(status(&mut room).next_rotation_date, before.next_rotation_date);
}

#[test]
fn a_key_past_its_deletion_date_is_gone_and_its_rows_are_removed() {
    let mut room = Room::new();
    let key = room.key();
    room.alias("alias/gone", &key).unwrap();
    let blob = room.wrap(&key);
    let schedule =
        ScheduleKeyDeletion { key_id: key.clone().into(), pending_window_in_days: Some(7) };
    room.run(schedule_key_deletion, &schedule).unwrap();
    assert!(matches!(room.unwrap(&blob), Err(Error::InvalidState { .. })));
    room.now += TimeDelta::days(7) - TimeDelta::seconds(1);
    assert!(room.describe(&key).is_ok());
    assert!(expired_keys(&room.directory, room.now).is_empty());
    room.now += TimeDelta::seconds(1);
    assert!(matches!(room.describe(&key), Err(Error::NotFound(_))));
    assert_eq!(room.unwrap(&blob), Err(Error::InvalidCiphertext));
    let cancel = room.run(cancel_key_deletion, &CancelKeyDeletion { key_id: key.into() });
    assert!(matches!(cancel, Err(Error::NotFound(_))));
    let expired = expired_keys(&room.directory, room.now);
    assert_eq!(expired.len(), 1);
    room.run(delete_key, &DeleteKey { key_id: expired[0].1.clone().into() }).unwrap();
    assert!(room.rows.values().all(|(_, value)| value.is_none()), "material and alias went too");
    let left = room.run(list_aliases, &ListAliases::default()).unwrap().entries;
    assert!(left.iter().all(|alias| alias.target_key_id.is_none()), "but AWS's own");
}

#[test]
fn a_deletion_that_was_cancelled_leaves_a_disabled_key() {
    let mut room = Room::new();
    let key = room.key();
    for window in [6, 31, 0, -1] {
        let pending_window_in_days = Some(window);
        let request = ScheduleKeyDeletion { key_id: key.clone().into(), pending_window_in_days };
        let refused = room.run(schedule_key_deletion, &request);
        assert!(matches!(refused, Err(Error::Validation(_))), "{window}");
    }
    let request = ScheduleKeyDeletion { key_id: key.clone().into(), pending_window_in_days: None };
    assert_eq!(room.run(schedule_key_deletion, &request).unwrap().pending_window_in_days, 30);
    room.run(cancel_key_deletion, &CancelKeyDeletion { key_id: key.clone().into() }).unwrap();
    let metadata = room.describe(&key).unwrap();
    assert_eq!((metadata.key_state, metadata.deletion_date), (KeyState::Disabled, None));
}

#[test]
fn the_context_must_be_the_same_and_its_order_does_not_matter() {
    let mut room = Room::new();
    let key_id = room.key();
    let request = GenerateDataKey {
        key_id: key_id.into(),
        key_spec: Some("AES_256".to_owned()),
        encryption_context: context(&[("a", "1"), ("b", "2")]),
        ..Default::default()
    };
    let made = room.run(generate_data_key, &request).unwrap();
    let mut unwrap = |pairs: &[(&str, &str)]| {
        let request = UnwrapDataKey {
            ciphertext_blob: made.ciphertext_blob.clone().into(),
            encryption_context: context(pairs),
            ..Default::default()
        };
        Ok::<_, Error>(room.run(unwrap_data_key, &request)?.plaintext.expose().to_vec())
    };
    assert_eq!(unwrap(&[("b", "2"), ("a", "1")]).unwrap(), made.plaintext.expose());
    for wrong in [&[("a", "1")][..], &[], &[("a", "1"), ("b", "3")], &[("a1", ""), ("b", "2")]] {
        assert_eq!(unwrap(wrong), Err(Error::InvalidCiphertext));
    }
}

#[test]
fn unwrapping_needs_no_key_and_a_wrong_one_is_refused() {
    let mut room = Room::new();
    let (key, other) = (room.key(), room.key());
    let blob = room.wrap(&key);
    let mut unwrap = |insisted: &str| {
        let request = UnwrapDataKey {
            ciphertext_blob: blob.clone().into(),
            key_id: Some(insisted.to_owned()),
            ..Default::default()
        };
        room.run(unwrap_data_key, &request).map(|output| output.key_version)
    };
    assert_eq!(unwrap(&key), Ok(1));
    assert_eq!(unwrap(&other), Err(Error::IncorrectKey));
    assert!(matches!(unwrap("alias/none"), Err(Error::NotFound(_))));
}

#[test]
fn a_rewrapped_key_moves_to_another_key_version_or_context() {
    let mut room = Room::new();
    let (key, other) = (room.key(), room.key());
    let blob = room.wrap(&key);
    room.run(rotate_key_on_demand, &RotateKeyOnDemand { key_id: key.clone().into() }).unwrap();
    let rewrap = RewrapDataKey { ciphertext_blob: blob.clone().into(), ..Default::default() };
    let moved = room.run(rewrap_data_key, &rewrap).unwrap();
    assert_eq!((moved.source_key_version, moved.key_version), (1, 2));
    assert_eq!(room.unwrap(&moved.ciphertext_blob).unwrap(), b"a data key");
    let rewrap = RewrapDataKey {
        ciphertext_blob: blob.into(),
        destination_key_id: Some(other.clone()),
        destination_encryption_context: context(&[("moved", "yes")]),
        ..Default::default()
    };
    let moved = room.run(rewrap_data_key, &rewrap).unwrap();
    assert!(moved.key_id.ends_with(&other));
    assert_eq!(room.unwrap(&moved.ciphertext_blob), Err(Error::InvalidCiphertext));
}

#[test]
fn sizes_and_specs_out_of_range_are_refused() {
    let mut room = Room::new();
    let key_id = room.key();
    let cases = [
        (None, None),
        (Some("AES_256"), Some(32)),
        (Some("AES_512"), None),
        (None, Some(0)),
        (None, Some(1025)),
        (None, Some(-5)),
    ];
    for (spec, number_of_bytes) in cases {
        let key_spec = spec.map(str::to_owned);
        let request = GenerateDataKey {
            key_id: key_id.clone().into(),
            key_spec,
            number_of_bytes,
            ..Default::default()
        };
        let refused = room.run(generate_data_key, &request);
        assert!(matches!(refused, Err(Error::Validation(_))), "{spec:?} {number_of_bytes:?}");
    }
    for (len, fits) in [(1, true), (4096, true), (0, false), (4097, false)] {
        let plaintext = Some(Plaintext::from(vec![7; len]));
        let request = Encrypt { key_id: key_id.clone().into(), plaintext, ..Default::default() };
        assert_eq!(room.run(encrypt, &request).is_ok(), fits, "{len}");
    }
    for (asked, fits) in [(Some(1), true), (Some(1024), true), (Some(1025), false), (None, false)] {
        let request = GenerateRandom { number_of_bytes: asked, ..Default::default() };
        assert_eq!(room.run(generate_random, &request).is_ok(), fits);
    }
}

#[test]
fn a_blob_of_another_account_names_its_key_and_of_another_region_nothing() {
    let mut room = Room::new();
    let key = room.key();
    let blob = room.wrap(&key);
    room.scope = Scope::new("111122223333", "eu-west-1").unwrap();
    assert_eq!(room.unwrap(&blob), Err(Error::InvalidCiphertext));
    assert!(matches!(room.unwrap(b""), Err(Error::Validation(_))));
    assert_eq!(room.unwrap(b"foreign"), Err(Error::InvalidCiphertext));
}

#[test]
fn lists_are_complete_and_ordered_over_their_pages() {
    let mut room = Room::new();
    let mut keys: Vec<_> = (0..25).map(|_| room.key()).collect();
    keys.sort();
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        let request = ListKeys { limit: Some(10), marker, ..Default::default() };
        let page = room.run(list_keys, &request).unwrap();
        found.extend(page.entries.into_iter().map(|entry| entry.key_id));
        marker = page.next_marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(found, keys);
    let request = ListAliases { marker: Some("AAAA".to_owned()), ..Default::default() };
    assert_eq!(room.run(list_aliases, &request), Err(Error::InvalidMarker));
}

#[test]
fn aliases_move_and_go_and_are_listed_by_key() {
    let mut room = Room::new();
    let (one, two) = (room.key(), room.key());
    room.alias("alias/x", &one).unwrap();
    assert!(matches!(room.alias("alias/x", &two), Err(Error::AlreadyExists(_))));
    assert!(matches!(room.alias("alias/aws/s3", &two), Err(Error::InvalidAliasName(_))));
    assert!(matches!(room.alias("x", &two), Err(Error::Validation(_))));
    assert!(matches!(room.alias("alias/x:y", &two), Err(Error::InvalidAliasName(_))));
    let (alias_name, target_key_id) = ("alias/x".to_owned(), two.clone());
    room.run(
        update_alias,
        &UpdateAlias { alias_name: alias_name.into(), target_key_id: target_key_id.into() },
    )
    .unwrap();
    assert_eq!(room.describe("alias/x").unwrap().key_id, two);
    let of = |key: &str| ListAliases { key_id: Some(key.to_owned()), ..Default::default() };
    assert_eq!(room.run(list_aliases, &of(&two)).unwrap().entries.len(), 1);
    assert_eq!(room.run(list_aliases, &of(&one)).unwrap().entries.len(), 0);
    let delete = DeleteAlias { alias_name: "alias/x".to_owned().into() };
    room.run(delete_alias, &delete).unwrap();
    assert!(matches!(room.run(delete_alias, &delete), Err(Error::NotFound(_))));
}

#[test]
fn tags_are_merged_removed_and_bounded() {
    let mut room = Room::new();
    let key_id = room.key();
    let tag = Tag::new;
    let mut add = |tags: Vec<Tag>| {
        room.run(tag_resource, &TagResource { key_id: key_id.clone().into(), tags })
    };
    add(vec![tag("a", "1"), tag("b", "2")]).unwrap();
    add(vec![tag("a", "3")]).unwrap();
    assert!(matches!(add(vec![tag("aws:x", "")]), Err(Error::Tag(_))));
    assert!(matches!(add(vec![tag("c", "1"), tag("c", "2")]), Err(Error::Tag(_))));
    let many = (0..49).map(|i| tag(&format!("t{i}"), "")).collect();
    assert!(matches!(add(many), Err(Error::LimitExceeded(_))));
    let tag_keys = vec!["b".to_owned(), "none".to_owned()];
    let untag = UntagResource { key_id: key_id.clone().into(), tag_keys };
    room.run(untag_resource, &untag).unwrap();
    let list = ListResourceTags { key_id: key_id.into(), ..Default::default() };
    assert_eq!(room.run(list_resource_tags, &list).unwrap().entries, [tag("a", "3")]);
}

#[test]
fn other_kinds_of_key_are_refused_in_three_ways() {
    let mut room = Room::new();
    let mut create = |usage: Option<&str>, spec: Option<&str>| {
        let (key_usage, key_spec) = (usage.map(str::to_owned), spec.map(str::to_owned));
        room.run(create_key, &CreateKey { key_usage, key_spec, ..Default::default() }).map(|_| ())
    };
    assert!(matches!(create(Some("SIGN_VERIFY"), None), Err(Error::Validation(_))));
    assert!(matches!(create(None, Some("RSA_1024")), Err(Error::Validation(_))));
    assert!(matches!(create(None, Some("SM2")), Err(Error::Unsupported(_))));
    assert!(matches!(create(None, Some("ML_DSA_44")), Err(Error::Validation(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is done in whatever order, state and use agree with the table, and a restart
    /// finds the same.
    #[test]
    fn random_walks_agree_with_the_table(steps in prop::collection::vec(0..5u8, 1..20)) {
        let mut room = Room::new();
        let key_id = room.key();
        let blob = room.wrap(&key_id);
        let mut state = KeyState::Enabled;
        for step in steps {
            let key_id = key_id.clone();
            let (outcome, act, next) = match step {
                0 => (room.run(enable_key, &EnableKey { key_id: key_id.into() }).map(|_| ()),
                      state::Act::Enable, KeyState::Enabled),
                1 => (room.run(disable_key, &DisableKey { key_id: key_id.into() }).map(|_| ()),
                      state::Act::Disable, KeyState::Disabled),
                2 => (room.run(schedule_key_deletion, &ScheduleKeyDeletion {
                          key_id: key_id.into(), pending_window_in_days: None }).map(|_| ()),
                      state::Act::ScheduleDeletion, KeyState::PendingDeletion),
                3 => (room.run(cancel_key_deletion, &CancelKeyDeletion { key_id: key_id.into() }).map(|_| ()),
                      state::Act::CancelDeletion, KeyState::Disabled),
                _ => (room.unwrap(&blob).map(|_| ()), state::Act::Use, state),
            };
            let arn = format!("arn:aws:kms:us-east-1:111122223333:key/{}", key_id_of(&room));
            prop_assert_eq!(&outcome, &state.permits(act, &arn));
            if outcome.is_ok() {
                state = next;
            }
        }
        room.directory = room.restarted();
        let key = key_id_of(&room);
        prop_assert_eq!(room.describe(&key).unwrap().key_state, state);
    }
}

fn key_id_of(room: &Room) -> String {
    let call = Call { scope: &room.scope, now: room.now };
    room.directory.keys(&call, None, 1)[0].to_string()
}
