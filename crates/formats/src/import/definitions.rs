//! What each tool means by its figures, where that is not what we mean.

use super::Tool;

/// The meanings that differ from ours, as (figure, meaning).
pub(super) fn of(tool: Tool) -> Vec<(String, String)> {
    const SEMAPHORE: &str = "the clock starts after the client's own concurrency limit";
    let words: &[(&str, &str)] = match tool {
        Tool::VllmBench | Tool::VllmSweep => &[
            ("ttft", "to the first event with choices, a role-only one included"),
            ("ttft clock", SEMAPHORE),
            ("itl", "gaps between events, pooled, whatever number of tokens an event holds"),
            ("tokens", "the server's usage, else counted again from the text"),
        ],
        Tool::SglangBench | Tool::SglangAutoBenchmark => &[
            ("ttft", "to the first event with text"),
            ("ttft clock", SEMAPHORE),
            ("itl", "gaps between events, pooled, whatever number of tokens an event holds"),
            ("e2e", "to the last line, the end mark included"),
            ("tokens", "the server's usage, else the requested length"),
        ],
        Tool::TrtllmBench => &[
            ("ttft", "to the first event with choices, a role-only one included"),
            ("ttft clock", SEMAPHORE),
            ("itl", "gaps between events, pooled, whatever number of tokens an event holds"),
            ("success rate", "failed requests can count as completed, so it is left out without per-request data"),
            ("accept length", "mean decoded tokens per iteration of the engine"),
        ],
        Tool::Guidellm => &[
            ("ttft", "to the first iteration of the stream"),
            ("tpot", "the tool's inter-token latency: its own TPOT is E2E / tokens, the first one included"),
            ("e2e", "to the end of the request"),
            ("success rate", "of the requests that ended; those cut off at the end of the measurement are left out"),
        ],
        Tool::Aiperf => &[
            ("ttft", "to the first event with content; the clock starts after the client's own limit"),
            ("tpot", "the tool's inter-token latency, one value per request"),
            ("e2e", "to the last response"),
            ("tokens", "counted by the client's tokenizer"),
        ],
    };
    let auto = [("sla", "judged by the tool on means, not on medians")];
    let extra: &[(&str, &str)] = if tool == Tool::SglangAutoBenchmark { &auto } else { &[] };
    words.iter().chain(extra).map(|(figure, meaning)| ((*figure).to_owned(), (*meaning).to_owned())).collect()
}
