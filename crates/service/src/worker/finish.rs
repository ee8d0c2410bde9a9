//! The end of a run: its rows, its report, its last status.

use podium_domain::candidate::{self, Candidate as DomainCandidate};
use podium_domain::confidence::{Repeats, choose};
use podium_domain::options_file::is_inside;
use podium_domain::plan::{Plan, Scenario};
use podium_domain::report::{FrameworkSearch, HostFacts, MACHINE_FACT, Report, ReportInput};
use podium_domain::row::{ResultRow, RowArtifacts, RowCliFlags, RowContext, RowHardware, Taken};
use podium_domain::status::{CandidateStatus, MeasurementStatus, RunStatus};
use podium_launcher::HelpOf;
use podium_store::{Candidate, CandidateOutcome, Launch, Measurement, NewReport, NewRow, RunEnd};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Halt;
use super::benchmark_command::benchmark_command;
use super::run_task::RunTask;
use crate::events::stored;
use crate::preflight::PreflightReport;
use crate::runs::{ended_in_primary_mode, is_simulated, is_smoke, repeat_of, telemetry_of};
use crate::views::RunEvent;

/// The rows of a run.
#[derive(Default)]
pub(super) struct Rows {
    /// What the report lists, with its candidates.
    pub(super) listed: Vec<(Candidate, ResultRow)>,
    /// What was measured besides: the proof of fairness counts it.
    pub(super) also_measured: Vec<ResultRow>,
}

impl RunTask<'_> {
    /// Ends a run whose candidates were all tried.
    pub(super) async fn complete(&self) -> Result<(), Halt> {
        self.end(RunStatus::Completed, None).await
    }

    /// Ends a run that was cancelled: what was not tried is skipped, what was measured is reported.
    pub(super) async fn cancel(&self) -> Result<(), Halt> {
        let reason = "the run was cancelled";
        self.skip_rest(reason).await?;
        self.end(RunStatus::Cancelled, Some(reason.to_owned())).await
    }

    /// Ends a run that cannot go on for a reason that has to do with none of its candidates.
    pub(super) async fn break_off(&self, reason: String) -> Result<(), Halt> {
        self.skip_rest(&reason).await?;
        self.fail(reason).await
    }

    async fn skip_rest(&self, reason: &str) -> Result<(), Halt> {
        for candidate in self.store().candidates(self.run.id).await? {
            for measurement in self.measurements_of(&candidate).await? {
                if matches!(measurement.status, MeasurementStatus::Pending | MeasurementStatus::Measuring) {
                    self.give_up(&candidate, &measurement, MeasurementStatus::Skipped, reason).await?;
                }
            }
            if matches!(candidate.status, CandidateStatus::Pending | CandidateStatus::Running) {
                let outcome = CandidateOutcome {
                    status: CandidateStatus::Skipped,
                    failure_reason: Some(reason.to_owned()),
                    failure: None,
                };
                self.set_candidate(&candidate, outcome).await?;
            }
        }
        Ok(())
    }

    /// Ends a run that cannot go on: what was measured is reported.
    pub(super) async fn fail(&self, reason: String) -> Result<(), Halt> {
        self.end(RunStatus::Failed, Some(reason)).await
    }

    async fn end(&self, status: RunStatus, interrupted: Option<String>) -> Result<(), Halt> {
        let failure = interrupted.clone().filter(|_| status == RunStatus::Failed);
        let Rows { listed, also_measured } = self.rows().await?;
        let (candidates, rows): (Vec<Candidate>, Vec<ResultRow>) = listed.into_iter().unzip();
        let search_curves = self.search_curves().await?;
        let input = ReportInput { also_measured, search_curves, ..self.report_input(rows, interrupted) };
        // The report's rows say what was held equal over all of them.
        let mut report = Report::build(input);
        report.profiles = self.profiles(&report).await?;
        let new: Vec<_> = candidates.iter().zip(&report.rows).map(|(candidate, row)| new_row(candidate, row)).collect();
        self.store().replace_rows(&self.lease, &new, &[]).await?;
        let summary = json!({ "answers": report.answers(), "has_winner": report.has_winner() });
        // A worker that ended between the report and the run's end has left one: links to it must stay good.
        let earlier = self.store().report_of_run(self.run.id).await?;
        let id = earlier.as_ref().map_or_else(podium_store::new_id, |report| report.id);
        let new = NewReport {
            id,
            schema_version: i32::try_from(report.schema_version).unwrap_or(i32::MAX),
            title: report.title.clone(),
            model: json!(report),
            simulated: report.is_simulated(),
            created_by: self.run.created_by,
        };
        if earlier.is_none() {
            self.store().insert_report(&self.lease, &new, &[stored(&RunEvent::Report { report_id: id })]).await?;
        }
        let event = stored(&RunEvent::Run { status, failure: failure.clone() });
        let end = RunEnd { status, failure, summary: Some(summary) };
        Ok(self.store().finish_run(&self.lease, &end, &[event]).await?)
    }

    /// The rows of every candidate.
    pub(super) async fn rows(&self) -> Result<Rows, Halt> {
        let mut launches = self.store().launches(self.run.id).await?;
        launches.retain(|launch| !is_smoke(launch));
        let measurements = self.store().measurements(self.run.id).await?;
        let mut rows = Rows::default();
        for candidate in self.store().candidates(self.run.id).await? {
            let launch = launches.iter().rev().find(|launch| launch.candidate_id == candidate.id);
            let own: Vec<_> = measurements.iter().filter(|m| m.candidate_id == candidate.id).collect();
            let domain = domain_candidate(&candidate);
            let context = self.row_context(&domain, launch);
            for scenario in &self.plan.dataset.scenarios {
                let here: Vec<_> = own.iter().copied().filter(|m| m.scenario == scenario.name).collect();
                let found = scenario_rows(&self.plan, &context, &candidate, scenario, &here, &launches);
                rows.listed.extend(found.listed.into_iter().map(|row| (candidate.clone(), row)));
                rows.also_measured.extend(found.also_measured);
            }
        }
        Ok(rows)
    }

    fn row_context<'a>(&'a self, candidate: &'a DomainCandidate, launch: Option<&Launch>) -> RowContext<'a> {
        let simulated = is_simulated(&candidate.argv) || launch.is_some_and(says_simulated);
        let found = self.preflight.as_ref().and_then(|preflight| preflight.framework(candidate.framework));
        let help = |of| found.and_then(|found| found.help_of(of)).and_then(|help| self.file_link(help.artifact_id));
        let server_help = help(HelpOf::Server);
        RowContext {
            plan: &self.plan,
            candidate,
            framework_version: launch
                .and_then(|launch| launch.version.clone())
                .or_else(|| found.and_then(|found| found.version.clone())),
            framework_commit: found.and_then(|found| found.commit.clone()),
            hardware: RowHardware {
                // What the machine has, where an engine really used it; a simulated one has the plan's.
                gpu_model: self.facts.gpus.first().filter(|_| !simulated).map(|gpu| gpu.model.clone()),
                ..RowHardware::default()
            },
            simulated,
            // On fewer GPUs than the plan is written for, figures say nothing about the plan.
            flow_check: !simulated && self.facts.gpus.len() < self.plan.hardware.gpu_count as usize,
            run_id: Some(self.run.id.to_string()),
            server_command: launch.map_or_else(|| candidate.command.clone(), |launch| launch.deploy_command.clone()),
            validated_cli_flags: RowCliFlags {
                // What is left of the plan after the preflight is what the help has.
                server: server_help.as_ref().map(|_| rendered_flags(candidate)),
                ..RowCliFlags::default()
            },
            artifacts: RowArtifacts {
                server_log: launch
                    .filter(|launch| launch.log_artifact_id.is_some())
                    .map(|launch| format!("/launches/{}/log", launch.id)),
                server_help,
                benchmark_help: help(HelpOf::Benchmark),
                ..RowArtifacts::default()
            },
        }
    }

    fn file_link(&self, artifact: Option<Uuid>) -> Option<String> {
        Some(format!("/runs/{}/files/{}", self.run.id, artifact?))
    }

    fn report_input(&self, rows: Vec<ResultRow>, interrupted: Option<String>) -> ReportInput<'_> {
        let searches = match candidate::generate_all(&self.plan) {
            Ok(sets) => self
                .plan
                .frameworks
                .keys()
                .zip(sets)
                .map(|(framework, set)| FrameworkSearch {
                    framework: framework.id().to_owned(),
                    candidates: set.candidates.len() as u64,
                    without_limit: set.without_limit,
                    untried: set.untried,
                    reason: reason_of(&rows, framework.id()),
                })
                .collect(),
            // The plan was expanded when the run began; a plan that cannot be has no candidates and no searches.
            Err(_) => Vec::new(),
        };
        ReportInput {
            plan: Some(&self.plan),
            rows,
            run_ids: vec![self.run.id.to_string()],
            host: Some(self.host_facts()),
            searches,
            excluded: self.options.excluded.iter().map(|framework| framework.id().to_owned()).collect(),
            interrupted,
            substitutions: self.preflight.as_ref().map(PreflightReport::substitutions).unwrap_or_default(),
            ..ReportInput::default()
        }
    }

    fn host_facts(&self) -> HostFacts {
        let facts = &self.facts;
        let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1u32 << 30));
        let gpus: Vec<_> = facts.gpus.iter().map(|gpu| gpu.model.clone()).collect();
        let shown = [
            (MACHINE_FACT, facts.host_name.clone()),
            ("System", facts.os.clone()),
            ("Kernel", facts.kernel.clone()),
            ("CPU", format!("{} · {} cores", facts.cpu_model, facts.cpu_cores)),
            ("Memory", gib(facts.memory_total_bytes)),
            ("GPUs", if gpus.is_empty() { "none".to_owned() } else { gpus.join(", ") }),
        ];
        let load = self.load_site.text().map(|text| ("Load", text));
        HostFacts {
            name: self.run.host_name.clone(),
            facts: shown.into_iter().chain(load).map(|(what, value)| (what.to_owned(), value)).collect(),
        }
    }
}

/// Why nothing beyond a framework's baseline was measured, where every other candidate has one and the same reason.
fn reason_of(rows: &[ResultRow], framework: &str) -> Option<String> {
    let own: Vec<_> = rows.iter().filter(|row| row.framework == framework).collect();
    let beyond: Vec<_> = own.iter().filter(|row| row.podium.as_ref().is_some_and(|podium| !podium.baseline)).collect();
    let considered = if beyond.is_empty() { own.iter().collect() } else { beyond };
    if considered.is_empty() || considered.iter().any(|row| row.is_measured()) {
        return None;
    }
    considered.iter().find_map(|row| row.failure_reason.clone())
}

/// The flags that stand on a candidate's command line, as plans write them.
fn rendered_flags(candidate: &DomainCandidate) -> Vec<String> {
    let shown = candidate.flags.iter().filter(|(name, value)| {
        !matches!(value, Value::Null | Value::Bool(false)) && !is_inside(candidate.framework, name, value)
    });
    shown.map(|(name, _)| name.clone()).collect()
}

/// The digest of the container image that an engine ran in, where the launch says it.
fn image_digest(launch: &Launch) -> Option<String> {
    Some(launch.facts.as_ref()?.pointer("/image/digest")?.as_str()?.to_owned())
}

/// The image of an engine as a reference that always means the same one.
fn pinned_image(launch: &Launch) -> Option<Value> {
    launch.facts.as_ref()?.pointer("/image/pinned").cloned()
}

/// Whether the engine said of itself that it is simulated, whatever its command looks like.
fn says_simulated(launch: &Launch) -> bool {
    launch.facts.as_ref().and_then(|facts| facts.pointer("/ready/simulated")) == Some(&Value::Bool(true))
}

fn domain_candidate(candidate: &Candidate) -> DomainCandidate {
    DomainCandidate {
        framework: candidate.framework,
        candidate_id: candidate.candidate_id.clone(),
        flags: serde_json::from_value(candidate.flags.clone()).unwrap_or_default(),
        argv: candidate.argv.clone(),
        command: candidate.command.clone(),
        baseline: candidate.baseline,
    }
}

/// The rows of one candidate and scenario.
struct ScenarioRows {
    /// One in the plan's primary load mode, one per measurement in others.
    listed: Vec<ResultRow>,
    /// Of the other measurements in the primary mode.
    also_measured: Vec<ResultRow>,
}

/// The node of a cluster that a launch was on.
fn node_of(launch: &Launch) -> Option<String> {
    Some(launch.facts.as_ref()?.get("node")?.as_str()?.to_owned())
}

fn scenario_rows(
    plan: &Plan,
    context: &RowContext<'_>,
    candidate: &Candidate,
    scenario: &Scenario,
    measurements: &[&Measurement],
    launches: &[Launch],
) -> ScenarioRows {
    let primary = plan.benchmark.primary_mode();
    let taken = |m: &Measurement, repeats: Option<Repeats>| {
        let summary = m.summary.as_ref()?;
        let telemetry = telemetry_of(m);
        let mut row = context.measured(&Taken {
            scenario,
            load_mode: m.load_mode,
            load_point: m.load_point,
            summary,
            measurement_id: Some(m.id.to_string()),
            benchmark_command: Some(benchmark_command(plan, candidate.framework, scenario, m.load_point)),
            repeat: repeat_of(plan, m).number,
            repeats,
            telemetry: telemetry.as_ref(),
        });
        let launch = launches.iter().find(|launch| Some(launch.id) == m.launch_id);
        if let Some(conditions) = row.podium.as_mut().and_then(|podium| podium.conditions.as_mut()) {
            conditions.own_server = launch.map(|launch| launch.candidate_id == candidate.id);
            conditions.image = launch.and_then(image_digest);
        }
        if let Some(podium) = &mut row.podium {
            podium.node = launch.and_then(node_of);
        }
        if let (Some(podium), Some(image)) = (row.podium.as_mut(), launch.and_then(pinned_image)) {
            // By this word a deployment takes the very image that was measured.
            podium.extra.insert("image".to_owned(), image);
        }
        Some(row)
    };
    let (competing, ended) = ended_in_primary_mode(plan, measurements);
    let choice = choose(&ended);
    let best = choice.index.and_then(|index| taken(competing[index], choice.repeats.clone()));
    let row = best.unwrap_or_else(|| {
        let status = match candidate.status {
            CandidateStatus::Ok | CandidateStatus::Pending | CandidateStatus::Running => CandidateStatus::Failed,
            ended => ended,
        };
        let own = measurements.iter().find_map(|m| m.failure_reason.clone());
        let reason = candidate.failure_reason.clone().or(own).unwrap_or_else(|| "not measured".to_owned());
        let mut row = context.unmeasured(scenario, status, &reason);
        if let (Some(repeats), Some(podium)) = (&choice.repeats, &mut row.podium) {
            let how = repeats.disagreement().unwrap_or_else(|| "failed in every repeat".to_owned());
            row.failure_reason = Some(format!("the candidate {how}"));
            podium.repeats = choice.repeats.clone();
        }
        row
    });
    let others = measurements.iter().filter(|m| m.load_mode != primary).filter_map(|m| taken(m, None));
    let rest = competing.iter().enumerate().filter(|(index, _)| Some(*index) != choice.index);
    ScenarioRows {
        listed: std::iter::once(row).chain(others).collect(),
        also_measured: rest.filter_map(|(_, m)| taken(m, None)).collect(),
    }
}

fn new_row(candidate: &Candidate, row: &ResultRow) -> NewRow {
    let status = row.status.word().parse().unwrap_or(CandidateStatus::Failed);
    let simulated = row.podium.as_ref().is_some_and(|podium| podium.simulated);
    NewRow {
        candidate_id: Some(candidate.id),
        framework: row.framework.clone(),
        scenario: row.workload.scenario.clone().unwrap_or_default(),
        status,
        sla_passed: row.sla.passed,
        request_throughput: row.metrics.request_throughput,
        output_token_throughput: row.metrics.output_token_throughput,
        p50_ttft_ms: row.metrics.p50_ttft_ms,
        p50_tpot_ms: row.metrics.p50_tpot_ms,
        simulated,
        row: serde_json::to_value(row).unwrap_or(Value::Null),
        original: None,
    }
}
