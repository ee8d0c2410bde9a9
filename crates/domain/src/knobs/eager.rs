//! Flags that make a server run without CUDA graphs.

use serde_json::Value;

use crate::flags::FlagMap;
use crate::framework::Framework;

impl Framework {
    /// The first of these flags that switches CUDA graphs off or forces eager mode. A server runs so to get through a
    /// smoke test; its figures say nothing about the same server with graphs.
    pub fn eager_flag(self, flags: &FlagMap) -> Option<&str> {
        flags.iter().find(|(name, value)| self.is_eager(name, value)).map(|(name, _)| name.as_str())
    }

    /// The switch that makes a server of this framework run without CUDA graphs, where it is one switch.
    pub fn eager_switch(self) -> Option<&'static str> {
        match self {
            Framework::Sglang => Some("disable_cuda_graph"),
            Framework::Vllm | Framework::Tokenspeed => Some("enforce_eager"),
            Framework::TensorrtLlm | Framework::LlamaCpp => None,
        }
    }

    fn is_eager(self, name: &str, value: &Value) -> bool {
        match (self, name) {
            (_, name) if self.eager_switch() == Some(name) => *value == Value::Bool(true),
            // A mapping for the file of options, in which null is the way to have none.
            (Framework::TensorrtLlm, name) if self.names_options_file(name) => {
                value.get("cuda_graph_config").is_some_and(Value::is_null)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_switch_that_is_on_counts() {
        let flag = |framework: Framework, flags: Value| {
            let flags: FlagMap = serde_json::from_value(flags).unwrap();
            framework.eager_flag(&flags).map(str::to_owned)
        };
        assert_eq!(flag(Framework::Vllm, json!({"max_num_seqs": 8, "enforce_eager": true})).unwrap(), "enforce_eager");
        assert_eq!(flag(Framework::Vllm, json!({"enforce_eager": false})), None);
        assert!(flag(Framework::Sglang, json!({"disable_cuda_graph": true})).is_some());
        assert_eq!(flag(Framework::Sglang, json!({"enforce_eager": true})), None);
        let options = |value| json!({"extra_llm_api_options": value});
        assert!(flag(Framework::TensorrtLlm, options(json!({"cuda_graph_config": null}))).is_some());
        assert_eq!(flag(Framework::TensorrtLlm, options(json!({"cuda_graph_config": {"max_batch_size": 8}}))), None);
        assert_eq!(flag(Framework::TensorrtLlm, options(json!("file.yaml"))), None);
    }
}
