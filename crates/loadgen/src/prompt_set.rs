//! What was sent, and whether the answers had the asked lengths: the load process's part of the proof of fairness.

use podium_domain::fairness::PromptSet;
use podium_workload::Workload;

use crate::sample::RequestSample;

/// The prompts of a workload whose counted requests ended as `samples`. `key` is the measurement's.
pub(crate) fn prompt_set(workload: &Workload, key: &str, samples: &[RequestSample]) -> PromptSet {
    let (mut checked_answers, mut wrong_answers) = (0, 0);
    for sample in samples.iter().filter(|sample| sample.is_complete()) {
        let asked = workload.measured.get(sample.index as usize).filter(|request| request.exact_output);
        if let (Some(request), Some(tokens)) = (asked, sample.output_tokens) {
            checked_answers += 1;
            wrong_answers += u64::from(tokens != request.output_len);
        }
    }
    PromptSet {
        key: key.to_owned(),
        sha256: workload.prompt_set_hash.clone(),
        fresh: workload.fresh_prompts,
        checked_answers,
        wrong_answers,
    }
}
