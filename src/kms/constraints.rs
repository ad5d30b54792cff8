//! What AWS's front end checks of each member before anything is looked up: lengths, ranges,
//! patterns, value sets. Every violation is reported, in AWS's wording.
//!
//! Source: the service model that the SDKs ship (`kms/2014-11-01`).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::given::{Bytes, Text};
use super::outputs::{GrantConstraints, Tag};
use super::requests::Recipient;
use crate::crypto::Plaintext;

/// What a member must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// Anything of its type.
    Any,
    /// Bytes of a length; never shown.
    Bytes(usize, usize),
    /// One of a set.
    OneOf(&'static [&'static str]),
    /// A number in a range.
    Range(i32, i32),
    /// Text of a length in characters, and of a form.
    Text(usize, usize, Option<Form>),
    /// A list of a length, with a rule for its entries.
    List(usize, usize, &'static Self),
}

impl Rule {
    /// What a list says of its entries.
    fn constraints(self) -> String {
        match self {
            Self::OneOf(set) => {
                format!("Member must satisfy enum value set: [{}]", set.join(", "))
            }
            Self::Text(least, most, form) => {
                let form = form.map(|form| {
                    let shown = form.shown;
                    format!(", Member must satisfy regular expression pattern: {shown}")
                });
                format!(
                    "Member must have length less than or equal to {most}, Member must have length \
                     greater than or equal to {least}{}",
                    form.unwrap_or_default()
                )
            }
            Self::Any | Self::Bytes(..) | Self::Range(..) | Self::List(..) => String::new(),
        }
    }
}

/// A regular expression as AWS shows it, and what it means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    shown: &'static str,
    matches: fn(&str) -> bool,
}

/// What `member` of `request` must be.
fn rule(request: &str, member: &str) -> Rule {
    match member {
        "alias_name" | "name" => Rule::Text(1, 256, Some(NAME)),
        "ciphertext_blob"
        | "encrypted_key_material"
        | "import_token"
        | "mac"
        | "shared_secret_ciphertext_blob"
        | "signature" => Rule::Bytes(1, 6144),
        "customer_master_key_spec" => Rule::OneOf(&OLDER_KEY_SPECS),
        "custom_key_store_id" => Rule::Text(1, 64, None),
        "description" => Rule::Text(0, 8192, None),
        "destination_encryption_algorithm"
        | "encryption_algorithm"
        | "source_encryption_algorithm" => Rule::OneOf(&ENCRYPTION_ALGORITHMS),
        "destination_key_id" | "key_id" | "source_key_id" | "target_key_id" => {
            Rule::Text(1, 2048, None)
        }
        "encapsulation_algorithm" => Rule::OneOf(&["ML_KEM"]),
        "dry_run_modifiers" => Rule::List(0, usize::MAX, &Rule::OneOf(&["IGNORE_CIPHERTEXT"])),
        "expiration_model" => {
            Rule::OneOf(&["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"])
        }
        "grant_id" => Rule::Text(1, 128, None),
        "grant_token" => Rule::Text(1, 8192, None),
        "grant_tokens" => Rule::List(0, 10, &Rule::Text(1, 8192, None)),
        "grantee_principal" | "retiring_principal" => Rule::Text(1, 256, Some(PRINCIPAL)),
        "grantee_service_principal" | "retiring_service_principal" => {
            Rule::Text(1, 128, Some(SERVICE_PRINCIPAL))
        }
        "import_type" => Rule::OneOf(&["NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"]),
        "include_key_material" => Rule::OneOf(&["ALL_KEY_MATERIAL", "ROTATIONS_ONLY"]),
        "key_agreement_algorithm" => Rule::OneOf(&["ECDH"]),
        "key_material_description" => Rule::Text(0, 256, Some(MATERIAL_DESCRIPTION)),
        "key_material_id" => Rule::Text(64, 64, Some(MATERIAL_ID)),
        "key_pair_spec" => Rule::OneOf(&KEY_PAIR_SPECS),
        "key_spec" if request == "CreateKey" => Rule::OneOf(&KEY_SPECS),
        "key_spec" => Rule::OneOf(&["AES_256", "AES_128"]),
        "key_usage" => Rule::OneOf(&KEY_USAGES),
        "limit" => Rule::Range(1, 1000),
        "mac_algorithm" => {
            Rule::OneOf(&["HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"])
        }
        "marker" => Rule::Text(1, 1024, Some(MARKER)),
        "message" => Rule::Bytes(1, 4096),
        "message_type" => Rule::OneOf(&["RAW", "DIGEST", "EXTERNAL_MU"]),
        "number_of_bytes" => Rule::Range(1, 1024),
        "operations" => Rule::List(0, usize::MAX, &Rule::OneOf(&GRANT_OPERATIONS)),
        "origin" => Rule::OneOf(&["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"]),
        "pending_window_in_days" => Rule::Range(1, 365),
        "plaintext" if request == "WrapDataKey" => Rule::Bytes(1, 1024),
        "plaintext" => Rule::Bytes(1, 4096),
        "policy" => Rule::Text(1, 131_072, Some(POLICY)),
        "policy_name" => Rule::Text(1, 128, Some(POLICY_NAME)),
        "primary_region" | "replica_region" => Rule::Text(1, 32, Some(REGION)),
        "public_key" => Rule::Bytes(1, 8192),
        "resource_owners" => Rule::List(1, 2, &Rule::OneOf(&["SELF", "OTHER_ACCOUNTS_VIA_RAM"])),
        "rotation_period_in_days" => Rule::Range(90, 2560),
        "signing_algorithm" => Rule::OneOf(&SIGNING_ALGORITHMS),
        "tag_keys" => Rule::List(0, usize::MAX, &Rule::Text(1, 128, None)),
        "wrapping_algorithm" => Rule::OneOf(&WRAPPING_ALGORITHMS),
        "wrapping_key_spec" => Rule::OneOf(&["RSA_2048", "RSA_3072", "RSA_4096", "SM2"]),
        "xks_key_id" => Rule::Text(1, 128, Some(XKS_KEY_ID)),
        _ => Rule::Any,
    }
}

/// Members of which the type does not say whether AWS requires them.
fn is_required(request: &str, member: &str) -> Option<bool> {
    Some(match member {
        // Wanted by what is done, but in a dry run about the key alone.
        "ciphertext_blob" => !matches!(request, "Decrypt" | "ReEncrypt"),
        "description" => request == "UpdateKeyDescription",
        "message" | "operations" | "plaintext" | "tag_keys" => true,
        "tags" => request == "TagResource",
        _ => return None,
    })
}

/// What is wrong with a request.
#[derive(Debug, Default)]
pub struct Violations(Vec<String>);

impl Violations {
    /// Checks one member.
    pub(super) fn check(&mut self, request: &str, member: &str, value: &dyn Member) {
        let name = camel_case(member);
        if !value.is_missing() {
            value.check(&name, rule(request, member), self);
        } else if is_required(request, member).unwrap_or_else(|| value.is_required()) {
            self.null(&name);
        }
    }

    /// Checks a member of a structure that is required there.
    fn required(&mut self, value: &dyn Member, name: &str, rule: Rule) {
        match value.is_missing() {
            true => self.null(name),
            false => value.check(name, rule, self),
        }
    }

    fn null(&mut self, name: &str) {
        let constraint = "Member must not be null";
        self.0.push(format!("Value null at '{name}' failed to satisfy constraint: {constraint}"));
    }

    /// The message of a `ValidationException`, when there is something to say.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        let count = self.0.len();
        let errors = if count == 1 { "error" } else { "errors" };
        (count > 0).then(|| format!("{count} validation {errors} detected: {}", self.0.join("; ")))
    }

    fn add(&mut self, value: Option<&str>, name: &str, constraint: &str) {
        let shown = value.map_or_else(String::new, |value| {
            let shown: String = value.chars().take(256).collect();
            format!(" '{shown}'")
        });
        self.0.push(format!("Value{shown} at '{name}' failed to satisfy constraint: {constraint}"));
    }

    fn bounds(
        &mut self,
        shown: Option<&str>,
        name: &str,
        length: usize,
        (least, most): (usize, usize),
    ) {
        if length < least {
            let constraint = format!("Member must have length greater than or equal to {least}");
            self.add(shown, name, &constraint);
        }
        if length > most {
            let constraint = format!("Member must have length less than or equal to {most}");
            self.add(shown, name, &constraint);
        }
    }

    fn text(&mut self, text: &str, name: &str, rule: Rule) {
        match rule {
            Rule::Text(least, most, form) => {
                self.bounds(Some(text), name, text.chars().count(), (least, most));
                if let Some(Form { shown, matches }) = form
                    && !matches(text)
                {
                    let constraint =
                        format!("Member must satisfy regular expression pattern: {shown}");
                    self.add(Some(text), name, &constraint);
                }
            }
            Rule::OneOf(set) if !set.contains(&text) => {
                let set = set.join(", ");
                let constraint = format!("Member must satisfy enum value set: [{set}]");
                self.add(Some(text), name, &constraint);
            }
            Rule::Any | Rule::Bytes(..) | Rule::OneOf(_) | Rule::Range(..) | Rule::List(..) => {}
        }
    }
}

/// A member's value, as far as constraints see it.
pub(super) trait Member {
    /// Whether a type that has no room for none is empty.
    fn is_required(&self) -> bool {
        false
    }
    /// Whether there is nothing to check.
    fn is_missing(&self) -> bool;
    /// Reports what violates the rule.
    fn check(&self, name: &str, rule: Rule, found: &mut Violations);
}

impl Member for Text {
    fn is_required(&self) -> bool {
        true
    }

    fn is_missing(&self) -> bool {
        Self::is_missing(self)
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        found.text(self, name, rule);
    }
}

impl Member for Option<String> {
    fn is_missing(&self) -> bool {
        self.is_none()
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        if let Some(text) = self {
            found.text(text, name, rule);
        }
    }
}

impl Member for Bytes {
    fn is_required(&self) -> bool {
        true
    }

    fn is_missing(&self) -> bool {
        Self::is_missing(self)
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        if let Rule::Bytes(least, most) = rule {
            found.bounds(None, name, self.len(), (least, most));
        }
    }
}

impl Member for Option<Plaintext> {
    fn is_missing(&self) -> bool {
        self.is_none()
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        if let (Rule::Bytes(least, most), Some(bytes)) = (rule, self) {
            found.bounds(None, name, bytes.len(), (least, most));
        }
    }
}

impl Member for Option<i32> {
    fn is_missing(&self) -> bool {
        self.is_none()
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        let (Rule::Range(least, most), Some(number)) = (rule, *self) else { return };
        let shown = number.to_string();
        if number < least {
            let constraint = format!("Member must have value greater than or equal to {least}");
            found.add(Some(&shown), name, &constraint);
        }
        if number > most {
            let constraint = format!("Member must have value less than or equal to {most}");
            found.add(Some(&shown), name, &constraint);
        }
    }
}

impl Member for Vec<String> {
    fn is_missing(&self) -> bool {
        self.is_empty()
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        let Rule::List(least, most, of) = rule else { return };
        let shown = format!("[{}]", self.join(", "));
        found.bounds(Some(&shown), name, self.len(), (least, most));
        // Of a list's entries AWS names all constraints at once, and not which entry violates one.
        let mut inner = Violations::default();
        self.iter().for_each(|text| inner.text(text, name, *of));
        if !inner.0.is_empty() {
            let constraint = format!("Member must satisfy constraint: [{}]", of.constraints());
            found.add(Some(&shown), name, &constraint);
        }
    }
}

impl Member for Option<Vec<String>> {
    fn is_missing(&self) -> bool {
        self.is_none()
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        if let Some(list) = self {
            list.check(name, rule, found);
        }
    }
}

impl Member for Vec<Tag> {
    fn is_missing(&self) -> bool {
        self.is_empty()
    }

    fn check(&self, name: &str, _rule: Rule, found: &mut Violations) {
        for (number, tag) in (1..).zip(self) {
            let member = |part: &str| format!("{name}.{number}.member.{part}");
            found.required(&tag.tag_key, &member("tagKey"), Rule::Text(1, 128, None));
            found.required(&tag.tag_value, &member("tagValue"), Rule::Text(0, 256, None));
        }
    }
}

/// Types of which the model says nothing more.
macro_rules! unconstrained {
    ($($type:ty),+) => {$(
        impl Member for $type {
            fn is_missing(&self) -> bool {
                true
            }

            fn check(&self, _name: &str, _rule: Rule, _found: &mut Violations) {}
        }
    )+};
}

unconstrained!(bool, BTreeMap<String, String>, Option<DateTime<Utc>>, Option<bool>);

impl Member for GrantConstraints {
    fn is_missing(&self) -> bool {
        self.source_arn.is_none()
    }

    fn check(&self, name: &str, _rule: Rule, found: &mut Violations) {
        let rule = Rule::Text(20, 512, Some(SOURCE_ARN));
        self.source_arn.check(&format!("{name}.sourceArn"), rule, found);
    }
}

impl Member for Option<Recipient> {
    fn is_missing(&self) -> bool {
        self.is_none()
    }

    fn check(&self, name: &str, _rule: Rule, found: &mut Violations) {
        let Some(Recipient { key_encryption_algorithm, attestation_document }) = self else {
            return;
        };
        let rule = Rule::OneOf(&["RSAES_OAEP_SHA_256"]);
        key_encryption_algorithm.check(&format!("{name}.keyEncryptionAlgorithm"), rule, found);
        if let Some(document) = attestation_document {
            let name = format!("{name}.attestationDocument");
            found.bounds(None, &name, document.len(), (1, 262_144));
        }
    }
}

/// `key_id` → `keyId`
fn camel_case(member: &str) -> String {
    let mut words = member.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

const NAME: Form = Form {
    shown: "^[a-zA-Z0-9:/_-]+$",
    matches: |text| of(text, |c| c.is_ascii_alphanumeric() || ":/_-".contains(c)),
};
const MARKER: Form = Form {
    shown: "[\\u0020-\\u00FF]*",
    matches: |text| text.chars().all(|c| (' '..='ÿ').contains(&c)),
};
const MATERIAL_DESCRIPTION: Form = Form {
    shown: "^[a-zA-Z0-9:/_\\s.-]+$",
    matches: |text| {
        of(text, |c| c.is_ascii_alphanumeric() || ":/_.-".contains(c) || c.is_ascii_whitespace())
    },
};
const MATERIAL_ID: Form = Form {
    shown: "^[a-f0-9]+$",
    matches: |text| of(text, |c| c.is_ascii_digit() || ('a'..='f').contains(&c)),
};
const POLICY: Form = Form {
    shown: "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+",
    matches: |text| of(text, |c| "\t\n\r".contains(c) || (' '..='ÿ').contains(&c)),
};
const POLICY_NAME: Form =
    Form { shown: "[\\w]+", matches: |text| of(text, |c| c.is_ascii_alphanumeric() || c == '_') };
const PRINCIPAL: Form = Form {
    shown: "^[\\w+=,.@:/-]+$",
    matches: |text| of(text, |c| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c)),
};
const REGION: Form = Form {
    shown: "^([a-z]+-){2,3}\\d+$",
    matches: |text| {
        let parts: Vec<&str> = text.split('-').collect();
        let Some((number, words)) = parts.split_last() else { return false };
        (2..=3).contains(&words.len())
            && words.iter().all(|word| of(word, |c| c.is_ascii_lowercase()))
            && of(number, |c| c.is_ascii_digit())
    },
};
const SERVICE_PRINCIPAL: Form = Form {
    shown: "^([A-Za-z0-9\\-]+)\\.([A-Za-z0-9\\-]+)(\\.[A-Za-z0-9\\-]+)+$",
    matches: |text| {
        text.split('.').count() >= 3
            && text.split('.').all(|part| of(part, |c| c.is_ascii_alphanumeric() || c == '-'))
    },
};
const SOURCE_ARN: Form = Form {
    shown: "^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$",
    matches: |text| {
        let fields: Vec<&str> = text.splitn(6, ':').collect();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let [start, partition, service, region, account, resource] = fields.as_slice() else {
            return false;
        };
        *start == "arn"
            && partition.strip_prefix("aws").is_some_and(|rest| rest.chars().all(plain))
            && of(service, plain)
            && region.chars().all(plain)
            && account.len() == 12
            && of(account, |c| c.is_ascii_digit())
            && !resource.is_empty()
    },
};
const XKS_KEY_ID: Form = Form {
    shown: "^[a-zA-Z0-9-_.]+$",
    matches: |text| of(text, |c| c.is_ascii_alphanumeric() || "-_.".contains(c)),
};

/// One character or more, all of a class.
fn of(text: &str, class: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(class)
}

const ENCRYPTION_ALGORITHMS: [&str; 4] =
    ["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"];
const GRANT_OPERATIONS: [&str; 19] = [
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "GetPublicKey",
    "CreateGrant",
    "RetireGrant",
    "DescribeKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
    "Encapsulate",
    "Decapsulate",
];
const KEY_PAIR_SPECS: [&str; 12] = [
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SM2",
    "ECC_NIST_EDWARDS25519",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
];
const KEY_SPECS: [&str; 20] = [
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
    "ML_DSA_44",
    "ML_DSA_65",
    "ML_DSA_87",
    "ECC_NIST_EDWARDS25519",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
];
const OLDER_KEY_SPECS: [&str; 13] = [
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
];
const KEY_USAGES: [&str; 5] = [
    "SIGN_VERIFY",
    "ENCRYPT_DECRYPT",
    "GENERATE_VERIFY_MAC",
    "KEY_AGREEMENT",
    "ENCAPSULATE_DECAPSULATE",
];
const SIGNING_ALGORITHMS: [&str; 13] = [
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "ECDSA_SHA_256",
    "ECDSA_SHA_384",
    "ECDSA_SHA_512",
    "SM2DSA",
    "ML_DSA_SHAKE_256",
    "ED25519_SHA_512",
    "ED25519_PH_SHA_512",
];
const WRAPPING_ALGORITHMS: [&str; 6] = [
    "RSAES_PKCS1_V1_5",
    "RSAES_OAEP_SHA_1",
    "RSAES_OAEP_SHA_256",
    "RSA_AES_KEY_WRAP_SHA_1",
    "RSA_AES_KEY_WRAP_SHA_256",
    "SM2PKE",
];

#[cfg(test)]
mod tests {
    use super::super::requests::{CreateAlias, Encrypt, Request, Sign};
    use super::*;

    #[test]
    fn every_violation_is_reported_in_awss_words() {
        let request = CreateAlias { alias_name: "a b".to_owned().into(), ..CreateAlias::default() };
        assert_eq!(
            request.violations().message().unwrap(),
            "2 validation errors detected: Value 'a b' at 'aliasName' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$; Value \
             null at 'targetKeyId' failed to satisfy constraint: Member must not be null"
        );
        let tokens = vec!["t".to_owned(); 11];
        let request = Encrypt {
            key_id: "k".repeat(2049).into(),
            plaintext: Some(Plaintext::from(b"secret".repeat(1000))),
            encryption_algorithm: Some("ROT13".to_owned()),
            grant_tokens: tokens,
            ..Encrypt::default()
        };
        let message = request.violations().message().unwrap();
        assert!(message.starts_with("4 validation errors detected: "), "{message}");
        assert!(!message.contains("secret") && message.len() < 2000);
        assert_eq!(Sign::default().violations().0.len(), 3);
    }

    #[test]
    fn forms_are_those_of_the_model() {
        for (form, yes, no) in [
            (REGION, "eu-west-1", "eu-west"),
            (REGION, "us-gov-west-1", "EU-west-1"),
            (SERVICE_PRINCIPAL, "s3.amazonaws.com", "amazonaws.com"),
            (PRINCIPAL, "arn:aws:iam::111122223333:role/a+b=c", "a b"),
            (MATERIAL_ID, "00ff", "00FF"),
            (POLICY, "{\n}", "{\u{100}}"),
            (NAME, "alias/a-b_c", ""),
        ] {
            assert!((form.matches)(yes) && !(form.matches)(no), "{}", form.shown);
        }
    }
}
