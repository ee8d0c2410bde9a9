use std::collections::BTreeMap;
use std::time::Duration;

use podium_domain::sla::Sla;
use podium_workload::Arrivals;

use super::*;
use crate::summary::{Measured, summarise};

const MS: u64 = 1_000_000;
const N: u32 = 40;

/// A measurement at 10 req/s of 40 answers with 20 tokens, 5 ms apart, that a test then damages.
struct Case {
    samples: Vec<RequestSample>,
    requests: Vec<PreparedRequest>,
    load: LoadPoint,
    cpu: Duration,
    loop_delays_ms: (f64, f64),
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
            loop_delays_ms: (0.2, 3.0),
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
            loop_delays_ms: (Some(self.loop_delays_ms.0), Some(self.loop_delays_ms.1)),
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
    let mut case = Case { loop_delays_ms: (6.0, 30.0), ..Case::default() };
    case.samples = (0..N).map(|i| answer(i, u64::from(i) * 100, 3, 1)).collect();
    case.is("valid", &[], false);
}

#[test]
fn a_busy_client_is_to_blame() {
    Case { cpu: Duration::from_millis(3_900), ..Case::default() }.is("invalid", &["client_limited"], true);
}

#[test]
fn a_late_event_loop_is_doubted_and_then_to_blame() {
    Case { loop_delays_ms: (12.0, 15.0), ..Case::default() }.is("doubtful", &["event_loop_delay"], false);
    Case { loop_delays_ms: (25.0, 30.0), ..Case::default() }.is("invalid", &["client_limited"], true);
}

/// What a starved client sees: it did not run while the server wrote, and then read everything at once.
fn starved() -> Case {
    let mut case = Case { load: LoadPoint::Burst { max_concurrency: None }, ..Case::default() };
    case.samples = (0..N).map(|i| answer(i, 0, 310, 0)).collect();
    case
}

#[test]
fn a_starved_client_is_recognised() {
    Case { loop_delays_ms: (5.0, 300.0), ..starved() }.is("invalid", &["client_limited"], true);
}

#[test]
fn a_starved_client_that_reads_event_by_event_is_recognised() {
    // As in a result of another tool: 3 µs between tokens, each read on its own, and TTFT equal to E2E.
    let mut case = Case { loop_delays_ms: (5.0, 300.0), ..starved() };
    for sample in &mut case.samples {
        sample.gaps = Default::default();
        (1..20).for_each(|_| sample.gaps.push(3_000));
        sample.last_token_at_ns = sample.first_token_at_ns.map(|first| first + 19 * 3_000);
    }
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
    case((8.0, 40.0)).is("invalid", &["client_limited"], true);
    case((1.0, 3.0)).is("valid", &[], false);
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
