//! What a command line accepts and a machine or a model may not.

use podium_domain::framework::Framework;
use serde_json::Value;

use super::context::{At, Findings};
use super::frameworks::ReadFlag;
use super::values::as_whole_number;

/// Names of Hopper GPUs, in capitals.
const HOPPER: [&str; 5] = ["H100", "H200", "H800", "H20", "GH200"];

/// Warns about flags that need a GPU, an image or a model that the plan may not have.
pub(super) fn warn(
    findings: &mut Findings,
    framework: Framework,
    base: &[ReadFlag<'_>],
    searched: &[ReadFlag<'_>],
    gpu_model: Option<&str>,
) {
    for flag in base.iter().chain(searched) {
        for at in &flag.values {
            if let Some(message) = caution(framework, &flag.name, at, gpu_model) {
                findings.warning(at, message);
            }
        }
    }
}

fn caution(framework: Framework, flag: &str, at: &At<'_>, gpu_model: Option<&str>) -> Option<String> {
    let value = at.node.to_value();
    match (framework, flag) {
        (Framework::Sglang, "attention_backend" | "prefill_attention_backend" | "decode_attention_backend") => {
            let gpu = gpu_model.filter(|gpu| value == "fa3" && !is_hopper(gpu))?;
            Some(format!(
                "fa3 needs a Hopper GPU, and hardware.gpu_model is {gpu}: use flashinfer, or triton where FlashInfer is \
                 missing"
            ))
        }
        (Framework::Vllm, "enable_dbo") if value == Value::Bool(true) => {
            Some("needs an image with an all-to-all backend: launch it once before it is searched".to_owned())
        }
        (Framework::Vllm, "max_num_partial_prefills") if as_whole_number(framework, &value).is_some_and(|n| n > 1) => {
            Some(
                "more than 1 works for some models only: launch it once with this model before it is searched"
                    .to_owned(),
            )
        }
        _ => None,
    }
}

/// Whether a GPU of this model is a Hopper GPU.
pub(crate) fn is_hopper(gpu_model: &str) -> bool {
    let gpu_model = gpu_model.to_ascii_uppercase();
    let ends_there =
        |(at, name): (usize, &str)| !gpu_model[at + name.len()..].starts_with(|c: char| c.is_ascii_digit());
    HOPPER.iter().any(|name| gpu_model.match_indices(name).any(ends_there))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hopper_gpus_are_told_by_name() {
        for gpu in ["H100", "NVIDIA H100 80GB HBM3", "h200-sxm", "NVIDIA GH200 480GB", "8xH100", "H20"] {
            assert!(is_hopper(gpu), "{gpu}");
        }
        for gpu in ["A100", "NVIDIA RTX 5090", "L40S", "B200", "H2000"] {
            assert!(!is_hopper(gpu), "{gpu}");
        }
    }
}
