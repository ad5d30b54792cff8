use super::*;

fn create(bucket: &str, location: Option<&str>) -> CreateBucket {
    let location = location.map(str::to_owned);
    CreateBucket { bucket: bucket.into(), location, ownership: None }
}

#[test]
fn a_name_is_taken_once_and_told_apart_by_whose_it_is() {
    let world = World::new();
    let create = |account, region| {
        let call = call(world.now(), account, region);
        create_bucket(&world.objects, &call, &create("bucket", None))
    };
    let again = create(ACCOUNT, "us-east-1").unwrap();
    assert!(again.changes.is_empty(), "it is there already");
    assert_eq!(code(create(ACCOUNT, "eu-west-1")), "BucketAlreadyOwnedByYou");
    assert_eq!(code(create(OTHER, "us-east-1")), "BucketAlreadyExists");
}

#[test]
fn a_location_goes_with_the_endpoint() {
    let world = World::new();
    let region = |endpoint, location| {
        let call = call(world.now(), ACCOUNT, endpoint);
        let done = create_bucket(&world.objects, &call, &create("new", location));
        done.map(|done| {
            let bytes = done.changes[0].value.as_ref().unwrap().expose().to_vec();
            serde_json::from_slice::<Bucket>(&bytes).unwrap().region
        })
    };
    for (endpoint, location, expected) in [
        ("us-east-1", None, "us-east-1"),
        ("us-east-1", Some("eu-west-1"), "eu-west-1"),
        ("us-east-1", Some("EU"), "eu-west-1"),
        ("eu-west-1", Some("eu-west-1"), "eu-west-1"),
        ("eu-west-1", None, "eu-west-1"),
    ] {
        assert_eq!(region(endpoint, location).unwrap(), expected);
    }
    for (endpoint, location, expected) in [
        ("us-east-1", "us-east-1", "InvalidLocationConstraint"),
        ("us-east-1", "Nowhere!", "InvalidLocationConstraint"),
        ("eu-west-1", "us-east-1", "InvalidLocationConstraint"),
        ("eu-west-1", "eu-north-1", "IllegalLocationConstraintException"),
    ] {
        assert_eq!(code(region(endpoint, Some(location))), expected);
    }
}

#[test]
fn ownership_in_a_header_is_the_setting() {
    let mut world = World::new();
    let get = GetBucketOwnershipControls { bucket: "bucket".into() };
    let document = world.run(get_bucket_ownership_controls, &get).unwrap();
    assert!(document.contains("<ObjectOwnership>BucketOwnerEnforced</ObjectOwnership>"));
    let mut request = create("owned", None);
    request.ownership = Some("Mine".into());
    assert_eq!(code(world.run(create_bucket, &request)), "InvalidArgument");
    request.ownership = Some("ObjectWriter".into());
    world.run(create_bucket, &request).unwrap();
    let get = GetBucketOwnershipControls { bucket: "owned".into() };
    let document = world.run(get_bucket_ownership_controls, &get).unwrap();
    assert!(document.contains("<ObjectOwnership>ObjectWriter</ObjectOwnership>"));
}

#[test]
fn a_bucket_goes_when_it_is_empty_and_its_successor_begins_with_nothing() {
    let mut world = World::new();
    let gone = DeleteBucket { bucket: "bucket".into() };
    world.put("k");
    assert_eq!(code(world.run(delete_bucket, &gone)), "BucketNotEmpty");
    world.delete("k", None);
    let begin =
        CreateMultipartUpload { bucket: "bucket".into(), key: "k".into(), ..Default::default() };
    let upload_id = world.run(create_multipart_upload, &begin).unwrap().upload_id;
    assert_eq!(code(world.run(delete_bucket, &gone)), "BucketNotEmpty");
    let abort = AbortMultipartUpload { bucket: "bucket".into(), key: "k".into(), upload_id };
    world.run(abort_multipart_upload, &abort).unwrap();
    world.run(delete_bucket, &gone).unwrap();
    assert_eq!(code(world.run(delete_bucket, &gone)), "NoSuchBucket");
    assert!(world.rows.is_empty() && world.objects.names(ACCOUNT).is_empty());

    // What was left under another id is found by nobody, and swept.
    world.make("bucket");
    world.put("k");
    let left = world.remembered(|row| row.table != Table::Bucket);
    let unreachable = left.unreachable();
    assert_eq!(unreachable.len(), 1);
    assert_eq!(world.revisions[&unreachable[0].0], unreachable[0].1);
    assert_eq!(left.blobs().len(), 1);
}

#[test]
fn a_bucket_that_was_found_empty_does_not_go_under_what_is_put_into_it() {
    let begin =
        CreateMultipartUpload { bucket: "bucket".into(), key: "k".into(), ..Default::default() };
    let (delete_it, late) = (DeleteBucket { bucket: "bucket".into() }, put("late", "e"));
    for restarted in [false, true] {
        for with_upload in [false, true] {
            let mut world = World::new();
            world.put("k");
            if restarted {
                world.objects = world.restarted();
                world.revisions.retain(|row, _| row.table.is_stored());
            }
            // The writer saw an object, so that the bucket was not empty; that was removed meanwhile.
            let put = world.decide(put_object, &late).unwrap();
            let begun = world.decide(create_multipart_upload, &begin).unwrap();
            world.delete("k", None);
            let gone = world.decide(delete_bucket, &delete_it).unwrap();
            assert!(if with_upload { world.commit(&begun) } else { world.commit(&put) });
            assert!(!world.commit(&gone), "something is in it");
            assert_eq!(code(world.decide(delete_bucket, &delete_it)), "BucketNotEmpty");
            assert!(world.objects.unreachable().is_empty());
        }
    }
}

#[test]
fn what_is_put_into_one_bucket_does_not_conflict() {
    let mut world = World::new();
    let puts = ["a", "b", "c"].map(|key| world.decide(put_object, &put(key, "e")).unwrap());
    assert!(puts.iter().all(|put| world.commit(put)), "not even the first of a bucket");
}

#[test]
fn a_first_object_and_the_end_of_its_bucket_conflict() {
    let world = World::new();
    let first = world.decide(put_object, &put("k", "e")).unwrap();
    let begin =
        CreateMultipartUpload { bucket: "bucket".into(), key: "k".into(), ..Default::default() };
    let begun = world.decide(create_multipart_upload, &begin).unwrap();
    let gone = world.decide(delete_bucket, &DeleteBucket { bucket: "bucket".into() }).unwrap();
    let fits = |order: [&dyn Fn(&mut World) -> bool; 2]| {
        let mut world =
            World { objects: world.restarted(), rows: world.rows.clone(), ..World::default() };
        world.revisions = world.rows.keys().map(|row| (row.clone(), Revision(1))).collect();
        order.map(|commit| commit(&mut world))
    };
    assert_eq!(fits([&|world| world.commit(&first), &|world| world.commit(&gone)]), [true, false]);
    assert_eq!(fits([&|world| world.commit(&gone), &|world| world.commit(&first)]), [true, false]);
    assert_eq!(fits([&|world| world.commit(&begun), &|world| world.commit(&gone)]), [true, false]);
}

#[test]
fn buckets_are_listed_by_account_prefix_and_region_page_by_page() {
    let mut world = World::default();
    for name in ["b-1", "b-2", "b-3", "c-1"] {
        world.make(name);
    }
    let foreign =
        create_bucket(&world.objects, &call(world.now(), OTHER, "us-east-1"), &create("b-0", None));
    assert!(world.commit(&foreign.unwrap()));
    world.run(create_bucket, &create("b-4", Some("eu-west-1"))).unwrap();
    let list = |request: &ListBuckets| {
        let list = world.decide(list_buckets, request).map(|done| done.output)?;
        let names: Vec<_> = list.buckets.into_iter().map(|bucket| bucket.name).collect();
        Ok::<_, Error>((names, list.continuation_token))
    };
    let all = list(&ListBuckets::default()).unwrap();
    assert_eq!(all, (["b-1", "b-2", "b-3", "b-4", "c-1"].map(str::to_owned).to_vec(), None));
    let mut request =
        ListBuckets { prefix: "b".into(), max_buckets: Some(3), ..Default::default() };
    let (names, token) = list(&request).unwrap();
    assert_eq!(names, ["b-1", "b-2", "b-3"]);
    request.continuation_token = token;
    assert_eq!(list(&request).unwrap(), (vec!["b-4".to_owned()], None));
    request.region = Some("eu-west-1".into());
    assert_eq!(code(list(&request)), "InvalidArgument");
    request.continuation_token = None;
    assert_eq!(list(&request).unwrap().0, ["b-4"]);
    request.max_buckets = Some(0);
    assert_eq!(code(list(&request)), "InvalidArgument");
}

#[test]
fn what_is_not_set_is_said_in_awss_words() {
    let mut world = World::new();
    let bucket = || "bucket".to_owned();
    macro_rules! document {
        ($put:ident $put_request:ident $get:ident $get_request:ident $delete:ident $delete_request:ident
            $code:literal) => {
            let get = $get_request { bucket: bucket() };
            assert_eq!(code(world.run($get, &get)), $code);
            let put = $put_request { bucket: bucket(), document: "<a/>".into() };
            world.run($put, &put).unwrap();
            assert_eq!(world.run($get, &get).unwrap(), "<a/>");
            let put = $put_request { bucket: bucket(), document: "a".repeat((256 << 10) + 1) };
            assert_eq!(code(world.run($put, &put)), "MalformedXML");
            world.run($delete, &$delete_request { bucket: bucket() }).unwrap();
            assert_eq!(code(world.run($get, &get)), $code);
        };
    }
    let unowned = DeleteBucketOwnershipControls { bucket: "bucket".into() };
    world.run(delete_bucket_ownership_controls, &unowned).unwrap(); // it is made with some
    document!(put_bucket_cors PutBucketCors get_bucket_cors GetBucketCors
        delete_bucket_cors DeleteBucketCors "NoSuchCORSConfiguration");
    document!(put_bucket_lifecycle_configuration PutBucketLifecycleConfiguration
        get_bucket_lifecycle_configuration GetBucketLifecycleConfiguration
        delete_bucket_lifecycle DeleteBucketLifecycle "NoSuchLifecycleConfiguration");
    document!(put_bucket_ownership_controls PutBucketOwnershipControls
        get_bucket_ownership_controls GetBucketOwnershipControls
        delete_bucket_ownership_controls DeleteBucketOwnershipControls
        "OwnershipControlsNotFoundError");
    document!(put_public_access_block PutPublicAccessBlock get_public_access_block
        GetPublicAccessBlock delete_public_access_block DeletePublicAccessBlock
        "NoSuchPublicAccessBlockConfiguration");
    document!(put_bucket_tagging PutBucketTagging get_bucket_tagging GetBucketTagging
        delete_bucket_tagging DeleteBucketTagging "NoSuchTagSet");

    let get = GetBucketPolicy { bucket: bucket() };
    assert_eq!(code(world.run(get_bucket_policy, &get)), "NoSuchBucketPolicy");
    let put = |len| PutBucketPolicy { bucket: "bucket".to_owned(), policy: "p".repeat(len) };
    world.run(put_bucket_policy, &put(20 << 10)).unwrap();
    assert_eq!(code(world.run(put_bucket_policy, &put((20 << 10) + 1))), "MalformedPolicy");
    assert_eq!(world.run(get_bucket_policy, &get).unwrap().len(), 20 << 10);
    world.run(delete_bucket_policy, &DeleteBucketPolicy { bucket: bucket() }).unwrap();
    assert_eq!(code(world.run(get_bucket_policy, &get)), "NoSuchBucketPolicy");
}

#[test]
fn a_buckets_encryption_begins_with_sse_s3_and_goes_back_to_it() {
    let mut world = World::new();
    let get = GetBucketEncryption { bucket: "bucket".into() };
    assert_eq!(world.run(get_bucket_encryption, &get).unwrap(), EncryptionRule::default());
    let put = |algorithm: Option<&str>, key: Option<&str>, blocked: &[&str]| PutBucketEncryption {
        bucket: "bucket".into(),
        rule: EncryptionRule {
            algorithm: algorithm.map(str::to_owned),
            key_id: key.map(str::to_owned),
            bucket_key: true,
            blocked: blocked.iter().map(|kind| (*kind).to_owned()).collect(),
        },
    };
    let rule = put(Some("aws:kms"), Some("alias/app"), &["SSE-C"]);
    world.run(put_bucket_encryption, &rule).unwrap();
    assert_eq!(world.run(get_bucket_encryption, &get).unwrap(), rule.rule);
    for (wrong, expected) in [
        (put(Some("AES256"), Some("alias/app"), &[]), "InvalidArgument"),
        (put(Some("rot13"), None, &[]), "InvalidArgument"),
        (put(Some("AES256"), None, &["ROT13"]), "MalformedXML"),
    ] {
        assert_eq!(code(world.run(put_bucket_encryption, &wrong)), expected);
    }
    world.run(put_bucket_encryption, &put(None, None, &[])).unwrap();
    let off = world.run(get_bucket_encryption, &get);
    assert_eq!(code(off), "ServerSideEncryptionConfigurationNotFoundError");
    world
        .run(delete_bucket_encryption, &DeleteBucketEncryption { bucket: "bucket".into() })
        .unwrap();
    assert_eq!(world.run(get_bucket_encryption, &get).unwrap(), EncryptionRule::default());
}

#[test]
fn versioning_is_never_undone() {
    let mut world = World::new();
    let get = GetBucketVersioning { bucket: "bucket".into() };
    assert_eq!(world.run(get_bucket_versioning, &get).unwrap(), None);
    for status in [Versioning::Enabled, Versioning::Suspended] {
        world.version(status);
        assert_eq!(world.run(get_bucket_versioning, &get).unwrap(), Some(status));
    }
    let back = world
        .run(put_bucket_versioning, &PutBucketVersioning { bucket: "bucket".into(), status: None });
    assert_eq!(code(back), "IllegalVersioningConfigurationException");
}

#[test]
fn a_row_of_another_form_is_refused() {
    let world = World::new();
    let (row, bytes) = world.rows.iter().next().unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    for wrong in
        [text.replace("\"v\":1", "\"v\":2"), text.replacen('{', "{\"new\":1,", 1), "{".into()]
    {
        let applied = Applied { row, revision: Revision(2), value: Some(wrong.as_bytes()) };
        assert_eq!(world.objects.apply(&applied).unwrap_err(), "a row of Bucket cannot be read");
    }
    assert_eq!(world.objects.bucket("bucket").unwrap().1, Revision(1));
}
