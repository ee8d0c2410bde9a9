//! The plan editor's values.

use serde::{Deserialize, Serialize};

/// A plan's text and everything that follows from it, the parts of the page drawn by the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanView {
    /// The text.
    pub yaml: String,
    /// The form; `None` while the text is not YAML, so that the form waits.
    pub form_html: Option<String>,
    /// The problems and warnings.
    pub problems_html: String,
    /// The candidates.
    pub candidates_html: String,
    /// The frameworks that can be left out of a run.
    pub leave_out_html: String,
    /// How many problems prevent a start.
    pub problems: u32,
    /// What stands beside the start button.
    pub note: String,
}

/// One edit of the form: what the edited element says about itself, and what was entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormEdit {
    /// The JSON of a plan edit whose entered parts are still empty.
    pub template: String,
    /// Where in the template the entered values go, as JSON pointers.
    pub slots: Vec<String>,
    /// What was entered, one for each slot.
    pub values: Vec<String>,
}

/// A host that a plan can be started on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostChoice {
    /// Its id.
    pub id: String,
    /// Its name and what it has, on one line.
    pub label: String,
}
