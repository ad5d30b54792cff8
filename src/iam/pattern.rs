//! Text of policies that stands for other text: wildcards, policy variables, and ARNs.
//!
//! Variables are known in documents of version 2012-10-17 alone; elsewhere `${` is text like any
//! other. What a variable stands for is taken literally: a `*` in it is a star, a `:` in it ends no
//! part of an ARN. A variable that stands for nothing matches nothing.
//!
//! Source: IAM User Guide, "IAM policy elements: Variables and tags" (escapes, default values, single-
//! valued keys alone) and "IAM JSON policy elements: Condition operators" (ARNs); the words of what
//! is wrong: "IAM policy validation check reference".

use std::borrow::Cow;
use std::fmt;

use super::Context;
use super::context::{Known, Name};
use super::glob::{self, Token};

/// A text of a policy, read once and matched many times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    whole: Template,
    /// The six parts of an ARN, if the text has as many.
    arn: Vec<Template>,
}

/// Wildcards, and text that may depend on the call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Template {
    Fixed(Vec<Token>),
    Varying(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Fixed(Token),
    Variable { key: Name, default: Option<String> },
}

impl Pattern {
    /// Reads a text. `variables` says whether its document's version knows them.
    ///
    /// # Errors
    /// What is wrong with a variable, for the policy's author.
    pub fn parse(text: &str, variables: bool) -> Result<Self, String> {
        let parts = parse(text, variables)?;
        Ok(Self { text: text.to_owned(), arn: split(&parts), whole: Template::new(parts) })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether what it matches depends on the call.
    #[must_use]
    pub fn has_variables(&self) -> bool {
        matches!(self.whole, Template::Varying(_))
    }

    /// Whether it has an ARN's six parts, without which no ARN is as it says.
    pub(super) const fn is_arn(&self) -> bool {
        self.arn.len() == ARN_PARTS
    }

    /// Whether a text is as the pattern says.
    #[must_use]
    pub fn matches(&self, text: &str, context: &Context) -> bool {
        self.whole.tokens(context).is_some_and(|tokens| glob::matches(&tokens, text))
    }

    /// Whether a text is as the pattern says, but for the case of its letters: an action's name.
    #[must_use]
    pub fn matches_ignoring_case(&self, text: &str, context: &Context) -> bool {
        self.whole.tokens(context).is_some_and(|tokens| glob::matches_ignoring_case(&tokens, text))
    }

    /// Whether a text is an ARN as the pattern says, each of its six parts for itself: no wildcard
    /// reaches beyond one of the first five colons.
    #[must_use]
    pub fn matches_arn(&self, text: &str, context: &Context) -> bool {
        let mut parts = text.splitn(ARN_PARTS, ':');
        let mut matches_next = |template: &Template| {
            let tokens = template.tokens(context);
            parts.next().zip(tokens).is_some_and(|(part, tokens)| glob::matches(&tokens, part))
        };
        self.arn.len() == ARN_PARTS && self.arn.iter().all(&mut matches_next)
    }

    /// Whether a text is what it stands for in a call where wildcards are text like any other. `None` if
    /// one of its variables stands for nothing.
    pub(super) fn is(&self, text: &str, context: &Context) -> Option<bool> {
        match &self.whole {
            Template::Fixed(tokens) if let [Token::Literal(one)] = tokens.as_slice() => {
                Some(one == text)
            }
            _ => Some(self.resolve(context)? == text),
        }
    }

    /// What it stands for in a call where wildcards are text like any other. `None` if one of its
    /// variables stands for nothing.
    #[must_use]
    pub fn resolve(&self, context: &Context) -> Option<Cow<'_, str>> {
        let tokens = self.whole.tokens(context)?;
        match tokens.as_ref() {
            // An escape is longer than what it stands for.
            [Token::Literal(text)] if text.len() == self.text.len() => {
                Some(Cow::Borrowed(&self.text))
            }
            tokens => Some(Cow::Owned(tokens.iter().map(written).collect())),
        }
    }

    /// Whether a variable stands for nothing in a call.
    pub(super) fn is_unresolved(&self, context: &Context) -> bool {
        match &self.whole {
            Template::Fixed(_) => false,
            Template::Varying(parts) => parts.iter().any(|part| part.token(context).is_none()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.text)
    }
}

impl Template {
    fn new(parts: Vec<Part>) -> Self {
        let mut tokens = Vec::new();
        for part in &parts {
            match part {
                Part::Fixed(token) => glob::push(&mut tokens, token.clone()),
                Part::Variable { .. } => return Self::Varying(parts),
            }
        }
        Self::Fixed(tokens)
    }

    /// The wildcards and literal text of a call. `None` if a variable stands for nothing.
    fn tokens(&self, context: &Context) -> Option<Cow<'_, [Token]>> {
        let parts = match self {
            Self::Fixed(tokens) => return Some(Cow::Borrowed(tokens)),
            Self::Varying(parts) => parts,
        };
        let mut tokens = Vec::new();
        for part in parts {
            glob::push(&mut tokens, part.token(context)?);
        }
        Some(Cow::Owned(tokens))
    }
}

impl Part {
    fn token(&self, context: &Context) -> Option<Token> {
        match self {
            Self::Fixed(token) => Some(token.clone()),
            Self::Variable { key, default } => {
                let value = context.get(key).and_then(Known::single).or(default.as_deref())?;
                Some(Token::Literal(value.to_owned()))
            }
        }
    }
}

/// A token where wildcards are text.
fn written(token: &Token) -> &str {
    match token {
        Token::Any => "*",
        Token::Literal(text) => text,
        Token::One => "?",
    }
}

fn parse(text: &str, variables: bool) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if variables && let Some(inside) = rest.strip_prefix("${") {
            let (part, after) = variable(inside).map_err(|wrong| format!("{text}: {wrong}"))?;
            parts.push(part);
            rest = after;
            continue;
        }
        let (first, after) = rest.split_at(letter.len_utf8());
        let (token, after) = match letter {
            '*' => (Token::Any, after),
            '?' => (Token::One, after),
            _ => {
                let end = after.find(['*', '?', '$']).unwrap_or(after.len());
                let (more, after) = after.split_at(end);
                (Token::Literal(format!("{first}{more}")), after)
            }
        };
        parts.push(Part::Fixed(token));
        rest = after;
    }
    Ok(parts)
}

/// Reads what follows `${`: a part, and the text after its brace.
fn variable(inside: &str) -> Result<(Part, &str), &'static str> {
    let open =
        "The policy variable is missing a closing curly brace. Add } after the variable text.";
    for escaped in ["*", "?", "$"] {
        if let Some(after) = inside.strip_prefix(escaped).and_then(|rest| rest.strip_prefix('}')) {
            return Ok((Part::Fixed(Token::Literal(escaped.to_owned())), after));
        }
    }
    let end = inside.find([',', '}']).ok_or(open)?;
    let (key, rest) = inside.split_at(end);
    if key.is_empty() {
        return Err("The policy variable is empty. Name a condition key in it.");
    }
    if key.contains(char::is_whitespace) {
        return Err("A space is not supported within the policy variable text. Remove the space.");
    }
    if key.contains(|letter: char| letter.is_control() || "${*?'\"".contains(letter)) {
        return Err(
            "A symbol is not supported within the policy variable text. Remove the symbol.",
        );
    }
    let key = Name::new(key.to_owned());
    let Some(default) = rest.strip_prefix(',') else {
        return Ok((Part::Variable { key, default: None }, rest.strip_prefix('}').ok_or(open)?));
    };
    let (default, rest) = default
        .trim_start_matches(' ')
        .strip_prefix('\'')
        .and_then(|text| text.split_once('\''))
        .ok_or(
            "The policy variable default value must begin and end with a single quote. \
             Add the missing quote.",
        )?;
    let after = rest.trim_start_matches(' ').strip_prefix('}').ok_or(open)?;
    Ok((Part::Variable { key, default: Some(default.to_owned()) }, after))
}

/// The parts of an ARN; none, if there are fewer than six. Only colons that the document itself has
/// divide.
fn split(parts: &[Part]) -> Vec<Template> {
    let mut done = Vec::new();
    let mut current = Vec::new();
    for part in parts {
        let Part::Fixed(Token::Literal(text)) = part else {
            current.push(part.clone());
            continue;
        };
        let mut rest = text.as_str();
        while done.len() < ARN_PARTS - 1
            && let Some((before, after)) = rest.split_once(':')
        {
            current.push(Part::Fixed(Token::Literal(before.to_owned())));
            done.push(Template::new(std::mem::take(&mut current)));
            rest = after;
        }
        current.push(Part::Fixed(Token::Literal(rest.to_owned())));
    }
    done.push(Template::new(current));
    match done.len() {
        ARN_PARTS => done,
        _ => Vec::new(),
    }
}

/// `arn`, partition, service, Region, account, resource.
const ARN_PARTS: usize = 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn context() -> Context {
        let mut context = Context::default();
        context.put("aws:username", "al*ce");
        context.put("aws:PrincipalTag/team", "a:b");
        context.put_all("aws:TagKeys", ["only"]);
        context
    }

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text, true).unwrap()
    }

    #[test]
    fn variables_stand_for_values_of_the_call_literally() {
        let context = context();
        for (text, candidate, expected) in [
            ("${aws:username}", "al*ce", true),
            ("${AWS:UserName}", "al*ce", true),
            ("${aws:username}", "alice", false),
            ("home/${aws:username}/*", "home/al*ce/notes", true),
            ("*${aws:username}", "home/al*ce", true),
            ("${aws:PrincipalTag/team}", "a:b", true),
            ("${aws:userid}", "", false),
            ("*${aws:userid}", "anything", false),
            ("${aws:userid, 'anonymous'}", "anonymous", true),
            ("${aws:userid,'no}body*'}", "no}body*", true),
            ("${aws:userid, ''}", "", true),
            ("${aws:username, 'anonymous'}", "anonymous", false),
            ("${aws:TagKeys}", "only", false),
            ("${*}${?}${$}{x}", "*?${x}", true),
            ("${*}", "x", false),
            ("$5 $$ $", "$5 $$ $", true),
        ] {
            assert_eq!(pattern(text).matches(candidate, &context), expected, "{text} {candidate}");
        }
    }

    #[test]
    fn a_document_of_2008_has_no_variables() {
        let old = Pattern::parse("${aws:username}-${*}", false).unwrap();
        assert!(!old.has_variables());
        assert!(old.matches("${aws:username}-${anything}", &context()));
        assert_eq!(old.resolve(&context()).unwrap(), "${aws:username}-${*}");
        assert!(Pattern::parse("${", false).is_ok());
    }

    #[test]
    fn a_resolved_text_has_no_wildcards() {
        let context = context();
        for (text, expected) in [
            ("plain", Some("plain")),
            ("", Some("")),
            ("a*b?", Some("a*b?")),
            ("**", Some("**")),
            ("${*}${$}", Some("*$")),
            ("u/${aws:username}/*", Some("u/al*ce/*")),
            ("u/${aws:userid}", None),
            ("${aws:TagKeys, 'many'}", Some("many")),
        ] {
            assert_eq!(pattern(text).resolve(&context).as_deref(), expected, "{text}");
            assert_eq!(pattern(text).is_unresolved(&context), expected.is_none(), "{text}");
        }
        assert!(matches!(pattern("plain").resolve(&context), Some(Cow::Borrowed("plain"))));
    }

    #[test]
    fn actions_have_no_case() {
        let nobody = Context::default();
        assert!(pattern("KMS:generate*").matches_ignoring_case("kms:GenerateDataKey", &nobody));
        assert!(!pattern("KMS:generate*").matches("kms:GenerateDataKey", &nobody));
    }

    #[test]
    fn wildcards_of_arns_stay_between_their_colons() {
        let context = context();
        let arn = "arn:aws:kms:us-east-1:111122223333:key/a:b";
        for (text, expected) in [
            ("arn:aws:kms:us-east-1:111122223333:key/a:b", true),
            ("arn:aws:kms:*:111122223333:key/*", true),
            ("arn:*:*:*:*:*", true),
            ("arn:aws:kms:us-????-1:111122223333:key/?:?", true),
            ("arn:aws:kms:us-east-1:111122223333:key/${aws:PrincipalTag/team}", true),
            ("arn:aws:kms:us-east-1:111122223333:key/${aws:userid, 'a:b'}", true),
            ("arn:aws:kms:us-east-1:111122223333:key/${aws:userid}", false),
            ("arn:aws:kms:*:key/*", false),
            ("arn:aws:*:key/a:b", false),
            ("arn:*", false),
            ("*", false),
            ("ARN:aws:kms:us-east-1:111122223333:key/a:b", false),
        ] {
            assert_eq!(pattern(text).matches_arn(arn, &context), expected, "{text}");
        }
        // The guide's own example: like the string, not like the ARN.
        let like = pattern("arn:aws:someservice:*:111122223333:finance/*");
        let found = "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:\
                     finance/document.txt";
        assert!(like.matches(found, &context));
        assert!(!like.matches_arn(found, &context));
        assert!(!like.matches_arn("arn:aws:someservice", &context));
    }

    #[test]
    fn variables_that_are_none_say_why() {
        for (text, part) in [
            ("${", "closing curly brace"),
            ("a${aws:username", "closing curly brace"),
            ("${aws:username, 'x'", "closing curly brace"),
            ("${}", "empty"),
            ("${, 'x'}", "empty"),
            ("${aws:user name}", "space"),
            ("${aws:${aws:username}}", "symbol"),
            ("${**}", "symbol"),
            ("${aws:username, x}", "quote"),
            ("${aws:username, 'x}", "quote"),
        ] {
            let wrong = Pattern::parse(text, true).unwrap_err();
            assert!(wrong.contains(part) && wrong.starts_with(text), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[$*?{}',: a-c]{0,20}", candidate in ".{0,20}") {
            for variables in [true, false] {
                if let Ok(pattern) = Pattern::parse(&text, variables) {
                    let _ = pattern.matches(&candidate, &context());
                    let _ = pattern.matches_arn(&candidate, &context());
                    prop_assert_eq!(pattern.as_str(), &text);
                }
            }
        }

        #[test]
        fn an_escaped_text_matches_itself_alone(text in "[ab*?${}]{0,12}", other in "[ab*?$]{0,12}") {
            let escaped: String = text.chars().map(|letter| match letter {
                '*' | '?' | '$' => format!("${{{letter}}}"),
                letter => letter.to_string(),
            }).collect();
            let (escaped, nobody) = (pattern(&escaped), Context::default());
            prop_assert!(escaped.matches(&text, &nobody));
            prop_assert!(escaped.resolve(&nobody).is_some_and(|found| found == text));
            prop_assert_eq!(escaped.matches(&other, &nobody), other == text);
        }

        #[test]
        fn an_arn_that_matches_matches_as_a_string(
            pattern in "[ab*?]{0,2}(:[ab*?]{0,2}){4,6}", text in "[ab]{0,2}(:[ab]{0,2}){4,6}",
        ) {
            let pattern = Pattern::parse(&pattern, true).unwrap();
            let nobody = Context::default();
            if pattern.matches_arn(&text, &nobody) {
                prop_assert!(pattern.matches(&text, &nobody));
            }
        }
    }
}
