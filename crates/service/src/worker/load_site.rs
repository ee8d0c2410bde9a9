//! Where a run's host is, and where its load comes from.

use std::time::Duration;

use podium_launcher::{Host, HostError};
use uuid::Uuid;

use super::{Halt, Worker};

/// Where the load comes from, as it was when the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoadSite {
    /// On the machine of engine and worker.
    Here,
    /// Beside the engine on a remote host; the time to there and back is no part of the figures.
    Beside { round_trip: Duration },
    /// From the worker through a forwarded port; the time to there and back is part of every figure.
    Forwarded { round_trip: Duration },
}

impl LoadSite {
    /// In words; `None` where engine, load and worker share a machine.
    pub(super) fn text(self) -> Option<String> {
        let ms = |round_trip: Duration| format!("{:.2} ms", round_trip.as_secs_f64() * 1000.0);
        match self {
            LoadSite::Here => None,
            LoadSite::Beside { round_trip } => Some(format!(
                "the load comes from the host itself, beside the engine; a message from Podium takes {} there and back, \
                 which is in no figure",
                ms(round_trip)
            )),
            LoadSite::Forwarded { round_trip } => Some(format!(
                "the load comes from Podium's machine through a forwarded port; a message takes {} there and back, \
                 which is in every latency",
                ms(round_trip)
            )),
        }
    }
}

/// The run's host, connected. The inner error is why it cannot be worked with.
pub(super) async fn reach(worker: &Worker, host_id: Option<Uuid>) -> Result<Result<Host, String>, Halt> {
    let Some(host_id) = host_id else { return Ok(Err("the run has no host".to_owned())) };
    let stored = match worker.service.store().host(host_id).await {
        Ok(stored) => stored,
        Err(podium_store::Error::NotFound { .. }) => {
            return Ok(Err("the run's host was removed: add it again and start the plan there".to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    let host = match worker.service.launcher_host(&stored) {
        Ok(host) => host,
        Err(reason) => return Ok(Err(reason)),
    };
    Ok(match host.connect().await {
        Ok(()) => Ok(host),
        Err(error) => Err(error.to_string()),
    })
}

/// Where the load for engines of this host comes from.
pub(super) async fn measure(host: &Host) -> Result<LoadSite, HostError> {
    host.connect().await?;
    Ok(match host.round_trip().await? {
        None => LoadSite::Here,
        Some(round_trip) if host.load_is_remote() => LoadSite::Beside { round_trip },
        Some(round_trip) => LoadSite::Forwarded { round_trip },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_load_says_where_it_comes_from_and_what_the_way_costs() {
        let round_trip = Duration::from_micros(1_234);
        assert_eq!(LoadSite::Here.text(), None);
        assert!(LoadSite::Beside { round_trip }.text().is_some_and(|text| text.contains("1.23 ms")));
        assert!(LoadSite::Forwarded { round_trip }.text().is_some_and(|text| text.contains("in every latency")));
    }
}
