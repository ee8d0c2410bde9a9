//! Plans that exist: the cookbook's, the starter, the demos.

use podium_domain::candidate::generate_all;
use podium_domain::framework::Framework;
use serde_json::{Value, json};

use super::*;

#[test]
fn the_cookbook_reads_and_the_newest_vllm_rejects_what_it_dropped() {
    let Some(file) = crate::test_support::shared_dir("cookbook/facts.json") else { return };
    let entries: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(entries.len(), 39);
    let help = crate::test_support::shared_dir("engines/help").map(|dir| crate::help::folder(&dir).unwrap());
    for mut entry in entries {
        let slug = entry.as_object_mut().unwrap().remove("slug").unwrap();
        entry["schema_version"] = 1.into();
        entry["source"] = json!({"kind": "llm_serving_cookbook"});
        // JSON is YAML.
        let text = serde_json::to_string_pretty(&entry).unwrap();
        let reading = read(&text);
        assert_eq!(reading.problems, [], "{slug}");
        assert_eq!(reading.warnings, [], "{slug}");
        let sets = generate_all(&reading.plan.unwrap()).unwrap();
        assert_eq!(sets.len(), entry["frameworks"].as_object().unwrap().len(), "{slug}");
        let Some(help) = &help else { continue };
        let rejected = read_with_help(&text, Some(help)).problems;
        let dropped: Vec<_> = found(&rejected).into_iter().map(|(path, _)| path).collect();
        let gone = ["max_num_partial_prefills", "max_long_partial_prefills"];
        assert_eq!(dropped, gone.map(|flag| format!("frameworks.vllm.search_space.{flag}")), "{slug}");
    }
}

#[test]
fn blank_plans_validate() {
    for gpu_count in [0, 1, 8] {
        let starter = Starter {
            model_name: "it's: a #model".into(),
            frameworks: Framework::ALL.to_vec(),
            gpu_model: Some("H100".into()),
            gpu_count,
        };
        let reading = read(&blank(&starter));
        assert_eq!(reading.problems, []);
        assert_eq!(reading.warnings, []);
        assert_eq!(reading.plan.as_ref().unwrap().model.name, "it's: a #model");
        assert_eq!(reading.plan.unwrap().frameworks.len(), 5);
    }
}

#[test]
fn the_shipped_demo_plans_validate() {
    let configs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/");
    let counts = |name: &str| {
        let reading = read(&std::fs::read_to_string(format!("{configs}{name}")).unwrap());
        assert_eq!(reading.problems, [], "{name}");
        assert_eq!(reading.warnings, [], "{name}");
        let plan = reading.plan.unwrap();
        assert!(!plan.is_flow_check(), "{name}");
        let sets = generate_all(&plan).unwrap();
        let ids: Vec<_> = plan.frameworks.keys().map(|framework| framework.id()).collect();
        ids.into_iter().zip(sets.iter().map(|set| set.candidates.len())).collect::<Vec<_>>()
    };
    assert_eq!(counts("demo-simulated.yaml"), [("sglang", 3), ("vllm", 3), ("tensorrt_llm", 3)]);
    assert_eq!(counts("demo-cpu.yaml"), [("llama_cpp", 4), ("vllm", 3), ("sglang", 3)]);
}
