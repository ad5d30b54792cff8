//! "Edit server-side encryption", as AWS's console has it: use the bucket's settings or override them; with
//! which type, key and bucket key. `review.rs` shows what that will change before anything is.
//!
//! Source: Amazon S3 User Guide, "Specifying server-side encryption with AWS KMS (SSE-KMS)".

use std::collections::BTreeSet;

use axum::http::StatusCode;
use axum::response::Response;
use futures_util::future::join_all;
use maud::{Markup, html};

use super::buckets::default_encryption;
use super::encryption_choice::{self, Asking, Choice, Wrong};
use super::fields::{encoded, link};
use super::frame::{Frame, Section, beside, summary};
use super::object::{self, Headed};
use super::refused::Refused;
use super::text;
use super::visit::Visit;
use crate::objects::{EncryptionRule, GetBucketLocation};
use crate::sse::Mode;

/// Objects that are to be encrypted anew, all of one bucket.
pub(super) struct Selection {
    pub(super) bucket: String,
    pub(super) region: String,
    /// What the bucket would do, if the reader may know it.
    pub(super) rule: Result<EncryptionRule, Refused>,
    /// Each with what is known of it now.
    pub(super) objects: Vec<(String, Result<Headed, Refused>)>,
}

impl Selection {
    /// What a request names. None when that is nothing, or too much.
    pub(super) async fn of(visit: &Visit) -> Result<Self, Response> {
        let bucket = visit.fields.text("bucket").to_owned();
        let keys: BTreeSet<String> = visit.fields.keys().into_iter().collect();
        if keys.is_empty() || keys.len() > MOST {
            let words = format!("Select from 1 to {MOST} objects first.");
            let content = html! { div.alert role="alert" { p { (words) } } };
            return Err(visit.page_as(StatusCode::BAD_REQUEST, &Self::frame_of(&bucket), &content));
        }
        let request = GetBucketLocation { bucket: bucket.clone() };
        let (at, rule, found) = futures_util::join!(
            visit.ask(request),
            default_encryption(visit, &bucket),
            join_all(keys.iter().map(|key| object::head(visit, &bucket, key))),
        );
        let region = match at {
            Ok(at) => at.region,
            Err(refused) => return Err(visit.refusal(&Self::frame_of(&bucket), &refused)),
        };
        let objects = keys.into_iter().zip(found).collect();
        Ok(Self { bucket, region, rule, objects })
    }

    fn frame_of(bucket: &str) -> Frame {
        Frame::new(Section::Buckets, TITLE).below("Buckets", super::START).below_bucket(bucket)
    }

    pub(super) fn frame(&self) -> Frame {
        match self.objects.as_slice() {
            [(key, _)] => Self::frame_of(&self.bucket)
                .below(key, link("/_strongroom/object", &[("bucket", &self.bucket), ("key", key)])),
            _ => Self::frame_of(&self.bucket),
        }
    }

    /// In hidden fields: which objects, and as what they were seen.
    pub(super) fn hidden(&self) -> Markup {
        html! {
            @for (key, headed) in &self.objects {
                input type="hidden" name="object" value=(encoded(key));
                @let etag = headed.as_ref().ok().and_then(Headed::object).map(|(_, body)| body.etag.as_str());
                input type="hidden" name="etag" value=(etag.unwrap_or_default());
            }
        }
    }
}

/// `GET` and `POST /_strongroom/encrypt?bucket=…`, with one `key` or many.
pub(super) async fn form(visit: Visit) -> Response {
    match Selection::of(&visit).await {
        Ok(selection) => page(&visit, &selection, &Wrong::new()).await,
        Err(refused) => refused,
    }
}

/// What was chosen.
pub(super) async fn chosen(visit: &Visit, selection: &Selection) -> Result<Choice, Wrong> {
    match visit.fields.text("settings") {
        "bucket" => match &selection.rule {
            Ok(rule) => Some(Choice::of_rule(rule)).filter(|choice| choice.mode.is_some()),
            Err(_) => None,
        }
        .ok_or_else(|| {
            vec![("settings", "The bucket has no default encryption to use.".to_owned())]
        }),
        "override" => encryption_choice::read(visit, &selection.region, false).await,
        _ => Err(vec![("settings", "Say which encryption settings to use.".to_owned())]),
    }
}

pub(super) async fn page(visit: &Visit, selection: &Selection, wrong: &Wrong) -> Response {
    // Proposed is what is most often wanted of an object in clear, else what it has.
    let now = match selection.objects.as_slice() {
        [(_, Ok(headed))] => headed.object().and_then(|(_, body)| body.sealed.as_ref()),
        _ => None,
    };
    let proposed = match now {
        Some(sealed) if sealed.mode != Mode::Customer => Choice {
            mode: Some(sealed.mode),
            key: sealed.key_arn.clone(),
            bucket_key: sealed.bucket_key,
        },
        _ => Choice { mode: Some(Mode::Kms), key: None, bucket_key: true },
    };
    let asking = Asking {
        fields: &visit.fields,
        proposed: &proposed,
        keys: encryption_choice::offered(visit, &selection.region).await,
        may_be_off: false,
        wrong,
    };
    let action = link("/_strongroom/encrypt/review", &[("bucket", &selection.bucket)]);
    let content = html! {
        (summary(wrong))
        section aria-labelledby="current" {
            h2 #current { "Current encryption" }
            (current(selection))
        }
        form.card.choice.wizard method="post" action=(action) {
            (visit.form_token())
            @for (key, _) in &selection.objects {
                input type="hidden" name="object" value=(encoded(key));
            }
            h2 { "Edit server-side encryption" }
            (settings(visit, selection, wrong))
            div.overriding { (asking.markup()) }
            button.primary type="submit" { "Review changes" }
        }
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    visit.page_as(status, &selection.frame(), &content)
}

fn settings(visit: &Visit, selection: &Selection, wrong: &Wrong) -> Markup {
    let rule = selection.rule.as_ref().map(Choice::of_rule);
    let usable = rule.as_ref().is_ok_and(|rule| rule.mode.is_some());
    let wants_bucket = usable && visit.fields.text("settings") == "bucket";
    html! {
        fieldset #settings tabindex="-1" {
            legend { "Encryption settings" }
            (beside(wrong, "settings"))
            div.option {
                input #settings-bucket type="radio" name="settings" value="bucket" disabled[!usable]
                    checked[wants_bucket] aria-describedby="settings-bucket-about";
                label for="settings-bucket" { "Use bucket settings for default encryption" }
                p.hint #settings-bucket-about {
                    @match &rule {
                        Ok(rule) if usable => { "The bucket's default is " (text::mode(rule.mode)) "." }
                        Ok(_) => "The bucket has no default encryption.",
                        Err(refused) => (refused.brief()),
                    }
                }
            }
            div.option {
                input #settings-override type="radio" name="settings" value="override" checked[!wants_bucket];
                label for="settings-override" { "Override bucket settings for default encryption" }
            }
        }
    }
}

/// What the objects have now.
fn current(selection: &Selection) -> Markup {
    html! {
        @if let [(_, Ok(headed))] = selection.objects.as_slice() {
            @if let Some((_, body)) = headed.object() { (object::settings(body)) }
        } @else {
            ul.plain {
                @for (key, headed) in &selection.objects {
                    li {
                        (text::name(key)) " "
                        @match headed {
                            Ok(headed) => (text::badge(headed.mode())),
                            Err(refused) => (refused.brief()),
                        }
                    }
                }
            }
        }
    }
}

const TITLE: &str = "Edit server-side encryption";
/// Objects at once.
const MOST: usize = 100;
