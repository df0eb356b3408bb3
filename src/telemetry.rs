//! The only set-up of logs and metrics. Knows how they look; knows nothing of what they say.
//!
//! Logs go to standard error: text for people on a terminal, JSON lines for machines. Metrics are
//! kept in memory until somebody asks for them. What the writer tells:
//!
//! | Metric | Kind | Meaning |
//! |---|---|---|
//! | `headroom_inbox_depth` | gauge | commands waiting for the writer |
//! | `headroom_batch_commands` | histogram | commands in one batch, deadlines met included |
//! | `headroom_decide_seconds` | histogram | time to decide a batch |
//! | `headroom_commit_seconds` | histogram | time to make a batch durable |
//! | `headroom_commits_total` | counter | batches made durable |
//! | `headroom_commit_faults_total` | counter | commits that failed or are in doubt |
//! | `headroom_restores_total` | counter | times the market was loaded anew after a fault |
//! | `headroom_leading` | gauge | 1 where commands are decided, 0 on a server that stands by |
//! | `headroom_commands_total{verb}` | counter | commands decided |
//! | `headroom_refusals_total{code}` | counter | commands refused, by the refusal's word |

use std::io::IsTerminal;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
pub use metrics_exporter_prometheus::PrometheusHandle;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Why logs or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("HEADROOM_LOG is not a filter such as info or headroom=debug: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logs are set up already: {0}")]
    Logs(Box<dyn std::error::Error + Send + Sync>),
    #[error("metrics are set up already: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// Seconds, from a tenth of a millisecond to ten seconds.
const SECONDS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// Sizes of batches, by doubling.
const COMMANDS: [f64; 12] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 2_048.0];

/// Sets up logs for the life of the process.
///
/// # Errors
/// When the filter cannot be read, or logs were set up before.
pub fn log(filter: &str, format: LogFormat) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter)?;
    // A log that cannot be written, on a full disk say, is no reason to stop; told of on the same
    // standard error, it would be one.
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    let is_terminal = std::io::stderr().is_terminal();
    let for_people = match format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    if for_people {
        lines.with_ansi(is_terminal).compact().try_init().map_err(TelemetryError::Logs)
    } else {
        lines.json().flatten_event(true).try_init().map_err(TelemetryError::Logs)
    }
}

/// Sets up metrics for the life of the process; the handle writes them in Prometheus' words.
///
/// # Errors
/// When metrics were set up before.
pub fn measure() -> Result<PrometheusHandle, TelemetryError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_commands".to_owned()), &COMMANDS)?
        .install_recorder()?;
    describe_gauge!("headroom_inbox_depth", Unit::Count, "Commands waiting for the writer");
    describe_histogram!("headroom_batch_commands", Unit::Count, "Commands in one batch");
    describe_histogram!("headroom_decide_seconds", Unit::Seconds, "Time to decide a batch");
    describe_histogram!("headroom_commit_seconds", Unit::Seconds, "Time to make a batch durable");
    describe_counter!("headroom_commits_total", Unit::Count, "Batches made durable");
    describe_counter!(
        "headroom_commit_faults_total",
        Unit::Count,
        "Commits that failed or are in doubt"
    );
    describe_counter!(
        "headroom_restores_total",
        Unit::Count,
        "Times the market was loaded anew after a fault"
    );
    describe_gauge!("headroom_leading", "1 where commands are decided, 0 where not");
    describe_counter!("headroom_commands_total", Unit::Count, "Commands decided, by verb");
    describe_counter!("headroom_refusals_total", Unit::Count, "Commands refused, by reason");
    Ok(handle)
}
