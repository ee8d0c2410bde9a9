//! The part of a host's form that says how engines are put into containers.

use leptos::prelude::*;
use podium_domain::framework::Framework;
use podium_launcher::{ContainerConfig, ContainerPlace, Runtime, SshConfig};

use crate::escape::raw_text;

/// A field of the form.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) value: String,
    pub(super) hint: &'static str,
    pub(super) kind: Kind,
}

/// How a field is written.
pub(super) enum Kind {
    Line,
    Lines,
    Ids,
}

/// The runtime, and what it is told; open where anything is set or wrong.
pub(super) fn container_fields(
    key: &str,
    ssh: &SshConfig,
    problem: &dyn Fn(&str) -> Option<String>,
) -> impl IntoView + use<> {
    let none = ContainerConfig::default();
    let config = ssh.container.as_ref().unwrap_or(&none);
    let runtime = ssh.container.as_ref().map(|container| container.runtime);
    let fields = fields(config);
    let wrong = fields.iter().any(|field| problem(problem_key(&field.name)).is_some());
    let places_problem = problem("places").map(|text| view! { <span class="field-error">{text}</span> });
    let open = runtime.is_some() || wrong || places_problem.is_some();
    let views = fields.into_iter().map(|field| {
        // Those of images are told once, below them.
        let text = if field.name.starts_with("place-") { None } else { problem(&field.name) };
        field_view(key, field, text)
    });
    let views = views.collect_view();
    let container = format!("host-{key}-container");
    let no_defaults = config.no_default_flags;
    let options = Runtime::ALL.map(|one| {
        view! {
            <option value=one.word() selected=runtime == Some(one)>
                {one.word()}
            </option>
        }
    });
    view! {
        <details open=open>
            <summary>"Containers"</summary>
            <div class="field">
                <label class="field-label" for=container.clone()>
                    "Engines run"
                </label>
                <select id=container name="container">
                    <option value="" selected=runtime.is_none()>
                        "as plain processes"
                    </option>
                    {options.into_iter().collect_view()}
                </select>
            </div>
            {views}
            {places_problem}
            <div class="field">
                <label>
                    <input name="no_default_flags" type="checkbox" checked=no_defaults />
                    " Leave out the flags that Podium sets by itself"
                </label>
            </div>
        </details>
    }
}

/// The setting that problems of a field are told at.
fn problem_key(field: &str) -> &str {
    if field.starts_with("place-") { "places" } else { field }
}

fn fields(config: &ContainerConfig) -> Vec<Field> {
    let images = Framework::ALL.into_iter().map(|framework| Field {
        name: format!("place-{}", framework.id()),
        label: format!("Image of {}", framework.name()),
        value: config.places.get(&framework).map(ContainerPlace::line).unwrap_or_default(),
        hint: "An image; an image and the program in it that starts the server; or exec and a running container.",
        kind: Kind::Line,
    });
    let more = [
        (
            "mounts",
            "Mounts",
            config.mounts.join("\n"),
            "One a line: /path, /path:/inside or /path:/inside:ro.",
            Kind::Lines,
        ),
        (
            "gpus",
            "GPUs",
            config.gpus.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
            "Numbers with commas between them; all where empty.",
            Kind::Ids,
        ),
        (
            "run_flags",
            "Flags of run",
            config.run_flags.join("\n"),
            "One word a line, such as --shm-size=32g. A flag replaces the one that Podium would set.",
            Kind::Lines,
        ),
        (
            "global_flags",
            "Flags before run",
            config.global_flags.join("\n"),
            "One word a line, for the runtime itself.",
            Kind::Lines,
        ),
        (
            "container_program",
            "Program of the runtime",
            config.program.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            "Looked up on PATH where empty.",
            Kind::Line,
        ),
    ];
    let more = more.map(|(name, label, value, hint, kind)| Field {
        name: name.to_owned(),
        label: label.to_owned(),
        value,
        hint,
        kind,
    });
    images.chain(more).collect()
}

/// A field with its hint, and what is wrong with it.
pub(super) fn field_view(key: &str, field: Field, problem: Option<String>) -> impl IntoView + use<> {
    let Field { name, label, value, hint, kind } = field;
    let id = format!("host-{key}-{name}");
    let (hint_id, error_id) = (format!("{id}-hint"), format!("{id}-error"));
    let invalid = problem.is_some().then_some("true");
    let described = if problem.is_some() { format!("{error_id} {hint_id}") } else { hint_id.clone() };
    let input = match kind {
        Kind::Lines => view! {
            <textarea id=id.clone() name=name rows="3" spellcheck="false" aria-invalid=invalid aria-describedby=described>
                {format!("\n{}", raw_text(&value))}
            </textarea>
        }
        .into_any(),
        Kind::Line | Kind::Ids => view! {
            <input
                id=id.clone()
                name=name
                type="text"
                value=value
                pattern=matches!(kind, Kind::Ids).then_some("[0-9]+( *, *[0-9]+)*")
                autocomplete="off"
                spellcheck="false"
                aria-invalid=invalid
                aria-describedby=described
            />
        }
        .into_any(),
    };
    view! {
        <div class="field">
            <label class="field-label" for=id>
                {label}
            </label>
            {input}
            {problem.map(|text| view! { <span class="field-error" id=error_id>{text}</span> })}
            <span class="field-hint" id=hint_id>
                {hint}
            </span>
        </div>
    }
}
