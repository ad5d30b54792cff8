//! The register: every operation there is, one entry each. What is not here cannot be reached.
//!
//! An entry names the request type, the room function that runs it, whether it only reads, whether
//! another account may be let do it to a key (`cross_account`), whether a caller may only ask if it
//! would succeed (`dry_run`), what the caller must be allowed to do to what, which of the request's
//! fields go into its record (`records`; a field that is not named there is never written down, so
//! secrets cannot be), what else is checked (`checks`), what a grant must cover to allow it
//! (`within`), and what it may take of a core when that is not little (`weighs`).

use serde_json::Value;

use super::Error;
use super::access;
use super::operation::{Circumstances, Executed, Operation, Rooms, Target, Weight};
use super::pending::Writes;
use super::permit::Permit;
use super::targets;
use crate::audit::Event;
use crate::kms;

/// One line of the register, for documentation, tests and tools.
#[derive(Debug, Clone, Copy)]
pub struct Registered {
    /// The operation's name.
    pub name: &'static str,
    /// The action that policies name.
    pub action: &'static str,
    /// Every action that a caller must be allowed.
    pub actions: &'static [&'static str],
    /// What it does, in a sentence.
    pub about: &'static str,
    /// Whether it changes no state.
    pub read_only: bool,
    /// Whether a caller may only ask if it would succeed.
    pub dry_run: bool,
}

impl Registered {
    /// The entry of an operation that is not the register's macro's.
    pub(super) const fn of<O: Operation>(about: &'static str) -> Self {
        let (name, action) = (O::NAME, O::ACTION);
        Self { name, action, actions: &[], about, read_only: O::READ_ONLY, dry_run: O::DRY_RUN }
    }
}

/// What an entry's actions are done to, for who asks about an action without an operation.
pub(super) struct Acts {
    /// Actions, and the kind of their targets.
    pub(super) done_to: &'static [(&'static str, &'static str)],
    /// Whether another account may be let do them to a key.
    pub(super) cross_account: bool,
    /// Whether they are done with an encryption context.
    pub(super) has_context: bool,
}

macro_rules! register {
    ($(
        $request:ident => $run:path,
        $mode:ident $($flag:ident)*,
        on [$($target:ident $action:literal $(, $field:ident)?);+],
        records [$($recorded:ident),*]
        $(context $context:ident $(to $destination:ident)?)?
        $(checks $check:path)?
        $(, within $within:expr)?
        $(, weighs $weight:expr)?;
    )+) => {
        $(
            impl Operation for kms::$request {
                type Output = register!(@output $request);
                const NAME: &'static str = stringify!($request);
                const ACTION: &'static str = first(&[$($action),+]);
                const READ_ONLY: bool = register!(@mode $mode);
                const CROSS_ACCOUNT: bool = has(&[$(stringify!($flag)),*], "cross_account");
                const DRY_RUN: bool = has(&[$(stringify!($flag)),*], "dry_run");

                $(fn weight(&self) -> Weight {
                    let weigh: fn(&Self) -> Weight = $weight;
                    weigh(self)
                })?

                $(fn within(&self, grant: &kms::Grant) -> bool {
                    let within: fn(&Self, &kms::Grant) -> bool = $within;
                    within(self, grant)
                })?

                fn violations(&self) -> kms::Violations {
                    kms::Request::violations(self)
                }

                fn observe(&self, action: &str, known: &mut kms::Known) {
                    kms::Request::observe(self, action, known);
                }

                fn targets(
                    &self,
                    rooms: &Rooms,
                    at: &Circumstances<'_>,
                ) -> Result<Vec<Target>, Error> {
                    Ok(vec![$({
                        let found = || Ok(register!(@target $target, self, rooms, at $(, $field)?));
                        found().map_err(|error| done_as(error, $action))?.named($action)
                    }),+])
                }

                $(fn context(&self, action: &str) -> Option<&kms::EncryptionContext> {
                    let _ = action;
                    $(if action == "kms:ReEncryptTo" {
                        return Some(&self.$destination);
                    })?
                    Some(&self.$context)
                })?

                fn execute(
                    &self,
                    rooms: &Rooms,
                    at: &Circumstances<'_>,
                    permit: &Permit,
                ) -> Result<Executed<Self::Output>, Error> {
                    let _ = permit;
                    $($check(self, rooms, at, permit)?;)?
                    let call = at.call();
                    $run(&rooms.keys, &call, self).map(executed).map_err(Error::Kms)
                }

                fn record(&self, event: &mut Event) {
                    $(record(event, stringify!($recorded), &self.$recorded);)*
                    $(event.context.clone_from(&self.$context);)?
                    let _ = event;
                }
            }
        )+

        /// Every operation on keys and data keys.
        const KMS: &[Registered] = &[$(Registered {
            name: stringify!($request),
            action: first(&[$($action),+]),
            actions: &[$($action),+],
            about: <kms::$request as kms::Request>::ABOUT,
            read_only: register!(@mode $mode),
            dry_run: has(&[$(stringify!($flag)),*], "dry_run"),
        }),+];

        /// The same by what their actions are done to.
        pub(super) const ACTS: &[Acts] = &[$(Acts {
            done_to: &[$(($action, stringify!($target))),+],
            cross_account: has(&[$(stringify!($flag)),*], "cross_account"),
            has_context: is_given(&[$(stringify!($context))?]),
        }),+];
    };
    (@target destination, $self:ident, $rooms:ident, $at:ident) => {
        match &$self.destination_key_id {
            Some(named) => targets::key($rooms, $at, named),
            None => targets::blob($rooms, $at, &$self.ciphertext_blob),
        }?
    };
    (@target replica, $self:ident, $rooms:ident, $at:ident) => {
        targets::replica($rooms, $at, &$self.key_id, &$self.primary_region)?
    };
    (@target source, $self:ident, $rooms:ident, $at:ident) => {
        targets::source(
            $rooms,
            $at,
            $self.encryption_algorithm.as_deref(),
            (!kms::ignores_ciphertext(&$self.dry_run_modifiers)).then_some(&*$self.ciphertext_blob),
            $self.key_id.as_deref(),
        )?
    };
    (@target re_encrypted, $self:ident, $rooms:ident, $at:ident) => {
        targets::source(
            $rooms,
            $at,
            $self.source_encryption_algorithm.as_deref(),
            (!kms::ignores_ciphertext(&$self.dry_run_modifiers)).then_some(&*$self.ciphertext_blob),
            $self.source_key_id.as_deref(),
        )?
    };
    (@target retired, $self:ident, $rooms:ident, $at:ident) => {
        targets::retired($rooms, $at, $self)?
    };
    (@target $target:ident, $self:ident, $rooms:ident, $at:ident $(, $field:ident)?) => {
        targets::$target($rooms, $at $(, &$self.$field)?)?
    };
    (@mode reads) => { true };
    (@mode writes) => { false };
    (@output $request:ident) => { <kms::$request as kms::Request>::Output };
}

register! {
    CancelKeyDeletion => kms::cancel_key_deletion, writes,
        on [key "kms:CancelKeyDeletion", key_id], records [key_id];
    CreateAlias => kms::create_alias, writes,
        on [alias_name "kms:CreateAlias", alias_name; used "kms:CreateAlias", target_key_id], records [alias_name, target_key_id];
    CreateGrant => kms::create_grant, writes cross_account dry_run,
        on [key "kms:CreateGrant", key_id],
        records [
            key_id, grantee_principal, grantee_service_principal, retiring_principal,
            retiring_service_principal, operations, constraints, name
        ],
        within |asked, grant| grant.covers(&asked.operations, &asked.constraints);
    CreateKey => kms::create_key, writes,
        on [account "kms:CreateKey"],
        records [
            description, key_usage, key_spec, origin, multi_region, tags, policy,
            bypass_policy_lockout_safety_check
        ]
        checks access::new_key_policy,
        weighs |asked| making(asked.key_spec.as_deref().or(asked.customer_master_key_spec.as_deref()));
    CreateManagedKey => kms::create_managed_key, writes,
        on [account "kms:CreateManagedKey"], records [alias_name];
    Decapsulate => kms::decapsulate, reads cross_account dry_run,
        on [used "kms:Decapsulate", key_id], records [key_id, encapsulation_algorithm];
    Decrypt => kms::decrypt, reads cross_account dry_run,
        on [source "kms:Decrypt"],
        records [key_id, encryption_algorithm] context encryption_context,
        weighs |asked| opening(asked.encryption_algorithm.as_deref());
    DeleteAlias => kms::delete_alias, writes,
        on [alias_name "kms:DeleteAlias", alias_name; alias "kms:DeleteAlias", alias_name], records [alias_name];
    DeleteExpiredKeyMaterial => kms::delete_expired_key_material, writes,
        on [account "kms:DeleteExpiredKeyMaterial"], records [key_id];
    DeleteImportedKeyMaterial => kms::delete_imported_key_material, writes,
        on [key "kms:DeleteImportedKeyMaterial", key_id], records [key_id, key_material_id];
    DeleteKey => kms::delete_key, writes,
        on [account "kms:DeleteKey"], records [key_id];
    DeriveSharedSecret => kms::derive_shared_secret, reads cross_account dry_run,
        on [used "kms:DeriveSharedSecret", key_id], records [key_id, key_agreement_algorithm];
    DescribeKey => kms::describe_key, reads cross_account,
        on [key "kms:DescribeKey", key_id], records [key_id];
    DescribeKeyVersions => kms::describe_key_versions, reads,
        on [key "kms:ListKeyRotations", key_id], records [key_id, limit, marker];
    DisableKey => kms::disable_key, writes,
        on [key "kms:DisableKey", key_id], records [key_id];
    DisableKeyRotation => kms::disable_key_rotation, writes,
        on [key "kms:DisableKeyRotation", key_id], records [key_id];
    EnableKey => kms::enable_key, writes,
        on [key "kms:EnableKey", key_id], records [key_id];
    EnableKeyRotation => kms::enable_key_rotation, writes,
        on [key "kms:EnableKeyRotation", key_id], records [key_id, rotation_period_in_days];
    Encapsulate => kms::encapsulate, reads cross_account dry_run,
        on [used "kms:Encapsulate", key_id], records [key_id, encapsulation_algorithm];
    Encrypt => kms::encrypt, reads cross_account dry_run,
        on [used "kms:Encrypt", key_id],
        records [key_id, encryption_algorithm] context encryption_context,
        weighs |asked| opening(asked.encryption_algorithm.as_deref());
    GenerateDataKey => kms::generate_data_key, reads cross_account dry_run,
        on [used "kms:GenerateDataKey", key_id],
        records [key_id, key_spec, number_of_bytes] context encryption_context;
    GenerateDataKeyPair => kms::generate_data_key_pair, reads cross_account dry_run,
        on [used "kms:GenerateDataKeyPair", key_id],
        records [key_id, key_pair_spec] context encryption_context,
        weighs |asked| making(Some(&asked.key_pair_spec));
    GenerateDataKeyPairWithoutPlaintext =>
        kms::generate_data_key_pair_without_plaintext, reads cross_account dry_run,
        on [used "kms:GenerateDataKeyPairWithoutPlaintext", key_id],
        records [key_id, key_pair_spec] context encryption_context,
        weighs |asked| making(Some(&asked.key_pair_spec));
    GenerateDataKeyWithoutPlaintext => kms::generate_data_key_without_plaintext, reads cross_account dry_run,
        on [used "kms:GenerateDataKeyWithoutPlaintext", key_id],
        records [key_id, key_spec, number_of_bytes] context encryption_context;
    GenerateMac => kms::generate_mac, reads cross_account dry_run,
        on [used "kms:GenerateMac", key_id], records [key_id, mac_algorithm];
    GenerateRandom => kms::generate_random, reads,
        on [account "kms:GenerateRandom"], records [number_of_bytes];
    GetKeyPolicy => kms::get_key_policy, reads,
        on [key "kms:GetKeyPolicy", key_id], records [key_id, policy_name];
    GetKeyRotationStatus => kms::get_key_rotation_status, reads cross_account,
        on [key "kms:GetKeyRotationStatus", key_id], records [key_id];
    GetParametersForImport => kms::get_parameters_for_import, reads,
        on [key "kms:GetParametersForImport", key_id],
        records [key_id, wrapping_algorithm, wrapping_key_spec],
        weighs |_| Weight::Slow;
    GetPublicKey => kms::get_public_key, reads cross_account,
        on [key "kms:GetPublicKey", key_id], records [key_id];
    ImportKeyMaterial => kms::import_key_material, writes,
        on [key "kms:ImportKeyMaterial", key_id],
        records [
            key_id, valid_to, expiration_model, import_type, key_material_description,
            key_material_id
        ],
        weighs |_| Weight::Heavy;
    ListAliases => kms::list_aliases, reads,
        on [account "kms:ListAliases"], records [key_id, limit, marker];
    ListGrants => kms::list_grants, reads cross_account,
        on [key "kms:ListGrants", key_id],
        records [
            key_id, grant_id, grantee_principal, grantee_service_principal, limit, marker
        ];
    ListKeyPolicies => kms::list_key_policies, reads,
        on [key "kms:ListKeyPolicies", key_id], records [key_id, limit, marker];
    ListKeyRotations => kms::list_key_rotations, reads,
        on [key "kms:ListKeyRotations", key_id],
        records [key_id, include_key_material, limit, marker];
    ListKeys => kms::list_keys, reads,
        on [account "kms:ListKeys"], records [limit, marker];
    ListResourceTags => kms::list_resource_tags, reads,
        on [key "kms:ListResourceTags", key_id], records [key_id, limit, marker];
    ListRetirableGrants => kms::list_retirable_grants, reads,
        on [account "kms:ListRetirableGrants"],
        records [retiring_principal, retiring_service_principal, limit, marker];
    PutKeyPolicy => kms::put_key_policy, writes,
        on [key "kms:PutKeyPolicy", key_id],
        records [key_id, policy_name, policy, bypass_policy_lockout_safety_check]
        checks access::key_policy;
    ReEncrypt => kms::re_encrypt, reads cross_account dry_run,
        on [re_encrypted "kms:ReEncryptFrom"; used "kms:ReEncryptTo", destination_key_id],
        records [source_key_id, destination_key_id, destination_encryption_context]
        context source_encryption_context to destination_encryption_context,
        weighs |asked| opening(asked.source_encryption_algorithm.as_deref());
    ReplicateKey => kms::replicate_key, writes,
        on [key "kms:ReplicateKey", key_id; account "kms:CreateKey"],
        records [
            key_id, replica_region, policy, bypass_policy_lockout_safety_check, description, tags
        ]
        checks access::replica_policy;
    RetireGrant => kms::retire_grant, writes cross_account dry_run,
        on [retired "kms:RetireGrant"], records [key_id, grant_id];
    RevokeGrant => kms::revoke_grant, writes cross_account dry_run,
        on [key "kms:RevokeGrant", key_id], records [key_id, grant_id];
    RewrapDataKey => kms::rewrap_data_key, reads cross_account,
        on [blob "kms:ReEncryptFrom", ciphertext_blob; destination "kms:ReEncryptTo"],
        records [source_key_id, destination_key_id, destination_encryption_context]
        context source_encryption_context to destination_encryption_context;
    RotateKey => kms::rotate_key, writes,
        on [account "kms:RotateKey"], records [key_id];
    RotateKeyOnDemand => kms::rotate_key_on_demand, writes,
        on [key "kms:RotateKeyOnDemand", key_id], records [key_id];
    ScheduleKeyDeletion => kms::schedule_key_deletion, writes,
        on [key "kms:ScheduleKeyDeletion", key_id], records [key_id, pending_window_in_days];
    Sign => kms::sign, reads cross_account dry_run,
        on [used "kms:Sign", key_id], records [key_id, message_type, signing_algorithm],
        weighs |asked| signing(&asked.signing_algorithm);
    TagResource => kms::tag_resource, writes,
        on [key "kms:TagResource", key_id], records [key_id, tags];
    UntagResource => kms::untag_resource, writes,
        on [key "kms:UntagResource", key_id], records [key_id, tag_keys];
    UnwrapDataKey => kms::unwrap_data_key, reads cross_account,
        on [blob "kms:Decrypt", ciphertext_blob], records [key_id] context encryption_context;
    UpdateAlias => kms::update_alias, writes,
        on [
            alias_name "kms:UpdateAlias", alias_name; alias "kms:UpdateAlias", alias_name;
            used "kms:UpdateAlias", target_key_id
        ],
        records [alias_name, target_key_id];
    UpdateKeyDescription => kms::update_key_description, writes,
        on [key "kms:UpdateKeyDescription", key_id], records [key_id, description];
    UpdatePrimaryRegion => kms::update_primary_region, writes,
        on [key "kms:UpdatePrimaryRegion", key_id; replica "kms:UpdatePrimaryRegion"],
        records [key_id, primary_region];
    Verify => kms::verify, reads cross_account dry_run,
        on [used "kms:Verify", key_id], records [key_id, message_type, signing_algorithm];
    VerifyMac => kms::verify_mac_of, reads cross_account dry_run,
        on [used "kms:VerifyMac", key_id], records [key_id, mac_algorithm];
    WrapDataKey => kms::wrap_data_key, reads cross_account,
        on [used "kms:Encrypt", key_id], records [key_id] context encryption_context;
}

/// Every operation there is, those on the trail included.
pub fn registered() -> impl Iterator<Item = &'static Registered> {
    KMS.iter()
        .chain(super::last_usage::LAST_USAGE)
        .chain(super::sessions::SESSIONS)
        .chain(super::explain::EXPLAIN)
        .chain(super::lookup::LOOKUP)
        .chain(super::trail::TRAIL)
        .chain(super::proofs::PROOFS)
        .chain(super::log_files::LOG_FILES)
        .chain(super::log_key::LOG_KEYS)
        .chain(super::sealing::SEALING)
        .chain(super::s3::S3)
        .chain(super::s3::SWEEPING)
}

/// What making a key of a spec takes: primes are looked for.
fn making(spec: Option<&str>) -> Weight {
    let is_rsa = spec.is_some_and(|spec| spec.starts_with("RSA_"));
    if is_rsa { Weight::Slow } else { Weight::Light }
}

/// What a signature takes: up to some milliseconds with RSA.
fn signing(algorithm: &str) -> Weight {
    if algorithm.starts_with("RSASSA_") { Weight::Heavy } else { Weight::Light }
}

/// What opening takes: some milliseconds with RSA.
fn opening(algorithm: Option<&str>) -> Weight {
    let is_rsa = algorithm.is_some_and(|algorithm| algorithm.starts_with("RSAES_"));
    if is_rsa { Weight::Heavy } else { Weight::Light }
}

/// What is hidden says what was to be done with it, as what is denied does; the walk adds who.
fn done_as(error: Error, action: &str) -> Error {
    match error {
        Error::Kms(kms::Error::Hidden) => {
            Error::AccessHidden { principal: String::new(), action: action.to_owned() }
        }
        other => other,
    }
}

/// A name as the register has it: for labels, which must not be what a caller wrote.
pub(super) fn registered_name(name: &str) -> &'static str {
    registered().find(|entry| entry.name == name).map_or("unknown", |entry| entry.name)
}

/// Whether an entry carries a flag.
const fn has(flags: &[&str], wanted: &str) -> bool {
    let mut rest = flags;
    while let [flag, others @ ..] = rest {
        if equal(flag.as_bytes(), wanted.as_bytes()) {
            return true;
        }
        rest = others;
    }
    false
}

/// Whether an entry has what may be left out.
const fn is_given(names: &[&str]) -> bool {
    !names.is_empty()
}

const fn equal(mut one: &[u8], mut two: &[u8]) -> bool {
    while let ([a, rest_of_one @ ..], [b, rest_of_two @ ..]) = (one, two) {
        if *a != *b {
            return false;
        }
        (one, two) = (rest_of_one, rest_of_two);
    }
    one.is_empty() && two.is_empty()
}

const fn first(actions: &[&'static str]) -> &'static str {
    match actions.first() {
        Some(first) => first,
        None => "",
    }
}

fn executed<T>(done: kms::Done<T>) -> Executed<T> {
    let kms::Done { output, changes, reads, touched } = done;
    let writes = Writes { changes, reads, log: None };
    Executed { output, writes, key: touched.key, key_version: touched.version }
}

/// A request's field in the record; what was not given is not written down.
pub(super) fn record(event: &mut Event, name: &str, value: &impl serde::Serialize) {
    let given = match serde_json::to_value(value) {
        Ok(Value::Null | Value::Bool(false)) | Err(_) => return,
        Ok(Value::String(text)) if text.is_empty() => return,
        Ok(Value::Array(items)) if items.is_empty() => return,
        Ok(Value::Object(pairs)) if pairs.is_empty() => return,
        Ok(given) => given,
    };
    event.parameters.insert(name.to_owned(), given);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_the_contract_has_each_but_what_is_not_grpcs() {
        let names: BTreeSet<_> = registered().map(|entry| entry.name).collect();
        assert_eq!(names.len(), registered().count());
        let mut reachable = BTreeSet::new();
        for text in [
            include_str!("../../proto/strongroom/v1/access.proto"),
            include_str!("../../proto/strongroom/v1/keys.proto"),
            include_str!("../../proto/strongroom/v1/data_keys.proto"),
            include_str!("../../proto/strongroom/v1/audit.proto"),
        ] {
            for line in text.lines() {
                if let Some(rest) = line.trim().strip_prefix("rpc ") {
                    reachable.insert(rest.split('(').next().unwrap());
                }
            }
        }
        // S3's are S3's protocol's.
        let of_s3: BTreeSet<_> = super::super::s3::S3.iter().map(|entry| entry.name).collect();
        let own = names.symmetric_difference(&reachable).filter(|name| !of_s3.contains(*name));
        let own: Vec<_> = own.copied().collect();
        assert_eq!(
            own,
            [
                "AssumeRole",
                "CreateManagedKey",
                "DeleteExpiredKeyMaterial",
                "DeleteKey",
                "GetCallerIdentity",
                "GetSessionToken",
                "LookupEvents",
                "ReadLog",
                "RemoveLost",
                "RotateKey",
                "SealLog"
            ]
        );
    }
}
