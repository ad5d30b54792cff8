//! Whether a policy makes a bucket public, as `GetBucketPolicyStatus` says it.
//!
//! Source: Amazon S3 User Guide, "Blocking public access", "The meaning of 'public'".

use serde_json::Value;

/// Whether a bucket's policy lets in who is not known by a fixed value.
pub(super) fn is_public(policy: &str) -> bool {
    let document: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = document.get("Statement").map(several).unwrap_or_default();
    statements.into_iter().any(|statement| {
        let allows = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
        allows && is_anybodys(statement) && !is_limited(statement.get("Condition"))
    })
}

fn is_anybodys(statement: &Value) -> bool {
    let is_any = |value: &Value| several(value).iter().any(|one| one.as_str() == Some("*"));
    match statement.get("Principal") {
        None => true, // all but some
        Some(Value::Object(kinds)) => kinds.values().any(is_any),
        Some(named) => is_any(named),
    }
}

/// Whether conditions ask for a fixed value of something that tells callers apart.
fn is_limited(conditions: Option<&Value>) -> bool {
    let Some(Value::Object(operators)) = conditions else { return false };
    operators.iter().any(|(operator, keys)| {
        let Value::Object(keys) = keys else { return false };
        LIMITING.contains(&operator.as_str())
            && keys.iter().any(|(key, values)| {
                let known = FIXED.iter().any(|fixed| key.eq_ignore_ascii_case(fixed));
                let values = several(values);
                known && values.iter().all(|value| value.as_str().is_some_and(is_fixed))
            })
    })
}

/// No wildcard, no variable, no range of half the world's addresses.
fn is_fixed(value: &str) -> bool {
    if let Some((address, length)) = value.split_once('/')
        && address.chars().all(|letter| letter.is_ascii_hexdigit() || ":.".contains(letter))
        && let Ok(length) = length.parse::<u8>()
    {
        return length >= if address.contains(':') { 32 } else { 8 };
    }
    !value.contains(['*', '?']) && !value.contains("${")
}

fn several(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(all) => all.iter().collect(),
        one => vec![one],
    }
}

/// Operators that ask for a value.
const LIMITING: [&str; 7] = [
    "ArnEquals",
    "ArnLike",
    "IpAddress",
    "StringEquals",
    "StringEqualsIgnoreCase",
    "StringLike",
    "NumericEquals",
];

/// What tells callers apart.
const FIXED: [&str; 14] = [
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIp",
    "aws:SourceOwner",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:userid",
    "s3:DataAccessPointAccount",
    "s3:DataAccessPointArn",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(principal: &str, conditions: &str) -> bool {
        is_public(&format!(
            r#"{{"Statement": [{{"Effect": "Deny", "Principal": "*"}},
                {{"Effect": "Allow", "Principal": {principal}, "Condition": {conditions}}}]}}"#
        ))
    }

    #[test]
    fn a_policy_is_public_that_asks_nobody_who_he_is() {
        for principal in [r#""*""#, r#"{"AWS": "*"}"#, r#"{"AWS": ["111122223333", "*"]}"#] {
            assert!(of(principal, "{}"), "{principal}");
            assert!(of(principal, r#"{"Bool": {"aws:SecureTransport": "true"}}"#));
            assert!(of(principal, r#"{"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}"#));
            assert!(of(principal, r#"{"StringLike": {"aws:SourceVpc": "vpc-*"}}"#));
            assert!(of(
                principal,
                r#"{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/1"]}}"#
            ));
            assert!(!of(principal, r#"{"StringLike": {"AWS:sourcevpc": "vpc-1"}}"#));
            assert!(!of(principal, r#"{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::1"]}}"#));
        }
        let role = r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/5"}}"#;
        assert!(!of(r#""*""#, role));
        assert!(!of(r#"{"AWS": "111122223333"}"#, "{}"));
        assert!(!of(r#"{"Service": "cloudtrail.amazonaws.com"}"#, "{}"));
        assert!(!is_public("{}") && !is_public("?"));
        assert!(is_public(r#"{"Statement": {"Effect": "Allow", "NotPrincipal": {"AWS": "1"}}}"#));
    }
}
