//! What the server says about itself, in each framework's shape, always with `simulated`.

use podium_domain::framework::Framework;
use serde_json::{Value, json};

use super::http::App;
use crate::engine::Stats;

/// The version that the server claims; the suffix keeps it from being taken for a real release.
pub(super) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "+simulated");

pub(super) fn models(app: &App) -> Value {
    let options = &app.options;
    let owner = match options.framework {
        Framework::Vllm => "vllm",
        Framework::Sglang => "sglang",
        Framework::TensorrtLlm => "tensorrt_llm",
        Framework::Tokenspeed => "tokenspeed",
        Framework::LlamaCpp => "llamacpp",
    };
    let entries: Vec<_> = options
        .served_names
        .iter()
        .map(|name| {
            let mut entry = json!({
                "id": name, "object": "model", "created": app.created_unix_s, "owned_by": owner,
                "root": options.model, "parent": null, "simulated": true,
            });
            match options.framework {
                Framework::LlamaCpp => {
                    entry["meta"] = json!({
                        "n_ctx": options.engine.max_seq_tokens,
                        "n_params": options.engine.model.spec().parameters,
                        "size": options.engine.weight_bytes(),
                    });
                }
                Framework::TensorrtLlm => {}
                _ => entry["max_model_len"] = options.engine.max_seq_tokens.into(),
            }
            entry
        })
        .collect();
    json!({ "object": "list", "data": entries })
}

pub(super) fn server_info(app: &App, stats: &Stats) -> Value {
    let (options, engine) = (&app.options, &app.options.engine);
    json!({
        "simulated": true,
        "version": VERSION,
        "model_path": options.model,
        "served_model_name": app.main_name(),
        "tp_size": engine.tensor_parallel,
        "pp_size": engine.pipeline_parallel,
        "dp_size": engine.data_parallel,
        "context_length": engine.max_seq_tokens,
        "max_running_requests": engine.max_running,
        "chunked_prefill_size": if engine.chunked_prefill { i64::from(engine.token_budget) } else { -1 },
        "page_size": engine.block_tokens,
        "disable_radix_cache": !engine.prefix_cache,
        "disable_cuda_graph": engine.graph_batch.is_none(),
        "max_total_num_tokens": stats.kv_total_blocks * u64::from(stats.block_tokens),
        "status": if app.is_ready() { "ready" } else { "loading" },
    })
}

pub(super) fn model_info(app: &App) -> Value {
    json!({
        "simulated": true, "model_path": app.options.model, "tokenizer_path": app.options.model, "is_generation": true,
    })
}

pub(super) fn props(app: &App) -> Value {
    json!({
        "simulated": true,
        "build_info": VERSION,
        "model_path": app.options.model,
        "total_slots": app.options.engine.max_running,
        "default_generation_settings": { "n_ctx": app.options.engine.max_seq_tokens },
    })
}
