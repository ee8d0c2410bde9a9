//! `/api/v1`: the use cases as JSON, for programs.
//!
//! Each handler parses, calls the service once and maps the outcome, as the pages do. A program sends its token as
//! `Authorization: Bearer …`; failures are [problems](problem).

mod document;
mod hosts;
mod models;
mod plans;
mod problem;
mod runs;
mod shares;

pub(crate) use self::document::json as document_json;
pub(crate) use self::models::{Made, NewRun, RunCandidate, RunDetail, RunLine};
pub(crate) use self::problem::Problem;
use super::{OwnRoute, on_delete, on_get, on_post};

/// Every route of the API.
pub(super) fn routes() -> Vec<OwnRoute> {
    vec![
        on_get("/api/v1/openapi.json", document::show),
        on_post("/api/v1/plans/validate", plans::validate),
        on_get("/api/v1/plans", plans::list),
        on_post("/api/v1/plans", plans::create),
        on_get("/api/v1/plans/{id}", plans::show),
        on_post("/api/v1/plans/{id}/versions", plans::add_version),
        on_get("/api/v1/runs", runs::list),
        on_post("/api/v1/runs", runs::start),
        on_get("/api/v1/runs/{id}", runs::show),
        on_post("/api/v1/runs/{id}/cancel", runs::cancel),
        on_get("/api/v1/runs/{id}/rows", runs::rows),
        on_get("/api/v1/runs/{id}/report", runs::report),
        on_get("/api/v1/runs/{id}/shares", shares::list),
        on_post("/api/v1/runs/{id}/shares", shares::create),
        on_delete("/api/v1/shares/{id}", shares::revoke),
        on_get("/api/v1/hosts", hosts::list),
        on_post("/api/v1/hosts/{id}/check", hosts::check),
    ]
}
