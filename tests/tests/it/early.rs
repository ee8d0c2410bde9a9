//! Candidates that an earlier failure decides are not tried, and say so.

use podium_domain::status::{CandidateStatus, MeasurementStatus, RunStatus};
use podium_service::{SmokeChoice, StartRun};
use podium_tests::bench::Bench;
use podium_tests::{plans, quiet};

/// A server that says and does what one does whose memory does not suffice.
const OUT_OF_MEMORY: &str = "sh -c 'echo torch.OutOfMemoryError: CUDA out of memory.; exit 1'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_more_memory_than_a_candidate_that_ran_out_is_not_tried() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let framework = plans::with_flags(
        "vllm",
        OUT_OF_MEMORY,
        "{max_num_seqs: 32, max_model_len: 4096}",
        "{max_num_seqs: [16, 64, 128]}",
    );
    let yaml = plans::plan("one_scenario.yaml", &[framework]);
    let smoke = SmokeChoice::Never;
    let start = StartRun { smoke, ..StartRun::of(yaml) };
    let run_id = bench.start_with(start).await;
    let run = bench.carry_out(run_id).await;

    assert_eq!(run.view.item.status, RunStatus::Completed, "{:?}", run.view.failure);
    let of = |status| run.view.candidates.iter().filter(move |c| c.status == status).collect::<Vec<_>>();
    let (tried, skipped) = (of(CandidateStatus::Oom), of(CandidateStatus::Skipped));
    assert_eq!((tried.len(), skipped.len()), (2, 2), "{:#?}", run.view.candidates);
    assert_eq!(run.launches.len(), 2, "what is decided is not launched");
    assert!(tried.iter().any(|candidate| candidate.candidate_id.contains("max-num-seqs-16")), "less may suffice");
    for candidate in skipped {
        let reason = candidate.failure_reason.as_deref().expect("what was skipped has a reason");
        assert!(reason.contains("it takes at least the memory of vllm-"), "{reason}");
        let rows = run.rows.iter().filter(|row| row.row["candidate_id"] == candidate.candidate_id.as_str());
        let told: Vec<_> = rows.map(|row| row.row["failure_reason"].clone()).collect();
        assert!(!told.is_empty() && told.iter().all(|text| *text == reason), "the report says so too: {told:?}");
    }
    assert!(run.measurements.iter().all(|m| m.status == MeasurementStatus::Skipped), "{:#?}", run.measurements);
}
