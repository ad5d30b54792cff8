//! Objects copied: opened and sealed anew on the way, whatever modes source and target have.

use std::sync::Arc;

use super::reading::body_of;
use super::requests::{Work, name};
use super::writing::{LONGEST, Unfinished};
use super::{Expected, Incoming, Stored};
use crate::objects::{self, CopyObject};
use crate::service::credential::Caller;
use crate::service::hall::Service;
use crate::service::walk::Reply;
use crate::sse::Headers;

impl Service {
    /// `CopyObject`: the target is sealed with what its request or bucket says, never as the source is.
    pub async fn copy_object(
        self: &Arc<Self>,
        caller: Caller,
        mut request: CopyObject,
        headers: Headers,
    ) -> Reply<Stored> {
        let work = Work::of(self, &caller);
        work.resolve(&mut request.encryption);
        let mut begun = Unfinished::default();
        let (at, done) = (&work, &mut begun);
        let prepare = |mut request: CopyObject| async move {
            let from = name(&request.source_bucket, &request.source_key);
            let version = request.source_version_id.as_deref();
            let find = || Ok(at.store.rooms.objects.find(&from.bucket, &from.name, version)?);
            let (found, _held) = at.held(find)?;
            let source = body_of(&found.version)?;
            if source.size > LONGEST {
                let message = "The specified copy source is larger than the maximum allowable size \
                               for a copy source: 5368709120";
                return Err(objects::Error::InvalidRequest(message.to_owned()).into());
            }
            let bucket = at.bucket(&request.bucket)?;
            let encryption = at.encryption(&bucket, &headers)?;
            let body = at.source(&from, &found.version, &headers, None).await?;
            let checksum = source.checksum.as_deref().and_then(super::digesting::named);
            let expected = Expected { checksum, ..Expected::default() };
            let incoming = Incoming { body, length: Some(source.size), expected };
            let object = name(&request.bucket, &request.key);
            let body = at.store(&bucket, encryption, &object, incoming, done).await?;
            request.body = Some(body);
            request.source = Some(found.version);
            Ok(request)
        };
        let reply = self.call_prepared(&work.store, caller, request, prepare).await;
        work.finish(reply, begun).await
    }
}
