//! What a query or a form says: names and values (`application/x-www-form-urlencoded`).
//!
//! Keys of objects stand in hidden fields percent-encoded once more: a browser changes line ends and NUL
//! in what it sends back of a form, and keys may have both.

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

/// Names and values, in order. One may be a secret: values are wiped, and not shown in `Debug`.
#[derive(Default)]
pub(super) struct Fields(Vec<(String, Zeroizing<String>)>);

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Fields {
    /// Reads more of them; more than [`MOST`] are passed over.
    pub(super) fn read(&mut self, text: &[u8]) {
        let room = MOST.saturating_sub(self.0.len());
        let read = form_urlencoded::parse(text).take(room);
        let owned = |value: Cow<'_, str>| Zeroizing::new(value.into_owned());
        self.0.extend(read.map(|(name, value)| (name.into_owned(), owned(value))));
    }

    /// A value; empty when there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// A value without spaces around it; none when that leaves nothing.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        let text = self.text(name).trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// All values of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(given, _)| given == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Keys of objects: `key` as it is, then `object`, which is encoded once more.
    pub(super) fn keys(&self) -> Vec<String> {
        let encoded = self.all("object").map(|value| decoded(value).into_owned());
        self.all("key").map(str::to_owned).chain(encoded).collect()
    }
}

/// A value that comes back from a form as it was.
pub(super) fn encoded(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

fn decoded(value: &str) -> Cow<'_, str> {
    form_urlencoded::parse(value.as_bytes()).next().map(|(name, _)| name).unwrap_or_default()
}

/// A path with a query.
pub(super) fn link(path: &str, fields: &[(&str, &str)]) -> String {
    let given = fields.iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Fields of one request at the most.
const MOST: usize = 2048;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_link_leads_to_the_name_that_it_was_made_of() {
        for name in
            ["../../etc/passwd", "a/../b", "<script>", "\"'&=+ %2F", "ü/日本", "a\r\nb\0", "."]
        {
            let made = link("/_strongroom/object", &[("bucket", "b"), ("key", name)]);
            let (path, query) = made.split_once('?').unwrap();
            assert_eq!(path, "/_strongroom/object");
            assert!(query.bytes().all(|byte| byte.is_ascii_graphic()), "{query}");
            assert!(!query.contains(['<', '>', '"', '\'', '/']), "{query}");
            let mut fields = Fields::default();
            fields.read(query.as_bytes());
            assert_eq!(fields.keys(), [name]);
        }
        assert_eq!(link("/x", &[("a", "")]), "/x");
    }

    #[test]
    fn fields_are_bounded() {
        let mut fields = Fields::default();
        fields.read("a=1&".repeat(MOST + 5).as_bytes());
        fields.read(b"b=2");
        assert_eq!((fields.all("a").count(), fields.text("b")), (MOST, ""));
    }

    proptest! {
        #[test]
        fn a_key_in_a_hidden_field_comes_back(name in "\\PC{0,20}[\\r\\n\\x00&=+%]{0,4}") {
            let mut fields = Fields::default();
            fields.read(form_urlencoded::Serializer::new(String::new())
                .append_pair("object", &encoded(&name)).finish().as_bytes());
            prop_assert_eq!(fields.keys(), [name]);
        }
    }
}
