//! What the server answers besides pages and server functions: posted forms, event streams, downloads.
//!
//! Each handler parses, calls the service once and maps the outcome.

mod account;
pub(crate) mod api;
mod charts;
mod failure;
mod health;
mod hosts;
mod imports;
mod logs;
mod people;
mod plans;
mod reports;
mod runs;
mod shares;
mod signing_in;
pub(crate) mod table;

#[cfg(test)]
mod import_tests;
#[cfg(test)]
mod role_tests;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::routing::{MethodRouter, delete, get, post};

pub(crate) use self::failure::Failure;
use crate::state::AppState;

/// A route of ours: its method, its path and what answers.
pub(crate) struct OwnRoute {
    /// `GET`, `POST` or `DELETE`.
    pub(crate) method: &'static str,
    /// The path, with `{name}` for parameters.
    pub(crate) path: &'static str,
    handler: MethodRouter<AppState>,
}

fn on_get<H, T>(path: &'static str, handler: H) -> OwnRoute
where
    H: axum::handler::Handler<T, AppState>,
    T: 'static,
{
    OwnRoute { method: "GET", path, handler: get(handler) }
}

fn on_post<H, T>(path: &'static str, handler: H) -> OwnRoute
where
    H: axum::handler::Handler<T, AppState>,
    T: 'static,
{
    OwnRoute { method: "POST", path, handler: post(handler) }
}

fn on_delete<H, T>(path: &'static str, handler: H) -> OwnRoute
where
    H: axum::handler::Handler<T, AppState>,
    T: 'static,
{
    OwnRoute { method: "DELETE", path, handler: delete(handler) }
}

/// Every route that is not a page or a server function.
pub(crate) fn own() -> Vec<OwnRoute> {
    let mut routes = vec![
        on_post("/plans/start", plans::start),
        OwnRoute { method: "POST", path: "/import", handler: imports::create_route() },
        on_get("/runs/{id}/files/{file}", imports::file),
        on_post("/runs/{id}/cancel", runs::cancel),
        on_post("/runs/{id}/notes", runs::annotate),
        on_post("/runs/{id}/archive", runs::archive),
        on_post("/runs/{id}/unarchive", runs::unarchive),
        on_post("/runs/{id}/delete", runs::delete),
        on_post("/runs/{id}/restore", runs::restore),
        on_get("/runs/{id}/events", runs::events),
        on_get("/runs/{id}/report.md", reports::markdown),
        on_get("/runs/{id}/report.csv", reports::csv),
        on_get("/runs/{id}/report.json", reports::json),
        on_get("/runs/{id}/report.html", reports::html),
        on_get("/reports/{id}/charts/{file}", charts::of_report),
        on_get("/healthz", health::alive),
        on_get("/readyz", health::ready),
        on_get("/metrics", health::metrics),
        on_get("/compare/charts/{file}", charts::of_comparison),
        on_get("/r/{token}/charts/{file}", charts::of_share),
        on_post("/runs/{id}/report", shares::create),
        on_post("/r/{token}/unlock", shares::unlock),
        on_post("/shares/{id}/revoke", shares::revoke),
        on_post("/hosts", hosts::add),
        on_post("/hosts/{id}/check", hosts::check),
        on_post("/hosts/{id}/edit", hosts::edit),
        on_post("/hosts/{id}/remove", hosts::remove),
        on_get("/launches/{id}/log", logs::whole),
        on_post("/login", signing_in::sign_in),
        on_post("/logout", signing_in::sign_out),
        on_post("/invite/{token}", signing_in::accept),
        on_post("/account/password", account::password),
        on_post("/account/tokens", account::create_token),
        on_post("/account/tokens/{id}/revoke", account::revoke_token),
        on_post("/people", people::add),
        on_post("/people/{id}/role", people::role),
        on_post("/people/{id}/disable", people::disable),
        on_post("/people/{id}/enable", people::enable),
        on_post("/people/{id}/reset", people::reset),
    ];
    routes.extend(api::routes());
    routes
}

/// Adds every route of [`own`].
pub(crate) fn mount(router: Router<AppState>) -> Router<AppState> {
    own().into_iter().fold(router, |router, route| {
        debug_assert!(table::has(route.method, route.path), "{} {} is not in the table", route.method, route.path);
        router.route(route.path, route.handler)
    })
}
