//! The walk: what happens to every call, in this order, and nowhere else.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::Error;
use super::credential::{Caller, Known, authenticate};
use super::hall::Service;
use super::opening::Opened;
use super::operation::{Circumstances, Executed, Operation, Rooms, Weight};
use super::operations::registered_name;
use super::pending::{Pending, Recorded, Writes};
use super::permit::{Permit, authorise, hidden};
use crate::audit::{Event, LogChange, Outcome, ProofFile, SUCCESSOR};
use crate::iam::Principal;
use crate::kms::{self, Scope};
use crate::store;

/// The answer to a call.
#[derive(Debug)]
pub struct Reply<T> {
    /// The call's id, also in its record.
    pub request_id: String,
    /// Index of the call's record. `None` when it could not be recorded, and then there is no result
    /// either; and of a read that needs no record of its own.
    pub log_index: Option<u64>,
    /// Proves that record, where the caller asked for it ([`Caller::prove`]): up to the checkpoint of
    /// the group that it was committed with.
    pub proof: Option<ProofFile>,
    /// The result.
    pub result: Result<T, Error>,
}

/// How often an operation runs again when others change what it read.
const ATTEMPTS: usize = 64;

impl Service {
    /// Takes one call through the walk.
    pub async fn call<O: Operation>(
        self: &Arc<Self>,
        caller: Caller,
        request: O,
    ) -> Reply<O::Output> {
        let begun = Instant::now();
        let span = call_span(&caller, O::NAME);
        let reply = self.walk(caller, request).instrument(span.clone()).await;
        span.in_scope(|| self.ended(&reply, O::NAME, begun));
        reply
    }

    /// Takes a call through the walk that has work to do between being allowed and being executed: bytes
    /// to store, keys to ask for. `prepare` is given the request once the caller may do it, and gives it
    /// back for its execution; then it walks from the start, as what was so may have changed meanwhile.
    ///
    /// What `prepare` refuses is the call's own refusal, in its one record. All of it is in `opened`, the store that
    /// `prepare` works in, also when another takes its place meanwhile.
    pub(super) async fn call_prepared<O, F>(
        self: &Arc<Self>,
        opened: &Arc<Opened>,
        caller: Caller,
        request: O,
        prepare: impl FnOnce(O) -> F + Send,
    ) -> Reply<O::Output>
    where
        O: Operation,
        F: Future<Output = Result<O, Error>> + Send,
    {
        let begun = Instant::now();
        let span = call_span(&caller, O::NAME);
        let reply = async {
            let mut event = self.begin(&caller, O::NAME, O::ACTION, O::READ_ONLY);
            request.record(&mut event);
            let refused = match self.decide(&opened.rooms, &caller, &request, &mut event) {
                Ok(()) => match prepare(request).await {
                    Ok(request) => return self.walk_in(Some(opened), caller, request).await,
                    Err(error) => error,
                },
                Err(error) => error,
            };
            close(&mut event, &refused);
            let settled = settle(opened, (event, Err(refused)), &caller).await;
            Reply::of(opened, caller.request_id, settled).await
        };
        let reply = reply.instrument(span.clone()).await;
        span.in_scope(|| self.ended(&reply, O::NAME, begun));
        reply
    }

    async fn walk<O: Operation>(self: &Arc<Self>, caller: Caller, request: O) -> Reply<O::Output> {
        self.walk_in(None, caller, request).await
    }

    /// The same in a store that is given, else in the one that is there at each attempt.
    async fn walk_in<O: Operation>(
        self: &Arc<Self>,
        given: Option<&Arc<Opened>>,
        caller: Caller,
        request: O,
    ) -> Reply<O::Output> {
        let request = Arc::new(request);
        let mut turn = None;
        for _ in 0..ATTEMPTS {
            let opened = given.map_or_else(|| self.opened(), Arc::clone);
            let apart = || {
                let (service, request) = (Arc::clone(self), Arc::clone(&request));
                let (who, store) = (caller.clone(), Arc::clone(&opened));
                move || service.attempt(&store, &who, request.as_ref())
            };
            let attempt = match request.weight() {
                Weight::Light => Ok(self.attempt(&opened, &caller, request.as_ref())),
                Weight::Heavy => {
                    tokio::task::spawn_blocking(apart()).await.map_err(|_| Error::Internal)
                }
                // Nobody waits in the lane who would not be let in.
                Weight::Slow => {
                    let known = self.credentials();
                    let known = opened.rooms.known(known.as_deref(), self.clock().now());
                    match authenticate(&caller.credential, known) {
                        Ok(_) => self.slow_lane().run(apart()).await,
                        Err(error) => Err(error),
                    }
                }
            };
            let attempt = match attempt {
                Ok(attempt) => attempt,
                Err(error) => return self.record_refusal(caller, O::NAME, O::ACTION, error).await,
            };
            if let (event, Err(Error::Kms(kms::Error::ManagedKeyMissing { name, .. }))) = &attempt
                && self.make_managed_key(&opened, &event.account, &event.region, name).await
            {
                continue;
            }
            let (event, outcome) = attempt;
            let outcome = match outcome {
                Ok(executed)
                    if O::READ_ONLY
                        && request.is_covered(&executed.output, &event, &opened.readers) =>
                {
                    let (log_index, proof) = (None, None);
                    let (request_id, result) = (caller.request_id, Ok(executed.output));
                    return Reply { request_id, log_index, proof, result };
                }
                outcome => outcome,
            };
            match settle(&opened, (event, outcome), &caller).await {
                // Of many who want one row, one would win and all others lose each time, some of them always.
                Err(store::Error::Conflict) if turn.is_none() => {
                    turn = Some(self.turn().lock().await);
                }
                Err(store::Error::Conflict) => {}
                settled => return Reply::of(&opened, caller.request_id, settled).await,
            }
        }
        self.record_refusal(caller, O::NAME, O::ACTION, Error::Contended).await
    }

    /// Makes the AWS-managed key that a call named first, in a walk of the service's own; whether the
    /// call is to be tried again.
    async fn make_managed_key(
        &self,
        opened: &Opened,
        account: &str,
        region: &str,
        name: &str,
    ) -> bool {
        let own = Caller::service(account, region);
        let request = kms::CreateManagedKey { alias_name: name.into() };
        let attempt = self.attempt(opened, &own, &request);
        match settle(opened, attempt, &own).await {
            // Somebody else may have made it in between.
            Ok(Some((Ok(()) | Err(Error::Kms(kms::Error::AlreadyExists(_))), _)))
            | Err(store::Error::Conflict) => true,
            other => {
                tracing::warn!(?other, "a managed key could not be made");
                false
            }
        }
    }

    /// Records a call that a door could not translate: an unreadable or oversized message, an
    /// operation that does not exist. It is authenticated as every other and answered `error`.
    pub async fn refuse(
        self: &Arc<Self>,
        caller: Caller,
        operation: &str,
        action: &str,
        error: Error,
    ) -> Reply<std::convert::Infallible> {
        let begun = Instant::now();
        let name = registered_name(operation);
        let span = call_span(&caller, name);
        let recorded = self.record_refusal(caller, operation, action, error);
        let reply = recorded.instrument(span.clone()).await;
        span.in_scope(|| self.ended(&reply, name, begun));
        reply
    }

    async fn record_refusal<T>(
        &self,
        caller: Caller,
        operation: &str,
        action: &str,
        error: Error,
    ) -> Reply<T> {
        let mut event = self.begin(&caller, operation, action, false);
        let (credentials, opened) = (self.credentials(), self.opened());
        let known = opened.rooms.known(credentials.as_deref(), event.time);
        let error = match authenticate(&caller.credential, known) {
            Ok(principal) => {
                sign_in(&mut event, &principal);
                error
            }
            Err(refused) => refused,
        };
        close(&mut event, &error);
        let settled = settle(&opened, (event, Err(error)), &caller).await;
        Reply::of(&opened, caller.request_id, settled).await
    }

    /// Tells watchers how a call went.
    fn ended<T>(&self, reply: &Reply<T>, operation: &'static str, begun: Instant) {
        let took = begun.elapsed();
        let outcome = match &reply.result {
            Ok(_) => Some(Outcome::Success),
            Err(error) => reply.log_index.map(|_| outcome_of(error)),
        };
        self.metrics().called(operation, outcome, took);
        let outcome = outcome.map_or("unrecorded", Outcome::as_str);
        let error = reply.result.as_ref().err().map(|error| error.code().into_owned());
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        tracing::info!(outcome, error, log_index = reply.log_index, micros, "call");
    }

    /// Authenticate, authorise, execute: once, against memory as it is now.
    fn attempt<O: Operation>(
        &self,
        opened: &Opened,
        caller: &Caller,
        request: &O,
    ) -> Attempt<O::Output> {
        let mut event = self.begin(caller, O::NAME, O::ACTION, O::READ_ONLY);
        request.record(&mut event);
        let outcome = self.decide_and_execute(&opened.rooms, caller, request, &mut event);
        match &outcome {
            Ok(executed) => {
                event.outcome = Outcome::Success;
                event.key.clone_from(&executed.key);
                event.key_version = executed.key_version;
                if let Some(LogChange::HandOver(successor)) = &executed.writes.log {
                    let named = successor.verifier_key().into();
                    event.parameters.insert(SUCCESSOR.to_owned(), named);
                }
            }
            Err(error) => close(&mut event, error),
        }
        (event, outcome)
    }

    /// Authenticate and authorise, without executing.
    fn decide<O: Operation>(
        &self,
        rooms: &Rooms,
        caller: &Caller,
        request: &O,
        event: &mut Event,
    ) -> Result<(), Error> {
        let credentials = self.credentials();
        let known = rooms.known(credentials.as_deref(), event.time);
        Allowed::of(rooms, caller, known, request, event).map(drop)
    }

    fn decide_and_execute<O: Operation>(
        &self,
        rooms: &Rooms,
        caller: &Caller,
        request: &O,
        event: &mut Event,
    ) -> Result<Executed<O::Output>, Error> {
        let credentials = self.credentials();
        let known = rooms.known(credentials.as_deref(), event.time);
        let Allowed { at, permit } = Allowed::of(rooms, caller, known, request, event)?;
        let executed = request.execute(rooms, &at, &permit);
        let mut executed = executed.map_err(|error| absent::<O>(permit.principal(), error))?;
        executed.writes.rely_on(permit.reads());
        if caller.dry_run && O::DRY_RUN { Err(Error::DryRun) } else { Ok(executed) }
    }

    fn begin(&self, caller: &Caller, operation: &str, action: &str, read_only: bool) -> Event {
        let mut event = Event::new(self.clock().now(), &caller.request_id, operation, action);
        event.read_only = read_only;
        event.region = caller.region.clone();
        event.source = caller.source.clone();
        event.door = caller.door.to_owned();
        event.user_agent.clone_from(&caller.user_agent);
        let id = caller.credential.access_key_id(self.credentials().as_deref());
        event.access_key_id = id.map(str::to_owned);
        event
    }
}

/// A call that may be executed.
struct Allowed<'a> {
    at: Circumstances<'a>,
    permit: Permit,
}

impl<'a> Allowed<'a> {
    /// The first half of the walk, and what the record says of it.
    fn of<O: Operation>(
        rooms: &Rooms,
        caller: &'a Caller,
        known: Known<'a>,
        request: &O,
        event: &mut Event,
    ) -> Result<Self, Error> {
        let principal = authenticate(&caller.credential, known)?;
        sign_in(event, &principal);
        if caller.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(Error::DeadlineExceeded);
        }
        let region = caller.valid_region().ok_or(Error::InvalidRegion)?;
        if let Some(message) = request.violations().message() {
            return Err(Error::Kms(kms::Error::Validation(message)));
        }
        let scope = Scope::new(&principal.account, region).map_err(Error::Kms)?;
        let at = Circumstances { scope, now: event.time, caller, known: known.credentials };
        let targets = request.targets(rooms, &at);
        let targets = targets.map_err(|error| absent::<O>(&principal, error))?;
        let key = targets.iter().find(|target| target.key.is_some());
        event.key = key.map(|target| target.resource.arn.clone());
        let permit = authorise(&principal, rooms, request, &at, &targets).map_err(|refusal| {
            event.decided_by = refusal.decided_by;
            refusal.error
        })?;
        event.decided_by = Some(permit.decided_by().to_owned());
        Ok(Self { at, permit })
    }
}

/// What is hidden says who may not do what.
fn absent<O: Operation>(principal: &Principal, error: Error) -> Error {
    match error {
        Error::Kms(kms::Error::Hidden) => hidden(principal, O::ACTION),
        Error::AccessHidden { action, .. } => hidden(principal, &action),
        other => other,
    }
}

/// Record and respond: the result stays pending until its leaf is committed.
async fn settle<T>(opened: &Opened, (event, outcome): Attempt<T>, caller: &Caller) -> Settled<T> {
    let (result, writes) = match outcome {
        Ok(executed) => (Ok(executed.output), executed.writes),
        Err(error) => (Err(error), Writes::default()),
    };
    let leaf = event.into_leaf();
    let (committer, prove) = (&opened.committer, caller.prove);
    Pending::new(result).commit(committer, writes, leaf, caller.deadline, prove).await
}

/// The span of a call, a child of the caller's own if it names one.
fn call_span(caller: &Caller, operation: &'static str) -> Span {
    let span = tracing::info_span!(
        "call",
        operation,
        request_id = %caller.request_id,
        door = caller.door,
        otel.name = operation,
        otel.kind = "server",
        trace_id = tracing::field::Empty,
    );
    if let Some(trace) = &caller.trace
        && !span.is_disabled()
    {
        span.record("trace_id", trace.trace_id());
        trace.adopt(&span);
    }
    span
}

impl<T> Reply<T> {
    /// The same call with what is made of its result.
    pub(super) fn map<U>(self, made: impl FnOnce(T) -> U) -> Reply<U> {
        self.and_then(|result| Ok(made(result)))
    }

    /// The same call with what is made of its result, if that can be made.
    pub(super) fn and_then<U>(self, made: impl FnOnce(T) -> Result<U, Error>) -> Reply<U> {
        let Self { request_id, log_index, proof, result } = self;
        Reply { request_id, log_index, proof, result: result.and_then(made) }
    }
}

type Attempt<T> = (Event, Result<Executed<T>, Error>);
/// A result with its record's place; none when the deadline passed first.
type Settled<T> = Result<Option<(Result<T, Error>, Recorded)>, store::Error>;

impl<T> Reply<T> {
    /// What became of a call. The result of one whose record could not be committed is dropped.
    async fn of(opened: &Opened, request_id: String, settled: Settled<T>) -> Self {
        let (recorded, result) = match settled {
            Ok(Some((result, recorded))) => (Some(recorded), result),
            Ok(None) => (None, Err(Error::DeadlineExceeded)),
            Err(error) => (None, Err(error.into())),
        };
        let log_index = recorded.as_ref().map(|recorded| recorded.index);
        let proof = match recorded {
            Some(Recorded { index, checkpoint: Some(checkpoint) }) => {
                prove(&opened.rooms, index, checkpoint).await
            }
            _ => None,
        };
        Self { request_id, log_index, proof, result }
    }
}

/// The proof of a call's own record. What happened stays answered when there is none.
async fn prove(rooms: &Arc<Rooms>, index: u64, checkpoint: Vec<u8>) -> Option<ProofFile> {
    let rooms = Arc::clone(rooms);
    let prove = move || rooms.log.prove_up_to(index, checkpoint);
    match tokio::task::spawn_blocking(prove).await.ok()? {
        Ok(proof) => Some(proof),
        Err(error) => {
            tracing::error!(%error, index, "a record could not be proved");
            None
        }
    }
}

fn sign_in(event: &mut Event, principal: &Principal) {
    event.principal = principal.arn.clone();
    event.account = principal.account.clone();
}

fn close(event: &mut Event, error: &Error) {
    event.outcome = outcome_of(error);
    let is_s3 = event.action.starts_with("s3:");
    event.error_code = Some(if is_s3 { error.s3().code } else { error.code().into_owned() });
    event.error_message = Some(error.to_string());
}

const fn outcome_of(error: &Error) -> Outcome {
    if error.is_refusal() { Outcome::Refused } else { Outcome::Failed }
}
