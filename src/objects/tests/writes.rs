use super::*;
use crate::sse::Mode;

fn find(world: &World, key: &str, version_id: Option<&str>) -> Result<Found, Error> {
    world.objects.find("bucket", key, version_id)
}

fn etag(found: &Found) -> &str {
    &found.version.object().unwrap().1.etag
}

fn these(etag: &str) -> Option<Etags> {
    Some(Etags::These(vec![etag.to_owned()]))
}

#[test]
fn without_versions_a_put_replaces_and_frees() {
    let mut world = World::new();
    let first = world.put("k");
    assert_eq!((first.version_id, first.freed), (None, vec![]));
    let second = world.put("k");
    assert_eq!(second.freed, [blob(&first.version)]);
    assert_eq!(second.version.sequence, 2);
    let gone = world.delete("k", None);
    assert_eq!((gone.version_id, gone.delete_marker), (None, false));
    assert_eq!(gone.freed, [blob(&second.version)]);
    assert!(world.delete("k", None).freed.is_empty(), "it is gone already");
    assert_eq!(code(find(&world, "k", None)), "NoSuchKey");
    assert!(world.objects.blobs().is_empty());
}

#[test]
fn with_versions_each_write_stays_until_it_is_removed_itself() {
    let mut world = World::new();
    let null = world.put("k");
    world.version(Versioning::Enabled);
    let first = world.put("k");
    let id = first.version_id.clone().unwrap();
    assert_eq!((id.len(), first.freed.len()), (32, 0));
    let marker = world.delete("k", None);
    assert!(marker.delete_marker && marker.freed.is_empty());
    let marker = marker.version_id.unwrap();
    match find(&world, "k", None).unwrap_err() {
        Error::NoSuchKey { delete_marker, .. } => assert_eq!(delete_marker.as_ref(), Some(&marker)),
        other => panic!("{other}"),
    }
    assert_eq!(code(find(&world, "k", Some(&marker))), "MethodNotAllowed");
    assert_eq!(code(find(&world, "k", Some("no id"))), "InvalidArgument");
    assert_eq!(code(find(&world, "k", Some(&"0".repeat(32)))), "NoSuchVersion");
    assert_eq!(code(find(&world, "other", Some("null"))), "NoSuchVersion");
    let found = find(&world, "k", Some("null")).unwrap();
    assert_eq!(
        (found.version_id.as_deref(), blob(&found.version)),
        (Some("null"), blob(&null.version))
    );

    let gone = world.delete("k", Some(&marker));
    assert_eq!((gone.version_id.as_ref(), gone.delete_marker), (Some(&marker), true));
    assert_eq!(find(&world, "k", None).unwrap().version_id.as_ref(), Some(&id));
    assert_eq!(world.delete("k", Some(&id)).freed, [blob(&first.version)]);
    assert_eq!(find(&world, "k", None).unwrap().version_id.as_deref(), Some("null"));
    let absent = world.delete("k", Some(&id));
    assert_eq!((absent.version_id, absent.delete_marker), (Some(id), false));
}

#[test]
fn with_versions_suspended_the_null_one_is_replaced() {
    let mut world = World::new();
    world.version(Versioning::Enabled);
    let kept = world.put("k");
    world.version(Versioning::Suspended);
    let null = world.put("k");
    assert_eq!((null.version_id.as_deref(), null.freed.len()), (Some("null"), 0));
    let marker = world.delete("k", None);
    assert_eq!((marker.version_id.as_deref(), marker.delete_marker), (Some("null"), true));
    assert_eq!(marker.freed, [blob(&null.version)]);
    assert_eq!(code(find(&world, "k", None)), "NoSuchKey");
    assert!(world.put("k").freed.is_empty(), "a marker has no bytes");
    world.delete("k", Some("null"));
    assert_eq!(blob(&find(&world, "k", None).unwrap().version), blob(&kept.version));
}

#[test]
fn a_write_is_done_on_its_conditions_alone() {
    let mut world = World::new();
    let with = |if_match, if_none_match| {
        let conditions = Conditions { if_match, if_none_match, ..Conditions::default() };
        PutObject { conditions, ..put("k", "new") }
    };
    for versioning in [None, Some(Versioning::Enabled), Some(Versioning::Suspended)] {
        if let Some(status) = versioning {
            world.version(status);
        }
        world.delete("k", None);
        assert_eq!(code(world.run(put_object, &with(these("new"), None))), "NoSuchKey");
        world.run(put_object, &with(None, Some(Etags::Any))).unwrap();
        let again = world.run(put_object, &with(None, Some(Etags::Any)));
        assert!(matches!(again, Err(Error::PreconditionFailed("If-None-Match"))));
        assert_eq!(code(world.run(put_object, &with(None, these("old")))), "NotImplemented");
        assert_eq!(code(world.run(put_object, &with(these("old"), None))), "PreconditionFailed");
        world.run(put_object, &with(these("new"), None)).unwrap();

        let mut gone = delete("k", None);
        gone.if_match = these("old");
        assert_eq!(code(world.run(delete_object, &gone)), "PreconditionFailed");
        gone.if_match = these("new");
        world.run(delete_object, &gone).unwrap();
        let expected = if versioning.is_none() { "NoSuchKey" } else { "PreconditionFailed" };
        assert_eq!(code(world.run(delete_object, &gone)), expected);
    }
}

#[test]
fn of_two_conditional_writes_at_once_one_is_done() {
    for versioning in [None, Some(Versioning::Enabled), Some(Versioning::Suspended)] {
        let mut world = World::new();
        if let Some(status) = versioning {
            world.version(status);
        }
        world.put("other");
        let mut request = put("k", "e");
        request.conditions.if_none_match = Some(Etags::Any);
        let both = [(); 2].map(|()| world.decide(put_object, &request).unwrap());
        assert_eq!(both.map(|done| world.commit(&done)), [true, false]);
        let (plain, versioned) = (put("k", "f"), versioning == Some(Versioning::Enabled));
        let both = [(); 2].map(|()| world.decide(put_object, &plain).unwrap());
        assert_eq!(both.map(|done| world.commit(&done)), [true, versioned]);
        request.conditions = Conditions { if_match: these("f"), ..Conditions::default() };
        let late = world.decide(put_object, &request).unwrap();
        let id = find(&world, "k", None).unwrap().version.id.clone();
        world.delete("k", Some(id.as_str()));
        assert!(!world.commit(&late), "what it matched is gone");
    }
}

#[test]
fn reads_have_conditions_and_rely_on_what_they_saw() {
    let mut world = World::new();
    world.put("k");
    let get = |if_match, if_none_match| GetObject {
        bucket: "bucket".into(),
        key: "k".into(),
        conditions: Conditions { if_match, if_none_match, ..Conditions::default() },
        ..GetObject::default()
    };
    assert_eq!(code(world.run(get_object, &get(these("f"), None))), "PreconditionFailed");
    assert_eq!(code(world.run(get_object, &get(None, these("e")))), "NotModified");
    let seen = world.decide(get_object, &get(these("e"), these("f"))).unwrap();
    assert_eq!((etag(&seen.output), seen.output.version_id.as_deref()), ("e", None));
    world.put("k");
    assert!(!world.commit(&seen), "the object was replaced meanwhile");
    let head = HeadObject { bucket: "bucket".into(), key: "k".into(), ..HeadObject::default() };
    let seen = world.decide(head_object, &head).unwrap();
    world.version(Versioning::Enabled);
    assert!(!world.commit(&seen), "the bucket changed meanwhile");
}

#[test]
fn tags_change_in_place() {
    let mut world = World::new();
    let before = world.put("k");
    let tags = |tags: &[(&str, &str)]| PutObjectTagging {
        bucket: "bucket".into(),
        key: "k".into(),
        version_id: None,
        tags: tags.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    };
    assert_eq!(world.run(put_object_tagging, &tags(&[("a", "b")])).unwrap().tags.len(), 1);
    assert_eq!(code(world.run(put_object_tagging, &tags(&[("aws:a", "b")]))), "InvalidTag");
    let get = GetObjectTagging { bucket: "bucket".into(), key: "k".into(), version_id: None };
    let found = world.run(get_object_tagging, &get).unwrap();
    assert_eq!(found.tags, BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    let after = find(&world, "k", None).unwrap().version;
    assert_eq!(
        (after.modified, after.sequence),
        (before.version.modified, before.version.sequence)
    );
    world.run(put_object_tagging, &tags(&[])).unwrap();
    assert_eq!(*find(&world, "k", None).unwrap().version, *before.version);
}

fn copy(world: &World, source: &str, target: &str) -> CopyObject {
    CopyObject {
        bucket: "bucket".into(),
        key: target.into(),
        source_bucket: "bucket".into(),
        source_key: source.into(),
        source: world.objects.find("bucket", source, None).ok().map(|found| found.version),
        body: Some(body("copied")),
        ..CopyObject::default()
    }
}

fn attributes(pairs: &[(&str, &str)], tag: &str) -> Attributes {
    let headers = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let tags = BTreeMap::from([(tag.to_owned(), String::new())]);
    Attributes { headers, tags, ..Attributes::default() }
}

#[test]
fn a_copy_has_its_sources_attributes_and_tags_unless_it_is_given_others() {
    let mut world = World::new();
    let given =
        attributes(&[("content-type", "text/css"), ("x-amz-storage-class", "GLACIER")], "source");
    world.run(put_object, &PutObject { attributes: given, ..put("s", "e") }).unwrap();
    let mut request = copy(&world, "s", "t");
    let copied = world.run(copy_object, &request).unwrap().version;
    assert_eq!(copied.object().unwrap().0, &attributes(&[("content-type", "text/css")], "source"));
    assert_eq!(copied.object().unwrap().1.etag, "copied");
    request.attributes = Some(attributes(&[("content-type", "text/html")], "ignored"));
    request.body = Some(body("copied"));
    let replaced = world.run(copy_object, &request).unwrap();
    let expected = attributes(&[("content-type", "text/html")], "source");
    assert_eq!(replaced.version.object().unwrap().0, &expected);
    assert_eq!(replaced.freed, [blob(&copied)]);
    request.tags = Some(BTreeMap::new());
    let replaced = world.run(copy_object, &request).unwrap().version;
    assert!(replaced.object().unwrap().0.tags.is_empty());
}

#[test]
fn a_copy_onto_itself_has_to_change_something() {
    let mut world = World::new();
    let first = world.put("k");
    let mut request = copy(&world, "k", "k");
    assert_eq!(code(world.run(copy_object, &request)), "InvalidRequest");
    request.encryption.mode = Some("aws:kms".into());
    // Its bytes may stay where they are.
    request.body.as_mut().unwrap().blobs = first.version.object().unwrap().1.blobs.clone();
    assert!(world.run(copy_object, &request).unwrap().freed.is_empty());
    for (class, kept) in [("STANDARD_IA", Some("STANDARD_IA")), ("STANDARD", None)] {
        let mut request = copy(&world, "k", "k");
        request.own = [("x-amz-storage-class".to_owned(), class.to_owned())].into();
        let written = world.run(copy_object, &request).unwrap();
        let headers = &written.version.object().unwrap().0.headers;
        assert_eq!(headers.get("x-amz-storage-class").map(String::as_str), kept);
    }
    let first = world.put("k");
    let mut request = copy(&world, "k", "k");
    request.attributes = Some(Attributes::default());
    assert_eq!(world.run(copy_object, &request).unwrap().freed, [blob(&first.version)]);
}

#[test]
fn a_copy_is_of_what_the_source_still_is() {
    let mut world = World::new();
    world.put("s");
    let request = copy(&world, "s", "t");
    let decided = world.decide(copy_object, &request).unwrap();
    world.put("s");
    assert!(!world.commit(&decided));
    assert_eq!(code(world.run(copy_object, &request)), "OperationAborted");

    let mut request = copy(&world, "s", "t");
    for (conditions, expected) in [
        (Conditions { if_none_match: these("e"), ..Conditions::default() }, "PreconditionFailed"),
        (Conditions { if_match: these("f"), ..Conditions::default() }, "PreconditionFailed"),
        (Conditions { if_match: these("e"), ..Conditions::default() }, "-"),
    ] {
        request.source_conditions = conditions;
        assert_eq!(code(world.decide(copy_object, &request)), expected);
    }
    world.version(Versioning::Enabled);
    request.source_version_id = world.delete("s", None).version_id;
    assert_eq!(code(world.run(copy_object, &request)), "InvalidRequest");
    request.source_version_id = None;
    assert_eq!(code(world.run(copy_object, &request)), "NoSuchKey");
}

#[test]
fn another_envelope_comes_in_the_place_of_the_one_that_was_seen() {
    let mut world = World::new();
    let sealed = |envelope: u8| Sealed {
        envelope: vec![envelope],
        info: vec![7],
        mode: Mode::Kms,
        key_arn: Some("arn".into()),
        bucket_key: false,
    };
    let mut request = put("k", "e");
    request.body.as_mut().unwrap().sealed = Some(sealed(1));
    let before = world.run(put_object, &request).unwrap().version;
    let update = |old, new| UpdateObjectEncryption {
        bucket: "bucket".into(),
        key: "k".into(),
        sealed: Some((sealed(new), sealed(old))),
        ..UpdateObjectEncryption::default()
    };
    let found = world.run(update_object_encryption, &update(1, 2)).unwrap();
    let (_, body) = found.version.object().unwrap();
    assert_eq!((body.sealed.as_ref(), body.etag.as_str()), (Some(&sealed(2)), "e"));
    assert_eq!((found.version.modified, found.version.sequence), (before.modified, 1));
    let stored = find(&world, "k", None).unwrap().version;
    assert_eq!(*stored, *found.version);
    assert_eq!(code(world.run(update_object_encryption, &update(1, 3))), "OperationAborted");
    world.put("k");
    assert_eq!(code(world.run(update_object_encryption, &update(2, 3))), "OperationAborted");
}
