//! All buckets, with how many of their objects are not encrypted; a new bucket.

use axum::http::StatusCode;
use axum::response::Response;
use futures_util::future::join_all;
use maud::{Markup, html};

use super::encryption_choice::{self, Asking, Choice, Wrong};
use super::fields::link;
use super::frame::{self, Frame, Section};
use super::refused::Refused;
use super::text;
use super::visit::{Visit, see_other};
use crate::objects::{
    BucketSummary, CreateBucket, EncryptionRule, GetBucketEncryption, GetBucketVersioning,
    ListBuckets, ListObjects, PutBucketEncryption, Versioning,
};
use crate::sse::Mode;

/// `GET /_strongroom/`
pub(super) async fn list(visit: Visit) -> Response {
    let frame = Frame::new(Section::Buckets, "Buckets");
    let request = ListBuckets {
        continuation_token: visit.fields.given("token"),
        max_buckets: Some(PAGE),
        ..Default::default()
    };
    let page = match visit.ask(request).await {
        Ok(page) => page,
        Err(refused) => return visit.refusal(&frame, &refused),
    };
    let rows = join_all(page.buckets.iter().map(|bucket| row(&visit, bucket))).await;
    let content = html! {
        p.actions { a.button.primary href="/_strongroom/buckets/new" { "Create bucket" } }
        @if rows.is_empty() {
            p { "There are no buckets in this account." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Buckets" {
                table {
                    caption { "Buckets of this account" }
                    thead {
                        tr {
                            th scope="col" { "Name" }
                            th scope="col" { "Region" }
                            th scope="col" { "Versioning" }
                            th scope="col" { "Default encryption" }
                            th scope="col" { "Objects" }
                            th scope="col" { "Not encrypted" }
                            th scope="col" { "Created" }
                        }
                    }
                    tbody { @for row in rows { (row) } }
                }
            }
        }
        @if let Some(token) = &page.continuation_token {
            p { a href=(link(super::START, &[("token", token)])) { "Next page" } }
        }
    };
    visit.page(&frame, &content)
}

async fn row(visit: &Visit, bucket: &BucketSummary) -> Markup {
    let name = || bucket.name.clone();
    let (versioning, encryption, count) = futures_util::join!(
        visit.ask(GetBucketVersioning { bucket: name() }),
        default_encryption(visit, &bucket.name),
        count(visit, &bucket.name),
    );
    let objects = link("/_strongroom/objects", &[("bucket", &bucket.name)]);
    let only = link("/_strongroom/objects", &[("bucket", &bucket.name), ("only", "unencrypted")]);
    html! {
        tr {
            th scope="row" { a href=(objects) { (text::name(&bucket.name)) } }
            td { (bucket.region) }
            td { (versioning_words(&versioning)) }
            td {
                a href=(link("/_strongroom/bucket", &[("bucket", &bucket.name)])) {
                    @match &encryption {
                        Ok(rule) => (text::badge(Choice::of_rule(rule).mode)),
                        Err(refused) => (refused.code),
                    }
                }
            }
            @match &count {
                Ok(count) => {
                    td.number { (count.words(count.objects)) }
                    td.number {
                        @if count.plain > 0 {
                            a.bad href=(only) { (count.words(count.plain)) " not encrypted" }
                        } @else { (count.words(0)) }
                    }
                }
                Err(refused) => { td colspan="2" { (refused.brief()) } }
            }
            td { (text::time(bucket.created)) }
        }
    }
}

pub(super) fn versioning_words(of: &Result<Option<Versioning>, Refused>) -> Markup {
    html! {
        @match of {
            Ok(Some(Versioning::Enabled)) => "Enabled",
            Ok(Some(Versioning::Suspended)) => "Suspended",
            Ok(None) => "Disabled",
            Err(refused) => (refused.brief()),
        }
    }
}

/// A bucket's rule; one that is off where it has none.
pub(super) async fn default_encryption(
    visit: &Visit,
    bucket: &str,
) -> Result<EncryptionRule, Refused> {
    match visit.ask(GetBucketEncryption { bucket: bucket.to_owned() }).await {
        Err(refused) if refused.code == NO_RULE => {
            Ok(EncryptionRule { algorithm: None, ..Default::default() })
        }
        answered => answered,
    }
}

/// How many objects there are.
struct Count {
    objects: u64,
    plain: u64,
    /// Whether there are more than were counted.
    more: bool,
}

impl Count {
    /// A number that is at least this one where not everything was counted.
    fn words(&self, number: u64) -> String {
        match (self.more, number == self.objects) {
            (false, _) => number.to_string(),
            (true, true) => "more than 10,000".to_owned(),
            (true, false) => format!("{number} of the first 10,000"),
        }
    }
}

/// Counts through the pages of the list, ten thousand objects at the most.
async fn count(visit: &Visit, bucket: &str) -> Result<Count, Refused> {
    let mut count = Count { objects: 0, plain: 0, more: false };
    let mut continuation_token = None;
    for _ in 0..PAGES {
        let request = ListObjects {
            bucket: bucket.to_owned(),
            continuation_token,
            max_keys: 1000,
            ..Default::default()
        };
        let page = visit.ask(request).await?;
        let bodies = page.objects.iter().filter_map(|listed| listed.version.object());
        for (_, body) in bodies {
            count.objects += 1;
            count.plain += u64::from(body.mode().is_none());
        }
        continuation_token = page.continuation_token;
        count.more = page.is_truncated;
        if !page.is_truncated || continuation_token.is_none() {
            break;
        }
    }
    Ok(count)
}

/// `GET /_strongroom/buckets/new`
pub(super) async fn form(visit: Visit) -> Response {
    asking(&visit, &Wrong::new()).await
}

/// `POST /_strongroom/buckets/new`
pub(super) async fn create(visit: Visit) -> Response {
    let region = visit.session.region();
    let bucket = visit.fields.text("name").trim().to_owned();
    let choice = match encryption_choice::read(&visit, &region, true).await {
        Ok(choice) => choice,
        Err(wrong) => return asking(&visit, &wrong).await,
    };
    let request = CreateBucket { bucket: bucket.clone(), ..Default::default() };
    if let Err(refused) = visit.ask(request).await {
        return asking(&visit, &vec![("name", format!("{}: {}", refused.code, refused.message))])
            .await;
    }
    if choice.mode != Some(Mode::S3) {
        let request = PutBucketEncryption { bucket: bucket.clone(), rule: choice.rule(Vec::new()) };
        if let Err(refused) = visit.ask(request).await {
            let frame = Frame::new(Section::Buckets, "The bucket was made with SSE-S3")
                .below("Buckets", super::START);
            return visit.refusal(&frame, &refused);
        }
    }
    see_other(&link("/_strongroom/objects", &[("bucket", &bucket), ("notice", "bucket-created")]))
}

async fn asking(visit: &Visit, wrong: &Wrong) -> Response {
    let region = visit.session.region();
    let frame = Frame::new(Section::Buckets, "Create bucket").below("Buckets", super::START);
    let proposed = Choice { mode: Some(Mode::S3), key: None, bucket_key: false };
    let asking = Asking {
        fields: &visit.fields,
        proposed: &proposed,
        keys: encryption_choice::offered(visit, &region).await,
        may_be_off: true,
        wrong,
    };
    let is_wrong = wrong.iter().any(|(field, _)| *field == "name");
    let described = if is_wrong { "name-wrong name-about" } else { "name-about" };
    let content = html! {
        (frame::summary(wrong))
        form.card.choice method="post" action="/_strongroom/buckets/new" {
            (visit.form_token())
            div.field {
                label for="name" { "Bucket name" }
                input #name name="name" required minlength="3" maxlength="63" autocomplete="off"
                    spellcheck="false" value=(visit.fields.text("name"))
                    aria-invalid=[is_wrong.then_some("true")] aria-describedby=(described);
                p.hint #name-about {
                    "3 to 63 lower-case letters, digits, dots and hyphens. It is made in " (region) "."
                }
                (frame::beside(wrong, "name"))
            }
            h2 { "Default encryption" }
            (asking.markup())
            button.primary type="submit" { "Create bucket" }
        }
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    visit.page_as(status, &frame, &content)
}

/// Buckets on a page: each is counted.
const PAGE: u32 = 20;
/// Pages of objects that are counted at the most.
const PAGES: usize = 10;
const NO_RULE: &str = "ServerSideEncryptionConfigurationNotFoundError";
