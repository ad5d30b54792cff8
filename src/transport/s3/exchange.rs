//! One request and its answer: what stays the same while `s3s` finds out which operation it is, and what became
//! of its walk.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use parking_lot::Mutex;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, TrailingHeaders};

use super::chunked::Trailers;
use crate::objects;
use crate::service::{Caller, Error, Operation, Reply, S3Refusal, Service};
use crate::sse::Refusal;

/// A request on its way, an extension of the one that `s3s` sees.
pub(super) struct Exchange {
    pub(super) service: Arc<Service>,
    pub(super) caller: Caller,
    /// As they came; `s3s` sees few of them.
    pub(super) headers: HeaderMap,
    /// As it came, without what signs.
    pub(super) query: String,
    /// Of its body, once that has ended.
    pub(super) trailers: Trailing,
    /// Whether the door has held the body against its hash.
    pub(super) hash_checked: bool,
    /// Who says to sign a form: access key id, and the session token beside it.
    pub(super) form_key: Option<(String, Option<String>)>,
    /// The policy of a form, in base64: `s3s` checks it, and does not hand it on.
    pub(super) form_policy: Option<String>,
    state: Mutex<State>,
}

/// Where trailers are found.
#[derive(Debug, Default)]
pub(super) enum Trailing {
    #[default]
    None,
    /// Of a body whose chunks' signatures were checked.
    Checked(TrailingHeaders),
    /// Of one that was only read.
    Read(Trailers),
}

impl Trailing {
    /// Asks after the body's end.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        match self {
            Self::None => None,
            Self::Checked(trailers) => trailers
                .read(|headers| headers.get(name)?.to_str().ok().map(str::to_owned))
                .flatten(),
            Self::Read(trailers) => trailers.value(name),
        }
    }
}

#[derive(Default)]
struct State {
    operation: Option<String>,
    answered: Option<Answered>,
    /// Why the body was broken off, where `s3s` was given no reason.
    broken: Option<Error>,
}

/// What became of the walk.
pub(super) struct Answered {
    pub(super) request_id: String,
    pub(super) log_index: Option<u64>,
    /// Why there is no result.
    pub(super) refusal: Option<S3Refusal>,
    /// What the answer says beside.
    pub(super) headers: HeaderMap,
    /// Instead of the operation's own.
    pub(super) status: Option<StatusCode>,
}

impl Exchange {
    pub(super) fn new(service: Arc<Service>, caller: Caller, headers: HeaderMap) -> Self {
        Self {
            service,
            caller,
            headers,
            query: String::new(),
            trailers: Trailing::None,
            hash_checked: false,
            form_key: None,
            form_policy: None,
            state: Mutex::default(),
        }
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    }

    /// Puts down which operation it is.
    pub(super) fn found(&self, operation: &str) {
        self.state.lock().operation = Some(operation.to_owned());
    }

    /// Which operation it is, once that is known.
    pub(super) fn operation(&self) -> Option<String> {
        self.state.lock().operation.clone()
    }

    /// Puts down why its body was broken off.
    pub(super) fn break_off(&self, error: Error) {
        self.state.lock().broken = Some(error);
    }

    /// Why its body was broken off, and leaves nothing there.
    pub(super) fn broken(&self) -> Option<Error> {
        self.state.lock().broken.take()
    }

    /// What became of it, and leaves nothing there.
    pub(super) fn answered(&self) -> Option<Answered> {
        self.state.lock().answered.take()
    }

    /// Whether something became of it.
    pub(super) fn is_answered(&self) -> bool {
        self.state.lock().answered.is_some()
    }

    /// Takes a reply apart: its result, and what the answer says whatever it is.
    pub(super) fn settle<T>(&self, reply: Reply<T>) -> Result<T, Stop> {
        let Reply { request_id, log_index, result, .. } = reply;
        let mut headers = HeaderMap::new();
        if let Err(error) = &result {
            said_of_error(error, &mut headers);
        }
        let refusal = result.as_ref().err().map(Error::s3);
        let answered = Answered { request_id, log_index, refusal, headers, status: None };
        self.state.lock().answered = Some(answered);
        result.map_err(|_| Stop::Answered)
    }

    /// The same of one call of several that a request is made of.
    pub(super) fn settle_one<T>(&self, reply: Reply<T>) -> Result<T, S3Refusal> {
        let request_id = reply.request_id.clone();
        let settled = reply.result.map_err(|error| error.s3());
        let headers = HeaderMap::new();
        let answered =
            Answered { request_id, log_index: None, refusal: None, headers, status: None };
        self.state.lock().answered = Some(answered);
        settled
    }

    /// Has the answer say something more.
    pub(super) fn say(&self, name: &str, value: &str) {
        let mut state = self.state.lock();
        if let Some(answered) = &mut state.answered
            && let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes()))
        {
            answered.headers.insert(name, value);
        }
    }

    /// The same for several.
    pub(super) fn say_all<'a>(
        &self,
        headers: impl IntoIterator<Item = &'a (&'static str, String)>,
    ) {
        headers.into_iter().for_each(|(name, value)| self.say(name, value));
    }

    /// Has the answer have another status than its operation's.
    pub(super) fn have_status(&self, status: StatusCode) {
        if let Some(answered) = &mut self.state.lock().answered {
            answered.status = Some(status);
        }
    }

    /// Has a call that was done and recorded be answered with an error, where S3 says it so.
    pub(super) fn answer_with(&self, refusal: S3Refusal) -> Stop {
        if let Some(answered) = &mut self.state.lock().answered {
            answered.refusal = Some(refusal);
        }
        Stop::Answered
    }

    /// Records a request that reached no operation, or one that could not be translated.
    pub(super) async fn refuse(&self, error: Error) {
        self.refuse_as(self.caller.clone(), error).await;
    }

    /// The same for a caller of whom something else is known.
    pub(super) async fn refuse_as(&self, caller: Caller, error: Error) {
        let operation = self.state.lock().operation.clone();
        let operation = operation.as_deref().unwrap_or("UnknownOperation");
        let action = format!("s3:{operation}");
        let reply = self.service.refuse(caller, operation, &action, error).await;
        let _ = self.settle(reply);
    }
}

/// Headers that go with some errors.
fn said_of_error(error: &Error, headers: &mut HeaderMap) {
    let mut say = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    match error {
        Error::Objects(objects::Error::NoSuchKey { delete_marker: Some(version), .. }) => {
            say("x-amz-delete-marker", "true");
            say("x-amz-version-id", version);
        }
        Error::Objects(objects::Error::MethodNotAllowed) => {
            say("x-amz-delete-marker", "true");
            say("allow", "DELETE");
        }
        Error::Objects(objects::Error::NotModified { etag }) => {
            say("etag", &format!("\"{etag}\""));
        }
        _ => {}
    }
}

/// Why a handler has no output.
pub(super) enum Stop {
    /// It was recorded, and what is answered is known.
    Answered,
    /// The request cannot be translated.
    Refused(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<objects::Error> for Stop {
    fn from(error: objects::Error) -> Self {
        Self::Refused(error.into())
    }
}

impl From<S3Refusal> for Stop {
    fn from(refusal: S3Refusal) -> Self {
        Error::S3(refusal).into()
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        objects::Error::from(refusal).into()
    }
}

/// An operation's request as `s3s` has read it, with what it came in.
pub(super) struct Call<I> {
    pub(super) exchange: Arc<Exchange>,
    pub(super) input: I,
    /// Whose signature `s3s` has found right: of forms alone.
    pub(super) access_key: Option<String>,
}

impl<I> Call<I> {
    /// Takes a request through the walk.
    pub(super) async fn walk<O: Operation>(&self, request: O) -> Result<O::Output, Stop> {
        let Exchange { service, caller, .. } = self.exchange.as_ref();
        self.exchange.settle(service.call(caller.clone(), request).await)
    }
}

/// What a handler gives.
pub(super) type Handled<O> = Result<O, Stop>;

/// Runs a handler. What it is answered with is rendered by the door (`answers.rs`), so that the error given to
/// `s3s` only says that there is one.
pub(super) async fn run<I, O, F>(
    request: S3Request<I>,
    handler: impl FnOnce(Call<I>) -> F,
) -> S3Result<S3Response<O>>
where
    F: Future<Output = Handled<O>>,
{
    let failed = || S3Error::new(S3ErrorCode::InternalError);
    let exchange = request.extensions.get::<Arc<Exchange>>().cloned().ok_or_else(failed)?;
    let access_key = request.credentials.map(|credentials| credentials.access_key);
    let call = Call { exchange: Arc::clone(&exchange), input: request.input, access_key };
    match handler(call).await {
        Ok(output) => Ok(S3Response::new(output)),
        Err(Stop::Answered) => Err(failed()),
        Err(Stop::Refused(error)) => {
            exchange.refuse(exchange.broken().unwrap_or(error)).await;
            Err(failed())
        }
    }
}
