//! A blob on its way to its store, in pieces.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::trouble::failed;
use crate::objects::Error;
use crate::store::with_causes;

/// An upload in pieces, of which one is on its way while the next is sealed. What is not completed is aborted, also
/// when whoever writes goes away.
pub(super) struct Upload {
    inner: Option<Box<dyn MultipartUpload>>,
    on_its_way: Option<JoinHandle<object_store::Result<()>>>,
}

impl Upload {
    pub(super) async fn begin(
        store: &Arc<dyn ObjectStore>,
        path: &ObjectPath,
    ) -> Result<Self, Error> {
        let inner = store.put_multipart(path).await.map_err(failed)?;
        Ok(Self { inner: Some(inner), on_its_way: None })
    }

    /// Sends a piece when the one before it has arrived.
    pub(super) async fn piece(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.arrive().await?;
        let inner = self.inner.as_mut().ok_or(Error::Internal)?;
        self.on_its_way = Some(tokio::spawn(inner.put_part(bytes.into())));
        Ok(())
    }

    /// Sends the last piece, if it has bytes, and gives all of them their name.
    pub(super) async fn complete(&mut self, rest: Bytes) -> Result<(), Error> {
        if !rest.is_empty() {
            self.piece(rest).await?;
        }
        self.arrive().await?;
        let inner = self.inner.as_mut().ok_or(Error::Internal)?;
        inner.complete().await.map_err(failed)?;
        self.inner = None;
        Ok(())
    }

    async fn arrive(&mut self) -> Result<(), Error> {
        let Some(writing) = &mut self.on_its_way else { return Ok(()) };
        let written = writing.await;
        self.on_its_way = None;
        match written {
            Ok(written) => written.map_err(failed),
            Err(_) => Err(Error::Internal),
        }
    }

    pub(super) async fn abort(mut self) {
        let (inner, on_its_way) = (self.inner.take(), self.on_its_way.take());
        abort(inner, on_its_way).await;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (inner, on_its_way) = (self.inner.take(), self.on_its_way.take());
        // Without a runtime the process ends.
        if let (true, Ok(runtime)) = (inner.is_some(), Handle::try_current()) {
            runtime.spawn(abort(inner, on_its_way));
        }
    }
}

/// A piece that comes after the abort would stay.
async fn abort(
    inner: Option<Box<dyn MultipartUpload>>,
    on_its_way: Option<JoinHandle<object_store::Result<()>>>,
) {
    let Some(mut inner) = inner else { return };
    if let Some(writing) = on_its_way {
        let _ = writing.await; // it has failed, or is not wanted
    }
    if let Err(error) = inner.abort().await {
        tracing::warn!(error = %with_causes(&error), "an unfinished body could not be removed");
    }
}
