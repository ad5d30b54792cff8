use proptest::prelude::*;

use super::*;

/// One step of who uses a bucket.
#[derive(Debug, Clone)]
enum Step {
    Put(u8),
    Delete(u8),
    /// The version at this place among those that the model has.
    Remove(u8, usize),
    Set(Versioning),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0_u8..3;
    let step = prop_oneof![
        4 => key.clone().prop_map(Step::Put),
        3 => key.clone().prop_map(Step::Delete),
        3 => (key, 0_usize..4).prop_map(|(key, place)| Step::Remove(key, place)),
        1 => prop_oneof![Just(Versioning::Enabled), Just(Versioning::Suspended)].prop_map(Step::Set),
    ];
    prop::collection::vec(step, 0..60)
}

/// What the documentation says that a key has: ids, the latest first, with their bytes unless they are
/// markers.
type Model = BTreeMap<u8, Vec<(String, Option<BlobId>)>>;

proptest! {
    #[test]
    fn every_history_is_the_documented_one(steps in steps()) {
        let mut world = World::new();
        let mut model = Model::new();
        let mut versioning = None;
        for step in steps {
            match step {
                Step::Set(status) => {
                    world.version(status);
                    versioning = Some(status);
                }
                Step::Put(key) => {
                    let written = world.put(&key.to_string());
                    let versions = model.entry(key).or_default();
                    let freed = replace(versions, versioning);
                    prop_assert_eq!(written.version_id.is_some(), versioning.is_some());
                    prop_assert_eq!(written.freed, freed);
                    let id = written.version.id.as_str().to_owned();
                    prop_assert_eq!(id == "null", versioning != Some(Versioning::Enabled));
                    versions.insert(0, (id, Some(blob(&written.version))));
                }
                Step::Delete(key) => {
                    let deleted = world.delete(&key.to_string(), None);
                    let versions = model.entry(key).or_default();
                    prop_assert_eq!(deleted.freed, replace(versions, versioning));
                    prop_assert_eq!(deleted.delete_marker, versioning.is_some());
                    if let Some(id) = deleted.version_id {
                        versions.insert(0, (id, None));
                    }
                }
                Step::Remove(key, place) => {
                    let versions = model.entry(key).or_default();
                    if place < versions.len() {
                        let (id, blob) = versions.remove(place);
                        let deleted = world.delete(&key.to_string(), Some(&id));
                        prop_assert_eq!(deleted.delete_marker, blob.is_none());
                        prop_assert_eq!(deleted.freed, blob.into_iter().collect::<Vec<_>>());
                    }
                }
            }
            compare(&world.objects, &model)?;
        }
        compare(&world.restarted(), &model)?;
    }
}

/// Takes the version that a write replaces out of the model; its bytes.
fn replace(
    versions: &mut Vec<(String, Option<BlobId>)>,
    versioning: Option<Versioning>,
) -> Vec<BlobId> {
    if versioning == Some(Versioning::Enabled) {
        return Vec::new();
    }
    let place = versions.iter().position(|(id, _)| id == "null");
    place.and_then(|place| versions.remove(place).1).into_iter().collect()
}

fn compare(objects: &Objects, model: &Model) -> Result<(), TestCaseError> {
    let call = call(DateTime::from_timestamp(0, 0).unwrap(), ACCOUNT, "us-east-1");
    let request =
        ListObjectVersions { bucket: "bucket".into(), max_keys: 1_000, ..Default::default() };
    let listed = list_object_versions(objects, &call, &request).unwrap().output;
    let found: Vec<_> = listed
        .versions
        .iter()
        .map(|listed| {
            let id = listed.version.id.as_str().to_owned();
            let blob = listed.version.object().map(|(_, body)| body.blobs[0].id.clone());
            (listed.key.clone(), id, blob, listed.is_latest)
        })
        .collect();
    let expected: Vec<_> = model
        .iter()
        .flat_map(|(key, versions)| {
            versions.iter().enumerate().map(move |(place, (id, blob))| {
                (key.to_string(), id.clone(), blob.clone(), place == 0)
            })
        })
        .collect();
    prop_assert_eq!(found, expected);
    let request = ListObjects { bucket: "bucket".into(), max_keys: 1_000, ..Default::default() };
    let listed = list_objects(objects, &call, &request).unwrap().output;
    let shown: Vec<_> = listed.objects.iter().map(|object| object.key.clone()).collect();
    let latest = model
        .iter()
        .filter(|(_, versions)| versions.first().is_some_and(|(_, blob)| blob.is_some()));
    let keys: Vec<_> = latest.map(|(key, _)| key.to_string()).collect();
    prop_assert_eq!(shown, keys);
    let blobs = model.values().flatten().filter_map(|(_, blob)| blob.clone()).collect();
    prop_assert_eq!(objects.blobs(), blobs);
    Ok(())
}
