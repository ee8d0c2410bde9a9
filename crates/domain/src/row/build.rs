//! Rows from our own measurements.

use serde_json::json;

use super::*;
use crate::candidate::Candidate;
use crate::confidence::Repeats;
use crate::fairness::Conditions;
use crate::measure::Summary;
use crate::plan::{Plan, Scenario};
use crate::stats::Distribution;
use crate::telemetry::TelemetrySummary;

/// The key of a row's own section that names the flag by which it ran without CUDA graphs.
pub(super) const EAGER_KEY: &str = "eager_flag";

/// What all rows of one candidate share.
#[derive(Debug, Clone)]
pub struct RowContext<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The candidate.
    pub candidate: &'a Candidate,
    /// The framework's version, where it said so.
    pub framework_version: Option<String>,
    /// The commit it was built from, where it said so.
    pub framework_commit: Option<String>,
    /// What it ran on. Where the GPU count is absent, the plan's is taken.
    pub hardware: RowHardware,
    /// Whether the engine is simulated.
    pub simulated: bool,
    /// Whether the run is a flow check for a reason beyond the plan's own (fewer GPUs, eager mode); the plan's number of
    /// prompts is looked at in any case.
    pub flow_check: bool,
    /// The run.
    pub run_id: Option<String>,
    /// The command to deploy it with, without secrets.
    pub server_command: String,
    /// Flags that were checked against captured help texts.
    pub validated_cli_flags: RowCliFlags,
    /// Where its files are.
    pub artifacts: RowArtifacts,
}

/// One measurement that was taken.
#[derive(Debug, Clone)]
pub struct Taken<'a> {
    /// In which scenario.
    pub scenario: &'a Scenario,
    /// The kind of load that the plan asked for (a probe of a rate search is a rate search).
    pub load_mode: LoadMode,
    /// The load.
    pub load_point: LoadPoint,
    /// What was measured.
    pub summary: &'a Summary,
    /// Its id.
    pub measurement_id: Option<String>,
    /// The command that measures the same.
    pub benchmark_command: Option<String>,
    /// Which measurement of this load it is: 0 in the first pass, from 1 on in the second.
    pub repeat: u32,
    /// The measurements of both passes, where this one stands for all of them.
    pub repeats: Option<Repeats>,
    /// What the engine and its GPUs said meanwhile.
    pub telemetry: Option<&'a TelemetrySummary>,
}

impl RowContext<'_> {
    /// The row of a measurement. An invalid one is `failed` with the reason, so that no tool crowns it.
    pub fn measured(&self, taken: &Taken<'_>) -> ResultRow {
        let summary = taken.summary;
        let open_loop = taken.load_point.is_open_loop();
        let mut row = self.blank(taken.scenario, taken.load_mode, RowStatus::Ok, None);
        if summary.completed == 0 {
            row.status = RowStatus::Failed;
            row.failure_reason = Some(nothing_completed(summary));
        }
        if let Validity::Invalid(reasons) = &summary.validity {
            let texts: Vec<_> = reasons.iter().map(|reason| reason.text.as_str()).collect();
            row.status = RowStatus::Failed;
            row.failure_reason = Some(format!("the measurement is invalid: {}", texts.join("; ")));
        }
        let p50_p95 = |d: &Option<Distribution>| (d.as_ref().map(|d| d.p50), d.as_ref().map(|d| d.p95));
        let workload = &mut row.workload;
        (workload.input_len_p50, workload.input_len_p95) = p50_p95(&summary.input_len);
        (workload.output_len_p50, workload.output_len_p95) = p50_p95(&summary.output_len);
        workload.num_prompts = Some(summary.planned);
        workload.request_rate = taken.load_point.rate_rps();
        workload.max_concurrency = taken.load_point.max_concurrency().map(u64::from);
        row.sla.passed = Some(self.plan.sla.holds(summary, open_loop));
        row.metrics = metrics(summary);
        if let Some(telemetry) = taken.telemetry {
            blocks::measured(telemetry, &mut row);
        }
        // What the answers themselves say is of these requests and no others.
        let by_answers = match (summary.cached_input_tokens, summary.input_tokens) {
            (Some(cached), Some(input)) if input > 0 => Some(cached as f64 / input as f64),
            _ => None,
        };
        row.cache.prefix_cache_hit_rate = by_answers.or(row.cache.prefix_cache_hit_rate);
        row.benchmark_command = taken.benchmark_command.clone();
        if let Some(podium) = &mut row.podium {
            podium.validity = Some(summary.validity.clone());
            podium.load_point = Some(taken.load_point);
            podium.p50_user_ttft_ms = summary.user_ttft_ms.as_ref().map(|d| d.p50);
            podium.steady_request_throughput = summary.steady_request_throughput;
            podium.steady_output_token_throughput = summary.steady_output_token_throughput;
            podium.goodput_rps = summary.goodput_rps;
            let counted = taken.repeats.iter().flat_map(Repeats::counted).count();
            podium.measured_times = Some(u32::try_from(counted.max(1)).unwrap_or(u32::MAX));
            podium.repeat = Some(taken.repeat);
            podium.repeats = taken.repeats.clone();
            podium.sla_checks = self.plan.sla.check(summary, open_loop);
            podium.measurement_id = taken.measurement_id.clone();
            if let Some(conditions) = &mut podium.conditions {
                conditions.prompt_set = summary.prompt_set.clone();
                conditions.prompt_tokens_mean = summary.input_len.as_ref().map(|d| d.mean);
            }
        }
        row
    }

    /// The row of a scenario that could not be measured: no figures, only how it ended and why.
    pub fn unmeasured(&self, scenario: &Scenario, status: CandidateStatus, reason: &str) -> ResultRow {
        let mode = self.plan.benchmark.primary_mode();
        self.blank(scenario, mode, status.into(), Some(reason.to_owned()))
    }

    /// The rows of a candidate that never served: one per scenario.
    pub fn never_launched(&self, status: CandidateStatus, reason: &str) -> Vec<ResultRow> {
        self.plan.dataset.scenarios.iter().map(|scenario| self.unmeasured(scenario, status, reason)).collect()
    }

    /// The file that the server command names, with its text, since a command alone could not be repeated; and what made
    /// the row a flow check.
    fn extra(&self) -> Map<String, Value> {
        let file = self.candidate.options_file().map(|file| (crate::options_file::ROW_KEY.to_owned(), json!(file)));
        let eager = self.eager_flag().map(|flag| (EAGER_KEY.to_owned(), json!(flag)));
        file.into_iter().chain(eager).collect()
    }

    /// The flag that takes CUDA graphs away from a server that would have them, where the plan does not ask for that.
    fn eager_flag(&self) -> Option<&str> {
        let asked = self.plan.search.eager_serving || self.plan.hardware.gpu_count == 0;
        self.candidate.framework.eager_flag(&self.candidate.flags).filter(|_| !asked)
    }

    fn blank(&self, scenario: &Scenario, mode: LoadMode, status: RowStatus, reason: Option<String>) -> ResultRow {
        let plan = self.plan;
        let configured = blocks::configured(self.candidate);
        let mut hardware = self.hardware.clone();
        hardware.gpu_model = hardware.gpu_model.or_else(|| plan.hardware.gpu_model.clone());
        hardware.gpu_count = hardware.gpu_count.or(Some(plan.hardware.gpu_count.into()));
        ResultRow {
            framework: self.candidate.framework.id().to_owned(),
            framework_version: self.framework_version.clone(),
            framework_commit: self.framework_commit.clone(),
            candidate_id: self.candidate.candidate_id.clone(),
            model: Some(plan.model.name.clone()),
            status,
            failure_reason: reason,
            hardware,
            workload: RowWorkload {
                kind: Some(plan.dataset.kind.clone()),
                scenario: Some(scenario.name.clone()),
                dataset_path: plan.dataset.path.clone(),
                input_len: scenario.input_len.map(u64::from),
                output_len: scenario.output_len.map(u64::from),
                num_prompts: Some(plan.dataset.num_prompts.into()),
                endpoint: Some(plan.benchmark.endpoint.path().to_owned()),
                ..RowWorkload::default()
            },
            sla: RowSla {
                max_p50_ttft_ms: plan.sla.max_p50_ttft_ms,
                max_p50_tpot_ms: plan.sla.max_p50_tpot_ms,
                max_p50_e2e_ms: plan.sla.max_p50_e2e_ms,
                min_success_rate: plan.sla.min_success_rate,
                ..RowSla::default()
            },
            metrics: RowMetrics::default(),
            spec_decode: configured.spec_decode,
            phase_metrics: RowPhases::default(),
            cache: configured.cache,
            memory: configured.memory,
            normalization: RowNormalization::default(),
            server_command: Some(self.server_command.clone()),
            benchmark_command: None,
            validated_cli_flags: self.validated_cli_flags.clone(),
            artifacts: self.artifacts.clone(),
            podium: Some(RowExtension {
                simulated: self.simulated,
                baseline: self.candidate.baseline,
                flow_check: self.flow_check || plan.is_flow_check() || self.eager_flag().is_some(),
                load_mode: Some(mode),
                run_id: self.run_id.clone(),
                conditions: Some(Conditions::planned(plan, self.candidate)),
                extra: self.extra(),
                ..RowExtension::default()
            }),
            extra: Map::new(),
        }
    }
}

fn nothing_completed(summary: &Summary) -> String {
    match summary.failures.first() {
        Some(failure) => {
            format!("no request was answered to its end ({} of {}: {})", failure.count, failure.class, failure.example)
        }
        None => "no request was answered to its end".to_owned(),
    }
}

fn metrics(summary: &Summary) -> RowMetrics {
    let three =
        |d: &Option<Distribution>| (d.as_ref().map(|d| d.p50), d.as_ref().map(|d| d.mean), d.as_ref().map(|d| d.p99));
    let (p50_ttft_ms, mean_ttft_ms, p99_ttft_ms) = three(&summary.ttft_ms);
    let (p50_tpot_ms, mean_tpot_ms, p99_tpot_ms) = three(&summary.tpot_ms);
    let (p50_e2e_ms, mean_e2e_ms, p99_e2e_ms) = three(&summary.e2e_ms);
    RowMetrics {
        request_throughput: summary.request_throughput,
        output_token_throughput: summary.output_token_throughput,
        total_token_throughput: summary.total_token_throughput,
        p50_ttft_ms,
        mean_ttft_ms,
        p99_ttft_ms,
        p50_tpot_ms,
        mean_tpot_ms,
        p99_tpot_ms,
        p50_e2e_ms,
        mean_e2e_ms,
        p99_e2e_ms,
        success_rate: summary.success_rate,
        extra: Map::new(),
    }
}
