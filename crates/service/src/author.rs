//! Writing plans: checking a text, applying the form's edits, starting points.

use podium_domain::candidate;
use podium_domain::confidence::FINALISTS;
use podium_domain::form::PlanEdit;
use podium_domain::framework::Framework;
use podium_domain::load::PlannedLoad;
use podium_domain::plan::Plan;
use podium_formats::cookbook::{self, CookbookPlan};
use podium_formats::help::HelpSet;
use podium_formats::plan::{self, Starter};
use uuid::Uuid;

use crate::caller::{Caller, Role};
use crate::error::{Error, Result};
use crate::runs::is_simulated;
use crate::service::Service;
use crate::views::{CandidatePreview, PlanCheck};

/// A plan that is shipped with Podium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExamplePlan {
    /// Its name in addresses.
    pub slug: &'static str,
    /// What it is, for lists.
    pub title: &'static str,
    /// Its text.
    pub yaml: &'static str,
}

const EXAMPLES: [ExamplePlan; 2] = [
    ExamplePlan {
        slug: "demo-simulated",
        title: "Three simulated engines: SGLang, vLLM and TensorRT-LLM",
        yaml: include_str!("../../../configs/demo-simulated.yaml"),
    },
    ExamplePlan {
        slug: "demo-cpu",
        title: "Real engines on this machine's CPU with a tiny model",
        yaml: include_str!("../../../configs/demo-cpu.yaml"),
    },
];

impl Service {
    /// Checks a plan text and shows what follows from it. A wrong plan is not an error: its problems are in the answer.
    pub async fn check_plan(&self, caller: Caller, yaml: String) -> Result<PlanCheck> {
        caller.require(Role::Viewer)?;
        Ok(check(yaml))
    }

    /// Applies one edit of the form to a plan text, and checks the result.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the edit cannot be applied to this text.
    pub async fn edit_plan(&self, caller: Caller, yaml: String, edit: PlanEdit) -> Result<PlanCheck> {
        caller.require(Role::Viewer)?;
        let yaml = plan::apply(&yaml, &edit).map_err(|problem| Error::Invalid { problems: vec![problem] })?;
        Ok(check(yaml))
    }

    /// Adds what the captured help of a host's frameworks says of the plan's flags: as warnings, since a run there passes
    /// them by another name or leaves them out. A host without a preflight says nothing.
    ///
    /// # Errors
    /// The database failed.
    pub async fn check_against_host(&self, caller: Caller, mut check: PlanCheck, host_id: Uuid) -> Result<PlanCheck> {
        caller.require(Role::Viewer)?;
        let Some(plan) = plan::read(&check.yaml).plan else { return Ok(check) };
        let known = self.known_help(host_id).await?;
        let mut help = HelpSet::default();
        for (&framework, part) in &plan.frameworks {
            let words = podium_domain::flags::shell_split(&part.server_command).unwrap_or_default();
            if let Some(flags) = known.get(framework).filter(|_| !is_simulated(&words)) {
                help.add(framework, flags.clone());
            }
        }
        let against = plan::read_with_help(&check.yaml, Some(&help));
        check.warnings.extend(against.problems.into_iter().filter(|problem| !check.problems.contains(problem)));
        Ok(check)
    }

    /// A plan to begin with.
    pub async fn blank_plan(&self, caller: Caller) -> Result<String> {
        caller.require(Role::Viewer)?;
        Ok(plan::blank(&Starter {
            model_name: "Qwen/Qwen3-8B".to_owned(),
            frameworks: vec![Framework::Sglang, Framework::Vllm],
            gpu_model: None,
            gpu_count: 1,
        }))
    }

    /// The cookbook: plans for well-known models.
    pub fn cookbook(&self, caller: Caller) -> Result<&'static [CookbookPlan]> {
        caller.require(Role::Viewer)?;
        Ok(&cookbook::PLANS)
    }

    /// The plans that are shipped with Podium.
    pub fn example_plans(&self) -> &'static [ExamplePlan] {
        &EXAMPLES
    }
}

fn check(yaml: String) -> PlanCheck {
    let reading = plan::read(&yaml);
    let mut check = PlanCheck {
        form: plan::project(&yaml).ok(),
        yaml,
        problems: reading.problems,
        warnings: reading.warnings,
        filled: reading.filled,
        candidates: Vec::new(),
        untried: Vec::new(),
        limit_for_all: None,
        measurements: 0,
        repeated_measurements: 0,
        title: None,
        flow_check: false,
    };
    let Some(plan) = reading.plan else { return check };
    check.title = Some(plan.title());
    check.flow_check = plan.is_flow_check();
    match candidate::generate_all(&plan) {
        Ok(sets) => {
            if sets.iter().any(|set| !set.untried.is_empty()) {
                // One limit holds for all frameworks; where one of them is not known, none can be promised.
                let limits: Option<Vec<u64>> = sets.iter().map(|set| set.limit_for_all).collect();
                check.limit_for_all = limits.and_then(|limits| limits.into_iter().max());
            }
            check.repeated_measurements = sets.iter().map(|set| repeats_of(&plan, set.candidates.len())).sum();
            for set in sets {
                check.untried.extend(set.untried);
                check.candidates.extend(set.candidates.into_iter().map(|candidate| CandidatePreview {
                    framework: candidate.framework,
                    candidate_id: candidate.candidate_id,
                    command: candidate.command,
                }));
            }
            check.measurements = check.candidates.len() as u64 * measurements_per_candidate(&plan);
        }
        Err(error) => check.problems.push(plan::Problem::new("frameworks", None, error.to_string())),
    }
    check
}

/// How many measurements one candidate takes; a search counts with its largest number of probes.
fn measurements_per_candidate(plan: &Plan) -> u64 {
    let per_scenario: u64 = plan.benchmark.planned_loads().iter().map(PlannedLoad::max_measurements).sum();
    plan.dataset.scenarios.len() as u64 * per_scenario
}

/// How many measurements the second pass takes at most of a framework with this many candidates: each of its finalists at
/// one load of each scenario.
fn repeats_of(plan: &Plan, candidates: usize) -> u64 {
    let finalists = candidates.min(FINALISTS + 1) as u64;
    finalists * plan.dataset.scenarios.len() as u64 * u64::from(plan.repeats())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_that_is_offered_tries_every_value() {
        let starter = Starter {
            model_name: "org/model".to_owned(),
            frameworks: vec![Framework::Sglang, Framework::Vllm],
            gpu_model: None,
            gpu_count: 1,
        };
        let limit = |text: &str, value: u64| {
            let path = "search.max_candidates_per_framework".to_owned();
            plan::apply(text, &PlanEdit::SetScalar { path, value: value.to_string() }).unwrap()
        };
        let few = check(limit(&plan::blank(&starter), 2));
        let offered = few.limit_for_all.unwrap();
        assert!(!few.untried.is_empty());
        let enough = check(limit(&few.yaml, offered));
        assert_eq!((enough.untried.as_slice(), enough.limit_for_all), (&[][..], None));
        assert!(!check(limit(&few.yaml, offered - 1)).untried.is_empty());
    }

    #[test]
    fn the_second_pass_is_counted_by_its_largest_number_of_finalists() {
        let starter = Starter {
            model_name: "org/model".to_owned(),
            frameworks: vec![Framework::Sglang, Framework::Vllm],
            gpu_model: None,
            gpu_count: 1,
        };
        let set = |text: &str, path: &str, value: &str| {
            plan::apply(text, &PlanEdit::SetScalar { path: path.to_owned(), value: value.to_owned() }).unwrap()
        };
        let text = plan::blank(&starter);
        let repeated = |text: &str| check(text.to_owned()).repeated_measurements;
        assert_eq!(repeated(&text), 2 * 3 * 2 * 3, "two frameworks, three finalists, two scenarios, three repeats");
        assert_eq!(repeated(&set(&text, "search.max_candidates_per_framework", "2")), 2 * 2 * 2 * 3);
        assert_eq!(repeated(&set(&text, "search.repeats", "1")), 0);
        assert_eq!(repeated(&set(&text, "dataset.num_prompts", "20")), 0, "a flow check has no second pass");
    }
}
