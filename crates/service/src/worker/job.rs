//! What the load process is asked to do for one measurement.

use std::path::{Path, PathBuf};

use podium_domain::load::LoadPoint;
use podium_domain::plan::{Endpoint, Plan};
use podium_loadgen::LoadJob;
use podium_store::Measurement;
use podium_workload::{
    Arrivals, DatasetSpec, WorkloadSpec, find_tokenizer, measurement_key, read_trace, trace_at_rate,
};

use super::measure::Server;

/// The job of one measurement.
///
/// # Errors
/// With the reason, where the plan does not have its scenario, or its trace cannot be read.
pub(super) fn job(plan: &Plan, base_url: &str, server: &Server, measurement: &Measurement) -> Result<LoadJob, String> {
    let gone = || "the plan has no such scenario any more".to_owned();
    let wanted = &measurement.scenario;
    let scenario = plan.dataset.scenarios.iter().find(|scenario| scenario.name == *wanted).ok_or_else(gone)?;
    let dataset = match (&plan.dataset.path, scenario.input_len, scenario.output_len) {
        (Some(path), _, _) => DatasetSpec::File { path: path.into() },
        (None, Some(input_len), Some(output_len)) => DatasetSpec::Random {
            input_len,
            output_len,
            vocab_size: None,
            prompt_form: None,
            text_calibration: Default::default(),
        },
        (None, _, _) => return Err(gone()),
    };
    let benchmark = &plan.benchmark;
    let workload = WorkloadSpec {
        warmup_requests: benchmark.warmup_requests,
        seed: plan.dataset.seed,
        measurement_key: measurement_key(
            &scenario.name,
            &measurement.load_point,
            u32::try_from(measurement.repeat).unwrap_or(0),
        ),
        extra_request_body: benchmark.extra_request_body.clone(),
        shape: plan.dataset.shape.clone(),
        tokenizer: tokenizer(plan),
        ..WorkloadSpec::new(dataset, benchmark.endpoint, server.model.clone(), plan.dataset.num_prompts)
    };
    Ok(LoadJob {
        request_timeout_s: benchmark.request_timeout_s,
        sla: plan.sla.clone(),
        arrivals: arrivals(plan, measurement.load_point)?,
        ..LoadJob::new(base_url, workload, measurement.load_point)
    })
}

/// The tokenizer of all frameworks' prompts, so that they are asked the same: the one that the plan names, where it is
/// a file or a folder here. The chat endpoint takes no token ids, so there the model's own folder does as well.
pub(crate) fn tokenizer(plan: &Plan) -> Option<PathBuf> {
    let named = plan.model.tokenizer.as_deref();
    let models = plan.frameworks.iter().map(|(framework, part)| plan.model_location(*framework, part));
    let models = models.filter(|_| plan.benchmark.endpoint == Endpoint::ChatCompletions);
    find_tokenizer(named.into_iter().chain(models))
}

/// Poisson arrivals, or those of the plan's trace at the rate of the measurement.
fn arrivals(plan: &Plan, load: LoadPoint) -> Result<Arrivals, String> {
    match (&plan.dataset.trace_path, load.rate_rps()) {
        (Some(path), Some(rate_rps)) => {
            let starts_s = read_trace(Path::new(path)).map_err(|error| format!("the trace {path}: {error}"))?;
            Ok(Arrivals::Trace { starts_s: trace_at_rate(&starts_s, plan.dataset.num_prompts, rate_rps) })
        }
        _ => Ok(Arrivals::Poisson),
    }
}

#[cfg(test)]
mod tests {
    use podium_formats::plan::read;

    use super::*;

    fn plan(dataset: &str, endpoint: &str) -> Plan {
        let yaml = format!(
            "model: {{name: /no/such/model}}\ndataset: {{{dataset}}}\n\
             benchmark: {{endpoint: {endpoint}, request_rates: [4]}}\n\
             frameworks:\n  vllm: {{base_server_flags: {{max_model_len: 2048}}, search_space: {{}}}}\n"
        );
        let reading = read(&yaml);
        reading.plan.unwrap_or_else(|| panic!("{:?}", reading.problems))
    }

    const RATE: LoadPoint = LoadPoint::Rate { rate_rps: 4.0, max_concurrency: None };

    #[test]
    fn a_trace_arrives_at_the_rate_of_the_measurement() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("starts.txt");
        std::fs::write(&path, "0\n10\n40\n").unwrap();
        let dataset = format!("input_len: [8], output_len: [2], num_prompts: 3, trace_path: {}", path.display());
        let plan = plan(&dataset, "/v1/completions");
        assert_eq!(arrivals(&plan, RATE), Ok(Arrivals::Trace { starts_s: vec![0.0, 0.125, 0.5] }));
        assert_eq!(arrivals(&plan, LoadPoint::Concurrency { concurrency: 2 }), Ok(Arrivals::Poisson));
        std::fs::write(&path, "soon\n").unwrap();
        assert!(arrivals(&plan, RATE).unwrap_err().contains("starts.txt"));
    }

    #[test]
    fn the_plan_names_the_tokenizer_and_a_chat_may_use_the_models_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokenizer.json");
        std::fs::write(&file, "{}").unwrap();
        let dataset = "input_len: [8], output_len: [2]";
        for (endpoint, of_the_model) in [("/v1/completions", None), ("/v1/chat/completions", Some(file.clone()))] {
            let mut plan = plan(dataset, endpoint);
            assert_eq!(tokenizer(&plan), None);
            plan.model.name = folder.path().display().to_string();
            assert_eq!(tokenizer(&plan), of_the_model);
            plan.model.tokenizer = Some(plan.model.name.clone());
            assert_eq!(tokenizer(&plan), Some(file.clone()));
        }
    }
}
