//! What goes with an object's bytes, and what keys may be: the limits.

use std::collections::BTreeMap;

use super::Error;
use super::version::Attributes;

impl Attributes {
    /// Whether they may be an object's.
    ///
    /// # Errors
    /// [`Error::MetadataTooLarge`]; as [`check_tags`].
    pub(super) fn check(&self) -> Result<(), Error> {
        let len: usize = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if len > METADATA_LEN {
            return Err(Error::MetadataTooLarge);
        }
        check_tags(&self.tags)
    }
}

/// Whether tags may be an object's (S3 User Guide, "Categorizing your storage using tags").
///
/// # Errors
/// [`Error::InvalidTag`]
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    let refused = |message: &str| Err(Error::InvalidTag(message.to_owned()));
    if tags.len() > TAGS {
        return refused("Object tags cannot be greater than 10");
    }
    for (name, value) in tags {
        if name.is_empty() || name.chars().count() > TAG_NAME_LEN {
            return refused("The TagKey you have provided is invalid");
        }
        if value.chars().count() > TAG_VALUE_LEN {
            return refused("The TagValue you have provided is invalid");
        }
        if name.starts_with("aws:") {
            return refused("Your TagKey cannot be prefixed with aws:");
        }
    }
    Ok(())
}

/// Whether an object may be called so: 1 to 1,024 bytes. Characters that XML 1.0 cannot hold are refused,
/// where AWS takes them: lists could not name them to who does not ask for encoded names.
///
/// # Errors
/// [`Error::KeyTooLong`], [`Error::InvalidArgument`].
pub(super) fn check_key(key: &str) -> Result<(), Error> {
    if key.len() > KEY_LEN {
        return Err(Error::KeyTooLong);
    }
    let fits = |letter: char| match letter {
        '\t' | '\n' | '\r' => true,
        letter => letter >= ' ' && !matches!(letter, '\u{fffe}' | '\u{ffff}'),
    };
    if key.is_empty() || !key.chars().all(fits) {
        return Err(Error::InvalidArgument {
            message: "The object key is empty or has characters that XML 1.0 cannot hold"
                .to_owned(),
            name: "Key",
            value: key.escape_default().to_string(),
        });
    }
    Ok(())
}

/// Bytes of user-defined metadata at the most, names and values (S3 User Guide, "Working with object
/// metadata").
const METADATA_LEN: usize = 2 << 10;
const TAGS: usize = 10;
const TAG_NAME_LEN: usize = 128;
const TAG_VALUE_LEN: usize = 256;
/// S3 User Guide, "Naming Amazon S3 objects".
const KEY_LEN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_that_aws_documents() {
        let metadata = |len| {
            let metadata = BTreeMap::from([("abcd".to_owned(), "v".repeat(len))]);
            Attributes { metadata, ..Attributes::default() }.check()
        };
        assert!(metadata(2_044).is_ok());
        assert_eq!(metadata(2_045).unwrap_err().code(), "MetadataTooLarge");
        let tag = |name: &str, value: &str| {
            check_tags(&BTreeMap::from([(name.to_owned(), value.to_owned())])).is_ok()
        };
        assert!(tag(&"ä".repeat(128), &"ä".repeat(256)) && tag("a", ""));
        assert!(!tag(&"a".repeat(129), "") && !tag("a", &"a".repeat(257)));
        assert!(!tag("aws:a", "") && !tag("", ""));
        let many =
            |count: u32| (0..count).map(|number| (number.to_string(), String::new())).collect();
        assert!(check_tags(&many(10)).is_ok() && check_tags(&many(11)).is_err());
        for good in ["a", "/", "a\nb\t", "\u{7f}", &"k".repeat(1_024)] {
            assert!(check_key(good).is_ok());
        }
        for (bad, code) in
            [("", "InvalidArgument"), ("a\0b", "InvalidArgument"), ("\u{1}", "InvalidArgument")]
        {
            assert_eq!(check_key(bad).unwrap_err().code(), code);
        }
        assert_eq!(check_key(&"ä".repeat(513)).unwrap_err().code(), "KeyTooLongError");
    }
}
