//! `/api`: what programs can do, and a form to try each of it.

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::Title;
use serde_json::{Map, Value};

use crate::components::Command;
use crate::context::{ApiDocument, public_origin};
use crate::escape::raw_text;

/// Sends the forms of this page, where there is JavaScript.
const SCRIPT: &str = include_str!("api.js");

/// The operations of the OpenAPI document, each with its parameters, a form and a command.
#[component]
pub fn ApiPage() -> impl IntoView {
    let document = use_context::<ApiDocument>();
    let origin = public_origin().unwrap_or_default();
    let operations = document.as_ref().map(|ApiDocument(document)| operations(document)).unwrap_or_default();
    let sections = operations.iter().enumerate().map(|(index, operation)| section(index, operation, &origin));
    view! {
        <Title text="API" />
        <h1>"API"</h1>
        <p>
            "Everything that the pages do, for programs, as JSON. Send a "
            <a href="/account#tokens">"token of your account"</a>
            " as " <code>"Authorization: Bearer …"</code> "; the forms below use the session of this browser."
        </p>
        <p>
            <a class="button" href="/api/v1/openapi.json">
                "OpenAPI document"
            </a>
        </p>
        {sections.collect_view()}
        <script nonce=use_nonce()>{SCRIPT}</script>
    }
}

/// One operation of the document.
struct Operation {
    method: String,
    path: String,
    summary: String,
    parameters: Vec<Parameter>,
    /// A body to begin with.
    body: Option<String>,
}

struct Parameter {
    name: String,
    /// `path` or `query`.
    place: String,
    description: String,
}

fn operations(document: &Value) -> Vec<Operation> {
    let no_paths = Map::new();
    let paths = document["paths"].as_object().unwrap_or(&no_paths);
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().cloned().unwrap_or_default();
        methods.into_iter().map(|(method, operation)| read(document, path, &method, &operation)).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

fn read(document: &Value, path: &str, method: &str, operation: &Value) -> Operation {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let parameter = |parameter: &Value| Parameter {
        name: text(&parameter["name"]),
        place: text(&parameter["in"]),
        description: text(&parameter["description"]),
    };
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let body = (!schema.is_null()).then(|| format!("{:#}", example(document, schema, 0)));
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(&operation["summary"]),
        parameters: parameters.iter().map(parameter).collect(),
        body,
    }
}

/// A value of this schema to begin with. A schema that contains itself ends after a few levels.
fn example(document: &Value, schema: &Value, depth: usize) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let resolved = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        return resolved.filter(|_| depth < 4).map_or(Value::Null, |schema| example(document, schema, depth + 1));
    }
    if !schema["example"].is_null() {
        return schema["example"].clone();
    }
    // A type that may be missing is a list of two.
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("object") => {
            let properties = schema["properties"].as_object().cloned().unwrap_or_default();
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let is_needed = |name: &str| required.iter().any(|needed| needed == name);
            let filled = properties
                .iter()
                .filter(|(name, property)| is_needed(name) || property["type"] == "boolean")
                .map(|(name, property)| (name.clone(), example(document, property, depth + 1)));
            Value::Object(filled.collect())
        }
        Some("array") => Value::Array(Vec::new()),
        Some("boolean") => Value::Bool(false),
        Some("integer" | "number") => Value::from(1),
        Some("string") => Value::from(""),
        _ => Value::Null,
    }
}

fn section(index: usize, operation: &Operation, origin: &str) -> impl IntoView + use<> {
    let (method, path) = (operation.method.clone(), operation.path.clone());
    let fields = operation.parameters.iter().map(|parameter| {
        let id = format!("operation-{index}-{}", parameter.name);
        view! {
            <div class="field">
                <label for=id.clone()>{parameter.name.clone()}</label>
                <input
                    id=id
                    name=parameter.name.clone()
                    type="text"
                    required=parameter.place == "path"
                    autocomplete="off"
                    spellcheck="false"
                    data-in=parameter.place.clone()
                />
                <span class="field-hint">{parameter.description.clone()}</span>
            </div>
        }
    });
    let body_id = format!("operation-{index}-body");
    let body = operation.body.as_ref().map(|body| {
        view! {
            <div class="field">
                <label for=body_id.clone()>"Body"</label>
                <textarea id=body_id rows="6" spellcheck="false">
                    {raw_text(body)}
                </textarea>
            </div>
        }
    });
    view! {
        <details class="section" data-operation=format!("{method} {path}")>
            <summary>
                <code>{format!("{method} {path}")}</code>
                {format!(" — {}", operation.summary)}
            </summary>
            <form class="section-body api-form" data-method=method.clone() data-path=path.clone()>
                {fields.collect_view()}
                {body}
                <button class="button button-primary" type="submit">
                    "Send"
                </button>
                <p role="status" class="muted"></p>
                <pre class="yaml" tabindex="0" aria-label="Answer" hidden></pre>
            </form>
            <div class="section-body">
                <Command id=format!("operation-{index}-command") text=command(operation, origin) />
            </div>
        </details>
    }
}

/// The same for a shell. What stands in braces is to be filled in.
fn command(operation: &Operation, origin: &str) -> String {
    let body = operation.body.as_ref().map_or("", |_| " -H 'content-type: application/json' -d @body.json");
    let method = &operation.method;
    format!("curl -X {method} -H \"Authorization: Bearer $PODIUM_TOKEN\"{body} '{origin}{}'", operation.path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_are_read_with_what_they_take() {
        let document = json!({
            "paths": {"/runs/{id}": {"post": {
                "summary": "Start",
                "parameters": [{"name": "id", "in": "path", "description": "The run"}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/New"}}}},
            }}},
            "components": {"schemas": {"New": {
                "type": "object",
                "required": ["yaml"],
                "properties": {
                    "yaml": {"type": "string"}, "flag": {"type": "boolean"}, "host": {"type": ["string", "null"]},
                },
            }}},
        });
        let [operation] = &operations(&document)[..] else { panic!("not one operation") };
        assert_eq!((operation.method.as_str(), operation.summary.as_str()), ("POST", "Start"));
        assert_eq!(operation.parameters[0].place, "path");
        let body: Value = serde_json::from_str(operation.body.as_deref().unwrap()).unwrap();
        assert_eq!(body, json!({"yaml": "", "flag": false}));
        assert!(command(operation, "http://podium").ends_with("-d @body.json 'http://podium/runs/{id}'"));
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let document = json!({"s": {"type": "object", "required": ["s"], "properties": {"s": {"$ref": "#/s"}}}});
        assert!(example(&document, &json!({"$ref": "#/s"}), 0).is_object());
    }
}
