//! What is known of one call, by condition key: what conditions are compared with and what policy
//! variables stand for.
//!
//! Invariant: names are kept in lower case, as they are compared without case, and every name has at
//! least one value; a key without a value is a key that is not there.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition" (names are not case-sensitive) and
//! "Single-valued vs. multivalued context keys".

use std::borrow::Cow;

/// Values by the names of condition keys, such as `kms:ViaService`.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// A few dozen, made for one call: looking through them costs less than keeping them in order.
    keys: Vec<(String, Known)>,
}

/// What kind of key it is depends on the key, not on how many values one call brings.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    One([String; 1]),
    Many(Vec<String>),
}

impl Context {
    /// Sets a single-valued key.
    pub fn put(&mut self, key: &str, value: impl Into<String>) {
        self.set(lower(key), Known::One([value.into()]));
    }

    /// Sets a multivalued key, such as `aws:TagKeys`. Without a value the key is not there.
    pub fn put_all(&mut self, key: &str, values: impl IntoIterator<Item = impl Into<String>>) {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        let key = lower(key);
        if values.is_empty() {
            self.keys.retain(|(known, _)| *known != key);
        } else {
            self.set(key, Known::Many(values));
        }
    }

    /// The values of a key, if it is there: one or more.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.known(key).map(Known::values)
    }

    /// The value of a single-valued key. Only such a key can be a policy variable.
    #[must_use]
    pub fn single(&self, key: &str) -> Option<&str> {
        match self.known(key)? {
            Known::One([value]) => Some(value),
            Known::Many(_) => None,
        }
    }

    /// Whether a key is there and multivalued, however many values it has in this call.
    #[must_use]
    pub fn is_multivalued(&self, key: &str) -> bool {
        matches!(self.known(key), Some(Known::Many(_)))
    }

    /// Every key, in lower case, with its values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.keys.iter().map(|(key, known)| (key.as_str(), known.values()))
    }

    fn set(&mut self, key: Cow<'_, str>, value: Known) {
        match self.keys.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => self.keys.push((key.into_owned(), value)),
        }
    }

    fn known(&self, key: &str) -> Option<&Known> {
        let key = lower(key);
        self.keys.iter().find(|(known, _)| *known == key).map(|(_, known)| known)
    }
}

impl Known {
    fn values(&self) -> &[String] {
        match self {
            Self::One(one) => one,
            Self::Many(many) => many,
        }
    }
}

/// A name in lower case; one that is already, as those of conditions are, is not copied.
fn lower(key: &str) -> Cow<'_, str> {
    match key.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        true => Cow::Borrowed(key),
        false => Cow::Owned(key.to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_case_and_values_have() {
        let mut context = Context::default();
        context.put("aws:SourceIp", "203.0.113.9");
        context.put("aws:PrincipalTag/Équipe", "Bleue");
        assert_eq!(context.get("AWS:sourceIP").unwrap(), ["203.0.113.9"]);
        assert_eq!(context.single("aws:principaltag/éQUIPE"), Some("Bleue"));
        assert_eq!(context.get("aws:SourceIpp"), None);
        context.put("AWS:SOURCEIP", "::1");
        assert_eq!(context.get("aws:SourceIp").unwrap(), ["::1"]);
        let mut names: Vec<&str> = context.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        assert_eq!(names, ["aws:principaltag/équipe", "aws:sourceip"]);
    }

    #[test]
    fn a_multivalued_key_stays_one_with_a_single_value() {
        let mut context = Context::default();
        context.put_all("aws:TagKeys", ["team"]);
        assert_eq!(context.get("aws:tagkeys").unwrap(), ["team"]);
        assert!(context.is_multivalued("aws:TagKeys"));
        assert_eq!(context.single("aws:TagKeys"), None);
        context.put("aws:TagKeys", "team");
        assert!(!context.is_multivalued("aws:TagKeys"));
    }

    #[test]
    fn an_empty_set_is_an_absent_key() {
        let mut context = Context::default();
        context.put_all("aws:TagKeys", ["team", "cost"]);
        context.put_all("AWS:TagKeys", Vec::<String>::new());
        assert_eq!(context.get("aws:TagKeys"), None);
        assert_eq!(context.iter().count(), 0);
    }
}
