//! What `podium load` asks the engine and the GPUs beside a measurement.

use clap::Args;
use podium_loadgen::TelemetrySpec;

/// Whether and where telemetry is read.
#[derive(Debug, Args)]
pub(super) struct TelemetryArgs {
    /// Where the engine's metrics are, if not at /metrics of --base-url
    #[arg(long, value_name = "URL", conflicts_with = "no_telemetry")]
    metrics_url: Option<String>,

    /// Do not read the engine's metrics and this machine's GPUs beside the measurement
    #[arg(long)]
    no_telemetry: bool,
}

impl TelemetryArgs {
    /// What to read. The GPUs here are the engine's only where it runs here.
    pub(super) fn spec(&self, base_url: &str) -> Option<TelemetrySpec> {
        (!self.no_telemetry).then(|| TelemetrySpec {
            url: self.metrics_url.clone(),
            nvidia_smi: is_local(base_url).then(|| "nvidia-smi".into()),
            ..TelemetrySpec::recognised()
        })
    }
}

/// Whether a server is on this machine, as far as its address tells.
fn is_local(base_url: &str) -> bool {
    let rest = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or(address),
        None => authority.split(':').next().unwrap_or(authority),
    };
    base_url.starts_with("unix:")
        || host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_engine_here_has_the_gpus_here() {
        for here in ["http://127.0.0.1:8000", "https://localhost/v1", "http://[::1]:8000", "unix:/run/engine.sock"] {
            assert!(is_local(here), "{here}");
        }
        for there in ["http://10.0.0.1:8000", "https://localhost.example", "http://gpu1:8000/localhost"] {
            assert!(!is_local(there), "{there}");
        }
    }

    #[test]
    fn telemetry_can_be_elsewhere_or_left_out() {
        let args = |metrics_url: Option<&str>, no_telemetry| TelemetryArgs {
            metrics_url: metrics_url.map(str::to_owned),
            no_telemetry,
        };
        let spec = args(Some("http://gateway:9/metrics"), false).spec("http://gpu1:8000").unwrap();
        assert_eq!((spec.url.as_deref(), spec.nvidia_smi), (Some("http://gateway:9/metrics"), None));
        assert_eq!(args(None, true).spec("http://127.0.0.1:1"), None);
    }
}
