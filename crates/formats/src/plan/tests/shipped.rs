//! Plans that exist: the starter, the demos, the example. The cookbook has tests of its own.

use podium_domain::candidate::generate_all;
use podium_domain::framework::Framework;

use super::*;

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

#[test]
fn the_example_is_a_run_plan() {
    let text = include_str!("../../../../../configs/example-plan.yaml");
    for key in ["schema_version:", "source:", "server_command:"] {
        assert!(!text.lines().any(|line| line.trim_start().starts_with(key)), "{key}");
    }
    let reading = read(text);
    assert_eq!((&reading.problems, &reading.warnings), (&vec![], &vec![]));
    let demanded = strict_problems(&reading);
    let missing: Vec<_> = found(&demanded).into_iter().map(|(path, _)| path).collect();
    let commands = ["sglang", "vllm", "tensorrt_llm"].map(|id| format!("frameworks.{id}.server_command"));
    assert_eq!(missing[..2], ["schema_version", "source.kind"]);
    assert_eq!(missing[2..], commands);
    let sets = generate_all(&reading.plan.unwrap()).unwrap();
    let counts: Vec<_> = sets.iter().map(|set| (set.candidates.len(), set.without_limit)).collect();
    assert_eq!(counts, [(7, Some(7)); 3]);
}
