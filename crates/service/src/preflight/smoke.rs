//! The smoke test: a minimal server of a framework, its list of models, and a benchmark of a few streamed requests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use podium_domain::candidate;
use podium_domain::flags::shell_join;
use podium_domain::framework::Framework;
use podium_domain::load::LoadPoint;
use podium_domain::options_file::is_inside;
use podium_domain::plan::{FrameworkPlan, Plan};
use podium_launcher::{
    EngineSpec, FailureClass, Host, HostFacts, InjectedCommand, LaunchFailure, LaunchStage, LogLimits, deploy_port,
    inject,
};
use podium_loadgen::{LoadJob, LoadReport};
use podium_store::{ArtifactLimits, HostKnowledge};
use podium_workload::{DatasetSpec, WorkloadSpec};
use serde_json::Value;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{FrameworkPreflight, Preflight, SmokeRecord};
use crate::service::launch_folder;
use crate::worker::{Agent, Progress, find_prompt_tokenizer};

/// Requests of the benchmark.
const REQUESTS: u32 = 6;

/// Prompt and output tokens of each.
const INPUT_TOKENS: u32 = 16;
const OUTPUT_TOKENS: u32 = 8;

/// How long the log of a stopped engine may take to end.
const LOG_END: Duration = Duration::from_secs(2);

/// A smoke test of one framework.
pub(crate) struct SmokeTest<'a> {
    pub(crate) host: &'a Host,
    pub(crate) facts: &'a HostFacts,
    pub(crate) plan: &'a Plan,
    pub(crate) framework: Framework,
    /// The switch that takes CUDA graphs away, where the server has it.
    pub(crate) eager_flag: Option<&'a str>,
    /// The framework's part of the plan, as it fits the host.
    pub(crate) part: &'a FrameworkPlan,
    /// The load process's program.
    pub(crate) agent: &'a Path,
    pub(crate) data_dir: &'a Path,
    pub(crate) idle_priority: bool,
    /// Every process of the server carries it.
    pub(crate) launch_id: Uuid,
}

/// How a smoke test ended.
#[derive(Debug)]
pub(crate) struct SmokeEnd {
    /// Without the stored files.
    pub(crate) record: SmokeRecord,
    /// Why it failed.
    pub(crate) failure: Option<LaunchFailure>,
    /// The server's log.
    pub(crate) log: Vec<u8>,
    /// What the benchmark measured, as JSON.
    pub(crate) benchmark: Option<Vec<u8>>,
}

/// A server's command before it is started.
pub(crate) struct Prepared {
    pub(crate) injected: InjectedCommand,
    pub(crate) port: u16,
}

impl SmokeTest<'_> {
    /// The command of the minimal server: the plan's base flags, with CUDA graphs off where one flag does that.
    ///
    /// # Errors
    /// The host has no free port, or the command cannot be made.
    pub(crate) async fn prepare(&self) -> Result<Prepared, LaunchFailure> {
        let trouble = |reason: String| LaunchFailure::new(LaunchStage::Start, FailureClass::HostTrouble, reason);
        let mut part = self.part.clone();
        part.search_space.clear();
        part.base_server_flags.retain(|name, value| !is_inside(self.framework, name, value));
        if let Some(flag) = self.eager_flag {
            part.base_server_flags.insert(flag.to_owned(), Value::Bool(true));
        }
        let set = candidate::generate(self.plan, self.framework, &part).map_err(|error| trouble(error.to_string()))?;
        let argv = set.candidates.into_iter().next().map(|candidate| candidate.argv).unwrap_or_default();
        let port = self.host.free_port().await.map_err(|error| trouble(format!("no port is free: {error}")))?;
        let injected = inject(self.framework, &argv, &self.plan.model.name, port);
        Ok(Prepared { injected, port })
    }

    /// Starts the server, asks it, and stops it, whatever happens; `None` where `cancel` came first.
    pub(crate) async fn run(&self, prepared: &Prepared, cancel: &CancellationToken) -> Option<SmokeEnd> {
        let mut end = self.nothing_yet();
        end.record.launch_command = shell_join(&self.host.scrubber().scrub_argv(&prepared.injected.argv));
        if let Err(failure) = self.serve(prepared, &mut end, cancel).await {
            end.record.failure = Some(failure.to_string());
            end.failure = Some(failure);
        }
        if cancel.is_cancelled() {
            return None;
        }
        end.record.passed = end.failure.is_none();
        end.record.at = OffsetDateTime::now_utc();
        Some(end)
    }

    /// The end of a test whose server could not even be named.
    pub(crate) fn unprepared(&self, failure: LaunchFailure) -> SmokeEnd {
        let mut end = self.nothing_yet();
        end.record.failure = Some(failure.to_string());
        SmokeEnd { failure: Some(failure), ..end }
    }

    fn nothing_yet(&self) -> SmokeEnd {
        let record = SmokeRecord {
            passed: false,
            failure: None,
            launch_command: String::new(),
            benchmark_command: self.benchmark_command(),
            eager_flag: self.eager_flag.map(str::to_owned),
            ready_after_ms: None,
            listed_models: Vec::new(),
            answered: 0,
            requests: REQUESTS.into(),
            log: None,
            benchmark: None,
            at: OffsetDateTime::now_utc(),
            reused: false,
        };
        SmokeEnd { record, failure: None, log: Vec::new(), benchmark: None }
    }

    async fn serve(
        &self,
        prepared: &Prepared,
        end: &mut SmokeEnd,
        cancel: &CancellationToken,
    ) -> Result<(), LaunchFailure> {
        let resolved = self.host.resolve_command(self.framework, &prepared.injected.argv, self.facts).await?;
        let folder = launch_folder(self.data_dir, self.launch_id);
        let engine = self
            .host
            .start(EngineSpec {
                launch_id: self.launch_id,
                argv: resolved.argv,
                env: resolved.env,
                port: prepared.port,
                served_model_name: prepared.injected.served_model_name.clone(),
                endpoint: self.plan.benchmark.endpoint,
                startup_timeout: Duration::from_secs_f64(self.plan.benchmark.startup_timeout_s),
                idle_priority: self.idle_priority,
                container: resolved.container,
                folder: folder.clone(),
                log_limits: LogLimits::default(),
            })
            .await?;
        let asked = async {
            let ready = engine.wait_ready(cancel).await?;
            end.record.ready_after_ms = Some(ready.ready_after_ms);
            end.record.listed_models.clone_from(&ready.listed_models);
            let base_url = engine.base_url();
            let report = tokio::select! {
                report = self.bench(&base_url, &ready.model) => report.map_err(unanswered)?,
                () = cancel.cancelled() => return Err(unanswered("it was cancelled".to_owned())),
            };
            let summary = &report.summary;
            end.record.answered = summary.completed;
            end.benchmark = serde_json::to_vec_pretty(&report).ok();
            let first = summary.failures.first().map(|failure| format!(": {}: {}", failure.class, failure.example));
            match summary.completed {
                completed if completed >= u64::from(REQUESTS) => Ok(()),
                completed => Err(unanswered(format!(
                    "{completed} of {REQUESTS} streamed requests were answered{}",
                    first.unwrap_or_default()
                ))),
            }
        };
        let asked = asked.await;
        engine.stop().await;
        let mut log_end = engine.log().length();
        // A log that does not end by then is kept as far as it came.
        let _ = tokio::time::timeout(LOG_END, log_end.wait_for(|length| length.closed)).await;
        let log = engine.log().clone();
        if let Ok(Ok(log)) = tokio::task::spawn_blocking(move || log.collect()).await {
            end.log = log;
        }
        // What it held is in memory now.
        let _ = tokio::fs::remove_dir_all(folder).await;
        asked
    }

    /// A few requests, two at a time, after one that is not measured. All of them are streamed.
    async fn bench(&self, base_url: &str, model: &str) -> Result<LoadReport, String> {
        let dataset = DatasetSpec::Random {
            input_len: INPUT_TOKENS,
            output_len: OUTPUT_TOKENS,
            vocab_size: None,
            prompt_form: None,
            text_calibration: Default::default(),
        };
        let workload = WorkloadSpec {
            warmup_requests: 1,
            measurement_key: "smoke".to_owned(),
            extra_request_body: self.plan.benchmark.extra_request_body.clone(),
            tokenizer: self.tokenizer(),
            ..WorkloadSpec::new(dataset, self.plan.benchmark.endpoint, model, REQUESTS)
        };
        let job = LoadJob {
            request_timeout_s: self.plan.benchmark.request_timeout_s,
            ..LoadJob::new(base_url, workload, LoadPoint::Concurrency { concurrency: 2 })
        };
        let agent = Agent::start(self.host, self.agent, self.launch_id, job).await;
        let mut agent = agent.map_err(|error| error.to_string())?;
        let report = loop {
            match agent.next().await {
                Ok(Progress::Tick { .. }) => {}
                Ok(Progress::Done(report)) => break Ok(*report),
                Err(error) => break Err(error.to_string()),
            }
        };
        agent.finish().await;
        report
    }

    fn tokenizer(&self) -> Option<PathBuf> {
        find_prompt_tokenizer(self.plan)
    }

    fn benchmark_command(&self) -> String {
        let mut words = vec!["podium".to_owned(), "load".to_owned()];
        let url = format!("http://127.0.0.1:{}", deploy_port(self.framework));
        let mut push = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
        push("--base-url", url);
        push("--model", self.plan.model.name.clone());
        push("--endpoint", self.plan.benchmark.endpoint.path().to_owned());
        push("--input-len", INPUT_TOKENS.to_string());
        push("--output-len", OUTPUT_TOKENS.to_string());
        push("--num-prompts", REQUESTS.to_string());
        push("--concurrency", "2".to_owned());
        push("--warmup", "1".to_owned());
        shell_join(&words)
    }
}

impl Preflight<'_> {
    /// A smoke test that this version passed on the host with this model; without a known version there is none.
    pub(crate) async fn known_smoke(
        &self,
        found: &FrameworkPreflight,
    ) -> Result<Option<SmokeRecord>, podium_store::Error> {
        let Some(key) = self.smoke_key(found).filter(|_| !self.refresh) else { return Ok(None) };
        let known = self.service.store().host_knowledge(self.host_id, HostKnowledge::Smoke, &key).await?;
        let known = known.and_then(|value| serde_json::from_value::<SmokeRecord>(value).ok());
        Ok(known.map(|known| SmokeRecord { reused: true, ..known }))
    }

    /// Stores the files of a smoke test, and that it was passed.
    pub(crate) async fn keep_smoke(
        &self,
        found: &FrameworkPreflight,
        end: SmokeEnd,
    ) -> Result<SmokeRecord, podium_store::Error> {
        let (store, limits) = (self.service.store(), ArtifactLimits::default());
        let mut record = end.record;
        if !end.log.is_empty() {
            record.log = Some(store.put_artifact(end.log.as_slice(), "text/plain", limits).await?.id);
        }
        if let Some(benchmark) = end.benchmark {
            record.benchmark = Some(store.put_artifact(benchmark.as_slice(), "application/json", limits).await?.id);
        }
        if let Some(key) = self.smoke_key(found).filter(|_| record.passed) {
            let value = serde_json::to_value(&record).unwrap_or(Value::Null);
            store.keep_host_knowledge(self.host_id, HostKnowledge::Smoke, &key, &value).await?;
        }
        Ok(record)
    }

    fn smoke_key(&self, found: &FrameworkPreflight) -> Option<String> {
        let part = self.plan.frameworks.get(&found.framework)?;
        let model = self.plan.model_location(found.framework, part);
        let commit = found.commit.as_deref().unwrap_or_default();
        Some(format!("{} {} {commit} {model}", found.program.as_ref()?, found.version.as_ref()?))
    }
}

fn unanswered(reason: String) -> LaunchFailure {
    LaunchFailure {
        stage: LaunchStage::Serving,
        class: FailureClass::RequestFailed,
        reason,
        evidence: Vec::new(),
        hint: Some("the server's log says more".to_owned()),
        exit: None,
    }
}
