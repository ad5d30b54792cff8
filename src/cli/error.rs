//! What went wrong, in words for the person at the terminal, and what to do next.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::s3::Failure;
use crate::service::with_causes;
use crate::sse::{ProviderError, client_side};
use crate::{audit, config, instance, service, sse};

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The trail does not verify.
    #[error(transparent)]
    Audit(#[from] audit::Error),
    /// An object in a format of the S3 Encryption Client was not sealed or opened.
    #[error(transparent)]
    ClientSide(#[from] client_side::Error),
    /// Traces cannot be sent there.
    #[error("traces cannot be sent to {address:?}; expected something like http://127.0.0.1:4317")]
    Collector {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Settings cannot be used.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The credentials file is none.
    #[error("the credentials file {path} cannot be used")]
    Credentials {
        path: PathBuf,
        #[source]
        source: service::CredentialsError,
    },
    /// What should be a domain is none.
    #[error(transparent)]
    Domain(#[from] instance::NotADomain),
    /// Objects are not encrypted as they should be.
    #[error("{0}")]
    Encryption(String),
    /// The address of the service is none.
    #[error("{0:?} is no address of a service; expected something like http://127.0.0.1:4566")]
    Endpoint(String),
    /// A file operation failed.
    #[error("{doing} {path} failed")]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The service answered, but not as its contract says.
    #[error("the service's answer is incomplete")]
    Incomplete,
    /// An instance in this process refused to start or stop.
    #[error(transparent)]
    Instance(#[from] instance::Error),
    /// Somebody told the command to stop, and it had not come to its end.
    #[error("interrupted")]
    Interrupted,
    /// Witnesses are asked for, and have signed nothing yet.
    #[error("no checkpoint of this log has been signed by enough of its witnesses")]
    NotCosigned,
    /// An object was not sealed or opened.
    #[error(transparent)]
    Object(#[from] sse::Error),
    /// Standard output is gone.
    #[error("writing the output failed")]
    Output(#[from] io::Error),
    /// Policy documents would be refused.
    #[error("{0} would be refused")]
    Policies(String),
    /// Threads cannot be made.
    #[error("the runtime cannot be started")]
    Runtime(#[source] io::Error),
    /// An S3 refused, or cannot be reached.
    #[error(transparent)]
    S3(#[from] Failure),
    /// A service in this process refused.
    #[error(transparent)]
    Service(#[from] service::Error),
    /// The trail is not what a test expects.
    #[error("{0}")]
    Unexpected(String),
    /// The service refused.
    #[error("{}", describe(.0))]
    Status(#[from] Box<Status>),
    /// Arguments that fit each alone, not together.
    #[error("{0}")]
    Usage(String),
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl Error {
    pub(super) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }

    /// Writes the error and its causes to standard error.
    pub(super) fn show(&self) {
        let mut out = io::stderr().lock();
        let said = match self {
            // A refusal's message is whole; its source would be the transport's own words.
            Self::Status(_) => self.to_string(),
            _ => with_causes(self),
        };
        let _ = writeln!(out, "strongroom: {said}");
        if let Some(hint) = self.hint() {
            let _ = writeln!(out, "{hint}");
        }
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Endpoint(_) => ExitCode::from(2),
            // As shells say it of SIGINT.
            Self::Interrupted => ExitCode::from(130),
            _ => ExitCode::FAILURE,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        use client_side::Error::{Context, Legacy, Policy, Provider};
        match self {
            Self::Status(status) => {
                let info = status.get_details_error_info();
                match (status.code(), info) {
                    (Code::Unavailable, None) => Some(IS_IT_RUNNING),
                    (_, info) => hint_for(&info?.reason),
                }
            }
            Self::S3(Failure::Unreachable(_)) => Some(IS_IT_RUNNING),
            Self::S3(Failure::Refused { code, .. }) => hint_for(code),
            Self::ClientSide(Provider(ProviderError::Unavailable(_))) => Some(IS_IT_RUNNING),
            Self::ClientSide(Provider(ProviderError::Refused { exception, .. })) => {
                hint_for(exception)
            }
            Self::ClientSide(Context) => Some("--context NAME=VALUE says what it was sealed with."),
            Self::ClientSide(Legacy) => Some("--legacy opens it."),
            Self::ClientSide(Policy) => {
                Some("--commitment-policy require-encrypt-allow-decrypt opens it.")
            }
            _ => None,
        }
    }
}

const IS_IT_RUNNING: &str =
    "Is it running? Start it with `strongroom serve`, or name it with --endpoint.";

/// What helps against a refusal of the service.
fn hint_for(exception: &str) -> Option<&'static str> {
    match exception {
        "NotFoundException" => {
            Some("`strongroom key list` and `strongroom alias list` show what there is.")
        }
        "DisabledException" => Some("`strongroom key enable KEY` lets it be used."),
        "KMSInvalidStateException" => {
            Some("`strongroom key cancel-deletion KEY` takes a scheduled deletion back.")
        }
        _ => None,
    }
}

/// Reason and message, as the service gave them.
fn describe(status: &Status) -> String {
    match status.get_details_error_info() {
        Some(info) => format!("{}: {}", info.reason, status.message()),
        None if status.code() == Code::Unavailable => "the service cannot be reached".to_owned(),
        None => format!("{}: {}", status.code(), status.message()),
    }
}
