//! Whether a signature is that of a known key: the half of Signature Version 4 that needs its secret.
//!
//! Checked in the order in which AWS answers: time, scope, key, signature.
//!
//! Source: IAM User Guide, "Create a signed AWS API request"; AWS's own messages.

use chrono::{DateTime, TimeDelta, Utc};
use subtle::ConstantTimeEq;

use super::Error;
use crate::crypto::Plaintext;
use crate::crypto::mac::{MacHash, mac};

/// A signed request, as its door read it; nothing of it is believed yet.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The access key id.
    pub id: String,
    /// Of the scope: `20261125`.
    pub date: String,
    /// Of the scope.
    pub region: String,
    /// Of the scope.
    pub service: String,
    /// Of the scope: `aws4_request`.
    pub term: String,
    /// The door's own service.
    pub wanted_service: &'static str,
    /// When it says to have been signed, if it does.
    pub time: Option<DateTime<Utc>>,
    /// Headers that have to be signed and are not.
    pub unsigned_headers: Vec<String>,
    /// Hex.
    pub signature: String,
    /// What goes with keys that are not for long.
    pub session_token: Option<String>,
    /// What was to be signed.
    pub string_to_sign: String,
}

/// How far a caller's clock may be from ours, in minutes.
const SKEW_MINUTES: i64 = 15;
const TERM: &str = "aws4_request";

impl Signed {
    /// Whether time and scope are such that a signature is worth being looked at.
    ///
    /// # Errors
    /// [`Error::IncompleteSignature`], [`Error::InvalidSignature`]
    pub(super) fn check_scope(&self, now: DateTime<Utc>) -> Result<(), Error> {
        let time = self.time.ok_or_else(|| {
            Error::IncompleteSignature(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
                    .to_owned(),
            )
        })?;
        let skew = TimeDelta::minutes(SKEW_MINUTES);
        let shown = |time: DateTime<Utc>| time.format("%Y%m%dT%H%M%SZ").to_string();
        let wrong = |what: String| Err(Error::InvalidSignature(what));
        let (signed, here) = (shown(time), shown(now));
        if time < now - skew {
            let least = shown(now - skew);
            return wrong(format!(
                "Signature expired: {signed} is now earlier than {least} ({here} - {SKEW_MINUTES} \
                 min.)"
            ));
        }
        if time > now + skew {
            let most = shown(now + skew);
            return wrong(format!(
                "Signature not yet current: {signed} is still later than {most} ({here} + \
                 {SKEW_MINUTES} min.)"
            ));
        }
        let mut found = Vec::new();
        if self.service != self.wanted_service {
            let wanted = self.wanted_service;
            found.push(format!("Credential should be scoped to correct service: '{wanted}'. "));
        }
        if self.term != TERM {
            let term: String = self.term.chars().take(64).collect();
            found.push(format!(
                "Credential should be scoped with a valid terminator: '{TERM}', not '{term}'. "
            ));
        }
        let date = time.format("%Y%m%d").to_string();
        if self.date != date {
            let given: String = self.date.chars().take(64).collect();
            found.push(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
                 HTTP: '{given}' != '{date}', from '{signed}'. "
            ));
        }
        // One is enough to be told: names are the caller's, and as many as it likes.
        if let Some(name) = self.unsigned_headers.first() {
            let name = match name.as_str() {
                "host" => "'Host' or ':authority'".to_owned(),
                name => format!("'{}'", name.chars().take(64).collect::<String>()),
            };
            found.push(format!("{name} must be a 'SignedHeader' in the AWS Authorization. "));
        }
        if found.is_empty() { Ok(()) } else { wrong(found.concat().trim_end().to_owned()) }
    }

    /// Whether the signature is made with `secret`.
    ///
    /// # Errors
    /// [`Error::InvalidSignature`]
    pub(super) fn check_signature(&self, secret: &Plaintext) -> Result<(), Error> {
        let prefixed = Plaintext::from([b"AWS4", secret.expose()].concat());
        let step = |key: &Plaintext, text: &str| {
            Plaintext::from(mac(MacHash::Sha256, key.expose(), text.as_bytes()))
        };
        let key = step(&prefixed, &self.date);
        let key = step(&key, &self.region);
        let key = step(&key, &self.service);
        let key = step(&key, TERM);
        let expected = hex::encode(step(&key, &self.string_to_sign).expose());
        if expected.as_bytes().ct_eq(self.signature.as_bytes()).into() {
            return Ok(());
        }
        Err(Error::InvalidSignature(
            "The request signature we calculated does not match the signature you provided. Check your \
             AWS Secret Access Key and signing method. Consult the service documentation for details."
                .to_owned(),
        ))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The worked example of "Create a signed AWS API request".
    pub(in crate::service) fn example() -> (Signed, Plaintext, DateTime<Utc>) {
        let time = DateTime::parse_from_rfc3339("2015-08-30T12:36:00Z").unwrap().to_utc();
        let signed = Signed {
            id: "AKIDEXAMPLE".to_owned(),
            date: "20150830".to_owned(),
            region: "us-east-1".to_owned(),
            service: "iam".to_owned(),
            term: TERM.to_owned(),
            wanted_service: "iam",
            time: Some(time),
            unsigned_headers: Vec::new(),
            signature: "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
                .to_owned(),
            session_token: None,
            string_to_sign:
                "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
                             f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
                    .to_owned(),
        };
        let secret = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_vec();
        (signed, Plaintext::from(secret), time)
    }

    fn said(checked: Result<(), Error>) -> String {
        checked.map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn awss_example_is_accepted_and_nothing_near_it() {
        let (signed, secret, time) = example();
        assert_eq!(said(signed.check_scope(time)), "fine");
        assert_eq!(said(signed.check_signature(&secret)), "fine");
        let other = Plaintext::from(b"another".to_vec());
        assert!(said(signed.check_signature(&other)).contains("does not match"));
        for signature in ["", "00", &signed.signature.to_uppercase(), &signed.signature[1..]] {
            let altered = Signed { signature: signature.to_owned(), ..signed.clone() };
            assert!(said(altered.check_signature(&secret)).contains("does not match"));
        }
    }

    #[test]
    fn clocks_may_differ_by_a_quarter_of_an_hour() {
        let (signed, _, time) = example();
        for (minutes, fits) in [(-15, true), (15, true), (-16, false), (16, false)] {
            let checked = signed.check_scope(time + TimeDelta::minutes(minutes));
            assert_eq!(checked.is_ok(), fits, "{minutes}");
        }
        let expired = said(signed.check_scope(time + TimeDelta::hours(1)));
        assert_eq!(
            expired,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T132100Z \
             (20150830T133600Z - 15 min.)"
        );
        let early = said(signed.check_scope(time - TimeDelta::hours(1)));
        assert!(early.starts_with("Signature not yet current: 20150830T123600Z"), "{early}");
    }

    #[test]
    fn every_fault_of_a_scope_is_named() {
        let (signed, _, time) = example();
        let undated = Signed { time: None, ..signed.clone() };
        assert!(said(undated.check_scope(time)).contains("either a 'X-Amz-Date'"));
        let wrong = Signed {
            wanted_service: "kms",
            term: "aws3_request".to_owned(),
            date: "20150831".to_owned(),
            unsigned_headers: vec!["host".to_owned(), "x-amz-date".to_owned()],
            ..signed.clone()
        };
        let found = said(wrong.check_scope(time));
        for part in ["service: 'kms'", "not 'aws3_request'", "'20150831' != '20150830'", "'Host'"] {
            assert!(found.contains(part), "{found}");
        }
        let unsigned = Signed { unsigned_headers: vec!["x-amz-target".to_owned()], ..signed };
        assert_eq!(
            said(unsigned.check_scope(time)),
            "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."
        );
    }
}
