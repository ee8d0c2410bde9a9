//! What a plan's request file says before a run.

use std::io;
use std::path::Path;

use podium_domain::plan::{Dataset, Model};
use podium_formats::plan::{self, PlanReading, Surroundings};
use podium_workload::{DatasetRows, Error, PromptTokenizer, ReadOptions, RowLengths, find_tokenizer, read_dataset};

/// Reads a plan with the longest row of its file, where this machine has it, held against the sequence limits. Blocks
/// while the file is read.
pub(crate) fn read_plan(yaml: &str) -> PlanReading {
    let longest_row = |dataset: &Dataset, model: &Model| match &dataset.path {
        Some(path) => longest_row(Path::new(path), dataset, model),
        None => Ok(None),
    };
    plan::read_with(yaml, &Surroundings { longest_row: Some(&longest_row), ..Surroundings::default() })
}

/// Prompt plus answer of the longest request in a plan's file, tokens. `None` where this machine cannot tell: the file
/// is not here, or no tokenizer that the plan names is. What a chat template adds is counted generously.
///
/// # Errors
/// With what is wrong with the file.
pub fn longest_row(path: &Path, dataset: &Dataset, model: &Model) -> Result<Option<u32>, String> {
    let in_file = |error: Error| format!("in `{}`: {error}", dataset.path.as_deref().unwrap_or_default());
    let tokenizer = find_tokenizer(model.tokenizer.as_deref().into_iter().chain([model.name.as_str()]));
    let tokenizer = tokenizer.as_deref().map(PromptTokenizer::load).transpose().map_err(|error| error.to_string())?;
    let options = ReadOptions { tokenizer: tokenizer.as_ref(), output_len: None };
    let file = match read_dataset(path, &options) {
        Err(Error::ReadFile { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(in_file)?,
    };
    // An estimate would refuse plans that are right.
    if tokenizer.is_none() && matches!(file.rows, DatasetRows::Requests(_)) {
        return Ok(None);
    }
    Ok(Some(RowLengths::of(&file, tokenizer.as_ref()).map_err(in_file)?.longest_sequence()))
}

#[cfg(test)]
mod tests {
    use podium_domain::lengths::PromptShape;

    use super::*;

    fn dataset(path: &Path) -> Dataset {
        Dataset {
            kind: "jsonl".into(),
            path: Some(path.display().to_string()),
            num_prompts: 80,
            seed: 0,
            scenarios: vec![],
            shape: PromptShape::default(),
            trace_path: None,
        }
    }

    fn longest(text: &str) -> Result<Option<u32>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("requests.jsonl");
        std::fs::write(&path, text).unwrap();
        let model = Model { name: "org/model".into(), tokenizer: None, precision: None, quantization: None };
        longest_row(&path, &dataset(&path), &model)
    }

    #[test]
    fn lengths_that_a_file_states_need_no_tokenizer() {
        let rows = "{\"timestamp\": 0, \"input_length\": 700, \"output_length\": 9}\n\
                    {\"timestamp\": 1, \"input_length\": 600, \"output_length\": 200}\n";
        assert_eq!(longest(rows), Ok(Some(800)));
        assert_eq!(longest(r#"{"prompt": "hello", "output_len": 3}"#), Ok(None), "there is no tokenizer");
    }

    #[test]
    fn a_plan_whose_file_asks_too_much_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.jsonl");
        std::fs::write(&path, "{\"timestamp\": 0, \"input_length\": 2000, \"output_length\": 49}\n").unwrap();
        let yaml = format!(
            "model: {{name: org/model}}\ndataset: {{kind: mooncake, path: {}}}\n\
             frameworks:\n  vllm: {{base_server_flags: {{max_model_len: 2048}}, search_space: {{}}}}\n",
            path.display()
        );
        let reading = read_plan(&yaml);
        assert!(reading.plan.is_none());
        assert_eq!(reading.problems[0].path, "frameworks.vllm.base_server_flags.max_model_len");
        assert_eq!(read_plan(&yaml.replace("2048", "2049")).problems, []);
    }

    #[test]
    fn what_is_wrong_with_the_file_is_told_and_a_file_elsewhere_is_not_wrong() {
        let error =
            longest("{\"prompt\": \"a\", \"output_len\": 1}\n{\"prompt\": \"\", \"output_len\": 1}").unwrap_err();
        assert!(error.contains("requests.jsonl") && error.contains("line 2"), "{error}");
        let model = Model { name: "org/model".into(), tokenizer: None, precision: None, quantization: None };
        let missing = Path::new("/no/such/file.jsonl");
        assert_eq!(longest_row(missing, &dataset(missing), &model), Ok(None));
    }
}
