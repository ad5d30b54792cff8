//! One object: looked at, and encrypted as it is wished for.
//!
//! Nothing that somebody else writes meanwhile is overwritten: a copy is on condition of the ETag that was
//! seen, of its source and of its target. An update moves no bytes, so that it can overwrite none.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use md5::{Digest, Md5};

use super::client::{Asked, Failure, S3};
use super::wish::{Found, Way, Wish};
use crate::crypto::request_signature::encoded_path;

/// An object as S3 shows it.
#[derive(Debug)]
pub(super) struct Headed {
    pub(super) found: Found,
    pub(super) size: u64,
    headers: HeaderMap,
}

impl Headed {
    fn text(&self, name: &str) -> Option<String> {
        Some(self.headers.get(name)?.to_str().ok()?.to_owned())
    }
}

/// Looks at an object; none if it is gone. `HEAD` does not say why it refuses: then the first byte is asked
/// for, and S3 says it.
pub(super) async fn head(s3: &S3, bucket: &str, key: &str) -> Result<Option<Headed>, Failure> {
    let asked = Asked { method: Method::HEAD, bucket, key, ..Default::default() };
    let answer = match s3.ask(&asked).await {
        Err(failure)
            if matches!(
                failure.status(),
                Some(StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN)
            ) =>
        {
            let headers = vec![("range", "bytes=0-0".to_owned())];
            s3.ask(&Asked { method: Method::GET, bucket, key, headers, ..Default::default() }).await
        }
        answered => answered,
    };
    match answer {
        Ok(answer) => {
            let headers = answer.headers;
            let length =
                |name: &str| headers.get(name)?.to_str().ok()?.rsplit('/').next()?.parse().ok();
            let size =
                length("content-range").or_else(|| length("content-length")).unwrap_or_default();
            Ok(Some(Headed { found: Found::of(&headers), size, headers }))
        }
        Err(failure) if failure.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
        Err(Failure::Refused { code, .. }) if code == "InvalidRequest" => {
            Ok(Some(Headed { found: Found::customer(), size: 0, headers: HeaderMap::new() }))
        }
        Err(failure) => Err(failure),
    }
}

/// Why an object has not the encryption that is wished for.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotDone {
    #[error("it is gone")]
    Gone,
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("it cannot be read without its customer's key")]
    Customer,
    #[error(
        "it has more than 5 GB, which CopyObject does not copy: copy it in parts (`aws s3 cp`)"
    )]
    Large,
    #[error("S3 took it, and the object still has {0}")]
    Otherwise(&'static str),
}

/// Encrypts an object, and reads back that it is so.
pub(super) async fn fix(
    s3: &S3,
    (bucket, key): (&str, &str),
    seen: &Headed,
    wish: &Wish,
) -> Result<(Way, Headed), NotDone> {
    if seen.found.is_customer() {
        return Err(NotDone::Customer);
    }
    let way = wish.way(&seen.found);
    let made = match &way {
        Way::Update(arn) => update(s3, (bucket, key), seen, wish.document(arn, &seen.found)).await,
        Way::Copy if seen.size > LONGEST => return Err(NotDone::Large),
        Way::Copy => copy(s3, (bucket, key), seen, wish).await,
    };
    // Whatever was said (an answer may be lost on the way), what counts is what is there now.
    let now = match head(s3, bucket, key).await {
        Ok(now) => now.ok_or(NotDone::Gone)?,
        Err(unseen) => return Err(made.err().unwrap_or(unseen).into()),
    };
    match wish.fault(&now.found) {
        None => Ok((way, now)),
        Some(fault) => Err(made.err().map_or(NotDone::Otherwise(fault.name()), NotDone::Failed)),
    }
}

async fn update(
    s3: &S3,
    (bucket, key): (&str, &str),
    seen: &Headed,
    document: String,
) -> Result<(), Failure> {
    let version = seen.text("x-amz-version-id").filter(|version| version != "null");
    let mut query = vec![("encryption", "")];
    query.extend(version.as_deref().map(|version| ("versionId", version)));
    let headers = vec![("content-md5", STANDARD.encode(Md5::digest(document.as_bytes())))];
    let body = Bytes::from(document);
    let asked =
        Asked { method: Method::PUT, bucket, key, query: &query, headers, body, patience: None };
    s3.ask(&asked).await.map(|_| ())
}

/// Metadata and tags come along by themselves; what does not is named.
async fn copy(
    s3: &S3,
    (bucket, key): (&str, &str),
    seen: &Headed,
    wish: &Wish,
) -> Result<(), Failure> {
    let etag = seen.text("etag").ok_or(Failure::Strange("an object without an ETag"))?;
    let version = seen.text("x-amz-version-id");
    let mut source = encoded_path(&format!("/{bucket}/{key}"));
    if let Some(version) = version {
        source.push_str("?versionId=");
        source.push_str(&encoded_path(&version));
    }
    let mut headers = wish.headers();
    headers.push(("x-amz-copy-source", source));
    headers.push(("x-amz-copy-source-if-match", etag.clone()));
    headers.push(("if-match", etag));
    headers.extend(KEPT.iter().filter_map(|name| Some((*name, seen.text(name)?))));
    let patience = Some(COPY_PATIENCE);
    s3.ask(&Asked { method: Method::PUT, bucket, key, headers, patience, ..Default::default() })
        .await
        .map(|_| ())
}

/// What `CopyObject` gives the copy only if it is told to.
const KEPT: [&str; 5] = [
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// Bytes that `CopyObject` copies at the most.
const LONGEST: u64 = 5 << 30;
/// How long a copy of that may take.
const COPY_PATIENCE: Duration = Duration::from_secs(30 * 60);
