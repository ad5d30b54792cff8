use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Keys out of few letters, among them the last one before the surrogates and the very last one.
fn keys() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set("[ab/\u{d7ff}\u{10ffff}]{1,5}", 0..40)
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    Key(String, Option<String>),
    Prefix(String),
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Key(name, _) | Self::Prefix(name) => name,
        }
    }
}

/// All entries after a marker, as the documentation says it: filtered, grouped, sorted.
fn naive<'a>(
    keys: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    prefix: &str,
    delimiter: &str,
    after: &str,
) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (key, id) in keys.filter(|(key, _)| key.starts_with(prefix)) {
        let found = (!delimiter.is_empty()).then(|| key[prefix.len()..].find(delimiter)).flatten();
        let entry = match found {
            Some(at) => Entry::Prefix(key[..prefix.len() + at + delimiter.len()].to_owned()),
            None => Entry::Key(key.to_owned(), id.map(str::to_owned)),
        };
        if entry.name() > after && entries.last() != Some(&entry) {
            entries.push(entry);
        }
    }
    entries
}

fn entries(list: &ObjectList) -> Vec<Entry> {
    let keys = list.objects.iter().map(|object| Entry::Key(object.key.clone(), None));
    let prefixes = list.common_prefixes.iter().map(|prefix| Entry::Prefix(prefix.clone()));
    let mut entries: Vec<_> = keys.chain(prefixes).collect();
    entries.sort_by(|one, two| one.name().cmp(two.name()));
    entries
}

fn request(prefix: &str, delimiter: &str, max_keys: u32) -> ListObjects {
    let delimiter = Some(delimiter.to_owned());
    ListObjects {
        bucket: "bucket".into(),
        prefix: prefix.into(),
        delimiter,
        max_keys,
        ..Default::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_list_is_the_naive_one_however_it_is_cut(
        keys in keys(),
        hidden in keys(),
        prefix in "[ab/\u{10ffff}]{0,2}",
        delimiter in "[a/\u{d7ff}\u{10ffff}]{0,2}",
        start in "[ab/\u{10ffff}]{0,3}",
        page in 1_usize..5,
    ) {
        let mut world = World::new();
        world.version(Versioning::Enabled);
        for key in keys.iter().chain(&hidden) {
            world.put(key);
        }
        for key in &hidden {
            world.delete(key, None);
        }
        let shown = keys.difference(&hidden).map(|key| (key.as_str(), None));
        let expected = naive(shown, &prefix, &delimiter, &start);
        let mut request = ListObjects { start_after: Some(start), ..request(&prefix, &delimiter, u32::try_from(page).unwrap()) };
        let mut by_token = Vec::new();
        loop {
            let list = world.decide(list_objects, &request).unwrap().output;
            let found = entries(&list);
            prop_assert!(found.len() <= 4 && (found.len() == page || !list.is_truncated));
            prop_assert_eq!(list.is_truncated, list.continuation_token.is_some());
            prop_assert_eq!(list.next_marker.as_deref(), found.last().filter(|_| list.is_truncated).map(Entry::name));
            by_token.extend(found);
            // By marker and by token in turn: both lead to the same place.
            if by_token.len() % 2 == 0 {
                request.start_after = list.next_marker;
                request.continuation_token = None;
            } else {
                request.continuation_token = list.continuation_token;
            }
            if !list.is_truncated {
                break;
            }
        }
        prop_assert_eq!(by_token, expected);
    }

    #[test]
    fn versions_are_the_naive_ones_however_they_are_cut(
        keys in keys(),
        more in prop::collection::vec((0_usize..40, any::<bool>()), 0..40),
        prefix in "[ab/]{0,2}",
        delimiter in "[a/]{0,1}",
        page in 1_usize..5,
    ) {
        let mut world = World::new();
        world.version(Versioning::Enabled);
        let mut written: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for key in &keys {
            written.entry(key).or_default().insert(0, world.put(key).version_id.unwrap());
        }
        for (index, is_put) in more {
            let Some(key) = keys.iter().nth(index) else { continue };
            let id = if is_put { world.put(key).version_id } else { world.delete(key, None).version_id };
            written.entry(key).or_default().insert(0, id.unwrap());
        }
        let all = written.iter().flat_map(|(key, ids)| ids.iter().map(|id| (*key, Some(id.as_str()))));
        let expected = naive(all, &prefix, &delimiter, "");
        let mut request = ListObjectVersions {
            bucket: "bucket".into(),
            prefix,
            delimiter: Some(delimiter),
            max_keys: u32::try_from(page).unwrap(),
            ..Default::default()
        };
        let mut found = Vec::new();
        loop {
            let list = world.decide(list_object_versions, &request).unwrap().output;
            let mut here = Vec::new();
            for listed in &list.versions {
                let id = listed.version.id.as_str();
                prop_assert_eq!(listed.is_latest, written[listed.key.as_str()][0] == id);
                here.push(Entry::Key(listed.key.clone(), Some(id.to_owned())));
            }
            here.extend(list.common_prefixes.iter().map(|prefix| Entry::Prefix(prefix.clone())));
            here.sort_by(|one, two| one.name().cmp(two.name()));
            prop_assert!(here.len() == page || !list.is_truncated);
            found.extend(here);
            request.key_marker = list.next_key_marker;
            request.version_id_marker = list.next_version_id_marker;
            if !list.is_truncated {
                break;
            }
        }
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_hundred_thousand_keys_are_all_there_in_pages() {
    let mut world = World::new();
    let first = world.put("00000");
    let bytes = world.rows.iter().next_back().unwrap().1.clone();
    let id = world.objects.bucket("bucket").unwrap().0.id.clone();
    for number in 1..100_000 {
        let row = super::super::row::object(&id, &format!("{number:05}"), &first.version.id);
        let applied = Applied { row: &row, revision: Revision(1), value: Some(&bytes) };
        world.objects.apply(&applied).unwrap();
    }
    let mut request = request("", "", 1_001);
    let mut found = Vec::new();
    let mut pages = 0;
    while found.len() < 100_000 {
        let list = world.decide(list_objects, &request).unwrap().output;
        found.extend(list.objects.iter().map(|object| object.key.clone()));
        pages += 1;
        assert_eq!(list.is_truncated, pages < 100);
        request.continuation_token = list.continuation_token;
    }
    assert!(
        found
            .iter()
            .eq((0..100_000).map(|number| format!("{number:05}")).collect::<Vec<_>>().iter())
    );
    let request = self::request("", "9", 1_000);
    let list = world.decide(list_objects, &request).unwrap().output;
    let prefixes = (list.common_prefixes.len(), list.common_prefixes[0].as_str());
    assert_eq!((list.objects.len(), prefixes), (1_000 - prefixes.0, (prefixes.0, "00009")));
}

#[test]
fn odd_pages_and_tokens() {
    let mut world = World::new();
    for key in ["a/1", "a/2", "b"] {
        world.put(key);
    }
    let list = |request: &ListObjects| world.decide(list_objects, request).map(|done| done.output);
    let none = list(&request("", "/", 0)).unwrap();
    assert!(entries(&none).is_empty() && !none.is_truncated && none.continuation_token.is_none());
    let token = list(&request("", "/", 1)).unwrap().continuation_token;
    for (prefix, delimiter) in [("a", "/"), ("", "")] {
        let foreign =
            ListObjects { continuation_token: token.clone(), ..request(prefix, delimiter, 1) };
        assert_eq!(code(list(&foreign)), "InvalidArgument");
    }
    let inside = ListObjects { start_after: Some("a/1".into()), ..request("", "/", 9) };
    assert_eq!(entries(&list(&inside).unwrap()), [Entry::Key("b".into(), None)]);

    let versions =
        ListObjectVersions { bucket: "bucket".into(), max_keys: 1, ..Default::default() };
    let markers = |key: Option<&str>, version: &str| ListObjectVersions {
        key_marker: key.map(str::to_owned),
        version_id_marker: Some(version.to_owned()),
        ..versions.clone()
    };
    let list = |request| world.decide(list_object_versions, &request).map(|done| done.output);
    assert_eq!(code(list(markers(None, "null"))), "InvalidArgument");
    assert_eq!(code(list(markers(Some("a/1"), "none"))), "InvalidArgument");
    // Who removes what a page had goes on where it ended.
    let gone = "0".repeat(32);
    assert_eq!(list(markers(Some("a/1"), &gone)).unwrap().versions[0].key, "a/1");
    assert_eq!(list(markers(Some("a/1"), "null")).unwrap().versions[0].key, "a/2");
}
