//! YAML text to a validated plan.

use podium_domain::plan::{Dataset, Hardware, Model, Plan, Search};
use serde::Serialize;

use super::context::{At, Findings, Section};
use super::problem::{Filled, Problem, suggestion};
use super::tree::{self, Tree};
use super::{frameworks, searches, workload};
use crate::help::HelpSet;

/// What a plan text says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanReading {
    /// The plan with every default filled in; only where there are no problems.
    pub plan: Option<Plan>,
    /// Everything that is wrong, in the order of the text.
    pub problems: Vec<Problem>,
    /// What is odd and does not prevent a run.
    pub warnings: Vec<Problem>,
    /// The defaults that were filled in.
    pub filled: Vec<Filled>,
    /// Those of the defaults that the full schema demands of the plan itself. Podium runs such a plan; other tools of
    /// the format may refuse it. See [`strict_problems`].
    pub incomplete: Vec<Problem>,
}

/// Everything that keeps a plan from being one of the full schema: its problems, and what it left to Podium although
/// the schema demands it. In the order of the text.
pub fn strict_problems(reading: &PlanReading) -> Vec<Problem> {
    let mut problems: Vec<_> = reading.problems.iter().chain(&reading.incomplete).cloned().collect();
    problems.sort_by_key(|problem| problem.line);
    problems
}

/// Reads and validates a plan in either of its shapes: with the full schema, or as a run plan without
/// `schema_version`, `source` and `server_command`. Every problem is reported at once.
pub fn read(text: &str) -> PlanReading {
    read_with_help(text, None)
}

/// Like [`read`], and checks every flag against captured help texts where there are any.
pub fn read_with_help(text: &str, help: Option<&HelpSet>) -> PlanReading {
    read_with(text, &Surroundings { help, longest_row: None })
}

/// Finds the longest request of a file dataset: prompt plus answer in tokens, `None` where it cannot be told here (the
/// file is on another machine, there is no tokenizer), or what is wrong with the file.
pub type LongestRow<'a> = &'a dyn Fn(&Dataset, &Model) -> Result<Option<u32>, String>;

/// What a plan is checked against beside its own text.
#[derive(Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// Captured help texts of the frameworks.
    pub help: Option<&'a HelpSet>,
    /// For the sequence limits of a plan whose requests are in a file.
    pub longest_row: Option<LongestRow<'a>>,
}

/// Like [`read`], and checks the plan against what surrounds it.
pub fn read_with(text: &str, surroundings: &Surroundings<'_>) -> PlanReading {
    let mut findings = Findings::default();
    let plan = match tree::parse(without_bom(text)) {
        Ok(Tree { root, problems }) => {
            findings.problems = problems;
            plan(&mut findings, &At { node: &root, path: String::new() }, surroundings)
        }
        Err(problem) => {
            findings.problems.push(problem);
            None
        }
    };
    let Findings { mut problems, mut warnings, filled, incomplete } = findings;
    // Stable: several problems of one line keep the order of the checks.
    problems.sort_by_key(|problem| problem.line);
    warnings.sort_by_key(|warning| warning.line);
    PlanReading { plan: plan.filter(|_| problems.is_empty()), problems, warnings, filled, incomplete }
}

/// The text without the byte order mark that some editors write.
pub(super) fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Where a plan may come from.
const SOURCE_KINDS: [&str; 3] = ["podium", "llm_serving_cookbook", "llm_serving_auto_benchmark"];

fn plan(findings: &mut Findings, root: &At<'_>, surroundings: &Surroundings<'_>) -> Option<Plan> {
    if root.node.is_null() {
        findings.problem(root, "the plan is empty");
        return None;
    }
    let mut top = findings.section(root)?;
    schema_version(findings, &mut top);
    let source_kind = source(findings, &mut top);
    let model_section = top.get("model");
    let mut model = model(findings, &top, model_section);
    let hardware = hardware(findings, &mut top);
    let dataset = workload::dataset(findings, &mut top);
    let top_sla = top.get("sla");
    let benchmark = workload::benchmark(findings, &mut top, top_sla);
    if let Some(dataset) = &dataset {
        searches::enough_requests(findings, dataset, &benchmark.benchmark);
    }
    let search = search(findings, &mut top);
    if let Some(model) = &mut model
        && model.tokenizer.is_none()
    {
        model.tokenizer = benchmark.tokenizer;
    }
    let longest = match (&dataset, &model) {
        (Some(dataset), Some(model)) => longest(findings, &mut top, dataset, model, surroundings),
        (dataset, _) => dataset.as_ref().and_then(Dataset::longest_sequence),
    };
    let setting = frameworks::Setting {
        longest,
        framework_set: benchmark.framework_set.as_deref(),
        gpu_model: hardware.gpu_model.as_deref(),
        help: surroundings.help,
    };
    let frameworks = frameworks::frameworks(findings, &mut top, &setting);
    top.ignore(&["version_manifest"]);
    findings.finish(top);

    Some(Plan {
        source_kind,
        model: model?,
        hardware,
        dataset: dataset?,
        benchmark: benchmark.benchmark,
        sla: benchmark.sla,
        search,
        frameworks,
    })
}

/// The longest sequence of all scenarios, or of all rows of a file where somebody can tell.
fn longest(
    findings: &mut Findings,
    top: &mut Section<'_>,
    dataset: &Dataset,
    model: &Model,
    surroundings: &Surroundings<'_>,
) -> Option<u32> {
    let told = dataset.longest_sequence();
    let Some(longest_row) = surroundings.longest_row.filter(|_| told.is_none()) else { return told };
    match longest_row(dataset, model) {
        Ok(longest) => longest,
        Err(message) => {
            let line = top.get("dataset").and_then(|at| Some(at.node.get("path")?.line));
            findings.problems.push(Problem::new("dataset.path", line, message));
            None
        }
    }
}

fn schema_version(findings: &mut Findings, top: &mut Section<'_>) {
    match top.get("schema_version") {
        None => findings.fill_demanded(top, "schema_version", 1),
        Some(at) => {
            if let Some(version) = findings.whole(&at, 0..=u32::MAX)
                && version != 1
            {
                findings.problem(&at, format!("version {version} of the plan format is not known: use 1"));
            }
        }
    }
}

fn source(findings: &mut Findings, top: &mut Section<'_>) -> String {
    let default = || "podium".to_owned();
    let Some(at) = top.get("source") else {
        findings.fill_demanded(top, "source.kind", "podium");
        return default();
    };
    let Some(mut section) = findings.section(&at) else { return default() };
    let kind = match section.get("kind") {
        None => {
            findings.fill_demanded(&section, "kind", "podium");
            None
        }
        Some(at) => findings.text(&at).inspect(|kind| {
            if !SOURCE_KINDS.contains(&kind.as_str()) {
                let near = suggestion(kind, SOURCE_KINDS);
                let message = format!("`{kind}` is not a known source: use one of {}{near}", SOURCE_KINDS.join(", "));
                findings.problem(&at, message);
            }
        }),
    };
    section.ignore(&["url", "path", "revision", "commit", "date", "slug", "notes"]);
    findings.finish(section);
    kind.unwrap_or_else(default)
}

fn model(findings: &mut Findings, top: &Section<'_>, at: Option<At<'_>>) -> Option<Model> {
    let Some(at) = at else {
        findings.missing(top, "model", "is missing: give the model at least a name, `model: {name: …}`");
        return None;
    };
    let mut section = findings.section(&at)?;
    let name = match section.get("name") {
        Some(at) => findings.text(&at),
        None => {
            findings.missing(&section, "name", "is missing: give the model's hub name or folder");
            None
        }
    };
    let mut optional = |key| section.get(key).and_then(|at| findings.text(&at));
    let (tokenizer, precision, quantization) = (optional("tokenizer"), optional("precision"), optional("quantization"));
    findings.finish(section);
    Some(Model { name: name?, tokenizer, precision, quantization })
}

/// GPUs of one server at most.
const MAX_GPUS: u32 = 4096;

fn hardware(findings: &mut Findings, top: &mut Section<'_>) -> Hardware {
    let mut hardware = Hardware { gpu_model: None, gpu_count: 1, multi_node: false };
    let Some(at) = top.get("hardware") else {
        findings.fill_demanded(top, "hardware.gpu_count", 1);
        return hardware;
    };
    let Some(mut section) = findings.section(&at) else { return hardware };
    hardware.gpu_model = section.get("gpu_model").and_then(|at| findings.text(&at));
    match section.get("gpu_count") {
        Some(at) => hardware.gpu_count = findings.whole(&at, 0..=MAX_GPUS).unwrap_or(1),
        None => findings.fill_demanded(&section, "gpu_count", 1),
    }
    if let Some(at) = section.get("multi_node") {
        hardware.multi_node = findings.switch(&at).unwrap_or(false);
    }
    findings.finish(section);
    hardware
}

/// How candidates are generated; there is one way.
const CANDIDATE_GENERATION: &str = "baseline_first_bounded_product";

fn search(findings: &mut Findings, top: &mut Section<'_>) -> Search {
    let repeats = Search::DEFAULT_REPEATS;
    let mut search =
        Search { tier: 2, max_candidates_per_framework: 10, eager_serving: false, repeats, parallelism: 1 };
    let Some(at) = top.get("search") else {
        findings.fill("search.tier", search.tier);
        findings.fill_demanded(top, "search.max_candidates_per_framework", search.max_candidates_per_framework);
        findings.fill("search.repeats", search.repeats);
        return search;
    };
    let Some(mut section) = findings.section(&at) else { return search };
    match section.get("tier") {
        Some(at) => {
            let tier = findings.whole(&at, 1..=3).and_then(|tier| u8::try_from(tier).ok());
            search.tier = tier.unwrap_or(search.tier);
        }
        None => findings.fill("search.tier", search.tier),
    }
    match section.get("max_candidates_per_framework") {
        Some(at) => search.max_candidates_per_framework = findings.whole(&at, 1..=10_000).unwrap_or(10),
        None => findings.fill("search.max_candidates_per_framework", search.max_candidates_per_framework),
    }
    match section.get("repeats") {
        Some(at) => search.repeats = findings.whole(&at, 1..=Search::MAX_REPEATS).unwrap_or(search.repeats),
        None => findings.fill("search.repeats", search.repeats),
    }
    if let Some(at) = section.get("parallelism") {
        search.parallelism = findings.whole(&at, 1..=Search::MAX_PARALLELISM).unwrap_or(search.parallelism);
    }
    if let Some(at) = section.get("eager_serving") {
        search.eager_serving = findings.switch(&at).unwrap_or(false);
    }
    if let Some(at) = section.get("candidate_generation")
        && let Some(way) = findings.text(&at)
        && way != CANDIDATE_GENERATION
    {
        findings.problem(&at, format!("`{way}` is not a known way: use {CANDIDATE_GENERATION}"));
    }
    if let Some(at) = section.get("resume") {
        findings.switch(&at);
    }
    section.ignore(&["output_dir"]);
    findings.finish(section);
    search
}
