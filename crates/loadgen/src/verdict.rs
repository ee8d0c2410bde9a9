//! Whether a measurement can be trusted.
//!
//! Thresholds are relative to what was measured wherever that makes sense: a client that is 5 ms late matters when the
//! first token takes 10 ms and not when it takes a second.

use podium_domain::load::LoadPoint;
use podium_domain::measure::Summary;
use podium_domain::stats::percentile;
use podium_domain::validity::{Reason, Validity};
use podium_workload::{PreparedRequest, Schedule};

use crate::sample::RequestSample;

mod client;
mod concurrency;
mod engine;

pub(crate) use engine::EngineView;

/// Share of events read together from which on gaps between tokens mean little.
const COALESCED_SHARE: f64 = 0.5;
/// Sendings from which on an achieved rate can be told.
const MIN_SENDS_FOR_RATE: usize = 10;
/// An achieved rate below this share of the asked one misses it.
const RATE_REACHED_SHARE: f64 = 0.95;
/// Share by which mean lengths may differ from what was asked before they are doubted, and before they decide.
const LENGTH_SHARE: (f64, f64) = (0.01, 0.10);
/// Samples from which on a p99 rests on more than ten values.
const MIN_SAMPLES_FOR_P99: u64 = 1000;

/// What was to be sent.
pub(crate) struct Asked<'a> {
    pub requests: &'a [PreparedRequest],
    /// No cache can hold the prompts.
    pub fresh_prompts: bool,
    /// Requests that repeat an earlier one.
    pub repeated_prompts: u32,
    /// Requests that went out again because the server had closed their kept connection.
    pub resent: u32,
}

/// What the verdict rests on.
pub(crate) struct Evidence<'a> {
    pub summary: &'a Summary,
    pub samples: &'a [RequestSample],
    pub asked: &'a Asked<'a>,
    pub schedule: &'a Schedule,
    pub load: &'a LoadPoint,
    pub stopped_early: bool,
    /// What the engine said, where it was asked.
    pub engine: Option<EngineView<'a>>,
}

/// The verdict.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub validity: Validity,
    /// The client, not the server, set the figures.
    pub client_limited: bool,
    /// Remarks that are no doubts.
    pub notes: Vec<Reason>,
}

/// The reasons found so far.
#[derive(Debug, Default)]
struct Findings {
    invalid: Vec<Reason>,
    doubtful: Vec<Reason>,
    notes: Vec<Reason>,
    client_limited: bool,
}

impl Findings {
    fn invalid(&mut self, code: &str, text: String) {
        self.invalid.push(Reason { code: code.to_owned(), text });
    }

    fn doubtful(&mut self, code: &str, text: String) {
        self.doubtful.push(Reason { code: code.to_owned(), text });
    }

    fn note(&mut self, code: &str, text: String) {
        self.notes.push(Reason { code: code.to_owned(), text });
    }

    fn client_limited(&mut self, text: String) {
        self.client_limited = true;
        self.invalid("client_limited", text);
    }
}

/// Weighs everything that speaks against a measurement.
pub(crate) fn judge(evidence: &Evidence<'_>) -> Verdict {
    let mut findings = Findings::default();
    if evidence.stopped_early {
        findings.invalid("stopped_early", "the measurement was stopped before its end".to_owned());
    }
    if evidence.summary.completed == 0 {
        findings.invalid("nothing_completed", "no request was answered to its end".to_owned());
    } else {
        client::judge(evidence, &mut findings);
        delivered_load(evidence, &mut findings);
        token_counts(evidence, &mut findings);
        lengths(evidence, &mut findings);
        engine::judge(evidence, &mut findings);
    }
    if findings.client_limited {
        // Weaker words for the same thing: a client that does not run neither sends nor reads in time.
        findings.invalid.retain(|reason| reason.code != "rate_not_reached");
        findings.doubtful.retain(|reason| {
            !["event_loop_delay", "schedule_lag", "engine_ttft", "slow_accept"].contains(&reason.code.as_str())
        });
    }
    if findings.invalid.iter().any(|reason| reason.code == "rate_not_reached") {
        // Where connections come so late that the rate is lost, that is the finding.
        findings.doubtful.retain(|reason| reason.code != "slow_accept");
    }
    notes(evidence, &mut findings);
    Verdict {
        validity: Validity::from_reasons(findings.invalid, findings.doubtful),
        client_limited: findings.client_limited,
        notes: findings.notes,
    }
}

/// Whether the asked load was delivered.
fn delivered_load(evidence: &Evidence<'_>, findings: &mut Findings) {
    match *evidence.load {
        LoadPoint::Rate { rate_rps, max_concurrency } => {
            achieved_rate(evidence, rate_rps, max_concurrency, findings);
            own_lag(evidence, findings);
        }
        LoadPoint::Burst { .. } => own_lag(evidence, findings),
        LoadPoint::Concurrency { concurrency } => concurrency::judge(evidence, concurrency, findings),
    }
}

fn achieved_rate(evidence: &Evidence<'_>, rate_rps: f64, cap: Option<u32>, findings: &mut Findings) {
    let sent: Vec<&RequestSample> = evidence.samples.iter().filter(|s| s.sent_at_ns.is_some()).collect();
    let span =
        |times: Vec<u64>| times.iter().max().zip(times.iter().min()).map_or(0.0, |(max, min)| (max - min) as f64);
    let intended_ns = span(sent.iter().map(|s| s.scheduled_at_ns).collect());
    let real_ns = span(sent.iter().filter_map(|s| s.sent_at_ns).collect());
    if sent.len() < MIN_SENDS_FOR_RATE || intended_ns <= 0.0 || intended_ns >= RATE_REACHED_SHARE * real_ns {
        return;
    }
    let achieved_rps = rate_rps * intended_ns / real_ns;
    let waited = sent.iter().filter(|s| 2 * s.slot_wait_ns > s.schedule_lag_ns().unwrap_or(0)).count();
    match cap {
        Some(cap) if 2 * waited > sent.len() => findings.doubtful(
            "rate_capped",
            format!("{achieved_rps:.2} of {rate_rps} req/s were sent: at most {cap} may be in flight"),
        ),
        _ => {
            findings.invalid("rate_not_reached", format!("only {achieved_rps:.2} of {rate_rps} req/s were sent"));
        }
    }
}

/// How late requests left that were neither waiting for a slot nor connecting.
fn own_lag(evidence: &Evidence<'_>, findings: &mut Findings) {
    let own_ms = |sample: &RequestSample| {
        let elsewhere_ns = sample.slot_wait_ns + sample.connect_ns + sample.tls_ns;
        Some(sample.schedule_lag_ns()?.saturating_sub(elsewhere_ns) as f64 / 1e6)
    };
    let mut lags: Vec<f64> = evidence.samples.iter().filter_map(own_ms).collect();
    lags.sort_by(f64::total_cmp);
    let at = |q| percentile(&lags, q);
    let (Some(p50_ms), Some(p99_ms), Some(latency_ms)) = (at(50.0), at(99.0), shortest_latency_ms(evidence.summary))
    else {
        return;
    };
    if p50_ms > 5.0 && p50_ms > 0.2 * latency_ms {
        let text = format!("half of the requests were sent more than {p50_ms:.1} ms late by the load process itself");
        findings.client_limited(text);
    } else if p99_ms > 10.0 && p99_ms > 0.2 * latency_ms {
        let text = format!("requests were sent up to {p99_ms:.1} ms late (99th percentile) by the load process itself");
        findings.doubtful("schedule_lag", text);
    }
}

/// Whether the server's token counts can be believed.
fn token_counts(evidence: &Evidence<'_>, findings: &mut Findings) {
    let complete = evidence.samples.iter().filter(|s| s.is_complete());
    let (mut uncounted, mut too_few, mut total) = (0, 0, 0);
    for sample in complete {
        total += 1;
        match sample.output_tokens {
            None => uncounted += 1,
            Some(tokens) if tokens < sample.content_events() => too_few += 1,
            Some(_) => {}
        }
    }
    if uncounted > 0 {
        let text = format!("{uncounted} of {total} answers had no token count (`usage`) from the server");
        findings.doubtful("usage_missing", text);
    }
    if too_few > 0 {
        let text = format!("{too_few} of {total} answers had more content events than tokens by the server's count");
        findings.doubtful("token_counts_disagree", text);
    }
}

/// Whether prompts and answers had the asked lengths.
fn lengths(evidence: &Evidence<'_>, findings: &mut Findings) {
    let mut outputs = Lengths::default();
    let mut inputs = Lengths::default();
    for sample in evidence.samples.iter().filter(|s| s.is_complete()) {
        let Some(request) = evidence.asked.requests.get(sample.index as usize) else { continue };
        if request.exact_output {
            outputs.add(request.output_len, sample.output_tokens);
        }
        if let Some(input_len) = request.input_len {
            inputs.add(input_len, sample.input_tokens);
        }
    }
    let text = |what: &str, lengths: &Lengths| {
        let (n, asked, real) = (lengths.n as f64, lengths.asked as f64, lengths.real as f64);
        format!("{what} had {:.1} tokens on average, {:.1} were asked for", real / n, asked / n)
    };
    if outputs.off_by() > LENGTH_SHARE.1 {
        findings.invalid("output_lengths", text("answers", &outputs));
    } else if outputs.off_by() > LENGTH_SHARE.0 {
        findings.doubtful("output_lengths", text("answers", &outputs));
    }
    // A template or a start token makes prompts a little longer; only a real difference is worth a word.
    if inputs.off_by() > LENGTH_SHARE.1 && inputs.mean_difference() > 16.0 {
        findings.doubtful("input_lengths", text("prompts", &inputs));
    }
}

/// Sums of asked and real lengths.
#[derive(Debug, Default)]
struct Lengths {
    n: u64,
    asked: u64,
    real: u64,
}

impl Lengths {
    fn add(&mut self, asked: u32, real: Option<u32>) {
        if let Some(real) = real {
            self.n += 1;
            self.asked += u64::from(asked);
            self.real += u64::from(real);
        }
    }

    /// The difference as a share of what was asked.
    fn off_by(&self) -> f64 {
        if self.asked == 0 { 0.0 } else { self.real.abs_diff(self.asked) as f64 / self.asked as f64 }
    }

    /// The difference in tokens.
    fn mean_difference(&self) -> f64 {
        if self.n == 0 { 0.0 } else { self.real.abs_diff(self.asked) as f64 / self.n as f64 }
    }
}

/// The latency that a late client would falsify first.
fn shortest_latency_ms(summary: &Summary) -> Option<f64> {
    summary.ttft_ms.as_ref().or(summary.e2e_ms.as_ref()).map(|latency| latency.p50)
}

fn notes(evidence: &Evidence<'_>, findings: &mut Findings) {
    let n = evidence.summary.completed;
    if n > 0 && n < MIN_SAMPLES_FOR_P99 {
        findings.note(
            "few_samples",
            format!("the 99th percentiles rest on {n} requests; {MIN_SAMPLES_FOR_P99} are wanted"),
        );
    }
    if evidence.asked.repeated_prompts > 0 {
        let text = format!(
            "{} of {} prompts repeat earlier ones: the request file has too few rows",
            evidence.asked.repeated_prompts,
            evidence.asked.requests.len()
        );
        findings.note("repeated_prompts", text);
    }
    if evidence.asked.resent > 0 {
        let text =
            format!("the server closed kept connections, so that {} requests went out again", evidence.asked.resent);
        findings.note("resent", text);
    }
    let coalesced = evidence.summary.client.coalesced_event_share.unwrap_or(0.0);
    if coalesced >= COALESCED_SHARE {
        let text = format!(
            "{:.0} % of the content events were read together with others: single gaps between tokens mean little",
            coalesced * 100.0
        );
        findings.note("coalesced_events", text);
    }
    if evidence.schedule.closed_loop {
        let text =
            "the server sets the pace of a closed loop: its latencies leave out what users would wait in a queue";
        findings.note("coordinated", text.to_owned());
    }
}

#[cfg(test)]
mod tests;
