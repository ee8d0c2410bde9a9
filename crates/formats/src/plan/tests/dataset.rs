//! `dataset`: files of every form, spreads, shared prefixes, conversations, traces.

use podium_domain::lengths::{Conversation, LengthSpread, SharedPrefix};
use podium_domain::plan::Dataset;

use super::*;

/// The plan with more keys in its dataset.
fn with(keys: &str) -> String {
    PLAN.replace("  num_prompts: 80\n", &format!("  num_prompts: 80\n{keys}"))
}

fn dataset(keys: &str) -> Dataset {
    let reading = read(&with(keys));
    assert_eq!(reading.problems, [], "{keys}");
    assert_eq!(reading.warnings, [], "{keys}");
    reading.plan.unwrap().dataset
}

#[test]
fn a_shape_is_read() {
    let dataset = self::dataset(
        "  input_len_distribution: {kind: log_normal, sigma: 0.1, max: 9000}\n\
         \x20 output_len_distribution: {kind: uniform, ratio: 0.5}\n\
         \x20 shared_prefix: {groups: 4, prefix_len: 512}\n\
         \x20 trace_path: starts.jsonl\n",
    );
    assert_eq!(dataset.shape.input_len, LengthSpread::LogNormal { sigma: 0.1, max: Some(9000) });
    assert_eq!(dataset.shape.output_len, LengthSpread::Uniform { ratio: 0.5 });
    assert_eq!(dataset.shape.shared_prefix, Some(SharedPrefix { groups: 4, prefix_len: 512 }));
    assert_eq!(dataset.trace_path.as_deref(), Some("starts.jsonl"));
    assert_eq!(dataset.longest_sequence(), Some(9000 + 1500));
    let plain = read(PLAN).plan.unwrap().dataset;
    assert_eq!(self::dataset("  input_len_distribution: fixed\n").shape, plain.shape);
}

#[test]
fn conversations_need_room_for_all_their_turns() {
    let text =
        with("  turns: 2\n  think_time_s: 0.5\n").replace("12288", "30000").replace("[1000, 8000]", "[100, 800]");
    let plan = read(&text).plan.unwrap();
    assert_eq!(plan.dataset.shape.conversation, Some(Conversation { turns: 2, think_time_s: 0.5 }));
    assert_eq!(plan.longest_sequence(), Some(3600));
    let reading = read(&with("  turns: 3\n"));
    let message = &reading.problems.first().expect("12288 tokens are too few for three turns").message;
    assert!(message.contains("27000"), "{message}");
}

#[test]
fn mistakes_of_a_shape_are_told_with_their_place() {
    for (keys, path, says) in [
        ("  input_len_distribution: uniform\n", "dataset.input_len_distribution", "ratio: 0.2"),
        (
            "  input_len_distribution: {kind: unifrom}\n",
            "dataset.input_len_distribution.kind",
            "did you mean `uniform`",
        ),
        ("  input_len_distribution: {kind: normal}\n", "dataset.input_len_distribution.deviation", "is missing"),
        ("  output_len_distribution: {kind: empirical}\n", "dataset.output_len_distribution.path", "one length a line"),
        ("  output_len_distribution: {sigma: 1}\n", "dataset.output_len_distribution.kind", "log_normal"),
        ("  shared_prefix: {groups: 0, prefix_len: 5}\n", "dataset.shared_prefix.groups", "at least 1"),
        ("  shared_prefix: {groups: 2}\n", "dataset.shared_prefix.prefix_len", "is missing"),
        ("  shared_prefix: {prefix_len: 1000}\n", "dataset.shared_prefix", "shortest prompt"),
        ("  turns: 2\n  think_time_s: -1\n", "dataset.think_time_s", "from 0"),
    ] {
        let problems = read(&with(keys)).problems;
        let problem = problems.iter().find(|problem| problem.path == path);
        let problem = problem.unwrap_or_else(|| panic!("{keys}: {problems:?}"));
        assert!(problem.message.contains(says) && problem.line.is_some_and(|line| line >= 11), "{keys}: {problem:?}");
    }
    let warnings = read(&with("  think_time_s: 1\n")).warnings;
    assert_eq!(warnings[0].path, "dataset.think_time_s");
}

const FILE_PLAN: &str = "model: {name: org/model, tokenizer: tok}\n\
    dataset: {kind: sharegpt, path: chats.json, turns: 2}\n\
    benchmark: {max_concurrency: [4]}\n\
    sla: {max_p50_ttft_ms: 500}\n\
    frameworks:\n  vllm: {base_server_flags: {max_model_len: 2048}, search_space: {}}\n";

#[test]
fn files_of_other_tools_are_datasets() {
    for kind in ["sharegpt", "openai_batch", "mooncake"] {
        let reading = read(&FILE_PLAN.replace("sharegpt", kind));
        assert_eq!(reading.problems, [], "{kind}");
        assert_eq!(found(&reading.warnings), [("dataset.turns", Some(2))]);
        let dataset = reading.plan.unwrap().dataset;
        assert_eq!((dataset.kind.as_str(), dataset.path.as_deref()), (kind, Some("chats.json")));
        assert_eq!(dataset.shape, Default::default());
    }
}

#[test]
fn the_longest_row_of_a_file_is_held_against_the_limit() {
    let reading_with = |answer: Result<Option<u32>, String>| {
        let longest = |dataset: &Dataset, model: &podium_domain::plan::Model| {
            assert_eq!((dataset.path.as_deref(), model.tokenizer.as_deref()), (Some("chats.json"), Some("tok")));
            answer.clone()
        };
        read_with(FILE_PLAN, &Surroundings { longest_row: Some(&longest), ..Surroundings::default() })
    };
    assert_eq!(reading_with(Ok(Some(2048))).problems, []);
    assert_eq!(reading_with(Ok(None)).problems, []);
    let problems = reading_with(Ok(Some(2049))).problems;
    assert_eq!(found(&problems), [("frameworks.vllm.base_server_flags.max_model_len", Some(6))]);
    assert!(problems[0].message.contains("2049"));
    let problems = reading_with(Err("row 3 is damaged".to_owned())).problems;
    assert_eq!(found(&problems), [("dataset.path", Some(2))]);
    assert_eq!(problems[0].message, "row 3 is damaged");
}
