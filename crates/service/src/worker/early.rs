//! Candidates that need not be tried, because what failed before decides them. Each keeps the reason.

use podium_domain::flags::FlagMap;
use podium_domain::framework::Framework;
use podium_domain::status::{CandidateStatus, MeasurementStatus};
use podium_store::{Candidate, CandidateOutcome};

use super::Halt;
use super::run_task::RunTask;

/// So many candidates of a framework have to fail alike, with none that did not, before the others are not tried.
const ALIKE: usize = 3;

/// Flags of which a larger number takes more memory and changes nothing else that could save some. Shares of the memory are
/// none of them: a larger share is more for the KV cache.
fn memory_flags(framework: Framework) -> &'static [&'static str] {
    match framework {
        Framework::Vllm => &["max_num_seqs", "max_model_len", "max_num_batched_tokens"],
        Framework::Sglang => &[
            "max_running_requests",
            "context_length",
            "chunked_prefill_size",
            "max_prefill_tokens",
            "cuda_graph_max_bs",
        ],
        Framework::TensorrtLlm => &["max_batch_size", "max_seq_len", "max_num_tokens"],
        Framework::LlamaCpp => &["ctx_size", "batch_size", "ubatch_size"],
        Framework::Tokenspeed => &[],
    }
}

impl RunTask<'_> {
    /// Skips a candidate that is decided already, and answers whether it was.
    pub(super) async fn skip_if_decided(&self, candidate: &Candidate) -> Result<bool, Halt> {
        let Some(reason) = decided(candidate, &self.store().candidates(self.run.id).await?) else { return Ok(false) };
        self.skip_candidate(candidate, reason).await?;
        Ok(true)
    }

    /// Skips a candidate with everything that was to be measured of it.
    pub(super) async fn skip_candidate(&self, candidate: &Candidate, reason: String) -> Result<(), Halt> {
        for measurement in self.measurements_of(candidate).await? {
            if matches!(measurement.status, MeasurementStatus::Pending | MeasurementStatus::Measuring) {
                self.give_up(candidate, &measurement, MeasurementStatus::Skipped, &reason).await?;
            }
        }
        let (status, failure_reason) = (CandidateStatus::Skipped, Some(reason));
        self.set_candidate(candidate, CandidateOutcome { status, failure_reason, failure: None }).await
    }
}

/// Why a candidate need not be tried; `all` are those of its run. A baseline always is.
fn decided(candidate: &Candidate, all: &[Candidate]) -> Option<String> {
    if candidate.baseline || candidate.status != CandidateStatus::Pending {
        return None;
    }
    let tried: Vec<&Candidate> =
        all.iter().filter(|other| other.framework == candidate.framework && was_tried(other.status)).collect();
    let flags = flags_of(candidate);
    let memory = memory_flags(candidate.framework);
    let lighter = tried.iter().find(|other| {
        other.status == CandidateStatus::Oom && compare(&flags, &flags_of(other), memory) == Some(Memory::NoLess)
    });
    if let Some(lighter) = lighter {
        return Some(format!(
            "not tried: it takes at least the memory of {}, which ran out of it, and differs in nothing else",
            lighter.candidate_id
        ));
    }
    failed_alike(&flags, &tried, memory)
}

fn was_tried(status: CandidateStatus) -> bool {
    matches!(status, CandidateStatus::Ok | CandidateStatus::Failed | CandidateStatus::Oom | CandidateStatus::Timeout)
}

fn flags_of(candidate: &Candidate) -> FlagMap {
    serde_json::from_value(candidate.flags.clone()).unwrap_or_default()
}

/// How much memory one set of flags takes beside another that is the same in everything else.
#[derive(Debug, PartialEq, Eq)]
enum Memory {
    NoLess,
    Less,
}

/// `None` where the sets differ in anything but numbers of memory flags.
fn compare(flags: &FlagMap, other: &FlagMap, memory: &[&str]) -> Option<Memory> {
    let mut answer = Memory::NoLess;
    for name in flags.keys().chain(other.keys()) {
        let (mine, theirs) = (flags.get(name)?, other.get(name)?);
        if mine == theirs {
            continue;
        }
        if !memory.contains(&name.as_str()) {
            return None;
        }
        if mine.as_f64()? < theirs.as_f64()? {
            answer = Memory::Less;
        }
    }
    Some(answer)
}

/// Why a framework is given up: all that was tried of it failed in one and the same way, which is memory or a server that never
/// answered. One that takes less memory than something that ran out of it is tried all the same.
fn failed_alike(flags: &FlagMap, tried: &[&Candidate], memory: &[&str]) -> Option<String> {
    let last = tried.last()?;
    let alike = tried.len() >= ALIKE && tried.iter().all(|other| class_of(other) == class_of(last));
    let plain =
        matches!(class_of(last)?, "gpu_out_of_memory" | "host_out_of_memory" | "hang" | "timed_out" | "request_failed");
    if !alike || !plain {
        return None;
    }
    let out_of_memory = last.status == CandidateStatus::Oom;
    if out_of_memory && memory.iter().any(|name| takes_less(flags, tried, name)) {
        return None;
    }
    let name = last.framework.name();
    let reason = last.failure_reason.as_deref().unwrap_or("no reason is known");
    Some(format!("not tried: all {} candidates of {name} before it failed alike: {reason}", tried.len()))
}

fn class_of(candidate: &Candidate) -> Option<&str> {
    candidate.failure.as_ref()?.get("class")?.as_str()
}

/// Whether a number is smaller than that of all that were tried.
fn takes_less(flags: &FlagMap, tried: &[&Candidate], name: &str) -> bool {
    let number = |flags: &FlagMap| flags.get(name).and_then(serde_json::Value::as_f64);
    let Some(own) = number(flags) else { return false };
    tried.iter().all(|other| number(&flags_of(other)).is_none_or(|theirs| own < theirs))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn candidate(id: &str, flags: Value, status: CandidateStatus, class: &str) -> Candidate {
        Candidate {
            id: Uuid::new_v4(),
            run_id: Uuid::nil(),
            ordinal: 0,
            framework: Framework::Vllm,
            candidate_id: id.to_owned(),
            baseline: false,
            flags,
            argv: Vec::new(),
            command: String::new(),
            status,
            failure_reason: Some(format!("{class} happened")),
            failure: Some(json!({ "class": class })),
        }
    }

    fn pending(flags: Value) -> Candidate {
        candidate("next", flags, CandidateStatus::Pending, "")
    }

    fn oom(id: &str, flags: Value) -> Candidate {
        candidate(id, flags, CandidateStatus::Oom, "gpu_out_of_memory")
    }

    #[test]
    fn more_memory_than_what_ran_out_of_it_is_not_tried_and_anything_else_is() {
        let failed = [oom("first", json!({ "max_num_seqs": 64, "dtype": "bf16", "gpu_memory_utilization": 0.9 }))];
        let next = |seqs: u32, dtype: &str, share: f64| {
            decided(&pending(json!({ "max_num_seqs": seqs, "dtype": dtype, "gpu_memory_utilization": share })), &failed)
        };
        let reason = next(128, "bf16", 0.9).expect("it is decided");
        assert!(reason.contains("the memory of first"), "{reason}");
        assert_eq!(next(32, "bf16", 0.9), None, "it takes less");
        assert_eq!(next(128, "fp8", 0.9), None, "it differs in more");
        assert_eq!(next(128, "bf16", 0.95), None, "a larger share is more room");
        assert_eq!(decided(&pending(json!({ "max_num_seqs": 128 })), &failed), None, "it names less");
        let baseline = Candidate { baseline: true, ..pending(failed[0].flags.clone()) };
        assert_eq!(decided(&baseline, &failed), None);
        let elsewhere = Candidate { framework: Framework::Sglang, ..pending(failed[0].flags.clone()) };
        assert_eq!(decided(&elsewhere, &failed), None, "another framework");
    }

    #[test]
    fn a_framework_is_given_up_when_all_fail_alike_and_none_was_good() {
        let hang = |id: &str| candidate(id, json!({ "a": id }), CandidateStatus::Timeout, "hang");
        let mut tried = vec![hang("1"), hang("2")];
        let next = pending(json!({ "a": "4" }));
        assert_eq!(decided(&next, &tried), None, "two are too few");
        tried.push(hang("3"));
        let reason = decided(&next, &tried).expect("it is decided");
        assert!(reason.contains("all 3 candidates of vLLM before it failed alike: hang happened"), "{reason}");
        tried[1] = candidate("2", json!({ "a": "2" }), CandidateStatus::Failed, "unknown_flag");
        assert_eq!(decided(&next, &tried), None, "not alike");
        tried[1] = candidate("2", json!({ "a": "2" }), CandidateStatus::Ok, "hang");
        assert_eq!(decided(&next, &tried[1..]), None, "one was good");
        let flags =
            ["1", "2", "3"].map(|id| candidate(id, json!({ "a": id }), CandidateStatus::Failed, "unknown_flag"));
        assert_eq!(decided(&next, &flags), None, "another candidate may have other flags");
    }

    #[test]
    fn one_that_takes_less_memory_than_all_that_ran_out_is_tried() {
        let tried = ["a", "b", "c"].map(|id| oom(id, json!({ "max_num_seqs": 64, "attention": id })));
        assert_eq!(decided(&pending(json!({ "max_num_seqs": 16, "attention": "d" })), &tried), None);
        assert!(decided(&pending(json!({ "max_num_seqs": 64, "attention": "d" })), &tried).is_some());
    }
}
