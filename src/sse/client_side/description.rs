//! Maps of strings as they stand in metadata: JSON, perhaps as S3 hands non-ASCII text back.
//!
//! Written in ASCII alone, other characters as `\u` escapes, so that S3 leaves them as they are.
//! What was written otherwise S3 takes byte for byte as Latin-1 and returns as RFC 2047 encoded
//! words; reading takes both steps back (S3 user guide, "User-defined object metadata").

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::Error;

/// An encryption context, or what a raw keyring's user says of the wrapping key.
pub type Description = BTreeMap<String, String>;

/// Bytes of a map at the most, written as JSON.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// Reads a map out of one metadata value.
pub(super) fn read(text: &str) -> Result<Description, Error> {
    if text.len() > MAX_BYTES {
        return Err(TOO_LONG);
    }
    let decoded = encoded_words(text).map(|text| latin_1(&text).unwrap_or(text));
    parse(decoded.as_deref().unwrap_or(text).as_bytes(), false)
}

/// Reads one JSON map of strings; of numbers as well, where earlier programs wrote some. No name
/// stands twice.
pub(super) fn parse(json: &[u8], numbers: bool) -> Result<Description, Error> {
    if json.len() > MAX_BYTES {
        return Err(TOO_LONG);
    }
    let mut parser = serde_json::Deserializer::from_slice(json);
    let map = parser.deserialize_map(Strings { numbers });
    let map = map.and_then(|map| parser.end().map(|()| map));
    map.map_err(|_| Error::Metadata("a description is no JSON map of strings"))
}

/// Writes a map in ASCII, by name.
pub(super) fn write(map: &Description) -> Result<String, Error> {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, Ascii(CompactFormatter));
    map.serialize(&mut serializer).map_err(|_| TOO_LONG)?;
    String::from_utf8(out).ok().filter(|text| text.len() <= MAX_BYTES).ok_or(TOO_LONG)
}

const TOO_LONG: Error = Error::Metadata("it is longer than 64 KiB");

/// A JSON map without duplicates.
struct Strings {
    numbers: bool,
}

impl<'de> Visitor<'de> for Strings {
    type Value = Description;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Description, A::Error> {
        let mut map = Description::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = match access.next_value::<serde_json::Value>()? {
                serde_json::Value::String(text) => text,
                serde_json::Value::Number(number) if self.numbers && number.is_u64() => {
                    number.to_string()
                }
                _ => return Err(serde::de::Error::custom("not a string")),
            };
            if map.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("a name stands twice"));
            }
        }
        Ok(map)
    }
}

/// JSON with `\u` escapes for whatever is not ASCII, or would be taken for an encoded word.
struct Ascii(CompactFormatter);

impl Formatter for Ascii {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut units = [0; 2];
        let mut letters = fragment.chars().peekable();
        while let Some(letter) = letters.next() {
            // `=?` would begin an encoded word.
            let begins_word = letter == '=' && letters.peek() == Some(&'?');
            if letter.is_ascii() && !begins_word {
                self.0.write_string_fragment(writer, letter.encode_utf8(&mut [0; 4]))?;
            } else {
                for unit in letter.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

/// RFC 2047: text with its encoded words decoded; none when there are none that can be. White space
/// between two of them is no text.
fn encoded_words(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let (mut rest, mut after_word, mut found) = (text, false, false);
    while let Some(start) = rest.find("=?") {
        let (before, candidate) = rest.split_at(start);
        if !(after_word && before.trim().is_empty()) {
            out.extend_from_slice(before.as_bytes());
        }
        if let Some((bytes, after)) = encoded_word(candidate) {
            out.extend_from_slice(&bytes);
            (rest, after_word, found) = (after, true, true);
        } else {
            let (marker, after) = candidate.split_at(2);
            out.extend_from_slice(marker.as_bytes());
            (rest, after_word) = (after, false);
        }
    }
    out.extend_from_slice(rest.as_bytes());
    // A letter may be split between two words, so text is made of all of them together.
    if found { String::from_utf8(out).ok() } else { None }
}

/// `=?UTF-8?Q?…?=` or `=?UTF-8?B?…?=` at the start of `text`: its bytes, and what follows.
fn encoded_word(text: &str) -> Option<(Vec<u8>, &str)> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (body, rest) = rest.split_once("?=")?;
    let bytes = match encoding {
        _ if !charset.eq_ignore_ascii_case("utf-8") => return None,
        "B" | "b" => STANDARD.decode(body).ok()?,
        "Q" | "q" => quoted(body)?,
        _ => return None,
    };
    Some((bytes, rest))
}

fn quoted(body: &str) -> Option<Vec<u8>> {
    let mut bytes = body.bytes();
    let mut out = Vec::with_capacity(body.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digits = [bytes.next()?, bytes.next()?];
                *hex::decode(digits).ok()?.first()?
            }
            byte => byte,
        });
    }
    Some(out)
}

/// The UTF-8 text whose bytes were taken for letters of Latin-1, if that is what `text` is.
fn latin_1(text: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> =
        text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Description {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn maps_are_written_in_ascii_by_name() {
        let written = write(&map(&[("ß", "\u{1f511}\n\""), ("a", "b")])).unwrap();
        assert_eq!(written, r#"{"a":"b","\u00df":"\ud83d\udd11\n\""}"#);
        assert_eq!(read(&written).unwrap(), map(&[("ß", "\u{1f511}\n\""), ("a", "b")]));
        assert_eq!(write(&map(&[])).unwrap(), "{}");
    }

    /// In one word, in several, with a letter split between two; in clear.
    #[test]
    fn what_s3_encoded_twice_is_read() {
        let expected = map(&[("n", "ß")]);
        for text in [
            "{\"n\":\"ß\"}",
            "=?UTF-8?Q?{\"n\":\"=C3=83=C2=9F\"}?=",
            "=?utf-8?q?{\"n\":\"=C3=83=C2=9F?= =?UTF-8?Q?\"}?=",
            "=?UTF-8?Q?{\"n\":\"=C3=83?=\r\n =?UTF-8?Q?=C2=9F\"}?=",
            "=?UTF-8?Q?{\"n\":\"=C3=83=C2?= =?UTF-8?Q?=9F\"}?=",
            "=?UTF-8?B?eyJuIjoiw4PCnyJ9?=",
            // Encoded once, by a proxy that knows UTF-8.
            "=?UTF-8?B?eyJuIjoiw58ifQ==?=",
        ] {
            assert_eq!(read(text).unwrap(), expected, "{text}");
        }
        let once = "=?UTF-8?B?eyJuIjoi4oKsIn0=?=";
        assert_eq!(read(once).unwrap(), map(&[("n", "€")]));
        let plain = r#"{"n":"=?UTF-8?Q?"}"#;
        assert_eq!(read(plain).unwrap(), map(&[("n", "=?UTF-8?Q?")]));
        let like_a_word = map(&[("n", "=?UTF-8?Q?x?=")]);
        assert_eq!(read(&write(&like_a_word).unwrap()).unwrap(), like_a_word);
    }

    #[test]
    fn what_is_no_map_of_strings_is_refused() {
        for text in [
            "",
            "[]",
            "{",
            "null",
            r#"{"a":1}"#,
            r#"{"a":null}"#,
            r#"{"a":{}}"#,
            r#"{"a":"b"} x"#,
            r#"{"a":"b","a":"b"}"#,
            "=?UTF-8?B?!?=",
        ] {
            assert!(matches!(read(text), Err(Error::Metadata(_))), "{text}");
        }
        assert_eq!(parse(br#"{"a":128}"#, true).unwrap(), map(&[("a", "128")]));
        assert!(parse(br#"{"a":-1}"#, true).is_err());
        let long = format!("{{\"a\":\"{}\"}}", "b".repeat(MAX_BYTES));
        assert!(read(&long).is_err());
        assert!(write(&map(&[("a", &"b".repeat(MAX_BYTES))])).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            map in prop::collection::btree_map(any::<String>(), "[=?Qß_]{0,6}|.*", 0..4),
        ) {
            let text = write(&map).unwrap();
            prop_assert!(text.is_ascii());
            prop_assert_eq!(read(&text).unwrap(), map);
        }
    }
}
