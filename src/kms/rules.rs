//! What each member of a request must be: lengths, ranges, patterns, value sets.
//!
//! Source: the service model that the SDKs ship (`kms/2014-11-01`).

use super::id::is_account;

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
    pub(super) fn constraints(self) -> String {
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
    pub(super) shown: &'static str,
    pub(super) matches: fn(&str) -> bool,
}

/// What `member` of `request` must be.
pub(super) fn rule(request: &str, member: &str) -> Rule {
    match member {
        "alias_name" | "name" => Rule::Text(1, 256, Some(NAME)),
        "ciphertext_blob"
        | "encrypted_key_material"
        | "import_token"
        | "mac"
        | "shared_secret_ciphertext_blob"
        | "signature" => Rule::Bytes(1, 6144),
        "customer_master_key_spec" => Rule::OneOf(OLDER_KEY_SPECS),
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
        "key_spec" if request == "CreateKey" => Rule::OneOf(KEY_SPECS),
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
pub(super) fn is_required(request: &str, member: &str) -> Option<bool> {
    Some(match member {
        // Wanted by what is done, but in a dry run about the key alone.
        "ciphertext_blob" => !matches!(request, "Decrypt" | "ReEncrypt"),
        "description" => request == "UpdateKeyDescription",
        "message" | "operations" | "plaintext" | "tag_keys" => true,
        "tags" => request == "TagResource",
        _ => return None,
    })
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
pub(super) const SOURCE_ARN: Form = Form {
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
            && is_account(account)
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
const KEY_SPECS: &[&str] = &[
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
/// Those that the older name of the member knows.
const OLDER_KEY_SPECS: &[&str] = KEY_SPECS.split_at(13).0;
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
    use super::*;

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
