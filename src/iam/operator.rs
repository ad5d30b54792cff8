//! Condition operators: their names, what they read in a document, and how they compare.
//!
//! | name | reads | compares |
//! |---|---|---|
//! | `StringEquals`, `…IgnoreCase` | text with variables | whole, wildcards as text |
//! | `StringLike` | text with variables | with wildcards |
//! | `Numeric…` | an integer or decimal | by size |
//! | `Date…` | a date of W3C, or seconds since 1970 | by time |
//! | `Bool` | `true` or `false`, or a variable | as such |
//! | `BinaryEquals` | base64 | bytes |
//! | `IpAddress` | an address or a range | by prefix |
//! | `ArnEquals`, `ArnLike` | text with variables | as ARNs, both alike |
//! | `Null` | `true` or `false` | whether the key is absent |
//!
//! Names are read in any case. `Not` negates, `…IfExists` says that an absent key is no obstacle, and
//! `ForAllValues:` and `ForAnyValue:` compare sets.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators".

use core::net::IpAddr;
use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use super::pattern::Pattern;
use super::value::{self, Number, Range};
use super::{Context, glob};

/// An operator, as a whole name says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) set: Set,
    pub(super) comparison: Comparison,
    pub(super) negated: bool,
    pub(super) if_exists: bool,
}

/// Which values of the call have to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// The only one.
    Single,
    /// Every one, if there is any.
    All,
    /// At least one.
    Any,
}

/// How a value of the call is compared with a value of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Arn,
    Binary,
    Bool,
    Date(Order),
    Equals,
    EqualsIgnoringCase,
    Ip,
    Like,
    Null,
    Numeric(Order),
}

/// Where the call's value has to be, seen from the document's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    At,
    Above,
    AtOrAbove,
    Below,
    AtOrBelow,
}

/// A value of a document, as its operator reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    Bytes(Vec<u8>),
    Date(DateTime<Utc>),
    Flag(bool),
    Number(Number),
    Range(Range),
    Text(Pattern),
}

impl Operator {
    /// Reads a name.
    ///
    /// # Errors
    /// What is wrong with it, for the policy's author.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let lower = name.to_ascii_lowercase();
        let (set, rest) = match lower.split_once(':') {
            Some(("forallvalues", rest)) => (Set::All, rest),
            Some(("foranyvalue", rest)) => (Set::Any, rest),
            Some(_) => return Err(invalid(name)),
            None => (Set::Single, lower.as_str()),
        };
        let (base, if_exists) = match rest.strip_suffix("ifexists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let (comparison, negated) = named(base).ok_or_else(|| invalid(name))?;
        if if_exists && comparison == Comparison::Null {
            return Err(format!(
                "{name}: The Null condition operator cannot be used with the IfExists suffix. \
                 Update the operator or the suffix."
            ));
        }
        Ok(Self { set, comparison, negated, if_exists })
    }
}

impl Comparison {
    /// Reads a value of a document. `variables` says whether its version knows them.
    ///
    /// # Errors
    /// What is wrong with it, for the policy's author.
    pub(super) fn read(self, text: &str, variables: bool) -> Result<Expected, String> {
        let (read, what) = match self {
            Self::Arn | Self::Equals | Self::EqualsIgnoringCase | Self::Like => {
                return Pattern::parse(text, variables).map(Expected::Text);
            }
            Self::Bool => {
                let pattern = Pattern::parse(text, variables)?;
                let is_boolean = pattern.has_variables() || value::boolean(text).is_some();
                (is_boolean.then_some(Expected::Text(pattern)), "true or false")
            }
            Self::Binary => (STANDARD.decode(text).ok().map(Expected::Bytes), "base64"),
            Self::Date(_) => (
                value::date(text).map(Expected::Date),
                "a date such as 2026-11-25T08:30:00Z, or seconds since 1970",
            ),
            Self::Ip => (
                Range::parse(text).map(Expected::Range),
                "an IP address or a range such as 203.0.113.0/24",
            ),
            Self::Null => (value::boolean(text).map(Expected::Flag), "true or false"),
            Self::Numeric(_) => (Number::parse(text).map(Expected::Number), "a number"),
        };
        match read {
            Some(expected) => Ok(expected),
            None if variables && self != Self::Bool && text.contains("${") => Err(format!(
                "{text}: Policy variables can only be used with String, Bool and ARN operators."
            )),
            None => Err(format!("{text:?} is not {what}")),
        }
    }

    /// Whether a value of a call matches one of the document. `None` if they cannot be compared: a
    /// variable stands for nothing, or the call's value is none of the operator's.
    pub(super) fn matches(
        self,
        expected: &Expected,
        found: &str,
        context: &Context,
    ) -> Option<bool> {
        match (self, expected) {
            (Self::Equals, Expected::Text(pattern)) => pattern.is(found, context),
            (Self::EqualsIgnoringCase, Expected::Text(pattern)) => {
                Some(glob::equal_ignoring_case(&pattern.resolve(context)?, found))
            }
            (Self::Like | Self::Arn, Expected::Text(pattern)) if pattern.is_unresolved(context) => {
                None
            }
            (Self::Like, Expected::Text(pattern)) => Some(pattern.matches(found, context)),
            (Self::Arn, Expected::Text(pattern)) => Some(pattern.matches_arn(found, context)),
            (Self::Bool, Expected::Text(pattern)) => {
                let wanted = value::boolean(&pattern.resolve(context)?)?;
                Some(value::boolean(found)? == wanted)
            }
            (Self::Binary, Expected::Bytes(bytes)) => Some(STANDARD.decode(found).ok()? == *bytes),
            (Self::Date(order), Expected::Date(date)) => {
                Some(order.holds(value::date(found)?.cmp(date)))
            }
            (Self::Numeric(order), Expected::Number(number)) => {
                Some(order.holds(Number::parse(found)?.cmp(number)))
            }
            (Self::Ip, Expected::Range(range)) => {
                Some(range.contains(found.parse::<IpAddr>().ok()?))
            }
            // `read` makes no other pairs, and `Null` compares no values.
            _ => None,
        }
    }
}

impl Order {
    fn holds(self, found: Ordering) -> bool {
        match self {
            Self::At => found.is_eq(),
            Self::Above => found.is_gt(),
            Self::AtOrAbove => found.is_ge(),
            Self::Below => found.is_lt(),
            Self::AtOrBelow => found.is_le(),
        }
    }
}

/// What a name in lower case, without prefix and suffix, compares, and whether it negates.
fn named(base: &str) -> Option<(Comparison, bool)> {
    if let Some(order) = base.strip_prefix("numeric") {
        return ordered(order).map(|(order, negated)| (Comparison::Numeric(order), negated));
    }
    if let Some(order) = base.strip_prefix("date") {
        return ordered(order).map(|(order, negated)| (Comparison::Date(order), negated));
    }
    Some(match base {
        "stringequals" => (Comparison::Equals, false),
        "stringnotequals" => (Comparison::Equals, true),
        "stringequalsignorecase" => (Comparison::EqualsIgnoringCase, false),
        "stringnotequalsignorecase" => (Comparison::EqualsIgnoringCase, true),
        "stringlike" => (Comparison::Like, false),
        "stringnotlike" => (Comparison::Like, true),
        "bool" => (Comparison::Bool, false),
        "binaryequals" => (Comparison::Binary, false),
        "ipaddress" => (Comparison::Ip, false),
        "notipaddress" => (Comparison::Ip, true),
        "arnequals" | "arnlike" => (Comparison::Arn, false),
        "arnnotequals" | "arnnotlike" => (Comparison::Arn, true),
        "null" => (Comparison::Null, false),
        _ => return None,
    })
}

/// The order that the rest of a `Numeric…` or `Date…` name says, and whether it negates.
fn ordered(name: &str) -> Option<(Order, bool)> {
    Some(match name {
        "equals" => (Order::At, false),
        "notequals" => (Order::At, true),
        "lessthan" => (Order::Below, false),
        "lessthanequals" => (Order::AtOrBelow, false),
        "greaterthan" => (Order::Above, false),
        "greaterthanequals" => (Order::AtOrAbove, false),
        _ => return None,
    })
}

fn invalid(name: &str) -> String {
    format!("The condition operator {name} is not valid. Use a valid condition operator.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_say_sets_negation_and_existence() {
        let plain = Operator {
            set: Set::Single,
            comparison: Comparison::Like,
            negated: false,
            if_exists: false,
        };
        assert_eq!(Operator::parse("StringLike"), Ok(plain));
        assert_eq!(Operator::parse("stringlike"), Ok(plain));
        let all = Operator { set: Set::All, negated: true, if_exists: true, ..plain };
        assert_eq!(Operator::parse("ForAllValues:StringNotLikeIfExists"), Ok(all));
        let any = Operator { set: Set::Any, ..plain };
        assert_eq!(Operator::parse("ForAnyValue:StringLike"), Ok(any));
    }

    #[test]
    fn names_that_are_none_say_so() {
        for name in [
            "",
            "Equals",
            "StringLikes",
            "StringNotLikeIgnoreCase",
            "NumericLike",
            "DateBefore",
            "BoolNot",
            "BinaryNotEquals",
            "ForSomeValues:StringLike",
            "ForAllValues:",
            "ForAllValues:ForAnyValue:StringLike",
            "IfExists",
            "StringLikeIfExistsIfExists",
        ] {
            let wrong = Operator::parse(name).unwrap_err();
            assert!(wrong.contains("not valid") && wrong.contains(name), "{wrong}");
        }
        assert!(Operator::parse("NullIfExists").unwrap_err().contains("IfExists suffix"));
    }

    #[test]
    fn values_that_are_none_say_what_they_should_be() {
        for (name, text, part) in [
            ("NumericEquals", "seven", "\"seven\" is not a number"),
            ("DateEquals", "yesterday", "is not a date"),
            ("Bool", "yes", "is not true or false"),
            ("Null", "", "is not true or false"),
            ("BinaryEquals", "===", "is not base64"),
            ("IpAddress", "203.0.113.0/40", "is not an IP address"),
            ("IpAddress", "${aws:SourceIp}", "Policy variables"),
            ("NumericEquals", "${aws:EpochTime}", "Policy variables"),
            ("StringLike", "${", "curly brace"),
        ] {
            let comparison = Operator::parse(name).unwrap().comparison;
            let wrong = comparison.read(text, true).unwrap_err();
            assert!(wrong.contains(part), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_name_and_no_value_panic(name in ".{0,30}", text in ".{0,30}", found in ".{0,30}") {
            let _ = Operator::parse(&name);
            let order = Order::AtOrBelow;
            for comparison in [
                Comparison::Arn, Comparison::Binary, Comparison::Bool, Comparison::Date(order),
                Comparison::Equals, Comparison::EqualsIgnoringCase, Comparison::Ip,
                Comparison::Like, Comparison::Null, Comparison::Numeric(order),
            ] {
                if let Ok(expected) = comparison.read(&text, true) {
                    let _ = comparison.matches(&expected, &found, &Context::default());
                }
            }
        }
    }
}
