//! AWS KMS as SDKs call it: JSON 1.1, `POST /` with `X-Amz-Target: TrentService.OPERATION`; and what
//! of AWS CloudTrail reads the trail.
//!
//! Sources: AWS KMS API Reference, "Making requests" and "Common errors"; the service models that
//! the SDKs ship (`kms/2014-11-01`, `cloudtrail/2013-11-01`).
//!
//! | file | noun |
//! |---|---|
//! | `members.rs` | the members of a request |
//! | `answer.rs` | answers and errors as SDKs read them |
//! | `keys.rs`, `data_keys.rs`, `access.rs`, `cloudtrail.rs` | one translation each way an operation |

mod access;
mod answer;
mod cloudtrail;
mod data_keys;
mod keys;
mod members;

pub(super) use answer::Answer;

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use serde_json::Value;

use self::members::Members;
use super::body::whole;
use super::sigv4::{caller, header};
use crate::kms;
use crate::service::{Caller, Error, Operation, Service, registered};

/// Bytes of a body at the most.
pub(super) const BODY_BYTES: usize = 1024 * 1024;

/// What a request is addressed to.
pub(super) struct Target {
    service: &'static str,
    operation: String,
}

impl Target {
    /// Out of `X-Amz-Target`, where it is one of these services'.
    pub(super) fn parse(header: &str) -> Option<Self> {
        TARGETS.iter().find_map(|(prefix, service)| {
            let operation = header.strip_prefix(prefix)?.to_owned();
            Some(Self { service, operation })
        })
    }
}

/// Prefixes of `X-Amz-Target`, and the service that signatures are scoped to.
const TARGETS: [(&str, &str); 3] = [
    ("TrentService.", KMS),
    ("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.", CLOUDTRAIL),
    ("CloudTrail_20131101.", CLOUDTRAIL),
];
const KMS: &str = "kms";
const CLOUDTRAIL: &str = "cloudtrail";

/// The body's type, in whatever case (RFC 9110, section 8.3.1): that of another protocol names no
/// operation, as on AWS.
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Answers one request that is addressed to one of these services.
pub(super) async fn handle(service: Arc<Service>, target: Target, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let kind = header(&parts.headers, "content-type")
        .and_then(|kind| kind.split(';').next())
        .map(str::trim);
    let body = whole(body, BODY_BYTES).await;
    let caller = caller(&service, &parts, body.as_deref().map_err(|why| *why), target.service);
    if let Err(error) = service.admit() {
        return refuse(&service, caller, &target, error).await;
    }
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case(CONTENT_TYPE)) {
        return refuse(&service, caller, &target, Error::UnknownOperation).await;
    }
    let call = match body.map_err(Error::from).and_then(|body| Members::parse(&body)) {
        Ok(members) => Call { service: &service, caller, members },
        Err(error) => return refuse(&service, caller, &target, error).await,
    };
    match (target.service, target.operation.as_str()) {
        (KMS, operation) => dispatch(call, operation).await,
        (_, "LookupEvents") => call.run(cloudtrail::lookup_events, cloudtrail::events).await,
        _ => refuse(call.service, call.caller, &target, Error::UnknownOperation).await,
    }
}

/// One request on its way to its translation.
struct Call<'a> {
    service: &'a Arc<Service>,
    caller: Caller,
    members: Members,
}

impl Call<'_> {
    /// Translates, calls, translates back.
    async fn run<O: Operation>(
        mut self,
        read: impl FnOnce(&mut Members) -> Result<O, Error>,
        write: impl FnOnce(O::Output) -> Value,
    ) -> Response {
        let dry_run = |members: &mut Members| match O::DRY_RUN {
            true => members.flag("DryRun"),
            false => Ok(false), // an unknown member there, and passed over
        };
        let request = read(&mut self.members);
        match request.and_then(|request| Ok((request, dry_run(&mut self.members)?))) {
            Ok((request, dry_run)) => {
                self.caller.dry_run = dry_run;
                let reply = self.service.call(self.caller, request).await;
                Answer::of(reply, write).into_json()
            }
            Err(error) => {
                let service = if O::ACTION.starts_with("kms:") { KMS } else { CLOUDTRAIL };
                let target = Target { service, operation: O::NAME.to_owned() };
                refuse(self.service, self.caller, &target, error).await
            }
        }
    }
}

macro_rules! translations {
    ($($module:ident { $($operation:literal => $read:ident, $write:ident;)+ })+) => {
        async fn dispatch(call: Call<'_>, operation: &str) -> Response {
            match operation {
                $($($operation => call.run($module::$read, $module::$write).await,)+)+
                _ => {
                    let error = if CUSTOM_KEY_STORES.contains(&operation) {
                        Error::Kms(kms::Error::Unsupported(NO_CUSTOM_KEY_STORES.to_owned()))
                    } else {
                        Error::UnknownOperation
                    };
                    let target = Target { service: KMS, operation: operation.to_owned() };
                    refuse(call.service, call.caller, &target, error).await
                }
            }
        }

        /// The operations that this door translates.
        pub const TRANSLATED: &[&str] = &[$($($operation),+),+];

        /// Whether a body is a request that this operation would be called with: what is read of foreign
        /// bytes before anything is looked up, for fuzzers.
        #[must_use]
        pub fn reads(operation: &str, body: &[u8]) -> bool {
            let Ok(mut members) = Members::parse(body) else { return false };
            match operation {
                $($($operation => $module::$read(&mut members).is_ok_and(|request| {
                    kms::Request::violations(&request).message().is_none()
                }),)+)+
                _ => false,
            }
        }
    };
}

translations! {
    access {
        "CreateGrant" => create_grant, granted;
        "GetKeyPolicy" => get_key_policy, policy;
        "ListGrants" => list_grants, grants;
        "ListKeyPolicies" => list_key_policies, policies;
        "ListRetirableGrants" => list_retirable_grants, grants;
        "PutKeyPolicy" => put_key_policy, nothing;
        "RetireGrant" => retire_grant, nothing;
        "RevokeGrant" => revoke_grant, nothing;
    }
    keys {
        "CancelKeyDeletion" => cancel_key_deletion, cancelled;
        "CreateAlias" => create_alias, nothing;
        "CreateKey" => create_key, described;
        "DeleteAlias" => delete_alias, nothing;
        "DeleteImportedKeyMaterial" => delete_imported_key_material, imported;
        "DescribeKey" => describe_key, described;
        "DisableKey" => disable_key, nothing;
        "DisableKeyRotation" => disable_key_rotation, nothing;
        "EnableKey" => enable_key, nothing;
        "EnableKeyRotation" => enable_key_rotation, nothing;
        "GetKeyLastUsage" => get_key_last_usage, last_usage;
        "GetKeyRotationStatus" => get_key_rotation_status, rotation_status;
        "GetParametersForImport" => get_parameters_for_import, parameters;
        "GetPublicKey" => get_public_key, public_key;
        "ImportKeyMaterial" => import_key_material, imported;
        "ListAliases" => list_aliases, aliases;
        "ListKeyRotations" => list_key_rotations, rotations;
        "ListKeys" => list_keys, listed;
        "ListResourceTags" => list_resource_tags, tags;
        "ReplicateKey" => replicate_key, replicated;
        "RotateKeyOnDemand" => rotate_key_on_demand, rotated;
        "ScheduleKeyDeletion" => schedule_key_deletion, scheduled;
        "TagResource" => tag_resource, nothing;
        "UntagResource" => untag_resource, nothing;
        "UpdateAlias" => update_alias, nothing;
        "UpdateKeyDescription" => update_key_description, nothing;
        "UpdatePrimaryRegion" => update_primary_region, nothing;
    }
    data_keys {
        "Decapsulate" => decapsulate, decapsulated;
        "Decrypt" => decrypt, decrypted;
        "DeriveSharedSecret" => derive_shared_secret, derived;
        "Encapsulate" => encapsulate, encapsulated;
        "Encrypt" => encrypt, encrypted;
        "GenerateDataKey" => generate_data_key, generated;
        "GenerateDataKeyPair" => generate_data_key_pair, key_pair;
        "GenerateDataKeyPairWithoutPlaintext" =>
            generate_data_key_pair_without_plaintext, key_pair;
        "GenerateDataKeyWithoutPlaintext" => generate_data_key_without_plaintext, wrapped;
        "GenerateMac" => generate_mac, mac;
        "GenerateRandom" => generate_random, random;
        "ReEncrypt" => re_encrypt, re_encrypted;
        "Sign" => sign, signed;
        "Verify" => verify, verified;
        "VerifyMac" => verify_mac, mac_verified;
    }
}

/// What AWS has and this program does not: keys kept elsewhere.
const CUSTOM_KEY_STORES: [&str; 6] = [
    "ConnectCustomKeyStore",
    "CreateCustomKeyStore",
    "DeleteCustomKeyStore",
    "DescribeCustomKeyStores",
    "DisconnectCustomKeyStore",
    "UpdateCustomKeyStore",
];
const NO_CUSTOM_KEY_STORES: &str =
    "strongroom has no custom key stores: it keeps every key in its own store";

/// The README's table of AWS's operations and what each does here, out of the register.
#[must_use]
pub fn operations_table() -> String {
    let mut rows: Vec<(&str, String, &str, String)> = registered()
        .filter(|entry| TRANSLATED.contains(&entry.name))
        .map(|entry| {
            let dry_run = if entry.dry_run { "yes" } else { "" };
            let mut actions: Vec<String> =
                entry.actions.iter().map(|name| format!("`{name}`")).collect();
            actions.dedup();
            (entry.name, entry.about.trim().to_owned(), dry_run, actions.join(", "))
        })
        .collect();
    let none = "Refused with `UnsupportedOperationException`: every key is kept here.";
    rows.extend(CUSTOM_KEY_STORES.map(|name| (name, none.to_owned(), "", String::new())));
    rows.sort();
    let mut table = "| operation | here | `DryRun` | needs |\n|---|---|---|---|\n".to_owned();
    for (name, about, dry_run, actions) in rows {
        let _ = writeln!(table, "| `{name}` | {about} | {dry_run} | {actions} |");
    }
    table
}

/// Records a request that reached no operation, and answers its error.
async fn refuse(service: &Arc<Service>, caller: Caller, target: &Target, error: Error) -> Response {
    let Target { service: of, operation } = target;
    let name: String = operation.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    let reply = service.refuse(caller, &name, &format!("{of}:{name}"), error).await;
    Answer::of(reply, |never| match never {}).into_json()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_kms_that_aws_has_is_translated() {
        let ours = [
            "CreateManagedKey",
            "DeleteExpiredKeyMaterial",
            "DeleteKey",
            "DescribeKeyVersions",
            "RewrapDataKey",
            "RotateKey",
            "UnwrapDataKey",
            "WrapDataKey",
        ];
        for entry in registered().filter(|entry| entry.action.starts_with("kms:")) {
            let translated = TRANSLATED.contains(&entry.name);
            assert_ne!(translated, ours.contains(&entry.name), "{}", entry.name);
        }
        assert!(TRANSLATED.iter().all(|name| registered().any(|entry| entry.name == *name)));
        assert_eq!(TRANSLATED.len() + CUSTOM_KEY_STORES.len(), 56, "as many as AWS has");
    }

    #[test]
    fn the_readme_has_the_registers_table() {
        let readme = include_str!("../../../README.md");
        let table = operations_table();
        assert!(readme.contains(&table), "cargo run --example operations prints this:\n{table}");
    }
}
