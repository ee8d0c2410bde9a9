//! What the form says about a knob: what it does, where it was seen, what others call it, and what to watch out for.

use leptos::prelude::*;
use podium_domain::framework::Framework;
use podium_domain::knobs::{Knob, KnobKind, concepts};
use podium_service::PlanCheck;

use super::is_at_or_below;

/// The hint below a flag; nothing for a flag that no table has.
pub(super) fn hint(framework: Framework, check: &PlanCheck, path: &str, flag: &str) -> AnyView {
    let warnings = check.warnings.iter().filter(|warning| is_at_or_below(&warning.path, path));
    let mut warnings: Vec<_> = warnings.map(|warning| warning.message.clone()).collect();
    warnings.dedup();
    let cautions =
        warnings.into_iter().map(|text| view! { <span class="field-hint knob-caution">{text}</span> }).collect_view();
    let about = about(framework, flag).map(|about| view! { <span class="field-hint">{about}</span> });
    (about, cautions).into_any()
}

/// One line on a flag: its help, its values, whether it stays fixed by default, and its names elsewhere.
fn about(framework: Framework, flag: &str) -> Option<String> {
    let name = flag.replace('-', "_");
    let option = framework.option(&name);
    let knob = framework.knob(&name).or(option)?;
    let mut parts = vec![knob.help.to_owned(), takes(knob)];
    if knob.pinned {
        parts.push("pinned: kept out of a search by default".to_owned());
    }
    if option.is_some() {
        parts.push("goes into the file of options".to_owned());
    }
    let others: Vec<_> =
        concepts::equivalents(framework, &name).map(|(other, name)| format!("{name} in {}", other.name())).collect();
    if !others.is_empty() {
        parts.push(others.join(", "));
    }
    if option.is_none() {
        parts.push(framework.seen(&name));
    }
    Some(parts.join(" · "))
}

/// What a knob takes, and what stands for the server's own default.
fn takes(knob: &Knob) -> String {
    match knob.kind {
        KnobKind::Int => "a whole number; null leaves it to the server".to_owned(),
        KnobKind::Float => "a number; null leaves it to the server".to_owned(),
        KnobKind::Bool => "true or false".to_owned(),
        KnobKind::Text => "text; null leaves it to the server".to_owned(),
        KnobKind::Json => "JSON; null leaves it to the server".to_owned(),
        KnobKind::Choice(words) => format!("one of {}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_what_others_call_it() {
        let about = about(Framework::Vllm, "max-num-seqs").unwrap();
        for part in ["a whole number", "max_running_requests in SGLang", "parallel in llama.cpp", "in vLLM 0."] {
            assert!(about.contains(part), "{about}");
        }
    }

    #[test]
    fn pinned_knobs_and_options_of_a_file_say_so() {
        let fraction = "kv_cache_config.free_gpu_memory_fraction";
        let about = |framework, flag| about(framework, flag);
        assert!(about(Framework::Vllm, "gpu_memory_utilization").unwrap().contains("pinned"));
        let option = about(Framework::TensorrtLlm, fraction).unwrap();
        assert!(option.contains("pinned") && option.contains("file of options"), "{option}");
        assert_eq!(about(Framework::Vllm, fraction), None);
    }
}
