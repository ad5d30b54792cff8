//! Accounts, regions, key ids, ARNs, aliases, and how a caller may name a key.
//!
//! Sources: AWS KMS API Reference, `DescribeKey` (KeyId forms), `CreateAlias` (alias names).

use std::fmt;

use uuid::Uuid;

use super::Error;

/// The account and region that a call is for. Keys of one scope do not exist in another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    account: String,
    region: String,
}

impl Scope {
    /// A scope of a 12-digit account and a region such as `us-east-1`.
    ///
    /// # Errors
    /// [`Error::Validation`] for any other form.
    pub fn new(account: &str, region: &str) -> Result<Self, Error> {
        if !is_account(account) || !is_region(region) {
            return Err(Error::Validation(format!("{region}/{account} is no region and account")));
        }
        Ok(Self { account: account.to_owned(), region: region.to_owned() })
    }

    /// 12 digits.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Such as `us-east-1`.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// `arn:aws:kms:REGION:ACCOUNT:key/ID`
    #[must_use]
    pub fn key_arn(&self, id: KeyId) -> String {
        format!("arn:aws:kms:{}:{}:key/{id}", self.region, self.account)
    }

    /// `arn:aws:kms:REGION:ACCOUNT:alias/NAME`
    #[must_use]
    pub fn alias_arn(&self, alias: &AliasName) -> String {
        format!("arn:aws:kms:{}:{}:{alias}", self.region, self.account)
    }
}

/// A key id: a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Uuid);

impl KeyId {
    /// Length of the id in blobs and rows, in bytes.
    pub const LEN: usize = 16;

    /// A new random id.
    ///
    /// # Errors
    /// [`Error::Internal`] when the random source fails.
    pub fn generate() -> Result<Self, Error> {
        let bytes = crate::crypto::random::array()?;
        Ok(Self(uuid::Builder::from_random_bytes(bytes).into_uuid()))
    }

    /// Parses the hyphenated lower-case form, and no other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(text).ok()?;
        (uuid.hyphenated().to_string() == text).then_some(Self(uuid))
    }

    /// From the 16 bytes in a blob or row.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        self.0.as_bytes()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

/// An alias name: `alias/` and 1 to 250 of `a-z A-Z 0-9 / _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AliasName(String);

impl AliasName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`Error::InvalidAliasName`] without the prefix or with other characters,
    /// [`Error::Validation`] when too long.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > 256 {
            return Err(Error::constraint(
                text,
                "aliasName",
                "Member must have length less than or equal to 256",
            ));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-');
        match text.strip_prefix("alias/") {
            Some(name) if !name.is_empty() && name.chars().all(allowed) => {
                Ok(Self(text.to_owned()))
            }
            Some(_) => Err(Error::InvalidAliasName(
                "Alias must contain only alphanumeric characters, forward slashes, underscores \
                 and dashes after the prefix 'alias/'",
            )),
            None => Err(Error::InvalidAliasName(
                "Alias must start with the prefix \"alias/\". Please see \
                 https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
            )),
        }
    }

    /// Whether the name belongs to AWS-managed keys.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with("alias/aws/")
    }

    /// With its prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a caller names a key: id, key ARN, alias name or alias ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyReference {
    /// A key of the given scope, or of the caller's own.
    Key(Option<Scope>, KeyId),
    /// An alias of the given scope, or of the caller's own.
    Alias(Option<Scope>, AliasName),
}

impl KeyReference {
    /// Parses a `KeyId` parameter, 1 to 2,048 characters.
    ///
    /// # Errors
    /// [`Error::Validation`] for a wrong length, [`Error::InvalidArn`] for an ARN that names no
    /// KMS key, [`Error::InvalidAliasName`], and [`Error::NotFound`] for an id that none can have.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.is_empty() || text.len() > 2048 {
            return Err(Error::constraint(
                text,
                "keyId",
                "Member must have length between 1 and 2048, inclusive",
            ));
        }
        if text.starts_with("arn:") {
            return Self::parse_arn(text).ok_or_else(|| Error::InvalidArn(clip(text)));
        }
        if text.starts_with("alias/") {
            return Ok(Self::Alias(None, AliasName::parse(text)?));
        }
        KeyId::parse(text)
            .map(|id| Self::Key(None, id))
            .ok_or_else(|| Error::NotFound(format!("Invalid keyId '{}'", clip(text))))
    }

    fn parse_arn(text: &str) -> Option<Self> {
        let mut fields = text.splitn(6, ':');
        let mut next = || fields.next();
        let (_, partition, service) = (next()?, next()?, next()?);
        let (region, account, resource) = (next()?, next()?, next()?);
        if partition != "aws" || service != "kms" {
            return None;
        }
        let scope = Some(Scope::new(account, region).ok()?);
        if let Some(id) = resource.strip_prefix("key/") {
            return Some(Self::Key(scope, KeyId::parse(id)?));
        }
        Some(Self::Alias(scope, AliasName::parse(resource).ok()?))
    }
}

/// At most 256 characters of foreign text, for messages.
fn clip(text: &str) -> String {
    text.chars().take(256).collect()
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_region(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= 32 && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn the_four_forms_are_read() {
        let id = KeyId::parse(ID).unwrap();
        let scope = Scope::new("111122223333", "us-west-2").unwrap();
        assert_eq!(KeyReference::parse(ID).unwrap(), KeyReference::Key(None, id));
        let arn = scope.key_arn(id);
        assert_eq!(KeyReference::parse(&arn).unwrap(), KeyReference::Key(Some(scope.clone()), id));
        let alias = AliasName::parse("alias/a/b_c-1").unwrap();
        let arn = scope.alias_arn(&alias);
        assert_eq!(KeyReference::parse(&arn).unwrap(), KeyReference::Alias(Some(scope), alias));
        assert!(matches!(KeyReference::parse("alias/x").unwrap(), KeyReference::Alias(None, _)));
    }

    #[test]
    fn each_malformed_name_has_its_own_refusal() {
        let refusal = |text: &str| KeyReference::parse(text).unwrap_err();
        assert!(matches!(refusal(""), Error::Validation(_)));
        assert!(matches!(refusal(&"x".repeat(2049)), Error::Validation(_)));
        assert!(matches!(refusal("arn:aws:s3:::bucket"), Error::InvalidArn(_)));
        assert!(matches!(refusal("arn:aws:kms:us-east-1:1:key/x"), Error::InvalidArn(_)));
        assert!(matches!(refusal("alias/"), Error::InvalidAliasName(_)));
        assert!(matches!(refusal("alias/sp ace"), Error::InvalidAliasName(_)));
        assert!(matches!(refusal("no-such-form"), Error::NotFound(_)));
        assert!(matches!(refusal(&ID.to_uppercase()), Error::NotFound(_)));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,80}") {
            let _ = KeyReference::parse(&text);
            let _ = KeyReference::parse(&format!("arn:aws:kms:{text}"));
        }
    }
}
