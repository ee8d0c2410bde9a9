//! The form of a plan's text.

use podium_domain::form::{FlagRow, FrameworkForm, PlanForm, ScenarioRow, SearchFields, SearchRow, SlaFields};
use podium_domain::framework::Framework;
use serde_json::Value;

use super::inline;
use super::problem::Problem;
use super::read::without_bom;
use super::tree::{self, Content, Node};
use super::workload::MAX_SCENARIOS;

/// The form of a plan. It works on plans whose values are wrong, so that they can be corrected; it fails only where
/// the text is no YAML or no mapping.
pub fn project(text: &str) -> Result<PlanForm, Vec<Problem>> {
    let text = without_bom(text);
    let tree = tree::parse(text).map_err(|problem| vec![problem])?;
    if tree.root.entries().is_none() {
        return Err(vec![Problem::new("", Some(tree.root.line), "a plan is a mapping of keys to values")]);
    }
    Ok(Projection { text, root: &tree.root }.form())
}

/// The value at a chain of keys.
pub(super) fn lookup<'a>(root: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(root, |node, key| node.get(key))
}

/// Whether every input length is paired with every output length.
pub(super) fn is_product(root: &Node) -> bool {
    lookup(root, &["dataset", "scenario_product"]).is_some_and(|node| node.to_value() == Value::Bool(true))
}

struct Projection<'a> {
    text: &'a str,
    root: &'a Node,
}

impl Projection<'_> {
    fn form(&self) -> PlanForm {
        let sla = self.node(&["sla"]).filter(|sla| !sla.is_null()).or_else(|| self.node(&["benchmark", "sla"]));
        let limit = |key| sla.and_then(|sla| sla.get(key)).map(|node| self.field_of(node)).unwrap_or_default();
        PlanForm {
            model_name: self.field(&["model", "name"]),
            tokenizer: self.field(&["model", "tokenizer"]),
            gpu_model: self.field(&["hardware", "gpu_model"]),
            gpu_count: self.field(&["hardware", "gpu_count"]),
            dataset_kind: self.field(&["dataset", "kind"]),
            dataset_path: self.field(&["dataset", "path"]),
            num_prompts: self.field(&["dataset", "num_prompts"]),
            scenarios: self.scenarios(),
            endpoint: self.field(&["benchmark", "endpoint"]),
            request_rates: self.items(&["benchmark", "request_rates"]),
            max_concurrency: self.items(&["benchmark", "max_concurrency"]),
            qps: self.search("qps"),
            concurrency_search: self.search("concurrency_search"),
            sla: SlaFields {
                max_p50_ttft_ms: limit("max_p50_ttft_ms"),
                max_p50_tpot_ms: limit("max_p50_tpot_ms"),
                max_p50_e2e_ms: limit("max_p50_e2e_ms"),
                min_success_rate: limit("min_success_rate"),
            },
            tier: self.field(&["search", "tier"]),
            limit: self.field(&["search", "max_candidates_per_framework"]),
            repeats: self.field(&["search", "repeats"]),
            frameworks: self.frameworks(),
        }
    }

    fn search(&self, key: &str) -> SearchFields {
        SearchFields {
            lower: self.field(&["benchmark", key, "lower"]),
            upper: self.field(&["benchmark", key, "upper"]),
            tolerance: self.field(&["benchmark", key, "tolerance"]),
            max_rounds: self.field(&["benchmark", key, "max_rounds"]),
        }
    }

    fn scenarios(&self) -> Vec<ScenarioRow> {
        let list = |key| self.node(&["dataset", key]).and_then(Node::items).unwrap_or_default();
        let (names, input, output) = (list("scenario_names"), list("input_len"), list("output_len"));
        let item = |list: &[Node], index| list.get(index).map(|node| self.field_of(node)).unwrap_or_default();
        let row = |name, input_at, output_at| ScenarioRow {
            name: item(names, name),
            input_len: item(input, input_at),
            output_len: item(output, output_at),
        };
        if is_product(self.root) && !output.is_empty() {
            // No more than a plan may have; a plan with more is told so.
            let count = input.len().saturating_mul(output.len()).min(MAX_SCENARIOS);
            return (0..count).map(|index| row(index, index / output.len(), index % output.len())).collect();
        }
        let count = names.len().max(input.len()).max(output.len());
        (0..count).map(|index| row(index, index, index)).collect()
    }

    fn frameworks(&self) -> Vec<FrameworkForm> {
        let parts = self.node(&["frameworks"]).and_then(Node::entries).unwrap_or_default();
        let mut forms: Vec<FrameworkForm> = Vec::new();
        for entry in parts {
            if let Ok(framework) = entry.key.parse::<Framework>()
                && forms.iter().all(|form| form.framework != framework)
            {
                forms.push(self.framework(framework, Some(&entry.value)));
            }
        }
        for framework in Framework::ALL {
            if forms.iter().all(|form| form.framework != framework) {
                forms.push(self.framework(framework, None));
            }
        }
        forms
    }

    fn framework(&self, framework: Framework, part: Option<&Node>) -> FrameworkForm {
        let child = |key| part.and_then(|part| part.get(key));
        let entries = |key| child(key).and_then(Node::entries).unwrap_or_default();
        let field = |key| child(key).map(|node| self.field_of(node)).unwrap_or_default();
        let disabled = child("enabled").is_some_and(|node| matches!(node.content, Content::Scalar(Value::Bool(false))));
        FrameworkForm {
            framework,
            name: framework.name().to_owned(),
            present: part.is_some(),
            enabled: part.is_some() && !disabled,
            server_command: field("server_command"),
            model_path: field("model_path"),
            base_flags: entries("base_server_flags")
                .iter()
                .map(|entry| FlagRow { name: entry.key.clone(), value: self.flag_field(&entry.value) })
                .collect(),
            search: entries("search_space")
                .iter()
                .map(|entry| SearchRow { name: entry.key.clone(), values: inline::items(&entry.value, self.text) })
                .collect(),
        }
    }

    fn node(&self, path: &[&str]) -> Option<&Node> {
        lookup(self.root, path)
    }

    fn field(&self, path: &[&str]) -> String {
        self.node(path).map(|node| self.field_of(node)).unwrap_or_default()
    }

    fn field_of(&self, node: &Node) -> String {
        inline::field(node, self.text)
    }

    /// A flag that is null is left out of the command; its field says so, since an empty one means "remove".
    fn flag_field(&self, node: &Node) -> String {
        if node.is_null() { "null".to_owned() } else { self.field_of(node) }
    }

    fn items(&self, path: &[&str]) -> String {
        self.node(path).map(|node| inline::items(node, self.text)).unwrap_or_default()
    }
}
