//! The stylesheet and the script, in the binary. Their addresses name their contents, so that browsers may
//! keep them until another version is served.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::http::Uri;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::Console;
use crate::crypto::digest;

const STYLESHEET: &str = include_str!("console.css");
const SCRIPT: &str = include_str!("console.js");

/// The stylesheet's address.
pub(super) static STYLESHEET_URL: LazyLock<String> =
    LazyLock::new(|| address("console.css", STYLESHEET));
/// The script's address.
pub(super) static SCRIPT_URL: LazyLock<String> = LazyLock::new(|| address("console.js", SCRIPT));

pub(super) async fn stylesheet(State(_): State<Arc<Console>>, uri: Uri) -> Response {
    answer("text/css; charset=utf-8", STYLESHEET, &uri, &STYLESHEET_URL)
}

pub(super) async fn script(State(_): State<Arc<Console>>, uri: Uri) -> Response {
    answer("text/javascript; charset=utf-8", SCRIPT, &uri, &SCRIPT_URL)
}

fn answer(kind: &'static str, text: &'static str, uri: &Uri, current: &str) -> Response {
    // Under another version's address it is not to be kept.
    let is_current = uri.path_and_query().is_some_and(|asked| asked.as_str() == current);
    let caching = if is_current { "public, max-age=31536000, immutable" } else { "no-store" };
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, caching)], text).into_response()
}

fn address(name: &str, text: &str) -> String {
    let digest = digest::sha256(&[text.as_bytes()]);
    let version: String = hex::encode(digest).chars().take(16).collect();
    format!("/_strongroom/assets/{name}?v={version}")
}
