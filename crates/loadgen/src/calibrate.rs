//! How many tokens a server makes of words.

use podium_domain::load::LoadPoint;
use podium_workload::{DatasetSpec, PromptForm, TextCalibration, WorkloadSpec};

use crate::error::Error;
use crate::job::LoadJob;
use crate::run::run;
use crate::stop::StopHandle;

/// Words of the prompts that are sent; far enough apart for a line.
const WORDS: [u32; 2] = [32, 160];
/// Prompts of each length.
const PROMPTS: u32 = 3;

/// Asks the server of `job` how many tokens random text has on its endpoint, template included, with a few requests of
/// one output token each. `None` when it does not say.
///
/// Do it once for all frameworks of a comparison and give the result to each of their workloads: calibrations of their
/// own would give them different prompts. Blocks like [`run`].
///
/// # Errors
/// As [`run`].
pub fn calibrate_text(job: &LoadJob, stop: &StopHandle) -> Result<Option<TextCalibration>, Error> {
    let mut observed = Vec::new();
    for words in WORDS {
        let dataset = DatasetSpec::Random {
            input_len: words,
            output_len: 1,
            vocab_size: None,
            prompt_form: Some(PromptForm::Text),
            text_calibration: TextCalibration::default(),
        };
        let workload = WorkloadSpec {
            dataset,
            num_prompts: PROMPTS,
            warmup_requests: 0,
            measurement_key: "text calibration".to_owned(),
            ..job.workload.clone()
        };
        let load = LoadPoint::Concurrency { concurrency: 1 };
        let probe =
            LoadJob { workload, load, samples_path: None, telemetry: None, duration_limit_s: None, ..job.clone() };
        let outcome = run(&probe, stop, |_| ())?;
        observed.extend(outcome.samples.iter().filter_map(|sample| Some((words, sample.input_tokens?))));
    }
    Ok(TextCalibration::fit(&observed))
}
