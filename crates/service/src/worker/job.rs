//! What the load process is asked to do for one measurement.

use podium_domain::plan::Plan;
use podium_loadgen::LoadJob;
use podium_store::Measurement;
use podium_workload::{DatasetSpec, WorkloadSpec, measurement_key};

use super::measure::Server;

/// The job of one measurement; `None` where the plan does not have its scenario.
pub(super) fn job(plan: &Plan, base_url: &str, server: &Server, measurement: &Measurement) -> Option<LoadJob> {
    let scenario = plan.dataset.scenarios.iter().find(|scenario| scenario.name == measurement.scenario)?;
    let dataset = match (&plan.dataset.path, scenario.input_len, scenario.output_len) {
        (Some(path), _, _) => DatasetSpec::File { path: path.into() },
        (None, Some(input_len), Some(output_len)) => DatasetSpec::Random {
            input_len,
            output_len,
            vocab_size: None,
            prompt_form: None,
            text_calibration: Default::default(),
        },
        (None, _, _) => return None,
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
        ..WorkloadSpec::new(dataset, benchmark.endpoint, server.model.clone(), plan.dataset.num_prompts)
    };
    Some(LoadJob {
        request_timeout_s: benchmark.request_timeout_s,
        sla: plan.sla.clone(),
        ..LoadJob::new(base_url, workload, measurement.load_point)
    })
}
