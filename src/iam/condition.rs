//! `Condition` blocks: what a statement asks of a call beyond its principal, action and resource.
//!
//! Operators and the keys under one are all needed; of the values of a key one is enough, and under a
//! negated operator none may match. An absent key fails a condition, unless its operator negates or
//! says `IfExists`; `ForAllValues` holds for it and `ForAnyValue` does not. Where values cannot be
//! compared (a variable stands for nothing, the call has text where a number is asked for) the
//! condition fails, negated or not: the statement says nothing to such a call.
//!
//! Three choices that AWS's guide leaves open follow what others found by trying, as Cloud Copilot's
//! iam-simulate has it: `ForAnyValue` with `IfExists` fails for an absent key; an operator without a
//! set fails for a multivalued key; and names of operators have no case.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "Multiple context keys or
//! values", "Single-valued vs. multivalued context keys"; the words of what is wrong: "IAM policy
//! validation check reference".

use std::fmt;

use serde_json::Value;

use super::Context;
use super::context::{Known, Name};
use super::operator::{Comparison, Expected, Operator, Set};

/// All conditions of a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    all: Vec<Condition>,
}

/// One operator, one key, and the values that the key is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    operator: Operator,
    key: Name,
    values: Vec<Expected>,
    written: Written,
}

/// A condition as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    operator: String,
    key: String,
    values: Vec<String>,
}

impl Conditions {
    /// Reads a block. `variables` says whether the document's version knows policy variables.
    ///
    /// # Errors
    /// What is wrong with it, for the policy's author.
    pub fn parse(block: &Value, variables: bool) -> Result<Self, String> {
        let operators = block.as_object().ok_or_else(|| {
            mismatch("Condition", "an object of operators, such as {\"StringEquals\": {…}}")
        })?;
        let mut all = Vec::new();
        for (name, keys) in operators {
            let operator = Operator::parse(name)?;
            let keys = keys.as_object().ok_or_else(|| {
                mismatch(name, "an object of condition keys, such as {\"aws:username\": …}")
            })?;
            for (key, values) in keys {
                all.push(Condition::parse(operator, name, key, values, variables)?);
            }
        }
        Ok(Self { all })
    }

    /// Whether there is nothing to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether every condition holds for a call.
    #[must_use]
    pub fn hold(&self, context: &Context) -> bool {
        self.all.iter().all(|condition| condition.holds(context))
    }

    /// The conditions that do not hold for a call: why a statement says nothing to it.
    pub fn failing<'a>(&'a self, context: &'a Context) -> impl Iterator<Item = &'a Condition> {
        self.all.iter().filter(|condition| !condition.holds(context))
    }

    /// Every condition, for who explains or checks a policy.
    pub fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.all.iter()
    }
}

impl Condition {
    fn parse(
        operator: Operator,
        name: &str,
        key: &str,
        values: &Value,
        variables: bool,
    ) -> Result<Self, String> {
        if !is_key(key) {
            return Err(format!(
                "{name}: The condition key format of {key:?} is not valid. \
                 Use the format service:keyname."
            ));
        }
        let wrong = |what: String| format!("{name} {key}: {what}");
        let values = match values {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        let values = values.iter().map(text).collect::<Result<Vec<_>, _>>().map_err(&wrong)?;
        let read = |value: &String| operator.comparison.read(value, variables);
        Ok(Self {
            operator,
            key: Name::new(key.to_owned()),
            values: values.iter().map(read).collect::<Result<_, _>>().map_err(wrong)?,
            written: Written { operator: name.to_owned(), key: key.to_owned(), values },
        })
    }

    /// Its key, as it was written.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.written.key
    }

    /// The same, as it is looked up.
    pub(super) const fn name(&self) -> &Name {
        &self.key
    }

    /// How it compares.
    pub(super) const fn operator(&self) -> Operator {
        self.operator
    }

    /// The values that its key is compared with, as they were read.
    pub(super) fn values(&self) -> &[Expected] {
        &self.values
    }

    /// The same as they were written.
    pub(super) fn written_values(&self) -> &[String] {
        &self.written.values
    }

    /// Whether it looks at one value, so that it says nothing of a multivalued key.
    pub(super) fn compares_one(&self) -> bool {
        self.operator.set == Set::Single && self.operator.comparison != Comparison::Null
    }

    /// Whether it holds for a call.
    #[must_use]
    pub fn holds(&self, context: &Context) -> bool {
        let found = context.get(&self.key);
        let multivalued = found.is_some_and(Known::is_multivalued);
        let found = found.map(Known::values);
        // Values that are all empty are a set of nothing, but an empty value is a value.
        let empty = found.is_none_or(|values| values.iter().all(String::is_empty));
        if self.operator.comparison == Comparison::Null {
            let null = found.is_none() || (multivalued && empty);
            return self.values.contains(&Expected::Flag(null));
        }
        let found = found.unwrap_or_default();
        match self.operator.set {
            Set::All => empty || found.iter().all(|value| self.accepts(value, context)),
            Set::Any => !empty && found.iter().any(|value| self.accepts(value, context)),
            Set::Single => match found {
                [] => self.operator.if_exists || self.operator.negated,
                [value] if !multivalued => self.accepts(value, context),
                _ => false,
            },
        }
    }

    /// Whether one value of the call is as the document says.
    fn accepts(&self, found: &str, context: &Context) -> bool {
        let mut compared = self
            .values
            .iter()
            .map(|expected| self.operator.comparison.matches(expected, found, context));
        match self.operator.negated {
            true => compared.all(|matches| matches == Some(false)),
            false => compared.any(|matches| matches == Some(true)),
        }
    }
}

/// As an explanation shows it: `StringEquals kms:ViaService ["s3.us-east-1.amazonaws.com"]`.
impl fmt::Display for Condition {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Written { operator, key, values } = &self.written;
        write!(to, "{operator} {key} {values:?}")
    }
}

/// A service and a name, with nothing that cannot be seen.
fn is_key(key: &str) -> bool {
    let named = |(service, name): (&str, &str)| !service.is_empty() && !name.is_empty();
    key.split_once(':').is_some_and(named) && !key.contains(char::is_control)
}

/// The text of a value. JSON's numbers and booleans stand for what they look like.
fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        // Without an exponent, which JSON may have and operators do not read.
        Value::Number(number) => Ok(match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => number.to_string(),
            None => number.to_string(),
        }),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err("a value must be a string, a number or a boolean, or an array of these".to_owned())
        }
    }
}

fn mismatch(name: &str, what: &str) -> String {
    format!("{name}: The text does not match the expected JSON data type. It must be {what}.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// A call whose key `t:k` has these values: none, one, or more of a multivalued key.
    fn call(values: &[&str]) -> Context {
        let mut context = Context::default();
        context.put("aws:username", "alice");
        match values {
            [one] => context.put("t:k", *one),
            values => context.put_all("t:k", values.iter().copied()),
        }
        context
    }

    fn set(values: &[&str]) -> Context {
        let mut context = call(&[]);
        context.put_all("t:k", values.iter().copied());
        context
    }

    fn holds(operator: &str, values: Value, context: &Context) -> bool {
        Conditions::parse(&json!({ operator: { "T:K": values } }), true).unwrap().hold(context)
    }

    #[test]
    fn every_operator_compares_as_its_name_says() {
        let arn = "arn:aws:iam::111122223333:role/a";
        for (operator, document, matching, other) in [
            ("StringEquals", json!("a*"), "a*", "ab"),
            ("StringEquals", json!(["b", "${aws:username}"]), "alice", "Alice"),
            ("StringEqualsIgnoreCase", json!("Alice"), "aLICE", "alic"),
            ("StringLike", json!(["x", "al?c*"]), "alice", "Alice"),
            ("StringLike", json!("${aws:username}/${*}"), "alice/*", "alice/a"),
            ("NumericEquals", json!("7.0"), "7", "8"),
            ("NumericEquals", json!([7, 8.5]), "8.50", "-7"),
            ("NumericLessThan", json!(7), "6.9", "7"),
            ("NumericLessThanEquals", json!("7"), "7", "7.01"),
            ("NumericGreaterThan", json!(-7), "-6", "-7"),
            ("NumericGreaterThanEquals", json!("7"), "7", "6"),
            ("NumericLessThan", json!(1e-7), "0.00000005", "0.0000001"),
            ("DateEquals", json!("2026-11-25T00:00:00Z"), "2026-11-25", "2026-11-26"),
            ("DateEquals", json!(60), "1970-01-01T00:01:00Z", "61"),
            ("DateLessThan", json!("2026-11-25"), "2026-11-24T23:59:59Z", "2026-11-25T00:00Z"),
            ("DateLessThanEquals", json!("2026-11-25"), "2026-11-25T01:00+01:00", "2026-11-26"),
            ("DateGreaterThan", json!("2026-11-25"), "2026-11-25T00:00:00.1Z", "2026-11-25"),
            ("DateGreaterThanEquals", json!("2026-11"), "2026-11-01", "2026-10-31"),
            ("Bool", json!(true), "TRUE", "false"),
            ("Bool", json!("False"), "false", "true"),
            ("Bool", json!("${t:absent, 'true'}"), "true", "false"),
            ("BinaryEquals", json!("QmluYXJ5"), "QmluYXJ5", "YmluYXJ5"),
            ("IpAddress", json!(["10.0.0.0/8", "2001:db8::/32"]), "2001:db8::9", "11.0.0.1"),
            ("ArnEquals", json!("arn:aws:iam::*:role/*"), arn, "arn:aws:iam::1:user/a"),
            ("ArnLike", json!("arn:aws:iam::1111????3333:*"), arn, "role/a"),
        ] {
            let read =
                |operator: &str, found: &[&str]| holds(operator, document.clone(), &call(found));
            assert!(read(operator, &[matching]), "{operator} {document} {matching}");
            assert!(!read(operator, &[other]), "{operator} {document} {other}");
            assert!(!read(operator, &[]), "{operator} of an absent key");
            let if_exists = format!("{operator}IfExists");
            assert!(read(&if_exists, &[]) && read(&if_exists, &[matching]), "{if_exists}");
            assert!(!read(&if_exists, &[other]), "{if_exists} {other}");
        }
    }

    #[test]
    fn negated_operators_hold_where_no_value_matches() {
        for (operator, document, matching, other) in [
            ("StringNotEquals", json!(["a", "b"]), "b", "c"),
            ("StringNotEqualsIgnoreCase", json!(["a", "b"]), "B", "c"),
            ("StringNotLike", json!(["a*", "b"]), "ab", "c"),
            ("NumericNotEquals", json!(["1", "2"]), "2.0", "3"),
            ("DateNotEquals", json!(["1970-01-02"]), "86400", "86401"),
            ("NotIpAddress", json!(["10.0.0.0/8"]), "10.1.2.3", "11.0.0.1"),
            ("ArnNotEquals", json!(["arn:aws:s3:::*"]), "arn:aws:s3:::b", "arn:aws:s3::1:b"),
            ("ArnNotLike", json!(["arn:aws:s3:::*"]), "arn:aws:s3:::b", "no ARN"),
        ] {
            let read =
                |operator: &str, found: &[&str]| holds(operator, document.clone(), &call(found));
            assert!(!read(operator, &[matching]), "{operator} {matching}");
            assert!(read(operator, &[other]), "{operator} {other}");
            assert!(read(operator, &[]), "{operator} of an absent key");
            assert!(read(&format!("{operator}IfExists"), &[]), "{operator}IfExists");
            assert!(!read(&format!("{operator}IfExists"), &[matching]), "{operator}IfExists");
        }
    }

    #[test]
    fn what_cannot_be_compared_fails_negated_or_not() {
        for (operator, document, found) in [
            ("NumericEquals", json!(7), "seven"),
            ("NumericNotEquals", json!(7), "seven"),
            ("DateLessThan", json!("2026-11-25"), "today"),
            ("DateNotEquals", json!("2026-11-25"), "today"),
            ("Bool", json!(true), "yes"),
            ("Bool", json!("${aws:username}"), "true"),
            ("BinaryEquals", json!("QQ=="), "A"),
            ("IpAddress", json!("0.0.0.0/0"), "localhost"),
            ("NotIpAddress", json!("0.0.0.0/0"), "localhost"),
            ("StringEquals", json!("${t:absent}"), "${t:absent}"),
            ("StringNotEquals", json!(["a", "${t:absent}"]), "b"),
            ("StringNotLike", json!("${t:absent}"), "b"),
            ("ArnNotLike", json!("arn:aws:s3:::${t:absent}"), "arn:aws:s3:::b"),
        ] {
            assert!(!holds(operator, document.clone(), &call(&[found])), "{operator} {document}");
        }
        assert!(holds("StringEquals", json!(["${t:absent}", "b"]), &call(&["b"])));
    }

    #[test]
    fn null_asks_whether_the_key_is_absent() {
        for (context, absent) in [
            (call(&[]), true),
            (call(&["a"]), false),
            (call(&[""]), false),
            (set(&["a"]), false),
            (set(&[""]), true),
        ] {
            assert_eq!(holds("Null", json!("true"), &context), absent);
            assert_eq!(holds("Null", json!(false), &context), !absent);
            assert!(holds("Null", json!(["true", "false"]), &context));
            assert!(!holds("Null", json!([]), &context));
        }
    }

    #[test]
    fn sets_are_compared_value_by_value() {
        for (operator, found, expected) in [
            ("ForAllValues:StringEquals", vec!["a", "b"], true),
            ("ForAllValues:StringEquals", vec!["a", "c"], false),
            ("ForAllValues:StringEquals", vec![], true),
            ("ForAllValues:StringEquals", vec!["", ""], true),
            ("ForAllValues:StringEquals", vec!["a", ""], false),
            ("ForAllValues:StringEqualsIfExists", vec![], true),
            ("ForAllValues:StringNotEquals", vec!["c", "d"], true),
            ("ForAllValues:StringNotEquals", vec!["c", "a"], false),
            ("ForAllValues:StringNotEquals", vec![], true),
            ("ForAnyValue:StringEquals", vec!["c", "b"], true),
            ("ForAnyValue:StringEquals", vec!["c"], false),
            ("ForAnyValue:StringEquals", vec![], false),
            ("ForAnyValue:StringNotEquals", vec!["a", "c"], true),
            ("ForAnyValue:StringNotEquals", vec!["a", "b"], false),
            ("ForAnyValue:StringNotEquals", vec![], false),
            ("ForAnyValue:StringNotEquals", vec![""], false),
            ("ForAnyValue:StringEqualsIfExists", vec![], false),
            // A multivalued key needs a set.
            ("StringEquals", vec!["a"], false),
            ("StringNotEquals", vec!["c"], false),
            ("StringNotEquals", vec![], true),
        ] {
            let context = set(&found);
            assert_eq!(
                holds(operator, json!(["a", "b"]), &context),
                expected,
                "{operator} {found:?}"
            );
        }
        assert!(holds("ForAllValues:StringLike", json!("a*"), &call(&["ab"])));
        assert!(holds("ForAnyValue:StringLike", json!("a*"), &call(&["ab"])));
    }

    #[test]
    fn every_operator_and_every_key_is_needed_and_shown() {
        let block = json!({
            "StringEquals": { "kms:ViaService": ["s3.us-east-1.amazonaws.com"], "aws:username": "alice" },
            "Bool": { "aws:SecureTransport": true },
        });
        let conditions = Conditions::parse(&block, true).unwrap();
        let mut context = call(&[]);
        context.put("kms:viaservice", "s3.us-east-1.amazonaws.com");
        let failing = |context: &Context| {
            conditions.failing(context).map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(failing(&context), ["Bool aws:SecureTransport [\"true\"]"]);
        assert!(!conditions.hold(&context));
        context.put("aws:SecureTransport", "true");
        assert!(conditions.hold(&context) && failing(&context).is_empty());
        context.put("kms:ViaService", "ebs");
        let shown = "StringEquals kms:ViaService [\"s3.us-east-1.amazonaws.com\"]";
        assert_eq!(failing(&context), [shown]);
        assert_eq!(conditions.iter().count(), 3);
        assert_eq!(conditions.failing(&context).next().unwrap().key(), "kms:ViaService");
        let none = Conditions::parse(&json!({}), true).unwrap();
        assert!(none.is_empty() && none.hold(&context));
    }

    #[test]
    fn a_document_of_2008_compares_what_it_says() {
        let block = json!({ "StringEquals": { "t:k": "${aws:username}" } });
        let conditions = Conditions::parse(&block, false).unwrap();
        assert!(conditions.hold(&call(&["${aws:username}"])));
        assert!(!conditions.hold(&call(&["alice"])));
    }

    #[test]
    fn blocks_that_are_none_say_why() {
        for (block, part) in [
            (json!([]), "object of operators"),
            (json!("StringEquals"), "object of operators"),
            (json!({ "StringEquals": "t:k" }), "object of condition keys"),
            (json!({ "Like": { "t:k": "a" } }), "operator Like is not valid"),
            (json!({ "StringEquals": { "": "a" } }), "key format"),
            (json!({ "StringEquals": { "username": "a" } }), "key format"),
            (json!({ "StringEquals": { "aws:": "a" } }), "key format"),
            (json!({ "StringEquals": { "aws:\u{7}": "a" } }), "key format"),
            (json!({ "StringEquals": { "t:k": null } }), "StringEquals t:k: a value must be"),
            (json!({ "StringEquals": { "t:k": [["a"]] } }), "a value must be"),
            (json!({ "StringEquals": { "t:k": { "a": 1 } } }), "a value must be"),
            (json!({ "NumericEquals": { "t:k": [1, "x"] } }), "t:k: \"x\" is not a number"),
            (json!({ "DateEquals": { "t:k": true } }), "is not a date"),
            (json!({ "IpAddress": { "t:k": "10.0.0.0/99" } }), "is not an IP address"),
        ] {
            let wrong = Conditions::parse(&block, true).unwrap_err();
            assert!(wrong.contains(part), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_negated_operator_says_the_opposite_of_a_value(
            base in "Equals|EqualsIgnoreCase|Like", document in prop::collection::vec("[aA*?]{0,3}", 0..3),
            found in "[aA]{0,3}",
        ) {
            let context = call(&[&found]);
            let plain = holds(&format!("String{base}"), json!(document), &context);
            let negated = holds(&format!("StringNot{base}"), json!(document), &context);
            prop_assert_ne!(plain, negated);
        }

        #[test]
        fn sets_agree_with_their_values(
            document in prop::collection::vec("[ab]{1,2}", 0..3),
            found in prop::collection::vec("[ab]{1,2}", 1..4),
        ) {
            let one = |value: &String| holds("StringEquals", json!(document), &call(&[value]));
            let found_set = set(&found.iter().map(String::as_str).collect::<Vec<_>>());
            let all = holds("ForAllValues:StringEquals", json!(document), &found_set);
            let any = holds("ForAnyValue:StringEquals", json!(document), &found_set);
            prop_assert_eq!(all, found.iter().all(one));
            prop_assert_eq!(any, found.iter().any(one));
        }

        #[test]
        fn no_block_makes_the_reader_panic(operator in "[A-Za-z:]{0,24}", key in ".{0,12}", value in ".{0,24}") {
            for variables in [true, false] {
                let _ = Conditions::parse(&json!({ &operator: { &key: &value } }), variables);
            }
        }
    }
}
