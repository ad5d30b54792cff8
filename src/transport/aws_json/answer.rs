//! Answers and errors as SDKs read them.

use axum::body::Body;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::service::{Error, Reply};

/// An outcome with what every answer carries: request id and index of the record.
pub(in crate::transport) struct Answer {
    request_id: String,
    log_index: Option<u64>,
    result: Result<Value, Error>,
}

impl Answer {
    /// Translates a reply.
    pub(in crate::transport) fn of<T>(reply: Reply<T>, write: impl FnOnce(T) -> Value) -> Self {
        let Reply { request_id, log_index, result, .. } = reply;
        Self { request_id, log_index, result: result.map(|output| without_nulls(write(output))) }
    }

    /// As JSON 1.1.
    pub(in crate::transport) fn into_json(self) -> Response {
        let (status, code, body) = match &self.result {
            Ok(Value::Null) => (200, None, String::new()),
            Ok(output) => (200, None, output.to_string()),
            Err(error) => {
                let body = json!({ "__type": error.code(), "message": error.to_string() });
                (error.http_status(), Some(error.code()), body.to_string())
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        // As AWS: answers carry plaintext and keys.
        let private = "no-cache, no-store, must-revalidate, private";
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(private));
        if let Some(code) = code.and_then(|code| HeaderValue::try_from(code.as_ref()).ok()) {
            headers.insert("x-amzn-errortype", code);
        }
        self.label(headers);
        response
    }

    /// The answer's parts, for a door with another wire form.
    pub(in crate::transport) fn result(&self) -> (&str, &Result<Value, Error>) {
        (&self.request_id, &self.result)
    }

    /// Adds request id and index of the record.
    pub(in crate::transport) fn label(&self, headers: &mut HeaderMap) {
        if let Ok(id) = HeaderValue::try_from(&self.request_id) {
            headers.insert("x-amzn-requestid", id);
        }
        if let Some(index) = self.log_index {
            headers.insert("x-audit-log-index", HeaderValue::from(index));
        }
    }
}

/// AWS leaves out what has no value.
fn without_nulls(mut output: Value) -> Value {
    match &mut output {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(|value| *value = without_nulls(value.take()));
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| *item = without_nulls(item.take()));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    output
}

/// Seconds since the epoch, with milliseconds as a fraction.
pub(super) fn seconds(time: DateTime<Utc>) -> Value {
    // Milliseconds of any year that chrono knows are exact in a double.
    let text = format!("{}.{:03}", time.timestamp(), time.timestamp_subsec_millis());
    text.parse::<f64>().map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_seconds_with_a_fraction() {
        let time = DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap();
        assert_eq!(seconds(time).to_string(), "1700000000.123");
        assert_eq!(seconds(DateTime::default()).to_string(), "0.0");
    }
}
