use podium_workload::Arrivals;

use super::*;

const MS: u64 = 1_000_000;

/// An answer of `events` content events, `gap_ms` apart, the first `ttft_ms` after the sending.
fn answer(sent_ms: u64, ttft_ms: u64, gap_ms: u64, events: u64, tokens: Option<u32>) -> RequestSample {
    let mut sample = RequestSample {
        scheduled_at_ns: sent_ms * MS,
        sent_at_ns: Some(sent_ms * MS),
        input_tokens: Some(10),
        output_tokens: tokens,
        ..RequestSample::default()
    };
    for event in 0..events {
        sample.on_content((sent_ms + ttft_ms + event * gap_ms) * MS, true);
    }
    sample.done_at_ns = sample.last_token_at_ns.map(|last| last + 50 * MS);
    sample
}

fn summary(samples: &[RequestSample], load: LoadPoint, sla: &Sla) -> Summary {
    let schedule = Schedule::new(&load, &Arrivals::Constant, samples.len() as u32, 1, "test").unwrap();
    let asked = Asked { requests: &[], fresh_prompts: true, repeated_prompts: 0, resent: 0 };
    let measured = Measured {
        samples,
        asked: &asked,
        schedule: &schedule,
        load: &load,
        sla,
        failure_examples: &BTreeMap::new(),
        cpu: Duration::ZERO,
        ended_ns: 1_000 * MS,
        loop_delays_ms: DelaySummary::default(),
        engine: None,
        stopped_early: false,
    };
    summarise(&measured).0
}

const BURST: LoadPoint = LoadPoint::Burst { max_concurrency: None };

#[test]
fn the_figures_follow_their_definitions() {
    let late = RequestSample { scheduled_at_ns: 90 * MS, ..answer(100, 30, 10, 4, Some(4)) };
    let failed = RequestSample { failure: Some(FailureClass::Idle), ..answer(0, 500, 10, 2, None) };
    let samples = [answer(0, 20, 10, 4, Some(4)), late, failed];
    let sla = Sla { max_p50_ttft_ms: Some(35.0), max_p50_tpot_ms: Some(10.0), ..Sla::default() };
    let summary = summary(&samples, BURST, &sla);
    assert_eq!((summary.planned, summary.sent, summary.completed, summary.failed), (3, 3, 2, 1));
    // The failed request got its last token at 510 ms.
    assert_eq!(summary.duration_s, 0.51);
    assert_eq!(summary.output_tokens, Some(8));
    assert_eq!(summary.output_token_throughput, Some(8.0 / 0.51));
    assert_eq!(summary.total_token_throughput, Some(28.0 / 0.51));
    let ttft = summary.ttft_ms.unwrap();
    assert_eq!((ttft.n, ttft.min, ttft.max), (2, 20.0, 30.0));
    assert_eq!(summary.user_ttft_ms.unwrap().max, 40.0);
    assert_eq!(summary.schedule_lag_ms.unwrap().max, 10.0);
    assert_eq!(summary.tpot_ms.unwrap().mean, 10.0);
    // The usage event and [DONE], 50 ms after the last token, do not count.
    assert_eq!(summary.e2e_ms.unwrap().max, 60.0);
    // The late one misses the limit by the time that the user waited.
    assert_eq!(summary.goodput_rps, Some(1.0 / 0.51));
    assert_eq!(summary.failures.len(), 1);
    assert_eq!((summary.failures[0].class.as_str(), summary.failures[0].count), ("idle", 1));
}

#[test]
fn tokens_of_one_event_share_its_gap() {
    let exact = summary(&[answer(0, 20, 10, 5, Some(5))], BURST, &Sla::default());
    assert_eq!(exact.itl_ms.unwrap().p50, 10.0);
    // Nine tokens in five events: the first token, then eight over four gaps.
    let pairs = summary(&[answer(0, 20, 10, 5, Some(9))], BURST, &Sla::default());
    assert_eq!(pairs.itl_ms.unwrap().p50, 5.0);
    assert_eq!(pairs.chunk_gap_ms.unwrap().p50, 10.0);
    assert_eq!(pairs.tpot_ms.unwrap().p50, 5.0);
}

#[test]
fn what_was_not_measured_is_absent() {
    let one_token = summary(&[answer(0, 20, 10, 1, Some(1))], BURST, &Sla::default());
    assert_eq!((one_token.tpot_ms, one_token.itl_ms, one_token.goodput_rps), (None, None, None));
    let uncounted = summary(&[answer(0, 20, 10, 3, None)], BURST, &Sla::default());
    assert_eq!((uncounted.output_tokens, uncounted.output_token_throughput, uncounted.tpot_ms), (None, None, None));
    assert!(uncounted.chunk_gap_ms.is_some());
    let nothing = summary(&[], BURST, &Sla::default());
    assert_eq!((nothing.request_throughput, nothing.success_rate, nothing.duration_s), (None, None, 0.0));
}

#[test]
fn an_undefined_time_per_token_neither_passes_nor_fails() {
    let sla = Sla { max_p50_tpot_ms: Some(1.0), ..Sla::default() };
    let summary = summary(&[answer(0, 20, 10, 1, Some(1))], BURST, &sla);
    assert_eq!(summary.goodput_rps, Some(1.0 / 0.02));
}

#[test]
fn the_steady_window_of_a_closed_loop_leaves_out_its_first_and_last_round() {
    // Two slots in step, each answer 100 ms long, ten rounds.
    let samples: Vec<_> = (0..20).map(|i| answer(i / 2 * 100, 10, 10, 10, Some(10))).collect();
    let summary = summary(&samples, LoadPoint::Concurrency { concurrency: 2 }, &Sla::default());
    // From the end of the first round to the start of the last one: eight rounds in 800 ms.
    assert_eq!(summary.steady_window_s, Some((0.1, 0.9)));
    assert_eq!(summary.steady_request_throughput, Some(20.0));
    assert!((summary.steady_output_token_throughput.unwrap() - 200.0).abs() < 1e-9);
}

#[test]
fn a_burst_and_a_short_run_have_no_steady_window() {
    let samples: Vec<_> = (0..20).map(|_| answer(0, 10, 10, 10, Some(10))).collect();
    assert_eq!(summary(&samples, BURST, &Sla::default()).steady_window_s, None);
    let load = LoadPoint::Concurrency { concurrency: 20 };
    assert_eq!(summary(&samples, load, &Sla::default()).steady_window_s, None);
}
