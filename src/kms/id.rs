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

    /// Which key of the region has an id.
    #[must_use]
    pub fn place(&self, id: KeyId) -> KeyPlace {
        KeyPlace { id, region: self.region.clone() }
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

/// A key id: a UUID. Multi-Region keys have ids of their own form, `mrk-` and 32 hex digits, which the
/// keys of one set share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId {
    reach: Reach,
    uuid: Uuid,
}

/// Whether a key's id may be that of other keys in other regions, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reach {
    /// A key of one region.
    Regional,
    /// One of a set of multi-Region keys.
    MultiRegion,
}

impl KeyId {
    /// Length of the id in blobs and rows, in bytes; whether it is multi-Region is said beside it.
    pub const LEN: usize = 16;

    /// A new random id.
    ///
    /// # Errors
    /// [`Error::Internal`] when the random source fails.
    pub fn generate(reach: Reach) -> Result<Self, Error> {
        let bytes = crate::crypto::random::array()?;
        Ok(Self { reach, uuid: uuid::Builder::from_random_bytes(bytes).into_uuid() })
    }

    /// Parses the hyphenated lower-case form, or that of multi-Region keys, and no other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (reach, digits) = match text.strip_prefix("mrk-") {
            Some(digits) => (Reach::MultiRegion, digits),
            None => (Reach::Regional, text),
        };
        let id = Self { reach, uuid: Uuid::try_parse(digits).ok()? };
        (id.to_string() == text).then_some(id)
    }

    /// From the 16 bytes in a blob or row.
    #[must_use]
    pub const fn from_bytes(reach: Reach, bytes: [u8; Self::LEN]) -> Self {
        Self { reach, uuid: Uuid::from_bytes(bytes) }
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        self.uuid.as_bytes()
    }

    /// Whether there may be keys of this id in several regions.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        self.reach
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reach {
            Reach::Regional => fmt::Display::fmt(&self.uuid.hyphenated(), f),
            Reach::MultiRegion => write!(f, "mrk-{}", self.uuid.simple()),
        }
    }
}

/// Which key, of those that may share an id: its id and its region.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPlace {
    /// The id.
    pub id: KeyId,
    /// Such as `us-east-1`.
    pub region: String,
}

impl KeyPlace {
    /// As rows begin: `00` regional, `01` multi-Region ‖ id (16) ‖ length of region (u8) ‖ region.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let reach = u8::from(self.id.reach == Reach::MultiRegion);
        let length = u8::try_from(self.region.len()).unwrap_or_default(); // at most 32
        [&[reach], self.id.as_bytes().as_slice(), &[length], self.region.as_bytes()].concat()
    }

    /// The reverse of [`Self::encode`], and what follows it.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (reach, rest) = bytes.split_first()?;
        let reach = match reach {
            0 => Reach::Regional,
            1 => Reach::MultiRegion,
            _ => return None,
        };
        let (id, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first()?;
        let (region, rest) = rest.split_at_checked(usize::from(*length))?;
        let region = std::str::from_utf8(region).ok().filter(|region| is_region(region))?;
        let place = Self { id: KeyId::from_bytes(reach, *id), region: region.to_owned() };
        Some((place, rest))
    }
}

/// An alias name: `alias/` and 1 to 250 of `a-z A-Z 0-9 / _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AliasName(String);

impl AliasName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`Error::Validation`] without the prefix or when too long, [`Error::InvalidAliasName`] with
    /// other characters.
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
            None => Err(Error::Validation(
                "Alias must start with the prefix \"alias/\". Please see \
                 https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
                    .to_owned(),
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
    /// KMS key, and [`Error::NotFound`] for an id or alias that none can have.
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
        let named = match text.starts_with("alias/") {
            true => AliasName::parse(text).ok().map(|name| Self::Alias(None, name)),
            false => KeyId::parse(text).map(|id| Self::Key(None, id)),
        };
        named.ok_or_else(|| Error::NotFound(format!("Invalid keyId '{}'", clip(text))))
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

/// Whether a text has an account's form: 12 digits.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text has a region's form: 1 to 32 small letters, digits and hyphens.
#[must_use]
pub fn is_region(text: &str) -> bool {
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
    fn ids_of_multi_region_keys_have_their_own_form() {
        let id = KeyId::parse("mrk-1234abcd12ab34cd56ef1234567890ab").unwrap();
        assert_eq!((id.reach(), id.as_bytes()[0]), (Reach::MultiRegion, 0x12));
        assert_eq!(id.to_string(), "mrk-1234abcd12ab34cd56ef1234567890ab");
        assert_ne!(id, KeyId::parse(ID).unwrap());
        for text in [format!("mrk-{ID}"), ID.replace('-', ""), "mrk-".to_owned()] {
            assert_eq!(KeyId::parse(&text), None);
        }
        for reach in [Reach::Regional, Reach::MultiRegion] {
            let id = KeyId::generate(reach).unwrap();
            assert_eq!(KeyId::parse(&id.to_string()), Some(id));
            let place = KeyPlace { id, region: "eu-west-1".to_owned() };
            let row = [place.encode(), b"rest".to_vec()].concat();
            assert_eq!(KeyPlace::decode(&row), Some((place.clone(), &b"rest"[..])));
            for length in 0..place.encode().len() {
                assert_eq!(KeyPlace::decode(&row[..length]), None);
            }
        }
        assert_eq!(KeyPlace::decode(&[2; 64]), None);
    }

    #[test]
    fn each_malformed_name_has_its_own_refusal() {
        let refusal = |text: &str| KeyReference::parse(text).unwrap_err();
        assert!(matches!(refusal(""), Error::Validation(_)));
        assert!(matches!(refusal(&"x".repeat(2049)), Error::Validation(_)));
        assert!(matches!(refusal("arn:aws:s3:::bucket"), Error::InvalidArn(_)));
        assert!(matches!(refusal("arn:aws:kms:us-east-1:1:key/x"), Error::InvalidArn(_)));
        assert!(matches!(refusal("alias/"), Error::NotFound(_)));
        assert!(matches!(refusal("alias/sp ace"), Error::NotFound(_)));
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
