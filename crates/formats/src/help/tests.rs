//! Help texts, made up and real.

use podium_domain::knobs::KnobKind;
use proptest::prelude::*;

use super::*;

const ARGPARSE: &str = "\
usage: tool serve [--usage-only X]

options:
  -h, --help            show this help message and exit
  --dtype {auto,half}   Number format, see --not-a-flag
  --tensor-parallel-size N, -tp N, --tp N
                        --neither-is-this a flag, default above. (default:
                        1)
  --enable-prefix-caching, --no-enable-prefix-caching
                        Keep prefixes. (default: None)
";

#[test]
fn argparse_flags_with_aliases_choices_and_negations() {
    let help = parse(ARGPARSE);
    let names: Vec<_> = help.flags.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["dtype", "enable_prefix_caching", "help", "no_enable_prefix_caching", "tensor_parallel_size", "tp"]
    );
    assert_eq!(help.choices("dtype").unwrap(), ["auto", "half"]);
    assert!(help.flags["enable_prefix_caching"].negatable);
    assert!(!help.flags["tp"].negatable);
    assert!(help.knows("tensor-parallel-size"));
    assert!(!help.is_usable(), "five flags are no help text");
    let takes = ["dtype", "tensor_parallel_size", "enable_prefix_caching", "help"].map(|name| help.takes(name));
    assert_eq!(takes, [Takes::Value, Takes::Number, Takes::Nothing, Takes::Nothing]);
}

#[test]
fn llama_cpp_and_click_forms() {
    let help = parse(
        "-t,    --threads N                      number of threads --x\n\
             -kvo,  --kv-offload, -nkvo, --no-kv-offload\n                                        offload\n\
             -fa,   --flash-attn [on|off|auto]       set Flash Attention\n\
             -ctk,  --cache-type-k TYPE              KV cache data type for K\n\
             \x20                                       allowed values: f32, f16\n\
             --backend [pytorch|tensorrt]            the backend\n\
             --tp_size [--tensor_parallel_size]      int   1\n",
    );
    assert!(help.flags["kv_offload"].negatable);
    assert!(!help.knows("x"));
    assert_eq!(help.choices("flash_attn").unwrap(), ["on", "off", "auto"]);
    assert_eq!(help.choices("cache_type_k").unwrap(), ["f32", "f16"]);
    assert_eq!(help.choices("backend").unwrap(), ["pytorch", "tensorrt"]);
    assert!(help.knows("tensor_parallel_size") && help.choices("tp_size").is_none());
    assert_eq!(help.takes("threads"), Takes::Value, "without a default, N may be a word");
    assert_eq!(help.takes("kv_offload"), Takes::Nothing);
}

#[test]
fn files_are_matched_by_name() {
    let cases = [
        ("python-m-sglang.launch_server.txt", Some(Framework::Sglang)),
        ("vllm-serve.txt", Some(Framework::Vllm)),
        ("vllm-bench-serve.txt", None),
        ("trtllm-serve-serve.OPTIONS-FROM-SOURCE.txt", Some(Framework::TensorrtLlm)),
        ("tokenspeed_serve.log", Some(Framework::Tokenspeed)),
        ("llama-server.txt", Some(Framework::LlamaCpp)),
        ("notes.txt", None),
    ];
    for (name, framework) in cases {
        assert_eq!(framework_of(name), framework, "{name}");
    }
}

#[test]
fn texts_of_real_releases_hold_the_listed_flags() {
    let Some(dir) = crate::test_support::shared_dir("engines/help") else { return };
    let set = folder(&dir).unwrap();
    for framework in [Framework::Sglang, Framework::Vllm, Framework::TensorrtLlm, Framework::LlamaCpp] {
        let help = set.get(framework).unwrap();
        let missing: Vec<_> = framework.released_flags().filter(|name| !help.knows(name)).collect();
        assert!(missing.is_empty(), "{framework}: {missing:?}");
    }
    assert!(set.get(Framework::TensorrtLlm).unwrap().from_source);
    assert!(!set.get(Framework::Vllm).unwrap().knows("max_num_partial_prefills"));
    assert!(set.get(Framework::Vllm).unwrap().flags["enable_prefix_caching"].negatable);
}

#[test]
fn what_a_flag_takes_is_told_from_placeholders_types_and_defaults() {
    let help = parse(
        "  --rate R              Requests. (default: 0.5)\n\
         \x20 --name NAME           A name. (default: None)\n\
         \x20 --token [TOKEN]       A value that may be left out. (default: 5)\n\
         \x20 --keys KEY [KEY ...]  Several. (default: 5)\n\
         \x20 --size=SIZE           With an equals sign. (default: 3, 0 = all)\n\
         \x20 --on / --off          A switch of click's\n\
         \x20 --count INTEGER RANGE  Typed\n\
         \x20 --share FLOAT         Typed\n",
    );
    let takes = ["rate", "name", "token", "keys", "size", "on", "count", "share"].map(|name| help.takes(name));
    use Takes::*;
    assert_eq!(takes, [Number, Value, Unknown, Value, Number, Nothing, Whole, Number]);

    let listed =
        parse("NOT --help OUTPUT\n--a [--b]   int   1\n--c   float  0.9\n--d   flag   False\n--e   <sym: X>\n");
    assert_eq!(["a", "b", "c", "d", "e"].map(|name| listed.takes(name)), [Whole, Whole, Number, Nothing, Unknown]);

    let simulated =
        parse("A simulated server.\n  --ignored             accepted\n  --used USED           (default: 1)\n");
    assert_eq!(["ignored", "used"].map(|name| simulated.takes(name)), [Unknown, Number]);
}

#[test]
fn help_texts_that_disagree_about_a_flag_prove_nothing() {
    let mut set = HelpSet::default();
    let options: String = ('a'..='k').map(|name| format!("  --{name} X\n")).collect();
    set.add(Framework::Vllm, parse(&options));
    set.add(Framework::Vllm, parse("  --a\n  --l\n  --m M\n"));
    let help = set.get(Framework::Vllm).unwrap();
    assert_eq!(["a", "b", "l"].map(|name| help.takes(name)), [Takes::Unknown, Takes::Value, Takes::Nothing]);
}

/// The knob tables were written by hand: what the help texts show must not contradict them.
#[test]
fn texts_of_real_releases_agree_with_the_knob_tables() {
    let Some(dir) = crate::test_support::shared_dir("engines/help") else { return };
    let set = folder(&dir).unwrap();
    for framework in [Framework::Sglang, Framework::Vllm, Framework::TensorrtLlm, Framework::LlamaCpp] {
        let help = set.get(framework).unwrap();
        let mut shown = 0;
        for knob in framework.spec().knobs.iter().filter(|knob| help.knows(knob.name)) {
            let agrees = match (help.takes(knob.name), knob.kind) {
                (Takes::Unknown, _) => continue,
                (Takes::Nothing, kind) => kind == KnobKind::Bool,
                (Takes::Value, kind) => kind != KnobKind::Bool,
                (Takes::Number, kind) => matches!(kind, KnobKind::Int | KnobKind::Float),
                (Takes::Whole, kind) => kind == KnobKind::Int,
            };
            assert!(agrees, "{framework} {}: {:?}", knob.name, help.flags[knob.name]);
            shown += 1;
            if let (KnobKind::Choice(words), Some(listed)) = (knob.kind, help.choices(knob.name)) {
                let missing: Vec<_> = listed.iter().filter(|word| !words.contains(&word.as_str())).collect();
                assert!(missing.is_empty(), "{framework} {}: {missing:?}", knob.name);
            }
        }
        assert!(shown > 15, "{framework}: {shown}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_and_every_flag_is_found_under_its_name(parts in prop::collection::vec(
        prop::sample::select(vec![
            "--", "-", "a", "flag-name", "no-", "--flag", " ", "  ", "\n", "\n  ", "[", "]", "{", "}", "<", ">", "|", ",", "=",
            "/", "...", "(default: ", "1", ")", "allowed values: x, y", "INTEGER", "é", "\t", "\r\n", "from source",
        ]), 0..60)) {
        let help = parse(&parts.concat());
        for (name, flag) in &help.flags {
            prop_assert!(help.knows(name) && help.knows(&name.replace('_', "-")));
            prop_assert!(!flag.choices.iter().any(|choice| choice.contains('\n')));
        }
    }
}
