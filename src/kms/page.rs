//! Pages of lists: how many entries, from where, and the marker that leads on.
//!
//! A marker is base64url of eight bytes of a digest of the listing (its kind, scope and filters)
//! and the last entry shown. It names a position, no secret, so it needs no seal; the digest is
//! there because a marker of another listing would silently skip entries.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::outputs::Listed;
use super::{Error, Scope};
use crate::crypto::digest;

/// One page of one listing.
#[derive(Debug)]
pub(super) struct Page {
    listing: [u8; 8],
    /// Entries at the most.
    pub(super) limit: usize,
    /// The last entry of the page before.
    pub(super) after: Option<String>,
}

impl Page {
    /// Checks a list's parameters. `what` names kind and filter of the listing.
    ///
    /// # Errors
    /// [`Error::Validation`] for a limit out of range, [`Error::InvalidMarker`] for a marker of
    /// another listing or none.
    pub(super) fn new(
        scope: &Scope,
        what: &[&str],
        limit: Option<i32>,
        (default, greatest): (usize, i32),
        marker: Option<&str>,
    ) -> Result<Self, Error> {
        let limit = match limit {
            None => default,
            Some(asked) => usize::try_from(asked)
                .ok()
                .filter(|_| (1..=greatest).contains(&asked))
                .ok_or_else(|| {
                    let bound = if asked < 1 {
                        "greater than or equal to 1".to_owned()
                    } else {
                        format!("less than or equal to {greatest}")
                    };
                    let constraint = format!("Member must have value {bound}");
                    Error::constraint(&asked.to_string(), "limit", &constraint)
                })?,
        };
        let whole = [scope.account(), scope.region()].into_iter().chain(what.iter().copied());
        let whole: Vec<&[u8]> = whole.flat_map(|part| [part.as_bytes(), &[0]]).collect();
        let digest = digest::sha256(&whole);
        let listing = *digest.first_chunk().ok_or(Error::Internal)?;
        let after = marker.map(|marker| position(marker, &listing)).transpose()?;
        Ok(Self { listing, limit, after })
    }

    /// Cuts `entries`, of which one more than the limit was fetched, to the page.
    pub(super) fn cut<T>(&self, mut entries: Vec<T>, name: impl Fn(&T) -> String) -> Listed<T> {
        let more = entries.len() > self.limit;
        entries.truncate(self.limit);
        let last = entries.last().filter(|_| more);
        let next_marker = last.map(|last| {
            URL_SAFE_NO_PAD.encode([&self.listing[..], name(last).as_bytes()].concat())
        });
        Listed { entries, next_marker }
    }
}

fn position(marker: &str, listing: &[u8; 8]) -> Result<String, Error> {
    let parse = || {
        let bytes = (marker.len() <= MARKER_LEN).then(|| URL_SAFE_NO_PAD.decode(marker).ok())??;
        let (found, rest) = bytes.split_first_chunk::<8>()?;
        (found == listing).then(|| String::from_utf8(rest.to_vec()).ok())?
    };
    parse().ok_or(Error::InvalidMarker)
}

/// Characters of a marker at the most (API reference, `Marker`: 1,024).
const MARKER_LEN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn page(what: &str, limit: Option<i32>, marker: Option<&str>) -> Result<Page, Error> {
        let scope = Scope::new("111122223333", "us-east-1").unwrap();
        Page::new(&scope, &[what], limit, (2, 10), marker)
    }

    #[test]
    fn a_marker_leads_on_in_its_own_listing_only() {
        let first = page("keys", None, None).unwrap();
        let listed = first.cut(vec!["a", "b", "c"], |name| (*name).to_owned());
        assert_eq!(listed.entries, ["a", "b"]);
        let marker = listed.next_marker.unwrap();
        let next = page("keys", None, Some(&marker)).unwrap();
        assert_eq!(next.after.as_deref(), Some("b"));
        assert_eq!(next.cut(vec!["c"], |name| (*name).to_owned()).next_marker, None);
        for (what, marker) in [("tags", marker.as_str()), ("keys", "!"), ("keys", "")] {
            assert_eq!(page(what, None, Some(marker)).unwrap_err(), Error::InvalidMarker);
        }
    }

    #[test]
    fn limits_out_of_range_are_refused() {
        for limit in [0, -1, 11] {
            assert!(matches!(page("keys", Some(limit), None), Err(Error::Validation(_))));
        }
        assert_eq!(page("keys", Some(10), None).unwrap().limit, 10);
    }
}
