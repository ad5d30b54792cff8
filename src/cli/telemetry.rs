//! What the operator sees: logs on standard error, traces to a collector.

use std::io;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use super::error::Error;
use crate::config::{self, LogFormat};

/// Sends what is left of the traces when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Begins logging and, with a collector's address, exporting. Call it within the runtime.
pub(super) fn begin(collector: Option<&str>) -> Result<Telemetry, Error> {
    // `s3s` prints whole requests, tokens and customer keys among them: whatever is asked for, it is not heard.
    let unheard = filter_fn(|about| about.target().split("::").next() != Some("s3s"));
    let filter = EnvFilter::new(config::log_filter()).and(unheard);
    let logs = match config::log_format()? {
        LogFormat::Text => fmt::layer().with_writer(io::stderr).boxed(),
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(io::stderr).boxed(),
    };
    let provider = collector.map(provider).transpose()?;
    let traces = provider.as_ref().map(|provider| {
        let tracer = provider.tracer("strongroom");
        // Calls alone: what the exporter itself does must not be traced.
        let calls = EnvFilter::new("off,strongroom=info");
        tracing_opentelemetry::layer().with_tracer(tracer).with_filter(calls)
    });
    tracing_subscriber::registry().with(logs.with_filter(filter)).with(traces).init();
    Ok(Telemetry { provider })
}

fn provider(collector: &str) -> Result<SdkTracerProvider, Error> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(collector).build();
    let exporter = exporter.map_err(|error| Error::Collector {
        address: collector.to_owned(),
        source: Box::new(error),
    })?;
    let resource = Resource::builder().with_service_name("strongroom").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.provider.take().map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last traces were not exported");
        }
    }
}
