//! The fields of a form that come before its file (`POST` of an object from a browser): who signs it.
//!
//! Source: Amazon S3 API Reference, "POST Object" and "Browser-Based Uploads Using POST".

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use s3s::post_policy::{PostPolicy, PostPolicyCondition};

use super::callers::refused;
use crate::objects::Error;
use crate::service::{ByteStream, S3Refusal};

/// A form, read up to its file.
pub(super) struct Form {
    /// The fields, and the file's own header, as they came.
    head: BytesMut,
    rest: ByteStream,
}

/// Bytes of all fields at the most.
pub(super) const FIELDS_BYTES: usize = 1024 * 1024;

impl Form {
    /// Reads the fields. A form without a file is read to its end.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for fields that are too long; [`Error::IncompleteBody`].
    pub(super) async fn read(mut body: ByteStream) -> Result<Self, Error> {
        let mut head = BytesMut::new();
        let mut looked = 0;
        loop {
            if find(head.get(looked..).unwrap_or_default(), FILE).is_some() {
                return Ok(Self { head, rest: body });
            }
            looked = head.len().saturating_sub(FILE.len());
            if head.len() > FIELDS_BYTES {
                let message = "Your POST request fields preceding the upload file were too large.";
                return Err(Error::InvalidRequest(message.to_owned()));
            }
            match body.next().await {
                Some(Ok(bytes)) => head.extend_from_slice(&bytes),
                Some(Err(_)) => return Err(Error::IncompleteBody),
                None => return Ok(Self { head, rest: Box::pin(stream::empty()) }),
            }
        }
    }

    /// Refuses a form of whose fields there could be two opinions: `s3s` goes from part to part, and this one looks
    /// for names. So a name is in the header of its part alone, once, and of policies there is one.
    ///
    /// # Errors
    /// `MalformedPOSTRequest`
    pub(super) fn check_plain(&self) -> Result<(), S3Refusal> {
        let malformed = || {
            let message = "The body of your POST request is not well-formed multipart/form-data.";
            refused("MalformedPOSTRequest", 400, message)
        };
        let head = self.head.strip_prefix(b"\r\n").unwrap_or(&self.head);
        let Some(end) = memchr::memmem::find(head, b"\r\n") else { return Ok(()) };
        let (boundary, mut rest) = head.split_at(end);
        let mut policies = 0;
        while let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n") {
            let (header, value) = rest.split_at(end + 4);
            let names = count(header, NAME) - count(header, FILE_NAME);
            if names != 1 {
                return Err(malformed());
            }
            if find(header, FILE).is_some() {
                break;
            }
            policies += count(header, POLICY);
            let end = memchr::memmem::find(value, &[b"\r\n", boundary].concat());
            let (value, next) = value.split_at(end.unwrap_or(value.len()));
            if count(value, NAME) > 0 || policies > 1 {
                return Err(malformed());
            }
            rest = next.get(2 + boundary.len()..).unwrap_or_default();
        }
        Ok(())
    }

    /// The value of a field, if it is there before the file.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let after = self.place(name)? + name.len() + QUOTED;
        let rest = self.head.get(after..)?;
        let value = rest.get(memchr::memmem::find(rest, b"\r\n\r\n")? + 4..)?;
        let value = value.get(..memchr::memmem::find(value, b"\r\n")?)?;
        std::str::from_utf8(value).ok().map(str::to_owned)
    }

    /// Has the signature be passed over, where nobody could check it: it becomes a field that is to be ignored.
    pub(super) fn ignore_signature(&mut self) {
        let Some(place) = self.place(SIGNATURE) else { return };
        let range = place + QUOTED - 1..place + QUOTED - 1 + SIGNATURE.len();
        if let Some(name) = self.head.get_mut(range) {
            name.copy_from_slice(IGNORED.as_bytes());
        }
    }

    /// The whole form again.
    pub(super) fn into_body(self) -> ByteStream {
        let head: Bytes = self.head.freeze();
        Box::pin(stream::iter([Ok(head)]).chain(self.rest))
    }

    fn place(&self, name: &str) -> Option<usize> {
        let end = find(&self.head, FILE).unwrap_or(self.head.len());
        find(self.head.get(..end)?, format!("name=\"{name}\"").as_bytes())
    }
}

/// Refuses what a form says of encryption beside its policy, which `s3s` lets pass: who signs a form says what is in it
/// ("Creating a POST policy": each field has to be in the policy's conditions).
///
/// # Errors
/// `AccessDenied`, in AWS's words.
pub(super) fn check_covered<'a>(
    policy: &str,
    fields: impl Iterator<Item = &'a str>,
) -> Result<(), S3Refusal> {
    let policy = PostPolicy::from_base64(policy);
    let conditions = policy.map(|policy| policy.conditions).unwrap_or_default();
    let is_covered = |field: &str| {
        conditions.iter().any(|condition| match condition {
            PostPolicyCondition::Eq { field: name, .. }
            | PostPolicyCondition::StartsWith { field: name, .. } => {
                name.eq_ignore_ascii_case(field)
            }
            PostPolicyCondition::ContentLengthRange { .. } => false,
        })
    };
    let mut fields = fields.filter(|field| field.starts_with("x-amz-server-side-encryption"));
    match fields.find(|field| !is_covered(field)) {
        Some(field) => Err(denied(&format!("Extra input fields: {field}"))),
        None => Ok(()),
    }
}

fn denied(why: &str) -> S3Refusal {
    refused("AccessDenied", 403, &format!("Invalid according to Policy: {why}"))
}

/// What `s3s` says of a form and its policy, as AWS says it.
pub(super) fn in_awss_words(refusal: &mut S3Refusal) {
    let quoted = |text: &str| text.split('\'').nth(1).map(str::to_owned);
    let said = refusal.message.as_str();
    let why = if said == "Request has expired" {
        Some("Policy expired.".to_owned())
    } else if let Some(rest) = said.strip_prefix("Policy condition '") {
        // 'eq' for field 'key' failed: expected 'a', got 'b'
        let operator = rest.split('\'').next().unwrap_or_default();
        let field = rest.split_once("field ").and_then(|(_, rest)| quoted(rest));
        let value = rest.split_once("expected ").map(|(_, rest)| {
            let rest = rest.strip_prefix("prefix ").unwrap_or(rest);
            let end = rest.rfind("', got '").unwrap_or(rest.len());
            rest.get(1..end).unwrap_or_default().to_owned()
        });
        let named = field.zip(value);
        named.map(|(field, value)| {
            let condition = serde_json::json!([operator, format!("${field}"), value]);
            format!("Policy Condition failed: {condition}")
        })
    } else {
        let field = said.strip_suffix("\" not specified in the policy.");
        field
            .and_then(|said| said.rsplit_once('"'))
            .map(|(_, field)| format!("Extra input fields: {field}"))
    };
    if let Some(why) = why {
        *refusal = denied(&why);
    }
}

/// Where a text in lower case is, in whatever case.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window.eq_ignore_ascii_case(text))
}

fn count(bytes: &[u8], text: &[u8]) -> usize {
    bytes.windows(text.len()).filter(|window| window.eq_ignore_ascii_case(text)).count()
}

const FILE: &[u8] = b"name=\"file\"";
const NAME: &[u8] = b"name=\"";
const FILE_NAME: &[u8] = b"filename=\"";
const POLICY: &[u8] = b"name=\"policy\"";
/// Bytes of `name=""`.
const QUOTED: usize = 7;
const SIGNATURE: &str = "x-amz-signature";
/// As long, and of those that a policy need not name.
const IGNORED: &str = "x-ignore-signed";

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use futures_util::TryStreamExt;

    use super::*;

    const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n\
        --b\r\nContent-Disposition: form-data; name=\"X-Amz-Signature\"\r\n\r\nabc\r\n\
        --b\r\nContent-Disposition: form-data; name=\"x-amz-credential\"\r\n\r\nid/d/r/s3/t\r\n\
        --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n\
        name=\"x-amz-signature\"\r\n--b--\r\n";

    fn pieces(text: &'static str, length: usize) -> ByteStream {
        Box::pin(stream::iter(text.as_bytes().chunks(length).map(|it| Ok(Bytes::from_static(it)))))
    }

    async fn whole(form: Form) -> String {
        let bytes: Vec<Bytes> = form.into_body().try_collect().await.unwrap();
        String::from_utf8(bytes.concat()).unwrap()
    }

    #[tokio::test]
    async fn fields_are_read_and_the_form_stays_whole() {
        for length in [1, 7, 1000] {
            let mut form = Form::read(pieces(FORM, length)).await.unwrap();
            assert_eq!(form.field("x-amz-credential").as_deref(), Some("id/d/r/s3/t"));
            assert_eq!(form.field("x-amz-security-token"), None);
            form.ignore_signature();
            let wanted = FORM.replace("X-Amz-Signature", IGNORED);
            assert_eq!(whole(form).await, wanted, "in pieces of {length}");
        }
        let bare = Form::read(pieces("--b--\r\n", 3)).await.unwrap();
        assert_eq!(whole(bare).await, "--b--\r\n");
    }

    #[tokio::test]
    async fn a_name_is_in_its_parts_header_alone() {
        let part = |header: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; {header}\r\n\r\n{value}\r\n")
        };
        let file = part("name=\"file\"; filename=\"f\"", "name=\"policy\"") + "--b--\r\n";
        let key = part("name=\"key\"", "k");
        let policy = part("name=\"Policy\"", "e30=");
        for (form, is_plain) in [
            (FORM.to_owned(), true),
            (format!("\r\n{key}{policy}{file}"), true),
            (format!("{key}{policy}{policy}{file}"), false),
            (part("name=\"x-ignore-a\"", "name=\"file\"") + &policy + &file, false),
            (part("name=\"x-ignore-a\"", "name=\"policy\"\r\n\r\ne30=") + &policy + &file, false),
            (part("name=\"x-ignore-a\"\r\nX: name=\"policy\"", "e30=") + &policy + &file, false),
            (part("a", "") + &file, false),
        ] {
            let form = Form::read(pieces(form.clone().leak(), 9)).await.unwrap();
            assert_eq!(form.check_plain().is_ok(), is_plain, "{:?}", form.head);
        }
    }

    #[test]
    fn what_is_said_of_encryption_has_to_be_in_the_policy() {
        let policy = STANDARD.encode(
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [{"x-amz-server-side-encryption": "AES256"},
                ["starts-with", "$X-Amz-Server-Side-Encryption-Context", ""], ["content-length-range", 0, 9]]}"#,
        );
        let check = |field: &str| check_covered(&policy, [field].into_iter());
        assert!(check("x-amz-server-side-encryption").is_ok() && check("content-type").is_ok());
        assert!(check("x-amz-server-side-encryption-context").is_ok());
        let refusal = check("x-amz-server-side-encryption-aws-kms-key-id").unwrap_err();
        assert_eq!(
            refusal.message,
            "Invalid according to Policy: Extra input fields: x-amz-server-side-encryption-aws-kms-key-id"
        );
        for none in ["", "?", "e30="] {
            let said = ["x-amz-server-side-encryption"].into_iter();
            assert_eq!(check_covered(none, said).unwrap_err().status, 403, "{none}");
        }
    }

    #[test]
    fn policies_are_refused_in_awss_words() {
        for (said, wanted) in [
            ("Request has expired", "Policy expired."),
            (
                "Policy condition 'eq' for field 'key' failed: expected 'it's', got 'b'",
                r#"Policy Condition failed: ["eq","$key","it's"]"#,
            ),
            (
                "Policy condition 'starts-with' for field 'key' failed: expected prefix 'a', got ''",
                r#"Policy Condition failed: ["starts-with","$key","a"]"#,
            ),
            (
                "Each form field that you specify in a form must appear in the list of policy conditions. \
                 \"x-a\" not specified in the policy.",
                "Extra input fields: x-a",
            ),
        ] {
            let mut refusal = refused("InvalidPolicyDocument", 400, said);
            in_awss_words(&mut refusal);
            let found = (refusal.code.as_str(), refusal.status, refusal.message);
            let message = format!("Invalid according to Policy: {wanted}");
            assert_eq!(found, ("AccessDenied", 403, message));
        }
        let mut other = refused("MalformedPOSTRequest", 400, "x");
        in_awss_words(&mut other);
        assert_eq!(other.status, 400);
    }

    #[tokio::test]
    async fn fields_without_an_end_are_refused() {
        let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[b'a'; 4096])));
        let refused = Form::read(Box::pin(endless)).await;
        assert!(matches!(refused, Err(Error::InvalidRequest(_))));
    }
}
