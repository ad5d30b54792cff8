//! The documents that `s3s` has no type for, or not all of: a bucket's default encryption, with the types of
//! encryption that it blocks, and the key that an object is to be moved to. Read strictly: what is not known is
//! refused.
//!
//! Source: Amazon S3 API Reference, `ServerSideEncryptionConfiguration`, `BlockedEncryptionTypes`,
//! `ObjectEncryption`.

use std::fmt::Write;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

use super::answers::escaped;
use crate::objects::{EncryptionRule, Error};

/// An element: its name without a prefix, its text, and what is in it.
#[derive(Debug, Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Self>,
}

/// Bytes of a document at the most, how deep it goes, and how many elements it has.
pub(super) const DOCUMENT_BYTES: usize = 64 * 1024;
const DEPTH: usize = 6;
const ELEMENTS: usize = 64;

impl Element {
    /// Reads a whole document.
    fn parse(document: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::from_reader(document);
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        let mut count = 0;
        loop {
            let ended = match reader.read_event().map_err(|_| Error::MalformedXml)? {
                Event::Start(start) => {
                    open.push(Self::named(start.local_name().as_ref())?);
                    None
                }
                Event::Empty(start) => Some(Self::named(start.local_name().as_ref())?),
                Event::End(_) => Some(open.pop().ok_or(Error::MalformedXml)?),
                Event::Text(text) => {
                    let text = text.decode().map_err(|_| Error::MalformedXml)?;
                    append(&mut open, &text)?;
                    None
                }
                Event::GeneralRef(entity) => {
                    let text = match entity.resolve_char_ref().map_err(|_| Error::MalformedXml)? {
                        Some(letter) => letter.to_string(),
                        None => {
                            let name = entity.decode().map_err(|_| Error::MalformedXml)?;
                            let text = resolve_xml_entity(&name).ok_or(Error::MalformedXml)?;
                            text.to_owned()
                        }
                    };
                    append(&mut open, &text)?;
                    None
                }
                Event::Decl(_) | Event::Comment(_) => None,
                Event::Eof => break,
                Event::CData(_) | Event::PI(_) | Event::DocType(_) => {
                    return Err(Error::MalformedXml);
                }
            };
            count += 1;
            if open.len() > DEPTH || count > 8 * ELEMENTS {
                return Err(Error::MalformedXml);
            }
            let Some(ended) = ended else { continue };
            match open.last_mut() {
                Some(parent) => parent.children.push(ended),
                None if root.is_none() => root = Some(ended),
                None => return Err(Error::MalformedXml),
            }
        }
        root.filter(|_| open.is_empty()).ok_or(Error::MalformedXml)
    }

    fn named(name: &[u8]) -> Result<Self, Error> {
        let name = std::str::from_utf8(name).map_err(|_| Error::MalformedXml)?.to_owned();
        Ok(Self { name, ..Self::default() })
    }

    /// The elements in it, each of these names; no text beside them.
    fn members(&self, names: &[&str]) -> Result<&[Self], Error> {
        let known = self.children.iter().all(|child| names.contains(&child.name.as_str()));
        if known && self.text.trim().is_empty() {
            Ok(&self.children)
        } else {
            Err(Error::MalformedXml)
        }
    }

    /// The one of a name, if it is there; not twice.
    fn member(&self, name: &str) -> Result<Option<&Self>, Error> {
        let mut found = self.children.iter().filter(|child| child.name == name);
        let first = found.next();
        if found.next().is_none() { Ok(first) } else { Err(Error::MalformedXml) }
    }

    /// Its text; no elements in it.
    fn content(&self) -> Result<&str, Error> {
        if self.children.is_empty() { Ok(self.text.trim()) } else { Err(Error::MalformedXml) }
    }

    fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.member(name)?.map(Self::content).transpose()? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::MalformedXml),
        }
    }
}

fn append(open: &mut [Element], text: &str) -> Result<(), Error> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(Error::MalformedXml),
    }
    Ok(())
}

/// What leaves objects in clear, which AWS has no word for.
const IN_CLEAR: &str = "NONE";

/// Reads `ServerSideEncryptionConfiguration`. Whether its values go together is not looked at.
///
/// # Errors
/// [`Error::MalformedXml`]
pub fn read_encryption(document: &[u8]) -> Result<EncryptionRule, Error> {
    let root = Element::parse(document)?;
    let [rule] = root.members(&["Rule"])? else { return Err(Error::MalformedXml) };
    if root.name != "ServerSideEncryptionConfiguration" {
        return Err(Error::MalformedXml);
    }
    rule.members(&[
        "ApplyServerSideEncryptionByDefault",
        "BucketKeyEnabled",
        "BlockedEncryptionTypes",
    ])?;
    let mut read =
        EncryptionRule { bucket_key: rule.flag("BucketKeyEnabled")?, ..Default::default() };
    if let Some(default) = rule.member("ApplyServerSideEncryptionByDefault")? {
        default.members(&["SSEAlgorithm", "KMSMasterKeyID"])?;
        let algorithm = default.member("SSEAlgorithm")?.ok_or(Error::MalformedXml)?.content()?;
        read.algorithm = (algorithm != IN_CLEAR).then(|| algorithm.to_owned());
        let key = default.member("KMSMasterKeyID")?.map(Element::content).transpose()?;
        read.key_id = key.filter(|key| !key.is_empty()).map(str::to_owned);
    }
    if let Some(blocked) = rule.member("BlockedEncryptionTypes")? {
        for kind in blocked.members(&["EncryptionType"])? {
            let kind = kind.content()?;
            if !["SSE-C", "NONE"].contains(&kind) {
                return Err(Error::MalformedXml);
            }
            read.blocked.push(kind.to_owned());
        }
    }
    Ok(read)
}

/// Writes it. None for a bucket whose objects are left in clear and which blocks nothing; where it blocks something,
/// there is no default in its rule.
pub(super) fn write_encryption(rule: &EncryptionRule) -> Option<String> {
    if rule.algorithm.is_none() && rule.blocked.is_empty() {
        return None;
    }
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ServerSideEncryptionConfiguration \
         xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>",
    );
    if let Some(algorithm) = &rule.algorithm {
        let algorithm = escaped(algorithm);
        let _ = write!(
            text,
            "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>{algorithm}</SSEAlgorithm>"
        );
        if let Some(key) = &rule.key_id {
            let _ = write!(text, "<KMSMasterKeyID>{}</KMSMasterKeyID>", escaped(key));
        }
        text.push_str("</ApplyServerSideEncryptionByDefault>");
    }
    let _ = write!(text, "<BucketKeyEnabled>{}</BucketKeyEnabled>", rule.bucket_key);
    if !rule.blocked.is_empty() {
        text.push_str("<BlockedEncryptionTypes>");
        for kind in &rule.blocked {
            let _ = write!(text, "<EncryptionType>{}</EncryptionType>", escaped(kind));
        }
        text.push_str("</BlockedEncryptionTypes>");
    }
    text.push_str("</Rule></ServerSideEncryptionConfiguration>");
    Some(text)
}

/// Reads `ObjectEncryption`: the ARN of the key that an object is to be moved to, and whether under a bucket key.
///
/// # Errors
/// [`Error::MalformedXml`]
pub(super) fn read_target(document: &[u8]) -> Result<(String, bool), Error> {
    let root = Element::parse(document)?;
    if root.name != "ObjectEncryption" {
        return Err(Error::MalformedXml);
    }
    // The model's name of the element, which SDKs write, and that of the type.
    let [target] = root.members(&["SSE-KMS", "SSEKMS"])? else { return Err(Error::MalformedXml) };
    target.members(&["KMSKeyArn", "BucketKeyEnabled"])?;
    let arn = target.member("KMSKeyArn")?.ok_or(Error::MalformedXml)?.content()?;
    Ok((arn.to_owned(), target.flag("BucketKeyEnabled")?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(inside: &str) -> Result<EncryptionRule, Error> {
        let open =
            "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
        read_encryption(format!("{open}{inside}</ServerSideEncryptionConfiguration>").as_bytes())
    }

    fn default(inside: &str) -> String {
        format!("<ApplyServerSideEncryptionByDefault>{inside}</ApplyServerSideEncryptionByDefault>")
    }

    #[test]
    fn a_rule_is_read_as_it_was_meant() {
        let kms = default(
            "<SSEAlgorithm>aws:kms</SSEAlgorithm>\n <KMSMasterKeyID>alias/a&amp;&#98;</KMSMasterKeyID>",
        );
        let read = rule(&format!("\n<Rule>{kms}<BucketKeyEnabled>true</BucketKeyEnabled></Rule>"))
            .unwrap();
        assert_eq!(read.algorithm.as_deref(), Some("aws:kms"));
        assert_eq!((read.key_id.as_deref(), read.bucket_key), (Some("alias/a&b"), true));
        let clear = rule(&format!("<Rule>{}</Rule>", default("<SSEAlgorithm>NONE</SSEAlgorithm>")));
        assert_eq!(clear.unwrap().algorithm, None);
        assert_eq!(
            write_encryption(&EncryptionRule { algorithm: None, ..Default::default() }),
            None
        );
        let off = EncryptionRule {
            algorithm: None,
            blocked: vec!["SSE-C".to_owned()],
            ..Default::default()
        };
        let written = write_encryption(&off).unwrap();
        assert!(!written.contains("SSEAlgorithm") && written.contains("<EncryptionType>SSE-C<"));
        let blocked = "<Rule><BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType>\
                       </BlockedEncryptionTypes></Rule>";
        let read = rule(blocked).unwrap();
        assert_eq!(
            (read.algorithm.as_deref(), read.blocked),
            (Some("AES256"), vec!["SSE-C".to_owned()])
        );
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let aes = default("<SSEAlgorithm>AES256</SSEAlgorithm>");
        for inside in [
            String::new(),
            format!("<Rule>{aes}</Rule><Rule>{aes}</Rule>"),
            format!("<Rule>{aes}{aes}</Rule>"),
            format!("<Rule>{aes}<Other/></Rule>"),
            format!("<Rule>{aes}text</Rule>"),
            format!("<Rule>{}</Rule>", default("")),
            format!("<Rule>{aes}<BucketKeyEnabled>yes</BucketKeyEnabled></Rule>"),
            "<Rule><BlockedEncryptionTypes><EncryptionType>SSE-X</EncryptionType>\
             </BlockedEncryptionTypes></Rule>"
                .to_owned(),
            format!("<Rule>{aes}"),
            "<Rule>&unknown;</Rule>".to_owned(),
        ] {
            assert!(matches!(rule(&inside), Err(Error::MalformedXml)), "{inside}");
        }
        let bomb = "<!DOCTYPE a [<!ENTITY b \"c\">]><ServerSideEncryptionConfiguration/>";
        assert!(read_encryption(bomb.as_bytes()).is_err());
        assert!(read_encryption("<a>".repeat(10_000).as_bytes()).is_err());
        assert!(read_encryption(b"<Other><Rule/></Other>").is_err());
    }

    #[test]
    fn the_key_that_an_object_is_moved_to() {
        for name in ["SSE-KMS", "SSEKMS"] {
            let document = format!(
                "<?xml version=\"1.0\"?><ObjectEncryption><{name}><KMSKeyArn>arn:aws:kms:r:1:key/k</KMSKeyArn>\
                 <BucketKeyEnabled>true</BucketKeyEnabled></{name}></ObjectEncryption>"
            );
            let read = read_target(document.as_bytes()).unwrap();
            assert_eq!(read, ("arn:aws:kms:r:1:key/k".to_owned(), true));
        }
        assert!(read_target(b"<ObjectEncryption><SSES3/></ObjectEncryption>").is_err());
    }

    proptest! {
        #[test]
        fn a_rule_that_is_written_is_read_again(
            algorithm in "[ -~]{1,20}", key in prop::option::of("[!-~]{1,30}"), bucket_key: bool,
            blocked in prop::collection::vec(prop::sample::select(vec!["SSE-C", "NONE"]), 0..3),
        ) {
            prop_assume!(algorithm.trim() == algorithm && algorithm != IN_CLEAR && !algorithm.is_empty());
            let blocked = blocked.into_iter().map(str::to_owned).collect();
            let rule = EncryptionRule { algorithm: Some(algorithm), key_id: key, bucket_key, blocked };
            let written = write_encryption(&rule).unwrap();
            prop_assert_eq!(read_encryption(written.as_bytes()).unwrap(), rule);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(document in "[<>/A-Za-z&;#! \\[\\]\"=-]{0,120}") {
            let _ = read_encryption(document.as_bytes());
            let _ = read_target(document.as_bytes());
        }
    }
}
