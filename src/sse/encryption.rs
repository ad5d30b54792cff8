//! What a request asks for: parsed from its headers and the bucket's default once.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::bucket::BucketEncryption;
use super::customer::{CustomerKey, Names};
use super::header::{Header, Headers};
use super::mode::Mode;
use super::refusal::Refusal;
use crate::kms::id::KeyReference;

/// How the request came, as far as encryption asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// Whether nobody can listen in between. SSE-C needs it.
    pub secure: bool,
    /// Whether it is signed with Signature Version 4. Reading objects of SSE-KMS needs it.
    pub signature_v4: bool,
    /// The bucket's region, where KMS keys have to be.
    pub region: &'a str,
}

/// What a new object, an upload or a copy's target is sealed with.
#[derive(Debug)]
pub enum Encryption {
    /// SSE-S3.
    S3,
    /// SSE-KMS.
    Kms {
        /// Key and further context.
        key: KmsKey,
        /// Whether a key of the bucket stands between the KMS key and the object.
        bucket_key: bool,
    },
    /// DSSE-KMS.
    Dsse(KmsKey),
    /// SSE-C.
    Customer(CustomerKey),
}

/// A KMS key as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsKey {
    /// Key id, key ARN, alias or alias ARN; `alias/aws/s3` where the request names none.
    pub id: String,
    /// What the request adds to the encryption context.
    pub context: BTreeMap<String, String>,
}

impl Encryption {
    /// Of `PutObject`, `CreateMultipartUpload`, or the target of `CopyObject`: what the headers ask for,
    /// else the bucket's default; never what a copy's source has. None leaves the object in clear.
    ///
    /// # Errors
    /// Whatever contradicts itself or cannot be had.
    pub fn for_writing(
        headers: &Headers,
        bucket: &BucketEncryption,
        arrival: Arrival<'_>,
    ) -> Result<Option<Self>, Refusal> {
        let asked = headers.value(Header::Mode);
        if Names::OBJECT.are_in(headers) {
            if let Some(mode) = asked {
                return Err(Refusal::Incompatible(mode.to_owned()));
            }
            return Self::customer(headers, bucket, arrival).map(Some);
        }
        let mode = match asked {
            None => bucket.default,
            Some(value) => Some(
                Mode::from_header_value(value)
                    .ok_or_else(|| Refusal::ModeUnknown(value.to_owned()))?,
            ),
        };
        let wanted = bucket_key(headers)?;
        let asked_kms = asked.is_some() && matches!(mode, Some(Mode::Kms | Mode::Dsse));
        if !asked_kms && headers.first_of(&[Header::KeyId, Header::Context]).is_some() {
            return Err(Refusal::KmsHeader(asked.map(str::to_owned)));
        }
        if matches!(mode, Some(Mode::Kms | Mode::Dsse)) && !arrival.signature_v4 {
            return Err(Refusal::SignatureVersion);
        }
        // Who asks for a mode gets that mode's default key, not the bucket's.
        let named =
            if asked.is_some() { headers.value(Header::KeyId) } else { bucket.key.as_deref() };
        Ok(match mode {
            None => None,
            Some(Mode::Kms) => Some(Self::Kms {
                key: KmsKey::parse(named, headers, arrival)?,
                bucket_key: wanted.unwrap_or(bucket.bucket_key),
            }),
            Some(Mode::Dsse) if wanted == Some(true) => return Err(Refusal::BucketKeyWithDsse),
            Some(Mode::Dsse) => Some(Self::Dsse(KmsKey::parse(named, headers, arrival)?)),
            Some(Mode::S3 | Mode::Customer) => Some(Self::S3),
        })
    }

    fn customer(
        headers: &Headers,
        bucket: &BucketEncryption,
        arrival: Arrival<'_>,
    ) -> Result<Self, Refusal> {
        if headers.first_of(&[Header::KeyId, Header::Context]).is_some() {
            return Err(Refusal::KmsHeader(None));
        }
        if !arrival.secure {
            return Err(Refusal::InsecureConnection);
        }
        if bucket.customer_keys_blocked {
            return Err(Refusal::CustomerKeysBlocked);
        }
        CustomerKey::parse(headers, &Names::OBJECT, Refusal::KeyInvalid).map(Self::Customer)
    }

    /// Which mode it is.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match self {
            Self::S3 => Mode::S3,
            Self::Kms { .. } => Mode::Kms,
            Self::Dsse(_) => Mode::Dsse,
            Self::Customer(_) => Mode::Customer,
        }
    }

    /// The headers of the answer, of `PutObject`, `CreateMultipartUpload`, `UploadPart` and `CopyObject`
    /// alike. `key_arn` is the KMS key's ARN, as KMS gave it: answers have it whatever was asked.
    #[must_use]
    pub fn answer(&self, key_arn: &str) -> Vec<(&'static str, String)> {
        match self {
            Self::Customer(key) => answer_customer(key),
            Self::Kms { bucket_key, .. } => answer(Mode::Kms, key_arn, *bucket_key),
            Self::S3 | Self::Dsse(_) => answer(self.mode(), key_arn, false),
        }
    }
}

impl KmsKey {
    /// The AWS-managed key that objects get when no other is named.
    pub const DEFAULT: &'static str = "alias/aws/s3";

    fn parse(
        named: Option<&str>,
        headers: &Headers,
        arrival: Arrival<'_>,
    ) -> Result<Self, Refusal> {
        let id = named.unwrap_or(Self::DEFAULT).to_owned();
        let Ok(KeyReference::Key(scope, _) | KeyReference::Alias(scope, _)) =
            KeyReference::parse(&id)
        else {
            return Err(Refusal::KeyIdInvalid(id.chars().take(MAX_SHOWN).collect()));
        };
        if let Some(scope) = scope.filter(|scope| scope.region() != arrival.region) {
            return Err(Refusal::KeyRegion(scope.region().to_owned()));
        }
        let context = match headers.value(Header::Context) {
            Some(value) => context(value).ok_or(Refusal::ContextInvalid)?,
            None => BTreeMap::new(),
        };
        Ok(Self { id, context })
    }
}

/// Of `GetObject`, `HeadObject`, `GetObjectAttributes`: the key that opens the object, which is of
/// `mode` (none is in clear).
///
/// # Errors
/// Whatever does not fit to the object.
pub fn customer_key_for_reading(
    headers: &Headers,
    mode: Option<Mode>,
    arrival: Arrival<'_>,
) -> Result<Option<CustomerKey>, Refusal> {
    let asked = [Header::Mode, Header::KeyId, Header::Context, Header::BucketKey];
    if let Some((_, value)) = headers.first_of(&asked) {
        return Err(Refusal::ModeOnRead(value.to_owned()));
    }
    key_for(headers, &Names::OBJECT, mode, arrival)
}

/// Of the source of `CopyObject` and `UploadPartCopy`, from its `x-amz-copy-source-…` headers.
///
/// # Errors
/// As [`customer_key_for_reading`].
pub fn customer_key_for_copying(
    headers: &Headers,
    mode: Option<Mode>,
    arrival: Arrival<'_>,
) -> Result<Option<CustomerKey>, Refusal> {
    key_for(headers, &Names::SOURCE, mode, arrival)
}

/// Of `UploadPart`, `UploadPartCopy` and `CompleteMultipartUpload`: the key that the upload, which is
/// of `mode`, was begun with. Whether it is the same one shows when it opens the upload's envelope:
/// [`Refusal::PartOtherKey`] otherwise.
///
/// # Errors
/// [`Refusal::PartParameters`] when one has a key and the other has none; whatever the key lacks.
pub fn customer_key_for_part(
    headers: &Headers,
    mode: Option<Mode>,
    arrival: Arrival<'_>,
) -> Result<Option<CustomerKey>, Refusal> {
    match (Names::OBJECT.are_in(headers), mode == Some(Mode::Customer)) {
        (false, false) if matches!(mode, Some(Mode::Kms | Mode::Dsse)) && !arrival.signature_v4 => {
            Err(Refusal::SignatureVersion)
        }
        (false, false) => Ok(None),
        (true, true) if !arrival.secure => Err(Refusal::InsecureConnection),
        (true, true) => CustomerKey::parse(headers, &Names::OBJECT, Refusal::KeyInvalid).map(Some),
        _ => Err(Refusal::PartParameters),
    }
}

fn key_for(
    headers: &Headers,
    names: &Names,
    mode: Option<Mode>,
    arrival: Arrival<'_>,
) -> Result<Option<CustomerKey>, Refusal> {
    match (names.are_in(headers), mode) {
        (false, Some(Mode::Customer)) => Err(Refusal::ObjectNeedsKey),
        (true, Some(Mode::Customer)) if !arrival.secure => Err(Refusal::InsecureConnection),
        (true, Some(Mode::Customer)) => {
            CustomerKey::parse(headers, names, Refusal::WrongKey).map(Some)
        }
        // A key that does not parse is refused as such, whatever the object.
        (true, _) => {
            CustomerKey::parse(headers, names, Refusal::WrongKey)?;
            Err(Refusal::ObjectWithoutKey)
        }
        (false, Some(Mode::Kms | Mode::Dsse)) if !arrival.signature_v4 => {
            Err(Refusal::SignatureVersion)
        }
        (false, _) => Ok(None),
    }
}

/// An answer's headers for an object of a mode without customer keys.
pub(super) fn answer(mode: Mode, key_arn: &str, bucket_key: bool) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    if let Some(value) = mode.header_value() {
        headers.push((Header::Mode.name(), value.to_owned()));
    }
    if matches!(mode, Mode::Kms | Mode::Dsse) {
        headers.push((Header::KeyId.name(), key_arn.to_owned()));
    }
    if bucket_key {
        headers.push((Header::BucketKey.name(), "true".to_owned()));
    }
    headers
}

/// An answer's headers for an object of SSE-C, whoever asks: the request's own key.
#[must_use]
pub fn answer_customer(key: &CustomerKey) -> Vec<(&'static str, String)> {
    vec![
        (Header::CustomerAlgorithm.name(), CustomerKey::ALGORITHM.to_owned()),
        (Header::CustomerKeyMd5.name(), key.md5()),
    ]
}

fn bucket_key(headers: &Headers) -> Result<Option<bool>, Refusal> {
    match headers.value(Header::BucketKey) {
        None => Ok(None),
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(value) => Err(Refusal::BucketKeyInvalid(value.to_owned())),
    }
}

fn context(value: &str) -> Option<BTreeMap<String, String>> {
    let json = STANDARD.decode(value).ok()?;
    let pairs: BTreeMap<String, String> = serde_json::from_slice(&json).ok()?;
    // S3 adds the object's ARN itself; nobody may stand in for it.
    let fits = !pairs.contains_key(ARN) && !pairs.contains_key("");
    fits.then_some(pairs)
}

/// The name of the pair that S3 adds to every context.
pub(super) const ARN: &str = "aws:s3:arn";
/// Characters of a key id that is none in the message.
const MAX_SHOWN: usize = 256;
