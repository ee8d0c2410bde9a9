//! `dataset`, `benchmark` and `sla`: what is asked of a server, how, and what counts as good enough.

use std::path::Path;

use podium_domain::framework::Framework;
use podium_domain::lengths::PromptShape;
use podium_domain::plan::{Benchmark, Dataset, Endpoint, LoadMatrix, Scenario};
use podium_domain::sla::{SLA_KEYS, Sla};
use serde_json::{Map, Value};

use super::context::{At, Findings, Section, describe};
use super::problem::{Problem, suggestion};
use super::searches;
use super::shape;
use super::tree::Content;

/// Dataset kinds whose requests are in a file.
const FILE_KINDS: [&str; 5] = ["jsonl", "custom", "sharegpt", "openai_batch", "mooncake"];

/// Tokens of one prompt or output at most.
const MAX_TOKENS: u32 = 10_000_000;
/// Requests of one measurement at most.
const MAX_PROMPTS: u32 = 1_000_000;
/// Scenarios at most.
pub(super) const MAX_SCENARIOS: usize = 100;
/// Requests in flight at most.
pub(super) const MAX_CONCURRENCY: u32 = 100_000;
/// Requests per second at most.
pub(super) const MAX_RATE_RPS: f64 = 1_000_000.0;
/// Time-outs at most, seconds.
const MAX_TIMEOUT_S: f64 = 7.0 * 86_400.0;

/// Reads `dataset`.
pub(super) fn dataset(findings: &mut Findings, top: &mut Section<'_>) -> Option<Dataset> {
    let Some(at) = top.get("dataset") else {
        let message =
            "is missing: give scenarios by `scenario_names`, `input_len` and `output_len`, or a file by `path`";
        findings.missing(top, "dataset", message);
        return None;
    };
    let mut section = findings.section(&at)?;
    let kind = match section.get("kind") {
        Some(at) => dataset_kind(findings, &at),
        None => {
            findings.fill_demanded(&section, "kind", "random");
            Some("random".to_owned())
        }
    };
    let num_prompts = match section.get("num_prompts") {
        Some(at) => findings.whole(&at, 1..=MAX_PROMPTS).unwrap_or(1),
        None => {
            findings.fill("dataset.num_prompts", 80);
            80
        }
    };
    let seed = section.get("seed").and_then(|at| findings.whole(&at, 0..=u32::MAX)).unwrap_or(0);
    let is_file = kind.as_deref().is_some_and(|kind| FILE_KINDS.contains(&kind));
    let scenarios = if is_file { file_scenario(findings, &mut section) } else { scenarios(findings, &mut section) };
    let path = section.get("path").and_then(|at| findings.text(&at));
    if is_file && path.is_none() && section.entries.iter().all(|entry| entry.key != "path" || entry.value.is_null()) {
        findings.missing(&section, "path", "is missing: a file dataset needs the path of its file");
    }
    let shape = if is_file {
        shape::ignored(findings, &mut section);
        PromptShape::default()
    } else {
        let shape = shape::shape(findings, &mut section);
        check_prefix(findings, &mut section, &shape, scenarios.as_deref().unwrap_or_default());
        shape
    };
    let trace_path = section.get("trace_path").and_then(|at| findings.text(&at));
    findings.finish(section);
    Some(Dataset { kind: kind?, path, num_prompts, seed: u64::from(seed), scenarios: scenarios?, shape, trace_path })
}

/// A shared prefix is a part of every prompt.
fn check_prefix(findings: &mut Findings, section: &mut Section<'_>, shape: &PromptShape, scenarios: &[Scenario]) {
    let Some(at) = section.get("shared_prefix") else { return };
    let shortest = scenarios.iter().filter_map(|scenario| scenario.input_len).min();
    if let (Some(shared), Some(shortest)) = (shape.shared_prefix, shortest)
        && shared.prefix_len >= shortest
    {
        let message = format!(
            "its {} tokens are part of each prompt, and the shortest prompt has {shortest}: use fewer",
            shared.prefix_len
        );
        findings.problem(&at, message);
    }
}

fn dataset_kind(findings: &mut Findings, at: &At<'_>) -> Option<String> {
    let kind = findings.text(at)?;
    if kind == "random" || FILE_KINDS.contains(&kind.as_str()) {
        return Some(kind);
    }
    let message = match kind.as_str() {
        "trace" => "`trace` is not a kind: use mooncake for a file of lengths, and `trace_path` for starts".to_owned(),
        "autobench" => "`autobench` files hold the canonical request lines: use jsonl".to_owned(),
        _ => {
            let near = suggestion(&kind, FILE_KINDS.into_iter().chain(["random"]));
            format!("`{kind}` is not a known kind: use random, {}{near}", FILE_KINDS.join(", "))
        }
    };
    findings.problem(at, message);
    None
}

/// The single scenario of a file dataset.
fn file_scenario(findings: &mut Findings, section: &mut Section<'_>) -> Option<Vec<Scenario>> {
    for key in ["input_len", "output_len"] {
        if let Some(at) = section.get(key) {
            findings.warning(&at, "is ignored: the lengths of a file dataset are those of its requests");
        }
    }
    let names = section.get("scenario_names").and_then(|at| Some((findings.list(&at)?, at)));
    let name = match names {
        Some((items, at)) if items.len() > 1 => {
            findings.problem(&at, "names more than one scenario, and a file dataset is one: keep one name");
            None
        }
        Some((items, _)) => items.first().and_then(|item| findings.text(item)),
        None => {
            let file = section.get("path").and_then(|at| match &at.node.content {
                Content::Scalar(Value::String(path)) => Some(path.clone()),
                _ => None,
            });
            let stem = file.as_deref().and_then(|path| Path::new(path).file_stem()?.to_str()).unwrap_or("file");
            findings.fill("dataset.scenario_names", format!("[{stem}]"));
            Some(stem.to_owned())
        }
    };
    name.map(|name| vec![Scenario { name, input_len: None, output_len: None }])
}

/// The scenarios of a generated dataset: three aligned lists, or named pairs of every length with every other where the
/// plan asks for them.
fn scenarios(findings: &mut Findings, section: &mut Section<'_>) -> Option<Vec<Scenario>> {
    let input = lengths(findings, section, "input_len");
    let output = lengths(findings, section, "output_len");
    let is_product = section.get("scenario_product").and_then(|at| findings.switch(&at)).unwrap_or(false);
    let named = section.get("scenario_names");
    let names = match &named {
        Some(at) => match findings.list(at) {
            Some(items) => Some((items.len(), names(findings, &items))),
            None => return None,
        },
        None => None,
    };
    let (input_at, input_count, input) = input?;
    let (_, output_count, output) = output?;
    let ((input_count, input), (output_count, output)) = match is_product {
        true => pairs((input_count, input), (output_count, output)),
        false => ((input_count, input), (output_count, output)),
    };
    let names_count = names.as_ref().map(|(count, _)| *count);
    if input_count != output_count || names_count.is_some_and(|count| count != input_count) {
        let names = names_count.map(|count| format!("{count} `scenario_names`, ")).unwrap_or_default();
        let message = match is_product {
            true => format!(
                "{}names do not fit {input_count} pairs: name every pair, the output length changing fastest, or none",
                names.trim_end_matches(", ").replace("`scenario_names`", "scenario ")
            ),
            false => format!(
                "the scenario lists are not aligned: {names}{input_count} `input_len` and {output_count} `output_len`; \
                 item n of each list belongs to scenario n, unless `scenario_product: true` pairs every one with every \
                 other"
            ),
        };
        // Such scenarios as there are go on, so that a sequence limit too short for one of them is told as well.
        findings.problem(named.as_ref().unwrap_or(&input_at), message);
    }
    if input_count > MAX_SCENARIOS {
        findings.problem(&input_at, format!("{input_count} scenarios are too many: at most {MAX_SCENARIOS}"));
        return None;
    }
    let (input, output) = (input?, output?);
    let names = match names {
        Some((_, names)) => names?,
        None => {
            let names = generated_names(&input, &output);
            findings.fill_demanded(section, "scenario_names", format!("[{}]", names.join(", ")));
            names
        }
    };
    let lengths = input.into_iter().zip(output);
    let scenario = |(name, (input, output))| Scenario { name, input_len: Some(input), output_len: Some(output) };
    Some(names.into_iter().zip(lengths).map(scenario).collect())
}

/// How many lengths a list has, and the lengths where all of them are right.
type Counted = (usize, Option<Vec<u32>>);

/// Every input length with every output length, the output changing fastest: two lists that are aligned.
fn pairs((input_count, input): Counted, (output_count, output): Counted) -> (Counted, Counted) {
    let count = input_count.saturating_mul(output_count);
    // What is too much is told by its number alone.
    let lists = input.zip(output).filter(|_| count <= MAX_SCENARIOS).map(|(input, output)| {
        let each = input.iter().flat_map(|&long| output.iter().map(move |&short| (long, short)));
        each.unzip()
    });
    let (input, output) = lists.unzip();
    ((count, input), (count, output))
}

type Lengths<'a> = (At<'a>, usize, Option<Vec<u32>>);

/// A list of lengths: where it is, how many it holds, and the lengths if all of them are right.
fn lengths<'a>(findings: &mut Findings, section: &mut Section<'a>, key: &'static str) -> Option<Lengths<'a>> {
    let Some(at) = section.get(key) else {
        findings.missing(section, key, "is missing: give one length in tokens for each scenario");
        return None;
    };
    let items = findings.list(&at)?;
    let lengths: Vec<_> = items.iter().map(|item| findings.whole(item, 1..=MAX_TOKENS)).collect();
    Some((at, items.len(), lengths.into_iter().collect()))
}

fn names(findings: &mut Findings, items: &[At<'_>]) -> Option<Vec<String>> {
    let mut names = Vec::with_capacity(items.len());
    let mut complete = true;
    for item in items {
        match findings.text(item) {
            Some(name) if names.contains(&name) => {
                findings.problem(item, format!("the scenario name `{name}` is given twice"));
                complete = false;
            }
            Some(name) => names.push(name),
            None => complete = false,
        }
    }
    complete.then_some(names)
}

fn generated_names(input: &[u32], output: &[u32]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(input.len());
    for (index, (input, output)) in input.iter().zip(output).enumerate() {
        let name = format!("in{input}-out{output}");
        names.push(if names.contains(&name) { format!("{name}-{}", index + 1) } else { name });
    }
    names
}

/// `benchmark`, and what else stands in it.
pub(super) struct ReadBenchmark {
    pub benchmark: Benchmark,
    pub sla: Sla,
    pub tokenizer: Option<String>,
    pub framework_set: Option<Vec<Framework>>,
}

/// Reads `benchmark`, and the SLA wherever it is.
pub(super) fn benchmark(findings: &mut Findings, top: &mut Section<'_>, top_sla: Option<At<'_>>) -> ReadBenchmark {
    let mut read = ReadBenchmark {
        benchmark: Benchmark {
            endpoint: Endpoint::Completions,
            max_concurrency: vec![None],
            request_rates: Vec::new(),
            qps: None,
            concurrency_search: None,
            load_matrix: LoadMatrix::FirstCap,
            extra_request_body: Map::new(),
            warmup_requests: 4,
            request_timeout_s: 600.0,
            startup_timeout_s: 1800.0,
        },
        sla: Sla::default(),
        tokenizer: None,
        framework_set: None,
    };
    let mut section = match top.get("benchmark") {
        Some(at) => findings.section(&at),
        None => {
            findings.fill_demanded(top, "benchmark.endpoint", Endpoint::Completions.path());
            findings.fill("benchmark.max_concurrency", "[null]");
            None
        }
    };
    let inner_sla = section.as_mut().and_then(|section| section.get("sla"));
    match (top_sla, inner_sla) {
        (Some(_), Some(inner)) => {
            findings.problem(&inner, "the SLA is given here and under `sla` at the top: keep one of them");
        }
        (Some(at), None) | (None, Some(at)) => read.sla = sla(findings, &at),
        (None, None) => {
            let message = "there is no SLA: every candidate that answers passes, and the fastest wins";
            findings.warnings.push(Problem::new("sla", None, message));
        }
    }
    if let Some(section) = section {
        benchmark_section(findings, section, &mut read);
    }
    let searches = [
        ("qps", read.benchmark.qps.is_some(), "request_rates"),
        ("concurrency_search", read.benchmark.concurrency_search.is_some(), "max_concurrency"),
    ];
    for (key, given, fixed) in searches {
        if given && read.sla.is_empty() {
            let message = format!("a search without an SLA only confirms its upper end: give limits, or use {fixed}");
            findings.warnings.push(Problem::new(format!("benchmark.{key}"), None, message));
        }
    }
    read
}

fn benchmark_section(findings: &mut Findings, mut section: Section<'_>, read: &mut ReadBenchmark) {
    let benchmark = &mut read.benchmark;
    match section.get("endpoint") {
        Some(at) => benchmark.endpoint = endpoint(findings, &at).unwrap_or(benchmark.endpoint),
        None => findings.fill_demanded(&section, "endpoint", benchmark.endpoint.path()),
    }
    read.tokenizer = section.get("tokenizer").and_then(|at| findings.text(&at));
    match section.get("max_concurrency") {
        Some(at) => {
            let caps = values(findings, &at).into_iter().map(|item| match item.node.is_null() {
                true => Some(None),
                false => findings.whole(&item, 1..=MAX_CONCURRENCY).map(Some),
            });
            benchmark.max_concurrency = caps.flatten().collect();
        }
        None => findings.fill("benchmark.max_concurrency", "[null]"),
    }
    if let Some(at) = section.get("request_rates") {
        let rates = values(findings, &at).into_iter().map(|item| findings.positive(&item, MAX_RATE_RPS));
        benchmark.request_rates = rates.flatten().collect();
    }
    benchmark.qps = section.get("qps").and_then(|at| searches::rate(findings, &at));
    benchmark.concurrency_search =
        section.get("concurrency_search").and_then(|at| searches::concurrency(findings, &at));
    if benchmark.concurrency_search.is_some()
        && benchmark.max_concurrency.iter().any(Option::is_some)
        && let Some(at) = section.get("max_concurrency")
    {
        let text = "is only the limit of rates here: `concurrency_search` takes the place of its closed loops";
        findings.warning(&at, text.to_owned());
    }
    if benchmark.qps.is_some()
        && !benchmark.request_rates.is_empty()
        && let Some(at) = section.get("request_rates")
    {
        findings.warning(&at, "is not measured beside `qps`: the search takes its place".to_owned());
    }
    if let Some(at) = section.get("load_matrix")
        && let Some(word) = findings.text(&at)
    {
        match word.as_str() {
            "first_cap" => benchmark.load_matrix = LoadMatrix::FirstCap,
            "product" => benchmark.load_matrix = LoadMatrix::Product,
            _ => findings.problem(&at, format!("`{word}` is not known: use first_cap or product")),
        }
    }
    if let Some(at) = section.get("extra_request_body") {
        match at.node.to_value() {
            Value::Object(body) => benchmark.extra_request_body = body,
            _ => benchmark.extra_request_body = findings.wrong_type(&at, "a mapping").unwrap_or_default(),
        }
    }
    if let Some(at) = section.get("warmup_requests") {
        benchmark.warmup_requests = findings.whole(&at, 0..=10_000).unwrap_or(benchmark.warmup_requests);
    }
    if let Some(at) = section.get("request_timeout_s") {
        benchmark.request_timeout_s = findings.positive(&at, MAX_TIMEOUT_S).unwrap_or(benchmark.request_timeout_s);
    }
    if let Some(at) = section.get("startup_timeout_s") {
        benchmark.startup_timeout_s = findings.positive(&at, MAX_TIMEOUT_S).unwrap_or(benchmark.startup_timeout_s);
    }
    if let Some(at) = section.get("framework_set") {
        read.framework_set = framework_set(findings, &at);
    }
    section.ignore(&["backend", "output_dir", "resume"]);
    findings.finish(section);
}

fn endpoint(findings: &mut Findings, at: &At<'_>) -> Option<Endpoint> {
    let path = findings.text(at)?;
    let found = Endpoint::ALL.into_iter().find(|endpoint| endpoint.path() == path);
    if found.is_none() {
        let known = Endpoint::ALL.map(Endpoint::path);
        findings.problem(at, format!("`{path}` is not an endpoint that is measured: use {}", known.join(" or ")));
    }
    found
}

/// The items of a list; a single value stands for a list of one.
fn values<'a>(findings: &mut Findings, at: &At<'a>) -> Vec<At<'a>> {
    match at.node.content {
        Content::Scalar(_) => vec![at.clone()],
        _ => findings.list(at).unwrap_or_default(),
    }
}

fn framework_set(findings: &mut Findings, at: &At<'_>) -> Option<Vec<Framework>> {
    let items = findings.list(at)?;
    let mut set = Vec::new();
    for item in items {
        if let Some(name) = findings.text(&item) {
            match name.parse() {
                Ok(framework) => set.push(framework),
                Err(unknown) => findings.problem(&item, format!("{unknown}")),
            }
        }
    }
    Some(set)
}

/// Limits of tails and of unnamed statistics, which other tools once took, and the limit to use.
const DEPRECATED_SLA_KEYS: [(&str, &str); 6] = [
    ("max_p99_ttft_ms", "max_p50_ttft_ms"),
    ("max_p99_tpot_ms", "max_p50_tpot_ms"),
    ("max_p99_e2e_ms", "max_p50_e2e_ms"),
    ("max_ttft_ms", "max_p50_ttft_ms"),
    ("max_tpot_ms", "max_p50_tpot_ms"),
    ("max_e2e_ms", "max_p50_e2e_ms"),
];

fn sla(findings: &mut Findings, at: &At<'_>) -> Sla {
    let mut sla = Sla::default();
    let Some(section) = findings.section(at) else { return sla };
    for entry in section.entries {
        let at = At { node: &entry.value, path: section.child(&entry.key) };
        let limit = match entry.key.as_str() {
            "max_p50_ttft_ms" => &mut sla.max_p50_ttft_ms,
            "max_p50_tpot_ms" => &mut sla.max_p50_tpot_ms,
            "max_p50_e2e_ms" => &mut sla.max_p50_e2e_ms,
            "min_success_rate" => &mut sla.min_success_rate,
            key => {
                let message = match DEPRECATED_SLA_KEYS.iter().find(|(deprecated, _)| *deprecated == key) {
                    Some((_, instead)) => format!("`{key}` is deprecated: use `{instead}`"),
                    None => {
                        let near = suggestion(key, SLA_KEYS);
                        format!("`{key}` is not a limit: the limits are {}{near}", SLA_KEYS.join(", "))
                    }
                };
                findings.problems.push(Problem::new(at.path, Some(entry.line), message));
                continue;
            }
        };
        if entry.value.is_null() {
            continue;
        }
        *limit = if entry.key == "min_success_rate" { share(findings, &at) } else { findings.positive(&at, 1e9) };
    }
    sla
}

fn share(findings: &mut Findings, at: &At<'_>) -> Option<f64> {
    let Content::Scalar(Value::Number(number)) = &at.node.content else {
        return findings.wrong_type(at, "a number");
    };
    let share = number.as_f64().filter(|share| (0.0..=1.0).contains(share));
    if share.is_none() {
        findings.problem(at, format!("must be a share between 0 and 1, found {}", describe(at.node)));
    }
    share
}
