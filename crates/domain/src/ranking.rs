//! Which row is better: the order of result rows, and the best of each framework and scenario.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::load::LoadMode;
use crate::row::ResultRow;

mod standing;

pub use standing::Standing;

/// What a ranking asks of a row.
pub trait Contender {
    /// The framework's id.
    fn framework(&self) -> &str;
    /// The scenario's name.
    fn scenario(&self) -> &str;
    /// The kind of load; `None` where the row does not say.
    fn load_mode(&self) -> Option<LoadMode>;
    /// Whether there is any throughput figure.
    fn is_measured(&self) -> bool;
    /// Whether the row may be selected.
    fn is_selectable(&self) -> bool;
}

impl Contender for ResultRow {
    fn framework(&self) -> &str {
        &self.framework
    }

    fn scenario(&self) -> &str {
        ResultRow::scenario(self)
    }

    fn load_mode(&self) -> Option<LoadMode> {
        ResultRow::load_mode(self)
    }

    fn is_measured(&self) -> bool {
        ResultRow::is_measured(self)
    }

    fn is_selectable(&self) -> bool {
        ResultRow::is_selectable(self)
    }
}

impl<T: Contender> Contender for &T {
    fn framework(&self) -> &str {
        (**self).framework()
    }

    fn scenario(&self) -> &str {
        (**self).scenario()
    }

    fn load_mode(&self) -> Option<LoadMode> {
        (**self).load_mode()
    }

    fn is_measured(&self) -> bool {
        (**self).is_measured()
    }

    fn is_selectable(&self) -> bool {
        (**self).is_selectable()
    }
}

/// Which throughput decides first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    /// Requests per second, then output tokens per second.
    #[default]
    Requests,
    /// Output tokens per second, then requests per second.
    Tokens,
}

impl Preference {
    /// The throughput that decides first, per second.
    pub fn decisive(self, row: &ResultRow) -> Option<f64> {
        match self {
            Preference::Requests => row.metrics.request_throughput,
            Preference::Tokens => row.metrics.output_token_throughput,
        }
    }

    fn second(self, row: &ResultRow) -> Option<f64> {
        match self {
            Preference::Requests => row.metrics.output_token_throughput,
            Preference::Tokens => row.metrics.request_throughput,
        }
    }
}

/// A row's place in the order, smaller is better: sound, within the SLA, the two throughputs, TTFT, TPOT, GPUs.
#[derive(Debug, Clone, Copy)]
pub struct RankKey {
    unsound: bool,
    misses_sla: bool,
    throughputs: [f64; 2],
    latencies_ms: [f64; 2],
    gpus: u64,
}

impl RankKey {
    /// The key of `row`. A missing throughput counts as 0, a missing median is replaced by the mean, a latency without
    /// either is the worst, an unknown number of GPUs is the largest. An invalid measurement counts as not `ok`.
    pub fn of(row: &ResultRow, preference: Preference) -> Self {
        let metrics = &row.metrics;
        // Adding 0.0 makes -0.0 the 0.0 that it equals.
        let throughput = |value: Option<f64>| value.unwrap_or(0.0) + 0.0;
        let latency = |p50: Option<f64>, mean: Option<f64>| p50.or(mean).unwrap_or(f64::INFINITY) + 0.0;
        RankKey {
            unsound: !row.is_sound(),
            misses_sla: !row.sla_verdict().passed,
            throughputs: [throughput(preference.decisive(row)), throughput(preference.second(row))],
            latencies_ms: [
                latency(metrics.p50_ttft_ms, metrics.mean_ttft_ms),
                latency(metrics.p50_tpot_ms, metrics.mean_tpot_ms),
            ],
            gpus: row.hardware.gpu_count.unwrap_or(u64::MAX),
        }
    }
}

impl Ord for RankKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let high_first = |a: f64, b: f64| b.total_cmp(&a);
        self.unsound
            .cmp(&other.unsound)
            .then(self.misses_sla.cmp(&other.misses_sla))
            .then(high_first(self.throughputs[0], other.throughputs[0]))
            .then(high_first(self.throughputs[1], other.throughputs[1]))
            .then(self.latencies_ms[0].total_cmp(&other.latencies_ms[0]))
            .then(self.latencies_ms[1].total_cmp(&other.latencies_ms[1]))
            .then(self.gpus.cmp(&other.gpus))
    }
}

impl PartialOrd for RankKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for RankKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for RankKey {}

/// The indices of `rows`, best first; equal rows keep their order.
pub fn rank(rows: &[ResultRow], preference: Preference) -> Vec<usize> {
    let keys: Vec<_> = rows.iter().map(|row| RankKey::of(row, preference)).collect();
    order_of(&keys)
}

/// The indices of `keys`, best first; equal keys keep their order.
pub fn order_of(keys: &[RankKey]) -> Vec<usize> {
    let mut order: Vec<_> = (0..keys.len()).collect();
    order.sort_by(|&a, &b| keys[a].cmp(&keys[b]));
    order
}

/// The load mode in which rows are ranked where no plan says it: the first of the modes that were measured.
pub fn primary_mode(rows: &[impl Contender]) -> Option<LoadMode> {
    rows.iter().filter(|row| row.is_measured()).filter_map(Contender::load_mode).min()
}

/// Whether a row is ranked under `mode`. Rows that do not say their mode count with the primary one.
pub fn in_mode(row: &impl Contender, mode: Option<LoadMode>) -> bool {
    match (row.load_mode(), mode) {
        (Some(of_row), Some(mode)) => of_row == mode,
        (None, _) | (_, None) => true,
    }
}

/// The best row of one framework in one scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Best {
    /// The framework's id.
    pub framework: String,
    /// The scenario's name.
    pub scenario: String,
    /// The row.
    pub row: usize,
}

/// The best selectable row of every framework and scenario, by framework and scenario in name order; `order` is the
/// ranking of the rows that compete (see [`rank`] and [`in_mode`]).
pub fn best_by_framework(rows: &[impl Contender], order: &[usize]) -> Vec<Best> {
    let mut best: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for &index in order {
        let row = &rows[index];
        if row.is_selectable() {
            best.entry((row.framework(), row.scenario())).or_insert(index);
        }
    }
    best.into_iter()
        .map(|((framework, scenario), row)| Best {
            framework: framework.to_owned(),
            scenario: scenario.to_owned(),
            row,
        })
        .collect()
}

/// The best rows of all frameworks in each scenario, ranked; scenarios in name order.
pub fn cross_framework(rows: &[impl Contender], order: &[usize]) -> BTreeMap<String, Vec<usize>> {
    let best: BTreeSet<usize> = best_by_framework(rows, order).into_iter().map(|best| best.row).collect();
    let mut ranked: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for &index in order.iter().filter(|index| best.contains(index)) {
        ranked.entry(rows[index].scenario().to_owned()).or_default().push(index);
    }
    ranked
}

/// The frameworks of `requested` for which nothing beyond the baseline was tried and no reason is recorded: while there
/// are any, a comparison leads to no winner.
///
/// A candidate counts as tried when it was measured or when its row says why not. In rows of other tools the first
/// candidate of a framework stands for its baseline.
pub fn baseline_only<'a>(
    rows: &[ResultRow],
    requested: impl IntoIterator<Item = &'a str>,
    has_reason: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut tried: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut beyond: BTreeSet<&str> = BTreeSet::new();
    for row in rows.iter().filter(|row| row.is_measured() || row.failure_reason.is_some()) {
        let framework = row.framework.as_str();
        let candidates = tried.entry(framework).or_default();
        candidates.insert(&row.candidate_id);
        let is_beyond = match &row.podium {
            Some(podium) if podium.imported.is_none() => !podium.baseline,
            _ => candidates.len() > 1,
        };
        if is_beyond {
            beyond.insert(framework);
        }
    }
    requested.into_iter().filter(|id| !beyond.contains(id) && !has_reason(id)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
