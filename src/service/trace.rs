//! The caller's place in a trace.
//!
//! Source: W3C Trace Context, "Traceparent Header".

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// A `traceparent` that a caller sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(String);

impl TraceParent {
    /// Reads a header's value: `00-TRACE-PARENT-FLAGS` in lower-case hex, neither id all zeroes. Anything
    /// else is passed over, as the specification wants it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split('-').collect();
        let [version, trace, parent, flags] = fields.as_slice() else { return None };
        let is_hex = |field: &str, length: usize| {
            field.len() == length
                && field.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let is_id = |field: &str, length| is_hex(field, length) && field.bytes().any(|b| b != b'0');
        let fits = *version == "00" && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2);
        fits.then(|| Self(text.to_owned()))
    }

    /// 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.0.get(3..35).unwrap_or_default()
    }

    /// Makes a span a child of the caller's. Means something only where traces are exported.
    pub(super) fn adopt(&self, span: &Span) {
        let carrier = HashMap::from([("traceparent".to_owned(), self.0.clone())]);
        let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_specification_allows_is_read() {
        let whole = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = TraceParent::parse(whole).unwrap();
        assert_eq!(read.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        for bad in [
            "",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
    }
}
