//! From what an element of the form says about itself to an edit of the plan.

use podium_domain::form::PlanEdit;
use serde_json::Value;

use crate::dto::FormEdit;
use crate::error::AppError;

/// Puts the entered values into the template.
///
/// # Errors
/// [`AppError::Invalid`] for an edit that our own form does not make.
pub fn resolve(edit: FormEdit) -> Result<PlanEdit, AppError> {
    let wrong = |detail: String| AppError::Invalid {
        message: format!("this edit of the form cannot be read ({detail}); load the page again"),
        fields: Vec::new(),
    };
    if edit.slots.len() != edit.values.len() {
        return Err(wrong(format!("{} places for {} values", edit.slots.len(), edit.values.len())));
    }
    let mut template: Value = serde_json::from_str(&edit.template).map_err(|error| wrong(error.to_string()))?;
    for (slot, value) in edit.slots.iter().zip(edit.values) {
        let place = template.pointer_mut(slot).ok_or_else(|| wrong(format!("no place {slot}")))?;
        *place = if place.is_boolean() { Value::Bool(value == "true") } else { Value::String(value) };
    }
    serde_json::from_value(template).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use podium_domain::framework::Framework;

    use super::*;

    fn edit(template: &PlanEdit, slots: &[&str], values: &[&str]) -> FormEdit {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        FormEdit {
            template: serde_json::to_string(template).expect("an edit has a JSON form"),
            slots: own(slots),
            values: own(values),
        }
    }

    #[test]
    fn entered_values_go_to_their_places() {
        let template = PlanEdit::SetFlag { framework: Framework::Vllm, flag: String::new(), value: String::new() };
        let made = resolve(edit(&template, &["/flag", "/value"], &["max_num_seqs", "64"]));
        let flag = "max_num_seqs".to_owned();
        assert_eq!(made, Ok(PlanEdit::SetFlag { framework: Framework::Vllm, flag, value: "64".to_owned() }));
    }

    #[test]
    fn a_check_box_is_a_truth_value() {
        let template = PlanEdit::EnableFramework { framework: Framework::Sglang, enabled: false };
        let made = resolve(edit(&template, &["/enabled"], &["true"]));
        assert_eq!(made, Ok(PlanEdit::EnableFramework { framework: Framework::Sglang, enabled: true }));
    }

    #[test]
    fn an_edit_that_no_form_makes_is_the_callers_fault() {
        let template = PlanEdit::Remove { path: "sla".to_owned() };
        for (slots, values) in [(&["/value"][..], &["1"][..]), (&["/path"][..], &[][..])] {
            let error = resolve(edit(&template, slots, values)).expect_err("no such edit");
            assert_eq!(error.status_code(), 400);
        }
        let nonsense = FormEdit { template: "[".to_owned(), slots: Vec::new(), values: Vec::new() };
        assert_eq!(resolve(nonsense).expect_err("no JSON").status_code(), 400);
    }
}
