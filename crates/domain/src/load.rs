//! Load points: what is asked of a server in one measurement.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::{Benchmark, LoadMatrix, QpsRange};

/// The kind of a load; rows are ranked within one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadMode {
    /// The highest rate that holds the SLA is searched.
    RateSearch,
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
            LoadMode::Rate => "rate",
            LoadMode::Concurrency => "concurrency",
            LoadMode::Burst => "burst",
        }
    }

    /// Whether arrivals do not wait for answers.
    pub fn is_open_loop(self) -> bool {
        !matches!(self, LoadMode::Concurrency)
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
}

impl PlannedLoad {
    /// The kind of this load.
    pub fn mode(&self) -> LoadMode {
        match self {
            PlannedLoad::RateSearch { .. } => LoadMode::RateSearch,
            PlannedLoad::Fixed { point: LoadPoint::Rate { .. } } => LoadMode::Rate,
            PlannedLoad::Fixed { point: LoadPoint::Concurrency { .. } } => LoadMode::Concurrency,
            PlannedLoad::Fixed { point: LoadPoint::Burst { .. } } => LoadMode::Burst,
        }
    }
}

impl Benchmark {
    /// The loads that every candidate meets in every scenario, in the order in which they are measured.
    ///
    /// A rate search or each rate runs under the first listed cap (under every cap with `load_matrix: product`); each
    /// finite cap is also a closed loop; no cap, no rates and no search is a burst.
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
        for &rate_rps in &self.request_rates {
            for &max_concurrency in rate_caps {
                loads.push(PlannedLoad::Fixed { point: LoadPoint::Rate { rate_rps, max_concurrency } });
            }
        }
        for &cap in caps {
            match cap {
                Some(concurrency) => loads.push(PlannedLoad::Fixed { point: LoadPoint::Concurrency { concurrency } }),
                None if self.request_rates.is_empty() && self.qps.is_none() => {
                    loads.push(PlannedLoad::Fixed { point: LoadPoint::Burst { max_concurrency: None } });
                }
                None => {}
            }
        }
        loads
    }

    /// The mode that decides the ranking: rate search, else fixed rates, else concurrency, else burst.
    pub fn primary_mode(&self) -> LoadMode {
        self.planned_loads().iter().map(PlannedLoad::mode).min().unwrap_or(LoadMode::Burst)
    }
}
