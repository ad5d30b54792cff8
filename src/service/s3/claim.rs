//! Whose the bytes in a place are: a small object beside them names the log of their data directory, so that nobody
//! starts a data directory against another's bucket, or against none of its own.

use chrono::{DateTime, TimeDelta, Utc};
use object_store::path::Path as ObjectPath;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use crate::service::place::PlaceError;

/// What a place is held against.
#[derive(Debug)]
pub(in crate::service) struct Owner {
    /// The place, as it was named.
    pub(in crate::service) place: String,
    /// The origin of the data directory's log.
    pub(in crate::service) origin: String,
    /// Whether the data directory has objects, whose bytes must be there.
    pub(in crate::service) has_objects: bool,
    /// What its last claim was called. Another copy of the data directory does not know it.
    pub(in crate::service) earlier: String,
    /// What this one is.
    pub(in crate::service) claim: String,
}

/// The marker's name. No blob is called so.
const MARKER: &str = "strongroom-objects";
/// Longer than any marker.
const LONGEST: u64 = 1024;

impl Owner {
    /// Claims a place, or finds it claimed by this owner before. Gives a time by the store's own clock, before
    /// which nobody that is still there has begun to write.
    ///
    /// # Errors
    /// [`PlaceError::Claimed`], [`PlaceError::Copied`], [`PlaceError::Elsewhere`], [`PlaceError::Unreachable`].
    pub(super) async fn claim(&self, store: &dyn ObjectStore) -> Result<DateTime<Utc>, PlaceError> {
        let path = ObjectPath::from(MARKER);
        let place = || self.place.clone();
        let failed = |error| PlaceError::Unreachable { place: place(), source: Box::new(error) };
        let text = self.text();
        let mode = match store.get(&path).await {
            Ok(found) if found.meta.size > LONGEST => {
                return Err(PlaceError::Claimed { place: place(), owner: "more than fits".into() });
            }
            Ok(found) => {
                let said = found.bytes().await.map_err(failed)?;
                let said = String::from_utf8_lossy(&said);
                let mut lines = said.lines();
                let (owner, claim) = (lines.next().unwrap_or_default(), lines.next());
                if owner != self.origin {
                    return Err(PlaceError::Claimed { place: place(), owner: owner.to_owned() });
                }
                if ![&self.earlier, &self.claim].iter().any(|known| claim == Some(known)) {
                    return Err(PlaceError::Copied { place: place(), text });
                }
                PutMode::Overwrite
            }
            Err(Error::NotFound { .. }) if self.has_objects => {
                return Err(PlaceError::Elsewhere(place()));
            }
            Err(Error::NotFound { .. }) => PutMode::Create,
            Err(error) => return Err(failed(error)),
        };
        // Written at each start: that says what time it is there, and that one may write.
        match store.put_opts(&path, PutPayload::from(text), mode.into()).await {
            Ok(_) => {}
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                let owner = "somebody who came at the same time".to_owned();
                return Err(PlaceError::Claimed { place: place(), owner });
            }
            Err(error) => return Err(failed(error)),
        }
        // Not every store compares before it writes.
        let found = store.get(&path).await.map_err(failed)?;
        let written = found.meta.last_modified;
        if found.bytes().await.map_err(failed)? != self.text() {
            let owner = "somebody who came at the same time".to_owned();
            return Err(PlaceError::Claimed { place: place(), owner });
        }
        // Stores tell times in seconds.
        Ok(written - TimeDelta::seconds(1))
    }

    /// Whether the place is still this claim's. Where that cannot be said, it is not.
    pub(super) async fn holds(&self, store: &dyn ObjectStore) -> bool {
        let said = match store.get(&ObjectPath::from(MARKER)).await {
            Ok(found) if found.meta.size <= LONGEST => found.bytes().await,
            Ok(_) => return false,
            Err(error) => Err(error),
        };
        said.is_ok_and(|said| said == self.text())
    }

    fn text(&self) -> String {
        format!("{}\n{}\n", self.origin, self.claim)
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    fn owner(origin: &str, has_objects: bool, [earlier, claim]: [&str; 2]) -> Owner {
        Owner {
            place: "s3://bucket".to_owned(),
            origin: origin.to_owned(),
            has_objects,
            earlier: earlier.to_owned(),
            claim: claim.to_owned(),
        }
    }

    #[tokio::test]
    async fn a_place_is_its_first_owners_and_has_to_be_where_the_objects_are() {
        let store = InMemory::new();
        let lost = owner("strongroom.local/a", true, ["none", "1"]).claim(&store).await;
        assert!(matches!(lost, Err(PlaceError::Elsewhere(_))), "{lost:?}");
        let first = owner("strongroom.local/a", false, ["none", "1"]).claim(&store).await.unwrap();
        let again = owner("strongroom.local/a", true, ["1", "2"]).claim(&store).await.unwrap();
        assert!(again >= first);
        for has_objects in [false, true] {
            let refused =
                owner("strongroom.local/b", has_objects, ["none", "2"]).claim(&store).await;
            let Err(PlaceError::Claimed { owner, .. }) = refused else { panic!("{refused:?}") };
            assert_eq!(owner, "strongroom.local/a");
        }
    }

    #[tokio::test]
    async fn of_two_copies_of_a_data_directory_the_first_to_come_is_the_owner() {
        let store = InMemory::new();
        let copy = |names| owner("strongroom.local/a", true, names);
        owner("strongroom.local/a", false, ["none", "1"]).claim(&store).await.unwrap();
        copy(["1", "2"]).claim(&store).await.unwrap();
        // It ended before it had kept that its claim is made.
        copy(["1", "2"]).claim(&store).await.unwrap();
        let refused = copy(["1", "3"]).claim(&store).await;
        let Err(PlaceError::Copied { text, .. }) = refused else { panic!("{refused:?}") };
        // What the message says to do.
        store.put(&ObjectPath::from(MARKER), text.into()).await.unwrap();
        assert!(!copy(["1", "2"]).holds(&store).await, "it does not sweep any more");
        copy(["1", "3"]).claim(&store).await.unwrap();
        assert!(copy(["1", "3"]).holds(&store).await);
        assert!(copy(["2", "4"]).claim(&store).await.is_err());
    }
}
