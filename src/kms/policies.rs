//! The policy of a key: read, replaced, listed. What it means is the decision's business, which also
//! reads a new one before this room stores it.
//!
//! Source: AWS KMS API Reference, `GetKeyPolicy`, `PutKeyPolicy`, `ListKeyPolicies`.

use super::directory::{Call, Directory, Done};
use super::lifecycle::update;
use super::outputs::{GetKeyPolicyOutput, Listed};
use super::page::Page;
use super::requests::{GetKeyPolicy, ListKeyPolicies, PutKeyPolicy};
use super::state::Act;
use super::{Error, Key};

/// The one name that a key's policy has.
const DEFAULT: &str = "default";

/// `GetKeyPolicy`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::NotFound`] for another name than `default`.
pub fn get_key_policy(
    directory: &Directory,
    call: &Call<'_>,
    request: &GetKeyPolicy,
) -> Result<Done<GetKeyPolicyOutput>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    check_name(request.policy_name.as_deref())?;
    let key = &found.entry.key;
    let output = GetKeyPolicyOutput { policy: policy_of(key), policy_name: DEFAULT };
    Ok(Done::of(found, None, output))
}

/// `PutKeyPolicy`, in every state of the key.
///
/// # Errors
/// As [`get_key_policy`].
pub fn put_key_policy(
    directory: &Directory,
    call: &Call<'_>,
    request: &PutKeyPolicy,
) -> Result<Done<()>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    check_name(request.policy_name.as_deref())?;
    update(found, Act::PutPolicy, |key| key.policy = Some(request.policy.as_str().into()))
}

/// `ListKeyPolicies`: one, `default`.
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Validation`].
pub fn list_key_policies(
    directory: &Directory,
    call: &Call<'_>,
    request: &ListKeyPolicies,
) -> Result<Done<Listed<String>>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    let arn = found.entry.key.arn();
    let marker = request.marker.as_deref();
    let page = Page::new(call.scope, &["policies", &arn], request.limit, (100, 1000), marker);
    // AWS lists no InvalidMarkerException for this one.
    let page = page.map_err(|error| match error {
        Error::InvalidMarker => Error::Validation(error.to_string()),
        other => other,
    })?;
    let names = page.after.is_none().then(|| DEFAULT.to_owned()).into_iter().collect();
    Ok(Done::of(found, None, page.cut(names, Clone::clone)))
}

fn check_name(name: Option<&str>) -> Result<(), Error> {
    match name {
        None | Some(DEFAULT) => Ok(()),
        Some(_) => Err(Error::NotFound("No such policy exists".to_owned())),
    }
}

/// A key's own policy, or the default one.
pub(super) fn policy_of(key: &Key) -> String {
    let own = key.policy.as_deref().map(str::to_owned);
    own.unwrap_or_else(|| default_policy(key.scope.account()))
}

/// AWS's, as it is written there (Developer Guide, "Default key policy").
#[must_use]
pub fn default_policy(account: &str) -> String {
    format!(
        "{{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"key-default-1\",\n  \"Statement\" : [ {{\n    \
         \"Sid\" : \"Enable IAM User Permissions\",\n    \"Effect\" : \"Allow\",\n    \
         \"Principal\" : {{\n      \"AWS\" : \"arn:aws:iam::{account}:root\"\n    }},\n    \
         \"Action\" : \"kms:*\",\n    \"Resource\" : \"*\"\n  }} ]\n}}"
    )
}
