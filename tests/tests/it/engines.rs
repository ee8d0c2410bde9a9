//! The CPU plan over every real engine of this machine.

use podium_domain::framework::Framework;
use podium_domain::status::{CandidateStatus, RunStatus};
use podium_formats::report;
use podium_service::{Caller, RunQuery};
use podium_tests::bench::Bench;
use podium_tests::binaries::{podium, run};
use podium_tests::engines::CpuPlan;
use podium_tests::{engines, plans, quiet};

/// What has to be in the folder of engines.
const PROGRAMS: [(Framework, &str); 3] = [
    (Framework::LlamaCpp, "llama/bin/llama-server"),
    (Framework::Vllm, "vllm/bin/vllm"),
    (Framework::Sglang, "sglang/bin/python"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "make test-engines runs it: it needs llama.cpp, vLLM and SGLang, and minutes"]
async fn one_report_compares_llama_cpp_vllm_and_sglang() {
    let _quiet = quiet::alone().await;
    let folder = engines::folder();
    let missing: Vec<_> = PROGRAMS.iter().filter(|(_, program)| !folder.join(program).is_file()).collect();
    assert!(missing.is_empty(), "{} ({}) lacks {missing:?}", engines::ENGINES_DIR, folder.display());

    let bench = Bench::new().await;
    let models = engines::working_folder();
    let plan = plans::shipped("demo-cpu.yaml").canonicalize().expect("a plan that is shipped").display().to_string();
    let data_dir = bench.folder().display().to_string();
    let ended = run(podium(["run", &plan, "--idle-engines", "--data-dir", &data_dir])
        .env("DATABASE_URL", &bench.database_url)
        .env(engines::ENGINES_DIR, &folder)
        .current_dir(models.path()))
    .await;

    let runs = bench.service.list_runs(Caller::owner(), &RunQuery::default(), 50).await.expect("the database answers");
    let [only] = &runs[..] else { panic!("not one run: {ended:?}") };
    let run = bench.ended(only.id).await;
    println!("\n{}\n{}\n{}", ended.stderr, ended.stdout, report::markdown(&run.report.report));

    assert_eq!(run.view.item.status, RunStatus::Completed);
    assert!(!run.report.report.is_simulated());
    for (framework, _) in PROGRAMS {
        let own: Vec<_> = run.view.candidates.iter().filter(|candidate| candidate.framework == framework).collect();
        assert!(own.len() >= 2, "{framework} has {} candidates", own.len());
        assert!(own.iter().all(|candidate| candidate.status == CandidateStatus::Ok), "{own:#?}");
        let version = run.report.report.versions.iter().find(|version| version.framework == framework.id());
        assert!(version.is_some_and(|version| version.version.is_some()), "{:?}", run.report.report.versions);
    }
    let asked = CpuPlan::of(&bench, only.id).await;
    for measurement in &run.measurements {
        let summary = measurement.summary.as_ref().expect("every measurement was taken");
        let (input_len, output_len) = asked.lengths(&measurement.scenario);
        assert_eq!(summary.completed, asked.num_prompts, "{summary:?}");
        assert_eq!(summary.input_tokens, Some(asked.num_prompts * u64::from(input_len)), "{summary:?}");
        assert_eq!(summary.output_tokens, Some(asked.num_prompts * u64::from(output_len)), "{summary:?}");
    }
}
