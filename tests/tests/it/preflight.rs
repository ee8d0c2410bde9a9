//! What is looked at before anything is measured: on simulated engines, on the help texts of real releases, and on a
//! machine whose `nvidia-smi` says that its GPU is in use.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use podium_domain::framework::Framework;
use podium_domain::report::{Caveat, Substitution};
use podium_domain::status::{CandidateStatus, RunStatus};
use podium_service::{Caller, Finding, PreflightReport, RunEvent, SmokeChoice, StartRun};
use podium_tests::bench::{Bench, EndedRun};
use podium_tests::binaries::{Ended, podium, run};
use podium_tests::{plans, quiet};

fn substitutions(run: &EndedRun) -> Vec<&Substitution> {
    let substituted = |caveat: &'_ Caveat| matches!(caveat, Caveat::Substituted(_));
    let caveats = run.report.report.caveats.iter().filter(|caveat| substituted(caveat));
    caveats.filter_map(|caveat| if let Caveat::Substituted(found) = caveat { Some(found) } else { None }).collect()
}

fn preflight(run: &EndedRun) -> &PreflightReport {
    run.view.preflight.as_ref().expect("a run begins with a preflight")
}

fn details<'a>(found: &'a PreflightReport, framework: Framework, what: &str) -> (Finding, &'a str) {
    let check = found.checks.iter().find(|check| check.framework == Some(framework) && check.what == what);
    let check = check.unwrap_or_else(|| panic!("{framework} {what} was not looked at: {found:#?}"));
    (check.finding, &check.detail)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_that_a_release_lacks_are_replaced_removed_or_fatal_and_never_passed() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let frameworks = [
        plans::with_flags(
            "vllm",
            &plans::simulated("vllm", "--sim-lacks max_num_seqs"),
            "{max_model_len: 4096}",
            "{max_num_seqs: [4, 8], enable_chunked_prefill: [true]}",
        ),
        plans::with_flags(
            "tensorrt_llm",
            &plans::simulated("tensorrt_llm", "--sim-lacks free_gpu_memory_fraction"),
            "{backend: pytorch, max_seq_len: 4096, free_gpu_memory_fraction: 0.8}",
            "{}",
        ),
        plans::with_flags(
            "sglang",
            &plans::simulated("sglang", "--sim-lacks context_length"),
            "{context_length: 4096}",
            "{max_running_requests: [4]}",
        ),
    ];
    let run = bench.run(plans::plan("one_scenario.yaml", &frameworks)).await;
    assert_eq!(run.view.item.status, RunStatus::Completed);

    let own = |framework| run.view.candidates.iter().filter(move |candidate| candidate.framework == framework);
    let vllm: Vec<_> = own(Framework::Vllm).collect();
    assert_eq!(vllm.len(), 2, "the baseline and the switch that it knows: {vllm:#?}");
    assert!(vllm.iter().all(|candidate| candidate.status == CandidateStatus::Ok), "{vllm:#?}");
    assert!(vllm.iter().all(|candidate| !candidate.command.contains("max-num-seqs")), "{vllm:#?}");

    let tensorrt = run.only(Framework::TensorrtLlm);
    assert_eq!(tensorrt.status, CandidateStatus::Ok, "{tensorrt:#?}");
    assert!(tensorrt.command.contains("--kv_cache_free_gpu_memory_fraction 0.8"), "{}", tensorrt.command);
    assert!(!tensorrt.command.contains(" --free_gpu"), "{}", tensorrt.command);

    for sglang in own(Framework::Sglang) {
        assert_eq!(sglang.status, CandidateStatus::Skipped, "{sglang:#?}");
        assert!(
            sglang.failure_reason.as_ref().is_some_and(|reason| reason.contains("`context_length`")),
            "{sglang:#?}"
        );
        assert!(sglang.launch.is_none());
    }

    let told: Vec<_> = substitutions(&run);
    let told: Vec<_> = told.iter().map(|s| (s.framework.as_str(), s.flag.as_str(), s.substitute.as_deref())).collect();
    let expected = [
        ("vllm", "max_num_seqs", None),
        ("tensorrt_llm", "free_gpu_memory_fraction", Some("kv_cache_free_gpu_memory_fraction")),
    ];
    assert_eq!(told, expected);

    let found = preflight(&run);
    assert_eq!(details(found, Framework::Sglang, "flags").0, Finding::Fail);
    assert_eq!(details(found, Framework::Vllm, "flags").0, Finding::Warn);
    assert!(details(found, Framework::Vllm, "version").1.starts_with("simulated"));
    assert!(found.checks.iter().any(|check| check.what == "GPUs" && check.finding == Finding::Skip), "{found:#?}");

    // The captured text is a file of the run, which the row of every measured candidate names.
    let row = run.rows.iter().find(|row| row.framework == "vllm" && row.status == CandidateStatus::Ok).expect("a row");
    assert!(row.row["validated_cli_flags"]["server"].as_array().is_some_and(|flags| !flags.is_empty()), "{}", row.row);
    let link = row.row["artifacts"]["server_help"].as_str().expect("a link to the help text");
    let file = link.rsplit('/').next().and_then(|id| id.parse().ok()).expect("the id of a file");
    let (name, text) = bench.service.run_file(Caller::owner(), run.view.item.id, file).await.expect("the file");
    let text = String::from_utf8(text).expect("a text");
    assert_eq!(name, "vllm-serve.txt");
    assert!(text.contains("--max-model-len") && !text.contains("--max-num-seqs"), "{text}");
    let files = bench.store.run_artifacts(run.view.item.id).await.expect("the database answers");
    assert!(files.iter().any(|file| file.name == "preflight.json"), "{files:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tensorrt_llm_without_its_pytorch_backend_is_unsupported_there() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let command = plans::simulated("tensorrt_llm", "--sim-lacks backend");
    let flags = "{backend: pytorch, max_seq_len: 4096}";
    let yaml = plans::plan("one_scenario.yaml", &[plans::with_flags("tensorrt_llm", &command, flags, "{}")]);
    let run = bench.run(yaml).await;
    let candidate = run.only(Framework::TensorrtLlm);
    assert_eq!(candidate.status, CandidateStatus::Skipped);
    let reason = candidate.failure_reason.as_deref().expect("a reason");
    assert!(reason.contains("unsupported in this environment"), "{reason}");
    assert_eq!(run.launches.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_smoke_test_is_kept_with_the_run_and_not_repeated_for_the_same_version() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let framework = plans::with_flags("vllm", &plans::simulated("vllm", ""), "{max_model_len: 4096}", "{}");
    let yaml = plans::plan("one_scenario.yaml", &[framework]);
    let start = || StartRun { smoke: SmokeChoice::Always, ..StartRun::of(yaml.clone()) };
    let first = bench.start_with(start()).await;
    let first = bench.carry_out(first).await;
    let record =
        preflight(&first).framework(Framework::Vllm).and_then(|found| found.smoke.clone()).expect("a smoke test");
    assert!(record.passed && !record.reused, "{record:#?}");
    assert_eq!((record.answered, record.requests), (6, 6));
    assert_eq!(record.eager_flag.as_deref(), Some("enforce_eager"));
    assert!(record.launch_command.contains("--enforce-eager"), "{}", record.launch_command);
    assert!(record.ready_after_ms.is_some() && !record.listed_models.is_empty());
    for (file, part) in [(record.log, "Application startup complete"), (record.benchmark, "\"completed\": 6")] {
        let file = file.expect("it was stored");
        let (_, bytes) =
            bench.service.run_file(Caller::owner(), first.view.item.id, file).await.expect("a file of the run");
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    // Its server is one of the run's launches, so that nothing of it can be left behind, and stands for no candidate.
    assert_eq!(first.launches.len(), 2);
    let candidate = first.only(Framework::Vllm);
    assert_eq!(candidate.status, CandidateStatus::Ok);
    assert!(
        candidate.launch.as_ref().is_some_and(|launch| !launch.command.contains("--enforce-eager")),
        "{candidate:#?}"
    );
    assert!(first.rows.iter().all(|row| !row.row["server_command"].as_str().unwrap_or_default().contains("eager")));

    let second = bench.start_with(start()).await;
    let second = bench.carry_out(second).await;
    assert_eq!(second.launches.len(), 1, "what passed before is not tried again");
    let record = preflight(&second).framework(Framework::Vllm).and_then(|found| found.smoke.clone()).expect("a record");
    assert!(record.passed && record.reused, "{record:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_preflight_is_told_before_any_candidate_and_made_once() {
    use futures::StreamExt as _;
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let run = bench
        .run(plans::plan("one_scenario.yaml", &[plans::framework("sglang", &plans::simulated("sglang", ""))]))
        .await;
    let events = bench.service.run_events(Caller::owner(), run.view.item.id, 0).await.expect("a stream");
    let events: Vec<_> = Box::pin(events).map(|event| event.event).collect().await;
    let first_candidate = events.iter().position(|event| matches!(event, RunEvent::Candidate { .. })).expect("one");
    let checks: Vec<_> = events
        .iter()
        .enumerate()
        .filter(|(_, event)| matches!(event, RunEvent::Preflight { .. }))
        .map(|(at, _)| at)
        .collect();
    assert!(checks.len() >= 6, "{events:#?}");
    assert!(checks.iter().all(|at| *at < first_candidate), "{events:#?}");
    assert_eq!(checks.len(), preflight(&run).checks.len());
}

/// A folder with programs that are shell scripts.
struct Programs(tempfile::TempDir);

impl Programs {
    fn new() -> Self {
        Programs(tempfile::tempdir().expect("a folder"))
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn add(&self, path: &str, script: &str) -> PathBuf {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(&path, format!("#!/bin/sh\n{script}")).expect("the script is written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
        path
    }
}

/// Runs a command of podium with these programs before all others on PATH.
async fn with_path(bench: &Bench, programs: &Path, arguments: &[&str], more: &[(&str, &str)]) -> Ended {
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let folder = bench.folder().display().to_string();
    let mut command = podium(arguments.iter().copied().chain(["--data-dir", &folder]));
    command.env("DATABASE_URL", &bench.database_url).env("PATH", path).env_remove("CUDA_VISIBLE_DEVICES");
    for (name, value) in more {
        command.env(name, value);
    }
    run(&mut command).await
}

fn written(bench: &Bench, yaml: &str) -> String {
    let path = bench.folder().join("plan.yaml");
    std::fs::write(&path, yaml).expect("the plan is written");
    path.display().to_string()
}

/// Lists two GPUs, the first of which a process uses.
const NVIDIA_SMI: &str = "case \"$1\" in\n\
    --query-gpu=*) echo '0, NVIDIA L40S, GPU-a, 46068, 40123, 550.54.15, 8.9'\n\
                   echo '1, NVIDIA L40S, GPU-b, 46068, 3, 550.54.15, 8.9' ;;\n\
    --query-compute-apps=*) echo 'GPU-a, 4242, /opt/train/python3, 39000' ;;\n\
    *) echo '| NVIDIA-SMI 550.54.15   Driver Version: 550.54.15   CUDA Version: 12.4 |' ;;\n\
    esac\n";

#[tokio::test]
async fn a_gpu_in_use_stops_the_run_and_says_by_whom() {
    let bench = Bench::new().await;
    let programs = Programs::new();
    programs.add("bin/nvidia-smi", NVIDIA_SMI);
    // It must not even be started.
    let started = programs.at("started");
    programs.add(
        "bin/llama-server",
        &format!("[ \"$1\" = --help ] || [ \"$1\" = --version ] || touch {}\n", started.display()),
    );
    let yaml =
        plans::plan("one_scenario.yaml", &[plans::with_flags("llama_cpp", "llama-server", "{ctx_size: 4096}", "{}")]);
    let plan = written(&bench, &yaml);

    let ended = with_path(&bench, &programs.at("bin"), &["preflight", &plan, "--json"], &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let stop = ended.json()["stop"].as_str().map(str::to_owned).expect("a reason to stop");
    assert!(stop.starts_with("GPU 0 is in use by /opt/train/python3 (pid 4242, 39000 MiB)"), "{stop}");

    let ended = with_path(&bench, &programs.at("bin"), &["run", &plan], &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("run failed: GPU 0 is in use by /opt/train/python3"), "{}", ended.stderr);
    assert!(!started.exists(), "an engine was started on a GPU that another process uses");

    // Another GPU was chosen: that one is free.
    let chosen = [("CUDA_VISIBLE_DEVICES", "1")];
    let arguments = ["preflight", &plan, "--json", "--smoke", "never"];
    let ended = with_path(&bench, &programs.at("bin"), &arguments, &chosen).await;
    assert_eq!(ended.json()["stop"], serde_json::Value::Null, "{ended:?}");

    let ended = with_path(&bench, &programs.at("bin"), &["host", "check", "this machine"], &[]).await;
    for part in ["by /opt/train/python3 (pid 4242, 39000 MiB)", "CUDA: up to 12.4", "model cache: "] {
        assert!(ended.stdout.contains(part), "no `{part}` in {}", ended.stdout);
    }
}

/// The help of a real release, printed by a stand-in for its program that counts how often it is asked.
#[tokio::test]
async fn a_real_releases_help_is_asked_for_once_and_decides_what_is_searched() {
    let shared = std::env::var_os("PODIUM_SHARED_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let text = shared.join("engines/help/vllm/vllm-serve.txt");
    if !text.is_file() {
        eprintln!("skipped: {} is not there", text.display());
        return;
    }
    let bench = Bench::new().await;
    let programs = Programs::new();
    let (asked, text) = (programs.at("asked"), text.display().to_string());
    programs.add(
        "bin/vllm",
        &format!(
            "echo \"$*\" >> {}\ncase \"$*\" in\n'serve --help=all') cat {text} ;;\n\
             *) echo \"ModuleNotFoundError: No module named 'numpy'\" >&2; exit 1 ;;\nesac\n",
            asked.display()
        ),
    );
    std::fs::create_dir_all(programs.at("lib/python3.12/site-packages/vllm-0.32.0.dist-info")).expect("a package");
    let model = programs.at("model");
    std::fs::create_dir(&model).expect("a model");
    let search = "{max_num_seqs: [8], max_num_partial_prefills: [1, 2], kv_cache_dtype: [fp8]}";
    let part = plans::with_flags("vllm", "vllm serve", "{max_model_len: 4096}", search);
    let part =
        part.replace("    base_server_flags", &format!("    model_path: {}\n    base_server_flags", model.display()));
    let yaml = plans::plan("one_scenario.yaml", &[part]).replace("gpu_count: 1", "gpu_count: 0");
    let yaml = format!("{yaml}version_manifest: {{vllm: {{version: 0.31.0}}}}\n");
    let plan = written(&bench, &yaml);

    let saved = programs.at("saved").display().to_string();
    let arguments = ["preflight", &plan, "--json", "--smoke", "never", "--save-help", &saved];
    let first = with_path(&bench, &programs.at("bin"), &arguments, &[]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let found = first.json();
    let vllm = &found["frameworks"][0];
    assert_eq!((vllm["version"].as_str(), vllm["blocked"].as_str()), (Some("0.32.0"), None));
    let changed: Vec<_> = vllm["changes"].as_array().expect("a list").iter().map(|c| c["flag"].as_str()).collect();
    assert_eq!(changed, [Some("max_num_partial_prefills")]);
    assert!(vllm["help"][0]["flags"].as_u64().is_some_and(|flags| flags > 100), "{vllm:#}");
    let checks = found["checks"].as_array().expect("a list");
    let stated = checks.iter().find(|check| check["what"] == "stated version").expect("the manifest is read");
    assert_eq!(stated["finding"], "warn", "{stated}");
    assert_eq!(stated["detail"], "the plan states version 0.31.0, the host has 0.32.0");
    let times = |command: &str| {
        let text = std::fs::read_to_string(&asked).unwrap_or_default();
        text.lines().filter(|line| *line == command).count()
    };
    assert_eq!(times("serve --help=all"), 1);

    let again = with_path(&bench, &programs.at("bin"), &arguments, &[]).await;
    assert_eq!(again.json()["frameworks"][0]["help"][0]["reused"], true);
    assert_eq!(times("serve --help=all"), 1, "the same version is not asked again");
    with_path(&bench, &programs.at("bin"), &["preflight", &plan, "--smoke", "never", "--refresh"], &[]).await;
    assert_eq!(times("serve --help=all"), 2);

    // The plan page knows it too, and a run may be started all the same.
    let owner = Caller::owner();
    let hosts = bench.service.hosts(owner).await.expect("the hosts");
    let check = bench.service.check_plan(owner, yaml.clone()).await.expect("a check");
    let check = bench.service.check_against_host(owner, check, hosts[0].id).await.expect("a check");
    assert!(check.problems.is_empty(), "{:?}", check.problems);
    let warned = check.warnings.iter().filter(|warning| warning.message.contains("has no `max_num_partial_prefills`"));
    assert_eq!(warned.count(), 1, "{:?}", check.warnings);

    // What was saved is what `validate` takes.
    let ended = run(&mut podium(["validate", &plan, "--help-dir", &saved])).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("has no `max_num_partial_prefills`"), "{}", ended.stdout);

    // A broken install is found by the minimal server, and no candidate is tried after it.
    let ended = with_path(&bench, &programs.at("bin"), &["run", &plan], &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stderr.matches("skipped: the smoke test of vLLM failed").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("No module named 'numpy'") || ended.stderr.contains("installation lacks a part"));
    let served = std::fs::read_to_string(&asked).unwrap_or_default();
    assert_eq!(served.lines().filter(|line| line.contains("--port")).count(), 1, "{served}");
}
