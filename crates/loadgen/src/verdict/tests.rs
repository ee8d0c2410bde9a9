use std::collections::BTreeMap;
use std::time::Duration;

use podium_domain::sla::Sla;
use podium_domain::telemetry::{MeanOf, TelemetrySummary};
use podium_workload::{Arrivals, SessionStep};

use super::*;
use crate::health::DelaySummary;
use crate::summary::{Measured, summarise};

const MS: u64 = 1_000_000;
const N: u32 = 40;

/// A measurement at 10 req/s of 40 answers with 20 tokens, 5 ms apart, that a test then damages.
struct Case {
    samples: Vec<RequestSample>,
    requests: Vec<PreparedRequest>,
    load: LoadPoint,
    cpu: Duration,
    /// Median, 99th percentile, largest.
    loop_delays_ms: (f64, f64, f64),
    telemetry: Option<TelemetrySummary>,
    fresh_prompts: bool,
    stopped_early: bool,
}

impl Default for Case {
    fn default() -> Self {
        Case {
            samples: (0..N).map(|i| answer(i, u64::from(i) * 100, 20, 5)).collect(),
            requests: vec![
                PreparedRequest {
                    body: Default::default(),
                    input_len: Some(100),
                    exact_input: true,
                    output_len: 20,
                    exact_output: true,
                    session: None,
                };
                N as usize
            ],
            load: LoadPoint::Rate { rate_rps: 10.0, max_concurrency: None },
            cpu: Duration::from_millis(40),
            loop_delays_ms: (0.1, 0.2, 3.0),
            telemetry: None,
            fresh_prompts: true,
            stopped_early: false,
        }
    }
}

fn answer(index: u32, sent_ms: u64, ttft_ms: u64, gap_ms: u64) -> RequestSample {
    let mut sample = RequestSample {
        index,
        scheduled_at_ns: sent_ms * MS,
        sent_at_ns: Some(sent_ms * MS + MS / 10),
        input_tokens: Some(101),
        output_tokens: Some(20),
        cached_tokens: Some(0),
        ..RequestSample::default()
    };
    for event in 0..20 {
        sample.on_content((sent_ms + ttft_ms + event * gap_ms) * MS, true);
    }
    sample.done_at_ns = sample.last_token_at_ns;
    sample
}

impl Case {
    /// Moves every answer of the case to what `change` makes of it.
    fn with_each(mut self, change: impl FnMut(&mut RequestSample)) -> Self {
        self.samples.iter_mut().for_each(change);
        self
    }

    /// Codes of what makes the case invalid or doubtful with the verdict's word, and whether the client is to blame.
    fn verdict(&self) -> (&'static str, Vec<String>, bool) {
        let schedule = Schedule::new(&self.load, &Arrivals::Constant, N, 1, "test").unwrap();
        let asked =
            Asked { requests: &self.requests, fresh_prompts: self.fresh_prompts, repeated_prompts: 0, resent: 0 };
        let (summary, _) = summarise(&Measured {
            samples: &self.samples,
            asked: &asked,
            schedule: &schedule,
            load: &self.load,
            sla: &Sla::default(),
            failure_examples: &BTreeMap::new(),
            cpu: self.cpu,
            ended_ns: 4_000 * MS,
            loop_delays_ms: DelaySummary {
                p50_ms: Some(self.loop_delays_ms.0),
                p99_ms: Some(self.loop_delays_ms.1),
                max_ms: Some(self.loop_delays_ms.2),
            },
            engine: self.telemetry.as_ref().map(|telemetry| EngineView { telemetry, samples: &self.samples }),
            stopped_early: self.stopped_early,
        });
        let codes = summary.validity.reasons().iter().map(|reason| reason.code.clone()).collect();
        (summary.validity.word(), codes, summary.client_limited)
    }

    #[track_caller]
    fn is(&self, word: &str, codes: &[&str], client_limited: bool) {
        let (found, found_codes, found_limited) = self.verdict();
        assert_eq!((found, found_limited), (word, client_limited), "{found_codes:?}");
        assert_eq!(found_codes, codes);
    }
}

#[test]
fn a_clean_measurement_is_valid() {
    Case::default().is("valid", &[], false);
}

#[test]
fn small_latencies_with_small_delays_are_valid() {
    // A tiny model beside the client on two cores: 3 ms to the first token, and a client that is sometimes 6 ms late.
    let mut case = Case { loop_delays_ms: (0.1, 6.0, 30.0), ..Case::default() };
    case.samples = (0..N).map(|i| answer(i, u64::from(i) * 100, 3, 1)).collect();
    case.is("valid", &[], false);
}

#[test]
fn a_busy_client_is_to_blame() {
    Case { cpu: Duration::from_millis(3_900), ..Case::default() }.is("invalid", &["client_limited"], true);
}

#[test]
fn a_late_event_loop_is_doubted_and_then_to_blame() {
    Case { loop_delays_ms: (0.1, 12.0, 15.0), ..Case::default() }.is("doubtful", &["event_loop_delay"], false);
    Case { loop_delays_ms: (0.1, 25.0, 30.0), ..Case::default() }.is("invalid", &["client_limited"], true);
}

#[test]
fn a_busy_client_that_loses_the_rate_is_to_blame_alone() {
    let late = |sample: &mut RequestSample| {
        let late_ms = u64::from(sample.index) * 20;
        let moved = answer(sample.index, u64::from(sample.index) * 100 + late_ms, 20, 5);
        *sample = RequestSample { scheduled_at_ns: sample.scheduled_at_ns, ..moved };
    };
    let case = Case { cpu: Duration::from_millis(4_900), ..Case::default() }.with_each(late);
    let (word, codes, client_limited) = case.verdict();
    assert_eq!((word, client_limited), ("invalid", true));
    assert!(codes.iter().all(|code| code == "client_limited"), "{codes:?}");
}

/// What a starved client sees: it did not run while the server wrote, and then read everything at once.
fn starved() -> Case {
    let mut case = Case { load: LoadPoint::Burst { max_concurrency: None }, ..Case::default() };
    case.samples = (0..N).map(|i| answer(i, 0, 310, 0)).collect();
    case
}

#[test]
fn a_starved_client_is_recognised() {
    Case { loop_delays_ms: (0.1, 5.0, 300.0), ..starved() }.is("invalid", &["client_limited"], true);
}

#[test]
fn a_starved_client_that_reads_event_by_event_is_recognised() {
    // As in a result of another tool: 3 µs between tokens, each read on its own, and TTFT equal to E2E.
    let mut case = Case { loop_delays_ms: (0.1, 5.0, 300.0), ..starved() };
    for sample in &mut case.samples {
        sample.gaps = Default::default();
        (1..20).for_each(|_| sample.gaps.push(3_000));
        sample.last_token_at_ns = sample.first_token_at_ns.map(|first| first + 19 * 3_000);
    }
    case.is("invalid", &["client_limited"], true);
}

/// The requests of a starved run of another tool, where this machine has its file: of its own accord that tool said that
/// all went well.
#[test]
fn a_starved_run_of_another_tool_is_recognised() {
    let shared = std::env::var_os("PODIUM_SHARED_DIR").unwrap_or_else(|| "../../../shared".into());
    let path = std::path::Path::new(&shared).join("engines/samples/vllm/bench-serve-starved-client.json");
    let Ok(text) = std::fs::read(path) else { return };
    let run: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let list = |key: &str| run[key].as_array().unwrap().clone();
    let ns = |seconds: &serde_json::Value| (seconds.as_f64().unwrap() * 1e9) as u64;
    let starts = list("start_times");
    let requests = starts.iter().zip(list("ttfts")).zip(list("itls")).zip(0..);
    let samples = requests.map(|(((start, ttft), gaps), index)| {
        let sent_ns = ns(start) - ns(&starts[0]);
        let mut sample = RequestSample { gaps: Default::default(), ..answer(index, 0, 0, 0) };
        (sample.scheduled_at_ns, sample.sent_at_ns) = (sent_ns, Some(sent_ns));
        sample.first_token_at_ns = Some(sent_ns + ns(&ttft));
        gaps.as_array().unwrap().iter().for_each(|gap| sample.gaps.push(ns(gap)));
        sample.last_token_at_ns = Some(sent_ns + ns(&ttft) + sample.gaps.iter().sum::<u64>());
        sample.done_at_ns = sample.last_token_at_ns;
        sample
    });
    let case = Case { samples: samples.collect(), loop_delays_ms: (0.1, 5.0, 300.0), ..starved() };
    assert_eq!(case.samples.len(), 20);
    case.is("invalid", &["client_limited"], true);
}

#[test]
fn tokens_read_in_batches_are_the_fault_of_a_late_client_alone() {
    // Four tokens each 20 ms in one read.
    let in_batches = |sample: &mut RequestSample| {
        sample.gaps = Default::default();
        (1..=20).for_each(|event| sample.gaps.push(if event % 4 == 0 { 20 * MS } else { 0 }));
        sample.output_tokens = Some(21);
        sample.last_token_at_ns = sample.first_token_at_ns.map(|first| first + 100 * MS);
    };
    let case = |loop_delays_ms| {
        let mut case = Case { loop_delays_ms, ..Case::default() }.with_each(in_batches);
        case.requests.iter_mut().for_each(|request| request.output_len = 21);
        case
    };
    case((0.1, 8.0, 40.0)).is("invalid", &["client_limited"], true);
    case((0.1, 1.0, 3.0)).is("valid", &[], false);
}

#[test]
fn answers_at_once_to_an_awake_client_are_the_servers_doing() {
    starved().is("doubtful", &["answers_at_once"], false);
}

#[test]
fn a_lost_rate_is_invalid_unless_the_cap_explains_it() {
    let slow = |sample: &mut RequestSample| {
        let index = u64::from(sample.index);
        let late = index * 20 * MS;
        *sample = answer(sample.index, index * 100, 400, 5);
        sample.sent_at_ns = sample.sent_at_ns.map(|sent| sent + late);
        sample.connect_ns = late;
    };
    Case::default().with_each(slow).is("invalid", &["rate_not_reached"], false);
    let capped = LoadPoint::Rate { rate_rps: 10.0, max_concurrency: Some(4) };
    let case = Case { load: capped, ..Case::default() }.with_each(slow).with_each(|sample| {
        (sample.slot_wait_ns, sample.connect_ns) = (sample.connect_ns, 0);
    });
    case.is("doubtful", &["rate_capped"], false);
}

#[test]
fn late_sending_is_doubted_and_then_to_blame() {
    let late_by = |ms: u64, every: u32| {
        Case::default().with_each(move |sample| {
            if sample.index.is_multiple_of(every) {
                *sample = RequestSample {
                    scheduled_at_ns: sample.scheduled_at_ns,
                    ..answer(sample.index, u64::from(sample.index) * 100 + ms, 20, 5)
                };
            }
        })
    };
    late_by(15, 10).is("doubtful", &["schedule_lag"], false);
    late_by(15, 1).is("invalid", &["client_limited"], true);
}

#[test]
fn wrong_lengths_are_told() {
    let tokens = |tokens| Case::default().with_each(move |sample| sample.output_tokens = Some(tokens));
    tokens(21).is("doubtful", &["output_lengths"], false);
    tokens(30).is("invalid", &["output_lengths"], false);
    tokens(19).is("doubtful", &["token_counts_disagree", "output_lengths"], false);
    Case::default().with_each(|s| s.output_tokens = None).is("doubtful", &["usage_missing"], false);
    Case::default().with_each(|s| s.input_tokens = Some(150)).is("doubtful", &["input_lengths"], false);
}

#[test]
fn a_cache_that_knows_new_prompts_is_told() {
    let cached = |tokens| Case::default().with_each(move |sample| sample.cached_tokens = Some(tokens));
    cached(5).is("valid", &[], false);
    cached(20).is("doubtful", &["cached_prefix"], false);
    cached(90).is("invalid", &["cached_prefix"], false);
    Case { fresh_prompts: false, ..cached(90) }.is("valid", &[], false);
}

#[test]
fn nothing_and_half_of_it_are_invalid() {
    let failed = |sample: &mut RequestSample| sample.failure = Some(crate::sample::FailureClass::Idle);
    Case::default().with_each(failed).is("invalid", &["nothing_completed"], false);
    Case { stopped_early: true, ..Case::default() }.is("invalid", &["stopped_early"], false);
}

#[test]
fn a_closed_loop_that_idles_is_doubted() {
    // One request of 115 ms every 400 ms.
    let mut case = Case { load: LoadPoint::Concurrency { concurrency: 1 }, ..Case::default() };
    case.samples = (0..N).map(|i| answer(i, u64::from(i) * 400, 20, 5)).collect();
    case.is("doubtful", &["concurrency_not_reached"], false);
    case.samples = (0..N).map(|i| answer(i, u64::from(i) * 116, 20, 5)).collect();
    case.is("valid", &[], false);
}

#[test]
fn users_who_think_leave_no_slot_idle() {
    // Two conversations of 20 turns on two slots: 115 ms of answers, then 285 ms of thought.
    let turn = |index: u32| SessionStep { session: index / 20, turn: index % 20, think_time_ns: 285 * MS };
    let mut case = Case { load: LoadPoint::Concurrency { concurrency: 2 }, ..Case::default() };
    case.samples = (0..N).map(|i| answer(i, u64::from(i % 20) * 400, 20, 5)).collect();
    case.is("doubtful", &["concurrency_not_reached"], false);
    for (request, index) in case.requests.iter_mut().zip(0..) {
        request.session = Some(turn(index));
    }
    case.is("valid", &[], false);
    // Slower than planned by as much again: those slots could have been used.
    case.samples = (0..N).map(|i| answer(i, u64::from(i % 20) * 800, 20, 5)).collect();
    case.is("doubtful", &["concurrency_not_reached"], false);
}

#[test]
fn a_client_that_reads_late_half_of_the_time_is_to_blame() {
    // Thousands of streams on a busy machine: tokens wait to be read, though no single wait is long.
    Case { loop_delays_ms: (5.0, 9.0, 9.5), ..Case::default() }.is("invalid", &["client_limited"], true);
    // The same lateness does not matter where the first token takes 400 ms.
    let mut case = Case { loop_delays_ms: (5.0, 9.0, 9.5), ..Case::default() };
    case.samples = (0..N).map(|i| answer(i, u64::from(i) * 100, 400, 5)).collect();
    case.is("valid", &[], false);
}

/// An engine that says that it took this long to the first token of each request.
fn engine_says(mean_ms: f64) -> Option<TelemetrySummary> {
    Some(TelemetrySummary { engine_ttft: Some(MeanOf { mean_ms, n: N.into() }), ..TelemetrySummary::default() })
}

#[test]
fn the_engines_own_clock_is_compared_over_the_same_requests() {
    let with = |telemetry| {
        let mut case = Case { telemetry, ..Case::default() };
        case.samples = (0..N).map(|i| answer(i, u64::from(i) * 100, 60, 5)).collect();
        case
    };
    with(engine_says(58.0)).is("valid", &[], false);
    with(engine_says(48.0)).is("valid", &[], false);
    with(engine_says(20.0)).is("doubtful", &["engine_ttft"], false);
    with(engine_says(90.0)).is("doubtful", &["engine_ttft"], false);
    // The engine answered others as well: its mean is of other requests.
    let mut others = engine_says(20.0);
    if let Some(ttft) = others.as_mut().and_then(|telemetry| telemetry.engine_ttft.as_mut()) {
        ttft.n *= 2;
    }
    with(others).is("valid", &[], false);
    // A client that is to blame explains the difference.
    Case { cpu: Duration::from_millis(3_900), ..with(engine_says(20.0)) }.is("invalid", &["client_limited"], true);
}

#[test]
fn a_slow_accept_is_told_by_the_connections_or_by_the_engine() {
    let connecting = |connect_ms: u64, ttft_ms: u64| {
        let mut case = Case::default();
        for sample in case.samples.iter_mut().step_by(2) {
            let sent_ms = u64::from(sample.index) * 100;
            *sample = RequestSample { connect_ns: connect_ms * MS, ..answer(sample.index, sent_ms, ttft_ms, 5) };
        }
        case
    };
    // The kernel takes the connection late.
    connecting(40, 20).is("doubtful", &["slow_accept"], false);
    // It takes it at once, and the server looks at it 80 ms later.
    connecting(1, 100).is("valid", &[], false);
    Case { telemetry: engine_says(19.0), ..connecting(1, 100) }.is("doubtful", &["slow_accept"], false);
}

#[test]
fn preemptions_and_cache_hits_are_taken_from_the_engine() {
    let telemetry = |change: fn(&mut TelemetrySummary)| {
        let mut telemetry = TelemetrySummary::default();
        change(&mut telemetry);
        Some(telemetry)
    };
    Case { telemetry: telemetry(|t| t.preemptions = Some(1)), ..Case::default() }.is("valid", &[], false);
    let many = telemetry(|t| t.preemptions = Some(9));
    Case { telemetry: many, ..Case::default() }.is("doubtful", &["preemptions"], false);
    let hits = telemetry(|t| (t.prompt_tokens, t.cached_tokens) = (Some(100.0), Some(80.0)));
    let silent = Case { telemetry: hits, ..Case::default() }.with_each(|sample| sample.cached_tokens = None);
    silent.is("invalid", &["cached_prefix"], false);
}
