//! `strongroom s3 scan`: every object looked at in the order of its list, and encrypted where that is asked
//! for.
//!
//! Looking is done ahead, some objects at a time; encrypting one at a time. What was done is seen when an
//! object is looked at again, so a run that ended can simply be repeated; `--start-after` spares the looking.

use std::pin::Pin;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use futures_util::{StreamExt, stream};
use tokio::task::JoinError;

use super::super::error::Error;
use super::super::output::{Output, note};
use super::super::serve::told_to_stop;
use super::answers::{self, Listed, Page};
use super::client::{Asked, Endpoint, Failure, S3};
use super::object::{self, Headed};
use super::report::{Became, Report, Row};
use super::wish::Wish;
use crate::sse::Mode;

/// List objects that are not encrypted as they should be, and encrypt them
///
/// Without --mode and --key these are the objects in clear; with them also what has another mode, another key
/// or, with --bucket-key, none. The latest versions are looked at; earlier ones stay as they are.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom s3 scan                                      what is in clear, in all buckets
  strongroom s3 scan photos --key alias/app               what is not under this key
  strongroom s3 scan photos --key alias/app --fix
  AWS_CA_BUNDLE=ca.pem strongroom s3 scan --endpoint https://localhost:4566 --output json
  strongroom s3 scan photos --endpoint https://s3.eu-west-1.amazonaws.com --region eu-west-1

--fix copies an object onto itself (CopyObject: a new version where versions are kept), or, from SSE-S3 and
SSE-KMS to SSE-KMS under --key, has its key sealed anew (UpdateObjectEncryption: no bytes are moved). What
somebody else writes meanwhile stays. What has SSE-C is listed, and cannot be changed without its key.

Exit code: 0 everything is encrypted as asked; 1 something is not, or could not be looked at; 2 wrong usage;
130 interrupted, and it is said where to go on.")]
pub(super) struct Scan {
    /// Only this bucket
    bucket: Option<String>,
    /// Only keys that begin so
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: String,
    /// How objects should be encrypted
    #[arg(long, value_enum)]
    mode: Option<Wanted>,
    /// The KMS key that they should be under: id, alias or ARN; means aws:kms unless --mode is given
    #[arg(long)]
    key: Option<String>,
    /// They should be under a bucket key
    #[arg(long)]
    bucket_key: bool,
    /// Encrypt what is found
    #[arg(long)]
    fix: bool,
    /// Go on after this key; after BUCKET/KEY where all buckets are looked through
    #[arg(long, value_name = "KEY")]
    start_after: Option<String>,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// Modes that can be asked for, by their values in S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wanted {
    #[value(name = "AES256")]
    S3,
    #[value(name = "aws:kms")]
    Kms,
    #[value(name = "aws:kms:dsse")]
    Dsse,
}

impl Wanted {
    const fn mode(self) -> Mode {
        match self {
            Self::S3 => Mode::S3,
            Self::Kms => Mode::Kms,
            Self::Dsse => Mode::Dsse,
        }
    }
}

impl Scan {
    pub(super) async fn run(self) -> Result<(), Error> {
        if self.fix && self.mode.is_none() && self.key.is_none() {
            let message = "--fix has to know what to encrypt with: --mode AES256, or --key KEY";
            return Err(Error::Usage(message.to_owned()));
        }
        let s3 = Arc::new(self.endpoint.open()?);
        let mode = self.mode.map(Wanted::mode);
        let wish = Wish::of(&s3, mode, self.key.as_deref(), self.bucket_key).await?;
        let report = Report::new(self.output, self.fix);
        let fix = self.fix && wish.is_definite();
        let (bucket, after) = match (&self.bucket, self.start_after.as_deref()) {
            (None, Some(after)) => {
                let (bucket, key) = after.split_once('/').ok_or_else(|| {
                    Error::Usage("--start-after is BUCKET/KEY where no bucket is named".to_owned())
                })?;
                (Some(bucket.to_owned()), Some(key.to_owned()))
            }
            (_, after) => (None, after.map(str::to_owned)),
        };
        let begun = self.bucket.clone().or_else(|| bucket.clone());
        let at = begun.zip(after.clone());
        let mut run =
            Run { s3, wish, fix, prefix: self.prefix, report, at, stop: Box::pin(told_to_stop()?) };
        let ended = run.walk(self.bucket.as_deref(), bucket.as_deref(), after).await;
        run.end(ended, self.bucket.is_some())
    }
}

/// A scan on its way.
struct Run {
    s3: Arc<S3>,
    wish: Wish,
    fix: bool,
    prefix: String,
    report: Report,
    /// Bucket and key of the last object that is done with.
    at: Option<(String, String)>,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Why a scan ends before its end.
enum Broken {
    Told,
    Error(Error),
}

impl<E: Into<Error>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Run {
    /// All buckets from one on, or a single one.
    async fn walk(
        &mut self,
        only: Option<&str>,
        first: Option<&str>,
        mut after: Option<String>,
    ) -> Result<(), Broken> {
        if let Some(bucket) = only {
            return self.bucket(bucket, after).await;
        }
        let mut buckets = Vec::new();
        let mut token = None;
        loop {
            let s3 = Arc::clone(&self.s3);
            let page: Page<String> =
                self.unless_told(list_buckets(&s3, token.as_deref())).await??;
            buckets.extend(page.entries);
            match page.next {
                next if next.is_none() || next == token => break,
                next => token = next,
            }
        }
        buckets.sort();
        for bucket in buckets {
            if first.is_some_and(|first| bucket.as_str() < first) {
                continue;
            }
            let after = if first == Some(bucket.as_str()) { after.take() } else { None };
            match self.bucket(&bucket, after).await {
                Err(Broken::Error(Error::S3(failure))) if failure.is_of_one() => {
                    self.report.closed(&bucket, &failure.to_string())?;
                }
                done => done?,
            }
        }
        Ok(())
    }

    async fn bucket(&mut self, bucket: &str, mut after: Option<String>) -> Result<(), Broken> {
        let mut token: Option<String> = None;
        loop {
            let (s3, prefix) = (Arc::clone(&self.s3), self.prefix.clone());
            let listed = list_objects(&s3, bucket, &prefix, after.as_deref(), token.as_deref());
            let page = self.unless_told(listed).await??;
            self.page(bucket, page.entries).await?;
            after = None;
            match page.next {
                None => return Ok(()),
                next if next == token => {
                    return Err(Failure::Strange("the list goes on with the same page").into());
                }
                next => token = next,
            }
        }
    }

    /// Looks at a page's objects, ahead of what is done with them.
    async fn page(&mut self, bucket: &str, listed: Vec<Listed>) -> Result<(), Broken> {
        let s3 = Arc::clone(&self.s3);
        let heads = stream::iter(listed).map(|listed| {
            let (s3, bucket) = (Arc::clone(&s3), bucket.to_owned());
            // On its own, so that connections do not wait while an object is copied.
            let looked = tokio::spawn(async move {
                let headed = object::head(&s3, &bucket, &listed.key).await;
                (listed, headed)
            });
            Abort(looked)
        });
        let mut heads = heads.map(Abort::wait).buffered(AT_ONCE);
        while let Some(looked) = self.unless_told(heads.next()).await? {
            let (listed, headed) = looked.map_err(|error| Failure::Unreachable(error.into()))?;
            self.one(bucket, &listed, headed).await?;
            self.at = Some((bucket.to_owned(), listed.key));
        }
        Ok(())
    }

    async fn one(
        &mut self,
        bucket: &str,
        listed: &Listed,
        headed: Result<Option<Headed>, Failure>,
    ) -> Result<(), Broken> {
        let key = listed.key.as_str();
        let headed = match headed {
            Ok(Some(headed)) => headed,
            // Gone since it was listed.
            Ok(None) => return Ok(()),
            Err(failure) if failure.is_of_one() => {
                let became = Became::NotDone(failure.to_string());
                let row = Row { bucket, key, size: listed.size, found: None, became };
                return Ok(self.report.row(&row)?);
            }
            Err(failure) => return Err(failure.into()),
        };
        let Some(fault) = self.wish.fault(&headed.found) else {
            self.report.passed();
            return Ok(());
        };
        let became = match self.fix {
            false => Became::Listed,
            // What was begun is ended, whoever says stop.
            true => match object::fix(&self.s3, (bucket, key), &headed, &self.wish).await {
                Ok((way, now)) => Became::Fixed(way, now.found),
                Err(object::NotDone::Gone) => return Ok(()),
                Err(object::NotDone::Failed(failure)) if !failure.is_of_one() => {
                    return Err(failure.into());
                }
                Err(reason) => Became::NotDone(reason.to_string()),
            },
        };
        let found = Some((&headed.found, fault));
        Ok(self.report.row(&Row { bucket, key, size: listed.size, found, became })?)
    }

    async fn unless_told<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Broken> {
        tokio::select! {
            biased;
            () = &mut self.stop => Err(Broken::Told),
            done = work => Ok(done),
        }
    }

    /// Says how it ended and, if it is not at its end, where to go on.
    fn end(self, ended: Result<(), Broken>, one_bucket: bool) -> Result<(), Error> {
        let Err(broken) = ended else { return self.report.end(None) };
        let resume = self.at.map(|(bucket, key)| match one_bucket {
            true => key,
            false => format!("{bucket}/{key}"),
        });
        let error = match broken {
            Broken::Told => Error::Interrupted,
            Broken::Error(error) => error,
        };
        match &resume {
            Some(resume) => {
                self.report.end(Some(resume))?;
                note(&format!("go on with --start-after {}", quoted(resume)));
            }
            // Nothing was done: a run begins where this one did.
            None => self.report.end(Some(""))?,
        }
        Err(error)
    }
}

/// A look that ends with who waits for it.
struct Abort<T>(tokio::task::JoinHandle<T>);

impl<T> Abort<T> {
    async fn wait(mut self) -> Result<T, JoinError> {
        (&mut self.0).await
    }
}

impl<T> Drop for Abort<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn list_buckets(s3: &S3, token: Option<&str>) -> Result<Page<String>, Failure> {
    let query: Vec<_> = token.map(|token| ("continuation-token", token)).into_iter().collect();
    answers::buckets(&s3.ask(&Asked { query: &query, ..Default::default() }).await?.body)
}

async fn list_objects(
    s3: &S3,
    bucket: &str,
    prefix: &str,
    after: Option<&str>,
    token: Option<&str>,
) -> Result<Page<Listed>, Failure> {
    let mut query = vec![("list-type", "2"), ("encoding-type", "url"), ("prefix", prefix)];
    query.extend(after.map(|after| ("start-after", after)));
    query.extend(token.map(|token| ("continuation-token", token)));
    answers::objects(&s3.ask(&Asked { bucket, query: &query, ..Default::default() }).await?.body)
}

/// As a shell reads it back.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Objects that are looked at at a time.
const AT_ONCE: usize = 16;
