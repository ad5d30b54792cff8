//! One bucket's properties, its default encryption above all.

use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::buckets::{default_encryption, versioning_words};
use super::encryption_choice::{self, Asking, Choice, Wrong};
use super::fields::link;
use super::frame::{self, Frame, Section};
use super::visit::{Visit, see_other};
use crate::objects::{GetBucketLocation, GetBucketVersioning, PutBucketEncryption};

/// `GET /_strongroom/bucket?bucket=…`
pub(super) async fn show(visit: Visit) -> Response {
    page(&visit, &Wrong::new()).await
}

/// `POST /_strongroom/bucket?bucket=…`: the default encryption.
pub(super) async fn save(visit: Visit) -> Response {
    let bucket = visit.fields.text("bucket").to_owned();
    let at = match visit.ask(GetBucketLocation { bucket: bucket.clone() }).await {
        Ok(at) => at,
        Err(refused) => return visit.refusal(&frame_of(&bucket), &refused),
    };
    let choice = match encryption_choice::read(&visit, &at.region, true).await {
        Ok(choice) => choice,
        Err(wrong) => return page(&visit, &wrong).await,
    };
    // What else is blocked (`NONE`) is not this form's.
    let before = default_encryption(&visit, &bucket).await.map(|rule| rule.blocked);
    let mut blocked = before.unwrap_or_default();
    blocked.retain(|kind| kind != CUSTOMER);
    if visit.fields.text("block_sse_c") == "true" {
        blocked.push(CUSTOMER.to_owned());
    }
    let request = PutBucketEncryption { bucket: bucket.clone(), rule: choice.rule(blocked) };
    if let Err(refused) = visit.ask(request).await {
        let words = format!("{}: {}", refused.code, refused.message);
        return page(&visit, &vec![("encryption", words)]).await;
    }
    see_other(&link("/_strongroom/bucket", &[("bucket", &bucket), ("notice", "default-saved")]))
}

async fn page(visit: &Visit, wrong: &Wrong) -> Response {
    let bucket = visit.fields.text("bucket").to_owned();
    let (at, versioning, rule) = futures_util::join!(
        visit.ask(GetBucketLocation { bucket: bucket.clone() }),
        visit.ask(GetBucketVersioning { bucket: bucket.clone() }),
        default_encryption(visit, &bucket),
    );
    let at = match at {
        Ok(at) => at,
        Err(refused) => return visit.refusal(&frame_of(&bucket), &refused),
    };
    let rule = match rule {
        Ok(rule) => rule,
        Err(refused) => return visit.refusal(&frame_of(&bucket), &refused),
    };
    let choice = Choice::of_rule(&rule);
    let blocks = rule.blocked.iter().any(|kind| kind == CUSTOMER);
    let asking = Asking {
        fields: &visit.fields,
        proposed: &choice,
        keys: encryption_choice::offered(visit, &at.region).await,
        may_be_off: true,
        wrong,
    };
    let here = link("/_strongroom/bucket", &[("bucket", &bucket)]);
    let content = html! {
        (frame::summary(wrong))
        table.settings {
            caption { "Properties" }
            tbody {
                tr { th scope="row" { "Region" } td { (at.region) } }
                tr { th scope="row" { "Versioning" } td { (versioning_words(&versioning)) } }
            }
        }
        table.settings {
            caption { "Default encryption" }
            tbody {
                (choice.rows())
                tr { th scope="row" { "SSE-C" } td { @if blocks { "Blocked" } @else { "Allowed" } } }
            }
        }
        h2 { "Edit default encryption" }
        p { "It is for new objects; those that there are stay as they are." }
        form.card.choice method="post" action=(here) {
            (visit.form_token())
            (asking.markup())
            fieldset {
                legend { "Blocked encryption types" }
                div.option {
                    input #block_sse_c type="checkbox" name="block_sse_c" value="true" checked[blocks];
                    label for="block_sse_c" {
                        "Block SSE-C (keys that come with each request), as AWS's new buckets do"
                    }
                }
            }
            button.primary type="submit" { "Save changes" }
        }
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    visit.page_as(status, &frame_of(&bucket), &content)
}

fn frame_of(bucket: &str) -> Frame {
    Frame::new(Section::Buckets, "Bucket properties")
        .below("Buckets", super::START)
        .below_bucket(bucket)
}

/// What is blocked of requests that bring their own key.
const CUSTOMER: &str = "SSE-C";
