//! From flags to the options of a simulated server.

use std::collections::HashMap;
use std::time::Duration;

use podium_domain::flags::spell;
use podium_domain::framework::{Framework, ModelArgument};
use serde_json::Value;

use super::effects::{self, Effect};
use super::syntax::{self, Given, GivenValue, SyntaxError, Words};
use super::{CliError, Command, Fault, ServerOptions, flags, help, options_file};
use crate::engine::{EngineConfig, Gpu, MemoryRule, Model, NumberFormat};

/// Not the real servers' wildcard address: a simulation has no business on a network.
const DEFAULT_HOST: &str = "127.0.0.1";
const DEFAULT_STARTUP_S: f64 = 1.0;
const DEFAULT_GPU_COUNT: u32 = 8;
/// The longest sequence that any simulated model takes. Real models of one size differ, and the simulator does not know
/// which of them a name means.
const LONGEST_SEQUENCE: u32 = 1 << 20;
/// Attention heads that a tensor-parallel split has to divide.
const ATTENTION_HEADS: u32 = 64;

/// Reads the words after `podium sim <framework>`. `environment` looks up a variable.
///
/// # Errors
/// When the real server would refuse the command line: unknown flags, values of the wrong kind, or combinations with
/// which it does not start.
pub fn parse(
    framework: Framework,
    words: &[String],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Command, CliError> {
    let lacks = flags::lacked(words, environment);
    let (positional, given) = match syntax::read(framework, words, &lacks) {
        Ok(Words::Help) => return Ok(Command::Print(help::full(framework, &lacks))),
        Ok(Words::Version) => return Ok(Command::Print(help::version(framework))),
        Ok(Words::Flags { model, given }) => (model, given),
        Err(error) => return Err(usage(framework, &complaint(framework, &error))),
    };
    let named: HashMap<&str, &Given> = given.iter().map(|flag| (flag.name.as_str(), flag)).collect();
    let word = |name: &str| named.get(name).and_then(|flag| first_word(flag));
    let simulator =
        |name: &str| word(name).map(str::to_owned).or_else(|| environment(&format!("PODIUM_{}", name.to_uppercase())));
    let wrong = |name: &str, problem: String| {
        usage(framework, &format!("argument {}: {problem}", spell(name, framework.spec().spelling)))
    };

    let model = match framework.spec().model_argument {
        ModelArgument::Positional => positional,
        ModelArgument::Flag(flag) => word(flag).map(str::to_owned),
    };
    let Some(model) = model else { return Err(usage(framework, &help::missing_model(framework))) };
    let gpu = match simulator("sim_gpu") {
        Some(text) => {
            text.parse().map_err(|error: crate::engine::hardware::UnknownChoice| wrong("sim_gpu", error.to_string()))?
        }
        None => Gpu::H100,
    };
    let served_names = served_names(framework, &named, &model);
    let simulated_model = match simulator("sim_model") {
        Some(text) => text
            .parse()
            .map_err(|error: crate::engine::hardware::UnknownChoice| wrong("sim_model", error.to_string()))?,
        None => Model::guess(&model),
    };
    let startup = match simulator("sim_startup_s") {
        Some(text) => text
            .parse()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .ok_or_else(|| wrong("sim_startup_s", format!("invalid value: '{text}' (seconds, 0 or more)")))?,
        None => Duration::from_secs_f64(DEFAULT_STARTUP_S),
    };
    let pre_scheduler = match simulator("sim_pre_scheduler_ms") {
        Some(text) => {
            text.parse::<f64>().ok().and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok()).ok_or_else(|| {
                wrong("sim_pre_scheduler_ms", format!("invalid value: '{text}' (milliseconds, 0 or more)"))
            })?
        }
        None => Duration::ZERO,
    };
    let fault = match simulator("sim_fault") {
        Some(text) if !text.is_empty() => Some(text.parse::<Fault>().map_err(|problem| wrong("sim_fault", problem))?),
        _ => None,
    };
    let mut engine = EngineConfig::new(framework, simulated_model, gpu);
    if let Some(text) = simulator("sim_seed") {
        engine.seed = text.parse().map_err(|_| wrong("sim_seed", format!("invalid value: '{text}' (0 or more)")))?;
    }
    for flag in &given {
        if let Some(effect) = effects::of_flag(framework, &flag.name) {
            apply(framework, &mut engine, effect, &flag.value).map_err(|problem| wrong(&flag.name, problem))?;
        }
    }
    settle(framework, &mut engine, &named)?;
    let gpu_count = match simulator("sim_gpu_count") {
        Some(text) => text
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| wrong("sim_gpu_count", format!("invalid value: '{text}' (1 or more)")))?,
        None => visible_devices(environment).unwrap_or(DEFAULT_GPU_COUNT),
    };
    check(framework, &engine, gpu_count)?;
    let port = match word("port") {
        Some(text) => text.parse().map_err(|_| wrong("port", format!("invalid port: '{text}' (0 to 65535)")))?,
        None => default_port(framework),
    };
    let metrics = match framework {
        Framework::Sglang => named.contains_key("enable_metrics"),
        Framework::LlamaCpp => named.contains_key("metrics"),
        Framework::Vllm | Framework::TensorrtLlm | Framework::Tokenspeed => true,
    };
    Ok(Command::Serve(Box::new(ServerOptions {
        framework,
        host: word("host").unwrap_or(DEFAULT_HOST).to_owned(),
        port,
        model,
        served_names,
        metrics,
        engine,
        startup,
        pre_scheduler,
        fault,
    })))
}

/// The port that the real server takes without `--port`.
fn default_port(framework: Framework) -> u16 {
    match framework {
        Framework::Sglang => 30_000,
        Framework::Vllm | Framework::TensorrtLlm | Framework::Tokenspeed => 8_000,
        Framework::LlamaCpp => 8_080,
    }
}

fn usage(framework: Framework, complaint: &str) -> CliError {
    CliError::Usage(help::usage_error(framework, complaint))
}

fn complaint(framework: Framework, error: &SyntaxError) -> String {
    let click = framework == Framework::TensorrtLlm;
    match error {
        SyntaxError::Unrecognized(words) if click => {
            let word = words.first().map_or("", String::as_str);
            if word.starts_with('-') {
                format!("No such option: {word}")
            } else {
                format!("Got unexpected extra argument ({word})")
            }
        }
        SyntaxError::Unrecognized(words) if framework == Framework::LlamaCpp => {
            format!("invalid argument: {}", words.first().map_or("", String::as_str))
        }
        SyntaxError::Unrecognized(words) => format!("unrecognized arguments: {}", words.join(" ")),
        SyntaxError::MissingValue(flag) if click => format!("Option '{flag}' requires an argument."),
        SyntaxError::MissingValue(flag) => format!("argument {flag}: expected one argument"),
        SyntaxError::Invalid(flag, problem) if click => format!("Invalid value for '{flag}': {problem}"),
        SyntaxError::Invalid(flag, problem) => format!("argument {flag}: {problem}"),
    }
}

fn first_word(flag: &Given) -> Option<&str> {
    match &flag.value {
        GivenValue::Words(words) => words.first().map(String::as_str),
        GivenValue::Switch(_) => None,
    }
}

fn served_names(framework: Framework, named: &HashMap<&str, &Given>, model: &str) -> Vec<String> {
    let flag = if framework == Framework::LlamaCpp { "alias" } else { "served_model_name" };
    match named.get(flag).map(|flag| &flag.value) {
        // llama.cpp takes several names in one word.
        Some(GivenValue::Words(words)) if framework == Framework::LlamaCpp => {
            words.iter().flat_map(|word| word.split(',')).map(str::to_owned).collect()
        }
        Some(GivenValue::Words(words)) => words.clone(),
        _ => vec![model.to_owned()],
    }
}

fn apply(framework: Framework, engine: &mut EngineConfig, effect: Effect, value: &GivenValue) -> Result<(), String> {
    if let Effect::Switch(set) = effect {
        let on = match value {
            GivenValue::Switch(on) => *on,
            GivenValue::Words(words) => words.first().is_some_and(|word| word.eq_ignore_ascii_case("true")),
        };
        set(engine, on);
        return Ok(());
    }
    let words: &[String] = match value {
        GivenValue::Words(words) => words,
        GivenValue::Switch(_) => return Err("expected one argument".to_owned()),
    };
    let text = words.first().map_or("", String::as_str);
    let number =
        |text: &str| syntax::whole_number(framework, text).ok_or_else(|| format!("invalid int value: '{text}'"));
    let count = |text: &str| match u32::try_from(number(text)?) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(format!("must be at least 1, not {text}")),
    };
    let float = |text: &str| text.parse::<f64>().map_err(|_| format!("invalid float value: '{text}'"));
    match effect {
        Effect::Count(set) => set(engine, count(text)?),
        Effect::Signed(set) => set(engine, number(text)?),
        Effect::Part(set) => match float(text)? {
            part if part > 0.0 && part <= 1.0 => set(engine, part),
            _ => return Err(format!("must be in (0, 1], not {text}")),
        },
        Effect::Factor(set) => match float(text)? {
            factor if factor > 0.0 => set(engine, factor),
            _ => return Err(format!("must be above 0, not {text}")),
        },
        Effect::Format(set) => {
            if let Some(format) = NumberFormat::from_name(text) {
                set(engine, format);
            }
        }
        Effect::Word(set) => set(engine, text),
        Effect::Largest(set) => {
            let counts: Vec<_> = words.iter().map(|word| count(word)).collect::<Result<_, _>>()?;
            set(engine, counts.into_iter().max().unwrap_or(1));
        }
        Effect::Json(set) => match serde_json::from_str::<Value>(text) {
            Ok(value) => set(engine, &value),
            Err(_) => return Err(format!("invalid json value: '{text}'")),
        },
        Effect::Switch(_) => {}
    }
    Ok(())
}

/// What depends on several flags.
fn settle(framework: Framework, engine: &mut EngineConfig, named: &HashMap<&str, &Given>) -> Result<(), CliError> {
    let number =
        |name: &str| named.get(name).and_then(|flag| first_word(flag)).and_then(|word| word.parse::<u32>().ok());
    match framework {
        Framework::Sglang if !named.contains_key("speculative_algorithm") => engine.draft_tokens = 0,
        Framework::Sglang if engine.draft_tokens == 0 => {
            engine.draft_tokens = number("speculative_num_steps").unwrap_or(4)
        }
        Framework::Vllm => {
            if let Some(blocks) = number("num_gpu_blocks_override") {
                engine.max_kv_tokens = Some(u64::from(blocks) * u64::from(engine.block_tokens));
            }
        }
        Framework::TensorrtLlm => options_of_file(engine, named)?,
        Framework::LlamaCpp => {
            let slots = engine.max_running.max(1);
            let context = match engine.memory {
                MemoryRule::Tokens(0) => engine.model.spec().max_seq_tokens,
                MemoryRule::Tokens(tokens) => u32::try_from(tokens).unwrap_or(u32::MAX),
                _ => engine.max_seq_tokens,
            };
            engine.memory = MemoryRule::Tokens(context.into());
            engine.max_seq_tokens = (context / slots).max(1);
            if !named.contains_key("model_draft") {
                engine.draft_tokens = 0;
            }
        }
        Framework::Sglang | Framework::Tokenspeed => {}
    }
    Ok(())
}

fn options_of_file(engine: &mut EngineConfig, named: &HashMap<&str, &Given>) -> Result<(), CliError> {
    if let Some(backend) = named.get("backend").and_then(|flag| first_word(flag)).filter(|word| *word != "pytorch") {
        return Err(CliError::Refused(format!(
            "ValueError: backend {backend} is not simulated; only --backend pytorch is"
        )));
    }
    let Some(path) = named.get("extra_llm_api_options").and_then(|flag| first_word(flag)) else { return Ok(()) };
    let refused = |problem: &str| CliError::Refused(format!("ValueError: {path}: {problem}"));
    let text = std::fs::read_to_string(path).map_err(|error| refused(&error.to_string()))?;
    for (member, value) in options_file::scalars(&text).map_err(|problem| refused(&problem))? {
        if member == "cuda_graph_config" && matches!(value.as_str(), "null" | "~" | "") {
            engine.graph_batch = None;
        }
        if member == "backend" && value != "pytorch" {
            return Err(refused(&format!("backend {value} is not simulated; only pytorch is")));
        }
        if let Some(effect) = effects::of_file_member(&member) {
            let value = GivenValue::Words(vec![value]);
            apply(Framework::TensorrtLlm, engine, effect, &value)
                .map_err(|problem| refused(&format!("{member}: {problem}")))?;
        }
    }
    Ok(())
}

/// The accelerators that the environment shows, when it says so.
fn visible_devices(environment: &dyn Fn(&str) -> Option<String>) -> Option<u32> {
    let listed = environment("CUDA_VISIBLE_DEVICES")?;
    let count = listed.split(',').filter(|device| !device.trim().is_empty()).count();
    u32::try_from(count).ok().filter(|count| *count > 0)
}

/// Combinations with which the real servers refuse to start.
fn check(framework: Framework, engine: &EngineConfig, gpu_count: u32) -> Result<(), CliError> {
    let refuse = |message: String| Err(CliError::Refused(message));
    if engine.gpu_count() > gpu_count {
        return refuse(format!(
            "ValueError: World size ({}) is larger than the number of available GPUs ({gpu_count}). Reduce the parallel sizes or make more GPUs visible.",
            engine.gpu_count(),
        ));
    }
    if !ATTENTION_HEADS.is_multiple_of(engine.tensor_parallel) {
        return refuse(format!(
            "ValueError: Total number of attention heads ({ATTENTION_HEADS}) must be divisible by tensor parallel size ({}).",
            engine.tensor_parallel
        ));
    }
    if framework != Framework::LlamaCpp && engine.max_seq_tokens > LONGEST_SEQUENCE {
        return refuse(format!(
            "ValueError: User-specified max_model_len ({}) is greater than the derived max_model_len (max_position_embeddings={LONGEST_SEQUENCE} in model's config.json).",
            engine.max_seq_tokens
        ));
    }
    if framework == Framework::Vllm {
        if engine.token_budget < engine.max_running {
            return refuse(format!(
                "ValueError: max_num_batched_tokens ({}) must be greater than or equal to max_num_seqs ({}).",
                engine.token_budget, engine.max_running
            ));
        }
        if !engine.chunked_prefill && engine.token_budget < engine.max_seq_tokens {
            return refuse(format!(
                "ValueError: max_num_batched_tokens ({}) is smaller than max_model_len ({}). This effectively limits the maximum sequence length to max_num_batched_tokens. Please increase max_num_batched_tokens or decrease max_model_len.",
                engine.token_budget, engine.max_seq_tokens
            ));
        }
    }
    Ok(())
}
