//! The service-level agreement of a plan, and the verdict on a measurement.

use serde::{Deserialize, Serialize};

use crate::measure::Summary;

/// Limits on medians and on the success rate. An absent limit is not checked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sla {
    /// Largest median time to first token, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_p50_ttft_ms: Option<f64>,
    /// Largest median time per output token after the first, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_p50_tpot_ms: Option<f64>,
    /// Largest median end-to-end latency, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_p50_e2e_ms: Option<f64>,
    /// Smallest share of requests that succeed, in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_success_rate: Option<f64>,
}

/// The keys that a plan's `sla` may hold.
pub const SLA_KEYS: [&str; 4] = ["max_p50_ttft_ms", "max_p50_tpot_ms", "max_p50_e2e_ms", "min_success_rate"];

/// One limit and what was measured against it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlaCheck {
    /// The key of the limit, one of [`SLA_KEYS`].
    pub key: String,
    /// The limit.
    pub limit: f64,
    /// What was measured, in the limit's unit; `None` where it is undefined (TPOT of one-token answers).
    pub measured: Option<f64>,
    /// Whether the limit holds; `None` where `measured` is.
    pub holds: Option<bool>,
}

impl Sla {
    /// Whether there is no limit at all.
    pub fn is_empty(&self) -> bool {
        *self == Sla::default()
    }

    /// Checks every limit against one measurement.
    ///
    /// The TTFT limit reads the user's TTFT (from the scheduled start) in open loops, so that a stalled client or a
    /// full cap cannot hide a stalled server, and the TTFT from `sent_at` in closed loops.
    pub fn check(&self, summary: &Summary, open_loop: bool) -> Vec<SlaCheck> {
        let ttft = if open_loop { &summary.user_ttft_ms } else { &summary.ttft_ms };
        let p50 = |d: &Option<crate::stats::Distribution>| d.as_ref().map(|d| d.p50);
        let at_most = [
            (SLA_KEYS[0], self.max_p50_ttft_ms, p50(ttft)),
            (SLA_KEYS[1], self.max_p50_tpot_ms, p50(&summary.tpot_ms)),
            (SLA_KEYS[2], self.max_p50_e2e_ms, p50(&summary.e2e_ms)),
        ];
        let mut checks: Vec<SlaCheck> = at_most
            .into_iter()
            .filter_map(|(key, limit, measured)| {
                let limit = limit?;
                Some(SlaCheck { key: key.to_owned(), limit, measured, holds: measured.map(|m| m <= limit) })
            })
            .collect();
        if let Some(limit) = self.min_success_rate {
            let measured = summary.success_rate;
            checks.push(SlaCheck {
                key: SLA_KEYS[3].to_owned(),
                limit,
                measured,
                holds: measured.map(|rate| rate >= limit),
            });
        }
        checks
    }

    /// Whether the measurement holds the SLA: something succeeded and no limit is missed. An undefined value neither
    /// passes nor fails its own limit.
    pub fn holds(&self, summary: &Summary, open_loop: bool) -> bool {
        summary.completed > 0 && self.check(summary, open_loop).iter().all(|check| check.holds != Some(false))
    }
}
