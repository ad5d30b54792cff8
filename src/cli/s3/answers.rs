//! Answers of S3, as far as they are needed here: lists of buckets and objects, and refusals.
//!
//! Foreign bytes: bounded where they are received, read without recursion, and nothing is believed that is
//! not there.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;
use serde_json::Value;

use super::client::Failure;

/// A page of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page<T> {
    pub(super) entries: Vec<T>,
    /// What the next page is asked for with.
    pub(super) next: Option<String>,
}

/// An object, as it is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) size: u64,
}

/// `ListObjectsV2`, asked for with `encoding-type=url`.
pub(super) fn objects(document: &[u8]) -> Result<Page<Listed>, Failure> {
    let mut page = Page::default();
    let (mut encoded, mut truncated) = (false, false);
    let mut entry: Option<Listed> = None;
    read(document, "ListBucketResult", |path, seen| match (path, seen) {
        (["Contents"], Seen::Begins) => entry = Some(Listed::default()),
        (["Contents", "Key"], Seen::Text(text)) => {
            if let Some(entry) = &mut entry {
                entry.key = text.to_owned();
            }
        }
        (["Contents", "Size"], Seen::Text(text)) => {
            if let Some(entry) = &mut entry {
                entry.size = text.parse().unwrap_or_default();
            }
        }
        (["Contents"], Seen::Text(_)) => page.entries.extend(entry.take()),
        (["EncodingType"], Seen::Text(text)) => encoded = text == "url",
        (["IsTruncated"], Seen::Text(text)) => truncated = text == "true",
        (["NextContinuationToken"], Seen::Text(text)) => page.next = Some(text.to_owned()),
        _ => {}
    })?;
    if encoded {
        for listed in &mut page.entries {
            listed.key = decoded(&listed.key);
        }
    }
    if page.entries.iter().any(|listed| listed.key.is_empty()) {
        return Err(Failure::Strange("an object without a key is listed"));
    }
    page.next = page.next.filter(|_| truncated);
    if truncated && page.next.is_none() {
        return Err(Failure::Strange("the list goes on, and it is not said where"));
    }
    Ok(page)
}

/// `ListBuckets`
pub(super) fn buckets(document: &[u8]) -> Result<Page<String>, Failure> {
    let mut page = Page::default();
    read(document, "ListAllMyBucketsResult", |path, seen| match (path, seen) {
        (["Buckets", "Bucket", "Name"], Seen::Text(text)) => page.entries.push(text.to_owned()),
        (["ContinuationToken"], Seen::Text(text)) if !text.is_empty() => {
            page.next = Some(text.to_owned());
        }
        _ => {}
    })?;
    Ok(page)
}

/// Code and message of an error's document, S3's in XML or KMS's in JSON.
pub(super) fn refusal(document: &[u8]) -> Option<(String, String)> {
    if let Ok(Value::Object(members)) = serde_json::from_slice(document) {
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let code = text("__type")?.rsplit('#').next()?.to_owned();
        return Some((code, text("message").or_else(|| text("Message")).unwrap_or_default()));
    }
    let (mut code, mut message) = (String::new(), String::new());
    read(document, "Error", |path, seen| match (path, seen) {
        (["Code"], Seen::Text(text)) => code = text.to_owned(),
        (["Message"], Seen::Text(text)) => message = text.to_owned(),
        _ => {}
    })
    .ok()?;
    (!code.is_empty()).then_some((code, message))
}

/// What is seen of an element: that it begins, and with its end the text that it had.
enum Seen<'a> {
    Begins,
    Text(&'a str),
}

/// Walks through a document below its root.
fn read(
    document: &[u8],
    root: &str,
    mut see: impl FnMut(&[&str], Seen<'_>),
) -> Result<(), Failure> {
    const NO_XML: Failure = Failure::Strange("it is not the XML that was expected");
    let document = std::str::from_utf8(document).map_err(|_| NO_XML)?;
    let mut reader = Reader::from_str(document.trim_start());
    reader.config_mut().expand_empty_elements = true;
    let (mut path, mut text): (Vec<String>, String) = (Vec::new(), String::new());
    let mut whole = false;
    loop {
        match reader.read_event().map_err(|_| NO_XML)? {
            Event::Start(start) => {
                let name = start.local_name();
                let name = std::str::from_utf8(name.as_ref()).map_err(|_| NO_XML)?;
                if whole || path.is_empty() && name != root || path.len() == DEPTH {
                    return Err(NO_XML);
                }
                path.push(name.to_owned());
                text.clear();
                let names: Vec<_> = path.iter().skip(1).map(String::as_str).collect();
                see(&names, Seen::Begins);
            }
            Event::End(_) => {
                let names: Vec<_> = path.iter().skip(1).map(String::as_str).collect();
                see(&names, Seen::Text(&text));
                path.pop();
                text.clear();
                whole = path.is_empty();
            }
            Event::Text(more) => text.push_str(&more.decode().map_err(|_| NO_XML)?),
            Event::CData(more) => text.push_str(&more.decode().map_err(|_| NO_XML)?),
            Event::GeneralRef(reference) => {
                let numbered = reference.resolve_char_ref().map_err(|_| NO_XML)?;
                match numbered {
                    Some(letter) => text.push(letter),
                    None => {
                        let name = reference.decode().map_err(|_| NO_XML)?;
                        text.push_str(resolve_xml_entity(&name).ok_or(NO_XML)?);
                    }
                }
            }
            Event::DocType(_) => return Err(NO_XML),
            Event::Eof if whole => return Ok(()),
            Event::Eof => return Err(NO_XML),
            _ => {}
        }
    }
}

/// A name as S3 encodes it for XML: a space may be `+`.
fn decoded(name: &str) -> String {
    let pair = format!("={}", name.replace('&', "%26"));
    form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, name)| name.into_owned())
        .unwrap_or_default()
}

/// Elements within each other at the most.
const DEPTH: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_of_objects_is_read() {
        let document = br#"<?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/>
            <NextContinuationToken>1&amp;2&#x33;</NextContinuationToken><KeyCount>2</KeyCount>
            <IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>
            <Contents><Key>a%2Fb+c%2B%26&amp;</Key><ETag>&quot;x&quot;</ETag><Size>12</Size>
            <Owner><ID>k</ID></Owner></Contents>
            <Contents><Key>%0A</Key><Size>0</Size></Contents></ListBucketResult>"#;
        let page = objects(document).unwrap();
        let listed = |key: &str, size| Listed { key: key.to_owned(), size };
        assert_eq!(page.entries, [listed("a/b c+&&", 12), listed("\n", 0)]);
        assert_eq!(page.next.as_deref(), Some("1&23"));
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for document in [
            "",
            "<Error><Code>x</Code></Error>",
            "<ListBucketResult>",
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><ListBucketResult/>",
            "<ListBucketResult>&b;</ListBucketResult>",
            "<ListBucketResult/><ListBucketResult/>",
        ] {
            assert!(matches!(objects(document.as_bytes()), Err(Failure::Strange(_))), "{document}");
        }
        assert_eq!(objects(b"<ListBucketResult/>").unwrap(), Page::default());
    }

    #[test]
    fn buckets_are_read() {
        let document = b"<ListAllMyBucketsResult><Owner><ID>o</ID></Owner><Buckets><Bucket><Name>a</Name>\
            </Bucket><Bucket><Name>b</Name></Bucket></Buckets><ContinuationToken>t</ContinuationToken>\
            </ListAllMyBucketsResult>";
        let page = buckets(document).unwrap();
        assert_eq!(
            (page.entries, page.next.as_deref()),
            (vec!["a".to_owned(), "b".to_owned()], Some("t"))
        );
    }

    #[test]
    fn refusals_are_read_wherever_they_come_from() {
        let said = |document: &str| refusal(document.as_bytes());
        let pair = |code: &str, message: &str| Some((code.to_owned(), message.to_owned()));
        assert_eq!(
            said("<Error><Code>A</Code><Message>m &lt;</Message></Error>"),
            pair("A", "m <")
        );
        assert_eq!(said("\n  \n<Error><Code>SlowDown</Code></Error>"), pair("SlowDown", ""));
        assert_eq!(
            said(r#"{"__type":"x#NotFoundException","message":"m"}"#),
            pair("NotFoundException", "m")
        );
        for none in ["", "{}", "<CopyObjectResult/>", "<Error/>", "<html>"] {
            assert_eq!(said(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_document_makes_the_reader_panic(inside in "[<>/&;#x!a-c\\[\\]\"= -]{0,80}") {
            let document = format!("<ListBucketResult>{inside}</ListBucketResult>");
            let _ = objects(document.as_bytes());
            let _ = refusal(inside.as_bytes());
        }
    }
}
