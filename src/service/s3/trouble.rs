//! What the trouble of a store of bytes is to a client of ours.

use std::error::Error as StdError;
use std::io::ErrorKind;

use object_store::client::HttpError;

use crate::objects::Error;
use crate::store::with_causes;

#[expect(clippy::needless_pass_by_value, reason = "a place to map errors to")]
pub(super) fn failed(error: object_store::Error) -> Error {
    tracing::error!(error = %with_causes(&error), "bytes could not be stored");
    refusal(&error).unwrap_or(Error::Internal)
}

/// What a store's error is to a client, where it is one that goes by itself or that an operator can mend.
pub(super) fn refusal(error: &(dyn StdError + 'static)) -> Option<Error> {
    std::iter::successors(Some(error), |error| cause(*error)).find_map(|error| {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            return full.then_some(Error::Full);
        }
        // It lets nobody in: its credentials have gone, say, until its operator has new ones.
        if let Some(
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. },
        ) = error.downcast_ref()
        {
            return Some(Error::Unavailable);
        }
        // It does not answer, or the connection ended while it did.
        if error.is::<HttpError>() {
            return Some(Error::Unavailable);
        }
        of_answer(&error.to_string())
    })
}

/// What an object store's answer is to a client of ours. `object_store` gives its status in words alone.
fn of_answer(said: &str) -> Option<Error> {
    let (_, answer) = said.split_once(ANSWERED)?;
    let (status, slow) = (answer.get(..3)?.parse::<u16>().ok()?, answer.contains("SlowDown"));
    match status {
        429 => Some(Error::SlowDown),
        507 => Some(Error::Full),
        503 if slow => Some(Error::SlowDown),
        500.. => Some(Error::Unavailable),
        _ => None,
    }
}

/// Before the status of an answer.
const ANSWERED: &str = "Server returned non-2xx status code: ";

/// An error's cause; an I/O error hides the one that it was made of.
fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_full_disk_is_told_from_what_nobody_expects() {
        let of_folder = |errno: Errno| object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(std::io::Error::other(std::io::Error::from(errno))),
        };
        for errno in [Errno::NOSPC, Errno::DQUOT] {
            let error = failed(of_folder(errno));
            assert!(matches!(error, Error::Full), "{error:?}");
            assert_eq!((error.code().as_str(), error.status()), ("ServiceUnavailable", 503));
            assert!(error.to_string().contains("no room left"), "{error}");
        }
        assert!(matches!(failed(of_folder(Errno::IO)), Error::Internal));
    }
}
