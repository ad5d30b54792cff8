//! One object's properties, its server-side encryption settings above all.

use axum::response::Response;
use maud::{Markup, html};

use super::fields::link;
use super::frame::{Frame, Section};
use super::refused::Refused;
use super::text;
use super::visit::Visit;
use crate::objects::{Attributes, Body, Found, GetObjectTagging, HeadObject, ListObjects, Version};
use crate::service::{AnswerHeaders, Wanted};
use crate::sse::{Envelope, Headers, Mode};

/// An object as `HeadObject` shows it.
pub(super) struct Headed {
    pub(super) found: Found,
    /// What the answer says of encryption; nothing of SSE-C, whose key is not here.
    pub(super) headers: AnswerHeaders,
}

impl Headed {
    pub(super) fn object(&self) -> Option<(&Attributes, &Body)> {
        self.found.version.object()
    }

    pub(super) fn mode(&self) -> Option<Mode> {
        self.object().and_then(|(_, body)| body.mode())
    }
}

/// `HeadObject`. Of an object with SSE-C the list tells what it can without its key.
pub(super) async fn head(visit: &Visit, bucket: &str, key: &str) -> Result<Headed, Refused> {
    let request =
        HeadObject { bucket: bucket.to_owned(), key: key.to_owned(), ..Default::default() };
    let (service, caller) = (visit.service(), visit.caller());
    let reply = service.head_object(caller, request, Headers::default(), Wanted::default()).await;
    let refused = match Refused::or_s3(reply) {
        Ok(opened) => return Ok(Headed { found: opened.found, headers: opened.headers }),
        Err(refused) => refused,
    };
    if refused.is_denial() || refused.status != 400 {
        return Err(refused);
    }
    let request = ListObjects {
        bucket: bucket.to_owned(),
        prefix: key.to_owned(),
        max_keys: 1,
        ..Default::default()
    };
    let listed = visit.ask(request).await?.objects.into_iter().find(|listed| listed.key == key);
    let listed = listed.ok_or(refused)?;
    let found = Found { version: listed.version, version_id: None };
    Ok(Headed { found, headers: Vec::new() })
}

/// `GET /_strongroom/object?bucket=…&key=…`
pub(super) async fn show(visit: Visit) -> Response {
    let (bucket, key) = (visit.fields.text("bucket"), visit.fields.text("key"));
    let frame =
        Frame::new(Section::Buckets, key).below("Buckets", super::START).below_bucket(bucket);
    let named = || (bucket.to_owned(), key.to_owned());
    let tagging = async {
        let (bucket, key) = named();
        visit.ask(GetObjectTagging { bucket, key, version_id: None }).await
    };
    let (headed, tags) = futures_util::join!(head(&visit, bucket, key), tagging);
    let headed = match headed {
        Ok(headed) => headed,
        Err(refused) => return visit.refusal(&frame, &refused),
    };
    let Some((attributes, body)) = headed.object() else {
        return visit.page(&frame, &html! { p { "This version is a delete marker." } });
    };
    let edit = link("/_strongroom/encrypt", &[("bucket", bucket), ("key", key)]);
    let content = html! {
        ul.tabs aria-label="Object" { li { a href=(visit.here) aria-current="true" { "Properties" } } }
        section aria-labelledby="encryption" {
            h2 #encryption { "Server-side encryption settings" }
            (settings(body))
            p.actions { a.button.primary href=(edit) { "Edit" span.hidden { " server-side encryption" } } }
        }
        section aria-labelledby="overview" {
            h2 #overview { "Object overview" }
            (overview(bucket, key, &headed.found, &headed.found.version, attributes, body))
        }
        (pairs("Metadata", "user", attributes.metadata.iter()
            .map(|(name, value)| (format!("x-amz-meta-{name}"), value.clone()))))
        @match &tags {
            Ok(tags) => (pairs("Tags", "tags", tags.tags.clone().into_iter())),
            Err(refused) => section { h2 { "Tags" } p { (refused.brief()) } },
        }
    };
    visit.page(&frame, &content)
}

/// What an object is sealed with.
pub(super) fn settings(body: &Body) -> Markup {
    let envelope = body.sealed.as_ref().and_then(|sealed| Envelope::parse(&sealed.envelope).ok());
    html! {
        table.settings {
            caption.hidden { "Server-side encryption settings" }
            tbody {
                tr { th scope="row" { "Encryption type" } td { (text::badge(body.mode())) } }
                @if let Some(sealed) = &body.sealed {
                    @if let Some(arn) = &sealed.key_arn {
                        tr {
                            th scope="row" { "KMS key" }
                            td {
                                a href=(link("/_strongroom/key", &[("id", arn)])) { code { (text::shown(arn)) } }
                            }
                        }
                        tr {
                            th scope="row" { "Bucket key" }
                            td { @if sealed.bucket_key { "Enabled" } @else { "Disabled" } }
                        }
                    }
                }
                @if let Some((envelope, _)) = &envelope {
                    @if matches!(envelope.mode(), Mode::Kms | Mode::Dsse) {
                        tr {
                            th scope="row" { "Encryption context" }
                            td {
                                ul.plain {
                                    @for (name, value) in envelope.context() {
                                        li { code { (text::shown(name)) } " = " code { (text::shown(value)) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if body.mode().is_none() {
            p { "The bytes of this object are stored in clear: whoever reads the storage reads them." }
        }
    }
}

fn overview(
    bucket: &str,
    key: &str,
    found: &Found,
    version: &Version,
    attributes: &Attributes,
    body: &Body,
) -> Markup {
    html! {
        table.settings {
            caption.hidden { "Object overview" }
            tbody {
                tr { th scope="row" { "S3 URI" } td { code { "s3://" (text::shown(bucket)) "/" (text::shown(key)) } } }
                tr {
                    th scope="row" { "ARN" }
                    td { code { "arn:aws:s3:::" (text::shown(bucket)) "/" (text::shown(key)) } }
                }
                tr { th scope="row" { "Size" } td { (text::size(body.size)) } }
                tr { th scope="row" { "ETag" } td { code { (body.etag) } } }
                tr { th scope="row" { "Last modified" } td { (text::time(version.modified)) } }
                @if let Some(id) = &found.version_id {
                    tr { th scope="row" { "Version ID" } td { code { (id) } } }
                }
                tr { th scope="row" { "Owner" } td { (version.owner) } }
                @for (name, value) in &attributes.headers {
                    tr { th scope="row" { (text::shown(name)) } td { (text::name(value)) } }
                }
            }
        }
    }
}

fn pairs(title: &str, id: &str, pairs: impl Iterator<Item = (String, String)>) -> Markup {
    let pairs: Vec<_> = pairs.collect();
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            @if pairs.is_empty() { p { "None." } } @else {
                table.settings {
                    caption.hidden { (title) }
                    thead { tr { th scope="col" { "Name" } th scope="col" { "Value" } } }
                    tbody {
                        @for (name, value) in &pairs {
                            tr { th scope="row" { (text::name(name)) } td { (text::name(value)) } }
                        }
                    }
                }
            }
        }
    }
}
