//! What an action is done to: keys by the names that callers use, aliases, grants, the account itself.

use super::Error;
use super::operation::{Circumstances, Rooms, Target};
use crate::iam::{Guard, Resource};
use crate::kms::id::AliasName;
use crate::kms::{self, RetireGrant};
use crate::store::{Revision, RowId};

/// A target before its action is named.
pub(super) struct Named {
    resource: Resource,
    key: Option<std::sync::Arc<kms::KeyEntry>>,
    alias: Option<String>,
    reads: Vec<(RowId, Revision)>,
}

impl Named {
    pub(super) fn named(self, action: &'static str) -> Target {
        let Self { resource, key, alias, reads } = self;
        Target { action, resource, key, alias, about: kms::Known::default(), reads }
    }

    pub(super) const fn bare(resource: Resource) -> Self {
        Self { resource, key: None, alias: None, reads: Vec::new() }
    }

    fn found(rooms: &Rooms, found: kms::Found) -> Self {
        let key = &found.entry.key;
        let guard = Guard::Needed(rooms.policies.of(key));
        let resource = Resource { arn: key.arn(), account: key.scope.account().to_owned(), guard };
        Self { resource, key: Some(found.entry), alias: None, reads: found.reads }
    }

    /// The same, as it was called.
    fn by(mut self, reference: &str) -> Self {
        self.alias = reference.find("alias/").and_then(|at| reference.get(at..)).map(str::to_owned);
        self
    }
}

/// The caller's account: what has no ARN of its own.
#[expect(clippy::unnecessary_wraps, reason = "the register calls every target alike")]
pub(super) fn account(_rooms: &Rooms, at: &Circumstances<'_>) -> Result<Named, Error> {
    Ok(Named::bare(Resource::open("*", at.scope.account())))
}

/// A key by any of its names.
pub(super) fn key(rooms: &Rooms, at: &Circumstances<'_>, reference: &str) -> Result<Named, Error> {
    Ok(Named::found(rooms, rooms.keys.find(&at.call(), reference)?).by(reference))
}

/// The same, where a foreign ARN names no key.
pub(super) fn used(rooms: &Rooms, at: &Circumstances<'_>, reference: &str) -> Result<Named, Error> {
    Ok(Named::found(rooms, rooms.keys.find_used(&at.call(), reference)?).by(reference))
}

/// The key of a ciphertext blob.
pub(super) fn blob(rooms: &Rooms, at: &Circumstances<'_>, bytes: &[u8]) -> Result<Named, Error> {
    Ok(Named::found(rooms, rooms.keys.find_by_blob(&at.call(), bytes)?))
}

/// The key that something is decrypted with.
pub(super) fn source(
    rooms: &Rooms,
    at: &Circumstances<'_>,
    algorithm: Option<&str>,
    blob: Option<&[u8]>,
    insisted: Option<&str>,
) -> Result<Named, Error> {
    let found = kms::source_key(&rooms.keys, &at.call(), algorithm, blob, insisted)?;
    Ok(Named::found(rooms, found).by(insisted.unwrap_or_default()))
}

/// The replica of a key in another region.
pub(super) fn replica(
    rooms: &Rooms,
    at: &Circumstances<'_>,
    reference: &str,
    region: &str,
) -> Result<Named, Error> {
    Ok(Named::found(rooms, kms::replica_in(&rooms.keys, &at.call(), reference, region)?))
}

/// An alias itself, on which the caller's own side alone decides.
pub(super) fn alias_name(
    _rooms: &Rooms,
    at: &Circumstances<'_>,
    name: &str,
) -> Result<Named, Error> {
    let arn = at.scope.alias_arn(&AliasName::parse(name)?);
    Ok(Named::bare(Resource::open(&arn, at.scope.account())))
}

/// The key of an alias.
pub(super) fn alias(rooms: &Rooms, at: &Circumstances<'_>, name: &str) -> Result<Named, Error> {
    let arn = kms::alias_target(&rooms.keys, &at.call(), name)?;
    Ok(match rooms.keys.find(&at.call(), name) {
        Ok(found) => Named::found(rooms, found).by(name),
        // Its key is past its last day; the alias goes with it.
        Err(_) => Named::bare(Resource::open(&arn, at.scope.account())),
    })
}

/// The grant that is to be retired, by those whom it names.
pub(super) fn retired(
    rooms: &Rooms,
    at: &Circumstances<'_>,
    request: &RetireGrant,
) -> Result<Named, Error> {
    let kms::Retirable { found, grant, principals } =
        kms::retirable(&rooms.keys, &at.call(), request)?;
    let mut named = Named::found(rooms, found);
    named.resource.guard = Guard::Named { name: format!("grant {}", grant.id), principals };
    named.reads.push((grant.row(), grant.revision));
    Ok(named)
}
