//! Objects encrypted anew, one at a time, while a page looks on. A failure leaves its object as it was, and
//! the next one is done.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use md5::{Digest, Md5};
use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::encryption_choice::Choice;
use super::object::{self, Headed};
use super::refused::Refused;
use super::review::Way;
use super::session::Session;
use super::visit::Visit;
use crate::audit::{Event, Order};
use crate::crypto::{Error, random};
use crate::objects::{Asked, Conditions, CopyObject, Etags, UpdateObjectEncryption};
use crate::service::{AnswerHeaders, Query, Reply};
use crate::sse::{Header, Headers, Mode};

/// An object, and the ETag that it was seen with.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) key: String,
    pub(super) etag: String,
}

/// What became of an object, as `HeadObject` says afterwards.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) way: Way,
    pub(super) mode: Option<Mode>,
    pub(super) headers: AnswerHeaders,
    pub(super) etag: String,
    pub(super) modified: DateTime<Utc>,
    pub(super) version_id: Option<String>,
    /// What of it is in the trail.
    pub(super) records: Vec<(u64, Event)>,
    /// The record of the change itself.
    pub(super) log_index: Option<u64>,
}

/// How far an object is.
#[derive(Debug, Clone)]
pub(super) enum State {
    Waiting,
    Working,
    Done(Box<Outcome>),
    Failed(Refused),
}

/// Objects on their way to an encryption.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) bucket: String,
    pub(super) choice: Choice,
    session: Arc<Session>,
    states: Mutex<Vec<(Task, State)>>,
}

impl Job {
    /// # Errors
    /// [`Error::Random`]
    pub(super) fn new(
        session: &Arc<Session>,
        bucket: &str,
        choice: Choice,
        tasks: Vec<Task>,
    ) -> Result<Self, Error> {
        let id = random::array::<16>().map(hex::encode)?;
        let states = tasks.into_iter().map(|task| (task, State::Waiting)).collect();
        let (session, bucket) = (Arc::clone(session), bucket.to_owned());
        Ok(Self { id, bucket, choice, session, states: Mutex::new(states) })
    }

    /// How far each object is.
    pub(super) fn states(&self) -> Vec<(Task, State)> {
        self.states.lock().clone()
    }

    fn is_over(&self) -> bool {
        let states = self.states.lock();
        states.iter().all(|(_, state)| matches!(state, State::Done(_) | State::Failed(_)))
    }

    fn set(&self, at: usize, to: State) {
        if let Some((_, state)) = self.states.lock().get_mut(at) {
            *state = to;
        }
    }

    /// Does it. `customer_key` opens what is sealed with SSE-C.
    pub(super) async fn run(&self, visit: &Visit, customer_key: Option<Zeroizing<String>>) {
        let closing = visit.service().closing();
        for (at, (task, _)) in self.states().into_iter().enumerate() {
            if *closing.borrow() {
                let message = "The service is stopping; the object is as it was.".to_owned();
                let code = "ServiceUnavailable".to_owned();
                self.set(
                    at,
                    State::Failed(Refused { code, status: 503, message, log_index: None }),
                );
                continue;
            }
            self.set(at, State::Working);
            let ended = self.encrypt(visit, &task, customer_key.as_deref()).await;
            self.set(
                at,
                match ended {
                    Ok(outcome) => State::Done(Box::new(outcome)),
                    Err(refused) => State::Failed(refused),
                },
            );
        }
    }

    async fn encrypt(
        &self,
        visit: &Visit,
        task: &Task,
        customer_key: Option<&String>,
    ) -> Result<Outcome, Refused> {
        let (bucket, key) = (self.bucket.as_str(), task.key.as_str());
        let first = visit.service().log_head().size;
        let before = object::head(visit, bucket, key).await?;
        let seen = before.object().is_some_and(|(_, body)| body.etag == task.etag);
        if !seen {
            let message =
                "The object is not the one that was looked at: somebody wrote it meanwhile.";
            let code = "PreconditionFailed".to_owned();
            return Err(Refused {
                code,
                status: 412,
                message: message.to_owned(),
                log_index: None,
            });
        }
        let way = Way::of(before.mode(), &self.choice);
        let log_index = match &way {
            Way::Update(arn) => self.update(visit, key, arn, &before).await?,
            Way::Rewrite => self.rewrite(visit, task, &before, customer_key).await?,
        };
        let after = object::head(visit, bucket, key).await?;
        let records = self.records(visit, key, first).await;
        let etag = after.object().map(|(_, body)| body.etag.clone()).unwrap_or_default();
        Ok(Outcome {
            way,
            mode: after.mode(),
            etag,
            modified: after.found.version.modified,
            headers: after.headers,
            version_id: after.found.version_id,
            records,
            log_index,
        })
    }

    async fn update(
        &self,
        visit: &Visit,
        key: &str,
        arn: &str,
        before: &Headed,
    ) -> Result<Option<u64>, Refused> {
        let request = UpdateObjectEncryption {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            version_id: before.found.version_id.clone(),
            kms_key_arn: arn.to_owned(),
            bucket_key: self.choice.bucket_key,
            sealed: None,
        };
        indexed(visit.service().update_object_encryption(visit.caller(), request).await)
    }

    async fn rewrite(
        &self,
        visit: &Visit,
        task: &Task,
        before: &Headed,
        customer_key: Option<&String>,
    ) -> Result<Option<u64>, Refused> {
        let mut headers = self.choice.headers();
        if let (Some(Mode::Customer), Some(given)) = (before.mode(), customer_key) {
            headers.extend(source_key(given));
        }
        let headers = Headers::collect(headers).map_err(|refusal| Refused {
            code: refusal.code(),
            status: refusal.status(),
            message: refusal.to_string(),
            log_index: None,
        })?;
        let unchanged = || Conditions {
            if_match: Some(Etags::These(vec![task.etag.clone()])),
            ..Default::default()
        };
        let request = CopyObject {
            bucket: self.bucket.clone(),
            key: task.key.clone(),
            source_bucket: self.bucket.clone(),
            source_key: task.key.clone(),
            source_conditions: unchanged(),
            // Also while it is read and sealed nothing of somebody else's is overwritten.
            conditions: unchanged(),
            encryption: Asked {
                mode: self.choice.mode.and_then(Mode::header_value).map(str::to_owned),
                key_id: self.choice.key.clone(),
                customer_algorithm: None,
            },
            ..Default::default()
        };
        indexed(visit.service().copy_object(visit.caller(), request, headers).await)
    }

    /// The records that the change of one object has made, as far as the reader may see them.
    async fn records(&self, visit: &Visit, key: &str, first: u64) -> Vec<(u64, Event)> {
        let arn = format!("arn:aws:s3:::{}", self.bucket);
        let object = format!("{arn}/{key}");
        let query = crate::audit::Query {
            access_key_id: Some(self.session.key.id.clone()),
            start_index: Some(first),
            order: Order::OldestFirst,
            limit: Some(200),
            ..Default::default()
        };
        let Ok(page) = visit.ask(Query(query)).await else { return Vec::new() };
        let is_of_it = |event: &Event| {
            let context = event.context.get("aws:s3:arn");
            let said = |name: &str| event.parameters.get(name).and_then(|value| value.as_str());
            context.is_some_and(|of| *of == object || *of == arn)
                || (said("bucket") == Some(&self.bucket) && said("key") == Some(key))
        };
        let of_it = page.records.into_iter().filter(|record| is_of_it(&record.event));
        of_it.map(|record| (record.index, record.event)).collect()
    }
}

/// The record of a change that was made.
fn indexed<T>(reply: Reply<T>) -> Result<Option<u64>, Refused> {
    let index = reply.log_index;
    Refused::or_s3(reply).map(|_| index)
}

/// The headers that open a copy's source with a customer's key. What is no base64 S3 refuses.
fn source_key(given: &str) -> [(&'static str, String); 3] {
    let key = Zeroizing::new(STANDARD.decode(given).unwrap_or_default());
    [
        (Header::SourceAlgorithm.name(), "AES256".to_owned()),
        (Header::SourceKey.name(), given.to_owned()),
        (Header::SourceKeyMd5.name(), STANDARD.encode(Md5::digest(key.as_slice()))),
    ]
}

/// Jobs, newest last.
#[derive(Debug, Default)]
pub(super) struct Jobs(Mutex<VecDeque<Arc<Job>>>);

impl Jobs {
    /// Keeps a job, unless too many are under way.
    pub(super) fn keep(&self, job: Job) -> Option<Arc<Job>> {
        let mut jobs = self.0.lock();
        if jobs.len() >= MOST {
            let over = jobs.iter().position(|job| job.is_over())?;
            jobs.remove(over);
        }
        let job = Arc::new(job);
        jobs.push_back(Arc::clone(&job));
        Some(job)
    }

    /// A job of a session's own.
    pub(super) fn find(&self, session: &Arc<Session>, id: &str) -> Option<Arc<Job>> {
        let jobs = self.0.lock();
        let found = jobs.iter().find(|job| job.id == id && Arc::ptr_eq(&job.session, session));
        found.map(Arc::clone)
    }
}

/// Jobs that are kept.
const MOST: usize = 64;
