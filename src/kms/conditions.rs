//! What conditions of policies see of a request and of a key: condition keys and their values.
//!
//! Source: AWS KMS Developer Guide, "AWS KMS condition keys"; Service Authorization Reference, "Actions,
//! resources, and condition keys for AWS Key Management Service".

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};

#[cfg(feature = "server")]
use super::Key;
use super::given::{Bytes, Text};
use super::outputs::{GrantConstraints, Tag};
use super::requests::Recipient;
use crate::crypto::Plaintext;

/// Names and values, as they are put down; a later one replaces an earlier.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Known(pub Vec<(Cow<'static, str>, Values)>);

/// What a condition key has: one value by its nature, or any number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// Single-valued.
    One(String),
    /// Multivalued, however many there are.
    Many(Vec<String>),
}

impl Known {
    /// Puts one value down.
    pub fn put(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.0.push((key.into(), Values::One(value.into())));
    }

    /// Puts down what conditions see of one member of a request.
    pub(super) fn member(
        &mut self,
        request: &str,
        action: &str,
        member: &str,
        value: &dyn Observed,
    ) {
        let Some((key, default)) = condition_key(request, action, member) else { return };
        let default = || (!default.is_empty()).then(|| Values::One(default.to_owned()));
        if let Some(values) = value.values().or_else(default) {
            self.0.push((key.into(), values));
        }
        for (name, value) in value.tags() {
            self.put(format!("aws:RequestTag/{name}"), value);
        }
    }
}

#[cfg(feature = "server")]
impl Key {
    /// Puts down what conditions of policies see of a key, its aliases aside.
    pub fn observe(&self, known: &mut Known) {
        known.put("kms:KeySpec", self.spec.as_str());
        known.put("kms:CustomerMasterKeySpec", self.spec.as_str());
        known.put("kms:KeyUsage", self.usage.as_str());
        known.put("kms:CustomerMasterKeyUsage", self.usage.as_str());
        known.put("kms:KeyOrigin", self.origin.as_str());
        known.put("kms:MultiRegion", self.multi_region.is_some().to_string());
        if let Some(part) = self.multi_region {
            known.put("kms:MultiRegionKeyType", part.as_str());
        }
        for (name, value) in &self.tags {
            known.put(format!("aws:ResourceTag/{name}"), value);
        }
    }
}

/// The condition key of a member, and what it is where the member is not given.
fn condition_key(
    request: &str,
    action: &str,
    member: &str,
) -> Option<(&'static str, &'static str)> {
    Some(match member {
        "bypass_policy_lockout_safety_check" => ("kms:BypassPolicyLockoutSafetyCheck", "false"),
        "constraints" => ("kms:GrantConstraintType", ""),
        "customer_master_key_spec" => ("kms:KeySpec", ""),
        "destination_encryption_algorithm" if action == "kms:ReEncryptTo" => {
            ("kms:EncryptionAlgorithm", SYMMETRIC)
        }
        "encryption_algorithm" => ("kms:EncryptionAlgorithm", SYMMETRIC),
        "expiration_model" => ("kms:ExpirationModel", "KEY_MATERIAL_EXPIRES"),
        "grantee_principal" if request == "CreateGrant" => ("kms:GranteePrincipal", ""),
        "key_agreement_algorithm" => ("kms:KeyAgreementAlgorithm", ""),
        "key_pair_spec" => ("kms:DataKeyPairSpec", ""),
        "key_spec" if request == "CreateKey" => ("kms:KeySpec", SYMMETRIC),
        "key_usage" => ("kms:KeyUsage", "ENCRYPT_DECRYPT"),
        "mac_algorithm" => ("kms:MacAlgorithm", ""),
        "message_type" => ("kms:MessageType", "RAW"),
        "multi_region" => ("kms:MultiRegion", "false"),
        "operations" => ("kms:GrantOperations", ""),
        "origin" => ("kms:KeyOrigin", "AWS_KMS"),
        "pending_window_in_days" => ("kms:ScheduleKeyDeletionPendingWindowInDays", "30"),
        "primary_region" => ("kms:PrimaryRegion", ""),
        "replica_region" => ("kms:ReplicaRegion", ""),
        "retiring_principal" if request == "CreateGrant" => ("kms:RetiringPrincipal", ""),
        "rotation_period_in_days" => ("kms:RotationPeriodInDays", ""),
        "signing_algorithm" => ("kms:SigningAlgorithm", ""),
        "source_encryption_algorithm" if action == "kms:ReEncryptFrom" => {
            ("kms:EncryptionAlgorithm", SYMMETRIC)
        }
        "tag_keys" | "tags" => ("aws:TagKeys", ""),
        "valid_to" => ("kms:ValidTo", ""),
        "wrapping_algorithm" => ("kms:WrappingAlgorithm", ""),
        "wrapping_key_spec" => ("kms:WrappingKeySpec", ""),
        _ => return None,
    })
}

const SYMMETRIC: &str = "SYMMETRIC_DEFAULT";

/// A member's value, as far as conditions see it.
pub(super) trait Observed {
    /// As text; none where it was not given.
    fn values(&self) -> Option<Values>;

    /// Names and values of tags.
    fn tags(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }
}

impl Observed for Text {
    fn values(&self) -> Option<Values> {
        (!self.is_missing()).then(|| Values::One(self.to_string()))
    }
}

impl Observed for Option<String> {
    fn values(&self) -> Option<Values> {
        self.clone().map(Values::One)
    }
}

impl Observed for Option<i32> {
    fn values(&self) -> Option<Values> {
        self.map(|number| Values::One(number.to_string()))
    }
}

impl Observed for bool {
    fn values(&self) -> Option<Values> {
        Some(Values::One(self.to_string()))
    }
}

impl Observed for Vec<String> {
    fn values(&self) -> Option<Values> {
        Some(Values::Many(self.clone()))
    }
}

impl Observed for Option<DateTime<Utc>> {
    fn values(&self) -> Option<Values> {
        self.map(|time| Values::One(time.to_rfc3339_opts(SecondsFormat::Secs, true)))
    }
}

impl Observed for Vec<Tag> {
    fn values(&self) -> Option<Values> {
        Some(Values::Many(self.iter().map(|tag| tag.tag_key.to_string()).collect()))
    }

    fn tags(&self) -> Vec<(&str, &str)> {
        self.iter().map(|tag| (&*tag.tag_key, &*tag.tag_value)).collect()
    }
}

impl Observed for GrantConstraints {
    fn values(&self) -> Option<Values> {
        let equals = (!self.equals.is_empty()).then_some("EncryptionContextEquals");
        let subset = (!self.subset.is_empty()).then_some("EncryptionContextSubset");
        equals.or(subset).map(|kind| Values::One(kind.to_owned()))
    }
}

/// Types that no condition looks at.
macro_rules! unobserved {
    ($($type:ty),+) => {$(
        impl Observed for $type {
            fn values(&self) -> Option<Values> {
                None
            }
        }
    )+};
}

unobserved!(
    BTreeMap<String, String>,
    Bytes,
    Option<Plaintext>,
    Option<Recipient>,
    Option<Vec<String>>,
    Option<bool>
);

#[cfg(test)]
mod tests {
    use super::super::requests::{CreateGrant, CreateKey, ReEncrypt, Request, ScheduleKeyDeletion};
    use super::*;

    fn known(request: &impl Request, action: &str) -> BTreeMap<String, Vec<String>> {
        let mut found = Known::default();
        request.observe(action, &mut found);
        let listed = found.0.into_iter().map(|(key, values)| match values {
            Values::One(value) => (key.into_owned(), vec![value]),
            Values::Many(values) => (key.into_owned(), values),
        });
        listed.collect()
    }

    #[test]
    fn what_was_not_given_has_the_apis_default() {
        let found = known(&ScheduleKeyDeletion::default(), "kms:ScheduleKeyDeletion");
        assert_eq!(found["kms:ScheduleKeyDeletionPendingWindowInDays"], ["30"]);
        let asked = ScheduleKeyDeletion { pending_window_in_days: Some(7), ..Default::default() };
        let found = known(&asked, "kms:ScheduleKeyDeletion");
        assert_eq!(found["kms:ScheduleKeyDeletionPendingWindowInDays"], ["7"]);
        let tags = vec![Tag::new("team", "red")];
        let spec = Some("RSA_2048".to_owned());
        let asked = CreateKey { tags, customer_master_key_spec: spec, ..CreateKey::default() };
        let found = known(&asked, "kms:CreateKey");
        for (key, value) in [
            ("kms:KeySpec", "RSA_2048"),
            ("kms:KeyUsage", "ENCRYPT_DECRYPT"),
            ("kms:KeyOrigin", "AWS_KMS"),
            ("kms:MultiRegion", "false"),
            ("kms:BypassPolicyLockoutSafetyCheck", "false"),
            ("aws:TagKeys", "team"),
            ("aws:RequestTag/team", "red"),
        ] {
            assert_eq!(found[key], [value], "{key}");
        }
    }

    #[test]
    fn what_is_granted_is_seen() {
        let asked = CreateGrant {
            grantee_principal: Some("arn".to_owned()),
            operations: vec!["Decrypt".to_owned(), "Encrypt".to_owned()],
            constraints: GrantConstraints {
                subset: [("a".to_owned(), "1".to_owned())].into(),
                ..GrantConstraints::default()
            },
            ..CreateGrant::default()
        };
        let found = known(&asked, "kms:CreateGrant");
        assert_eq!(found["kms:GrantOperations"], ["Decrypt", "Encrypt"]);
        assert_eq!(found["kms:GrantConstraintType"], ["EncryptionContextSubset"]);
        assert_eq!(found["kms:GranteePrincipal"], ["arn"]);
        assert!(!found.contains_key("kms:RetiringPrincipal"));
    }

    #[test]
    fn each_side_of_a_re_encryption_has_its_own_algorithm() {
        let asked = ReEncrypt {
            destination_encryption_algorithm: Some("RSAES_OAEP_SHA_256".to_owned()),
            ..ReEncrypt::default()
        };
        let algorithm = |action: &str| known(&asked, action)["kms:EncryptionAlgorithm"].clone();
        assert_eq!(algorithm("kms:ReEncryptFrom"), ["SYMMETRIC_DEFAULT"]);
        assert_eq!(algorithm("kms:ReEncryptTo"), ["RSAES_OAEP_SHA_256"]);
    }
}
