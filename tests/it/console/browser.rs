//! A browser without a window: it keeps cookies, follows links that it is told to, and sends forms.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use futures_util::stream;
use strongroom::objects::{
    Attributes, CreateBucket, EncryptionRule, HeadObject, PutBucketEncryption, PutObject,
};
use strongroom::service::{
    Caller, Expected, Incoming, OpenedObject, Options, S3Refusal, Service, Wanted,
};
use strongroom::sse::Headers;
use strongroom::transport::s3::Domains;
use tower::ServiceExt as _;

pub(super) const HOME: &str = "127.0.0.1:4566";

/// An answer.
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Page {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The value of a hidden field.
    pub(super) fn hidden(&self, name: &str) -> Vec<String> {
        let start = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
        let found = self.text.split(&start).skip(1);
        found.map(|rest| unescaped(rest.split('"').next().unwrap())).collect()
    }

    /// Every address that the page links to.
    pub(super) fn links(&self) -> Vec<String> {
        let found = self.text.split(" href=\"").skip(1);
        found.map(|rest| unescaped(rest.split('"').next().unwrap())).collect()
    }

    pub(super) fn link(&self, with: &str) -> String {
        let found = self.links().into_iter().find(|link| link.contains(with));
        found.unwrap_or_else(|| panic!("no link with {with} in {}", self.text))
    }

    pub(super) fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// Somebody's browser.
#[derive(Clone)]
pub(super) struct Browser {
    router: Router,
    pub(super) cookie: Option<String>,
    pub(super) origin: Option<String>,
}

impl Browser {
    pub(super) fn of(service: &Arc<Service>) -> Self {
        let origin = Some(format!("http://{HOME}"));
        Self {
            router: strongroom::transport::router(service, &Domains::default()).unwrap(),
            cookie: None,
            origin,
        }
    }

    /// One that is signed in, where any access key is.
    pub(super) async fn signed_in(service: &Arc<Service>) -> Self {
        let mut browser = Self::of(service);
        let page =
            browser.submit("/_strongroom/sign-in", &[("access_key_id", "console-test")]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        browser
    }

    async fn send(&mut self, request: Request<Body>) -> Page {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        if let Some(cookie) = parts.headers.get(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
            self.cookie = (!cookie.ends_with('=')).then(|| cookie.to_owned());
        }
        let text = String::from_utf8(body.to_vec()).unwrap();
        Page { status: parts.status, headers: parts.headers, text }
    }

    pub(super) async fn get(&mut self, address: &str) -> Page {
        let mut request = Request::get(address).header(HOST, HOME);
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form as it is.
    pub(super) async fn submit(&mut self, address: &str, fields: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = Request::post(address)
            .header(HOST, HOME)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        if let Some(origin) = &self.origin {
            request = request.header(ORIGIN, origin);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// The token that this session's forms repeat.
    pub(super) async fn token(&mut self) -> String {
        let page = self.get("/_strongroom/keys/new").await;
        page.hidden("form_token").first().unwrap().clone()
    }

    /// Sends a form with the session's token.
    pub(super) async fn post(&mut self, address: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.token().await;
        let fields: Vec<_> =
            [("form_token", token.as_str())].into_iter().chain(fields.iter().copied()).collect();
        self.submit(address, &fields).await
    }

    /// Sends a form on with the hidden fields of the page that it is on.
    pub(super) async fn go_on(
        &mut self,
        page: &Page,
        address: &str,
        more: &[(&str, &str)],
    ) -> Page {
        let names = ["object", "etag", "mode", "key_arn", "with_bucket_key"];
        let hidden: Vec<(&str, String)> = names
            .iter()
            .flat_map(|name| page.hidden(name).into_iter().map(|value| (*name, value)))
            .collect();
        let mut fields: Vec<_> =
            hidden.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fields.extend(more);
        self.post(address, &fields).await
    }

    pub(super) async fn follow(&mut self, page: &Page) -> Page {
        let to = page.headers.get(LOCATION).unwrap_or_else(|| panic!("{}", page.text));
        self.get(to.to_str().unwrap()).await
    }

    /// Looks at a job until it is over.
    pub(super) async fn wait(&mut self, page: &Page) -> Page {
        for _ in 0..600 {
            let seen = self.follow(page).await;
            assert_eq!(seen.status, StatusCode::OK, "{}", seen.text);
            if !seen.has("data-poll") {
                return seen;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the job does not end");
    }
}

/// An empty service, where any access key is taken.
pub(super) fn service() -> Arc<Service> {
    Service::open(Options { ephemeral: true, ..Options::default() }).unwrap()
}

/// Whose things the tests' are: the console's user's, without the console.
pub(super) fn owner() -> Caller {
    Caller::in_process()
}

/// A bucket whose default leaves objects in clear.
pub(super) async fn bucket_without_encryption(service: &Arc<Service>, name: &str) {
    let bucket = || name.to_owned();
    let made = CreateBucket { bucket: bucket(), ..Default::default() };
    service.call(owner(), made).await.result.unwrap();
    let rule = EncryptionRule { algorithm: None, ..Default::default() };
    service.call(owner(), PutBucketEncryption { bucket: bucket(), rule }).await.result.unwrap();
}

pub(super) async fn put(
    service: &Arc<Service>,
    bucket: &str,
    key: &str,
    bytes: &'static [u8],
    headers: &[(&str, &str)],
) {
    let request = PutObject {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        attributes: Attributes {
            metadata: [("note".to_owned(), "<b>".to_owned())].into(),
            tags: [("team".to_owned(), "red & blue".to_owned())].into(),
            ..Default::default()
        },
        ..Default::default()
    };
    let body = Box::pin(stream::iter([Ok(Bytes::from_static(bytes))]));
    let incoming = Incoming { body, length: None, expected: Expected::default() };
    let headers = Headers::collect(headers.iter().copied()).unwrap();
    service.put_object(owner(), request, headers, incoming).await.result.unwrap();
}

pub(super) async fn head(
    service: &Arc<Service>,
    bucket: &str,
    key: &str,
) -> Result<OpenedObject, S3Refusal> {
    let request =
        HeadObject { bucket: bucket.to_owned(), key: key.to_owned(), ..Default::default() };
    let headers = Headers::default();
    let reply = service.head_object(owner(), request, headers, Wanted::default()).await;
    reply.result.map_err(|error| error.s3())
}

/// What `HeadObject` says of encryption.
pub(super) async fn encryption(service: &Arc<Service>, bucket: &str, key: &str) -> String {
    let opened = head(service, bucket, key).await.unwrap();
    let mode = opened.headers.iter().find(|(name, _)| *name == "x-amz-server-side-encryption");
    mode.map_or("none", |(_, value)| value.as_str()).to_owned()
}
