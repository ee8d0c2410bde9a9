use super::*;
use crate::engine::{Gpu, MemoryRule, Model, NumberFormat, PrefillMode};

fn try_parse(framework: Framework, line: &str) -> Result<Command, CliError> {
    let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
    parse(framework, &words, &|_| None)
}

fn options(framework: Framework, line: &str) -> ServerOptions {
    match try_parse(framework, line) {
        Ok(Command::Serve(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

fn error(framework: Framework, line: &str) -> CliError {
    try_parse(framework, line).expect_err(line)
}

#[test]
fn every_framework_takes_its_model_its_own_way() {
    let lines = [
        (Framework::Sglang, "--model-path org/m-8b --port 31000"),
        (Framework::Vllm, "org/m-8b --port 31000"),
        (Framework::TensorrtLlm, "org/m-8b --backend pytorch --port 31000"),
        (Framework::Tokenspeed, "org/m-8b --port 31000"),
        (Framework::LlamaCpp, "-m org/m-8b --port 31000"),
    ];
    for (framework, line) in lines {
        let options = options(framework, line);
        assert_eq!((options.model.as_str(), options.port), ("org/m-8b", 31_000), "{framework}");
        assert_eq!(options.served_names, ["org/m-8b"], "{framework}");
        let missing = error(framework, "--port 1");
        assert_eq!(missing.exit_code(), 2, "{framework}");
        assert!(missing.to_string().to_lowercase().contains("model"), "{missing}");
    }
}

#[test]
fn both_spellings_inline_values_and_negations_are_understood() {
    let vllm = options(
        Framework::Vllm,
        "m --max_num_seqs=32 --max-num-batched-tokens 2k --no-enable-prefix-caching --enforce-eager -tp 2 \
         --served-model-name a b --speculative-config.num_speculative_tokens 5 --gpu-memory-utilization 0.8",
    );
    let engine = &vllm.engine;
    assert_eq!((engine.max_running, engine.token_budget, engine.tensor_parallel), (32, 2_000, 2));
    assert_eq!((engine.prefix_cache, engine.graph_batch, engine.draft_tokens), (false, None, 5));
    assert_eq!(engine.memory, MemoryRule::PartOfTotal(0.8));
    assert_eq!(vllm.served_names, ["a", "b"]);

    let sglang = options(
        Framework::Sglang,
        "--model-path m --tp 4 --chunked-prefill-size -1 --disable-radix-cache --enable-mixed-chunk --schedule-policy lpm \
         --cuda-graph-bs 1 8 64 --quantization fp8 --dtype bfloat16 --random-seed 3",
    )
    .engine;
    assert_eq!((sglang.tensor_parallel, sglang.chunked_prefill, sglang.prefix_cache), (4, false, false));
    assert_eq!((sglang.prefill, sglang.longest_prefix_first), (PrefillMode::Mixed, true));
    assert_eq!((sglang.graph_batch, sglang.weights), (Some(64), NumberFormat::F8));

    let llama = options(Framework::LlamaCpp, "-m x.gguf -c 8192 -np 8 --ubatch-size 256 -ctk q8_0 -a one,two -fa on");
    assert_eq!((llama.engine.max_running, llama.engine.max_seq_tokens, llama.engine.token_budget), (8, 1_024, 256));
    assert_eq!((llama.engine.kv, llama.served_names.len()), (NumberFormat::F8, 2));
}

#[test]
fn drafts_need_a_method_in_sglang() {
    let drafts = |line: &str| options(Framework::Sglang, line).engine.draft_tokens;
    assert_eq!(drafts("--model-path m --speculative-num-draft-tokens 6"), 0);
    assert_eq!(drafts("--model-path m --speculative-algorithm EAGLE3 --speculative-num-draft-tokens 6"), 6);
    assert_eq!(drafts("--model-path m --speculative-algorithm NGRAM"), 4);
}

#[test]
fn tensorrt_llm_reads_its_options_file() {
    let dir = std::env::temp_dir().join(format!("podium-sim-options-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("options.yaml");
    std::fs::write(&path, "kv_cache_config:\n  free_gpu_memory_fraction: 0.7\ncuda_graph_config: null\n").unwrap();
    let line = |path: &str| format!("m --backend pytorch --max_batch_size 16 --extra_llm_api_options {path}");
    let read = options(Framework::TensorrtLlm, &line(&path.display().to_string())).engine;
    assert_eq!((read.memory, read.graph_batch, read.max_running), (MemoryRule::PartOfFree(0.7), None, 16));
    let missing = error(Framework::TensorrtLlm, &line("/nowhere/options.yaml"));
    assert_eq!(missing.exit_code(), 1);
    assert!(missing.to_string().contains("/nowhere/options.yaml"));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn mistakes_are_worded_as_the_real_parsers_word_them() {
    let cases = [
        (
            Framework::Vllm,
            "m --max-num-sequences 4",
            2,
            "vllm serve: error: unrecognized arguments: --max-num-sequences 4",
        ),
        (Framework::Sglang, "--model-path m --nope", 2, "error: unrecognized arguments: --nope"),
        (Framework::TensorrtLlm, "m --nope 1", 2, "Error: No such option: --nope"),
        (Framework::LlamaCpp, "-m m --nope", 2, "error: invalid argument: --nope"),
        (Framework::Vllm, "m --max-num-seqs many", 2, "argument --max-num-seqs: invalid int value: 'many'"),
        (Framework::Vllm, "m --max-num-seqs", 2, "argument --max-num-seqs: expected one argument"),
        (Framework::Vllm, "m --max-num-seqs 0", 2, "must be at least 1"),
        (Framework::Vllm, "m --kv-cache-dtype fp7", 2, "invalid choice: 'fp7'"),
        (Framework::Vllm, "m --gpu-memory-utilization 1.5", 2, "must be in (0, 1]"),
        (Framework::Vllm, "m --port 99999", 2, "invalid port"),
        (Framework::Vllm, "m --sim-gpu h200", 2, "invalid choice: 'h200'"),
        (Framework::Vllm, "m --sim-fault explode", 2, "invalid choice: 'explode'"),
        (Framework::Vllm, "m -tp 16", 1, "World size (16)"),
        (Framework::Vllm, "m -tp 3", 1, "must be divisible by tensor parallel size (3)"),
        (Framework::Vllm, "m --max-model-len 2000000", 1, "User-specified max_model_len (2000000)"),
        (Framework::Vllm, "m --max-num-batched-tokens 64", 1, "must be greater than or equal to max_num_seqs"),
        (Framework::TensorrtLlm, "m --backend tensorrt", 1, "only --backend pytorch"),
    ];
    for (framework, line, code, part) in cases {
        let error = error(framework, line);
        assert_eq!(error.exit_code(), code, "{line}");
        assert!(error.to_string().contains(part), "{line}: {error}");
    }
}

#[test]
fn flags_without_a_model_are_accepted() {
    options(Framework::Sglang, "--model-path m --radix-eviction-policy lru --trust-remote-code --skip-tokenizer-init");
    options(Framework::Vllm, "m --max-num-partial-prefills 1 --tokenizer t --disable-log-stats --load-format dummy");
    options(Framework::LlamaCpp, "-m m --threads 2 --no-cont-batching --metrics --jinja");
}

#[test]
fn the_simulator_is_set_by_flags_before_the_environment() {
    let environment = |name: &str| match name {
        "PODIUM_SIM_GPU" => Some("l40s".to_owned()),
        "PODIUM_SIM_STARTUP_S" => Some("0.5".to_owned()),
        "PODIUM_SIM_FAULT" => Some("crash-after=3".to_owned()),
        "CUDA_VISIBLE_DEVICES" => Some("0,1".to_owned()),
        _ => None,
    };
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let parsed = parse(Framework::Vllm, &words("org/m-70b -tp 2 --sim-gpu a100"), &environment);
    let Ok(Command::Serve(options)) = parsed else { panic!("{parsed:?}") };
    assert_eq!((options.engine.gpu, options.engine.model), (Gpu::A100, Model::B70));
    assert_eq!((options.startup, options.fault), (Duration::from_millis(500), Some(Fault::CrashAfter(3))));
    let refused = parse(Framework::Vllm, &words("m -tp 4"), &environment);
    assert!(matches!(refused, Err(CliError::Refused(message)) if message.contains("available GPUs (2)")));
}

#[test]
fn help_lists_every_knob_in_the_frameworks_spelling() {
    for framework in Framework::ALL {
        let Ok(Command::Print(help)) = try_parse(framework, "--help") else { panic!("{framework}") };
        for knob in framework.spec().knobs {
            let flag = podium_domain::flags::spell(knob.name, framework.spec().spelling);
            assert!(help.contains(&format!("  {flag}")), "{framework}: {flag}");
        }
        assert!(help.to_lowercase().starts_with("usage: ") && help.contains("--sim"), "{framework}");
        let Ok(Command::Print(version)) = try_parse(framework, "--version") else { panic!("{framework}") };
        assert!(version.contains("simulated"), "{version}");
    }
}

/// What a release lacks is in neither its help nor its command line; another name of the same flag is.
#[test]
fn a_release_can_lack_flags() {
    let said = |line: &str| try_parse(Framework::TensorrtLlm, line);
    let lacks = "--sim-lacks free_gpu_memory_fraction,max-batch-size";
    let Ok(Command::Print(help)) = said(&format!("{lacks} --help")) else { panic!("no help") };
    assert!(!help.contains("  --free_gpu_memory_fraction") && !help.contains("  --max_batch_size"), "{help}");
    assert!(help.contains("  --kv_cache_free_gpu_memory_fraction"), "{help}");
    let line = |flag: &str| format!("m --backend pytorch {lacks} --{flag}");
    let refused = said(&line("max_batch_size 8")).unwrap_err().to_string();
    assert!(refused.contains("No such option: --max_batch_size"), "{refused}");
    assert!(said(&line("free_gpu_memory_fraction 0.5")).is_err());
    assert!(said(&line("kv_cache_free_gpu_memory_fraction 0.5")).is_ok());
    assert!(matches!(said(&format!("{lacks} --help=all")), Ok(Command::Print(_))));
}
