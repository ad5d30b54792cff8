use super::*;

const FULL: u64 = 5 << 20;

fn part(number: u16, size: u64, etag: &str) -> Part {
    Part {
        v: 1,
        number,
        modified: DateTime::from_timestamp(0, 0).unwrap(),
        size,
        etag: etag.into(),
        md5: "00".repeat(16),
        blob: Blob { id: BlobId::generate().unwrap(), len: size },
        salt: vec![1, 2],
        checksums: vec![("x-amz-checksum-crc32".into(), "AAAAAA==".into())],
    }
}

impl World {
    fn begin(&mut self, key: &str) -> String {
        let tags = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let attributes = Attributes { tags, ..Attributes::default() };
        let envelope = Some(vec![3]);
        let (bucket, key) = ("bucket".to_owned(), key.to_owned());
        let request =
            CreateMultipartUpload { bucket, key, attributes, envelope, ..Default::default() };
        self.run(create_multipart_upload, &request).unwrap().upload_id
    }

    fn upload(&mut self, upload_id: &str, part: &Part) -> Result<PartWritten, Error> {
        let request = UploadPart {
            bucket: "bucket".into(),
            key: "k".into(),
            upload_id: upload_id.into(),
            part_number: part.number,
            source: None,
            body: Some(part.clone()),
        };
        self.run(upload_part, &request)
    }

    fn listed_parts(&self, upload_id: &str, after: u16, max: u32) -> Result<PartList, Error> {
        let request = ListParts {
            bucket: "bucket".into(),
            key: "k".into(),
            upload_id: upload_id.into(),
            part_number_marker: after,
            max_parts: max,
        };
        self.decide(list_parts, &request).map(|done| done.output)
    }
}

fn complete(upload_id: &str, parts: &[&Part]) -> CompleteMultipartUpload {
    let named = |part: &&Part| CompletedPart {
        number: part.number,
        etag: format!("\"{}\"", part.etag),
        checksums: part.checksums.clone(),
    };
    let blobs = parts.iter().map(|part| part.blob.clone()).collect();
    CompleteMultipartUpload {
        bucket: "bucket".into(),
        key: "k".into(),
        upload_id: upload_id.into(),
        parts: parts.iter().map(named).collect(),
        body: Some(Body { blobs, ..body("e-2") }),
        ..CompleteMultipartUpload::default()
    }
}

#[test]
fn an_upload_becomes_an_object_and_leaves_nothing() {
    let mut world = World::new();
    let before = world.put("k");
    let id = world.begin("k");
    let begun = world.now();
    let (one, two, unused) = (part(1, FULL, "1"), part(3, 1, "3"), part(2, FULL, "2"));
    let first = part(1, 7, "first");
    world.upload(&id, &first).unwrap();
    let replaced = world.upload(&id, &one).unwrap();
    assert_eq!((replaced.etag.as_str(), replaced.freed), ("1", vec![first.blob.id]));
    world.upload(&id, &two).unwrap();
    world.upload(&id, &unused).unwrap();
    assert_eq!(world.objects.blobs().len(), 4);
    assert_eq!(world.objects.upload("bucket", "k", &id).unwrap().envelope, [3]);
    assert_eq!(code(world.objects.upload("bucket", "other", &id)), "NoSuchUpload");
    let parts = world.objects.parts("bucket", "k", &id).unwrap();
    assert_eq!(parts.iter().map(|part| part.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(world.restarted().parts("bucket", "k", &id).unwrap(), parts);

    let written = world.run(complete_multipart_upload, &complete(&id, &[&one, &two])).unwrap();
    assert_eq!(written.freed, [blob(&before.version), unused.blob.id]);
    let (attributes, body) = written.version.object().unwrap();
    assert_eq!((attributes.tags.len(), body.etag.as_str()), (1, "e-2"));
    assert_eq!(written.version.modified, begun);
    let again = world.run(complete_multipart_upload, &complete(&id, &[&one, &two]));
    assert_eq!(code(again), "NoSuchUpload", "its body is another");
    let again =
        CompleteMultipartUpload { body: Some(body.clone()), ..complete(&id, &[&one, &two]) };
    assert_eq!(
        code(world.run(complete_multipart_upload, &again)),
        "NoSuchUpload",
        "of another upload"
    );
    assert_eq!(world.rows.len(), 2, "bucket and object");
    assert_eq!(world.objects.blobs().len(), 2);
}

#[test]
fn who_completes_an_upload_once_more_is_answered_the_same() {
    let mut world = World::new();
    let (id, one) = (world.begin("k"), part(1, FULL, "1"));
    world.upload(&id, &one).unwrap();
    let mut request = complete(&id, &[&one]);
    request.body.as_mut().unwrap().upload = Some(id.clone());
    let first = world.run(complete_multipart_upload, &request).unwrap();
    assert_eq!(
        world.objects.completed("bucket", "k", &id),
        Some(std::sync::Arc::clone(&first.version))
    );
    let again = world.decide(complete_multipart_upload, &request).unwrap();
    assert!(again.changes.is_empty() && again.output.freed.is_empty());
    assert_eq!(again.output.version, first.version);
    world.put("k");
    assert_eq!(world.objects.completed("bucket", "k", &id), None);
    assert_eq!(code(world.run(complete_multipart_upload, &request)), "NoSuchUpload");
}

#[test]
fn parts_that_are_not_there_out_of_order_or_too_small_are_refused() {
    let mut world = World::new();
    let id = world.begin("k");
    let (one, two, last) = (part(1, FULL, "1"), part(2, FULL - 1, "2"), part(3, 0, "3"));
    for part in [&one, &two, &last] {
        world.upload(&id, part).unwrap();
    }
    let mut told =
        |parts: &[&Part]| code(world.run(complete_multipart_upload, &complete(&id, parts)));
    assert_eq!(told(&[]), "MalformedXML");
    assert_eq!(told(&[&last, &one]), "InvalidPartOrder");
    assert_eq!(told(&[&one, &one]), "InvalidPartOrder");
    assert_eq!(told(&[&one, &part(4, 1, "4")]), "InvalidPart");
    assert_eq!(told(&[&part(1, FULL, "other")]), "InvalidPart");
    let checksums = vec![("x-amz-checksum-crc32".into(), "AAAAAQ==".into())];
    assert_eq!(told(&[&Part { checksums, ..one.clone() }]), "InvalidPart");
    assert_eq!(told(&[&one, &two, &last]), "EntityTooSmall");
    let blob = part(1, FULL, "1").blob;
    assert_eq!(told(&[&Part { blob, ..one.clone() }]), "OperationAborted");
    assert_eq!(told(&[&one, &two]), "-");
    for number in [0, 10_001] {
        assert_eq!(code(world.upload(&id, &part(number, 1, "e"))), "InvalidArgument");
    }
    assert_eq!(code(world.upload(&id, &part(1, 1, "e"))), "NoSuchUpload");
}

#[test]
fn a_failed_condition_leaves_the_upload() {
    let mut world = World::new();
    world.put("k");
    let id = world.begin("k");
    let one = part(1, 1, "1");
    world.upload(&id, &one).unwrap();
    let mut request = complete(&id, &[&one]);
    request.conditions.if_none_match = Some(Etags::Any);
    assert_eq!(code(world.run(complete_multipart_upload, &request)), "PreconditionFailed");
    world.delete("k", None);
    world.run(complete_multipart_upload, &request).unwrap();
}

#[test]
fn an_aborted_upload_frees_its_parts_and_late_parts_conflict() {
    let mut world = World::new();
    let id = world.begin("k");
    let one = part(1, 1, "1");
    world.upload(&id, &one).unwrap();
    let request = |part: Part| UploadPart {
        bucket: "bucket".into(),
        key: "k".into(),
        upload_id: id.clone(),
        part_number: part.number,
        source: None,
        body: Some(part),
    };
    let late = world.decide(upload_part, &request(part(2, 1, "2"))).unwrap();
    let done = world.decide(complete_multipart_upload, &complete(&id, &[&one])).unwrap();
    world.upload(&id, &part(1, 1, "1")).unwrap();
    assert!(!world.commit(&done), "the part is another one now");
    let abort =
        AbortMultipartUpload { bucket: "bucket".into(), key: "k".into(), upload_id: id.clone() };
    assert_eq!(world.run(abort_multipart_upload, &abort).unwrap().freed.len(), 1);
    assert!(!world.commit(&late), "the upload is gone");
    assert_eq!(code(world.run(abort_multipart_upload, &abort)), "NoSuchUpload");
    assert_eq!(world.rows.len(), 1, "the bucket");
}

#[test]
fn parts_are_listed_page_by_page() {
    let mut world = World::new();
    let id = world.begin("k");
    for number in [4, 2, 9] {
        world.upload(&id, &part(number, 1, "e")).unwrap();
    }
    let list = |after, max| {
        let list = world.listed_parts(&id, after, max).unwrap();
        let numbers: Vec<_> = list.parts.iter().map(|part| part.number).collect();
        (numbers, list.is_truncated, list.next_part_number_marker)
    };
    assert_eq!(list(0, 2), (vec![2, 4], true, Some(4)));
    assert_eq!(list(4, 2), (vec![9], false, None));
    assert_eq!(list(0, 3), (vec![2, 4, 9], false, None));
    assert_eq!(list(0, 0), (vec![], false, None));
    assert_eq!(code(world.listed_parts("no", 0, 1)), "NoSuchUpload");
}

#[test]
fn uploads_are_listed_by_key_and_beginning() {
    let mut world = World::new();
    let (two, one) = (world.begin("k"), world.begin("a/1"));
    let three = world.begin("k");
    world.begin("a/2");
    let mut request = ListMultipartUploads {
        bucket: "bucket".into(),
        delimiter: Some("/".into()),
        max_uploads: 2,
        ..ListMultipartUploads::default()
    };
    let list = |request: &ListMultipartUploads| {
        world.decide(list_multipart_uploads, request).unwrap().output
    };
    let page = list(&request);
    assert_eq!(page.common_prefixes, ["a/"]);
    assert_eq!(page.uploads.iter().map(|upload| &upload.upload_id).collect::<Vec<_>>(), [&two]);
    assert_eq!(page.next_key_marker.as_deref(), Some("k"));
    assert_eq!(page.next_upload_id_marker.as_ref(), Some(&two));
    (request.key_marker, request.upload_id_marker) =
        (page.next_key_marker, page.next_upload_id_marker);
    let page = list(&request);
    assert_eq!(page.uploads.iter().map(|upload| &upload.upload_id).collect::<Vec<_>>(), [&three]);
    assert!(!page.is_truncated && page.common_prefixes.is_empty());
    request = ListMultipartUploads { prefix: "a/".into(), max_uploads: 1, ..request };
    (request.key_marker, request.upload_id_marker) = (None, None);
    let page = list(&request);
    assert_eq!((page.uploads[0].upload_id.as_str(), page.is_truncated), (one.as_str(), true));
}
