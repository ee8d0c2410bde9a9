//! Whether a row holds its SLA, and which measurement stands for a row.

use std::cmp::Ordering;

use super::{ResultRow, RowStatus};
use crate::load::LoadMode;
use crate::measure::Summary;
use crate::report::figure;
use crate::sla::{SLA_KEYS, Sla, SlaCheck};
use crate::stats::Distribution;
use crate::validity::Validity;

/// Whether a row holds its SLA, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlaVerdict {
    /// Whether it holds.
    pub passed: bool,
    /// Whether that was computed from the row's limits and figures, and not taken from the row's own word.
    pub recomputed: bool,
}

impl ResultRow {
    /// The limits that the row states.
    pub fn limits(&self) -> Sla {
        Sla {
            max_p50_ttft_ms: self.sla.max_p50_ttft_ms,
            max_p50_tpot_ms: self.sla.max_p50_tpot_ms,
            max_p50_e2e_ms: self.sla.max_p50_e2e_ms,
            min_success_rate: self.sla.min_success_rate,
        }
    }

    /// The user's TTFT where an open loop's SLA reads it, ms.
    fn gating_user_ttft_ms(&self) -> Option<f64> {
        let open_loop = self.load_mode().is_some_and(LoadMode::is_open_loop);
        self.podium.as_ref().and_then(|podium| podium.p50_user_ttft_ms).filter(|_| open_loop)
    }

    /// The median TTFT that the SLA reads, ms: the user's in open loops, where the row has it.
    pub fn sla_ttft_ms(&self) -> Option<f64> {
        self.gating_user_ttft_ms().or(self.metrics.p50_ttft_ms)
    }

    /// Checks every limit of the row against its figures.
    ///
    /// In open loops the TTFT limit reads the user's TTFT where the row has it.
    pub fn sla_checks(&self) -> Vec<SlaCheck> {
        let limits = [
            (self.sla.max_p50_ttft_ms, self.sla_ttft_ms()),
            (self.sla.max_p50_tpot_ms, self.metrics.p50_tpot_ms),
            (self.sla.max_p50_e2e_ms, self.metrics.p50_e2e_ms),
            (self.sla.min_success_rate, self.metrics.success_rate),
        ];
        SLA_KEYS
            .into_iter()
            .zip(limits)
            .filter_map(|(key, (limit, measured))| {
                let limit = limit?;
                let holds = measured.map(|value| if key.starts_with("min_") { value >= limit } else { value <= limit });
                Some(SlaCheck { key: key.to_owned(), limit, measured, holds })
            })
            .collect()
    }

    /// Whether the row holds its SLA, recomputed from its figures as far as they go.
    ///
    /// One missed limit decides. Where limits are absent or lack a figure, the row's own word stands; a row that says
    /// nothing does not pass.
    pub fn sla_verdict(&self) -> SlaVerdict {
        let checks = self.sla_checks();
        if checks.iter().any(|check| check.holds == Some(false)) {
            return SlaVerdict { passed: false, recomputed: true };
        }
        if !checks.is_empty() && checks.iter().all(|check| check.holds == Some(true)) {
            return SlaVerdict { passed: true, recomputed: true };
        }
        // Our own rows were computed when they were built, from all that was measured.
        let recomputed = self.podium.is_some() && !self.is_imported();
        SlaVerdict { passed: self.sla.passed.unwrap_or(false), recomputed }
    }

    /// Sets `sla.passed` to the recomputed verdict.
    pub fn recompute_sla(&mut self) {
        let verdict = self.sla_verdict();
        if verdict.recomputed && self.is_measured() {
            self.sla.passed = Some(verdict.passed);
        }
    }

    /// Which limits the row misses, in words, for example `p50 TTFT 812 ms, limit 500 ms`; `None` where none is.
    pub fn missed_limits(&self) -> Option<String> {
        let missed: Vec<_> = self
            .sla_checks()
            .iter()
            .filter(|check| check.holds == Some(false))
            .filter_map(|check| self.missed_text(check))
            .collect();
        if missed.is_empty() { None } else { Some(missed.join("; ")) }
    }

    /// Why the row cannot be selected, in words: how it ended, that it is invalid, or which limits it misses; `None` for
    /// a row that can.
    pub fn not_selected_reason(&self) -> Option<String> {
        let stated = || self.failure_reason.clone();
        if self.status != RowStatus::Ok {
            return Some(stated().unwrap_or_else(|| "no reason recorded".to_owned()));
        }
        if !self.is_sound() {
            let reasons = self.validity().map(Validity::reasons).unwrap_or_default();
            let texts: Vec<_> = reasons.iter().map(|reason| reason.text.as_str()).collect();
            return Some(format!("the measurement is invalid: {}", texts.join("; ")));
        }
        if self.sla_verdict().passed {
            return None;
        }
        let missed = self.missed_limits().map(|limits| format!("misses the SLA: {limits}"));
        Some(missed.or_else(stated).unwrap_or_else(|| "does not hold the SLA by its own word".to_owned()))
    }

    fn missed_text(&self, check: &SlaCheck) -> Option<String> {
        let measured = check.measured?;
        let name = match check.key.as_str() {
            "min_success_rate" => {
                let (measured, limit) = (figure(measured * 100.0), figure(check.limit * 100.0));
                return Some(format!("success rate {measured} %, at least {limit} %"));
            }
            "max_p50_ttft_ms" if self.gating_user_ttft_ms().is_some() => "p50 user TTFT",
            "max_p50_ttft_ms" => "p50 TTFT",
            "max_p50_tpot_ms" => "p50 TPOT",
            _ => "p50 E2E",
        };
        Some(format!("{name} {} ms, limit {} ms", figure(measured), figure(check.limit)))
    }
}

/// Which of a candidate's measurements in one scenario stands for its row; `None` where there are none.
///
/// `measurements` are those of the plan's primary load mode, each with whether it held the SLA. The highest-ranking one
/// that is not invalid and holds the SLA is taken; else the one of highest throughput that is not invalid; else the one
/// of highest throughput (its row then says `failed`). The first of equals is taken.
pub fn best_measurement(measurements: &[(&Summary, bool)]) -> Option<usize> {
    let class = |&(summary, holds): &(&Summary, bool)| match (summary.validity.may_win(), holds) {
        (true, true) => 0,
        (true, false) => 1,
        (false, _) => 2,
    };
    let better = |a: &(&Summary, bool), b: &(&Summary, bool)| {
        class(a).cmp(&class(b)).then_with(|| compare_figures(a.0, b.0, class(a) == 0))
    };
    (0..measurements.len()).min_by(|&a, &b| better(&measurements[a], &measurements[b]))
}

/// `Less` where `a` is better.
fn compare_figures(a: &Summary, b: &Summary, with_latency: bool) -> Ordering {
    let high = |a: Option<f64>, b: Option<f64>| b.unwrap_or(0.0).total_cmp(&a.unwrap_or(0.0));
    let low = |a: &Option<Distribution>, b: &Option<Distribution>| {
        let p50 = |d: &Option<Distribution>| d.as_ref().map_or(f64::INFINITY, |d| d.p50);
        p50(a).total_cmp(&p50(b))
    };
    let throughput = high(a.request_throughput, b.request_throughput)
        .then_with(|| high(a.output_token_throughput, b.output_token_throughput));
    if with_latency {
        throughput.then_with(|| low(&a.ttft_ms, &b.ttft_ms)).then_with(|| low(&a.tpot_ms, &b.tpot_ms))
    } else {
        throughput
    }
}
