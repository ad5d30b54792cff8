//! What `s3s` 0.14.1 has no operation for: `UpdateObjectEncryption`; and a bucket's default encryption, as its
//! types lack `BlockedEncryptionTypes`.
//!
//! Source: Amazon S3 API Reference, `UpdateObjectEncryption`, `PutBucketEncryption`.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HOST};
use http::{Extensions, HeaderMap, Method, StatusCode, Uri};
use s3s::path::{self, S3Path};
use s3s::route::S3Route;
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::asked::check_supported;
use super::callers::refused;
use super::exchange::{Call, Exchange, Handled, run};
use super::hosts::Domains;
use super::rules::{DOCUMENT_BYTES, read_encryption, read_target, write_encryption};
use crate::objects;

/// Requests whose query has `encryption`.
pub(super) struct Routes {
    domains: Domains,
}

/// One of them: method, bucket and key, and the document that came with it.
struct Asked {
    method: Method,
    bucket: String,
    key: Option<String>,
    body: Body,
}

impl Routes {
    pub(super) const fn new(domains: Domains) -> Self {
        Self { domains }
    }

    /// The bucket and the key that a request names.
    fn place(&self, request: &S3Request<Body>) -> S3Result<(String, Option<String>)> {
        let host = request.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or(request.uri.authority().map(http::uri::Authority::as_str));
        let bucket = host.and_then(|host| self.domains.bucket(host));
        let invalid = |code| S3Error::new(code);
        let path = percent_decoded(request.uri.path());
        let path = path.ok_or_else(|| invalid(S3ErrorCode::InvalidURI))?;
        match path::parse_virtual_hosted_style(bucket, &path) {
            Ok(S3Path::Bucket { bucket }) => Ok((bucket.into(), None)),
            Ok(S3Path::Object { bucket, key }) => Ok((bucket.into(), Some(key.into()))),
            Ok(S3Path::Root) => Err(invalid(S3ErrorCode::MethodNotAllowed)),
            Err(path::ParseS3PathError::InvalidPath) => Err(invalid(S3ErrorCode::InvalidURI)),
            Err(path::ParseS3PathError::InvalidBucketName) => {
                Err(invalid(S3ErrorCode::InvalidBucketName))
            }
            Err(path::ParseS3PathError::KeyTooLong) => Err(invalid(S3ErrorCode::KeyTooLongError)),
        }
    }
}

fn percent_decoded(path: &str) -> Option<String> {
    // `decoded` shows what is no UTF-8; here it is refused.
    let shown = super::hosts::decoded(path);
    let lost = shown.contains(char::REPLACEMENT_CHARACTER)
        && !path.to_ascii_uppercase().contains("%EF%BF%BD");
    (!lost).then_some(shown)
}

#[async_trait::async_trait]
impl S3Route for Routes {
    fn is_match(&self, _: &Method, uri: &Uri, _: &HeaderMap, _: &mut Extensions) -> bool {
        let query = uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "encryption")
    }

    /// The walk decides.
    async fn check_access(&self, _: &mut S3Request<Body>) -> S3Result<()> {
        Ok(())
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let (bucket, key) = self.place(&request)?;
        let operation = match (&request.method, &key) {
            (&Method::PUT, Some(_)) => "UpdateObjectEncryption",
            (&Method::PUT, None) => "PutBucketEncryption",
            (&Method::GET, None) => "GetBucketEncryption",
            (&Method::DELETE, None) => "DeleteBucketEncryption",
            _ => return Err(S3Error::new(S3ErrorCode::MethodNotAllowed)),
        };
        if let Some(exchange) = request.extensions.get::<Arc<Exchange>>() {
            exchange.found(operation);
        }
        let method = request.method.clone();
        run(request.map_input(|body| Asked { method, bucket, key, body }), handle).await
    }
}

async fn handle(call: Call<Asked>) -> Handled<Body> {
    let Call { exchange, input: Asked { method, bucket, key, mut body }, .. } = call;
    check_supported(&exchange.headers)?;
    let document = match method == Method::PUT {
        true => {
            let document = body.store_all_limited(DOCUMENT_BYTES).await;
            document.map_err(|_| objects::Error::MalformedXml)?
        }
        false => Default::default(),
    };
    let call = Call { exchange: Arc::clone(&exchange), input: (), access_key: None };
    match (method, key) {
        (Method::PUT, Some(key)) => {
            let (kms_key_arn, bucket_key) = read_target(&document)?;
            let version_id = exchange.parameter("versionId");
            let request = objects::UpdateObjectEncryption {
                bucket,
                key,
                version_id,
                kms_key_arn,
                bucket_key,
                sealed: None,
            };
            let caller = exchange.caller.clone();
            let reply = exchange.service.update_object_encryption(caller, request).await;
            exchange.settle(reply)?;
            Ok(Body::empty())
        }
        (Method::PUT, None) => {
            let rule = read_encryption(&document)?;
            call.walk(objects::PutBucketEncryption { bucket, rule }).await?;
            Ok(Body::empty())
        }
        (Method::DELETE, _) => {
            call.walk(objects::DeleteBucketEncryption { bucket }).await?;
            exchange.have_status(StatusCode::NO_CONTENT);
            Ok(Body::empty())
        }
        _ => {
            let rule = call.walk(objects::GetBucketEncryption { bucket }).await?;
            let Some(document) = write_encryption(&rule) else {
                return Err(exchange.answer_with(refused(
                    "ServerSideEncryptionConfigurationNotFoundError",
                    404,
                    "The server side encryption configuration was not found",
                )));
            };
            exchange.say(CONTENT_TYPE.as_str(), "application/xml");
            Ok(Body::from(document))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_for_encryption_are_found_by_their_query() {
        let routes = Routes::new(Domains::default());
        let matches = |uri: &str| {
            let uri: Uri = uri.parse().unwrap();
            routes.is_match(&Method::GET, &uri, &HeaderMap::new(), &mut Extensions::new())
        };
        assert!(matches("/b?encryption") && matches("/b/k?versionId=1&encryption="));
        assert!(!matches("/b?prefix=encryption") && !matches("/encryption"));
    }

    #[test]
    fn a_path_that_is_no_text_is_refused() {
        assert_eq!(percent_decoded("/b/a%2F%C3%A9").as_deref(), Some("/b/a/é"));
        assert_eq!(percent_decoded("/b/%EF%bf%BD").as_deref(), Some("/b/\u{fffd}"));
        assert_eq!(percent_decoded("/b/%ff"), None);
    }
}
