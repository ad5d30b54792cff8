//! One request on its way: whose it is, to which bucket, and what its object is sealed with.

use std::sync::Arc;

use super::AnswerHeaders;
use crate::iam::Principal;
use crate::kms::Scope;
use crate::objects::{self, Sealed};
use crate::service::Error;
use crate::service::credential::{Caller, authenticate};
use crate::service::hall::Service;
use crate::service::opening::Opened as Store;
use crate::sse::{
    Arrival, BucketEncryption, CustomerKey, Encryption, Envelope, Headers, Mode, ObjectName,
    Requester, answer_customer,
};

/// A request that was let in.
pub(super) struct Work {
    service: Arc<Service>,
    pub(super) store: Arc<Store>,
    caller: Caller,
}

impl Work {
    pub(super) fn of(service: &Arc<Service>, caller: &Caller) -> Self {
        Self { service: Arc::clone(service), store: service.opened(), caller: caller.clone() }
    }

    pub(super) fn bucket(&self, name: &str) -> Result<Arc<objects::Bucket>, Error> {
        Ok(self.store.rooms.objects.bucket(name)?.0)
    }

    /// How the request came to a bucket.
    pub(super) fn arrival<'a>(&self, bucket: &'a objects::Bucket) -> Arrival<'a> {
        Arrival {
            secure: self.caller.secure || self.service.takes_customer_keys_in_clear(),
            signature_v4: !self.caller.credential.is_anonymous(),
            region: &bucket.region,
        }
    }

    /// What a new object of the bucket is sealed with; none leaves it in clear.
    pub(super) fn encryption(
        &self,
        bucket: &objects::Bucket,
        headers: &Headers,
    ) -> Result<Option<Encryption>, Error> {
        let default = BucketEncryption::from(&bucket.encryption);
        let asked = Encryption::for_writing(headers, &default, self.arrival(bucket));
        Ok(asked.map_err(objects::Error::from)?)
    }

    /// Who asks KMS for an object's keys: the caller, through S3, in the bucket's region.
    pub(super) fn requester(&self, bucket: &objects::Bucket) -> Result<Requester, Error> {
        let principal = self.principal()?;
        let session = principal.access_key_id.as_deref().unwrap_or_default();
        let name = format!("{} {session}", principal.arn);
        let caller = Caller {
            region: bucket.region.clone(),
            via: Some(format!("s3.{}.amazonaws.com", bucket.region)),
            dry_run: false,
            prove: false,
            ..self.caller.clone()
        };
        Ok(Requester::new(name, Arc::new(self.service.keys(caller))))
    }

    /// Where the caller's own keys are that it names without an ARN.
    pub(super) fn scope(&self) -> Result<Scope, Error> {
        Ok(Scope::new(&self.principal()?.account, &self.caller.region)?)
    }

    fn principal(&self) -> Result<Principal, Error> {
        let credentials = self.service.credentials();
        let known = self.store.rooms.known(credentials.as_deref(), self.now());
        authenticate(&self.caller.credential, known)
    }

    /// The time.
    pub(super) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.service.clock().now()
    }

    /// Removes bytes that are nobody's now.
    pub(super) async fn free(&self, blobs: &[objects::BlobId]) {
        self.store.bodies.remove(blobs).await;
    }

    /// The same of what a write stored that failed, unless its commit may still come, or have come: then whether
    /// they are nobody's shows later, and they are swept.
    pub(super) async fn free_in_vain(&self, error: &Error, blobs: &[objects::BlobId]) {
        if !matches!(error, Error::DeadlineExceeded | Error::Store(_)) {
            self.free(blobs).await;
        }
    }
}

/// The name that an object's keys are bound to.
pub(super) fn name(bucket: &str, key: &str) -> ObjectName {
    ObjectName { bucket: bucket.to_owned(), name: key.to_owned() }
}

/// What is stored beside an object's bytes.
pub(super) fn sealed(envelope: &Envelope, info: Vec<u8>) -> Result<Sealed, Error> {
    let mode = envelope.mode();
    let of_kms = matches!(mode, Mode::Kms | Mode::Dsse);
    Ok(Sealed {
        envelope: envelope.encode()?,
        info,
        mode,
        key_arn: of_kms.then(|| envelope.key_arn().to_owned()),
        bucket_key: envelope.has_bucket_key(),
    })
}

/// An envelope of a row.
///
/// # Errors
/// [`objects::Error::Damaged`]: nobody but this program writes them.
pub(super) fn envelope(bytes: &[u8]) -> Result<Envelope, Error> {
    Ok(Envelope::parse(bytes)?.0)
}

/// What an answer says of an object's encryption.
pub(super) fn answer(envelope: Option<&Envelope>, customer: Option<&CustomerKey>) -> AnswerHeaders {
    match (customer, envelope) {
        (Some(key), _) => answer_customer(key),
        (None, Some(envelope)) => envelope.answer(),
        (None, None) => Vec::new(),
    }
}
