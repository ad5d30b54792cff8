//! All KMS keys of the region that is looked at.

use axum::response::Response;
use futures_util::future::join_all;
use maud::{Markup, html};

use super::encryption_choice::aliases;
use super::fields::link;
use super::frame::{Frame, Section};
use super::refused::Refused;
use super::text;
use super::visit::Visit;
use crate::kms::{
    DescribeKey, GetKeyRotationStatus, KeyMetadata, KeyRotationStatus, KeyState, ListKeys,
};

/// `GET /_strongroom/keys`
pub(super) async fn list(visit: Visit) -> Response {
    let frame = Frame::new(Section::Keys, "KMS keys");
    let region = visit.session.region();
    let request =
        ListKeys { limit: Some(PAGE), marker: visit.fields.given("marker"), ..Default::default() };
    let (page, aliases) = futures_util::join!(visit.ask(request), aliases(&visit, &region));
    let page = match page {
        Ok(page) => page,
        Err(refused) => return visit.refusal(&frame, &refused),
    };
    let known = join_all(page.entries.iter().map(|entry| async {
        let id = || entry.key_id.as_str().into();
        futures_util::join!(
            visit.ask(DescribeKey { key_id: id(), ..Default::default() }),
            visit.ask(GetKeyRotationStatus { key_id: id() }),
        )
    }));
    let known = known.await;
    let rows = page.entries.iter().zip(&known).map(|(entry, (key, rotation))| {
        let names = aliases.get(&entry.key_id).map(Vec::as_slice).unwrap_or_default();
        row(&entry.key_id, names, key, rotation)
    });
    let content = html! {
        p.actions { a.button.primary href="/_strongroom/keys/new" { "Create key" } }
        @if page.entries.is_empty() {
            p { "There are no keys in " (region) "." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="KMS keys" {
                table {
                    caption { "Keys in " (region) }
                    thead {
                        tr {
                            th scope="col" { "Aliases" }
                            th scope="col" { "Key ID" }
                            th scope="col" { "State" }
                            th scope="col" { "Type" }
                            th scope="col" { "Managed by" }
                            th scope="col" { "Rotation" }
                        }
                    }
                    tbody { @for row in rows { (row) } }
                }
            }
        }
        @if let Some(marker) = &page.next_marker {
            p { a rel="next" href=(link("/_strongroom/keys", &[("marker", marker)])) { "Next page" } }
        }
    };
    visit.page(&frame, &content)
}

fn row(
    id: &str,
    aliases: &[String],
    key: &Result<KeyMetadata, Refused>,
    rotation: &Result<KeyRotationStatus, Refused>,
) -> Markup {
    html! {
        tr {
            td { @for alias in aliases { (text::name(alias)) " " } }
            th scope="row" { a href=(link("/_strongroom/key", &[("id", id)])) { (id) } }
            @match key {
                Ok(key) => {
                    td { (state(key.key_state)) }
                    td { (key.key_spec.as_str()) ", " (key.key_usage.as_str()) }
                    td { @if key.key_manager == "AWS" { "AWS" } @else { "You" } }
                }
                Err(refused) => { td colspan="3" { (refused.brief()) } }
            }
            td { (self::rotation(rotation)) }
        }
    }
}

/// A key's state, at a glance; its words say it without its colour.
pub(super) fn state(of: KeyState) -> Markup {
    match of {
        KeyState::Enabled => html! { span.badge.badge-good { (of.as_str()) } },
        _ => html! { span.badge.badge-bad { (of.as_str()) } },
    }
}

pub(super) fn rotation(of: &Result<KeyRotationStatus, Refused>) -> Markup {
    html! {
        @match of {
            Ok(KeyRotationStatus { rotation_period_in_days: Some(days), .. }) => { "Every " (days) " days" }
            Ok(_) => "Off",
            Err(refused) if refused.code == "UnsupportedOperationException" => "Not for this type",
            Err(refused) => (refused.code),
        }
    }
}

/// Keys on a page.
const PAGE: i32 = 50;
