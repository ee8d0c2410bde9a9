//! The command that repeats a measurement by hand.

use podium_domain::framework::Framework;
use podium_domain::lengths::LengthSpread;
use podium_domain::load::LoadPoint;
use podium_domain::plan::{Plan, Scenario};
use podium_launcher::deploy_port;
use serde_json::json;

use super::job::tokenizer;

/// The command that measures the same against the deployed server: the same workload, drawn for itself.
pub(super) fn benchmark_command(plan: &Plan, framework: Framework, scenario: &Scenario, load: LoadPoint) -> String {
    let mut argv: Vec<String> = ["podium", "load", "--base-url"].map(str::to_owned).to_vec();
    argv.push(format!("http://127.0.0.1:{}", deploy_port(framework)));
    let mut push = |flag: &str, value: String| argv.extend([flag.to_owned(), value]);
    push("--model", plan.model.name.clone());
    push("--endpoint", plan.benchmark.endpoint.path().to_owned());
    dataset(plan, scenario, &mut push);
    if let Some(path) = tokenizer(plan) {
        push("--tokenizer", path.display().to_string());
    }
    push("--num-prompts", plan.dataset.num_prompts.to_string());
    match (load, &plan.dataset.trace_path) {
        (LoadPoint::Rate { rate_rps, .. }, Some(trace)) => {
            push("--trace", trace.clone());
            push("--trace-rate", rate_rps.to_string());
        }
        (LoadPoint::Rate { rate_rps, .. }, None) => push("--rate", rate_rps.to_string()),
        (LoadPoint::Concurrency { concurrency }, _) => push("--concurrency", concurrency.to_string()),
        (LoadPoint::Burst { .. }, _) => {}
    }
    if let Some(cap) = load.max_concurrency().filter(|_| load.is_open_loop()) {
        push("--max-concurrency", cap.to_string());
    }
    push("--warmup", plan.benchmark.warmup_requests.to_string());
    push("--request-timeout", plan.benchmark.request_timeout_s.to_string());
    push("--seed", plan.dataset.seed.to_string());
    if !plan.benchmark.extra_request_body.is_empty() {
        push("--extra-request-body", json!(plan.benchmark.extra_request_body).to_string());
    }
    if matches!(load, LoadPoint::Burst { .. }) {
        argv.push("--burst".to_owned());
    }
    podium_domain::flags::shell_join(&argv)
}

/// The file, or the lengths and what random prompts share.
fn dataset(plan: &Plan, scenario: &Scenario, push: &mut impl FnMut(&str, String)) {
    if let Some(path) = &plan.dataset.path {
        return push("--dataset", path.clone());
    }
    let shape = &plan.dataset.shape;
    let mut length = |flag: &str, len: Option<u32>, spread: &LengthSpread| {
        if let Some(len) = len {
            push(flag, len.to_string());
        }
        if !spread.is_fixed() {
            push(&format!("{flag}-distribution"), spread.to_string());
        }
    };
    length("--input-len", scenario.input_len, &shape.input_len);
    length("--output-len", scenario.output_len, &shape.output_len);
    if let Some(shared) = shape.shared_prefix {
        push("--shared-prefix", shared.to_string());
    }
    if let Some(conversation) = shape.conversation {
        push("--turns", conversation.turns.to_string());
        push("--think-time", conversation.think_time_s.to_string());
    }
}

#[cfg(test)]
mod tests {
    use podium_formats::plan::read;

    use super::*;

    fn command(dataset: &str, load: LoadPoint) -> String {
        let yaml = format!(
            "model: {{name: org/model}}\ndataset: {{{dataset}, num_prompts: 90, seed: 7}}\n\
             benchmark: {{request_rates: [4], extra_request_body: {{top_p: 0.5}}}}\n\
             frameworks:\n  vllm: {{base_server_flags: {{max_model_len: 8192}}, search_space: {{}}}}\n"
        );
        let reading = read(&yaml);
        let plan = reading.plan.unwrap_or_else(|| panic!("{:?}", reading.problems));
        benchmark_command(&plan, Framework::Vllm, &plan.dataset.scenarios[0], load)
    }

    const RATE: LoadPoint = LoadPoint::Rate { rate_rps: 4.0, max_concurrency: None };

    #[test]
    fn it_holds_the_shape_and_what_is_laid_over_requests() {
        let text = command(
            "input_len: [800], output_len: [20], input_len_distribution: {kind: uniform, ratio: 0.2}, \
             shared_prefix: {groups: 4, prefix_len: 512}, turns: 3, think_time_s: 0.5",
            RATE,
        );
        let parts = [
            "--input-len 800 --input-len-distribution uniform:0.2 --output-len 20 --shared-prefix 4x512 --turns 3",
            "--think-time 0.5 --num-prompts 90 --rate 4 --warmup",
            r#"--seed 7 --extra-request-body '{"top_p":0.5}'"#,
        ];
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }

    #[test]
    fn it_holds_the_load() {
        let with = |load| command("input_len: [8], output_len: [2]", load);
        assert!(with(LoadPoint::Concurrency { concurrency: 3 }).contains("--concurrency 3 "));
        let burst = with(LoadPoint::Burst { max_concurrency: Some(5) });
        assert!(burst.contains("--max-concurrency 5") && burst.ends_with("--burst"), "{burst}");
        let trace = command("input_len: [8], output_len: [2], trace_path: starts.jsonl", RATE);
        assert!(trace.contains("--trace starts.jsonl --trace-rate 4 ") && !trace.contains("--rate 4"), "{trace}");
    }
}
