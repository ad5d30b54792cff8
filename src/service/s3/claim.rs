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
    /// [`PlaceError::Claimed`], [`PlaceError::Elsewhere`], [`PlaceError::Unreachable`].
    pub(super) async fn claim(&self, store: &dyn ObjectStore) -> Result<DateTime<Utc>, PlaceError> {
        let path = ObjectPath::from(MARKER);
        let place = || self.place.clone();
        let failed = |error| PlaceError::Unreachable { place: place(), source: Box::new(error) };
        let text = format!("{}\n", self.origin);
        let mode = match store.get(&path).await {
            Ok(found) if found.meta.size > LONGEST => {
                return Err(PlaceError::Claimed { place: place(), owner: "more than fits".into() });
            }
            Ok(found) => {
                let said = found.bytes().await.map_err(failed)?;
                if said != text {
                    let owner = String::from_utf8_lossy(&said).trim_end().to_owned();
                    return Err(PlaceError::Claimed { place: place(), owner });
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
        let written = store.head(&path).await.map_err(failed)?.last_modified;
        // Stores tell times in seconds.
        Ok(written - TimeDelta::seconds(1))
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    fn owner(origin: &str, has_objects: bool) -> Owner {
        Owner { place: "s3://bucket".to_owned(), origin: origin.to_owned(), has_objects }
    }

    #[tokio::test]
    async fn a_place_is_its_first_owners_and_has_to_be_where_the_objects_are() {
        let store = InMemory::new();
        let lost = owner("strongroom.local/a", true).claim(&store).await;
        assert!(matches!(lost, Err(PlaceError::Elsewhere(_))), "{lost:?}");
        let first = owner("strongroom.local/a", false).claim(&store).await.unwrap();
        let again = owner("strongroom.local/a", true).claim(&store).await.unwrap();
        assert!(again >= first);
        for has_objects in [false, true] {
            let refused = owner("strongroom.local/b", has_objects).claim(&store).await;
            let Err(PlaceError::Claimed { owner, .. }) = refused else { panic!("{refused:?}") };
            assert_eq!(owner, "strongroom.local/a");
        }
    }
}
