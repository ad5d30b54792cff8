//! Blobs that somebody reads, which are there until nobody does.

use std::collections::HashMap;
use std::sync::Arc;

use object_store::ObjectStore;
use parking_lot::Mutex;

use super::bodies::delete;
use crate::objects::BlobId;

/// Blobs that are being read: by how many, and whether they go with the last of them.
#[derive(Default)]
pub(super) struct Reading(Mutex<HashMap<BlobId, (usize, bool)>>);

impl Reading {
    pub(super) fn begin(
        this: &Arc<Self>,
        store: &Arc<dyn ObjectStore>,
        blobs: Vec<BlobId>,
    ) -> Reader {
        let mut read = this.0.lock();
        for id in &blobs {
            read.entry(id.clone()).or_default().0 += 1;
        }
        drop(read);
        Reader { reading: Arc::clone(this), store: Arc::clone(store), blobs }
    }

    /// Whether somebody reads a blob; then it goes with the last of them.
    pub(super) fn outlives(&self, id: &BlobId) -> bool {
        let mut read = self.0.lock();
        let found = read.get_mut(id);
        found.is_some_and(|(_, goes)| {
            *goes = true;
            true
        })
    }
}

/// Somebody who reads blobs.
pub(super) struct Reader {
    reading: Arc<Reading>,
    store: Arc<dyn ObjectStore>,
    blobs: Vec<BlobId>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut gone = Vec::new();
        let mut read = self.reading.0.lock();
        for id in self.blobs.drain(..) {
            let Some((count, goes)) = read.get_mut(&id) else { continue };
            *count -= 1;
            if *count == 0 {
                let goes = *goes;
                read.remove(&id);
                gone.extend(goes.then_some(id));
            }
        }
        drop(read);
        // Without a runtime the process ends, and they are swept at the next start.
        if let (false, Ok(runtime)) = (gone.is_empty(), tokio::runtime::Handle::try_current()) {
            let store = Arc::clone(&self.store);
            runtime.spawn(async move {
                for id in &gone {
                    delete(&store, id).await;
                }
            });
        }
    }
}
