//! The fields of a form that come before its file (`POST` of an object from a browser): who signs it.
//!
//! Source: Amazon S3 API Reference, "POST Object" and "Browser-Based Uploads Using POST".

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};

use crate::objects::Error;
use crate::service::ByteStream;

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

/// Where a text in lower case is, in whatever case.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window.eq_ignore_ascii_case(text))
}

const FILE: &[u8] = b"name=\"file\"";
/// Bytes of `name=""`.
const QUOTED: usize = 7;
const SIGNATURE: &str = "x-amz-signature";
/// As long, and of those that a policy need not name.
const IGNORED: &str = "x-ignore-signed";

#[cfg(test)]
mod tests {
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
    async fn fields_without_an_end_are_refused() {
        let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[b'a'; 4096])));
        let refused = Form::read(Box::pin(endless)).await;
        assert!(matches!(refused, Err(Error::InvalidRequest(_))));
    }
}
