//! Whether every candidate can hold the longest scenario.

use podium_domain::framework::Framework;
use serde_json::Value;

use super::context::{At, Findings, Section};
use super::frameworks::{ReadFlag, by_name};
use super::values::as_whole_number;

/// Checks the sequence limit of the base flags and of every searched value against `longest`, prompt plus output in
/// tokens.
pub(super) fn check(
    findings: &mut Findings,
    framework: Framework,
    base: &Section<'_>,
    base_flags: &[ReadFlag<'_>],
    searched: &[ReadFlag<'_>],
    longest: u32,
) {
    let spec = framework.spec();
    let flag = spec.sequence_limit_flag;
    let slots = Slots::of(framework, base_flags, searched);
    let base_limit = by_name(base_flags, flag).filter(|flag| !flag.at.node.is_null());
    let searched_limit = by_name(searched, flag);
    match base_limit {
        Some(limit) => slots.check(findings, framework, &limit.at, longest, searched_limit.is_none()),
        None if spec.sequence_limit_optional => {}
        None => {
            let need = u64::from(longest) * slots.most();
            let message = format!("is missing: the longest scenario needs at least {need}");
            findings.missing(base, flag, message);
        }
    }
    for at in searched_limit.map(|flag| flag.values.as_slice()).unwrap_or_default() {
        slots.check(findings, framework, at, longest, true);
    }
}

/// The numbers of requests that one context is divided by. Only llama.cpp divides it.
struct Slots {
    base: u64,
    /// Searched numbers, which replace the base's in every candidate but the baseline.
    searched: Vec<u64>,
}

impl Slots {
    fn of(framework: Framework, base: &[ReadFlag<'_>], searched: &[ReadFlag<'_>]) -> Self {
        let switched_on = |flag: &ReadFlag<'_>| flag.at.node.to_value() == Value::Bool(true);
        let unified = by_name(base, "kv_unified").is_some_and(switched_on) && by_name(searched, "kv_unified").is_none();
        if framework != Framework::LlamaCpp || unified {
            return Slots { base: 1, searched: Vec::new() };
        }
        // Without a number of slots the server shares one context between all of them.
        let slots = |at: &At<'_>| as_whole_number(framework, &at.node.to_value()).map_or(1, |n| n.max(1) as u64);
        Slots {
            base: by_name(base, "parallel").map_or(1, |flag| slots(&flag.at)),
            searched: by_name(searched, "parallel").map(|f| f.values.iter().map(slots).collect()).unwrap_or_default(),
        }
    }

    fn most(&self) -> u64 {
        self.searched.iter().copied().chain([self.base]).max().unwrap_or(1)
    }

    /// Checks one limit. A base limit stands in the baseline, and with the searched slots only where the limit itself
    /// is not searched.
    fn check(&self, findings: &mut Findings, framework: Framework, at: &At<'_>, longest: u32, with_searched: bool) {
        // A value of the wrong type is reported by its knob.
        let Some(limit) = as_whole_number(framework, &at.node.to_value()) else { return };
        let slots = if with_searched { self.most() } else { self.base };
        let each = u64::try_from(limit).unwrap_or(0) / slots;
        if each >= u64::from(longest) {
            return;
        }
        let message = if slots > 1 {
            let need = u64::from(longest) * slots;
            format!(
                "{limit} over {slots} parallel requests leaves {each}, the longest scenario needs {longest}: use at least {need}"
            )
        } else {
            format!("{limit} is too short: the longest scenario needs {longest} tokens, prompt plus output")
        };
        findings.problem(at, message);
    }
}
