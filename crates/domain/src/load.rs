//! Load points: what is asked of a server in one measurement.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::load_search::LoadSearch;
use crate::plan::{Benchmark, ConcurrencyRange, LoadMatrix, QpsRange};

/// The kind of a load; rows are ranked within one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadMode {
    /// The highest rate that holds the SLA is searched.
    RateSearch,
    /// The largest number of requests in flight that holds the SLA is searched.
    ConcurrencySearch,
    /// Requests arrive at a fixed mean rate, whatever the answers do.
    Rate,
    /// A fixed number of requests is in flight.
    Concurrency,
    /// Everything is sent at once.
    Burst,
}

impl LoadMode {
    /// The mode as its word.
    pub fn word(self) -> &'static str {
        match self {
            LoadMode::RateSearch => "rate_search",
            LoadMode::ConcurrencySearch => "concurrency_search",
            LoadMode::Rate => "rate",
            LoadMode::Concurrency => "concurrency",
            LoadMode::Burst => "burst",
        }
    }

    /// Whether arrivals do not wait for answers.
    pub fn is_open_loop(self) -> bool {
        !matches!(self, LoadMode::Concurrency | LoadMode::ConcurrencySearch)
    }

    /// Whether the loads follow from what is measured; such measurements need to tell only whether the SLA holds.
    pub fn is_search(self) -> bool {
        matches!(self, LoadMode::RateSearch | LoadMode::ConcurrencySearch)
    }
}

impl fmt::Display for LoadMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One load, fully determined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LoadPoint {
    /// Poisson arrivals with this mean.
    Rate {
        /// Requests per second.
        rate_rps: f64,
        /// At most this many in flight; `None` is no limit.
        max_concurrency: Option<u32>,
    },
    /// This many requests are always in flight.
    Concurrency {
        /// Requests in flight.
        concurrency: u32,
    },
    /// All requests at once.
    Burst {
        /// At most this many in flight; `None` is no limit.
        max_concurrency: Option<u32>,
    },
}

impl LoadPoint {
    /// The request rate, where arrivals have one.
    pub fn rate_rps(&self) -> Option<f64> {
        match *self {
            LoadPoint::Rate { rate_rps, .. } => Some(rate_rps),
            LoadPoint::Concurrency { .. } | LoadPoint::Burst { .. } => None,
        }
    }

    /// How high the load is on its own axis: requests per second, or requests in flight; `None` for a burst, which has
    /// no degree.
    pub fn level(&self) -> Option<f64> {
        match *self {
            LoadPoint::Rate { rate_rps, .. } => Some(rate_rps),
            LoadPoint::Concurrency { concurrency } => Some(concurrency.into()),
            LoadPoint::Burst { .. } => None,
        }
    }

    /// The limit of requests in flight, where there is one.
    pub fn max_concurrency(&self) -> Option<u32> {
        match *self {
            LoadPoint::Concurrency { concurrency } => Some(concurrency),
            LoadPoint::Rate { max_concurrency, .. } | LoadPoint::Burst { max_concurrency } => max_concurrency,
        }
    }

    /// Whether arrivals do not wait for answers.
    pub fn is_open_loop(&self) -> bool {
        !matches!(self, LoadPoint::Concurrency { .. })
    }

    /// A short canonical key, equal exactly for equal load points, for example `rate=4,cap=32` or `concurrency=8`.
    pub fn key(&self) -> String {
        let cap = |cap: &Option<u32>| cap.map(|cap| format!(",cap={cap}")).unwrap_or_default();
        match self {
            LoadPoint::Rate { rate_rps, max_concurrency } => format!("rate={rate_rps}{}", cap(max_concurrency)),
            LoadPoint::Concurrency { concurrency } => format!("concurrency={concurrency}"),
            LoadPoint::Burst { max_concurrency } => format!("burst{}", cap(max_concurrency)),
        }
    }
}

/// The load in words, for example `4 req/s, at most 32 in flight`.
impl fmt::Display for LoadPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadPoint::Rate { rate_rps, .. } => write!(f, "{rate_rps} req/s")?,
            LoadPoint::Concurrency { concurrency } => return write!(f, "{concurrency} in flight"),
            LoadPoint::Burst { .. } => f.write_str("burst")?,
        }
        match self.max_concurrency() {
            Some(cap) => write!(f, ", at most {cap} in flight"),
            None => Ok(()),
        }
    }
}

/// A load that a plan asks for: one point, or a search whose points follow from what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PlannedLoad {
    /// One load point.
    Fixed {
        /// The point.
        point: LoadPoint,
    },
    /// The highest rate within `range` that holds the SLA.
    RateSearch {
        /// Where to search.
        range: QpsRange,
        /// At most this many in flight; `None` is no limit.
        max_concurrency: Option<u32>,
    },
    /// The largest number of requests in flight within `range` that holds the SLA.
    ConcurrencySearch {
        /// Where to search.
        range: ConcurrencyRange,
    },
}

impl PlannedLoad {
    /// The kind of this load.
    pub fn mode(&self) -> LoadMode {
        match self {
            PlannedLoad::RateSearch { .. } => LoadMode::RateSearch,
            PlannedLoad::ConcurrencySearch { .. } => LoadMode::ConcurrencySearch,
            PlannedLoad::Fixed { point: LoadPoint::Rate { .. } } => LoadMode::Rate,
            PlannedLoad::Fixed { point: LoadPoint::Concurrency { .. } } => LoadMode::Concurrency,
            PlannedLoad::Fixed { point: LoadPoint::Burst { .. } } => LoadMode::Burst,
        }
    }

    /// The search, where this load is one.
    pub fn search(&self) -> Option<LoadSearch> {
        match *self {
            PlannedLoad::RateSearch { range, max_concurrency } => Some(LoadSearch::rate(range, max_concurrency)),
            PlannedLoad::ConcurrencySearch { range } => Some(LoadSearch::concurrency(range)),
            PlannedLoad::Fixed { .. } => None,
        }
    }

    /// Measurements of this load at most.
    pub fn max_measurements(&self) -> u64 {
        match self {
            PlannedLoad::Fixed { .. } => 1,
            PlannedLoad::RateSearch { range, .. } => 2 + u64::from(range.max_rounds),
            PlannedLoad::ConcurrencySearch { range } => 2 + u64::from(range.max_rounds),
        }
    }
}

impl Benchmark {
    /// The loads that every candidate meets in every scenario, in the order in which they are measured.
    ///
    /// A rate search, or else each rate, runs under the first listed cap (rates under every cap with `load_matrix:
    /// product`). A concurrency search, or else each finite cap, is a closed loop; no cap, no rates and no search is a
    /// burst. A load that is listed twice is measured once.
    pub fn planned_loads(&self) -> Vec<PlannedLoad> {
        let caps = if self.max_concurrency.is_empty() { &[None][..] } else { &self.max_concurrency[..] };
        let rate_caps = match self.load_matrix {
            LoadMatrix::FirstCap => &caps[..1],
            LoadMatrix::Product => caps,
        };
        let mut loads = Vec::new();
        if let Some(range) = self.qps {
            loads.push(PlannedLoad::RateSearch { range, max_concurrency: caps[0] });
        }
        let fixed_rates = if self.qps.is_some() { &[][..] } else { &self.request_rates[..] };
        for &rate_rps in fixed_rates {
            for &max_concurrency in rate_caps {
                loads.push(PlannedLoad::Fixed { point: LoadPoint::Rate { rate_rps, max_concurrency } });
            }
        }
        if let Some(range) = self.concurrency_search {
            loads.push(PlannedLoad::ConcurrencySearch { range });
        }
        let fixed_caps = if self.concurrency_search.is_some() { &[][..] } else { caps };
        for &cap in fixed_caps {
            match cap {
                Some(concurrency) => loads.push(PlannedLoad::Fixed { point: LoadPoint::Concurrency { concurrency } }),
                None if self.request_rates.is_empty() && self.qps.is_none() => {
                    loads.push(PlannedLoad::Fixed { point: LoadPoint::Burst { max_concurrency: None } });
                }
                None => {}
            }
        }
        let mut points = HashSet::new();
        loads.retain(|load| match load {
            PlannedLoad::Fixed { point } => points.insert(point.key()),
            PlannedLoad::RateSearch { .. } | PlannedLoad::ConcurrencySearch { .. } => true,
        });
        loads
    }

    /// The mode that decides the ranking: rate search, else concurrency search, else fixed rates, else concurrency, else
    /// burst.
    pub fn primary_mode(&self) -> LoadMode {
        self.planned_loads().iter().map(PlannedLoad::mode).min().unwrap_or(LoadMode::Burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn benchmark(max_concurrency: Vec<Option<u32>>, request_rates: Vec<f64>, qps: Option<QpsRange>) -> Benchmark {
        Benchmark {
            endpoint: crate::plan::Endpoint::Completions,
            max_concurrency,
            request_rates,
            qps,
            concurrency_search: None,
            load_matrix: LoadMatrix::FirstCap,
            extra_request_body: serde_json::Map::new(),
            warmup_requests: 0,
            request_timeout_s: 1.0,
            startup_timeout_s: 1.0,
        }
    }

    fn keys(benchmark: &Benchmark) -> Vec<String> {
        let key = |load: &PlannedLoad| match load {
            PlannedLoad::Fixed { point } => point.key(),
            search => search.mode().word().to_owned(),
        };
        benchmark.planned_loads().iter().map(key).collect()
    }

    #[test]
    fn loads_follow_from_caps_rates_and_search() {
        let range = QpsRange { lower: 1.0, upper: 4.0, tolerance: 0.1, max_rounds: 5 };
        assert_eq!(keys(&benchmark(vec![], vec![], None)), ["burst"]);
        assert_eq!(keys(&benchmark(vec![None, Some(8)], vec![2.0], None)), ["rate=2", "concurrency=8"]);
        assert_eq!(
            keys(&benchmark(vec![Some(4)], vec![2.0, 4.0], None)),
            ["rate=2,cap=4", "rate=4,cap=4", "concurrency=4"]
        );
        // A search takes the place of fixed rates: its probes would be the same measurements under another name.
        assert_eq!(keys(&benchmark(vec![None, Some(8)], vec![2.0], Some(range))), ["rate_search", "concurrency=8"]);
    }

    #[test]
    fn a_concurrency_search_takes_the_place_of_fixed_closed_loops() {
        let range = ConcurrencyRange { lower: 1, upper: 64, tolerance: 1, max_rounds: 5 };
        let searched = |caps, rates| Benchmark { concurrency_search: Some(range), ..benchmark(caps, rates, None) };
        assert_eq!(keys(&searched(vec![None], vec![])), ["concurrency_search"], "no burst beside it");
        assert_eq!(keys(&searched(vec![Some(8)], vec![2.0])), ["rate=2,cap=8", "concurrency_search"]);
        let loads = searched(vec![Some(8)], vec![2.0]).planned_loads();
        assert_eq!(loads.iter().map(PlannedLoad::max_measurements).collect::<Vec<_>>(), [1, 7]);
        assert_eq!(searched(vec![Some(8)], vec![2.0]).primary_mode(), LoadMode::ConcurrencySearch);
    }

    #[test]
    fn a_load_that_is_listed_twice_is_measured_once() {
        assert_eq!(keys(&benchmark(vec![Some(4), Some(4)], vec![], None)), ["concurrency=4"]);
        assert_eq!(keys(&benchmark(vec![None, None], vec![2.0, 2.0], None)), ["rate=2"]);
    }
}
