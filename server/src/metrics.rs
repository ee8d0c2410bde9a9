//! Podium's own figures, for Prometheus.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// What is counted while the server runs. Clones share the counts.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, Buckets>,
    runs: Family<StatusLabels, Gauge>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StatusLabels {
    status: String,
}

/// From a millisecond to eight seconds.
#[derive(Clone, Debug)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(0.001, 2.0, 14))
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("podium");
        let requests = Family::default();
        let durations = Family::new_with_constructor(Buckets);
        let runs = Family::default();
        let version = Family::<VersionLabels, Gauge>::default();
        version.get_or_create(&VersionLabels { version: env!("CARGO_PKG_VERSION").to_owned() }).set(1);
        registry.register("build_info", "The version that runs", version);
        registry.register("http_requests", "Requests that were answered", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "From the request to the head of its answer",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register("runs", "Runs by status, deleted ones left out", runs.clone());
        Metrics(Arc::new(Inner { registry, requests, durations, runs }))
    }

    /// Everything in OpenMetrics' text form, with these numbers of runs.
    ///
    /// # Errors
    /// Never, as far as writing into memory does not fail.
    pub(crate) fn text(&self, runs: Vec<(String, i64)>) -> Result<String, std::fmt::Error> {
        self.0.runs.clear();
        for (status, count) in runs {
            self.0.runs.get_or_create(&StatusLabels { status }).set(count);
        }
        let mut out = String::new();
        text::encode(&mut out, &self.0.registry)?;
        Ok(out)
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VersionLabels {
    version: String,
}

/// The middleware of every route: counts the request and times its answer. Routes are told by their pattern, so that ids
/// and tokens never become labels.
pub(crate) async fn measure(
    Extension(metrics): Extension<Metrics>,
    path: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let (method, route) = (request.method().to_string(), path.as_str().to_owned());
    let started = Instant::now();
    let response = next.run(request).await;
    let inner = &metrics.0;
    inner.durations.get_or_create(&RouteLabels { route: route.clone() }).observe(started.elapsed().as_secs_f64());
    inner.requests.get_or_create(&RequestLabels { method, route, status: response.status().as_u16() }).inc();
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_those_of_now() {
        let metrics = Metrics::new();
        let first = metrics.text(vec![("queued".to_owned(), 2)]).expect("text");
        assert!(first.contains("podium_runs{status=\"queued\"} 2") && first.contains("podium_build_info"), "{first}");
        let second = metrics.text(vec![("completed".to_owned(), 2)]).expect("text");
        assert!(!second.contains("queued") && second.ends_with("# EOF\n"), "{second}");
    }
}
