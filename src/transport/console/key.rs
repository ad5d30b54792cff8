//! One KMS key: its state, aliases, rotation and policy; a new one.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;

use super::encryption_choice::{Wrong, create_key};
use super::fields::link;
use super::frame::{self, Frame, Section};
use super::keys::{rotation, state};
use super::refused::Refused;
use super::text;
use super::visit::{Visit, see_other};
use crate::kms::{
    AliasEntry, DescribeKey, GetKeyPolicy, GetKeyPolicyOutput, GetKeyRotationStatus, KeyMetadata,
    KeyRotationStatus, ListAliases, ListKeyRotations, Listed, RotationEntry,
};

/// `GET /_strongroom/key?id=…`: an id or an ARN, of which the region is looked at.
pub(super) async fn show(visit: Visit) -> Response {
    let id = visit.fields.text("id");
    let frame = Frame::new(Section::Keys, id.rsplit('/').next().unwrap_or(id))
        .below("KMS keys", "/_strongroom/keys");
    let region = match id.split(':').nth(3) {
        Some(region) if id.starts_with("arn:") => region.to_owned(),
        _ => visit.session.region(),
    };
    let described = DescribeKey { key_id: id.into(), ..Default::default() };
    let key = match visit.ask_in(&region, described).await {
        Ok(key) => key,
        Err(refused) => return visit.refusal(&frame, &refused),
    };
    let arn = key.arn.as_str();
    let (aliases, status, rotations, policy) = futures_util::join!(
        visit.ask_in(
            &region,
            ListAliases { key_id: Some(key.key_id.clone()), ..Default::default() }
        ),
        visit.ask_in(&region, GetKeyRotationStatus { key_id: arn.into() }),
        visit.ask_in(&region, ListKeyRotations { key_id: arn.into(), ..Default::default() }),
        visit.ask_in(&region, GetKeyPolicy { key_id: arn.into(), policy_name: None }),
    );
    let trail = link("/_strongroom/trail", &[("key", arn)]);
    let content = html! {
        (general(&key, &aliases))
        (rotations_of(&status, &rotations))
        section aria-labelledby="policy" {
            h2 #policy { "Key policy" }
            @match &policy {
                Ok(policy) => pre tabindex="0" aria-labelledby="policy" { code { (text::lines(&pretty(policy))) } },
                Err(refused) => p { (refused.brief()) },
            }
        }
        p { a href=(trail) { "Calls on this key in the audit trail" } }
    };
    visit.page(&frame, &content)
}

fn general(key: &KeyMetadata, aliases: &Result<Listed<AliasEntry>, Refused>) -> Markup {
    html! {
        table.settings {
            caption { "General configuration" }
            tbody {
                tr { th scope="row" { "ARN" } td { code { (key.arn) } } }
                tr {
                    th scope="row" { "Aliases" }
                    td {
                        @match aliases {
                            Ok(page) if page.entries.is_empty() => "None",
                            Ok(page) => @for alias in &page.entries { (text::name(&alias.alias_name)) " " },
                            Err(refused) => (refused.brief()),
                        }
                    }
                }
                tr {
                    th scope="row" { "State" }
                    td {
                        (state(key.key_state))
                        @if let Some(at) = key.deletion_date { " to be deleted " (text::time(at)) }
                    }
                }
                tr { th scope="row" { "Description" } td { (text::name(&key.description)) } }
                tr { th scope="row" { "Type" } td { (key.key_spec.as_str()) ", " (key.key_usage.as_str()) } }
                tr { th scope="row" { "Origin" } td { (key.origin) } }
                tr { th scope="row" { "Managed by" } td { @if key.key_manager == "AWS" { "AWS" } @else { "You" } } }
                tr { th scope="row" { "Created" } td { (text::time(key.creation_date)) } }
            }
        }
    }
}

fn rotations_of(
    status: &Result<KeyRotationStatus, Refused>,
    rotations: &Result<Listed<RotationEntry>, Refused>,
) -> Markup {
    html! {
        section aria-labelledby="rotation" {
            h2 #rotation { "Rotation" }
            p {
                "Automatic: " (rotation(status))
                @if let Ok(KeyRotationStatus { next_rotation_date: Some(next), .. }) = status {
                    ", next " (text::time(*next))
                }
                "."
            }
            @if let Ok(page) = rotations {
                @if !page.entries.is_empty() {
                    table {
                        caption { "Rotations so far" }
                        thead {
                            tr {
                                th scope="col" { "Version" }
                                th scope="col" { "When" }
                                th scope="col" { "Why" }
                            }
                        }
                        tbody {
                            @for entry in &page.entries {
                                tr {
                                    th scope="row" { (entry.key_version) }
                                    td { (text::time(entry.rotation_date)) }
                                    td { (entry.rotation_type.unwrap_or("")) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A policy's document, indented; as it is where it is no JSON.
fn pretty(policy: &GetKeyPolicyOutput) -> String {
    let document = serde_json::from_str::<Value>(&policy.policy);
    let pretty = document.ok().and_then(|document| serde_json::to_string_pretty(&document).ok());
    pretty.unwrap_or_else(|| policy.policy.clone())
}

/// `GET /_strongroom/keys/new`
pub(super) async fn form(visit: Visit) -> Response {
    asking(&visit, &Wrong::new())
}

/// `POST /_strongroom/keys/new`
pub(super) async fn create(visit: Visit) -> Response {
    let (alias, region) = (visit.fields.given("alias"), visit.session.region());
    let description = visit.fields.text("description").trim();
    match create_key(&visit, &region, alias.as_deref(), description).await {
        Ok(arn) => see_other(&link("/_strongroom/key", &[("id", &arn), ("notice", "key-created")])),
        Err(refused) => {
            asking(&visit, &vec![("alias", format!("{}: {}", refused.code, refused.message))])
        }
    }
}

fn asking(visit: &Visit, wrong: &Wrong) -> Response {
    let frame = Frame::new(Section::Keys, "Create key").below("KMS keys", "/_strongroom/keys");
    let is_wrong = !wrong.is_empty();
    let content = html! {
        (frame::summary(wrong))
        form.card method="post" action="/_strongroom/keys/new" {
            (visit.form_token())
            p { "A symmetric key for encryption, in " (visit.session.region()) ", with AWS's default policy." }
            div.field {
                label for="alias" { "Alias (optional)" }
                input #alias name="alias" autocomplete="off" spellcheck="false" maxlength="250"
                    value=(visit.fields.text("alias")) aria-invalid=[is_wrong.then_some("true")]
                    aria-describedby=[is_wrong.then_some("alias-wrong")];
                (frame::beside(wrong, "alias"))
            }
            div.field {
                label for="description" { "Description (optional)" }
                input #description name="description" size="60" maxlength="8192"
                    value=(visit.fields.text("description"));
            }
            button.primary type="submit" { "Create key" }
        }
    };
    let status = if is_wrong { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    visit.page_as(status, &frame, &content)
}
