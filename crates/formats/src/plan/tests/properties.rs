//! Text from strangers, and edits of any value.

use podium_domain::form::{PlanEdit, ScenarioRow};
use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn reading_and_editing_never_panic(text in "\\PC*", path in "[a-c.\\[\\]0-9]{0,8}", value in "\\PC{0,12}") {
        let _ = read(&text);
        let _ = project(&text);
        let _ = apply(&text, &PlanEdit::SetScalar { path, value });
    }

    #[test]
    fn yaml_like_text_never_panics(parts in prop::collection::vec(
        prop::sample::select(vec![
            "model", "name", "dataset", "frameworks", "vllm", "sla", ":", ": ", " ", "\n", "\n  ", "\n    ", "- ", "[", "]",
            "{", "}", ",", "&a ", "*a", "'", "\"", "|", ">", "#", "!t", "?", "<<", "1", "é", "\t", "\r\n", "---\n", "%",
        ]), 0..40)) {
        let text = parts.concat();
        let _ = read(&text);
        let _ = project(&text);
        for path in ["model.name", "dataset.input_len[0]", "frameworks.vllm"] {
            let _ = apply(&text, &PlanEdit::SetScalar { path: path.into(), value: "x".into() });
            let _ = apply(&text, &PlanEdit::Remove { path: path.into() });
        }
    }

    #[test]
    fn mutated_plans_never_panic(at in 0..PLAN.len(), length in 0..40usize, with in "[\\PC\n]{0,6}") {
        let end = (at + length).min(PLAN.len());
        if let (Some(head), Some(tail)) = (PLAN.get(..at), PLAN.get(end..)) {
            let text = format!("{head}{with}{tail}");
            let reading = read(&text);
            prop_assert_eq!(reading.plan.is_some(), reading.problems.is_empty());
            let _ = apply(&text, &PlanEdit::AddScenario { scenario: ScenarioRow::default() });
        }
    }

    #[test]
    fn an_edited_value_reads_back_and_other_lines_stay(
        path in prop::sample::select(vec![
            "model.name", "model.tokenizer", "hardware.gpu_model", "dataset.num_prompts", "benchmark.backend",
            "benchmark.qps.upper", "search.tier", "frameworks.vllm.server_command", "new.key", "frameworks.vllm.notes",
        ]),
        value in "\\PC{1,16}",
    ) {
        prop_assume!(!value.trim().is_empty());
        let edit = PlanEdit::SetScalar { path: path.into(), value: value.clone() };
        let after = apply(PLAN, &edit).unwrap();
        let root = tree::parse(&after).unwrap().root;
        let node = path.split('.').try_fold(&root, |node, key| node.get(key)).unwrap();
        prop_assert_eq!(node.to_value(), inline::typed(&value).1);
        let (gone, new) = changed(PLAN, &after);
        prop_assert!(gone.len() <= 1 && new.len() <= 2, "{:?} {:?}", gone, new);
        prop_assert_eq!(apply(&after, &edit).unwrap(), after);
    }

    #[test]
    fn what_the_form_shows_can_be_typed_back(value in "\\PC{1,16}") {
        prop_assume!(!value.trim().is_empty());
        let edit = |value: &str| PlanEdit::SetScalar { path: "model.name".into(), value: value.into() };
        let after = apply(PLAN, &edit(&value)).unwrap();
        let shown = project(&after).unwrap().model_name;
        let again = if shown.is_empty() { after.clone() } else { apply(&after, &edit(&shown)).unwrap() };
        prop_assert_eq!(project(&again).unwrap().model_name, shown);
    }
}

#[test]
fn the_largest_texts_are_answered() {
    let keys: String = (0..60_000).map(|n| format!("key{n}: 1\n")).collect();
    assert!(read(&keys).problems[0].message.contains("values"));
    let flags: String = (0..20_000).map(|n| format!("      max_num_seq{n}: 1\n")).collect();
    let text = format!("frameworks:\n  vllm:\n    search_space: {{}}\n    base_server_flags:\n{flags}");
    let problems = read(&text).problems;
    assert!(problems.iter().any(|problem| problem.message.contains("no server takes more")), "{problems:?}");
    let unknown: String = (0..20_000).map(|n| format!("datase{n}: 1\n")).collect();
    assert_eq!(read(&unknown).warnings.len(), 20_001);
}
