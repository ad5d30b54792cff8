//! The audit trail as a table, newest first and live; one record; its verification.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::Value;

use super::fields::{Fields, link};
use super::frame::{self, Frame, Section};
use super::refused::Refused;
use super::text;
use super::visit::Visit;
use crate::audit::{self, Outcome, Record};
use crate::service::{Query, VerifyLog};

/// Conditions that a form has: the field, its label, what it is like.
const CONDITIONS: [(&str, &str, &str); 5] = [
    ("operation", "Operation", "GenerateDataKey"),
    ("principal", "Principal's ARN", "arn:aws:iam::000000000000:root"),
    ("key", "Key ID, ARN or alias", "alias/app"),
    ("error", "Error code", "DisabledException"),
    ("request_id", "Request ID", ""),
];

/// A page of records.
struct Found {
    records: Vec<Record>,
    next: Option<String>,
    /// Records in the log that was read.
    size: u64,
}

/// `GET /_strongroom/trail`; with `part` its rows alone, for the script.
pub(super) async fn show(visit: Visit) -> Response {
    let is_part = !visit.fields.text("part").is_empty();
    // What was added since is the record of the question itself: nothing to show, and nothing to ask again.
    let seen = visit.fields.text("seen").parse::<u64>();
    if is_part && seen.is_ok_and(|seen| visit.service().log_head().size <= seen.saturating_add(1)) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let frame = Frame::new(Section::Trail, "Audit trail");
    let found = find(&visit).await;
    if is_part {
        return match found {
            Ok(found) => frame::fragment(rows(&found)),
            Err(refused) => visit.refusal(&frame, &refused),
        };
    }
    let status = found.as_ref().err().map_or(200, |refused| refused.status);
    let content = html! {
        form.verify method="post" action="/_strongroom/trail/verify" {
            (visit.form_token())
            button type="submit" { "Verify the whole trail" }
            span.hint { "Recomputes every record's hash and the tree up to the signed checkpoint." }
        }
        (filter(&visit.fields))
        @match &found {
            Err(refused) => (frame::alert(refused)),
            Ok(found) => (table(&visit.fields, found)),
        }
    };
    visit.page_as(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), &frame, &content)
}

/// Finds a page of records. Reads of the trail are left out unless they are asked for: a live page would
/// show little else.
async fn find(visit: &Visit) -> Result<Found, Refused> {
    let fields = &visit.fields;
    let with_reads = fields.text("reads") == "show";
    let mut query = audit::Query {
        operation: fields.given("operation"),
        principal: fields.given("principal"),
        key: fields.given("key"),
        error_code: fields.given("error"),
        request_id: fields.given("request_id"),
        outcome: fields.given("outcome"),
        limit: Some(PAGE),
        page_token: fields.given("token"),
        ..Default::default()
    };
    let mut found = Found { records: Vec::new(), next: None, size: 0 };
    for _ in 0..PAGES {
        let page = visit.ask(Query(query.clone())).await?;
        found.size = found.size.max(page.log_size);
        let wanted = page.records.into_iter().filter(|record| with_reads || !record.event.is_own());
        found.records.extend(wanted);
        found.next = page.next;
        query.page_token.clone_from(&found.next);
        if found.next.is_none() || found.records.len() >= ENOUGH {
            break;
        }
    }
    Ok(found)
}

fn filter(fields: &Fields) -> Markup {
    let outcomes = [Outcome::Success, Outcome::Refused, Outcome::Failed];
    html! {
        form.filter method="get" action="/_strongroom/trail" role="search" aria-label="Records" {
            @for (name, label, example) in CONDITIONS {
                div.field {
                    label for=(name) { (label) }
                    input id=(name) name=(name) value=(fields.text(name)) placeholder=(example)
                        autocomplete="off" spellcheck="false";
                }
            }
            div.field {
                label for="outcome" { "Outcome" }
                select #outcome name="outcome" {
                    option value="" { "Any" }
                    @for outcome in outcomes {
                        option value=(outcome.as_str()) selected[fields.text("outcome") == outcome.as_str()] {
                            (outcome.as_str())
                        }
                    }
                }
            }
            div.option {
                input #reads type="checkbox" name="reads" value="show" checked[fields.text("reads") == "show"];
                label for="reads" { "Show reads of the trail itself" }
            }
            button type="submit" { "Filter" }
        }
    }
}

fn table(fields: &Fields, found: &Found) -> Markup {
    let with = |more: (&str, &str)| {
        let names = CONDITIONS.iter().map(|(name, ..)| *name).chain(["outcome", "reads"]);
        let kept = names.map(|name| (name, fields.text(name))).chain([more]);
        link("/_strongroom/trail", &kept.collect::<Vec<_>>())
    };
    // Only the newest page is live: others do not change.
    let is_first = fields.text("token").is_empty();
    let live = is_first.then(|| with(("part", "1")));
    html! {
        @if is_first {
            div.live {
                button #live type="button" aria-pressed="false" hidden { "Pause" }
                p #live-words role="status" aria-live="polite" {}
            }
        }
        div.scroll tabindex="0" role="region" aria-label="Records" {
            table {
                caption { "Records, newest first" }
                thead {
                    tr {
                        th scope="col" { "Record" }
                        th scope="col" { "Time" }
                        th scope="col" { "Operation" }
                        th scope="col" { "Outcome" }
                        th scope="col" { "Principal" }
                        th scope="col" { "Key" }
                        th scope="col" { "From" }
                    }
                }
                tbody #records data-live=[live] { (rows(found)) }
            }
        }
        @if let Some(next) = &found.next { p { a rel="next" href=(with(("token", next))) { "Older records" } } }
    }
}

/// The rows; the first says how much of the log they show.
fn rows(found: &Found) -> Markup {
    html! {
        @if found.records.is_empty() {
            tr data-seen=(found.size) { td colspan="7" { "No record meets these conditions." } }
        }
        @for (at, record) in found.records.iter().enumerate() {
            @let event = &record.event;
            tr data-seen=[(at == 0).then_some(found.size)] data-index=(record.index) {
                td { (text::record_link(record.index)) }
                td { (text::time(event.time)) }
                th scope="row" { (text::shown(&event.operation)) }
                td {
                    @match event.outcome {
                        Outcome::Success => span.badge.badge-good { "success" },
                        outcome => {
                            span.badge.badge-bad { (outcome.as_str()) } " "
                            (text::shown(event.error_code.as_deref().unwrap_or_default()))
                        }
                    }
                }
                td { (text::name(&event.principal)) }
                td { @if let Some(key) = &event.key { (text::name(key.rsplit('/').next().unwrap_or(key))) } }
                td { (event.door) " " (text::name(&event.source)) }
            }
        }
    }
}

/// `GET /_strongroom/trail/record?index=…`
pub(super) async fn record(visit: Visit) -> Response {
    let below = |title: String| {
        Frame::new(Section::Trail, title).below("Audit trail", "/_strongroom/trail")
    };
    let Ok(index) = visit.fields.text("index").parse::<u64>() else {
        let content = html! { p { "There is no such record." } };
        return visit.page_as(StatusCode::NOT_FOUND, &below("Record".to_owned()), &content);
    };
    let frame = below(format!("Record {index}"));
    let query = audit::Query {
        start_index: Some(index),
        end_index: index.checked_add(1),
        ..Default::default()
    };
    let page = match visit.ask(Query(query)).await {
        Ok(page) => page,
        Err(refused) => return visit.refusal(&frame, &refused),
    };
    let Some(record) = page.records.into_iter().next() else {
        let content = html! { p { "There is no such record." } };
        return visit.page_as(StatusCode::NOT_FOUND, &frame, &content);
    };
    let entry: Option<Value> = serde_json::from_slice(&record.bytes).ok();
    let entry =
        entry.and_then(|entry| serde_json::to_string_pretty(&entry).ok()).unwrap_or_default();
    let same = link("/_strongroom/trail", &[("request_id", &record.event.request_id)]);
    let content = html! {
        p { "What was hashed into the log, indented." }
        pre tabindex="0" aria-label="The record" { code { (text::lines(&entry)) } }
        p { a href=(same) { "All records of this request" } }
    };
    visit.page(&frame, &content)
}

/// `POST /_strongroom/trail/verify`
pub(super) async fn verify(visit: Visit) -> Response {
    let frame =
        Frame::new(Section::Trail, "Verification").below("Audit trail", "/_strongroom/trail");
    let head = match visit.ask(VerifyLog).await {
        Ok(head) => head,
        Err(refused) => return visit.refusal(&frame, &refused),
    };
    let checkpoint = String::from_utf8_lossy(&head.checkpoint).into_owned();
    let content = html! {
        p.notice role="status" {
            strong { "Verified." } " Every record and every hash up to the signed checkpoint was recomputed."
        }
        table.settings {
            caption { "The log" }
            tbody {
                tr { th scope="row" { "Records" } td { (head.size) } }
                tr { th scope="row" { "Root hash" } td { code { (hex::encode(head.root)) } } }
                tr { th scope="row" { "Verifier" } td { code { (visit.service().verifier_key()) } } }
            }
        }
        h2 #checkpoint { "Signed checkpoint" }
        pre tabindex="0" aria-labelledby="checkpoint" { code { (checkpoint) } }
        p.hint { "Whoever has the verifier string checks the same offline: strongroom audit verify." }
    };
    visit.page(&frame, &content)
}

/// Records that are asked for at once.
const PAGE: i32 = 100;
/// Records that are enough for a page.
const ENOUGH: usize = 50;
/// Pages that are looked through for them.
const PAGES: usize = 5;
