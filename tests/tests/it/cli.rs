//! The command line, as a process: what it prints and how it exits.

use podium_service::{Caller, RunQuery};
use podium_tests::bench::Bench;
use podium_tests::binaries::{Ended, podium, run};
use podium_tests::wait::until;
use podium_tests::{plans, quiet};
use serde_json::Value;

/// The paths of the mistakes in `five_mistakes.yaml`.
const MISTAKES: [&str; 5] = [
    "dataset.num_prompts",
    "dataset.scenario_names",
    "sla.max_p50_latency_ms",
    "frameworks.vllm.base_server_flags.max_model_len",
    "frameworks.vllm.search_space",
];

fn plan(name: &str) -> String {
    plans::path(name).display().to_string()
}

fn assert_names_each_mistake(text: &str) {
    for path in MISTAKES {
        let lines = text.lines().filter(|line| line.contains(&format!(": {path}: "))).count();
        assert_eq!(lines, 1, "{path} is not named once in:\n{text}");
    }
}

#[tokio::test]
async fn five_mistakes_get_five_messages() {
    let ended = run(&mut podium(["validate", &plan("five_mistakes.yaml")])).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let problems = |line: &&str| !line.starts_with("filled in: ") && !line.starts_with("warning: ");
    assert_eq!(ended.stdout.lines().filter(problems).count(), 5, "{}", ended.stdout);
    assert_names_each_mistake(&ended.stdout);

    let ended = run(&mut podium(["validate", "--json", &plan("five_mistakes.yaml")])).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let answer = ended.json();
    assert_eq!(answer[0]["valid"], false);
    let problems = answer[0]["problems"].as_array().expect("a list of problems");
    let mut paths: Vec<_> = problems.iter().filter_map(|problem| problem["path"].as_str()).collect();
    paths.sort_unstable();
    let mut wanted = MISTAKES.to_vec();
    wanted.sort_unstable();
    assert_eq!(paths, wanted, "{problems:#?}");
    assert!(problems.iter().all(|problem| problem["line"].is_u64()), "{problems:#?}");
}

#[tokio::test]
async fn a_wrong_plan_starts_nothing() {
    let bench = Bench::new().await;
    let folder = bench.folder().display().to_string();
    let arguments = ["run", &plan("five_mistakes.yaml"), "--data-dir", &folder];
    let ended = run(podium(arguments).env("DATABASE_URL", &bench.database_url)).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_names_each_mistake(&ended.stderr);
    let runs = bench.service.list_runs(Caller::owner(), &RunQuery::default(), 50).await.expect("the database answers");
    assert!(runs.is_empty(), "{runs:#?}");
}

#[tokio::test]
async fn candidates_are_listed_for_programs() {
    let ended = run(&mut podium(["candidates", &plan("simulated.yaml"), "--json"])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let list = ended.json();
    let candidates = list.as_array().expect("a list");
    let frameworks: Vec<_> = candidates.iter().filter_map(|candidate| candidate["framework"].as_str()).collect();
    assert_eq!(frameworks, ["sglang", "sglang", "vllm", "vllm"]);
    let argv: Vec<_> = candidates[2]["argv"].as_array().expect("an argument list").iter().collect();
    let wanted = [
        "podium",
        "sim",
        "vllm",
        "--sim-startup-s",
        "0.1",
        "demo/simulated-8b",
        "--tensor-parallel-size",
        "1",
        "--max-model-len",
        "8192",
    ];
    assert_eq!(argv, wanted);
    assert_eq!(candidates[3]["flags"]["max_num_seqs"], 8);

    let only = run(&mut podium(["candidates", &plan("simulated.yaml"), "--json", "--framework", "vllm"])).await;
    assert_eq!(only.json().as_array().map(Vec::len), Some(2));
}

/// Result rows as other tools write them: two frameworks, one of them too slow for the SLA.
fn foreign_rows() -> String {
    let row = |framework: &str, throughput: f64, ttft_ms: f64| {
        serde_json::json!({
            "framework": framework,
            "candidate_id": format!("{framework}-baseline"),
            "model": "demo/model",
            "status": "ok",
            "hardware": { "gpu_model": "H100", "gpu_count": 1 },
            "workload": { "kind": "random", "scenario": "chat", "input_len": 1000, "output_len": 100, "num_prompts": 80 },
            "sla": { "max_p50_ttft_ms": 500.0, "passed": true },
            "metrics": {
                "request_throughput": throughput, "output_token_throughput": throughput * 100.0,
                "p50_ttft_ms": ttft_ms, "p50_tpot_ms": 10.0, "success_rate": 1.0,
            },
            "server_command": format!("{framework} serve demo/model"),
        })
        .to_string()
    };
    format!("{}\n{}\n", row("sglang", 9.0, 900.0), row("vllm", 7.0, 200.0))
}

#[tokio::test]
async fn rows_are_compared_and_written_in_every_form() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(file("rows.jsonl"), foreign_rows()).expect("writable");
    let arguments = [
        "compare",
        &file("rows.jsonl"),
        "--json",
        "--markdown",
        &file("report.md"),
        "--csv",
        &file("report.csv"),
        "--html",
        &file("report.html"),
    ];
    let ended = run(&mut podium(arguments)).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ranking = serde_json::to_string(&ended.json()).expect("JSON");
    let at = |text: &str, what: &str| text.find(what).unwrap_or_else(|| panic!("no {what} in {text}"));
    // The faster one misses the SLA, whatever its row says of itself.
    assert!(at(&ranking, "vllm-baseline") < at(&ranking, "sglang-baseline"), "{ranking}");

    let read = |name: &str| std::fs::read_to_string(file(name)).expect("the file was written");
    let csv = read("report.csv");
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(lines[1].starts_with("vllm,chat,vllm-baseline,ok,true,7"), "{csv}");
    assert!(lines[2].starts_with("sglang,chat,sglang-baseline,ok,false,9"), "{csv}");
    let markdown = read("report.md");
    assert!(markdown.contains("vllm serve demo/model"), "{markdown}");
    let html = read("report.html");
    assert!(html.contains("<svg") && html.contains("vllm serve demo/model"), "{html}");

    let plain = run(&mut podium(["compare", &file("rows.jsonl")])).await;
    assert!(plain.stdout.contains("vLLM") && plain.stdout.contains("chat"), "{plain:?}");
    std::fs::write(file("broken.jsonl"), "no row\n").expect("writable");
    let broken = run(&mut podium(["compare", &file("broken.jsonl")])).await;
    assert_eq!(broken.code, Some(1));
    assert!(broken.stderr.contains("broken.jsonl:1: "), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_drives_a_simulated_server() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let port = bench.host.free_port().await.expect("a free port").to_string();
    let mut server = podium(["sim", "vllm", "demo/simulated-8b", "--sim-startup-s", "0.1", "--port", &port])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the simulated engine starts");
    let base_url = format!("http://127.0.0.1:{port}");
    let health = format!("{base_url}/health");
    until("the simulated engine is healthy", async || {
        let answer = reqwest::get(&health).await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;

    let load = |more: &[&str]| {
        let fixed = ["load", "--base-url", &base_url, "--model", "demo/simulated-8b", "--json", "-"];
        let lengths = ["--input-len", "120", "--output-len", "9"];
        podium(fixed.into_iter().chain(lengths).chain(more.iter().copied()))
    };
    for loaded in [
        load(&["--concurrency", "3", "--num-prompts", "30"]),
        load(&["--rate", "20", "--duration", "1.5"]),
        load(&["--burst", "--num-prompts", "30"]),
    ] {
        let mut loaded = loaded;
        let ended = run(&mut loaded).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let figures = ended.json();
        assert_eq!(figures["completed"], 30, "{figures}");
        assert_eq!(figures["failed"], 0, "{figures}");
        assert_eq!(figures["input_tokens"], 30 * 120, "{figures}");
        assert_eq!(figures["output_tokens"], 30 * 9, "{figures}");
        assert!(figures["series"].as_array().is_some_and(|series| !series.is_empty()), "{figures}");
    }
    let wrong = run(&mut podium([
        "load",
        "--base-url",
        &base_url,
        "--model",
        "demo/other",
        "--input-len",
        "8",
        "--output-len",
        "2",
        "--burst",
        "--num-prompts",
        "2",
        "--warmup",
        "0",
        "--json",
        "-",
    ]))
    .await;
    assert_ne!(wrong.code, Some(0), "an unknown model answers nothing: {wrong:?}");
    server.kill().await.expect("the simulated engine can be ended");
}

/// `podium run` of a plan with the database and data folder of a bench.
async fn run_plan(bench: &Bench, path: &str, more: &[&str]) -> Ended {
    let folder = bench.folder().display().to_string();
    let arguments = ["run", path, "--data-dir", &folder].into_iter().chain(more.iter().copied());
    run(podium(arguments).env("DATABASE_URL", &bench.database_url)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_with_a_winner_exits_with_0_and_one_without_with_1() {
    // What other tests do at the same time could spoil the measurements, and then nobody wins.
    let _quiet = quiet::alone().await;
    let bench = Bench::new().await;
    let markdown = bench.folder().join("report.md").display().to_string();
    // So could what else this machine does: a bad moment is no reason to fail, three are.
    let mut won = run_plan(&bench, &plan("simulated.yaml"), &["--markdown", &markdown]).await;
    for _ in 0..2 {
        if won.code != Some(0) {
            assert!(!won.stdout.contains(" wins "), "{won:?}");
            won = run_plan(&bench, &plan("simulated.yaml"), &["--markdown", &markdown]).await;
        }
    }
    assert_eq!(won.code, Some(0), "{won:?}");
    assert!(won.stdout.contains("Simulated: ") && won.stdout.contains(" wins "), "{won:?}");
    let runs = bench.service.list_runs(Caller::owner(), &RunQuery::default(), 50).await.expect("the database answers");
    let link = format!("report: http://127.0.0.1:8080/runs/{}/report", runs[0].id);
    assert!(won.stdout.lines().any(|line| line == link), "no `{link}` in {won:?}");
    let written = std::fs::read_to_string(&markdown).expect("the report was written");
    assert!(written.contains(" wins "), "{written}");

    // The only framework is not there.
    let path = bench.folder().join("missing.yaml");
    let framework = plans::with_flags("vllm", "no-such-engine serve", "{max_model_len: 4096}", "{}");
    std::fs::write(&path, plans::plan("one_scenario.yaml", &[framework])).expect("writable");
    let lost = run_plan(&bench, &path.display().to_string(), &[]).await;
    assert_eq!(lost.code, Some(1), "{lost:?}");
    assert!(lost.stderr.contains("no-such-engine"), "{lost:?}");

    let unread = run_plan(&bench, "/no/such/plan.yaml", &[]).await;
    assert_eq!(unread.code, Some(1));
    assert!(unread.stderr.contains("cannot read the plan /no/such/plan.yaml"), "{unread:?}");
}

#[tokio::test]
async fn every_command_has_examples() {
    for command in ["serve", "worker", "run", "validate", "candidates", "compare", "load", "sim"] {
        let ended = run(&mut podium(["help", command])).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains(&format!("Examples:\n  podium {command}")), "{}", ended.stdout);
    }
    assert_eq!(run(&mut podium(["validate"])).await.code, Some(2));
}

#[tokio::test]
async fn the_shipped_plans_are_valid() {
    let configs = plans::shipped("").display().to_string();
    let ended = run(&mut podium(["validate", "--json", &configs])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let answer = ended.json();
    let files = answer.as_array().expect("a list of files");
    assert!(files.len() >= 2, "{files:#?}");
    assert!(files.iter().all(|file| file["valid"] == Value::Bool(true)), "{files:#?}");
}
