//! The service without a wire: many instances, time moved by hand, deadlines, many callers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use strongroom::Strongroom;
use strongroom::audit::Query as Conditions;
use strongroom::clock::Clock;
use strongroom::kms::{
    CreateAlias, CreateKey, DescribeKey, DisableKey, DisableKeyRotation, EnableKey,
    EnableKeyRotation, GenerateDataKey, GetKeyRotationStatus, ListKeyRotations, ListResourceTags,
    RotateKeyOnDemand, ScheduleKeyDeletion, Tag, TagResource, UnwrapDataKey, UpdateAlias,
};
use strongroom::proto::v1::keys_client::KeysClient;
use strongroom::service::{Caller, Query};
use strongroom::sse::client_side::{
    CommitmentPolicy, Description, Error as ObjectError, KmsKeyring, Metadata, OpeningKey, Reading,
    SealingKey, open_buffered, seal_body,
};
use tokio::time::Instant;

use crate::server::runtime;

fn room() -> Strongroom {
    Strongroom::builder().ephemeral().build().unwrap()
}

fn data_key(key_id: &str) -> GenerateDataKey {
    let key_spec = Some("AES_256".to_owned());
    GenerateDataKey { key_id: key_id.to_owned().into(), key_spec, ..Default::default() }
}

#[test]
fn many_instances_live_side_by_side() {
    runtime().block_on(async {
        let rooms: Vec<_> = (0..20).map(|_| room()).collect();
        let mut keys = BTreeSet::new();
        for room in &rooms {
            keys.insert(room.call(CreateKey::default()).await.unwrap().key_id);
        }
        for room in &rooms {
            let found = room.call(strongroom::kms::ListKeys::default()).await.unwrap();
            assert_eq!(found.entries.len(), 1);
            assert!(keys.remove(&found.entries[0].key_id));
        }
        rooms.into_iter().for_each(|room| room.close().unwrap());
    });
}

#[test]
fn a_key_is_removed_when_its_time_has_come_and_the_trail_says_so() {
    runtime().block_on(async {
        let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let room = Strongroom::builder().ephemeral().clock(clock.clone()).build().unwrap();
        let key_id = room.call(CreateKey::default()).await.unwrap().key_id;
        let pending_window_in_days = Some(7);
        let request = ScheduleKeyDeletion { key_id: key_id.clone().into(), pending_window_in_days };
        room.call(request).await.unwrap();
        assert_eq!(room.service().sweep().await, 0);
        clock.advance(TimeDelta::days(7));
        assert_eq!(room.service().sweep().await, 1);
        assert_eq!(room.service().sweep().await, 0);
        let asked = Conditions { operation: Some("DeleteKey".to_owned()), ..Default::default() };
        let found = room.call(Query(asked)).await.unwrap().records;
        assert_eq!(found.len(), 1);
        assert!(found[0].event.key.as_ref().unwrap().ends_with(&key_id));
        assert_eq!(found[0].event.principal, "strongroom.internal");
        room.close().unwrap();
    });
}

#[test]
fn a_key_is_rotated_every_period_and_only_while_it_is_enabled() {
    runtime().block_on(async {
        let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let room = Strongroom::builder().ephemeral().clock(clock.clone()).build().unwrap();
        let key_id = room.call(CreateKey::default()).await.unwrap().key_id;
        let first = room.call(data_key(&key_id)).await.unwrap();
        let rotation_period_in_days = Some(90);
        let request = EnableKeyRotation { key_id: key_id.clone().into(), rotation_period_in_days };
        room.call(request).await.unwrap();
        room.call(RotateKeyOnDemand { key_id: key_id.clone().into() }).await.unwrap();
        clock.advance(TimeDelta::days(89));
        assert_eq!(room.service().sweep().await, 0, "on demand leaves the schedule alone");
        clock.advance(TimeDelta::days(1));
        assert_eq!(room.service().sweep().await, 1);
        room.call(DisableKey { key_id: key_id.clone().into() }).await.unwrap();
        clock.advance(TimeDelta::days(200));
        assert_eq!(room.service().sweep().await, 0, "a disabled key waits");
        room.call(EnableKey { key_id: key_id.clone().into() }).await.unwrap();
        assert_eq!(room.service().sweep().await, 1, "once, however long it waited");
        assert_eq!(room.service().sweep().await, 0);
        let status = GetKeyRotationStatus { key_id: key_id.clone().into() };
        let status = room.call(status).await.unwrap();
        assert_eq!(status.next_rotation_date, Some(clock.now() + TimeDelta::days(90)));
        let list = ListKeyRotations { key_id: key_id.clone().into(), ..Default::default() };
        let kinds: Vec<_> = room.call(list).await.unwrap().entries;
        let kinds: Vec<_> = kinds.into_iter().map(|entry| entry.rotation_type.unwrap()).collect();
        assert_eq!(kinds, ["ON_DEMAND", "AUTOMATIC", "AUTOMATIC"]);
        let ciphertext_blob = first.ciphertext_blob;
        let request =
            UnwrapDataKey { ciphertext_blob: ciphertext_blob.into(), ..Default::default() };
        let opened = room.call(request).await.unwrap();
        assert_eq!(opened.plaintext.expose(), first.plaintext.expose());
        let request = DisableKeyRotation { key_id: key_id.clone().into() };
        room.call(request).await.unwrap();
        clock.advance(TimeDelta::days(1000));
        assert_eq!(room.service().sweep().await, 0);
        room.close().unwrap();
    });
}

#[test]
fn a_deadline_that_has_passed_is_a_recorded_refusal() {
    runtime().block_on(async {
        let room = room();
        let mut caller = Caller::in_process();
        caller.deadline = Some(Instant::now() - Duration::from_millis(1));
        let reply = room.service().call(caller, CreateKey::default()).await;
        assert_eq!(reply.result.unwrap_err().code(), "DependencyTimeoutException");
        let found = room.call(strongroom::kms::ListKeys::default()).await.unwrap();
        assert!(found.entries.is_empty(), "nothing was done");
        room.close().unwrap();
    });
}

#[test]
fn changes_that_meet_are_all_made_one_after_the_other() {
    runtime().block_on(async {
        let room = Arc::new(room());
        let key_id = room.call(CreateKey::default()).await.unwrap().key_id;
        let tasks: Vec<_> = (0..250)
            .map(|number| {
                let (room, key_id) = (Arc::clone(&room), key_id.clone());
                tokio::spawn(async move {
                    let tag_key = format!("tag-{}", number % 50);
                    let tags = vec![Tag::new(&tag_key, "")];
                    room.call(TagResource { key_id: key_id.clone().into(), tags }).await.unwrap();
                    // A key is rotated on demand 25 times at the most.
                    let rotate = RotateKeyOnDemand { key_id: key_id.into() };
                    match number < 20 {
                        true => Some(room.call(rotate).await.unwrap().key_version),
                        false => None,
                    }
                })
            })
            .collect();
        let mut versions = BTreeSet::new();
        for task in tasks {
            versions.extend(task.await.unwrap());
        }
        assert_eq!(versions, (2..=21).collect(), "no version was given twice");
        let tags = ListResourceTags { key_id: key_id.clone().into(), ..Default::default() };
        assert_eq!(room.call(tags).await.unwrap().entries.len(), 50, "no tag was lost");
        room.service().verify_log(|_| ()).unwrap();
    });
}

#[test]
fn an_alias_that_moves_is_followed_at_once() {
    runtime().block_on(async {
        let room = room();
        let one = room.call(CreateKey::default()).await.unwrap();
        let two = room.call(CreateKey::default()).await.unwrap();
        let alias_name = "alias/moving".to_owned();
        let target_key_id = one.key_id;
        room.call(CreateAlias {
            alias_name: alias_name.clone().into(),
            target_key_id: target_key_id.into(),
        })
        .await
        .unwrap();
        assert_eq!(room.call(data_key(&alias_name)).await.unwrap().key_id, one.arn);
        let target_key_id = two.key_id;
        room.call(UpdateAlias {
            alias_name: alias_name.clone().into(),
            target_key_id: target_key_id.into(),
        })
        .await
        .unwrap();
        assert_eq!(room.call(data_key(&alias_name)).await.unwrap().key_id, two.arn);
        room.close().unwrap();
    });
}

#[test]
fn one_service_answers_in_process_and_on_a_socket() {
    runtime().block_on(async {
        let room = room();
        let serving = room.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
        let mut near = KeysClient::new(room.channel().unwrap());
        let made = near.create_key(strongroom::proto::v1::CreateKeyRequest::default()).await;
        let key_id = made.unwrap().into_inner().key_metadata.unwrap().key_id;
        let address = format!("http://{}", serving.address());
        let mut far = KeysClient::connect(address).await.unwrap();
        let request = strongroom::proto::v1::DescribeKeyRequest {
            key_id: key_id.clone(),
            ..Default::default()
        };
        far.describe_key(request).await.unwrap();
        serving.stop().await;
        let request = DescribeKey { key_id: key_id.into(), ..Default::default() };
        room.call(request).await.unwrap();
        room.close().unwrap();
    });
}

#[test]
fn client_side_objects_have_their_keys_from_an_instance() {
    runtime().block_on(async {
        let room = room();
        let key_id = room.call(CreateKey::default()).await.unwrap().key_id;
        let other_id = room.call(CreateKey::default()).await.unwrap().key_id;
        let keyring = |id: &str| KmsKeyring::new(Arc::new(room.keys(Caller::in_process())), id);
        let said = Description::from([("name".to_owned(), "bucket/name".to_owned())]);
        let policy = CommitmentPolicy::default();
        let made = SealingKey::generate(&mut keyring(&key_id), policy, &said).await;
        let (metadata, key) = made.unwrap();
        let mut body = Vec::new();
        seal_body(b"plaintext".as_slice(), &mut body, key, |_| ()).await.unwrap();

        let opened = async |user_metadata: &_, id: &str| {
            let metadata = Metadata::parse(user_metadata, None).unwrap();
            let mut keyring = keyring(id);
            let key = OpeningKey::unwrap(&mut keyring, &metadata, Reading::default(), &said);
            open_buffered(body.as_slice(), &key.await?, 100).await
        };
        let user_metadata = metadata.to_object().unwrap();
        assert_eq!(opened(&user_metadata, &key_id).await.unwrap(), b"plaintext");
        let refused = opened(&user_metadata, &other_id).await;
        assert!(matches!(refused, Err(ObjectError::Provider(_))), "{refused:?}");
        let wrapped = &user_metadata["x-amz-3"];
        for place in [30, 60, wrapped.len() - 6] {
            let mut altered = wrapped.clone();
            let letter = if altered.as_bytes()[place] == b'A' { "B" } else { "A" };
            altered.replace_range(place..=place, letter);
            let mut user_metadata = user_metadata.clone();
            user_metadata.insert("x-amz-3".to_owned(), altered);
            let refused = opened(&user_metadata, &key_id).await;
            assert!(matches!(refused, Err(ObjectError::Open)), "{place}: {refused:?}");
        }
        room.call(DisableKey { key_id: key_id.clone().into() }).await.unwrap();
        let refused = opened(&user_metadata, &key_id).await;
        assert!(matches!(refused, Err(ObjectError::Provider(_))), "{refused:?}");
        room.close().unwrap();
    });
}
