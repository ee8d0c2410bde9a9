//! Who may ask for what: every page, server function and other route with the least role that it needs.
//!
//! A request for a route that is not in the table is refused, and a test compares the table with what is served.

use axum::extract::{MatchedPath, Request};
use axum::http::header::{ACCEPT, WWW_AUTHENTICATE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use podium_app::error::AppError;
use podium_service::{Caller, Role};

use super::api::Problem;
use crate::access::ByToken;

/// Who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody: it is the way in or out.
    Everybody,
    /// Whoever knows the address: it holds a secret, and nothing is done on behalf of anybody.
    Link,
    /// Whoever is signed in, about the own account. A program with a token may not: it could make itself another one.
    Own,
    /// A person of this role or a higher one.
    Least(Role),
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// `GET`, `POST` or `DELETE`.
    pub(crate) method: &'static str,
    /// The path, with `{name}` for parameters.
    pub(crate) path: &'static str,
    /// Who may.
    pub(crate) access: Access,
}

const fn row(method: &'static str, path: &'static str, role: Role) -> Row {
    Row { method, path, access: Access::Least(role) }
}

/// Every route.
pub(crate) const TABLE: &[Row] = &[
    // Pages
    row("GET", "/", Role::Viewer),
    row("GET", "/plans/new", Role::Viewer),
    row("GET", "/plans/start", Role::Viewer),
    row("GET", "/compare", Role::Viewer),
    row("GET", "/cookbook", Role::Viewer),
    row("GET", "/hosts", Role::Viewer),
    row("GET", "/import", Role::Viewer),
    row("GET", "/runs/{id}", Role::Viewer),
    row("GET", "/runs/{id}/report", Role::Viewer),
    Row { method: "GET", path: "/account", access: Access::Own },
    row("GET", "/people", Role::Admin),
    row("GET", "/audit", Role::Admin),
    row("GET", "/api", Role::Viewer),
    Row { method: "GET", path: "/login", access: Access::Everybody },
    Row { method: "GET", path: "/invite/{token}", access: Access::Link },
    Row { method: "GET", path: "/r/{token}", access: Access::Link },
    // Server functions
    row("POST", "/api/plan/check", Role::Viewer),
    row("POST", "/api/plan/edit", Role::Viewer),
    row("POST", "/api/run/state", Role::Viewer),
    row("POST", "/api/launch/log", Role::Viewer),
    row("POST", "/api/report/share", Role::Runner),
    // Forms
    row("POST", "/plans/start", Role::Runner),
    row("POST", "/import", Role::Runner),
    row("POST", "/runs/{id}/cancel", Role::Runner),
    row("POST", "/runs/{id}/notes", Role::Runner),
    row("POST", "/runs/{id}/archive", Role::Runner),
    row("POST", "/runs/{id}/unarchive", Role::Runner),
    row("POST", "/runs/{id}/delete", Role::Runner),
    row("POST", "/runs/{id}/restore", Role::Runner),
    row("POST", "/runs/{id}/report", Role::Runner),
    row("POST", "/shares/{id}/revoke", Role::Runner),
    row("POST", "/hosts", Role::Admin),
    row("POST", "/hosts/{id}/check", Role::Runner),
    row("POST", "/hosts/{id}/edit", Role::Admin),
    row("POST", "/hosts/{id}/remove", Role::Admin),
    Row { method: "POST", path: "/login", access: Access::Everybody },
    Row { method: "POST", path: "/logout", access: Access::Everybody },
    Row { method: "POST", path: "/invite/{token}", access: Access::Link },
    Row { method: "POST", path: "/r/{token}/unlock", access: Access::Link },
    Row { method: "POST", path: "/account/password", access: Access::Own },
    Row { method: "POST", path: "/account/tokens", access: Access::Own },
    Row { method: "POST", path: "/account/tokens/{id}/revoke", access: Access::Own },
    row("POST", "/people", Role::Admin),
    row("POST", "/people/{id}/role", Role::Admin),
    row("POST", "/people/{id}/disable", Role::Admin),
    row("POST", "/people/{id}/enable", Role::Admin),
    row("POST", "/people/{id}/reset", Role::Admin),
    // For programs
    row("GET", "/api/v1/openapi.json", Role::Viewer),
    row("POST", "/api/v1/plans/validate", Role::Viewer),
    row("GET", "/api/v1/plans", Role::Viewer),
    row("POST", "/api/v1/plans", Role::Runner),
    row("GET", "/api/v1/plans/{id}", Role::Viewer),
    row("POST", "/api/v1/plans/{id}/versions", Role::Runner),
    row("GET", "/api/v1/runs", Role::Viewer),
    row("POST", "/api/v1/runs", Role::Runner),
    row("GET", "/api/v1/runs/{id}", Role::Viewer),
    row("POST", "/api/v1/runs/{id}/cancel", Role::Runner),
    row("GET", "/api/v1/runs/{id}/rows", Role::Viewer),
    row("GET", "/api/v1/runs/{id}/report", Role::Viewer),
    row("GET", "/api/v1/runs/{id}/shares", Role::Viewer),
    row("POST", "/api/v1/runs/{id}/shares", Role::Runner),
    row("DELETE", "/api/v1/shares/{id}", Role::Runner),
    row("GET", "/api/v1/hosts", Role::Viewer),
    row("POST", "/api/v1/hosts/{id}/check", Role::Runner),
    // Streams and downloads
    row("GET", "/runs/{id}/events", Role::Viewer),
    row("GET", "/runs/{id}/files/{file}", Role::Viewer),
    row("GET", "/reports/{id}/charts/{file}", Role::Viewer),
    row("GET", "/compare/charts/{file}", Role::Viewer),
    Row { method: "GET", path: "/healthz", access: Access::Everybody },
    Row { method: "GET", path: "/readyz", access: Access::Everybody },
    row("GET", "/metrics", Role::Viewer),
    Row { method: "GET", path: "/r/{token}/charts/{file}", access: Access::Link },
    row("GET", "/runs/{id}/report.md", Role::Viewer),
    row("GET", "/runs/{id}/report.csv", Role::Viewer),
    row("GET", "/runs/{id}/report.json", Role::Viewer),
    row("GET", "/runs/{id}/report.html", Role::Viewer),
    row("GET", "/launches/{id}/log", Role::Viewer),
];

/// Whether the table has this route.
pub(crate) fn has(method: &str, path: &str) -> bool {
    TABLE.iter().any(|row| row.method == method && row.path == path)
}

/// Who may ask for this route; `None` for one that nobody thought of.
fn access(method: &Method, path: &str) -> Option<Access> {
    // A HEAD is a GET whose body is left out.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    TABLE.iter().find(|row| row.method == method.as_str() && row.path == path).map(|row| row.access)
}

/// The middleware of every route: refuses who may not. Who asks, [`identify`](crate::access::identify) has found out.
pub(crate) async fn authorize(path: MatchedPath, request: Request, next: Next) -> Response {
    match access(request.method(), path.as_str()) {
        Some(Access::Everybody | Access::Link) => next.run(request).await,
        Some(Access::Own) => match request.extensions().get::<Caller>() {
            Some(_) if request.extensions().get::<ByToken>().is_none() => next.run(request).await,
            Some(_) => {
                let message = "a token does not open the account that it belongs to; sign in in a browser".to_owned();
                refusal(path.as_str(), StatusCode::FORBIDDEN, message)
            }
            None => sign_in_first(&request, path.as_str()),
        },
        Some(Access::Least(needed)) => match request.extensions().get::<Caller>() {
            Some(caller) if caller.role >= needed => next.run(request).await,
            Some(_) => refusal(path.as_str(), StatusCode::FORBIDDEN, needs_role(needed)),
            None => sign_in_first(&request, path.as_str()),
        },
        // The method is answered with 405 by the router; only a route that is missing in the table comes further.
        None if TABLE.iter().any(|row| row.path == path.as_str()) => next.run(request).await,
        None => {
            let message = format!("the route {} has no access rule", path.as_str());
            refusal(path.as_str(), StatusCode::FORBIDDEN, message)
        }
    }
}

fn needs_role(needed: Role) -> String {
    format!("this needs the role {needed}; ask an admin of this podium for it")
}

/// A person is led to the form and back; a program is told.
fn sign_in_first(request: &Request, path: &str) -> Response {
    let is_page = request.method() == Method::GET && !path.starts_with("/api/");
    let wants_html = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    if is_page && wants_html.is_some_and(|accept| accept.contains("text/html")) {
        let here = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        return Redirect::to(&format!("/login?next={}", query_value(here))).into_response();
    }
    let mut response =
        refusal(path, StatusCode::UNAUTHORIZED, "sign in first, or send a token: `Authorization: Bearer …`".to_owned());
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Text inside the value of a query.
fn query_value(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
        out
    })
}

/// Server functions decode every failure as [`AppError`], so they get one; programs get a problem; everything else gets
/// the sentence.
pub(crate) fn refusal(path: &str, status: StatusCode, message: String) -> Response {
    if path.starts_with("/api/v1/") {
        Problem::new(status, message).into_response()
    } else if path.starts_with("/api/") {
        (status, axum::Json(AppError::Forbidden { message })).into_response()
    } else {
        (status, format!("{message}\n")).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use leptos_axum::generate_route_list;
    use podium_app::App;

    use super::*;

    /// Every route of the server, from the three places where they are made.
    fn served() -> BTreeSet<(String, String)> {
        let pages = generate_route_list(App);
        let pages = pages.iter().map(|page| ("GET".to_owned(), page.path().to_owned()));
        let functions = leptos::server_fn::axum::server_fn_paths()
            .map(|(path, method)| (method.as_str().to_owned(), path.to_owned()));
        let own = super::super::own();
        let own = own.iter().map(|route| (route.method.to_owned(), route.path.to_owned()));
        pages.chain(functions).chain(own).collect()
    }

    #[test]
    fn the_table_names_exactly_what_is_served() {
        let table: BTreeSet<_> = TABLE.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
        assert_eq!(table.len(), TABLE.len(), "a route stands twice in the table");
        assert_eq!(table, served());
    }

    #[test]
    fn whatever_changes_something_needs_more_than_reading() {
        let read_only =
            ["/api/plan/check", "/api/plan/edit", "/api/run/state", "/api/launch/log", "/api/v1/plans/validate"];
        // The way in and out, by a password or by a secret.
        let way = |path: &str| ["/login", "/logout"].contains(&path);
        let by_secret = |path: &str| path.starts_with("/invite/") || path.starts_with("/r/");
        for row in TABLE.iter().filter(|row| row.method != "GET" && !read_only.contains(&row.path)) {
            let needs_more = matches!(row.access, Access::Least(role) if role >= Role::Runner);
            let is_own = row.access == Access::Own && row.path.starts_with("/account/");
            assert!(needs_more || is_own || way(row.path) || by_secret(row.path), "{}", row.path);
        }
    }

    #[test]
    fn only_what_holds_a_secret_and_the_way_in_are_open() {
        let open = |access: Access| {
            let rows = TABLE.iter().filter(|row| row.access == access);
            rows.map(|row| (row.method, row.path)).collect::<Vec<_>>()
        };
        assert_eq!(
            open(Access::Everybody),
            [("GET", "/login"), ("POST", "/login"), ("POST", "/logout"), ("GET", "/healthz"), ("GET", "/readyz")]
        );
        for (_, path) in open(Access::Link) {
            assert!(path.contains("{token}"), "{path}");
        }
    }

    #[test]
    fn a_route_nobody_thought_of_has_no_access() {
        assert_eq!(access(&Method::GET, "/secret"), None);
        assert_eq!(access(&Method::POST, "/runs/{id}"), None);
        assert_eq!(access(&Method::HEAD, "/hosts"), Some(Access::Least(Role::Viewer)));
    }
}
