//! The load generator against a server whose every token is known.

mod support;

use std::time::Duration;

use podium_domain::load::LoadPoint;
use podium_domain::plan::Endpoint;
use podium_domain::sla::Sla;
use podium_loadgen::workload::{Arrivals, WorkloadSpec};
use podium_loadgen::{
    AgentMessage, LoadJob, Margin, RequestSample, StopHandle, calibrate_text, read_samples, run, vllm_result,
};
use podium_sim::truth::{Fault, Framing, TruthConfig, TruthRecord, TruthServer};

use support::{BOUND, assert_true, job, measure, outcome, pairs, quick, workload};

const BURST: LoadPoint = LoadPoint::Burst { max_concurrency: None };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_framing_gives_exact_counts() {
    let framings = [
        Framing::default(),
        Framing { crlf: true, comments: true, ..Framing::default() },
        Framing { split_events: true, ..Framing::default() },
        Framing { events_per_write: 5, crlf: true, split_events: true, ..Framing::default() },
    ];
    for framing in framings {
        for (endpoint, reasoning_tokens) in [(Endpoint::Completions, 0), (Endpoint::ChatCompletions, 3)] {
            let config = TruthConfig { framing, reasoning_tokens, ..quick() };
            let server = TruthServer::start(config.clone()).await.unwrap();
            let job = job(&server, workload(endpoint, 6, 12), LoadPoint::Concurrency { concurrency: 3 });
            let outcome = outcome(job.clone()).await;
            let records = server.wait_for_records(6, BOUND).await;
            assert_true(&job, &outcome, &records, &config);
            assert_eq!(outcome.report.summary.output_tokens, Some(6 * 12));
            // Reasoning is content from its first token, and visible output comes after it.
            for (sample, record) in pairs(&job, &outcome, &records) {
                let visible_ns = sample.first_visible_token_at_ns.unwrap();
                let visible_at = outcome.started_at + Duration::from_nanos(visible_ns);
                assert!(visible_at >= record.read_at + config.ttft + config.itl * reasoning_tokens);
            }
            server.shutdown().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_tokens_in_an_event_share_its_gap() {
    let config = TruthConfig { tokens_per_event: 4, ..quick() };
    let server = TruthServer::start(config.clone()).await.unwrap();
    let job = job(&server, workload(Endpoint::Completions, 4, 20), BURST);
    let outcome = outcome(job.clone()).await;
    assert_true(&job, &outcome, &server.wait_for_records(4, BOUND).await, &config);
    let summary = &outcome.report.summary;
    // 19 later tokens in 4 gaps, in every answer.
    let (itl, gap) = (summary.itl_ms.as_ref().unwrap(), summary.chunk_gap_ms.as_ref().unwrap());
    assert_eq!(gap.n, 16);
    assert!((itl.mean * 19.0 / 4.0 - gap.mean).abs() < 1e-9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_not_streamed_have_a_latency_and_no_first_token() {
    let server = TruthServer::start(quick()).await.unwrap();
    let workload = WorkloadSpec { stream: false, ..workload(Endpoint::ChatCompletions, 3, 5) };
    let summary = outcome(job(&server, workload, BURST)).await.report.summary;
    assert_eq!((summary.completed, summary.output_tokens, summary.ttft_ms), (3, Some(15), None));
    assert_eq!(summary.e2e_ms.unwrap().n, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_has_its_class_and_an_example() {
    let cases = [
        (Fault::Status(503), "http_status", "503"),
        (Fault::CloseMidStream { after_tokens: 3 }, "protocol", "after 3 content events"),
        (Fault::EndWithoutDone { after_tokens: 3 }, "protocol", "without [DONE]"),
        (Fault::ErrorEvent { after_tokens: 3 }, "protocol", "an error inside the stream"),
        (Fault::MalformedEvent { after_tokens: 3 }, "protocol", "cannot be read"),
    ];
    for (fault, class, example) in cases {
        let config = TruthConfig { fault: Some(fault), fault_every: 2, ..quick() };
        let server = TruthServer::start(config).await.unwrap();
        let summary =
            outcome(job(&server, workload(Endpoint::Completions, 8, 6), LoadPoint::Concurrency { concurrency: 2 }))
                .await
                .report
                .summary;
        assert_eq!((summary.completed, summary.failed, summary.success_rate), (4, 4, Some(0.5)), "{fault:?}");
        assert_eq!(summary.failures.len(), 1, "{:?}", summary.failures);
        assert_eq!((summary.failures[0].class.as_str(), summary.failures[0].count), (class, 4), "{fault:?}");
        assert!(summary.failures[0].example.contains(example), "{fault:?}: {}", summary.failures[0].example);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_sent_again_only_when_a_kept_connection_was_closed() {
    // On new connections a close is an answer that never came.
    let config = TruthConfig { fault: Some(Fault::CloseBeforeResponse), ..quick() };
    let server = TruthServer::start(config).await.unwrap();
    let load = LoadPoint::Concurrency { concurrency: 2 };
    let report = outcome(job(&server, workload(Endpoint::Completions, 6, 3), load)).await.report;
    let failure = &report.summary.failures[0];
    assert_eq!((failure.class.as_str(), failure.count), ("protocol", 6));
    assert!(failure.example.contains("closed the connection before it answered"), "{}", failure.example);
    assert_eq!(server.wait_for_records(6, BOUND).await.len(), 6);

    // One slot: requests 1 and 2 share a connection that dies under the second, which goes out again as the third that
    // the server sees. From then on nothing is kept, and every further close is a failure.
    let config = TruthConfig { fault: Some(Fault::CloseBeforeResponse), fault_every: 2, ..quick() };
    let server = TruthServer::start(config).await.unwrap();
    let load = LoadPoint::Concurrency { concurrency: 1 };
    let report = outcome(job(&server, workload(Endpoint::Completions, 6, 3), load)).await.report;
    assert_eq!((report.summary.completed, report.summary.failed, report.summary.sent), (4, 2, 6));
    assert!(report.notes.iter().any(|note| note.code == "resent" && note.text.contains(" 1 requests")));
    assert_eq!(server.wait_for_records(7, BOUND).await.len(), 7);
    assert_eq!(report.series.iter().map(|point| point.sent).sum::<u32>(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_ends_by_the_limit_that_it_meets() {
    let stall = Fault::Stall { after_tokens: 2, pause: Duration::from_secs(600) };
    for (fault, idle_timeout_s, request_timeout_s, class, events) in [
        (Fault::NeverRespond, Some(0.2), 60.0, "idle", 0),
        (Fault::NeverRespond, None, 0.2, "deadline", 0),
        (stall, Some(0.2), 60.0, "idle", 2),
        (stall, Some(60.0), 0.3, "deadline", 2),
    ] {
        let server = TruthServer::start(TruthConfig { fault: Some(fault), ..quick() }).await.unwrap();
        let job = LoadJob {
            idle_timeout_s,
            request_timeout_s,
            ..LoadJob::new(server.base_url(), workload(Endpoint::Completions, 2, 6), BURST)
        };
        let outcome = outcome(job).await;
        let failures = &outcome.report.summary.failures;
        assert_eq!((failures.len(), failures[0].class.as_str(), failures[0].count), (1, class, 2), "{fault:?}");
        // What was received before is kept; on a busy machine the limit may come before all of it.
        assert!(outcome.samples.iter().all(|sample| sample.content_events() <= events));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_a_measurement_of_failures() {
    let addr = TruthServer::refusing_addr().await.unwrap();
    let job = LoadJob::new(format!("http://{addr}"), workload(Endpoint::Completions, 3, 6), BURST);
    let outcome = outcome(job).await;
    let summary = outcome.report.summary;
    assert_eq!((summary.sent, summary.failed, summary.never_sent), (0, 3, 0));
    assert_eq!(summary.failures[0].class, "connect");
    assert_eq!(summary.validity.word(), "invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_loop_keeps_its_concurrency_and_its_connections() {
    let server = TruthServer::start(quick()).await.unwrap();
    let job = job(&server, workload(Endpoint::Completions, 30, 8), LoadPoint::Concurrency { concurrency: 4 });
    let outcome = outcome(job).await;
    assert_eq!(outcome.report.summary.completed, 30);
    assert_eq!(server.most_connections(), 4);
    assert!(most_in_flight(&outcome.samples) <= 4);
    assert!(outcome.samples.iter().all(|sample| sample.connect_ns == 0), "connections were there before the start");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cap_delays_an_open_loop_and_the_wait_counts_for_the_user() {
    let server = TruthServer::start(quick()).await.unwrap();
    let load = LoadPoint::Burst { max_concurrency: Some(2) };
    let outcome = outcome(job(&server, workload(Endpoint::Completions, 8, 8), load)).await;
    assert!(most_in_flight(&outcome.samples) <= 2);
    let summary = &outcome.report.summary;
    assert_eq!((summary.completed, summary.never_sent), (8, 0));
    let (ttft, user) = (summary.ttft_ms.as_ref().unwrap(), summary.user_ttft_ms.as_ref().unwrap());
    assert!(user.max >= 3.0 * ttft.min, "the last pair waited for three others");
    assert!(outcome.samples.iter().all(|sample| sample.scheduled_at_ns == 0));
}

/// The most requests whose spans from sending to end overlap.
fn most_in_flight(samples: &[RequestSample]) -> usize {
    let spans: Vec<_> = samples.iter().map(|s| (s.sent_at_ns.unwrap(), s.done_at_ns.unwrap())).collect();
    spans.iter().map(|(at, _)| spans.iter().filter(|(sent, done)| sent <= at && at < done).count()).max().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_loop_sends_by_its_schedule() {
    let config =
        TruthConfig { fault: Some(Fault::Stall { after_tokens: 0, pause: Duration::from_millis(300) }), ..quick() };
    let server = TruthServer::start(config).await.unwrap();
    let load = LoadPoint::Rate { rate_rps: 200.0, max_concurrency: None };
    let outcome = outcome(job(&server, workload(Endpoint::Completions, 40, 2), load)).await;
    assert_eq!(outcome.report.summary.completed, 40);
    assert!(outcome.samples.windows(2).all(|pair| pair[0].scheduled_at_ns <= pair[1].scheduled_at_ns));
    assert!(outcome.samples.iter().all(|sample| sample.sent_at_ns.unwrap() >= sample.scheduled_at_ns));
    // All forty are due within 195 ms and each takes 300 ms: they cannot wait for answers.
    assert!(outcome.samples[39].scheduled_at_ns < outcome.samples[0].done_at_ns.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn warm_up_is_sent_and_not_measured() {
    let server = TruthServer::start(quick()).await.unwrap();
    let workload = WorkloadSpec { warmup_requests: 3, ..workload(Endpoint::Completions, 5, 4) };
    let (outcome, messages) = measure(job(&server, workload, BURST), |_, _| ()).await;
    assert_eq!(server.wait_for_records(8, BOUND).await.len(), 8);
    assert_eq!((outcome.samples.len(), outcome.report.summary.planned), (5, 5));
    assert!(matches!(messages[0], AgentMessage::WarmingUp { requests: 3, .. }));
    assert!(matches!(messages[1], AgentMessage::Started { planned: 5, .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_run_keeps_what_it_measured() {
    let config = TruthConfig { fault: Some(Fault::NeverRespond), fault_every: 2, ..quick() };
    let server = TruthServer::start(config).await.unwrap();
    let stop_at_five = |message: &AgentMessage, stop: &StopHandle| {
        if matches!(message, AgentMessage::Tick { counters, .. } if counters.completed == 5) {
            stop.stop();
        }
    };
    let (outcome, messages) = measure(job(&server, workload(Endpoint::Completions, 10, 4), BURST), stop_at_five).await;
    let summary = &outcome.report.summary;
    assert_eq!((summary.completed, summary.failed, summary.never_sent), (5, 5, 0));
    assert_eq!(summary.output_tokens, Some(20));
    assert_eq!(summary.failures[0].class, "cancelled");
    assert!(summary.validity.reasons().iter().any(|reason| reason.code == "stopped_early"));
    // What was shown is what is stored.
    let shown: Vec<_> = messages
        .iter()
        .filter_map(|message| match message {
            AgentMessage::Tick { point, .. } => Some(point),
            _ => None,
        })
        .collect();
    assert!(!shown.is_empty());
    assert!(shown.iter().zip(&outcome.report.series).all(|(shown, stored)| *shown == stored));
    assert_eq!(outcome.report.series.iter().map(|point| u64::from(point.completed)).sum::<u64>(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_never_sent_is_counted() {
    let server = TruthServer::start(quick()).await.unwrap();
    let load = LoadPoint::Rate { rate_rps: 2.0, max_concurrency: None };
    let stop_at_first = |message: &AgentMessage, stop: &StopHandle| {
        if matches!(message, AgentMessage::Tick { counters, .. } if counters.completed > 0) {
            stop.stop();
        }
    };
    let (outcome, _) = measure(job(&server, workload(Endpoint::Completions, 500, 2), load), stop_at_first).await;
    let summary = &outcome.report.summary;
    assert!(summary.completed > 0 && summary.never_sent > 0);
    assert_eq!(summary.planned, 500);
    assert_eq!(summary.completed + summary.failed, 500);
    assert_eq!(summary.sent + summary.never_sent, 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_loop_of_set_duration_plans_what_it_came_to() {
    let server = TruthServer::start(quick()).await.unwrap();
    let job = LoadJob {
        duration_limit_s: Some(0.3),
        ..job(&server, workload(Endpoint::Completions, 5_000, 4), LoadPoint::Concurrency { concurrency: 2 })
    };
    let summary = outcome(job).await.report.summary;
    assert!(summary.planned < 5_000 && summary.planned == summary.completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sample_file_holds_every_request() {
    let server = TruthServer::start(quick()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.bin");
    let job =
        LoadJob { samples_path: Some(path.clone()), ..job(&server, workload(Endpoint::Completions, 5, 7), BURST) };
    let outcome = outcome(job).await;
    assert_eq!(read_samples(&path).unwrap(), outcome.samples);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_can_be_had_in_the_form_of_another_tool() {
    let server = TruthServer::start(TruthConfig { fault: Some(Fault::Status(503)), fault_every: 3, ..quick() }).await;
    let server = server.unwrap();
    let job = job(&server, workload(Endpoint::Completions, 6, 7), LoadPoint::Concurrency { concurrency: 2 });
    let outcome = outcome(job.clone()).await;
    let result = vllm_result(&job, &outcome);
    assert_eq!((&result["completed"], &result["failed"], &result["num_prompts"]), (&4.into(), &2.into(), &6.into()));
    assert_eq!((&result["max_concurrency"], &result["request_rate"]), (&2.into(), &"inf".into()));
    // The keys that vLLM 0.32 writes, less what is not measured here or is the caller's to say.
    const KEYS: &str = "backend burstiness completed duration endpoint_type errors failed input_lens itls label latencies \
        max_concurrency max_concurrent_requests max_output_tokens_per_s mean_e2el_ms mean_itl_ms mean_tpot_ms mean_ttft_ms \
        median_e2el_ms median_itl_ms median_tpot_ms median_ttft_ms model_id num_prompts output_lens output_throughput \
        p50_e2el_ms p50_itl_ms p50_tpot_ms p50_ttft_ms p90_e2el_ms p90_itl_ms p90_tpot_ms p90_ttft_ms p99_e2el_ms \
        p99_itl_ms p99_tpot_ms p99_ttft_ms request_goodput request_rate request_throughput start_times std_e2el_ms \
        std_itl_ms std_tpot_ms std_ttft_ms tokenizer_id total_input_tokens total_output_tokens total_token_throughput ttfts";
    let mut keys: Vec<_> = result.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, KEYS.split_whitespace().collect::<Vec<_>>());
    let ttft_ms = outcome.report.summary.ttft_ms.unwrap();
    assert_eq!(result["median_ttft_ms"].as_f64(), Some(ttft_ms.p50));
    assert!(result["std_ttft_ms"].as_f64().unwrap() <= ttft_ms.max - ttft_ms.min);
    let errors: Vec<_> = result["errors"].as_array().unwrap().iter().filter(|error| *error != "").collect();
    assert_eq!(errors, ["http_status", "http_status"]);
    assert!(result["itls"][0].as_array().unwrap().len() == 6 || result["errors"][0] != "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn margins_are_sent_and_not_counted() {
    let server = TruthServer::start(quick()).await.unwrap();
    let job = LoadJob {
        skip_first: Some(Margin::Requests(3)),
        skip_last: Some(Margin::Requests(2)),
        headers: [("x-tenant".to_owned(), "a".to_owned())].into(),
        ..job(&server, workload(Endpoint::Completions, 12, 3), LoadPoint::Concurrency { concurrency: 2 })
    };
    let outcome = outcome(job).await;
    assert_eq!(server.wait_for_records(12, BOUND).await.len(), 12);
    assert_eq!((outcome.samples.len(), outcome.report.summary.completed, outcome.report.summary.planned), (12, 7, 7));
    assert!(outcome.report.notes.iter().any(|note| note.code == "margins"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_sets_the_starts() {
    let server = TruthServer::start(quick()).await.unwrap();
    let load = LoadPoint::Rate { rate_rps: 10.0, max_concurrency: None };
    let arrivals = Arrivals::Trace { starts_s: vec![4.0, 4.05, 4.05, 4.2] };
    let outcome = outcome(LoadJob { arrivals, ..job(&server, workload(Endpoint::Completions, 4, 2), load) }).await;
    let starts: Vec<u64> = outcome.samples.iter().map(|sample| sample.scheduled_at_ns / 1_000_000).collect();
    assert_eq!(starts, [0, 50, 50, 200]);
    assert!(outcome.samples.iter().all(|sample| sample.sent_at_ns >= Some(sample.scheduled_at_ns)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_hit_on_new_prompts_is_noticed_in_a_live_run() {
    let config = TruthConfig { prompt_tokens: Some(24), cached_tokens: 20, ..quick() };
    let server = TruthServer::start(config).await.unwrap();
    let summary = outcome(job(&server, workload(Endpoint::Completions, 5, 7), BURST)).await.report.summary;
    assert_eq!(summary.cached_input_tokens, Some(100));
    assert!(summary.validity.reasons().iter().any(|reason| reason.code == "cached_prefix"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_prompts_are_calibrated_by_what_the_server_counts() {
    let server = TruthServer::start(quick()).await.unwrap();
    let job = job(&server, workload(Endpoint::ChatCompletions, 2, 5), BURST);
    let probe = job.clone();
    let fitted = tokio::task::spawn_blocking(move || calibrate_text(&probe, &StopHandle::new())).await.unwrap();
    let fitted = fitted.unwrap().expect("the server counts prompt tokens");
    let records = server.wait_for_records(6, BOUND).await;
    assert!(records.iter().all(|record| record.requested_tokens == 1));
    // The server's own counts lie on the line, on average over the three prompts of one length.
    let mean = |records: &[TruthRecord]| records.iter().map(|r| f64::from(r.prompt_tokens)).sum::<f64>() / 3.0;
    for (words, counted) in [(32.0, mean(&records[..3])), (160.0, mean(&records[3..]))] {
        assert!((fitted.base_tokens + fitted.tokens_per_word * words - counted).abs() < 1e-6);
    }

    // A server that counts every prompt alike gives no line.
    let config = TruthConfig { prompt_tokens: Some(24), ..quick() };
    let constant = TruthServer::start(config).await.unwrap();
    let probe = LoadJob { base_url: constant.base_url(), ..job };
    let fitted = tokio::task::spawn_blocking(move || calibrate_text(&probe, &StopHandle::new())).await.unwrap();
    assert_eq!(fitted.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_ends_when_its_sla_is_out_of_reach_and_says_so() {
    let server = TruthServer::start(quick()).await.unwrap();
    let sla = Sla { max_p50_ttft_ms: Some(1e-6), ..Sla::default() };
    let one_by_one = LoadPoint::Concurrency { concurrency: 1 };
    let probe =
        LoadJob { sla, end_when_lost: true, ..job(&server, workload(Endpoint::Completions, 20, 2), one_by_one) };
    let lost = outcome(probe.clone()).await.report.summary;
    assert_eq!((lost.completed, lost.never_sent), (11, 9));
    let reasons = lost.validity.reasons();
    assert!(!lost.validity.may_win() && reasons.iter().any(|reason| reason.code == "ended_early"), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.text.contains("11 of 20")), "{reasons:?}");

    let whole = outcome(LoadJob { end_when_lost: false, ..probe }).await.report.summary;
    assert_eq!(whole.completed, 20);
}

#[test]
fn jobs_that_make_no_sense_are_refused_with_the_reason() {
    let good = LoadJob::new("http://127.0.0.1:1", workload(Endpoint::Completions, 1, 1), BURST);
    let bad = [
        (LoadJob { version: 99, ..good.clone() }, "version"),
        (LoadJob { base_url: "127.0.0.1:1".to_owned(), ..good.clone() }, "http://"),
        (LoadJob { request_timeout_s: 0.0, ..good.clone() }, "request_timeout_s"),
        (LoadJob { skip_first: Some(Margin::Seconds(-1.0)), ..good.clone() }, "skip_first"),
        (LoadJob { headers: [("a b".to_owned(), String::new())].into(), ..good.clone() }, "a b"),
        (LoadJob { headers: [("Content-Length".to_owned(), "1".to_owned())].into(), ..good.clone() }, "Content-Length"),
        (LoadJob { idle_timeout_s: Some(f64::NAN), ..good.clone() }, "idle_timeout_s"),
        (
            LoadJob { api_key_env: Some("PODIUM_TEST_NO_SUCH_KEY".to_owned()), ..good.clone() },
            "PODIUM_TEST_NO_SUCH_KEY",
        ),
        (LoadJob { load: LoadPoint::Concurrency { concurrency: 0 }, ..good }, "concurrency"),
    ];
    for (job, part) in bad {
        let error = run(&job, &StopHandle::new(), |_| ()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
