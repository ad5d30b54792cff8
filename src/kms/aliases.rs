//! Aliases: names that can be moved from key to key.

use super::alias::Alias;
use super::directory::{Call, Directory, Done};
use super::id::AliasName;
use super::key::Key;
use super::outputs::{AliasEntry, Listed};
use super::page::Page;
use super::requests::{CreateAlias, DeleteAlias, ListAliases, UpdateAlias};
use super::spec::KeySpec;
use super::state::Act;
use super::{Error, Scope, managed};
use crate::store::{Change, Revision};

/// `CreateAlias`
///
/// # Errors
/// [`Error::AlreadyExists`], [`Error::InvalidAliasName`], [`Error::InvalidState`],
/// [`Error::LimitExceeded`] at 50 aliases of one key, and as [`Directory::find_key`].
pub fn create_alias(
    directory: &Directory,
    call: &Call<'_>,
    request: &CreateAlias,
) -> Result<Done<()>, Error> {
    let name = own_name(&request.alias_name)?;
    let target = directory.find_key(call, &request.target_key_id)?;
    let key = &target.entry.key;
    in_scope(call.scope, &key.scope)?;
    key.state.permits(Act::Describe, &key.arn())?;
    if directory.alias(call.scope, &name).is_some() {
        return Err(Error::AlreadyExists(call.scope.alias_arn(&name)));
    }
    if directory.aliases(call.scope, Some(key.id), None, ALIASES).len() >= ALIASES {
        let arn = key.arn();
        return Err(Error::LimitExceeded(format!("{arn} has {ALIASES} aliases, the limit")));
    }
    let value = Alias::encode(key.id, call.now, call.now)?;
    let row = Alias::row(call.scope, &name);
    let changes = vec![Change { row, expected: Revision(0), value: Some(value) }];
    Ok(Done::of(target, None, ()).changing(changes))
}

/// `UpdateAlias`
///
/// # Errors
/// As [`create_alias`], but [`Error::Validation`] for its name and for a key of another kind than the
/// current one; [`Error::NotFound`] when there is no such alias.
pub fn update_alias(
    directory: &Directory,
    call: &Call<'_>,
    request: &UpdateAlias,
) -> Result<Done<()>, Error> {
    let name = existing_name(&request.alias_name)?;
    let target = directory.find_key(call, &request.target_key_id)?;
    let key = &target.entry.key;
    in_scope(call.scope, &key.scope)?;
    key.state.permits(Act::Describe, &key.arn())?;
    let alias = directory.alias(call.scope, &name).ok_or_else(|| not_found(call, &name))?;
    if let Ok(current) = directory.find(call, &request.alias_name)
        && !alike(&current.entry.key, key)
    {
        return Err(Error::Validation(
            "The current and the new key of an alias must be of the same type (symmetric, asymmetric \
             or HMAC) and have the same key usage"
                .to_owned(),
        ));
    }
    if alias.target != key.id
        && directory.aliases(call.scope, Some(key.id), None, ALIASES).len() >= ALIASES
    {
        let arn = key.arn();
        return Err(Error::LimitExceeded(format!("{arn} has {ALIASES} aliases, the limit")));
    }
    let value = Alias::encode(key.id, alias.created, call.now)?;
    let row = Alias::row(call.scope, &name);
    let changes = vec![Change { row, expected: alias.revision, value: Some(value) }];
    Ok(Done::of(target, None, ()).changing(changes))
}

/// `DeleteAlias`
///
/// # Errors
/// [`Error::NotFound`], [`Error::Validation`].
pub fn delete_alias(
    directory: &Directory,
    call: &Call<'_>,
    request: &DeleteAlias,
) -> Result<Done<()>, Error> {
    let name = existing_name(&request.alias_name)?;
    let alias = directory.alias(call.scope, &name).ok_or_else(|| not_found(call, &name))?;
    let row = Alias::row(call.scope, &name);
    let mut done = Done::plain(());
    done.touched.key = Some(call.scope.key_arn(alias.target));
    Ok(done.changing(vec![Change { row, expected: alias.revision, value: None }]))
}

/// `ListAliases`; some of AWS's own are listed before their keys are made.
///
/// # Errors
/// [`Error::Validation`], [`Error::InvalidMarker`]; as [`Directory::find_key`] when a key is given.
pub fn list_aliases(
    directory: &Directory,
    call: &Call<'_>,
    request: &ListAliases,
) -> Result<Done<Listed<AliasEntry>>, Error> {
    let of = request.key_id.as_deref().map(|key| directory.find_key(call, key)).transpose()?;
    if of.as_ref().is_some_and(|found| found.entry.key.scope.account() != call.scope.account()) {
        return Err(Error::Hidden);
    }
    let of = of.map(|found| found.entry.key.id);
    let filter = of.map(|id| id.to_string()).unwrap_or_default();
    let marker = request.marker.as_deref();
    let page = Page::new(call.scope, &["aliases", &filter], request.limit, (50, 100), marker)?;
    let after = page.after.as_deref().map(AliasName::parse).transpose();
    let after = after.map_err(|_| Error::InvalidMarker)?;
    let entry = |alias: &Alias| AliasEntry {
        alias_name: alias.name.to_string(),
        alias_arn: alias.scope.alias_arn(&alias.name),
        target_key_id: Some(alias.target.to_string()),
        creation_date: Some(alias.created),
        last_updated_date: Some(alias.updated),
    };
    let aliases = directory.aliases(call.scope, of, after.as_ref(), page.limit + 1);
    let mut entries: Vec<AliasEntry> = aliases.iter().map(|alias| entry(alias)).collect();
    if of.is_none() {
        let names = managed::PREDEFINED.iter().filter_map(|name| AliasName::parse(name).ok());
        let rest = names.filter(|name| after.as_ref().is_none_or(|after| name > after));
        let unused = rest.filter(|name| directory.alias(call.scope, name).is_none());
        entries.extend(unused.map(|name| AliasEntry {
            alias_arn: call.scope.alias_arn(&name),
            alias_name: name.to_string(),
            target_key_id: None,
            creation_date: None,
            last_updated_date: None,
        }));
        entries.sort_by(|one, two| one.alias_name.cmp(&two.alias_name));
        entries.truncate(page.limit + 1);
    }
    Ok(Done::plain(page.cut(entries, |entry| entry.alias_name.clone())))
}

/// The key that an alias operation is about, for authorisation.
///
/// # Errors
/// As [`delete_alias`].
pub fn alias_target(
    directory: &Directory,
    call: &Call<'_>,
    alias_name: &str,
) -> Result<String, Error> {
    let name = existing_name(alias_name)?;
    let alias = directory.alias(call.scope, &name).ok_or_else(|| not_found(call, &name))?;
    Ok(call.scope.key_arn(alias.target))
}

/// Aliases of one key at the most (AWS KMS Developer Guide, "Resource quotas").
const ALIASES: usize = 50;

fn own_name(text: &str) -> Result<AliasName, Error> {
    let name = AliasName::parse(text)?;
    if name.is_reserved() {
        return Err(Error::InvalidAliasName(
            "Aliases that begin with 'alias/aws/' belong to AWS managed keys",
        ));
    }
    Ok(name)
}

/// The name of an alias that is to be changed. AWS has one error for whatever is wrong with it.
fn existing_name(text: &str) -> Result<AliasName, Error> {
    own_name(text).map_err(|error| Error::Validation(error.to_string()))
}

fn not_found(call: &Call<'_>, name: &AliasName) -> Error {
    Error::NotFound(format!("Alias {} is not found.", call.scope.alias_arn(name)))
}

/// Whether an alias may be moved from one key to the other (API reference, `UpdateAlias`).
fn alike(one: &Key, two: &Key) -> bool {
    let asymmetric = |key: &Key| matches!(key.spec, KeySpec::Pair(_));
    one.usage == two.usage && asymmetric(one) == asymmetric(two)
}

/// An alias names a key of its own account and region.
fn in_scope(scope: &Scope, key: &Scope) -> Result<(), Error> {
    if scope == key {
        return Ok(());
    }
    Err(Error::Validation("The alias and its target key must be in the same account".to_owned()))
}
