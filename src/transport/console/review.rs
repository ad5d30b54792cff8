//! What will change, before it does.

use axum::response::Response;
use maud::{Markup, html};

use super::encryption_choice::Choice;
use super::fields::link;
use super::object::Headed;
use super::refused::Refused;
use super::text;
use super::visit::Visit;
use super::wizard::{self, Selection};
use crate::objects::Body;
use crate::sse::Mode;

/// How an object comes to another encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// It is copied onto itself (`CopyObject`): its bytes are read and sealed anew.
    Rewrite,
    /// Its key is sealed anew under this key's ARN (`UpdateObjectEncryption`).
    Update(String),
}

impl Way {
    /// The one that S3 has for it: only from SSE-S3 and SSE-KMS to SSE-KMS under a key of one's own are bytes
    /// left where they are.
    pub(super) fn of(now: Option<Mode>, choice: &Choice) -> Self {
        match (now, choice.mode, &choice.key) {
            (Some(Mode::S3 | Mode::Kms), Some(Mode::Kms), Some(arn)) if is_key_arn(arn) => {
                Self::Update(arn.clone())
            }
            _ => Self::Rewrite,
        }
    }
}

fn is_key_arn(arn: &str) -> bool {
    arn.starts_with("arn:") && arn.contains(":key/")
}

/// `POST /_strongroom/encrypt/review?bucket=…`
pub(super) async fn review(visit: Visit) -> Response {
    let selection = match Selection::of(&visit).await {
        Ok(selection) => selection,
        Err(refused) => return refused,
    };
    let choice = match wizard::chosen(&visit, &selection).await {
        Ok(choice) => choice,
        Err(wrong) => return wizard::page(&visit, &selection, &wrong).await,
    };
    let bodies = || {
        let headed = selection.objects.iter().filter_map(|(_, headed)| headed.as_ref().ok());
        headed.filter_map(|headed| Some(headed.object()?.1))
    };
    let changes = bodies().any(|body| !is_so(body, &choice));
    let rewrites = bodies().any(|body| Way::of(body.mode(), &choice) == Way::Rewrite);
    let needs_key = bodies().any(|body| body.mode() == Some(Mode::Customer));
    let address = |path: &str| link(path, &[("bucket", &selection.bucket)]);
    let content = html! {
        section aria-labelledby="change" {
            h2 #change { "Summary of changes" }
            div.scroll tabindex="0" role="region" aria-label="Summary of changes" {
                table {
                    caption { "What will change in " (text::name(&selection.bucket)) }
                    thead {
                        tr {
                            th scope="col" { "Object" }
                            th scope="col" { "From" }
                            th scope="col" { "To" }
                            th scope="col" { "How" }
                        }
                    }
                    tbody {
                        @for (key, headed) in &selection.objects { (row(key, headed, &choice)) }
                    }
                }
            }
            table.settings { caption { "New settings" } tbody { (choice.rows()) } }
            @if rewrites {
                p.notice {
                    strong { "Rewriting makes a new object" } " (a new version, where the bucket keeps versions) \
                    with a new time of last modification, owned by you; objects of up to 5 GB. A failure leaves \
                    the object as it is."
                }
            }
        }
        form.card method="post" action=(address("/_strongroom/encrypt/save")) {
            (visit.form_token())
            (selection.hidden())
            (choice.hidden())
            @if needs_key {
                div.field {
                    label for="customer_key" { "Key of the object (SSE-C), base64 of 32 bytes" }
                    input #customer_key name="customer_key" type="password" autocomplete="off" required
                        aria-describedby="customer_key-about";
                    p.hint #customer_key-about { "The object is read with it once; it is not kept." }
                }
            }
            @if changes {
                button.primary type="submit" { "Save changes" }
            } @else {
                p role="status" { "Nothing would change: this is what there is." }
            }
            button type="submit" formnovalidate formaction=(address("/_strongroom/encrypt")) { "Back" }
        }
    };
    visit.page(&selection.frame(), &content)
}

fn row(key: &str, headed: &Result<Headed, Refused>, choice: &Choice) -> Markup {
    html! {
        tr {
            th scope="row" { (text::name(key)) }
            @match headed.as_ref().map(Headed::object) {
                Ok(Some((_, body))) => {
                    td { (text::badge(body.mode())) }
                    td { (text::badge(choice.mode)) }
                    td {
                        @if is_so(body, choice) { "Nothing changes." }
                        @else if let Way::Update(_) = Way::of(body.mode(), choice) {
                            "UpdateObjectEncryption: its key is sealed anew. No data is moved; ETag and time of \
                             last modification stay."
                        } @else {
                            "CopyObject onto itself: " (text::size(body.size)) " are rewritten."
                            @if body.size > LONGEST { strong { " More than 5 GB: S3 will refuse it." } }
                        }
                    }
                }
                Ok(None) => { td colspan="3" { "A delete marker has no bytes." } }
                Err(refused) => { td colspan="3" { (refused.brief()) } }
            }
        }
    }
}

/// Whether an object is sealed like that already, as far as it can be told: what `aws/s3` is, KMS knows.
fn is_so(body: &Body, choice: &Choice) -> bool {
    let Some(sealed) = &body.sealed else { return false };
    let same_key = match choice.mode {
        Some(Mode::S3) => true,
        _ => choice.key.is_some() && sealed.key_arn == choice.key,
    };
    choice.mode == Some(sealed.mode) && same_key && sealed.bucket_key == choice.bucket_key
}

/// Bytes that `CopyObject` copies at the most.
const LONGEST: u64 = 5 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_s3_updates_is_updated() {
        let own = "arn:aws:kms:us-east-1:000000000000:key/k";
        let to = |mode, key: Option<&str>| Choice {
            mode,
            key: key.map(str::to_owned),
            bucket_key: false,
        };
        let kms = to(Some(Mode::Kms), Some(own));
        for now in [Some(Mode::S3), Some(Mode::Kms)] {
            assert_eq!(Way::of(now, &kms), Way::Update(own.to_owned()));
            assert_eq!(Way::of(now, &to(Some(Mode::Kms), None)), Way::Rewrite);
            assert_eq!(Way::of(now, &to(Some(Mode::Kms), Some("alias/x"))), Way::Rewrite);
            assert_eq!(Way::of(now, &to(Some(Mode::Dsse), Some(own))), Way::Rewrite);
            assert_eq!(Way::of(now, &to(Some(Mode::S3), None)), Way::Rewrite);
        }
        for now in [None, Some(Mode::Dsse), Some(Mode::Customer)] {
            assert_eq!(Way::of(now, &kms), Way::Rewrite);
        }
    }
}
