//! A plan: what to measure, on what, and what counts as good enough.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::flags::FlagMap;
use crate::framework::{Framework, ModelArgument};
use crate::lengths::PromptShape;
use crate::sla::Sla;

/// A validated plan, every default filled in. Its outer form is YAML; `podium_formats` reads and writes that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Where the plan comes from: `podium`, `llm_serving_cookbook`, …
    pub source_kind: String,
    /// What is served.
    pub model: Model,
    /// What it is served on.
    pub hardware: Hardware,
    /// What is asked of it.
    pub dataset: Dataset,
    /// How it is asked.
    pub benchmark: Benchmark,
    /// What counts as good enough.
    pub sla: Sla,
    /// How far to search.
    pub search: Search,
    /// The frameworks of the comparison, in the plan's order; only enabled ones.
    pub frameworks: IndexMap<Framework, FrameworkPlan>,
}

/// The model under test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Hub name or local path.
    pub name: String,
    /// Tokenizer name or path; the model's own where absent.
    pub tokenizer: Option<String>,
    /// For example `auto` or `bfloat16`.
    pub precision: Option<String>,
    /// For example `model default` or `fp8`.
    pub quantization: Option<String>,
}

/// The hardware that the plan is written for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hardware {
    /// For example `H100`.
    pub gpu_model: Option<String>,
    /// GPUs that one server may use; 0 for a server on the CPU.
    pub gpu_count: u32,
    /// Whether one server spans machines.
    pub multi_node: bool,
}

/// Where prompts come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dataset {
    /// `random`, or a file kind such as `custom` and `jsonl`.
    pub kind: String,
    /// The file, for file kinds.
    pub path: Option<String>,
    /// Requests per measurement.
    pub num_prompts: u32,
    /// Fixes prompts and arrivals.
    pub seed: u64,
    /// The scenarios, each one pair of lengths.
    pub scenarios: Vec<Scenario>,
    /// How drawn requests spread around the scenarios' lengths and what they share.
    #[serde(default)]
    pub shape: PromptShape,
    /// A file of recorded starts: measurements at a rate arrive as it says, at the measurement's mean rate.
    #[serde(default)]
    pub trace_path: Option<String>,
}

impl Dataset {
    /// The longest prompt plus output over all scenarios, tokens; `None` where no scenario says.
    pub fn longest_sequence(&self) -> Option<u32> {
        let longest = |s: &Scenario| self.shape.longest_sequence(s.input_len?, s.output_len?);
        self.scenarios.iter().filter_map(longest).max()
    }
}

/// A run with this many prompts or fewer is a flow check: stored and shown under that label, without a winner.
pub const FLOW_CHECK_MAX_PROMPTS: u32 = 20;

/// One workload of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Unique in its plan.
    pub name: String,
    /// Prompt tokens of every request; absent for file datasets.
    pub input_len: Option<u32>,
    /// Output tokens of every request; absent for file datasets.
    pub output_len: Option<u32>,
}

/// The request path that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Endpoint {
    /// `/v1/completions`
    #[serde(rename = "/v1/completions")]
    Completions,
    /// `/v1/chat/completions`
    #[serde(rename = "/v1/chat/completions")]
    ChatCompletions,
}

impl Endpoint {
    /// Both endpoints.
    pub const ALL: [Endpoint; 2] = [Endpoint::Completions, Endpoint::ChatCompletions];

    /// The path part of the URL.
    pub fn path(self) -> &'static str {
        match self {
            Endpoint::Completions => "/v1/completions",
            Endpoint::ChatCompletions => "/v1/chat/completions",
        }
    }
}

/// How the server is driven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Benchmark {
    /// The request path.
    pub endpoint: Endpoint,
    /// Limits of requests in flight; `None` is no limit. See [`Benchmark::planned_loads`].
    pub max_concurrency: Vec<Option<u32>>,
    /// Fixed arrival rates, requests per second.
    pub request_rates: Vec<f64>,
    /// The rate search, where the plan asks for one.
    pub qps: Option<QpsRange>,
    /// The search for the largest number of requests in flight, where the plan asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_search: Option<ConcurrencyRange>,
    /// Whether every rate runs under every cap.
    pub load_matrix: LoadMatrix,
    /// Laid over the body of every request.
    pub extra_request_body: Map<String, Value>,
    /// Requests sent before each measurement and not counted; their prompts are never measured ones.
    pub warmup_requests: u32,
    /// A request without an answer for this long fails, seconds.
    pub request_timeout_s: f64,
    /// A server that is not ready by then has timed out, seconds.
    pub startup_timeout_s: f64,
}

/// How rates and caps combine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadMatrix {
    /// Every rate runs under the first listed cap.
    #[default]
    FirstCap,
    /// Every rate runs under every cap.
    Product,
}

/// Where the highest load that holds the SLA is searched.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SearchRange<T> {
    /// Lowest load of interest.
    pub lower: T,
    /// Highest load of interest.
    pub upper: T,
    /// The search ends when the bracket is this narrow.
    pub tolerance: T,
    /// Bisection steps at most, after the two ends.
    pub max_rounds: u32,
}

/// A search over rates, requests per second.
pub type QpsRange = SearchRange<f64>;

/// A search over requests in flight.
pub type ConcurrencyRange = SearchRange<u32>;

/// How many candidates are generated, and how often the best are measured again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// 1 smoke, 2 bounded sweep, 3 exhaustive.
    pub tier: u8,
    /// Candidates per framework, the baseline included.
    pub max_candidates_per_framework: u32,
    /// Whether serving without CUDA graphs is what the plan asks about. Elsewhere it only shows that a server starts.
    #[serde(default)]
    pub eager_serving: bool,
    /// How often the second pass measures the baseline and the best of each framework again; 1 is no second pass. See
    /// [`Plan::repeats`].
    #[serde(default = "Search::one")]
    pub repeats: u32,
    /// On how many nodes of a cluster candidates are measured at once. On any other host it is one after the other.
    #[serde(default = "Search::one")]
    pub parallelism: u32,
}

impl Search {
    /// Repeats of a plan that does not say how many.
    pub const DEFAULT_REPEATS: u32 = 3;

    /// Repeats at most.
    pub const MAX_REPEATS: u32 = 20;

    /// Nodes at once at most.
    pub const MAX_PARALLELISM: u32 = 64;

    /// A plan that was stored before there was a second pass, or more than one node, ran without.
    fn one() -> u32 {
        1
    }
}

/// One framework's part of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameworkPlan {
    /// Split as a shell would; never passed to one.
    pub server_command: String,
    /// The model's location for this framework, where it differs from the plan's model name (a GGUF file, a folder).
    pub model_path: Option<String>,
    /// Flags of every candidate.
    pub base_server_flags: FlagMap,
    /// Values to try, laid over the base in key order.
    pub search_space: IndexMap<String, Vec<Value>>,
    /// TensorRT-LLM only: `fixed_pytorch`.
    pub backend_policy: Option<String>,
}

impl Plan {
    /// Whether this run shows only that everything works: it then yields no winner.
    pub fn is_flow_check(&self) -> bool {
        self.dataset.num_prompts <= FLOW_CHECK_MAX_PROMPTS
    }

    /// Repeats of the second pass; 0 where there is none. A flow check has none: nothing is chosen by its figures.
    pub fn repeats(&self) -> u32 {
        if self.search.repeats < 2 || self.is_flow_check() { 0 } else { self.search.repeats }
    }

    /// The longest prompt plus output over all scenarios, tokens; `None` where no scenario has lengths.
    pub fn longest_sequence(&self) -> Option<u32> {
        self.dataset.longest_sequence()
    }

    /// Where `framework` finds the model.
    pub fn model_location<'a>(&'a self, framework: Framework, part: &'a FrameworkPlan) -> &'a str {
        if let Some(path) = &part.model_path {
            return path;
        }
        if let ModelArgument::Flag(flag) = framework.spec().model_argument
            && let Some(Value::String(path)) = part.base_server_flags.get(flag)
        {
            return path;
        }
        &self.model.name
    }

    /// A title for lists and pages: model, hardware and scenarios.
    pub fn title(&self) -> String {
        let model = self.model.name.trim_end_matches('/').rsplit('/').next().unwrap_or(&self.model.name);
        let hardware = match (self.hardware.gpu_count, &self.hardware.gpu_model) {
            (0, _) => "CPU".to_owned(),
            (count, Some(gpu)) => format!("{count}×{gpu}"),
            (1, None) => "1 GPU".to_owned(),
            (count, None) => format!("{count} GPUs"),
        };
        let scenarios: Vec<_> = self.dataset.scenarios.iter().map(|s| s.name.as_str()).collect();
        format!("{model} · {hardware} · {}", scenarios.join(", "))
    }
}
