//! What a watcher sees: counts and times of calls, commits, connections, in OpenMetrics' text.
//!
//! Labels are names from the register, from the configuration (witnesses) and from fixed sets: never a key, a
//! principal or what a caller wrote.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::cosigning::Asked;
use crate::audit::Outcome;
use crate::store::GroupCommitted;

/// Every metric of a service.
pub struct Metrics {
    registry: Registry,
    calls: Family<Call, Histogram, fn() -> Histogram>,
    unrecorded: Counter,
    group_entries: Histogram,
    sync: Histogram,
    connections: Family<Connection, Gauge>,
    turned_away: Counter,
    log_entries: Gauge<u64, AtomicU64>,
    log_sealed: Gauge<u64, AtomicU64>,
    sealing_failures: Counter,
    store_bytes: Gauge<u64, AtomicU64>,
    healthy: Gauge,
    cosigned: Gauge<u64, AtomicU64>,
    witness_answers: Family<Answer, Counter>,
    witness_alarm: Family<Witness, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    witness: String,
    answer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Witness {
    witness: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Connection {
    security: &'static str,
}

/// Counts a connection for as long as it lives.
#[derive(Debug)]
pub struct ConnectionCounted(Gauge);

/// What is not counted but looked at, at the time of asking.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) log_entries: u64,
    pub(super) cosigned: u64,
    pub(super) log_sealed: u64,
    pub(super) store_bytes: u64,
    pub(super) healthy: bool,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("strongroom");
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The program", Info::new(version));
        let duration: fn() -> Histogram = durations;
        let calls = Family::new_with_constructor(duration);
        let about = "Calls by operation and outcome, from the door to the durable record";
        registry.register_with_unit("call_duration", about, Unit::Seconds, calls.clone());
        let unrecorded = Counter::default();
        let about = "Calls that could not be recorded, and so were not answered";
        registry.register("calls_unrecorded", about, unrecorded.clone());
        let group_entries = Histogram::new(exponential_buckets(1.0, 2.0, 9));
        let about = "Records in a group that was made durable at once";
        registry.register("commit_group_entries", about, group_entries.clone());
        let sync = durations();
        let about = "The disk's barrier of a group";
        registry.register_with_unit("commit_sync", about, Unit::Seconds, sync.clone());
        let connections = Family::default();
        registry.register("connections", "Connections that are open", connections.clone());
        let turned_away = Counter::default();
        let about = "Connections that were refused, as too many were open";
        registry.register("connections_turned_away", about, turned_away.clone());
        let log_entries = Gauge::default();
        registry.register("log_entries", "Records in the audit trail", log_entries.clone());
        let log_sealed = Gauge::default();
        let about = "Records of it that are in the archive, and no longer in the store";
        registry.register("log_sealed_entries", about, log_sealed.clone());
        let sealing_failures = Counter::default();
        let about = "Times that records could not be moved to the archive";
        registry.register("log_sealing_failures", about, sealing_failures.clone());
        let store_bytes = Gauge::default();
        let about = "What the store takes on disk";
        registry.register_with_unit("store", about, Unit::Bytes, store_bytes.clone());
        let healthy = Gauge::default();
        registry.register("healthy", "1, or 0 after a failed write", healthy.clone());
        let cosigned = Gauge::default();
        let about = "Records in the newest tree that enough witnesses have signed";
        registry.register("log_cosigned_entries", about, cosigned.clone());
        let witness_answers = Family::default();
        let about = "What witnesses made of this log's checkpoints";
        registry.register("witness_answers", about, witness_answers.clone());
        let witness_alarm = Family::default();
        let about = "1 while a witness says that it has seen another past of this log";
        registry.register("witness_alarm", about, witness_alarm.clone());
        Self {
            registry,
            calls,
            unrecorded,
            group_entries,
            sync,
            connections,
            turned_away,
            log_entries,
            log_sealed,
            sealing_failures,
            store_bytes,
            healthy,
            cosigned,
            witness_answers,
            witness_alarm,
        }
    }

    /// Counts what a witness answered. An alarm stays until it signs again.
    pub(super) fn witness_answered(&self, witness: &str, asked: Asked) {
        let named = Witness { witness: witness.to_owned() };
        let alarm = self.witness_alarm.get_or_create_owned(&named);
        match asked {
            Asked::Cosigned => alarm.set(0),
            asked if asked.is_alarm() => alarm.set(1),
            _ => 0,
        };
        let answer = Answer { witness: named.witness, answer: asked.as_str() };
        self.witness_answers.get_or_create(&answer).inc();
    }

    /// Counts a call. `outcome` is none when it could not be recorded.
    pub(super) fn called(&self, operation: &'static str, outcome: Option<Outcome>, took: Duration) {
        let outcome = match outcome {
            Some(outcome) => outcome.as_str(),
            None => {
                self.unrecorded.inc();
                "unrecorded"
            }
        };
        self.calls.get_or_create(&Call { operation, outcome }).observe(took.as_secs_f64());
    }

    /// Counts a group.
    pub(super) fn committed(&self, group: GroupCommitted) {
        let entries = u32::try_from(group.entries).unwrap_or(u32::MAX);
        self.group_entries.observe(f64::from(entries));
        self.sync.observe(group.sync.as_secs_f64());
    }

    /// Counts a try to seal that failed.
    pub(super) fn sealing_failed(&self) {
        self.sealing_failures.inc();
    }

    /// Counts a connection until the answer is dropped.
    #[must_use]
    pub fn connected(&self, tls: bool) -> ConnectionCounted {
        let security = if tls { "tls" } else { "plain" };
        let gauge = self.connections.get_or_create_owned(&Connection { security });
        gauge.inc();
        ConnectionCounted(gauge)
    }

    /// Counts a connection for which there was no place.
    pub fn turned_away(&self) {
        self.turned_away.inc();
    }

    /// OpenMetrics' text.
    pub(super) fn text(&self, reading: Reading) -> String {
        self.log_entries.set(reading.log_entries);
        self.cosigned.set(reading.cosigned);
        self.log_sealed.set(reading.log_sealed);
        self.store_bytes.set(reading.store_bytes);
        self.healthy.set(i64::from(reading.healthy));
        let mut out = String::new();
        // Writing into a string does not fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

impl Drop for ConnectionCounted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// From 64 µs to 8 s.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.000_064, 2.0, 18))
}

#[cfg(test)]
mod tests {
    use super::super::operations::registered_name;
    use super::*;

    #[test]
    fn only_names_of_the_register_become_labels() {
        let metrics = Metrics::new();
        let took = Duration::from_micros(100);
        metrics.called("Decrypt", Some(Outcome::Success), took);
        metrics.called("Decrypt", Some(Outcome::Refused), took);
        let foreign = registered_name("arn:aws:kms:key/secret");
        metrics.called(foreign, Some(Outcome::Failed), took);
        metrics.called("Encrypt", None, took);
        metrics.committed(GroupCommitted { entries: 3, sync: took });
        let held = metrics.connected(true);
        metrics.turned_away();
        for asked in [Asked::Fork, Asked::Unreachable, Asked::Cosigned, Asked::Rollback] {
            metrics.witness_answered("w.example", asked);
        }
        metrics.sealing_failed();
        let reading =
            Reading { log_entries: 4, log_sealed: 2, cosigned: 3, store_bytes: 5, healthy: true };
        let text = metrics.text(reading);
        for line in [
            "strongroom_call_duration_seconds_count{operation=\"Decrypt\",outcome=\"success\"} 1",
            "strongroom_call_duration_seconds_count{operation=\"Decrypt\",outcome=\"refused\"} 1",
            "strongroom_call_duration_seconds_count{operation=\"unknown\",outcome=\"failed\"} 1",
            "strongroom_calls_unrecorded_total 1",
            "strongroom_commit_group_entries_sum 3.0",
            "strongroom_commit_sync_seconds_count 1",
            "strongroom_connections{security=\"tls\"} 1",
            "strongroom_connections_turned_away_total 1",
            "strongroom_log_entries 4",
            "strongroom_log_sealed_entries 2",
            "strongroom_log_sealing_failures_total 1",
            "strongroom_store_bytes 5",
            "strongroom_healthy 1",
            "strongroom_log_cosigned_entries 3",
            "strongroom_witness_answers_total{witness=\"w.example\",answer=\"unreachable\"} 1",
            "strongroom_witness_alarm{witness=\"w.example\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("secret"));
        drop(held);
        assert!(metrics.text(reading).contains("strongroom_connections{security=\"tls\"} 0"));
    }
}
