//! What records are found by: a field and its value, in nine bytes.
//!
//! A term is one byte of field ‖ 8 bytes of SHA-256 of the value, or of a call's id that begins with its time the
//! id's own. It leads to candidates, which are
//! read and compared before they are believed, so two values with one term do no harm.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::cloudtrail::user_name;
use super::event::Event;
use crate::crypto::digest;

/// One indexed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Term(pub(super) [u8; 9]);

impl Term {
    fn new(field: u8, parts: &[&[u8]]) -> Self {
        let mut term = [0; 9];
        let digest = digest::sha256(parts);
        for (place, byte) in term.iter_mut().zip(std::iter::once(&field).chain(&digest)) {
            *place = *byte;
        }
        Self(term)
    }

    fn of_text(field: u8, value: &str) -> Self {
        Self::new(field, &[value.as_bytes()])
    }

    /// A key, by id or ARN.
    pub(super) fn key(named: &str) -> Self {
        Self::of_text(b'k', key_id(named))
    }

    /// An alias, by name or ARN.
    pub(super) fn alias(named: &str) -> Self {
        Self::of_text(b'n', alias_name(named).unwrap_or(named))
    }

    pub(super) fn resource(arn: &str) -> Self {
        Self::of_text(b'a', arn)
    }

    pub(super) fn principal(arn: &str) -> Self {
        Self::of_text(b'p', arn)
    }

    pub(super) fn account(id: &str) -> Self {
        Self::of_text(b'u', id)
    }

    pub(super) fn access_key_id(id: &str) -> Self {
        Self::of_text(b'x', id)
    }

    pub(super) fn source(address: &str) -> Self {
        Self::of_text(b'i', address)
    }

    pub(super) fn operation(name: &str) -> Self {
        Self::of_text(b'o', name)
    }

    pub(super) fn outcome(outcome: &str) -> Self {
        Self::of_text(b's', outcome)
    }

    pub(super) fn error_code(code: &str) -> Self {
        Self::of_text(b'e', code)
    }

    /// A call's id. One that begins with its time (RFC 9562, version 7) is its own term, so that those of calls
    /// that follow each other lie side by side in the index, where random ones would each take a page of the
    /// store apart.
    pub(super) fn request(id: &str) -> Self {
        match Uuid::try_parse(id) {
            Ok(id) if id.get_version_num() == 7 => {
                let mut term = [b'q'; 9];
                for (place, byte) in term.iter_mut().skip(1).zip(id.as_bytes()) {
                    *place = *byte;
                }
                Self(term)
            }
            _ => Self::of_text(b'q', id),
        }
    }

    /// A caller's name, as `LookupEvents` has it.
    pub(super) fn user_name(name: &str) -> Self {
        Self::of_text(b'N', name)
    }

    pub(super) fn read_only(is: bool) -> Self {
        Self::new(b'w', &[&[u8::from(is)]])
    }

    /// A pair of the encryption context.
    pub(super) fn pair(name: &str, value: &str) -> Self {
        Self::new(b'c', &[name.as_bytes(), &[0], value.as_bytes()])
    }

    /// An encryption context of more pairs than are indexed: it may hold any.
    pub(super) fn many_pairs() -> Self {
        Self::new(b'C', &[])
    }

    /// Every term of an event, each once.
    pub(super) fn of(event: &Event) -> Vec<Self> {
        let mut terms = BTreeSet::from([
            Self::principal(&event.principal),
            Self::account(&event.account),
            Self::operation(&event.operation),
            Self::outcome(event.outcome.as_str()),
            Self::request(&event.request_id),
            Self::source(&event.source),
            Self::read_only(event.read_only),
        ]);
        terms.extend(user_name(&event.principal).map(Self::user_name));
        terms.extend(event.key.as_deref().map(Self::key));
        terms.extend(event.error_code.as_deref().map(Self::error_code));
        terms.extend(event.access_key_id.as_deref().map(Self::access_key_id));
        terms.extend(event.resources().iter().map(|arn| Self::resource(arn)));
        terms.extend(event.aliases().iter().map(|arn| Self::alias(arn)));
        if event.context.len() > PAIRS {
            terms.insert(Self::many_pairs());
        } else {
            terms.extend(event.context.iter().map(|(name, value)| Self::pair(name, value)));
        }
        terms.into_iter().collect()
    }
}

/// Pairs of an encryption context that are indexed each: a caller cannot make its record cost more.
const PAIRS: usize = 16;

/// The id within a key id or ARN.
pub(super) fn key_id(named: &str) -> &str {
    named.rsplit('/').next().unwrap_or(named)
}

/// `alias/NAME` within an alias's name or ARN.
pub(super) fn alias_name(named: &str) -> Option<&str> {
    if named.starts_with("alias/") {
        return Some(named);
    }
    let (_, resource) = named.strip_prefix("arn:")?.rsplit_once(':')?;
    resource.starts_with("alias/").then_some(resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_told_from_a_key() {
        let arn = "arn:aws:kms:eu-west-1:111122223333:alias/team/app";
        assert_eq!(alias_name(arn), Some("alias/team/app"));
        assert_eq!(alias_name("alias/app"), Some("alias/app"));
        for other in ["1234", "arn:aws:kms:eu-west-1:111122223333:key/alias/x", "arn:alias/x", ""] {
            assert_eq!(alias_name(other), None, "{other}");
        }
    }

    #[test]
    fn ids_of_calls_that_follow_each_other_have_terms_that_do() {
        let early = "019abcde-0000-7abc-8123-456789abcdef";
        let late = "019abcde-0001-7000-8123-456789abcdef";
        assert!(Term::request(early) < Term::request(late));
        assert_eq!(Term::request(early), Term::request(&early.to_uppercase()));
        let random = "019abcde-0000-4abc-8123-456789abcdef";
        assert_eq!(Term::request(random), Term::of_text(b'q', random));
        assert_eq!(Term::request("none"), Term::of_text(b'q', "none"));
    }

    #[test]
    fn pairs_do_not_run_into_each_other_nor_cost_without_bound() {
        assert_ne!(Term::pair("ab", "c"), Term::pair("a", "bc"));
        let mut event = super::super::event::tests::event(1);
        let few = Term::of(&event).len();
        event.context = (0..500).map(|i| (i.to_string(), String::new())).collect();
        assert_eq!(Term::of(&event).len(), few);
        assert!(Term::of(&event).contains(&Term::many_pairs()));
    }
}
