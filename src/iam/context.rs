//! What is known of one call, by condition key: what conditions are compared with and what policy
//! variables stand for.
//!
//! Invariant: every name has at least one value; a key without a value is a key that is not there.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition" (names are not case-sensitive) and
//! "Single-valued vs. multivalued context keys".

use std::borrow::Cow;

/// Values by the names of condition keys, such as `kms:ViaService`.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// A few dozen, made for one call: looking through them costs less than keeping them in order. Of a
    /// name that is there twice the later counts.
    keys: Vec<(Name, Known)>,
}

/// A condition key's name. Two are the same whatever the case of their letters.
#[derive(Debug, Clone)]
pub(super) struct Name {
    /// Different for different names nearly always, and compared first.
    fingerprint: u64,
    /// In lower case, unless it is of ASCII alone.
    text: Cow<'static, str>,
}

/// What is known of a key. What kind of key it is depends on the key, not on how many values one call
/// brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    One([String; 1]),
    Many(Vec<String>),
}

impl Context {
    /// Sets a single-valued key.
    pub fn put(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.keys.push((Name::new(key), Known::One([value.into()])));
    }

    /// Sets a multivalued key, such as `aws:TagKeys`. Without a value the key is not there.
    pub fn put_all(
        &mut self,
        key: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        let key = Name::new(key);
        if values.is_empty() {
            self.keys.retain(|(known, _)| *known != key);
        } else {
            self.keys.push((key, Known::Many(values)));
        }
    }

    /// What is known of a key, if it is there.
    pub(super) fn get(&self, key: &Name) -> Option<&Known> {
        self.keys.iter().rev().find(|(known, _)| known == key).map(|(_, known)| known)
    }
}

impl Name {
    /// A name as it is written.
    pub(super) fn new(name: impl Into<Cow<'static, str>>) -> Self {
        let mut text = name.into();
        if !text.is_ascii() {
            text = Cow::Owned(text.to_lowercase());
        }
        Self { fingerprint: fingerprint(&text), text }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl Eq for Name {}

/// The length and the last seven letters of a name, whatever their case: keys of one service begin alike.
fn fingerprint(name: &str) -> u64 {
    let name = name.as_bytes();
    let [length, ..] = name.len().to_le_bytes();
    let mut print = [length; 8];
    for (place, byte) in print.iter_mut().skip(1).zip(name.iter().rev()) {
        *place = byte | ASCII_CASE;
    }
    u64::from_le_bytes(print)
}

/// The bit by which letters of ASCII differ in case.
const ASCII_CASE: u8 = 0x20;

impl Known {
    /// One or more.
    pub(super) fn values(&self) -> &[String] {
        match self {
            Self::One(one) => one,
            Self::Many(many) => many,
        }
    }

    /// The value of a single-valued key. Only such a key can be a policy variable.
    pub(super) fn single(&self) -> Option<&str> {
        match self {
            Self::One([value]) => Some(value),
            Self::Many(_) => None,
        }
    }

    /// Whether the key is multivalued, however many values it has in this call.
    pub(super) const fn is_multivalued(&self) -> bool {
        matches!(self, Self::Many(_))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(context: &Context, key: &'static str) -> Option<Vec<String>> {
        context.get(&Name::new(key)).map(|known| known.values().to_vec())
    }

    #[test]
    fn names_have_no_case_and_values_have() {
        let mut context = Context::default();
        context.put("aws:SourceIp", "203.0.113.9");
        context.put("aws:PrincipalTag/Équipe", "Bleue");
        assert_eq!(values(&context, "AWS:sourceIP").unwrap(), ["203.0.113.9"]);
        let team = context.get(&Name::new("aws:principaltag/éQUIPE")).unwrap();
        assert_eq!(team.single(), Some("Bleue"));
        assert_eq!(values(&context, "aws:SourceIpp"), None);
        context.put("AWS:SOURCEIP", "::1");
        assert_eq!(values(&context, "aws:SourceIp").unwrap(), ["::1"]);
    }

    #[test]
    fn a_multivalued_key_stays_one_with_a_single_value() {
        let mut context = Context::default();
        let key = Name::new("aws:TagKeys");
        context.put_all("aws:TagKeys", ["team"]);
        assert_eq!(values(&context, "aws:tagkeys").unwrap(), ["team"]);
        assert!(context.get(&key).unwrap().is_multivalued());
        assert_eq!(context.get(&key).unwrap().single(), None);
        context.put("aws:TagKeys", "team");
        assert!(!context.get(&key).unwrap().is_multivalued());
    }

    #[test]
    fn an_empty_set_is_an_absent_key() {
        let mut context = Context::default();
        context.put_all("aws:TagKeys", ["team", "cost"]);
        context.put_all("AWS:TagKeys", Vec::<String>::new());
        assert!(context.keys.is_empty());
    }

    proptest! {
        #[test]
        fn names_are_the_same_as_their_lower_case(one in "[aAbK:\u{212A}éÉ@`]{0,12}", other in "[aAbK:éÉ@`]{0,12}") {
            let same = one.to_lowercase().eq_ignore_ascii_case(&other.to_lowercase());
            prop_assert_eq!(Name::new(one.clone()) == Name::new(other), same);
            prop_assert!(Name::new(one.clone()) == Name::new(one.to_lowercase()));
        }
    }
}
