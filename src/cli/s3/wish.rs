//! The encryption that objects should have, and what S3 says that one has.

use http::HeaderMap;

use super::super::error::Error;
use super::client::S3;
use crate::sse::{Header, Mode};

/// What S3 says of an object's encryption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The value of `x-amz-server-side-encryption`, [`CUSTOMER`], or nothing: the object is in clear.
    pub(super) mode: Option<String>,
    pub(super) key_arn: Option<String>,
    pub(super) bucket_key: bool,
}

/// Stands for SSE-C, which has no value of its own.
pub(super) const CUSTOMER: &str = "SSE-C";

impl Found {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |header: Header| Some(headers.get(header.name())?.to_str().ok()?.to_owned());
        Self {
            mode: text(Header::Mode),
            key_arn: text(Header::KeyId),
            bucket_key: text(Header::BucketKey).as_deref() == Some("true"),
        }
    }

    /// Of an object that cannot be read without its customer's key.
    pub(super) fn customer() -> Self {
        Self { mode: Some(CUSTOMER.to_owned()), ..Default::default() }
    }

    pub(super) fn is_customer(&self) -> bool {
        self.mode.as_deref() == Some(CUSTOMER)
    }
}

/// What is wrong with an object's encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Clear,
    OtherMode,
    OtherKey,
    NoBucketKey,
}

impl Fault {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Clear => "not encrypted",
            Self::OtherMode => "another mode",
            Self::OtherKey => "another key",
            Self::NoBucketKey => "no bucket key",
        }
    }
}

/// How an object comes to another encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// `CopyObject` onto itself: its bytes are read and sealed anew.
    Copy,
    /// `UpdateObjectEncryption`: its key is sealed anew under this key's ARN.
    Update(String),
}

impl Way {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Copy => "CopyObject",
            Self::Update(_) => "UpdateObjectEncryption",
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// None: anything but clear.
    mode: Option<Mode>,
    /// The key's ARN; none: whichever KMS key, and `aws/s3` for what is encrypted anew.
    key_arn: Option<String>,
    bucket_key: bool,
}

impl Wish {
    /// What the command line asks for.
    pub(super) async fn of(
        s3: &S3,
        mode: Option<Mode>,
        key: Option<&str>,
        bucket_key: bool,
    ) -> Result<Self, Error> {
        let mode = mode.or(key.is_some().then_some(Mode::Kms));
        if key.is_some() && mode == Some(Mode::S3) {
            return Err(Error::Usage(
                "AES256 is under keys of S3's own: it takes no --key".to_owned(),
            ));
        }
        if bucket_key && mode != Some(Mode::Kms) {
            return Err(Error::Usage("--bucket-key is of --mode aws:kms".to_owned()));
        }
        let key_arn = match key {
            Some(arn) if is_key_arn(arn) => Some(arn.to_owned()),
            Some(name) => Some(s3.key_arn(name).await?),
            None => None,
        };
        Ok(Self { mode, key_arn, bucket_key })
    }

    /// Whether it says what to encrypt with.
    pub(super) const fn is_definite(&self) -> bool {
        self.mode.is_some()
    }

    /// What an object's encryption lacks.
    pub(super) fn fault(&self, found: &Found) -> Option<Fault> {
        let Some(has) = found.mode.as_deref() else { return Some(Fault::Clear) };
        let mode = self.mode?;
        if mode.header_value() != Some(has) {
            return Some(Fault::OtherMode);
        }
        if self.key_arn.is_some() && self.key_arn != found.key_arn {
            return Some(Fault::OtherKey);
        }
        (self.bucket_key && !found.bucket_key).then_some(Fault::NoBucketKey)
    }

    /// The one that S3 has for it: only from SSE-S3 and SSE-KMS to SSE-KMS under a named key are bytes left
    /// where they are.
    pub(super) fn way(&self, now: &Found) -> Way {
        let updatable = matches!(now.mode.as_deref(), Some("AES256" | "aws:kms"));
        match (&self.mode, &self.key_arn) {
            (Some(Mode::Kms), Some(arn)) if updatable => Way::Update(arn.clone()),
            _ => Way::Copy,
        }
    }

    /// As the headers of a copy. Without `--bucket-key` the bucket's own setting holds.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let mode = self.mode.and_then(Mode::header_value);
        let mut headers: Vec<_> =
            mode.map(|mode| (Header::Mode.name(), mode.to_owned())).into_iter().collect();
        headers.extend(self.key_arn.clone().map(|arn| (Header::KeyId.name(), arn)));
        if self.bucket_key {
            headers.push((Header::BucketKey.name(), "true".to_owned()));
        }
        headers
    }

    /// As the document of an update. A bucket key that the object has stays.
    pub(super) fn document(&self, arn: &str, found: &Found) -> String {
        format!(
            "<ObjectEncryption xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><SSE-KMS><KMSKeyArn>{}\
             </KMSKeyArn><BucketKeyEnabled>{}</BucketKeyEnabled></SSE-KMS></ObjectEncryption>",
            quick_xml::escape::escape(arn),
            self.bucket_key || found.bucket_key
        )
    }
}

fn is_key_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.contains(":key/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/k";

    fn found(mode: Option<&str>, key: Option<&str>, bucket_key: bool) -> Found {
        Found { mode: mode.map(str::to_owned), key_arn: key.map(str::to_owned), bucket_key }
    }

    #[test]
    fn faults_are_told_in_the_order_of_their_weight() {
        let any = Wish::default();
        let kms = Wish { mode: Some(Mode::Kms), key_arn: Some(KEY.to_owned()), bucket_key: true };
        let loose = Wish { mode: Some(Mode::Kms), ..Default::default() };
        let s3 = Wish { mode: Some(Mode::S3), ..Default::default() };
        for (found, faults) in [
            (found(None, None, false), [Some(Fault::Clear); 4]),
            (
                found(Some("AES256"), None, false),
                [None, Some(Fault::OtherMode), Some(Fault::OtherMode), None],
            ),
            (
                Found::customer(),
                [None, Some(Fault::OtherMode), Some(Fault::OtherMode), Some(Fault::OtherMode)],
            ),
            (
                found(Some("aws:kms"), Some("arn:other"), true),
                [None, Some(Fault::OtherKey), None, Some(Fault::OtherMode)],
            ),
            (
                found(Some("aws:kms"), Some(KEY), false),
                [None, Some(Fault::NoBucketKey), None, Some(Fault::OtherMode)],
            ),
            (found(Some("aws:kms"), Some(KEY), true), [None, None, None, Some(Fault::OtherMode)]),
            (
                found(Some("aws:fsx"), None, false),
                [None, Some(Fault::OtherMode), Some(Fault::OtherMode), Some(Fault::OtherMode)],
            ),
        ] {
            let said = [&any, &kms, &loose, &s3].map(|wish| wish.fault(&found));
            assert_eq!(said, faults, "{found:?}");
        }
    }

    #[test]
    fn only_what_s3_updates_is_updated() {
        let to = |mode, key: Option<&str>| Wish {
            mode: Some(mode),
            key_arn: key.map(str::to_owned),
            bucket_key: false,
        };
        for now in ["AES256", "aws:kms"].map(|mode| found(Some(mode), None, false)) {
            assert_eq!(to(Mode::Kms, Some(KEY)).way(&now), Way::Update(KEY.to_owned()));
            for other in [to(Mode::Kms, None), to(Mode::Dsse, Some(KEY)), to(Mode::S3, None)] {
                assert_eq!(other.way(&now), Way::Copy);
            }
        }
        for now in [found(None, None, false), found(Some("aws:kms:dsse"), None, false)] {
            assert_eq!(to(Mode::Kms, Some(KEY)).way(&now), Way::Copy);
        }
    }

    #[test]
    fn a_wish_says_the_same_in_headers_and_document() {
        let wish = Wish { mode: Some(Mode::Kms), key_arn: Some(KEY.to_owned()), bucket_key: true };
        let headers = wish.headers();
        let expected = [
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", KEY),
            ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
        ];
        assert_eq!(headers, expected.map(|(name, value)| (name, value.to_owned())));
        let without = found(Some("aws:kms"), Some(KEY), false);
        let document = wish.document("a<b", &without);
        assert!(
            document.contains("<KMSKeyArn>a&lt;b</KMSKeyArn><BucketKeyEnabled>true"),
            "{document}"
        );
        let plain = Wish { bucket_key: false, ..wish };
        let kept = plain.document(KEY, &found(Some("aws:kms"), Some(KEY), true));
        assert!(kept.contains("<BucketKeyEnabled>true"), "{kept}");
        assert!(plain.document(KEY, &without).contains("<BucketKeyEnabled>false"));
    }
}
