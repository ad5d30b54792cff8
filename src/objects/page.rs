//! Tokens that lead from one page of a list to the next.
//!
//! A token is base64url of eight bytes of a digest of the listing (its kind, whose, filters) and the last
//! entry shown. It names a position, no secret; the digest is there because a token of another listing
//! would silently skip entries.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Error;
use crate::crypto::digest;

/// What one list is told from another by.
#[derive(Debug)]
pub(super) struct Listing([u8; 8]);

impl Listing {
    /// `what` names kind, owner and filters.
    ///
    /// # Errors
    /// [`Error::Internal`], which no digest is too short for.
    pub(super) fn new(what: &[&str]) -> Result<Self, Error> {
        let whole: Vec<Vec<u8>> =
            what.iter().map(|part| [&part.len().to_be_bytes(), part.as_bytes()].concat()).collect();
        let whole: Vec<&[u8]> = whole.iter().map(Vec::as_slice).collect();
        digest::sha256(&whole).first_chunk().map(|digest| Self(*digest)).ok_or(Error::Internal)
    }

    /// The token of the page after `last`.
    pub(super) fn token(&self, last: &str) -> String {
        URL_SAFE_NO_PAD.encode([&self.0[..], last.as_bytes()].concat())
    }

    /// The last entry of the page before.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a token of another list or none.
    pub(super) fn position(&self, token: &str) -> Result<String, Error> {
        let parse = || {
            let bytes =
                (token.len() <= TOKEN_LEN).then(|| URL_SAFE_NO_PAD.decode(token).ok())??;
            let (found, rest) = bytes.split_first_chunk::<8>()?;
            (*found == self.0).then(|| String::from_utf8(rest.to_vec()).ok())?
        };
        parse().ok_or_else(|| Error::InvalidArgument {
            message: "The continuation token provided is incorrect".to_owned(),
            name: "continuation-token",
            value: token.chars().take(256).collect(),
        })
    }
}

/// Characters of a token at the most: eight bytes and a key of 1,024 in base64.
const TOKEN_LEN: usize = 1376;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_on_in_its_own_list_only() {
        let own = Listing::new(&["objects", "a", "b"]).unwrap();
        let last = "k".repeat(1024);
        let token = own.token(&last);
        assert_eq!(token.len(), TOKEN_LEN);
        assert_eq!(own.position(&token).unwrap(), last);
        let other = Listing::new(&["objects", "ab", ""]).unwrap();
        for (listing, token) in [(&other, token.as_str()), (&own, ""), (&own, "!"), (&own, "AAAA")]
        {
            assert_eq!(listing.position(token).unwrap_err().code(), "InvalidArgument");
        }
        assert!(own.position(&own.token(&"k".repeat(1025))).is_err());
    }
}
