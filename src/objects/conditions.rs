//! What has to be so of an object for a request to be done.
//!
//! Source: RFC 9110, section 13; S3 API Reference, `GetObject`, `PutObject`, `CopyObject`; S3 User Guide,
//! "Conditional requests".

use chrono::{DateTime, Utc};

use super::Error;
use super::requests::{Conditions, Etags};
use super::version::Version;

impl Etags {
    /// Whether an object's ETag is among them.
    fn have(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(these) => these.iter().any(|one| one == etag),
        }
    }
}

impl Conditions {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// For who reads: a comparison of ETags that says yes goes before one of times.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`], [`Error::NotModified`].
    pub(super) fn check_read(&self, etag: &str, modified: DateTime<Utc>) -> Result<(), Error> {
        // HTTP's times have no fractions.
        let later = |than: DateTime<Utc>| modified.timestamp() > than.timestamp();
        match (&self.if_match, self.if_unmodified_since) {
            (Some(etags), _) if !etags.have(etag) => {
                return Err(Error::PreconditionFailed("If-Match"));
            }
            (None, Some(since)) if later(since) => {
                return Err(Error::PreconditionFailed("If-Unmodified-Since"));
            }
            _ => {}
        }
        let is_known = match (&self.if_none_match, self.if_modified_since) {
            (Some(etags), _) => etags.have(etag),
            (None, Some(since)) => !later(since),
            (None, None) => false,
        };
        if is_known { Err(Error::NotModified { etag: etag.to_owned() }) } else { Ok(()) }
    }

    /// For who copies: what a reader would not be given again is not copied.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`]
    pub fn check_source(&self, etag: &str, modified: DateTime<Utc>) -> Result<(), Error> {
        self.check_read(etag, modified).map_err(|error| match error {
            Error::NotModified { .. } if self.if_none_match.is_some() => {
                Error::PreconditionFailed("x-amz-copy-source-If-None-Match")
            }
            Error::NotModified { .. } => {
                Error::PreconditionFailed("x-amz-copy-source-If-Modified-Since")
            }
            Error::PreconditionFailed("If-Match") => {
                Error::PreconditionFailed("x-amz-copy-source-If-Match")
            }
            Error::PreconditionFailed(_) => {
                Error::PreconditionFailed("x-amz-copy-source-If-Unmodified-Since")
            }
            other => other,
        })
    }

    /// For who writes `key`, whose latest version is `latest`.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`]; [`Error::NoSuchKey`] where there is nothing to match;
    /// [`Error::NotImplemented`] for `If-None-Match` with an ETag, as on AWS.
    pub(super) fn check_write(&self, key: &str, latest: Option<&Version>) -> Result<(), Error> {
        let object = latest.and_then(Version::object);
        match (&self.if_none_match, object) {
            (Some(Etags::These(_)), _) => {
                return Err(Error::NotImplemented("If-None-Match".to_owned()));
            }
            (Some(Etags::Any), Some(_)) => return Err(Error::PreconditionFailed("If-None-Match")),
            _ => {}
        }
        match (&self.if_match, object) {
            (Some(_), None) => Err(Error::NoSuchKey { key: key.to_owned(), delete_marker: None }),
            (Some(etags), Some((_, body))) if !etags.have(&body.etag) => {
                Err(Error::PreconditionFailed("If-Match"))
            }
            _ => Ok(()),
        }
    }
}

/// For who deletes: `If-Match` is about the latest version, whichever is to go.
///
/// # Errors
/// [`Error::PreconditionFailed`], also of a delete marker; [`Error::NoSuchKey`] where there is nothing.
pub(super) fn check_delete(
    if_match: Option<&Etags>,
    key: &str,
    latest: Option<&Version>,
) -> Result<(), Error> {
    let Some(etags) = if_match else { return Ok(()) };
    let missing = || Error::NoSuchKey { key: key.to_owned(), delete_marker: None };
    let object = latest.ok_or_else(missing)?.object();
    let holds = object.is_some_and(|(_, body)| etags.have(&body.etag));
    if holds { Ok(()) } else { Err(Error::PreconditionFailed("If-Match")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110, section 13.2.2, and the note of S3's `GetObject` on pairs of conditions.
    #[test]
    fn an_etag_that_decides_goes_before_a_time() {
        let modified = DateTime::from_timestamp(1_000, 999_000_000).unwrap();
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        let these = |etag: &str| Some(Etags::These(vec!["x".to_owned(), etag.to_owned()]));
        let told = |if_match, unmodified, if_none_match, since| {
            let conditions = Conditions {
                if_match,
                if_none_match,
                if_modified_since: since,
                if_unmodified_since: unmodified,
            };
            conditions.check_read("e", modified).map_err(|error| error.status()).err()
        };
        assert_eq!(told(None, None, None, None), None);
        assert_eq!(told(these("e"), at(1), None, None), None);
        assert_eq!(told(Some(Etags::Any), None, None, None), None);
        assert_eq!(told(these("f"), at(2_000), None, None), Some(412));
        assert_eq!(told(None, at(999), None, None), Some(412));
        assert_eq!(told(None, at(1_000), None, None), None);
        assert_eq!(told(None, None, these("e"), at(1)), Some(304));
        assert_eq!(told(None, None, Some(Etags::Any), None), Some(304));
        assert_eq!(told(None, None, these("f"), at(2_000)), None);
        assert_eq!(told(None, None, None, at(999)), None);
        assert_eq!(told(None, None, None, at(1_000)), Some(304));
        assert_eq!(told(these("f"), None, these("e"), None), Some(412));
    }
}
