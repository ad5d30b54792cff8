//! What is in a bucket: folders and objects, page by page, or only those that are not encrypted.

use axum::response::Response;
use maud::{Markup, html};

use super::fields::{encoded, link};
use super::frame::{Frame, Section};
use super::refused::Refused;
use super::text;
use super::visit::Visit;
use crate::objects::{ListObjects, Listed};
use crate::sse::Mode;

/// A page of a bucket.
struct Found {
    prefixes: Vec<String>,
    objects: Vec<Listed>,
    /// After which key the next page begins, or the token that says it.
    next: Option<(&'static str, String)>,
}

/// `GET /_strongroom/objects?bucket=…&prefix=…&only=unencrypted`
pub(super) async fn list(visit: Visit) -> Response {
    let fields = &visit.fields;
    let (bucket, prefix) = (fields.text("bucket"), fields.text("prefix"));
    let only = fields.text("only") == ONLY;
    let mut frame = Frame::new(Section::Buckets, bucket).below("Buckets", super::START);
    if !prefix.is_empty() {
        frame =
            Frame::new(Section::Buckets, prefix.split_inclusive('/').next_back().unwrap_or(prefix))
                .below("Buckets", super::START)
                .below_bucket(bucket);
        for (at, _) in prefix.trim_end_matches('/').match_indices('/') {
            let upto = prefix.get(..=at).unwrap_or_default();
            let name = upto.split_inclusive('/').next_back().unwrap_or_default();
            frame = frame.below(name, of(bucket, upto, false));
        }
    }
    let found = match only {
        true => unencrypted(&visit, bucket, prefix).await,
        false => folder(&visit, bucket, prefix).await,
    };
    let found = match found {
        Ok(found) => found,
        Err(refused) => return visit.refusal(&frame, &refused),
    };
    let content = html! {
        p.actions {
            a.button href=(link("/_strongroom/bucket", &[("bucket", bucket)])) { "Bucket properties" }
        }
        (filter(bucket, prefix, only))
        @if found.objects.is_empty() && found.prefixes.is_empty() {
            p {
                @if only { "No object here is unencrypted" @if found.next.is_some() { " so far" } "." }
                @else { "There are no objects here." }
            }
        } @else { (table(&visit, bucket, prefix, &found)) }
        @if let Some((name, value)) = &found.next {
            @let kept = [("bucket", bucket), ("prefix", prefix), ("only", if only { ONLY } else { "" }), (name, value.as_str())];
            p { a rel="next" href=(link("/_strongroom/objects", &kept)) { "Next page" } }
        }
    };
    visit.page(&frame, &content)
}

/// One level, with what is below grouped by folders.
async fn folder(visit: &Visit, bucket: &str, prefix: &str) -> Result<Found, Refused> {
    let request = ListObjects {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        delimiter: Some("/".to_owned()),
        continuation_token: visit.fields.given("token"),
        max_keys: PAGE,
        ..Default::default()
    };
    let page = visit.ask(request).await?;
    let next = page.continuation_token.filter(|_| page.is_truncated).map(|token| ("token", token));
    Ok(Found { prefixes: page.common_prefixes, objects: page.objects, next })
}

/// Objects in clear at any depth. Ten thousand are looked at for one page at the most.
async fn unencrypted(visit: &Visit, bucket: &str, prefix: &str) -> Result<Found, Refused> {
    let most = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let mut objects = Vec::new();
    let mut after = Some(visit.fields.text("after").to_owned()).filter(|after| !after.is_empty());
    for _ in 0..PAGES {
        let request = ListObjects {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            start_after: after.clone(),
            max_keys: 1000,
            ..Default::default()
        };
        let page = visit.ask(request).await?;
        for listed in page.objects {
            if objects.len() == most {
                let next = after.map(|after| ("after", after));
                return Ok(Found { prefixes: Vec::new(), objects, next });
            }
            after = Some(listed.key.clone());
            if listed.version.object().is_some_and(|(_, body)| body.mode().is_none()) {
                objects.push(listed);
            }
        }
        if !page.is_truncated {
            return Ok(Found { prefixes: Vec::new(), objects, next: None });
        }
    }
    Ok(Found { prefixes: Vec::new(), objects, next: after.map(|after| ("after", after)) })
}

fn filter(bucket: &str, prefix: &str, only: bool) -> Markup {
    html! {
        form.filter method="get" action="/_strongroom/objects" role="search" aria-label="Objects" {
            input type="hidden" name="bucket" value=(bucket);
            div.field {
                label for="prefix" { "Prefix" }
                input #prefix name="prefix" value=(prefix) autocomplete="off" spellcheck="false";
            }
            div.option {
                input #only type="checkbox" name="only" value=(ONLY) checked[only];
                label for="only" { "Only unencrypted, at any depth" }
            }
            button type="submit" { "Show" }
        }
    }
}

fn table(visit: &Visit, bucket: &str, prefix: &str, found: &Found) -> Markup {
    let below = |key: &str| key.strip_prefix(prefix).map_or(key.to_owned(), str::to_owned);
    html! {
        form method="post" action=(link("/_strongroom/encrypt", &[("bucket", bucket)])) {
            (visit.form_token())
            div.scroll tabindex="0" role="region" aria-label="Objects" {
                table {
                    caption { "Objects in " (text::name(bucket)) }
                    thead {
                        tr {
                            th scope="col" { "Select" }
                            th scope="col" { "Name" }
                            th scope="col" { "Encryption" }
                            th scope="col" { "Size" }
                            th scope="col" { "Modified" }
                        }
                    }
                    tbody {
                        @for folder in &found.prefixes {
                            tr {
                                td {}
                                th scope="row" {
                                    a href=(of(bucket, folder, false)) { (text::name(&below(folder))) }
                                }
                                td colspan="3" { "Folder" }
                            }
                        }
                        @for listed in &found.objects {
                            (row(bucket, listed, &below(&listed.key)))
                        }
                    }
                }
            }
            @if !found.objects.is_empty() {
                button type="submit" { "Edit server-side encryption of the selected objects" }
            }
        }
    }
}

fn row(bucket: &str, listed: &Listed, name: &str) -> Markup {
    let to = link("/_strongroom/object", &[("bucket", bucket), ("key", &listed.key)]);
    let shown = text::shown(&listed.key);
    html! {
        @if let Some((_, body)) = listed.version.object() {
            tr {
                td {
                    // Without its key such an object cannot be read, and each has its own.
                    @if body.mode() != Some(Mode::Customer) {
                        input type="checkbox" name="object" value=(encoded(&listed.key))
                            aria-label={ "Select " (shown) };
                    }
                }
                th scope="row" { a href=(to) { (text::name(name)) } }
                td { (text::badge(body.mode())) }
                td.number { (text::size(body.size)) }
                td { (text::time(listed.version.modified)) }
            }
        }
    }
}

fn of(bucket: &str, prefix: &str, only: bool) -> String {
    let only = if only { ONLY } else { "" };
    link("/_strongroom/objects", &[("bucket", bucket), ("prefix", prefix), ("only", only)])
}

const ONLY: &str = "unencrypted";
/// Objects on a page.
const PAGE: u32 = 100;
/// Pages of a thousand that are looked through for one of ours.
const PAGES: usize = 10;
