//! Importing result files by a form, and the files of an imported run.

use axum::Extension;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, post};
use leptos::prelude::provide_context;
use podium_app::context::id;
use podium_app::error::{AppError, FieldProblem};
use podium_app::posted::RejectedImport;
use podium_domain::framework::Framework;
use podium_domain::sla::Sla;
use podium_service::{Caller, ImportFile, ImportRequest, MAX_IMPORT_BYTES};

use super::failure::Failure;
use crate::state::AppState;

/// Bytes of a form beside its files.
const FIELDS_BYTES: usize = 1 << 20;

/// The route of the form: the one that takes more than a few megabytes.
pub(super) fn create_route() -> MethodRouter<AppState> {
    post(create).layer(DefaultBodyLimit::max(MAX_IMPORT_BYTES + FIELDS_BYTES))
}

/// Imports the files and leads to the run's page, or shows the form again with what is wrong.
async fn create(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    parts: Parts,
    form: Multipart,
) -> Response {
    let mut posted = Posted::default();
    let imported = match posted.read(form).await.and_then(|()| posted.request()) {
        Ok(request) => state.service.import(caller, request).await.map_err(AppError::from),
        Err(error) => Err(error),
    };
    match imported {
        Ok(run) => Redirect::to(&format!("/runs/{run}")).into_response(),
        Err(error) => {
            let rejected = RejectedImport { fields: posted.fields, error: Some(error) };
            state.page(parts, move || provide_context(rejected.clone())).await
        }
    }
}

/// What the form says.
#[derive(Default)]
struct Posted {
    files: Vec<ImportFile>,
    fields: Vec<(String, String)>,
}

impl Posted {
    /// Reads part by part; nothing beyond the limit is kept.
    async fn read(&mut self, mut form: Multipart) -> Result<(), AppError> {
        let mut total = 0;
        while let Some(mut part) = form.next_field().await.map_err(|error| unread(&error))? {
            let name = part.name().unwrap_or_default().to_owned();
            let file_name = part.file_name().map(str::to_owned);
            let mut bytes = Vec::new();
            while let Some(chunk) = part.chunk().await.map_err(|error| unread(&error))? {
                total += chunk.len();
                if total > MAX_IMPORT_BYTES + FIELDS_BYTES {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&chunk);
            }
            match file_name {
                // A browser sends a file without a name where none was chosen.
                Some(file_name) if file_name.is_empty() && bytes.is_empty() => {}
                Some(file_name) => self.files.push(ImportFile { name: file_name, bytes }),
                None => self.fields.push((name, String::from_utf8_lossy(&bytes).trim().to_owned())),
            }
        }
        Ok(())
    }

    fn text(&self, name: &str) -> Option<String> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.replace('\0', "")).filter(|value| !value.is_empty())
    }

    fn number(&self, name: &str) -> Result<Option<f64>, AppError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => Ok(Some(number)),
            _ => Err(invalid(name, format!("`{text}` is not a number of 0 or more"))),
        }
    }

    /// Takes the files out.
    fn request(&mut self) -> Result<ImportRequest, AppError> {
        let framework = match self.text("framework") {
            Some(text) => Some(text.parse::<Framework>().map_err(|error| invalid("framework", error.to_string()))?),
            None => None,
        };
        Ok(ImportRequest {
            title: self.text("title"),
            framework,
            candidate_id: self.text("candidate"),
            scenario: self.text("scenario"),
            limits: Sla {
                max_p50_ttft_ms: self.number("max_p50_ttft_ms")?,
                max_p50_tpot_ms: self.number("max_p50_tpot_ms")?,
                max_p50_e2e_ms: self.number("max_p50_e2e_ms")?,
                min_success_rate: self.number("min_success_rate")?,
            },
            files: std::mem::take(&mut self.files),
        })
    }
}

fn unread(error: &MultipartError) -> AppError {
    if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        return too_large();
    }
    invalid("files", format!("the form could not be read ({}); send it again", error.body_text()))
}

fn too_large() -> AppError {
    let most = MAX_IMPORT_BYTES >> 20;
    invalid("files", format!("the files have more than {most} MiB together; import fewer at once"))
}

fn invalid(path: &str, message: String) -> AppError {
    let fields = vec![FieldProblem { path: path.to_owned(), message: message.clone() }];
    AppError::Invalid { message, fields }
}

/// A file of a run, as it was given or captured.
pub(super) async fn file(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((run, file)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let (run, file) = (id(&run, "this run")?, id(&file, "this file")?);
    let (name, bytes) = state.service.run_file(caller, run, file).await?;
    // A name is shown by the page; the header takes what every browser reads alike.
    let safe: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let disposition = format!("attachment; filename=\"{safe}\"");
    Ok(([(CONTENT_TYPE, "application/octet-stream".to_owned()), (CONTENT_DISPOSITION, disposition)], bytes)
        .into_response())
}
