//! Where bytes are kept beside the database: a folder, or an object store by its URL. What sealed records and
//! objects' bytes are reached with is made here.
//!
//! Credentials and endpoints are `object_store`'s own settings, by its names. Time limits are ours: whoever waits
//! for an answer has it within about a minute, as AWS's SDKs wait.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as ObjectPath;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig};
use url::Url;
use zeroize::Zeroizing;

/// A place, as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder, or a file's URL.
    Folder(PathBuf),
    /// A bucket or container, and a prefix in it.
    Bucket(Url),
}

/// Why bytes cannot be kept in a place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// Somebody else's bytes are there.
    #[error(
        "{place} holds the objects of another data directory (its marker says {owner:?}); name a prefix of \
         its own with --objects, or the data directory that it belongs to"
    )]
    Claimed {
        /// Which place.
        place: String,
        /// What its marker says.
        owner: String,
    },
    /// Another copy of the same data directory has been there since.
    #[error(
        "{place} was used by another copy of this data directory since this one was: what was stored then is \
         not known here, and would be removed; start that copy, or, to go on without it, make \
         strongroom-objects there read {text:?}"
    )]
    Copied {
        /// Which place.
        place: String,
        /// What its marker has to be.
        text: String,
    },
    /// What does not outlive the process would leave its bytes behind.
    #[error("--objects is for what is kept: with --ephemeral everything goes with the process")]
    Ephemeral,
    /// The objects of this data directory are not there.
    #[error(
        "{0} is not where this data directory's objects are: it has no marker (strongroom-objects) of it; \
         name the place where they are with --objects, or move them there with the marker"
    )]
    Elsewhere(String),
    /// No client is built for it, or its settings are wrong.
    #[error("{place} is no place to keep bytes in")]
    Settings {
        /// Which place.
        place: String,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It does not answer, or refuses.
    #[error("{place}, where bytes are to be kept, cannot be used")]
    Unreachable {
        /// Which place.
        place: String,
        /// Its answer, or why there is none.
        #[source]
        source: Box<object_store::Error>,
    },
}

/// How object stores are reached: members of `[object_store]` and the providers' variables, by the names of
/// `object_store`. Redacted in `Debug`; the variables' values are wiped here, not in the clients made of them.
#[derive(Clone, Default)]
pub struct StoreSettings {
    table: BTreeMap<String, String>,
    variables: Vec<(String, Zeroizing<String>)>,
}

impl StoreSettings {
    /// Takes what a configuration file says, and variables (`AWS_…`, `AZURE_…`, `GOOGLE_…`), which come first.
    #[must_use]
    pub const fn new(
        table: BTreeMap<String, String>,
        variables: Vec<(String, Zeroizing<String>)>,
    ) -> Self {
        Self { table, variables }
    }

    /// A builder with what is set of a provider, whose variables begin with `prefix`.
    fn apply<B, K: FromStr>(
        &self,
        prefix: &str,
        builder: B,
        with: impl Fn(B, K, String) -> B,
    ) -> Result<B, String> {
        let mut builder = builder;
        for (name, value) in &self.table {
            let key = name.to_ascii_lowercase().parse().map_err(|_| {
                format!("[object_store] has {name}, which this kind of store does not know")
            })?;
            builder = with(builder, key, value.clone());
        }
        for (name, value) in self.variables.iter().filter(|(name, _)| name.starts_with(prefix)) {
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                builder = with(builder, key, value.to_string());
            }
        }
        Ok(builder)
    }
}

impl fmt::Debug for StoreSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.table.keys().chain(self.variables.iter().map(|(name, _)| name));
        f.debug_list().entries(names).finish()
    }
}

impl Place {
    /// From a folder's path or a URL.
    ///
    /// # Errors
    /// [`PlaceError::Settings`] for a URL of what is no object store.
    pub(super) fn parse(text: &str) -> Result<Self, PlaceError> {
        if !text.contains("://") {
            return Ok(Self::Folder(text.into()));
        }
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| PlaceError::Settings {
            place: text.to_owned(),
            source,
        };
        let url: Url = text.parse().map_err(|error: url::ParseError| failed(error.into()))?;
        if url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(failed("credentials and settings do not belong into its URL".into()));
        }
        match ObjectStoreScheme::parse(&url) {
            Ok((ObjectStoreScheme::Local, _)) => {
                let path = url.to_file_path();
                path.map(Self::Folder).map_err(|()| failed("it is not a path".into()))
            }
            Ok((
                ObjectStoreScheme::AmazonS3
                | ObjectStoreScheme::GoogleCloudStorage
                | ObjectStoreScheme::MicrosoftAzure,
                _,
            )) => Ok(Self::Bucket(url)),
            _ => Err(failed(
                "it is neither a folder nor the URL of an object store: s3://BUCKET/PREFIX, \
                 gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, or the https:// form of one of them"
                    .into(),
            )),
        }
    }
}

/// The client of a bucket, and the prefix that its URL names. Nothing is asked for yet.
///
/// # Errors
/// [`PlaceError::Settings`]
pub(super) fn open_bucket(
    url: &Url,
    settings: &StoreSettings,
) -> Result<(Arc<dyn ObjectStore>, ObjectPath), PlaceError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| PlaceError::Settings {
        place: url.to_string(),
        source,
    };
    let (scheme, prefix) = ObjectStoreScheme::parse(url).map_err(|error| failed(error.into()))?;
    let made: Result<Arc<dyn ObjectStore>, _> = match scheme {
        ObjectStoreScheme::AmazonS3 => {
            let builder = AmazonS3Builder::new().with_client_options(client()).with_retry(retry());
            let builder = settings
                .apply("AWS_", builder, |builder, key, value| builder.with_config(key, value));
            builder.map_err(|why| failed(why.into()))?.with_url(url.as_str()).build().map(shared)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let builder =
                GoogleCloudStorageBuilder::new().with_client_options(client()).with_retry(retry());
            let builder = settings
                .apply("GOOGLE_", builder, |builder, key, value| builder.with_config(key, value));
            builder.map_err(|why| failed(why.into()))?.with_url(url.as_str()).build().map(shared)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let builder =
                MicrosoftAzureBuilder::new().with_client_options(client()).with_retry(retry());
            let builder = settings
                .apply("AZURE_", builder, |builder, key, value| builder.with_config(key, value));
            builder.map_err(|why| failed(why.into()))?.with_url(url.as_str()).build().map(shared)
        }
        _ => return Err(failed("there is no client for it".into())),
    };
    Ok((made.map_err(|error| failed(error.into()))?, prefix))
}

fn shared(store: impl ObjectStore) -> Arc<dyn ObjectStore> {
    Arc::new(store)
}

/// A request may take as long as something of it moves.
fn client() -> ClientOptions {
    ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(Duration::from_secs(5))
        .with_read_timeout(Duration::from_secs(30))
}

/// Who waits for an answer has it before SDKs give up, which most do after a minute.
fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: Duration::from_secs(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(table: &[(&str, &str)], variables: &[(&str, &str)]) -> StoreSettings {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let secret = |(name, value): &(&str, &str)| {
            ((*name).to_owned(), Zeroizing::new((*value).to_owned()))
        };
        StoreSettings::new(
            table.iter().map(owned).collect(),
            variables.iter().map(secret).collect(),
        )
    }

    #[test]
    fn places_are_folders_and_the_urls_of_three_kinds_of_stores() {
        assert_eq!(Place::parse("a/b").unwrap(), Place::Folder("a/b".into()));
        assert_eq!(Place::parse("file:///a/b").unwrap(), Place::Folder("/a/b".into()));
        for (text, prefix) in [
            ("s3://bucket/a/b", "a/b"),
            ("gs://bucket", ""),
            ("az://container/a", "a"),
            ("abfss://container@account.dfs.core.windows.net/a", "a"),
            ("https://account.blob.core.windows.net/container/a", "a"),
            ("https://s3.eu-west-1.amazonaws.com/bucket/a", "a"),
        ] {
            let Place::Bucket(url) = Place::parse(text).unwrap() else { panic!("{text}") };
            let options = settings(
                &[],
                &[("AZURE_STORAGE_ACCOUNT_NAME", "account"), ("GOOGLE_SKIP_SIGNATURE", "true")],
            );
            let (_, found) = open_bucket(&url, &options).unwrap();
            assert_eq!(found.as_ref(), prefix, "{text}");
        }
        for text in [
            "http://example.com/a",
            "https://example.com/a",
            "ftp://a/b",
            "memory:///a",
            "s3://user:secret@bucket/a",
            "s3://bucket/a?region=b",
            "s3://",
        ] {
            let said = Place::parse(text).unwrap_err();
            assert!(matches!(said, PlaceError::Settings { .. }), "{text}: {said:?}");
        }
    }

    #[test]
    fn settings_are_known_to_the_store_that_they_are_for_and_not_shown() {
        let url = "s3://bucket".parse().unwrap();
        let wrong = open_bucket(&url, &settings(&[("regoin", "eu-west-1")], &[])).unwrap_err();
        assert!(crate::store::with_causes(&wrong).contains("regoin"), "{wrong:?}");
        // Of variables others may have set some.
        let both = settings(
            &[("region", "eu-west-1")],
            &[
                ("AWS_ACCESS_KEY_ID", "a"),
                ("AWS_SECRET_ACCESS_KEY", "hidden"),
                ("AWS_PROFILE", "b"),
                ("AZURE_CLIENT_ID", "c"),
            ],
        );
        let (store, _) = open_bucket(&url, &both).unwrap();
        let shown = format!("{both:?} {store:?}");
        assert!(shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("hidden"), "{shown}");
    }
}
