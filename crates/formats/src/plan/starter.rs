//! The plan to start from: a mostly tensor-parallel baseline and a few knobs that matter most.

use podium_domain::form::PlanForm;
use podium_domain::framework::Framework;

use super::inline::quote;

/// What a starter plan is made for.
#[derive(Debug, Clone, PartialEq)]
pub struct Starter {
    /// Hub name or folder of the model.
    pub model_name: String,
    /// The frameworks to compare, in this order.
    pub frameworks: Vec<Framework>,
    /// For example `H100`.
    pub gpu_model: Option<String>,
    /// GPUs of one server; 0 for the CPU.
    pub gpu_count: u32,
}

/// A commented plan that validates: two scenarios, an SLA, a rate search, and for each framework a baseline with two
/// searched knobs.
pub fn blank(starter: &Starter) -> String {
    let gpu_model = starter.gpu_model.as_deref().map(quote).unwrap_or_else(|| "null".to_owned());
    let sizes = Sizes { gpu_count: starter.gpu_count, longest: 9000, tier: DEFAULT_TIER };
    let mut text = format!(
        "schema_version: 1
source:
  kind: podium
model:
  name: {model}
hardware:
  gpu_model: {gpu_model}
  gpu_count: {gpu_count}
dataset:
  kind: random
  num_prompts: 80  # 20 or fewer is a flow check, which yields no winner
  # Item n of each list belongs to scenario n; lengths are tokens.
  scenario_names: [chat, summarization]
  input_len: [1000, 8000]
  output_len: [1000, 1000]
benchmark:
  endpoint: /v1/completions
  max_concurrency: [null, 8, 32]  # null is no limit
  # The highest request rate that holds the SLA is searched between these, requests per second.
  qps:
    lower: 0.25
    upper: 8.0
    tolerance: 0.1
    max_rounds: 5
sla:
  max_p50_ttft_ms: 1500
  max_p50_tpot_ms: 30
  min_success_rate: 0.99
search:
  tier: 2
  max_candidates_per_framework: 8  # the baseline counts
  repeats: 3  # how often the baseline and the best two are launched and measured again; 1 is not at all
frameworks:
",
        model = quote(&starter.model_name),
        gpu_count = starter.gpu_count,
    );
    for &framework in &starter.frameworks {
        text.push_str(&format!("  {}:\n", framework.id()));
        for line in framework_lines(framework, &sizes) {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

/// What the flags of a starter part depend on.
pub(super) struct Sizes {
    pub gpu_count: u32,
    /// Prompt plus output of the longest scenario, tokens.
    pub longest: u32,
    /// How deep the search is to be: 1 to 3.
    pub tier: u8,
}

/// The tier of a plan that names none.
const DEFAULT_TIER: u8 = 2;

/// The candidates of each framework that a search of this depth is worth, the baseline included.
pub fn proposed_limit(tier: u8) -> u32 {
    match tier {
        1 => 3,
        2 => 8,
        _ => 40,
    }
}

impl Sizes {
    /// The sizes of a plan that is being edited, as far as its fields can be read.
    pub fn of_form(form: &PlanForm) -> Self {
        let number = |text: &str| text.parse::<u32>().ok();
        let longest =
            form.scenarios.iter().filter_map(|row| number(&row.input_len)?.checked_add(number(&row.output_len)?)).max();
        Sizes {
            gpu_count: number(&form.gpu_count).unwrap_or(1),
            longest: longest.unwrap_or(9000),
            tier: tier_of(&form.tier),
        }
    }
}

/// The tier that a form's field holds.
pub(super) fn tier_of(text: &str) -> u8 {
    text.trim().parse().ok().filter(|tier| (1..=3).contains(tier)).unwrap_or(DEFAULT_TIER)
}

/// The flags that a search of this depth tries, with their values: the one that matters most, a few, or whatever is
/// worth a long run.
pub(super) fn proposed_search(framework: Framework, tier: u8) -> Vec<(&'static str, &'static str)> {
    let (first, second, rest): ((_, _), (_, _), &[_]) = match framework {
        Framework::Sglang => (
            ("chunked_prefill_size", "[4096, 8192]"),
            ("max_running_requests", "[32, 64, 128]"),
            &[("num_continuous_decode_steps", "[1, 4]"), ("disable_overlap_schedule", "[null, true]")],
        ),
        Framework::Vllm => (
            ("max_num_batched_tokens", "[8192, 16384]"),
            ("max_num_seqs", "[64, 128, 256]"),
            &[("enable_chunked_prefill", "[true, false]"), ("enable_prefix_caching", "[true, false]")],
        ),
        Framework::TensorrtLlm => (
            ("max_num_tokens", "[8192, 16384]"),
            ("max_batch_size", "[64, 128, 256]"),
            &[
                ("enable_chunked_prefill", "[null, true]"),
                ("scheduler_config.capacity_scheduler_policy", "[GUARANTEED_NO_EVICT, MAX_UTILIZATION]"),
            ],
        ),
        Framework::Tokenspeed => (("chunked_prefill_size", "[8192, 16384]"), ("max_num_seqs", "[64, 128, 256]"), &[]),
        Framework::LlamaCpp => {
            (("parallel", "[4, 8]"), ("ubatch_size", "[256, 512]"), &[("flash_attn", "[\"on\", \"off\"]")])
        }
    };
    match tier {
        1 => vec![first],
        2 => vec![first, second],
        _ => [&[first, second], rest].concat(),
    }
}

/// Slots of a llama.cpp server at most in a starter part.
const LLAMA_CPP_SLOTS: u32 = 8;

/// The lines of one framework's part, without indentation.
pub(super) fn framework_lines(framework: Framework, sizes: &Sizes) -> Vec<String> {
    let gpus = sizes.gpu_count.max(1);
    // Room for a few tokens more than asked: chat templates add some.
    let context = sizes.longest.saturating_add(512).next_multiple_of(1024).max(2048);
    let base: Vec<String> = match framework {
        Framework::Sglang => {
            vec![format!("tp_size: {gpus}"), "mem_fraction_static: 0.85".into(), "schedule_policy: lpm".into()]
        }
        Framework::Vllm => vec![
            format!("tensor_parallel_size: {gpus}"),
            "gpu_memory_utilization: 0.9".into(),
            format!("max_model_len: {context}"),
        ],
        Framework::TensorrtLlm => vec![
            "backend: pytorch".into(),
            format!("tp_size: {gpus}"),
            "kv_cache_free_gpu_memory_fraction: 0.85".into(),
            format!("max_seq_len: {context}"),
        ],
        Framework::Tokenspeed => vec![
            format!("tensor_parallel_size: {gpus}"),
            "gpu_memory_utilization: 0.9".into(),
            format!("max_model_len: {context}"),
        ],
        Framework::LlamaCpp => {
            vec![format!("ctx_size: {}", context.saturating_mul(LLAMA_CPP_SLOTS)), "parallel: 4".into()]
        }
    };
    let mut lines = vec![format!("server_command: {}", quote(framework.spec().server_command))];
    if framework == Framework::TensorrtLlm {
        lines.push("backend_policy: fixed_pytorch".into());
    }
    lines.push("base_server_flags:".into());
    lines.extend(base.into_iter().map(|line| format!("  {line}")));
    lines.push("search_space:".into());
    let search = proposed_search(framework, sizes.tier);
    lines.extend(search.into_iter().map(|(flag, values)| format!("  {flag}: {values}")));
    lines
}
