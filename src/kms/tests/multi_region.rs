//! Multi-Region keys: what a set shares, and what each key has of its own.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::super::*;
use super::Room;
use super::import::import_as;
use crate::store::{Revision, RowId, Table};

const HOME: &str = "us-east-1";
const AWAY: &str = "eu-west-1";
const FAR: &str = "ap-south-1";

impl Room {
    fn go(&mut self, region: &str) {
        self.scope = Scope::new("111122223333", region).unwrap();
    }

    fn primary(&mut self, origin: &str) -> String {
        let origin = Some(origin.to_owned());
        let request = CreateKey { multi_region: true, origin, ..Default::default() };
        self.run(create_key, &request).unwrap().key_id
    }

    fn replicate(&mut self, key: &str, region: &str) -> Result<ReplicateKeyOutput, Error> {
        let (key_id, replica_region) = (key.to_owned(), region.to_owned());
        self.run(
            replicate_key,
            &ReplicateKey {
                key_id: key_id.into(),
                replica_region: replica_region.into(),
                ..Default::default()
            },
        )
    }

    fn schedule(&mut self, key: &str) -> Result<ScheduleKeyDeletionOutput, Error> {
        let request =
            ScheduleKeyDeletion { key_id: key.to_owned().into(), pending_window_in_days: Some(7) };
        self.run(schedule_key_deletion, &request)
    }

    fn rotate(&mut self, key: &str) -> Result<u32, Error> {
        let request = RotateKeyOnDemand { key_id: key.to_owned().into() };
        self.run(rotate_key_on_demand, &request).map(|done| done.key_version)
    }

    fn move_primary(&mut self, key: &str, region: &str) -> Result<(), Error> {
        let (key_id, primary_region) = (key.to_owned(), region.to_owned());
        self.run(
            update_primary_region,
            &UpdatePrimaryRegion { key_id: key_id.into(), primary_region: primary_region.into() },
        )
    }

    fn sweep(&mut self) -> usize {
        let expired = expired_keys(&self.directory, self.now);
        for (scope, key_id) in &expired {
            self.scope = scope.clone();
            self.run(delete_key, &DeleteKey { key_id: key_id.clone().into() }).unwrap();
        }
        expired.len()
    }

    fn part(&mut self, key: &str) -> &'static str {
        self.describe(key).unwrap().multi_region.unwrap().part
    }
}

#[test]
fn what_is_wrapped_in_one_region_opens_in_another() {
    let mut room = Room::new();
    let key = room.primary("AWS_KMS");
    assert!(key.starts_with("mrk-"));
    let before = room.wrap(&key);
    room.rotate(&key).unwrap();
    let made = room.replicate(&key, AWAY).unwrap();
    assert_eq!(made.metadata.arn, format!("arn:aws:kms:{AWAY}:111122223333:key/{key}"));
    let set = made.metadata.multi_region.unwrap();
    assert_eq!((set.part, set.primary.unwrap().region.as_str()), ("REPLICA", HOME));
    assert_eq!(set.replicas.len(), 1);
    assert!(made.policy.contains("Enable IAM User Permissions"));
    let after = room.wrap(&key);
    room.go(AWAY);
    for blob in [&before, &after] {
        assert_eq!(room.unwrap(blob).unwrap(), b"a data key");
    }
    let blob = room.wrap(&key);
    room.go(FAR);
    assert_eq!(room.unwrap(&blob), Err(Error::InvalidCiphertext));
    room.go(HOME);
    assert_eq!(room.unwrap(&blob).unwrap(), b"a data key");
    room.directory = room.restarted();
    assert_eq!(room.unwrap(&blob).unwrap(), b"a data key");
    assert_eq!(room.part(&key), "PRIMARY");
}

#[test]
fn state_description_and_aliases_are_each_keys_own() {
    let mut room = Room::new();
    let key = room.primary("AWS_KMS");
    room.replicate(&key, AWAY).unwrap();
    let blob = room.wrap(&key);
    room.alias("alias/here", &key).unwrap();
    room.run(disable_key, &DisableKey { key_id: key.clone().into() }).unwrap();
    assert!(matches!(room.unwrap(&blob), Err(Error::Disabled(_))));
    room.go(AWAY);
    assert!(room.unwrap(&blob).is_ok());
    assert!(matches!(room.describe("alias/here"), Err(Error::NotFound(_))));
    assert_eq!(room.run(list_keys, &ListKeys::default()).unwrap().entries.len(), 1);
}

#[test]
fn only_a_primary_key_is_replicated_and_rotated() {
    let mut room = Room::new();
    let plain = room.key();
    assert!(matches!(room.replicate(&plain, AWAY), Err(Error::Unsupported(_))));
    let key = room.primary("AWS_KMS");
    assert!(matches!(room.replicate(&key, HOME), Err(Error::Validation(_))));
    room.replicate(&key, AWAY).unwrap();
    assert!(matches!(room.replicate(&key, AWAY), Err(Error::KeyExists(_))));
    room.go(AWAY);
    assert!(matches!(room.replicate(&key, FAR), Err(Error::Unsupported(_))));
    assert!(matches!(room.rotate(&key), Err(Error::Unsupported(_))));
    let enable =
        EnableKeyRotation { key_id: key.clone().into(), rotation_period_in_days: Some(90) };
    assert!(matches!(room.run(enable_key_rotation, &enable), Err(Error::Unsupported(_))));
    room.go(HOME);
    room.run(enable_key_rotation, &enable).unwrap();
    room.go(AWAY);
    let ask = GetKeyRotationStatus { key_id: key.clone().into() };
    let status = room.run(get_key_rotation_status, &ask).unwrap();
    assert_eq!(status.rotation_period_in_days, Some(90));
    room.now += TimeDelta::days(90);
    let due = due_rotations(&room.directory, room.now);
    assert_eq!(due.len(), 1, "the replica follows, it is not due itself");
    room.go(HOME);
    room.run(rotate_key, &RotateKey { key_id: due[0].1.clone().into() }).unwrap();
    room.go(AWAY);
    assert_eq!(room.describe(&key).unwrap().current_key_version, 2);
}

#[test]
fn a_key_is_replicated_within_its_partition_only() {
    let mut room = Room::new();
    for (home, same, others) in [
        (HOME, "zz-mars-99", ["cn-north-1", "us-gov-west-1", "us-isob-east-1"]),
        ("cn-north-1", "cn-northwest-1", [HOME, "us-gov-west-1", "us-iso-east-1"]),
        ("us-gov-west-1", "us-gov-east-1", [HOME, "cn-north-1", "eu-isoe-west-1"]),
    ] {
        room.go(home);
        let key = room.primary("AWS_KMS");
        for other in others {
            let refused = room.replicate(&key, other);
            assert!(matches!(refused, Err(Error::Unsupported(_))), "{home} {other}");
        }
        room.replicate(&key, same).unwrap();
    }
}

#[test]
fn the_primary_key_moves_and_is_the_one_that_is_rotated() {
    let mut room = Room::new();
    let key = room.primary("AWS_KMS");
    assert!(matches!(room.move_primary(&key, AWAY), Err(Error::NotFound(_))));
    room.replicate(&key, AWAY).unwrap();
    room.move_primary(&key, AWAY).unwrap();
    assert_eq!(room.part(&key), "REPLICA");
    assert!(matches!(room.rotate(&key), Err(Error::Unsupported(_))));
    room.go(AWAY);
    assert_eq!(room.part(&key), "PRIMARY");
    assert_eq!(room.rotate(&key), Ok(2));
    room.replicate(&key, FAR).unwrap();
    room.go(FAR);
    let set = room.describe(&key).unwrap().multi_region.unwrap();
    let regions: Vec<_> = set.replicas.iter().map(|key| key.region.as_str()).collect();
    assert_eq!(regions, [FAR, HOME]);
    assert_eq!(set.primary.unwrap().region, AWAY);
}

#[test]
fn a_primary_key_waits_for_the_removal_of_its_replicas() {
    let mut room = Room::new();
    let key = room.primary("AWS_KMS");
    room.replicate(&key, AWAY).unwrap();
    room.replicate(&key, FAR).unwrap();
    let scheduled = room.schedule(&key).unwrap();
    assert_eq!(scheduled.key_state, KeyState::PendingReplicaDeletion);
    assert_eq!(scheduled.deletion_date, None);
    assert_eq!(room.describe(&key).unwrap().pending_window_in_days, Some(7));
    assert!(matches!(room.replicate(&key, "us-west-2"), Err(Error::InvalidState { .. })));
    room.go(AWAY);
    assert_eq!(room.schedule(&key).unwrap().key_state, KeyState::PendingDeletion);
    room.now += TimeDelta::days(7);
    assert_eq!(room.sweep(), 1);
    room.go(HOME);
    assert_eq!(room.describe(&key).unwrap().key_state, KeyState::PendingReplicaDeletion);
    room.go(FAR);
    room.schedule(&key).unwrap();
    room.now += TimeDelta::days(7);
    assert_eq!(room.sweep(), 1);
    room.go(HOME);
    let waiting = room.describe(&key).unwrap();
    assert_eq!(waiting.key_state, KeyState::PendingDeletion);
    assert_eq!(waiting.deletion_date, Some(room.now + TimeDelta::days(7)));
    room.now += TimeDelta::days(7);
    assert_eq!(room.sweep(), 1);
    assert!(room.rows.values().all(|(_, value)| value.is_none()), "nothing is left");
}

#[test]
fn each_replica_imports_the_primarys_material_itself() {
    let mut room = Room::new();
    let key = room.primary("EXTERNAL");
    assert!(matches!(room.replicate(&key, AWAY), Err(Error::InvalidState { .. })));
    import_as(&mut room, &key, [1; 32], None).unwrap();
    let blob = room.wrap(&key);
    room.replicate(&key, AWAY).unwrap();
    room.go(AWAY);
    assert!(matches!(room.unwrap(&blob), Err(Error::InvalidState { .. })));
    let other = import_as(&mut room, &key, [2; 32], None);
    assert_eq!(other, Err(Error::IncorrectKeyMaterial));
    import_as(&mut room, &key, [1; 32], None).unwrap();
    assert!(room.unwrap(&blob).is_ok());

    room.go(HOME);
    import_as(&mut room, &key, [3; 32], Some("NEW_KEY_MATERIAL")).unwrap();
    let states = |room: &mut Room| {
        let request = ListKeyRotations {
            key_id: key.clone().into(),
            include_key_material: Some("ALL_KEY_MATERIAL".to_owned()),
            ..Default::default()
        };
        let entries = room.run(list_key_rotations, &request).unwrap().entries;
        entries.iter().map(|entry| entry.state).collect::<Vec<_>>()
    };
    assert_eq!(states(&mut room), ["CURRENT", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"]);
    assert!(matches!(room.rotate(&key), Err(Error::InvalidState { .. })));
    room.go(AWAY);
    import_as(&mut room, &key, [3; 32], Some("EXISTING_KEY_MATERIAL")).unwrap();
    room.go(HOME);
    assert_eq!(states(&mut room), ["CURRENT", "PENDING_ROTATION"]);
    assert_eq!(room.rotate(&key), Ok(2));
    let blob = room.wrap(&key);
    room.go(AWAY);
    assert_eq!(room.unwrap(&blob).unwrap(), b"a data key");
    assert_eq!(states(&mut room), ["NON_CURRENT", "CURRENT"]);
    room.directory = room.restarted();
    assert_eq!(room.unwrap(&blob).unwrap(), b"a data key");
}

impl Room {
    /// A key of imported material with a replica; both have the material for the next rotation.
    fn pending_set(&mut self) -> String {
        let key = self.primary("EXTERNAL");
        import_as(self, &key, [1; 32], None).unwrap();
        self.replicate(&key, AWAY).unwrap();
        import_as(self, &key, [2; 32], Some("NEW_KEY_MATERIAL")).unwrap();
        self.go(AWAY);
        import_as(self, &key, [1; 32], None).unwrap();
        import_as(self, &key, [2; 32], Some("EXISTING_KEY_MATERIAL")).unwrap();
        self.go(HOME);
        key
    }

    /// Names the material that waits for a rotation.
    fn pending(&mut self, key: &str) -> Option<String> {
        let request = ListKeyRotations {
            key_id: key.to_owned().into(),
            include_key_material: Some("ALL_KEY_MATERIAL".to_owned()),
            ..Default::default()
        };
        let entries = self.run(list_key_rotations, &request).unwrap().entries;
        entries.into_iter().find(|entry| entry.key_version == 2).map(|entry| entry.key_material_id)
    }

    fn materials(&self) -> usize {
        let here = |(row, (_, value)): &(&RowId, &(Revision, Option<Vec<u8>>))| {
            row.table == Table::Material && value.is_some()
        };
        self.rows.iter().filter(here).count()
    }
}

#[test]
fn pending_material_that_the_primary_deletes_goes_from_its_replicas() {
    let mut room = Room::new();
    let key = room.pending_set();
    assert_eq!(room.materials(), 4);
    let key_material_id = room.pending(&key);
    let request = DeleteImportedKeyMaterial { key_id: key.clone().into(), key_material_id };
    room.run(delete_imported_key_material, &request).unwrap();
    assert_eq!(room.materials(), 2);
    room.go(AWAY);
    assert_eq!(room.pending(&key), None);
}

#[test]
fn pending_material_that_another_replaces_leaves_no_row() {
    let mut room = Room::new();
    let key = room.pending_set();
    // The primary's expires; its replica's has been imported to stay longer.
    room.now += TimeDelta::days(20);
    import_as(&mut room, &key, [1; 32], Some("EXISTING_KEY_MATERIAL")).unwrap();
    room.go(AWAY);
    for material in [[1; 32], [2; 32]] {
        import_as(&mut room, &key, material, Some("EXISTING_KEY_MATERIAL")).unwrap();
    }
    room.go(HOME);
    room.now += TimeDelta::days(10);
    let arn = expired_key_material(&room.directory, room.now).remove(0).1;
    room.run(delete_expired_key_material, &DeleteExpiredKeyMaterial { key_id: arn.into() })
        .unwrap();
    assert_eq!(room.materials(), 3);
    import_as(&mut room, &key, [3; 32], Some("NEW_KEY_MATERIAL")).unwrap();
    assert_eq!(room.materials(), 3, "the replica's is gone, the primary's is new");
    room.directory = room.restarted();
    room.go(AWAY);
    import_as(&mut room, &key, [3; 32], Some("EXISTING_KEY_MATERIAL")).unwrap();
    room.go(HOME);
    assert_eq!(room.rotate(&key), Ok(2));
    let blob = room.wrap(&key);
    room.go(AWAY);
    assert_eq!(room.unwrap(&blob).unwrap(), b"a data key");
}

#[test]
fn pending_material_past_its_time_is_not_rotated_to() {
    for (late, early) in [(HOME, AWAY), (AWAY, HOME)] {
        let mut room = Room::new();
        let key = room.pending_set();
        let existing = Some("EXISTING_KEY_MATERIAL");
        room.now += TimeDelta::days(20);
        for (region, material) in [(HOME, [1; 32]), (AWAY, [1; 32]), (early, [2; 32])] {
            room.go(region);
            import_as(&mut room, &key, material, existing).unwrap();
        }
        // That of `late` is over, and not removed yet.
        room.now += TimeDelta::days(10);
        room.go(HOME);
        assert!(matches!(room.rotate(&key), Err(Error::InvalidState { .. })), "{late}");
        room.go(late);
        import_as(&mut room, &key, [2; 32], existing).unwrap();
        room.go(HOME);
        assert_eq!(room.rotate(&key), Ok(2));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is done where, a set has one primary key, its keys have the same versions, and what
    /// one wrapped each other enabled one opens.
    #[test]
    fn sets_stay_whole(steps in prop::collection::vec((0..5u8, 0..3usize, 0..3usize), 1..25)) {
        let regions = [HOME, AWAY, FAR];
        let mut room = Room::new();
        let key = room.primary("AWS_KMS");
        for (step, from, to) in steps {
            room.go(regions[from]);
            let _ = match step {
                0 => room.replicate(&key, regions[to]).map(|_| ()),
                1 => room.move_primary(&key, regions[to]),
                2 => room.rotate(&key).map(|_| ()),
                3 => room.schedule(&key).map(|_| ()),
                _ => {
                    let days = TimeDelta::days(8);
                    room.now += days;
                    room.sweep();
                    Ok(())
                }
            };
        }
        room.directory = room.restarted();
        let mut found = Vec::new();
        for region in regions {
            room.go(region);
            if let Ok(metadata) = room.describe(&key) {
                found.push((region, metadata));
            }
        }
        if let Some((_, first)) = found.first() {
            let primaries = found.iter().filter(|(_, key)| {
                key.multi_region.as_ref().is_some_and(|set| set.part == "PRIMARY")
            });
            prop_assert_eq!(primaries.count(), 1);
            for (_, other) in &found {
                prop_assert_eq!(other.current_key_version, first.current_key_version);
                prop_assert_eq!(&other.current_key_material_id, &first.current_key_material_id);
            }
        }
        found.retain(|(_, key)| key.key_state == KeyState::Enabled);
        for (one, _) in &found {
            room.go(one);
            let blob = room.wrap(&key);
            for (other, _) in &found {
                room.go(other);
                prop_assert!(room.unwrap(&blob).is_ok());
            }
        }
    }
}
