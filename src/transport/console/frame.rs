//! What all pages have around them: headers, landmarks, navigation.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::assets::{SCRIPT_URL, STYLESHEET_URL};
use super::fields::link;
use super::refused::Refused;
use super::text;
use super::visit::Visit;

/// Where in the console a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Buckets,
    Keys,
    Trail,
}

/// A page's frame.
pub(super) struct Frame {
    title: String,
    section: Section,
    /// What is above the page: names and addresses, from the section down.
    above: Vec<(String, String)>,
    /// Seconds after which a browser without scripts looks again.
    refresh: Option<u32>,
}

impl Frame {
    pub(super) fn new(section: Section, title: impl Into<String>) -> Self {
        Self { title: title.into(), section, above: Vec::new(), refresh: None }
    }

    pub(super) fn below(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.above.push((name.into(), address.into()));
        self
    }

    /// Below a bucket's objects.
    pub(super) fn below_bucket(self, bucket: &str) -> Self {
        self.below(bucket, link("/_strongroom/objects", &[("bucket", bucket)]))
    }

    pub(super) fn refreshed(mut self, seconds: Option<u32>) -> Self {
        self.refresh = seconds;
        self
    }
}

impl Visit {
    /// A page.
    pub(super) fn page(&self, frame: &Frame, content: &Markup) -> Response {
        self.page_as(StatusCode::OK, frame, content)
    }

    pub(super) fn page_as(&self, status: StatusCode, frame: &Frame, content: &Markup) -> Response {
        let body = html! {
            header.top {
                a.brand href=(super::START) { "strongroom" }
                nav aria-label="Sections" {
                    ul {
                        @for (section, name, address) in SECTIONS {
                            @let current = section == frame.section;
                            li { a href=(address) aria-current=[current.then_some("true")] { (name) } }
                        }
                    }
                }
                form.region method="post" action="/_strongroom/region" {
                    (self.form_token())
                    input type="hidden" name="next" value=(self.next());
                    label for="region" { "Region" }
                    input #region name="region" list="regions" value=(self.session.region())
                        autocomplete="off" spellcheck="false" size="14" required;
                    datalist #regions { @for region in REGIONS { option value=(region) {} } }
                    button type="submit" { "Change" }
                }
                form.who method="post" action="/_strongroom/sign-out" {
                    (self.form_token())
                    span { (text::name(&self.session.principal)) }
                    button type="submit" { "Sign out" }
                }
            }
            @if !frame.above.is_empty() {
                nav.crumbs aria-label="Breadcrumbs" {
                    ol {
                        @for (name, address) in &frame.above {
                            li { a href=(address) { (text::name(name)) } }
                        }
                        li aria-current="page" { (text::name(&frame.title)) }
                    }
                }
            }
            main #main tabindex="-1" {
                h1 { (text::name(&frame.title)) }
                @if let Some(notice) = self.notice() { p.notice role="status" { (notice) } }
                (content)
            }
        };
        document(status, &frame.title, frame.refresh, &body)
    }

    /// The page of what cannot be shown.
    pub(super) fn refusal(&self, frame: &Frame, refused: &Refused) -> Response {
        let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_REQUEST);
        self.page_as(status, frame, &alert(refused))
    }

    /// What a form before this page has done.
    fn notice(&self) -> Option<&'static str> {
        let said = self.fields.text("notice");
        NOTICES.iter().find(|(name, _)| *name == said).map(|(_, words)| *words)
    }

    /// Where to come back to: here, if it is read and not sent.
    fn next(&self) -> &str {
        let sent = [
            "/_strongroom/encrypt/review",
            "/_strongroom/encrypt/save",
            "/_strongroom/trail/verify",
        ];
        let path = self.here.split('?').next().unwrap_or_default();
        if sent.contains(&path) { super::START } else { &self.here }
    }
}

/// What a page says that could not do what was asked.
pub(super) fn alert(refused: &Refused) -> Markup {
    html! {
        div.alert role="alert" {
            h2 { (refused.code) }
            p { (text::shown(&refused.message)) }
            @if let Some(index) = refused.log_index { p { (text::record_link(index)) } }
        }
    }
}

/// What is wrong with a form: each with the field that it is about.
pub(super) fn summary(wrong: &[(&str, String)]) -> Markup {
    html! {
        @if !wrong.is_empty() {
            div.alert role="alert" aria-labelledby="wrong" {
                h2 #wrong { "There is a problem" }
                ul {
                    @for (field, words) in wrong {
                        li { a href={ "#" (field) } { (text::shown(words)) } }
                    }
                }
            }
        }
    }
}

/// What is wrong with one field, beside it.
pub(super) fn beside(wrong: &[(&str, String)], field: &str) -> Markup {
    html! {
        @for (_, words) in wrong.iter().filter(|(of, _)| *of == field) {
            p.wrong id={ (field) "-wrong" } { (text::shown(words)) }
        }
    }
}

/// A page for somebody who is not signed in.
pub(super) fn plain(status: StatusCode, title: &str, content: &Markup) -> Response {
    let body = html! {
        header.top { a.brand href=(super::START) { "strongroom" } }
        main #main tabindex="-1" { h1 { (title) } (content) }
    };
    document(status, title, None, &body)
}

/// A refusal for somebody of whom nothing is believed.
pub(super) fn outside(status: StatusCode, words: &str) -> Response {
    let content = html! {
        div.alert role="alert" { p { (words) } }
        p { a href=(super::START) { "To the start page" } }
    };
    plain(status, "Not done", &content)
}

/// A part of a page, for the script that puts it in place.
pub(super) fn fragment(content: Markup) -> Response {
    ([(CONTENT_TYPE, HTML)], content.into_string()).into_response()
}

fn document(status: StatusCode, title: &str, refresh: Option<u32>, body: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (text::shown(title)) " · strongroom" }
                link rel="icon" href=(ICON);
                link rel="stylesheet" href=(*STYLESHEET_URL);
                script src=(*SCRIPT_URL) defer {}
                @if let Some(seconds) = refresh {
                    noscript { meta http-equiv="refresh" content=(seconds); }
                }
            }
            body { a.skip href="#main" { "Skip to the content" } (PreEscaped(&body.0)) }
        }
    };
    (status, [(CONTENT_TYPE, HTML)], page.into_string()).into_response()
}

/// What browsers are told of every answer of the console.
///
/// Not `no-referrer`: under that policy browsers send `Origin: null` with the console's own forms (Fetch,
/// section 3.2), and nobody could tell them from those of other sites.
pub(super) async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in GUARDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

const GUARDS: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

const SECTIONS: [(Section, &str, &str); 3] = [
    (Section::Buckets, "Buckets", super::START),
    (Section::Keys, "Keys", "/_strongroom/keys"),
    (Section::Trail, "Audit trail", "/_strongroom/trail"),
];

/// Regions that the form proposes; it takes any that has a region's form.
const REGIONS: [&str; 16] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
];

const NOTICES: [(&str, &str); 3] = [
    ("bucket-created", "The bucket was created."),
    ("default-saved", "The bucket's default encryption was saved."),
    ("key-created", "The key was created."),
];

const HTML: &str = "text/html; charset=utf-8";
/// A padlock.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
                    %3Cpath fill='%232558a8' d='M4 7V5a4 4 0 0 1 8 0v2h1v8H3V7zm2 0h4V5a2 2 0 0 0-4 0z'/%3E\
                    %3C/svg%3E";
