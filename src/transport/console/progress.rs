//! How far the objects of a job are, and what became of them.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use zeroize::Zeroizing;

use super::encryption_choice::Choice;
use super::fields::link;
use super::frame::{self, Frame, Section};
use super::job::{Job, Outcome, State, Task};
use super::review::Way;
use super::text;
use super::visit::{Visit, see_other};

/// `POST /_strongroom/encrypt/save?bucket=…`
pub(super) async fn save(visit: Visit) -> Response {
    let fields = &visit.fields;
    let keys = fields.all("object").count();
    let tasks: Vec<Task> = (fields.keys().into_iter().zip(fields.all("etag")))
        .map(|(key, etag)| Task { key, etag: etag.to_owned() })
        .collect();
    let choice = Choice::of_hidden(fields);
    let (Some(choice), true) = (choice, !tasks.is_empty() && tasks.len() == keys) else {
        return frame::outside(
            StatusCode::BAD_REQUEST,
            "The form is not whole. Nothing was changed.",
        );
    };
    let given = fields.given("customer_key").map(Zeroizing::new);
    let made = Job::new(&visit.session, fields.text("bucket"), choice, tasks);
    let Some(job) = made.ok().and_then(|job| visit.console.jobs.keep(job)) else {
        let words = "Too many objects are being encrypted already. Nothing was changed: try again.";
        return frame::outside(StatusCode::SERVICE_UNAVAILABLE, words);
    };
    let to = link("/_strongroom/encrypt/progress", &[("job", &job.id)]);
    // It goes on when its reader goes away.
    tokio::spawn(async move { job.run(&visit, given).await });
    see_other(&to)
}

/// `GET /_strongroom/encrypt/progress?job=…`; with `part` what of it changes, for the script.
pub(super) async fn show(visit: Visit) -> Response {
    let frame =
        Frame::new(Section::Buckets, "Edit server-side encryption").below("Buckets", super::START);
    let Some(job) = visit.console.jobs.find(&visit.session, visit.fields.text("job")) else {
        let content = html! { p { "There is no such job, or no longer." } };
        return visit.page_as(StatusCode::NOT_FOUND, &frame, &content);
    };
    let (content, is_over) = part(&job);
    if !visit.fields.text("part").is_empty() {
        return frame::fragment(content);
    }
    let frame = frame.below_bucket(&job.bucket).refreshed((!is_over).then_some(2));
    visit.page(&frame, &content)
}

/// What changes while a job goes on, and whether it is over.
fn part(job: &Arc<Job>) -> (Markup, bool) {
    let states = job.states();
    let ended = |state: &State| matches!(state, State::Done(_) | State::Failed(_));
    let (all, over) = (states.len(), states.iter().filter(|(_, state)| ended(state)).count());
    let failed = states.iter().filter(|(_, state)| matches!(state, State::Failed(_))).count();
    let is_over = over == all;
    let again = link("/_strongroom/encrypt/progress", &[("job", &job.id), ("part", "1")]);
    let words = match (is_over, failed) {
        (false, _) => format!("{over} of {all} done."),
        (true, 0) if all == 1 => "Saved: the object has its new encryption.".to_owned(),
        (true, 0) => format!("Saved: all {all} objects have their new encryption."),
        (true, _) if all == 1 => "Not saved: the object is as it was.".to_owned(),
        (true, _) => format!("{failed} of {all} objects were not changed: they are as they were."),
    };
    let content = html! {
        div #job data-poll=[(!is_over).then_some(again)] {
            p #job-words.notice role="status" aria-live="polite" { (words) }
            @if !is_over {
                progress aria-label="Objects done" max=(all) value=(over) { (over) " of " (all) }
            }
            @for (task, state) in &states { (object(job, task, state)) }
        }
    };
    (content, is_over)
}

fn object(job: &Job, task: &Task, state: &State) -> Markup {
    let to = link("/_strongroom/object", &[("bucket", &job.bucket), ("key", &task.key)]);
    html! {
        section {
            h2 { a href=(to) { (text::name(&task.key)) } }
            @match state {
                State::Waiting => p { "Waiting." },
                State::Working => p { "Being encrypted as " (text::mode(job.choice.mode)) "…" },
                State::Failed(refused) => {
                    div.alert {
                        p { (refused.brief()) }
                        p { "The object is as it was." }
                    }
                }
                State::Done(outcome) => (result(&task.key, outcome)),
            }
        }
    }
}

/// An object read back, and its records.
fn result(key: &str, outcome: &Outcome) -> Markup {
    html! {
        table.settings {
            caption { "Read back by HeadObject" }
            tbody {
                tr { th scope="row" { "Encryption type" } td { (text::badge(outcome.mode)) } }
                @for (name, value) in &outcome.headers {
                    tr { th scope="row" { code { (name) } } td { code { (text::shown(value)) } } }
                }
                tr { th scope="row" { "ETag" } td { code { (outcome.etag) } } }
                tr { th scope="row" { "Last modified" } td { (text::time(outcome.modified)) } }
                @if let Some(id) = &outcome.version_id {
                    tr { th scope="row" { "Version ID" } td { code { (id) } } }
                }
                tr {
                    th scope="row" { "Done by" }
                    td {
                        @match outcome.way { Way::Rewrite => "CopyObject", Way::Update(_) => "UpdateObjectEncryption" }
                        @if let Some(index) = outcome.log_index { ", " (text::record_link(index)) }
                    }
                }
            }
        }
        @if !outcome.records.is_empty() { (records(key, outcome)) }
    }
}

fn records(key: &str, outcome: &Outcome) -> Markup {
    let label = format!("In the audit trail: {}", text::shown(key));
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            table {
                caption { "In the audit trail" }
                thead {
                    tr {
                        th scope="col" { "Record" }
                        th scope="col" { "Operation" }
                        th scope="col" { "Outcome" }
                        th scope="col" { "KMS key" }
                        th scope="col" { "Context" }
                    }
                }
                tbody {
                    @for (index, event) in &outcome.records {
                        tr {
                            td { (text::record_link(*index)) }
                            th scope="row" { (text::shown(&event.operation)) }
                            td { (event.outcome.as_str()) }
                            td { @if let Some(key) = &event.key { code { (text::shown(key)) } } }
                            td {
                                @for (name, value) in &event.context {
                                    code { (text::shown(name)) "=" (text::shown(value)) } " "
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
