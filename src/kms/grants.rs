//! Grants: one principal may do some operations with one key, perhaps in some contexts only.
//!
//! A grant holds from the moment that `CreateGrant` answers, so its token proves nothing that the
//! grant does not; a token of no grant is refused all the same, as on AWS.
//!
//! Source: AWS KMS Developer Guide, "Grants in AWS KMS"; API Reference, `CreateGrant`.

use super::Error;
use super::directory::{Call, Directory, Done, Found};
use super::grant::{Grant, GrantId};
use super::id::{KeyPlace, is_account};
use super::outputs::{CreateGrantOutput, GrantConstraints, GrantEntry, Listed, Party};
use super::page::Page;
use super::requests::{
    CreateGrant, EncryptionContext, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant,
};
use super::spec::{KeySpec, KeyUsage};
use super::state::Act;
use crate::store::{Change, Revision};

/// `CreateGrant`. The same grant with the same name again answers the first one's id.
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Validation`], [`Error::Disabled`], [`Error::InvalidState`],
/// [`Error::InvalidArn`], [`Error::LimitExceeded`] at 50,000 grants on one key.
pub fn create_grant(
    directory: &Directory,
    call: &Call<'_>,
    request: &CreateGrant,
) -> Result<Done<CreateGrantOutput>, Error> {
    directory.check_tokens(&request.grant_tokens)?;
    let found = directory.find_key(call, &request.key_id)?;
    let key = &found.entry.key;
    key.state.permits(Act::Use, &key.arn())?;
    let constraints = check_request(&found, request)?;
    let grant = Grant {
        key: key.place(),
        id: GrantId::generate()?,
        name: request.name.clone(),
        grantee: grantee(request)?,
        retiring: retiring(request)?,
        operations: request.operations.clone(),
        constraints,
        issuing_account: call.scope.account().to_owned(),
        created: call.now,
        revision: Revision(0),
    };
    if let Some(known) = grant.name.as_ref().and_then(|_| directory.same_grant(&grant)) {
        let output =
            CreateGrantOutput { grant_id: known.id.to_string(), grant_token: known.token() };
        return Ok(Done::of(found, None, output));
    }
    if directory.grant_count(&grant.key) >= GRANTS {
        let arn = key.arn();
        return Err(Error::LimitExceeded(format!("{arn} has {GRANTS} grants, the limit")));
    }
    let output = CreateGrantOutput { grant_id: grant.id.to_string(), grant_token: grant.token() };
    let change = Change { row: grant.row(), expected: Revision(0), value: Some(grant.encode()?) };
    Ok(Done::of(found, None, output).changing(vec![change]))
}

/// `ListGrants`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::InvalidMarker`], [`Error::NotFound`] for a grant that the key
/// has not.
pub fn list_grants(
    directory: &Directory,
    call: &Call<'_>,
    request: &ListGrants,
) -> Result<Done<Listed<GrantEntry>>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    let (arn, place) = (found.entry.key.arn(), found.entry.key.place());
    if let Some(wanted) = &request.grant_id {
        find(directory, &place, wanted)?;
    }
    let principal =
        request.grantee_principal.as_ref().or(request.grantee_service_principal.as_ref());
    let wanted = |grant: &Grant| {
        principal.is_none_or(|principal| grant.grantee.name() == principal)
            && request.grant_id.as_ref().is_none_or(|wanted| grant.id.to_string() == *wanted)
    };
    let filters = [request.grant_id.as_ref(), principal].map(|filter| filter.map_or("", |f| f));
    let [by_id, by_principal] = filters;
    let what = ["grants", &arn, by_id, by_principal];
    let page = Page::new(call.scope, &what, request.limit, (50, 1000), request.marker.as_deref())?;
    let after = page.after.as_deref().map(GrantId::parse_marker).transpose()?;
    let grants = directory.grants_of(&place, after, page.limit + 1, wanted);
    let entries = grants.iter().map(|grant| entry(grant, arn.clone())).collect();
    let listed = page.cut(entries, |entry: &GrantEntry| entry.grant_id.clone());
    Ok(Done::of(found, None, listed))
}

/// `ListRetirableGrants`
///
/// # Errors
/// [`Error::InvalidMarker`]; [`Error::InvalidArn`] for a principal that is none; [`Error::Validation`]
/// without one, with two, and for one of another account.
pub fn list_retirable_grants(
    directory: &Directory,
    call: &Call<'_>,
    request: &ListRetirableGrants,
) -> Result<Done<Listed<GrantEntry>>, Error> {
    let principal = match (&request.retiring_principal, &request.retiring_service_principal) {
        (Some(principal), None) => checked(principal)?,
        (None, Some(service)) => service.clone(),
        _ => {
            return Err(Error::Validation(
                "Specify either RetiringPrincipal or RetiringServicePrincipal.".to_owned(),
            ));
        }
    };
    let account = principal.split(':').nth(4);
    if account.is_some_and(|account| account != call.scope.account()) {
        return Err(Error::Validation(
            "RetiringPrincipal has to be a principal of your account.".to_owned(),
        ));
    }
    let what = ["retirable", &principal];
    let page = Page::new(call.scope, &what, request.limit, (50, 1000), request.marker.as_deref())?;
    let after = page.after.as_deref().map(GrantId::parse_marker).transpose()?;
    let grants = directory.retirable_grants(call, &principal, after, page.limit + 1);
    let entries = grants.iter().map(|(grant, key_arn)| entry(grant, key_arn.clone())).collect();
    Ok(Done::plain(page.cut(entries, |entry: &GrantEntry| entry.grant_id.clone())))
}

/// `RevokeGrant`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::NotFound`] for a grant that the key has not.
pub fn revoke_grant(
    directory: &Directory,
    call: &Call<'_>,
    request: &RevokeGrant,
) -> Result<Done<()>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    let grant = find(directory, &found.entry.key.place(), &request.grant_id)?;
    let change = Change { row: grant.row(), expected: grant.revision, value: None };
    Ok(Done::of(found, None, ()).changing(vec![change]))
}

/// `RetireGrant`, by its token or by key and id.
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::InvalidGrantToken`], [`Error::NotFound`],
/// [`Error::Validation`].
pub fn retire_grant(
    directory: &Directory,
    call: &Call<'_>,
    request: &RetireGrant,
) -> Result<Done<()>, Error> {
    let (found, grant) = retired(directory, call, request)?;
    let change = Change { row: grant.row(), expected: grant.revision, value: None };
    Ok(Done::of(found, None, ()).changing(vec![change]))
}

/// The key and the grant that a `RetireGrant` means.
fn retired(
    directory: &Directory,
    call: &Call<'_>,
    request: &RetireGrant,
) -> Result<(Found, std::sync::Arc<Grant>), Error> {
    match (&request.grant_token, &request.key_id, &request.grant_id) {
        (Some(token), None, None) => {
            let grant = directory.grant_by_token(token).ok_or(Error::InvalidGrantToken)?;
            let found = directory.find_place(call, &grant.key)?;
            Ok((found, grant))
        }
        (None, Some(key), Some(id)) => {
            let found = directory.find_key(call, key)?;
            let foreign = found.entry.key.scope.account() != call.scope.account();
            // Of another account's key nothing is told but to those who may.
            let grant = find(directory, &found.entry.key.place(), id)
                .map_err(|error| if foreign { Error::Hidden } else { error })?;
            Ok((found, grant))
        }
        _ => Err(Error::Validation(
            "Specify either a grant token, or a key ARN and a grant ID.".to_owned(),
        )),
    }
}

/// A grant that is to be retired.
#[derive(Debug)]
pub struct Retirable {
    /// Its key.
    pub found: Found,
    /// It.
    pub grant: std::sync::Arc<Grant>,
    /// Who may.
    pub principals: Vec<String>,
}

/// The grant that is to be retired, its key, and who may retire it: the retiring principal, the
/// grantee if the grant says so, and the account that made it (API reference, `RetireGrant`).
///
/// # Errors
/// As [`retire_grant`].
pub fn retirable(
    directory: &Directory,
    call: &Call<'_>,
    request: &RetireGrant,
) -> Result<Retirable, Error> {
    let (found, grant) = retired(directory, call, request)?;
    let mut principals = vec![format!("arn:aws:iam::{}:root", grant.issuing_account)];
    principals.extend(grant.retiring.as_ref().map(|party| party.name().to_owned()));
    if grant.operations.iter().any(|operation| operation == "RetireGrant") {
        principals.push(grant.grantee.name().to_owned());
    }
    Ok(Retirable { found, grant, principals })
}

/// Pairs of a constraint at the most, and characters of a value (API reference, `GrantConstraints`).
const PAIRS: usize = 8;
const CONSTRAINT_VALUE: usize = 384;
/// Grants on one key at the most (AWS KMS Developer Guide, "Resource quotas").
const GRANTS: usize = 50_000;

fn find(
    directory: &Directory,
    key: &KeyPlace,
    wanted: &str,
) -> Result<std::sync::Arc<Grant>, Error> {
    let missing = || Error::NotFound(format!("Grant ID {wanted} not found"));
    let id = GrantId::parse(wanted).ok_or(Error::InvalidGrantId)?;
    directory.grant(key, id).ok_or_else(missing)
}

fn entry(grant: &Grant, key_id: String) -> GrantEntry {
    GrantEntry {
        key_id,
        grant_id: grant.id.to_string(),
        name: grant.name.clone().unwrap_or_default(),
        creation_date: grant.created,
        grantee: grant.grantee.clone(),
        retiring: grant.retiring.clone(),
        issuing_account: format!("arn:aws:iam::{}:root", grant.issuing_account),
        operations: grant.operations.clone(),
        constraints: grant.constraints.clone(),
    }
}

fn grantee(request: &CreateGrant) -> Result<Party, Error> {
    match (&request.grantee_principal, &request.grantee_service_principal) {
        (Some(principal), None) => checked(principal).map(Party::Principal),
        (None, Some(service)) => Ok(Party::Service(service.clone())),
        _ => Err(Error::Validation(
            "Specify either GranteePrincipal or GranteeServicePrincipal.".to_owned(),
        )),
    }
}

fn retiring(request: &CreateGrant) -> Result<Option<Party>, Error> {
    match (&request.retiring_principal, &request.retiring_service_principal) {
        (Some(principal), None) => checked(principal).map(Party::Principal).map(Some),
        (None, service) => Ok(service.clone().map(Party::Service)),
        (Some(_), Some(_)) => Err(Error::Validation(
            "Specify either RetiringPrincipal or RetiringServicePrincipal.".to_owned(),
        )),
    }
}

/// An ARN of IAM or STS, or a service (which older callers name so).
fn checked(principal: &str) -> Result<String, Error> {
    let fields: Vec<&str> = principal.splitn(6, ':').collect();
    let is_arn = matches!(
        fields.as_slice(),
        ["arn", "aws", "iam" | "sts", "", account, name]
            if is_account(account) && !name.is_empty()
    );
    if is_arn || principal.ends_with(".amazonaws.com") {
        return Ok(principal.to_owned());
    }
    Err(Error::InvalidArn(principal.to_owned()))
}

fn check_request(found: &Found, request: &CreateGrant) -> Result<GrantConstraints, Error> {
    let key = &found.entry.key;
    for operation in &request.operations {
        if !fits(key.spec, key.usage, operation) {
            let (spec, usage) = (key.spec.as_str(), key.usage.as_str());
            return Err(Error::Validation(format!(
                "Grant operation {operation} is not valid for a key of spec {spec} and usage {usage}"
            )));
        }
    }
    let GrantConstraints { equals, subset, source_arn } = &request.constraints;
    if request.grantee_service_principal.is_some() && source_arn.is_none() {
        return Err(Error::Validation(
            "The SourceArn constraint is required with GranteeServicePrincipal.".to_owned(),
        ));
    }
    let retires =
        request.retiring_principal.is_some() || request.retiring_service_principal.is_some();
    if request.grantee_service_principal.is_some() && !retires {
        return Err(Error::Validation(
            "Specify RetiringPrincipal or RetiringServicePrincipal with GranteeServicePrincipal."
                .to_owned(),
        ));
    }
    let either: [&EncryptionContext; 2] = [equals, subset];
    let long = |value: &String| value.chars().count() > CONSTRAINT_VALUE;
    if either.iter().any(|context| context.len() > PAIRS || context.values().any(long)) {
        return Err(Error::Validation(format!(
            "A grant constraint takes up to {PAIRS} encryption context pairs, each value of up to \
             {CONSTRAINT_VALUE} characters."
        )));
    }
    if either.iter().all(|context| !context.is_empty()) {
        return Err(Error::Validation(
            "Specify either EncryptionContextEquals or EncryptionContextSubset.".to_owned(),
        ));
    }
    if either.iter().any(|context| !context.is_empty()) && key.spec != KeySpec::SymmetricDefault {
        return Err(Error::Validation(
            "Encryption context constraints are for grants on symmetric encryption keys."
                .to_owned(),
        ));
    }
    Ok(request.constraints.clone())
}

/// Which operations a grant on a key may name (Developer Guide, "Grant operations").
fn fits(spec: KeySpec, usage: KeyUsage, operation: &str) -> bool {
    match operation {
        "CreateGrant" | "DescribeKey" | "RetireGrant" => true,
        "Encrypt" | "Decrypt" | "ReEncryptFrom" | "ReEncryptTo" => {
            usage == KeyUsage::EncryptDecrypt
        }
        "GenerateDataKey"
        | "GenerateDataKeyWithoutPlaintext"
        | "GenerateDataKeyPair"
        | "GenerateDataKeyPairWithoutPlaintext" => spec == KeySpec::SymmetricDefault,
        "Sign" | "Verify" => usage == KeyUsage::SignVerify,
        "GenerateMac" | "VerifyMac" => usage == KeyUsage::GenerateVerifyMac,
        "GetPublicKey" => matches!(spec, KeySpec::Pair(_)),
        "DeriveSharedSecret" => usage == KeyUsage::KeyAgreement,
        "Encapsulate" | "Decapsulate" => usage == KeyUsage::EncapsulateDecapsulate,
        _ => false,
    }
}
