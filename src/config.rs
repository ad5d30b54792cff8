//! Settings of the service: flags, then `STRONGROOM_*` variables, then the configuration file.
//!
//! The only place that reads the environment (clap reads variables that stand for flags).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A configuration file: TOML with these members, all optional.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// `127.0.0.1:4566`
    pub(crate) listen: Option<SocketAddr>,
    /// `./strongroom-data`
    pub(crate) data_dir: Option<PathBuf>,
    /// Where the root key is, if not in the data directory.
    pub(crate) root_key_file: Option<PathBuf>,
    /// A certificate and its issuers, PEM.
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub(crate) tls_key: Option<PathBuf>,
    /// CAs of client certificates, PEM.
    pub(crate) client_ca: Option<PathBuf>,
    /// What they have revoked: CRLs, PEM.
    pub(crate) client_crl: Option<PathBuf>,
    /// Who is known: `service/credentials_file.rs` has the form.
    pub(crate) credentials: Option<PathBuf>,
    /// Connections at a time.
    pub(crate) max_connections: Option<NonZeroUsize>,
    /// Calls a second that are answered.
    pub(crate) max_requests_per_second: Option<NonZeroU32>,
    /// Where the trail's oldest records go: a folder, or the URL of an object store.
    pub(crate) audit_archive: Option<String>,
    /// Where the bytes of objects are: a folder, or the URL of an object store.
    pub(crate) objects: Option<String>,
    /// How object stores are reached: settings by `object_store`'s names.
    #[serde(default)]
    pub(crate) object_store: BTreeMap<String, Setting>,
    /// How many of the newest records stay in the store.
    pub(crate) audit_keep_records: Option<u64>,
    /// Up to which age records stay there: `30d`, `12h`.
    #[serde(default, deserialize_with = "age")]
    pub(crate) audit_keep_age: Option<Duration>,
    /// Where traces are sent: a collector's address for OTLP over gRPC.
    pub(crate) otlp_endpoint: Option<String>,
    /// Names under which buckets are asked for by name.
    #[serde(default)]
    pub(crate) domain: Vec<String>,
    /// Whether SSE-C's keys are taken over plain HTTP.
    #[serde(default)]
    pub(crate) sse_c_over_http: bool,
    /// Who signs the log's checkpoints, too.
    #[serde(default)]
    pub(crate) witness: Vec<Witness>,
    /// How many of them are enough; all when absent.
    pub(crate) witness_quorum: Option<usize>,
}

/// A setting of an object store, whose client takes all of them as text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Setting {
    /// `allow_http = true`
    Switch(bool),
    /// `region = "eu-west-1"`
    Text(String),
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Switch(on) => on.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// A witness of the log: `[[witness]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Witness {
    /// `http://127.0.0.1:4567`; `https://…` with a CA.
    pub(crate) url: String,
    /// Its verifier string: the second line of `strongroom witness`.
    pub(crate) key: String,
    /// The CA of its certificate, PEM.
    pub(crate) ca: Option<PathBuf>,
}

/// A witness's configuration file: TOML with these members, all optional.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WitnessFile {
    /// `127.0.0.1:4567`
    pub(crate) listen: Option<SocketAddr>,
    /// `./strongroom-witness`
    pub(crate) data_dir: Option<PathBuf>,
    /// Where the root key is, if not in the data directory.
    pub(crate) root_key_file: Option<PathBuf>,
    /// The witness's name.
    pub(crate) name: Option<String>,
    /// Verifier strings of the logs that are known.
    #[serde(default)]
    pub(crate) logs: Vec<String>,
    /// A certificate and its issuers, PEM.
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub(crate) tls_key: Option<PathBuf>,
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The file cannot be read.
    #[error("the file {path} cannot be read")]
    Read {
        /// Which.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The file is no configuration.
    #[error("the configuration file {path} is not one:\n{reason}")]
    Parse {
        /// Which.
        path: PathBuf,
        /// Line, column and what was expected.
        reason: String,
    },
    /// Others could reach the service, and nobody would be asked who they are.
    #[error(
        "{0} is not a loopback address: without credentials anyone who reaches it has every key; \
         name a file with --credentials, or listen on 127.0.0.1 or [::1]"
    )]
    NotLoopback(SocketAddr),
    /// Client certificates would be verified, and nobody known by one.
    #[error(
        "--client-ca asks for client certificates, and without a credentials file nobody is known by \
         one: name it with --credentials"
    )]
    NobodyCertified,
    /// Nobody issues what is said to be revoked.
    #[error("--client-crl has what a CA has revoked: name that CA with --client-ca")]
    NoClientAuthority,
    /// Logs are written in other ways.
    #[error("STRONGROOM_LOG_FORMAT is {0:?}; it can be text or json")]
    LogFormat(String),
    /// A variable is set to bytes that are no text.
    #[error("the variable {0} is not text")]
    Variable(&'static str),
}

/// An age in a configuration file.
fn age<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text).map(Some).map_err(serde::de::Error::custom)
}

/// Reads a configuration file, if one is named.
///
/// # Errors
/// [`Error::Read`], [`Error::Parse`].
pub(crate) fn read(path: Option<&Path>) -> Result<File, Error> {
    parsed(path)
}

/// Reads a witness's configuration file, if one is named.
///
/// # Errors
/// [`Error::Read`], [`Error::Parse`].
pub(crate) fn read_witness(path: Option<&Path>) -> Result<WitnessFile, Error> {
    parsed(path)
}

fn parsed<T: Default + serde::de::DeserializeOwned>(path: Option<&Path>) -> Result<T, Error> {
    let Some(path) = path else { return Ok(T::default()) };
    let text = read_text(path)?;
    toml::from_str(&text).map_err(|error| Error::Parse {
        path: path.to_owned(),
        reason: error.to_string().trim_end().to_owned(),
    })
}

/// The root key's text, which is wiped, and where it came from: the variable, or a file. The data
/// directory's own is read by the store.
///
/// # Errors
/// [`Error::Variable`], [`Error::Read`].
pub(crate) fn root_key(file: Option<&Path>) -> Result<Option<(Zeroizing<String>, String)>, Error> {
    if let Some(text) = variable(ROOT_KEY)? {
        return Ok(Some((Zeroizing::new(text), ROOT_KEY.to_owned())));
    }
    let Some(path) = file else { return Ok(None) };
    Ok(Some((secrets(path)?, path.display().to_string())))
}

/// Reads a file with secrets; its text is wiped.
///
/// # Errors
/// [`Error::Read`]
pub(crate) fn secrets(path: &Path) -> Result<Zeroizing<String>, Error> {
    read_text(path).map(Zeroizing::new)
}

/// What the providers' own variables say of how object stores are reached: names and values. One that is no text
/// is passed over.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub(crate) fn store_variables() -> Vec<(String, Zeroizing<String>)> {
    let ours = |name: &str| {
        ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|provider| name.starts_with(provider))
    };
    let text = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok().filter(|name| ours(name))?;
        Some((name, Zeroizing::new(value.into_string().ok()?)))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// What is logged: the variable `STRONGROOM_LOG`, as `tracing` directives.
pub(crate) fn log_filter() -> String {
    variable("STRONGROOM_LOG").ok().flatten().unwrap_or_else(|| "warn".to_owned())
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How logs are written: the variable `STRONGROOM_LOG_FORMAT`, `text` or `json`.
///
/// # Errors
/// [`Error::Variable`], [`Error::LogFormat`].
pub(crate) fn log_format() -> Result<LogFormat, Error> {
    match variable("STRONGROOM_LOG_FORMAT")?.as_deref() {
        None | Some("text") => Ok(LogFormat::Text),
        Some("json") => Ok(LogFormat::Json),
        Some(other) => Err(Error::LogFormat(other.to_owned())),
    }
}

/// What AWS's command line and SDKs take from the environment.
#[derive(Debug, Default)]
pub(crate) struct Aws {
    /// `AWS_ENDPOINT_URL_S3`, or else `AWS_ENDPOINT_URL`.
    pub(crate) endpoint: Option<String>,
    /// `AWS_REGION`, or else `AWS_DEFAULT_REGION`.
    pub(crate) region: Option<String>,
    /// `AWS_ACCESS_KEY_ID`
    pub(crate) access_key_id: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`
    pub(crate) secret_access_key: Option<Zeroizing<String>>,
    /// `AWS_SESSION_TOKEN`
    pub(crate) session_token: Option<Zeroizing<String>>,
}

/// Reads AWS's variables; an empty one is none.
///
/// # Errors
/// [`Error::Variable`]
pub(crate) fn aws() -> Result<Aws, Error> {
    let set = |name| variable(name).map(|text| text.filter(|text| !text.is_empty()));
    let either = |one, other| set(one)?.map_or_else(|| set(other), |text| Ok(Some(text)));
    Ok(Aws {
        endpoint: either("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")?,
        region: either("AWS_REGION", "AWS_DEFAULT_REGION")?,
        access_key_id: set("AWS_ACCESS_KEY_ID")?,
        secret_access_key: set("AWS_SECRET_ACCESS_KEY")?.map(Zeroizing::new),
        session_token: set("AWS_SESSION_TOKEN")?.map(Zeroizing::new),
    })
}

/// Refuses an address that others can reach, where nobody is asked who they are.
///
/// # Errors
/// [`Error::NotLoopback`]
pub(crate) fn check_listen(address: SocketAddr, asked: bool) -> Result<SocketAddr, Error> {
    let closed = address.ip().is_loopback() || asked;
    if closed { Ok(address) } else { Err(Error::NotLoopback(address)) }
}

/// Refuses a CA of client certificates where nobody is known by one, and a list of revoked ones without a CA.
///
/// # Errors
/// [`Error::NobodyCertified`], [`Error::NoClientAuthority`].
pub(crate) fn check_clients(authority: bool, revoked: bool, asked: bool) -> Result<(), Error> {
    match (authority, revoked) {
        (true, _) if !asked => Err(Error::NobodyCertified),
        (false, true) => Err(Error::NoClientAuthority),
        _ => Ok(()),
    }
}

const ROOT_KEY: &str = "STRONGROOM_ROOT_KEY";

fn read_text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
fn variable(name: &'static str) -> Result<Option<String>, Error> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Error::Variable(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_an_unknown_or_wrong_member_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("strongroom.toml");
        let refused = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(Some(&path)).unwrap_err().to_string()
        };
        assert!(refused("listne = \"127.0.0.1:1\"").contains("listne"));
        assert!(refused("listen = 5").contains("line 1"));
        assert!(refused("listen = ").contains("line 1"));
        std::fs::write(&path, "listen = \"127.0.0.1:1\"").unwrap();
        assert_eq!(read(Some(&path)).unwrap().listen, Some(([127, 0, 0, 1], 1).into()));
        assert!(matches!(read(Some(folder.path())), Err(Error::Read { .. })));
    }

    #[test]
    fn client_certificates_need_a_ca_and_somebody_who_is_known() {
        assert!(check_clients(false, false, false).is_ok());
        assert!(
            check_clients(true, true, true).is_ok() && check_clients(true, false, true).is_ok()
        );
        let said = |authority, revoked, asked| {
            check_clients(authority, revoked, asked).unwrap_err().to_string()
        };
        assert!(said(true, false, false).contains("--credentials"));
        assert!(said(false, true, true).contains("--client-ca"));
    }

    #[test]
    fn only_loopback_is_listened_on_without_credentials() {
        for (address, fits) in [
            ("127.0.0.1:0", true),
            ("127.8.8.8:1", true),
            ("[::1]:1", true),
            ("0.0.0.0:1", false),
            ("192.168.0.1:1", false),
            ("[::]:1", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(check_listen(address, false).is_ok(), fits, "{address}");
            assert!(check_listen(address, true).is_ok());
        }
    }
}
