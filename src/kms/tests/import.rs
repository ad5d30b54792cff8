//! Imported material: its coming, going and coming back.

use chrono::TimeDelta;

use super::super::*;
use super::Room;

/// Imports 32 bytes into a new key, for 30 days.
fn imported(room: &mut Room) -> String {
    let origin = Some("EXTERNAL".to_owned());
    let made = room.run(create_key, &CreateKey { origin, ..Default::default() }).unwrap();
    assert_eq!(made.key_state, KeyState::PendingImport);
    import(room, &made.key_id).unwrap();
    made.key_id
}

pub(super) fn import(room: &mut Room, key_id: &str) -> Result<(), Error> {
    import_as(room, key_id, [7; 32], None)
}

/// Imports 32 bytes as `kind`, for 30 days.
pub(super) fn import_as(
    room: &mut Room,
    key_id: &str,
    material: [u8; 32],
    kind: Option<&str>,
) -> Result<(), Error> {
    use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
    let ask = GetParametersForImport {
        key_id: key_id.to_owned().into(),
        wrapping_algorithm: "RSAES_OAEP_SHA_256".to_owned().into(),
        wrapping_key_spec: "RSA_2048".to_owned().into(),
    };
    let found = room.run(get_parameters_for_import, &ask).unwrap();
    let public = PublicEncryptingKey::from_der(&found.public_key).unwrap();
    let public = OaepPublicEncryptingKey::new(public).unwrap();
    let mut sealed = vec![0; public.ciphertext_size()];
    public.encrypt(&OAEP_SHA256_MGF1SHA256, &material, &mut sealed, None).unwrap();
    let request = ImportKeyMaterial {
        key_id: key_id.to_owned().into(),
        import_token: found.import_token.into(),
        encrypted_key_material: sealed.into(),
        valid_to: Some(room.now + TimeDelta::days(30)),
        import_type: kind.map(str::to_owned),
        ..Default::default()
    };
    room.run(import_key_material, &request).map(|_| ())
}

#[test]
fn imported_material_is_gone_when_its_time_is_over_and_may_come_back() {
    let mut room = Room::new();
    let key_id = imported(&mut room);
    let blob = room.wrap(&key_id);
    room.now += TimeDelta::days(30);
    assert!(matches!(room.unwrap(&blob), Err(Error::InvalidState { .. })));
    assert_eq!(expired_key_material(&room.directory, room.now).len(), 1);
    let arn = expired_key_material(&room.directory, room.now).remove(0).1;
    let remove = DeleteExpiredKeyMaterial { key_id: arn.into() };
    room.run(delete_expired_key_material, &remove).unwrap();
    assert!(matches!(room.run(delete_expired_key_material, &remove), Err(Error::NotFound(_))));
    room.directory = room.restarted();
    assert!(matches!(room.unwrap(&blob), Err(Error::InvalidState { .. })));
    import(&mut room, &key_id).unwrap();
    room.directory = room.restarted();
    assert!(room.unwrap(&blob).is_ok());
}

#[test]
fn material_that_comes_back_before_it_is_swept_is_there_again() {
    let mut room = Room::new();
    let key_id = imported(&mut room);
    let blob = room.wrap(&key_id);
    room.now += TimeDelta::days(31);
    import(&mut room, &key_id).unwrap();
    assert!(room.unwrap(&blob).is_ok());
    assert!(expired_key_material(&room.directory, room.now).is_empty());
}

#[test]
fn material_may_be_removed_while_its_key_waits_for_deletion() {
    let mut room = Room::new();
    let key_id = imported(&mut room);
    let schedule =
        ScheduleKeyDeletion { key_id: key_id.clone().into(), pending_window_in_days: None };
    room.run(schedule_key_deletion, &schedule).unwrap();
    let ask = GetParametersForImport {
        key_id: key_id.clone().into(),
        wrapping_algorithm: "RSAES_OAEP_SHA_256".to_owned().into(),
        wrapping_key_spec: "RSA_2048".to_owned().into(),
    };
    let refused = room.run(get_parameters_for_import, &ask);
    assert!(matches!(refused, Err(Error::InvalidState { .. })));
    let remove = DeleteImportedKeyMaterial { key_id: key_id.clone().into(), ..Default::default() };
    room.run(delete_imported_key_material, &remove).unwrap();
    assert_eq!(room.describe(&key_id).unwrap().key_state, KeyState::PendingDeletion);
    room.run(cancel_key_deletion, &CancelKeyDeletion { key_id: key_id.clone().into() }).unwrap();
    assert_eq!(room.describe(&key_id).unwrap().key_state, KeyState::PendingImport);
}
