//! Parts of plain forms: what is wrong above them, and fields with their problem beside them.

use leptos::prelude::*;
use leptos_axum::ResponseOptions;

use crate::error::AppError;

/// Sets the response's status to that of the error with which a form comes back.
pub fn respond_with(error: &AppError) {
    if let Some(response) = use_context::<ResponseOptions>() {
        let status = http::StatusCode::from_u16(error.status_code());
        response.set_status(status.unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR));
    }
}

/// Says above a form that it was refused, and why; a screen reader tells it at once.
pub fn refusal(lead: &str, error: &AppError) -> impl IntoView + use<> {
    let text = match error {
        AppError::Invalid { fields, .. } if !fields.is_empty() => {
            let problems: Vec<_> = fields.iter().map(|problem| problem.message.as_str()).collect();
            problems.join("; ")
        }
        other => other.to_string(),
    };
    let text = format!("{lead}: {text}.");
    view! {
        <div class="notice notice-bad" role="alert">
            <p>{text}</p>
        </div>
    }
}

/// What is wrong with a field.
pub fn problem_at(error: Option<&AppError>, field: &str) -> bool {
    matches!(error, Some(AppError::Invalid { fields, .. }) if fields.iter().any(|problem| problem.path == field))
}

/// A field of text with its label.
#[component]
pub fn TextField(
    /// Its name, and its id.
    name: &'static str,
    /// What it is called.
    label: &'static str,
    /// `text`, `password`, `number`.
    #[prop(default = "text")]
    kind: &'static str,
    /// What stands in it.
    #[prop(default = String::new())]
    value: String,
    /// What a browser may fill in.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// What to know, below it.
    #[prop(optional)]
    hint: Option<&'static str>,
    /// Whether it is what was wrong.
    #[prop(default = false)]
    is_wrong: bool,
    /// Whether it must be filled.
    #[prop(default = true)]
    required: bool,
) -> impl IntoView {
    let hint_id = format!("{name}-hint");
    let described = hint.map(|_| hint_id.clone());
    let hint = hint.map(|hint| view! { <span class="field-hint" id=hint_id>{hint}</span> });
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <input
                id=name
                name=name
                type=kind
                value=value
                required=required
                autocomplete=autocomplete
                spellcheck="false"
                autocapitalize="none"
                aria-invalid=is_wrong.then_some("true")
                aria-describedby=described
            />
            {hint}
        </div>
    }
}

/// A choice of roles up to `most`.
pub fn role_choice(
    id: String,
    label: &'static str,
    chosen: podium_service::Role,
    most: podium_service::Role,
) -> impl IntoView + use<> {
    let options = podium_service::Role::ALL.into_iter().filter(|role| *role <= most).map(|role| {
        view! {
            <option value=role.word() selected=role == chosen>
                {role.word()}
            </option>
        }
    });
    view! {
        <select id=id name="role" aria-label=label>
            {options.collect_view()}
        </select>
    }
}
