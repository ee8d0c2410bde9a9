//! The plan form: a projection of the plan's YAML, and the edits that it sends back.
//!
//! The YAML text is the stored state. Every field of the form is the text of one place in it, so that a value that is
//! still wrong can be shown and corrected; `podium_formats::plan` makes the projection and applies the edits.

use serde::{Deserialize, Serialize};

use crate::framework::Framework;

/// The fields of a plan that a form edits. A text is empty where the plan does not have the field.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanForm {
    /// `model.name`
    pub model_name: String,
    /// `model.tokenizer`
    pub tokenizer: String,
    /// `hardware.gpu_model`
    pub gpu_model: String,
    /// `hardware.gpu_count`
    pub gpu_count: String,
    /// `dataset.kind`
    pub dataset_kind: String,
    /// `dataset.path`
    pub dataset_path: String,
    /// `dataset.num_prompts`
    pub num_prompts: String,
    /// The aligned lists `dataset.scenario_names`, `dataset.input_len` and `dataset.output_len`, row by row.
    pub scenarios: Vec<ScenarioRow>,
    /// `benchmark.endpoint`
    pub endpoint: String,
    /// `benchmark.request_rates`, separated by commas.
    pub request_rates: String,
    /// `benchmark.max_concurrency`, separated by commas; `null` is no limit.
    pub max_concurrency: String,
    /// `benchmark.qps`
    pub qps: SearchFields,
    /// `benchmark.concurrency_search`
    pub concurrency_search: SearchFields,
    /// `sla`, wherever the plan has it.
    pub sla: SlaFields,
    /// `search.tier`
    pub tier: String,
    /// `search.max_candidates_per_framework`
    pub limit: String,
    /// `search.repeats`
    pub repeats: String,
    /// The plan's frameworks in its order, then the ones that it does not have.
    pub frameworks: Vec<FrameworkForm>,
}

/// One scenario of the form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioRow {
    /// Its name.
    pub name: String,
    /// Prompt tokens.
    pub input_len: String,
    /// Output tokens.
    pub output_len: String,
}

/// The limits of the form; the names are the keys of the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlaFields {
    /// ms
    pub max_p50_ttft_ms: String,
    /// ms
    pub max_p50_tpot_ms: String,
    /// ms
    pub max_p50_e2e_ms: String,
    /// In [0, 1].
    pub min_success_rate: String,
}

/// A search of the form, for a rate in requests per second or for requests in flight; all empty where the plan has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchFields {
    /// Lower end.
    pub lower: String,
    /// Upper end.
    pub upper: String,
    /// How narrow the bracket gets.
    pub tolerance: String,
    /// Bisection steps.
    pub max_rounds: String,
}

/// One framework of the form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameworkForm {
    /// Which.
    pub framework: Framework,
    /// Its name for people.
    pub name: String,
    /// Whether the plan has a part for it at all.
    pub present: bool,
    /// Whether it takes part.
    pub enabled: bool,
    /// `server_command`, as written.
    pub server_command: String,
    /// `model_path`, as written.
    pub model_path: String,
    /// `base_server_flags` in its order.
    pub base_flags: Vec<FlagRow>,
    /// `search_space` in its order.
    pub search: Vec<SearchRow>,
}

/// One base flag of the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagRow {
    /// As the plan writes it.
    pub name: String,
    /// The value, as YAML on one line.
    pub value: String,
}

/// One searched flag of the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchRow {
    /// As the plan writes it.
    pub name: String,
    /// The values, separated by commas.
    pub values: String,
}

/// One edit of a plan. Values are text and read as YAML: `64` is a number, `auto` a text, `true` a switch. A text
/// that is no YAML on one line is quoted. An empty value removes the field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum PlanEdit {
    /// Sets one value, for example at `dataset.num_prompts`. Missing parents are made.
    SetScalar {
        /// Keys separated by dots; `[n]` is an item of a list.
        path: String,
        /// The value.
        value: String,
    },
    /// Sets a whole list, for example at `benchmark.request_rates`.
    SetList {
        /// Keys separated by dots.
        path: String,
        /// Items separated by commas, with or without brackets around them.
        values: String,
    },
    /// Removes a key with everything below it.
    Remove {
        /// Keys separated by dots.
        path: String,
    },
    /// Sets one limit, where the plan keeps its limits: at the top or under `benchmark`.
    SetSla {
        /// One of [`crate::sla::SLA_KEYS`].
        key: String,
        /// The limit.
        value: String,
    },
    /// Changes one scenario.
    SetScenario {
        /// From 0.
        index: u32,
        /// All its fields.
        scenario: ScenarioRow,
    },
    /// Adds a scenario at the end.
    AddScenario {
        /// All its fields.
        scenario: ScenarioRow,
    },
    /// Removes one scenario from all three lists.
    RemoveScenario {
        /// From 0.
        index: u32,
    },
    /// Switches a framework on or off; one that the plan does not have yet gets a starter part.
    EnableFramework {
        /// Which.
        framework: Framework,
        /// Whether it takes part.
        enabled: bool,
    },
    /// Replaces what every enabled framework searches by what is proposed for a depth, and sets tier and limit.
    ProposeSearch {
        /// 1, 2 or 3.
        tier: String,
    },
    /// Sets a base flag.
    SetFlag {
        /// Of which framework.
        framework: Framework,
        /// With `-` or `_`.
        flag: String,
        /// The value.
        value: String,
    },
    /// Removes a base flag.
    RemoveFlag {
        /// Of which framework.
        framework: Framework,
        /// With `-` or `_`.
        flag: String,
    },
    /// Sets the searched values of a flag.
    SetSearch {
        /// Of which framework.
        framework: Framework,
        /// With `-` or `_`.
        flag: String,
        /// Values separated by commas, with or without brackets around them.
        values: String,
    },
    /// No longer searches a flag.
    RemoveSearch {
        /// Of which framework.
        framework: Framework,
        /// With `-` or `_`.
        flag: String,
    },
}
