//! What one load run is asked to do.

use std::collections::BTreeMap;
use std::path::PathBuf;

use podium_domain::load::LoadPoint;
use podium_domain::sla::Sla;
use podium_workload::{Arrivals, WorkloadSpec};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::margin::Margin;
use crate::telemetry::TelemetrySpec;

/// The version of [`LoadJob`] and of the messages that answer it.
pub const PROTOCOL_VERSION: u32 = 1;

/// One measurement: what is sent where, and when. Its JSON is the first line that `podium-agent load` reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadJob {
    /// [`PROTOCOL_VERSION`] of the writer.
    pub version: u32,
    /// Where the server listens, for example `http://127.0.0.1:8000`, `https://engine.example` or
    /// `unix:/run/engine.sock`. A path in front of `/v1` is kept, a trailing `/v1` is not needed.
    pub base_url: String,
    /// The certificate authorities, in PEM form, that an `https` server is trusted by; the system's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Whether HTTP/2 is spoken: agreed on in the handshake with `https`, else by prior knowledge. Each request in
    /// flight has a connection of its own all the same, so that none waits for another's frames.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub http2: bool,
    /// The name of the environment variable that holds the API key, where the server wants one. Never the key itself.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// Laid over the headers of every request. Never a secret: jobs are stored.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The requests.
    pub workload: WorkloadSpec,
    /// The load.
    pub load: LoadPoint,
    /// How arrivals at a rate are spaced.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Nothing is sent later than this after the start, seconds; what was sent by then is still awaited. A closed loop
    /// then counts only the requests that it came to as planned.
    #[serde(default)]
    pub duration_limit_s: Option<f64>,
    /// What is left out of the figures at the beginning, while the load builds up.
    #[serde(default)]
    pub skip_first: Option<Margin>,
    /// What is left out of the figures at the end.
    #[serde(default)]
    pub skip_last: Option<Margin>,
    /// A request that is not answered to its end this long after it was sent has failed, seconds.
    pub request_timeout_s: f64,
    /// A request whose answer is silent for this long has failed, seconds; no such limit where absent.
    #[serde(default)]
    pub idle_timeout_s: Option<f64>,
    /// The limits behind goodput; an empty one gives none.
    #[serde(default)]
    pub sla: Sla,
    /// Where to write the per-request samples.
    #[serde(default)]
    pub samples_path: Option<PathBuf>,
    /// Whether to end once the SLA is out of reach: for a probe of a search, which needs only to know whether it holds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub end_when_lost: bool,
    /// What to read from the engine and its GPUs meanwhile; nothing where absent.
    #[serde(default)]
    pub telemetry: Option<TelemetrySpec>,
}

impl LoadJob {
    /// A job with Poisson arrivals, ten minutes for each request and nothing optional.
    pub fn new(base_url: impl Into<String>, workload: WorkloadSpec, load: LoadPoint) -> Self {
        LoadJob {
            version: PROTOCOL_VERSION,
            base_url: base_url.into(),
            ca_file: None,
            http2: false,
            api_key_env: None,
            headers: BTreeMap::new(),
            workload,
            load,
            arrivals: Arrivals::Poisson,
            duration_limit_s: None,
            skip_first: None,
            skip_last: None,
            request_timeout_s: 600.0,
            idle_timeout_s: None,
            sla: Sla::default(),
            samples_path: None,
            end_when_lost: false,
            telemetry: None,
        }
    }

    /// Checks what can be checked before anything is sent.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        if self.version != PROTOCOL_VERSION {
            return Err(Error::Job(format!(
                "this load process reads jobs of version {PROTOCOL_VERSION}, and this one has version {}; \
                 use binaries of the same release",
                self.version
            )));
        }
        let limits = [
            ("request_timeout_s", Some(self.request_timeout_s)),
            ("idle_timeout_s", self.idle_timeout_s),
            ("duration_limit_s", self.duration_limit_s),
            ("telemetry.every_s", self.telemetry.as_ref().map(|telemetry| telemetry.every_s)),
        ];
        for (field, seconds) in limits {
            if seconds.is_some_and(|seconds| !(seconds > 0.0 && seconds <= LONGEST_LIMIT_S)) {
                return Err(Error::Job(format!("`{field}` must be a number of seconds above 0 and at most a year")));
            }
        }
        for (field, margin) in [("skip_first", self.skip_first), ("skip_last", self.skip_last)] {
            if let Some(Margin::Seconds(seconds)) = margin
                && !(0.0..=LONGEST_LIMIT_S).contains(&seconds)
            {
                return Err(Error::Job(format!("`{field}` must be a number of seconds from 0 to a year")));
            }
        }
        Ok(())
    }
}

/// A year; the bound keeps sums of instants from overflowing.
const LONGEST_LIMIT_S: f64 = 365.0 * 86_400.0;
