//! `/_strongroom/`: the console, pages for people.
//!
//! Pages are made here, whole, and work without a script; a script of ours adds what is live. Every page's
//! calls walk as the principal that signed in, so that authorisation and trail apply to everything: a page
//! shows what its reader may see, and what somebody did here is found in the trail under the door `console`.
//!
//! - Nothing comes from elsewhere and nothing else may be loaded or framed (`frame.rs`, its policy).
//! - What changes something is a form with the session's token, from a page of the console's own
//!   (`visit.rs`). Whoever is not signed in sees the sign-in page and nothing else.
//! - Names that others chose (buckets, keys of objects) stand in queries, never in paths, so that no `..`
//!   is resolved on the way, and are escaped where they are shown (`text.rs`).
//!
//! | file | noun |
//! |---|---|
//! | `session.rs` | who is signed in |
//! | `visit.rs` | one request of somebody who is signed in |
//! | `fields.rs` | what a query or a form says |
//! | `refused.rs` | what was refused, in the service's words |
//! | `frame.rs` | what all pages have around them |
//! | `text.rs` | names, sizes, times, badges as they are shown |
//! | `assets.rs` | the stylesheet and the script |
//! | `sign_in.rs` | signing in and out, the region |
//! | `buckets.rs` | all buckets; a new one |
//! | `bucket.rs` | one bucket's properties and default encryption |
//! | `encryption_choice.rs` | the choice of an encryption, as forms ask for it |
//! | `objects.rs` | what is in a bucket |
//! | `object.rs` | one object's properties |
//! | `wizard.rs` | "Edit server-side encryption": the choice |
//! | `review.rs` | what will change |
//! | `job.rs` | objects encrypted anew, one at a time |
//! | `progress.rs` | how far that is, and what became of it |
//! | `keys.rs` | all KMS keys |
//! | `key.rs` | one KMS key |
//! | `trail.rs` | the audit trail, and its verification |

mod assets;
mod bucket;
mod buckets;
mod encryption_choice;
mod fields;
mod frame;
mod job;
mod key;
mod keys;
mod object;
mod objects;
mod progress;
mod refused;
mod review;
mod session;
mod sign_in;
mod text;
mod trail;
mod visit;
mod wizard;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::response::Redirect;
use axum::routing::{get, post};

use self::job::Jobs;
use self::session::{Failures, Sessions};
use crate::service::Service;

/// What all pages share.
struct Console {
    service: Arc<Service>,
    sessions: Sessions,
    failures: Failures,
    jobs: Jobs,
}

/// The console's pages.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(service: &Arc<Service>) -> Router<S> {
    let console = Arc::new(Console {
        service: Arc::clone(service),
        sessions: Sessions::default(),
        failures: Failures::default(),
        jobs: Jobs::default(),
    });
    let pages = Router::new()
        .route("/_strongroom", get(|| async { Redirect::permanent(START) }))
        .route(START, get(buckets::list))
        .route("/_strongroom/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/_strongroom/sign-out", post(sign_in::sign_out))
        .route("/_strongroom/region", post(sign_in::region))
        .route("/_strongroom/buckets/new", get(buckets::form).post(buckets::create))
        .route("/_strongroom/bucket", get(bucket::show).post(bucket::save))
        .route("/_strongroom/objects", get(objects::list))
        .route("/_strongroom/object", get(object::show))
        .route("/_strongroom/encrypt", get(wizard::form).post(wizard::form))
        .route("/_strongroom/encrypt/review", post(review::review))
        .route("/_strongroom/encrypt/save", post(progress::save))
        .route("/_strongroom/encrypt/progress", get(progress::show))
        .route("/_strongroom/keys", get(keys::list))
        .route("/_strongroom/keys/new", get(key::form).post(key::create))
        .route("/_strongroom/key", get(key::show))
        .route("/_strongroom/trail", get(trail::show))
        .route("/_strongroom/trail/record", get(trail::record))
        .route("/_strongroom/trail/verify", post(trail::verify))
        .route("/_strongroom/assets/console.css", get(assets::stylesheet))
        .route("/_strongroom/assets/console.js", get(assets::script));
    pages.layer(from_fn(frame::guarded)).with_state(console)
}

/// The start page.
const START: &str = "/_strongroom/";
